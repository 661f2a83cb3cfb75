"""Stored versions and member lists entered in the register, the same way whoever brings them."""

from __future__ import annotations

from collections.abc import Callable

from fonoteca.editions import Index, IndexEntry, drop_record
from fonoteca.model.corridor import Drop, StoredVersion
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import RightsRecord
from fonoteca.register import Description, Register
from fonoteca.store import Store

MEMBERS_FILE, RECORD_FILE = "members.json", "drop.json"


Entry = tuple[StoredVersion, RightsRecord | None, Description]
"""What the register takes of a version."""


def record_stored(store: Store, register: Register, stored: StoredVersion) -> None:
    """Enter a version in the register from what its own metadata.json and rights.json say."""
    register.record(*entry_of(store, stored))


def unrecorded(store: Store, register: Register, stored: StoredVersion) -> list[Entry]:
    """Return the versions before this one that a kill kept from the register, which takes an object's versions in order.

    Cost: a query, and none for a first version. Raises: FixityError when one of them is damaged.
    """
    if stored.version == 1:
        return []
    row = register.object(stored.object_id)
    numbers = range((row.head_version if row else 0) + 1, stored.version)
    return [entry_of(store, store.read(stored.object_id, number)) for number in numbers]


def entry_of(store: Store, stored: StoredVersion) -> Entry:
    """Return what the register takes of a version, from its own metadata.json and rights.json."""
    metadata = store.metadata(stored.object_id, stored.version)
    description = Description(metadata.title, metadata.artist, metadata.source_uri)
    return stored, store.rights(stored.object_id, stored.version), description


def record_document(register: Register, stored: StoredVersion) -> None:
    """Enter a version of a drop's document in the register."""
    register.record(stored, None, Description(title=stored.object_id.key, artist="", source_uri=""))


def record_snapshots(register: Register, index: Index, there: Callable[[IndexEntry], bool]) -> None:
    """Enter the snapshot drops of an edition that is out: snapshots are outside the store, so the edition is what knows them.

    there: says which of them are in this archive's edition. A mirror that chose has not all.
    """
    known = {row.id for row in register.drops()}
    for entry in index.entries:
        if entry.kind.is_snapshot and entry.id not in known and there(entry):
            register.record_drop(entry.with_members(()))


def forget_snapshots(register: Register, index: Index) -> None:
    """Forget the snapshot drops that the edition which is out does not name so, as after another archive's was followed."""
    listed = {entry.id: entry.supersedes for entry in index.entries}
    for row in register.drops():
        if row.kind.is_snapshot and (row.id not in listed or listed[row.id] != row.supersedes):
            register.forget_drop(row.id)


def store_member_list(store: Store, register: Register, drop: Drop, members: bytes) -> None:
    """Keep a drop's member list and record in the store, so that a rebuild knows the drop."""
    files = {MEMBERS_FILE: members, RECORD_FILE: drop_record(drop)}
    record_document(register, store.commit_document(ObjectId.of("drop", drop.id), files, "Publish"))
