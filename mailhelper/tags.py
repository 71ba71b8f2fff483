"""Tags: words that the user files mail under, and on which mails they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from peewee import Expression, fn

from mailhelper.db import db, now, rows
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.models import Mail, MailTag, Tag, TagRefusal
from mailhelper.scope import Scope
from mailhelper.text import fold

COLOURS = ("blue", "green", "amber", "red", "purple", "teal", "pink", "grey")
LONGEST, DESCRIPTION = 50, 300      # characters
MOST = 500                          # tags of a user


def key(scope: Scope, name: str) -> bytes:
    """What a name is found by: "Straße" and "strasse" are the same."""
    return scope.vault.lookup("tag", fold(name))


def clean(name: object) -> str:
    """A name as it is kept.  Raises Invalid with the code of what is wrong."""
    words = " ".join(name.split()) if isinstance(name, str) else ""
    if not words:
        raise Invalid("missing")
    if len(words) > LONGEST:
        raise Invalid("too_long", count=LONGEST)
    if '"' in words or not words.isprintable():
        raise Invalid("tag_name")
    return words


def listed(scope: Scope) -> list[Tag]:
    """All tags by name; inside the owner's scope."""
    return sorted(scope.select(Tag), key=lambda tag: fold(tag.name))


def counts(scope: Scope, *kept: Any) -> dict[int, int]:
    """{tag id: mails that have it}; `kept`: conditions on Mail."""
    query = scope.select(Mail, fn.COUNT(Mail.id), MailTag.tag).join(MailTag, on=(MailTag.mail == Mail.id))
    return {tag: count for count, tag in query.where(*kept).group_by(MailTag.tag).tuples()}


def find(scope: Scope, which: object) -> Tag:
    """A tag by number or name; a number in words is looked up as an id first.  Raises NotFound."""
    if isinstance(which, int) and not isinstance(which, bool):
        return scope.get(Tag, which)
    named: Tag | None = scope.select(Tag).where(Tag.name_key == key(scope, str(which))).get_or_none()
    if str(which).isdecimal():
        try:
            return scope.get(Tag, which)
        except NotFound:
            pass
    if named is None:
        raise NotFound()
    return named


def create(scope: Scope, values: Mapping[str, Any]) -> Tag:
    """A new tag of {name, colour?, description?, automatic?}.  Raises Invalid with the wrong fields, Conflict("tag_exists")."""
    checked = _checked(values, {"name"})
    with scope, db.atomic():
        if scope.select(Tag).where(Tag.name_key == key(scope, checked["name"])).exists():
            raise Conflict("tag_exists")
        return made(scope, [checked["name"]], checked)[0]


def change(scope: Scope, tag_id: object, values: Mapping[str, Any]) -> Tag:
    """Change name, colour, description or automatic.  Raises NotFound, Invalid, Conflict("tag_exists")."""
    tag = scope.get(Tag, tag_id)
    checked = _checked(values, set())
    with scope, db.atomic():
        if "name" in checked:
            checked["name_key"] = key(scope, checked["name"])
            if scope.select(Tag).where(Tag.name_key == checked["name_key"], Tag.id != tag.id).exists():
                raise Conflict("tag_exists")
        if checked:
            scope.update(Tag, **checked).where(Tag.id == tag.id).execute()
        return scope.get(Tag, tag.id)


def delete(scope: Scope, tag_id: object) -> None:
    """Forget a tag; its mails stay.  Raises NotFound."""
    scope.delete(Tag).where(Tag.id == scope.get(Tag, tag_id).id).execute()


def made(scope: Scope, names: Iterable[str], more: Mapping[str, Any] | None = None) -> list[Tag]:
    """The tags of these clean names, made where missing.  Raises Invalid("tag_many")."""
    wanted = {key(scope, name): name for name in names}
    known = {bytes(tag.name_key): tag for tag in scope.select(Tag).where(Tag.name_key << list(wanted))} if wanted else {}
    fresh = {one: name for one, name in wanted.items() if one not in known}
    if fresh:
        total = scope.select(Tag).count()
        if total + len(fresh) > MOST:
            raise Invalid("tag_many", count=MOST)
        columns = ("name", "name_key", "colour", "description", "automatic", "created_at")
        values = {"description": None, "automatic": False, **(more or {})}
        new = [(Tag.name.db_value(name), one, values.get("colour") or COLOURS[(total + number) % len(COLOURS)],
                 Tag.description.db_value(values["description"]), values["automatic"], now()) for number, (one, name) in enumerate(fresh.items())]
        scope.insert(Tag, columns, new)        # passes over what another request made meanwhile
        known |= {bytes(tag.name_key): tag for tag in scope.select(Tag).where(Tag.name_key << list(fresh))}
    return [known[one] for one in wanted]


def put_on(scope: Scope, mail_ids: Sequence[int], tags: Sequence[Tag], by: str = "user") -> int:
    """Put tags on mails, which must be the scope's own; how many (mail, tag) pairs are new.  Where the user does it, a refusal is over."""
    pairs = [(mail, tag.id) for tag in tags for mail in mail_ids]
    with db.atomic():
        new = len(scope.insert(MailTag, ("mail", "tag", "by", "at"), [(*pair, by, now()) for pair in pairs], ids=True))
        if by == "user" and pairs:
            same = MailTag.mail << list(mail_ids), MailTag.tag << list(tags)
            scope.update(MailTag, by=by).where(*same, MailTag.by != by).execute()
            scope.delete(TagRefusal).where(TagRefusal.mail << list(mail_ids), TagRefusal.tag << list(tags)).execute()
    return new


def take_off(scope: Scope, mail_ids: Sequence[int], tags: Sequence[Tag]) -> int:
    """Take tags off mails; how many were on them."""
    if not mail_ids or not tags:
        return 0
    count: int = scope.delete(MailTag).where(MailTag.mail << list(mail_ids), MailTag.tag << list(tags)).execute()
    return count


def of(scope: Scope, mail_id: int) -> list[Tag]:
    """The tags of a mail by name, each with `by`; inside the owner's scope."""
    found = []
    for row in scope.select(MailTag, MailTag, Tag).join(Tag).where(MailTag.mail == mail_id):
        row.tag.by = row.by
        found.append(row.tag)
    return sorted(found, key=lambda tag: fold(tag.name))


def owned(scope: Scope, mail_ids: Iterable[object]) -> list[int]:
    """The ids among these that are mails of the user."""
    numbers = [id for id in mail_ids if isinstance(id, int)]
    return [id for id, in scope.select(Mail, Mail.id).where(Mail.id << numbers).tuples()] if numbers else []


def having(scope: Scope, which: str) -> Expression:
    """True of mails with a tag, given as number or name; none has an unknown name.  Raises NotFound for a number that is no tag of the user."""
    try:
        tag = find(scope, which)
    except NotFound:
        if which.isdecimal():
            raise
        return Mail.id < 0      # type: ignore[no-any-return]
    mails: Expression = Mail.id.in_(scope.select(MailTag, MailTag.mail).where(MailTag.tag == tag))
    return mails


def name_of(scope: Scope, which: str) -> str:
    """The name of a tag given as number or name."""
    try:
        name: str = find(scope, which).name
    except NotFound:
        name = which
    return name


def asked(scope: Scope, wanted: Iterable[tuple[str, bool]]) -> list[Expression]:
    """The conditions of a search: (name, whether mails must have it or must not)."""
    found = []
    for name, yes in wanted:
        tag = scope.select(Tag, Tag.id).where(Tag.name_key == key(scope, name))
        mails = scope.select(MailTag, MailTag.mail).where(MailTag.tag << tag)
        found.append(Mail.id.in_(mails) if yes else Mail.id.not_in(mails))
    return found


def names(scope: Scope, mail_ids: Sequence[int]) -> dict[int, list[str]]:
    """{mail id: the names of its tags} for mails of the scope's own; a statement for all of a list."""
    if not mail_ids:
        return {}
    found: dict[int, list[str]] = {}
    sealed: dict[bytes, str] = {}
    for mail, name in rows(scope.select(MailTag, MailTag.mail, Tag.name).join(Tag).where(MailTag.mail << list(mail_ids)).order_by(Tag.id)):
        found.setdefault(mail, []).append(sealed.get(bytes(name)) or sealed.setdefault(bytes(name), Tag.name.python_value(name)))
    return found


def _checked(values: Mapping[str, Any], required: set[str]) -> dict[str, Any]:
    wrong: dict[str, Any] = {name: "unknown_field" for name in values if name not in ("name", "colour", "description", "automatic")}
    wrong |= {name: "missing" for name in required if name not in values}
    checked = dict(values)
    if "name" in values:
        try:
            checked["name"] = clean(values["name"])
        except Invalid as error:
            wrong["name"] = (error.code, error.params)
    if "colour" in values and values["colour"] not in COLOURS:
        wrong["colour"] = ("bad_choice", {"choices": ", ".join(COLOURS)})
    if "automatic" in values and not isinstance(values["automatic"], bool):
        wrong["automatic"] = "not_a_boolean"
    description = values.get("description")
    if not isinstance(description, str | None) or len(description or "") > DESCRIPTION:
        wrong["description"] = ("too_long", {"count": DESCRIPTION})
    if wrong:
        raise Invalid(fields=wrong)
    if "description" in values:
        checked["description"] = description and description.strip() or None
    return checked
