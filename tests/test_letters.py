"""218 labelled letters in English and German, written for the project: what the rater makes of them as a whole.

They came in three rounds, each unseen when it was written and learned from afterwards: what is asserted keeps, it does not foretell.
The labels are those of `tests.bench.triage`.  Single letters may be rated otherwise; two careful people do not agree on all of them either.
"""
import json
from pathlib import Path

import pytest

from mailhelper import triage
from tests.bench.triage import answer, built

ROWS = [json.loads(line) for line in Path(__file__).with_name("letters.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def rated() -> list[tuple[str, bool, triage.Rating]]:
    """(label, whether it is phishing, rating) of each letter."""
    return [(row["category"], row["is_phishing"], triage.builtin(*built(row))) for row in ROWS]


def share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


def test_most_letters_are_rated_as_people_would(rated: list[tuple[str, bool, triage.Rating]]) -> None:
    assert share([answer(rating) == label for label, _, rating in rated if label != "PERSONAL"]) >= 0.9
    assert share([rating.urgency == 3 for label, _, rating in rated if label == "URGENT"]) >= 0.87


def test_few_calm_letters_are_raised(rated: list[tuple[str, bool, triage.Rating]]) -> None:
    assert share([rating.urgency == 3 for label, _, rating in rated if label in ("FYI", "PROMOTIONAL", "PERSONAL")]) <= 0.04


def test_fraud_is_recognised_and_honest_letters_are_not_accused(rated: list[tuple[str, bool, triage.Rating]]) -> None:
    assert share([rating.spam for _, bad, rating in rated if bad]) >= 0.8
    assert share([rating.spam for label, bad, rating in rated if not bad and label != "PROMOTIONAL"]) <= 0.02
    assert share([rating.spam for _, bad, rating in rated if not bad]) <= 0.05


def test_family_and_friends_are_no_advertising(rated: list[tuple[str, bool, triage.Rating]]) -> None:
    assert [rating.kind for label, _, rating in rated if label == "PERSONAL" and rating.kind in triage.UNWANTED] == []
