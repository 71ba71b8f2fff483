"""What one folder has, there and here: read in full at first, by its changes afterwards, and not at all while its numbers are the same."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from peewee import Expression

from mailhelper.db import rows
from mailhelper.errors import Refused, Unreachable
from mailhelper.folders import Place, criteria
from mailhelper.imap import Mailbox, Selected
from mailhelper.imapfetch import Flags, flags_of
from mailhelper.journal import NEVER, Unsettled
from mailhelper.models import Account, Folder, Mail
from mailhelper.scope import Scope

LIMITS = ("since", "unseen", "newest", "total")         # filters that leave out mails of a folder
TRIES = 2               # readings of a folder that other programs change meanwhile
FEW = 500               # UIDs that are looked up singly; for more, all of the folder are read


class Local(NamedTuple):
    """What is stored here of one mail of a folder."""
    id: int
    flags: Flags


@dataclass
class State:
    """One folder as the server has it beside what is here."""
    folder: Folder
    name: str
    wanted: bool
    numbers: Selected | None                            # what the server said of it last
    same: bool = False                                  # nothing changed since the last complete scan: nothing below is filled
    flags: dict[int, Flags] = field(default_factory=dict)       # of mails there: of all, or of those that changed
    local: dict[int, Local] = field(default_factory=dict)       # UID → mails here: all, or those in question
    there: Set[int] = frozenset()                       # all UIDs there, where a limit must choose among them
    left: dict[int, int] = field(default_factory=dict)  # mails here that are there no more: id → UID
    missing: list[int] = field(default_factory=list)    # UIDs to fetch, newest first
    complete: bool = False                              # read to its end without error
    sure: bool = True                                   # what left was counted, not only missed
    settled: bool = True                                # nothing of it has to be looked at again: its numbers may be kept

    @classmethod
    def of(cls, place: Place) -> "State":
        return cls(place.folder, place.name, place.wanted, place.numbers)


class Look:
    """Reads folders of one open mailbox."""

    def __init__(self, scope: Scope, account: Account, box: Mailbox, unsettled: Unsettled) -> None:
        self.scope, self.account, self.box, self.unsettled = scope, account, box, unsettled
        self.filters: Mapping[str, Any] = account.filters or {}
        self.limited = any(self.filters.get(name) for name in LIMITS)

    def choose(self, states: list[State]) -> list[State]:
        """Those that have to be read; the others are marked as the same."""
        placeless = self._placeless(states)
        for state in states:
            state.same = state.folder.id not in placeless and self._is_same(state)
        if not all(state.same for state in states):
            for state in states:        # room that one folder left is for all, and a mail that one lost may be in All Mail
                state.same &= state.folder.role != "all" and not self.filters.get("total")
        return [state for state in states if not state.same]

    def _placeless(self, states: list[State]) -> set[int]:
        """Wanted folders with mails whose place is not known."""
        ids = [state.folder.id for state in states if state.wanted]
        return {id for id, in self.scope.select(Mail, Mail.folder).where(Mail.folder << ids, Mail.uid < 0).distinct().tuples()}

    def _is_same(self, state: State) -> bool:
        folder = state.folder
        if not folder.modseq:
            return False
        if state.numbers is None:
            try:
                state.numbers = self.box.status(state.name)
            except Refused:     # reading it shows what is wrong
                return False
        return state.numbers[:4] == (folder.uidvalidity, folder.uidnext, folder.total, folder.modseq)

    def look(self, state: State) -> None:
        """Fill in what the folder has.  Raises Refused for the folder alone."""
        if not self._by_changes(state):
            self._in_full(state)
        state.complete = True

    def _by_changes(self, state: State) -> bool:
        """By what the server tells of its own accord; false where that is not enough, or does not add up."""
        folder = state.folder
        if "QRESYNC" not in self.box.capabilities or not folder.modseq or self.limited or not state.wanted:
            return False
        state.numbers, told, vanished = self.box.changes(state.name, folder.uidvalidity, folder.modseq)
        if state.numbers.uidvalidity != folder.uidvalidity or not state.numbers.highestmodseq:
            return False
        flags = {uid: flags_of(names) for uid, names in told.items()}
        few = not vanished and len(flags) <= FEW
        local = self._local(folder, Mail.uid << list(flags) if few else Mail.uid > 0) if flags or vanished else {}
        left = {local[uid].id: uid for uid in _within(sorted(local), vanished)}
        fresh = flags.keys() - local.keys()
        here = self.scope.select(Mail).where(Mail.folder == folder, Mail.uid > 0).count()
        if here - len(left) + len(fresh) != state.numbers.exists or self._has_placeless(folder):
            return False
        state.flags, state.local, state.left = flags, local, left
        self._miss(state, fresh)
        return True

    def _has_placeless(self, folder: Folder) -> bool:
        return bool(self.scope.select(Mail, Mail.id).where(Mail.folder == folder, Mail.uid < 0).exists())

    def _in_full(self, state: State) -> None:
        """All UIDs; and all flags, or those that changed where the server counts changes (RFC 7162)."""
        folder = state.folder
        for _ in range(TRIES):
            numbers = self.box.examine(state.name)
            self._renumber(folder, numbers)
            since = folder.modseq if folder.modseq and numbers.highestmodseq else 0
            state.flags = {uid: flags_of(names) for uid, names in self.box.flags(since).items()}
            there: Set[int] = state.flags.keys() if not since else set(self.box.uids()) if numbers.exists else set()
            if len(there) == numbers.exists:
                break
        else:
            state.sure = state.settled = False
        state.numbers, state.there = numbers, there
        state.local = self._local(folder)
        if not state.wanted:        # a mail put there here, whose place is not known yet, waits
            state.local = {uid: one for uid, one in state.local.items() if uid > 0}
        state.left = {one.id: uid for uid, one in state.local.items() if uid not in there}
        self._miss(state, there - state.local.keys() if state.wanted else set())

    def _miss(self, state: State, uids: Set[int]) -> None:
        """What of these is to be fetched."""
        taken = {uid for folder_id, uid in self.unsettled.taken if folder_id == state.folder.id}
        missing = uids - taken
        state.settled &= len(missing) == len(uids)
        if missing and (wanted := criteria(self.filters)):
            missing &= set(self.box.uids(wanted))
        if newest := self.filters.get("newest"):
            missing &= set(sorted(state.there, reverse=True)[:newest])
        state.missing = sorted(missing, reverse=True)

    def _renumber(self, folder: Folder, numbers: Selected) -> None:
        """Where UIDVALIDITY changed (RFC 9051 §2.3.1.1) the UIDs here mean nothing: the mails are known again by what they are."""
        if numbers.uidvalidity == folder.uidvalidity:
            return
        if not numbers.uidvalidity:
            raise Unreachable("protocol_error", host=self.box.host)
        self.scope.update(Mail, uid=NEVER + Mail.id).where(Mail.folder == folder, Mail.uid > 0).execute()
        news = {"uidvalidity": numbers.uidvalidity, "uidnext": None, "total": None, "modseq": None}
        self.scope.update(Folder, **news).where(Folder.id == folder.id).execute()
        for name, value in news.items():
            setattr(folder, name, value)

    def _local(self, folder: Folder, which: Expression | None = None) -> dict[int, Local]:
        columns = Mail.uid, Mail.id, Mail.seen, Mail.flagged, Mail.answered, Mail.keywords
        query = self.scope.select(Mail, *columns).where(Mail.folder == folder, *([] if which is None else [which]))
        return {uid: Local(id, Flags(bool(seen), bool(flagged), bool(answered), tuple(Mail.keywords.python_value(keywords) or ())))
                for uid, id, seen, flagged, answered, keywords in rows(query)}


def _within(uids: list[int], spans: list[tuple[int, int]]) -> set[int]:
    """Those of the sorted UIDs that are in any of the spans, whatever else these cover."""
    return {uid for low, high in spans for uid in uids[bisect_left(uids, low):bisect_right(uids, high)]}


def limit(states: list[State], room: int) -> None:
    """Keep to `total` mails over all folders: the newest of the first folders; new mail always counts."""
    for state in states:
        missing = set(state.missing)
        window = [uid for uid in sorted(state.there, reverse=True) if uid in missing or uid in state.local][:room]
        state.missing = [uid for uid in window if uid in missing]
        room -= len(window)
