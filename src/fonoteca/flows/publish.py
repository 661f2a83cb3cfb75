"""Publish: from what is held and may be shared to an edition that anyone can mirror.

Rules of order:
  1. the catalogue is brought up to date, so that drops know how much listening they carry;
  2. rights judge every version again: what may not be shared today goes into no drop;
  3. a drop of the store is recorded and its member list stored before an edition names it; `timestamp.json` is written last;
  4. a snapshot's drop is recorded after that: nothing but the edition knows it.
  5. of a drop of which something was purged, what is left goes into a successor; nothing that was withdrawn goes into any.
Killed in between, the next run puts out what was recorded and not published, records what was put out, and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.editions import (
    Heading,
    Terms,
)
from fonoteca.flows.catalogue import refresh
from fonoteca.flows.press import Press, PublishRooms, Withheld
from fonoteca.flows.records import record_snapshots
from fonoteca.formats import tombstones
from fonoteca.model.catalogue import Snapshot
from fonoteca.model.corridor import Drop
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.withdrawal import Authority


@dataclass(frozen=True, slots=True)
class Published:
    """What a run put out. number: of the edition in force. drops: new in it, without members. made: whether anything was new."""

    number: int
    made: bool
    drops: tuple[Drop, ...]
    withheld: tuple[Withheld, ...]


def publish(rooms: PublishRooms) -> Published:
    """Return the edition that has everything which may be shared, after it is out. With nothing new, nothing changes.

    Raises: StoreError when the register does not know a drop that is out: its members would go out a second time.
    """
    _check_known(rooms)
    snapshot = _snapshot(rooms)
    press = Press(rooms, snapshot.name)
    settings = rooms.settings
    withdrawals = tombstones.write(said.tombstone for said in rooms.register.withdrawals.all() if said.authority is Authority.OWN)
    heading = Heading(archive=settings.title, root_name=settings.name, piece_bytes=settings.piece_bytes)
    publication = rooms.editions.publish(heading, press.drops(), Terms(rooms.catalogue.clock.now(), withdrawals))
    index = rooms.editions.index()
    assert index is not None, "an edition is out"
    record_snapshots(rooms.register, index)
    return Published(publication.number, publication.made, tuple(press.made), tuple(dict.fromkeys(press.withheld)))


def _snapshot(rooms: PublishRooms) -> Snapshot:
    """Return the catalogue's snapshot of all that is held now.

    Where everything that it knew was withdrawn, no other can be made: the one in force stays, so that the tombstones get out.
    """
    try:
        return refresh(rooms.catalogue)
    except UsageError:
        in_force = rooms.catalogue.catalogue.snapshot()
        if in_force is None or not rooms.register.withdrawn():
            raise
        return in_force


def _check_known(rooms: PublishRooms) -> None:
    """Raise StoreError unless the register knows every drop of the store that is out."""
    index = rooms.editions.index()
    known = {row.id for row in rooms.register.drops()}
    for entry in index.entries if index else ():
        if not entry.kind.is_snapshot and entry.id not in known:
            raise StoreError(
                entry.id, "it is published, but the register does not know it", "Run `fonoteca rebuild`, then publish again."
            )
