"""Personal data that has a shape: accounts, cards, numbers of the state, telephones, addresses, links; and where each stands in a text."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mailhelper.checksums import IBAN_LENGTHS, is_ahv, is_austrian, is_iban, is_tax_id, luhn

# Letters and digits end a word here, an underscore does not: "Scan_DE89370400440532013000.pdf".
B, E = r"(?<![^\W_])", r"(?![^\W_])"
_GAP = r"[\s./\-–—·]{0,3}"

_MONTH = (r"(?:jan(?:uar|uary|ner)?|jän(?:ner)?|feb(?:ruar|ruary)?|m(?:ä|ae)rz?|mar(?:ch)?|apr(?:il)?|mai|may|june?|juni|july?|juli|aug(?:ust)?"
          r"|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)\.?")
_YEAR = r"(?:19|20)\d\d"
_NUMERIC_DATE = rf"\d{{1,2}}\s?[./-]\s?\d{{1,2}}\s?[./-]\s?(?:{_YEAR}|\d\d)|{_YEAR}\s?[./-]\s?\d{{1,2}}\s?[./-]\s?\d{{1,2}}"
_WRITTEN_DATE = (rf"\d{{1,2}}(?:\.|st|nd|rd|th)?\s{{0,2}}(?:of\s)?{_MONTH},?(?:\s{{1,2}}\d{{4}})?|{_MONTH}\s{{1,2}}\d{{1,2}}(?:st|nd|rd"
    rf"|th)?(?:,?\s{{1,2}}\d{{4}})?")
_DATE = rf"(?:{_NUMERIC_DATE}|{_WRITTEN_DATE})"
_LONG_AGO = re.compile(r"19\d\d|200\d|201[0-2]")        # a whole date of these years is somebody's birth, hardly a deadline

_CURRENCY = (r"(?:€|\$|£|¥|EUR|Euros?|CHF|SFr\.?|Fr\.|Franken|USD|GBP|dollars?|pounds?|Mio\.?|Mrd\.?|million|billion|Prozent|percent|%"
    r"|k[gm]\b|m²|kWh|MB|GB|kB)")
# Amounts, dates, times and years: no number of these is anybody's, and a rating needs them.
_KEPT = re.compile(
    rf"{B}(?<!\d[.,])(?:{_CURRENCY}\s?-?\d[\d.,'’ ]*|\d{{1,3}}(?:[.,'’ ]\d{{3}})*(?:[.,]\d{{1,2}}|,[-–]+)?\s?{_CURRENCY}"
    rf"|\d+(?:[.,]\d+)?\s?{_CURRENCY}"
    rf"|\d{{1,2}}\.\s?\d{{1,2}}\.(?:\s?{_YEAR}|\d\d)?(?!\d|[./-]\d)|{_YEAR}-[01]\d-[0-3]\d(?:T\d\d:\d\d(?::\d\d)?)?"
    rf"|\d{{1,2}}/\d{{1,2}}/(?:{_YEAR}|\d\d)(?![\d/])"
    rf"|\d{{1,2}}-\d{{1,2}}-{_YEAR}(?!\d)|\d{{1,2}}:\d\d(?::\d\d)?(?!\d)|\d{{1,2}}\.\d\d\s?Uhr"
    rf"|{_YEAR}\s?[/–-]\s?(?:{_YEAR}|\d\d)(?![\d/-])|\d{{1,3}}(?:[.,'’]\d{{3}})+(?:[.,]\d{{1,2}})?(?![\d.,]*\d)|[1-9]\d?0{{4,9}})(?!\d)"
    rf"|[€$£]\s?\d[\d.,'’]*", re.I)

_URL = re.compile(r"(?:\b(?:h(?:tt|xx)ps?|ftp|file|tel|sip|geo|bitcoin)\s?:\s?/{0,2}|\bwww\.)[^\s<>\"')\]}]+", re.I)
_ENDINGS = ("ch|at|de|com|net|org|eu|info|biz|io|co|uk|fr|li|lu|nl|be|es|pl|cz|dk|se|no|fi|us|ca|au|app|dev|shop|store|online|site|xyz|example|test"
            "|local|lan|gov"
            "|edu|club|cloud|agency|berlin|bayern|hamburg|koeln|wien|swiss|top|click|live|tk|ru|cn|jp")
_HOST = re.compile(rf"(?<![\w@.-])(?:[a-z0-9äöüß](?:[a-z0-9äöüß-]*[a-z0-9äöüß])?\.)+(?:{_ENDINGS})(?:(?![\w-])"
    rf"|(?=/))(?!\.\w)(?::\d+)?(?:/[^\s<>\"')\]}}]*)?", re.I)
_EMAIL = re.compile(r"(?<![\w.+%'-])[\w.+%'&=~-]+@(?=[\w.-]*[^\W\d_])[\w.-]*[^\W_]", re.I)
_HANDLE = re.compile(r"(?<![\w@.])@[\w.]*\w\w")
_AT = r"(?:\s*[(\[{<]\s*(?:at|ät|ad|@|klammeraffe)\s*[)\]}>]\s*|\s+(?:at|ät|klammeraffe)\s+|\s*\(a\)\s*|[ ]?@[ ]?)"
_DOT = r"(?:\s*[(\[{<]\s*(?:dot|punkt|pt|\.)\s*[)\]}>]\s*|\s+(?:dot|punkt)\s+|\s?\.\s?)"
_SPELLED_EMAIL = re.compile(rf"(?<![\w.+-])[\w+-]+(?:{_DOT}[\w+-]+){{0,4}}{_AT}[\w-]+(?:{_DOT}[\w-]+){{0,4}}?{_DOT}(?:{_ENDINGS}){E}", re.I)
_BRACKET_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+\s*[(\[{]\s*(?:at|ät|@)\s*[)\]}]\s*[\w.-]*\w", re.I)

_IBAN = re.compile(rf"{B}([A-Z]{{2}}[\s.\-]{{0,2}}\d[\s.\-]?\d)((?:[\s.\-_/]{{0,2}}[A-Z0-9]){{11,30}})", re.I)
_CARD = re.compile(r"(?<!\d)\d(?:[\s.\-–]{0,2}\d){12,18}(?!\d)")
_ID = re.compile("|".join(f"(?:{one})" for one in (
    rf"{B}756[.\s-]?\d{{4}}[.\s-]?\d{{4}}[.\s-]?\d\d{E}",                               # AHV number (CH)
    rf"{B}\d{{2}}[\s-]?[0-3]\d[01]\d\d\d[\s-]?[A-Z][\s-]?\d{{3}}{E}",                   # Sozialversicherungsnummer (DE)
    rf"{B}\d{{4}}[\s-]?[0-3]\d[01]\d\d\d{E}",                                           # Sozialversicherungsnummer (AT)
    rf"{B}\d{{2}}[\s-]\d{{3}}[\s-]\d{{3}}[\s-]\d{{3}}{E}",                              # Steuer-ID (DE), as letters write it
    rf"{B}\d{{2,5}}\s?/\s?\d{{3,4}}\s?/\s?\d{{4,5}}{E}",                                # Steuernummer (DE)
    rf"{B}\d{{2}}[\s-]\d{{3}}/\d{{4}}{E}",                                              # Steuernummer (AT)
    rf"{B}DE\s?\d{{3}}\s?\d{{3}}\s?\d{{3}}{E}|{B}ATU\s?\d{{8}}{E}|{B}CHE[-\s]?\d{{3}}[.\s]?\d{{3}}[.\s]?\d{{3}}{E}",
    rf"{B}[A-Z]{{2}}\s?\d\d\s?\d\d\s?\d\d\s?[A-D]{E}|{B}\d{{3}}-\d\d-\d{{4}}{E}")))   # NINO (UK), SSN (US)

_MORE = r"(?: [A-Z]{0,2}\d[A-Z0-9/-]*| [A-Z]{1,3}(?= \d)){0,8}"
_VALUE = rf"(?:[A-Z]{{1,5}}[-/ ]?)?[A-Z0-9./-]*\d[A-Z0-9./-]*{_MORE}"
_IS = r"(?![^\W_])(?:\s{0,2}(?:lautet|ist|is|was|are)\b)?\s{0,2}[:=#]?\s{0,3}[(\"„“]?"
_NUMBERED = re.compile(
    rf"(?:(?:nummern?|[-\s.]nr|(?<=[a-zäöü])nr|[-\s.]no|kennung|kennziffer|referenz|kassenzeichen)\b|konto(?:nr)?\b|\b(?:nr|no|blz|az|aktenzeichen"
    rf"|verwendungszweck|(?:ihr|unser"
    rf"|mein)e?\s(?:zeichen|referenz)|kennzeichen"
    rf"|(?:[a-z]+\s)?(?:number|id|ref(?:erence)?|#)|bic|swift)\b)\.?{_IS}({_VALUE})", re.I)
_SUBJECT_WORD = (
    r"(?:kunden?|rechnung|vertrag|auftrag|bestellung|buchung|reservierung|sendung|paket|police|schaden(?:s?fall)?|vorgang|ticket|fall|depot|mitglied"
    r"|mahnung|angebot|ausweis|(?:reise)?pass|f(?:ü|ue)hrerschein|fahrgestell|z(?:ä|ae)hler|handelsregister|hr[ab]|matrikel|zimmer|klinik|patient"
    r"|customer|client|invoice|order|account|acct|case|claim|policy|contract|member(?:ship)?|booking|reservation|confirmation|tracking|passport"
    r"|licen[cs]e|employee|student|insurance|registration|serial|transaction|payment|sort\scode|routing|receipt|parcel|shipment|quote|room)")
_BARE_NUMBERED = re.compile(rf"\b{_SUBJECT_WORD}{_IS}((?:[A-Z]{{1,5}}[-/ ]?)?[A-Z0-9./-]*\d[A-Z0-9./-]{{3,}}(?: \d[\d/-]*)*)", re.I)
_ENDING = re.compile(r"\b(?:end(?:et|ing|s)\s(?:auf|in|with)|letzten\s\w+\sziffern|last\s\w+\sdigits)[:\s]{1,3}(\d{3,5})\b", re.I)
_BIC = re.compile(r"\b(?i:bic|swift)(?i:-code)?[:\s/]{1,3}([A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?)\b")
_USER = re.compile(r"\b(?:user|login|benutzer|account|konto)\s{1,2}([a-z][a-z.-]*\d[\w.-]*)", re.I)
_FILE_NUMBER = re.compile(rf"{B}\d{{1,4}} [A-Z][A-Za-z]{{0,3}} \d{{1,6}}/\d\d{E}")
_HASH = re.compile(r"#\s?(?:[A-Z]{1,5}-?)?\d[\w-]{2,}", re.I)
_SECRET = re.compile(
    r"\b(?:passw(?:ort|ord|d)|kennwort|passphrase|pin|puk|tan|otp|einmalcode|passcode|(?:zugangs|sicherheits|best(?:ä|ae)tigungs|freischalt"
    r"|tür|tuer)?code|login|benutzername"
    r"|user\s?name|benutzer|zugangsdaten)\b(?:[^:\n.]{0,20}:|\s{0,2}(?:=|lautet|ist|is))\s{0,3}[\"'„“]?(\d[\d ]+\d|[^\s\"'“”,;]{3,80})", re.I)

_BORN = re.compile(rf"(?:\b(?:geb(?:\.|oren)?(?:\s?am)?|geburts(?:datum|tag)|date\sof\sbirth|d\.?o\.?b\.?|born(?:\son)?|birth\s?da(?:y|te))|\*)"
                   rf"\s{{0,2}}(?:ist|is|am|on|der|den|:|=|,)?\s{{0,2}}(?:der|den)?\s{{0,2}}\(?({_DATE})", re.I)
_OLD_DATE = re.compile(rf"(?<![\w./-]){_DATE}(?!\w|[./-]\d)", re.I)

_C = r"[A-ZÄÖÜ][\w'’.-]{0,40}"
_HOUSE = r"\d{1,4}\s?(?:[a-hA-H]\b)?(?:\s?[-–/+]\s?\d{1,4}\s?[a-hA-H]?\b)?"
_STREET_END = (r"(?:str(?:aße|asse|\.)?|weg|gasse|platz|allee|ring|damm|ufer|hof|steig|graben|markt|park|chaussee|promenade|pfad|winkel"
r"|stieg|berg|feld|kamp|wall"
               r"|br(?:ü|ue)cke|tor|garten|g(?:ä|ae)rten|siedlung|zeile|twiete|rain|matt|halde|acker|wiese|höhe|grund|bogen|kai|quai"
               r"|quartier|hang|tal|bach|heide)")
_STREETS = re.compile("|".join((
    rf"{B}(?:{_C}[ \t]+){{0,2}}?[A-ZÄÖÜ][\w.-]{{0,40}}{_STREET_END}[ \t]+{_HOUSE}(?!\s?(?:uhr|%|€|eur|prozent|:|\.\d))",
    rf"{B}(?:{_C}[ \t]+|Am |An der |Im |Zur |Zum ){{0,2}}[A-ZÄÖÜ]\w{{1,40}}(?:er|en|es|e)[ \t-]+(?:Str(?:aße|asse|\.)|Weg|Gasse|Platz|Allee|Ring"
    rf"|Damm|Ufer|Hof|Markt|Chaussee|Tor|Graben)[ \t]+{_HOUSE}",
    rf"{B}(?:[A-ZÄÖÜ][\w.]{{0,40}}-){{1,5}}(?:Str(?:aße|asse|\.)|Weg|Gasse|Platz|Allee|Ring|Damm|Ufer)[ \t]+{_HOUSE}",
    rf"{B}(?:Am|An der|An den|Im|In der|In den|Auf dem|Auf der|Unter den|Unter der|Zum|Zur|Hinter dem|Hinter der|Vor dem|Bei der"
    rf"|Beim)[ \t]+(?:{_C}[ \t]+){{1,3}}?\d{{1,3}}[a-h]?"
    rf"(?=[ \t]*(?:,|\n|;|$|-|–|in)[ \t]*(?:(?:D|A|CH)[- ])?(?:\d{{4,5}}[ \t]|{_C}))",
    rf"{B}{_C}(?:[ \t]{_C}){{0,3}}[ \t]\d{{1,4}}[ ]?[a-h]?(?=,?\s{{1,3}}(?:(?:D|A|CH|DE|AT)[- ])?\d{{4,5}}[ \t][A-ZÄÖÜ])",
    rf"{B}(?i:rue|avenue|av\.|chemin|route|quai|boulevard|via|viale|piazza|corso|calle|ulica"
    rf"|ul\.)[ \t]+(?:[\wÀ-ÿ'’-]+[ \t]+){{1,5}}?\d{{1,4}}[a-h]?{E}",
    rf"{B}\d{{1,4}},?[ \t]+(?:bis[ \t])?(?:rue|avenue|chemin|route|quai|boulevard)[ \t]+(?:[\wÀ-ÿ'’-]+[ \t]?){{1,5}}",
    rf"{B}\d{{1,5}}[A-Za-z]?[ \t]+(?:(?:N|S|E|W|North|South|East|West)\.?[ \t]+)?(?:[A-Z0-9][\w'’.-]{{0,40}}[ \t]+){{1,4}}?(?:Street|St|Road|Rd"
    rf"|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl"
    rf"|Square|Sq|Terrace|Way|Close|Crescent|Gardens|Parkway|Pkwy|Highway|Hwy|Row|Mews|Hill|Walk|Grove|Circle|Trail)\b\.?"
    rf"(?:,?[ \t]+(?:Apt|Apartment|Suite|Unit|Flat|Floor|#)\.?[ \t]*[\w-]+)?")))
_FLAT = re.compile(rf"{B}(?:Flat|Apt\.?|Apartment|Suite|Top|Stiege)[ \t]+\d+[A-Za-z]?(?:/\d+)?{E}")
_UNITS = (r"(?:Euro?s?|EUR|CHF|USD|GBP|Franken|Mitarbeiter|Mitglieder|Stück|Personen|Uhr|Tage?n?|Stunden|Minuten|Wochen|Monate?|Jahren?"
r"|Meter|Kilometer|Kilo|Gramm|Liter|Seiten|Mails?"
          r"|E-Mails?|Nachrichten|Dollars?|Pounds|People|Employees|Users|Points|Punkte|Items|Days|Hours|Prozent|Teilnehmer|Kunden|Besucher"
          r"|Zeichen|Wörter|Exemplare|Watt|Volt|MB|GB)")
_T = r"[A-ZÄÖÜ][\w'’-]{0,40}"
_TOWN = (rf"(?:(?:Bad|St\.|Sankt|Am|Alt|Neu|Groß|Klein|Ober|Unter)[ \t])?{_T}(?:(?:/|[ \t](?:(?:am|an der|im|in der|ob der|ob|bei|vor der|a\."
    rf"|i\.|a\. d\.)[ \t]){_T})|[ \t]?\([^()\n]{{2,20}}\)|[ \t](?:Süd|Nord|Ost|West|Mitte)\b)?")
_TOWNS = re.compile("|".join((
    rf"{B}(?:D|A|CH|FL|DE|AT|LI)[-–][ \t]?\d{{4,5}}[ \t]+{_TOWN}",
    rf"{B}\d{{5}}[ \t]+(?!{_UNITS}\b){_TOWN}",
    rf"{B}(?!19\d\d|20\d\d)[1-9]\d{{3}}[ \t]+(?!{_UNITS}\b)(?:Bad[ \t]|St\.[ \t])?{_C}",
    rf"(?<=[,;][ ])20\d\d[ \t]+(?!{_UNITS}\b|(?i:{_MONTH})){_C}",
    rf"{B}{_C}(?:[ \t]{_C}){{0,2}},?[ \t]+[A-Z]{{2}}[ \t]+\d{{5}}(?:-\d{{4}})?{E}",
    rf"{B}(?:{_C}(?:[ \t]{_C}){{0,2}},?\s{{1,2}})?[A-Z]{{1,2}}\d[A-Z\d]?[ \t]?\d[ABD-HJLNP-UW-Z]{{2}}{E}",
    rf"{B}(?:Postfach|P\.?[ \t]?O\.?[ \t]?Box|PF|Case postale)[ \t]*:?[ \t]*\d[\d ]{{0,12}}\d",
    r"(?<![\d.])-?\d{1,2}\.\d{4,},\s?-?\d{1,3}\.\d{4,}")))

_CANTON = "AG|AI|AR|BE|BL|BS|FR|GE|GL|GR|JU|LU|NE|NW|OW|SG|SH|SO|SZ|TG|TI|UR|VD|VS|ZG|ZH"
_PLATE = re.compile("|".join((
    rf"{B}(?!DIN|ISO)[A-ZÄÖÜ]{{1,3}}[-–][ ]?[A-Z]{{1,2}}[ -]?\d{{1,4}}[EH]?{E}",
    rf"{B}(?:{_CANTON})[ ]?[·•][ ]?\d{{1,6}}{E}|{B}(?:{_CANTON})[ ](?!19\d\d|20\d\d)\d{{4,6}}{E}",
    rf"{B}[A-Z]{{1,2}}-\d{{2,6}}[ ]?[A-Z]{{1,3}}{E}|{B}[A-Z]{{2}}\d\d[ ]?[A-Z]{{3}}{E}")))
_PLATE_SAID = re.compile(r"(?i:kennzeichen|nummernschild|number\s?plate|licen[cs]e\splate|registration)(?i:\s{0,2}(?:lautet|ist|is"
    r"|:))?\s{1,3}([A-ZÄÖÜ]{1,3}[ -·]{0,2}[A-Z0-9]{1,4}[ -]?[A-Z0-9]{0,6})")
_MONTHLIKE = re.compile(_MONTH, re.I)

_TOLD = re.compile(
    r"\b(?:tel(?:efon)?(?:nummer)?|fon|ph(?:one)?|mob(?:il)?(?:telefon)?(?:nummer)?|mobile|handy(?:nummer)?|cell(?:phone)?|fax|durchwahl|dw"
    r"|ext(?:ension)?|festnetz|whatsapp|signal|hotline"
    r"|call\s(?:me|us)?(?:\s?(?:at|on))?|ring\sme\s(?:at|on)|natel)\b\.?(?:\s(?:ist|is|unter"
    r"|lautet))?\s{0,2}[:.]?\s{0,3}([-–]?\(?[+\d][\d\s()/.\-–]{1,22}\d)", re.I)
_PHONES = re.compile("|".join((
    rf"(?<![\w+])(?:\+|00)\s?[1-9]\d{{0,2}}{_GAP}(?:\(\s?0\s?\))?(?:[\s/.\-–()]{{0,3}}\d){{5,13}}(?!\d)",
    r"(?<![\w.,])\(?\s?0\s?[1-9](?:\s?\d){0,4}\s?\)?(?:[\s/.\-–]{0,3}\d){4,11}(?!\d)",
    r"(?<![\w])(?:1[\s.-])?(?:\(\d{3}\)|\d{3})[\s.-]{0,2}\d{3}[\s.–-]\d{4}(?!\w)",
    r"(?<![\w/-])\d{3}-\d{4}(?![\w-])")))
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?![\d.]\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w+)?(?![\w:])", re.I)
_MAC = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])", re.I)

_TOKENS = re.compile("|".join((
    rf"{B}\d{{7,}}{E}",
    rf"{B}\d+(?:[-/.]\d+){{1,6}}{E}",                                                   # counted below: 7 digits or more
    rf"{B}[A-Z]{{1,4}}[-/]\d[\d/-]{{3,}}{E}",
    rf"{B}(?=[A-Z0-9]{{0,40}}\d)(?=[A-Z0-9]{{0,40}}[A-Z])[A-Z0-9]{{8,}}{E}",
    rf"{B}(?=[A-Za-z0-9-]{{0,60}}\d)(?=[\d-]{{0,60}}[A-Za-z])[A-Za-z0-9-]{{18,}}{E}",
    r"(?<![\w/+])[A-Za-z0-9+/]{40,}={0,2}")))


class Span(NamedTuple):
    """A place in a text and the kind of datum that stands there."""
    start: int
    stop: int
    kind: str


def find(text: str) -> list[Span]:
    """Where personal data with a shape stand, in order and apart from each other; what overlaps becomes one place."""
    plain = _KEPT.sub(lambda match: "\x01" * len(match[0]), text)
    spans: list[Span] = []
    for kind, finder in _FINDERS:
        spans += [Span(start, stop, kind) for start, stop in finder(text, plain)]
    return merged(spans)


def merged(spans: list[Span]) -> list[Span]:
    """Spans in order; of those that overlap one, of the kind that was found first, over the places of all."""
    rank = {id(span): number for number, span in enumerate(spans)}
    result: list[tuple[int, Span]] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.stop)):
        if result and span.start < result[-1][1].stop:
            number, last = result[-1]
            best = min((number, last), (rank[id(span)], span))
            result[-1] = best[0], Span(last.start, max(last.stop, span.stop), best[1].kind)
        else:
            result.append((rank[id(span)], span))
    return [span for _, span in result]


Places = Iterator[tuple[int, int]]


def _all(*patterns: re.Pattern[str], plain: bool = False) -> Callable[[str, str], Places]:
    """A finder of these patterns: their first group if they have one; `plain` without amounts, dates and times."""
    def finder(text: str, rest: str) -> Places:
        for pattern in patterns:
            for match in pattern.finditer(rest if plain else text):
                yield match.span(1 if pattern.groups else 0)
    return finder


def _digits(value: str) -> str:
    return "".join(str(int(char)) for char in value if char.isdecimal())


def _ibans(text: str, _: str) -> Places:
    """By the length of the country; where that or the checksum does not fit, all that looks like one: a typing error is no less personal."""
    at = 0
    while match := _IBAN.search(text, at):
        whole, at = match[0], match.start() + 4
        places = [place for place, char in enumerate(whole) if char.isalnum()]
        length = IBAN_LENGTHS.get(whole[:2].upper(), 0)
        said = "iban" in text[max(0, match.start() - 20):match.start()].lower()
        lengths = [length] if length else range(15, 35) if said else ()
        fits = [count for count in lengths if count <= len(places) and is_iban(whole[:places[count - 1] + 1])]
        count = min(length or 34, len(places))
        if not fits and (length or said) and count >= length - 2 and len(_digits(whole[:places[count - 1] + 1])) >= (0.4 if said else 0.8) * count:
            fits = [count]
        if fits:
            at = match.start() + places[fits[0] - 1] + 1
            yield match.start(), at


def _cards(text: str, plain: str) -> Places:
    for match in _CARD.finditer(plain):
        digits = _digits(match[0])
        if digits[0] in "23456" and luhn(digits) or re.fullmatch(r"\d{4}([ .-]?)\d{4}\1\d{4}\1\d{2,4}", match[0]):
            yield match.span()


def _ids(text: str, plain: str) -> Places:
    for match in _ID.finditer(text):
        digits, value = _digits(match[0]), match[0]
        if len(digits) == 10 and re.fullmatch(r"\d{4}[\s-]?\d{6}", value) and not is_austrian(digits):
            continue
        yield match.span()
    for match in re.finditer(rf"{B}\d(?:[ .-]?\d){{9,12}}{E}", plain):
        digits = _digits(match[0])
        if is_tax_id(digits) or is_ahv(digits):
            yield match.span()


def _numbers(text: str, plain: str) -> Places:
    for match in _NUMBERED.finditer(text):
        kept = plain[match.start(1):match.end(1)]       # "Nr. 4711 12.11.2026": up to the date
        yield match.start(1), match.start(1) + (kept.find("\x01") if "\x01" in kept.lstrip("\x01") and kept[0] != "\x01" else len(kept))
    for match in _BARE_NUMBERED.finditer(plain):
        if not re.fullmatch(rf"{_YEAR}[.,]?", match[1]):
            yield match.span(1)
    for pattern in (_HASH, _ENDING, _BIC, _USER, _FILE_NUMBER):
        yield from _all(pattern)(text, plain)


def _secrets(text: str, _: str) -> Places:
    for match in _SECRET.finditer(text):
        said = match[0][:match.start(1) - match.start()].rstrip(" \"'„“")
        if said.endswith((":", "=")) or not match[1].isalpha():
            yield match.span(1)


def _births(text: str, _: str) -> Places:
    for match in _BORN.finditer(text):
        born = match[0].lower().startswith(("geb.", "gebo", "geburtsd", "date", "d", "born", "*", "birthdate", "birth date"))
        if born or re.search(r"\d{4}|\d\d?[./-]\d\d?[./-]\d\d", match[1]):
            yield match.span(1)
    for match in _OLD_DATE.finditer(text):
        if _LONG_AGO.search(match[0]):
            yield match.span()


def _plates(text: str, _: str) -> Places:
    for match in _PLATE.finditer(text):
        yield match.span()
    for match in _PLATE_SAID.finditer(text):
        if any(map(str.isdecimal, match[1])):
            yield match.span(1)


def _phones(text: str, plain: str) -> Places:
    for match in _TOLD.finditer(plain):
        if len(_digits(match[1])) >= 3:
            yield match.span(1)
    for match in _PHONES.finditer(plain):
        if len(_digits(match[0])) >= 7:
            yield match.span()


def _networks(text: str, _: str) -> Places:
    for match in _IPV4.finditer(text):
        if all(int(part) < 256 for part in match[0].partition("/")[0].split(".")):
            yield match.span()
    for match in _IPV6.finditer(text):
        try:
            ipaddress.ip_address(match[0].partition("%")[0])
        except ValueError:
            continue
        if len(match[0]) > 4:
            yield match.span()
    for match in _MAC.finditer(text):
        yield match.span()


def _tokens(text: str, plain: str) -> Places:
    for match in _TOKENS.finditer(plain):
        if len(_digits(match[0])) >= 7 or not re.fullmatch(r"[\d./-]+", match[0]):
            yield match.span()


_FINDERS: tuple[tuple[str, Callable[[str, str], Places]], ...] = (
    ("URL", _all(_URL)), ("EMAIL", _all(_EMAIL, _SPELLED_EMAIL, _BRACKET_EMAIL)), ("URL", _all(_HOST)), ("NAME", _all(_HANDLE)),
    ("IBAN", _ibans), ("ID", _ids), ("CARD", _cards), ("BIRTHDATE", _births), ("SECRET", _secrets), ("PLATE", _plates),
    ("IP", _networks), ("ADDRESS", _all(_STREETS, _TOWNS, _FLAT)), ("PHONE", _phones), ("NUMBER", _numbers), ("NUMBER", _tokens))
