"""People: make one, sign in and out, passwords, sessions, tokens, settings."""

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from peewee import IntegrityError

from mailhelper import crypto, jobs, limits, passwords
from mailhelper import scope as scopes
from mailhelper.crypto import BadKey
from mailhelper.db import db, now
from mailhelper.errors import Conflict, Denied, Invalid, NotFound
from mailhelper.language import LANGUAGES
from mailhelper.models import Grant, User
from mailhelper.scope import SESSION_TTL, Scope, in_use

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
FAILURES, LOCK = 5, 15 * 60             # per pair of name and address block, seconds
BLOCK_FAILURES, HOUR = 50, 3600         # per address block alone
MAX_LABEL = 200
TOKEN_SCOPES = ("read", "triage", "write", "admin")


def any_exist() -> bool:
    return bool(User.select(User.id).limit(1).exists())


def everybody() -> list[User]:
    return list(User.select().order_by(User.name))


def by_name(name: str) -> User:
    """Raises NotFound("no_such_user")."""
    user = _named(name)
    if user is None:
        raise NotFound("no_such_user", name=name)
    return user


def create(name: str, password: str, admin: bool = False) -> Scope:
    """Make a user with a fresh data key, wrapped by the password.  Raises Invalid with fields name, password; Conflict when taken."""
    return _create(name, password, lambda: admin)


def create_first(name: str, password: str) -> Scope:
    """The same for the first user, who becomes admin.  Raises Denied("registration_closed") when somebody else was faster."""
    def alone() -> bool:
        limits.count("first user", 1)       # writing one row makes others who are here at this moment wait for our commit
        if any_exist():
            raise Denied("registration_closed")
        return True
    return _create(name, password, alone)


def _create(name: str, password: str, may_admin: Callable[[], bool]) -> Scope:
    name = name.strip().lower()
    if not NAME.fullmatch(name):
        raise Invalid(fields={"name": "bad_user_name"})
    passwords.check(password, name)
    key = crypto.new_key()
    wrapped = crypto.wrap_by_password(password, key)
    try:
        with db.atomic():
            return Scope(User.create(admin=may_admin(), name=name, wrapped_key=wrapped), key)
    except IntegrityError:
        raise Conflict("user_exists", name=name) from None


def _named(name: str) -> User | None:
    name = name.strip().lower()
    user: User | None = User.get_or_none(User.name == name) if NAME.fullmatch(name) else None      # PostgreSQL refuses to look for some texts
    return user


def unlock(name: str, password: str) -> Scope:
    """Open a user's data key by password; the same time for names that do not exist.  Raises Invalid("sign_in_failed")."""
    user = _named(name)
    try:
        if user is None:
            crypto.waste_a_hashing(password)
            raise BadKey()
        key = crypto.unwrap_by_password(password, user.wrapped_key)
    except BadKey:
        raise Invalid("sign_in_failed") from None
    if user.disabled:
        raise Invalid("user_disabled")
    return Scope(user, key)


def sign_in(name: str, password: str, address: str, label: str) -> tuple[Scope, str]:
    """Start a session.  Returns the scope and the cookie's secret.  Raises Invalid("sign_in_failed") or Limited("sign_in_locked")."""
    block = limits.block(address)
    pair = f"sign-in:{name.strip().lower()}:{block}"
    limits.check(f"sign-in:{block}", BLOCK_FAILURES, "sign_in_locked")
    limits.attempt(pair, FAILURES, LOCK, "sign_in_locked")
    try:
        scope = unlock(name, password)
    except Invalid:
        limits.count(f"sign-in:{block}", HOUR)
        raise
    limits.clear(pair)
    return scope, open_session(scope, label)


def open_session(scope: Scope, label: str) -> str:
    """A new session of somebody who has just proved who they are; wakes what waited for their key."""
    User.update(seen_at=now()).where(User.id == scope.user.id).execute()
    row, secret = scopes.grant(scope, "session", SESSION_TTL, label=label[:MAX_LABEL])
    scope.grant = row
    jobs.resume(scope)
    return secret


def sign_out(scope: Scope, session_id: object = None) -> None:
    """End this session, or another of the user's; with the last one, unfinished jobs go to waiting.  Raises NotFound."""
    row = _mine(scope, "session", session_id if session_id is not None else (scope.grant.id if scope.grant else 0))
    scopes.drop_grants(scope, Grant.id == row.id)
    if not scope.select(Grant, Grant.id).where(Grant.purpose == "session", in_use(scope.user)).exists():
        jobs.park(scope)


def _mine(scope: Scope, purpose: str, id: object) -> Grant:
    with scope:
        row = scope.get(Grant, id)
    if row.purpose != purpose:
        raise NotFound()
    return row


def grants(scope: Scope, purpose: str) -> list[Grant]:
    """The user's sessions or tokens, newest first."""
    with scope:
        return list(scope.select(Grant).where(Grant.purpose == purpose, in_use(scope.user)).order_by(Grant.id.desc()))


def change_password(scope: Scope, old: str, new: str) -> None:
    """Wrap the data key by another password and end all other sessions.  Raises Invalid with fields old, password; Limited as sign_in does."""
    tries = f"password:{scope.user.id}"
    limits.attempt(tries, FAILURES, LOCK, "sign_in_locked")
    try:
        crypto.unwrap_by_password(old, scope.user.wrapped_key)
    except BadKey:
        raise Invalid(fields={"old": "old_password_wrong"}) from None
    limits.clear(tries)
    passwords.check(new, scope.user.name)
    wrapped = crypto.wrap_by_password(new, scope.vault.key)
    with db.atomic():
        User.update(wrapped_key=wrapped).where(User.id == scope.user.id).execute()
        keep = scope.grant.id if scope.grant and scope.grant.purpose == "session" else 0
        scopes.drop_grants(scope, Grant.purpose == "session", Grant.id != keep)


def token(scope: Scope, words: tuple[str, ...], days: int, label: str | None = None) -> str:
    """A personal token.  Raises Invalid with fields scope, days, label."""
    unknown = [word for word in words if word not in TOKEN_SCOPES]
    if unknown or not words:
        raise Invalid(fields={"scope": ("bad_choice", {"choices": ", ".join(TOKEN_SCOPES)})})
    if "admin" in words and not scope.user.admin:
        raise Invalid(fields={"scope": "not_admin"})
    if not 1 <= days <= 3650:
        raise Invalid(fields={"days": ("out_of_range", {"low": 1, "high": 3650})})
    if label is not None and len(label) > MAX_LABEL:
        raise Invalid(fields={"label": ("too_long", {"count": MAX_LABEL})})
    kept = ",".join(word for word in TOKEN_SCOPES if word in words)
    return scopes.grant(scope, "api", dt.timedelta(days=days), scopes=kept, label=label)[1]


def revoke_token(scope: Scope, token_id: object) -> None:
    """Raises NotFound."""
    scopes.drop_grants(scope, Grant.id == _mine(scope, "api", token_id).id)


CHOICES: dict[str, tuple[str, ...]] = {
    "language": ("", *LANGUAGES), "theme": ("auto", "light", "dark"), "density": ("comfortable", "compact"),
}


def change_settings(scope: Scope, **values: Any) -> None:
    """language, theme, density, timezone, idle_minutes, leave_unread.  Raises Invalid with the wrong fields; then nothing is changed."""
    wrong: dict[str, Any] = {name: ("bad_choice", {"choices": ", ".join(choices)})
                             for name, choices in CHOICES.items() if values.get(name, choices[0]) not in choices}
    if values.get("timezone", "UTC") not in zoneinfo.available_timezones():
        wrong["timezone"] = "bad_timezone"
    if not 5 <= int(values.get("idle_minutes", 30)) <= 7 * 24 * 60:
        wrong["idle_minutes"] = ("out_of_range", {"low": 5, "high": 7 * 24 * 60})
    if wrong:
        raise Invalid(fields=wrong)
    User.update(**values).where(User.id == scope.user.id).execute()


def adopt_timezone(scope: Scope, name: str) -> None:
    """At sign-up: the zone that the browser names, if it is one."""
    if name in zoneinfo.available_timezones():
        change_settings(scope, timezone=name)
        scope.user.timezone = name


def adopt_language(scope: Scope, lang: str) -> None:
    """At the first sign-in: what the browser asks for, since jobs write summaries and have no browser to ask."""
    if not scope.user.language:
        change_settings(scope, language=lang)
        scope.user.language = lang


def shown(user: User) -> dict[str, Any]:
    """The JSON shape of GET /api/me."""
    return {
        "id": user.id, "name": user.name, "roles": ["user", "admin"] if user.admin else ["user"],
        "settings": {"language": user.language, "timezone": user.timezone, "theme": user.theme, "density": user.density,
                     "idle_minutes": user.idle_minutes, "mark_read": not user.leave_unread},
    }
