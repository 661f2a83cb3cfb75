"""Export as plain files: what is held, under names for people, in folders by artist and album. Links, no copies, unless asked for.

Rules of order:
  1. rights, withdrawals and fixity are asked again; what may not be shared, was withdrawn or is damaged is left out, and said so;
  2. the record of names is written before the first of them is made, so that a killed run knows its own names again;
  3. a name that something else has is left alone; what is not held any more is removed only when that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from fonoteca.flows.exporting import CHUNK_BYTES, ExportRooms
from fonoteca.formats.plainnames import Wanted, plain_names
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.errors import FixityError, FormatError, RightsError, UsageError
from fonoteca.model.rights import Kind, SharingAdmission
from fonoteca.model.terms import ANYWHERE
from fonoteca.model.withdrawal import Purpose
from fonoteca.register import FileRow, ObjectRow
from fonoteca.rights import judge_again

RECORD = ".fonoteca-files.json"
FORMAT = "fonoteca-files/1"
PAGE = 500
BY_DEFAULT = "artist/album"

_PARTS: Mapping[str, Callable[[FileRow, ObjectRow], str]] = {
    "artist": lambda row, owner: (row.stored.tags.album_artist if row.stored.tags else "") or row.artist or owner.artist,
    "album": lambda row, owner: row.release or owner.title,
    "genre": lambda row, owner: row.stored.tags.genre if row.stored.tags else "",
    "year": lambda row, owner: str(row.year or ""),
    "codec": lambda row, owner: row.codec,
}


class Shelf(Protocol):
    """The folder that is exported to, by names below it."""

    def entries(self) -> list[str]:
        """Return the names directly in the folder."""
        ...

    def taken(self, name: str) -> bool:
        """Return whether there is anything of this name."""
        ...

    def file_bytes(self, name: str) -> int | None:
        """Return the length of a file that is no link to elsewhere, None without one."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a small file, None without one."""
        ...

    def is_link(self, name: str, source: Path) -> bool:
        """Return whether a name is one more of this very file."""
        ...

    def link(self, name: str, source: Path) -> None:
        """Give a file one more name, in place of what has it."""
        ...

    def writer(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for writing that has its name when the context ends well."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file or link, and the folders above that are empty then."""
        ...

    def tidy(self) -> None:
        """Remove what an interrupted run left unfinished."""
        ...


@dataclass(frozen=True, slots=True)
class FilesAsked:
    """How plain files are wanted. by: parts of `_PARTS` with slashes between, "" for one folder of all."""

    by: str = BY_DEFAULT
    copies: bool = False
    prune: bool = False


@dataclass(frozen=True, slots=True)
class FilesExported:
    """What a run did. made: names that are new or other files now. kept: names that are as they were.

    stale: no longer held, still there. left_out: objects or names to the reason why.
    """

    made: tuple[str, ...]
    kept: int
    removed: tuple[str, ...]
    stale: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def export_files(rooms: ExportRooms, shelf: Shelf, asked: FilesAsked) -> FilesExported:
    """Return what was done, after everything that may be shared has a plain name. A second run changes nothing.

    Raises: UsageError for a folder that has something else, and for a store that is no folder without copies; RightsError when this
    mirror has not heard for too long of what was withdrawn; FixityError for a damaged file that is copied.
    """
    if rooms.stale:
        raise RightsError("withdrawals", rooms.stale, "Run `fonoteca follow` first. What is held stays held.")
    parts = _parts_of(asked.by)
    before = _record(shelf)
    left_out: list[tuple[str, str]] = []
    rows = {f"{row.object_id} {row.logical_path}": (row, owner) for row, owner in _shareable(rooms, left_out)}
    names = plain_names(_wanted(owner, *found, parts) for owner, found in rows.items())
    wanted = {names[owner]: row for owner, (row, _) in rows.items()}
    for name in [name for name in wanted if name not in before and shelf.taken(name)]:
        if not _is_there(rooms, shelf, name, wanted[name], copies=False):
            left_out.append((name, "something else has this name"))
            del wanted[name]
    after = {name: row.stored.hashes.sha256 for name, row in wanted.items()}
    stale = sorted(set(before) - set(after))
    _keep_record(shelf, {**before, **after})
    made, kept = [], 0
    with rooms.progress.task("naming files", len(wanted), "files") as advance:
        for name, row in sorted(wanted.items()):
            unchanged = before.get(name) in (None, after[name])
            if unchanged and _is_there(rooms, shelf, name, row, asked.copies):
                kept += 1
            else:
                _make(rooms, shelf, name, row, asked.copies)
                made.append(name)
            advance(1)
    shelf.tidy()
    for name in stale if asked.prune else ():
        shelf.remove(name)
    if asked.prune:
        _keep_record(shelf, after)
    gone = tuple(stale) if asked.prune else ()
    return FilesExported(tuple(made), kept, gone, () if asked.prune else tuple(stale), tuple(left_out))


def _parts_of(by: str) -> tuple[str, ...]:
    """Return the parts that folders are named by. Raises: UsageError for one that there is not."""
    parts = tuple(part for part in by.split("/") if part)
    for part in parts:
        if part not in _PARTS:
            raise UsageError(f"--by {by}", f"there is no {part!r} to name folders by", f"Use {', '.join(_PARTS)}, with / between.")
    return parts


def _shareable(rooms: ExportRooms, left_out: list[tuple[str, str]]) -> Iterator[tuple[FileRow, ObjectRow]]:
    """Yield the files that may be given to a listener today, each with its object, and note what is left out."""
    sieve = rooms.register.withdrawals.sieve(Purpose.EXPORTING)
    after = None
    while page := rooms.register.objects(Kind.AUDIO, after, PAGE):
        after = page[-1].object_id
        for owner in page:
            reason = "it was withdrawn" if not sieve.objects([owner]) else _withheld(rooms, owner)
            if reason:
                left_out.append((owner.object_id, reason))
                continue
            rows = rooms.register.files(owner.object_id)
            for row in rows:
                if not sieve.files([row]):
                    left_out.append((f"{owner.object_id} {row.logical_path}", "it was withdrawn"))
                elif row.damage:
                    left_out.append((f"{owner.object_id} {row.logical_path}", f"it is damaged: {row.damage}"))
                else:
                    yield row, owner


def _withheld(rooms: ExportRooms, owner: ObjectRow) -> str:
    """Return why an object is not given to listeners, "" when it is."""
    if owner.quarantined_at is not None:
        return "it is in quarantine until it is healed"
    if rooms.register.waits(owner.object_id):
        return "it waits for its analysis"
    decision = judge_again(rooms.store.rights(owner.object_id), rooms.policy, rooms.clock.now(), ANYWHERE)
    return "" if isinstance(decision, SharingAdmission) else "it may not be shared"


def _wanted(identity: str, row: FileRow, owner: ObjectRow, parts: tuple[str, ...]) -> Wanted:
    """Return what a file would best be called: its place on the record and its title, or what it was called when it came."""
    stem, dot, ending = row.logical_path.rpartition("/")[2].rpartition(".")
    tags = row.stored.tags
    if tags is not None and tags.title:
        place = f"{tags.track_number:02d} " if tags.track_number is not None else ""
        disc = f"{tags.disc_number}-" if place and tags.disc_number is not None else ""
        name = f"{disc}{place}{tags.title}"
    else:
        name = stem if dot else ending
    folders = tuple(_PARTS[part](row, owner) for part in parts)
    return Wanted(identity, folders, name, f".{ending}" if dot and ending.isalnum() and len(ending) <= 5 else "")


def _is_there(rooms: ExportRooms, shelf: Shelf, name: str, row: FileRow, copies: bool) -> bool:
    """Return whether a name is there as it is to be. A copy is looked at by its length: what it holds, the record says."""
    source = rooms.blobs.local_path(row.path)
    linked = source is not None and shelf.is_link(name, source)
    return shelf.file_bytes(name) == row.file_bytes and not linked if copies else linked


def _make(rooms: ExportRooms, shelf: Shelf, name: str, row: FileRow, copies: bool) -> None:
    """Give a file its plain name."""
    source = rooms.blobs.local_path(row.path)
    if not copies:
        if source is None:
            raise UsageError("export files", "a store on S3 has no files to link to", "Copy them with --copy.")
        shelf.link(name, source)
        return
    hasher = sha256()
    with shelf.writer(name) as target, closing(rooms.blobs.open(row.path)) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            hasher.update(chunk)
            target.write(chunk)
        if hasher.hexdigest() != row.stored.hashes.sha256:
            problem = f"expected sha256 {row.stored.hashes.sha256}, found {hasher.hexdigest()}"
            raise FixityError(row.path, problem, "Run `fonoteca repair`, then export again.")


def _record(shelf: Shelf) -> dict[str, str]:
    """Return the names that earlier runs made, with the sha256 of each. Raises: UsageError for somebody else's folder."""
    content = shelf.read(RECORD)
    if content is None:
        if shelf.entries():
            raise UsageError(
                "--into", "there is something else already", "Name a folder that is new or empty, or one made so before."
            )
        return {}
    try:
        found = parse_json(content, RECORD)
        if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("files"), dict):
            raise FormatError(RECORD, f"expected the format {FORMAT}")
    except FormatError as error:
        raise UsageError(error.subject, error.problem, "Remove the folder, and export anew.") from None
    return {str(name): str(digest) for name, digest in found["files"].items() if _is_inside(str(name))}


def _is_inside(name: str) -> bool:
    """Return whether a name of the record lies below its folder: somebody may have written there."""
    return not {"", ".", ".."} & set(name.split("/"))


def _keep_record(shelf: Shelf, names: Mapping[str, str]) -> None:
    content = json_bytes({"format": FORMAT, "files": dict(names)}, RECORD)
    if shelf.read(RECORD) != content:
        with shelf.writer(RECORD) as target:
            target.write(content)
        shelf.tidy()
