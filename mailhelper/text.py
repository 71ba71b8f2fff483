"""Strings: bytes to text, and text to words, folds, snippets and quotes."""
import binascii
import codecs
import re
import unicodedata
from functools import lru_cache

MAX_WORDS = 20_000
LONGEST = 40
TRICKS = frozenset(("zero_width", "bidi"))

# What senders call a charset and what the bytes really are (the Encoding Standard's supersets).
SUPERSETS = {
    "ascii": "utf-8", "latin-1": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "euc_kr": "cp949", "shift_jis": "cp932", "big5": "big5hkscs", "iso2022_jp": "iso2022_jp_ext", "tis-620": "cp874",
    "iso8859-11": "cp874", "utf-8": "utf-8-sig",
}
ALIASES = {"unicode-1-1-utf-7": "utf-7", "x-gbk": "gb18030", "x-sjis": "cp932", "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949",
           "x-mac-roman": "mac-roman", "iso-8859-8-i": "iso8859-8", "iso-8859-6-i": "iso8859-6", "x-unknown": "", "default": ""}
# Codecs that are no charset of mail: quadratic (idna, punycode) or an escape language.
FORBIDDEN = frozenset("idna punycode unicode_escape raw_unicode_escape unicode-escape raw-unicode-escape undefined mbcs oem".split())

_SEPARATORS = bytes(code if chr(code).isalnum() else 32 for code in range(128)).lower() + b" " * 128
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d", "ħ": "h"})
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:@]+@[^\s<>()\[\]\",;:@]*[^\W_]")
_INVISIBLE = re.compile("[\x00\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]+")
# Joiners have a meaning between letters of some scripts and in emoji, but none behind ASCII.
_JOINERS = re.compile("(?<![^\x00-\x7f\xa0])[\u200c\u200d]+")
# Newsletters pad with invisible signs between spaces; within a Latin word, or as a row of Unicode tags (flags aside), they are a trick.
_SPLIT_WORD = re.compile("(?<=[A-Za-zÀ-ÿ])[\u200b-\u200d\u2060\ufeff]+(?=[A-Za-zÀ-ÿ])"
                         "|(?<![\U0001f3f4\U000e0000-\U000e007f])[\U000e0000-\U000e007f]{2,}")
_TURNED = re.compile("[\u202a\u202b\u202d\u202e\u2066-\u2068]")
_SOFT_HYPHENS = re.compile("(?<=\\w)\u00ad+(?=\\w)")    # elsewhere old mails mean a dash
_NON_ASCII = re.compile("[^\x00-\x7f]+")

_SIGNATURE = re.compile(r"^(?:-- ?|—|_{2,}|-{2})$")
_SENT_FROM = re.compile(r"^(?:von meinem .{2,40} gesendet|gesendet (?:von|mit|über) .{2,60}|diese nachricht wurde von meinem .{2,60}"
                        r"|sent (?:from|via) .{2,60}|get outlook for .{2,20}|outlook für .{2,20})\.?$", re.I)
_ATTRIBUTION = re.compile(r"^[>\s]*(?:am|on|le|el|il|op)\b.{4,300}?(?:schrieb|wrote|a écrit|escribió|ha scritto|schreef)\b.{0,100}:\s*$"
                          r"|^.{3,200}\b(?:schrieb am|wrote on|wrote at)\b.{3,80}:\s*$|^.{3,120}<\S+@\S+> (?:schrieb|wrote):\s*$", re.I)
_SEPARATOR = re.compile(r"^\s*(?:-{3,}\s*(?:original|ursprüngliche|forwarded|weitergeleitete)\b.{0,40}-{3,}|begin forwarded message:"
                        r"|anfang der weitergeleiteten nachricht:|_{20,})\s*$", re.I)
# How a line that introduces a quote can begin: one look that spares most lines the patterns above and below.
_INTRODUCTION = re.compile(r"\s*(?:-{3}|_{20}|begin forwarded|anfang der|\*?(?:von|from|de)\s?:|(?:am|on|le|el|il|op)\b)", re.I)
_HEAD_FROM = re.compile(r"^\s*\*?(?:von|from|de)\s?:\*?\s", re.I)
_HEAD_SENT = re.compile(r"^\s*\*?(?:gesendet|sent|datum|date|envoyé)\s?:\*?\s", re.I)
_OPENINGS = frozenset(" \t*-_aAbBdDeEfFiIlLoOvV")       # the first characters of all that the pattern above takes
_RULES, _SENDERS = frozenset("-—_"), frozenset("vgdsoVGDSO")      # and of a signature's beginning
LOOK = 12_000           # characters of a body that are looked at before quotes are cut
_QUOTES = ("\n>", "\n >", "wrote", "schrieb", "\nFrom:", "\nVon:", "\nDe:", "\n*From:", "\n*Von:", "riginal", "rsprüngliche", "orwarded",
           "eitergeleitet", "_" * 20, "a écrit", "escribió", "ha scritto", "schreef")


@lru_cache(maxsize=512)
def codec(charset: str) -> str:
    """The Python codec for a charset as mail names it, or "" if there is none."""
    name = charset.strip().strip("\"'").lower()
    name = ALIASES.get(name, name)
    if not name or len(name) > 40 or name in FORBIDDEN:
        return ""
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    if info.name in FORBIDDEN or not info._is_text_encoding:  # zlib and the like are codecs, too
        return ""
    return SUPERSETS.get(info.name, SUPERSETS.get(name, info.name))


def decode(data: bytes, charset: str = "") -> tuple[str, bool]:
    """Text of `data`, and whether the charset was honest: tries it, then utf-8, then windows-1252; never fails."""
    if data.isascii() and not _stateful(charset):
        return data.decode("ascii"), True
    name = codec(charset) if charset else ""
    for attempt in (name, "utf-8"):
        try:
            if attempt:
                return _whole(data.decode(attempt)), attempt == name
        except (UnicodeError, ValueError):
            continue
    if name not in ("", "utf-8", "utf-8-sig", "cp1252"):
        # One bad byte must not turn a page of Japanese into noise.
        text = _whole(data.decode(name, "replace"))
        if text.count("\ufffd") * 20 < len(text):
            return text, False
    try:
        return data.decode("cp1252"), False
    except UnicodeDecodeError:
        return data.decode("latin-1"), name == "cp1252"


def uudecode(data: bytes) -> bytes:
    """The content of a uuencoded part, as far as it can be read."""
    out = []
    for line in data[data.find(b"begin "):].splitlines()[1:]:
        if line == b"end":
            break
        # Some encoders pad lines, others strip them; the count in front says how much is meant.
        length = ((line[0] - 32 & 63) * 4 + 5) // 3 if line else 0
        try:
            out.append(binascii.a2b_uu(line[:length]))
        except binascii.Error:
            continue
    return b"".join(out)


def debase64(data: bytes) -> tuple[bytes, bool]:
    """The bytes behind base64 text, and whether it was flawless; strange characters are skipped, a cut end is dropped."""
    try:
        return binascii.a2b_base64(data), True
    except binascii.Error:
        clean = _NOT_BASE64.sub(b"", data)
        clean = clean[:-1] if len(clean) % 4 == 1 else clean
        return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4)), False


def fold(word: str) -> str:
    """Lower case without diacritics: "Straße" → "strasse", "Ärger" → "arger"."""
    return word.lower() if word.isascii() else _NON_ASCII.sub(_folded_run, word).lower()


def words(text: str) -> list[str]:
    """Folded words of 2–40 characters in order, with repeats; e-mail addresses whole, after their parts. At most 20,000."""
    folded = text if text.isascii() else _NON_ASCII.sub(_folded_letters, text)
    if folded.isascii():
        found = folded.encode("ascii").translate(_SEPARATORS).decode("ascii").split(None, MAX_WORDS)
    else:
        found = _WORD.findall(folded.lower())
    if len(found) > MAX_WORDS:
        del found[MAX_WORDS:]
    result = [word for word in found if 1 < len(word) <= LONGEST]
    if "@" in folded:
        result += _addresses(folded.lower())[:MAX_WORDS - len(result)]
    return result


def visible(text: str) -> str:
    """`text` without characters that nobody sees: zero-width, direction overrides, Unicode tags."""
    if text.isascii():
        return text.replace("\x00", "")
    if "\u00ad" in text:
        text = _SOFT_HYPHENS.sub("", text)
    try:
        text.encode("latin-1")      # far faster than the pattern, and it has only one of them
        return text.replace("\x00", "")
    except UnicodeEncodeError:
        pass
    if "\u200c" in text or "\u200d" in text:
        text = _JOINERS.sub("", text)
    return _INVISIBLE.sub("", text)


def tricks(text: str) -> set[str]:
    """Invisible signs that deceive: "zero_width" within words or as hidden letters, "bidi" where the direction is turned."""
    if text.isascii():
        return set()
    found = {"zero_width"} if _SPLIT_WORD.search(text) else set()
    return found | {"bidi"} if _TURNED.search(text) else found


def snippet(text: str, length: int = 160) -> str:
    """One line of at most `length` characters: the beginning of what the writer wrote, without quotes and signature."""
    own, quoted = parted(text)
    line = " ".join(own.split()) or " ".join(quoted.replace(">", " ").split())
    if len(line) <= length:
        return line
    cut = line.rfind(" ", length // 2, length)
    return line[:cut if cut > 0 else length - 1].rstrip(" ,;:-") + "…"


def parted(text: str) -> tuple[str, str]:
    """What the writer wrote, without signature, and what they quoted; of the beginning, which is all that a rating or a list looks at."""
    return _parted(text[:LOOK])


@lru_cache(maxsize=4)       # the same mail's list row and rating ask one after the other
def _parted(text: str) -> tuple[str, str]:
    own, quoted = split_quote(text) if any(sign in text for sign in _QUOTES) or text[:1] in ">FVD*" else (text, "")
    return without_signature(own), quoted


def split_quote(text: str) -> tuple[str, str]:
    """What the writer wrote, and what they quoted: ">" lines, and all below an attribution line or the head of a forwarded mail.

    Text between ">" lines stays own; an attribution followed by ">" lines goes with them.
    """
    lines = text.split("\n")
    own: list[str] = []
    quoted: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.startswith((">", " >")):
            quoted.append(line)
        elif height := _attribution(lines, index):
            quoted += lines[index:index + height]
            index += height
            if not _followed_by_marks(lines, index):
                quoted += lines[index:]
                break
            continue
        else:
            own.append(line)
        index += 1
    return "\n".join(own).strip("\n"), "\n".join(quoted).strip("\n")


def without_signature(text: str) -> str:
    """`text` up to the signature: a line "-- " (RFC 3676 §4.3) in the last 15 lines, or "Von meinem iPhone gesendet"."""
    lines = text.rstrip().split("\n")
    for index in range(max(0, len(lines) - 15), len(lines)):
        line = lines[index].rstrip("\r")
        first = line.lstrip()[:1]
        if first in _RULES and _SIGNATURE.match(line) or first in _SENDERS and _SENT_FROM.match(line.strip()):
            return "\n".join(lines[:index]).rstrip()
    return "\n".join(lines)


def _folded_run(match: re.Match[str]) -> str:
    return _fold_letters(match[0])


@lru_cache(maxsize=4096)
def _fold_letters(run: str) -> str:
    """Characters beyond ASCII; each folds alone, so that short runs can be remembered."""
    folded = _MARKS.sub("", unicodedata.normalize("NFKD", run.casefold())).translate(_LETTERS)
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)


def _folded_letters(match: re.Match[str]) -> str:
    return _only_letters(match[0])


@lru_cache(maxsize=4096)
def _only_letters(run: str) -> str:
    return "".join(char if char.isalnum() else " " for char in _fold_letters(run))


def _stateful(charset: str) -> bool:
    """Whether ASCII bytes may mean something else in that charset (ISO-2022, HZ, UTF-7, UTF-16)."""
    return charset[:3].lower() in ("iso", "hz-", "hz", "utf", "uni", "csi") and codec(charset).startswith(
        ("iso2022", "hz", "utf-7", "utf_7", "utf-16", "utf_16", "utf-32", "utf_32"))


def _whole(text: str) -> str:
    """`text` without lone surrogates, which UTF-7 lets through and no encoder takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _addresses(folded: str) -> list[str]:
    found: list[str] = []
    at = folded.find("@")
    for _ in range(1000):
        if at < 0:
            break
        # A window keeps the match linear: no address that people search is longer.
        match = _ADDRESS.search(folded, max(0, at - LONGEST), at + LONGEST)
        if match and len(match[0]) <= LONGEST:
            found.append(match[0])
        at = folded.find("@", max(at + 1, match.end() if match else 0))
    return found


def _attribution(lines: list[str], index: int) -> int:
    """How many lines from `index` on introduce a quote; 0 if they do not."""
    line = lines[index]
    if len(line) > 400 or not (line[:1] in _OPENINGS and _INTRODUCTION.match(line) or line.endswith((":", ": ", ":\r"))):
        return 0
    if _SEPARATOR.match(line):
        return 1
    if _HEAD_FROM.match(line):
        return 1 if any(_HEAD_SENT.match(below) for below in lines[index + 1:index + 4]) else 0
    for height in (1, 2, 3):
        if _ATTRIBUTION.match(" ".join(lines[index:index + height])[:600]):
            return height
    return 0


def _followed_by_marks(lines: list[str], index: int) -> bool:
    below = next((line for line in lines[index:index + 4] if line.strip()), "")
    return below.lstrip().startswith(">")
