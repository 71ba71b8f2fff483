"""Trusted senders: an address, a host, a domain with all below it; and nobody who only looks like it."""

from typing import Any

import pytest

from mailhelper import trusted
from mailhelper.db import db
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.models import Account, Mail, Rating, Trusted
from mailhelper.scope import Scope
from mailhelper.trusted import Trust
from tests.world import account, fill, folder, keep, raw


@pytest.mark.parametrize("entry, yes, no", [
    ("anna@b.example", ["anna@b.example", "Anna@B.EXAMPLE"],
     ["hanna@b.example", "anna@mail.b.example", "anna@b.example.evil.com", "x@anna@b.example.com"]),
    ("@b.example", ["anna@b.example", "bob@b.example"], ["anna@mail.b.example", "anna@evilb.example", "anna@b.example.com", "@b.example"]),
    ("b.example", ["anna@b.example", "anna@mail.b.example", "x@a.c.b.example"],
     ["anna@evil-b.example", "anna@evilb.example", "anna@b.example.evil.com", "anna@example", "b.example"]),
    ("*.b.example", ["anna@mail.b.example"], ["anna@xb.example"]),
    ("BÜCHER.example", ["anna@bücher.example"], ["anna@bucher.example"]),
])
def test_who_is_trusted(ann: Scope, entry: str, yes: list[str], no: list[str]) -> None:
    trusted.add(ann, {"entry": entry})
    trust = Trust(ann)
    assert [address for address in yes if not trust.covers(address)] == []
    assert [address for address in no if trust.covers(address)] == []


@pytest.mark.parametrize("entry", ["", " ", "example", "a@", "@", "com", "a b@c.example", "a@b@c.example", "<a@b.example>", "a@b..example",
                                   "x" * 300 + ".example", 5, None, "-b.example", "b.example/x"])
def test_what_is_no_address_and_no_domain_is_refused(ann: Scope, entry: Any) -> None:
    with pytest.raises(Invalid) as caught:
        trusted.add(ann, {"entry": entry})
    assert "entry" in caught.value.fields


def test_an_entry_counts_once(ann: Scope) -> None:
    trusted.add(ann, {"entry": "b.example"})
    with pytest.raises(Conflict):
        trusted.add(ann, {"entry": "B.Example"})


def test_an_entry_may_count_for_one_mailbox_only(ann: Scope) -> None:
    one, other = account(ann), account(ann)
    trusted.add(ann, {"entry": "b.example", "account_id": one.id})      # type: ignore[attr-defined]
    trusted.add(ann, {"entry": "b.example", "account_id": other.id})    # type: ignore[attr-defined]
    trusted.remove(ann, ann.select(Trusted, Trusted.id).where(Trusted.account == other).scalar())
    assert [Trust(ann, box).covers("a@b.example") for box in (one, other, None)] == [True, False, False]


def test_a_foreign_mailbox_is_not_found(ann: Scope, bob: Scope) -> None:
    with pytest.raises(NotFound):
        trusted.add(bob, {"entry": "b.example", "account_id": account(ann).id})     # type: ignore[attr-defined]


def reasons(scope: Scope, mail: Mail) -> list[str]:
    with scope:
        return [code for code, _ in scope.select(Rating).where(Rating.mail == mail, Rating.layer == "builtin").get().detail["reasons"]]


def test_mail_of_a_trusted_sender_says_so_unless_the_mail_server_disproves_it(ann: Scope) -> None:
    place = folder(ann, account(ann))
    trusted.add(ann, {"entry": "work.example"})
    mail = keep(ann, place, raw(id="1@x"))[0]
    assert "trusted" in reasons(ann, mail)
    with ann:
        ann.update(Account, authserv="mx.home.example").execute()
    forged, genuine = keep(ann, place, raw(id="2@x", Authentication_Results="mx.home.example; dmarc=fail"),
                           raw(id="3@x", Authentication_Results="mx.home.example; dmarc=pass"), uid=5)
    assert "trusted" not in reasons(ann, forged) and "trusted" in reasons(ann, genuine)


def test_no_entry_is_readable_in_the_table(ann: Scope) -> None:
    fill(ann)
    trusted.add(ann, {"entry": "work.example"})
    stored = db.execute_sql("SELECT entry, entry_key FROM trusted").fetchone()
    assert not any(b"work" in bytes(value) for value in stored)
