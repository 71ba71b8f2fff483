"""Walks the way to a mailbox's server step by step, and says what is well, what could be better, what is broken, and what to do about it."""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID

from mailhelper import accounts, imap, jobs, language
from mailhelper.db import now
from mailhelper.egress import Door
from mailhelper.errors import BadCertificate, Error, Invalid, sentence
from mailhelper.imap import Mailbox, Server
from mailhelper.imapcheck import Measures
from mailhelper.imapfolders import Folder
from mailhelper.models import Account, Job
from mailhelper.runner import Step
from mailhelper.scope import Scope

KIND = "diagnose_account"
GOOD, HINT, BAD = "good", "hint", "bad"
# How far the way goes, and which part of the report it is that broke off there.
WAY = {"connected": "connection", "greeted": "encryption", "signed_in": "login"}
USEFUL = ("CONDSTORE", "QRESYNC", "ESEARCH", "MOVE", "UIDPLUS", "SPECIAL-USE", "OBJECTID", "LIST-STATUS", "COMPRESS=DEFLATE")
PLACES = ("sent", "drafts", "trash", "junk", "archive")
SOON = 14               # days before a certificate ends
SLOW = 0.4              # seconds to an answer that has nothing to do
FULL, BURSTING = 90, 99     # percent
SIZES, DAYS = ("used", "room"), ("until",)      # params that are written the way the reader's language does
TIMEOUT = 90


class Finding(NamedTuple):
    """One line of the report: a sentence diagnosis.<part>.<code>, or error.<code> where something broke."""
    part: str
    state: str
    code: str
    params: dict[str, Any]


def start(scope: Scope, account_id: object) -> Job:
    """Queue a diagnosis.  Raises NotFound, Conflict when one is under way, Invalid for imported mail."""
    account = scope.get(Account, account_id)
    if account.kind != "imap":
        raise Invalid("local_account")
    return jobs.start(scope, KIND, account.id)


@jobs.kind(KIND, timeout=TIMEOUT, retries=0, priority=70)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Its result is {findings: [[part, state, code, params], …]}."""
    account = scope.get(Account, job.subject)
    done: list[str] = []

    def on(place: str) -> None:
        done.append(place)
        step(len(done), len(WAY) + 2, "diagnosing")

    return {"findings": [list(one) for one in examine(accounts.server(account), accounts.door(scope), on)]}


def latest(scope: Scope, account_id: object) -> Job | None:
    """The newest diagnosis of a mailbox, whatever became of it.  Raises NotFound."""
    account = scope.get(Account, account_id)
    with scope:
        found: Job | None = scope.select(Job).where(Job.kind == KIND, Job.subject == account.id).order_by(Job.id.desc()).first()
    return found


def told(finding: Finding, lang: str) -> dict[str, str]:
    """A line of the report in words: {part, title, state, text}."""
    params = {name: _written(name, value, lang) for name, value in finding.params.items()}
    text = sentence(lang, finding.code, params) if finding.state == BAD else language.t(lang, f"diagnosis.{finding.part}.{finding.code}", **params)
    return {"part": finding.part, "title": language.t(lang, f"diagnosis.part.{finding.part}"), "state": finding.state, "text": text}


def report(job: Job, lang: str) -> list[dict[str, str]]:
    """What a diagnosis that has ended found, in words; inside the owner's scope."""
    result: dict[str, Any] = job.result or {}
    return [told(Finding(*one), lang) for one in result.get("findings", ())]


def examine(server: Server, door: Door, on: Callable[[str], None] = lambda place: None) -> list[Finding]:
    """Try the way and measure it; never raises errors.Error.  `on` hears how far it is."""
    reached = {"": time.monotonic()}

    def arrive(place: str) -> None:
        reached[place] = time.monotonic()
        on(place)

    try:
        with imap.open(server, door, imap.PROBE_SECONDS, arrive) as box:
            facts = _encryption(server, box), _folders(box.folders()), box.measure()
            on("measured")
            return [*_way(server, reached), facts[0], *_abilities(box.capabilities), facts[1], *_measured(facts[2])]
    except Error as error:
        found = _way(server, reached)
        part = next((part for place, part in WAY.items() if place not in reached), "folders")
        return [*found, Finding(part, BAD, error.code, error.params), *_fingerprint(server, door, error)]


def _way(server: Server, reached: dict[str, float]) -> list[Finding]:
    """How long each part took that went well."""
    times = list(reached.values())
    took = {place: round(1000 * (times[number + 1] - times[number])) for number, place in enumerate(list(reached)[1:])}
    return [Finding(part, GOOD, "well", {"host": server.host, "port": server.port, "ms": took[place]})
            for place, part in WAY.items() if place in took and part != "encryption"]


def _encryption(server: Server, box: Mailbox) -> Finding:
    version, der = box.encryption()
    if not der:
        return Finding("encryption", HINT, "none", {"host": server.host})
    certificate = x509.load_der_x509_certificate(der)
    until: dt.datetime = certificate.not_valid_after_utc.replace(tzinfo=None)
    names = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME) or certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    params = {"version": version, "issuer": str(names[0].value) if names else "?", "until": until.date().isoformat()}
    if until < now() + dt.timedelta(days=SOON):
        return Finding("encryption", HINT, "ending", params)
    return Finding("encryption", GOOD, "pinned" if server.fingerprint else "well", params)


def _fingerprint(server: Server, door: Door, error: Error) -> list[Finding]:
    """Of the certificate that did not convince, so that a person can compare and accept it."""
    if not isinstance(error, BadCertificate):
        return []
    seen = error.params.get("fingerprint") or imap.look(server, door)
    return [Finding("encryption", HINT, "fingerprint", {"fingerprint": seen})] if seen else []


def _abilities(capabilities: frozenset[str]) -> list[Finding]:
    has = [name for name in USEFUL if name in capabilities]
    found = [Finding("capabilities", GOOD, "some" if has else "basic", {"names": ", ".join(has)})]
    if "CONDSTORE" not in capabilities:
        found.append(Finding("capabilities", HINT, "no_condstore", {}))
    if not capabilities & {"MOVE", "UIDPLUS"}:
        found.append(Finding("capabilities", HINT, "no_uidplus", {}))
    return found


def _folders(folders: list[Folder]) -> Finding:
    roles = {one.role for one in folders}
    missing = [role for role in PLACES if role not in roles]
    essential = [role for role in missing if role in ("sent", "trash")]
    return Finding("folders", HINT if essential else GOOD, "missing" if missing else "all", {"number": len(folders), "roles": missing})


def _measured(found: Measures) -> list[Finding]:
    lines = [Finding("namespaces", GOOD, "told", {"prefixes": ", ".join(f"“{prefix}”" for prefix, _ in found.prefixes), "shared": found.shared})
             if found.prefixes else Finding("namespaces", GOOD, "none", {})]
    lines.append(Finding("idle", HINT, "none", {}) if found.idle is None else Finding("idle", GOOD, "well", {"ms": _ms(found.idle)}))
    slow = found.latency > SLOW
    lines.append(Finding("latency", HINT if slow else GOOD, "slow" if slow else "well", {"ms": _ms(found.latency), "slowest": _ms(found.slowest)}))
    if found.used is None or not found.room:
        return [*lines, Finding("quota", GOOD, "unknown", {})]
    percent = 100 * found.used // found.room
    state = "well" if percent < FULL else "nearly_full" if percent < BURSTING else "full"
    return [*lines, Finding("quota", GOOD if state == "well" else HINT, state, {"used": found.used, "room": found.room, "percent": percent})]


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _written(name: str, value: Any, lang: str) -> Any:
    if name in SIZES:
        return language.size(lang, value)
    if name in DAYS:
        return language.day(lang, value)
    if name == "roles":
        return ", ".join(language.t(lang, f"diagnosis.role.{role}") for role in value)
    return value
