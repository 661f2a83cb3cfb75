"""An archive put together: reads fonoteca.toml and gives rooms their edges. The only importer of edges.

Parts are opened when they are first asked for, so that a command pays for what it uses.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin

from fonoteca.audio import artwork_type, judge, judge_unheard, read_tags
from fonoteca.catalogue import Catalogue
from fonoteca.edges.clock import SystemClock
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_batches import make_durable
from fonoteca.edges.disk_lock import ArchiveLock
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.edges.disk_tree import DiskTree
from fonoteca.edges.http import open_fetch
from fonoteca.edges.http_ranges import open_ranged
from fonoteca.edges.keys import KeyFolder, make_private
from fonoteca.edges.packages import download_package
from fonoteca.edges.ray_nodes import NodeCheck
from fonoteca.edges.ray_workers import RayWorkers
from fonoteca.edges.shared_staging import SharedStaging
from fonoteca.edges.web import PoliteWeb, open_web
from fonoteca.edges.workers import ProcessWorkers
from fonoteca.editions import Asked, Editions, Keyring, Signatory, no_passphrase
from fonoteca.flows.acquire import AcquireRooms
from fonoteca.flows.audit import AuditRooms
from fonoteca.flows.catalogue import CatalogueRooms
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.flows.follow import FollowRooms
from fonoteca.flows.origins import BESIDE, EDITION, marks
from fonoteca.flows.press import PublishRooms
from fonoteca.flows.purging import finish_purges
from fonoteca.flows.rebuild import RebuildRooms
from fonoteca.flows.repair import RepairRooms
from fonoteca.flows.replay import replay
from fonoteca.flows.seed import SeedRooms, seed
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.flows.withdrawn import replay_withdrawals
from fonoteca.formats.claim import CLAIM_FILE, Claim, claim_json, parse_claim
from fonoteca.formats.ocfl_tree import Tree
from fonoteca.formats.settings import FILE_NAME, settings_toml
from fonoteca.gatehouse import heard_here, open_people, tend_notices
from fonoteca.groundwork import LOCK_FILE as LOCK_FILE
from fonoteca.groundwork import making as making
from fonoteca.ingest import IngestContext
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.settings import FOLDER_STORE, RAY, SQLITE, Settings
from fonoteca.neighbours import Healers, edition_place, peer_at
from fonoteca.neighbours import Mirroring as Mirroring
from fonoteca.neighbours import SwarmChoice as SwarmChoice
from fonoteca.neighbours import edition_heading as edition_heading
from fonoteca.neighbours import healers_at as healers_at
from fonoteca.neighbours import open_swarm as open_swarm
from fonoteca.outputs import output_file as output_file
from fonoteca.outputs import output_folder as output_folder
from fonoteca.outputs import write_output as write_output
from fonoteca.people import People
from fonoteca.ports import Blobs, Clock, DurableCalls, Progress, Staging, Swarm, Workers
from fonoteca.register import Register
from fonoteca.rights import protected_refusal
from fonoteca.search import SearchIndex
from fonoteca.sources import SourceContext
from fonoteca.store import Store
from fonoteca.workshop import load_settings as load_settings
from fonoteca.workshop import store_blobs

EXAMINE_TASK = "fonoteca.audio:verdict_on"
SEE_TASK = "fonoteca.workshop:see_archive"
INDEX_BUILDERS = 2
"""Processes that build a search index: each takes 2.5 GB of memory, so there are not as many as cores."""
_UNDER_WAY = ("ingest-", "analyse-", "source-", "repair-", "ray-", "search-", "catalogue-", "backup", "restore")
"""How staging folders begin that mean nothing once the run that made them is over."""

_SWEPT = ("private", "catalogue", "search", "editions", "keys", "trust")
"""Where a killed run may have left unfinished writes, besides the store, which looks after itself."""


class Archive:
    """One archive's rooms over its folder. Close it, or use `open_archive`.

    calls: the system calls of the disk, and before_commit: called before each commit of the register; tests crash there.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        calls: DurableCalls | None = None,
        before_commit: Callable[[], None] | None = None,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.clock: Clock = SystemClock()
        self.passphrase: Callable[[str], str] = no_passphrase
        self._calls = calls
        self._before_commit = before_commit
        self._open = ExitStack()
        self._lock: ArchiveLock | None = None

    def blobs(self, name: str) -> Blobs:
        """Return the part of the archive's folder with this name, as blobs."""
        if name == FOLDER_STORE:
            return self._store_blobs
        return DiskBlobs(self.folder / name, self._calls)

    @cached_property
    def _store_blobs(self) -> Blobs:
        return store_blobs(self.folder, self.settings, self._calls)

    @property
    def store_folder(self) -> Path | None:
        """The storage root, for those that read it in place; None where it is no folder."""
        return self.folder / FOLDER_STORE if self.settings.store == FOLDER_STORE else None

    @cached_property
    def staging(self) -> Staging:
        """Scratch space on the archive's own disk."""
        return DiskStaging(self.folder / "staging", self._calls)

    @cached_property
    def store(self) -> Store:
        """The OCFL store."""
        return Store(self.blobs("store"), self.staging, self.clock, self.settings.piece_bytes)

    @cached_property
    def register(self) -> Register:
        """The record of what is held. Raises: ClaimedError when it is another archive's."""
        if self._own_claim is not None:
            self._register.check_owner(self._own_claim)
        return self._register

    @cached_property
    def _register(self) -> Register:
        named = self.settings.register
        address = str(self.folder / "register.sqlite") if named == SQLITE else named
        return self._open.enter_context(Register.open(address, before_commit=self._before_commit))

    @cached_property
    def people(self) -> People:
        """Who has an account."""
        return self._open.enter_context(open_people(self.folder, self.settings, self.clock, self._calls))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue of what exists."""
        return self._open.enter_context(Catalogue(self.blobs("catalogue"), self.staging, self.clock))

    @cached_property
    def search(self) -> SearchIndex:
        """The search index."""
        builders = min(INDEX_BUILDERS, os.cpu_count() or 1)
        return SearchIndex(
            self.blobs("search"),
            self.staging,
            workers=lambda: self._open.enter_context(ProcessWorkers(builders)),
            by_isrc=lambda isrc: self.catalogue.recordings_of_isrc(isrc),
        )

    @cached_property
    def editions(self) -> Editions:
        """What is published, and what signs it."""
        return Editions(self.blobs("editions"), Signatory(self.keyring, self.settings.signing))

    @property
    def beside(self) -> dict[str, Editions]:
        """The editions of archives that are followed beside the first one, as far as they are held, by the mark of each."""
        return {mark: self.edition_beside(mark) for mark in marks(self.blobs("trust"))}

    def edition_beside(self, mark: str) -> Editions:
        """Return one of these, be it followed already or not."""
        return Editions(self.blobs(f"trust/{BESIDE}/{mark}/{EDITION}"), Signatory(self.keyring, self.settings.signing))

    @cached_property
    def keyring(self) -> Keyring:
        """The private keys of its roles that are on this machine."""
        return Keyring(KeyFolder(self.folder / "keys", self._calls), secrets.token_bytes, lambda name: self.passphrase(name))

    @cached_property
    def evidence(self) -> EvidenceVault:
        """Raw evidence, never published."""
        make_private(self.folder / "private", self._calls)
        return EvidenceVault(self.blobs("private"), secrets.token_bytes)

    @cached_property
    def web(self) -> PoliteWeb:
        """Hosts that are not ours, asked with manners."""
        logins = self.folder / "keys" / "sources.netrc"
        return self._open.enter_context(closing(open_web(self.folder / "sources.sqlite", self.settings.sources, logins)))

    @cached_property
    def workers(self) -> Workers:
        """Work on files: processes, one for each core unless the settings say otherwise, or a Ray cluster."""
        count = self.settings.workers
        if isinstance(count, int):
            return self._open.enter_context(ProcessWorkers(count or os.cpu_count() or 1))
        mark = f"ray-{secrets.token_hex(8)}"
        self._open.callback(self.staging.discard, self.staging.folder(mark))
        check = NodeCheck(SEE_TASK, (self.folder.resolve(), mark))
        return self._open.enter_context(RayWorkers(self.settings.ray.address, check))

    @property
    def staging_of_workers(self) -> Staging:
        """Scratch space as those write in it who take files in: the archive's own processes, or other machines."""
        if self.settings.workers == RAY:
            return SharedStaging(self.folder / "staging", self._calls)
        return self.staging.unsynced

    def begin_writing(self) -> None:
        """Be the one process that writes here until closed, and clear up after one that was killed.

        Raises: BusyError when another process writes in the archive, ClaimedError when the store belongs to another archive.
        """
        lock = self._lock = self._open.enter_context(ArchiveLock(self.folder / LOCK_FILE))
        if lock.after_kill:
            # What that run wrote is seen and may not be on disk yet: who goes on from it would tell of what a power cut takes.
            make_durable(self.folder, self._calls)
        self.claim()
        self.store.recover()
        if lock.after_kill:
            for name in _SWEPT:
                self.blobs(name).sweep()
        newest = self.store.newest_events()
        self.register.record_events(newest)
        replay_withdrawals(self.register, newest)
        if lock.after_kill:
            replay(self.register, newest)  # that run may have told the log and the register's events, and nothing else yet
        lock.cleared_up()
        finish_purges(self)
        for name in list(self.staging.left()):
            if name.startswith(_UNDER_WAY):
                self.staging.discard(self.folder / "staging" / name)
        tend_notices(self)

    def take_over(self) -> Claim | None:
        """Return whose the store was, None for nobody's, after making it this archive's. Raises: BusyError, FormatError."""
        with ArchiveLock(self.folder / LOCK_FILE):
            return self.hand_over()

    def claim(self) -> None:
        """Return when store and register are this archive's. Raises: ClaimedError when one belongs to another archive."""
        self.store.claim(self.identity())
        self._register.claim(self.identity())

    def hand_over(self) -> Claim | None:
        """Return whose the store was, None for nobody's, after making it and its register this archive's."""
        before = self.store.take_over(self.identity())
        self._register.hand_over(before, self.identity())
        return before

    @property
    def _own_claim(self) -> Claim | None:
        """Who this archive is, None where that was never said."""
        own = DiskBlobs(self.folder, self._calls)
        return parse_claim(own.read(CLAIM_FILE)) if own.size(CLAIM_FILE) is not None else None

    def identity(self) -> Claim:
        """Return who this archive is to its store and register: told by a file in its folder, which is made where it is missing."""
        own = DiskBlobs(self.folder, self._calls)
        own.create(CLAIM_FILE, claim_json(Claim(secrets.token_hex(16), self.settings.name)))
        return parse_claim(own.read(CLAIM_FILE))

    def close(self, *, in_order: bool = True) -> None:
        """Give everything back. in_order: False when an error ended the work: the next writer clears up as after a kill."""
        if self._lock is not None and not in_order:
            self._lock.ended_badly()
        self._open.close()


@dataclass(frozen=True, slots=True)
class Founding:
    """How an archive is made. take_over: its store may be there already, of an archive that is gone. keys: whether to make keys of
    its own; a mirror has none, for its editions are signed by the archive that it follows.
    """

    take_over: bool = False
    keys: bool = True


AFRESH = Founding()


def create_archive(folder: Path, settings: Settings, calls: DurableCalls | None = None, how: Founding = AFRESH) -> None:
    """Make a new archive: its folders, keys, an empty store, a register and fonoteca.toml, which is written last.

    Raises: UsageError when the folder is an archive already or holds something else, BusyError when another process is
    making it into one at this moment, ClaimedError when the store belongs to another archive.
    """
    with making(folder, calls) as home:
        archive = Archive(folder, settings, calls)
        try:
            archive.store.initialise()
            if how.take_over:
                archive.hand_over()
            archive.claim()
            _ = archive.evidence
            if how.keys:
                archive.keyring.make_missing()
        finally:
            archive.close()
        home.write(FILE_NAME, settings_toml(settings).encode())


@contextmanager
def open_archive(folder: Path, *, writing: bool = False) -> Iterator[Archive]:
    """Open the archive in a folder; closed when the context ends.

    writing: be the only one who writes there, and first finish or remove what a killed run left behind.
    Raises: UsageError when there is no archive there, BusyError when another process writes in it.
    """
    archive = Archive(folder, load_settings(folder))
    in_order = True
    try:
        if writing:
            archive.begin_writing()
        yield archive
    except (StoreError, OSError, KeyboardInterrupt):
        in_order = False
        raise
    finally:
        archive.close(in_order=in_order)


def open_place(location: str) -> Callable[[str], BinaryIO]:
    """Return what opens files below an http or https address or a folder, as streams that are read by ranges."""
    return open_ranged(location)


def acquire_rooms(archive: Archive, progress: Progress, *, later: bool = False) -> AcquireRooms:
    """Return what acquiring needs. later: audio is not decoded now, but waits for its analysis."""
    ingest = IngestContext(
        staging=archive.staging_of_workers,
        piece_bytes=archive.settings.piece_bytes,
        workers=archive.workers,
        examine=judge_unheard if later else judge,
        artwork_type=artwork_type,
        refuse_protected=protected_refusal,
    )
    return AcquireRooms(
        store=archive.store,
        register=archive.register,
        policy=archive.settings.rights,
        clock=archive.clock,
        sources=SourceContext(archive.clock, archive.staging, read_tags, download_package, archive.web),
        ingest=ingest,
        evidence=archive.evidence,
        progress=progress,
    )


def catalogue_rooms(archive: Archive, progress: Progress) -> CatalogueRooms:
    """Return what the catalogue's flows need."""
    return CatalogueRooms(
        catalogue=archive.catalogue,
        search=archive.search,
        register=archive.register,
        policy=archive.settings.rights,
        clock=archive.clock,
        progress=progress,
        heard=lambda: heard_here(archive.folder, archive.settings, lambda: archive.people),
    )


def publish_rooms(archive: Archive, progress: Progress) -> PublishRooms:
    """Return what publishing needs."""
    return PublishRooms(
        store=archive.store,
        register=archive.register,
        editions=archive.editions,
        catalogue=catalogue_rooms(archive, progress),
        settings=archive.settings,
    )


def audit_rooms(archive: Archive, progress: Progress) -> AuditRooms:
    """Return what an audit needs."""
    return AuditRooms(
        store=archive.store,
        register=archive.register,
        workers=archive.workers,
        clock=archive.clock,
        progress=progress,
        archive=archive.folder.resolve(),
    )


def rebuild_rooms(archive: Archive, progress: Progress) -> RebuildRooms:
    """Return what a rebuild needs."""
    return RebuildRooms(store=archive.store, register=archive.register, editions=archive.editions, progress=progress)


def seed_rooms(archive: Archive, swarm: Swarm) -> SeedRooms:
    """Return what seeding needs."""
    return SeedRooms(
        name=archive.settings.name,
        store=archive.store,
        register=archive.register,
        editions=archive.editions,
        swarm=swarm,
        policy=archive.settings.rights,
        clock=archive.clock,
        store_folder=archive.store_folder,
        catalogue_folder=archive.folder / "catalogue",
        search=archive.search,
        beside=tuple(archive.beside.values()),
    )


@contextmanager
def open_tree(folder: Path, progress: Progress) -> Iterator[Tree]:
    """Open a folder, ours or anyone's, to be read only. Raises: UsageError when it is none."""
    if not folder.is_dir():
        raise UsageError(str(folder), "not a folder", "Name the folder of an OCFL object or storage root.")
    with progress.task("hash", None, "B") as advance, DiskTree(folder, advance) as tree:
        yield tree


@contextmanager
def mirrors_at(places: Sequence[str]) -> Iterator[Whereabouts]:
    """Return who has bytes, for places that a person names: `HOST:PORT` of a peer, an http(s) URL of an edition, or an
    archive's folder, which is seeded on loopback until the context ends.

    Raises: UsageError for a place that is none of these.
    """
    peers: list[tuple[str, int]] = []
    web_seeds: list[str] = []
    with ExitStack() as open_now:
        for place in places:
            if "://" in place:
                web_seeds.append(urljoin(place.rstrip("/") + "/", "../webseed/"))
            elif (Path(place) / FILE_NAME).is_file():
                archive = open_now.enter_context(open_archive(Path(place)))
                if archive.store_folder is None:
                    remedy = "Run `fonoteca serve` there, and name its http address, as in http://127.0.0.1:8420/editions/."
                    raise UsageError(place, "its store is on S3, and a swarm reads files in place", remedy)
                swarm = open_now.enter_context(open_swarm(SwarmChoice()))
                seed(seed_rooms(archive, swarm))
                peers.append(swarm.address)
            else:
                peers.append(peer_at(place))
        yield Whereabouts(tuple(peers), tuple(web_seeds))


def follow_rooms(archive: Archive, mirroring: Mirroring, progress: Progress) -> FollowRooms:
    """Return what a mirror needs."""
    settings = archive.settings
    return FollowRooms(
        settings=settings,
        store=archive.store,
        register=archive.register,
        editions=archive.editions,
        catalogue=catalogue_rooms(archive, progress),
        staging=archive.staging,
        blobs=archive.blobs(FOLDER_STORE),
        fetch=open_fetch(edition_place(mirroring.place)),
        trust=archive.blobs("trust"),
        asked=Asked(archive.clock.now(), mirroring.as_of, mirroring.anchor, archive=(settings.name, settings.piece_bytes)),
        swarm=mirroring.swarm,
        whereabouts=mirroring.whereabouts,
        appetite=mirroring.appetite,
        place=mirroring.place,
        others=tuple(archive.beside.values()),
    )


def repair_rooms(archive: Archive, healers: Healers, progress: Progress) -> RepairRooms:
    """Return what a repair needs."""
    return RepairRooms(
        store=archive.store,
        register=archive.register,
        editions=archive.editions,
        staging=archive.staging,
        mirrors=healers.mirrors,
        swarm=healers.swarm,
        whereabouts=healers.whereabouts,
        clock=archive.clock,
        progress=progress,
    )
