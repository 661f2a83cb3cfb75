"""How wants come in, and what is done to music after it did: an archive's rooms for its plan, its analysis and for copies of it."""

from __future__ import annotations

from fonoteca.flows.analyse import AnalyseRooms
from fonoteca.flows.exporting import ExportRooms
from fonoteca.flows.heeding import stalest
from fonoteca.flows.rechecking import RecheckRooms
from fonoteca.flows.seeking import SeekRooms
from fonoteca.gatehouse import withdraw_rooms
from fonoteca.model.settings import FOLDER_STORE
from fonoteca.ports import Progress
from fonoteca.wiring import Archive, acquire_rooms


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


def recheck_rooms(archive: Archive, progress: Progress) -> RecheckRooms:
    """Return what asking sources again needs."""
    acquire = acquire_rooms(archive, progress)
    return RecheckRooms(
        store=archive.store,
        register=archive.register,
        policy=archive.settings.rights,
        clock=archive.clock,
        sources=acquire.sources,
        evidence=archive.evidence,
        settings=archive.settings.recheck,
        withdrawing=lambda: withdraw_rooms(archive),
        progress=progress,
    )


def seek_rooms(archive: Archive, progress: Progress, *, later: bool = False) -> SeekRooms:
    """Return what acquiring a plan needs. later: as for `acquire_rooms`."""
    return SeekRooms(acquire_rooms(archive, progress, later=later), archive.catalogue, archive.settings.sources.places)


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
