"""Reads what an AI server answers: stream or whole, chatter around JSON, thoughts, wrong types; and holds it against a schema."""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mailhelper import errors, text

MAX_OBJECTS = 20        # beginnings of an object that are tried in one answer
EVENT_FIELDS = (b"data", b"event", b"id", b"retry", b"")        # before the colon of an event stream's line; "" is a comment (WHATWG HTML §9.2.6)
THOUGHTS = re.compile(r"<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)", re.S | re.I)
END_OF_THOUGHTS = re.compile(r"\A.*</(?:think|thinking|thought|reasoning)>", re.S | re.I)      # templates that open the thoughts themselves
WORD = re.compile(r"[^\W_]+")
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "null": (type(None),), "integer": (int,), "number": (int, float),
}
LIMITS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("enum", lambda value, allowed: value in allowed, "must be one of {}"),
    ("minimum", lambda value, low: value >= low, "must be at least {}"),
    ("maximum", lambda value, high: value <= high, "must be at most {}"),
    ("minLength", lambda value, least: len(value) >= least, "must have at least {} characters"),
    ("minItems", lambda value, least: len(value) >= least, "must have at least {} items"),
)
KEYWORDS = {"type", "properties", "required", "items", "additionalProperties", "title", "description", "maxLength", "maxItems",
            *(name for name, _, _ in LIMITS)}


class Misfit(Exception):
    """The answer is not what the schema asks for; the message tells the model what is wrong and quotes nothing of it."""


class ServerSaid(Exception):
    """The server answered with an error of its own: an HTTP status, or one inside an answer that began well."""

    def __init__(self, status: int, message: str, retry_after: str = "") -> None:
        super().__init__(status)
        self.status, self.message, self.retry_after = status, message.lower()[:2000], retry_after


@dataclass
class Reply:
    """What the model said.  `ended`: the server said that this is all; token counts are None where it did not say anything believable."""
    text: str = ""
    finish: str = ""
    refusal: bool = False
    ended: bool = False
    tokens_in: int | None = None
    tokens_out: int | None = None
    parts: list[str] = field(default_factory=list, repr=False)


def read(chunks: Iterator[bytes], finished: Callable[[], None]) -> Reply:
    """The reply in a response body, whatever its content type claims.

    `finished` is called when the model has ended: what comes then is counts, and not worth a long wait.
    Raises ServerSaid, Refused("ai_not_ai") for a web page, Unreachable: ai_garbled, or what the chunks raise.
    """
    reply, lines = Reply(), _lines(chunks)
    first = next((line for line in lines if line.strip()), b"").removeprefix(BOM_UTF8)
    if first and first.split(b":")[0] in EVENT_FIELDS:
        _read_events(reply, first, lines, finished)
    elif first:
        _take(reply, parse(b"\n".join([first, *lines])))
        reply.ended = True
    reply.text = "".join(reply.parts)
    return reply


def parse(data: bytes) -> Any:
    """The value of a JSON text.  Raises Unreachable("ai_garbled"), or Refused("ai_not_ai") for a web page."""
    if data.lstrip().startswith(b"<"):
        raise errors.Refused("ai_not_ai")
    try:
        return json.loads(text.decode(data)[0])
    except (ValueError, RecursionError):
        raise errors.Unreachable("ai_garbled") from None


def fitting(answer: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The first JSON object of an answer that fits the schema; fields that it does not name are dropped.  Raises Misfit."""
    misfit = Misfit("there is no JSON object in it")
    for found in _objects(END_OF_THOUGHTS.sub("", THOUGHTS.sub("", answer))):
        try:
            fitted: dict[str, Any] = fit(found, schema)
            return fitted
        except Misfit as error:
            misfit = error
    raise misfit


def fit(value: Any, schema: dict[str, Any], place: str = "the answer") -> Any:
    """The value as the schema (a subset of JSON Schema, see KEYWORDS) has it.  Raises Misfit."""
    if unknown := schema.keys() - KEYWORDS:
        raise ValueError(f"schema words that are not understood: {', '.join(unknown)}")
    value = _typed(value, schema, place)
    for name, holds, words in LIMITS:
        if name in schema and value is not None and not holds(value, schema[name]):
            raise Misfit(f"{place} {words.format(json.dumps(schema[name]))}")
    if isinstance(value, dict) and "properties" in schema:
        if missing := [name for name in schema.get("required", ()) if name not in value]:
            raise Misfit(f"{place} lacks {', '.join(missing)}")
        return {name: fit(value[name], part, name) for name, part in schema["properties"].items() if name in value}
    if isinstance(value, list) and "items" in schema:
        return [fit(item, schema["items"], f"an item of {place}") for item in value]
    return value


def words(messages: list[dict[str, str]]) -> int:
    """How many words a prompt has: no tokenizer needs fewer tokens than four fifths of that."""
    return sum(len(WORD.findall(message["content"])) for message in messages)


def tokens(content: str) -> int:
    """Roughly how many tokens a text is, rather too many: German costs more than English, and a word is at least one."""
    return max(len(content.encode("utf-8", "replace")) // 3, len(WORD.findall(content)))


def _typed(value: Any, schema: dict[str, Any], place: str) -> Any:
    names = schema.get("type", list(TYPES))
    names = [names] if isinstance(names, str) else names
    if isinstance(value, float) and value.is_integer() and "integer" in names:
        value = int(value)      # JSON Schema: 2.0 is an integer
    wanted = tuple(one for name in names for one in TYPES[name])
    if not isinstance(value, wanted) or isinstance(value, bool) and bool not in wanted:
        raise Misfit(f"{place} must be {' or '.join(names)}")
    if isinstance(value, str):      # what is too long is cut: no reason to ask again
        return text.visible(_encodable(value))[:schema.get("maxLength")]
    return value[:schema.get("maxItems")] if isinstance(value, list) else value


def _encodable(value: str) -> str:
    """A lone surrogate ("\\ud800" in JSON) is no character: no page could be sent with it."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _objects(answer: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, from left to right; what is around them is chatter."""
    decoder, at = json.JSONDecoder(parse_constant=_no_number), 0
    for _ in range(MAX_OBJECTS):
        at = answer.find("{", at)
        if at < 0:
            return
        try:
            found, at = decoder.raw_decode(answer, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        yield found


def _no_number(name: str) -> None:
    raise ValueError(name)      # NaN and Infinity are not JSON


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The body line by line, as it arrives."""
    waiting = bytearray()
    for chunk in chunks:
        looked = len(waiting)
        waiting += chunk
        while (end := waiting.find(b"\n", looked)) >= 0:
            yield bytes(waiting[:end]).rstrip(b"\r")
            del waiting[:end + 1]
            looked = 0
    if waiting:
        yield bytes(waiting)


def _read_events(reply: Reply, first: bytes, lines: Iterator[bytes], finished: Callable[[], None]) -> None:
    line: bytes | None = first
    try:
        while line is not None:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data == b"[DONE]":
                    reply.ended = True
                    return
                if data:
                    _take(reply, parse(data))
                if reply.finish and not reply.ended:
                    reply.ended = True
                    finished()
            line = next(lines, None)
    except errors.Unreachable:
        if not reply.ended:     # what broke off after the end of the answer is no loss
            raise


def _take(reply: Reply, event: Any) -> None:
    """Add one event of a stream, or a whole answer, whatever their types are."""
    if not isinstance(event, dict):
        raise errors.Unreachable("ai_garbled")
    if event.get("error"):
        raise _said(event["error"])
    if isinstance(usage := event.get("usage"), dict):
        reply.tokens_in, reply.tokens_out = (_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return
    if isinstance(choice.get("finish_reason"), str):
        reply.finish = choice["finish_reason"]
    said = choice.get("delta") or choice.get("message")
    if isinstance(said, dict):
        reply.parts.append(_content(said.get("content")))
        reply.refusal = reply.refusal or bool(said.get("refusal"))


def _content(content: Any) -> str:
    """Text, or a list of parts of which some are text."""
    if isinstance(content, list):
        return "".join(_content(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _count(value: Any) -> int | None:
    """A number of tokens that can be believed: no model reads or writes ten million at once."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 10_000_000 else None


def _said(error: Any) -> ServerSaid:
    error = error if isinstance(error, dict) else {"message": error}
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return ServerSaid(status, f"{error.get('message')} {code} {error.get('type')}")
