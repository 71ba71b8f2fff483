"""Phishing: who a mail claims to be against who sends it, and what it wants to have at once."""
from __future__ import annotations

import re
from functools import lru_cache

from mailhelper import html, lists
from mailhelper.message import ParsedMail
from mailhelper.reading import Reading, Reason

ENOUGH = 4              # points that make it phishing, with a sign of both sorts

_SWAPS = str.maketrans("0134578@|", "oleastbal")
_SHOWN = re.compile(r">\s*(?:https?://|www\.)", re.I)
_HOST = re.compile(r"^\s*(?:https?://)?(?:[^/@\s]{0,100}@)?([a-z0-9.-]{1,200})", re.I)
_LINK = re.compile(r"https?://([a-z0-9.-]{4,100})", re.I)
_SWAPPED = re.compile(r"[a-z][01][a-z]")       # ki1n, g00gle
_NUMERIC = re.compile(r"https?://(?:\d{1,3}\.){3}\d{1,3}\b")
_PARTS = re.compile(r"[-.]")
_WORD = re.compile(r"[a-z0-9]+")
_WANTS = {"credentials": "phishing_credentials", "gift_cards": "phishing_gift_cards", "threat": "phishing_threat", "bait": "phishing_bait"}
_ERRAND = {"gift_cards": "phishing_gift_cards", "transfer": "phishing_transfer", "new_number": "phishing_new_number",
           "secrecy": "phishing_secrecy", "elsewhere": "phishing_elsewhere"}
_DOUBLE = frozenset(("ac", "co", "com", "edu", "gov", "gv", "net", "or", "org"))


def check(mail: ParsedMail, reading: Reading, namesake: bool = False) -> tuple[int, list[Reason]]:
    """(points, reasons); ENOUGH points are phishing: something wanted by a doubtful sender, or an errand that nobody is to know of.

    `namesake`: a stranger who bears the name of somebody whom the reader knows at another address.
    """
    errand, why = _errand(mail, reading, namesake)
    wants, wanted = _wants(reading)
    if not wants and _host(domain(mail.sender.address), reading.own)[0] > 2:
        wants, wanted = _presses(reading)
    doubts, doubtful = _doubts(mail, reading) if wants else (0, [])
    if namesake and wants:
        doubts, doubtful = doubts + 2, [_spoof(mail), *doubtful]
    points = wants + doubts if doubts else min(wants, ENOUGH - 1)
    if errand > points:
        return errand, why
    return points, doubtful + wanted if doubts else []


def _spoof(mail: ParsedMail) -> Reason:
    return Reason("contact_spoof", {"name": mail.sender.name, "address": mail.sender.address})


def domain(address: str) -> str:
    """The part after the "@"."""
    return address.rpartition("@")[2]


def registered(host: str) -> str:
    """The part of a host name that somebody registered: mail.shop.co.uk → shop.co.uk."""
    labels = host.lower().strip(".").split(".")
    double = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _DOUBLE
    return ".".join(labels[-3 if double else -2:])


def free(address: str) -> bool:
    """Whether the address is of a provider where anybody can have one."""
    return lists.free(domain(address))


@lru_cache(maxsize=4096)
def disguise(host: str) -> tuple[str, str]:
    """(brand, how) if a host borrows a name: "swap" (paypa1), "borrowed" (paypal-secure.xyz), "punycode"; else ("", "")."""
    data = lists.brands()
    own = registered(host)
    name = own.split(".", 1)[0]
    if "xn--" in host:
        return host, "punycode"
    tokens = [token for token in _PARTS.split(host.rpartition(".")[0]) if token]
    lured = any(token in data["lure"] for token in tokens) or own.rpartition(".")[2] in data["cheap"]
    joined = "".join(_WORD.findall(name))
    for brand, owned in data["domains"].items():
        if name in owned:
            continue
        for token in tokens:
            plain = _unswapped(token)
            if token != brand and plain == brand and len(brand) > 3:
                return brand, "swap"
            if token == brand and (lured or brand not in data["plain"] and brand not in data["regional"]):
                return brand, "borrowed"
            if len(brand) > 5 and token != brand and _one_off(token, brand):
                return brand, "swap"
        if lured and len(brand) > 5 and brand not in data["plain"] and brand in joined:
            return brand, "borrowed"
    return "", ""


@lru_cache(maxsize=4096)
def poses(host: str, own: frozenset[str]) -> str:
    """The reader's own domain that a host poses as ("" if none): its name misspelt, or beside words that lure (finch-login.com)."""
    site = registered(host)
    name = site.split(".", 1)[0]
    plain = _unswapped(name)
    lured = site.rpartition(".")[2] in lists.brands()["cheap"] or not lists.brands()["lure"].isdisjoint(_WORD.findall(name))
    for mine in own:
        label = registered(mine).split(".", 1)[0]
        if registered(mine) == site or len(label) < 4:
            continue
        if label != name and (plain == label or len(label) > 5 and _one_off(name, label)) or lured and label in name:
            return mine
    return ""


def _unswapped(token: str) -> str:
    return token.translate(_SWAPS).replace("rn", "m").replace("vv", "w")


def _one_off(token: str, brand: str) -> bool:
    """Whether one letter was changed, added, left out, or two neighbours swapped."""
    if abs(len(token) - len(brand)) > 1:
        return False
    if len(token) == len(brand):
        differing = [place for place, (one, other) in enumerate(zip(token, brand, strict=True)) if one != other]
        if len(differing) == 2:
            first, second = differing
            return second == first + 1 and token[first] == brand[second] and token[second] == brand[first]
        return len(differing) == 1
    longer, shorter = (token, brand) if len(token) > len(brand) else (brand, token)
    return any(longer[:place] + longer[place + 1:] == shorter for place in range(len(longer)))


def _wants(reading: Reading) -> tuple[int, list[Reason]]:
    """Secrets, a sign-in, a click, and all at once."""
    found = reading.found
    reasons = [Reason(code, {"phrase": found.first(section)}) for section, code in _WANTS.items() if found.has(section)]
    if not reasons:
        return 0, []
    points = 2 * (found.has("credentials") or found.has("gift_cards")) + 2 * (found.has("threat") or found.has("bait"))
    points += found.has("credentials") and len(found.hits["credentials"]) > 2
    points += found.has("click")
    points += found.has("pressure") or found.has("hurry")
    return points, reasons


def _presses(reading: Reading) -> tuple[int, list[Reason]]:
    """The little that is enough beside a name that is borrowed: a link to follow, or something lost by waiting."""
    if phrase := reading.found.first("transfer"):
        return 2, [Reason("phishing_transfer", {"phrase": phrase})]
    for section, code in (("click", "phishing_click"), ("consequence", "consequence"), ("pressure", "pressure")):
        if phrase := reading.found.first(section):
            return 1, [Reason(code, {"phrase": phrase})]
    return 0, []


def _errand(mail: ParsedMail, reading: Reading, namesake: bool) -> tuple[int, list[Reason]]:
    """Gift cards, a transfer, or help for "your child with a new number": money for somebody who cannot be called and wants no witness."""
    found, points = reading.found, 0
    child = found.has("new_number") and found.has("parent")
    hush = [section for section in ("secrecy", "elsewhere") if found.has(section)]
    wanted = [section for section in ("gift_cards", "transfer") if found.has(section)] + ["new_number"] * child
    # A shop sells gift cards and chats on WhatsApp too, but says so to many.
    many = reading.marks.bulk() or reading.marks.campaign() or found.has("removal") or found.count("promo") > 1
    if many or not (wanted or namesake) or not (hush or child):
        return 0, []
    for section in wanted:
        points += 2 + (found.count(section) > 1 and section != "transfer")
    points += len(hush) + (found.has("pressure") or found.has("hurry"))
    reasons = [Reason(_ERRAND[section], {"phrase": found.first(section)}) for section in (*wanted, *hush)]
    if namesake:
        points += 2
        reasons.insert(0, _spoof(mail))
    elif free(mail.sender.address) and wanted != ["new_number"]:
        points += 1
        reasons.append(Reason("free_address", {"address": mail.sender.address}))
    more, why = _host(domain(mail.sender.address), reading.own)
    return points + min(more, 2) - 2 * reading.marks.answer - 2 * reading.colleague, reasons + why


def _doubts(mail: ParsedMail, reading: Reading) -> tuple[int, list[Reason]]:
    """Signs that the sender or a link is not what it seems."""
    host = domain(mail.sender.address)
    points, reasons = _host(host, reading.own)
    if points < 3 and (claimed := _claimed(mail, reading, host)):
        points += 3 if free(mail.sender.address) else 2
        reasons.append(Reason("name_spoof", {"name": claimed, "domain": host}))
    elif reading.sender.has("authority") and host.rpartition(".")[2] in lists.brands()["cheap"]:
        points += 2
        reasons.append(Reason("name_spoof", {"name": mail.sender.name, "domain": host}))
    if free(mail.sender.address) and reading.found.has("pressure") and not reading.marks.answer:
        points += 1
        reasons.append(Reason("free_address", {"address": mail.sender.address}))
    for more, reason in (_links(mail, host, reading.own), _reply(mail), _results(reading, host)):
        points += more
        reasons += [reason] if reason else []
    return points, reasons


def _host(host: str, own: frozenset[str]) -> tuple[int, list[Reason]]:
    """What a domain alone gives away: a borrowed or misspelt name, a cheap ending, words that lure, digits for letters."""
    brand, how = disguise(host)
    if how == "punycode":
        return 3, [Reason("punycode", {"domain": host})]
    if how:
        return 4 if how == "swap" else 3, [Reason("lookalike", {"domain": host, "brand": brand})]
    if mine := poses(host, own):
        return 4, [Reason("lookalike", {"domain": host, "brand": mine})]
    reasons = []
    if host.rpartition(".")[2] in lists.brands()["cheap"]:
        reasons.append(Reason("cheap_domain", {"domain": host}))
    if "-" in host and not lists.brands()["lure"].isdisjoint(_PARTS.split(host)):
        reasons.append(Reason("lure_domain", {"domain": host}))
    if _SWAPPED.search(host.rpartition(".")[0]):
        reasons.append(Reason("digit_domain", {"domain": host}))
    return len(reasons), reasons


def _claimed(mail: ParsedMail, reading: Reading, host: str) -> str:
    """The brand that the name or the text speaks for, though the sender's domain is another's; or ""."""
    data, label = lists.brands(), registered(host).split(".", 1)[0]
    name = lists.fold(mail.sender.name)
    if "@" in name and domain(name.split()[-1].strip("<>()\"'")) not in ("", host):
        return mail.sender.name
    words = set(_WORD.findall(name)) | {"".join(_WORD.findall(name))}
    for brand in words & data["domains"].keys():
        if label not in data["domains"][brand] and brand not in data["plain"]:
            return mail.sender.name
    for brand in reading.found.words & data["domains"].keys():
        if label not in data["domains"][brand] and brand not in data["plain"] and reading.marks.answer is False \
                and (f" {brand} account" in reading.found.row or f" {brand} konto" in reading.found.row or f" {brand} " in reading.title):
            return brand
    return ""


def _links(mail: ParsedMail, host: str, own: frozenset[str]) -> tuple[int, Reason | None]:
    """A link that shows one address and leads to another, leads to a bare number, or to a borrowed name."""
    if match := _NUMERIC.search(mail.text[:8000]) or _NUMERIC.search(mail.html[:20_000]):
        return 2, Reason("numeric_link", {"link": match[0]})
    if mail.html and _SHOWN.search(mail.html[:20_000]):
        for shown, target in html.links(mail.html[:20_000])[:50]:
            one, other = _HOST.match(shown), _HOST.match(target)
            if one and other and shown.lower().lstrip().startswith(("http", "www.")):
                shows, leads = registered(one[1]), registered(other[1])
                if shows == leads or "." not in leads:
                    continue
                if leads != registered(host) or _foreign(shows, leads):
                    return 3, Reason("link_target", {"shown": one[1], "target": other[1]})
    site = registered(host)
    for linked in dict.fromkeys(found.lower() for found in _LINK.findall(mail.text[:8000])[:20]):
        if registered(linked) != site and (brand := disguise(linked)[0] or poses(linked, own)):
            return 3, Reason("lookalike", {"domain": linked, "brand": brand})
    return 0, None


def _foreign(shows: str, leads: str) -> bool:
    """Whether a brand's address is shown over a link to somebody else; profiles and maps are often shown over a counting link."""
    data, label = lists.brands(), shows.split(".", 1)[0]
    owners = [(brand, owned) for brand, owned in data["domains"].items() if label in owned]
    return any(brand not in data["linked"] for brand, _ in owners) and not any(leads.split(".", 1)[0] in owned for _, owned in owners)


def _reply(mail: ParsedMail) -> tuple[int, Reason | None]:
    """An office that wants its answers at a free mailbox."""
    for reply in mail.reply_to[:1]:
        if free(reply.address) and not free(mail.sender.address):
            return 1, Reason("reply_elsewhere", {"address": reply.address})
    return 0, None


def _results(reading: Reading, host: str) -> tuple[int, Reason | None]:
    if reading.marks.auth == "fail":
        return 2, Reason("auth_failed", {"domain": host})
    return 0, None
