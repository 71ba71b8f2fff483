"""How alike a mail is to a tag: the numbers that decide what is suggested, and what is put on by itself."""

import pytest

from mailhelper import likeness
from mailhelper.likeness import Likeness, Profile, Words, compare, in_common

CLUB = [{"club", "board", "training", word} for word in ("may", "june", "july", "august")]
OTHERS = [{"invoice", "total", word} for word in ("may", "june", "july", "august", "club")]


def words(*head: str, body: tuple[str, ...] = ()) -> Words:
    return Words(set(head), {*head, *body})


@pytest.mark.parametrize(("source", "suggested", "automatic"), [("learned", .75, .80), ("description", .50, .60), ("name", .35, .65)])
def test_the_thresholds(source: str, suggested: float, automatic: float) -> None:
    for value in (suggested, automatic):
        below = round(value - .01, 2)
        assert Likeness(value, source).is_suggested() and Likeness(below, source).is_suggested() == (below >= suggested)
    assert Likeness(automatic, source).is_automatic() and not Likeness(round(automatic - .01, 2), source).is_automatic()


def test_what_tagged_mails_share_and_others_lack_is_learned() -> None:
    learned = in_common(CLUB, OTHERS)
    assert learned.keys() == {"club", "board", "training"} and learned["board"] > learned["club"] > 0
    typical = Profile((), learned=learned, mails=4)
    assert compare(words("club", "board", "training"), typical) == Likeness(pytest.approx(1.0, abs=.001), "learned")
    assert compare(words("invoice", "total", "may"), typical).value == 0
    assert .35 < compare(words("club", "board"), typical).value < .75


def test_too_few_mails_teach_nothing_yet() -> None:
    learned = in_common(CLUB[:2], OTHERS)
    profile = Profile(("club",), learned=learned, mails=likeness.LEARNED_FROM - 1)
    assert compare(words("board", "training"), profile) == Likeness(0.0, "name")
    assert compare(words("board", "training"), profile._replace(mails=likeness.LEARNED_FROM)).source == "learned"


def test_name_and_description_count_whole_in_the_head_and_half_in_the_text() -> None:
    named = Profile(("club",))
    assert compare(words("club"), named) == Likeness(1.0, "name")
    assert compare(words(body=("club",)), named) == Likeness(.5, "name")
    assert compare(words("other"), named, named=True) == Likeness(1.0, "name")
    described = Profile(("club",), ("board", "training", "match", "fee"))
    assert compare(words("board", "training"), described) == Likeness(.5, "description")
    assert compare(words("club"), described) == Likeness(1.0, "description")
    assert compare(words(), Profile(())).value == 0


def test_refusals_lower_by_a_fifth_at_most() -> None:
    against = in_common([{"club", "lottery", "win"}], OTHERS)
    profile = Profile(("club",), refused=against)
    lowered = compare(words("club", "lottery", "win"), profile).value
    assert lowered == pytest.approx(1 - likeness.PENALTY, abs=.001)
    assert lowered < compare(words("club", "lottery"), profile).value < compare(words("club"), profile).value <= 1
    assert compare(words("lottery", "win"), profile).value == 0


def test_nothing_to_learn_from_is_no_failure() -> None:
    assert in_common([], []) == in_common([], OTHERS) == {} and in_common([set()], []) == {}
    assert compare(words("x"), Profile((), learned={}, mails=5)).value == 0
