"""`python -m bench.scale --tracks N --folder DIR`: the catalogue at any size, each stage in a process of its own.

What a stage measured is kept in DIR/stages/<stage>.json, and a stage that has been measured is not run again: 256 million tracks
take more than an hour. Exit status 0 when every target is met, else 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from rich.console import Console

from bench.machine import BusyMeter, describe
from bench.report import Figure, Goal, Peer, Quiet, Report, gather, report_json, table_of
from bench.stopwatch import SILENT, Stopwatch
from fonoteca.catalogue import TableMapping
from fonoteca.catalogue.duck import quoted
from fonoteca.catalogue.layout import recording_files
from fonoteca.catalogue.matching import QuestionFile, Sought, find
from fonoteca.catalogue.rank_ids import ids_of_ranks
from fonoteca.catalogue.synth.queries import QuerySettings, Questions, write_queries
from fonoteca.catalogue.synth.rows import Facts
from fonoteca.catalogue.synth.settings import SynthSettings
from fonoteca.catalogue.synth.world import World
from fonoteca.catalogue.synth.writing import write_synthetic
from fonoteca.model.catalogue import Permit, PlanQuestion
from fonoteca.model.settings import Settings
from fonoteca.wiring import Archive, create_archive, open_archive

GB = 10**9
FULL_TRACKS = 256_039_007
FULL_QUESTIONS = 12_200_000
PEER_MATCH_S = 44 * 60
LOOKUPS = 1000
PAGE = 100
BUDGET_BYTES_A_TRACK = 300e12 / FULL_TRACKS
SAMPLED_RECORDINGS = 1_000_000
"""About so many true recordings, and as many found ones, are looked at for identity."""
MEMORY_BYTES = 12 * GB
"""What DuckDB may have for its plain sort: with it, 16 GB are kept."""
_CONSOLE = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where one size is measured: DIR with dump/ (made up), archive/, stages/."""

    folder: Path
    tracks: int
    seed: int = 1

    @property
    def settings(self) -> SynthSettings:
        """The world that is made up."""
        return SynthSettings(self.tracks, self.seed)

    @property
    def dump(self) -> Path:
        """The synthetic dump."""
        return self.folder / "dump"

    @property
    def archive(self) -> Path:
        """The archive that imports it."""
        return self.folder / "archive"

    @property
    def questions(self) -> Path:
        """Rows to match."""
        return self.folder / "questions.parquet"

    @property
    def dump_files(self) -> list[Path]:
        """The dump's tables."""
        return sorted(self.dump.glob("catalogue-*.parquet"))

    def snapshot(self, archive: Archive) -> Path:
        """Return the folder of the snapshot in force."""
        return archive.catalogue.snapshot_folder()


Found = dict[str, Any]


class _Phases:
    """Progress that keeps how long each part took. Notes end the part before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._now = ""
        self._since = time.perf_counter()

    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Iterator[Callable[[int], None]]:
        self.note(label)
        yield self._advance
        self.note("")

    def note(self, text: str) -> None:
        now = time.perf_counter()
        if self._now:
            self.seconds[self._now] = self.seconds.get(self._now, 0.0) + now - self._since
        self._now, self._since = text, now

    def _advance(self, amount: int) -> None:
        pass


def synth(ground: Ground) -> Found:
    """Make the dump up, and rows to match."""
    (ground.dump / "truth").mkdir(parents=True, exist_ok=True)
    with Stopwatch() as dumping:
        write_synthetic(ground.settings, ground.dump, _create, SILENT)
    return {"seconds": dumping.seconds, "bytes": _bytes_of(ground.dump)}


def questions(ground: Ground) -> Found:
    """Make rows to match up, in the ratio of the known job."""
    count = max(1, round(ground.tracks * FULL_QUESTIONS / FULL_TRACKS))
    with Stopwatch() as watch:
        asked = write_queries(Questions(ground.settings, QuerySettings(count), ground.questions), _create, SILENT)
    return {"seconds": watch.seconds, "count": count, "with_answer": asked}


def pipeline(ground: Ground) -> Found:
    """Import the dump, build, cover, plan."""
    create_archive(ground.archive, Settings("bench", "Scale measured"))
    mapping = TableMapping.from_toml((ground.dump / "catalogue.toml").read_bytes(), "catalogue.toml")
    phases = _Phases()
    with open_archive(ground.archive, writing=True) as archive:
        with Stopwatch() as importing:
            source = archive.catalogue.import_table(ground.dump_files, mapping, phases)
        with Stopwatch() as building:
            snapshot = archive.catalogue.build(phases)
        with Stopwatch() as covering:
            coverage = archive.catalogue.coverage()
        budget = round(BUDGET_BYTES_A_TRACK * ground.tracks)
        with Stopwatch() as planning:
            plan = archive.catalogue.plan(PlanQuestion(budget), lambda _licence: Permit.ANY_FORMAT)
        stored = archive.catalogue.stored_snapshot()
        assert stored
        folder = ground.snapshot(archive)
    return {
        "rows": source.row_count,
        "recordings": snapshot.recording_count,
        "merged": dict(stored.merged),
        "seconds": {"import": importing.seconds, "build": building.seconds, "coverage": covering.seconds, "plan": planning.seconds},
        "build_phases": phases.seconds,
        "snapshot_bytes": _bytes_of(folder),
        "coverage_points": len(coverage.points),
        "wants": plan.want_count,
        "plan_gap": plan.gap,
    }


def lookups(ground: Ground) -> Found:
    """Ask for single tracks by id, and for pages by popularity, after dropping the page cache."""
    chance = random.Random(ground.seed)
    with open_archive(ground.archive) as archive:
        catalogue = archive.catalogue
        snapshot = catalogue.snapshot()
        assert snapshot
        ids = _some_ids(ground, LOOKUPS, chance)
        ranks = [chance.randrange(snapshot.recording_count) for _ in range(LOOKUPS)]
        assert catalogue.recording(ids[0]) is not None  # the process is warm
        assert catalogue.recordings(0, 1)
        _drop_cache(ground.snapshot(archive))
        by_id = [_timed(lambda one=one: catalogue.recording(one)) for one in ids]
        _drop_cache(ground.snapshot(archive))
        by_rank = [_timed(lambda rank=rank: catalogue.recordings(rank, PAGE)) for rank in ranks]
    return {"by_id_ms": _quantiles(by_id), "page_ms": _quantiles(by_rank)}


def identity(ground: Ground) -> Found:
    """Hold the recordings that were found against the true ones, by pairs of rows."""
    every = max(1, ground.tracks // SAMPLED_RECORDINGS)
    with open_archive(ground.archive) as archive, duckdb.connect() as duck:
        duck.execute("SET preserve_insertion_order = false")
        duck.execute(f"SET temp_directory = {quoted(ground.folder / 'spill')}")
        duck.execute(f"SET memory_limit = '{MEMORY_BYTES}B'")
        folder = ground.snapshot(archive)
        dumped = f"""(SELECT coalesce(mbid, uuid) AS id, recording FROM read_parquet({quoted(ground.dump / "catalogue-*.parquet")})
            POSITIONAL JOIN read_parquet({quoted(ground.dump / "truth" / "*.parquet")}))"""
        found = f"""(SELECT id, rank FROM read_parquet({quoted(folder / "recordings" / "*.parquet")})
            UNION ALL SELECT id, rank FROM read_parquet({quoted(folder / "merged" / "*.parquet")}))"""
        duck.execute(f"CREATE TABLE truly AS SELECT * FROM {dumped} WHERE hash(recording) % {every} = 0")
        duck.execute(f"CREATE TABLE held AS SELECT * FROM {found} WHERE hash(rank) % {every} = 0")
        true_pairs, together = _pairs(duck, f"SELECT t.recording AS a, f.rank AS b FROM truly t JOIN {found} f USING (id)")
        found_pairs, right = _pairs(duck, f"SELECT h.rank AS a, d.recording AS b FROM held h JOIN {dumped} d USING (id)")
    shutil.rmtree(ground.folder / "spill", ignore_errors=True)
    return {"recall": together / true_pairs, "precision": right / found_pairs, "true_pairs": true_pairs, "found_pairs": found_pairs}


def match(ground: Ground) -> Found:
    """Match the labelled rows."""
    with open_archive(ground.archive) as archive:
        folder = ground.snapshot(archive)
        with Stopwatch() as watch:
            asked = QuestionFile(ground.questions)
            answers = find(Sought(folder), asked.named(), SILENT)
        given = np.flatnonzero(answers.ranks > 0)
        right = _right(ground, folder, given, answers.ranks[given])
    answerable = duckdb.execute(f"SELECT count(truth_recording) FROM {quoted(ground.questions)}").fetchone()
    assert answerable
    return {
        "seconds": watch.seconds,
        "rows": len(answers.ranks),
        "recall": float(right.sum()) / answerable[0],
        "precision": float(right.mean()),
    }


def sort(ground: Ground) -> Found:
    """Let DuckDB sort the dump by listens and write it, with nothing else done."""
    target, spill = ground.folder / "sorted.parquet", ground.folder / "spill"
    with duckdb.connect() as duck, Stopwatch() as watch:
        duck.execute(f"SET memory_limit = '{MEMORY_BYTES}B'")
        duck.execute("SET threads = 2")
        duck.execute(f"SET temp_directory = {quoted(spill)}")
        rows = f"SELECT * FROM read_parquet({quoted(ground.dump / 'catalogue-*.parquet')}) ORDER BY listens DESC"
        duck.execute(f"COPY ({rows}) TO {quoted(target)} (FORMAT parquet, COMPRESSION zstd)")
    target.unlink()
    shutil.rmtree(spill, ignore_errors=True)
    return {"seconds": watch.seconds}


STAGES: Mapping[str, Callable[[Ground], Found]] = {
    "synth": synth,
    "pipeline": pipeline,
    "lookups": lookups,
    "identity": identity,
    "questions": questions,
    "match": match,
    "sort": sort,
}


def _create(path: Path) -> Any:
    return path.open("wb")


def _bytes_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # gone meanwhile
            continue
    return total


def _timed(ask: Callable[[], object]) -> float:
    with Stopwatch() as watch:
        answer = ask()
    assert answer
    return watch.seconds


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{part}": 1000 * float(np.quantile(seconds, part / 100)) for part in (50, 99, 100)}


def _drop_cache(folder: Path) -> None:
    """Have the system forget what it knows of the files' bytes."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _some_ids(ground: Ground, count: int, chance: random.Random) -> list[str]:
    """Return ids of random rows of the dump."""
    files = chance.choices(ground.dump_files, k=20)
    found: list[str] = []
    for path in files:
        query = f"""SELECT coalesce(mbid, uuid)::VARCHAR FROM read_parquet({quoted(path)})
            USING SAMPLE reservoir({-(-count // len(files))} ROWS) REPEATABLE ({chance.randrange(10**6)})"""
        found += [row[0] for row in duckdb.sql(query).fetchall()]
    return found[:count]


def _pairs(duck: duckdb.DuckDBPyConnection, joined: str) -> tuple[int, int]:
    """Return how many pairs of rows share `a`, and how many of these share `b` too."""
    duck.execute(f"CREATE OR REPLACE TABLE joined AS {joined}")
    counted = "SELECT coalesce(sum(n * (n - 1) // 2), 0) FROM (SELECT count(*) AS n FROM joined GROUP BY {by})"
    answers = [duck.execute(counted.format(by=by)).fetchone() for by in ("a", "a, b")]
    assert all(answers)
    return int(answers[0][0]), int(answers[1][0])  # type: ignore[index]


def _right(ground: Ground, folder: Path, rows: Any, ranks: Any) -> Any:
    """Return for each answered row whether the recording of that rank is the true one."""
    facts = Facts(World(ground.settings))
    pairs = _id_pairs(folder, ranks)
    found = facts.recordings_of_ids(pairs).astype(np.int64)
    query = f"SELECT coalesce(truth_recording::BIGINT, -1) AS t FROM {quoted(ground.questions)}"
    truth = np.asarray(duckdb.sql(query).to_arrow_table()["t"])
    return found == truth[rows]


def _id_pairs(folder: Path, ranks: Any) -> Any:
    """Return the ids of recordings of these ranks as pairs of 64-bit numbers, in the bytes' own order."""
    order = np.argsort(ranks, kind="stable")
    pairs = np.empty((len(ranks), 2), np.uint64)
    pairs[order] = ids_of_ranks(recording_files(folder), ranks[order]).view(np.uint64).reshape(-1, 2)
    return pairs


# Running the stages


def _kept(ground: Ground, stage: str) -> Path:
    return ground.folder / "stages" / f"{stage}.json"


def run_here(ground: Ground, stage: str) -> None:
    """Run one stage in this process and keep what it found."""
    found = STAGES[stage](ground)
    used = resource.getrusage(resource.RUSAGE_SELF)
    found |= {"memory_bytes": used.ru_maxrss * 1024, "cpu_s": used.ru_utime + used.ru_stime}
    _kept(ground, stage).write_text(json.dumps(found, indent=1) + "\n")


def run_apart(ground: Ground, stage: str) -> None:
    """Run one stage in a process of its own, and add what it took of the disk and how busy others were."""
    _CONSOLE.print(f"{stage}, {ground.tracks:,} tracks")
    meter, disk = BusyMeter(), _DiskMeter(ground.folder)
    command = [sys.executable, "-m", "bench.scale", "--tracks", str(ground.tracks), "--folder", str(ground.folder), "--here", stage]
    with disk, Stopwatch() as watch:
        subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[1])
    found = json.loads(_kept(ground, stage).read_bytes())
    found |= {"whole_s": watch.seconds, "disk_bytes": disk.most, "others_cores": round(meter.others(), 2)}
    _kept(ground, stage).write_text(json.dumps(found, indent=1) + "\n")
    _CONSOLE.print(json.dumps(found))


class _DiskMeter:
    """The most that a folder held while the context lasted, looked at every two seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0

    def _watch(self) -> None:
        while not self._over.wait(2):
            self.most = max(self.most, _bytes_of(self._folder))

    def __enter__(self) -> _DiskMeter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.most = max(self.most, _bytes_of(self._folder))


def figures(ground: Ground) -> list[Figure]:
    """Return the figures of all stages that were run."""
    kept = {stage: json.loads(_kept(ground, stage).read_bytes()) for stage in STAGES if _kept(ground, stage).exists()}
    at = f"{ground.tracks:,} tracks"
    found: list[Figure] = []
    if pipe := kept.get("pipeline"):
        seconds = sum(pipe["seconds"].values())
        full = ground.tracks >= FULL_TRACKS
        peer = Peer("DuckDB: sort and write", kept["sort"]["seconds"] / 60) if "sort" in kept else None
        goal = Goal(90, at_most=True) if full else None
        found += [
            Figure(f"{at}: import, identity, popularity, coverage, plan, snapshot", seconds / 60, "min", peer, goal, True),
            Figure(f"{at}: the same, a track", 1e6 * seconds / ground.tracks, "us", less_is_better=True),
            *(Figure(f"{at}: {name}", value, "s", less_is_better=True) for name, value in pipe["seconds"].items()),
            Figure(f"{at}: peak memory", pipe["memory_bytes"] / GB, "GB", goal=Goal(16, at_most=True), less_is_better=True),
            Figure(
                f"{at}: dump, spill and outputs", pipe["disk_bytes"] / GB, "GB", goal=Goal(50, at_most=True), less_is_better=True
            ),
            Figure(f"{at}: snapshot", pipe["snapshot_bytes"] / ground.tracks, "B a track", less_is_better=True),
            Figure(f"{at}: plan, gap to the bound", 100 * pipe["plan_gap"], "%", goal=Goal(0.1, at_most=True), less_is_better=True),
        ]
    if look := kept.get("lookups"):
        for what, name in (("by_id_ms", "one track by id"), ("page_ms", f"page of {PAGE} by popularity")):
            found += [
                Figure(f"{at}: {name}, p50 of {LOOKUPS}, cold", look[what]["p50"], "ms", less_is_better=True),
                Figure(f"{at}: {name}, p99 of {LOOKUPS}, cold", look[what]["p99"], "ms", None, Goal(20, at_most=True), True),
            ]
    if same := kept.get("identity"):
        found += [
            Figure(f"{at}: identity, pair precision", 100 * same["precision"], "%", goal=Goal(99.5)),
            Figure(f"{at}: identity, pair recall", 100 * same["recall"], "%", goal=Goal(95)),
        ]
    if asked := kept.get("match"):
        name = f"{at}: match of {asked['rows']:,} noisy rows"
        goal = Goal(10, at_most=True) if ground.tracks >= FULL_TRACKS else None
        peer = Peer("the known job, elsewhere", PEER_MATCH_S / 60) if ground.tracks >= FULL_TRACKS else None
        found += [
            Figure(name, asked["seconds"] / 60, "min", peer, goal, True),
            Figure(f"{name}: recall", 100 * asked["recall"], "%", goal=Goal(95)),
            Figure(f"{name}: precision", 100 * asked["precision"], "%", goal=Goal(99)),
        ]
    return found


def _report(ground: Ground, begun: str) -> Report:
    kept = [(stage, json.loads(_kept(ground, stage).read_bytes())) for stage in STAGES if _kept(ground, stage).exists()]
    quiet = tuple(Quiet(stage, 1, 0.0, 0.0, each.get("others_cores", 0.0), 0.0, each.get("whole_s", 0.0)) for stage, each in kept)
    return Report(describe(ground.folder), begun, 1, gather(figures(ground)), (), quiet)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages that are not measured yet. Returns: the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="Measure the catalogue at a size.")
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="kept afterwards; 50 GB of room for 256 million tracks (else temporary)")
    parser.add_argument("--stages", default=",".join(STAGES), help=f"some of {','.join(STAGES)}")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, default=Path("test-output/bench-catalogue.json"))
    options = parser.parse_args(arguments)
    if options.here:
        run_here(Ground(options.folder, options.tracks), options.here)
        return 0
    with tempfile.TemporaryDirectory(prefix="fonoteca-scale-") as scratch:
        ground = Ground((options.folder or Path(scratch)).resolve(), options.tracks)
        _kept(ground, "x").parent.mkdir(parents=True, exist_ok=True)
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        for stage in options.stages.split(","):
            if not _kept(ground, stage).exists():
                run_apart(ground, stage)
        report = _report(ground, begun)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report_json(report), indent=1, ensure_ascii=False) + "\n")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 180)
    console.print(table_of(report))
    for name in report.missed:
        console.print(f"[bold red]target missed[/] {name}", soft_wrap=True)
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
