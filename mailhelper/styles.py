"""The styles in which a user's replies are written."""

from collections.abc import Mapping
from typing import Any

from mailhelper.db import db
from mailhelper.errors import Invalid, NotFound
from mailhelper.models import Style
from mailhelper.scope import Scope

NAMES = ("professional", "formal", "friendly", "brief", "decline")
ADDRESSES = ("auto", "du", "sie")       # how a German mail speaks to its reader; auto: as the mail it answers does
PLAIN = {"address": "auto", "greeting": "", "closing": "", "signature": "", "instructions": ""}      # "": as the language of the mail has it
LONGEST = {"greeting": 200, "closing": 200, "signature": 2000, "instructions": 2000}


def all_of(scope: Scope) -> list[dict[str, str]]:
    """Every style in the shape of `read`."""
    with scope:
        own = {row.name: row.content for row in scope.select(Style)}
    return [_shown(name, own.get(name, {})) for name in NAMES]


def read(scope: Scope, name: str) -> dict[str, str]:
    """{name, address, greeting, closing, signature, instructions}.  Raises NotFound for a name there is not."""
    _known(name)
    with scope:
        row: Style | None = scope.select(Style).where(Style.name == name).get_or_none()
        return _shown(name, row.content if row else {})


def change(scope: Scope, name: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Set some of the fields; the others stay.  Raises NotFound, Invalid with the wrong fields."""
    _known(name)
    wrong: dict[str, Any] = {field: "unknown_field" for field in values if field not in PLAIN}
    for field, most in LONGEST.items():
        if not isinstance(values.get(field, ""), str) or len(values.get(field, "")) > most:
            wrong[field] = ("too_long", {"count": most})
    if values.get("address", "auto") not in ADDRESSES:
        wrong["address"] = ("bad_choice", {"choices": ", ".join(ADDRESSES)})
    if wrong:
        raise Invalid(fields=wrong)
    with scope, db.atomic():
        content = {field: value for field, value in read(scope, name).items() if field != "name"} | {k: v.strip() for k, v in values.items()}
        scope.delete(Style).where(Style.name == name).execute()
        scope.create(Style, name=name, content=content)
    return _shown(name, content)


def _known(name: str) -> None:
    if name not in NAMES:
        raise NotFound()


def _shown(name: str, content: Mapping[str, str]) -> dict[str, str]:
    return {"name": name, **PLAIN, **content}
