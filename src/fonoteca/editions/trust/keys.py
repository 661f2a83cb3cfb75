"""Role keys: Ed25519, one PEM file each, named by role and key id. Only here private keys are made and read.

A key's id is the digest of its public half (TUF 1.0 section 4.2), so a file's name says which key of the root it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from fonoteca.editions.trust.roles import Role
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.ports import KeyFiles

SEED_BYTES = 32
"""An Ed25519 private key is 32 random bytes (RFC 8032 section 5.1.5)."""

_NAME = re.compile(r"(root|targets|withdrawals|snapshot|timestamp)-([0-9a-f]{64})\.pem")
_ENCRYPTED = b"BEGIN ENCRYPTED PRIVATE KEY"

Passphrase = Callable[[str], str]
"""Asks for the passphrase of the key of a name."""


def no_passphrase(name: str) -> str:
    """Return nothing, where nobody can be asked. Raises: UsageError."""
    raise UsageError(name, "the key needs a passphrase", "Give it in FONOTECA_KEY_PASSPHRASE, or run this at a terminal.")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key as a file. encrypted: whether it takes a passphrase to sign with it."""

    role: Role
    key_id: str
    encrypted: bool

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.role}-{self.key_id}.pem"


def new_key(role: Role, seed: bytes, passphrase: str = "") -> tuple[KeyFile, bytes, SSlibKey]:
    """Return a key made of 32 random bytes: what it is, its file, and its public half. passphrase: "" for none."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    lock: KeySerializationEncryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    public = SSlibKey.from_crypto(private.public_key())
    return KeyFile(role, public.keyid, bool(passphrase)), content, public


def open_key(name: str, content: bytes, passphrase: Passphrase = no_passphrase) -> CryptoSigner:
    """Return what signs with a key file. Raises: UsageError for a file that is no such key, and for a wrong passphrase."""
    secret = passphrase(name).encode() if _ENCRYPTED in content else None
    try:
        private = load_pem_private_key(content, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        wrong = "the passphrase is wrong, or the file is damaged" if secret else "not a private key"
        raise UsageError(name, wrong, "Give the key's own passphrase, or put the file back from a backup.") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(name, "not an Ed25519 key", "Name a file that `fonoteca keys make` wrote.")
    return CryptoSigner(private)


PublicKey = SSlibKey
"""The half of a key that is shown."""


def public_json(key: PublicKey) -> bytes:
    """Return the public half of a key as a file."""
    return json_bytes({"keyid": key.keyid, **key.to_dict()}, "key")


def parse_public(name: str, content: bytes) -> PublicKey:
    """Return the public half that a file holds. Raises: UsageError for anything else than `public_json` writes."""
    try:
        found = parse_json(content, name)
        key = SSlibKey.from_dict(found.pop("keyid"), found)
        other = key.keytype != "ed25519" or key.scheme != "ed25519" or key.unrecognized_fields
        known = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"])))
        if other or known.keyid != key.keyid:
            raise ValueError("its id is not that of its key")
    except (FormatError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(name, f"not a public key: {error}", "Name a .pub file that `fonoteca keys make --out` wrote.") from None
    return key


def locked(name: str, content: bytes, passphrase: str, ask: Passphrase = no_passphrase) -> bytes:
    """Return a key file with another passphrase, "" for none. ask: gives the one that it has."""
    opened = open_key(name, content, ask)
    lock: KeySerializationEncryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    private = load_pem_private_key(opened.private_bytes, None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


class Keyring:
    """The private keys that are on this machine. seeds: gives so many random bytes."""

    def __init__(self, files: KeyFiles, seeds: Callable[[int], bytes], passphrase: Passphrase = no_passphrase) -> None:
        self._files = files
        self._seeds = seeds
        self._passphrase = passphrase
        self._opened: dict[str, CryptoSigner] = {}

    def held(self) -> list[KeyFile]:
        """Return the keys that are here, in order of role and id; other files are passed over."""
        found = []
        for name in self._files.names():
            match = _NAME.fullmatch(name)
            if match:
                found.append(KeyFile(Role(match[1]), match[2], _ENCRYPTED in self._files.read(name)))
        return sorted(found, key=lambda key: (list(Role).index(key.role), key.key_id))

    def make(self, role: Role, passphrase: str = "") -> SSlibKey:
        """Return the public half of a new key, which is on disk then."""
        made, content, public = new_key(role, self._seeds(SEED_BYTES), passphrase)
        self._files.create(made.name, content)
        return public

    def make_missing(self) -> None:
        """Make one key for each role that has none here."""
        there = {key.role for key in self.held()}
        for role in Role:
            if role not in there:
                self.make(role)

    def signer(self, key: KeyFile) -> CryptoSigner:
        """Return what signs with a key that is here. Raises: UsageError when its file holds another key."""
        if key.key_id not in self._opened:
            opened = open_key(key.name, self._files.read(key.name), self._passphrase)
            if opened.public_key.keyid != key.key_id:
                raise UsageError(key.name, "holds another key than its name says", "Put the file back from a backup.")
            self._opened[key.key_id] = opened
        return self._opened[key.key_id]

    def signers(self, key_ids: Iterable[str]) -> list[CryptoSigner]:
        """Return what signs with those of the keys that are here, in order of id."""
        wanted = set(key_ids)
        return [self.signer(key) for key in sorted(self.held(), key=lambda key: key.key_id) if key.key_id in wanted]

    def public(self, role: Role) -> list[SSlibKey]:
        """Return the public halves of the keys of a role that are here."""
        return [self.signer(key).public_key for key in self.held() if key.role is role]

    def drop(self, key_ids: Iterable[str]) -> list[KeyFile]:
        """Remove keys from this machine. Returns: those that were here."""
        wanted = set(key_ids)
        gone = [key for key in self.held() if key.key_id in wanted]
        for key in gone:
            self._files.delete(key.name)
        return gone
