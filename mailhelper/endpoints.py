"""What an AI server is to us, and what a person may enter as one: presets, cleaned addresses, checked fields."""

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from mailhelper import ai
from mailhelper.errors import Invalid

DETAIL = ("name", "base_url", "api_key", "base_model", "optimize_model", "embedding_model", "prices")
FIELDS = (*DETAIL, "local", "timeout", "offered", "budget")
LONGEST = {"name": 50, "base_model": 90, "optimize_model": 90, "embedding_model": 90}      # a rating names its model in 100 characters
BOUNDS = {"timeout": (5, 3600), "budget": (0, 1_000_000_000)}


class Preset(NamedTuple):
    """A server that many have: what to fill in."""
    name: str
    base_url: str
    local: bool


PRESETS = {
    "ollama": Preset("Ollama", "http://127.0.0.1:11434/v1", True), "llamacpp": Preset("llama.cpp", "http://127.0.0.1:8080/v1", True),
    "lmstudio": Preset("LM Studio", "http://127.0.0.1:1234/v1", True), "vllm": Preset("vLLM", "http://127.0.0.1:8000/v1", True),
    "openai": Preset("OpenAI", "https://api.openai.com/v1", False), "mistral": Preset("Mistral", "https://api.mistral.ai/v1", False),
    "anthropic": Preset("Anthropic", "https://api.anthropic.com/v1", False),
}


@dataclass(frozen=True)
class Provider:
    """An AI server, opened.  `mine`: the user's own; otherwise one that an administrator offers.  `budget`: tokens a day for the others."""
    name: str = ""
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    base_model: str = ""
    optimize_model: str = ""
    embedding_model: str = ""
    prices: dict[str, dict[str, float]] = field(default_factory=dict)
    local: bool = False
    timeout: int = 120
    offered: bool = False
    budget: int = 0
    id: int = 0
    mine: bool = True
    base_mode: str = ""
    optimize_mode: str = ""
    error: str | None = None
    created_at: datetime | None = None

    def model(self, purpose: str) -> str:
        """The model for base, reply, optimize, embed; optimize falls back to the base model."""
        if purpose == "embed":
            return self.embedding_model
        return self.optimize_model or self.base_model if purpose == "optimize" else self.base_model

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    def endpoint(self, seconds: int = 0) -> ai.Endpoint:
        return ai.Endpoint(self.base_url, self.api_key, min(self.timeout, seconds or self.timeout))

    def remembers(self, purpose: str) -> str:
        """The column that keeps how the purpose's model answers."""
        return "optimize_mode" if self.model(purpose) == self.optimize_model != self.base_model else "base_mode"


def checked(values: Mapping[str, Any], old: Provider | None, admin: bool) -> dict[str, Any]:
    """All fields: `values` over those of `old`.  Raises Invalid with the wrong ones.

    The key belongs to the host it was given for: where the address changes, it is dropped unless it comes anew.
    """
    wrong: dict[str, Any] = {name: "unknown_field" for name in values if name not in FIELDS}
    base = old or Provider()
    merged = {name: getattr(base, name) for name in FIELDS} | {name: value for name, value in values.items() if name in FIELDS and value is not None}
    for name, most in LONGEST.items():
        merged[name] = _text(name, merged[name], most, name in ("name", "base_model"), wrong)
    merged["base_url"] = _address(merged["base_url"], wrong)
    if old and origin(merged["base_url"]) != origin(old.base_url) and not values.get("api_key"):
        merged["api_key"] = ""
    if not _is_key(merged["api_key"]):
        wrong["api_key"] = "bad_key"
    for name in ("local", "offered"):
        if not isinstance(merged[name], bool):
            wrong[name] = "not_a_boolean"
    if merged["offered"] is True and not admin:
        wrong["offered"] = "not_admin"
    for name, (low, high) in BOUNDS.items():
        if isinstance(merged[name], bool) or not isinstance(merged[name], int) or not low <= merged[name] <= high:
            wrong[name] = ("out_of_range", {"low": low, "high": high})
    if not _are_prices(merged["prices"]):
        wrong["prices"] = "bad_prices"
    if wrong:
        raise Invalid(fields=wrong)
    return merged


def origin(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) that a key was given for."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", port(parts)


def port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _text(name: str, value: Any, most: int, needed: bool, wrong: dict[str, Any]) -> str:
    if not isinstance(value, str) or needed and not value.strip() or not value.isprintable():
        wrong.setdefault(name, "missing")
        return ""
    if len(value.strip()) > most:
        wrong[name] = ("too_long", {"count": most})
    return value.strip()


def _address(value: Any, wrong: dict[str, Any]) -> str:
    """The base URL in one form: lower-case ASCII host, no slash at the end.  Nothing but scheme, host, port and path may be in it."""
    try:
        parts = urlsplit(str(value).strip())
        host = _host(parts.hostname or "")
        number = f":{parts.port}" if parts.port is not None else ""
        if parts.scheme not in ("http", "https") or parts.username or parts.password or parts.query or parts.fragment or not parts.path.isprintable():
            raise ValueError("not the base address of a server")
    except ValueError:
        wrong["base_url"] = "bad_url"
        return ""
    return f"{parts.scheme}://{host}{number}{parts.path.rstrip('/')}"[:300]


def _host(name: str) -> str:
    """A host as it stands in a URL.  Raises ValueError."""
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name)}]"
    plain = name.encode("idna").decode().lower()
    if not plain or not all(char.isalnum() or char in "-._" for char in plain):
        raise ValueError("not a host name")
    return plain


def _is_key(value: Any) -> bool:
    """Whether it can stand in a header."""
    return isinstance(value, str) and len(value) <= 500 and value.isascii() and value.isprintable() and " " not in value


def _are_prices(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= 20 and all(
        isinstance(price, dict) and price.keys() <= {"in", "out"} and all(map(_is_price, price.values())) for price in value.values())


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1_000_000
