"""What is found out or decided about a held object later: a version with a new metadata.json or rights.json, and no other file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fonoteca.formats import ocfl
from fonoteca.formats.corrections import corrected, uncorrected
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.objectjson import METADATA, RIGHTS, ObjectMetadata, metadata_json, parse_rights, record_json
from fonoteca.formats.ocfl import InventoryVersion
from fonoteca.model.audio import Examined
from fonoteca.model.corridor import Correction, LeftOut, StoredFile
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ContentPath, LogicalPath, ObjectId
from fonoteca.model.rights import RightsRecord
from fonoteca.store.commit import Commit, NewVersion, put_version
from fonoteca.store.reading import describe, read_metadata, read_version
from fonoteca.store.recovery import settled_head
from fonoteca.store.root import Root, read_logical


def revise(root: Root, object_id: ObjectId, findings: Mapping[LogicalPath, Examined | LeftOut], message: str) -> Commit:
    """Return the object with what was found out about its files; no version is made when it says so already."""
    return _anew(root, object_id, lambda metadata: _revised(metadata, findings), message)


def correct(root: Root, object_id: ObjectId, said: Sequence[Correction], message: str) -> Commit:
    """Return the object with corrections made; no version is made when it says so already."""
    return _anew(root, object_id, lambda metadata: corrected(metadata, said), message)


def _anew(root: Root, object_id: ObjectId, change: Callable[[ObjectMetadata], ObjectMetadata], message: str) -> Commit:
    """Return the object with other metadata."""
    before = settled_head(root, object_id)
    metadata = None if before is None else read_metadata(root, before.inventory)
    if before is None or metadata is None:
        raise UsageError(object_id, "no such object of audio or artwork is held", "Search for its title, or check the id.")
    inventory = before.inventory
    record = parse_rights(read_logical(root, inventory, inventory.state, RIGHTS))
    revised = change(metadata)
    if revised == metadata:
        return Commit(read_version(root, object_id, None), made=False, rights=record)
    content = metadata_json(revised)
    small = hash_bytes(content, root.piece_bytes)
    place = ContentPath(f"{ocfl.version_folder(inventory.head + 1)}/content/{METADATA}")
    state = {file.logical_path: file.hashes.sha256 for file in revised.files}
    state |= {METADATA: small.sha256, RIGHTS: inventory.state[RIGHTS]}
    version = InventoryVersion(root.clock.now(), message, state)
    newest = ocfl.next_version(inventory, object_id, version, {place: small.sha256})
    put_version(root, NewVersion(newest, {place: content}))
    return Commit(describe(newest, newest.to_bytes(), revised, {place: small}, root.piece_bytes), made=True, rights=record)


def restate(root: Root, object_id: ObjectId, record: RightsRecord, message: str) -> Commit:
    """Return the object with other rights on record; no version is made when it has them already.

    Raises: UsageError when it is not held, FixityError when it is damaged.
    """
    before = settled_head(root, object_id)
    metadata = None if before is None else read_metadata(root, before.inventory)
    if before is None or metadata is None:
        raise UsageError(object_id, "no such object of audio or artwork is held", "Search for its title, or check the id.")
    assert (record.item, record.kind) == (metadata.item, metadata.kind), "the rights are this object's"
    inventory = before.inventory
    if parse_rights(read_logical(root, inventory, inventory.state, RIGHTS)) == record:
        return Commit(read_version(root, object_id, None), made=False, rights=record)
    content = record_json(record)
    small = hash_bytes(content, root.piece_bytes)
    state = {**inventory.state, RIGHTS: small.sha256}
    places = inventory.contents({small.sha256}) if small.sha256 in inventory.manifest.values() else {}
    added = {} if places else {ContentPath(f"{ocfl.version_folder(inventory.head + 1)}/content/{RIGHTS}"): content}
    version = InventoryVersion(root.clock.now(), message, state)
    newest = ocfl.next_version(inventory, object_id, version, dict.fromkeys(added, small.sha256))
    put_version(root, NewVersion(newest, added))
    hashes = dict.fromkeys(added, small)
    return Commit(describe(newest, newest.to_bytes(), metadata, hashes, root.piece_bytes), made=True, rights=record)


def _revised(metadata: ObjectMetadata, findings: Mapping[LogicalPath, Examined | LeftOut]) -> ObjectMetadata:
    """Return metadata with the findings in it, corrected as it was."""
    bare, said = uncorrected(metadata), metadata.corrections
    files: list[StoredFile] = []
    left_out = list(metadata.left_out)
    for file in bare.files:
        match findings.get(file.logical_path):
            case Examined(media_type=media_type, probe=probe, tags=tags):
                files.append(replace(file, media_type=media_type, probe=probe, tags=tags))
            case LeftOut() as left:
                left_out.append(left)
            case None:
                files.append(file)
    ordered = sorted(left_out, key=lambda each: (each.logical_path, each.rule))
    return corrected(replace(bare, files=tuple(files), left_out=tuple(ordered)), said)
