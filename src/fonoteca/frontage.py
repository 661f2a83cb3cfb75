"""The site of an archive: which of its rooms it asks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime

from fonoteca.edges.disk_calls import in_words
from fonoteca.flows.backup import BACKED_UP, BACKUP_SUBJECT
from fonoteca.flows.docket import ACTIONS, check_order, undoing
from fonoteca.flows.suggesting import suggested
from fonoteca.groundwork import uploads_in, writer_in
from fonoteca.model.catalogue import Coverage
from fonoteca.neighbours import swarm_seen_in
from fonoteca.serve import ServeRooms
from fonoteca.serve.desk.side import DeskSide
from fonoteca.serve.standing import EditionSeen, Space
from fonoteca.wiring import Archive


def serve_rooms(archive: Archive, nudge: Callable[[], object] = lambda: None) -> ServeRooms:
    """Return what the site is made of. nudge: what hears of a curator's decision that is to be carried out."""
    return ServeRooms(
        settings=archive.settings,
        clock=archive.clock,
        store=archive.store,
        blobs=archive.blobs("store"),
        register=archive.register,
        editions=archive.blobs("editions"),
        catalogue_blobs=archive.blobs("catalogue"),
        catalogue=archive.catalogue,
        search_blobs=archive.blobs("search"),
        finder=archive.search,
        people=archive.people,
        coverage_png=_coverage_png,
        swarm_seen=lambda: swarm_seen_in(archive.folder),
        space=lambda: _space_of(archive),
        edition=lambda: _edition_of(archive),
        last_backup=lambda: _last_backup_of(archive),
        desk=DeskSide(
            actions={name: action.words for name, action in ACTIONS.items()},
            undone={name: action.undone for name, action in ACTIONS.items()},
            check=check_order,
            undoing=lambda number, reason: undoing(archive.people.docket, number, reason),
            raw=lambda digest, bytes_max: archive.evidence.begin_of(digest, bytes_max),
            uploads=uploads_in(archive.folder),
            likely=lambda file: suggested(archive.catalogue, archive.search, file),
            nudge=nudge,
            writer=lambda: writer_in(archive.folder),
        ),
    )


def _space_of(archive: Archive) -> Space | None:
    folder = archive.store_folder
    if folder is None:
        return None
    with in_words(folder):
        usage = shutil.disk_usage(folder)
    return Space(usage.free, usage.total)


def _edition_of(archive: Archive) -> EditionSeen | None:
    index = archive.editions.index()
    if index is None:
        return None
    survey = archive.editions.survey()
    good_until = archive.editions.good_until()
    return EditionSeen(index.number, index.published_at, good_until, len(index.entries), survey.root_version, survey.root_sha256)


def _last_backup_of(archive: Archive) -> datetime | None:
    events = archive.register.events(subject=BACKUP_SUBJECT)
    return next((event.at for event in events if event.what == BACKED_UP), None)


def _coverage_png(coverage: Coverage) -> bytes:
    # Imported here: Altair takes most of a second to load, and few requests draw.
    from fonoteca.catalogue import charts

    return charts.coverage_png(coverage)
