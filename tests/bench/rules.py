"""Measures how fast rules are applied: many mails, many rules of all sorts, without acts on a server.

    python -m tests.bench.rules [--mails 10000] [--rules 50]
"""
import argparse
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mailhelper import crypto, rulebook, ruling
from mailhelper import db as database
from mailhelper.models import RuleHit, User
from mailhelper.scope import Scope
from tests.world import account, folder, keep, raw

WORDS = "contract invoice training board garden meeting parcel holiday school club report notary rent doctor train ticket project summer".split()
SENDERS = [f"person{n}@{domain}" for n in range(40) for domain in ("work.example", "club.example", "shop.example", "mail.bank.example")]


def letters(count: int, chance: random.Random) -> list[bytes]:
    made = []
    for number in range(count):
        text = "\n".join(" ".join(chance.choices(WORDS, k=12)) + "." for _ in range(20))
        made.append(raw(f"{chance.choice(WORDS)} {chance.choice(WORDS)} {number}", text, sender=chance.choice(SENDERS), id=f"{number}@bench",
                        **({"List_Id": f"<{chance.choice(WORDS)}.club.example>"} if number % 5 == 0 else {})))
    return made


def book(scope: Scope, count: int, chance: random.Random) -> None:
    """Rules of all sorts; none that a server would have to be told of."""
    word = partial(chance.choice, WORDS)
    sorts: list[Callable[[], tuple[str, Any]]] = [
        lambda: ("sender_equals", chance.choice(SENDERS)), lambda: ("sender_domain", "bank.example"), lambda: ("subject_contains", word()),
        lambda: ("body_contains", f"{word()} board"), lambda: ("body_regex", rf"\b{word()}\s+(board|garden)\s+\w+ing\b"),
        lambda: ("kind", "newsletter"), lambda: ("subject_regex", rf"^{word()} .*\d7$"), lambda: ("list_id", word()),
        lambda: ("not_has_tag", "seen"), lambda: ("has_attachment", True),
    ]
    for number in range(count):
        chosen = [chance.choice(sorts)() for _ in range(chance.randint(1, 3))]
        conditions = [{"type": kind, "value": value} for kind, value in chosen]
        actions = [chance.choice(({"type": "tag", "value": word()}, {"type": "set_urgency", "value": chance.randint(1, 3)},
                                  {"type": "set_importance", "value": chance.randint(1, 3)}))]
        rulebook.create(scope, {"name": f"rule {number}", "match": chance.choice(("all", "all", "any")), "threshold": 50,
                                "conditions": conditions, "actions": actions})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--rules", type=int, default=50)
    asked, chance = parser.parse_args(), random.Random(7)
    with tempfile.TemporaryDirectory() as path, database.connect(f"sqlite:///{Path(path)}/bench.db").connection_context():
        database.upgrade()
        with Scope(User.create(name="bench", wrapped_key=""), crypto.new_key()) as scope:
            place = folder(scope, account(scope))
            for at in range(0, asked.mails, 50):
                keep(scope, place, *letters(min(50, asked.mails - at), chance), uid=at + 1)
            book(scope, asked.rules, chance)
            job = ruling.start(scope, {})
            began, worked = time.perf_counter(), time.process_time()
            result = ruling.run(scope, job, lambda *args, **more: None)
            took, worked = time.perf_counter() - began, time.process_time() - worked
            print(f"{asked.mails} mails, {asked.rules} rules: {took:.1f} s, {asked.mails / took:.0f} mails/s, "
                  f"{asked.mails / worked:.0f} a second of one core; {result['matched']} matched, {scope.select(RuleHit).count()} actions")


if __name__ == "__main__":
    main()
