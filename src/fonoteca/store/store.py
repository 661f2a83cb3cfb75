"""The store, as flows know it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from fonoteca.formats import ocfl
from fonoteca.formats.claim import Claim
from fonoteca.formats.objectjson import RIGHTS, ObjectMetadata, parse_rights
from fonoteca.formats.ocfl_history import VersionChange, history
from fonoteca.model.audio import Examined
from fonoteca.model.corridor import Correction, Damage, Event, LeftOut, MemberFile, StagedVersion, StoredVersion
from fonoteca.model.errors import FixityError, StoreError, UsageError
from fonoteca.model.fixity import Stamp
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import LogicalPath, ObjectId
from fonoteca.model.rights import RightsRecord
from fonoteca.ports import Blobs, Clock, Staging
from fonoteca.store import claim, commit, events, fixity, mirror, purging, reading, recovery, revision
from fonoteca.store.commit import Commit
from fonoteca.store.events import Segment
from fonoteca.store.fixity import Batch, Frame, Look
from fonoteca.store.logs import EVENTS
from fonoteca.store.mirror import Claims
from fonoteca.store.root import Root, head_of, held, layout_folders, object_ids, object_paths, read_logical


class Store:
    """An OCFL 1.1 storage root. What is acknowledged here is durable and proved; nothing under `vN/` ever changes.

    blobs: rooted at the storage root. staging: on the same disk. One process writes at a time (`edges.disk.ArchiveLock`),
    any number read. All methods raise StoreError when the medium fails, FixityError when a file that they need is damaged.
    """

    def __init__(self, blobs: Blobs, staging: Staging, clock: Clock, piece_bytes: int) -> None:
        self._root = Root(blobs, staging, clock, piece_bytes)
        self._log_end: datetime | None = None

    def initialise(self) -> None:
        """Make the storage root and the event log's object, or what is missing of them.

        Raises: StoreError when the folder is a storage root of another layout or holds other things.
        """
        blobs = self._root.blobs
        files = ocfl.root_files()
        if blobs.size(ocfl.ROOT_DECLARATION[0]) is None:
            strange = set(blobs.children()) - {ocfl.EXTENSIONS, *files}
            if strange:
                raise StoreError("store", f"expected an empty folder, found {min(strange)!r}", "Choose another folder.")
        for path, content in files.items():  # the declaration is last: a half-made root is not one
            if not blobs.create(path, content) and blobs.read(path) != content:
                raise StoreError(path, "not as Fonoteca writes it: the store is another program's or was changed")
        events.make_log(self._root)

    def recover(self, *, whole: bool = False) -> list[str]:
        """Return, in sentences, what of interrupted work was finished or removed. To be called before writing.

        whole: look at every object, for when staging was lost. Cost: O(interrupted commits); with `whole` O(objects).
        """
        return recovery.recover(self._root, whole=whole)

    def claim(self, own: Claim) -> None:
        """Return when this store is the archive's. To be called before anything is written or recovered.

        Raises: ClaimedError when it belongs to another archive, FormatError when a newer Fonoteca wrote it. Cost: one read.
        """
        claim.claim_store(self._root, own)

    def take_over(self, own: Claim) -> Claim | None:
        """Return whose the store was, None for nobody's, after making it this archive's: for when the other one is gone."""
        return claim.take_over(self._root, own)

    def commit(self, staged: StagedVersion, salted: Sequence[str], message: str = "") -> Commit:
        """Return the staged item as stored, with whether a version was made; the staging folder is used up.

        salted: for each evidence of the admission the salted digest of its raw bytes, "" where it has none.
        No version is made when files, title, artist, source and rights are as held; times and the policy's digest aside.
        """
        return commit.commit_staged(self._root, staged, salted, message or "Acquire")

    def commit_many(self, staged: Sequence[tuple[StagedVersion, Sequence[str]]], message: str = "") -> list[Commit | FixityError]:
        """Return what became of each staged item and its salted digests, in order; new objects are durable at one point.

        None is acknowledged before that. An error is the answer for an item whose own object is damaged.
        Raises: StoreError when the medium fails; then no new object of these is there. All staging folders are used up.
        """
        return commit.commit_many(self._root, staged, message or "Acquire")

    def revise(self, object_id: ObjectId, findings: Mapping[LogicalPath, Examined | LeftOut], message: str) -> Commit:
        """Return the object with what was found out about its files: a version that shares all content with the one before.

        A file that is left out is no longer in the state; its bytes stay under the version that brought them. No version is made
        when the object says all of this already. Raises: UsageError when it is not held, FixityError when it is damaged.
        """
        return revision.revise(self._root, object_id, findings, message)

    def correct(self, object_id: ObjectId, said: Sequence[Correction], message: str) -> Commit:
        """Return the object with corrections made: a version that shares all content with the one before, but for metadata.json.

        What each replaces is taken from the object, and not from `was`. No version is made when it says all of this already.
        Raises: UsageError when it is not held, FixityError when it is damaged.
        """
        return revision.correct(self._root, object_id, said, message)

    def restate(self, object_id: ObjectId, record: RightsRecord, message: str) -> Commit:
        """Return the object with other rights on record, as `revise` does with other findings. Raises: as that does."""
        return revision.restate(self._root, object_id, record, message)

    def commit_document(self, object_id: ObjectId, files: Mapping[str, bytes], message: str) -> StoredVersion:
        """Return the object that holds exactly these small files; no version is made when it holds them already."""
        named = {LogicalPath(path): content for path, content in files.items()}
        return commit.commit_document(self._root, object_id, named, message)

    def read(self, object_id: ObjectId, version: int | None = None) -> StoredVersion:
        """Return a version, the newest for None. Media files are not read.

        Raises: UsageError when it is not held; FixityError when metadata.json, rights.json or an inventory is damaged.
        """
        return reading.read_version(self._root, object_id, version)

    def history(self, object_id: ObjectId) -> list[VersionChange]:
        """Return what each version of an object changed, from v1 on. Raises: UsageError when it is not held; FixityError."""
        return history(held(self._root, object_id).inventory)

    def head(self, object_id: ObjectId) -> int:
        """Return the number of the object's newest version, 0 when there is no such object."""
        proved = head_of(self._root, object_id)
        return 0 if proved is None else proved.inventory.head

    def document(self, object_id: ObjectId, logical_path: str, version: int | None = None) -> bytes:
        """Return a small file of an object by its logical path, proved. Raises: UsageError when there is none."""
        inventory = held(self._root, object_id).inventory
        if version is not None and not 1 <= version <= inventory.head:
            raise UsageError(object_id, f"there is no version {version}; the newest is {inventory.head}")
        state = inventory.at(version or inventory.head).state
        return read_logical(self._root, inventory, state, LogicalPath(logical_path))

    def rights(self, object_id: ObjectId, version: int | None = None) -> RightsRecord:
        """Return what rights.json of a version says, the newest for None."""
        return parse_rights(self.document(object_id, RIGHTS, version))

    def metadata(self, object_id: ObjectId, version: int | None = None) -> ObjectMetadata:
        """Return what metadata.json of a version says, the newest for None."""
        inventory = held(self._root, object_id).inventory
        found = reading.read_metadata(self._root, inventory.at(version or inventory.head))
        if found is None:
            raise UsageError(object_id, "it has no metadata.json: it is neither audio nor artwork")
        return found

    def object_ids(self, kind: str | None = None) -> Iterator[ObjectId]:
        """Yield the ids of all objects, or of one kind (`audio`, `artwork`, `drop`, `events`), in order of their path."""
        return (one for one in object_ids(self._root) if kind is None or one.kind == kind)

    def object_paths(self, below: str = "") -> Iterator[str]:
        """Yield the paths of all objects but the event log's, in order. Nothing of them is read.

        below: one of the layout's first folders, to look no further.
        """
        log = ocfl.object_path(EVENTS)
        return (path for path in object_paths(self._root, below) if path != log)

    def object_folders(self) -> list[str]:
        """Return the names of the layout's first folders, below which all objects are."""
        return layout_folders(self._root)

    def verify(self, version: StoredVersion) -> Iterator[Damage]:
        """Yield the damage of a version's files by the hashes that it brings, in order of path."""
        return fixity.verify(self._root, version)

    def check_member(self, object_id: ObjectId, member: MemberFile) -> Damage | None:
        """Return what is wrong with a file, None when it is sound. Never raises for damage. Cost: one read of the file."""
        return fixity.check_member(self._root, object_id, member)

    def look_all(self, batch: Batch) -> tuple[list[Look], list[Frame]]:
        """Return a first look at each file, its stamp and what is wrong with it; and the objects whose own files are wrong.

        Raises: StoreError when files are gone because the storage root is, as when its disk is not mounted any more.
        """
        looks, fallen = fixity.look_all(self._root, batch)
        if any(stamp is None for stamp, _ in looks):
            self.check_is_there()
        return looks, fallen

    def stamps(self, paths: Sequence[str]) -> list[Stamp | None]:
        """Return the length and time of each file, None for one that is gone or cannot be asked for. Nothing is read."""
        stamps = self._root.blobs.stamp_all(paths)
        if None in stamps:
            self.check_is_there()
        return stamps

    def check_is_there(self) -> None:
        """Raise StoreError when nothing is left of the storage root: its disk is not there, and no file of it is lost by that."""
        if not fixity.root_is_there(self._root):
            remedy = "Mount its disk, or correct `store` in fonoteca.toml; then run the same command again."
            raise StoreError("store", "the storage root is not there, nor any of its own files", remedy)

    def proves(self, member: MemberFile, index: int, content: bytes) -> bool:
        """Whether these bytes are the file's piece with this index."""
        return fixity.proves(member, index, content)

    def audit(
        self, object_id: ObjectId, known: Mapping[str, FileHashes] | None = None, passed: Collection[str] = ()
    ) -> Iterator[Damage]:
        """Yield the damage of every file of an object, its root inventory and declaration too, in order of path.

        passed: paths that are checked elsewhere.

        known: hashes by member path, from the register or torrents, for files whose metadata.json is damaged itself, and
        for objects that are gone or have no whole inventory. Without them such an object raises FixityError or UsageError,
        and a file known by its digest alone has `member.hashes.digest_only`: the whole file, as piece 0, heals it.
        """
        return fixity.audit(self._root, object_id, known or {}, passed)

    def mend(self, object_id: ObjectId) -> list[str]:
        """Restore inventories, sidecars and the declaration from what the store still knows. Returns: paths mended.

        Before and after `heal`: a healed inventory under `vN/` is what the object's root copies are mended from.
        """
        return fixity.mend(self._root, object_id)

    def check_root(self) -> list[str]:
        """Return the damaged files of the storage root itself and of the event log, by path. Cost: one read of the log."""
        segments = (segment.path for segment in self.log() if segment.damage)
        return [*self._wrong_root_files(), *events.damaged_files(self._root), *segments]

    def mend_root(self) -> list[str]:
        """Write the files of the storage root itself and of the event log's object anew where they are damaged.

        Returns: paths mended. Segments of the log are nowhere else.
        """
        wrong = self._wrong_root_files()
        for path in wrong:
            self._root.blobs.write(path, ocfl.root_files()[path])
        return [*wrong, *events.mend_files(self._root)]

    def heal(self, member: MemberFile, pieces: Mapping[int, bytes]) -> None:
        """Put damaged pieces right; return when the whole file is proved and on disk.

        pieces: index to bytes, the last one without padding.
        Raises: TrustError for a piece that its hash does not prove, FixityError when the file would still be wrong; in
        both cases nothing is written.
        """
        fixity.heal(self._root, member, pieces)

    def adopt_version(self, folder: Path, object_id: ObjectId, version: int, claims: Claims | None = None) -> StoredVersion:
        """Return a downloaded `vN` folder as a stored version, after proving every file of it.

        folder: below staging; used up. claims: what else its files must come up to.
        Raises: TrustError when it lies, VersionNeededError before vN-1; then nothing is changed.
        """
        return mirror.adopt_version(self._root, folder, object_id, version, claims)

    def adopt_versions(
        self, arrived: Iterable[tuple[Path, ObjectId, int]], claims: Claims | None = None
    ) -> Iterator[StoredVersion]:
        """Yield downloaded versions as stored, earlier versions of an object first, whatever the order they came in."""
        return mirror.adopt_versions(self._root, arrived, claims)

    def purge(self, object_id: ObjectId) -> None:
        """Remove all of an object for good, after the order for it was logged. One that is gone already is no error.

        Raises: UsageError for what is no music and no artwork.
        """
        purging.purge(self._root, object_id)

    def append_events(self, happened: Sequence[Event]) -> None:
        """Append events to the log as one durable segment. The same events again change nothing."""
        if happened:
            end = self._log_end or events.log_end(self._root)
            self._log_end = events.append_events(self._root, happened, end)

    def events(self) -> Iterator[Event]:
        """Yield all events, in the order in which they were appended, without those of damaged segments, which `log` tells of."""
        return (event for segment in self.log() for event in segment.events)

    def log(self) -> Iterator[Segment]:
        """Yield the event log by its segments, as they were appended; a damaged one says so and gives no events."""
        return events.segments(self._root)

    def newest_events(self) -> list[Event]:
        """Return the events of the newest moment: what a kill may have kept from the register. Damaged ones are left to audit."""
        return events.newest_events(self._root)

    def _wrong_root_files(self) -> list[str]:
        """Return the storage root's own files that are not as they should be, by path."""
        wrong = []
        for path, content in ocfl.root_files().items():
            try:
                right = self._root.blobs.read(path) == content
            except StoreError:
                right = False
            if not right:
                wrong.append(path)
        return sorted(wrong)
