"""Every condition with every action against a real Dovecot: log, journal and server agree, and undo returns the exact state."""

from typing import Any

import pytest

from mailhelper import ratings, rulebook, rules, ruling, runner, tagging, tags
from mailhelper.models import Act, Job, Mail, MailTag, Rating, RuleHit
from mailhelper.scope import Scope
from tests.servers import dovecot as dovecots
from tests.servers.dovecot import Dovecot
from tests.servers.test_acts import Box as ActBox
from tests.world import raw

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]

ACTIONS = {"move": "Work", "mark_read": None, "flag": None, "tag": "done by rule", "set_urgency": 1, "set_importance": 1, "trash": None}
# What all mails of this test meet, and what none does.
CONDITIONS: dict[str, tuple[Any, Any]] = {
    "sender_equals": ("miriam@work.example", "m@work.example"), "sender_contains": ("keller", "meier"), "sender_not_contains": ("meier", "keller"),
    "sender_domain": ("work.example", "ork.example"), "subject_equals": (None, "Mail"), "subject_contains": ("mail", "post"),
    "subject_not_contains": ("post", "mail"), "subject_regex": (r"^mail \w+$", "post"), "body_contains": ("CONTRACT", "nothing like it"),
    "body_not_contains": ("nothing like it", "contract"), "body_regex": (r"sign\s+the", r"^contract"), "has_attachment": (True, False),
    "folder_equals": ("inbox", "work"), "list_id": ("board.club.example", "other"), "has_tag": ("Before", "after"), "not_has_tag": ("after",
    "before"),
    "ai_suggested_tag": ("invoice", "club"), "urgency": (3, 2), "importance": (3, 2), "category": ("urgent", "information"), "kind": ("person",
    "spam"),
    "needs_reply": (True, False),
}  # fmt: skip
BODY = ("--b\r\nContent-Type: text/plain\r\n\r\nCould you sign the contract?\r\n"
        "--b\r\nContent-Type: application/pdf; name=contract.pdf\r\nContent-Disposition: attachment\r\n\r\nPDF\r\n--b--")
FOLDERS = ("INBOX", "Work", "Trash")


class Box(ActBox):
    """A mailbox with one mail for each action, and one that no rule may touch; each meets all conditions."""

    def __init__(self, scope: Scope, server: Dovecot) -> None:
        super().__init__(scope, server)
        letters = [raw(f"Mail {name}", BODY, id=f"{name}@x", List_Id="The board <board.club.example>", Content_Type="multipart/mixed; boundary=b")
                   for name in (*ACTIONS, "untouched")]
        self.server.deliver(letters, "INBOX", self.user)
        self.sync()
        self.ids = {name: self.id(name) for name in (*ACTIONS, "untouched")}
        for id in self.ids.values():
            scope.create(Rating, mail=id, layer="base", urgency=3, importance=3, category="urgent", kind="person", spam=False, needs_reply=True,
                         confidence=.9, rated_by="llm:test", detail={"tags": ["invoice"], "summary": "", "reasons": []})
            ratings.settle(scope, id)
        tagging.add(scope, list(self.ids.values()), tags.made(scope, ["Before"]))

    def picture(self) -> dict[str, dict[str, Any]]:
        """The folders as another program sees them."""
        return {folder: self.there(folder) for folder in FOLDERS}

    def stored(self) -> list[Any]:
        """All that rules may change of what is here."""
        columns = Mail.id, Mail.folder, Mail.seen, Mail.flagged, Mail.layer, Mail.urgency, Mail.importance, Mail.score
        return [*self.scope.select(Mail, *columns).order_by(Mail.id).tuples(),
                *self.scope.select(MailTag, MailTag.mail, MailTag.tag, MailTag.by).order_by(MailTag.mail, MailTag.tag).tuples(),
                *self.scope.select(Rating, Rating.mail, Rating.layer, Rating.urgency, Rating.importance).order_by(Rating.mail, Rating.layer).tuples()]

    def apply(self) -> dict[str, Any]:
        job = ruling.start(self.scope, {})
        runner.run(job.id)
        self.tell()
        result: dict[str, Any] = self.scope.get(Job, job.id).result
        return result


def rule(name: str, condition: tuple[str, Any], action: str) -> dict[str, Any]:
    """Does an action to the mail of that name, if it meets the condition."""
    value = ACTIONS[action]
    return {"name": name, "conditions": [{"type": condition[0], "value": condition[1]}, {"type": "subject_equals", "value": f"Mail {name}"}],
            "actions": [{"type": action, **({} if value is None else {"value": value})}]}


def expected(before: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    after = {folder: dict(mails) for folder, mails in before.items()}
    after["INBOX"]["mark_read"], after["INBOX"]["flag"] = {"\\Seen"}, {"\\Flagged"}
    after["Work"]["move"], after["Trash"]["trash"] = after["INBOX"].pop("move"), after["INBOX"].pop("trash")
    return after


def test_every_condition_with_every_action(ann: Scope, dovecot: Dovecot, request: pytest.FixtureRequest) -> None:
    if "postgres" in request.node.name:
        pytest.skip("the same on both, and slow")
    assert CONDITIONS.keys() == rules.CONDITIONS.keys() and {*ACTIONS, "stop"} == rules.ACTIONS.keys()
    box = Box(ann, dovecot)
    server, here = box.picture(), box.stored()
    for kind, (yes, no) in CONDITIONS.items():
        made = [rulebook.create(ann, rule(name, (kind, yes or f"Mail {name}"), name)) for name in ACTIONS]
        made.append(rulebook.create(ann, rule("untouched", (kind, no), "trash")))
        assert box.apply()["actions"] == len(ACTIONS), kind
        assert box.picture() == expected(server), kind
        log = {hit.detail["rule"]: (hit.what, hit.shown_state, hit.shown_error) for hit in rulebook.log(ann, [RuleHit.state != "undone"], 99)}
        assert log == {name: (name, "done", None) for name in ACTIONS}, kind
        journal = {(act.by, act.detail["why"], act.state) for act in ann.select(Act)}
        assert journal == {("rule", name, "done") for name in ("move", "mark_read", "flag", "trash")}, kind
        assert [ruling.undo(ann, one.id) for one in made] == [(1, 0)] * len(ACTIONS) + [(0, 0)], kind
        box.tell()
        assert (box.picture(), box.stored()) == (server, here), kind
        for one in made:
            rulebook.delete(ann, one.id)
        ann.delete(Act).execute(), ann.delete(RuleHit).execute()


def test_new_mail_is_ruled_after_the_sync_that_brought_it(ann: Scope, dovecot: Dovecot) -> None:
    box = ActBox(ann, dovecot)
    rulebook.create(ann, {"name": "x", "conditions": [{"type": "subject_regex", "value": "mail [14]"}], "actions": [{"type": "move",
        "value": "Work"}]})
    box.deliver(4, 5)
    box.sync()
    job = ann.select(Job).where(Job.kind == "apply_rules_to_new_emails").get()
    runner.run(job.id)
    hit, = rulebook.log(ann, [], 9)
    assert (hit.what, hit.shown_state) == ("move", "pending"), "done only when the server has confirmed it"
    box.tell()
    hit, = rulebook.log(ann, [], 9)
    assert hit.shown_state == "done" and box.there("Work").keys() == {"w", "4"} and box.there().keys() == {"1", "2", "3", "5"}
    assert box.counts() == (0, 0, 0, 0) and not ann.select(Job).where(Job.kind == job.kind, Job.state == "queued").exists()


def test_what_the_server_refuses_stands_in_the_log(ann: Scope, dovecot: Dovecot) -> None:
    box = ActBox(ann, dovecot)
    rulebook.create(ann, {"name": "x", "conditions": [{"type": "subject_equals", "value": "Mail 2"}], "actions": [{"type": "flag"}]})
    _expunge(box, 2)
    job = ruling.start(ann, {})
    runner.run(job.id)
    box.tell()
    [hit] = rulebook.log(ann, [], 9)
    assert (hit.shown_state, hit.shown_error) == ("refused", "act_gone")


def _expunge(box: ActBox, number: int) -> None:
    """Another program deletes a mail."""
    uid = box.scope.get(Mail, box.id(number)).uid
    with box.server.session(box.user) as session:
        session.select("INBOX")
        session.uid("STORE", str(uid), "+FLAGS", "(\\Deleted)")
        session.expunge()

