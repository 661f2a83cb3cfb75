"""Publishing: torrents and manifests first, `index.json` last. The index is the commit point; without it nothing is out.

A crash before it leaves files that no index names, and the next run writes the same ones again. Signing wraps a
`Publication`, which is every file of the edition with its digest: `stage`, sign, then `commit`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fonoteca.editions.following import FetchRead, ManifestedDrop, fetch_target, read_edition
from fonoteca.editions.index import (
    INDEX,
    Heading,
    Index,
    IndexEntry,
    TargetFile,
    entry_of,
    index_bytes,
    parse_index,
)
from fonoteca.editions.manifest import to_jsonl, to_parquet
from fonoteca.model.corridor import Edition
from fonoteca.model.errors import FixityError, StoreError, TrustError, UsageError
from fonoteca.model.ids import DropId
from fonoteca.ports import Blobs


@dataclass(frozen=True, slots=True)
class Publication:
    """An edition as the set of its files: what a signature binds.

    files: every target in order of path, index.json among them. index_content: of index.json.
    made: whether it says anything that was not published before.
    """

    number: int
    files: tuple[TargetFile, ...]
    index_content: bytes
    made: bool


class Editions:
    """The edition in `editions/` of one archive. blobs: rooted there. One process writes at a time."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def index(self) -> Index | None:
        """Return the published index, or None before the first edition. Raises: StoreError when it is damaged."""
        if self._blobs.size(INDEX) is None:
            return None
        try:
            return parse_index(self._blobs.read(INDEX))
        except TrustError as error:
            remedy = f"Put {INDEX} back from a mirror or a backup: mirrors take an edition made anew for an older one."
            raise StoreError(error.subject, error.problem, remedy) from None

    def read(self) -> Edition | None:
        """Return the published edition, every file read and proved, or None before the first. Raises: TrustError."""
        return None if self._blobs.size(INDEX) is None else read_edition(self._read_at_most)

    def torrent(self, drop_id: DropId) -> bytes:
        """Return a published torrent. Raises: UsageError when the edition has no such drop, and as `torrent_of`.

        Cost: reads the index; who wants many torrents has read it once.
        """
        index = self.index()
        entry = next((entry for entry in index.entries if entry.id == drop_id), None) if index else None
        if entry is None:
            raise UsageError(drop_id, "there is no such drop in the edition", "`fonoteca torrents` lists them.")
        return self.torrent_of(entry)

    def torrent_of(self, entry: IndexEntry) -> bytes:
        """Return the torrent of an entry of the index. Raises: FixityError when it is not the one that was published."""
        content = self._blobs.read(entry.torrent.path)
        found = TargetFile.of(entry.torrent.path, content)
        if found != entry.torrent:
            problem = f"sha256 is {found.sha256}, the index says {entry.torrent.sha256}"
            raise FixityError(f"editions/{entry.torrent.path}", problem, "Put it back from a mirror: it has the same bytes.")
        return content

    def publish(self, heading: Heading, drops: Iterable[ManifestedDrop], published_at: datetime) -> Publication:
        """Return the edition that has these drops beside all drops before, published. See `stage`."""
        publication = self.stage(heading, drops, published_at)
        self.commit(publication)
        return publication

    def stage(self, heading: Heading, drops: Iterable[ManifestedDrop], published_at: datetime) -> Publication:
        """Return the next edition with all its files written but index.json, so that it is not out yet.

        drops: in order of publication, taken one at a time, so that a generator need hold only one torrent; those that are
        published already are passed over, whatever else they say.
        Returns: the published edition itself, `made` false, when nothing is new.
        Raises: UsageError when nothing was ever published and there is nothing to publish, or when the heading has another
        root name or piece length than what is out; StoreError when the edition would break a law that mirrors check.
        """
        current = self.index()
        _check_heading(heading, current)
        entries = list(current.entries) if current else []
        known = {entry.id for entry in entries}
        for each in drops:
            if each.drop.id not in known:
                entries.append(self._write(each))
        if len(entries) == len(known):
            if current is None:
                raise UsageError(heading.root_name, "there is nothing to publish", "Acquire something that may be shared first.")
            return _publication(current, made=False)
        publication = _publication(Index(heading, current.number + 1 if current else 1, published_at, tuple(entries)), made=True)
        try:
            parse_index(publication.index_content)
        except TrustError as error:
            raise StoreError(error.subject, error.problem, "The edition that is out was not changed.") from None
        return publication

    def commit(self, publication: Publication) -> None:
        """Put a staged edition out. The write of index.json is what does it; one that is out already changes nothing."""
        if publication.made:
            self._blobs.write(INDEX, publication.index_content)

    def mirror(self, index: Index, fetch_read: FetchRead) -> None:
        """Put out another archive's edition as it is: the same bytes under the same names, each proved, index.json last.

        Raises: TrustError for a file that is not as the index says; the edition that was out stays then.
        """
        for entry in index.entries:
            for file in entry.files:
                if self._blobs.size(file.path) != file.file_bytes or TargetFile.of(file.path, self._blobs.read(file.path)) != file:
                    self._blobs.write(file.path, fetch_target(fetch_read, file))
        self._blobs.write(INDEX, index_bytes(index))

    def _write(self, each: ManifestedDrop) -> IndexEntry:
        """Write the files of one drop, in place of what a crash may have left, and return its entry."""
        parquet, jsonl = to_parquet(each.rows), to_jsonl(each.rows)
        entry = entry_of(each.drop, each.torrent, parquet, jsonl)
        self._blobs.write(entry.torrent.path, each.torrent)
        self._blobs.write(entry.manifest_parquet.path, parquet)
        self._blobs.write(entry.manifest_jsonl.path, jsonl)
        return entry

    def _read_at_most(self, path: str, bytes_max: int) -> bytes:
        """Return a file of the edition. Raises: TrustError when it is longer than bytes_max."""
        found = self._blobs.size(path)
        if found is not None and found > bytes_max:
            raise TrustError(path, f"{found} bytes, expected at most {bytes_max}")
        return self._blobs.read(path)


def _publication(index: Index, made: bool) -> Publication:
    """Return an index as the set of its files."""
    content = index_bytes(index)
    files = [file for entry in index.entries for file in entry.files]
    files.append(TargetFile.of(INDEX, content))
    return Publication(index.number, tuple(sorted(files, key=lambda file: file.path)), content, made)


def _check_heading(heading: Heading, current: Index | None) -> None:
    """Raise UsageError when what can never change has changed."""
    fixed = (heading.root_name, heading.piece_bytes)
    published = (current.heading.root_name, current.heading.piece_bytes) if current else fixed
    if fixed != published:
        raise UsageError(
            heading.root_name,
            f"published with root name and piece length {published}, asked for {fixed}",
            "Both are fixed at `init`: every torrent that is out depends on them.",
        )
