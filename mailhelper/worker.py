"""The worker: what `huey_consumer mailhelper.worker.huey` loads.  Knows all kinds of jobs, and starts the periodic ones."""

import os
import signal

from huey import crontab

from mailhelper import (
    acts,
    ageing,
    batch,
    db,
    habits,
    importer,
    judge,
    largemail,
    limits,
    logs,
    outbox,
    preview,
    queue,
    removal,
    replies,
    runner,
    sync,
)
from mailhelper.config import config
from mailhelper.db import db as database
from mailhelper.process import die_with_parent
from mailhelper.queue import huey
from mailhelper.scope import purge_grants

# Imported for the job kinds they register.
__all__ = ["acts", "batch", "huey", "importer", "judge", "largemail", "outbox", "preview", "replies", "sync"]


logs.setup(config.log_level)
db.connect(config.database)
queue.prepare()


def newborn() -> None:
    """In each process that the consumer forks, its scheduler too: die with it, share no connection with it, log as we do."""
    die_with_parent(signal.SIGKILL)
    database.obj.dispose()
    logs.setup(config.log_level)


os.register_at_fork(after_in_child=newborn)


@huey.on_startup()
def begin() -> None:
    """In each worker process: look at once for jobs that a killed one left behind."""
    sweep.call_local()


@huey.periodic_task(crontab(), priority=100, name="sweep")
def sweep() -> None:
    """Every minute: jobs whose worker died, jobs whose message was lost."""
    queue.here(queue.WORKER)
    with database.connection_context():
        runner.sweep()


@huey.periodic_task(crontab(), name="sync_due")
def sync_due() -> None:
    """Every minute: mailboxes whose owner wants them fetched while signed out, when their time has come."""
    with database.connection_context():
        sync.start_due()


@huey.periodic_task(crontab(minute="2"), name="age")
def age() -> None:
    """Every hour, since days begin at another one in each time zone: deadlines that have come near or passed."""
    with database.connection_context():
        ageing.run()


@huey.periodic_task(crontab(hour="3", minute="23"), name="scan_senders")
def scan_senders() -> None:
    """Every night: learn from the day's ratings how each sender's mail is usually rated."""
    with database.connection_context():
        habits.start_for_all("scan_sender_patterns")


@huey.periodic_task(crontab(day="1", hour="4", minute="23"), name="tidy_senders")
def tidy_senders() -> None:
    """Every month: forget what was learned of people who wrote once, long ago."""
    with database.connection_context():
        habits.start_for_all("cleanup_old_patterns")
        habits.start_for_all("get_pattern_statistics")


@huey.periodic_task(crontab(minute="7"), name="purge")
def purge() -> None:
    """Every hour: expired grants and counters, and what removed mailboxes have left over."""
    with database.connection_context():
        purge_grants()
        limits.purge()
        removal.finish()
