"""`index.json`: the edition as a document. It names every file of the edition with its digest; what it says is checked here.

Grain: one entry per drop. Key: id. Order: of publication, so a drop comes after those that it needs or supersedes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NoReturn

from fonoteca.editions.memberlist import count, more_json, parse_ranks, share
from fonoteca.editions.promotion import Promotion, parse_promotions, promotion_json
from fonoteca.formats import merkle
from fonoteca.formats.instants import instant, parse_instant
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.corridor import Drop, DropKind, DropMember, RankRange
from fonoteca.model.errors import FonotecaError, FormatError, TrustError
from fonoteca.model.ids import DropId, InfohashV1, InfohashV2, Sha256
from fonoteca.model.settings import TITLE_CHARS_MAX

INDEX = "index.json"
FORMATS = ("fonoteca-edition/1", "fonoteca-edition/2", "fonoteca-edition/3")
"""The second is written when a drop has what the first has no word for: ranks, successors or a search index. The third is that of
an archive that was promoted.
"""

INDEX_BYTES_MAX = 256 * 2**20
"""About 200,000 drops: an edition of 300 TB has some 8,000."""

_HEAD_FIELDS = {"format", "archive", "root_name", "number", "published_at", "piece_bytes", "drops"}
_FILE_FIELDS = {"path", "bytes", "sha256"}


@dataclass(frozen=True, slots=True)
class TargetFile:
    """A file of an edition. path: below the edition's folder."""

    path: str
    file_bytes: int
    sha256: Sha256

    @classmethod
    def of(cls, path: str, content: bytes) -> TargetFile:
        """Return the file with this content."""
        return cls(path, len(content), Sha256(sha256(content).hexdigest()))


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What the index says of one drop: everything in `Drop` but members, and its files."""

    id: DropId
    kind: DropKind
    created_at: datetime
    infohash_v1: InfohashV1
    infohash_v2: InfohashV2
    drop_bytes: int
    file_count: int
    coverage_share: float
    needs: tuple[DropId, ...]
    supersedes: DropId | None
    torrent: TargetFile
    manifest_parquet: TargetFile
    manifest_jsonl: TargetFile
    ranks: RankRange | None = None
    replaces: tuple[DropId, ...] = ()

    @property
    def files(self) -> tuple[TargetFile, ...]:
        """The files of this drop in the edition."""
        return self.torrent, self.manifest_parquet, self.manifest_jsonl

    def with_members(self, members: Sequence[DropMember]) -> Drop:
        """Return the drop whole; a snapshot has no members."""
        return Drop(
            id=self.id,
            kind=self.kind,
            members=tuple(members),
            infohash_v1=self.infohash_v1,
            infohash_v2=self.infohash_v2,
            drop_bytes=self.drop_bytes,
            file_count=self.file_count,
            coverage_share=self.coverage_share,
            created_at=self.created_at,
            needs=self.needs,
            supersedes=self.supersedes,
            ranks=self.ranks,
            replaces=self.replaces,
        )


@dataclass(frozen=True, slots=True)
class Heading:
    """What an edition says of its archive. root_name and piece_bytes never change once something is published."""

    archive: str
    root_name: str
    piece_bytes: int


@dataclass(frozen=True, slots=True)
class Index:
    """The content of index.json. number: 1, 2, 3, ... promoted_from: what a promoted archive goes on from, the oldest first."""

    heading: Heading
    number: int
    published_at: datetime
    entries: tuple[IndexEntry, ...]
    promoted_from: tuple[Promotion, ...] = ()

    def current_snapshot(self, kind: DropKind = DropKind.METADATA) -> DropId | None:
        """Return the newest snapshot drop of a kind that no other one supersedes, or None."""
        superseded = {entry.supersedes for entry in self.entries}
        live = [e.id for e in self.entries if e.kind == kind and e.id not in superseded]
        return live[-1] if live else None


def torrent_path(drop_id: DropId) -> str:
    """Return where a drop's torrent lies."""
    return f"drops/{drop_id}.torrent"


def parquet_path(drop_id: DropId) -> str:
    """Return where a drop's manifest lies as Parquet."""
    return f"manifests/{drop_id}.parquet"


def jsonl_path(drop_id: DropId) -> str:
    """Return where a drop's manifest lies as JSON lines."""
    return f"manifests/{drop_id}.jsonl.zst"


def entry_of(drop: Drop, torrent: bytes, parquet: bytes, jsonl: bytes) -> IndexEntry:
    """Return the entry of a drop with these manifests."""
    return IndexEntry(
        id=drop.id,
        kind=drop.kind,
        created_at=drop.created_at,
        infohash_v1=drop.infohash_v1,
        infohash_v2=drop.infohash_v2,
        drop_bytes=drop.drop_bytes,
        file_count=drop.file_count,
        coverage_share=drop.coverage_share,
        needs=drop.needs,
        supersedes=drop.supersedes,
        torrent=TargetFile.of(torrent_path(drop.id), torrent),
        manifest_parquet=TargetFile.of(parquet_path(drop.id), parquet),
        manifest_jsonl=TargetFile.of(jsonl_path(drop.id), jsonl),
        ranks=drop.ranks,
        replaces=drop.replaces,
    )


def index_bytes(index: Index) -> bytes:
    """Return index.json: the same bytes for the same index."""
    newer = bool(index.promoted_from) or any(_has_more(entry) for entry in index.entries)
    return json_bytes(
        {
            "format": FORMATS[2 if index.promoted_from else newer],
            "archive": index.heading.archive,
            "root_name": index.heading.root_name,
            "number": index.number,
            "published_at": instant(index.published_at),
            "piece_bytes": index.heading.piece_bytes,
            **({"promoted_from": [promotion_json(each) for each in index.promoted_from]} if index.promoted_from else {}),
            "drops": [_entry_json(entry, newer) for entry in index.entries],
        },
        INDEX,
    )


def parse_index(content: bytes) -> Index:
    """Return what index.json says, when it can be believed as far as it goes: files are checked when they are read.

    Raises: TrustError naming the drop and field for anything that `index_bytes` would not have written, files at other
    paths than their drop's id gives, needs and successions that are not of drops before, or figures out of bounds.
    """
    try:
        found = parse_json(content, INDEX)
        if not isinstance(found, dict) or found.get("format") not in FORMATS:
            raise FormatError(INDEX, f"expected the format {FORMATS[-1]}")
        newer, promoted = found["format"] != FORMATS[0], found["format"] == FORMATS[2]
        if found.keys() != _HEAD_FIELDS | ({"promoted_from"} if promoted else set()):
            raise FormatError(INDEX, f"it has other fields than {found['format']} gives it")
        heading = Heading(
            archive=_text(found["archive"]),
            root_name=_text(found["root_name"]),
            piece_bytes=count(found["piece_bytes"]),
        )
        merkle.piece_levels(heading.piece_bytes)
        entries = tuple(_parse_entry(each, newer) for each in found["drops"])
        promoted_from = parse_promotions(found["promoted_from"]) if promoted else ()
        index = Index(heading, count(found["number"], 1), parse_instant(found["published_at"]), entries, promoted_from)
    except (FonotecaError, TypeError, ValueError, KeyError, OverflowError) as error:
        problem = str(error).removeprefix(f"{INDEX}: ")
        raise TrustError(INDEX, problem, "Ask the archive's operator; nothing was taken.") from None
    _check_laws(index.entries)
    if index_bytes(index) != content:  # a mirror puts out the same bytes, so that what binds them still does
        raise TrustError(INDEX, "not in the one form that says this", "Ask the archive's operator; nothing was taken.")
    return index


def _check_laws(entries: Sequence[IndexEntry]) -> None:
    """Raise TrustError for the first drop that breaks a law of editions.

    Laws: an id is there once; needs and replaces name store drops before, in ascending order; a snapshot has neither, a store
    drop supersedes nothing; a snapshot supersedes one of its kind before, which no other one supersedes.
    """
    kinds: dict[DropId, DropKind] = {}
    superseded: set[DropId] = set()
    for entry in entries:
        snapshot = entry.kind.is_snapshot
        if entry.id in kinds:
            _refuse(entry.id, "is listed twice")
        if entry.id.partition("-")[0] != entry.kind:
            _refuse(entry.id, f"is not of kind {entry.kind}")
        for verb, others in (("needs", entry.needs), ("replaces", entry.replaces)):
            if list(others) != sorted(set(others)) or (snapshot and others):
                _refuse(entry.id, f"{verb} drops out of order, twice, or as a snapshot")
            if any(kinds.get(other, DropKind.METADATA).is_snapshot for other in others):
                _refuse(entry.id, f"{verb} a drop that is not a store drop listed before it")
        if entry.supersedes is not None:
            older = kinds.get(entry.supersedes)
            if not snapshot or older != entry.kind or entry.supersedes in superseded:
                _refuse(entry.id, f"cannot supersede {entry.supersedes}")
            superseded.add(entry.supersedes)
        kinds[entry.id] = entry.kind


def _refuse(drop_id: DropId, problem: str) -> NoReturn:
    raise TrustError(f"{INDEX}: {drop_id}", problem, "Ask the archive's operator; nothing was taken.")


def _has_more(entry: IndexEntry) -> bool:
    """Return whether the first format has no word for something about a drop."""
    return entry.ranks is not None or bool(entry.replaces) or entry.kind is DropKind.SEARCH


def _entry_json(entry: IndexEntry, newer: bool) -> dict[str, Any]:
    """Return one drop as the index has it, in the second format or in the first."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "created_at": instant(entry.created_at),
        "infohash_v1": entry.infohash_v1,
        "infohash_v2": entry.infohash_v2,
        "bytes": entry.drop_bytes,
        "files": entry.file_count,
        "coverage_share": entry.coverage_share,
        "needs": list(entry.needs),
        "supersedes": entry.supersedes,
        **(more_json(entry.ranks, entry.replaces) if newer else {}),
        "torrent": _file_json(entry.torrent),
        "manifest_parquet": _file_json(entry.manifest_parquet),
        "manifest_jsonl": _file_json(entry.manifest_jsonl),
    }


def _file_json(file: TargetFile) -> dict[str, str | int]:
    return {"path": file.path, "bytes": file.file_bytes, "sha256": file.sha256}


def _parse_entry(found: Any, newer: bool) -> IndexEntry:
    """Return one drop of the index. Raises: whatever a wrong type or value raises; the caller names it."""
    if not isinstance(found, dict):
        raise TypeError(f"expected an object for each drop, found {type(found).__name__}")
    drop_id = DropId(found["id"])
    entry = IndexEntry(
        id=drop_id,
        kind=DropKind(found["kind"]),
        created_at=parse_instant(found["created_at"]),
        infohash_v1=InfohashV1(found["infohash_v1"]),
        infohash_v2=InfohashV2(found["infohash_v2"]),
        drop_bytes=count(found["bytes"], 1),
        file_count=count(found["files"], 1),
        coverage_share=share(found["coverage_share"]),
        needs=tuple(DropId(each) for each in found["needs"]),
        supersedes=None if found["supersedes"] is None else DropId(found["supersedes"]),
        torrent=_parse_file(found["torrent"], torrent_path(drop_id)),
        manifest_parquet=_parse_file(found["manifest_parquet"], parquet_path(drop_id)),
        manifest_jsonl=_parse_file(found["manifest_jsonl"], jsonl_path(drop_id)),
        ranks=parse_ranks(found["ranks"]) if newer else None,
        replaces=tuple(DropId(each) for each in found["replaces"]) if newer else (),
    )
    if found.keys() != _entry_json(entry, newer).keys():
        raise ValueError(f"{drop_id} has other fields than {FORMATS[newer]} gives it")
    return entry


def _parse_file(found: Any, path: str) -> TargetFile:
    """Return a file of the edition, which lies at one path only."""
    if not isinstance(found, dict) or found.keys() != _FILE_FIELDS or found["path"] != path:
        raise ValueError(f"expected the file {path}")
    return TargetFile(path, count(found["bytes"], 1), Sha256(found["sha256"]))


def _text(value: Any) -> str:
    """Return short printable text."""
    if not isinstance(value, str) or not 0 < len(value) <= TITLE_CHARS_MAX or not value.isprintable():
        raise ValueError(f"expected a short line of text, found {value!r}"[:200])
    return value
