"""What is done to music after it came in: an archive's rooms for its analysis."""

from __future__ import annotations

from fonoteca.flows.analyse import AnalyseRooms
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
