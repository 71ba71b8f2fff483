"""Learns tags from the mails that have them, suggests them for others, and keeps the queue of words that could become tags."""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mailhelper import jobs, likeness, search, tags
from mailhelper.db import db, now
from mailhelper.errors import Invalid, NotFound
from mailhelper.likeness import Likeness, Profile, Words
from mailhelper.models import MERGED, OPEN, REJECTED, Job, Mail, MailTag, Rating, Tag, TagRefusal, TagSuggestion
from mailhelper.runner import Step
from mailhelper.scope import Scope
from mailhelper.text import words

LOOKED_AT = 200         # mails of each sort that a tag is learned from, the newest
QUEUE = 200             # suggestions shown
SHORT = 3               # letters; shorter words of a description say nothing
AT_ONCE = 500           # ratings a statement of the job


class Offer(NamedTuple):
    """A tag that a mail may want."""
    tag: Tag
    likeness: Likeness


# ── on mails ──

def add(scope: Scope, mail_ids: Sequence[int], wanted: Sequence[Tag]) -> None:
    """The user puts tags on their mails."""
    with scope:
        tags.put_on(scope, mail_ids, wanted)
        learn(scope, wanted)


def remove(scope: Scope, mail_ids: Sequence[int], unwanted: Sequence[Tag]) -> None:
    """The user does not want these tags on these mails.

    What they put on themselves is just taken off again; else it is a refusal, which teaches.
    """
    with scope, db.atomic():
        own = {(row.mail_id, row.tag_id) for row in scope.select(MailTag).where(
            MailTag.mail << list(mail_ids), MailTag.tag << list(unwanted), MailTag.by == "user")}
        tags.take_off(scope, mail_ids, unwanted)
        refused = [(mail, tag.id, now()) for tag in unwanted for mail in mail_ids if (mail, tag.id) not in own]
        scope.insert(TagRefusal, ("mail", "tag", "at"), refused)
        learn(scope, unwanted)


def replace(scope: Scope, mail_id: int, names: Sequence[str]) -> None:
    """These are the tags of a mail, and no others."""
    with scope, db.atomic():
        wanted = tags.made(scope, names)
        keep = {tag.id for tag in wanted}
        remove(scope, [mail_id], [tag for tag in tags.of(scope, mail_id) if tag.id not in keep])
        add(scope, [mail_id], wanted)


# ── learning ──

def learn(scope: Scope, which: Iterable[Tag]) -> None:
    """Learn tags anew from the mails that have them and those that were refused them; inside the owner's scope."""
    for tag in which:
        mine = _newest(scope, MailTag, MailTag.tag == tag, MailTag.by != "auto")
        refused = _newest(scope, TagRefusal, TagRefusal.tag == tag)
        with_it = scope.select(MailTag, MailTag.mail).where(MailTag.tag == tag)
        others = [id for id, in scope.select(Mail, Mail.id).where(Mail.id.not_in(with_it)).order_by(Mail.id.desc()).limit(LOOKED_AT).tuples()]
        found = {id: one.all for id, one in search.tokens([*mine, *refused, *others]).items()}
        usual = [found[id] for id in others if id in found and id not in refused]
        learned = likeness.in_common([found[id] for id in mine if id in found], usual)
        against = likeness.in_common([found[id] for id in refused if id in found], usual)
        scope.update(Tag, profile={"learned": learned, "refused": against, "mails": len(mine)}).where(Tag.id == tag.id).execute()


def _newest(scope: Scope, table: type[MailTag] | type[TagRefusal], *which: Any) -> list[int]:
    return [id for id, in scope.select(table, table.mail).where(*which).order_by(table.id.desc()).limit(LOOKED_AT).tuples()]


# ── suggesting ──

class Suggester:
    """Compares mails with the user's tags; made once for many mails.  Inside the owner's scope."""

    def __init__(self, scope: Scope, only_automatic: bool = False) -> None:
        wanted = [tag for tag in tags.listed(scope) if tag.automatic or not only_automatic]
        index = search.Index(scope)
        self._scope, self._tags = scope, {tag.id: (tag, _profile(tag, index)) for tag in wanted}
        self._named = {bytes(tag.name_key): tag.id for tag in wanted}
        merged = scope.select(TagSuggestion, TagSuggestion.name_key, TagSuggestion.tag).where(TagSuggestion.state == MERGED).tuples()
        self._named |= {bytes(key): tag for key, tag in merged if tag in self._tags}
        self._keys: dict[str, bytes] = {}

    def offers(self, one: Words, names: Iterable[str]) -> list[Offer]:
        """The tags that a mail is like enough, the likest first; `names` are what its rating suggests."""
        named = {self.tag_named(name) for name in names}
        offers = [Offer(tag, likeness.compare(one, profile, tag.id in named)) for tag, profile in self._tags.values()]
        return sorted((offer for offer in offers if offer.likeness.is_suggested()), key=lambda offer: -offer.likeness.value)

    def tag_named(self, name: str) -> int | None:
        """The tag that a suggested name means, by its own name or because the name was merged into it."""
        if name not in self._keys:
            self._keys[name] = tags.key(self._scope, name)
        return self._named.get(self._keys[name])

    def put_on(self, found: Mapping[int, Sequence[str]]) -> dict[int, list[Tag]]:
        """Put on mails what is automatic and fits; `found`: the names that their ratings suggest, by mail.  The tags that fit each."""
        if not self._tags or not found:
            return {}
        refused = {(row.mail_id, row.tag_id) for row in self._scope.select(TagRefusal).where(TagRefusal.mail << list(found))}
        fitting: dict[int, list[Tag]] = {}
        for id, one in search.tokens(list(found)).items():
            for offer in self.offers(one, found[id]):
                if offer.likeness.is_automatic() and (id, offer.tag.id) not in refused:      # type: ignore[attr-defined]
                    fitting.setdefault(id, []).append(offer.tag)
        with db.atomic():
            for id, fit in fitting.items():
                tags.put_on(self._scope, [id], fit, "auto")
        return fitting


def offers(scope: Scope, mail_id: int, names: Sequence[str]) -> tuple[list[Offer], list[str]]:
    """The tags to offer for a mail that has not got them, and suggested names that could become new ones; inside the owner's scope."""
    suggester = Suggester(scope)
    settled = {id for table in (MailTag, TagRefusal) for id, in scope.select(table, table.tag).where(table.mail == mail_id).tuples()}
    found = [offer for one in search.tokens([mail_id]).values() for offer in suggester.offers(one, names) if offer.tag.id not in settled]
    new = [name for name in names if suggester.tag_named(name) is None]
    rejected = _keys(scope, REJECTED) if new else set()
    return found, [name for name in new if tags.key(scope, name) not in rejected]


def _profile(tag: Tag, index: search.Index) -> Profile:
    known: Any = tag.profile or {}
    described = [word for word in words(tag.description or "") if len(word) > SHORT]
    return Profile(index.tokens(words(tag.name)), index.tokens(described), known.get("learned", {}), known.get("refused", {}), known.get("mails", 0))


# ── the queue of names ──

class Heard:
    """Turns names that ratings suggest into rows of the queue; seals and hashes each name once."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._sealed = scope, dict[str, tuple[Any, bytes]]()

    def rows(self, names: Iterable[str], at: dt.datetime) -> list[dict[str, Any]]:
        """What `keep` stores; made before the transaction, always in the same order."""
        counted: dict[bytes, dict[str, Any]] = {}
        for name, count in Counter(names).items():
            if name not in self._sealed:
                self._sealed[name] = self._seal(name)
            sealed, key = self._sealed[name]
            if key in counted:
                counted[key]["count"] += count
            elif key:
                counted[key] = {"name": sealed, "name_key": key, "count": count, "first_at": at, "last_at": at, "state": OPEN}
        return sorted(counted.values(), key=lambda row: bytes(row["name_key"]))

    def _seal(self, name: str) -> tuple[Any, bytes]:
        try:
            name = tags.clean(name)
        except Invalid:     # what a model makes up may be no name at all
            return None, b""
        return TagSuggestion.name.seal(name), tags.key(self._scope, name)


def keep(scope: Scope, rows: list[dict[str, Any]]) -> None:
    """Count suggestions; what was decided about a name stays decided."""
    scope.add_counts(TagSuggestion, rows, "name_key", ("count",), "first_at", "last_at")


def heard(scope: Scope, names: Iterable[str]) -> None:
    """Count what one rating suggests."""
    with scope:
        keep(scope, Heard(scope).rows(names, now()))


def queue(scope: Scope) -> list[TagSuggestion]:
    """Names that are no tags and not decided about, the most frequent first; inside the owner's scope."""
    known = scope.select(Tag, Tag.name_key)
    query = scope.select(TagSuggestion).where(TagSuggestion.state == OPEN, TagSuggestion.name_key.not_in(known))
    return list(query.order_by(TagSuggestion.count.desc(), TagSuggestion.id).limit(QUEUE))


def approve(scope: Scope, suggestion_id: object, values: Mapping[str, Any]) -> tuple[Tag, Job | None]:
    """Make it a tag, {name?, colour?}; with `apply` a job puts it on the mails whose ratings suggest it.  Raises NotFound, Invalid, Conflict."""
    one = scope.get(TagSuggestion, suggestion_id)
    apply, rest = _apply(values)
    with scope:
        tag = tags.create(scope, {"name": one.name, **rest})
        if bytes(tag.name_key) != bytes(one.name_key):
            _decide(scope, one, MERGED, tag)
        return tag, _start(scope, one, tag) if apply else None


def merge(scope: Scope, suggestion_id: object, values: Mapping[str, Any]) -> tuple[Tag, Job | None]:
    """The name stands for the tag {tag: id or name}; with `apply` as above.  Raises NotFound, Invalid."""
    one = scope.get(TagSuggestion, suggestion_id)
    apply, rest = _apply(values)
    wrong = {name: "unknown_field" for name in rest if name != "tag"} | ({} if rest.get("tag") else {"tag": "missing"})
    if wrong:
        raise Invalid(fields=wrong)
    with scope:
        tag = tags.find(scope, rest["tag"])
        _decide(scope, one, MERGED, tag)
        return tag, _start(scope, one, tag) if apply else None


def reject(scope: Scope, suggestion_id: object) -> TagSuggestion:
    """It is not to become a tag; ratings may go on suggesting it, and nobody is asked again.  Raises NotFound."""
    with scope:
        one = scope.get(TagSuggestion, suggestion_id)
        _decide(scope, one, REJECTED, None)
        return scope.get(TagSuggestion, one.id)


def _decide(scope: Scope, one: TagSuggestion, state: str, tag: Tag | None) -> None:
    scope.update(TagSuggestion, state=state, tag=tag).where(TagSuggestion.id == one.id).execute()


def _apply(values: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    apply = values.get("apply", False)
    if not isinstance(apply, bool):
        raise Invalid(fields={"apply": "not_a_boolean"})
    return apply, {name: value for name, value in values.items() if name != "apply"}


def _keys(scope: Scope, state: str) -> set[bytes]:
    return {bytes(key) for key, in scope.select(TagSuggestion, TagSuggestion.name_key).where(TagSuggestion.state == state).tuples()}


def _start(scope: Scope, one: TagSuggestion, tag: Tag) -> Job:
    return jobs.start(scope, "tag_suggested_mails", one.id, tag=tag.id)


@jobs.kind("tag_suggested_mails", priority=30)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Put a tag on the mails whose ratings suggest its name; its result is {tagged}."""
    try:
        tag, wanted = scope.get(Tag, jobs.params(job)["tag"]), bytes(scope.get(TagSuggestion, job.subject).name_key)
    except NotFound:        # deleted meanwhile
        return {"tagged": 0}
    tagged, done, after = 0, 0, 0
    total = scope.select(Rating).count()
    while rows := list(scope.select(Rating, Rating.id, Rating.mail, Rating.detail).where(Rating.id > after).order_by(Rating.id).limit(AT_ONCE)):
        step(done, total, "tagging")
        fitting = sorted({row.mail_id for row in rows if _suggests(scope, row.detail, wanted)})
        tagged += tags.put_on(scope, _without_refused(scope, fitting, tag), [tag], "auto")
        after, done = rows[-1].id, done + len(rows)
    return {"tagged": tagged}


def _suggests(scope: Scope, detail: Any, wanted: bytes) -> bool:
    return any(tags.key(scope, name) == wanted for name in detail.get("tags", ()))


def _without_refused(scope: Scope, mail_ids: Collection[int], tag: Tag) -> list[int]:
    refused = {id for id, in scope.select(TagRefusal, TagRefusal.mail).where(TagRefusal.tag == tag).tuples()}
    return [id for id in mail_ids if id not in refused]
