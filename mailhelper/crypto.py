"""Keys and ciphertext.  Knows bytes only: no users, no tables.

A sealed value is: format byte, 12 bytes nonce, AES-256-GCM ciphertext with tag.  The format byte tells whether the plaintext was
deflated first, and leaves room for later formats to be read beside these.
"""

import hashlib
import hmac
import os
import secrets
import threading
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PLAIN, DEFLATED = b"\x01", b"\x02"
WORTH_DEFLATING = 512       # bytes; below, zlib costs more than it saves
KEY_SIZE = 32
# OWASP's scrypt parameters for 32 MiB: a Raspberry Pi can afford two at a time.  They travel with each wrapped key, so they may be raised.
SCRYPT = (2 ** 15, 8, 3)
_hashing = threading.BoundedSemaphore(2)     # each hashing takes 32 MiB; a burst of sign-ins must not take them all


class BadKey(Exception):
    """The key does not open this value, or the value was tampered with."""


def derive(key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


def digest(secret: str) -> bytes:
    """SHA-256 of a random secret, for looking up its grant; useless for guessing since the secret has 256 bits."""
    return hashlib.sha256(secret.encode()).digest()


def seal(cipher: AESGCM, data: bytes, about: bytes) -> bytes:
    """Encrypt; `about` (what the value is: table and column) must be given again to open it."""
    form = PLAIN
    if len(data) > WORTH_DEFLATING:
        deflated = zlib.compress(data, 1)
        if len(deflated) < len(data):
            form, data = DEFLATED, deflated
    nonce = os.urandom(12)
    return form + nonce + cipher.encrypt(nonce, data, form + about)


def unseal(cipher: AESGCM, blob: bytes, about: bytes) -> bytes:
    """Decrypt.  Raises BadKey."""
    form = blob[:1]
    if form not in (PLAIN, DEFLATED):
        raise BadKey("unknown format")
    try:
        data = cipher.decrypt(blob[1:13], blob[13:], form + about)
    except (InvalidTag, ValueError):
        raise BadKey("wrong key or damaged value") from None
    return zlib.decompress(data) if form == DEFLATED else data


class Vault:
    """A user's data key, split by purpose.  Lives for one request or one job."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._text = AESGCM(derive(key, "text"))
        self._lookup = derive(key, "lookup")
        self.search_key = derive(key, "search")

    def seal(self, data: bytes, about: bytes) -> bytes:
        return seal(self._text, data, about)

    def open(self, blob: bytes, about: bytes) -> bytes:
        return unseal(self._text, blob, about)

    def lookup(self, kind: str, value: str) -> bytes:
        """Keyed hash (16 bytes) of something SQL must find without reading it: an address, a Message-ID, a folder name."""
        return hashlib.blake2b(f"{kind}\0{value}".encode("utf-8", "surrogatepass"), key=self._lookup, digest_size=16).digest()


def new_key() -> bytes:
    return secrets.token_bytes(KEY_SIZE)


def wrap(secret: bytes, key: bytes, about: str) -> bytes:
    """Wrap a data key by a secret that is itself a strong key."""
    return seal(AESGCM(derive(secret, "wrap")), key, about.encode())


def unwrap(secret: bytes, blob: bytes, about: str) -> bytes:
    """Undo `wrap`.  Raises BadKey."""
    return unseal(AESGCM(derive(secret, "wrap")), bytes(blob), about.encode())


def wrap_by_password(password: str, key: bytes) -> str:
    """Wrap a data key by a password: `scrypt$n$r$p$salt$blob`, all that is needed to open it again but the password."""
    salt = secrets.token_bytes(16)
    n, r, p = SCRYPT
    return f"scrypt${n}${r}${p}${salt.hex()}${wrap(_stretch(password, salt, n, r, p), key, 'password').hex()}"


def unwrap_by_password(password: str, wrapped: str) -> bytes:
    """The data key.  Raises BadKey for a wrong password; takes the same time either way."""
    _, n, r, p, salt, blob = wrapped.split("$")
    return unwrap(_stretch(password, bytes.fromhex(salt), int(n), int(r), int(p)), bytes.fromhex(blob), "password")


def waste_a_hashing(password: str) -> None:
    """Take as long as a wrong password, for names that do not exist."""
    _stretch(password, b"nobody has this name", *SCRYPT)


def _stretch(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    with _hashing:
        return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=KEY_SIZE)
