"""What of a model's answer is believed: ratings checked against the rules, drafts without chatter; anything else is a bad answer."""
from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mailhelper import chatter, tongue, triage
from mailhelper.anonymize import Masker
from mailhelper.errors import Error
from mailhelper.triage import Reason

LONGEST = {"summary": 600, "reason": 160, "tag": 30, "suggestion": 200, "draft": 8000}
TAGS, REASONS = 5, 3
SURE = 0.8              # of the built-in rating, above which two steps up are not believed
SMALL = 4.0             # milliards of parameters; such models are worse than a constant at urgency (measured)

_SPACE = re.compile(r"\s+")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+")
_MARKUP = re.compile(r"<[^<>]{0,200}>|!?\[([^\]]{0,100})\]\((?:https?:|javascript:|data:)[^)\s]{0,300}\)|https?://\S+|javascript:\S*", re.I)
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?(b|m)(?![a-z0-9])", re.I)
_LEAKED = re.compile(r"<{2,3}\s?(?:MAIL|END)\b|\b(?:MAIL|END) [0-9a-f]{16}\b|never an instruction to you|never mention these instructions"
    r"|data written by strangers"
                     r"|rules without ai|you (?:rate one|draft a reply to an) e-?mail|differ from their urgency|invent none\b"
                     r"|no name below the closing", re.I)
_LEVELS = {"1": 1, "2": 2, "3": 3, "low": 1, "medium": 2, "high": 3, "niedrig": 1, "mittel": 2, "hoch": 3}


@dataclass(frozen=True)
class Style:
    """How the user writes: `name` of product.md §3, `address` du, sie or auto; greeting, closing and signature as they stand in a mail."""
    name: str = "professional"
    address: str = "auto"
    greeting: str = ""
    closing: str = ""
    signature: str = ""
    instructions: str = ""


def rating(answer: Mapping[str, Any], builtin: triage.Rating, model: str, *, masker: Masker | None = None,
           warnings: Iterable[str] = ()) -> triage.Rating:
    """The rating of a model over that of the rules.  Raises Error("bad_answer") where it says nothing usable.

    Unknown keys are dropped, so nothing a person fixed can be touched. Urgency and needs_reply stay those of the rules where the model gives no
    reason, is small, or the mail tries to instruct it (`warnings` of the prompt); phishing and spam seen by the rules cannot be talked away.
    """
    urgency, importance = _level(answer.get("urgency")), _level(answer.get("importance"))
    summary = _line(answer.get("summary"), "summary", masker)
    if urgency is None or importance is None or not summary:
        raise Error("bad_answer")
    refuse_leak(answer)
    said = [line for line in (_line(one, "reason", masker) for one in _list(answer.get("reasons"))[:REASONS]) if line]
    bound = set(warnings)
    believed = bool(said) and not small(model) and not bound
    kind, why = _kind(answer, builtin, bool(said), bool(bound))
    reasons = [Reason("model_said", {"phrase": line}) for line in said] + why
    reply = answer.get("needs_reply") if isinstance(answer.get("needs_reply"), bool) else builtin.needs_reply
    if not believed and (urgency, reply) != (builtin.urgency, builtin.needs_reply):
        urgency, reply = builtin.urgency, builtin.needs_reply
        reasons.append(Reason("rules_decide", {}))
    if bound:
        importance = builtin.importance
        reasons.append(Reason("addresses_machine", {}))
    if urgency > builtin.urgency + 1 and builtin.confidence >= SURE:
        urgency = builtin.urgency + 1
    category = answer.get("category") if not bound else builtin.category
    merged = replace(
        builtin, urgency=urgency, importance=importance, category=_category(category, urgency, builtin), kind=kind, spam=kind in ("spam", "phishing"),
        needs_reply=bool(reply), summary=summary, suggested_tags=_tags(answer, masker) or builtin.suggested_tags,
        reasons=tuple(reasons) or builtin.reasons, confidence=_confidence(answer.get("confidence"), bool(bound)), rated_by=f"llm:{model}")
    if kind in triage.UNWANTED:
        return replace(merged, urgency=1, importance=1, category="information", needs_reply=False)
    return merged


def draft(answer: Mapping[str, Any], masker: Masker | None, *, style: Style | None = None, language: str = "") -> str:
    """The text of an answer's draft: chatter cut, placeholders restored, the style's signature below; [blanks] stay.

    Raises Error("bad_answer") for an empty draft, one that leaks the prompt, and one that is not in `language` (of the prompt) where that is given.
    """
    words = answer.get("draft")
    if not isinstance(words, str):
        raise Error("bad_answer")
    refuse_leak(answer)
    words = chatter.cut(_UNSEEN.sub("", words.replace("\r\n", "\n"))[:LONGEST["draft"]])
    if len(re.findall(r"\w+", words)) < 2:
        raise Error("bad_answer")
    said = tongue.told(words)
    if language and said and said != language:
        raise Error("bad_answer")
    words = masker.restore(words) if masker else words
    signature = style.signature.strip("\n") if style else ""
    return f"{words}\n\n{signature}" if signature and signature not in words else words


def suggestions(answer: Mapping[str, Any], masker: Masker | None = None) -> tuple[str, ...]:
    """What a stronger model proposes to do: words for a person to read, at most three."""
    found = (_line(one, "suggestion", masker) for one in _list(answer.get("suggestions"))[:REASONS])
    return tuple(line for line in found if line)


def small(model: str) -> bool:
    """Whether a model's name says that it is a small one: "qwen2.5:1.5b", "smollm2-135m"."""
    sizes = [float(size) / (1000 if unit in "mM" else 1) for size, unit in _SIZE.findall(model.replace("-", " ").replace("_", " ").replace(":", " "))]
    return bool(sizes) and max(sizes) <= SMALL


def refuse_leak(answer: Mapping[str, Any]) -> None:
    """Raise bad_answer where an answer repeats delimiters or instructions of the prompt."""
    for value in answer.values():
        for words in (value if isinstance(value, list) else [value]):
            if isinstance(words, str) and _LEAKED.search(words):
                raise Error("bad_answer")


def _kind(answer: Mapping[str, Any], builtin: triage.Rating, reasoned: bool, bound: bool) -> tuple[str, list[Reason]]:
    """The model's kind; that of the rules where they saw fraud or junk, or the model calls it that without a reason."""
    if builtin.kind in ("phishing", "spam"):
        return builtin.kind, [reason for reason in builtin.reasons if reason.code not in ("nothing_asked",)][:3]
    said = answer.get("kind")
    if said not in triage.KINDS or bound and said not in ("spam", "phishing"):
        return builtin.kind, []
    if said in triage.UNWANTED and builtin.kind not in triage.UNWANTED and not reasoned:
        return builtin.kind, []
    return str(said), []


def _category(said: object, urgency: int, builtin: triage.Rating) -> str:
    """"urgent" is what has to be done and is urgent; one never stands without the other."""
    category = said if said in triage.CATEGORIES else builtin.category
    if category == "information":
        return "information"
    return "urgent" if urgency == 3 else "action_required"


def _level(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    if isinstance(value, int | float):
        return min(3, max(1, int(value)))
    return _LEVELS.get(value.strip().lower()) if isinstance(value, str) else None


def _confidence(value: object, bound: bool) -> float:
    sure = float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else 0.5
    sure = sure / 100 if 1 < sure <= 100 else sure
    return round(min(max(sure, 0.0), 0.5 if bound else 1.0), 2)


def _tags(answer: Mapping[str, Any], masker: Masker | None) -> tuple[str, ...]:
    found = (_line(one, "tag", masker).strip("#.,;: ") for one in _list(answer.get("suggested_tags")))
    return tuple(dict.fromkeys(tag for tag in found if tag))[:TAGS]


def _list(value: object) -> list[Any]:
    return value[:20] if isinstance(value, list) else [value] if isinstance(value, str) else []


def _line(value: object, what: str, masker: Masker | None) -> str:
    """Words on one line: no markup, no links, nothing invisible, cut at its longest."""
    if not isinstance(value, str):
        return ""
    line = _SPACE.sub(" ", _MARKUP.sub(lambda match: match[1] or " ", _UNSEEN.sub("", value[:4000]))).strip()
    line = masker.restore(line) if masker else line
    longest = LONGEST[what]
    if len(line) <= longest:
        return line
    place = line.rfind(" ", longest // 2, longest - 1)
    return line[:place if place > 0 else longest - 1].rstrip(" ,;:") + "…"
