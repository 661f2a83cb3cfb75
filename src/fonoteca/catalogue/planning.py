"""What to hold next in so many bytes: the knapsack over what a snapshot's recordings weigh and carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fonoteca.catalogue.duck import duck_errors
from fonoteca.catalogue.knapsack import Option, Selection, select, selection_of
from fonoteca.model.catalogue import Plan
from fonoteca.model.corridor import Want
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import RecordingId

BATCH_ROWS = 8192


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What can be wanted, in order of popularity, and what is already held of all listening."""

    wants: tuple[Want, ...]
    held_share: float
    left_out_count: int


def make_plan(
    duck: duckdb.DuckDBPyConnection, recordings: Path, budget_bytes: int, permits: Callable[[str], bool], synthetic: bool
) -> Plan:
    """Return the plan for a budget. permits: whether rights would let us hold a recording under this licence URI ("" for none).

    The plan never keeps less listening than plain popularity order in the same bytes, which takes, most heard first, whatever
    still fits. Cost: O(n log n) time and some 500 B a recording that is neither held nor refused.
    Raises: UsageError for a negative budget.
    """
    if budget_bytes < 0:
        raise UsageError("plan", f"a budget of {budget_bytes} bytes", "Give a budget of 0 bytes or more.")
    with duck_errors(str(recordings)):
        wanted = _wanted(duck, recordings, permits)
    # A recording has one encoding on offer so far: the file that its source names. The solver takes any number.
    groups = [(Option(want.file_bytes, want.share),) for want in wanted.wants]
    best = select(groups, budget_bytes)
    plain = _popularity_order(groups, budget_bytes, best.bound)
    if plain.value > best.value:
        best = plain
    return Plan(
        budget_bytes=budget_bytes,
        wants=tuple(wanted.wants[group] for group, _ in best.chosen),
        plan_bytes=best.total_bytes,
        held_share=wanted.held_share,
        kept_share=min(1.0, wanted.held_share + best.value),
        bound_share=min(1.0, wanted.held_share + best.bound),
        by_popularity_share=min(1.0, wanted.held_share + plain.value),
        left_out_count=wanted.left_out_count,
        synthetic=synthetic,
    )


def _popularity_order(groups: list[tuple[Option]], budget_bytes: int, bound: float) -> Selection:
    taken, left = {}, budget_bytes
    for index, (option,) in enumerate(groups):
        if option.file_bytes <= left:
            taken[index] = 0
            left -= option.file_bytes
    return selection_of(groups, taken, bound)


def _wanted(duck: duckdb.DuckDBPyConnection, recordings: Path, permits: Callable[[str], bool]) -> _Wanted:
    path = {"path": str(recordings)}
    # Rights are asked once a licence: there are hundreds of licences and millions of recordings.
    licences = duck.execute("SELECT DISTINCT licence_uri FROM read_parquet($path) WHERE NOT held ORDER BY 1", path).fetchall()
    permitted = {licence for (licence,) in licences if permits(licence)}
    held = duck.execute("SELECT coalesce(sum(share), 0.0) FROM read_parquet($path) WHERE held", path).fetchone()
    assert held is not None
    answer = duck.execute(
        """
        SELECT id::VARCHAR, title, artist, release, licence_uri, source_uri, file_bytes, share
        FROM read_parquet($path) WHERE NOT held ORDER BY rank
        """,
        path,
    )
    wants: list[Want] = []
    left_out_count = 0
    while batch := answer.fetchmany(BATCH_ROWS):
        for recording, title, artist, release, licence, source, file_bytes, share in batch:
            if licence in permitted:
                wants.append(Want(RecordingId(recording), title, artist, release, licence, source, file_bytes, share))
            else:
                left_out_count += 1
    return _Wanted(tuple(wants), min(1.0, float(held[0])), left_out_count)
