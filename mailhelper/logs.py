"""What goes to the log: ids and places in the code, never the text of an exception, which may quote mail."""

import logging
import sys
import threading
import traceback
from types import TracebackType


class Formatter(logging.Formatter):
    """Exceptions are shown as their type and the frames they passed, without their message."""

    def formatException(self, ei: tuple[type[BaseException] | None, BaseException | None, TracebackType | None]) -> str:
        lines = []
        error = ei[1]
        while error is not None:
            lines.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nwhile handling\n".join(lines)


def setup(level: str) -> None:
    """Log to standard error, what nobody caught as well; whatever others set up for Huey's loggers, which would print exceptions whole, is undone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("huey").setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)     # it warns of each request that waits for a thread
    logging.getLogger("huey").handlers.clear()
    sys.excepthook = lambda kind, error, trace: _uncaught(error)
    threading.excepthook = lambda args: _uncaught(args.exc_value)


def _uncaught(error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        return
    logging.getLogger("mailhelper").critical("stopped by an error that nobody expected", exc_info=error)
