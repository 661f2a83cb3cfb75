"""The register's questions, as statements. A test names the indexes that each is answered by, on both engines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, String, and_, bindparam, column, func, not_, or_, select, values

from fonoteca.register.questions import Question
from fonoteca.register.schema import (
    decision,
    digest_key,
    drop,
    drop_member,
    event,
    file,
    fixity_check,
    holding,
    member_file,
    object_,
    piece_hashes,
    tally,
    version,
)

MemberPlace = tuple[str, int, str]
"""A path below the storage root in its parts: the object's path, the version's number, and what comes below `vN/`."""

_origin = version.alias("origin")
"""The version whose directory holds a file's bytes: the file's own, or an earlier one that shares its content."""

OBJECT_COLUMNS = (
    object_.c.object_id,
    object_.c.kind,
    object_.c.item_key,
    object_.c.title,
    object_.c.artist,
    object_.c.source_uri,
    object_.c.object_path,
    object_.c.head_version,
    object_.c.head_at,
    object_.c.licence_uri,
    object_.c.attribution,
    object_.c.file_count,
    object_.c.file_bytes,
    object_.c.duration_ms,
    object_.c.damage,
    object_.c.quarantined_at,
    object_.c.quarantine,
)

_HASH_COLUMNS = (
    member_file.c.file_bytes,
    member_file.c.sha256,
    piece_hashes.c.piece_bytes,
    piece_hashes.c.pieces_root,
    piece_hashes.c.piece_layer,
    piece_hashes.c.v1_pieces,
    piece_hashes.c.v1_last_padded,
)


def object_by_id(object_id: str) -> Question:
    """Select one object."""
    return Question(_OBJECT_BY_ID, {"object_id": object_id})


def object_by_path(object_path: str) -> Select[Any]:
    """Select the object at a path below the storage root."""
    return select(*OBJECT_COLUMNS).where(object_.c.object_path == object_path)


def objects_after(kind: str | None, after: str | None, limit: int) -> Select[Any]:
    """Select a page of objects in order of id."""
    query = select(*OBJECT_COLUMNS).order_by(object_.c.object_id).limit(limit)
    if kind is not None:
        query = query.where(object_.c.kind == kind)
    return query.where(object_.c.object_id > after) if after is not None else query


def objects_newest(kind: str, limit: int) -> Select[Any]:
    """Select the objects whose heads were made last."""
    return (
        select(*OBJECT_COLUMNS).where(object_.c.kind == kind).order_by(object_.c.head_at.desc(), object_.c.id.desc()).limit(limit)
    )


def objects_by_artist(artist: str, limit: int) -> Select[Any]:
    """Select the objects of an artist."""
    return select(*OBJECT_COLUMNS).where(object_.c.artist == artist).limit(limit)


def objects_damaged(limit: int) -> Select[Any]:
    """Select the objects whose own files the last audit found damaged."""
    return select(*OBJECT_COLUMNS).where(object_.c.damage.is_not(None)).order_by(object_.c.object_id).limit(limit)


def objects_of_item(item_key: str) -> Select[Any]:
    """Select the objects of an item, whatever evidence they stand under: `KEY` and every `KEY#SUFFIX`."""
    base = item_key.split("#", 1)[0]
    same_item = or_(object_.c.item_key == base, and_(object_.c.item_key > f"{base}#", object_.c.item_key < f"{base}$"))
    return select(*OBJECT_COLUMNS).where(same_item).order_by(object_.c.object_id)


def objects_held(object_ids: Collection[str]) -> Select[Any]:
    """Select what recording changes of these objects, in order of id, and keep other writers off them until we end."""
    columns = (object_.c.id, object_.c.object_id, object_.c.head_version, object_.c.file_count, object_.c.file_bytes)
    query = select(*columns, object_.c.duration_ms).where(object_.c.object_id.in_(object_ids)).order_by(object_.c.object_id)
    return query.with_for_update(key_share=True)


def versions_of(object_id: str) -> Select[Any]:
    """Select an object's versions."""
    return (
        select(version, object_.c.object_id, object_.c.object_path)
        .join(object_, object_.c.id == version.c.object_key)
        .where(object_.c.object_id == object_id)
        .order_by(version.c.version)
    )


def version_of(object_id: str, number: int) -> Select[Any]:
    """Select one version of an object."""
    return versions_of(object_id).where(version.c.version == number)


def versions_in(object_keys: Collection[int]) -> Select[Any]:
    """Select the versions of objects."""
    return select(version.c.id, version.c.object_key, version.c.version).where(version.c.object_key.in_(object_keys))


def digests_of(version_key: int) -> Select[Any]:
    """Select the files under a version's directory with their digests."""
    return select(member_file.c.tail, member_file.c.sha256).where(member_file.c.version_key == version_key)


def hashed_members(version_key: int) -> Select[Any]:
    """Select the files under a version's directory with their hashes."""
    return (
        select(member_file.c.tail, *_HASH_COLUMNS)
        .join(piece_hashes, piece_hashes.c.member_key == member_file.c.id)
        .where(member_file.c.version_key == version_key)
        .order_by(member_file.c.tail)
    )


def hashed_files(condition: ColumnElement[bool]) -> Select[Any]:
    """Select files of any version with all that makes a `StoredFile`, and where their bytes are."""
    return (
        select(
            object_.c.object_id,
            object_.c.object_path,
            file.c.id,
            file.c.position,
            file.c.logical_path,
            file.c.media_type,
            file.c.codec,
            file.c.duration_ms,
            file.c.title,
            file.c.artist,
            file.c.release,
            file.c.year,
            file.c.probe,
            file.c.tags,
            _origin.c.version,
            member_file.c.tail,
            member_file.c.damage,
            member_file.c.checked_at,
            *_HASH_COLUMNS,
        )
        .select_from(file)
        .join(version, version.c.id == file.c.version_key)
        .join(object_, object_.c.id == version.c.object_key)
        .join(member_file, member_file.c.id == file.c.member_key)
        .join(_origin, _origin.c.id == member_file.c.version_key)
        .join(piece_hashes, piece_hashes.c.member_key == member_file.c.id)
        .where(condition)
    )


def files_of_version(version_key: int) -> Select[Any]:
    """Select the files of one version."""
    return hashed_files(file.c.version_key == version_key).order_by(file.c.position)


def _of_head() -> ColumnElement[bool]:
    """Narrow to files of an object's head."""
    return version.c.version == object_.c.head_version


def files_of(object_id: str) -> Select[Any]:
    """Select the files of an object's head."""
    return hashed_files(and_(object_.c.object_id == object_id, _of_head())).order_by(file.c.position)


def file_at(object_id: str, logical_path: str) -> Question:
    """Select one file of an object's head."""
    return Question(_FILE_AT, {"object_id": object_id, "logical_path": logical_path})


def unanalysed(after_key: int, limit: int) -> Select[Any]:
    """Select the files of heads that wait for their analysis, in order of key."""
    return (
        select(file.c.id, object_.c.object_id)
        .join(version, version.c.id == file.c.version_key)
        .join(object_, object_.c.id == version.c.object_key)
        .where(~file.c.analysed, file.c.id > after_key, _of_head())
        .order_by(file.c.id)
        .limit(limit)
    )


def unanalysed_of(object_id: str) -> Question:
    """Select a file of an object's head that waits for its analysis."""
    return Question(_UNANALYSED_OF, {"object_id": object_id})


def files_with_digest(sha256: str) -> Select[Any]:
    """Select the files of heads whose content has a digest."""
    condition = and_(member_file.c.digest_key == digest_key(sha256), member_file.c.sha256 == sha256, _of_head())
    return hashed_files(condition).order_by(object_.c.object_id, file.c.position)


def digests_held(sha256s: Sequence[str]) -> Select[Any]:
    """Select which of some digests a file under a version directory has."""
    keys = [digest_key(each) for each in sha256s]
    return select(member_file.c.sha256).where(member_file.c.digest_key.in_(keys), member_file.c.sha256.in_(list(sha256s)))


def files_by_artist(artist: str, limit: int) -> Select[Any]:
    """Select files of heads by their artist."""
    return hashed_files(and_(file.c.artist == artist, _of_head())).limit(limit)


def files_of_recording(recording_id: str) -> Select[Any]:
    """Select the files that hold a recording."""
    keys = select(holding.c.file_key).where(holding.c.recording_id == recording_id)
    return hashed_files(file.c.id.in_(keys)).order_by(object_.c.object_id, file.c.position)


def _members() -> Select[Any]:
    """Select files under version directories, without what cutting needs."""
    return (
        select(
            member_file.c.id,
            object_.c.object_id,
            object_.c.object_path,
            version.c.version,
            member_file.c.tail,
            member_file.c.file_bytes,
            member_file.c.sha256,
            member_file.c.checked_at,
            member_file.c.damage,
        )
        .select_from(member_file)
        .join(version, version.c.id == member_file.c.version_key)
        .join(object_, object_.c.id == version.c.object_key)
    )


def member_at(object_path: str, number: int, tail: str) -> Select[Any]:
    """Select the file at a path below the storage root, given in its three parts."""
    return _members().where(object_.c.object_path == object_path, version.c.version == number, member_file.c.tail == tail)


def hashes_at(object_path: str, number: int, tail: str) -> Select[Any]:
    """Select the hashes of the file at a path below the storage root, given in its three parts."""
    return (
        select(*_HASH_COLUMNS)
        .join(member_file, member_file.c.id == piece_hashes.c.member_key)
        .join(version, version.c.id == member_file.c.version_key)
        .join(object_, object_.c.id == version.c.object_key)
        .where(object_.c.object_path == object_path, version.c.version == number, member_file.c.tail == tail)
    )


def members_at(places: Collection[MemberPlace]) -> Select[Any]:
    """Select the files at many paths below the storage root."""
    columns = (column("object_path", String), column("version", Integer), column("tail", String))
    wanted = values(*columns).data(list(places)).cte("wanted")
    return _members().join(
        wanted,
        and_(
            object_.c.object_path == wanted.c.object_path,
            version.c.version == wanted.c.version,
            member_file.c.tail == wanted.c.tail,
        ),
    )


def members_never_checked(limit: int) -> Select[Any]:
    """Select files that no audit has seen, oldest rows first."""
    # Also by the date, which all lack: without it PostgreSQL does not see that the index has them in this order.
    never = member_file.c.checked_at.is_(None)
    return _members().where(never).order_by(member_file.c.checked_at, member_file.c.id).limit(limit)


def members_checked_longest_ago(limit: int) -> Select[Any]:
    """Select files whose last check is the longest ago."""
    checked = member_file.c.checked_at.is_not(None)
    return _members().where(checked).order_by(member_file.c.checked_at, member_file.c.id).limit(limit)


def members_damaged(limit: int) -> Select[Any]:
    """Select files that the last audit found damaged."""
    return _members().where(member_file.c.damage.is_not(None)).order_by(member_file.c.version_key).limit(limit)


def checks_newest(limit: int) -> Select[Any]:
    """Select the last checks of any file."""
    return (
        select(object_.c.object_id, object_.c.object_path, version.c.version, member_file.c.tail, fixity_check)
        .select_from(fixity_check)
        .join(member_file, member_file.c.id == fixity_check.c.member_key)
        .join(version, version.c.id == member_file.c.version_key)
        .join(object_, object_.c.id == version.c.object_key)
        .order_by(fixity_check.c.at.desc())
        .limit(limit)
    )


def undropped(kind: str, after_key: int, limit: int) -> Select[Any]:
    """Select versions of a kind that no drop carries, in order of recording."""
    return (
        select(version.c.id, version.c.version, object_.c.object_id)
        .join(object_, object_.c.id == version.c.object_key)
        .where(version.c.kind == kind, not_(version.c.dropped), version.c.id > after_key)
        .order_by(version.c.id)
        .limit(limit)
    )


def versions_with_keys(keys: Collection[int]) -> Select[Any]:
    """Select versions by their keys."""
    return (
        select(version.c.id, version.c.version, object_.c.object_id)
        .join(object_, object_.c.id == version.c.object_key)
        .where(version.c.id.in_(keys))
    )


def dropped_in(object_id: str, number: int) -> Select[Any]:
    """Select the drops that carry a version."""
    return select(drop_member.c.drop_id).where(drop_member.c.object_id == object_id, drop_member.c.version == number)


def dropped_among(object_ids: Collection[str]) -> Select[Any]:
    """Select the versions of objects that a drop carries."""
    return select(drop_member.c.object_id, drop_member.c.version).where(drop_member.c.object_id.in_(object_ids))


def drops_that_replace() -> Select[Any]:
    """Select what drops replace, of those that replace any: a pass over all drops, which are few."""
    return select(drop.c.replaces).where(drop.c.replaces != "")


def drops_with(object_id: str) -> Select[Any]:
    """Select the infohashes of the drops that carry versions of an object."""
    carriers = select(drop_member.c.drop_id).where(drop_member.c.object_id == object_id)
    return select(drop.c.infohash_v1, drop.c.infohash_v2).where(drop.c.id.in_(carriers))


def members_of_drop(drop_id: str) -> Select[Any]:
    """Select the versions in a drop."""
    return (
        select(drop_member.c.object_id, drop_member.c.version)
        .where(drop_member.c.drop_id == drop_id)
        .order_by(drop_member.c.object_id, drop_member.c.version)
    )


def decisions_in(state: str, limit: int, outcome: str | None = None) -> Select[Any]:
    """Select decisions in a state, newest first, of one outcome or of any."""
    query = select(decision).where(decision.c.state == state).order_by(decision.c.at.desc(), decision.c.id.desc()).limit(limit)
    return query.where(decision.c.outcome == outcome) if outcome is not None else query


def decisions_about(item_key: str) -> Select[Any]:
    """Select decisions about one item."""
    return select(decision).where(decision.c.item_key == item_key).order_by(decision.c.at, decision.c.id)


def events_newest(limit: int, subject: str | None) -> Select[Any]:
    """Select the last events, of one subject or of all."""
    query = select(event).order_by(event.c.at.desc(), event.c.id.desc()).limit(limit)
    return query.where(event.c.subject == subject) if subject is not None else query


def events_with_digests(digests: Collection[bytes]) -> Select[Any]:
    """Select the digests of those events that are known, by the digests of all that they say."""
    return select(event.c.digest).where(event.c.digest.in_(digests))


def sums(kind: str | None) -> Select[Any]:
    """Select the sums over the heads of a kind, or of audio and artwork together."""
    columns = (tally.c.object_count, tally.c.file_count, tally.c.file_bytes, tally.c.duration_ms)
    kinds = or_(tally.c.kind == "audio", tally.c.kind == "artwork") if kind is None else tally.c.kind == kind
    return select(*(func.coalesce(func.sum(column), 0).label(column.name) for column in columns)).where(kinds)


def held() -> Select[Any]:
    """Select every track held, in order of object and position: a pass over all holdings."""
    return (
        select(
            holding.c.recording_id,
            object_.c.object_id,
            file.c.logical_path,
            file.c.title,
            file.c.artist,
            file.c.release,
            file.c.year,
            file.c.duration_ms,
            member_file.c.file_bytes,
            member_file.c.sha256,
            object_.c.licence_uri,
        )
        .select_from(object_)
        .join(version, and_(version.c.object_key == object_.c.id, _of_head()))
        .join(file, file.c.version_key == version.c.id)
        .join(holding, holding.c.file_key == file.c.id)
        .join(member_file, member_file.c.id == file.c.member_key)
        .order_by(object_.c.object_id, file.c.position)
    )


# What every file that goes out asks, made once

_OBJECT_BY_ID = select(*OBJECT_COLUMNS).where(object_.c.object_id == bindparam("object_id"))
_FILE_AT = hashed_files(
    and_(object_.c.object_id == bindparam("object_id"), _of_head(), file.c.logical_path == bindparam("logical_path"))
)
_UNANALYSED_OF = (
    select(file.c.id)
    .join(version, version.c.id == file.c.version_key)
    .join(object_, object_.c.id == version.c.object_key)
    .where(object_.c.object_id == bindparam("object_id"), _of_head(), ~file.c.analysed)
    .limit(1)
)
