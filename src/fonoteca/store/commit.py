"""From a staged version to a stored one, durable before it is acknowledged.

A new object is built whole in staging and renamed in, many of them at one durable point where many are committed. A further
version is built in staging, renamed in as `vN`, and then entered in the root inventory and, last, in its sidecar. The
staging folder's name says which object is under way, so that `recovery` finds what a kill interrupted without walking the
store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from fonoteca.formats import ocfl
from fonoteca.formats.corrections import corrected, uncorrected
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.objectjson import (
    METADATA,
    RIGHTS,
    ObjectMetadata,
    metadata_json,
    parse_rights,
    published,
    record_json,
    same_facts,
)
from fonoteca.formats.ocfl import INVENTORY, OBJECT_DECLARATION, SIDECAR, Inventory, InventoryVersion
from fonoteca.model.corridor import StagedVersion, StoredFile, StoredVersion
from fonoteca.model.errors import FixityError, TakenError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, LogicalPath, ObjectId, Sha256
from fonoteca.model.rights import Kind, RightsRecord
from fonoteca.store.reading import describe, read_metadata, read_version
from fonoteca.store.recovery import begun, enter_head, settled_head, under_way
from fonoteca.store.root import DAMAGED_REMEDY, Proved, Root, read_logical


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did. made: False when the same was held already and nothing was written. rights: as rights.json has them."""

    version: StoredVersion
    made: bool
    rights: RightsRecord


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version about to be stored. added: the content of its own folder: bytes, or files that lie in the folder `staged`."""

    inventory: Inventory
    added: Mapping[ContentPath, bytes | Path]
    staged: Path | None = None


def commit_staged(root: Root, staged: StagedVersion, salted: Sequence[str], message: str) -> Commit:
    """Return the staged item as stored; its staging folder is used up.

    salted: for each evidence of the admission the salted digest of its raw bytes, "" where it has none.
    No version is made when files, title, artist, source and rights facts are as held (times aside).
    """
    (commit,) = commit_many(root, [(staged, salted)], message)
    if isinstance(commit, FixityError):
        raise commit
    return commit


def commit_many(root: Root, batch: Sequence[tuple[StagedVersion, Sequence[str]]], message: str) -> list[Commit | FixityError]:
    """Return what became of each staged item, in order: new objects at one durable point, further versions each at its own.

    A damaged object that cannot take its version, or has lost all that says it is there, is an error in its place, and no
    matter of its neighbours.
    Raises: StoreError when the disk refuses; no new object of the batch is there then. Every staging folder is used up.
    """
    line = _Line(root)
    answers: list[Commit | FixityError] = []
    try:
        for staged, salted in batch:
            if ObjectId.of(staged.admission.kind, staged.admission.item) in line.trees:
                line.adopt()  # the same item twice: the second is judged by what the first made
            try:
                answers.append(_commit_one(root, line, staged, salted, message))
            except FixityError as error:
                answers.append(error)
        line.adopt()
    finally:
        line.discard()
        for staged, _ in batch:
            root.staging.discard(staged.folder)
    return [answer if isinstance(answer, FixityError) else line.refused.get(answer.version.object_id, answer) for answer in answers]


@dataclass(slots=True)
class _Line:
    """New objects that are built in staging and wait for their one durable point. refused: those that had something in the way."""

    root: Root
    trees: dict[ObjectId, tuple[Path, str]] = field(default_factory=dict)
    refused: dict[ObjectId, FixityError] = field(default_factory=dict)

    def build(self, new: NewVersion, content: bytes) -> None:
        """Write a new object's folder, without waiting for the disk. content: its inventory's bytes."""
        path = ocfl.object_path(new.inventory.object_id)
        hasty = replace(self.root, staging=self.root.staging.unsynced)
        tree = under_way(hasty, path)
        self.trees[new.inventory.object_id] = (tree, path)
        _build(hasty, new, content, tree)

    def adopt(self) -> None:
        """Bring in what waits."""
        try:
            self.root.blobs.adopt_all([*self.trees.values()])
        except TakenError:
            self._adopt_each()
        self.trees.clear()

    def _adopt_each(self) -> None:
        """Bring in what waits, each alone, but for what has something in the way."""
        for object_id, (tree, path) in self.trees.items():
            try:
                self.root.blobs.adopt(tree, path)
            except TakenError as error:
                problem = f"files of it are in the store, and no inventory that names them ({error.subject}: {error.problem})"
                self.refused[object_id] = FixityError(object_id, problem, DAMAGED_REMEDY)
                self.root.staging.discard(tree)

    def discard(self) -> None:
        """Remove from staging what did not come in, unless it is half in: its name is needed then."""
        for tree, path in self.trees.values():
            if not begun(self.root, tree, path):
                self.root.staging.discard(tree)


def _commit_one(root: Root, line: _Line, staged: StagedVersion, salted: Sequence[str], message: str) -> Commit:
    """Return the commit of one staged item: in line where it makes an object, done where it makes a version or nothing."""
    object_id = ObjectId.of(staged.admission.kind, staged.admission.item)
    before = settled_head(root, object_id)
    record = published(staged.admission, salted)
    if before is not None:
        record = _kept_record(root, before.inventory, record)
        staged = _as_known(root, before.inventory, staged)
        if _same(root, before.inventory, staged, record):
            return Commit(read_version(root, object_id, None), made=False, rights=record)
    new, metadata, hashes = _assemble(root, before, staged, record, message)
    content = new.inventory.to_bytes()
    if before is None:
        line.build(new, content)
    else:
        put_version(root, new)
    return Commit(describe(new.inventory, content, metadata, hashes, root.piece_bytes), made=True, rights=record)


def commit_document(root: Root, object_id: ObjectId, files: Mapping[LogicalPath, bytes], message: str) -> StoredVersion:
    """Return the object that holds exactly these small files; no version is made when it holds them already."""
    before = settled_head(root, object_id)
    state = {path: Sha256(sha256(content).hexdigest()) for path, content in files.items()}
    if before is None or before.inventory.state != state:
        held_digests = set() if before is None else set(before.inventory.manifest.values())
        number = 1 if before is None else before.inventory.head + 1
        added: dict[ContentPath, bytes | Path] = {}
        digests: dict[ContentPath, Sha256] = {}
        for path, content in sorted(files.items()):
            if state[path] not in held_digests | set(digests.values()):
                place = ocfl.content_path(number, len(digests) + 1, path)
                added[place], digests[place] = content, state[path]
        version = InventoryVersion(root.clock.now(), message, state)
        inventory = ocfl.next_version(None if before is None else before.inventory, object_id, version, digests)
        put_version(root, NewVersion(inventory, added))
    return read_version(root, object_id, None)


def put_version(root: Root, new: NewVersion) -> None:
    """Make the newest version of an inventory durable: its folder first, then what the object's root says.

    Raises: StoreError when the disk refuses. What was not renamed in by then is gone from staging too.
    """
    inventory = new.inventory
    path = ocfl.object_path(inventory.object_id)
    version = ocfl.version_folder(inventory.head)
    target = path if inventory.head == 1 else f"{path}/{version}"
    tree = under_way(root, path)
    content = inventory.to_bytes()
    try:
        _build(root, new, content, tree)
        root.blobs.adopt(tree if inventory.head == 1 else tree / version, target)
    except BaseException:
        if not begun(root, tree if inventory.head == 1 else tree / version, target):  # else it is needed: the object is half-way
            root.staging.discard(tree)
        raise
    if inventory.head > 1:
        enter_head(root, path, content)
    root.staging.discard(tree)


def _build(root: Root, new: NewVersion, content: bytes, tree: Path) -> None:
    """Write a version's folder in staging, and for a first version what lies directly in the object's. content: the inventory's."""
    folder = tree / ocfl.version_folder(new.inventory.head)
    if new.staged is not None:
        _take_over(root, new, new.staged, folder)
    for place, source in new.added.items():
        if not isinstance(source, Path):
            _place(root, source, folder / place.split("/", 1)[1])
    place_inventory(root, content, folder)
    if new.inventory.head == 1:
        place_object_root(root, content, tree)


def _take_over(root: Root, new: NewVersion, staged: Path, folder: Path) -> None:
    """Make the folder of staged files the version's `content`: files get their names in it, and what is not wanted goes.

    Making and removing a folder costs as much as all the rest of a small object. A staged file's number is at least that of
    its content path, and both are in the same order, so that no name is taken before its file has gone.
    """
    moves = {place.rsplit("/", 1)[1]: source.name for place, source in new.added.items() if isinstance(source, Path)}
    if not moves:
        return
    content = folder / "content"
    root.staging.move(staged, content)
    for name, number in moves.items():
        root.staging.move(content / number, content / name)
    for path in content.iterdir():
        if path.name not in moves:
            root.staging.discard(path)


def place_object_root(root: Root, inventory: bytes, tree: Path) -> None:
    """Write in staging what lies directly in an object's folder."""
    place_inventory(root, inventory, tree)
    _place(root, OBJECT_DECLARATION[1], tree / OBJECT_DECLARATION[0])


def place_inventory(root: Root, inventory: bytes, tree: Path) -> None:
    """Write an inventory and its sidecar in staging."""
    _place(root, inventory, tree / INVENTORY)
    _place(root, ocfl.sidecar(inventory), tree / SIDECAR)


def _place(root: Root, source: bytes, target: Path) -> None:
    """Put content into a folder in staging."""
    with root.staging.writer(target) as writer:
        writer.write(source)


def _kept_record(root: Root, inventory: Inventory, record: RightsRecord) -> RightsRecord:
    """Return the record that is held when it says the same, so that a new look at old facts changes nothing."""
    if RIGHTS not in inventory.state:
        return record
    old = parse_rights(read_logical(root, inventory, inventory.state, RIGHTS))
    return old if same_facts(old, record) else record


def _as_known(root: Root, inventory: Inventory, staged: StagedVersion) -> StagedVersion:
    """Return files that nobody has decoded this time with what an earlier decode of the same bytes found, left out if unsound."""
    unheard = staged.candidate.kind is Kind.AUDIO and any(file.probe is None for file in staged.files)
    metadata = read_metadata(root, inventory) if unheard else None
    if metadata is None:
        return staged
    known = {file.hashes.sha256: file for file in metadata.files}
    unsound = {left.logical_path: left for left in metadata.left_out}
    held_digests = set(inventory.manifest.values())
    files, left_out = [], list(staged.left_out)
    for file in staged.files:
        digest, path = file.hashes.sha256, file.logical_path
        if file.probe is not None:
            files.append(file)
        elif digest in known:
            files.append(replace(file, probe=known[digest].probe))
        elif path in unsound and digest in held_digests:
            left_out.append(unsound[path])
        else:
            files.append(file)
    ordered = sorted({*left_out}, key=lambda each: (each.logical_path, each.rule))
    return replace(staged, files=tuple(files), left_out=tuple(ordered))


def _same(root: Root, inventory: Inventory, staged: StagedVersion, record: RightsRecord) -> bool:
    """Whether the object holds the staged files under this record already, and knows as much of them."""
    own = {METADATA, RIGHTS}
    state = {path: digest for path, digest in inventory.state.items() if path not in own}
    if state != {file.logical_path: file.hashes.sha256 for file in staged.files}:
        return False
    if inventory.state.get(RIGHTS) != Sha256(sha256(record_json(record)).hexdigest()):
        return False
    metadata = read_metadata(root, inventory)
    candidate = staged.candidate
    facts = (candidate.title, candidate.artist, candidate.source_uri)
    if metadata is None:
        return False
    bare = uncorrected(metadata)
    if (bare.title, bare.artist, bare.source_uri) != facts:
        return False
    heard = {file.logical_path for file in staged.files if file.probe is not None}
    return not any(file.probe is None and file.logical_path in heard for file in metadata.files)


def _assemble(
    root: Root, before: Proved | None, staged: StagedVersion, record: RightsRecord, message: str
) -> tuple[NewVersion, ObjectMetadata, dict[ContentPath, FileHashes]]:
    """Return the next version, its metadata, and the hashes of the content in its own folder.

    Content that an earlier version has is not written again (forward delta).
    """
    number = 1 if before is None else before.inventory.head + 1
    places = {} if before is None else before.inventory.contents(set(before.inventory.manifest.values()))
    added: dict[ContentPath, bytes | Path] = {}
    hashes: dict[ContentPath, FileHashes] = {}
    files = []
    for file in sorted(staged.files, key=lambda f: f.logical_path):
        assert file.hashes.piece_bytes == root.piece_bytes, "an archive has one piece length"
        digest = file.hashes.sha256
        if digest not in places:
            places[digest] = ocfl.content_path(number, len(added) + 1, file.logical_path)
            added[places[digest]], hashes[places[digest]] = file.path, file.hashes
        files.append(StoredFile(file.logical_path, places[digest], file.hashes, file.media_type, file.probe, file.tags))
    state = {file.logical_path: file.hashes.sha256 for file in files}
    metadata = _metadata(root, staged, tuple(files))
    held = None if before is None else read_metadata(root, before.inventory)
    if held is not None:
        metadata = corrected(metadata, held.corrections)
    for path, content in ((METADATA, metadata_json(metadata)), (RIGHTS, record_json(record))):
        small = hash_bytes(content, root.piece_bytes)
        state[path] = small.sha256
        if small.sha256 not in places:
            place = places[small.sha256] = ContentPath(f"{ocfl.version_folder(number)}/content/{path}")
            added[place], hashes[place] = content, small
    object_id = ObjectId.of(metadata.kind, metadata.item)
    version = InventoryVersion(root.clock.now(), message, state)
    digests = {place: known.sha256 for place, known in hashes.items()}
    inventory = ocfl.next_version(None if before is None else before.inventory, object_id, version, digests)
    return NewVersion(inventory, added, staged.folder), metadata, hashes


def _metadata(root: Root, staged: StagedVersion, files: tuple[StoredFile, ...]) -> ObjectMetadata:
    """Return what metadata.json will say."""
    candidate = staged.candidate
    return ObjectMetadata(
        item=staged.admission.item,
        kind=staged.admission.kind,
        title=candidate.title,
        artist=candidate.artist,
        source_uri=candidate.source_uri,
        piece_bytes=root.piece_bytes,
        files=files,
        left_out=staged.left_out,
    )
