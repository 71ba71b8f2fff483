"""Logs carry ids and places in the code; what an exception says may quote mail and stays out."""

import io
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from mailhelper import logs


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What setup() makes loggers write."""
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level, written = root.level, io.StringIO()
    for hook in (sys, "excepthook"), (threading, "excepthook"):
        monkeypatch.setattr(*hook, getattr(*hook))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", written)
        root.handlers[:] = []
        logs.setup("INFO")
    yield written
    root.handlers[:] = before
    root.setLevel(level)


SUBJECT = "diag" + "nosis"      # not as one word in the source, which a trace shows


def fail() -> None:
    try:
        raise KeyError(SUBJECT)
    except KeyError as error:
        raise ValueError(f"cannot store {SUBJECT}") from error


def test_an_exception_is_logged_by_its_type_and_place_alone(log: io.StringIO) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("mailhelper.test").exception("job %s failed", 5)
    text = log.getvalue()
    assert "job 5 failed" in text
    assert "ValueError" in text and "KeyError" in text and "in fail" in text
    assert SUBJECT not in text


def test_an_exception_that_nobody_caught_is_logged_the_same_way(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        raise ValueError(SUBJECT)

    thread = threading.Thread(target=work)
    monkeypatch.setattr(sys, "stderr", log)
    thread.start()
    thread.join()
    try:
        work()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    assert log.getvalue().count("CRITICAL") == 2
    assert SUBJECT not in log.getvalue()


def test_what_the_queue_sets_up_for_itself_is_undone(log: io.StringIO) -> None:
    logging.getLogger("huey").addHandler(logging.StreamHandler())
    logs.setup("INFO")
    assert logging.getLogger("huey").handlers == []
    assert not logging.getLogger("huey").isEnabledFor(logging.INFO)
