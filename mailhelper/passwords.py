"""What makes a password too weak to guard somebody's mail."""

from functools import lru_cache
from pathlib import Path

from mailhelper.errors import Invalid
from mailhelper.text import fold

MIN_LENGTH = 12
PADDING = "0123456789!?._-"     # what people add to a common word to reach a length


def check(password: str, name: str) -> None:
    """Raises Invalid with field password: too short, too common, or made of the user's name."""
    if len(password) < MIN_LENGTH:
        raise Invalid(fields={"password": ("password_short", {"count": MIN_LENGTH})})
    folded = fold(password)
    core = folded.strip(PADDING)
    if len(set(password)) < 5 or folded in _common() or core in _common() or core.replace(name, "").strip(PADDING) == "":
        raise Invalid(fields={"password": "password_common"})


@lru_cache
def _common() -> frozenset[str]:
    path = Path(__file__).parent / "wordlists" / "passwords.txt"
    return frozenset(map(fold, path.read_text("utf-8").split()))
