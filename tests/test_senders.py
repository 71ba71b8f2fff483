"""Who writes: counts by address that only the owner's key can look up."""

import datetime as dt

from mailhelper import db, senders
from mailhelper.headers import Address
from mailhelper.models import Sender
from mailhelper.scope import Scope
from mailhelper.senders import Seen
from tests.world import ADDRESS, account, folder, keep, raw

DAY = dt.datetime(2026, 11, 20)
MIRIAM = "miriam@work.example"


def count(scope: Scope, *seen: Seen) -> None:
    with db.db.atomic():
        senders.keep(scope, senders.rows(scope, seen))


def test_counts_add_up_over_batches(ann: Scope) -> None:
    count(ann, Seen(MIRIAM, DAY, False), Seen(MIRIAM, DAY - dt.timedelta(days=9), False), Seen(MIRIAM, DAY, True))
    count(ann, Seen(MIRIAM, DAY + dt.timedelta(days=3), False))
    row = ann.select(Sender).get()
    assert (row.address, row.received, row.written) == (MIRIAM, 3, 1)
    assert (row.first_at, row.last_at) == (DAY - dt.timedelta(days=9), DAY + dt.timedelta(days=3))


def test_an_older_mail_that_comes_later_moves_only_the_first_date(ann: Scope) -> None:
    count(ann, Seen(MIRIAM, DAY, False))
    count(ann, Seen(MIRIAM, DAY - dt.timedelta(days=30), False))
    row = ann.select(Sender).get()
    assert (row.first_at, row.last_at) == (DAY - dt.timedelta(days=30), DAY)


def test_facts_are_looked_up_by_key_and_only_ones_own(ann: Scope, bob: Scope) -> None:
    count(ann, Seen(MIRIAM, DAY, False), Seen(MIRIAM, DAY, True))
    assert senders.facts(ann, [senders.key(ann, MIRIAM), senders.key(ann, "other@x")]) == {senders.key(ann, MIRIAM): (1, 1)}
    assert senders.facts(ann, []) == {}
    with bob:
        assert senders.facts(bob, [senders.key(bob, MIRIAM), senders.key(ann, MIRIAM)]) == {}


def test_a_mail_without_a_sender_counts_nobody(ann: Scope) -> None:
    count(ann, Seen("", DAY, False))
    assert ann.select(Sender).count() == 0


def test_rows_are_in_one_order_whatever_order_mails_come_in(ann: Scope) -> None:
    """Two syncs of one user at once must not lock each other's rows crosswise."""
    seen = [Seen(f"{name}@x.example", DAY, False) for name in "abcdef"]
    keys = [row["address_key"] for row in senders.rows(ann, seen)]
    assert keys == [row["address_key"] for row in senders.rows(ann, seen[::-1])] and len(keys) == 6


def test_no_address_is_readable_in_the_table(ann: Scope) -> None:
    count(ann, Seen(MIRIAM, DAY, False))
    stored = db.db.execute_sql("SELECT address, address_key, domain_key FROM sender").fetchone()
    assert not any(word in bytes(value).lower() for value in stored for word in (b"miriam", b"work.example"))


def test_people_written_to_are_those_of_the_sent_folder(ann: Scope) -> None:
    box = account(ann)
    keep(ann, folder(ann, box, "Sent", "sent"), raw(id="1@x", sender=ADDRESS, To="Carl <carl@x.example>, Dora <dora@x.example>"))
    assert {(row.address, row.received, row.written) for row in ann.select(Sender)} == {("carl@x.example", 0, 1), ("dora@x.example", 0, 1)}


def test_a_forged_from_with_the_users_own_address_makes_nobody_known(ann: Scope) -> None:
    """Or spam could vouch for its sender: "you wrote to them"."""
    keep(ann, folder(ann, account(ann)), raw(id="1@x", sender=ADDRESS, To="Crook <crook@spam.example>"))
    assert [(row.address, row.written) for row in ann.select(Sender)] == [(ADDRESS, 0)]


def test_a_stranger_with_the_name_of_somebody_known_is_seen(ann: Scope) -> None:
    count(ann, Seen(MIRIAM, DAY, True, "Miriam Keller"), Seen("bob@x.example", DAY, False, "Bob Ross"))
    strangers = [Address(name, address) for name, address in (
        ("Keller, Miriam", "ceo@mail.example"), ("Miriam Keller", "m.keller@work.example"), ("Miriam", "miriam@mail.example"),
        ("Bob Ross", "bob@mail.example"))]
    assert senders.namesakes(ann, strangers) == {"ceo@mail.example"}     # not a colleague's second address, a first name, or who hardly wrote
    count(ann, Seen("bob@x.example", DAY, False), Seen("bob@x.example", DAY, False))
    assert senders.namesakes(ann, strangers) == {"ceo@mail.example", "bob@mail.example"}
