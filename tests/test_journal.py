"""Acts as they take effect here, before and without a server, and what undo makes of them."""

import datetime as dt

import pytest

from mailhelper import acts, journal
from mailhelper.db import now
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.models import Account, Act, Folder, Job, Mail
from mailhelper.scope import Scope
from tests.world import account, folder, keep, raw


def box(scope: Scope, kind: str = "imap") -> list[Mail]:
    """Three mails in the inbox of an account with folders Trash and Work."""
    place = account(scope)
    scope.update(Account, kind=kind).execute()
    inbox = folder(scope, place)
    if kind == "imap":
        folder(scope, place, "Trash", "trash")
    folder(scope, place, "Work", "")
    return keep(scope, inbox, *(raw(f"Mail {number}", id=f"{number}@x") for number in range(3)))


def where(scope: Scope, mail: Mail) -> str:
    name: str = scope.get(Folder, scope.get(Mail, mail.id).folder_id).name
    return name


def test_an_act_takes_effect_here_at_once_and_waits_for_the_server(ann: Scope) -> None:
    one, two, _ = box(ann)
    acts.act(ann, one.id, "seen", True)
    acts.act(ann, two.id, "trash")
    assert ann.get(Mail, one.id).seen and where(ann, two) == "Trash"
    lines = [(line.what, line.state, line.detail["subject"]) for line in journal.page(ann)]
    assert lines == [("trash", "pending", "Mail 1"), ("seen", "pending", "Mail 0")]
    [job] = ann.select(Job)
    assert (job.kind, job.state, job.subject) == ("apply_acts", "queued", one.account_id)


def test_what_is_so_already_is_no_act(ann: Scope) -> None:
    one = box(ann)[0]
    assert acts.act(ann, one.id, "seen", False) is None and acts.act(ann, one.id, "move", "INBOX") is None
    assert ann.select(Act).count() == ann.select(Job).count() == 0


def test_imported_mail_needs_no_server(ann: Scope) -> None:
    one, two, _ = box(ann, "local")
    for what, to in (("seen", True), ("trash", None)):
        done = acts.act(ann, one.id, what, to)
        assert done and done.state == "done"
    assert where(ann, one) == "Trash" and ann.get(Mail, one.id).uid == one.uid and ann.select(Job).count() == 0
    for line in journal.page(ann):
        acts.undo(ann, line.id)
    assert where(ann, one) == "INBOX" and not ann.get(Mail, one.id).seen and ann.get(Mail, one.id).uid == one.uid
    assert {line.state for line in journal.page(ann) if line.detail["undoes"] is None} == {"undone"}
    assert where(ann, two) == "INBOX"


def test_undone_before_anybody_heard_of_it_leaves_nothing_to_tell(ann: Scope) -> None:
    one = box(ann)[0]
    for what, to in (("seen", True), ("trash", None), ("flagged", True)):
        acts.act(ann, one.id, what, to)
    for line in journal.page(ann):
        acts.undo(ann, line.id)
    mail = ann.get(Mail, one.id)
    assert (mail.folder_id, mail.uid, mail.seen, mail.flagged) == (one.folder_id, one.uid, False, False)
    assert journal.pending(ann, one.account_id) == [] and ann.select(Act).count() == 3


def test_undoing_the_first_of_two_moves_lets_the_second_begin_where_the_mail_is(ann: Scope) -> None:
    one = box(ann)[0]
    first, second = acts.act(ann, one.id, "move", "Work"), acts.act(ann, one.id, "trash")
    assert first and second
    acts.undo(ann, first.id)
    [left] = journal.pending(ann, one.account_id)
    assert left.id == second.id and (left.detail["from"]["name"], left.detail["from"]["uid"]) == ("INBOX", one.uid)
    assert where(ann, one) == "Trash"


def test_what_was_refused_is_put_back_unless_it_was_changed_again(ann: Scope) -> None:
    one, two, three = box(ann)
    for mail, what, to in ((one, "seen", True), (two, "flagged", True), (two, "flagged", False), (three, "trash", None)):
        acts.act(ann, mail.id, what, to)
    for line in journal.pending(ann, one.account_id):
        journal.refuse(ann, line, "act_refused")
    assert not ann.get(Mail, one.id).seen and where(ann, three) == "INBOX" and ann.get(Mail, three.id).uid == three.uid
    assert {(line.state, line.error) for line in journal.page(ann)} == {("refused", "act_refused")}
    with pytest.raises(Conflict, match="undo_over"):
        acts.undo(ann, journal.page(ann)[0].id)


def test_an_undo_that_the_server_refuses_leaves_the_act_done(ann: Scope) -> None:
    one = box(ann)[0]
    act = acts.act(ann, one.id, "seen", True)
    assert act
    journal.confirm(ann, act)
    assert acts.undo(ann, act.id).state == "undone" and not ann.get(Mail, one.id).seen
    [opposite] = journal.pending(ann, one.account_id)
    journal.refuse(ann, opposite, "act_refused")
    assert ann.get(Act, act.id).state == "done" and ann.get(Mail, one.id).seen


def test_undo_while_the_server_may_have_heard_of_it_tells_the_opposite(ann: Scope) -> None:
    one = box(ann)[0]
    act = acts.act(ann, one.id, "seen", True)
    assert act
    ann.update(Act, sent=True).execute()
    assert acts.undo(ann, act.id).state == "pending"
    first, second = journal.pending(ann, one.account_id)
    assert (first.value, second.value) == (True, False) and not ann.get(Mail, one.id).seen
    journal.confirm(ann, first)
    journal.confirm(ann, second)
    assert [line.state for line in journal.page(ann)] == ["done", "undone"]


def test_a_second_undo_is_refused(ann: Scope) -> None:
    act = acts.act(ann, box(ann)[0].id, "seen", True)
    assert act
    acts.undo(ann, act.id)
    with pytest.raises(Conflict, match="undo_over"):
        acts.undo(ann, act.id)


def test_an_act_on_a_mail_that_is_gone_cannot_be_undone(ann: Scope) -> None:
    one = box(ann)[0]
    act = acts.act(ann, one.id, "seen", True)
    ann.delete(Mail).where(Mail.id == one.id).execute()
    with pytest.raises(Conflict, match="undo_gone"):
        acts.undo(ann, act.id if act else 0)
    assert journal.pending(ann, one.account_id), "the server is told all the same"


def test_a_sync_that_was_faster_does_not_leave_the_mail_twice(ann: Scope) -> None:
    one = box(ann)[0]
    act = acts.act(ann, one.id, "move", "Work")
    assert act
    work = ann.get(Folder, act.detail["to"]["folder"])
    [double] = keep(ann, work, raw("Mail 0", id="0@x"), uid=9)
    journal.confirm(ann, act, {**act.detail["to"], "uid": 9, "uidvalidity": 1})
    assert ann.get(Mail, one.id).uid == 9 and ann.select(Mail).where(Mail.id == double.id).count() == 0


def test_a_uid_under_another_uidvalidity_is_not_believed(ann: Scope) -> None:
    one = box(ann)[0]
    act = acts.act(ann, one.id, "move", "Work")
    assert act
    journal.confirm(ann, act, {**act.detail["to"], "uid": 9, "uidvalidity": 2})
    assert ann.get(Mail, one.id).uid == journal.NEVER + one.id and where(ann, one) == "Work"


def test_a_folder_of_another_mailbox_or_person_is_no_target(ann: Scope, bob: Scope) -> None:
    one = box(ann)[0]
    other = folder(ann, account(ann), "Elsewhere", "")
    foreign = folder(bob, account(bob), "Bob's", "")
    for to, error in ((other.id, Invalid), ("Elsewhere", Invalid), (foreign.id, NotFound), ("Bob's", Invalid), (True, Invalid)):
        with pytest.raises(error):
            acts.act(ann, one.id, "move", to)
    assert ann.select(Act).count() == 0


def test_many_at_once_start_one_job_and_each_has_its_own_outcome(ann: Scope, bob: Scope) -> None:
    ids = [mail.id for mail in box(ann)]
    foreign = box(bob)[0].id
    found = acts.act_on_all(ann, [*ids, foreign], "trash")
    assert [isinstance(found[id], Act) for id in ids] == [True] * 3 and isinstance(found[foreign], NotFound)
    assert ann.select(Job).count() == 1 and bob.select(Act).count() == 0


def test_a_sync_is_told_what_is_open_and_what_ended_since_it_began(ann: Scope) -> None:
    one, two, three = box(ann)
    began = now()
    for mail, what, to in ((one, "seen", True), (two, "flagged", True), (three, "trash", None)):
        acts.act(ann, mail.id, what, to)
    for line in journal.pending(ann, one.account_id)[:2]:
        journal.confirm(ann, line)
    assert journal.unsettled(ann, one.account_id, began) == ({one.id}, {two.id}, set(), set(), {three.id}, {(one.folder_id, three.uid)})
    assert journal.unsettled(ann, one.account_id, now()) == (set(), set(), set(), set(), {three.id}, {(one.folder_id, three.uid)})


def test_a_new_click_wakes_a_job_that_waits_for_its_next_try(ann: Scope) -> None:
    one = box(ann)[0]
    acts.act(ann, one.id, "seen", True)
    later = now().replace(year=2999)
    ann.update(Job, state="retrying", due=later).execute()
    acts.act(ann, one.id, "flagged", True)
    [job] = ann.select(Job)
    assert job.due < later


def test_a_job_ends_only_when_nothing_is_left_and_the_next_click_then_starts_another(ann: Scope) -> None:
    one = box(ann)[0]
    act = acts.act(ann, one.id, "seen", True)
    ann.update(Job, state="running", claim=1).execute()
    job = ann.select(Job).get()
    assert act and not acts._is_over(ann, job) and ann.get(Job, job.id).subject == one.account_id
    acts.act(ann, one.id, "flagged", True)
    assert ann.select(Job).count() == 1, "the one that runs will see it"
    for line in journal.pending(ann, one.account_id):
        journal.confirm(ann, line)
    assert acts._is_over(ann, job)
    acts.act(ann, one.id, "seen", False)
    assert ann.select(Job).where(Job.subject == one.account_id).count() == 1 and ann.select(Job).count() == 2


# ── archive, out of the trash, answered, keywords ──

def test_archive_asks_before_it_makes_a_folder(ann: Scope) -> None:
    one, two, _ = box(ann)
    with pytest.raises(Conflict, match="no_archive"):
        acts.act(ann, one.id, "archive")
    made = acts.act(ann, one.id, "archive", True)
    again = acts.act(ann, two.id, "archive")
    assert made and again and where(ann, one) == where(ann, two) == "Archive"
    assert made.detail["make"] and again.detail["make"], "whichever is told first"
    assert ann.select(Folder).where(Folder.role == "archive").count() == 1


def test_where_all_folders_are_below_the_inbox_the_archive_is_too(ann: Scope) -> None:
    place = account(ann)
    inbox = folder(ann, place)
    folder(ann, place, "INBOX.Trash", "trash"), folder(ann, place, "INBOX.Work", "")
    [one] = keep(ann, inbox, raw())
    acts.act(ann, one.id, "archive", True)
    assert where(ann, one) == "INBOX.Archive"


def test_out_of_the_trash_a_mail_goes_where_it_was(ann: Scope) -> None:
    one, two, three = box(ann)
    acts.act(ann, one.id, "move", "Work")
    for mail in (one, two):
        acts.act(ann, mail.id, "trash")
        acts.act(ann, mail.id, "undelete")
    assert (where(ann, one), where(ann, two)) == ("Work", "INBOX")
    with pytest.raises(Conflict, match="not_in_trash"):
        acts.act(ann, three.id, "undelete")
    ann.update(Mail, folder=ann.select(Folder).where(Folder.role == "trash").get()).where(Mail.id == three.id).execute()
    acts.act(ann, three.id, "undelete")
    assert where(ann, three) == "INBOX", "thrown away in another program, so nothing is known"


def test_a_keyword_is_an_atom(ann: Scope) -> None:
    one = box(ann)[0]
    for wrong in ("", "two words", "\\Seen", "Grüße", "(x)", "a" * 51, 5, None):
        with pytest.raises(Invalid):
            acts.act(ann, one.id, "keyword", wrong)
    act = acts.act(ann, one.id, "keyword", "$Important")
    assert act and (act.what, act.value, act.detail["keyword"]) == ("keyword", True, "$Important")
    assert ann.get(Mail, one.id).keywords == ["$Important"] and acts.act(ann, one.id, "keyword", "$Important") is None
    journal.confirm(ann, act)
    acts.undo(ann, act.id)
    [opposite] = journal.pending(ann, one.account_id)
    assert (opposite.value, opposite.detail["keyword"], ann.get(Mail, one.id).keywords) == (False, "$Important", None)
    journal.refuse(ann, opposite, "act_no_keywords")
    assert ann.get(Mail, one.id).keywords == ["$Important"]


# ── many at once ──

def test_what_a_rule_did_is_taken_back_together(ann: Scope) -> None:
    one, two, three = box(ann)
    rule, other = acts.Why("rule", 5, "Newsletters"), acts.Why("rule", 6)
    acts.act(ann, one.id, "seen", True, why=rule)
    acts.act(ann, one.id, "move", "Work", why=rule)
    acts.act(ann, two.id, "trash", why=rule)
    acts.act(ann, three.id, "trash", why=other)
    acts.act(ann, three.id, "flagged", True)
    line = journal.page(ann)[-1]
    assert (line.by, line.reference, line.detail["why"]) == ("rule", 5, "Newsletters")
    assert acts.undo_all(ann, journal.of_rule(5)) == (3, 0)
    assert (where(ann, one), where(ann, two), where(ann, three)) == ("INBOX", "INBOX", "Trash")
    assert not ann.get(Mail, one.id).seen and ann.get(Mail, three.id).flagged
    assert acts.undo_all(ann, journal.of_rule(5)) == (0, 0)


def test_one_click_on_many_is_taken_back_by_one_click(ann: Scope) -> None:
    ids = [mail.id for mail in box(ann)]
    acts.act(ann, ids[0], "flagged", True)
    first = min(one.id for one in acts.act_on_all(ann, ids, "trash").values() if isinstance(one, Act))
    assert acts.undo_all(ann, journal.of_batch(first)) == (3, 0)
    assert {where(ann, ann.get(Mail, id)) for id in ids} == {"INBOX"} and ann.get(Mail, ids[0]).flagged


def test_a_day_is_one_of_its_owners_calendar(ann: Scope) -> None:
    ann.user.timezone = "Pacific/Auckland"
    one, two, _ = box(ann)
    early, late = acts.act(ann, one.id, "seen", True), acts.act(ann, two.id, "seen", True)
    assert early and late
    ann.update(Act, at=dt.datetime(2026, 11, 20, 10, 59)).where(Act.id == early.id).execute()
    ann.update(Act, at=dt.datetime(2026, 11, 20, 11, 0)).where(Act.id == late.id).execute()
    assert acts.undo_all(ann, journal.of_day(ann, dt.date(2026, 11, 21))) == (1, 0)
    assert ann.get(Mail, one.id).seen and not ann.get(Mail, two.id).seen


def test_a_refusal_is_told_until_it_was_read(ann: Scope) -> None:
    one, two, _ = box(ann)
    for mail in (one, two):
        journal.refuse(ann, acts.act(ann, mail.id, "trash"), "act_gone")      # type: ignore[arg-type]
    acts.act(ann, two.id, "seen", True)
    assert journal.untold(ann) == 2
    refused = journal.refused(ann, one.id)
    assert refused and refused.error == "act_gone" and journal.refused(ann, two.id) is None, "something newer was done to it"
    journal.mark_told(ann)
    assert journal.untold(ann) == 0 and journal.refused(ann, one.id) is None
