"""Stands in until popularity's own module is here: the nouns of the contract, and smoothed counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """What one source counted. recordings: ascending."""

    name: str
    recordings: npt.NDArray[np.uint32]
    listens: npt.NDArray[np.int64]
    listeners: npt.NDArray[np.int64] | None
    synthetic: bool
    date: str


@dataclass(frozen=True, slots=True)
class Groups:
    """Dense numbers by recording, -1 for none."""

    release: npt.NDArray[np.int32]
    artist: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What shares rest on."""

    listens: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Shares with intervals."""

    share: npt.NDArray[np.float64]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    parameters: Parameters


def estimate(sources: Sequence[SourceCounts], groups: Groups, recording_count: int) -> Estimate:
    """Return smoothed shares."""
    counts = np.full(recording_count, 0.5)
    for source in sources:
        counts[source.recordings] += source.listens
    share = counts / counts.sum()
    half = 1.645 * np.sqrt(share / max(1.0, counts.sum()))
    low, high = np.maximum(0, share - half).astype(np.float32), (share + half).astype(np.float32)
    return Estimate(share, low, high, Parameters(int(sum(s.listens.sum() for s in sources))))
