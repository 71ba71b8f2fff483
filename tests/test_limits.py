"""Counters in the database: windows, retry times, address blocks."""

import datetime as dt
import threading
from typing import Any

import pytest
from peewee import Database

from mailhelper import limits
from mailhelper.db import db as proxy
from mailhelper.db import now
from mailhelper.errors import Limited
from mailhelper.models import Throttle


def age(seconds: int) -> None:
    """Let that much time pass."""
    for row in Throttle.select():
        Throttle.update(until=row.until - dt.timedelta(seconds=seconds)).where(Throttle.bucket == row.bucket).execute()


def test_one_more_than_the_limit_is_refused_with_the_time_left(db: Database) -> None:
    for _ in range(3):
        limits.hit("calls", 3, 60)
    with pytest.raises(Limited) as refused:
        limits.hit("calls", 3, 60)
    assert 58 <= refused.value.retry_after <= 60
    assert refused.value.status == 429


def test_the_window_ends_with_its_first_use(db: Database) -> None:
    limits.hit("calls", 2, 60)
    age(50)
    limits.hit("calls", 2, 60)
    age(11)
    limits.hit("calls", 2, 60)
    limits.hit("calls", 2, 60)
    with pytest.raises(Limited):
        limits.hit("calls", 2, 60)


def test_the_last_allowed_attempt_starts_the_wait_anew(db: Database) -> None:
    limits.attempt("pair", 2, 900, "sign_in_locked")
    age(890)
    limits.attempt("pair", 2, 900, "sign_in_locked")
    age(890)
    with pytest.raises(Limited) as refused:
        limits.attempt("pair", 2, 900, "sign_in_locked")
    assert refused.value.code == "sign_in_locked" and refused.value.retry_after <= 10
    age(11)
    limits.attempt("pair", 2, 900, "sign_in_locked")


def test_trying_while_locked_does_not_lock_for_longer(db: Database) -> None:
    limits.attempt("pair", 1, 900, "sign_in_locked")
    for _ in range(3):
        age(200)
        with pytest.raises(Limited):
            limits.attempt("pair", 1, 900, "sign_in_locked")
    age(301)
    limits.attempt("pair", 1, 900, "sign_in_locked")


def test_counting_and_checking_are_apart(db: Database) -> None:
    limits.count("failures", 3600)
    limits.check("failures", 2, "sign_in_locked")
    limits.check("failures", 2, "sign_in_locked")
    limits.count("failures", 3600)
    with pytest.raises(Limited, match="sign_in_locked"):
        limits.check("failures", 2, "sign_in_locked")
    limits.clear("failures")
    limits.check("failures", 2, "sign_in_locked")


def test_buckets_do_not_mix_and_name_nobody(db: Database) -> None:
    limits.hit("sign-in:ann:192.0.2.0/24", 1, 60)
    limits.hit("sign-in:bob:192.0.2.0/24", 1, 60)
    assert not any("ann" in row.bucket or "192" in row.bucket for row in Throttle.select())


def test_windows_that_are_over_are_purged(db: Database) -> None:
    limits.hit("old", 5, 60)
    age(61)
    limits.hit("new", 5, 60)
    limits.purge()
    assert [row.until > now() for row in Throttle.select()] == [True]


def test_uses_at_the_same_moment_are_all_counted(db: Database) -> None:
    refused: list[Limited] = []
    barrier = threading.Barrier(6)

    def use() -> None:
        with proxy.connection_context():
            barrier.wait(5)
            try:
                limits.attempt("pair", 4, 60, "sign_in_locked")
            except Limited as error:
                refused.append(error)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(refused) == 2


@pytest.mark.parametrize("address,block", [
    ("192.0.2.77", "192.0.2.0/24"), ("::ffff:192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("fe80::1%eth0", "fe80::/64"),
    ("127.0.0.1", "127.0.0.0/24"), ("", ""), ("unix:", "unix:"),
])
def test_an_address_counts_with_its_network(address: str, block: Any) -> None:
    assert limits.block(address) == block
