"""What is withdrawn, taken out of lists: for those who show or find many things at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Tombstone
from fonoteca.register.rows import FileRow, ObjectRow


@dataclass(frozen=True, slots=True)
class Sieve:
    """Lets through what is not withdrawn. purged: whether this archive has purged anything, which an older index may still name."""

    withdrawn: Mapping[ObjectId, Tombstone]
    purged: bool

    def files(self, rows: Iterable[FileRow]) -> list[FileRow]:
        """Return the files of which nothing was withdrawn."""
        return [row for row in rows if not self._means(row.object_id, row.stored.hashes.sha256)]

    def objects(self, rows: Iterable[ObjectRow]) -> list[ObjectRow]:
        """Return the objects that were not withdrawn as such."""
        return [row for row in rows if not self._means(row.object_id, "")]

    def hides(self, held: bool, rows: Sequence[FileRow]) -> bool:
        """Whether something is not to be found that an index calls held. rows: the files that hold it now."""
        return held and not self.files(rows) and (bool(rows) or self.purged)

    def _means(self, object_id: ObjectId, sha256: str) -> bool:
        tombstone = self.withdrawn.get(object_id)
        return tombstone is not None and tombstone.means(sha256)
