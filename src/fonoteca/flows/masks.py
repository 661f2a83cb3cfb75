"""What of a drop goes out to nobody: files of objects that were withdrawn, purged from here, or closed by their term."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fonoteca.formats.metainfo import parse_torrent
from fonoteca.formats.ocfl import object_path, version_folder
from fonoteca.model.corridor import DropMember
from fonoteca.model.ids import ObjectId
from fonoteca.model.terms import ANYWHERE
from fonoteca.model.withdrawal import Purpose, Tombstone
from fonoteca.register import Register


@dataclass(frozen=True, slots=True)
class Masks:
    """What is withdrawn for sharing, what is gone from here, and what terms keep from everyone, as it is at one moment."""

    withdrawn: Mapping[ObjectId, Tombstone]
    purged: frozenset[ObjectId]
    closed: frozenset[ObjectId] = frozenset()

    @classmethod
    def now(cls, register: Register, at: datetime | None = None) -> Masks:
        """Return the masks as they are now. at: the moment that terms are asked about, None for who judges rights by himself.

        Cost: the number of withdrawals and terms.
        """
        closed = frozenset[ObjectId]() if at is None else register.terms.closed(at, ANYWHERE)
        return cls(register.withdrawals.masked(Purpose.SHARING), frozenset(register.withdrawals.purged()), closed)

    def __bool__(self) -> bool:
        """Whether anything is masked."""
        return bool(self.withdrawn or self.purged or self.closed)

    def hide_whole(self, object_id: ObjectId) -> bool:
        """Whether nothing of an object goes out, and nobody need ask for its rights."""
        tombstone = self.withdrawn.get(object_id)
        return object_id in self.purged or object_id in self.closed or (tombstone is not None and tombstone.whole)

    def reason(self, object_id: ObjectId) -> str:
        """Return why nothing new of an object goes out, "" where nothing stands against it."""
        if object_id in self.purged:
            return "it was purged"
        tombstone = self.withdrawn.get(object_id)
        return "" if tombstone is None else f"it was withdrawn: {tombstone.reason.words} ({tombstone.ground})"

    def paths(self, register: Register, members: Iterable[DropMember], torrent: bytes) -> frozenset[str]:
        """Return the files of a drop that no peer gets, by path in its torrent. Cost: none where nothing is masked."""
        if not self:
            return frozenset()
        folders: list[str] = []
        paths: set[str] = set()
        for member in members:
            tombstone = self.withdrawn.get(member.object_id)
            stored = None
            if tombstone is not None and not self.hide_whole(member.object_id):
                stored = register.stored_version(member.object_id, member.version)
            if stored is not None and tombstone is not None:
                paths.update(file.path for file in stored.members if tombstone.means(file.hashes.sha256))
            elif tombstone is not None or self.hide_whole(member.object_id):
                folders.append(f"{object_path(member.object_id)}/{version_folder(member.version)}/")
        if folders:
            starts = tuple(folders)
            paths.update(file.path for file in parse_torrent(torrent).files if file.path.startswith(starts))
        return frozenset(paths)
