"""The JSON API: coverage, drops, withdrawals, health. Described by /api/openapi.json; errors are problem+json."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from fonoteca import __version__
from fonoteca.formats.ocfl import ROOT_DECLARATION
from fonoteca.model.catalogue import Coverage
from fonoteca.serve.latest import Latest
from fonoteca.serve.notices.counts import CountsAnswer, counts_answer, tally_of
from fonoteca.serve.paging import AFTER_CHARACTERS_MAX, page_of
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.views import DropView, drop_views
from fonoteca.serve.withdrawals import MirrorAnswer, WithdrawalsAnswer, mirror_answer, withdrawals_answer

LIMIT_MAX = 100

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="At most so many.")]
After = Annotated[str, Query(max_length=AFTER_CHARACTERS_MAX, description="The `next` of the answer before; none for the first.")]


@dataclass(frozen=True, slots=True)
class CoverageFacts:
    """A point of the curve: the most heard share of recordings carries this share of listening in so many bytes.

    share_low, share_high: of the 90 % interval of the share of listening.
    """

    share_of_recordings: float
    share_of_listening: float
    bytes: int
    share_low: float
    share_high: float


@dataclass(frozen=True, slots=True)
class CoverageAnswer:
    """The curve, and where the archive stands. synthetic: the listening is made up, and so are all shares. heard: whether any
    listening is known; where none is, every recording counts the same.
    """

    snapshot: str
    synthetic: bool
    heard: bool
    recordings: int
    held: int
    held_share: float
    held_share_low: float
    held_share_high: float
    held_bytes: int
    points: list[CoverageFacts]


@dataclass(frozen=True, slots=True)
class DropAnswer:
    """A drop. bytes and files: without pad files. coverage_share: of all listening; synthetic: which is made up.

    first_rank and last_rank: its places in the order of listening. seeds, peers, given, withheld: what the service that gives drops
    out noted at `seen_at`, null for what is not known; stale: more than a day ago. damaged: objects with known damage here.
    """

    id: str
    kind: str
    bytes: int
    files: int
    coverage_share: float
    synthetic: bool
    created_at: datetime
    infohash_v1: str
    infohash_v2: str
    torrent: str
    magnet: str
    needs: list[str]
    supersedes: str | None
    superseded: bool
    first_rank: int | None
    last_rank: int | None
    seeds: int | None
    peers: int | None
    given: bool | None
    withheld: str | None
    seen_at: datetime | None
    stale: bool
    damaged: int


@dataclass(frozen=True, slots=True)
class DropsAnswer:
    """Drops in order of publication, those that a later one replaced last. next: the `after` of the next ones, null at the end."""

    drops: list[DropAnswer]
    next: str | None


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """That the archive answers: its register was asked. withdrawn: objects masked. mirror: how it stands to what it follows."""

    status: str
    archive: str
    version: str
    objects: int
    files: int
    bytes: int
    withdrawn: int
    mirror: MirrorAnswer | None


@dataclass(frozen=True, slots=True)
class ReadyAnswer:
    """That requests may be sent here. Otherwise the answer is 503."""

    status: str


def api_router(rooms: ServeRooms, coverage: Latest[Coverage]) -> APIRouter:
    """Return the routes of the API."""
    router = APIRouter()

    @router.get("/api/coverage", summary="How much of all listening is held")
    def coverage_curve() -> CoverageAnswer:
        snapshot, found = rooms.catalogue.snapshot(), coverage()
        if snapshot is None or found is None:
            raise Problem(404, "There is no catalogue snapshot yet.", "usage")
        points = [
            CoverageFacts(p.share_of_recordings, p.share_of_listening, p.curve_bytes, p.listening_low, p.listening_high)
            for p in found.points
        ]
        return CoverageAnswer(
            snapshot=snapshot.name,
            synthetic=found.synthetic,
            heard=found.heard,
            recordings=found.recording_count,
            held=found.held_count,
            held_share=found.held_share,
            held_share_low=found.held_share_low,
            held_share_high=found.held_share_high,
            held_bytes=found.held_bytes,
            points=points,
        )

    @router.get("/api/drops", summary="What can be mirrored, in order of publication")
    def drops(limit: Limit = 50, after: After = "") -> DropsAnswer:
        snapshot = rooms.catalogue.snapshot()
        synthetic = snapshot is not None and snapshot.synthetic
        views = page_of(drop_views(rooms), lambda view: view.row.id, limit, after)
        return DropsAnswer([_drop_answer(view, synthetic=synthetic) for view in views.rows], views.next)

    @router.get("/health", summary="Whether the archive answers")
    def health(response: Response) -> HealthAnswer:
        response.headers["Cache-Control"] = "no-store"
        totals = rooms.register.totals()
        masked, mirror = len(rooms.register.withdrawals.masked()), mirror_answer(rooms)
        return HealthAnswer("ok", rooms.settings.name, __version__, totals.objects, totals.files, totals.bytes, masked, mirror)

    @router.get("/ready", summary="Whether register and store answer: for whoever decides where requests go")
    def ready(response: Response) -> ReadyAnswer:
        response.headers["Cache-Control"] = "no-store"
        rooms.register.totals()
        if rooms.blobs.size(ROOT_DECLARATION[0]) is None:
            raise Problem(503, "The store is not there.", "store")
        return ReadyAnswer("ready")

    @router.get("/api/withdrawals", summary="What was withdrawn, why, and what mirrors made of it")
    def withdrawals(limit: Limit = 50, after: After = "") -> WithdrawalsAnswer:
        return withdrawals_answer(rooms, limit, after)

    tally = tally_of(rooms)

    @router.get("/api/notices", summary="How many notices came, and what became of them")
    def notices() -> CountsAnswer:
        return counts_answer(tally())

    return router


def _drop_answer(view: DropView, *, synthetic: bool) -> DropAnswer:
    """Return what the API says of a drop."""
    return DropAnswer(
        id=view.row.id,
        kind=view.row.kind,
        bytes=view.row.drop_bytes,
        files=view.row.file_count,
        coverage_share=view.row.coverage_share,
        synthetic=synthetic,
        created_at=view.row.created_at,
        infohash_v1=view.row.infohash_v1,
        infohash_v2=view.row.infohash_v2,
        torrent=view.torrent_url,
        magnet=view.magnet,
        needs=list(view.row.needs),
        supersedes=view.row.supersedes,
        superseded=view.superseded,
        first_rank=view.row.ranks.first if view.row.ranks else None,
        last_rank=view.row.ranks.last if view.row.ranks else None,
        seeds=view.seen.seeds if view.seen else None,
        peers=view.seen.peers if view.seen else None,
        given=not view.seen.withheld if view.seen else None,
        withheld=view.seen.withheld or None if view.seen else None,
        seen_at=view.seen_at,
        stale=view.stale,
        damaged=view.damaged,
    )
