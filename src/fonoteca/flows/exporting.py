"""Copying objects out of the archive, for whatever form they are given away in.

Rules of order, kept for every export:
  1. rights judge every object again, and all of them, before a byte of any leaves;
  2. each byte is proved against its digest while it is copied; the first damaged file ends the export;
  3. what is made is somebody's only when it is whole: the folder is staging's until then.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fonoteca.formats.objectjson import METADATA, RIGHTS, ObjectMetadata
from fonoteca.formats.ocfl import object_path
from fonoteca.model.corridor import StoredFile
from fonoteca.model.errors import BlobMissing, FixityError, RightsError, UsageError
from fonoteca.model.ids import LogicalPath, ObjectId
from fonoteca.model.rights import Act, Admission, Hold, Policy, Refusal, RightsRecord
from fonoteca.model.terms import ANYWHERE
from fonoteca.model.withdrawal import Purpose
from fonoteca.ports import Blobs, Clock, Progress, Staging
from fonoteca.register import Register
from fonoteca.rights import judge_again
from fonoteca.store import Store

CHUNK_BYTES = 1 << 20
NAME_BYTES_MAX, PATH_BYTES_MAX = 255, 3000
"""Of a name and a path on the file systems that are met most; the folder that is exported to comes before the path."""

_REPAIR = "Run `fonoteca repair`, then export again."
_UNSAFE_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]|%0[ad]|^\s|\s$", re.IGNORECASE)
"""What a manifest cannot carry as it is in all versions and readers: line ends of any kind and what stands for them, edges."""
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class ExportRooms:
    """The rooms and settings that exports need. title: the archive's, as the organisation that a copy comes from.

    stale: why nobody can tell what was withdrawn lately, "" where that is known.
    """

    title: str
    store: Store
    register: Register
    blobs: Blobs
    policy: Policy
    clock: Clock
    progress: Progress
    stale: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that is being made, and the staging that it is in."""

    staging: Staging
    folder: Path


@dataclass(frozen=True, slots=True)
class Cleared:
    """An object of which rights said today that a copy may be made. folder: its name in the export."""

    object_id: ObjectId
    version: int
    metadata: ObjectMetadata
    record: RightsRecord
    admission: Admission
    folder: str

    @property
    def attributes(self) -> str:
        """What it is, in words: its title and artist as far as they are known."""
        return " by ".join(part for part in (self.metadata.title, self.metadata.artist) if part)


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that was copied and proved. name: its path in the copy. stored: None for the object's own JSON."""

    logical_path: LogicalPath
    name: str
    file_bytes: int
    sha256: str
    stored: StoredFile | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """An object's copy. folder: its name below the folder that was exported to."""

    object_id: ObjectId
    version: int
    folder: str
    files: tuple[Copied, ...]

    @property
    def exported_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(file.file_bytes for file in self.files)

    @property
    def renamed(self) -> tuple[Copied, ...]:
        """Files whose logical path is no name that the copy can carry."""
        return tuple(file for file in self.files if file.name != file.logical_path)


def clear(rooms: ExportRooms, object_ids: Sequence[ObjectId]) -> list[Cleared]:
    """Return the objects, each once, after rights judged all of them again.

    A copy for the operator is an act of holding: nobody else gets the bytes by it. Whoever passes it on needs to share.
    Raises: RightsError when one may not be held any more or was withdrawn, or when this mirror has not heard for too long of
    what was withdrawn; FixityError when one is in quarantine, UsageError for a wrong id.
    """
    cleared: list[Cleared] = []
    if rooms.stale:
        raise RightsError("withdrawals", rooms.stale, "Run `fonoteca follow` first. What is held stays held.")
    for object_id in dict.fromkeys(object_ids):
        mask = rooms.register.withdrawals.mask(object_id, Purpose.EXPORTING)
        if mask is not None:
            said = mask.tombstone
            problem = f"withdrawn on {said.dates.effective_at:%Y-%m-%d}: {said.reason.words} ({said.ground})"
            raise RightsError(object_id, problem, "No copy may leave. `fonoteca withdraw --list` says more.")
        row = rooms.register.object(object_id)
        if row is not None and row.quarantined_at is not None:
            raise FixityError(object_id, f"it is in quarantine until it is healed: {row.quarantine}", _REPAIR)
        version = rooms.store.head(object_id)
        if not version or object_id.kind not in ("audio", "artwork"):
            raise UsageError(
                object_id, "no music or artwork is held under this id", "See `fonoteca search` for the ids of what is."
            )
        record = rooms.store.rights(object_id, version)
        decision = judge_again(record, rooms.policy, rooms.clock.now(), ANYWHERE)
        if isinstance(decision, Refusal | Hold):
            advice = decision.remedy if isinstance(decision, Refusal) else decision.question
            raise RightsError(object_id, f"no copy may leave: {decision.reason} ({decision.rule})", advice)
        assert Act.HOLD in decision.acts, "an admission grants holding"
        metadata = rooms.store.metadata(object_id, version)
        name = _folder_name(object_id, {other.folder for other in cleared})
        cleared.append(Cleared(object_id, version, metadata, record, decision, name))
    return cleared


def copy_files(rooms: ExportRooms, one: Cleared, place: Place, taken: Sequence[str] = ()) -> tuple[Copied, ...]:
    """Return the files of an object's newest state after they are in the folder, with its metadata.json and rights.json.

    taken: names that the form of the export keeps for itself. Raises: FixityError for a damaged file, StoreError.
    """
    name_of = _Names({*taken, METADATA, RIGHTS})
    total = sum(file.hashes.file_bytes for file in one.metadata.files)
    copied: list[Copied] = []
    with rooms.progress.task(f"exporting {one.folder}", total, "B") as advance:
        for number, file in enumerate(one.metadata.files, 1):
            name = name_of(file.logical_path, f"{number:04d}-{file.content_path.rpartition('/')[2]}")
            _copy(rooms.blobs, f"{object_path(one.object_id)}/{file.content_path}", file, _Target(place, name, advance))
            copied.append(Copied(file.logical_path, name, file.hashes.file_bytes, file.hashes.sha256, file))
    for path in (METADATA, RIGHTS):
        content = rooms.store.document(one.object_id, path, one.version)
        write_file(place, path, content)
        copied.append(Copied(path, path, len(content), sha256(content).hexdigest()))
    return tuple(copied)


def write_file(place: Place, name: str, content: bytes) -> None:
    """Write a small file of an export."""
    with place.staging.writer(place.folder / name) as target:
        target.write(content)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a file goes, and who hears of its bytes."""

    place: Place
    name: str
    advance: Callable[[int], None]


def _copy(blobs: Blobs, key: str, file: StoredFile, target: _Target) -> None:
    """Copy a file, proved as it passes. Raises: FixityError."""
    hasher = sha256()
    found_bytes = 0
    with target.place.staging.writer(target.place.folder / target.name) as copy:
        for chunk in _chunks(blobs, key):
            hasher.update(chunk)
            found_bytes += len(chunk)
            copy.write(chunk)
            target.advance(len(chunk))
    found = hasher.hexdigest()
    if (found, found_bytes) != (file.hashes.sha256, file.hashes.file_bytes):
        expected = f"expected {file.hashes.file_bytes} bytes with sha256 {file.hashes.sha256}"
        raise FixityError(key, f"{expected}, found {found_bytes} with {found}", _REPAIR)


def _chunks(blobs: Blobs, key: str) -> Iterator[bytes]:
    """Yield a blob's bytes. Raises: FixityError when it is gone or cannot be read."""
    try:
        with closing(blobs.open(key)) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
    except BlobMissing as error:
        raise FixityError(key, "expected the file that its object names, found none", _REPAIR) from error
    except OSError as error:
        raise FixityError(key, f"cannot be read: {error}", _REPAIR) from error


class _Names:
    """Gives each logical path a name in a copy: the path itself where that is a name everywhere and no other's."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = {_folded(name) for name in taken}

    def __call__(self, path: LogicalPath, fallback: str) -> str:
        """Return the name of a file. fallback: a name in plain ASCII that no other file has."""
        name = path if self._fits(path) else fallback
        if not self._fits(name):
            name = f"renamed/{fallback}"
        self._taken.add(_folded(name))
        return str(name)

    def _fits(self, name: str) -> bool:
        folded = _folded(name)
        parts = name.split("/")
        above = {"/".join(folded.split("/")[:depth]) for depth in range(1, len(parts))}
        return (
            not _UNSAFE_NAME.search(name)
            and all(len(part.encode()) <= NAME_BYTES_MAX for part in parts)
            and len(name.encode()) <= PATH_BYTES_MAX
            and folded not in self._taken
            and not above & self._taken
            and not any(other.startswith(f"{folded}/") for other in self._taken)
        )


def _folded(name: str) -> str:
    """Return what is left of a name where letters' case and ways to compose accents do not count, as on some systems."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _folder_name(object_id: ObjectId, taken: set[str]) -> str:
    """Return a folder's name for an object: `audio-folder-kitchen-songs`; a digest follows where more of its id is lost."""
    name = object_id.removeprefix("urn:fonoteca:").replace(":", "-")
    if _PLAIN.fullmatch(name) and name not in taken:
        return name
    plain = re.sub(r"[^a-z0-9._-]+", "-", name.lower())[:80].strip("-.")
    return f"{plain}-{sha256(object_id.encode()).hexdigest()[:8]}"
