"""A mirror's copy of somebody's edition, from before the first drop is fetched: what tells of drops must outlive its origin.

All of it is proved by what was signed, and nothing names it before the edition is out here too (`Editions.mirror`): what is out
is never written over on the way. A later run finds it when the origin answers no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fonoteca.editions.following import FetchRead, fetch_target
from fonoteca.editions.index import INDEX, TargetFile, index_bytes
from fonoteca.editions.people import PEOPLE
from fonoteca.editions.trust import TIMESTAMP, WITHDRAWALS, Role, TrustedEdition, document_path, stamped_path
from fonoteca.model.ids import DropId
from fonoteca.ports import Blobs


class EditionCopy:
    """The files of an edition that is followed. blobs: of one's own edition. read: reads theirs, is asked for each file once."""

    def __init__(self, blobs: Blobs, edition: TrustedEdition, read: FetchRead) -> None:
        self._blobs = blobs
        self._edition = edition
        self._read = read

    def read(self, path: str, bytes_max: int) -> bytes:
        """Return a file of theirs as `Fetch` does; what tells of a drop is kept from then on. Raises: as `Fetch`; TrustError."""
        file = self._edition.targets.get(path)
        if file is None or path in (INDEX, *PEOPLE):
            return self._read(path, bytes_max)
        return self._kept(file)

    def changing(self) -> Mapping[str, bytes]:
        """Return the contents of the files that change under their names."""
        contents = {INDEX: index_bytes(self._edition.index)}
        if self._edition.withdrawals is not None:
            contents[WITHDRAWALS] = self._edition.withdrawals
        for path in (path for path in PEOPLE if path in self._edition.targets):
            file = self._edition.targets[path]
            stamped = TargetFile(stamped_path(path, file.sha256), file.file_bytes, file.sha256)
            contents[path] = self._own(stamped) or fetch_target(self._read, stamped)
        return contents

    def lay_drops(self, kept: Collection[DropId] | None) -> None:
        """Have the files of drops here. kept: which drops, None for all. Raises: TrustError, SourceError."""
        for entry in self._edition.index.entries:
            for file in entry.files if kept is None or entry.id in kept else ():
                self._kept(file)

    def let_go(self, kept: Collection[DropId]) -> None:
        """Remove the files of drops that could not be had, and were here to fetch them by. kept: the others."""
        for file in (file for entry in self._edition.index.entries if entry.id not in kept for file in entry.files):
            if self._blobs.size(file.path) is not None:
                self._blobs.delete(file.path)

    def lay(self, kept: Collection[DropId] | None) -> None:
        """Have all here, so that the edition can be believed and its drops be fetched when nobody answers there any more.

        Roots and the timestamp, which an edition that is out here has under the same names, are what `trust/` keeps.
        """
        self.lay_drops(kept)
        contents = self.changing().items()
        files = {stamped_path(path, TargetFile.of(path, content).sha256): content for path, content in contents}
        roots = (document_path(Role.ROOT, version + 1) for version in range(self._edition.root_version))
        named = {TIMESTAMP, *roots}
        files |= {path: content for path, content in self._edition.metadata if path not in named}
        for path, content in files.items():
            if self._blobs.size(path) is None:
                self._blobs.write(path, content)

    def _kept(self, file: TargetFile) -> bytes:
        """Return a file after it is here."""
        own = self._own(file)
        if own is None:
            own = fetch_target(self._read, file)
            self._blobs.write(file.path, own)
        return own

    def _own(self, file: TargetFile) -> bytes | None:
        """Return one's own copy of a file, None where there is none that is the one."""
        if self._blobs.size(file.path) != file.file_bytes:
            return None
        own = self._blobs.read(file.path)
        return own if TargetFile.of(file.path, own) == file else None
