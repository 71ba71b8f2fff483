"""What models write around a draft, and how it is cut: "Sure! Here is a draft:", subjects, fences, notes, thoughts."""
from __future__ import annotations

import re

_THOUGHT = re.compile(r"<(think|thinking|reasoning|scratchpad|reflection)\b[^>]*>.*?(?:</\1>|\Z)", re.I | re.S)
_THOUGHT_END = re.compile(r"\A.*?</(?:think|thinking|reasoning|scratchpad|reflection)>", re.I | re.S)
_FENCE = re.compile(r"\A\s{0,20}(?:[^\n]{0,200}\n)?```[\w-]*[ \t]*\n(.*?)(?:\n?```.*|\Z)", re.S)
_TEMPLATE = re.compile(r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>", re.I)
_WRAPPED = re.compile(r'\A\s*(["„“”\'«»])(.*)["“”\'«»]\s*\Z', re.S)
_TAGGED = re.compile(r"\A\s*<(draft|reply|email|antwort|response)>\s*(.*?)\s*(?:</\1>.*)?\Z", re.I | re.S)

_OPENING = re.compile(
    r"\A\s*(?:\*\*|__|#+\s*)?(?:(?:sure|certainly|of course|absolutely|okay|ok|great|gladly|no problem|gerne?|nat(?:ü|ue)rlich"
    r"|selbstverst(?:ä|ae)ndlich|klar|alles klar)\b[^\n.!:]{0,60}[.!:,–-]\s*)?"
    r"(?=(?:here|below|this|i|a|an|the|my|your|possible|suggested|draft|reply|response|hier|nachfolgend|im folgenden|anbei|ein|mein|der|dein"
    r"|ihr|antwort|entwurf|vorschlag|antwortentwurf"
    r"|formulierungsvorschlag)\b)[^\n:]{0,100}?\b(?:draft|reply|response|e-?mail|entwurf|antwort|antwortentwurf|vorschlag"
    r"|formulierungsvorschlag)\b[^\n:]{0,100}:(?:\*\*|__)?[ \t]*\n*", re.I)
_EAGER = re.compile(
    r"\A\s*(?:sure(?: thing)?|certainly|of course|absolutely|okay|gladly|no problem|gern(?:e)?|nat(?:ü|ue)rlich|selbstverst(?:ä|ae)ndlich"
    r"|klar doch|alles klar)[!.,]\s*(?:\n+|(?=(?:here|hier|i |ich )))", re.I)
_HERE = re.compile(r"\A\s*(?:here(?:'s| is)|hier (?:ist|w(?:ä|ae)re)|i(?:'ve| have) (?:drafted|written)|ich habe)\b[^\n]{0,160}\b(?:draft"
    r"|reply|response|answer|e-?mail|entwurf|antwort|vorschlag)\b[^\n]{0,100}[:.]\s*\n+", re.I)
_FIELD = re.compile(r"\A\s*(?:\*\*|__)?(?:subject|betreff|re|aw|to|an|from|von|cc|date|datum)(?:\*\*|__)?\s?:(?:\*\*|__)?[^\n]*\n+", re.I)
_RULE = re.compile(r"\A\s*(?:-{3,}|\*{3,}|_{3,}|={3,})\s*\n+")
_NOTE = re.compile(
    r"\n[ \t]*(?:-{3,}\s*\n+[ \t]*)?(?:[(\[*_]{0,3}[ \t]*)(?:note|please note|n\.?b\.|hinweis|anmerkung|bemerkung|p\.?s\.? for you|explanation"
    r"|erl(?:ä|ae)uterung|reasoning|disclaimer|tipp?)\b[*_]{0,2}\s*[:(–-].*\Z"
    r"|\n[ \t]*(?:-{3,}\s*\n+[ \t]*)?[(\[*_]{0,2}(?:let me know if you(?:'d| would)? (?:like|want|need)[^\n]{0,40}(?:changes?|adjust\w*|edits?"
    r"|revis\w*|version|tone|shorter|draft)|feel free to (?:adjust|modify|edit|customi[sz]e|change)"
    r"|(?:i )?hope this (?:helps|draft|works)|you can (?:replace|fill in|adjust|customi[sz]e)|replace the (?:placeholders?|brackets?)"
    r"|remember to|(?:soll|kann) ich (?:noch )?(?:etwas|den|die|das) [^\n]{0,30}(?:anpass|änder|aender)"
    r"|passe? (?:den|die|das|es|sie|ihn)[^\n]{0,40} an\b|f(?:ü|ue)lle?n? (?:sie )?die (?:l(?:ü|ue)cken|platzhalter|klammern)"
    r"|ersetze?n? (?:sie )?die|lass mich wissen,? (?:ob|wenn|falls) (?:du|ich)[^\n]{0,40}(?:änder|anpass|entwurf)"
    r"|dieser entwurf|this draft|the (?:draft|reply) (?:above|is))[^\n]*(?:\n.*)?\Z", re.I | re.S)
_GAPS = re.compile(r"\n{3,}")


def cut(words: str) -> str:
    """The draft alone; "" if there was nothing but chatter."""
    words = _THOUGHT.sub("", words)
    words = _THOUGHT_END.sub("", words)
    words = _TEMPLATE.sub("", words)
    before = None
    while before != words:
        before = words
        for pattern in (_EAGER, _HERE, _OPENING, _RULE, _FIELD):
            words = pattern.sub("", words, count=1)
        if match := _FENCE.match(words):
            words = match[1]
        if (match := _TAGGED.match(words)) or (match := _WRAPPED.match(words)):
            words = match[2]
        words = _NOTE.sub("", words)
        words = re.sub(r"\n\s*(?:-{3,}|\*{3,}|```)\s*\Z", "", words)
    return _GAPS.sub("\n\n", "\n".join(line.rstrip() for line in words.strip().split("\n")))
