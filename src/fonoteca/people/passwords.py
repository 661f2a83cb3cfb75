"""Passwords, which can be checked and never read; and secrets of players, which must be read to be checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidKey
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from fonoteca.model.errors import StoreError, UsageError

Chance = Callable[[int], bytes]
"""Gives so many bytes that nobody can foresee."""

MEMORY_KIB, ITERATIONS, LANES = 19_456, 2, 1
"""OWASP's Password Storage Cheat Sheet, Argon2id: 19 MiB, so that forty sign-ins at once take less than 1 GB."""

SALT_BYTES, HASH_BYTES = 16, 32
PASSWORD_LETTERS_LEAST, PASSWORD_LETTERS_MOST = 10, 1024


@dataclass
class Passwords:
    """Makes and checks hashes. checked: how many were checked, so that a test can say that every sign-in costs one."""

    chance: Chance
    checked: int = 0
    _decoy: str = field(default="", init=False)

    def hashed(self, password: str) -> str:
        """Return what to keep of a password, in PHC's form. Raises: UsageError for one that is too short or too long."""
        if not PASSWORD_LETTERS_LEAST <= len(password) <= PASSWORD_LETTERS_MOST:
            said = f"expected {PASSWORD_LETTERS_LEAST} to {PASSWORD_LETTERS_MOST} characters, found {len(password)}"
            raise UsageError("password", said, "Choose another; several words are easy to keep in mind.")
        return self._hashed(_spelt(password))

    def fits(self, password: str, kept: str | None) -> bool:
        """Return whether a password is the one that was kept. Cost: one hash, also for None, which is no account's."""
        self.checked += 1
        if not self._decoy:  # made with the first check, whoever it is for: most commands check none
            self._decoy = self._hashed(self.chance(SALT_BYTES))
        try:
            Argon2id.verify_phc_encoded(_spelt(password[: PASSWORD_LETTERS_MOST + 1]), self._decoy if kept is None else kept)
        except InvalidKey:
            return False
        return kept is not None

    def _hashed(self, password: bytes) -> str:
        salt = self.chance(SALT_BYTES)
        made = Argon2id(salt=salt, length=HASH_BYTES, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY_KIB)
        return made.derive_phc_encoded(password)


class Seal:
    """Hides what must be read again, by a key that lies apart from the database."""

    def __init__(self, key: bytes) -> None:
        """key: as `new_key` makes it."""
        self._fernet = Fernet(key)

    @staticmethod
    def new_key() -> bytes:
        """Return a key, for the folder of keys."""
        return Fernet.generate_key()

    def closed(self, text: str) -> str:
        """Return a text that only this key opens."""
        return self._fernet.encrypt(text.encode()).decode()

    def opened(self, sealed: str) -> str:
        """Return the text that was closed. Raises: StoreError when it was closed by another key, or changed."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            remedy = "Restore the key from the backup, or let the listener make a new secret."
            raise StoreError("client secret", "it was not closed by this archive's key", remedy) from error


def _spelt(password: str) -> bytes:
    """Return the bytes of a password, the same for every keyboard that types it (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
