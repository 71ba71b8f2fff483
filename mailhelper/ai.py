"""Asks any OpenAI-compatible server: answers that fit a schema, lists of models, embeddings; and says where a server is."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mailhelper import aireply, errors
from mailhelper.aireply import Misfit, Reply, ServerSaid
from mailhelper.egress import Door, effective, is_local

# How a server is told the form of the answer, best first; it steps down where it is refused.
FORMS = ("json_schema", "json_schema_object", "json_object", "text")
# What some servers do not know, and say so in their refusal: asked again without it.
OPTIONS = {
    "max_tokens": ("max_tokens", "max_completion_tokens"), "temperature": ("temperature",), "stream_options": ("stream_options", "include_usage"),
    "system": ("system role", "role system", "roles must alternate", "'system'"),
}
STEP_DOWN = {400, 415, 422, 500, 501}
TOO_LONG = ("context length", "context_length", "context window", "context size", "maximum context", "too many tokens", "prompt is too long",
            "exceed the available", "exceeds the available", "exceed context")
NO_CREDIT = ("insufficient_quota", "insufficient quota", "insufficient balance", "insufficient credit", "credit balance", "billing")
NO_MODEL = ("model_not_found", "no such model", "unknown model", "invalid model", "model not found", "does not exist", "not found, try pulling")
BAD_KEY = ("api key not valid", "invalid api key", "invalid_api_key", "incorrect api key")
LONGEST_WAIT = 3600         # seconds of Retry-After that are believed
LONGEST_TOLD = 1000         # characters of a string that a grammar may be told to count
QUOTED = 4000               # characters of a wrong answer that the model is shown again


@dataclass(frozen=True)
class Endpoint:
    """A server: its base URL (…/v1), its key or "", and the seconds that one question may take in all."""
    base_url: str
    key: str = ""
    timeout: float = 120.0

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""


@dataclass(frozen=True)
class Answer:
    """Data that fits the schema.  `mode`: what worked, to be given to the next `ask` of the same model; the counts are the server's or estimates."""
    data: dict[str, Any]
    model: str
    tokens_in: int
    tokens_out: int
    mode: str


@dataclass
class Meter:
    """Counts what was spent, also when the question fails in the end."""
    tokens_in: int = 0
    tokens_out: int = 0
    calls: int = 0


class Mode(NamedTuple):
    """How a model is asked: the form, and the options that it does not know.  Written as words: "json_schema -temperature"."""
    form: str
    without: tuple[str, ...] = ()

    @classmethod
    def read(cls, words: str) -> "Mode":
        form, *without = words.split() or [FORMS[0]]
        known = tuple(word[1:] for word in without if word[1:] in OPTIONS)
        return cls(form if form in FORMS else FORMS[0], known)

    def __str__(self) -> str:
        return " ".join([self.form, *(f"-{option}" for option in self.without)])

    def after(self, said: ServerSaid) -> "Mode | None":
        """How to ask next after this refusal; None when there is no other way, or it was not about the way."""
        if said.status not in STEP_DOWN:
            return None
        for option, signs in OPTIONS.items():
            if option not in self.without and any(sign in said.message for sign in signs):
                return Mode(self.form, (*self.without, option))
        return self.lower()

    def lower(self) -> "Mode | None":
        below = FORMS[FORMS.index(self.form) + 1:]
        return Mode(below[0], self.without) if below else None


def ask(door: Door, endpoint: Endpoint, model: str, messages: Iterable[dict[str, str]], schema: dict[str, Any], *, mode: str = "",
        max_tokens: int = 1000, check: Callable[[], None], meter: Meter | None = None) -> Answer:
    """An answer that fits the schema, after at most one repair round; see aireply.KEYWORDS for what a schema may say.

    `check` is called at least every second, also while the server is silent, and ends everything by raising.
    Raises Busy (with retry_after), Unreachable, BadLogin, BadCertificate, Refused, or Error: bad_answer, ai_cut_off, ai_endless, ai_prompt_cut.
    """
    question = _Question(door, endpoint, model, schema, max_tokens, check, meter or Meter(), time.monotonic() + endpoint.timeout)
    prompt = list(messages)
    with _explained(endpoint, model):
        reply, used = _stepping_down(question, prompt, Mode.read(mode))
        try:
            data = _judged(reply, question)
        except Misfit as misfit:
            repair = [{"role": "assistant", "content": reply.text[:QUOTED] or "{}"},
                      {"role": "user", "content": f"That is not what was asked for: {misfit}. Answer again, with the JSON object alone."}]
            if used.form == FORMS[0]:
                used = Mode(FORMS[1], used.without)     # the server did not hold its model to the schema: put it into the prompt
            data = _judged(_put(question, prompt + repair, used), question)
    return Answer(data, model, question.meter.tokens_in, question.meter.tokens_out, str(used))


def models(door: Door, endpoint: Endpoint, check: Callable[[], None] = lambda: None) -> list[str]:
    """The names of the models that a server has, sorted.  Raises as `ask`."""
    listed = _simple(door, endpoint, check, lambda client: client.models.with_raw_response.list())
    found = listed.get("data", listed.get("models")) if isinstance(listed, dict) else listed
    if not isinstance(found, list):
        raise errors.Refused("ai_not_ai", host=endpoint.host)
    names = {one.get("id", one.get("name")) for one in found if isinstance(one, dict)}
    return sorted(name for name in names if isinstance(name, str) and name)[:1000]


def embed(door: Door, endpoint: Endpoint, model: str, texts: list[str], check: Callable[[], None] = lambda: None,
          meter: Meter | None = None) -> list[list[float]]:
    """A vector for each text.  Raises as `ask`; Error("bad_answer") when the server sends anything but that."""
    asked = {"model": model, "input": texts, "encoding_format": "float"}
    body = _simple(door, endpoint, check, lambda client: client.embeddings.with_raw_response.create(**asked), model)
    if meter:
        meter.calls, meter.tokens_in = meter.calls + 1, meter.tokens_in + sum(map(aireply.tokens, texts))
    try:
        rows = sorted(body["data"], key=lambda row: row["index"])
        vectors = [[float(number) for number in row["embedding"]] for row in rows]
    except (KeyError, TypeError, ValueError):
        raise errors.Error("bad_answer") from None
    if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1 or not all(vectors):
        raise errors.Error("bad_answer")
    return vectors


def where(addresses: Iterable[str]) -> str:
    """"machine", "lan" or "cloud", by all addresses that a host has: one of them outside makes it a cloud."""
    found = [effective(address) for address in addresses]
    if not found or not all(is_local(address) for address in found):
        return "cloud"
    return "machine" if all(address.is_loopback for address in found) else "lan"


class _Question(NamedTuple):
    door: Door
    endpoint: Endpoint
    model: str
    schema: dict[str, Any]
    max_tokens: int
    check: Callable[[], None]
    meter: Meter
    deadline: float


def _stepping_down(question: _Question, prompt: list[dict[str, str]], mode: Mode) -> tuple[Reply, Mode]:
    """The first reply that has any text in it, and how it was got.  Raises ServerSaid."""
    while True:
        following: Mode | None = None
        try:
            reply = _put(question, prompt, mode)
            if reply.text.strip() or reply.finish == "length" or not reply.ended:
                return reply, mode
            following = mode.lower()
            if following is None:
                raise errors.Error("ai_silent")
        except ServerSaid as said:
            following = None if _is_final(said) else mode.after(said)
            if following is None:
                raise
        mode = following


def _put(question: _Question, prompt: list[dict[str, str]], mode: Mode) -> Reply:
    """Ask once.  Raises ServerSaid."""
    from mailhelper import aiwire
    asked, wire = _request(question, prompt, mode), aiwire.Wire(question.door, question.deadline)

    def work(client: Any) -> Reply:
        # The library's own stream reader believes what a server sends: types, encoding, content type.
        try:
            with client.chat.completions.with_streaming_response.create(**asked) as response:
                return aireply.read(response.iter_bytes(), wire.hurry)
        except aiwire.openai.APIStatusError as error:
            raise _status(error) from None

    try:
        reply = aiwire.attend(wire, question.endpoint.base_url, question.endpoint.key, question.check, work)
    except ServerSaid:
        raise
    except BaseException:
        if wire.sent:
            _count(question.meter, Reply(), asked["messages"])      # the server may have worked, and will charge for it
        raise
    _count(question.meter, reply, asked["messages"])
    if reply.tokens_in is not None and reply.tokens_in < 0.8 * aireply.words(asked["messages"]):
        raise errors.Error("ai_prompt_cut")     # some servers cut what does not fit, or drop the system message, without a word
    if reply.refusal or reply.finish == "content_filter":
        raise errors.Refused("ai_declined")
    return reply


def _request(question: _Question, prompt: list[dict[str, str]], mode: Mode) -> dict[str, Any]:
    """The request in this mode."""
    schema = question.schema
    forms: dict[str, dict[str, Any]] = {
        "json_schema": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": _bounded(schema, 0)}},
        "json_schema_object": {"type": "json_object", "schema": _bounded(schema, LONGEST_TOLD)}, "json_object": {"type": "json_object"},
    }
    messages = prompt if mode.form == "json_schema" else _with_schema(prompt, schema)
    asked: dict[str, Any] = {"model": question.model, "stream": True, "messages": _without_system(messages) if "system" in mode.without else messages}
    asked["max_completion_tokens" if "max_tokens" in mode.without else "max_tokens"] = question.max_tokens
    if "temperature" not in mode.without:
        asked["temperature"] = 0
    if "stream_options" not in mode.without and mode.form != "text":
        asked["stream_options"] = {"include_usage": True}
    return asked | ({"response_format": forms[mode.form]} if mode.form in forms else {})


def _bounded(schema: Any, longest: int) -> Any:
    """The schema without the lengths of strings above `longest`: OpenAI knows none at all, and llama.cpp dies of long ones."""
    if isinstance(schema, dict):
        return {name: _bounded(part, longest) for name, part in schema.items()
                if name not in ("minLength", "maxLength") or not isinstance(part, int) or part <= longest}
    return [_bounded(part, longest) for part in schema] if isinstance(schema, list) else schema


def _with_schema(prompt: list[dict[str, str]], schema: dict[str, Any]) -> list[dict[str, str]]:
    words = f"Answer with one JSON object and nothing else. It must fit this JSON schema: {json.dumps(schema, ensure_ascii=False)}"
    if prompt and prompt[0]["role"] == "system":
        return [{"role": "system", "content": f"{prompt[0]['content']}\n\n{words}"}, *prompt[1:]]
    return [{"role": "system", "content": words}, *prompt]


def _without_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """For chat templates that know no system role: its words open the first message of the user."""
    if len(messages) < 2 or messages[0]["role"] != "system":
        return messages
    return [{"role": messages[1]["role"], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}, *messages[2:]]


def _judged(reply: Reply, question: _Question) -> dict[str, Any]:
    """What the reply says, if it fits.  Raises Misfit, or the Error that explains why it cannot."""
    try:
        return aireply.fitting(reply.text, question.schema)
    except Misfit:
        if not reply.ended:
            raise errors.Unreachable("connection_lost") from None
        if reply.finish == "length":
            raise errors.Error("ai_cut_off", count=question.max_tokens) from None
        raise


def _count(meter: Meter, reply: Reply, messages: list[dict[str, str]]) -> None:
    meter.calls += 1
    meter.tokens_in += reply.tokens_in or sum(aireply.tokens(message["content"]) for message in messages)
    meter.tokens_out += reply.tokens_out or aireply.tokens(reply.text)


def _simple(door: Door, endpoint: Endpoint, check: Callable[[], None], call: Callable[[Any], Any], model: str = "") -> Any:
    """The JSON that a call answers with."""
    from mailhelper import aiwire

    def work(client: Any) -> Any:
        try:
            return aireply.parse(call(client).content)
        except aiwire.openai.APIStatusError as error:
            raise _status(error) from None

    with _explained(endpoint, model):
        return aiwire.attend(aiwire.Wire(door, time.monotonic() + endpoint.timeout), endpoint.base_url, endpoint.key, check, work)


@contextmanager
def _explained(endpoint: Endpoint, model: str) -> Iterator[None]:
    """Failures leave as errors of ours whose sentences can name the server."""
    try:
        yield
    except errors.Error as error:
        failure = error
    except Misfit:
        failure = errors.Error("bad_answer")
    except ServerSaid as said:
        failure = _translated(said, model)
    else:
        return
    failure.params = {"host": endpoint.host, "seconds": round(endpoint.timeout), **failure.params}
    raise failure from None


def _status(error: Any) -> ServerSaid:
    """What an answer says whose HTTP status is no success."""
    body = error.response.content[:20_000].decode("utf-8", "replace")
    return ServerSaid(error.status_code, body, error.response.headers.get("retry-after", ""))


def _is_final(said: ServerSaid) -> bool:
    """Whether asking in another way cannot help."""
    return any(sign in said.message for sign in (*TOO_LONG, *NO_CREDIT, *NO_MODEL, *BAD_KEY))


def _translated(said: ServerSaid, model: str) -> errors.Error:
    """The failure of ours that a server's own words mean; its words themselves may quote the prompt, and stay here."""
    def about(*signs: str) -> bool:
        return any(sign in said.message for sign in signs)

    if said.status < 400:
        return errors.Refused("ai_redirected")      # not followed: the key and the mail would go where nobody sent them
    if said.status == 402 or about(*NO_CREDIT):
        return errors.Refused("ai_no_credit")
    if said.status in (401, 403, 407) or about(*BAD_KEY):
        return errors.BadLogin("ai_key_refused")
    if said.status in (429, 503, 529):
        return errors.Busy("ai_busy", retry_after=_seconds(said.retry_after))
    if said.status == 413 or about(*TOO_LONG):
        return errors.Refused("ai_too_long")
    if about(*NO_MODEL) or said.status == 404 and about("model"):
        return errors.Refused("ai_no_such_model", model=model)
    if said.status in (404, 405, 410):
        return errors.Refused("ai_not_found")
    if said.status >= 500 or said.status in (408, 409, 425):
        return errors.Unreachable("ai_server_failed", number=said.status)
    return errors.Refused("ai_request_refused", number=said.status)


def _seconds(retry_after: str) -> int:
    """Retry-After (RFC 9110 §10.2.3): seconds or a date; 0 where it says nothing useful."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0
    return round(min(max(seconds, 0), LONGEST_WAIT)) if seconds == seconds else 0
