"""Stored versions and member lists entered in the register, the same way whoever brings them."""

from __future__ import annotations

from fonoteca.editions import Index, drop_record
from fonoteca.model.corridor import Drop, DropKind, StoredVersion
from fonoteca.model.ids import ObjectId
from fonoteca.register import Description, Register
from fonoteca.store import Store

MEMBERS_FILE, RECORD_FILE = "members.json", "drop.json"


def record_stored(store: Store, register: Register, stored: StoredVersion) -> None:
    """Enter a version in the register from what its own metadata.json and rights.json say."""
    metadata = store.metadata(stored.object_id, stored.version)
    description = Description(metadata.title, metadata.artist, metadata.source_uri)
    register.record(stored, store.rights(stored.object_id, stored.version), description)


def record_document(register: Register, stored: StoredVersion) -> None:
    """Enter a version of a drop's document in the register."""
    register.record(stored, None, Description(title=stored.object_id.key, artist="", source_uri=""))


def record_snapshots(register: Register, index: Index) -> None:
    """Enter the metadata drops of an edition that is out: snapshots are outside the store, so the edition is what knows them."""
    known = {row.id for row in register.drops()}
    for entry in index.entries:
        if entry.kind is DropKind.METADATA and entry.id not in known:
            register.record_drop(entry.with_members(()))


def store_member_list(store: Store, register: Register, drop: Drop, members: bytes) -> None:
    """Keep a drop's member list and record in the store, so that a rebuild knows the drop."""
    files = {MEMBERS_FILE: members, RECORD_FILE: drop_record(drop)}
    record_document(register, store.commit_document(ObjectId.of("drop", drop.id), files, "Publish"))
