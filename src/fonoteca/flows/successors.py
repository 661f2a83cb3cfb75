"""Successor drops: what is left of a drop of which something was purged, in a torrent that is whole again.

The old drop stays listed, its infohash and its swarm as they were: nobody can take back what others have. The new one says what it
replaces, and mirrors that begin now take it instead.
"""

from __future__ import annotations

from collections.abc import Set

from fonoteca.model.corridor import DropMember
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.register import DropRow, Register

TAKEN_BACK = "drop-taken-back"
"""The event of a drop that was recorded, and never put out: its member list stays in the store, and is of no drop."""


def to_replace(register: Register, published: Set[DropId]) -> list[tuple[DropRow, list[DropMember]]]:
    """Return the published drops of the store that none replaces and of which something was purged, each with its other members.

    Cost: nothing where nothing was purged; else a question for each drop.
    """
    purged: set[ObjectId] = register.withdrawals.purged()
    if not purged:
        return []
    rows = register.drops()
    replaced = {old for row in rows for old in row.replaces}
    found = []
    for row in rows:
        if row.id in published and row.id not in replaced and not row.kind.is_snapshot:
            members = register.members_of_drop(row.id)
            left = [member for member in members if member.object_id not in purged]
            if len(left) < len(members):
                found.append((row, left))
    return found
