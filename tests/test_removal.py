"""A removed mailbox is gone from every page at once, and from the database soon, whoever is signed in by then."""

import datetime as dt
from typing import Any

import pytest

from mailhelper import accounts, db, jobs, mails, removal, runner
from mailhelper.errors import Locked, NotFound
from mailhelper.models import Account, Folder, Job, Mail, Raw
from mailhelper.scope import Keyless, Scope, everyone
from tests.conftest import Client
from tests.world import account, fill, folder, keep, raw


def job_of(account_id: int) -> Job:
    found: Job = everyone.select(Job).where(Job.kind == removal.KIND, Job.subject == account_id).order_by(Job.id.desc()).get()
    return found


def left(table: Any, scope: Scope) -> int:
    """Rows in the database, seen or not."""
    return int(everyone.select(table, table.user).where(table.user == scope.user).count())


def test_everything_of_it_is_gone_from_pages_and_api_at_once(ann: Scope) -> None:
    mail = fill(ann)
    other = keep(ann, folder(ann, account(ann)), raw("Other", "Hello.", id="other@x"))[0]
    client = Client(ann)
    assert client("DELETE", f"/api/accounts/{mail.account_id}").json == {"deleted": True}
    assert left(Mail, ann) == 2 and left(Account, ann) == 2
    assert [row["id"] for row in client("GET", "/api/emails").json["items"]] == [other.id]
    assert [row["id"] for row in client("GET", "/api/search?q=contract").json["items"]] == []
    assert client("GET", "/api/matrix").json["total"] == 1
    assert [row["id"] for row in client("GET", "/api/accounts").json["items"]] == [other.account_id]
    for path in (f"/api/emails/{mail.id}", f"/api/accounts/{mail.account_id}", f"/api/accounts/{mail.account_id}/folders",
                 f"/api/emails?account={mail.account_id}", f"/api/emails?folder={mail.folder_id}"):
        assert client("GET", path).status == 404, path
    assert client("DELETE", f"/api/accounts/{mail.account_id}").status == 404
    for path in ("/", "/inbox", "/accounts", "/search?q=contract"):
        assert "Contract" not in client("GET", path).text, path
    assert mails.waiting(ann)["inbox"] == 1


def test_nothing_new_can_be_put_into_it(ann: Scope) -> None:
    mail = fill(ann)
    removal.remove(ann, mail.account_id)
    with pytest.raises(NotFound):
        ann.create(Folder, account=mail.account_id, name="new", name_key=b"")
    with pytest.raises(NotFound):
        accounts.change(ann, mail.account_id, {"name": "back"})


def test_the_job_deletes_it_in_portions_though_its_owner_has_signed_out(ann: Scope, bob: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "AT_ONCE", 2)
    place = folder(ann, account(ann))
    keep(ann, place, *(raw(id=f"{n}@x") for n in range(5)))
    fill(bob)
    removal.remove(ann, place.account_id)
    jobs.park(ann)      # the last sign-out
    ann.__exit__()
    try:
        runner.run(job_of(place.account_id).id)
        job = job_of(place.account_id)
        assert (job.state, job.done) == ("completed", 4)
    finally:
        ann.__enter__()
    assert [left(table, ann) for table in (Account, Folder, Mail, Raw)] == [0] * 4
    assert [left(table, bob) for table in (Account, Folder, Mail, Raw)] == [1] * 4
    assert db.db.execute_sql("SELECT COUNT(*) FROM mail_words").fetchone()[0] == 1


def test_a_removal_that_broke_off_is_taken_up_again(ann: Scope) -> None:
    mail = fill(ann)
    removal.remove(ann, mail.account_id)
    everyone.update(Job, state="failed").where(Job.id == job_of(mail.account_id).id).execute()
    removal.finish()
    assert left(Mail, ann) == 1         # it may be under way
    everyone.update(Account, removed_at=db.now() - dt.timedelta(days=1)).execute()
    removal.finish()
    assert left(Mail, ann) == 0 == left(Account, ann)


def test_a_sync_that_was_under_way_does_not_bring_it_back(ann: Scope) -> None:
    mail = fill(ann)
    removal.remove(ann, mail.account_id)
    everyone.update(Folder, role="inbox").execute()     # as a sync does that has not noticed yet
    runner.run(job_of(mail.account_id).id)
    assert left(Mail, ann) == 0


def test_a_scope_without_a_key_opens_nothing(ann: Scope) -> None:
    fill(ann)
    keyless = Keyless(ann.user)
    with pytest.raises(Locked):
        keyless.__enter__()
    assert keyless.select(Mail, Mail.id).count() == 1
