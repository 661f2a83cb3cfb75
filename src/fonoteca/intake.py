"""What is done to music after it came in: an archive's rooms for its analysis and for copies of it."""

from __future__ import annotations

from fonoteca.flows.analyse import AnalyseRooms
from fonoteca.flows.exporting import ExportRooms
from fonoteca.flows.heeding import stalest
from fonoteca.model.settings import FOLDER_STORE
from fonoteca.ports import Progress
from fonoteca.wiring import Archive


def analyse_rooms(archive: Archive, progress: Progress) -> AnalyseRooms:
    """Return what an analysis needs."""
    return AnalyseRooms(
        store=archive.store,
        register=archive.register,
        blobs=archive.blobs(FOLDER_STORE),
        staging=archive.staging,
        workers=archive.workers,
        clock=archive.clock,
        progress=progress,
    )


def export_rooms(archive: Archive, progress: Progress) -> ExportRooms:
    """Return what exports need."""
    return ExportRooms(
        title=archive.settings.title,
        store=archive.store,
        register=archive.register,
        blobs=archive.blobs(FOLDER_STORE),
        policy=archive.settings.rights,
        clock=archive.clock,
        progress=progress,
        stale=stalest((archive.editions, *archive.beside.values()), archive.clock.now()),
    )
