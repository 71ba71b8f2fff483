"""The real mail server of these tests."""

from collections.abc import Iterator

import pytest

from tests.servers import dovecot as dovecots

HOSTS = {"good.test": False, "old.test": True, "self.test": False}
USERS = {"umlaut": "pässwörd", "quote": 'quo"te\\s', "space": "two words", "brace": "{5}", "percent": "%d&:"}


@pytest.fixture(scope="session")
def dovecot() -> Iterator[dovecots.Dovecot]:
    """One Dovecot for all, with TLS and a certificate for each of HOSTS; take a mailbox of your own with `add_user`."""
    if not dovecots.available():
        pytest.skip("no dovecot here")
    with dovecots.Dovecot(USERS, tls=True, hosts=HOSTS) as server:
        yield server
