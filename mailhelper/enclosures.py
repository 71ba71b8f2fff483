"""Files enclosed with a draft: kept sealed in pieces, so that a large one never lies in memory whole."""

from collections.abc import Iterable, Iterator
from typing import Any

from mailhelper import mails
from mailhelper.db import db
from mailhelper.errors import Conflict, TooLarge
from mailhelper.letter import File
from mailhelper.message import safe_name
from mailhelper.models import Draft, Enclosure, Mail, Piece
from mailhelper.scope import Scope

MOST = 25_000_000       # bytes of all files of a draft
PIECE = 256 * 1024


def add(scope: Scope, draft_id: object, name: str, mime: str, data: Iterable[bytes]) -> Enclosure:
    """Enclose a file whose bytes come in pieces.  Raises NotFound, Conflict("draft_sending"), TooLarge: then nothing of it is kept."""
    with scope:
        draft = scope.get(Draft, draft_id)
        if draft.state != "draft":
            raise Conflict("draft_sending")
        row = scope.create(Enclosure, draft=draft, name=safe_name(name) or "file", mime=mime[:100] or "application/octet-stream", size=0)
        try:
            size = _store(scope, row, MOST - total(scope, draft.id), data)
        except TooLarge:
            scope.delete(Enclosure).where(Enclosure.id == row.id).execute()
            raise
        scope.update(Enclosure, size=size).where(Enclosure.id == row.id).execute()
        return scope.get(Enclosure, row.id)


def add_from_mail(scope: Scope, draft_id: object, mail_id: object) -> None:
    """Enclose what a mail has attached, for forwarding it.  Raises NotFound, TooLarge."""
    mail = scope.get(Mail, mail_id)
    for part in mails.content(scope, mail.id)["attachments"]:
        if not part["inline"]:
            _, data = mails.attachment(scope, mail.id, part["number"])
            add(scope, draft_id, part["filename"], part["mime"], (data[at:at + PIECE] for at in range(0, len(data), PIECE)))


def remove(scope: Scope, enclosure_id: object) -> int:
    """Take a file out again; the id of its draft.  Raises NotFound."""
    row = scope.get(Enclosure, enclosure_id)
    scope.delete(Enclosure).where(Enclosure.id == row.id).execute()
    return int(row.draft_id)        # type: ignore[attr-defined]


def listed(scope: Scope, draft_id: int) -> list[dict[str, Any]]:
    """The files of a draft: [{id, filename, mime, size}]; their bytes are not touched."""
    with scope:
        return [{"id": row.id, "filename": row.name, "mime": row.mime, "size": row.size}
                for row in scope.select(Enclosure).where(Enclosure.draft == draft_id).order_by(Enclosure.id)]


def files(scope: Scope, draft_id: int) -> list[File]:
    """The same for a letter."""
    return [File(row.name, row.mime, row.size, lambda id=row.id: _read(scope, id))      # type: ignore[misc]
            for row in scope.select(Enclosure).where(Enclosure.draft == draft_id).order_by(Enclosure.id)]


def total(scope: Scope, draft_id: int) -> int:
    """How many bytes a draft has enclosed."""
    return sum(size for size, in scope.select(Enclosure, Enclosure.size).where(Enclosure.draft == draft_id).tuples())


def _store(scope: Scope, row: Enclosure, room: int, data: Iterable[bytes]) -> int:
    size = 0
    for number, piece in enumerate(_pieces(data)):
        size += len(piece)
        if size > room:
            raise TooLarge("files_too_large", most=MOST // 1_000_000)
        with db.atomic():
            scope.create(Piece, enclosure=row, number=number, data=piece)
    return size


def _pieces(data: Iterable[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in data:
        left += piece
        while len(left) >= PIECE:
            yield left[:PIECE]
            left = left[PIECE:]
    if left:
        yield left


def _read(scope: Scope, enclosure_id: int) -> Iterator[bytes]:
    number = 0
    while piece := scope.select(Piece).where(Piece.enclosure == enclosure_id, Piece.number == number).get_or_none():
        yield piece.data
        number += 1
