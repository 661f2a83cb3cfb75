"""From rows of the register to nouns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from fonoteca.model.catalogue import HeldTrack
from fonoteca.model.corridor import DropKind, Event, MemberFile, RankRange, StoredFile, StoredVersion
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
from fonoteca.register.rows import (
    CheckRow,
    DecisionRow,
    DecisionState,
    DropRow,
    FileRow,
    MemberRow,
    ObjectRow,
    Outcome,
    VersionRow,
    facts_of,
    numbers_of,
    probe_of,
    tags_of,
)


def hashes_of(row: Row[Any]) -> FileHashes:
    """Return the hashes in a row that has `queries._HASH_COLUMNS`."""
    return FileHashes(
        file_bytes=row.file_bytes,
        piece_bytes=row.piece_bytes,
        sha256=row.sha256,
        pieces_root=bytes(row.pieces_root),
        piece_layer=bytes(row.piece_layer),
        v1_pieces=bytes(row.v1_pieces),
        v1_last_padded=bytes(row.v1_last_padded),
    )


def object_row(row: Row[Any]) -> ObjectRow:
    """Return an object."""
    return ObjectRow(
        object_id=ObjectId(row.object_id),
        kind=row.kind,
        item=None if row.item_key is None else ItemKey(row.item_key),
        title=row.title,
        artist=row.artist,
        source_uri=row.source_uri,
        object_path=row.object_path,
        head_version=row.head_version,
        head_at=row.head_at,
        licence_uri=row.licence_uri,
        attribution=row.attribution,
        file_count=row.file_count,
        file_bytes=row.file_bytes,
        duration_ms=row.duration_ms,
        damage=row.damage or "",
        quarantined_at=row.quarantined_at,
        quarantine=row.quarantine or "",
    )


def version_row(row: Row[Any]) -> VersionRow:
    """Return a version."""
    return VersionRow(
        object_id=ObjectId(row.object_id),
        version=row.version,
        created_at=row.created_at,
        object_path=row.object_path,
        version_bytes=row.version_bytes,
        licence_uri=row.licence_uri,
        acts=tuple(row.acts.split()),
        transcode=row.transcode,
        attribution=row.attribution,
        rule=row.rule,
        policy_digest=row.policy_digest,
        decided_at=row.decided_at,
        dropped=row.dropped,
    )


def stored_file(row: Row[Any]) -> StoredFile:
    """Return a file as its object's metadata.json describes it."""
    return StoredFile(
        logical_path=LogicalPath(row.logical_path),
        content_path=ContentPath(f"v{row.version}/{row.tail}"),
        hashes=hashes_of(row),
        media_type=row.media_type,
        probe=probe_of(row.probe),
        tags=tags_of(row.tags),
    )


def file_row(row: Row[Any]) -> FileRow:
    """Return a file of an object's head."""
    return FileRow(
        object_id=ObjectId(row.object_id),
        logical_path=LogicalPath(row.logical_path),
        path=f"{row.object_path}/v{row.version}/{row.tail}",
        media_type=row.media_type,
        codec=row.codec,
        file_bytes=row.file_bytes,
        duration_ms=row.duration_ms,
        title=row.title,
        artist=row.artist,
        release=row.release,
        year=row.year,
        damage=row.damage or "",
        checked_at=row.checked_at,
        stored=stored_file(row),
    )


def stored_version(row: Row[Any], members: list[Row[Any]], files: list[Row[Any]]) -> StoredVersion:
    """Return a version whole, from its own row and those of its members and files."""
    directory = f"{row.object_path}/v{row.version}"
    return StoredVersion(
        object_id=ObjectId(row.object_id),
        version=row.version,
        created_at=row.created_at,
        object_path=row.object_path,
        members=tuple(MemberFile(f"{directory}/{member.tail}", hashes_of(member)) for member in members),
        files=tuple(stored_file(each) for each in files),
    )


def member_row(row: Row[Any]) -> MemberRow:
    """Return a file under a version's directory."""
    return MemberRow(
        object_id=ObjectId(row.object_id),
        version=row.version,
        path=f"{row.object_path}/v{row.version}/{row.tail}",
        file_bytes=row.file_bytes,
        sha256=row.sha256,
        checked_at=row.checked_at,
        damage=row.damage or "",
    )


def held_track(row: Row[Any]) -> HeldTrack:
    """Return a track we keep."""
    return HeldTrack(
        recording=RecordingId(row.recording_id),
        object_id=row.object_id,
        logical_path=row.logical_path,
        title=row.title,
        artist=row.artist,
        release=row.release,
        year=row.year,
        duration_ms=row.duration_ms,
        file_bytes=row.file_bytes,
        licence_uri=row.licence_uri,
    )


def decision_row(row: Row[Any]) -> DecisionRow:
    """Return a refusal or a hold."""
    return DecisionRow(
        subject=row.subject,
        outcome=Outcome(row.outcome),
        rule=row.rule,
        item=row.item_key,
        reason=row.reason,
        remedy=row.remedy,
        at=row.at,
        state=DecisionState(row.state),
        settlement=row.settlement,
        settled_at=row.settled_at,
        title=row.title,
        artist=row.artist,
        source=row.source,
        said=row.said,
    )


def drop_row(row: Row[Any]) -> DropRow:
    """Return a drop without its torrent."""
    return DropRow(
        id=DropId(row.id),
        kind=DropKind(row.kind),
        infohash_v1=InfohashV1(row.infohash_v1),
        infohash_v2=InfohashV2(row.infohash_v2),
        drop_bytes=row.drop_bytes,
        file_count=row.file_count,
        coverage_share=row.coverage_share,
        created_at=row.created_at,
        needs=tuple(DropId(each) for each in row.needs.split()),
        supersedes=None if row.supersedes is None else DropId(row.supersedes),
        ranks=None if row.rank_first is None else RankRange(row.rank_first, row.rank_last),
        replaces=tuple(DropId(each) for each in row.replaces.split()),
    )


def check_row(row: Row[Any]) -> CheckRow:
    """Return a dated fixity check."""
    return CheckRow(
        object_id=ObjectId(row.object_id),
        path=f"{row.object_path}/v{row.version}/{row.tail}",
        at=row.at,
        result=row.result,
        expected=row.expected,
        found=row.found,
        pieces=numbers_of(row.pieces),
    )


def event_of(row: Row[Any]) -> Event:
    """Return an event."""
    return Event(at=row.at, what=row.what, subject=row.subject, facts=facts_of(row.facts))
