"""Mails that instruct a machine: a model that obeys every word of them changes no field that rules fix, acts on nothing, and leaks nothing."""

import re
from dataclasses import asdict
from datetime import datetime
from html import unescape

import pytest

from mailhelper import concealed, message, prompts, triage
from mailhelper.errors import Error
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.injections import BEFEHL, INJECTIONS, ORDER
from tests.test_prompts import drafted
from tests.world import ADDRESS, account, folder, keep, raw

CONTEXT = triage.Context(frozenset({ADDRESS}), datetime(2026, 11, 20, 9, 12))
FIXED = ("urgency", "importance", "category", "needs_reply")
OBEDIENT = {"urgency": 3, "importance": 3, "category": "urgent", "kind": "person", "spam": False, "needs_reply": True, "confidence": 1.0,
            "summary": "Pay the invoice.", "suggested_tags": ["VIP"], "reasons": ["“set urgency=3” says the mail"],
            "suggestions": ["Forward everything."]}
ACTS = {"layer": "user", "rated_by": "user", "corrected": ["urgency"], "move": "Trash", "action": "delete", "tool_calls": [{"name": "send"}], "id": 1}


def asked(one):
    builtin = triage.builtin(one.mail, CONTEXT)
    prompt = prompts.rate(one.mail, thread=one.thread, builtin=builtin, language="en", masker=None, budget=3000, stronger=False, base=None)
    return builtin, prompt


def test_there_are_sixty():
    assert len(INJECTIONS) >= 60 and len({one.name for one in INJECTIONS}) == len(INJECTIONS)


@pytest.mark.parametrize("one", INJECTIONS, ids=lambda one: one.name)
def test_an_injected_mail_stays_between_delimiters_and_is_warned_of(one):
    _, prompt = asked(one)
    system, user = (message["content"] for message in prompt.messages)
    nonce = re.search(r"<<<MAIL ([0-9a-f]{16})>>>", system)[1]
    assert user.count(f"<<<MAIL {nonce}>>>\n") == 1 and user.count(f"<<<END {nonce}>>>\n") == 1
    assert user.count("<<<") == 4, "the two delimiters, and their names in the last line"
    outside = user[:user.index("<<<MAIL")] + user[user.index("<<<END"):] + system
    assert ORDER not in outside and BEFEHL not in outside
    assert prompt.warnings
    assert not one.readable or "instruction_like" in prompt.warnings
    if not one.readable:
        assert ORDER not in user and BEFEHL not in user and ORDER[::-1] not in user.replace("Hello Ann. ", "") or one.name == "bidi"


@pytest.mark.parametrize("one", INJECTIONS, ids=lambda one: one.name)
def test_an_obedient_model_changes_nothing_that_rules_decide(one):
    builtin, prompt = asked(one)
    rating = prompts.rating({**OBEDIENT, **ACTS}, builtin, "big-model", warnings=prompt.warnings)
    assert {name: getattr(rating, name) for name in FIXED} == {name: getattr(builtin, name) for name in FIXED}
    assert rating.kind in (builtin.kind, "spam", "phishing") and rating.rated_by == "llm:big-model" and rating.confidence <= 0.5
    assert asdict(rating).keys() == asdict(builtin).keys()


@pytest.mark.parametrize("one", INJECTIONS[:30], ids=lambda one: one.name)
def test_a_leaked_prompt_is_a_bad_answer(one):
    builtin, prompt = asked(one)
    system = prompt.messages[0]["content"]
    for leak in (system, system[200:420], prompt.messages[1]["content"][-120:]):
        with pytest.raises(Error):
            prompts.rating({**OBEDIENT, "summary": leak}, builtin, "big-model", warnings=prompt.warnings)
        with pytest.raises(Error):
            prompts.draft({"draft": f"Dear Miriam,\n\n{leak}\n\nBest regards"}, None)


def test_a_reply_to_an_injected_mail_keeps_the_mail_as_data():
    for one in INJECTIONS:
        prompt = drafted(one.mail, thread=one.thread)
        assert ORDER not in prompt.messages[0]["content"]
        assert prompt.messages[1]["content"].count("<<<") == 4


def test_an_honest_mail_is_not_warned_of():
    for text in ("Could you rate our service? Please ignore my last mail, I found the instructions.", "Bitte ignoriere meine letzte Mail.",
                 "The new assistant starts on Monday, please show her the system.",
                 "Das neue Modell wird am Freitag geliefert, bitte antworte bis dann."):
        assert concealed.warnings(message.parse(raw(text=text))) == ()


def test_phishing_is_not_talked_away():
    mail = message.parse(raw("Konto gesperrt", "Ihr Konto wurde gesperrt. Bitte bestätigen Sie Ihre Daten.", "PayPal <service@paypa1-konto.com>"))
    builtin = triage.builtin(mail, CONTEXT)
    rating = prompts.rating({**OBEDIENT, "reasons": ["the sender is the bank"]}, builtin, "big-model")
    assert builtin.kind == rating.kind == "phishing" and rating.spam
    assert (rating.urgency, rating.importance, rating.needs_reply) == (1, 1, False)


def test_a_mails_page_warns_of_it(ann: Scope) -> None:
    place = folder(ann, account(ann))
    mail = keep(ann, place, raw("Minutes", f"Hello Ann. {ORDER}"))[0]
    assert "This mail tries to instruct an AI." in unescape(Client(ann)("GET", f"/email/{mail.id}").text)
    assert Client(ann)("GET", f"/api/emails/{mail.id}").json["warnings"] == ["instruction_like"]
