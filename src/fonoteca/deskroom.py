"""The curator's desk: what carrying a decision out needs, and the process that does it beside the site."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fonoteca.edges.errands import Errand
from fonoteca.flows.actions import DeskRooms
from fonoteca.flows.uploads import over
from fonoteca.groundwork import uploads_in, writer_in
from fonoteca.model.desk import EntryState
from fonoteca.model.errors import FonotecaError
from fonoteca.ports import Progress
from fonoteca.stewardship import withdraw_rooms
from fonoteca.wiring import Archive, acquire_rooms, catalogue_rooms

POLL_S = 4.0
"""How soon a page's decision is carried out once another process has ended writing."""


def desk_rooms(archive: Archive, progress: Progress) -> DeskRooms:
    """Return what carrying out decisions needs."""
    return DeskRooms(
        store=archive.store,
        register=archive.register,
        clock=archive.clock,
        docket=archive.people.docket,
        notices=archive.people.notices,
        progress=progress,
        catalogue=archive.catalogue,
        withdrawing=lambda: withdraw_rooms(archive),
        cataloguing=lambda: catalogue_rooms(archive, progress),
        acquiring=lambda: acquire_rooms(archive, progress),
        uploads=uploads_in(archive.folder),
    )


@contextmanager
def desk_worked(archive: Archive) -> Iterator[Errand]:
    """Let `fonoteca desk work` run beside the site whenever something waits; ended with the context. Gives: what to nudge."""
    command = (sys.executable, "-m", "fonoteca", "desk", "work", "--archive", str(archive.folder.resolve()), "--json")

    def waits() -> bool:
        try:
            docket = archive.people.docket
            works = docket.count(EntryState.WAITING) > 0 or any(over(uploads_in(archive.folder), docket, archive.clock.now()))
            return works and not writer_in(archive.folder)
        except FonotecaError:
            return False  # the pages say what is wrong with the database; it is asked again soon

    with Errand(command, waits, POLL_S) as errand:
        yield errand
