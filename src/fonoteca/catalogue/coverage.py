"""The coverage curve of a snapshot: how much of all listening the most heard recordings carry, and in how many bytes."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from fonoteca.catalogue.duck import duck_errors
from fonoteca.catalogue.popularity_basis import ListeningBasis
from fonoteca.model.catalogue import Coverage, CoveragePoint
from fonoteca.model.errors import UsageError

POINTS_MIN = 2


def curve_ranks(recording_count: int, points: int) -> list[int]:
    """Return ascending ranks from 1 to recording_count, evenly apart on a log scale: the head is where the curve bends."""
    inner = points - POINTS_MIN
    if not inner:
        return [recording_count]
    return sorted({round(recording_count ** (step / inner)) for step in range(inner + 1)})


def measure_coverage(duck: duckdb.DuckDBPyConnection, recordings: Sequence[str], basis: ListeningBasis, points: int) -> Coverage:
    """Return the curve in at most `points` points, (0, 0) and (1, 1) among them, and what is held. Cost: one scan.

    Raises: UsageError for fewer than two points.
    """
    if points < POINTS_MIN:
        raise UsageError("coverage", f"{points} points", f"Ask for {POINTS_MIN} or more.")
    ranks = curve_ranks(basis.recording_count, points)
    with duck_errors("catalogue"):
        # Each recording falls to the first edge at or after its rank; only the few edges are then added up in order.
        steps = duck.execute(
            """
            SELECT e.edge, sum(r.share), sum(r.file_bytes)
            FROM (SELECT rank, share, file_bytes FROM read_parquet($path)) r
            ASOF JOIN (SELECT unnest($ranks::BIGINT[]) AS edge) e ON r.rank <= e.edge
            GROUP BY e.edge ORDER BY e.edge
            """,
            {"path": list(recordings), "ranks": ranks},
        ).fetchall()
        held = duck.execute(
            "SELECT count(*), coalesce(sum(share), 0.0) FROM read_parquet($path) WHERE held", {"path": list(recordings)}
        ).fetchone()
    assert held is not None
    curve = [CoveragePoint(0.0, 0.0, 0)]
    listening, curve_bytes = 0.0, 0
    for rank, share, file_bytes in steps:
        listening, curve_bytes = listening + share, curve_bytes + int(file_bytes)
        curve.append(CoveragePoint(rank / basis.recording_count, min(1.0, listening), curve_bytes))
    # Shares add up to 1 but for the last bits of floating point.
    curve[-1] = CoveragePoint(1.0, 1.0, curve_bytes)
    held_share = min(1.0, float(held[1]))
    low, high = basis.interval_of_sum(held_share)
    if not held[0]:
        low, high = 0.0, 0.0
    return Coverage(tuple(curve), basis.recording_count, int(held[0]), held_share, low, high, basis.synthetic, heard=basis.heard)
