"""Writing versions into the register, many at a time: the same few statements for one as for hundreds.

Whoever records a version holds its object's row until the transaction ends, so that two writers of one object take turns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from sqlalchemy import Connection, delete, select, update

from fonoteca.formats.terms import term_text
from fonoteca.model.corridor import StoredFile, StoredVersion
from fonoteca.model.errors import StoreError
from fonoteca.model.ids import UUID_PATTERN, RecordingId
from fonoteca.model.rights import Act, Kind, RightsRecord
from fonoteca.register import queries
from fonoteca.register.bulk import batched, insert_missing, insert_rows, reserve_keys
from fonoteca.register.changes import note_changes
from fonoteca.register.rows import Description, plain, probe_json, storable, tags_json
from fonoteca.register.schema import (
    TALLY_BUCKETS,
    digest_key,
    file,
    holding,
    item,
    member_file,
    object_,
    piece_hashes,
    tally,
    version,
)
from fonoteca.register.shelving import ShelvedFile, ShelvedObject, shelve, unshelve
from fonoteca.sql.engine import insert_or

Recorded = tuple[StoredVersion, RightsRecord | None, Description]
"""A version, its rights (None for a document) and what it is called."""

VERSIONS_AT_ONCE = 500
"""Of one round of statements: SQLite takes 32,766 parameters a statement, and some thousand rows are in memory at once."""

PLACES_AT_ONCE = 2000
"""Of one question for the files that versions share."""

_MBID = re.compile(UUID_PATTERN)
_YEAR = re.compile(r"(?<!\d)(1[6-9]\d\d|20\d\d)(?!\d)")

_TALLY = ("object_count", "file_count", "file_bytes", "duration_ms")
_OBJECT = (
    *("object_id", "id", "kind", "item_key", "object_path", "file_count", "file_bytes", "duration_ms"),
    *("title", "artist", "source_uri", "head_version", "head_at", "licence_uri", "attribution"),
)
_STATE = _OBJECT[5:]
_VERSION = (
    *("id", "object_key", "version", "kind", "created_at", "version_bytes", "licence_uri", "acts", "transcode"),
    *("attribution", "rule", "policy_digest", "decided_at", "dropped", "term"),
)
_MEMBER = ("id", "version_key", "tail", "file_bytes", "sha256", "digest_key")
_HASHES = ("member_key", "piece_bytes", "pieces_root", "piece_layer", "v1_pieces", "v1_last_padded")
_FILE = (
    *("id", "version_key", "position", "logical_path", "member_key", "media_type", "codec", "duration_ms"),
    *("title", "artist", "release", "year", "probe", "tags", "analysed"),
)


@dataclass(frozen=True, slots=True)
class _Sums:
    """What the files of one state of an object come to."""

    file_count: int = 0
    file_bytes: int = 0
    duration_ms: int = 0

    @classmethod
    def of(cls, stored: StoredVersion) -> _Sums:
        """Return the sums over a version's logical state."""
        return cls(
            len(stored.files),
            sum(each.hashes.file_bytes for each in stored.files),
            sum(each.probe.duration_ms for each in stored.files if each.probe),
        )


@dataclass(slots=True)
class _Entry:
    """A version on its way into the register.

    head_version, head_key, before: of the object's head, as it is there. made: the object is new, and this its head.
    """

    stored: StoredVersion
    rights: RightsRecord | None
    description: Description
    sums: _Sums
    object_key: int = 0
    version_key: int = 0
    head_version: int = 0
    head_key: int | None = None
    before: _Sums = _Sums()
    made: bool = False

    @property
    def is_head(self) -> bool:
        """Whether this version is the newest known of its object."""
        return self.stored.version >= self.head_version


def record_versions(connection: Connection, batch: Sequence[Recorded]) -> None:
    """Write versions and, where one is the newest known, make it its object's head. Twice is as once.

    Versions of one object come in order. The sums are changed last, so that other writers wait for them only briefly.
    Raises: StoreError when the same version was recorded with other bytes, or an earlier one it needs was not recorded.
    """
    sums: Counter[tuple[str, int, str]] = Counter()
    for part in batched(batch, VERSIONS_AT_ONCE):
        for wave in _waves(part):
            _record(connection, wave, sums)
    _add_up(connection, sums)


def _waves(batch: Sequence[Recorded]) -> Iterator[list[_Entry]]:
    """Yield the versions in rounds with no object twice, an object's earlier versions in earlier rounds."""
    waves: list[list[_Entry]] = []
    seen: Counter[str] = Counter()
    for stored, rights, description in batch:
        place = seen[stored.object_id]
        seen[stored.object_id] += 1
        if place == len(waves):
            waves.append([])
        waves[place].append(_Entry(stored, rights, description, _Sums.of(stored)))
    yield from waves


def _record(connection: Connection, wave: list[_Entry], sums: Counter[tuple[str, int, str]]) -> None:
    """Write versions of different objects, and add what they change to the sums."""
    _objects(connection, wave)
    fresh = _unrecorded(connection, wave)
    _versions(connection, fresh)
    members = _members(connection, fresh)
    keys = _files(connection, fresh, members)
    heads = [entry for entry in fresh if entry.is_head]
    _make_heads(connection, heads, keys)
    unshelve(connection, [entry.object_key for entry in heads if not entry.made])
    shelve(connection, [_shelved(entry) for entry in heads if _is_album(entry)])
    note_changes(connection, (entry.stored.object_id for entry in heads))
    for entry in heads:
        object_id = entry.stored.object_id
        key = (object_id.kind, crc32(object_id.encode("ascii")) % TALLY_BUCKETS)
        sums[*key, "object_count"] += entry.made
        for name in _TALLY[1:]:
            sums[*key, name] += getattr(entry.sums, name) - getattr(entry.before, name)


def _objects(connection: Connection, wave: list[_Entry]) -> None:
    """Give every entry its object's key and head, the object made or brought up to date."""
    items = sorted({entry.rights.item for entry in wave if entry.rights})
    insert_missing(connection, item, ("key", "source"), [(key, key.split(":", 1)[0]) for key in items])
    ordered = sorted(wave, key=lambda entry: entry.stored.object_id)
    keys = reserve_keys(connection, object_, len(ordered))
    rows = [_object_row(entry, key) for entry, key in zip(ordered, keys, strict=True)]
    for entry, key in zip(ordered, keys, strict=True):
        entry.object_key, entry.head_version, entry.made = key, entry.stored.version, True
    if insert_missing(connection, object_, _OBJECT, rows) == len(rows):
        return
    reserved = set(keys)
    query = queries.objects_held([entry.stored.object_id for entry in ordered])
    found = {row.object_id: row for row in connection.execute(query)}
    for entry in ordered:
        row = found[entry.stored.object_id]
        if row.id not in reserved:
            entry.object_key, entry.head_version, entry.made = row.id, row.head_version, False
            entry.before = _Sums(row.file_count, row.file_bytes, row.duration_ms)
    for entry in ordered:
        if not entry.made and entry.is_head:
            state = dict(zip(_STATE, _object_row(entry, entry.object_key)[-len(_STATE) :], strict=True))
            connection.execute(update(object_).where(object_.c.id == entry.object_key).values(**state))


def _object_row(entry: _Entry, key: int) -> tuple[object, ...]:
    """Return an object's row with this version as its head, in order of `_OBJECT`."""
    stored, rights, description = entry.stored, entry.rights, entry.description
    return (
        *(stored.object_id, key, stored.object_id.kind, rights.item if rights else None, stored.object_path),
        *(entry.sums.file_count, entry.sums.file_bytes, entry.sums.duration_ms),
        *(storable(description.title), storable(description.artist), plain(description.source_uri)),
        *(stored.version, stored.created_at),
        *((rights.licence_uri, plain(rights.attribution)) if rights else ("", "")),
    )


def _unrecorded(connection: Connection, wave: list[_Entry]) -> list[_Entry]:
    """Return the entries whose version is not there yet. Raises: StoreError for one that is there with other bytes."""
    known = [entry.object_key for entry in wave if not entry.made]
    if not known:
        return wave
    recorded = {(row.object_key, row.version): row.id for row in connection.execute(queries.versions_in(known))}
    fresh = []
    for entry in wave:
        entry.head_key = recorded.get((entry.object_key, entry.head_version))
        key = recorded.get((entry.object_key, entry.stored.version))
        if key is None:
            fresh.append(entry)
        else:
            _check_same(connection, entry.stored, key)
    return fresh


def _check_same(connection: Connection, stored: StoredVersion, version_key: int) -> None:
    """Raise StoreError when the recorded version has other files: nothing under `vN/` ever changes."""
    recorded = {row.tail: row.sha256 for row in connection.execute(queries.digests_of(version_key))}
    given = {_tail(stored, member.path): member.hashes.sha256 for member in stored.members}
    if recorded != given:
        differing = sorted(set(recorded.items()) ^ set(given.items()))
        raise StoreError(
            f"{stored.object_id} v{stored.version}",
            f"recorded with other bytes than the store has now, first at {differing[0][0]}",
            "Run `fonoteca audit`, and `fonoteca rebuild` once the store is sound.",
        )


def _versions(connection: Connection, fresh: list[_Entry]) -> None:
    """Write the versions' own rows."""
    if not fresh:
        return
    ids = [entry.stored.object_id for entry in fresh]
    carried = {(row.object_id, row.version) for row in connection.execute(queries.dropped_among(ids))}
    rows: list[tuple[object, ...]] = []
    for entry, key in zip(fresh, reserve_keys(connection, version, len(fresh)), strict=True):
        entry.version_key = key
        stored, rights = entry.stored, entry.rights
        dropped = (stored.object_id, stored.version) in carried
        head = (key, entry.object_key, stored.version, stored.object_id.kind, stored.created_at, stored.version_bytes)
        if rights is None:
            rows.append((*head, "", "", "", "", "", "", None, dropped, None))
        else:
            acts = " ".join(sorted(rights.acts))
            said = (rights.licence_uri, acts, plain(rights.transcode), plain(rights.attribution), rights.rule, rights.policy_digest)
            rows.append((*head, *said, rights.decided_at, dropped, term_text(rights.term)))
    insert_rows(connection, version, _VERSION, rows)


def _tail(stored: StoredVersion, path: str) -> str:
    """Return a member's path below its own `vN/`."""
    prefix = f"{stored.object_path}/v{stored.version}/"
    assert path.startswith(prefix), f"{path} is not below {prefix}"
    return path[len(prefix) :]


def _members(connection: Connection, fresh: list[_Entry]) -> dict[queries.MemberPlace, int]:
    """Write the files under `vN/`. Returns: their keys, and those of the earlier ones that the versions share content with."""
    ids = iter(reserve_keys(connection, member_file, sum(len(entry.stored.members) for entry in fresh)))
    keys: dict[queries.MemberPlace, int] = {}
    rows, hashes = [], []
    for entry in fresh:
        for member in entry.stored.members:
            key, has, tail = next(ids), member.hashes, _tail(entry.stored, member.path)
            keys[entry.stored.object_path, entry.stored.version, tail] = key
            rows.append((key, entry.version_key, tail, has.file_bytes, has.sha256, digest_key(has.sha256)))
            hashes.append((key, has.piece_bytes, has.pieces_root, has.piece_layer, has.v1_pieces, has.v1_last_padded))
    insert_rows(connection, member_file, _MEMBER, rows)
    insert_rows(connection, piece_hashes, _HASHES, hashes)
    for places in batched(sorted(_shared(fresh)), PLACES_AT_ONCE):
        for row in connection.execute(queries.members_at(places)):
            keys[row.object_path, row.version, row.tail] = row.id
    return keys


def _shared(fresh: list[_Entry]) -> set[queries.MemberPlace]:
    """Return where the content lies that versions share with earlier ones of their objects."""
    own = [(entry.stored, f"v{entry.stored.version}/") for entry in fresh]
    paths = [
        (stored.object_path, each.content_path)
        for stored, ours in own
        for each in stored.files
        if not each.content_path.startswith(ours)
    ]
    return {(path, int(content.split("/", 1)[0][1:]), content.split("/", 1)[1]) for path, content in paths}


def _files(connection: Connection, fresh: list[_Entry], members: Mapping[queries.MemberPlace, int]) -> dict[int, list[int]]:
    """Write the logical states of the versions. Returns: by version key, the keys of its files in order."""
    ids = iter(reserve_keys(connection, file, sum(len(entry.stored.files) for entry in fresh)))
    keys: dict[int, list[int]] = {}
    rows = []
    for entry in fresh:
        of_version = keys.setdefault(entry.version_key, [])
        for position, each in enumerate(entry.stored.files):
            number, tail = each.content_path.split("/", 1)
            member = members.get((entry.stored.object_path, int(number[1:]), tail))
            if member is None:
                raise StoreError(
                    f"{entry.stored.object_id} v{entry.stored.version}",
                    f"names {each.content_path}, which no recorded version holds",
                    "Record the object's versions in order: run `fonoteca rebuild`.",
                )
            key = next(ids)
            of_version.append(key)
            analysed = each.probe is not None or entry.stored.object_id.kind != Kind.AUDIO
            rows.append((key, entry.version_key, position, each.logical_path, member, *_said(each, entry.description), analysed))
    insert_rows(connection, file, _FILE, rows)
    return keys


def _said(each: StoredFile, description: Description) -> tuple[object, ...]:
    """Return what a file's row says of it, from its tags where they speak and from its path and object where not."""
    probe = each.probe
    return (
        *(each.media_type, probe.codec if probe else "", probe.duration_ms if probe else 0),
        *_named(each, description),
        *(probe_json(probe), tags_json(each.tags)),
    )


def _named(each: StoredFile, description: Description) -> tuple[str, str, str, int | None]:
    """Return a file's title, artist, release and year."""
    tags = each.tags
    name = each.logical_path.rsplit("/", 1)[-1]
    title = (tags.title if tags else "") or name.rsplit(".", 1)[0] or name
    artist = (tags.artist or tags.album_artist if tags else "") or description.artist
    release = (tags.album if tags else "") or description.title
    year = _YEAR.search(tags.date) if tags else None
    return storable(title), storable(artist), storable(release), int(year.group()) if year else None


def recording_of(object_id: str, each: StoredFile) -> RecordingId:
    """Return the recording that a held file is: its MBID where the tags give one, else an id of its object and path.

    An id from the path and not from the bytes survives a correction of the tags.
    """
    mbid = each.tags.recording_mbid.lower() if each.tags else ""
    return RecordingId(mbid) if _MBID.fullmatch(mbid) else RecordingId.of("store", f"{object_id}/{each.logical_path}")


def _make_heads(connection: Connection, heads: list[_Entry], keys: Mapping[int, list[int]]) -> None:
    """Let the objects' holdings be the files of these versions."""
    for entry in heads:
        if entry.head_key is not None:
            of_head = select(file.c.id).where(file.c.version_key == entry.head_key)
            connection.execute(delete(holding).where(holding.c.file_key.in_(of_head)))
            # What a later version took the place of waits no more.
            connection.execute(update(file).where(file.c.version_key == entry.head_key, ~file.c.analysed).values(analysed=True))
    rows = [
        (key, recording_of(entry.stored.object_id, each))
        for entry in heads
        if entry.stored.object_id.kind == Kind.AUDIO
        for key, each in zip(keys[entry.version_key], entry.stored.files, strict=True)
    ]
    insert_rows(connection, holding, ("file_key", "recording_id"), rows)


def _is_album(entry: _Entry) -> bool:
    """Whether players may browse an object with this head: its music may be shared and was decoded."""
    may = entry.stored.object_id.kind == Kind.AUDIO and entry.rights is not None and Act.SHARE in entry.rights.acts
    return may and bool(entry.stored.files) and all(each.probe is not None for each in entry.stored.files)


def _shelved(entry: _Entry) -> ShelvedObject:
    """Return what the shelf takes of an object's head."""
    stored, said = entry.stored, entry.description
    named = [(_named(each, said), each.tags) for each in stored.files]
    files = [ShelvedFile(artist, year, tags) for (_, artist, _, year), tags in named]
    return ShelvedObject(entry.object_key, stored.object_id, storable(said.title), storable(said.artist), stored.created_at, files)


def _add_up(connection: Connection, sums: Counter[tuple[str, int, str]]) -> None:
    """Change the sums of each kind and bucket, in one order for all writers."""
    for kind, bucket in sorted({(kind, bucket) for kind, bucket, _ in sums}):
        change = {name: sums[kind, bucket, name] for name in _TALLY}
        if any(change.values()):
            statement = insert_or(connection, tally).values(kind=kind, bucket=bucket, **change)
            added = {name: tally.c[name] + statement.excluded[name] for name in _TALLY}
            connection.execute(statement.on_conflict_do_update(index_elements=["kind", "bucket"], set_=added))
