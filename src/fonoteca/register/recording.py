"""Writing versions, drops and checks into the register, on a connection that `fonoteca.register.engine` began."""

from __future__ import annotations

import re
from zlib import crc32

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from fonoteca.model.corridor import Drop, StoredFile, StoredVersion
from fonoteca.model.errors import StoreError
from fonoteca.model.ids import RecordingId
from fonoteca.model.rights import Kind, RightsRecord
from fonoteca.register.engine import insert_or
from fonoteca.register.queries import dropped_in, member_at, members_of_drop
from fonoteca.register.rows import SOUND, Check, Description, numbers_json, probe_json, storable, tags_json
from fonoteca.register.schema import (
    TALLY_BUCKETS,
    digest_key,
    drop,
    drop_member,
    file,
    fixity_check,
    holding,
    item,
    member_file,
    object_,
    piece_hashes,
    tally,
    version,
)

_MEMBER_PATH = re.compile(r"(?P<object>.+?)/v(?P<version>[1-9][0-9]{0,8})/(?P<tail>.+)", re.DOTALL)
_MBID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_YEAR = re.compile(r"(?<!\d)(1[6-9]\d\d|20\d\d)(?!\d)")


def record_version(connection: Connection, stored: StoredVersion, rights: RightsRecord | None, description: Description) -> None:
    """Write a version and, where it is the newest known, make it the object's head. Twice is as once.

    rights: None for a document. Raises: StoreError when the same version was recorded with other bytes.
    """
    object_key, head_version = _object(connection, stored, rights, description)
    recorded = connection.execute(
        select(version.c.id).where(version.c.object_key == object_key, version.c.version == stored.version)
    ).scalar_one_or_none()
    if recorded is None:
        version_key = _version(connection, stored, rights, object_key)
        members = _members(connection, stored, version_key)
        _files(connection, stored, description, version_key, members)
        if stored.version >= head_version:
            _make_head(connection, stored, object_key, version_key)
    else:
        _check_same(connection, stored, recorded)


def _object(
    connection: Connection, stored: StoredVersion, rights: RightsRecord | None, description: Description
) -> tuple[int, int]:
    """Return the object's key and head version, made or brought up to date."""
    if rights is not None:
        source = rights.item.split(":", 1)[0]
        connection.execute(insert_or(connection, item).values(key=rights.item, source=source).on_conflict_do_nothing())
    state = {
        "title": storable(description.title),
        "artist": storable(description.artist),
        "source_uri": description.source_uri,
        "head_version": stored.version,
        "head_at": stored.created_at,
        "licence_uri": rights.licence_uri if rights else "",
        "attribution": rights.attribution if rights else "",
    }
    known = connection.execute(
        select(object_.c.id, object_.c.head_version).where(object_.c.object_id == stored.object_id)
    ).one_or_none()
    if known is None:
        fixed = {
            "object_id": stored.object_id,
            "kind": stored.object_id.kind,
            "item_key": rights.item if rights else None,
            "object_path": stored.object_path,
            "file_count": 0,
            "file_bytes": 0,
            "duration_ms": 0,
        }
        statement = insert_or(connection, object_).values(**fixed, **state)
        # On PostgreSQL another writer may have come first: then this waits for it and takes its row.
        statement = statement.on_conflict_do_update(index_elements=["object_id"], set_={"object_path": stored.object_path})
        made = connection.execute(statement.returning(object_.c.id, object_.c.head_version)).one()
        if connection.execute(select(version.c.id).where(version.c.object_key == made.id).limit(1)).first() is None:
            _add_up(connection, stored, (1, 0, 0, 0))
        return made.id, made.head_version
    if stored.version >= known.head_version:
        connection.execute(update(object_).where(object_.c.id == known.id).values(**state))
    return known.id, known.head_version


def _version(connection: Connection, stored: StoredVersion, rights: RightsRecord | None, object_key: int) -> int:
    """Return the key of a new version row."""
    row = {
        "object_key": object_key,
        "version": stored.version,
        "kind": stored.object_id.kind,
        "created_at": stored.created_at,
        "version_bytes": stored.version_bytes,
        "licence_uri": rights.licence_uri if rights else "",
        "acts": " ".join(sorted(rights.acts)) if rights else "",
        "transcode": rights.transcode if rights else "",
        "attribution": rights.attribution if rights else "",
        "rule": rights.rule if rights else "",
        "policy_digest": rights.policy_digest if rights else "",
        "decided_at": rights.decided_at if rights else None,
        "dropped": connection.execute(dropped_in(stored.object_id, stored.version)).first() is not None,
    }
    key = connection.execute(insert(version).values(**row).returning(version.c.id)).scalar_one()
    assert isinstance(key, int)
    return key


def _tail(stored: StoredVersion, path: str) -> str:
    """Return a member's path below its own `vN/`."""
    prefix = f"{stored.object_path}/v{stored.version}/"
    assert path.startswith(prefix), f"{path} is not below {prefix}"
    return path[len(prefix) :]


def _members(connection: Connection, stored: StoredVersion, version_key: int) -> dict[str, int]:
    """Write the files under `vN/`. Returns: their keys by path below `vN/`."""
    if not stored.members:
        return {}
    rows = [
        {
            "version_key": version_key,
            "tail": _tail(stored, member.path),
            "file_bytes": member.hashes.file_bytes,
            "sha256": member.hashes.sha256,
            "digest_key": digest_key(member.hashes.sha256),
        }
        for member in stored.members
    ]
    connection.execute(insert(member_file), rows)
    query = select(member_file.c.tail, member_file.c.id).where(member_file.c.version_key == version_key)
    keys = {row.tail: row.id for row in connection.execute(query)}
    hashes = [
        {
            "member_key": keys[_tail(stored, member.path)],
            "piece_bytes": member.hashes.piece_bytes,
            "pieces_root": member.hashes.pieces_root,
            "piece_layer": member.hashes.piece_layer,
            "v1_pieces": member.hashes.v1_pieces,
            "v1_last_padded": member.hashes.v1_last_padded,
        }
        for member in stored.members
    ]
    connection.execute(insert(piece_hashes), hashes)
    return keys


def _files(
    connection: Connection,
    stored: StoredVersion,
    description: Description,
    version_key: int,
    members: dict[str, int],
) -> None:
    """Write the logical state of the version. Content in an earlier `vN/` must have been recorded before."""
    if not stored.files:
        return
    rows = []
    for position, each in enumerate(stored.files):
        number, tail = each.content_path.split("/", 1)
        key = members.get(tail) if number == f"v{stored.version}" else _earlier(connection, version_key, int(number[1:]), tail)
        if key is None:
            raise StoreError(
                f"{stored.object_id} v{stored.version}",
                f"names {each.content_path}, which no recorded version holds",
                "Record the object's versions in order: run `fonoteca rebuild`.",
            )
        rows.append(
            {"version_key": version_key, "position": position, "member_key": key, **_file_columns(each, description)},
        )
    connection.execute(insert(file), rows)


def _earlier(connection: Connection, version_key: int, number: int, tail: str) -> int | None:
    """Return the key of a file in an earlier version's directory of the same object."""
    same_object = select(version.c.object_key).where(version.c.id == version_key).scalar_subquery()
    query = (
        select(member_file.c.id)
        .join(version, version.c.id == member_file.c.version_key)
        .where(version.c.object_key == same_object.correlate(None), version.c.version == number, member_file.c.tail == tail)
    )
    return connection.execute(query).scalar_one_or_none()


def _file_columns(each: StoredFile, description: Description) -> dict[str, object]:
    """Return what a file's row says of it, from its tags where they speak and from its path and object where not."""
    tags, probe = each.tags, each.probe
    name = each.logical_path.rsplit("/", 1)[-1]
    title = (tags.title if tags else "") or name.rsplit(".", 1)[0] or name
    artist = (tags.artist or tags.album_artist if tags else "") or description.artist
    release = (tags.album if tags else "") or description.title
    year = _YEAR.search(tags.date) if tags else None
    return {
        "logical_path": each.logical_path,
        "media_type": each.media_type,
        "codec": probe.codec if probe else "",
        "duration_ms": probe.duration_ms if probe else 0,
        "title": storable(title),
        "artist": storable(artist),
        "release": storable(release),
        "year": int(year.group()) if year else None,
        "probe": probe_json(probe),
        "tags": tags_json(tags),
    }


def recording_of(stored: StoredVersion, each: StoredFile) -> RecordingId:
    """Return the recording that a held file is: its MBID where the tags give one, else an id of its object and path.

    An id from the path and not from the bytes survives a correction of the tags.
    """
    mbid = each.tags.recording_mbid.lower() if each.tags else ""
    return RecordingId(mbid) if _MBID.fullmatch(mbid) else RecordingId.of("store", f"{stored.object_id}/{each.logical_path}")


def _make_head(connection: Connection, stored: StoredVersion, object_key: int, version_key: int) -> None:
    """Let the object's holdings and sums be those of this version."""
    of_object = select(file.c.id).join(version, version.c.id == file.c.version_key).where(version.c.object_key == object_key)
    connection.execute(delete(holding).where(holding.c.file_key.in_(of_object)))
    query = select(file.c.logical_path, file.c.id).where(file.c.version_key == version_key)
    keys = {row.logical_path: row.id for row in connection.execute(query)}
    if stored.object_id.kind == Kind.AUDIO and stored.files:
        rows = [{"file_key": keys[each.logical_path], "recording_id": recording_of(stored, each)} for each in stored.files]
        connection.execute(insert(holding), rows)
    before = connection.execute(
        select(object_.c.file_count, object_.c.file_bytes, object_.c.duration_ms).where(object_.c.id == object_key)
    ).one()
    count = len(stored.files)
    total_bytes = sum(each.hashes.file_bytes for each in stored.files)
    duration_ms = sum(each.probe.duration_ms for each in stored.files if each.probe)
    if (count, total_bytes, duration_ms) != tuple(before):
        values = {"file_count": count, "file_bytes": total_bytes, "duration_ms": duration_ms}
        connection.execute(update(object_).where(object_.c.id == object_key).values(**values))
        change = (0, count - before.file_count, total_bytes - before.file_bytes, duration_ms - before.duration_ms)
        _add_up(connection, stored, change)


def _add_up(connection: Connection, stored: StoredVersion, change: tuple[int, int, int, int]) -> None:
    """Change the sums of the object's kind by (objects, files, bytes, milliseconds)."""
    names = ("object_count", "file_count", "file_bytes", "duration_ms")
    key = {"kind": stored.object_id.kind, "bucket": crc32(stored.object_id.encode("ascii")) % TALLY_BUCKETS}
    statement = insert_or(connection, tally).values(**key, **dict(zip(names, change, strict=True)))
    sums = {name: tally.c[name] + statement.excluded[name] for name in names}
    connection.execute(statement.on_conflict_do_update(index_elements=["kind", "bucket"], set_=sums))


def _check_same(connection: Connection, stored: StoredVersion, version_key: int) -> None:
    """Raise StoreError when the recorded version has other files: nothing under `vN/` ever changes."""
    query = select(member_file.c.tail, member_file.c.sha256).where(member_file.c.version_key == version_key)
    recorded = {row.tail: row.sha256 for row in connection.execute(query)}
    given = {_tail(stored, member.path): member.hashes.sha256 for member in stored.members}
    if recorded != given:
        differing = sorted(set(recorded.items()) ^ set(given.items()))
        raise StoreError(
            f"{stored.object_id} v{stored.version}",
            f"recorded with other bytes than the store has now, first at {differing[0][0]}",
            "Run `fonoteca audit`, and `fonoteca rebuild` once the store is sound.",
        )


def split_path(path: str) -> tuple[str, int, str] | None:
    """Return a path below the storage root as object path, version and path below `vN/`; None for any other path.

    No segment of an object path looks like `vN` (OCFL extension 0003: three digits, or an encoded id): the first is the version's.
    """
    match = _MEMBER_PATH.fullmatch(path)
    return (match["object"], int(match["version"]), match["tail"]) if match else None


def record_drop_members(connection: Connection, published: Drop) -> None:
    """Write the members of a drop whose own row is there, and mark the recorded ones among them as dropped."""
    connection.execute(delete(drop_member).where(drop_member.c.drop_id == published.id))
    if not published.members:
        return
    rows = [{"object_id": each.object_id, "version": each.version, "drop_id": published.id} for each in published.members]
    connection.execute(insert(drop_member), rows)
    of_object = select(object_.c.id).where(object_.c.object_id == bindparam("member_object")).scalar_subquery()
    carried = (version.c.object_key == of_object, version.c.version == bindparam("member_version"))
    marks = [{"member_object": each.object_id, "member_version": each.version} for each in published.members]
    connection.execute(update(version).where(*carried).values(dropped=True), marks)


def forget_drop(connection: Connection, drop_id: str) -> None:
    """Remove a drop and its members; a version that no other drop carries is marked as undropped."""
    members = connection.execute(members_of_drop(drop_id)).all()
    connection.execute(delete(drop_member).where(drop_member.c.drop_id == drop_id))
    connection.execute(delete(drop).where(drop.c.id == drop_id))
    for member in members:
        if connection.execute(dropped_in(member.object_id, member.version)).first() is None:
            of_object = select(object_.c.id).where(object_.c.object_id == member.object_id).scalar_subquery()
            free = (version.c.object_key == of_object, version.c.version == member.version)
            connection.execute(update(version).where(*free).values(dropped=False))


def record_check(connection: Connection, check: Check) -> None:
    """Write a dated check; the file's own row shows it if no later one is known. Raises: StoreError for an unknown file."""
    parts = split_path(check.path)
    row = connection.execute(member_at(*parts)).one_or_none() if parts else None
    if row is None or row.object_id != check.object_id:
        raise StoreError(
            f"{check.object_id}: {check.path}", "checked, but not in the register", "Run `fonoteca rebuild`, then the audit again."
        )
    damage = check.damage
    values = {
        "member_key": row.id,
        "at": check.at,
        "result": damage.kind if damage else SOUND,
        "expected": damage.expected if damage else "",
        "found": damage.found if damage else "",
        "pieces": numbers_json(damage.pieces if damage else ()),
    }
    connection.execute(insert_or(connection, fixity_check).values(**values).on_conflict_do_nothing())
    if row.checked_at is None or check.at >= row.checked_at:
        now = {"checked_at": check.at, "damage": damage.kind if damage else None}
        connection.execute(update(member_file).where(member_file.c.id == row.id).values(**now))
