"""What makes a password too weak."""

from typing import Any

import pytest

from mailhelper import passwords
from mailhelper.errors import Invalid


def refusal(password: str, name: str = "ann") -> Any:
    with pytest.raises(Invalid) as refused:
        passwords.check(password, name)
    return refused.value.fields["password"]


@pytest.mark.parametrize("password", ["correct horse, wrong stable", "xq7-Lampe-frisst", "vierzehn Möwen", "a b c d e f g h"])
def test_a_sentence_of_ones_own_is_taken(password: str) -> None:
    passwords.check(password, "ann")


@pytest.mark.parametrize("password", ["", "elevenchars", "ä" * 11])
def test_less_than_twelve_characters_are_too_few(password: str) -> None:
    assert refusal(password) == ("password_short", {"count": 12})


@pytest.mark.parametrize("password", [
    "123456789012", "Password1234", "passwordpassword", "PASSWORD!!!!", "!!password2026!!", "administrator", "asdfghjklö12",
    "aaaaaaaaaaaaa", "abababababab",
])
def test_common_words_with_padding_are_too_easy(password: str) -> None:
    assert refusal(password) == "password_common"


def test_the_own_name_with_padding_is_too_easy() -> None:
    assert refusal("Annemarie-2026!", "annemarie") == "password_common"
    passwords.check("Annemarie-2026!", "bob")


def test_long_passwords_are_taken_whole() -> None:
    passwords.check("correct horse, wrong stable " * 100, "ann")
