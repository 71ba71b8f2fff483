"""Proposals for the servers of an address."""

import pytest

from mailhelper import language
from mailhelper.mailhosts import BY_DOMAIN, propose


@pytest.mark.parametrize(("address", "imap", "smtp", "hint"), [
    ("a@gmail.com", ("imap.gmail.com", 993, "tls"), ("smtp.gmail.com", 465, "tls"), "app_password"),
    ("a@GMX.de", ("imap.gmx.net", 993, "tls"), ("mail.gmx.net", 465, "tls"), "enable_imap"),
    (" b@posteo.de ", ("posteo.de", 993, "tls"), ("posteo.de", 465, "tls"), ""),
    ("c@icloud.com", ("imap.mail.me.com", 993, "tls"), ("smtp.mail.me.com", 587, "starttls"), "app_password"),
    ("d@proton.me", ("127.0.0.1", 1143, "starttls"), ("127.0.0.1", 1025, "starttls"), "bridge"),
    ("e@my-club.example", ("imap.my-club.example", 993, "tls"), ("smtp.my-club.example", 465, "tls"), ""),
])  # fmt: skip
def test_servers_are_proposed(address: str, imap: tuple[str, int, str], smtp: tuple[str, int, str], hint: str) -> None:
    proposal = propose(address)
    assert tuple(proposal["imap"].values()) == imap
    assert tuple(proposal["smtp"].values()) == smtp
    assert proposal.get("hint", "") == hint


def test_a_domain_that_only_ends_like_a_provider_is_not_that_provider() -> None:
    assert propose("a@notgmail.com")["imap"]["host"] == "imap.notgmail.com"
    assert propose("gmail.com@evil.example")["imap"]["host"] == "imap.evil.example"


def test_no_proposal_is_without_encryption_and_every_hint_has_its_words() -> None:
    for domain in BY_DOMAIN:
        proposal = propose(f"a@{domain}")
        assert {proposal["imap"]["security"], proposal["smtp"]["security"]} <= {"tls", "starttls"}
        if hint := proposal.get("hint"):
            assert all(language.t(lang, f"provider.{hint}") for lang in language.LANGUAGES)
