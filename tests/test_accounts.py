"""Mailboxes: what may be typed, what is kept of it, and that removing one leaves nothing."""

import datetime as dt
from typing import Any

import pytest

from mailhelper import accounts, db, jobs, ratings, sync
from mailhelper.errors import Invalid, Locked, NotFound
from mailhelper.models import Account, Body, Folder, Grant, Job, Mail, Rating, Raw, Sender, Thread, ThreadKey
from mailhelper.scope import Scope, open_granted
from tests.world import ADDRESS, account, fill, folder, keep, raw, remove

SERVER = {"host": "imap.home.example", "port": 993, "security": "tls", "username": "ann", "password": "quite secret"}
GOOD: dict[str, Any] = {"name": "Home", "address": ADDRESS, "imap": SERVER}


def wrong(scope: Scope, values: dict[str, Any], id: int | None = None) -> set[str]:
    """The fields that are refused."""
    with pytest.raises(Invalid) as caught:
        accounts.create(scope, values) if id is None else accounts.change(scope, id, values)
    assert caught.value.field_sentences("en").keys() == caught.value.fields.keys()
    return set(caught.value.fields)


def words_left() -> int:
    return int(db.db.execute_sql("SELECT COUNT(*) FROM mail_words").fetchone()[0])


def test_every_wrong_field_is_named_at_once(ann: Scope) -> None:
    server = {"host": " ", "port": 70000, "security": "ssl", "username": "", "colour": "red", "fingerprint": 5}
    filters = {"include": "INBOX", "exclude": [1], "newest": 0, "total": True, "unseen": "yes", "since": "yesterday", "odd": 1}
    values = {"name": 5, "address": "nobody", "imap": server, "mode": "magic", "filters": filters, "background": 1, "owner": "bob"}
    assert wrong(ann, values) == {
        "name", "address", "imap.host", "imap.port", "imap.security", "imap.username", "imap.password", "imap.colour", "imap.fingerprint", "mode",
        "filters.include", "filters.exclude", "filters.newest", "filters.total", "filters.unseen", "filters.since", "filters.odd", "background",
        "owner"}
    assert ann.select(Account).count() == 0


@pytest.mark.parametrize("field,value", [
    ("imap", None), ("imap", "imap.home.example"), ("address", ""), ("address", "@x"), ("mode", ["none"]), ("filters", "all"), ("smtp", 5)])
def test_a_value_of_another_kind_is_refused_and_not_a_crash(ann: Scope, field: str, value: Any) -> None:
    assert wrong(ann, {**GOOD, field: value}) == {field}


@pytest.mark.parametrize("port", [0, 65536, "993", 993.0, True, None])
def test_a_port_is_a_number_of_ports(ann: Scope, port: Any) -> None:
    assert wrong(ann, {**GOOD, "imap": {**SERVER, "port": port}}) == {"imap.port"}


def test_an_account_without_a_name_is_called_by_its_address(ann: Scope) -> None:
    assert accounts.create(ann, {"address": ADDRESS, "imap": SERVER}).name == ADDRESS


def test_a_password_that_is_left_out_stays(ann: Scope) -> None:
    made = accounts.create(ann, GOOD)
    for change in ({"name": "Work"}, {"imap": {"port": 143}}, {"imap": {"password": ""}}, {"imap": {"password": None}}):
        assert accounts.server(accounts.change(ann, made.id, change)).password == "quite secret"
    assert accounts.server(accounts.change(ann, made.id, {"imap": {"password": "new one"}})).password == "new one"
    assert accounts.server(ann.get(Account, made.id)).port == 143


def test_no_password_is_ever_shown(ann: Scope) -> None:
    made = accounts.create(ann, {**GOOD, "smtp": {**SERVER, "port": 465}})
    shown = accounts.shown(made, 0)
    assert "quite secret" not in str(shown)
    assert shown["imap"]["host"] == SERVER["host"] and shown["smtp"]["port"] == 465


def test_a_refused_password_is_forgotten_only_with_new_settings(ann: Scope) -> None:
    made = accounts.create(ann, GOOD)
    ann.update(Account, error="login_failed").where(Account.id == made.id).execute()
    assert accounts.change(ann, made.id, {"name": "Work"}).error == "login_failed"
    assert accounts.change(ann, made.id, {"imap": {"password": "right"}}).error is None


def test_filters_replace_and_can_be_taken_away(ann: Scope) -> None:
    made = accounts.create(ann, {**GOOD, "filters": {"include": ["INBOX"], "since": "2026-01-01", "newest": 10}})
    assert accounts.change(ann, made.id, {"name": "x"}).filters == {"include": ["INBOX"], "since": "2026-01-01", "newest": 10}
    assert accounts.change(ann, made.id, {"filters": None}).filters is None


def test_a_strangers_account_is_not_found(ann: Scope, bob: Scope) -> None:
    id = accounts.create(ann, GOOD).id
    with bob:
        for act in (lambda: accounts.change(bob, id, {"name": "mine"}), lambda: remove(bob, id), lambda: accounts.folders(bob, id),
                    lambda: accounts.test(bob, {}, id)):
            with pytest.raises(NotFound):
                act()
    assert ann.get(Account, id).name == "Home"


def test_background_sync_has_a_grant_as_long_as_it_is_wanted(ann: Scope) -> None:
    made = accounts.create(ann, {**GOOD, "background": True})
    assert open_granted("background", made.id, ann.user.id).vault.key == ann.vault.key
    accounts.change(ann, made.id, {"background": False})
    with pytest.raises(Locked):
        open_granted("background", made.id, ann.user.id)


def test_signing_in_renews_the_background_grant(ann: Scope) -> None:
    made = accounts.create(ann, {**GOOD, "background": True})
    ann.update(Grant, expires_at=db.now() + dt.timedelta(days=1)).execute()
    accounts.renew_background(ann)
    left = ann.select(Grant).where(Grant.subject == made.id).get().expires_at - db.now()
    assert dt.timedelta(days=29) < left <= dt.timedelta(days=30)


def test_imported_mail_has_no_server_to_ask(ann: Scope) -> None:
    local = accounts.create_local(ann, "Old mail", ADDRESS)
    with pytest.raises(Invalid):
        accounts.test(ann, {}, local.id)
    with pytest.raises(Invalid):
        sync.start(ann, local.id)
    assert wrong(ann, {"imap": SERVER}, local.id) == {"imap"}
    assert wrong(ann, {"background": True}, local.id) == {"background"}
    assert accounts.change(ann, local.id, {"name": "Older mail"}).name == "Older mail"


def test_a_local_mailbox_of_a_name_is_made_once(ann: Scope) -> None:
    assert accounts.create_local(ann, "Old mail", ADDRESS).id == accounts.create_local(ann, "Old mail", ADDRESS).id


def test_removing_a_mailbox_leaves_nothing_of_it(ann: Scope, bob: Scope) -> None:
    mail = fill(ann)
    keep(ann, ann.get(Folder, mail.folder_id), raw(id="big@x", text="word " * 20_000), uid=9)
    ratings.correct(ann, mail.id, {"urgency": 3})
    accounts.change(ann, mail.account_id, {"background": True})
    kept = fill(bob)
    busy = sync.start(ann, mail.account_id)
    assert words_left() == 3 and ann.select(Body).count() == 1
    remove(ann, mail.account_id)
    for table in (Account, Folder, Mail, Raw, Body, Rating, Thread, ThreadKey, Sender):
        assert ann.select(table).count() == 0, table.__name__
    assert ann.select(Grant).where(Grant.purpose << ("background", "job")).count() == 0
    assert jobs.shown(ann.get(Job, busy.id), "en")["status"] == "cancelled"
    assert words_left() == 1
    assert bob.select(Mail, Mail.id).scalar() == kept.id and bob.select(Thread).count() == bob.select(Sender).count() == 1


def test_what_another_mailbox_needs_is_kept(ann: Scope) -> None:
    first, second = account(ann), account(ann)
    keep(ann, folder(ann, first), raw(id="a@x"), raw(id="only@x", sender="gone@x.example"))
    sent = folder(ann, second, "Sent", "sent")
    keep(ann, sent, raw(id="b@x", References="<a@x>", sender=ADDRESS, To="Carl <carl@x.example>"))
    remove(ann, first.id)
    assert {one.address for one in ann.select(Sender)} == {"carl@x.example"}
    assert ann.select(Thread).count() == 1 == ann.select(Mail).count()


def test_folders_come_with_counts_the_inbox_first(ann: Scope) -> None:
    place = folder(ann, account(ann), "zebra", "")
    inbox = folder(ann, ann.get(Account, place.account_id))
    folder(ann, ann.get(Account, place.account_id), "Äpfel", "")
    keep(ann, inbox, raw(id="1@x"), raw(id="2@x"), flags=("\\Seen",))
    keep(ann, inbox, raw(id="3@x"), uid=5)
    keep(ann, place, raw(id="4@x"))
    rows = accounts.folders(ann, place.account_id)
    assert [(row["name"], row["total"], row["unread"]) for row in rows] == [("INBOX", 3, 1), ("zebra", 1, 1), ("Äpfel", 0, 0)]
    assert accounts.counts(ann) == {place.account_id: 4} and accounts.folder_counts(ann) == {place.account_id: 3}


def test_the_stored_password_never_goes_to_another_host(ann: Scope) -> None:
    account = accounts.create(ann, {"address": "ann@home.example", "imap": SERVER})
    with pytest.raises(Invalid) as refused:
        accounts.change(ann, account.id, {"imap": {"host": "elsewhere.example"}})
    assert refused.value.fields == {"imap.password": "missing"}
    with ann:
        changed = accounts.change(ann, account.id, {"imap": {"host": "elsewhere.example", "password": "another one"}})
        assert changed.imap["password"] == "another one"
        assert accounts.change(ann, account.id, {"imap": {"port": 143, "password": ""}}).imap["password"] == "another one"


# ── models ──

def test_a_model_judges_what_arrives_from_the_moment_it_was_allowed(ann: Scope) -> None:
    made = accounts.create(ann, GOOD)
    assert (made.mode, made.judge, made.judge_from) == ("builtin", "unsure", None)
    allowed = accounts.change(ann, made.id, {"mode": "llm_anonymized"}).judge_from
    assert allowed is not None and allowed <= db.now()
    assert accounts.change(ann, made.id, {"mode": "llm_original", "judge": "all"}).judge_from == allowed
    accounts.change(ann, made.id, {"mode": "builtin"})
    assert accounts.change(ann, made.id, {"mode": "llm_original"}).judge_from > allowed
    assert accounts.create(ann, {**GOOD, "mode": "llm_anonymized"}).judge_from is not None


@pytest.mark.parametrize("field,value", [("judge", "some"), ("judge", None), ("signature", 5), ("signature", "x" * 2001)])
def test_a_wrong_setting_of_models_is_named(ann: Scope, field: str, value: Any) -> None:
    assert wrong(ann, {**GOOD, field: value}) == {field}
