"""Healing with what is at hand, without a mirror: a source that is offered again, and documents that the register can write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from hashlib import sha256

from fonoteca.editions import drop_record, listed, member_list_of
from fonoteca.flows.checks import note_healed, release_sound
from fonoteca.flows.events import EventRooms
from fonoteca.flows.pieces import PiecesOfFile
from fonoteca.model.corridor import Damage, Drop, MemberFile, StagedVersion
from fonoteca.model.ids import ObjectId
from fonoteca.ports import Clock
from fonoteca.register import Register


def heal_from_source(rooms: EventRooms, staged: StagedVersion, clock: Clock) -> None:
    """Heal files of the item's object that an audit found damaged, where the source offers the very same bytes again.

    Only these say that the item is as it was, so no version is made of them. Cost: a query; one read of each damaged file.
    """
    object_id = ObjectId.of(staged.admission.kind, staged.candidate.item)
    offered = {file.hashes.sha256: file for file in staged.files}
    for row in rooms.register.files(object_id):
        source = offered.get(row.stored.hashes.sha256)
        member = MemberFile(row.path, row.stored.hashes)
        damage = rooms.store.check_member(object_id, member) if row.damage and source else None
        if damage is None or source is None:
            continue
        rooms.store.heal(member, PiecesOfFile(source.path, frozenset(damage.pieces), member.hashes.piece_bytes))
        at = clock.now()
        note_healed(rooms, [damage], at)
        release_sound(rooms, at)


def pieces_written_anew(register: Register, damage: Damage) -> Mapping[int, bytes] | None:
    """Return the damaged pieces of a drop's document, which the register can write to the byte; None for any other file."""
    hashes = damage.member.hashes
    for content in _documents(register, damage.object_id):
        if sha256(content).hexdigest() == hashes.sha256:
            starts = {index: index * hashes.piece_bytes for index in damage.pieces}
            cut = {index: content[start : start + hashes.piece_bytes] for index, start in starts.items()}
            return {0: content} if hashes.digest_only else cut
    return None


def _documents(register: Register, object_id: ObjectId) -> Iterator[bytes]:
    """Yield the documents that the store keeps of a drop."""
    row = next((row for row in register.drops() if ObjectId.of("drop", row.id) == object_id), None)
    if row is None or row.kind.is_snapshot:
        return
    members = register.members_of_drop(row.id)
    versions = [register.stored_version(member.object_id, member.version) for member in members]
    if None not in versions:
        yield member_list_of(row.kind, row.needs, (listed(version) for version in versions if version)).to_bytes()
    yield drop_record(Drop(members=tuple(members), **{each.name: getattr(row, each.name) for each in fields(row)}))
