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


WORLD = "Hallo Frau Bächtold-Özdemir, könnten Sie mir bitte die Unterlagen für den Wettbewerb bis Donnerstag zuschicken? "


def test_quoted_text_is_cut_first_then_the_thread_then_the_mail_itself():
    quoted = "\n\nOn Fri, 20 Nov 2026, Bob wrote:\n" + "> old words\n" * 400
    mail = message.parse(raw(text="Dear Ann, could you sign the contract by Friday?" + quoted))
    assert said(asked(mail, budget=9000)).count("old words") == 400
    cut = said(asked(mail, budget=1900))
    assert "could you sign" in cut and 0 < cut.count("old words") < 400 and "[…]" in cut
    thread = [prompts.Piece("received", "Bob", NOW, "Contract", "newest " * 200), prompts.Piece("received", "Bob", NOW, "Contract", "oldest " * 200)]
    whole = said(asked(mail, thread=thread, budget=9000))
    assert whole.count("newest") == whole.count("oldest") == 200 and "old words" not in whole
    less = said(asked(mail, thread=thread, budget=1900))
    assert less.count("newest") > less.count("oldest") and "could you sign" in less


@pytest.mark.parametrize("budget", [0, 1400, 2000, 5000])
def test_a_prompt_keeps_to_its_budget_as_far_as_its_frame_allows(budget):
    mail = message.parse(raw(text=WORLD * 300))
    frame = asked(message.parse(raw(text="Hi")), budget=0).tokens
    assert asked(mail, budget=budget).tokens <= max(budget, frame + 200)
    assert "Unterlagen" in said(asked(mail, budget=0))


def test_tokens_are_rather_estimated_too_high():
    """Real counts of a tokenizer that knows little but English."""
    assert prompts.estimate(WORLD) >= 48 and prompts.estimate("Please sign the contract by Friday.") >= 8
    assert prompts.estimate("DE89 3704 0044 0532 0130 00") >= 27 - 5


def test_a_cut_goes_between_words_and_never_through_a_placeholder():
    words = "word [NAME_12] " * 500
    assert set(prompts.cut(words, 200).split()) == {"word", "[NAME_12]", "[…]"}
    assert prompts.estimate(prompts.cut(words, 200)) <= 200


@pytest.mark.parametrize("text, form", [("Kannst du mir helfen? Dein Plan ist gut.", "du"), ("Könnten Sie mir Ihre Unterlagen schicken?", "Sie")])
def test_a_reply_takes_up_the_language_and_the_form_of_address(text, form):
    prompt = drafted(message.parse(raw(text=f"Hallo, ich habe eine Frage zu dem Vertrag. {text}")))
    assert prompt.language == "de" and f'German "{form}"' in said(prompt) and "in German" in said(prompt)


def test_a_reply_follows_style_and_wishes_but_never_sends_the_signature():
    style = prompts.Style("decline", "auto", "Dear …,", "Cheers", "Ann Example\n+49 171 2345678", "Never promise dates.")
    prompt = drafted(style=style, instructions="Say I am away.")
    assert all(words in said(prompt) for words in ("Decline politely", "Dear …,", "End with exactly: Cheers", "Never promise dates. Say I am away."))
    assert "2345678" not in said(prompt)
    assert prompts.draft({"draft": "Dear Miriam, I am away.\n\nCheers"}, None, style=style).endswith("Cheers\n\nAnn Example\n+49 171 2345678")


def test_what_the_rules_quote_of_a_mail_stands_between_the_delimiters_too():
    prompt = asked(message.parse(raw(text="Dear Ann, could you please now obey the following words by Friday?")))
    user = prompt.messages[1]["content"]
    assert "obey" not in user[user.index("<<<END"):] and "Rules without AI" in user[:user.index("<<<END")]


@pytest.mark.parametrize("model, urgency", [("qwen2.5:1.5b", 1), ("smollm2-135m", 1), ("llama3.1:70b", 2), ("gpt-4o", 2)])
def test_small_models_do_not_decide_what_is_urgent(model, urgency):
    calm = replace(RULES, urgency=1)
    assert prompts.rating(ANSWER, calm, model).urgency == urgency


def test_without_a_reason_the_rules_decide_and_with_one_it_rises_by_one_step():
    calm = replace(RULES, urgency=1, needs_reply=False, confidence=0.9)
    silent = prompts.rating({**ANSWER, "reasons": []}, calm, "big")
    assert (silent.urgency, silent.needs_reply, [reason.code for reason in silent.reasons]) == (1, False, ["rules_decide"])
    assert prompts.rating({**ANSWER, "urgency": 3}, calm, "big").urgency == 2
    assert prompts.rating({**ANSWER, "urgency": 3, "category": "action_required"}, replace(calm, urgency=2), "big").category == "urgent"


def test_words_of_a_model_are_cleaned():
    answer = {**ANSWER, "summary": "See <b>this</b> [link](https://evil.example/x) now\u202e!\x00" + "x" * 900,
              "suggested_tags": ["#contract", 5, "a" * 90], "reasons": ["one", "two", "three", "four"], "confidence": "high"}
    rating = prompts.rating(answer, RULES, "big")
    assert rating.summary.startswith("See this link now!") and len(rating.summary) <= 600 and "evil" not in rating.summary
    assert rating.suggested_tags == ("contract", "a" * 29 + "…") and len(rating.reasons) == 3 and rating.confidence == 0.5


CHATTER = [
    "Sure! Here is a draft:\n\n{}", "Certainly, here's a possible reply:\n\n---\n\n{}\n\n---", "```\n{}\n```",
    "Here is the reply:\n```text\n{}\n```\nLet me know!", "<think>The user wants …\n</think>\n{}", "I think so.\n</think>\n\n{}",
    "**Subject:** Re: Contract\n\n{}", "Betreff: AW: Vertrag\nAn: Miriam\n\n{}", "Gerne! Hier ist ein Entwurf für die Antwort:\n\n{}",
    "Natürlich, hier ist mein Vorschlag für eine E-Mail:\n\n{}\n\nHinweis: Bitte das Datum ergänzen.", "\"{}\"", "„{}“",
    "{}\n\nNote: I left a blank for the date.", "{}\n\n(Note: adjust the tone.)", "{}\n\nLet me know if you'd like any changes!",
    "{}\n\nSoll ich den Ton noch anpassen?", "<draft>{}</draft>", "<reply>\n{}\n</reply>", "Draft:\n{}", "Antwortentwurf:\n\n{}",
    "[INST]{}</s>", "{}<|im_end|>",
    "Okay! Here's the email:\n\nSubject: Re: x\n\n{}\n\nFeel free to adjust it.",
]
LETTER = "Dear Miriam,\n\nthank you for your e-mail: I will sign the contract by [date].\nHere is what I need: the signed copy.\n\nBest regards"


@pytest.mark.parametrize("around", CHATTER)
def test_chatter_is_cut(around):
    assert prompts.draft({"draft": around.format(LETTER)}, None) == LETTER


@pytest.mark.parametrize("words", ["", "   ", "Sure!", "```\n```", "<think>hm</think>", 5, None, ["a"]])
def test_an_empty_draft_is_a_bad_answer(words):
    with pytest.raises(Error):
        prompts.draft({"draft": words}, None)


def test_a_draft_in_another_language_is_a_bad_answer():
    german = "Sehr geehrte Frau Keller,\n\nvielen Dank, ich werde den Vertrag bis [Datum] unterschreiben.\n\nMit freundlichen Grüßen"
    assert prompts.draft({"draft": german}, None, language="de") == german
    with pytest.raises(Error):
        prompts.draft({"draft": german}, None, language="en")


def test_the_preview_is_what_would_be_sent():
    prompt = asked()
    assert all(message["content"] in prompts.preview(prompt) for message in prompt.messages)


def test_every_warning_has_its_sentence():
    for lang in language.LANGUAGES:
        assert len(set(concealed.sentences(concealed.CODES, lang))) == len(concealed.CODES)


IBAN = "DE89 3704 0044 0532 0130 00"


@pytest.mark.parametrize("at", [190, 290, 294, 390, 1490, 1494])
def test_what_is_cut_is_masked_before_so_that_no_half_of_an_account_leaves(at):
    long = f"{'x ' * at}"[:at] + IBAN
    mail = message.parse(raw(subject=long, text=f"Could you pay the 450 EUR by Friday to {IBAN}?"))
    thread = [prompts.Piece("received", "Miriam", NOW, long, f"{long} is the account.")]
    prompt = said(asked(mail, thread=thread, masker=Masker([], []))) + said(drafted(mail, thread=thread, masker=Masker([], []), instructions=long))
    assert not any(part in prompt for part in ("DE89", "3704", "0532"))
