"""Rules at work, before and without a server: what they do to mails, to new ones and old ones, the log, and taking it back."""

from typing import Any

import pytest

from mailhelper import acts, mails, ratings, rulebook, ruling, runner, tagging, tags, trial
from mailhelper.db import now
from mailhelper.errors import Invalid, NotFound
from mailhelper.models import Account, Act, Folder, Job, Mail, MailTag, Rating, Rule, RuleHit, Tag
from mailhelper.scope import Scope
from tests.world import account, folder, keep, raw

TEXT = "The agenda for the meeting of the board is attached."


@pytest.fixture
def place(ann: Scope) -> Folder:
    inbox = folder(ann, account(ann))
    folder(ann, inbox.account, "Archive", "archive"), folder(ann, inbox.account, "Trash", "trash")
    return inbox


def letters(scope: Scope, place: Folder, *subjects: str, uid: int = 1, **headers: str) -> list[int]:
    made = [raw(subject, TEXT, sender=f"{subject} <{subject.lower()}@club.example>", id=f"{subject}{uid}@x", **headers) for subject in subjects]
    return [mail.id for mail in keep(scope, place, *made, uid=uid)]


def rule(scope: Scope, *actions: tuple[str, Any], when: tuple[tuple[str, Any], ...] = (("sender_domain", "club.example"),), **more: Any) -> Rule:
    conditions = [{"type": kind, "value": value} for kind, value in when]
    wanted = [{"type": kind, **({} if value is None else {"value": value})} for kind, value in actions]
    return rulebook.create(scope, {"name": "Club", "conditions": conditions, "actions": wanted, **more})


def apply(scope: Scope, **asked: Any) -> dict[str, Any]:
    job = ruling.start(scope, asked)
    runner.run(job.id)
    done = scope.get(Job, job.id)
    assert done.state == "completed", done.error
    result: dict[str, Any] = done.result
    return result


def arrive(scope: Scope) -> dict[str, Any] | None:
    """What happens after a sync."""
    ruling.start_new(scope, scope.select(Account).get())
    job = scope.select(Job).where(Job.kind == "apply_rules_to_new_emails", Job.state == "queued").first()
    if job is None:
        return None
    runner.run(job.id)
    result: dict[str, Any] = scope.get(Job, job.id).result
    return result


def state(scope: Scope) -> list[Any]:
    """All that rules can change of mails."""
    columns = (Mail.id, Mail.folder, Mail.seen, Mail.flagged, Mail.layer, Mail.urgency, Mail.importance, Mail.score, Mail.category, Mail.kind)
    return [*scope.select(Mail, *columns).order_by(Mail.id).tuples(), *scope.select(MailTag, MailTag.mail, MailTag.tag).tuples(),
            *scope.select(Rating, Rating.mail, Rating.layer, Rating.urgency).order_by(Rating.id).tuples()]


def log(scope: Scope) -> list[tuple[str, str, str | None]]:
    return [(hit.what, hit.shown_state, hit.shown_error) for hit in reversed(rulebook.log(scope, [], 99))]


EACH = [("move", "Archive"), ("mark_read", None), ("flag", None), ("tag", "Verein"), ("set_urgency", 3), ("set_importance", 3), ("trash", None)]


@pytest.mark.parametrize("action", EACH, ids=lambda action: action[0])
def test_each_action_is_done_logged_and_taken_back(ann: Scope, place: Folder, action: tuple[str, Any]) -> None:
    [id] = letters(ann, place, "Agenda")
    before = state(ann)
    made = rule(ann, action)
    assert apply(ann) == {"processed": 1, "matched": 1, "actions": 1, "too_slow": 0, "dry_run": False, "email_ids": [id]}
    pending = action[0] in ("move", "mark_read", "flag", "trash")
    assert log(ann) == [(action[0], "pending" if pending else "done", None)] and state(ann) != before
    assert ann.get(Rule, made.id).hits == 1
    assert ruling.undo(ann, made.id) == (1, 0)
    assert state(ann) == before and log(ann) == [(action[0], "undone", None)]


def test_every_action_is_tried_here() -> None:
    assert {kind for kind, _ in EACH} | {"stop"} == ruling.rules.ACTIONS.keys()


def test_what_is_so_already_is_not_done_again(ann: Scope, place: Folder) -> None:
    letters(ann, place, "Agenda", "Minutes")
    made = rule(ann, ("flag", None), ("tag", "Verein"), ("set_urgency", 3))
    first, again = apply(ann), apply(ann)
    assert (first["actions"], again["actions"], again["matched"]) == (6, 0, 2)
    assert len(log(ann)) == 6 and ann.get(Rule, made.id).hits == 2


def test_a_dry_run_changes_nothing(ann: Scope, place: Folder) -> None:
    ids = letters(ann, place, "Agenda", "Minutes")
    rule(ann, *EACH)
    before = state(ann)
    result = apply(ann, dry_run=True)
    assert (result["matched"], sorted(result["email_ids"]), result["actions"]) == (2, ids, 0)
    assert state(ann) == before and log(ann) == [] and ann.select(Tag).count() == 0


def test_only_chosen_rules_and_mails(ann: Scope, place: Folder) -> None:
    ids = letters(ann, place, "Agenda", "Minutes")
    rule(ann, ("flag", None))
    off = rule(ann, ("mark_read", None), enabled=False)
    assert apply(ann, rule_ids=[off.id], email_ids=ids[1:])["matched"] == 1
    assert [ann.get(Mail, id).seen for id in ids] == [False, True] and not ann.get(Mail, ids[1]).flagged


def test_what_the_server_has_not_confirmed_is_not_done(ann: Scope, place: Folder) -> None:
    letters(ann, place, "Agenda")
    rule(ann, ("move", "Archive"))
    apply(ann)
    [act] = ann.select(Act)
    assert (act.by, act.detail["why"], log(ann)) == ("rule", "Club", [("move", "pending", None)])
    ann.update(Act, state="refused", error="act_gone").execute()
    assert log(ann) == [("move", "refused", "act_gone")]
    ann.update(Act, state="done", error=None).execute()
    assert log(ann) == [("move", "done", None)]


def test_a_folder_that_is_not_there_is_said_so(ann: Scope, place: Folder) -> None:
    letters(ann, place, "Agenda")
    rule(ann, ("move", "Nowhere"), ("flag", None))
    apply(ann)
    assert log(ann) == [("move", "refused", "no_such_folder"), ("flag", "pending", None)]


def test_what_a_person_said_of_the_rating_stays(ann: Scope, place: Folder) -> None:
    [id] = letters(ann, place, "Agenda")
    ratings.correct(ann, id, {"urgency": 1, "importance": 1})
    rule(ann, ("set_urgency", 3))
    apply(ann)
    assert (ann.get(Mail, id).urgency, ann.get(Mail, id).layer) == (1, "user")
    ratings.take_back(ann, id)
    assert (ann.get(Mail, id).urgency, ann.get(Mail, id).layer) == (3, "rule")
    assert mails.read(ann, id, "en")["triage"]["reasons"] == ["your rule “Club”"]


def test_two_rules_rate_one_mail_and_are_taken_back_one_by_one(ann: Scope, place: Folder) -> None:
    [id] = letters(ann, place, "Agenda")
    before = state(ann)
    urgent = rule(ann, ("set_urgency", 3))
    apply(ann)
    weighty = rule(ann, ("set_importance", 3), priority=5)
    later = rule(ann, ("set_urgency", 1), priority=1)
    apply(ann)
    assert (ann.get(Mail, id).urgency, ann.get(Mail, id).importance) == (1, 3)
    ruling.undo(ann, later.id)
    assert (ann.get(Mail, id).urgency, ann.get(Mail, id).importance) == (3, 3)
    ruling.undo(ann, urgent.id), ruling.undo(ann, weighty.id)
    assert state(ann) == before


def test_a_rule_that_is_too_slow_is_left_out_and_the_others_go_on(ann: Scope, place: Folder) -> None:
    made = raw("Agenda", "abba" * 5000, sender="a@club.example", id="slow@x")
    ids = [mail.id for mail in keep(ann, place, *(made.replace(b"slow", b"slow%d" % n) for n in range(30)))]
    slow = rule(ann, ("trash", None), when=(("body_regex", "(?:a|b)*a(?:a|b){500}c"),), priority=1)
    rule(ann, ("flag", None))
    assert apply(ann)["too_slow"] == 1
    assert ann.get(Rule, slow.id).error == "rule_slow" and all(ann.get(Mail, id).flagged for id in ids)
    assert trial.preview(ann, {"id": slow.id, **rulebook.content(slow)})["too_slow"]
    rulebook.change(ann, slow.id, rulebook.content(slow))
    assert ann.get(Rule, slow.id).error is None


# ── mail that arrives ──

def test_rules_see_what_arrives_from_now_on_and_only_once(ann: Scope, place: Folder) -> None:
    [old] = letters(ann, place, "Before")
    rule(ann, ("flag", None))
    assert arrive(ann) is None, "what was here before is old mail"
    ann.update(Account, created_at=mails.now().replace(2026, 11, 1)).execute()
    [new] = letters(ann, place, "After", uid=5)
    result = arrive(ann)
    assert result and result["matched"] == 1 and arrive(ann) is None
    assert (ann.get(Mail, old).flagged, ann.get(Mail, new).flagged) == (False, True)
    acts.act(ann, new, "flagged", False)
    assert arrive(ann) is None and not ann.get(Mail, new).flagged


def test_old_mail_of_a_mailbox_that_is_added_later_is_left_alone(ann: Scope, place: Folder) -> None:
    rule(ann, ("flag", None))
    ann.update(Account, created_at=now().replace(2027)).execute()
    letters(ann, place, "Old")
    assert arrive(ann) is None


def test_without_rules_and_automatic_tags_nothing_is_started(ann: Scope, place: Folder) -> None:
    rule(ann, ("flag", None), enabled=False)
    letters(ann, place, "New")
    assert arrive(ann) is None
    ann.update(Rule, enabled=True).execute()


def test_automatic_tags_go_on_before_rules_look(ann: Scope, place: Folder) -> None:
    ann.update(Account, created_at=mails.now().replace(2026, 11, 1)).execute()
    tags.create(ann, {"name": "Agenda", "automatic": True})
    rule(ann, ("flag", None), when=(("has_tag", "agenda"),))
    yes, no = letters(ann, place, "Agenda", "Minutes")
    arrive(ann)
    assert [mails.read(ann, id, "en")["tags"] for id in (yes, no)] == [["Agenda"], []]
    assert [ann.get(Mail, id).flagged for id in (yes, no)] == [True, False]
    assert ann.select(MailTag).get().by == "auto"


def test_sent_mail_drafts_and_trash_are_left_alone_unless_chosen(ann: Scope, place: Folder) -> None:
    sent = folder(ann, place.account, "Sent", "sent")
    [id] = letters(ann, sent, "Mine", uid=9)
    rule(ann, ("flag", None))
    assert apply(ann)["processed"] == 0
    assert apply(ann, email_ids=[id])["matched"] == 1


def test_a_new_rating_calls_the_rules_that_ask_for_one(ann: Scope, place: Folder) -> None:
    [id] = letters(ann, place, "Agenda")
    rule(ann, ("flag", None), when=(("category", "urgent"),))
    rule(ann, ("mark_read", None))
    ruling.judged(ann, [id])
    assert not ann.get(Mail, id).flagged
    ann.create(Rating, mail=id, layer="base", urgency=3, importance=3, category="urgent", kind="person", spam=False, needs_reply=True, confidence=.9,
               rated_by="llm:x", detail={})
    ratings.settle(ann, id)
    ruling.judged(ann, [id])
    assert ann.get(Mail, id).flagged and not ann.get(Mail, id).seen, "rules without a rating saw the mail when it came"


def test_a_tag_that_a_rule_puts_on_teaches(ann: Scope, place: Folder) -> None:
    letters(ann, place, "Agenda", "Minutes", "Notes")
    rule(ann, ("tag", "Verein"))
    apply(ann)
    assert ann.select(Tag).get().profile["mails"] == 3
    assert tagging.offers(ann, letters(ann, place, "Next", uid=9)[0], [])[0]


# ── trying out ──

def test_a_preview_tells_what_would_match_and_what_stands_against_it(ann: Scope, place: Folder) -> None:
    first, second = letters(ann, place, "Agenda", "Minutes")
    other = rule(ann, ("trash", None), when=(("subject_equals", "minutes"),))
    values = ruling.rules.checked({"name": "x", "conditions": [{"type": "sender_domain", "value": "club.example"}],
                                   "actions": [{"type": "move", "value": "Archive"}]})
    assert trial.preview(ann, values) == {"tested": 2, "matched": [second, first], "conflicts": [{"id": other.id, "name": "Club", "count": 1}],
                                          "too_slow": False}
    assert not trial.preview(ann, {**values, "actions": [{"type": "flag"}]})["conflicts"]
    assert trial.preview(ann, {**values, "conditions": []})["matched"] == []


def test_why_a_rule_matches_a_mail_or_not(ann: Scope, place: Folder) -> None:
    [id] = letters(ann, place, "Agenda")
    made = rule(ann, ("flag", None), when=(("sender_domain", "club.example"), ("subject_contains", "minutes")))
    found = trial.explain(ann, made, id)
    assert (found["matches"], [one["met"] for one in found["conditions"]], found["actions"]) == (False, [True, False], [])


def test_a_test_is_a_job_that_does_nothing(ann: Scope, place: Folder) -> None:
    ids = letters(ann, place, "Agenda", "Minutes")
    made = rule(ann, ("flag", None), enabled=False)
    job = ruling.start_test(ann, made.id)
    runner.run(job.id)
    result = ann.get(Job, job.id).result
    assert (result["processed"], sorted(result["email_ids"]), result["dry_run"]) == (2, ids, True) and not ann.get(Mail, ids[0]).flagged


# ── kept ──

def test_rules_as_text_and_back(ann: Scope, place: Folder) -> None:
    rule(ann, *EACH, ("stop", None), when=(("subject_regex", r'fest:\s+"P'), ("has_attachment", True), ("urgency", 3), ("needs_reply", False)),
         match="any", threshold=60, priority=7, enabled=False)
    rule(ann, when=())
    text = rulebook.dumps(rulebook.listed(ann))
    before = [rulebook.content(one) for one in rulebook.listed(ann)]
    assert 'subject_regex: fest' in text and '"has_attachment: yes"' in text and '"stop"' in text
    ann.delete(Rule).execute()
    assert rulebook.take(ann, text) == 2 and [rulebook.content(one) for one in rulebook.listed(ann)] == before


@pytest.mark.parametrize("text", ["", "x", "[rule]\nname='x'", "[[rule]]\nname='x'\nwhen=['odd: 1']", "[[rule]]\nname='x'\nwhen=[1]", "other = 1",
                                  "[[rule]]\nname='x'\ndo='flag'", "[[rule]]\nname='fine'\n[[rule]]\nname=''", "[[rule]]\nodd=1\nname='x'"])
def test_a_text_with_anything_wrong_adds_nothing(ann: Scope, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        rulebook.take(ann, text)
    assert caught.value.sentence("de") and ann.select(Rule).count() == 0


@pytest.mark.parametrize("lang", ["en", "de"])
def test_templates_are_rules(ann: Scope, lang: str) -> None:
    offered = rulebook.templates(lang)
    assert [one["id"] for one in offered] == ["newsletter_archive", "spam", "important_sender", "attachment_archive"]
    for one in offered:
        rulebook.create(ann, one["rule"])


def test_a_rule_from_a_mail(ann: Scope, place: Folder) -> None:
    person, listed = letters(ann, place, "Agenda")[0], letters(ann, place, "News", uid=5, List_Id="The news <news.club.example>")[0]
    assert rulebook.from_mail(ann, person, "en")["conditions"] == [{"type": "sender_equals", "value": "agenda@club.example"}]
    assert rulebook.from_mail(ann, listed, "en")["conditions"] == [{"type": "list_id", "value": "news.club.example"}]


def test_nobody_else_has_my_rules_and_mails(ann: Scope, bob: Scope, place: Folder) -> None:
    [id] = letters(ann, place, "Agenda")
    made = rule(ann, ("flag", None))
    with bob:
        theirs = rulebook.create(bob, {"name": "x"})
        for act in (lambda: rulebook.change(bob, made.id, {"name": "x"}), lambda: rulebook.delete(bob, made.id), lambda: ruling.undo(bob, made.id),
                    lambda: ruling.start(bob, {"rule_ids": [made.id]}), lambda: ruling.start(bob, {"email_ids": [id]}),
                    lambda: ruling.start_test(bob, made.id), lambda: trial.explain(bob, theirs, id), lambda: rulebook.from_mail(bob, id, "en")):
            with pytest.raises(NotFound):
                act()
        assert rulebook.log(bob, [], 9) == [] and rulebook.listed(bob) == [theirs]


def test_a_deleted_rule_leaves_its_log(ann: Scope, place: Folder) -> None:
    letters(ann, place, "Agenda")
    made = rule(ann, ("flag", None))
    apply(ann)
    rulebook.delete(ann, made.id)
    [hit] = rulebook.log(ann, [], 9)
    assert hit.rule_id is None and hit.detail["rule"] == "Club" and ann.select(RuleHit).count() == 1
