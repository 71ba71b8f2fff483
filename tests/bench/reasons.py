"""Draws reasons of the built-in triage at random, each with the mail it is said of, for a person to check.

    python -m tests.bench.reasons [--count 50] [--seed 1] [--corpus FOLDER] FILE.jsonl …
"""
import argparse
import json
import random
import textwrap
from collections import Counter
from datetime import datetime
from itertools import islice
from pathlib import Path

from mailhelper import language, message, triage
from tests.bench.triage import addresses, built

Drawn = tuple[message.ParsedMail, triage.Reason]
ALIKE = 4               # reasons of one kind that are drawn at most
OF_CORPUS = 600         # mails of the corpus that are looked at


def reasons(files: list[Path], folder: Path | None, chance: random.Random) -> list[Drawn]:
    """Every reason of the labelled mails, and of some mails of the corpus."""
    cases = [built(json.loads(line)) for path in files for line in path.read_text("utf-8").splitlines()]
    paths = sorted(folder.rglob("*.txt")) if folder else []
    paths = [path for path in paths if "ham" in path.parent.name or "spam" in path.parent.name]
    for path in chance.sample(paths, min(OF_CORPUS, len(paths))):
        mail = message.parse(path.read_bytes())
        cases.append((mail, triage.Context(addresses(mail), mail.date or datetime(2002, 9, 1))))
    return [(mail, reason) for mail, context in cases for reason in triage.builtin(mail, context).reasons if reason.code != "nothing_asked"]


def _rare(code: str, seen: Counter[str]) -> bool:
    """Whether a reason of this code has hardly been drawn yet: most mails of the corpus are of lists, and say so."""
    seen[code] += 1
    return seen[code] <= ALIKE


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reasons", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    drawn = reasons(options.files, options.corpus, chance)
    chance.shuffle(drawn)
    seen = Counter[str]()
    for number, (mail, (code, params)) in enumerate(islice((one for one in drawn if _rare(one[1].code, seen)), options.count), 1):
        words = {name: language.day("en", str(value)) if name == "day" else value for name, value in params.items()}
        said = language.t("en", f"reason.{code}", **words)
        print(f"\n{number}. {code}: {said}\n   {mail.date:%a %d %b %Y} | {mail.sender.name} <{mail.sender.address}> | {mail.subject[:90]}")
        print(textwrap.indent(textwrap.fill(" ".join(mail.text.split())[:420], 160), "   "))


if __name__ == "__main__":
    main()
