"""Prompts: mails are data, cut to a budget; and of what comes back only that is believed which a model may say."""

from dataclasses import replace
from datetime import datetime

import pytest

from mailhelper import concealed, language, message, prompts, triage
from mailhelper.anonymize import Masker
from mailhelper.errors import Error
from tests.world import ADDRESS, raw

NOW = datetime(2026, 11, 20, 9, 12)
CONTEXT = triage.Context(frozenset({ADDRESS}), NOW)
MAIL = message.parse(raw())
RULES = triage.builtin(MAIL, CONTEXT)
ANSWER = {"reasons": ["“by Friday” is a deadline"], "urgency": 2, "importance": 2, "category": "action_required", "kind": "person", "spam": False,
          "needs_reply": True, "summary": "Miriam wants the contract signed by Friday.", "suggested_tags": ["contract"], "confidence": 0.9}


def asked(mail=MAIL, **more):
    builtin = triage.builtin(mail, CONTEXT)
    given = {"thread": (), "builtin": builtin, "language": "de", "masker": None, "budget": 3000, "stronger": False, "base": None}
    return prompts.rate(mail, **{**given, **more})


def drafted(mail=MAIL, style=None, **more):
    given = {"thread": (), "style": style or prompts.Style(), "language": "en", "masker": None, "budget": 3000, "instructions": ""}
    return prompts.reply(mail, **{**given, **more})


def said(prompt):
    return "\n".join(message["content"] for message in prompt.messages)


def test_a_rating_is_asked_for_with_the_words_of_the_mail_and_of_the_rules():
    prompt = asked()
    assert [message["role"] for message in prompt.messages] == ["system", "user"]
    assert "could you sign the contract by Friday?" in said(prompt) and "Subject: Contract" in said(prompt)
    assert "Rules without AI: urgency 2" in said(prompt) and "in German" in said(prompt)
    assert prompt.schema["properties"]["kind"]["enum"] == list(triage.KINDS)
    assert set(prompt.schema["required"]) == set(ANSWER) and not prompt.schema["additionalProperties"]


def test_the_stronger_model_sees_the_earlier_rating_and_may_suggest():
    prompt = asked(stronger=True, base=replace(RULES, importance=3, rated_by="llm:small"))
    assert "Earlier rating: urgency 2, importance 3" in said(prompt)
    assert "suggestions" in prompt.schema["required"]


def test_a_good_answer_becomes_a_rating():
    rating = prompts.rating(ANSWER, RULES, "big")
    assert (rating.urgency, rating.importance, rating.category, rating.needs_reply, rating.rated_by) == (2, 2, "action_required", True, "llm:big")
    assert rating.summary == ANSWER["summary"] and rating.reasons == (("model_said", {"phrase": ANSWER["reasons"][0]}),)


@pytest.mark.parametrize("change", [{"urgency": None}, {"urgency": "soon"}, {"summary": ""}, {"summary": 5}, {"importance": True}])
def test_an_answer_that_says_nothing_usable_is_a_bad_answer(change):
    with pytest.raises(Error) as caught:
        prompts.rating({**ANSWER, **change}, RULES, "big")
    assert caught.value.code == "bad_answer"


def test_a_draft_comes_without_chatter_and_with_names_put_back():
    masker = Masker(MAIL.to, ())
    prompt = drafted(masker=masker)
    assert "Miriam" not in said(prompt) and "Ann" not in said(prompt)
    answer = {"draft": "Sure! Here is a draft:\n\nSubject: Re: Contract\n\nDear [NAME_2],\n\nI will sign it by [date].\n\nBest regards\n\n"
                       "Note: adjust the date."}
    names = {f"[NAME_{number}]": masker.restore(f"[NAME_{number}]") for number in (1, 2, 3)}
    assert set(names.values()) == {"Ann", "Miriam", "Keller"}
    written = prompts.draft(answer, masker, style=prompts.Style(signature="Ann Example"))
    assert written == f"Dear {names['[NAME_2]']},\n\nI will sign it by [date].\n\nBest regards\n\nAnn Example"


def test_the_preview_is_what_would_be_sent():
    prompt = asked()
    assert all(message["content"] in prompts.preview(prompt) for message in prompt.messages)


def test_every_warning_has_its_sentence():
    for lang in language.LANGUAGES:
        assert len(set(concealed.sentences(concealed.CODES, lang))) == len(concealed.CODES)
