"""What a validator sees of a medium, be it a folder or a bucket: names, small files, and digests of large ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class EntryKind(StrEnum):
    """What a name stands for."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "symbolic link"
    OTHER = "special file"


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder. name: without the folder's path."""

    name: str
    kind: EntryKind


@dataclass(frozen=True, slots=True)
class DigestQuestion:
    """A file to be read once. algorithms: known to `formats.ocfl_digests`."""

    path: str
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DigestAnswer:
    """What was read. digests: algorithm to digest in lower case. problem: why it could not be read, "" when it was."""

    path: str
    digests: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class Tree(Protocol):
    """A tree of files, to be read only. Paths are relative to its top and `/`-separated; "" is the top. Links are never followed.

    Raises: StoreError when the medium fails.
    """

    def entries(self, folder: str) -> Sequence[Entry]:
        """Return what lies directly in a folder, in ascending order of name."""
        ...

    def read(self, path: str, bytes_max: int) -> bytes:
        """Return the first bytes of a regular file, at most so many."""
        ...

    def digest(self, questions: Iterable[DigestQuestion]) -> Iterator[DigestAnswer]:
        """Yield the answer to each question, in their order; a file that cannot be read is an answer too."""
        ...


def below(folder: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return f"{folder}/{name}" if folder else name
