"""What the rooms need of the outside world, as Protocols. The real ones are in `fonoteca.edges`, lying ones in `fonoteca.testing`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """Return the time now, in UTC with a timezone."""
        ...


class Blobs(Protocol):
    """Bytes under keys: a folder or an S3 prefix. A key is a relative `/`-separated path.

    Every write is durable when the call returns, and whole or not there at all.
    Raises: StoreError when the medium fails; BlobMissing (a StoreError) when a key that is read is not there.
    """

    def read(self, key: str) -> bytes:
        """Return the whole blob."""
        ...

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`, fewer at the end."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Return the blob as a seekable stream, to be closed by the caller."""
        ...

    def size(self, key: str) -> int | None:
        """Return the length in bytes, or None when there is no such blob."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Put the blob, in place of one that may be there."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Put the blob if there is none. Returns: whether this call made it."""
        ...

    def patch(self, key: str, start: int, content: bytes) -> None:
        """Replace bytes inside a blob by way of a whole new copy, so that a crash leaves the old or the new one."""
        ...

    def adopt(self, tree: Path, prefix: str) -> None:
        """Move a finished local folder in as `prefix`, which must not exist yet. On a folder one rename, so all or nothing."""
        ...

    def delete(self, prefix: str) -> None:
        """Remove the blob or everything below the prefix. Nothing there is no error."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all blobs below a prefix, in ascending order."""
        ...

    def children(self, prefix: str = "") -> Iterator[str]:
        """Yield the names directly below a prefix, folders and blobs, in ascending order."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Return the file that holds the blob where there is one, for readers that need a file; None on S3."""
        ...


class Staging(Protocol):
    """Local scratch space on the archive's own disk: whatever is in it may be deleted when nothing runs."""

    def folder(self, name: str) -> Path:
        """Return a new empty folder with this name, in place of one that may be there."""
        ...

    def writer(self, path: Path) -> AbstractContextManager[BinaryIO]:
        """Open a new file below a staging folder for writing; it is flushed to disk when the context ends well."""
        ...

    def discard(self, folder: Path) -> None:
        """Remove a staging folder and all in it. Nothing there is no error."""
        ...


class Fetch(Protocol):
    """Reading from an URL (http, https) or a folder that someone published."""

    def read(self, url: str, bytes_max: int) -> bytes:
        """Return the whole body. Raises: TrustError when it is longer than bytes_max, SourceError when it cannot be had."""
        ...


@runtime_checkable
class Progress(Protocol):
    """Where a long task says how far it is. Prints nothing in `--json` runs without a terminal."""

    def task(self, label: str, total: int | None, unit: str = "") -> AbstractContextManager[Callable[[int], None]]:
        """Start a task; the context gives a function that advances it by so many units (bytes, files, ...)."""
        ...

    def note(self, text: str) -> None:
        """Say one line to a person."""
        ...


class Workers(Protocol):
    """Work on files across cores or machines."""

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the task's answer for each item, in the order of the items.

        task: `package.module:function`, called as `function(settings, item)` where the work runs; settings and items must pickle.
        A FonotecaError raised by the function is raised here.
        """
        ...


class Swarm(Protocol):
    """BitTorrent: seeding from a storage root in place, and fetching into a folder."""

    def seed(self, torrent: bytes, root: Path) -> None:
        """Seed a torrent whose files lie below `root` at the paths that the torrent names (its own name left out)."""
        ...

    def fetch(self, torrent: bytes, folder: Path, peers: Sequence[tuple[str, int]], advance: Callable[[int], None]) -> int:
        """Fetch a whole torrent into `folder` (its own name left out), all of it on disk when the call returns.

        Returns: payload bytes downloaded. Raises: SourceError when nothing arrives for the edge's time limit.
        """
        ...

    def fetch_pieces(
        self, torrent: bytes, folder: Path, pieces: Sequence[int], peers: Sequence[tuple[str, int]]
    ) -> dict[int, bytes]:
        """Fetch single pieces, each proved by the torrent's hashes. Returns: piece index to bytes, pads included."""
        ...

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that this swarm listens on."""
        ...

    def close(self) -> None:
        """Leave the swarm; all that was fetched is on disk."""
        ...
