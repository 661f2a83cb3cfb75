"""Rank on one listening history, measure on another: what `fonoteca coverage --evaluate TRAIN TEST` tells."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fonoteca.catalogue.coverage_histories import History, read_history
from fonoteca.catalogue.duck import DuckSettings, duck_errors, open_duck
from fonoteca.catalogue.popularity_mixture import I64
from fonoteca.catalogue.popularity_plays import assumed_listeners, effective_listeners, fit_plays
from fonoteca.catalogue.popularity_pools import Groups
from fonoteca.catalogue.popularity_shares import SourceCounts, estimate
from fonoteca.catalogue.popularity_trial import MARKS, SMOOTHINGS, log_loss, smoothed

CURVE_POINTS = 50


@dataclass(frozen=True, slots=True)
class EvaluatedPoint:
    """What the first share_of_items carry of the listening in the test history, 0 to 1.

    by_share: ranked by estimated shares of the train history; by_listens: by its raw counts; best: by the test history itself.
    promised: what the estimated shares add up to, with low and high, the 90 % interval for a history like the test.
    """

    share_of_items: float
    by_share: float
    by_listens: float
    best: float
    promised: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CoverageTrial:
    """How a ranking by one history does on another. Items of either history are ranked; log-losses in nats a test listen.

    points: at 5, 10, 33.6 and 100 % of items; curve: more of them, ascending, from the first item.
    unheard_share: of listening to items that train never heard, as train's listeners promise; unheard_truth: as test has it.
    smoothed_log_loss: of raw counts with the added constant that is best for the test history itself.
    """

    train: History
    test: History
    item_count: int
    points: tuple[EvaluatedPoint, ...]
    curve: tuple[EvaluatedPoint, ...]
    unheard_share: float
    unheard_truth: float
    log_loss: float
    smoothed_log_loss: float


def evaluate_files(train: Path, test: Path) -> CoverageTrial:
    """Return how a ranking by the history in one file does on that in the other.

    Memory: DuckDB's own bound, with the rest in the system's folder for temporary files, and 100 B an item.
    Raises: UsageError, SourceError for a file that is no history; StoreError when there is no room.
    """
    with (
        duck_errors("coverage"),
        TemporaryDirectory(prefix="fonoteca-") as spill,
        closing(open_duck(DuckSettings(), Path(spill))) as duck,
    ):
        return evaluate_coverage(read_history(duck, train), read_history(duck, test))


def evaluate_coverage(train: History, test: History) -> CoverageTrial:
    """Return how shares estimated from train carry over to test."""
    items = pc.unique(pa.concat_arrays([train.items, test.items]))
    count = len(items)
    of_train, of_test = _dense(train, items), _dense(test, items)
    heard = np.flatnonzero(of_train).astype(np.uint32)
    listeners = None if train.listeners is None else _dense(train, items, train.listeners)[heard]
    nothing = np.full(count, -1, np.int32)
    source = SourceCounts(train.name, heard, of_train[heard], listeners, False, "", train.people)
    found = estimate([source], Groups(nothing, nothing), count)
    orders = tuple(np.argsort(-each, kind="stable") for each in (found.share, of_train, of_test))
    carried = tuple(np.cumsum(of_test[order]) / of_test.sum() for order in orders)
    promised = np.cumsum(found.share[orders[0]])
    sample = _effective(test)

    def point(first: int) -> EvaluatedPoint:
        said = min(1.0, float(promised[first - 1]))
        low, high = found.parameters.predicted_sum(said, sample)
        by_share, by_listens, best = (float(each[first - 1]) for each in carried)
        return EvaluatedPoint(first / count, by_share, by_listens, best, said, low, high)

    ranks = sorted({max(1, round(count ** (step / CURVE_POINTS))) for step in range(CURVE_POINTS + 1)})
    return CoverageTrial(
        train,
        test,
        count,
        tuple(point(max(1, round(mark * count))) for mark in (*MARKS, 1.0)),
        tuple(point(rank) for rank in ranks),
        found.parameters.unheard_share,
        float(of_test[of_train == 0].sum() / of_test.sum()),
        log_loss(found.share, of_test),
        min(log_loss(smoothed(of_train, constant), of_test) for constant in SMOOTHINGS),
    )


def _dense(history: History, items: pa.StringArray, counts: NDArray[np.int64] | None = None) -> I64:
    """Return listens (or other counts) by place in items."""
    found = np.zeros(len(items), np.int64)
    found[pc.index_in(history.items, items).to_numpy()] = history.listens if counts is None else counts
    return found


def _effective(history: History) -> float:
    """Return how many independent listeners a history is worth as a sample."""
    listeners = history.listeners if history.listeners is not None else assumed_listeners(history.listens, ())
    return effective_listeners(listeners, history.listens, fit_plays(listeners, history.listens))
