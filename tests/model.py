"""A model for tests: the scripted AI server, answering as a sensible model would, and a provider that points at it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mailhelper import providers
from mailhelper.models import Account
from mailhelper.providers import Provider
from mailhelper.scope import Scope
from tests.servers.scripted_ai import Request, Server, Step, Talk, serving, stream

RATING: dict[str, Any] = {
    "reasons": ["asks to “sign the contract by Friday”"], "urgency": 2, "importance": 3, "category": "action_required", "kind": "person",
    "spam": False, "needs_reply": True, "summary": "Miriam wants the contract signed by Friday.", "suggested_tags": ["contract"], "confidence": 0.9}
SUGGESTIONS = ["Sign the contract.", "Send it back by Friday."]
DRAFT = "Dear Miriam,\n\nthank you. I will sign it on [date].\n\nBest regards"


ENTWURF = "Guten Tag\n\nvielen Dank. Ich werde ihn am [Datum] unterschreiben.\n\nFreundliche Grüße"


def rated(**changes: Any) -> Step:
    """A rating, or a draft where one is asked for."""
    def step(talk: Talk) -> None:
        stream(json.dumps(answer(talk.request, **changes)), usage=None)(talk)
    return step


def answer(request: Request, **changes: Any) -> dict[str, Any]:
    wanted = json.dumps(request.body)
    if "draft" in wanted and "suggested_tags" not in wanted:
        return {"draft": changes.get("draft", ENTWURF if "now, in German" in wanted else DRAFT)}
    more = {"suggestions": SUGGESTIONS} if '"suggestions' in wanted.replace("\\", "") else {}
    return RATING | more | {name: value for name, value in changes.items() if name != "draft"}


@contextmanager
def model(scope: Scope, *steps: Step, mode: str = "llm_original", **fields: Any) -> Iterator[tuple[Server, Provider]]:
    """A server of these steps, a provider of the user that points at it, and mailboxes that allow it."""
    with serving(*(steps or (rated(),))) as server:
        scope.update(Account, mode=mode).execute()
        values = {"name": "Box", "base_url": server.url, "base_model": "base-70b", "optimize_model": "strong-400b", **fields}
        yield server, providers.create(scope, values)
