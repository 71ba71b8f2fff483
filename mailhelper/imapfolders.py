"""Reads the list of folders: names out of the server's alphabet, and what each folder is for."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from imapclient.imap_utf7 import decode, encode

SPECIAL_USE = {     # RFC 6154; its \Important is Gmail's label and no place
    "\\all": "all", "\\archive": "archive", "\\drafts": "drafts", "\\flagged": "flagged",
    "\\junk": "junk", "\\spam": "junk", "\\sent": "sent", "\\trash": "trash",
}  # fmt: skip
USUAL_NAMES = {     # English, German, French
    "sent": ("sent", "sent items", "sent messages", "sent mail", "gesendet", "gesendete objekte", "gesendete elemente",
             "gesendete nachrichten", "envoyés", "éléments envoyés", "messages envoyés", "objets envoyés", "courrier envoyé"),
    "drafts": ("drafts", "draft", "entwürfe", "entwurf", "brouillons", "brouillon"),
    "trash": ("trash", "deleted items", "deleted messages", "deleted", "bin", "papierkorb", "gelöscht", "gelöschte objekte",
              "gelöschte elemente", "corbeille", "éléments supprimés", "messages supprimés", "poubelle"),
    "junk": ("junk", "junk mail", "junk e-mail", "junk email", "spam", "bulk mail", "spamverdacht", "unerwünscht", "werbung",
             "indésirables", "courrier indésirable", "pourriel"),
    "archive": ("archive", "archives", "archiv"),
    "all": ("all mail", "alle nachrichten", "tous les messages"),
}  # fmt: skip
ROLE_OF_NAME = {name: role for role, names in USUAL_NAMES.items() for name in names}
LIST = re.compile(rb'\(([^)]*)\) ("(?:[^"\\]|\\.)*"|NIL) (.+)', re.DOTALL | re.IGNORECASE)
QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
PREFIXES = ("INBOX", "[GMAIL]", "[GOOGLE MAIL]")       # below these a folder is still at the top for its owner


class Listed(NamedTuple):
    """One LIST answer, RFC 9051 §7.3.1."""
    name: str
    wire: bytes                 # the name as the server writes it
    delimiter: str
    attributes: frozenset[str]  # lower-case


class Folder(NamedTuple):
    """A folder as the server lists it."""
    name: str
    delimiter: str      # "" where the server has no hierarchy
    role: str           # inbox sent drafts trash junk archive all flagged, or ""
    selectable: bool


def read(answers: Sequence[bytes | tuple[bytes, bytes] | None]) -> list[Listed]:
    """LIST answers as imaplib gives them.  Raises ValueError for one that is none: a folder left out would look deleted."""
    folders = []
    texts = iter(answers)
    for answer in texts:
        if isinstance(answer, tuple):
            next(texts, None)       # what follows the literal
            folders.append(_listed(answer[0], answer[1]))
        elif answer:
            folders.append(_listed(answer))
    return [folder for folder in folders if folder.name]        # some servers list the root


def _listed(line: bytes, literal: bytes | None = None) -> Listed:
    match = LIST.match(line)
    if not match:
        raise ValueError("LIST")
    wire = _unquoted(match[3]) if literal is None else literal
    delimiter = "" if match[2].upper() == b"NIL" else _unquoted(match[2]).decode("ascii", "replace")
    return Listed(name_of(wire), wire, delimiter, frozenset(match[1].decode("ascii", "replace").lower().split()))


def name_of(wire: bytes) -> str:
    """A folder name out of modified UTF-7 (RFC 3501 §5.1.3); names that are none are shown as they stand."""
    try:
        name = decode(wire)
        if encode(name) == wire:
            return name
    except ValueError:
        pass        # "R&D", made by a program that did not know the rule
    return wire.decode("utf-8", "replace")


def with_roles(listed: list[Listed]) -> list[Folder]:
    """A role the server gives is never given to a second folder by its name."""
    folders = [_folder(one) for one in listed]
    taken = {folder.role for folder in folders}
    for index, folder in enumerate(folders):
        guess = _usual_role(folder)
        if guess and not folder.role and guess not in taken:
            taken.add(guess)
            folders[index] = folder._replace(role=guess)
    return folders


def _folder(listed: Listed) -> Folder:
    role = next((SPECIAL_USE[name] for name in sorted(listed.attributes) if name in SPECIAL_USE), "")
    selectable = not listed.attributes & {"\\noselect", "\\nonexistent"}
    return Folder(listed.name, listed.delimiter, "inbox" if listed.name.upper() == "INBOX" else role, selectable)


def _usual_role(folder: Folder) -> str:
    """The role its name suggests; "" deeper down, where "Projects/Archive" is just a folder."""
    parts = folder.name.split(folder.delimiter) if folder.delimiter else [folder.name]
    top = len(parts) == 1 or (len(parts) == 2 and parts[0].upper() in PREFIXES)
    return ROLE_OF_NAME.get(parts[-1].casefold(), "") if top and folder.selectable else ""


def _unquoted(text: bytes) -> bytes:
    """A quoted string, or an atom (up to the extended data that may follow it)."""
    match = QUOTED.match(text)
    return re.sub(rb"\\(.)", rb"\1", match[1], flags=re.DOTALL) if match else text.partition(b" (")[0]
