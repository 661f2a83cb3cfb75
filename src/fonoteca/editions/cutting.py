"""Torrents from stored hashes: O(files), no content is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fonoteca.editions.memberlist import facts_of, snapshot_id
from fonoteca.editions.planning import DropPlan, member_of
from fonoteca.formats.metainfo import Announce, hybrid_torrent
from fonoteca.formats.torrentpaths import check_name
from fonoteca.model.corridor import Drop, DropKind, MemberFile
from fonoteca.model.errors import TrustError
from fonoteca.model.ids import DropId

_SNAPSHOTS = {DropKind.METADATA: "catalogue", DropKind.SEARCH: "search"}
"""What the torrents of snapshots are named by."""


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """A snapshot folder to be cut as a drop: the catalogue, or the search index of one.

    name: of the catalogue's snapshot, such as its date. files: paths below the folder. supersedes: the drop that it replaces.
    """

    name: str
    files: tuple[MemberFile, ...]
    supersedes: DropId | None = None
    kind: DropKind = DropKind.METADATA

    @property
    def id(self) -> DropId:
        """The id of its drop: the same files under the same name are the same drop."""
        return snapshot_id(self.kind, self.name, facts_of(self.files))


@dataclass(frozen=True, slots=True)
class CutDrop:
    """A drop and the torrent that was cut for it."""

    drop: Drop
    torrent: bytes


def cut(plan: DropPlan, root_name: str, piece_bytes: int, announce: Announce, created_at: datetime) -> CutDrop:
    """Return the drop of a plan. Its torrent depends on members, root name, piece length and announce alone.

    root_name: the archive's name, which every store drop's torrent has, so that all lie on one storage root.
    Raises: FormatError when a member was hashed with another piece length, TrustError for a path that clients rewrite.
    Cost: about 10 us a file and 50 B a piece; no content is read (bench/cutting.py).
    """
    files = [file for each in plan.members for file in each.version.members]
    torrent = hybrid_torrent(root_name, files, piece_bytes, announce)
    members = sorted((member_of(each.version) for each in plan.members), key=lambda m: (m.object_id, m.version))
    drop = Drop(
        id=plan.id,
        kind=plan.kind,
        members=tuple(members),
        infohash_v1=torrent.infohash_v1,
        infohash_v2=torrent.infohash_v2,
        drop_bytes=sum(each.version.version_bytes for each in plan.members),
        file_count=len(files),
        coverage_share=plan.coverage_share,
        created_at=created_at,
        needs=plan.needs,
        ranks=plan.ranks,
    )
    return CutDrop(drop, torrent.content)


def cut_snapshot(plan: SnapshotPlan, root_name: str, piece_bytes: int, announce: Announce, created_at: datetime) -> CutDrop:
    """Return the drop of a snapshot folder, its torrent named `<root_name>-catalogue-<name>` or `<root_name>-search-<name>`.

    Raises: as `cut`. A snapshot carries no listening: coverage_share is 0.
    """
    torrent = hybrid_torrent(snapshot_torrent_name(root_name, plan.name, plan.kind), plan.files, piece_bytes, announce)
    drop = Drop(
        id=plan.id,
        kind=plan.kind,
        members=(),
        infohash_v1=torrent.infohash_v1,
        infohash_v2=torrent.infohash_v2,
        drop_bytes=sum(file.hashes.file_bytes for file in plan.files),
        file_count=len(plan.files),
        coverage_share=0.0,
        created_at=created_at,
        supersedes=plan.supersedes,
    )
    return CutDrop(drop, torrent.content)


def snapshot_torrent_name(root_name: str, snapshot: str, kind: DropKind = DropKind.METADATA) -> str:
    """Return the name of a snapshot's torrent."""
    return f"{root_name}-{_SNAPSHOTS[kind]}-{snapshot}"


def snapshot_of(torrent_name: str, root_name: str, kind: DropKind = DropKind.METADATA) -> str:
    """Return the name of the snapshot whose torrent has this name: also that of the catalogue's folder.

    Raises: TrustError when it is not the name of such a snapshot of this archive, or would lead out of its folder.
    """
    prefix = snapshot_torrent_name(root_name, "", kind)
    snapshot = torrent_name.removeprefix(prefix)
    if not torrent_name.startswith(prefix):
        raise TrustError(f"torrent {torrent_name}", f"not named as a snapshot of {root_name!r} is: {prefix}NAME")
    check_name(f"torrent {torrent_name}", snapshot)
    return snapshot
