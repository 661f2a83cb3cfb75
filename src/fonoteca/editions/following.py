"""Reading an edition that may lie: every torrent and manifest is fetched within bounds and held against the index.

A drop is believed when its torrent has the digest and infohashes that the index says, its manifest lists exactly the
torrent's files, and its id is the digest of the members that the manifest shows. Then nobody but the one who wrote the
index can have changed anything; who that was, signatures say (`Publication` is what they bind).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NoReturn

from fonoteca.editions.cutting import snapshot_of
from fonoteca.editions.index import INDEX, INDEX_BYTES_MAX, Index, IndexEntry, TargetFile, parse_index
from fonoteca.editions.manifest import ManifestRow, from_jsonl
from fonoteca.editions.memberlist import ListedMember, MemberList, listed_member, member_list_of, snapshot_id
from fonoteca.formats.metainfo import Metainfo, parse_torrent
from fonoteca.formats.ocfl import object_path, version_folder
from fonoteca.formats.torrentreading import TORRENT_BYTES_MAX
from fonoteca.model.corridor import Drop, DropKind, DropMember, Edition
from fonoteca.model.errors import FormatError, TrustError
from fonoteca.model.ids import DropId, ObjectId

MANIFEST_FILE_BYTES_MAX = 128 * 2**20
"""Of a compressed manifest; its text is bounded by `manifest.MANIFEST_BYTES_MAX`."""

FetchRead = Callable[[str, int], bytes]
"""Reads a path below the edition's folder: `(path, bytes_max)`, as `Fetch.read` does with a base URL before the path."""


@dataclass(frozen=True, slots=True)
class ManifestedDrop:
    """A drop with its torrent and the rows of its manifest, in the torrent's order."""

    drop: Drop
    torrent: bytes
    rows: tuple[ManifestRow, ...]


def read_edition(fetch_read: FetchRead) -> Edition:
    """Return an edition with every drop proved.

    Raises: TrustError for any lie, SourceError when a file cannot be had. Cost: all torrents and manifests of the edition.
    """
    return prove_edition(fetch_read, read_index(fetch_read))


def prove_edition(fetch_read: FetchRead, index: Index) -> Edition:
    """Return the edition of an index with every drop proved. See `read_edition`."""
    drops = tuple(read_drop(fetch_read, index, entry).drop for entry in index.entries)
    check_drops(drops)
    return Edition(
        archive=index.heading.archive,
        root_name=index.heading.root_name,
        number=index.number,
        published_at=index.published_at,
        piece_bytes=index.heading.piece_bytes,
        drops=drops,
    )


def read_index(fetch_read: FetchRead) -> Index:
    """Return the edition's index. Raises: TrustError when it cannot be believed by itself."""
    content = fetch_read(INDEX, INDEX_BYTES_MAX)
    if len(content) > INDEX_BYTES_MAX:
        raise TrustError(INDEX, f"more than {INDEX_BYTES_MAX} bytes")
    return parse_index(content)


def read_drop(fetch_read: FetchRead, index: Index, entry: IndexEntry) -> ManifestedDrop:
    """Return one drop of an index, proved by its torrent and its manifest. Raises: TrustError for any lie."""
    torrent = fetch_target(fetch_read, entry.torrent, TORRENT_BYTES_MAX)
    manifest = fetch_target(fetch_read, entry.manifest_jsonl, MANIFEST_FILE_BYTES_MAX)
    try:
        metainfo = parse_torrent(torrent)
        rows = from_jsonl(manifest)
    except FormatError as error:
        raise TrustError(f"drop {entry.id}", str(error)) from None
    _check_torrent(index, entry, metainfo)
    _check_rows(entry, metainfo, rows)
    if entry.kind.is_snapshot:
        _check_snapshot(index, entry, metainfo, rows)
        members: tuple[DropMember, ...] = ()
    else:
        members = tuple(each.member for each in _check_member_list(index, entry, metainfo, rows).members)
    return ManifestedDrop(entry.with_members(members), torrent, rows)


def list_members(kind: DropKind, needs: Iterable[DropId], rows: Sequence[ManifestRow]) -> MemberList:
    """Return the member list that a manifest's rows show: a mirror stores the same bytes as the origin did.

    rows: of one store drop, in the order of its torrent. Raises: TrustError for a file outside its version's folder.
    """
    members: list[ListedMember] = []
    by_member: dict[DropMember, list[ManifestRow]] = {}
    for (object_id, version), group in groupby(rows, key=lambda row: (row.object_id, row.version)):
        if object_id is None:
            raise TrustError(f"drop {rows[0].drop_id}", "a file of a store drop belongs to no object")
        by_member.setdefault(DropMember(object_id, version), []).extend(group)
    for member, owned in by_member.items():
        folder = f"{object_path(member.object_id)}/{version_folder(member.version)}/"
        for row in owned:
            if not row.path.startswith(folder):
                raise TrustError(f"drop {row.drop_id}", f"{row.path!r} is not in {folder!r}, the folder of its version")
        facts = [(row.path, row.file_bytes, row.sha256) for row in owned]
        members.append(listed_member(member.object_id, member.version, facts))
    return member_list_of(kind, needs, members)


def fetch_target(fetch_read: FetchRead, file: TargetFile, bytes_max: int = MANIFEST_FILE_BYTES_MAX) -> bytes:
    """Return a file of the edition that has the length and digest that the index says."""
    if file.file_bytes > bytes_max:
        raise TrustError(file.path, f"said to have {file.file_bytes} bytes, expected at most {bytes_max}")
    content = fetch_read(file.path, file.file_bytes)
    found = TargetFile.of(file.path, content)
    if found != file:
        raise TrustError(
            file.path,
            f"expected {file.file_bytes} bytes with sha256 {file.sha256}, found {found.file_bytes} with {found.sha256}",
            "Try again later, or follow another mirror of this archive.",
        )
    return content


def _check_torrent(index: Index, entry: IndexEntry, metainfo: Metainfo) -> None:
    """Raise TrustError unless the torrent is the hybrid that the index describes."""
    heading = index.heading
    claims = (
        ("infohash_v1", entry.infohash_v1, metainfo.infohash_v1),
        ("infohash_v2", entry.infohash_v2, metainfo.infohash_v2),
        ("piece_bytes", heading.piece_bytes, metainfo.piece_bytes),
        ("bytes", entry.drop_bytes, metainfo.payload_bytes),
        ("files", entry.file_count, len(metainfo.files)),
    )
    for field, claimed, found in claims:
        if claimed != found:
            _refuse(entry, f"the index says {field} {claimed}, its torrent {found}")


def _check_rows(entry: IndexEntry, metainfo: Metainfo, rows: Sequence[ManifestRow]) -> None:
    """Raise TrustError unless the manifest lists exactly the torrent's files."""
    listed = [(row.drop_id, row.path, row.file_bytes, row.pieces_root) for row in rows]
    carried = [(entry.id, file.path, file.file_bytes, file.pieces_root.hex()) for file in metainfo.files]
    if listed != carried:
        differing = next((pair for pair in zip(listed, carried, strict=False) if pair[0] != pair[1]), None)
        detail = f"{differing[0]} in place of {differing[1]}" if differing else f"{len(listed)} files, not {len(carried)}"
        _refuse(entry, f"its manifest lists other files than its torrent: {detail}")


def _check_snapshot(index: Index, entry: IndexEntry, metainfo: Metainfo, rows: Sequence[ManifestRow]) -> None:
    """Raise TrustError unless the id is that of these files under this name."""
    if any(row.object_id is not None for row in rows):
        _refuse(entry, "a file of a snapshot belongs to an object")
    name = snapshot_of(metainfo.name, index.heading.root_name, entry.kind)
    found = snapshot_id(entry.kind, name, [(row.path, row.file_bytes, row.sha256) for row in rows])
    if found != entry.id:
        _refuse(entry, f"its files are those of {found}")


def _check_member_list(index: Index, entry: IndexEntry, metainfo: Metainfo, rows: Sequence[ManifestRow]) -> MemberList:
    """Return the members, when the id is theirs and each is of the drop's kind."""
    if metainfo.name != index.heading.root_name:
        _refuse(entry, f"its torrent is named {metainfo.name!r}")
    found = list_members(entry.kind, entry.needs, rows)
    for each in found.members:
        if each.object_id.kind != entry.kind:
            _refuse(entry, f"{each.object_id} is not {entry.kind}")
    if found.drop_id != entry.id:
        _refuse(entry, f"its members and needs are those of {found.drop_id}")
    return found


def check_drops(drops: Sequence[Drop]) -> None:
    """Raise TrustError unless each version is in one drop, after those with all earlier versions, which it needs exactly.

    A drop takes back what the drops that it replaces carry: what of that is in no successor may go into a drop again.
    """
    carried: dict[DropMember, DropId] = {}
    members_of = {drop.id: drop.members for drop in drops}
    for drop in drops:
        for old in drop.replaces:
            for member in members_of.get(old, ()):
                if carried.get(member) == old:
                    del carried[member]
        for member in drop.members:
            if member in carried:
                _refuse(drop, f"{member.object_id} v{member.version} is also in {carried[member]}")
            carried[member] = drop.id
        needs = {_carrier(drop, member.object_id, version, carried) for member in drop.members for version in _before(member)}
        if tuple(sorted(needs - {drop.id})) != drop.needs:
            _refuse(drop, f"needs {sorted(needs - {drop.id})}, the index says {list(drop.needs)}")


def _before(member: DropMember) -> range:
    """Return the numbers of the versions that a version builds on. Only the count that drops can carry is walked."""
    return range(1, member.version)


def _carrier(drop: Drop, object_id: ObjectId, version: int, carried: dict[DropMember, DropId]) -> DropId:
    """Return the drop that carries a version. Raises: TrustError when none does."""
    found = carried.get(DropMember(object_id, version))
    if found is None:
        _refuse(drop, f"builds on {object_id} v{version}, which is in no drop before")
    return found


def _refuse(entry: IndexEntry | Drop, problem: str) -> NoReturn:
    raise TrustError(f"drop {entry.id}", problem, "Ask the archive's operator; nothing was taken.")
