"""Popularity, first depth: smoothed counts with an interval. See docs/decisions/popularity.md.

share    = (listens + 1/2) / (all listens + recordings / 2)         Jeffreys prior: never heard is not never
interval = Wilson's for that share, 90 %, on all listens / plays a listener: one listener's hundredth play of a track is
           no new evidence, so listens count as so many independent observations as there are (listener, track) pairs
"""

from __future__ import annotations

import math
from dataclasses import dataclass

PRIOR_LISTENS = 0.5
"""Jeffreys: half a listen for every recording."""
Z_90 = 1.6448536269514722
"""The normal deviate that leaves 5 % on each side."""
METHOD = "listens of all sources added, Jeffreys prior of half a listen a recording, 90 % Wilson interval on listener-track pairs"


@dataclass(frozen=True, slots=True)
class ListeningTotals:
    """What all listening sources say together about the recordings of a snapshot.

    listens: of catalogued recordings. plays_a_listener: listens a (listener, recording) pair where listeners are known, at
    least 1. unmatched_listens: of recordings that no source catalogues; they are in no share.
    """

    recording_count: int
    listens: int
    plays_a_listener: float
    unmatched_listens: int
    synthetic: bool

    @property
    def smoothed_listens(self) -> float:
        """All listens with the prior's."""
        return self.listens + PRIOR_LISTENS * self.recording_count

    @property
    def observations(self) -> float:
        """How many independent observations the listens are worth."""
        return self.smoothed_listens / self.plays_a_listener

    def interval(self, share: float) -> tuple[float, float]:
        """Return the 90 % interval of a share of all listening, 0 to 1, which contains the share."""
        n, z2 = self.observations, Z_90 * Z_90
        centre = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = Z_90 / (1 + z2 / n) * math.sqrt(max(0.0, share * (1 - share)) / n + z2 / (4 * n * n))
        return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def shares_sql(totals: ListeningTotals) -> str:
    """Return SQL columns share, share_low and share_high for a relation with `listens`, the same figures as `interval` gives.

    share is formed from whole numbers (twice the smoothed counts), so that no order of adding can change a bit of it.
    """
    n, z2 = totals.observations, Z_90 * Z_90
    share = f"((2 * listens + 1)::DOUBLE / {2 * totals.listens + totals.recording_count}::DOUBLE)"
    centre = f"(({share} + {z2 / (2 * n)!r}::DOUBLE) / {1 + z2 / n!r}::DOUBLE)"
    half = f"({Z_90 / (1 + z2 / n)!r}::DOUBLE * sqrt({share} * (1 - {share}) / {n!r}::DOUBLE + {z2 / (4 * n * n)!r}::DOUBLE))"
    return f"""{share} AS share,
        greatest(0.0, least({share}, {centre} - {half})) AS share_low,
        least(1.0, greatest({share}, {centre} + {half})) AS share_high"""
