"""The file of a backup: a tar (POSIX.1-2001) of what no mirror has, with the SHA-256 of every member as its last member.

Members, in this order, each at most once:
    backup.json               format, archive, when, by which version
    fonoteca.toml, archive.json
    keys/**, private/**, editions/**, trust/**
    documents/<path>/vN/**    versions of documents that the store keeps of drops, by their path below its root
    log/yyyy/mm/dd/...        segments of the event log, as the store names them
    people.jsonl.zst          the accounts, and what is kept for them; none in backups of before there were any
    register.jsonl.zst        all rows of the register
    SHA256SUMS
Bytes in, verdict out.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from fonoteca.formats.instants import instant, parse_instant
from fonoteca.formats.strictjson import parse_json
from fonoteca.model.errors import FormatError

FORMAT = "fonoteca-backup/1"
ABOUT, SUMS, REGISTER = "backup.json", "SHA256SUMS", "register.jsonl.zst"
PEOPLE = "people.jsonl.zst"
DOCUMENTS, LOG = "documents", "log"
SETTINGS_FILES = ("fonoteca.toml", "archive.json")
PARTS = ("keys", "private", "editions", "trust")
"""Folders of an archive that are kept whole."""

MEMBERS_MAX = 10_000_000
SUMS_BYTES_MAX = 2 << 30
_ABOUT_BYTES_MAX = 1 << 16
_COPY_BYTES = 1 << 20
_REMEDY = "It is damaged or cut short: use another backup."


@dataclass(frozen=True, slots=True)
class About:
    """What a backup says of itself. archive: the name. made_at: when it was begun."""

    archive: str
    made_at: datetime
    version: str


class Packer:
    """Writes a backup member by member. Use it as a context: at its good end the sums are written."""

    def __init__(self, stream: BinaryIO, about: About) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed in __exit__
        self._sums: list[str] = []
        self._mtime = int(about.made_at.timestamp())
        said = {"format": FORMAT, "archive": about.archive, "made_at": instant(about.made_at), "version": about.version}
        self.add(ABOUT, json.dumps(said, indent=2).encode() + b"\n")

    def __enter__(self) -> Packer:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the sums, unless something failed."""
        if kind is None:
            self.add(SUMS, "".join(self._sums).encode())
            self._tar.close()

    def add(self, name: str, content: bytes) -> None:
        """Add a small member."""
        self.copy(name, io.BytesIO(content), len(content))

    def copy(self, name: str, source: BinaryIO, size: int) -> None:
        """Add a member of `size` bytes from a stream. Raises: FormatError when it has not so many."""
        hashed = _Hashed(source)
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, self._mtime
        try:
            self._tar.addfile(member, hashed)
        except OSError as error:
            if hashed.count < size:
                raise FormatError(name, f"expected {size} bytes, found {hashed.count}", "Make the backup again.") from error
            raise
        self._sums.append(f"{hashed.digest.hexdigest()}  {name}\n")


class _Hashed(io.RawIOBase):
    """A stream that is hashed as it is read."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self.digest = hashlib.sha256()
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        content = self._source.read(size)
        self.digest.update(content)
        self.count += len(content)
        return content


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a backup, to be read before the next one is asked for. name: checked, `/`-separated, relative."""

    name: str
    size: int
    content: BinaryIO

    def blocks(self) -> Iterator[bytes]:
        """Yield the content. Raises: FormatError where the backup is cut short."""
        while True:
            with _told(self.name):
                block = self.content.read(_COPY_BYTES)
            if not block:
                return
            yield block


def read_backup(stream: BinaryIO, subject: str) -> Iterator[About | Member]:
    """Yield what a backup says of itself, then its members, each to be read wholly; at the end all are proved by the sums.

    Nothing of it may be used before the last one has come. Raises: FormatError for what is no whole backup of this kind.
    """
    found: dict[str, str] = {}
    proved = False
    with _told(subject), tarfile.open(fileobj=stream, mode="r|") as tar:
        for entry in tar:
            if proved or entry.name in found or len(found) >= MEMBERS_MAX or not entry.isreg():
                raise FormatError(subject, f"{entry.name!r} should not be where it is", _REMEDY)
            content = tar.extractfile(entry)
            assert content is not None, "an ordinary file has content"
            hashed = _Hashed(content)  # type: ignore[arg-type]
            if entry.name == SUMS:
                _check_sums(content.read(SUMS_BYTES_MAX), found, subject)
                proved = True
                continue
            if not found:
                yield _about(entry.name, hashed.read(_ABOUT_BYTES_MAX), subject)
            else:
                yield Member(_checked(entry.name, subject), entry.size, hashed)  # type: ignore[arg-type]
            if hashed.count != entry.size:
                raise FormatError(subject, f"{entry.name} has {hashed.count} of {entry.size} bytes", _REMEDY)
            found[entry.name] = hashed.digest.hexdigest()
    if not proved:
        raise FormatError(subject, f"it has no {SUMS} at its end", _REMEDY)


@contextmanager
def _told(subject: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise FormatError(subject, f"not a whole backup: {error}", _REMEDY) from error


def _about(name: str, content: bytes, subject: str) -> About:
    said = parse_json(content, subject) if name == ABOUT else None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise FormatError(subject, f"expected a backup in the format {FORMAT}", "Name a file that `fonoteca backup` made.")
    try:
        return About(str(said["archive"]), parse_instant(said["made_at"]), str(said["version"]))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(subject, f"{ABOUT} is not as expected: {error}", _REMEDY) from None


def _checked(name: str, subject: str) -> str:
    """Return a member's name. Raises: FormatError for one that could lead anywhere else, or that no backup has."""
    parts = name.split("/")
    known = name in (*SETTINGS_FILES, PEOPLE, REGISTER) or (len(parts) > 1 and parts[0] in (*PARTS, DOCUMENTS, LOG))
    if not known or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise FormatError(subject, f"{name!r} is no name of a member of a backup", _REMEDY)
    return name


def _check_sums(content: bytes, found: dict[str, str], subject: str) -> None:
    told: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        told[name] = digest
    for name in sorted(told.keys() | found.keys()):
        if told.get(name) != found.get(name):
            what = f"sha256 is {found.get(name, 'nothing')}, its sum says {told.get(name, 'nothing')}"
            raise FormatError(subject, f"{name}: {what}", _REMEDY)
