"""The language of a short text, and whether German says "du" or "Sie" in it."""
from __future__ import annotations

import re
from collections.abc import Iterable

# Small words that the other languages do not have.
_SMALL = {
    "de": "und der die das ist nicht ich wir sie ihr ihnen ihre für mit auf ein eine einen auch bitte dass oder wenn kann können haben vielen dank "
          "grüße hallo sehr geehrte zu von im am bei uns mir dir "
          "sind wird werden noch schon aber nur wie was bis zum zur über nach",
    "en": "the and is are not you your we our for with on this that have has will would could please thanks thank hello dear "
          "regards to of in it be can if or but from at by what when was were about "
          "just let me know an as so do",
    "fr": "le la les des est une pour avec vous nous votre merci bonjour dans sur pas que qui cordialement au du je et ce",
    "it": "il che di per con non una sono grazie buongiorno cordiali saluti della nel è gli alla come anche più",
    "es": "el los las que por con una para gracias hola usted está saludos del su como más pero muy",
    "nl": "het een van en ik niet met voor dat zijn bedankt groet hallo je wij ook maar naar bij deze",
}
_WORDS = {code: frozenset(words.split()) for code, words in _SMALL.items()}
_WORD = re.compile(r"[^\W\d_]+")
_BRACKETS = re.compile(r"\[[^\]\n]{0,40}\]|https?://\S+|\S+@\S+")
ENOUGH = 2              # small words, and that many more than of any other language

_DU = re.compile(r"(?i)\b(?:du|dir|dich|deine?[mnrs]?|euch|eure?[mnrs]?)\b")
_SIE = re.compile(r"\b(?:Ihnen|Ihre?[mnrs]?)\b|(?<![.!?:>\n-] )(?<!^)\bSie\b|(?i:\bgeehrte[rn]?\b)", re.M)
_LOOK = 4_000


def told(words: str) -> str:
    """de, en, fr, it, es or nl; "" where too little tells them apart."""
    found = [word.lower() for word in _WORD.findall(_BRACKETS.sub(" ", words[:_LOOK]))]
    counts = sorted(((sum(word in small for word in found), code) for code, small in _WORDS.items()), reverse=True)
    (best, code), (second, _) = counts[0], counts[1]
    return code if best >= ENOUGH and best >= second + max(1, best // 5) else ""


def form(texts: Iterable[str]) -> str:
    """du or sie, by the first of the texts that shows it; "" if none does."""
    for words in texts:
        du, sie = len(_DU.findall(words[:_LOOK])), len(_SIE.findall(words[:_LOOK]))
        if du != sie:
            return "du" if du > sie else "sie"
    return ""
