"""A mirror's way in: version folders that strangers sent, proved file by file before they are renamed in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fonoteca.formats import ocfl
from fonoteca.formats.hashing import hash_stream
from fonoteca.formats.objectjson import METADATA, RIGHTS, ObjectMetadata, parse_metadata, parse_rights
from fonoteca.formats.ocfl import INVENTORY, SIDECAR, Inventory
from fonoteca.model.corridor import StoredVersion
from fonoteca.model.errors import FormatError, StoreError, TrustError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, ObjectId, Sha256
from fonoteca.model.rights import Kind
from fonoteca.store.commit import place_object_root
from fonoteca.store.reading import check_agrees, describe, known_hashes, read_metadata, read_version
from fonoteca.store.recovery import enter_head, settled_head, under_way
from fonoteca.store.root import Proved, Root

_REMEDY = "Nothing was taken in. Fetch it from another mirror, and tell the archive's operator."


@dataclass(frozen=True, slots=True)
class Claims:
    """What an edition claims of versions before anyone has read them here. sha256_of: by path below the storage root."""

    piece_bytes: int
    sha256_of: Mapping[str, Sha256]

    def check(self, stored: StoredVersion) -> None:
        """Raise TrustError unless the files of a version, which were proved, are what is claimed of them."""
        for member in stored.members:
            claimed = (self.piece_bytes, self.sha256_of.get(member.path))
            found = (member.hashes.piece_bytes, member.hashes.sha256)
            if claimed != found:
                raise TrustError(member.path, f"piece length and sha256 are claimed to be {claimed}, found {found}", _REMEDY)


class VersionNeededError(StoreError):
    """A version cannot be proved before the one it builds on is there."""

    code = "store.version-needed"


def adopt_version(root: Root, folder: Path, object_id: ObjectId, version: int, claims: Claims | None = None) -> StoredVersion:
    """Return a downloaded `vN` folder as a stored version; the folder, which is below staging, is used up.

    Every file is read and proved: sha256 against the folder's own inventory, all hashes against metadata.json and the claims.
    Raises: TrustError when the folder lies, and VersionNeededError when vN-1 is not there; in both cases nothing is changed.
    A version that is there already with the same inventory is returned as it is.
    """
    head = settled_head(root, object_id)
    held_head = 0 if head is None else head.inventory.head
    try:
        new = _inventory(folder, object_id, version)
        if head is not None and version <= held_head:
            if new.inventory != head.inventory.at(version):
                raise TrustError(object_id, f"v{version} is held already, and the one sent says otherwise", _REMEDY)
            stored = read_version(root, object_id, version)
            if claims is not None:
                claims.check(stored)
            root.staging.discard(folder)
            return stored
        if version > held_head + 1:
            raise VersionNeededError(
                object_id, f"v{version} needs v{version - 1}, the newest held is v{held_head}", "Fetch it first."
            )
        if head is not None:
            ocfl.check_follows(head.inventory, new.inventory)
        stored = _prove(root, folder, new)
    except FormatError as error:
        raise TrustError(f"{object_id} v{version}", f"{error.subject}: {error.problem}", _REMEDY) from error
    if claims is not None:
        claims.check(stored)
    _take_in(root, folder, new)
    return stored


def adopt_versions(
    root: Root, arrived: Iterable[tuple[Path, ObjectId, int]], claims: Claims | None = None
) -> Iterator[StoredVersion]:
    """Yield downloaded versions as stored, whatever the order they arrived in: earlier versions of an object first."""
    for folder, object_id, version in sorted(arrived, key=lambda one: (one[1], one[2])):
        yield adopt_version(root, folder, object_id, version, claims)


def _take_in(root: Root, folder: Path, new: Proved) -> None:
    """Rename a proved folder in and enter it in the object's root inventory."""
    inventory = new.inventory
    path = ocfl.object_path(inventory.object_id)
    tree = under_way(root, path)
    name = ocfl.version_folder(inventory.head)
    if inventory.head == 1:
        place_object_root(root, new.content, tree)
        root.staging.move(folder, tree / name)
        root.blobs.adopt(tree, path)
    else:
        root.blobs.adopt(folder, f"{path}/{name}")
        enter_head(root, path, new.content)
    root.staging.discard(tree)


def _inventory(folder: Path, object_id: ObjectId, version: int) -> Proved:
    """Return the folder's inventory. Raises: FormatError, TrustError when it is another's or not its sidecar's."""
    content = _small(folder / INVENTORY, ocfl.INVENTORY_BYTES_MAX)
    if _small(folder / SIDECAR, 1024) != ocfl.sidecar(content):
        raise TrustError(f"{object_id} v{version}", "its inventory has not the digest that its sidecar gives", _REMEDY)
    inventory = ocfl.parse_inventory(content)
    if (inventory.object_id, inventory.head) != (object_id, version):
        found = f"{inventory.object_id} v{inventory.head}"
        raise TrustError(f"{object_id} v{version}", f"its inventory is of {found}", _REMEDY)
    return Proved(inventory, content)


def _prove(root: Root, folder: Path, new: Proved) -> StoredVersion:
    """Return the version that a folder holds after reading every file of it. Raises: TrustError, FormatError."""
    inventory = new.inventory
    name = f"{inventory.object_id} v{inventory.head}"
    expected = inventory.of_version(inventory.head)
    _check_files(folder, name, {INVENTORY, SIDECAR, *(path.split("/", 1)[1] for path in expected)})
    metadata = _metadata(root, folder, inventory)
    if metadata is None and inventory.object_id.kind in frozenset(Kind):
        raise TrustError(name, "it has no metadata.json", _REMEDY)
    piece_bytes = root.piece_bytes if metadata is None else metadata.piece_bytes
    hashes = {path: _hash_file(folder / path.split("/", 1)[1], piece_bytes) for path in expected}
    for path, digest in expected.items():
        if hashes[path].sha256 != digest:
            raise TrustError(name, f"{path} has sha256 {hashes[path].sha256}, its inventory says {digest}", _REMEDY)
    if metadata is not None:
        check_agrees(inventory, metadata)
        _check_hashes(name, hashes, known_hashes(metadata))
        _check_rights(folder, inventory)
    return describe(inventory, new.content, metadata, hashes, piece_bytes)


def _metadata(root: Root, folder: Path, inventory: Inventory) -> ObjectMetadata | None:
    """Return what metadata.json of the new state says, be it in the new folder or an earlier version's."""
    if METADATA not in inventory.state:
        return None
    place = inventory.content_of(inventory.state[METADATA])
    if ocfl.version_of(place) < inventory.head:
        return read_metadata(root, inventory)
    return parse_metadata(_small(folder / place.split("/", 1)[1], ocfl.INVENTORY_BYTES_MAX))


def _check_hashes(name: str, found: Mapping[ContentPath, FileHashes], claimed: Mapping[ContentPath, FileHashes]) -> None:
    """Raise TrustError when metadata.json gives other hashes of a file than its bytes: torrents are cut from them."""
    for path, hashes in found.items():
        if path in claimed and claimed[path] != hashes:
            raise TrustError(name, f"metadata.json gives hashes of {path} that its bytes do not have", _REMEDY)


def _check_rights(folder: Path, inventory: Inventory) -> None:
    """Raise TrustError or FormatError when there is no rights.json, or it is of another item."""
    if RIGHTS not in inventory.state:
        raise TrustError(inventory.object_id, "it has no rights.json", _REMEDY)
    place = inventory.content_of(inventory.state[RIGHTS])
    if ocfl.version_of(place) < inventory.head:
        return
    record = parse_rights(_small(folder / place.split("/", 1)[1], ocfl.INVENTORY_BYTES_MAX))
    owner = ObjectId.of(record.kind, record.item)
    if owner != inventory.object_id:
        raise TrustError(inventory.object_id, f"its rights.json is of {owner}", _REMEDY)


def _check_files(folder: Path, name: str, expected: set[str]) -> None:
    """Raise TrustError when a folder holds other files than these, or anything that is no file and no folder."""
    found = set()
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    found.add(Path(entry.path).relative_to(folder).as_posix())
                else:
                    raise TrustError(name, f"{entry.name!r} is neither a file nor a folder", _REMEDY)
    if found != expected:
        odd = min(found ^ expected)
        raise TrustError(name, f"{odd!r} is {'there but not in' if odd in found else 'missing but in'} its inventory", _REMEDY)


def _small(path: Path, bytes_max: int) -> bytes:
    """Return a file's bytes. Raises: TrustError when it is a link, missing or longer than it may be."""
    if path.is_symlink() or not path.is_file():
        raise TrustError(str(path), "expected a file, found none", _REMEDY)
    if path.stat().st_size > bytes_max:
        raise TrustError(str(path), f"it is longer than {bytes_max:,} bytes", _REMEDY)
    return path.read_bytes()


def _hash_file(path: Path, piece_bytes: int) -> FileHashes:
    """Return the hashes of a file in staging."""
    with path.open("rb") as source:
        return hash_stream(source, piece_bytes)
