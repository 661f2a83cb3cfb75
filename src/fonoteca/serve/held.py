"""A file of an object's head that may go out to a listener now, or the answer that says why not."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.model.ids import LogicalPath, ObjectId
from fonoteca.model.withdrawal import Purpose
from fonoteca.register import FileRow, ObjectRow
from fonoteca.serve.passage import Passage, judge_passage, refuse_withdrawn
from fonoteca.serve.problems import Problem
from fonoteca.serve.proving import Proving
from fonoteca.serve.rooms import ServeRooms

NO_SUCH_FILE = "There is no such file in this archive."


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file as the register has it, its object, and what rights say of that."""

    row: FileRow
    owner: ObjectRow
    passage: Passage


def proving(rooms: ServeRooms, row: FileRow) -> Proving:
    """Return what opens a file so that no damaged byte of it is ever read."""
    hashes = row.stored.hashes
    return Proving(rooms.blobs, rooms.register, rooms.clock, rooms.remembered, hashes.sha256, row.file_bytes, hashes)


def held_file(rooms: ServeRooms, object_id: ObjectId | None, logical_path: LogicalPath | None) -> HeldFile:
    """Return a file that rights, analysis and fixity let out now. None: what was asked for was no id, or no path.

    Raises: Problem, with the status and the reason, for any other.
    """
    row = rooms.register.file(object_id, logical_path) if object_id and logical_path else None
    if object_id:
        refuse_withdrawn(rooms, object_id, Purpose.LISTENING, row.stored.hashes.sha256 if row else "")
    owner = rooms.register.object(row.object_id) if row else None
    if row is None or owner is None:
        raise Problem(404, NO_SUCH_FILE)
    passage = let_pass(rooms, row.object_id)
    refuse_damaged(owner, row.damage)
    return HeldFile(row, owner, passage)


def let_pass(rooms: ServeRooms, object_id: ObjectId) -> Passage:
    """Return what rights say of an object whose files may go out now.

    Raises: Problem where they may not, or where nobody has decoded it yet.
    """
    passage = judge_passage(rooms, object_id)
    if not passage.shared:
        raise Problem(passage.refused_status, f"This file is not shared: {passage.reason}.", "rights")
    if rooms.register.waits(object_id):
        raise Problem(503, "This release waits for its analysis. It is not served before.", "analysis")
    return passage


def refuse_damaged(owner: ObjectRow, damage: str) -> None:
    """Raise Problem for a file of an object in quarantine, and for one that the last audit found damaged."""
    if owner.quarantined_at is not None:
        since = f"{owner.quarantined_at:%Y-%m-%d}"
        problem = f"This release is in quarantine since {since}: part of it is damaged here, and no mirror could heal it so far."
        raise Problem(503, problem, "fixity")
    if damage:
        raise Problem(503, "This copy is damaged. It is not served until it is healed.", "fixity")
