"""Reads from the database what rules look at of many mails at once; their bytes only for rules that look into the text."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from mailhelper import message, rulebook, rules, tags, triage
from mailhelper.db import rows
from mailhelper.models import Body, Folder, Mail, Rating, Raw
from mailhelper.rules import RATED, Facts
from mailhelper.scope import Scope
from mailhelper.text import fold

READ_AT_ONCE = 200      # mails
PREVIEWED = 500         # newest mails that a rule is tried on
LEFT_ALONE = ("sent", "drafts", "trash")        # folders whose mail rules do not touch unless it is chosen by hand


class Known(NamedTuple):
    """A mail as rules see it, with what acting on it needs."""
    facts: Facts
    subject: str
    names: tuple[str, ...]              # that its ratings suggest
    layers: dict[str, Rating]


class Reader:
    """Reads mails of one user.  Inside the owner's scope."""

    def __init__(self, scope: Scope, types: Collection[str]) -> None:
        self._scope, self._deep = scope, not set(types).isdisjoint(rules.OF_TEXT)
        self._folders = {id: (name, role) for id, name, role in scope.select(Folder, Folder.id, Folder.name, Folder.role).tuples()}

    def read(self, mail_ids: Sequence[int], chosen: bool = False) -> list[Known]:
        """What is known of these mails, in the order of their ids; unless `chosen`, without what rules leave alone."""
        scope, ids = self._scope, list(mail_ids)
        columns = Mail.id, Mail.folder, Mail.has_attachments, Mail.head
        found = [row for row in rows(scope.select(Mail, *columns).where(Mail.id << ids).order_by(Mail.id))
                 if chosen or self._folders.get(row[1], ("", ""))[1] not in LEFT_ALONE]
        layers = self._layers(ids)
        tagged, deep = tags.names(scope, ids), self._texts([row[0] for row in found]) if self._deep else {}
        return [self._known(row, layers.get(row[0], {}), tagged.get(row[0], []), deep.get(row[0], ("", ""))) for row in found]

    def _layers(self, ids: list[int]) -> dict[int, dict[str, Rating]]:
        found: dict[int, dict[str, Rating]] = {}
        for rating in self._scope.select(Rating).where(Rating.mail << ids):
            found.setdefault(rating.mail_id, {})[rating.layer] = rating
        return found

    def _texts(self, ids: list[int]) -> dict[int, tuple[str, str]]:
        """(text, List-Id) of each mail."""
        found: dict[int, tuple[str, str]] = {}
        for body in self._scope.select(Body).where(Body.mail << ids):
            content: Any = body.content
            field = next((value for name, value in content["headers"] if name.lower() == "list-id"), "")
            found[body.mail_id] = content["text"], rulebook.list_of(field)
        rest = [id for id in ids if id not in found]
        for id, sealed in rows(self._scope.select(Raw, Raw.mail, Raw.data).where(Raw.mail << rest)) if rest else ():
            mail = message.parse(Raw.data.python_value(sealed))
            found[id] = mail.text, rulebook.list_of(mail.header("List-Id"))
        return found

    def _known(self, row: tuple[Any, ...], layers: dict[str, Rating], tagged: list[str], deep: tuple[str, str]) -> Known:
        id, folder, has_attachments, sealed = row
        head = Mail.head.python_value(sealed)
        best = counting(layers)
        names = tuple(dict.fromkeys(name for one in layers.values() for name in one.detail.get("tags", ())))
        rating = {**{name: getattr(best, name) for name in RATED}, "confidence": round(100 * best.confidence)} if best else {}
        facts = Facts(
            id, head["from"][0], head["from"][1], head["subject"], self._folders.get(folder, ("", ""))[0], bool(has_attachments),
            {fold(name) for name in tagged}, frozenset(fold(name) for name in names), rating, deep[1], deep[0])
        return Known(facts, head["subject"], names, layers)


def counting(layers: Mapping[str, Rating], without: Collection[str] = ()) -> Rating | None:
    """The layer that counts: the highest that did not fail."""
    return next((layers[name] for name in triage.LAYERS if name in layers and name not in without and layers[name].urgency), None)


def latest(scope: Scope, count: int | None) -> list[int]:
    """Ids of the newest mails that rules would touch; of all with None."""
    left = scope.select(Folder, Folder.id).where(Folder.role << LEFT_ALONE)
    query = scope.select(Mail, Mail.id).where(Mail.folder.not_in(left)).order_by(Mail.date.desc(), Mail.id.desc()).limit(count)
    return [id for id, in query.tuples()]


