"""The doors of the archive, in order: Want, Candidate, (Admission,) StagedVersion, StoredVersion, Drop, Edition.

Each room takes exactly what the room before it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from fonoteca.model.audio import AudioProbe, Tags
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import (
    ContentPath,
    DropId,
    InfohashV1,
    InfohashV2,
    ItemKey,
    LogicalPath,
    ObjectId,
    RecordingId,
)
from fonoteca.model.rights import Admission, Evidence, Kind, PublishingAdmission
from fonoteca.model.terms import ALWAYS, Term


@dataclass(frozen=True, slots=True)
class Want:
    """A recording worth holding next. share: of all listening, 0 to 1. file_bytes: of the encoding chosen, estimated.

    encoding: `as-offered` for the file at source_uri. place: in the order of worth, from 1. phase: from 1.
    """

    recording: RecordingId
    title: str
    artist: str
    release: str
    licence_uri: str
    source_uri: str
    file_bytes: int
    share: float
    encoding: str
    place: int
    phase: int


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where a file is that has to be fetched first. digests: as its source states them, such as ("md5", hexadecimal)."""

    url: str
    digests: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CandidateFile:
    """One file on offer. open: returns a fresh binary stream from the start, to be read once and closed by the caller.

    file_bytes: as the source states it; None where it does not. The stream decides.
    elsewhere: where it is fetched from before it can be opened, None for one that can.
    """

    logical_path: LogicalPath
    file_bytes: int | None
    open: Callable[[], BinaryIO]
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file of an item that is not taken, and why. rule: a stable name such as `protected`, `damaged`, `name`."""

    logical_path: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Files on offer that share one kind and one body of evidence.

    item: natural key at the source; files of one item under different evidence are candidates with different keys.
    attribution: the credit line that the evidence gives, "" where it gives none. notices: legal text that goes with copies.
    left_out: files of the item that the source itself set aside, with reasons.
    restate: asks the source again what it says of the rights, once its files are fetched; None for a source that is at hand.
    usage: what its host says of its use (Content-Usage), "" for nothing. term: when and where the source lets it be shared.
    """

    item: ItemKey
    kind: Kind
    title: str
    artist: str
    source_uri: str
    files: tuple[CandidateFile, ...]
    evidence: tuple[Evidence, ...]
    attribution: str = ""
    notices: str = ""
    left_out: tuple[LeftOut, ...] = ()
    restate: Callable[[], tuple[Evidence, ...]] | None = None
    usage: str = ""
    term: Term = ALWAYS


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A proved and examined file in the staging folder. probe and tags: None for artwork. media_type: IANA name."""

    logical_path: LogicalPath
    path: Path
    hashes: FileHashes
    media_type: str
    probe: AudioProbe | None = None
    tags: Tags | None = None


@dataclass(frozen=True, slots=True)
class StagedVersion:
    """An item's files in `folder`, durable there, ready to be stored. Made by `fonoteca.ingest` from an `Admission`."""

    candidate: Candidate
    admission: Admission
    folder: Path
    files: tuple[StagedFile, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class MemberFile:
    """One file of an object's version directory. path: below the storage root, `/`-separated, such as
    `a1b/2c3/d4e/<hash>/v1/content/01-name.ogg`.
    """

    path: str
    hashes: FileHashes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as its object's metadata.json describes it: where it came from, where it is, and what it sounds like."""

    logical_path: LogicalPath
    content_path: ContentPath
    hashes: FileHashes
    media_type: str
    probe: AudioProbe | None
    tags: Tags | None


@dataclass(frozen=True, slots=True)
class Correction:
    """What a curator says in place of what a source or a file's tags say. of: the file's logical path, "" for the item itself.

    field: its name in metadata.json. was, says: the values as text; "" for none, a list with ", " between.
    """

    of: str
    field: str
    was: str
    says: str


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of an object that is acknowledged: durable, and proved by its inventory.

    object_path: below the storage root. members: every file under `vN/`, in order of path, with hashes: what a drop carries.
    files: audio or artwork files of this state of the object (also those whose content is in an earlier vN).
    """

    object_id: ObjectId
    version: int
    created_at: datetime
    object_path: str
    members: tuple[MemberFile, ...]
    files: tuple[StoredFile, ...]

    @property
    def version_bytes(self) -> int:
        """Bytes of all files under vN/."""
        return sum(m.hashes.file_bytes for m in self.members)


@dataclass(frozen=True, slots=True)
class Shareable:
    """A stored version and the admission that lets everyone everywhere share it: the only thing `editions` cuts drops from.

    coverage_share: of all listening, carried by the object. ranks: of the recordings in it, None where none has a rank.
    """

    version: StoredVersion
    admission: PublishingAdmission
    coverage_share: float
    ranks: RankRange | None = None

    def __post_init__(self) -> None:
        """Assert that the admission is this object's: another's would open the gate for anything."""
        owner = ObjectId.of(self.admission.kind, self.admission.item)
        assert self.version.object_id == owner, f"{self.version.object_id} comes with the admission of {owner}"


class DropKind(StrEnum):
    """What a drop carries: the phases of an edition, in the order of publication."""

    METADATA = "metadata"
    SEARCH = "search"
    AUDIO = "audio"
    ARTWORK = "artwork"

    @property
    def is_snapshot(self) -> bool:
        """Whether such a drop is a snapshot: outside the store, and superseded by the next of its kind."""
        return self in (DropKind.METADATA, DropKind.SEARCH)


@dataclass(frozen=True, slots=True)
class DropMember:
    """A version directory in a drop."""

    object_id: ObjectId
    version: int


@dataclass(frozen=True, slots=True)
class RankRange:
    """The popularity of a drop: ranks of its most and of its least heard recording, 1 being the most heard of all, both included.

    By the catalogue of the day on which the drop was made; they are not kept up to date, as what is out never changes.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        """Assert that they are ranks in order."""
        assert 1 <= self.first <= self.last, f"ranks {self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class Drop:
    """One immutable torrent's worth.

    members: the OCFL version directories, none for a snapshot. needs: drops that hold earlier versions of members.
    drop_bytes and file_count: without pad files. coverage_share: of all listening, carried by this drop, 0 to 1.
    supersedes: the snapshot drop that this one replaces, or None. ranks: None where nothing in it is known to be heard.
    replaces: drops of which something was purged; this one carries what is left of them. Ascending.
    """

    id: DropId
    kind: DropKind
    members: tuple[DropMember, ...]
    infohash_v1: InfohashV1
    infohash_v2: InfohashV2
    drop_bytes: int
    file_count: int
    coverage_share: float
    created_at: datetime
    needs: tuple[DropId, ...] = ()
    supersedes: DropId | None = None
    ranks: RankRange | None = None
    replaces: tuple[DropId, ...] = ()


@dataclass(frozen=True, slots=True)
class Edition:
    """The dated list of all drops of one archive. number: 1, 2, 3, ...; root_name: name of every store drop's torrent."""

    archive: str
    root_name: str
    number: int
    published_at: datetime
    piece_bytes: int
    drops: tuple[Drop, ...]


class DamageKind(StrEnum):
    """What an audit found wrong with a file."""

    MISSING = "missing"
    LENGTH = "length"
    DIGEST = "digest"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Damage:
    """A file in the store that is not as its inventory says.

    pieces: indexes of damaged pieces, counted from 0; all of them for a missing file. expected and found: digests or lengths.
    """

    object_id: ObjectId
    member: MemberFile
    kind: DamageKind
    pieces: tuple[int, ...]
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a subject, kept for ever in the store's event log. facts: plain strings and numbers."""

    at: datetime
    what: str
    subject: str
    facts: tuple[tuple[str, str | int | float], ...] = ()


@dataclass(frozen=True, slots=True)
class FetchedPieces:
    """Single pieces of a torrent as a swarm gave them, each proved by the torrent's hashes.

    pieces: index in the torrent to the piece's bytes, pads left out. payload_bytes: downloaded for them, all in all.
    """

    pieces: Mapping[int, bytes]
    payload_bytes: int
