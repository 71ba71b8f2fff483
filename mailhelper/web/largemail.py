"""Fetching a file of a large mail, which the sync left on the server."""

from typing import Any

from mailhelper import largemail
from mailhelper.language import t
from mailhelper.scope import Scope
from mailhelper.web import form
from mailhelper.web.routing import accepted, count_start, lang


def fetch(scope: Scope, id: int, number: int) -> Any:
    """Form or script: start the job."""
    form.body(set())
    count_start(scope)
    return accepted(largemail.start(scope, id, number), t(lang(), "job.message.queued"))
