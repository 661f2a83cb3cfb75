"""Popularity on trial: shares from some listeners, measured on others. Real artists, and synthetic tracks whose truth is known.

python -m bench.popularity [TRACKS]    mean and spread over splits, as a table; 1,000,000 synthetic tracks unless said
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.report import Figure, Goal, Peer
from bench.stopwatch import SILENT, NotMeasurableError
from fonoteca.catalogue.popularity_pools import Groups
from fonoteca.catalogue.popularity_trial import Counts, Histories, Trial, hold_trial, mean_and_spread
from fonoteca.catalogue.synth.settings import SynthSettings
from fonoteca.catalogue.synth.weighing import Weighed

HETREC = Path(__file__).resolve().parents[2] / "shared/fixtures/listens/hetrec/user_artists.dat"
TRACKS = 1_000_000
SPLITS = 5
SEED = 1
WITHIN = 0.2
"""How far the unheard share may be from what it turns out to be."""
INSIDE_MIN, INSIDE_MAX = 0.85, 0.95


def figures(scratch: Path) -> list[Figure]:
    """Return what the splits show on average, real artists first. scratch: not needed."""
    del scratch
    if not HETREC.is_file():
        raise NotMeasurableError(f"{HETREC} is missing: the fixtures belong beside the checkout")
    found = []
    for name, trials in (("HetRec artists", hetrec_trials()), (f"{TRACKS:,} synthetic tracks", synthetic_trials(TRACKS))):
        found += list(_figures(name, trials))
    return found


def hetrec_trials(splits: int = SPLITS) -> list[Trial]:
    """Return what splits of the real listeners show. There are no releases, and artists are the items."""
    rows = np.loadtxt(HETREC, dtype=np.int64, skiprows=1)
    listener, item = (np.unique(rows[:, column], return_inverse=True)[1] for column in (0, 1))
    histories = Histories(listener, item, rows[:, 2], int(item.max()) + 1)
    alone = np.full(histories.item_count, -1, np.int32)
    chances = [np.random.default_rng([SEED, split]) for split in range(splits)]
    return [hold_trial(*histories.halves(chance), Groups(alone, alone), chance) for chance in chances]


def synthetic_trials(tracks: int, splits: int = SPLITS) -> list[Trial]:
    """Return what pairs of disjoint sets of synthetic listeners show of recordings whose rows are rightly merged."""
    settings = SynthSettings(tracks, SEED)
    weighed = Weighed(settings, SILENT)
    world = _World(weighed)
    trials = []
    for split in range(splits):
        train, held_out = (world.counts(f"{side} {split}", settings.listeners) for side in ("train", "held out"))
        trials.append(hold_trial(train, held_out, world.groups, np.random.default_rng([SEED, split]), world.share))
    return trials


class _World:
    """The recordings of a synthetic catalogue: groups and true shares of each."""

    def __init__(self, weighed: Weighed) -> None:
        self._weighed = weighed
        columns: list[tuple[npt.NDArray[np.generic], ...]] = []
        for number in range(weighed.block_count()):
            block = weighed.block(number)
            columns.append((block.of.home, block.of.home_release, block.of.artist, block.love))
        home, release, artist, love = (np.concatenate(column) for column in zip(*columns, strict=True))
        _, first, self._recording = np.unique(home, return_index=True, return_inverse=True)
        release, artist = (np.unique(each[first], return_inverse=True)[1].astype(np.int32) for each in (release, artist))
        self.groups = Groups(release, artist)
        self.share = love[first] / love[first].sum()

    def counts(self, name: str, people: int) -> Counts:
        """Return what the people of this name listened to. Of a recording's rows the largest listener count is what is sure."""
        listens = np.zeros(len(self.share), np.int64)
        listeners = np.zeros(len(self.share), np.int64)
        counting = self._weighed.people(name)
        done = 0
        for number in range(self._weighed.block_count()):
            block = self._weighed.block(number)
            played, heard = counting.counts(block.of, block.weight, number)
            recording = self._recording[done : done + len(played)]
            np.add.at(listens, recording, played)
            np.maximum.at(listeners, recording, heard)
            done += len(played)
        return Counts(listens, listeners, people)


def _figures(name: str, trials: list[Trial]) -> Iterator[Figure]:
    def mean(of: Callable[[Trial], float]) -> float:
        return mean_and_spread([of(trial) for trial in trials])[0]

    yield Figure(
        f"popularity, {name}: held-out log-loss",
        mean(lambda t: t.log_loss),
        "nat",
        Peer("raw counts, best constant added", mean(lambda t: t.smoothed_log_loss)),
        Goal(1.0, of_ratio=True),
        less_is_better=True,
    )
    off = mean(lambda t: abs(t.unheard_share / t.unheard_truth - 1))
    yield Figure(f"popularity, {name}: unheard share off what it turns out to be", off, "", None, Goal(WITHIN, at_most=True))
    held = mean(lambda t: t.predicted.share)
    yield from _both_ends(f"popularity, {name}: held-out shares in their 90 % intervals", held)
    if trials[0].credible is not None:
        true = mean(lambda t: t.credible.share if t.credible else 0.0)
        yield from _both_ends(f"popularity, {name}: true shares in their 90 % intervals", true)
    for place, covered in enumerate(trials[0].coverage):
        yield Figure(
            f"popularity, {name}: held-out listening in the first {covered.share_of_recordings:.1%}",
            mean(lambda t, place=place: t.coverage[place].by_share),
            "",
            Peer("ranked by raw counts", mean(lambda t, place=place: t.coverage[place].by_listens)),
        )


def _both_ends(name: str, value: float) -> Iterator[Figure]:
    yield Figure(name, value, "", None, Goal(INSIDE_MIN))
    yield Figure(f"{name}, at most", value, "", None, Goal(INSIDE_MAX, at_most=True))


def _spreads(name: str, trials: list[Trial]) -> Iterator[str]:
    """Yield lines with mean and standard deviation of every figure over splits."""
    rows: list[tuple[str, Callable[[Trial], float]]] = [
        ("log-loss", lambda t: t.log_loss),
        ("log-loss, raw counts + best constant", lambda t: t.smoothed_log_loss),
        ("best constant", lambda t: t.smoothing),
        ("log-loss, raw counts + 1/2", lambda t: t.jeffreys_log_loss),
        ("unheard share", lambda t: t.unheard_share),
        ("unheard share, truth", lambda t: t.unheard_truth),
        ("unheard share / truth", lambda t: t.unheard_share / t.unheard_truth),
        ("held-out shares inside (predictive)", lambda t: t.predicted.share),
    ]
    for place, (low, _, _) in enumerate(trials[0].predicted.by_band[:-1]):
        rows.append((f"... with {low} listeners or more in train", lambda t, place=place: t.predicted.by_band[place][2]))
    if trials[0].credible is not None:
        rows.append(("true shares inside (credible)", lambda t: t.credible.share if t.credible else 0.0))
        for place, (low, _, _) in enumerate(trials[0].credible.by_band):
            rows.append(
                (
                    f"... with {low} listeners or more in train",
                    lambda t, place=place: t.credible.by_band[place][2] if t.credible else 0.0,
                )
            )
    for place, covered in enumerate(trials[0].coverage):
        mark = f"coverage at {covered.share_of_recordings:.1%}"
        rows += [
            (f"{mark}, by share", lambda t, place=place: t.coverage[place].by_share),
            (f"{mark}, by raw counts", lambda t, place=place: t.coverage[place].by_listens),
            (f"{mark}, promised", lambda t, place=place: t.coverage[place].promised),
        ]
    yield f"{name}, {len(trials)} splits"
    for title, of in rows:
        mean, spread = mean_and_spread([of(trial) for trial in trials])
        yield f"  {title:44} {mean:10.4f} ± {spread:.4f}"


def main() -> None:
    """Print both tables."""
    tracks = int(float(sys.argv[1])) if len(sys.argv) > 1 else TRACKS
    if HETREC.is_file():
        print(*_spreads("HetRec artists", hetrec_trials(10)), sep="\n")
    print(*_spreads(f"{tracks:,} synthetic tracks", synthetic_trials(tracks)), sep="\n")


if __name__ == "__main__":
    main()
