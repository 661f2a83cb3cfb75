"""What the API says of what an archive tells of itself, beside the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from fonoteca.model.catalogue import Coverage
from fonoteca.serve.latest import Latest
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.telling.explorer import BUDGET_CHARACTERS_MAX, Named, budget_of, named

_BUDGET = (
    r"^ *([0-9]{1,15}|[0-9]{1,6}(\.[0-9]{1,9})? *([KkMmGg][Ii]?)?[Bb]|([0-9]{1,3}|[1-7][0-9]{3})(\.[0-9]{1,9})? *[Tt][Ii]?[Bb]) *$"
)
"""What `parse_bytes` takes, up to what any catalogue has."""


@dataclass(frozen=True, slots=True)
class RankedAnswer:
    """A recording by name. title and artist: empty where it was withdrawn. page: on this site, empty where it is not held."""

    rank: int
    title: str
    artist: str
    bytes: int
    held: bool
    page: str


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """What the plan in force brings in what a budget leaves beside what is held. share: of all listening, of both together."""

    wants: int
    bytes: int
    share: float


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the most heard recordings are that fit a budget, up to the first that does not.

    share, share_low, share_high: of all listening, with the 90 % interval. held_*: of these, held now; missing_*: the others.
    more_*: what the next more_bytes add. last: the last ones kept, in order of rank. plan: null where none is in force.
    synthetic: the listening is made up, and so are all shares. heard: whether any listening is known.
    """

    snapshot: str
    budget_bytes: int
    recordings: int
    kept: int
    kept_bytes: int
    share: float
    share_low: float
    share_high: float
    held: int
    held_bytes: int
    held_share: float
    missing: int
    missing_bytes: int
    more_bytes: int
    more: int
    more_share: float
    last: list[RankedAnswer]
    plan: PlannedAnswer | None
    synthetic: bool
    heard: bool


def telling_router(rooms: ServeRooms, coverage: Latest[Coverage]) -> APIRouter:
    """Return the routes of the API that tell of the archive."""
    router = APIRouter()

    @router.get("/api/coverage/kept", summary="What a budget of bytes would keep")
    def kept_within(
        budget: Annotated[
            str, Query(max_length=BUDGET_CHARACTERS_MAX, pattern=_BUDGET, description="Bytes, such as 500GB or 20 TiB.")
        ],
    ) -> KeptAnswer:
        snapshot = rooms.catalogue.snapshot()
        if snapshot is None or coverage() is None:
            raise Problem(404, "There is no catalogue snapshot yet.", "usage")
        found = rooms.catalogue.kept_within(budget_of(budget))
        kept, planned = found.kept, found.planned
        return KeptAnswer(
            snapshot=snapshot.name,
            budget_bytes=found.budget_bytes,
            recordings=found.whole.count,
            kept=kept.count,
            kept_bytes=kept.file_bytes,
            share=kept.share,
            share_low=found.low,
            share_high=found.high,
            held=kept.held_count,
            held_bytes=kept.held_bytes,
            held_share=kept.held_share,
            missing=kept.missing_count,
            missing_bytes=kept.missing_bytes,
            more_bytes=found.more_bytes,
            more=found.more.count,
            more_share=found.more.share,
            last=[_ranked(named(rooms, each)) for each in found.last],
            plan=PlannedAnswer(planned.want_count, planned.want_bytes, planned.share) if planned else None,
            synthetic=found.synthetic,
            heard=found.heard,
        )

    return router


def _ranked(each: Named) -> RankedAnswer:
    return RankedAnswer(each.rank, each.title, each.artist, each.file_bytes, each.held, each.page)
