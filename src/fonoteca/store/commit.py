"""From a staged version to a stored one, durable before it is acknowledged.

A new object is built whole in staging and renamed in. A further version is built in staging, renamed in as `vN`, and
then entered in the root inventory and, last, in its sidecar. The staging folder's name says which object is under way,
so that `recovery` finds what a kill interrupted without walking the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fonoteca.formats import ocfl
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
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, LogicalPath, ObjectId, Sha256
from fonoteca.model.rights import RightsRecord
from fonoteca.store.reading import describe, read_metadata, read_version
from fonoteca.store.recovery import enter_head, settled_head, under_way
from fonoteca.store.root import Proved, Root, read_logical


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did. made: False when the same was held already and nothing was written."""

    version: StoredVersion
    made: bool


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version about to be stored. added: the content of its own folder: bytes, or a file in staging."""

    inventory: Inventory
    added: Mapping[ContentPath, bytes | Path]


def commit_staged(root: Root, staged: StagedVersion, salted: Sequence[str], message: str) -> Commit:
    """Return the staged item as stored; its staging folder is used up.

    salted: for each evidence of the admission the salted digest of its raw bytes, "" where it has none.
    No version is made when files, title, artist, source and rights facts are as held (times aside).
    """
    object_id = ObjectId.of(staged.admission.kind, staged.admission.item)
    before = settled_head(root, object_id)
    record = published(staged.admission, salted)
    if before is not None:
        record = _kept_record(root, before.inventory, record)
        if _same(root, before.inventory, staged, record):
            root.staging.discard(staged.folder)
            return Commit(read_version(root, object_id, None), made=False)
    new, metadata, hashes = _assemble(root, before, staged, record, message)
    put_version(root, new)
    root.staging.discard(staged.folder)
    return Commit(describe(new.inventory, new.inventory.to_bytes(), metadata, hashes, root.piece_bytes), made=True)


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
        for place, source in new.added.items():
            _place(root, source, tree / version / place.split("/", 1)[1])
        place_inventory(root, content, tree / version)
        if inventory.head == 1:
            place_object_root(root, content, tree)
        root.blobs.adopt(tree if inventory.head == 1 else tree / version, target)
    except BaseException:
        if next(iter(root.blobs.children(target)), None) is None:  # else its name is needed: the object is half-way
            root.staging.discard(tree)
        raise
    if inventory.head > 1:
        enter_head(root, path, content)
    root.staging.discard(tree)


def place_object_root(root: Root, inventory: bytes, tree: Path) -> None:
    """Write in staging what lies directly in an object's folder."""
    place_inventory(root, inventory, tree)
    _place(root, OBJECT_DECLARATION[1], tree / OBJECT_DECLARATION[0])


def place_inventory(root: Root, inventory: bytes, tree: Path) -> None:
    """Write an inventory and its sidecar in staging."""
    _place(root, inventory, tree / INVENTORY)
    _place(root, ocfl.sidecar(inventory), tree / SIDECAR)


def _place(root: Root, source: bytes | Path, target: Path) -> None:
    """Put content into a folder in staging. A file is moved."""
    if isinstance(source, Path):
        root.staging.move(source, target)
        return
    with root.staging.writer(target) as writer:
        writer.write(source)


def _kept_record(root: Root, inventory: Inventory, record: RightsRecord) -> RightsRecord:
    """Return the record that is held when it says the same, so that a new look at old facts changes nothing."""
    if RIGHTS not in inventory.state:
        return record
    old = parse_rights(read_logical(root, inventory, inventory.state, RIGHTS))
    return old if same_facts(old, record) else record


def _same(root: Root, inventory: Inventory, staged: StagedVersion, record: RightsRecord) -> bool:
    """Whether the object holds the staged files under this record already."""
    own = {METADATA, RIGHTS}
    state = {path: digest for path, digest in inventory.state.items() if path not in own}
    if state != {file.logical_path: file.hashes.sha256 for file in staged.files}:
        return False
    if inventory.state.get(RIGHTS) != Sha256(sha256(record_json(record)).hexdigest()):
        return False
    metadata = read_metadata(root, inventory)
    candidate = staged.candidate
    facts = (candidate.title, candidate.artist, candidate.source_uri)
    return metadata is not None and (metadata.title, metadata.artist, metadata.source_uri) == facts


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
    return NewVersion(inventory, added), metadata, hashes


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
