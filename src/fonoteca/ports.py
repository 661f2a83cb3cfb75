"""What the rooms need of the outside world, as Protocols. Real ones: `fonoteca.edges`; lying ones: `fonoteca.testing`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from fonoteca.model.corridor import FetchedPieces
from fonoteca.model.fixity import Sighting, Stamp
from fonoteca.model.manners import Download, Downloaded, Page
from fonoteca.model.service import Order
from fonoteca.model.swarming import Rates, SwarmNow, TorrentNow


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

    def stamp(self, key: str) -> tuple[int, int] | None:
        """Return the length in bytes and the time of the last change in nanoseconds since 1970, None when there is no such blob.

        A blob whose stamp is as before was most likely not written since; a blob that was written has another one.
        """
        ...

    def sight_all(self, keys: Sequence[str]) -> list[Sighting]:
        """Return each blob's stamp and sha256, in order; what is missing or cannot be read says so and raises nothing.

        As `stamp` and reading give them, with less to do for each.
        """
        ...

    def stamp_all(self, keys: Sequence[str]) -> list[Stamp | None]:
        """Return each blob's stamp, in order, None for one that is missing or cannot be asked for."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Put the blob, in place of one that may be there."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Put the blob if there is none. Returns: whether this call made it."""
        ...

    def create_all(self, contents: Mapping[str, bytes]) -> None:
        """Put those blobs that are not there yet; all are durable when it returns, and each is whole or not there."""
        ...

    def patch(self, key: str, parts: Mapping[int, bytes], blob_bytes: int) -> None:
        """Put the blob anew: `blob_bytes` long, these parts (start to bytes) in place, all other bytes as they were.

        By way of a whole new copy, so that a crash leaves the old or the new one. Old bytes under a part are not read.
        Raises: StoreError when bytes are needed that neither the old blob nor a part has.
        """
        ...

    def adopt(self, tree: Path, prefix: str) -> None:
        """Move a finished local folder in as `prefix`, which must not exist yet. On a folder one rename, so all or nothing."""
        ...

    def adopt_all(self, trees: Sequence[tuple[Path, str]]) -> None:
        """Move finished local folders in, each under its prefix; all are durable when it returns; each is whole or not there.

        What an error leaves of them is the folders: none of them is in. A kill may leave some in and some not.
        """
        ...

    def delete(self, prefix: str) -> None:
        """Remove the blob or everything below the prefix. Nothing there is no error."""
        ...

    def sweep(self, prefix: str = "") -> int:
        """Remove what interrupted writes left at and below a prefix. Returns: how many things were removed.

        Leftovers are never seen by the other methods. Only for a time when nobody writes below the prefix.
        """
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all blobs below a prefix, in ascending order."""
        ...

    def children(self, prefix: str = "") -> Iterator[str]:
        """Yield the names directly below a prefix, folders and blobs, in ascending order."""
        ...

    def entries(self, prefix: str, depth: int) -> Iterator[str]:
        """Yield the paths of all folders and blobs that are so many levels below a prefix; those of one folder together, in order.

        As `children` of `children` gives them, with less to ask of a store that has no folders; one such may have `a-b/c` before
        `a/b`. depth: at least 1.
        """
        ...

    def local_path(self, key: str) -> Path | None:
        """Return the file that holds the blob where there is one, for readers that need a file; None on S3."""
        ...


class Staging(Protocol):
    """Local scratch space on the archive's own disk: whatever is in it may be deleted when nothing runs."""

    @property
    def unsynced(self) -> Staging:
        """The same space for writers that do not wait for the disk: for what `Blobs.adopt` or `adopt_all` makes durable."""
        ...

    def folder(self, name: str) -> Path:
        """Return a new empty folder with this name, in place of one that may be there."""
        ...

    def kept_folder(self, name: str) -> Path:
        """Return the folder with this name, with what an earlier run left in it, made if it is missing."""
        ...

    def writer(self, path: Path) -> AbstractContextManager[BinaryIO]:
        """Open a new file below a staging folder for writing; it is flushed to disk when the context ends well."""
        ...

    def move(self, source: Path, target: Path) -> None:
        """Move a file or folder inside staging, making the target's folders. A file at the target is replaced."""
        ...

    def link(self, source: Path, target: Path) -> bool:
        """Give a file that nobody writes in a second name below a staging folder. Returns: False where the disk cannot."""
        ...

    def left(self) -> Iterator[str]:
        """Yield the names of the folders in staging, in ascending order: under way, or left by a run that was killed."""
        ...

    def discard(self, folder: Path) -> None:
        """Remove a staging folder and all in it. Nothing there is no error."""
        ...


class DurableCalls(Protocol):
    """Every system call that changes a disk, so that a test can end the world between any two of them.

    Each raises OSError as the system does. Closing a file is not among them: it changes nothing on disk.
    """

    def create_file(self, path: Path) -> int:
        """Return a descriptor, open for reading and writing, of a new empty file. A link or file in the way is an error."""
        ...

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write at the descriptor's position. Returns: bytes written, perhaps fewer than given."""
        ...

    def fsync(self, descriptor: int) -> None:
        """Return when the file's bytes are on disk."""
        ...

    def fsync_dir(self, path: Path) -> None:
        """Return when the folder's entries are on disk."""
        ...

    def sync_all(self, descriptor: int) -> None:
        """Return when all that anyone has written so far on the file system of this open folder is on disk.

        OSError also for what failed to reach it at any time since the folder was opened: open it before writing.
        """
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Move an entry, in place of a file at the target."""
        ...

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name. FileExistsError when the name is taken."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file or link."""
        ...

    def mkdir(self, path: Path) -> None:
        """Make a folder."""
        ...

    def rmdir(self, path: Path) -> None:
        """Remove an empty folder."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectFound:
    """What an object store says of a blob. modified_ns: since 1970. write_id: what its writer stamped it with, "" for nothing."""

    blob_bytes: int
    e_tag: str
    modified_ns: int
    write_id: str = ""


class ObjectCalls(Protocol):
    """Every request to an object store such as S3, so that a test can refuse, lose, delay or repeat any of them.

    Raises: StoreError in words. BlobMissing says for certain that there is no such blob.
    """

    def get(self, key: str, start: int, length: int, e_tag: str) -> tuple[bytes, ObjectFound]:
        """Return at most `length` bytes from `start`, fewer only where the blob ends; and what the blob is.

        e_tag: refuse a blob that is not the one of this tag, "" takes any.
        """
        ...

    def read(self, key: str) -> bytes:
        """Return the whole blob."""
        ...

    def head(self, key: str) -> ObjectFound | None:
        """Return what a blob is, None when there is none."""
        ...

    def put(self, key: str, content: bytes, write_id: str) -> None:
        """Put a blob in one request, in place of one that may be there."""
        ...

    def create(self, key: str, content: bytes, write_id: str) -> bool:
        """Put a blob in one request on condition that there is none. Returns: whether it was put; False when a key was taken."""
        ...

    def put_parts(self, key: str, parts: Path | bytes | Iterator[bytes], write_id: str, part_bytes: int) -> None:
        """Put a blob in parts, in place of one that stays until all have arrived. What fails is given up whole."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove blobs. One that is not there is no error."""
        ...

    def below(self, prefix: str) -> Iterator[str]:
        """Yield all keys below a prefix, in whatever order the store has."""
        ...

    def level(self, prefix: str) -> tuple[list[str], list[str]]:
        """Return the names of the folders, and of the blobs, directly below a prefix. A folder may be empty."""
        ...

    def give_up_uploads(self, prefix: str) -> int:
        """Give up uploads in parts below a prefix that nobody ended. Returns: how many."""
        ...


class KeyFiles(Protocol):
    """Private keys as files that nobody but their owner may read."""

    def names(self) -> list[str]:
        """Return the names of the files, in ascending order."""
        ...

    def read(self, name: str) -> bytes:
        """Return a file."""
        ...

    def create(self, name: str, content: bytes) -> None:
        """Put a new file, durable when the call returns. Raises: TakenError when there is one of this name."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file. Nothing there is no error."""
        ...


class Fetch(Protocol):
    """Reading what someone published below one place: an http or https address or a folder, given when it is made."""

    def read(self, path: str, bytes_max: int) -> bytes:
        """Return the whole file at `path`, relative to the place and `/`-separated, as in `read("index.json", 1_000_000)`.

        Raises: TrustError when it is longer than bytes_max, SourceError when it cannot be had, UsageError for a path that
            is absolute or has empty, `.` or `..` segments.
        """
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


class Silence:
    """Progress that nobody watches."""

    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Iterator[Callable[[int], None]]:
        """Give a function that says nothing."""
        yield self._advance

    def note(self, text: str) -> None:
        """Say nothing."""

    def _advance(self, amount: int) -> None:
        """Say nothing."""


SILENCE = Silence()


class Workers(Protocol):
    """Work on files across cores or machines."""

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the task's answer for each item, in the order of the items.

        task: `package.module:function`, called as `function(settings, item)` where the work runs; settings and items must pickle.
        A FonotecaError raised by the function is raised here.
        """
        ...


class Mirror(Protocol):
    """Somebody's copy of a store's files, read by ranges. Nothing that it gives is believed."""

    @property
    def name(self) -> str:
        """The folder or address, for people."""
        ...

    def read_range(self, path: str, start: int, length: int) -> bytes | None:
        """Return bytes of the file at `path` below the storage root, at most `length`, fewer at its end; None without it.

        Raises: SourceError when it cannot be asked, StoreError when its own disk fails, TrustError when it answers something else.
        """
        ...


class Swarm(Protocol):
    """BitTorrent: seeding from a storage root in place, and fetching into a folder."""

    def seed(self, torrent: bytes, root: Path, verify: bool = False, without: Collection[str] = ()) -> None:
        """Seed a torrent whose files lie below `root` at the paths that the torrent names (its own name left out).

        verify: check all files now; else each piece is proved before a peer first gets it. Damaged bytes are never sent.
        without: paths of files that were withdrawn: no peer gets a piece of them. With any, pieces are proved by `verify` alone.
        Again with other `without`: from now on these.
        """
        ...

    def unseed(self, torrent: bytes) -> None:
        """Stop seeding a torrent; its files stay. One that is not seeded is no error."""
        ...

    def fetch(
        self,
        torrent: bytes,
        folder: Path,
        peers: Sequence[tuple[str, int]],
        advance: Callable[[int], None],
        without: Collection[str] = (),
    ) -> int:
        """Fetch a whole torrent into `folder` (its own name left out), all of it handed to the file system on return.

        Whole pieces that `folder` already holds are kept. Synchronising to the medium is for whoever adopts the folder.
        without: paths of files that are not wanted.
        Returns: payload bytes downloaded. Raises: SourceError when nothing arrives for the edge's time limit, TrustError when
            that is because peers send bad bytes, StoreError when the disk fails.
        """
        ...

    def fetch_pieces(self, torrent: bytes, folder: Path, pieces: Sequence[int], peers: Sequence[tuple[str, int]]) -> FetchedPieces:
        """Fetch single pieces, each proved by the torrent's hashes, by way of `folder`, which the caller then discards.

        pieces: indexes in the torrent. Raises: as `fetch`.
        """
        ...

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that this swarm listens on."""
        ...

    def close(self) -> None:
        """Leave the swarm; all that was fetched is on disk."""
        ...


class TendedSwarm(Swarm, Protocol):
    """A swarm that is taken part in for months: what a service looks after."""

    def limit(self, rates: Rates) -> None:
        """Let this much go each way from now on. Resting lets go of all peers until it ends."""
        ...

    def now(self) -> SwarmNow:
        """Return what goes on."""
        ...

    def torrents(self) -> Mapping[str, TorrentNow]:
        """Return what is known of each torrent that is here, by its v2 infohash in hexadecimal digits."""
        ...


class Orders(Protocol):
    """What the operator wants of a service."""

    def wait(self, timeout_s: float) -> Order:
        """Return what was told, at once if it was before, and `GO_ON` when nothing was for so long."""
        ...

    def interruptible(self) -> AbstractContextManager[None]:
        """Let an order to stop end what is done in the context, by KeyboardInterrupt."""
        ...


class Web(Protocol):
    """Hosts that are not ours, asked with manners. What limits them is known to the edge, and the same for all kinds of source."""

    @property
    def sent(self) -> int:
        """How many requests were sent, by this run."""
        ...

    def read(self, url: str, bytes_max: int) -> Page:
        """Return a document. Raises: SourceMissing, SourceRefused, SourceBusy, SourceError, TrustError."""
        ...

    def download(self, wanted: Download, advance: Callable[[int], None]) -> Downloaded:
        """Return when the whole file is at its path and proved; what an earlier run left there is gone on with."""
        ...

    def free_at(self, url: str) -> datetime | None:
        """Return when the host of an address may be asked again, None for now."""
        ...
