"""The plan held against the exact optimum, its bound, and plain popularity order: on real counts, and on a synthetic truth.

python -m bench.plan [TRACKS]    the same as `python -m bench plan`, with a synthetic catalogue of so many rows
"""

from __future__ import annotations

import csv
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from bench.report import Figure, Goal, Peer, gather, number
from bench.stopwatch import SILENT, NotMeasurableError, Stopwatch
from fonoteca.catalogue import TableMapping
from fonoteca.catalogue.encodings import Wanted
from fonoteca.catalogue.knapsack import NONE, Table, select
from fonoteca.catalogue.planning import choose
from fonoteca.catalogue.synth.settings import SynthSettings
from fonoteca.catalogue.synth.writing import write_synthetic
from fonoteca.catalogue.writing import UNKNOWN_DURATION_MS
from fonoteca.model.catalogue import OPUS_75, Encoding, Permit, PlanQuestion
from fonoteca.model.settings import Settings
from fonoteca.wiring import create_archive, open_archive

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"
TRACKS = 1_000_000
BUDGETS = (0.02, 0.1, 0.336)
"""Of the bytes of all sources' own files. The last is what the best-known archive of this shape holds, in recordings."""
ITEMS, TRIALS = 200, 40
SEED = 1
BYTES_A_MS = 24
"""192 kbit/s, as the build estimates."""

Floats = npt.NDArray[np.float64]
Taken = npt.NDArray[np.bool_]


def figures(scratch: Path) -> list[Figure]:
    """Return how near plans come to the optimum, and how much more they keep than popularity order."""
    return [*_against_the_optimum(), *_on_real_counts(), *_on_synthetic_truth(scratch, TRACKS)]


def _share_kept(name: str, plan: float, order: float) -> Figure:
    return Figure(name, 100 * plan, "%", Peer("popularity order, same bytes", 100 * order), Goal(1.0, of_ratio=True))


def _told(of: str, tightness: float, encodings: tuple[Encoding, ...]) -> str:
    return f"plan {of}, {100 * tightness:.3g} % of the bytes{', with ' + encodings[0].name if encodings else ''}"


def _gap(name: str, kept: float, bound: float) -> Figure:
    return Figure(name, 100 * (1 - kept / bound), "%", goal=Goal(0.1, at_most=True))


def _smallest(name: str, plan: float, order: float) -> Figure:
    """Return plain listening beside an order that makes everything small: it may keep more, at less of a listen each."""
    return Figure(name, 100 * plan, "%", Peer(f"popularity order, each in {OPUS_75.name}", 100 * order))


# The exact optimum


def _against_the_optimum() -> list[Figure]:
    """Return the worst of many instances of 200 recordings, two encodings each, against a dynamic programme over kilobytes."""
    rng = np.random.default_rng(SEED)
    worst, proved = 1.0, 0
    for _ in range(TRIALS):
        share = 1 / (1.0 + rng.permutation(ITEMS)) ** 1.1
        sizes = (1 + rng.gamma(8, 30, ITEMS) * BYTES_A_MS).astype(np.int64)
        table = Table(np.stack([sizes, sizes * 75 // 192]), np.stack([share, 0.9 * share]))
        budget = int(sizes.sum() * rng.uniform(0.01, 0.9))
        found = select(table, budget)
        worst = min(worst, found.value / _optimum(table, budget))
        proved += found.exact
    return [
        Figure(f"plan of {ITEMS} recordings, worst of {TRIALS}: of the exact optimum", 100 * worst, "%", goal=Goal(99.0)),
        Figure(f"plan of {ITEMS} recordings: proved optimal", 100 * proved / TRIALS, "%"),
    ]


def _optimum(table: Table, budget: int) -> float:
    best = np.zeros(budget + 1)
    for sizes, values in zip(table.sizes.T, table.values.T, strict=True):
        after = best.copy()
        for size, value in zip(sizes.tolist(), values.tolist(), strict=True):
            if size <= budget:
                np.maximum(after[size:], best[: budget + 1 - size] + value, out=after[size:])
        best = after
    return float(best[budget])


# Real counts


@dataclass(frozen=True, slots=True)
class _Counts:
    """Listens by item, of half the listeners each, and a length for each item."""

    planned_on: Floats
    measured_on: Floats
    duration_ms: npt.NDArray[np.int32]


def _real_counts() -> _Counts:
    """Return HetRec's artists as items, each with the length of one of ccmusic's tracks. Raises: NotMeasurableError."""
    try:
        rows = np.loadtxt(FIXTURES / "listens/hetrec/user_artists.dat", dtype=np.int64, skiprows=1, encoding="latin-1")
        with (FIXTURES / "ccmusic/tracks.csv").open(encoding="latin-1", newline="") as stream:
            lengths = [int(row["duration"]) for row in csv.DictReader(stream) if row["duration"].isdecimal()]
    except OSError as error:
        raise NotMeasurableError(f"the fixtures are not beside this checkout: {error}") from error
    users, items, listens = np.unique(rows[:, 0], return_inverse=True)[1], np.unique(rows[:, 1], return_inverse=True)[1], rows[:, 2]
    rng = np.random.default_rng(SEED)
    half = rng.random(users.max() + 1) < 0.5
    planned_on, measured_on = (
        np.bincount(items, listens * (half[users] == which), minlength=items.max() + 1).astype(np.float64)
        for which in (True, False)
    )
    duration_s = rng.choice(np.array([length for length in lengths if length > 0]), items.max() + 1)
    return _Counts(planned_on, measured_on, (1000 * duration_s).astype(np.int32))


def _on_real_counts() -> list[Figure]:
    counts = _real_counts()
    found: list[Figure] = []
    for tightness in BUDGETS:
        for encodings in ((), (OPUS_75,)):
            found += _on_counts(counts, tightness, encodings)
    return found


def _on_counts(counts: _Counts, tightness: float, encodings: tuple[Encoding, ...]) -> list[Figure]:
    """Plan on some listeners; tell what is kept of their listening, and of the others'."""
    shares = counts.planned_on + 0.5  # as the simplest estimate has it, so that nobody's music is worth nothing
    order = np.argsort(-shares, kind="stable")
    shares = shares[order] / shares.sum()
    duration_ms = counts.duration_ms[order]
    sizes = duration_ms.astype(np.int64) * BYTES_A_MS
    mask = np.full(len(sizes), (1 << (len(encodings) + 1)) - 1, np.uint8)
    wanted = Wanted(np.arange(1, len(sizes) + 1, dtype=np.uint32), shares, sizes, duration_ms, mask, encodings)
    budget = int(sizes.sum() * tightness)
    outcome = choose(wanted, 0.0, budget)
    plan, plain = outcome.selection.options != NONE, _popularity_order(sizes, budget)
    heard, others = counts.planned_on[order], counts.measured_on[order]
    name = _told("on real counts", tightness, encodings)
    found = [
        _share_kept(f"{name}: listening kept", _of(heard, plan), _of(heard, plain)),
        _share_kept(f"{name}: of other listeners' listening", _of(others, plan), _of(others, plain)),
        _gap(f"{name}: gap to the bound", outcome.kept.value, outcome.bound.value),
    ]
    if encodings:
        small = _popularity_order(wanted.at(slice(0, len(sizes)))[0].min(axis=0), budget)
        found.append(_smallest(f"{name}: beside all small", _of(others, plan), _of(others, small)))
    return found


def _of(listens: Floats, taken: Taken) -> float:
    return float(listens[taken].sum() / listens.sum())


def _popularity_order(sizes: npt.NDArray[np.int64], budget: int) -> Taken:
    """Return what the most heard first, of whatever still fits, takes: a plain loop, not the catalogue's own."""
    taken = np.zeros(len(sizes), bool)
    left = budget
    for index, size in enumerate(sizes.tolist()):
        if size <= left:
            taken[index] = True
            left -= size
    return taken


# Synthetic truth


def _on_synthetic_truth(scratch: Path, tracks: int) -> list[Figure]:
    """Plan on what a synthetic history lets one estimate; tell what is kept of the listening that it was drawn from."""
    create_archive(scratch / "archive", Settings("bench", "Bench"))
    with open_archive(scratch / "archive", writing=True) as archive:
        folder = archive.staging.folder("bench-synthetic")
        write_synthetic(SynthSettings(tracks), folder, archive.staging.writer, SILENT)
        mapping = TableMapping.from_toml((folder / "catalogue.toml").read_bytes(), "catalogue.toml")
        archive.catalogue.import_table(sorted(folder.glob("catalogue-*.parquet")), mapping)
        archive.catalogue.build()
        recordings = archive.catalogue.table_paths("recordings")
        truth = _Truth(folder, recordings)
        found: list[Figure] = []
        for tightness in BUDGETS:
            for encodings in ((), (OPUS_75,)):
                question = PlanQuestion(max(1, int(truth.sizes.sum() * tightness)), encodings=encodings)
                with Stopwatch() as watch:
                    plan = archive.catalogue.plan(question, lambda _: Permit.ANY_FORMAT)
                wants = archive.folder / "catalogue" / "plans" / plan.id / "wants.parquet"
                plain = _popularity_order(truth.sizes, question.budget_bytes)
                name = _told(f"of {tracks:,} synthetic rows", tightness, encodings)
                kept = truth.kept_by(truth.wanted_in(wants))
                found += [
                    _share_kept(f"{name}: true listening kept", kept, truth.kept_by(plain)),
                    _gap(f"{name}: gap to the bound", plan.kept.value, plan.bound.value),
                    Figure(f"{name}: time", watch.seconds, "s", less_is_better=True),
                ]
                if encodings:
                    small = truth.kept_by(_popularity_order(truth.small_sizes, question.budget_bytes))
                    found.append(_smallest(f"{name}: beside all small", kept, small))
        archive.staging.discard(folder)
    return found


class _Truth:
    """The true share of each recording of a snapshot, in order of rank. A recording that was not merged with itself counts once."""

    def __init__(self, folder: Path, recordings: list[str]) -> None:
        with duckdb.connect() as duck:
            answer = duck.execute(
                """
                WITH rows AS (
                    SELECT coalesce(c.mbid, c.uuid) AS id, t.recording, t.share
                    FROM read_parquet($dump) c POSITIONAL JOIN read_parquet($truth) t
                )
                SELECT r.file_bytes, r.duration_ms, rows.recording, rows.share
                FROM read_parquet($recordings) r LEFT JOIN rows ON rows.id = r.id ORDER BY r.rank
                """,
                {
                    "dump": [str(path) for path in sorted(folder.glob("catalogue-*.parquet"))],
                    "truth": [str(path) for path in sorted((folder / "truth").glob("*.parquet"))],
                    "recordings": recordings,
                },
            ).fetchnumpy()
        assert not np.ma.is_masked(answer["recording"]), "a recording of the snapshot has no row in the dump"
        self.sizes = np.asarray(answer["file_bytes"], np.int64)
        durations_ms = np.asarray(answer["duration_ms"], np.int64)
        self.small_sizes = np.where(durations_ms > 0, durations_ms, UNKNOWN_DURATION_MS) * OPUS_75.bits_per_second // 8000
        self._home = np.asarray(answer["recording"], np.int64)
        self._share = np.asarray(answer["share"], np.float64)
        self._all = self._once(np.ones(len(self.sizes), bool))

    def _once(self, taken: Taken) -> float:
        _, first = np.unique(self._home[taken], return_index=True)
        return float(self._share[taken][first].sum())

    def kept_by(self, taken: Taken) -> float:
        """Return what these recordings carry of all true listening."""
        return self._once(taken) / self._all

    def wanted_in(self, wants: Path) -> Taken:
        """Return which recordings a plan wants."""
        with duckdb.connect() as duck:
            ranks = duck.execute("SELECT rank FROM read_parquet($wants)", {"wants": str(wants)}).fetchnumpy()["rank"]
        taken = np.zeros(len(self.sizes), bool)
        taken[np.asarray(ranks, np.int64) - 1] = True
        return taken


def main() -> None:
    """Measure, and print a line for each figure."""
    tracks = int(sys.argv[1]) if len(sys.argv) > 1 else TRACKS
    with tempfile.TemporaryDirectory(prefix="fonoteca-bench-") as scratch:
        found = [*_against_the_optimum(), *_on_real_counts(), *_on_synthetic_truth(Path(scratch), tracks)]
    for each in gather(found):
        figure = each.figure
        peer = f"  ({figure.peer.name}: {number(figure.peer.value)})" if figure.peer else ""
        print(f"{figure.name:90} {figure.value:.6g} {figure.unit}{peer}{'' if each.met is not False else '  MISSED'}")


if __name__ == "__main__":
    main()
