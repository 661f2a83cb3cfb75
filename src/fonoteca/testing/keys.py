"""Role keys that tests can foresee: the same in every run, and worth nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import shake_128

from fonoteca.model.errors import TakenError


def counted_seeds(salt: str = "") -> Callable[[int], bytes]:
    """Return what gives so many bytes that look random, others each time, and all alike for one salt."""
    count = 0

    def seed(length: int) -> bytes:
        nonlocal count
        count += 1
        return shake_128(f"{salt} {count}".encode()).digest(length)

    return seed


class MemoryKeys:
    """`KeyFiles` in memory. files: those to begin with, by name."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})

    def names(self) -> list[str]:
        """Return the names of the files."""
        return sorted(self.files)

    def read(self, name: str) -> bytes:
        """Return a file."""
        return self.files[name]

    def create(self, name: str, content: bytes) -> None:
        """Put a new file."""
        if name in self.files:
            raise TakenError(name, "there is such a file already")
        self.files[name] = content

    def delete(self, name: str) -> None:
        """Remove a file."""
        self.files.pop(name, None)
