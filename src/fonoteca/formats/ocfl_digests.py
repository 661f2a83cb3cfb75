"""The digest algorithms that OCFL knows: those of the specification, and those of the community extensions 0001 and 0009."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]*")

CONTENT_ALGORITHMS = ("sha512", "sha256")
"""What digestAlgorithm may be (OCFL 1.1 section 3.4)."""


class _Length:
    """Counts bytes where the others hash them: the algorithm `size` of extension 0009."""

    def __init__(self) -> None:
        self._bytes = 0

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the file."""
        self._bytes += len(chunk)

    def hexdigest(self) -> str:
        """Return the length in decimal digits."""
        return str(self._bytes)


def _blake2b(bits: int) -> Callable[[], Any]:
    return lambda: hashlib.blake2b(digest_size=bits // 8)


_MAKERS: Mapping[str, Callable[[], Any]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "sha512/256": lambda: hashlib.new("sha512_256"),
    "blake2b-160": _blake2b(160),
    "blake2b-256": _blake2b(256),
    "blake2b-384": _blake2b(384),
    "blake2b-512": _blake2b(512),
    "size": _Length,
}
_DIGITS = {name: 2 * make().digest_size for name, make in _MAKERS.items() if name != "size"}
_ENCODING_CODES: Mapping[str, str] = {"sha1": "E029", "sha256": "E030", "sha512": "E031", "blake2b-512": "E032"}


def is_known(algorithm: str) -> bool:
    """Return whether the algorithm is in the specification's or an extension's table."""
    return algorithm in _MAKERS


def wrong_digest(algorithm: str, digest: str) -> str | None:
    """Return the code for a text that is no digest of this known algorithm, None when it may be one.

    E029 to E032: not hexadecimal, where the specification has a code for it. E039: hexadecimal of another length.
    E057: neither of these two.
    """
    if algorithm == "size":
        return None if _DECIMAL.fullmatch(digest) else "E057"
    if not _HEXADECIMAL.fullmatch(digest):
        return _ENCODING_CODES.get(algorithm, "E057")
    return None if len(digest) == _DIGITS[algorithm] else "E039"


class Digester:
    """Takes a file's bytes in order and gives its digests under all algorithms asked for, from one reading of it."""

    __slots__ = ("_running",)

    def __init__(self, algorithms: Collection[str]) -> None:
        self._running = {name: _MAKERS[name]() for name in algorithms}

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the file."""
        for hasher in self._running.values():
            hasher.update(chunk)

    def digests(self) -> dict[str, str]:
        """Return algorithm to digest, in lower case."""
        return {name: hasher.hexdigest() for name, hasher in self._running.items()}


def digest_of(algorithm: str, content: bytes) -> str:
    """Return the digest of these bytes, in lower case."""
    digester = Digester([algorithm])
    digester.update(content)
    return digester.digests()[algorithm]
