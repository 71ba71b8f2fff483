"""What a mail shows its reader and what it hides from them: hidden text, invisible signs, and words meant for a machine reader."""
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import unescape

from mailhelper import html, language, text
from mailhelper.message import ParsedMail

CODES = ("hidden_text", "bidi", "zero_width", "comments", "instruction_like")
LIMIT = 200_000         # characters of HTML that are looked at for words to a machine

_SHEET = re.compile(r"<style\b[^>]*>(.*?)(?:</style|\Z)", re.I | re.S)
_MEDIA = re.compile(r"@[\w-]{1,30}[^{};@]{0,300}\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}|/\*.*?(?:\*/|\Z)", re.S)
_RULE = re.compile(r"(?<![^{}])([^{}]{1,500})\{([^{}]{0,2000})\}")
_UNSEEN_RULE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0?\.?0+\s*(?:;|!|$)"
    r"|font-size\s*:\s*[01]?(?:\.\d+)?(?:px|pt)?\s*(?:;|!|$)|mso-hide\s*:\s*all"
                          r"|(?:left|top|text-indent)\s*:\s*-\d{3,}|clip-path|clip\s*:\s*rect|scale\(0|color\s*:\s*transparent", re.I)
_SELECTED = re.compile(r"(?:^|,)\s*(?:[a-z0-9]+)?([.#])([\w-]+)\s*(?=,|$)", re.I)
_CLASSED = re.compile(r"<([a-z][a-z0-9]*)\b([^>]*?\b(class|id)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+)))", re.I)
_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.S)
_TAG = re.compile(r"<[^<>]*>")
_SIGNS = re.compile(r"&(?:zwnj|zwj|shy|zerowidthspace|lrm|rlm|#(?:x(?:200[b-f]|202[a-e]|206[0-9a-f]|feff|ad)|(?:820[3-7]|823[4-8]|829[0-9]"
    r"|830[0-3]|65279|173)));?", re.I)

# Words by which a mail speaks to a model, or for one.
_AI = (r"(?:ai|ki|a\.i\.|llms?|(?:large )?language models?|sprachmodelle?|chatbots?"
       r"|(?:ai|ki|e-?mail|mail)[ -](?:assistants?|assistent\w*|classifier|agents?|bots?|models?|modelle?))")
_JUDGED = r"(?:urgent|important|unimportant|safe|trusted|high|low|information|dringend|wichtig|unwichtig|vertrauensw\w*|harmlos|priorit\w+)"
_INSTRUCTS = re.compile("|".join((
    r"\b(?:ignore|disregard|forget|override)\s+(?:(?:all|any|of|my|your|the|these|those|previous|prior|above|earlier|preceding|other|system"
    r"|given|and|its|safety)\s+)"
    r"{1,6}(?:instructions?|prompts?|rules?|guidelines?|directives?)",
    r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*|(?:ü|ue)bergeh\w*|beachte\w* nicht)\s+(?:(?:alle[nr]?|die|den|deine[n]?|ihre|s(?:ä"
    r"|ae)mtliche|jede|vorherige[nr]?"
    r"|bisherige[nr]?|obige[nr]?|fr(?:ü|ue)here[nr]?|vorige[nr]?|andere[n]?|diese|bitte|sie|jetzt|sofort)\s+){0,6}(?:anweisung\w*"
    r"|instruktion\w*|regeln|vorgaben|befehle?|prompts?)",
    r"\b(?:system|developer)[ -]?(?:prompt|override|instruction)\w*|\bsystemanweisung\w*",
    r"\b(?:you are|you're)\s(?:now|no longer|from now on|henceforth)\s(?:an?|in|acting|the|free|unrestricted)\b|\b(?:you are|act as"
    r"|pretend to be)\s(?:\w+\s){0,3}?"
    r"(?:unrestricted|" + _AI + r")\b",
    r"\b(?:du bist|sie sind|verhalte dich|agiere|handle)\s(?:\w+\s){0,4}?(?:" + _AI + r"|assistent(?:in)? ohne)\b",
    r"\b(?:attention|notes? to|messages? (?:to|for)|instructions? (?:to|for)|dear|hinweis\w* an|nachricht an|anweisung\w* an|achtung"
    r"|an)\W{1,3}(?:(?:the|any|all|die|das|den|alle)\s)?" + _AI
    + r"\b|^[ \t]*(?:an|to)\s(?:the|die|den|das)\s" + _AI + r"\s?:",
    r"\b(?:" + _AI + r"|(?:the|der|das) (?:assistant|model|classifier|assistent|modell|klassifikator))\b[^.!?\n]{0,30}\b(?:must|should|shall"
    r"|soll\w*|muss)\b[^.!?\n]{0,60}"
    r"\b(?:rate|mark|classif\w+|answer|reply|output|set|respond|summari[sz]e|reveal|bewerte\w*|markier\w*|antworte\w*|setze\w*|einstuf\w*"
    r"|ausgeb\w*|verrat\w*)",
    r"\b(?:needs_?reply|urgency|importance|suggested_?tags|rated_by|is_?spam|dringlichkeit|wichtigkeit)\b[\"'`]?\s*(?:=|:|to|auf|should be"
    r"|must be)\s*[\"'`]?"
    r"(?:true|false|[0-3]\b|high|low|hoch|niedrig)|\"(?:spam|kind|urgency|category)\"\s*:",
    r"\b(?:urgency|importance|dringlichkeit|wichtigkeit)\s[0-3]\b",
    r"\b(?:rate|mark|classify|label|bewerte|markiere|klassifiziere|behandle|stufe)\s(?:this|the|diese[rsnm]?|die|den)\s(?:\w+\s)?(?:e-?mail"
    r"|message|mail|nachricht)\s(?:as|als)\s"
    + _JUDGED,
    r"\b(?:reveal|print|repeat|show|output|leak|verrate?|wiederhole|zeige?|gib)\b[^.!?\n]{0,30}\b(?:your (?:\w+ )?instructions|(?:your|the"
    r"|deine[n]?|den|ihre) (?:system)?-?prompt|deine anweisungen"
    r"|api[- ]?keys?)\b",
    r"<\|?(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id)\|?>|\[/?INST\]|<</?SYS>>|</?(?:system|assistant|instructions?)>"
    r"|<<<(?:MAIL|END)\b|^[ \t]*#{1,4}[ \t]*(?:instruction|system|response|anweisung)\b|^[ \t]*(?:system|assistant)\s?:\s(?:you|du|ignore"
    r"|rate|set|output)")), re.I | re.M)
# What chat templates are made of, and what our own delimiters are made of.
_TEMPLATE = re.compile(r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<{3,}|>{3,}(?=\s*\w)|```|‹{2,}|«{3,}", re.I)


def seen(mail: ParsedMail) -> str:
    """The text as its reader sees it: that of the HTML where there is one, without what its styles hide."""
    if not mail.html:
        return text.visible(mail.text)
    return html.render(_marked(mail.html)).text or ("" if html.render(mail.html).hidden else text.visible(mail.text))


def warnings(mail: ParsedMail) -> tuple[str, ...]:
    """Which of CODES a mail shows, for the page and for the judging of a model's answer; looks at subject, names and file names, too."""
    found = set(mail.tricks)
    shown = seen(mail)
    if mail.html:
        found |= _in_html(mail.html[:LIMIT])
        if mail.text and instructs(mail.text) and not instructs(shown):
            found.add("hidden_text")        # a text part that says what the HTML does not
    around = "\n".join((mail.subject, mail.sender.name, *(one.filename for one in mail.attachments),
                        *(one.name for one in (*mail.to, *mail.cc)[:50])))
    calendar = text.decode(mail.calendar[:20_000])[0].replace("\r\n ", "").replace("\n ", "") if mail.calendar else ""
    places = shown, around, around.replace("_", " ").replace("-", " "), calendar, mail.text, _stripped(mail.html[:LIMIT])
    if any(map(instructs, places)):
        found.add("instruction_like")
    return tuple(code for code in CODES if code in found)


def sentences(codes: Iterable[str], lang: str) -> list[str]:
    """What to tell the reader of such codes."""
    return [language.t(lang, f"warning.{code}") for code in codes]


def instructs(words: str) -> bool:
    """Whether a text speaks to a model: "ignore previous instructions", "needs_reply=false", the marks of chat templates."""
    words = words[:LIMIT]
    return bool(_INSTRUCTS.search(words if words.isascii() else unicodedata.normalize("NFKC", words)))


def tame(words: str) -> str:
    """A text that can stand in a prompt: nothing invisible, no control characters, no marks of chat templates or of our delimiters."""
    words = text.visible(words)
    words = "".join(char if char in "\n\t" or char >= " " and not "\x7f" <= char < "\xa0" else " " for char in words)
    return _TEMPLATE.sub(lambda match: " ".join(match[0].strip("<>[]|`‹«")) if match[0].strip("<>[]|`‹«") else " ", words)


def _in_html(source: str) -> set[str]:
    found = set()
    marked = _marked(source)
    if html.hidden(source) or marked != source and instructs(_stripped(source)) and not instructs(html.render(marked).text):
        found.add("hidden_text")
    if any(instructs(comment) for comment in _COMMENT.findall(source)):
        found |= {"comments", "hidden_text"}
    if _SIGNS.search(source):
        found |= text.tricks(unescape(_TAG.sub("", source)))
    return found


def _stripped(source: str) -> str:
    """All words of HTML, seen or not, with a space where an element began."""
    return unescape(_TAG.sub(" ", source.replace("<!--", " ").replace("-->", " ")))


def _marked(source: str) -> str:
    """HTML with the attribute "hidden" on elements that a style sheet hides outside of media queries, where `html` looks for it."""
    sheets = "".join(_SHEET.findall(source))
    if not sheets:
        return source
    hidden = {(sign, name) for selectors, body in _RULE.findall(_MEDIA.sub("", sheets)) if _UNSEEN_RULE.search(body)
              for sign, name in _SELECTED.findall(selectors.strip())}
    if not hidden:
        return source

    def mark(match: re.Match[str]) -> str:
        sign = "." if match[3].lower() == "class" else "#"
        named = {(sign, name) for name in (match[4] or match[5] or match[6] or "").split()}
        return f"<{match[1]} hidden {match[2]}" if named & hidden else match[0]

    return _CLASSED.sub(mark, source)
