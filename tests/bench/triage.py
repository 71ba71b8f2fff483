"""Measures the built-in triage on labelled mails, on phishing samples and on a folder of real ham and spam.

    python -m tests.bench.triage PATH.jsonl                 labelled mails: exact, within one, urgent recall, wrongly raised
    python -m tests.bench.triage PATH.json                  phishing: recall and false alarms
    python -m tests.bench.triage --corpus FOLDER            raw mails in folders whose names hold "ham" or "spam"
    … --show                                                prints the ids that are rated otherwise
"""
import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from mailhelper import message, triage

ORDER = ("URGENT", "NEEDS_RESPONSE", "FYI", "PROMOTIONAL")


def built(row: dict[str, Any]) -> tuple[message.ParsedMail, triage.Context]:
    """A labelled mail as it would have come: its date is now, its first addressee the user."""
    mail = EmailMessage()
    to = row.get("to") or ["reader@example.org"]
    at = moment(row.get("date") or "2026-06-01T09:00:00Z")
    mail["From"], mail["To"], mail["Subject"] = row["sender"], ", ".join(to), " ".join(row["subject"].split())
    mail["Date"], mail["Message-ID"] = format_datetime(at), "<mail@example.org>"
    if row.get("cc"):
        mail["Cc"] = ", ".join(row["cc"])
    mail.set_content(row["body"])
    parsed = message.parse(mail.as_bytes())
    return parsed, triage.Context(frozenset({to[0].rpartition("<")[2].strip("> ").lower()}), at.astimezone(UTC).replace(tzinfo=None))


def moment(text: str) -> datetime:
    """A time stamp of the samples, aware."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def answer(rating: triage.Rating) -> str:
    """The label that a rating stands for."""
    if rating.kind in triage.UNWANTED:
        return "PROMOTIONAL"
    if rating.urgency == 3:
        return "URGENT"
    return "NEEDS_RESPONSE" if rating.needs_reply or rating.category == "action_required" else "FYI"


def labelled(path: Path, show: bool) -> None:
    """Prints the figures of a file of labelled mails, one JSON object a line."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    wrong, table = [], Counter[tuple[str, str]]()
    for row in rows:
        rating = triage.builtin(*built(row))
        table[row["category"], answer(rating)] += 1
        if row["category"] != answer(rating) and (row["category"] != "PERSONAL" or answer(rating) in ("PROMOTIONAL", "URGENT")):
            wrong.append((row, rating))
    judged = {pair: count for pair, count in table.items() if pair[0] != "PERSONAL"}
    near = sum(count for (label, given), count in judged.items() if abs(ORDER.index(label) - ORDER.index(given)) <= 1)
    personal = {given: count for (label, given), count in table.items() if label == "PERSONAL"}
    calm = sum(count for (label, _), count in table.items() if label in ("FYI", "PROMOTIONAL", "PERSONAL"))
    raised = sum(count for (label, given), count in table.items() if given == "URGENT" and label in ("FYI", "PROMOTIONAL", "PERSONAL"))
    print(f"mails            {len(rows)}")
    print(f"exact            {share(sum(table[label, label] for label in ORDER), sum(judged.values()))}")
    print(f"within one       {share(near, sum(judged.values()))}")
    print(f"urgent recall    {share(table['URGENT', 'URGENT'], sum(n for (label, _), n in table.items() if label == 'URGENT'))}")
    print(f"wrongly raised   {share(raised, calm)}")
    print(f"personal right   {share(sum(personal.values()) - personal.get('PROMOTIONAL', 0), sum(personal.values()))}")
    for label in (*ORDER, "PERSONAL"):
        print(f"{label:16} " + "  ".join(f"{given.lower()} {table[label, given]}" for given in ORDER))
    for row, rating in wrong if show else ():
        print(f"{row['category']} ≠ {answer(rating)}  {row['id']}  {row['subject'][:70]}\n    {rating}")
    alarms([(bool(row["is_phishing"]), row) for row in rows], show)


def alarms(rows: list[tuple[bool, dict[str, Any]]], show: bool) -> None:
    """Prints recall and false alarms of phishing."""
    table = Counter[tuple[bool, bool]]()
    for bad, row in rows:
        rating = triage.builtin(*built(row))
        called = rating.spam
        table[bad, called] += 1
        if bad != called and show:
            print(f"phishing {bad}  {row['sender']}  {row['subject'][:70]}\n    {rating}")
    print(f"phishing recall  {share(table[True, True], table[True, True] + table[True, False])}")
    print(f"false alarms     {share(table[False, True], table[False, True] + table[False, False])}")
    calm = [row for bad, row in rows if not bad and row.get("category") not in (None, "PROMOTIONAL")]
    if calm:
        print(f"  beside promo   {share(sum(triage.builtin(*built(row)).spam for row in calm), len(calm))}")


def corpus(folder: Path, show: bool, half: str) -> None:
    """Prints how real mail is rated: a row for each folder with "ham" or "spam" in its name."""
    parts = {path.parent for path in folder.rglob("*.txt") if "ham" in path.parent.name or "spam" in path.parent.name}
    for part in sorted(parts):
        mails = [message.parse(path.read_bytes()) for path in chosen(sorted(part.glob("*.txt")), half)]
        contexts = [triage.Context(addresses(mail), mail.date or datetime(2002, 9, 1)) for mail in mails]
        for mail, context in zip(mails[:200], contexts[:200], strict=True):
            triage.builtin(mail, context)
        began = time.perf_counter()
        ratings = [triage.builtin(mail, context) for mail, context in zip(mails, contexts, strict=True)]
        took = time.perf_counter() - began
        kinds, count = Counter(rating.kind for rating in ratings), len(ratings)
        print(f"{part.name:16} {count:5} mails  urgency 3 {share(sum(rating.urgency == 3 for rating in ratings), count)}"
              f"  spam or phishing {share(kinds['spam'] + kinds['phishing'], count)}"
              f"  promotion or spam {share(sum(kinds[kind] for kind in triage.UNWANTED), count)}  {count / took:,.0f} mails/s")
        print("                 " + "  ".join(f"{kind} {number}" for kind, number in kinds.most_common()))
        for mail, rating in zip(mails, ratings, strict=True) if show else ():
            bad = "spam" in part.name and "ham" not in part.name
            if (rating.kind not in triage.UNWANTED) if bad else (rating.urgency == 3 or rating.spam):
                print(f"  {mail.sender.address}  {mail.subject[:70]}\n      {rating}")


def chosen(paths: list[Path], half: str) -> Iterable[Path]:
    """All paths, or every second one: work on one half, judge on the other."""
    return paths[0 if half == "a" else 1::2] if half else paths


def addresses(mail: message.ParsedMail) -> frozenset[str]:
    """The reader of a mail of the corpus, as the mail server names them; else unknown."""
    return frozenset({mail.header("Delivered-To").strip().lower()} | {address.address for address in mail.to[:1]}) - {""}


def share(part: int, whole: int) -> str:
    """A share with its count."""
    return f"{part / whole if whole else 0:6.1%} ({part} of {whole})"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.triage", description="Measures the built-in triage.")
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--half", choices=("a", "b"), default="")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.corpus:
        corpus(options.corpus, options.show, options.half)
    elif options.path and options.path.suffix == ".jsonl":
        labelled(options.path, options.show)
    elif options.path:
        alarms([(bool(row["is_phishing"]), row) for row in json.loads(options.path.read_text("utf-8"))], options.show)
    else:
        parser.error("a path or --corpus is needed")


if __name__ == "__main__":
    main()
