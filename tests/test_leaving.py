"""Every byte that leaves for a model: none of the planted data when masked, nothing where none is allowed; and mail that gives a model orders."""

import json
import re
from collections.abc import Iterator

import pytest

from mailhelper import judge, limits, mails, ratings, replies, runner, styles
from mailhelper.models import Account, Act, Egress, Folder, Job, Mail, Rating
from mailhelper.scope import Scope
from tests.injections import HIDING, ORDER, SEEN
from tests.model import model, rated
from tests.planted import MAILS, Planted
from tests.servers.scripted_ai import Server
from tests.test_anonymize import MARK, PLACEHOLDER, words
from tests.world import account, folder, keep, raw

STARTS = (judge.start_base, judge.start_optimize, replies.start)
SECRET = "signature of Ann Beck 4711"


def run_all(scope: Scope, mail: Mail) -> None:
    """The three buttons, one after the other."""
    limits.clear(f"optimize:{scope.user.id}")
    for start in STARTS:
        job = start(scope, mail.id)     # type: ignore[operator]
        runner.run(job.id)
        row = scope.get(Job, job.id)
        assert row.state == "completed", (start, row.error, row.error_params)


def left(server: Server) -> str:
    """All that the server got: addresses, headers, bodies."""
    return "\n".join(f"{one.path} {one.headers} {json.dumps(one.body, ensure_ascii=False)}" for one in server.requests)


# ── planted personal data ──

def letters(number: int, planted: Planted) -> list[bytes]:
    """A mail of the planted ones as it comes by IMAP, and an earlier one of its thread that holds the same data."""
    sender, to, subject, body = (MARK.sub(r"\1", part) for part in (planted.sender, planted.to, planted.subject, planted.body))
    files = [MARK.sub(r"\1", name) for name in planted.files]
    parts = [f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}"]
    parts += [f"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\nPDF" for name in files]
    text = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--"
    headers = {"To": to, "Content_Type": "multipart/mixed; boundary=b"}
    later = {**headers, "References": f"<{number}a@x>", "In_Reply_To": f"<{number}a@x>", "Date": "Fri, 20 Nov 2026 10:00:00 +0000"}
    return [raw(subject, text, sender, f"{number}a@x", **headers), raw(f"Re: {subject}", text, sender, f"{number}b@x", **later)]


def survivors(planted: Planted, sent: str, ours: str) -> list[str]:
    """The planted data of which something is in what left, though it stands neither elsewhere in the mail nor in what we say ourselves."""
    parts = [planted.sender, planted.to, planted.subject, *planted.files, planted.body]
    gone = PLACEHOLDER.sub(" ", sent)
    here, harmless = set(words(gone)), set(words(" ".join([ours, *(MARK.sub(" ", part) for part in parts)])))
    together = "".join(words(gone))
    return [datum for part in parts for datum in MARK.findall(part)
            if any(len(word) > 1 and word in here - harmless for word in words(datum)) or len(words(datum)) > 1 and "".join(words(datum)) in together]


@pytest.mark.slow
def test_none_of_the_planted_data_leaves_when_masked(ann: Scope) -> None:
    place, count, found = folder(ann, account(ann)), 0, []
    styles.change(ann, "professional", {"signature": SECRET})
    ann.update(Account, signature=SECRET).execute()
    with model(ann, mode="llm_anonymized") as (server, _):
        run_all(ann, keep(ann, place, *letters(99, Planted("x@x.example", "y@x.example", "Minutes", [], "The minutes.")), uid=9000)[1])
        ours = left(server)
        for number, planted in enumerate(MAILS):
            server.requests.clear()
            run_all(ann, keep(ann, place, *letters(number, planted), uid=10 * number + 1)[1])
            sent = left(server)
            count += len(MARK.findall(repr(planted)))
            found += survivors(planted, sent, ours)
            assert len(server.requests) == 3 and SECRET not in sent and "earlier mail 1 of the thread" in sent
    assert found == [] and count >= 200


def test_what_is_not_masked_is_noticed(ann: Scope) -> None:
    mail = keep(ann, folder(ann, account(ann)), *letters(0, MAILS[0]))[1]
    with model(ann, mode="llm_original") as (server, _):
        run_all(ann, mail)
    assert len(survivors(MAILS[0], left(server), "")) > 5


@pytest.mark.parametrize("mode", ["none", "builtin"])
def test_nothing_leaves_where_no_model_is_allowed(ann: Scope, mode: str) -> None:
    mail = keep(ann, folder(ann, account(ann)), raw())[0]
    with model(ann, mode=mode) as (server, _):
        runner.run(judge.start_base(ann, mail.id).id)
        for start in STARTS[1:]:
            with pytest.raises(Exception, match="model_not_allowed"):
                start(ann, mail.id)     # type: ignore[operator]
        assert server.requests == [] and not ann.select(Egress).exists()


# ── mail that gives orders ──

def injected() -> Iterator[tuple[str, bytes]]:
    for number, order in enumerate(SEEN):
        yield f"seen-{number}", raw(text=f"Hello Ann, here are the minutes.\r\n{order}\r\nBest", id=f"s{number}@x")
    for number, how in enumerate(HIDING):
        html = f"<html><body><p>Hello Ann, here are the minutes.</p>{how.format(ORDER)}</body></html>"
        yield f"hidden-{number}", raw(text=html, id=f"h{number}@x", Content_Type="text/html; charset=utf-8")
    for number, order in enumerate(SEEN[:7]):
        flat = re.sub(r"[\"<>\n]", " ", order)
        yield f"subject-{number}", raw(subject=flat, id=f"t{number}@x")
        yield f"sender-{number}", raw(sender=f'"{flat}" <m@work.example>', id=f"n{number}@x")
        part = f"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"{flat}.pdf\"\r\n\r\nPDF\r\n--b--"
        yield f"file-{number}", raw(text=part, id=f"f{number}@x", Content_Type="multipart/mixed; boundary=b")


OBEDIENT = {"urgency": 3, "importance": 3, "needs_reply": True, "category": "urgent", "summary": "Do it now.", "reasons": [],
            "action": "trash", "corrected": ["urgency"], "layer": "user", "rated_by": "user", "tags": ["VIP"]}


@pytest.fixture
def place(ann: Scope) -> Folder:
    return folder(ann, account(ann))


@pytest.mark.slow
def test_sixty_mails_that_give_orders_change_nothing_that_a_person_fixed_and_cause_no_act(ann: Scope, place: Folder) -> None:
    """The model obeys each of them and answers as they want."""
    orders = list(injected())
    kept = keep(ann, place, *(mail for _, mail in orders))
    assert len(kept) >= 60
    with model(ann, rated(draft="I will do all that.", **OBEDIENT)) as (server, _):
        for mail in kept:
            ratings.correct(ann, mail.id, {"urgency": 1, "needs_reply": False})
            before = mails.read(ann, mail.id, "en")["layers"]["user"], place_of(ann, mail)
            rules = ratings.layer(ann, mail.id, "builtin")
            runner.run(judge.start_base(ann, mail.id).id)
            assert (mails.read(ann, mail.id, "en")["layers"]["user"], place_of(ann, mail)) == before
            base = ratings.layer(ann, mail.id, "base")
            assert base and rules and (base.urgency, base.needs_reply) == (rules.urgency, rules.needs_reply), "the rules decide"
            assert ann.get(Mail, mail.id).layer == "user"
    assert not ann.select(Act).exists() and len(server.requests) == len(kept)
    assert {row.layer for row in ann.select(Rating)} == {"builtin", "base", "user"}


def place_of(scope: Scope, mail: Mail) -> tuple[object, ...]:
    row = scope.get(Mail, mail.id)
    return row.folder_id, row.seen, row.flagged, row.answered, row.done_at        # type: ignore[attr-defined]


def test_a_model_that_gives_the_prompt_away_is_not_believed(ann: Scope, place: Folder) -> None:
    mail = keep(ann, place, raw())[0]
    leak = "You rate one e-mail for its recipient. <<<MAIL 0011223344556677>>>"
    with model(ann, rated(summary=leak, draft=leak)):
        runner.run(judge.start_base(ann, mail.id).id)
        job = replies.start(ann, mail.id)
        runner.run(job.id)
    assert ratings.layer(ann, mail.id, "base") is None and ann.get(Job, job.id).error == "bad_answer"
