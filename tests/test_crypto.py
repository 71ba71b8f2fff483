"""Keys and ciphertext: what is sealed opens with its key and for its column only."""

import time

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailhelper import crypto
from mailhelper.crypto import BadKey, Vault

KEY, OTHER = crypto.derive(b"one", "test"), crypto.derive(b"two", "test")


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "SCRYPT", (2 ** 4, 8, 1))


@pytest.mark.parametrize("data", [b"", b"x", b"words " * 1000, bytes(range(256)) * 10])
def test_what_is_sealed_can_be_opened(data: bytes) -> None:
    vault = Vault(KEY)
    assert vault.open(vault.seal(data, b"mail.head"), b"mail.head") == data


def test_the_same_text_never_looks_the_same() -> None:
    vault = Vault(KEY)
    assert vault.seal(b"text", b"a") != vault.seal(b"text", b"a")


def test_long_text_is_deflated_before_it_is_sealed() -> None:
    assert len(Vault(KEY).seal(b"words " * 1000, b"a")) < 200


def test_another_users_key_opens_nothing() -> None:
    with pytest.raises(BadKey):
        Vault(OTHER).open(Vault(KEY).seal(b"text", b"a"), b"a")


def test_a_value_moved_to_another_column_does_not_open() -> None:
    with pytest.raises(BadKey):
        Vault(KEY).open(Vault(KEY).seal(b"text", b"mail.head"), b"raw.data")


@pytest.mark.parametrize("place", [0, 5, 20, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    blob = bytearray(Vault(KEY).seal(b"some text that is long enough", b"a"))
    blob[place] ^= 3        # also turns the format byte into the other one
    with pytest.raises(BadKey):
        Vault(KEY).open(bytes(blob), b"a")


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x01short", b"\x09" + bytes(40)])
def test_what_is_no_sealed_value_is_a_bad_key(blob: bytes) -> None:
    with pytest.raises(BadKey):
        Vault(KEY).open(blob, b"a")


def test_the_keys_for_text_lookup_and_search_differ() -> None:
    vault = Vault(KEY)
    assert len({KEY, crypto.derive(KEY, "text"), crypto.derive(KEY, "lookup"), vault.search_key}) == 4
    with pytest.raises(BadKey):
        crypto.unseal(AESGCM(vault.search_key), vault.seal(b"text", b"a"), b"a")


def test_lookups_are_keyed_and_of_one_kind() -> None:
    address = "miriam@work.example"
    assert Vault(KEY).lookup("address", address) == Vault(KEY).lookup("address", address)
    assert len({Vault(KEY).lookup("address", address), Vault(KEY).lookup("folder", address), Vault(OTHER).lookup("address", address)}) == 3


def test_a_lookup_takes_text_that_is_no_valid_unicode() -> None:
    assert len(Vault(KEY).lookup("folder", "\udc80")) == 16


def test_a_wrapped_key_opens_with_its_secret_and_for_its_purpose_only() -> None:
    blob = crypto.wrap(b"secret", KEY, "grant:1:api")
    assert crypto.unwrap(b"secret", blob, "grant:1:api") == KEY
    for secret, about in ((b"Secret", "grant:1:api"), (b"secret", "grant:2:api"), (b"secret", "grant:1:session")):
        with pytest.raises(BadKey):
            crypto.unwrap(secret, blob, about)


def test_a_password_opens_what_it_wrapped(cheap: None) -> None:
    wrapped = crypto.wrap_by_password("correct horse, wrong stable", KEY)
    assert crypto.unwrap_by_password("correct horse, wrong stable", wrapped) == KEY
    with pytest.raises(BadKey):
        crypto.unwrap_by_password("correct horse, wrong table", wrapped)


def test_no_password_is_cut_short(cheap: None) -> None:
    wrapped = crypto.wrap_by_password("ä" * 500 + "a", KEY)
    with pytest.raises(BadKey):
        crypto.unwrap_by_password("ä" * 500 + "b", wrapped)


def test_old_keys_open_after_the_parameters_were_raised(cheap: None, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = crypto.wrap_by_password("password", KEY)
    monkeypatch.setattr(crypto, "SCRYPT", (2 ** 5, 8, 1))
    assert crypto.unwrap_by_password("password", wrapped) == KEY


def test_the_parameters_are_those_that_owasp_asks_for() -> None:
    began = time.monotonic()
    wrapped = crypto.wrap_by_password("password", KEY)
    assert wrapped.startswith("scrypt$32768$8$3$")
    assert time.monotonic() - began > 0.05      # it does what it says
