"""A process that does not outlive the one that looks after it."""

import ctypes
import logging
import os
import signal

log = logging.getLogger(__name__)
PR_SET_PDEATHSIG = 1
CHILD = "MAILHELPER_CHILD_OF"       # the supervisor's process id, handed down by it


def die_with_parent(number: signal.Signals) -> None:
    """Have Linux send this signal when the parent is gone, however it went (prctl(2)); elsewhere, nothing."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    except (AttributeError, OSError):
        log.info("this system cannot end a process with its parent")


def follow_supervisor() -> None:
    """Under a supervisor, end with it: a port that is still held would keep the next one from starting."""
    supervisor = os.environ.pop(CHILD, "")
    if supervisor:
        die_with_parent(signal.SIGTERM)
        if os.getppid() != int(supervisor):     # it was gone before we asked
            raise SystemExit(1)
