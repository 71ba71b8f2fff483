"""Names of people and firms in a text: those known from headers and contacts, and those that greetings, signatures and titles give away."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailhelper import lists
from mailhelper.headers import Address
from mailhelper.namewords import Token, fold, is_family, ordinary, table, tokens
from mailhelper.patterns import Span

ANYWHERE, CAPITAL = True, False     # whether a name counts in lower case, too

_FILE = re.compile(
    r"(?<![^\s/\\])[^\s/\\]{1,160}(?=\.(?:pdf|docx?|xlsx?|pptx?|od[tsp]|png|jpe?g|gif|tiff?|heic|zip|rar|7z|txt|csv|vcf|ics|eml|msg|html?|mp[34]|wav"
    r"|mov)\b)", re.I)
_ONE_FILE = re.compile(r"\A([^\n]{1,150})\.\w{2,4}\Z")

_GREETING = re.compile(
    r"(?im)^[> \t*]*(?:(?:sehr\s)?(?:geehrte|verehrte|werte|liebste|liebe)[rsn]?|hallo|hallöchen|hi|hey|hello|dear|dearest|guten\s(?:tag"
    r"|morgen|abend)|moin(?:\smoin)?|servus"
    r"|gr(?:ü|ue)(?:zi|ezi|(?:ß|ss)\sgott|(?:ß|ss)\sdich)|hoi|tag|good\s(?:morning|afternoon|evening|day)|greetings|ciao|salut|bonjour"
    r"|gentile|na)\b[\s,]{0,3}")
_BARE = re.compile(r"\A[> \t\n*]{0,20}([^\W\d_]{1,40}(?:[ .'’-]{1,2}[^\W\d_]{1,40}){0,2})[ \t]*[,:!–-]?[ \t]*\n")
_CLOSING = re.compile(
    r"(?im)^[> \t*]{0,20}(?:[^\n]{0,40}\bgr(?:ü|ue|u)(?:ß|ss)(?:e|en|li)?\b(?:\s(?:aus|von|vom|nach|und|an)\b[^\n]{0,30})?|[lvmbs]\.?g\.?|mfg"
    r"|herzlich(?:st|e)?|hochachtungsvoll|bis\s[^\n]{2,20}"
    r"|(?:vielen\s|herzlichen\s|besten\s)?dank(?:e|\sim\svoraus)?[^\n]{0,30}|alles\s(?:liebe|gute)|(?:(?:kind|best|warm|many)\s)?(?:regards"
    r"|wishes)|best|sincerely(?:\syours)?"
    r"|yours(?:\s\w+)?|cheers|(?:many\s)?thanks(?:\s(?:a\slot|again|in\sadvance|so\smuch))?|thank\syou[^\n]{0,30}|love|take\scare"
    r"|all\sthe\sbest|respectfully|xo+|(?:dein|euer|ihr)e?"
    r"|i\.?\s?[av]\.?|gez\.?|signed)[ \t]*(?P<end>[,.!–-]*)[ \t]*(?=\n|[^\n]{0,60}$)")
_DELIMITER = re.compile(r"(?m)^-- ?$\n?")
_TITLED = re.compile(
    r"\b(?:Herrn?|Frau|Fräulein|Fr\.|Hr\.|Dr|Prof|Dipl\.-Ing|Mag\.|Ing\.|Mr|Mrs|Ms|Miss|Mx|Sir|Mme|Mlle|Monsieur|Madame|Signora?|Señora?"
    r"|Familie|Fam\.|Onkel|Tante|Oma|Opa"
    r"|Freiherr|Freifrau|Graf|Gräfin|Baron(?:in|ess)?|Count(?:ess)?|Pfarrer(?:in)?|Pastor(?:in)?|Uncle|Aunt|HERRN?|FRAU|MR|MRS|MS)\b\.?[ \t]{1,3}")
_LABEL = re.compile(
    r"(?im)(?:\b(?:(?:vor|nach|familien|mädchen|voller\s|full\s|first\s|last\s|sur|user)?name|(?:konto)?inhaber(?:in)?|empf(?:ä"
    r"|ae)nger(?:in)?|absender(?:in)?|auftraggeber(?:in)?"
    r"|ansprechpartner(?:in)?|\w*kontakt(?:person)?|patient(?:in)?|versicherte[r]?|mieter(?:in)?|kund(?:e|in)|teilnehmer(?:in)?|fahrer(?:in)?"
    r"|g(?:a|ä)st(?:e)?|reisende[r]?|passagier(?:e)?"
    r"|sachbearbeiter(?:in)?|bearbeiter(?:in)?|organi[sz](?:er|ator)|hosts?|gastgeber(?:in)?|vermieter(?:in)?|landlord|driver|agent|doctor|arzt|ärztin|trainer(?:in)?|(?:account\s)?holder|contact(?:\sperson)?|recipient|passengers?|guests?"
    r"|customer|client|tenant|attn|attention|employee|student"
    r"|attendees?|participants?|caller|von|from|an|to|cc|bcc|betrifft|unterzeichner(?:in)?|ehe(?:frau|mann|partner(?:in)?))\b\*?[ \t]*:[ \t*]*"
    r"|\bc/o[ \t]+|\bz\.?\s?Hd\.?[ \t]+|\bi\.\s?[AV]\.[ \t]+|\bppa\.?[ \t]+|\bgez\.[ \t]+|\bmein name ist[ \t]+|\bich hei(?:ß|ss)e[ \t]+"
    r"|\bmy name is[ \t]+|\bnamens[ \t]+"
    r"|\bgeborene[rn]?[ \t]+|\bn(?:é|e)e[ \t]+)")
_RELATION = re.compile(
    r"(?i)\b(?:mein|dein|sein|unser|euer|eur|ihr|my|your|our|his|her|their|der|die|dem|den|the)e?[mnrs]?\s(?:(?:new|old|neue[nrm]?"
    r"|alte[nrm]?|liebe[nrm]?|kleine[nrm]?|j(?:ü|u)ngste[nrm]?"
    r"|older|younger|little)\s)?(?:(?:ehe|ex-?|schwieger|enkel|stief|gro(?:ß|ss))?(?:mann|frau|sohn|tochter|bruder|schwester|mutter|vater"
    r"|kind)|freund(?:in)?|kolleg(?:en?|in)"
    r"|chef(?:in)?|nachbar(?:n|in)?|partner(?:in)?|enkel(?:in)?|cousine?|neffen?|nichte|mitarbeiter(?:in)?|anwalt|anwältin|sch(?:ü"
    r"|u)ler(?:in)?|husband|wife|son|daughter|brother|sister|mother|father|friend|colleague|boss|manager"
    r"|neighbou?r|assistant|nephew|niece|cousin|lawyer|fianc(?:é|e)e?)[ \t]{1,2}(?=[A-ZÀ-ÖØ-Þ])")
_PRESENTING = re.compile(r"(?i)\b(?:ich bin(?:\s(?:der|die))?|hier (?:ist|spricht)|i(?: am|['’]m)|this is|it['’]s|here is|rufen? sie|call"
    r"|ask for|bitte an|spoke (?:to|with)|met|cc['’]?(?:ing|d)?)[ \t]{1,2}(?=[A-ZÀ-ÖØ-Þ])")
_BEHIND_NAME = re.compile(r"\s(?:from|von|vom|aus|at|of|here)\b|[,.]")
_GAPS = (" ", "-", "_", "", "\xa0", ". ", ".")
_CUE = re.compile(r"\b(?:ask|tell|told|call|contact|invite|met|meet|with|loop in|cc|mit|von|bei|durch|frag|frage|ruf|und|and|from) $", re.I)
_GREETS = frozenset("liebe lieber dear and hi hallo geehrte geehrter sehr auch".split())
_HANDLE = re.compile(r"(?=\D{0,40}\d|[^_]{0,40}_)[\w.-]{4,40}")
_ATTRIBUTION = re.compile(r"(?im)^.{0,300}?\b(?:schrieb|wrote|a écrit|ha scritto|escribió)\b.{0,120}:?\s*$")
_PAIR = re.compile(r"(?<![^\W_])[A-ZÀ-ÖØ-ÞĀ-Ž][^\W\d_]+(?:[ -][A-ZÀ-ÖØ-ÞĀ-Ž][^\W\d_]+){1,3}")
_IN_A_ROW = re.compile(r"(?:\s?\([^()\n]*\))?(?:\s?[,;&/]|\s(?:und|and|sowie|oder|or|mit|with))\s(?:(?:auch|also|und|and)\s)?")
_REVERSED = re.compile(r"(?<![^\W_])([A-ZÀ-ÖØ-Þ][^\W\d_]+(?:-[^\W\d_]+)?),[ ]([A-ZÀ-ÖØ-Þ][^\W\d_]+)")
_LEGAL = re.compile(
    r"[ \t]{1,2}(?:(?:gG|G)mbH(?:[ \t]*&[ \t]*Co\.?[ \t]*(?:KG|OHG|KGaA)(?:aA)?)?|mbH|AG|KG|OHG|KGaA|UG(?:[ \t]*\(haftungsbeschränkt\))?"
    r"|e\.[ \t]?K(?:fm|fr)?\.|e\.[ \t]?V\.|e\.[ \t]?U\.|eG|GbR|PartG(?:\s?mbB)?"
    r"|SE|Ltd\.?|Limited|LLC|LLP|Oy|ApS|A/S|Pty|Kft|s\.?r\.?o\.|Inc\.?|PLC|plc|Corp\.?|Corporation|Sàrl|Sarl|SARL|S\.A\.|SA|S\.p\.A\.|S\.r\.l\.|B\.?V\.|N\.V\.|OG"
    r"|Ges\.?m\.?b\.?H\.?|Genossenschaft|Co\.[ \t]?KG)(?!\w)")
_BEFORE_LEGAL = re.compile(
    r"(?:(?:[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ]{0,2}\.|[A-ZÀ-ÖØ-Þ0-9][\w'’+-]*|&|und|and|\+|der|von|für)[ \t]{1,2}){0,6}(?:[A-ZÀ-ÖØ-Þ0-9][\w.'’+&-]*)$")

class Names:
    """The names known so far; `learn` adds those that a text gives away, `spans` finds all of them."""

    def __init__(self, people: Iterable[Address], own: Iterable[Address]) -> None:
        self.known: dict[str, bool] = {}
        self.handles: set[str] = set()
        for address in (*people, *own):
            self._header(address)

    def learn(self, text: str) -> None:
        """Take up the names that headers of quotes, greetings, signatures, titles and given names show."""
        for token in self._shown(text):
            self._add(token.word, CAPITAL if token.capital() else ANYWHERE)

    def spans(self, text: str) -> list[Span]:
        """Where known names and given names stand, each word by itself, and firms with their legal form."""
        found = list(_firms(text))
        low = text.casefold() if self.handles else ""
        for handle in self.handles if len(low) == len(text) else ():
            found += [Span(*match.span(), "NAME") for match in re.finditer(rf"(?<!\w){re.escape(handle)}(?!\w)", low)]
        found += [Span(token.start, token.start + length, "NAME") for token in tokens(text) if (length := self._named(token))]
        return found

    def _named(self, token: Token) -> int:
        """How many letters of a word are a name: all, or all but the "s" of the genitive; 0 if it is none."""
        for word, length in ((token.fold, len(token.word)), (token.fold[:-1], len(token.word) - 1)):
            if length < len(token.word) and not (token.fold.endswith("s") and length > 2):
                break
            rule = self.known.get(word)
            if rule is not None and (rule or token.capital()):
                return length
            if (token.capital() or len(word) > 3) and word in table("first"):
                return length
        return 0

    def _header(self, address: Address) -> None:
        """The words of a display name, and of the part before the "@" as far as a person's name stands there."""
        no_name = table("titles") | table("particles") | lists.inner("sender", "office").keys() | lists.inner("sender", "machine").keys()
        local = {token.fold for token in tokens(address.address.partition("@")[0])}
        person = any(token.fold in table("first") or token.fold in local for token in tokens(address.name))
        for words, least in ((address.name.partition("@")[0], 2), (address.address.partition("@")[0], 3)):
            for token in tokens(words):
                if len(token.word) >= least and not ordinary(token.fold) and token.fold not in no_name and (person or is_family(token)):
                    self._add(token.word, ANYWHERE if token.sure() else CAPITAL)
        self.handles |= {one.casefold() for one in (address.name, address.address.partition("@")[0]) if _HANDLE.fullmatch(one)}

    def _add(self, word: str, rule: bool) -> None:
        folded = fold(word)
        low = word.lower()
        for form in {folded, fold(low.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")),
                     folded.replace("ae", "a").replace("oe", "o").replace("ue", "u")}:
            if len(form) > 1:
                self.known[form] = self.known.get(form, False) or rule

    def _shown(self, text: str) -> Iterator[Token]:
        for match in _TITLED.finditer(text):
            yield from _run(text, match.end(), titled=True)
        for match in _GREETING.finditer(text):
            yield from _greeted(text, match.end())
        if bare := _BARE.match(text):
            no_name = table("titles")
            yield from (token for token in tokens(text, *bare.span(1)) if token.capital() and not ordinary(token.fold) and token.fold not in no_name)
        yield from _signed(text)
        for match in _LABEL.finditer(text):
            yield from _labelled(text, match.end())
        for match in _RELATION.finditer(text):
            yield from _run(text, match.end(), longest=2)
        for match in _PRESENTING.finditer(text):
            yield from _presented(text, match.end())
        for match in _ATTRIBUTION.finditer(text):
            yield from (token for token in tokens(text, *match.span()) if token.capital() and not ordinary(token.fold))
        for match in _REVERSED.finditer(text):
            if fold(match[2]) in table("first") and not ordinary(fold(match[1])) and fold(match[1]) not in table("titles"):
                yield from tokens(text, *match.span(1))
        yield from self._families(text)
        yield from self._listed(text)

    def _listed(self, text: str) -> Iterator[Token]:
        """Pairs of capitals in a row with names: "Anna Meier (…), Fatoumata Diallo und Jo Li"."""
        pairs = [(match, list(tokens(text, *match.span()))) for match in _PAIR.finditer(text)]
        sure = [any(self._named(token) or token.foreign() for token in pair) for _, pair in pairs]
        for way in (range(1, len(pairs)), range(len(pairs) - 2, -1, -1)):
            for place in way:
                other = place - 1 if way.step > 0 else place + 1
                first, second = sorted((place, other))
                between = pairs[first][0].end(), pairs[second][0].start()
                if sure[other] and not sure[place] and between[1] - between[0] < 60 and _IN_A_ROW.fullmatch(text, *between) \
                        and all(map(is_family, pairs[place][1])):
                    sure[place] = True
                    yield from pairs[place][1]
        for match, pair in pairs:
            if _CUE.search(text, max(0, match.start() - 12), match.start()) and all(is_family(one) and one.word[1:].islower() for one in pair[:2]):
                yield from pair[:2]

    def _families(self, text: str) -> Iterator[Token]:
        """What follows a given name, or a known one: "Julia Meier", "JULIA MEIER", "julia_meier.pdf"; in file names also what is before it."""
        files, words = _files(text), list(tokens(text))
        for place, token in enumerate(words):
            file = next((span for span in files if span[0] <= token.start < span[1]), None)
            if not (token.capital() or file) or not self._given(token):
                continue
            family = list(_behind(text, words[place:place + 4], file))
            if family or token.fold not in table("unsure"):
                yield from [token] if family or file or token.foreign() else []
            yield from family
            before = words[place - 1] if place else token
            if file and token.stop == file[1] and text[before.stop:token.start] in ("_", "-", " ") and is_family(before):
                yield before

    def _given(self, token: Token) -> bool:
        return token.fold in table("first") or token.fold in table("unsure") or token.fold in self.known or token.foreign()




def _run(text: str, start: int, titled: bool = False, longest: int = 4) -> list[Token]:
    """The name that begins at a place: titles and particles are passed over, capitals taken."""
    found: list[Token] = []
    at = start
    for token in tokens(text, start, min(len(text), start + 90)):
        gap = text[at:token.start]
        if len(gap) > 3 or not set(gap) <= set(" .-'’\xa0\t*_") or "\n" in gap or ". " in gap and found and len(found[-1].word) > 1:
            break
        at = token.stop
        if token.fold in table("titles") and gap.strip("\n") == gap or token.fold in table("particles") and token.word.islower():
            continue
        if not token.capital() or len(found) == longest:
            break
        if token.fold in table("generic") or (not titled or found) and not is_family(token):
            break
        if titled and (token.fold in table("roles") or token.fold in table("words")) and token.fold not in table("homonyms"):
            break
        found.append(token)
        if titled and not found[1:] and token.fold not in table("first") | table("unsure") and len(token.word) > 2 and text[at:at + 1] != "-":
            break       # "Frau Meier Bescheid geben": nouns have capitals, too
    return found


def _behind(text: str, words: list[Token], file: tuple[int, int] | None) -> Iterator[Token]:
    """The family names behind the first of these words."""
    at = words[0]
    for token in words[1:]:
        gap = text[at.stop:token.start]
        if file and token.start >= file[1]:
            return
        if token.fold in table("particles") and gap == " " and token.word.islower():
            at = token
        elif gap in (_GAPS if file or len(at.word) == 1 else _GAPS[:5]) and (token.capital() or file) and is_family(token):
            yield token
            at = token
        else:
            return


def _files(text: str) -> list[tuple[int, int]]:
    """Where file names stand; one alone may hold spaces."""
    if "\n" not in text and (whole := _ONE_FILE.fullmatch(text)):
        return [whole.span(1)]
    return [match.span() for match in _FILE.finditer(text)]


def _greeted(text: str, start: int) -> Iterator[Token]:
    """Whom a greeting greets, also in small letters, up to the comma."""
    end = start + len(re.split(r"[\n!?;:.](?=\s|$)", text[start:start + 100], maxsplit=1)[0])
    line = text[start:end]
    short = len(line.split(",")[0].split()) <= 4
    for token in tokens(text, start, end):
        between = text[start:token.start]
        if token.fold in table("particles") | table("titles") | _GREETS:
            continue
        if ordinary(token.fold) and token.fold not in table("homonyms") or between.count(",") and not re.search(r"(?i)(?:lieber?|dear|und|and"
        r"|geehrter?|herr|frau)\s+(?:\w+\.?\s+)?$|^[^,]*,$", between):
            break
        if token.capital() or short and len(token.word) > 2 and ("," in text[token.stop:token.stop + 20] or token.stop == end):
            yield token
        else:
            break


def _signed(text: str) -> Iterator[Token]:
    """The name under a closing, behind it on its line, or under the line "-- "."""
    for match in (*_CLOSING.finditer(text), *_DELIMITER.finditer(text)):
        rest = text[match.end():match.end() + 300]
        same, _, below = rest.partition("\n")
        if same.strip():
            yield from _signer(text, match.end(), same)
            continue
        at = match.end() + len(same) + 1
        for line in below.split("\n")[:4]:
            if line.strip(" >*-_") and not _CLOSING.match(line):
                yield from _signer(text, at, line)
                break
            at += len(line) + 1
    lines = text.rstrip().rsplit("\n", 2)
    if len(lines) > 1 and len(lines[-1].split()) <= (2 if lines[-2].strip() else 3):
        yield from _signer(text, len(text.rstrip()) - len(lines[-1]), lines[-1])


def _signer(text: str, start: int, line: str) -> Iterator[Token]:
    line = line.split("|")[0].split(",")[0] if line.strip(" ,") else line
    if not line.strip() or len(line.split()) > 7:
        return
    for token in tokens(text, start, start + len(line)):
        if token.fold in table("titles") or token.fold in table("particles"):
            continue
        if ordinary(token.fold) and token.fold not in table("homonyms") or not (token.capital() or len(line.split()) <= 2):
            return
        yield token


def _labelled(text: str, start: int) -> Iterator[Token]:
    """All names of a line behind "Von:", "Name:", "c/o"."""
    end = text.find("\n", start, start + 400)
    line = text[start:end if end >= 0 else start + 400]
    at = start
    for piece in re.split(r"([,;/&]|\bund\b|\band\b)", line)[:61]:
        run = _run(text, at + len(piece) - len(piece.lstrip(" \t\"'<(*")))
        yield from run
        if piece.strip() and not run and len(piece) > 3 and "@" not in piece:
            return
        at += len(piece)


def _presented(text: str, start: int) -> Iterator[Token]:
    """"This is Tom", "I'm Ada Byron from …": a given name, or two capitals before a preposition."""
    run = _run(text, start, longest=3)
    if run and (run[0].fold in table("first") | table("unsure") or len(run) > 1 and _BEHIND_NAME.match(text, run[-1].stop)):
        yield from run


def _firms(text: str) -> Iterator[Span]:
    for match in _LEGAL.finditer(text):
        if before := _BEFORE_LEGAL.search(text, max(0, match.start() - 80), match.start()):
            words = list(tokens(text, before.start(), before.end()))
            while len(words) > 1 and (ordinary(words[0].fold) or words[0].fold in ("firma", "company") or words[0].word.islower()):
                words.pop(0)
            start = words[0].start if words else before.start()
            yield Span(start, match.end(), "COMPANY")
