"""Stored versions as the doors of the corridor take them."""

from __future__ import annotations

from collections.abc import Mapping

from fonoteca.formats import ocfl
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.objectjson import METADATA, ObjectMetadata, parse_metadata
from fonoteca.formats.ocfl import INVENTORY, SIDECAR, Inventory
from fonoteca.model.corridor import MemberFile, StoredVersion
from fonoteca.model.errors import BlobMissing, FixityError, FormatError, UsageError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, ObjectId, Sha256
from fonoteca.store.root import DAMAGED_REMEDY, Root, held, read_content, read_logical, read_proved


def read_version(root: Root, object_id: ObjectId, version: int | None) -> StoredVersion:
    """Return a version, the newest for None. Media files are not read: metadata.json has their hashes.

    Raises: UsageError when it is not held; FixityError when a small file of it is damaged or gone.
    """
    newest = held(root, object_id)
    number = newest.inventory.head if version is None else version
    if not 1 <= number <= newest.inventory.head:
        raise UsageError(object_id, f"there is no version {number}; the newest is {newest.inventory.head}")
    inventory = newest.inventory.at(number)
    content = newest.content if number == newest.inventory.head else inventory_bytes(root, inventory)
    metadata = read_metadata(root, inventory)
    known = {} if metadata is None else known_hashes(metadata)
    piece_bytes = root.piece_bytes if metadata is None else metadata.piece_bytes
    small = {
        path: hash_bytes(read_content(root, inventory, digest), piece_bytes)
        for path, digest in inventory.of_version(number).items()
        if path not in known
    }
    return describe(inventory, content, metadata, {**small, **known}, piece_bytes)


def inventory_bytes(root: Root, inventory: Inventory) -> bytes:
    """Return the right bytes of `vN/inventory.json`, given what a newer inventory of the object says of that version.

    Writing the inventory anew gives them, which either the file itself or its sidecar confirms.
    Raises: FixityError when neither does.
    """
    folder = f"{ocfl.object_path(inventory.object_id)}/{ocfl.version_folder(inventory.head)}"
    made = inventory.to_bytes()
    try:
        if root.blobs.read(f"{folder}/{SIDECAR}") == ocfl.sidecar(made) or root.blobs.read(f"{folder}/{INVENTORY}") == made:
            return made
    except BlobMissing:
        if root.blobs.size(f"{folder}/{INVENTORY}") is not None and root.blobs.read(f"{folder}/{INVENTORY}") == made:
            return made
    kept = read_proved(root, folder)  # written by other software: other bytes, and the same said
    if kept.inventory != inventory:
        raise FixityError(f"{folder}/{INVENTORY}", "it disagrees with the object's newest inventory", DAMAGED_REMEDY)
    return kept.content


def read_metadata(root: Root, inventory: Inventory) -> ObjectMetadata | None:
    """Return what metadata.json of the inventory's newest state says, None for an object that has none."""
    if METADATA not in inventory.state:
        return None
    metadata = parse_metadata(read_logical(root, inventory, inventory.state, METADATA))
    check_agrees(inventory, metadata)
    return metadata


def check_agrees(inventory: Inventory, metadata: ObjectMetadata) -> None:
    """Raise FormatError when metadata.json and the inventory name different files, or it is of another object."""
    owner = ObjectId.of(metadata.kind, metadata.item)
    if owner != inventory.object_id:
        raise FormatError(inventory.object_id, f"its metadata.json is of {owner}")
    listed = {file.logical_path: (file.content_path, file.hashes.sha256) for file in metadata.files}
    for path, digest in inventory.state.items():
        if path in listed and listed[path][1] == digest and inventory.manifest.get(listed[path][0]) == digest:
            del listed[path]
    if listed:
        raise FormatError(inventory.object_id, f"its metadata.json and inventory disagree on {min(listed)!r}")


def known_hashes(metadata: ObjectMetadata) -> dict[ContentPath, FileHashes]:
    """Return the hashes that metadata.json gives, by content path."""
    return {file.content_path: file.hashes for file in metadata.files}


def describe(
    inventory: Inventory,
    content: bytes,
    metadata: ObjectMetadata | None,
    hashes: Mapping[ContentPath, FileHashes],
    piece_bytes: int,
) -> StoredVersion:
    """Return the newest version of an inventory as a door takes it.

    content: the inventory's bytes. hashes: of at least every content file in the version's own folder.
    """
    path = ocfl.object_path(inventory.object_id)
    folder = f"{path}/{ocfl.version_folder(inventory.head)}"
    members = [MemberFile(f"{path}/{name}", hashes[name]) for name in inventory.of_version(inventory.head)]
    members.append(MemberFile(f"{folder}/{INVENTORY}", hash_bytes(content, piece_bytes)))
    members.append(MemberFile(f"{folder}/{SIDECAR}", hash_bytes(ocfl.sidecar(content), piece_bytes)))
    return StoredVersion(
        object_id=inventory.object_id,
        version=inventory.head,
        created_at=inventory.versions[-1].created_at,
        object_path=path,
        members=tuple(sorted(members, key=lambda m: m.path)),
        files=() if metadata is None else metadata.files,
    )


def digest_known(digest: Sha256, piece_bytes: int) -> FileHashes:
    """Return the hashes of a file of which nothing but the digest is known."""
    return FileHashes(0, piece_bytes, digest, b"", b"", b"", b"")
