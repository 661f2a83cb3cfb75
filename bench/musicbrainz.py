"""`python -m bench.musicbrainz FOLDER --recordings 2000000`: how fast a MusicBrainz dump is read, by packing; JSON on stdout.

The dump is made up: columns and row lengths are those of the published one, the proportions between its tables are guessed. 2 M
recordings need 2.5 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np

from fonoteca.catalogue.desk import Desk
from fonoteca.catalogue.kinds.musicbrainz import KIND
from fonoteca.catalogue.musicbrainz.schema import OFFICIAL, RECORDING_LICENCE, RELEASE_LICENCE

PACKERS = {"tar": (), "tar.xz": ("xz", "-T2", "-1"), "tar.bz2": ("bzip2",)}
_STAMP = "'2020-01-02 03:04:05.678901+00'"
_SMALL = {"TIMESTAMP": "2026-05-20 00:10:01.123456+00", "COPYING": "CC0", "REPLICATION_SEQUENCE": "180001", "SCHEMA_SEQUENCE": "31"}


def _tables(recordings: int) -> dict[str, str]:
    """Return SQL for each table, its columns in the order of schema 31."""
    tracks, releases, credits_, isrcs = recordings * 14 // 10, recordings // 7, recordings // 11, recordings // 7
    mediums = releases * 11 // 10

    def rows(count: int) -> str:
        return f"range(1, {count + 1}) r(i)"

    def gid(kind: str) -> str:
        return f"CAST(md5('{kind}' || i) AS UUID)"

    def pick(count: int, salt: str) -> str:
        return f"(1 + hash(i, '{salt}') % {count})"

    def text(salt: str, words: int) -> str:
        return f"words(i, '{salt}', 1 + hash(i, 'n{salt}') % {words})"

    link = f"0, i, i, 0, {_STAMP}, 0, '', ''"
    return {
        "artist_credit": f"SELECT i, {text('credit', 3)}, 1, 9, {_STAMP}, 0, {gid('credit')} FROM {rows(credits_)}",
        "artist_credit_name": f"SELECT i, 0, i, {text('credit', 3)}, '' FROM {rows(credits_)}",
        "recording": f"""SELECT i, {gid("recording")}, {text("title", 6)}, {pick(credits_, "c")}, 60000 + hash(i) % 400000, '', 0,
            {_STAMP}, 'f' FROM {rows(recordings)}""",
        "release": f"""SELECT i, {gid("release")}, {text("release", 4)}, {pick(credits_, "rc")}, {pick(releases, "g")},
            1 + (hash(i) % 10 = 0)::INT, 2, 120, 28, lpad(i::VARCHAR, 13, '0'), '', 0, -1, {_STAMP} FROM {rows(releases)}""",
        "release_country": f"SELECT i, 222, 1960 + hash(i) % 66, 1 + hash(i, 1) % 12, 1 + hash(i, 2) % 28 FROM {rows(releases)}",
        "medium": f"SELECT i, {pick(releases, 'm')}, 1 + hash(i) % 2, 1, '', 0, {_STAMP}, 12, {gid('medium')} FROM {rows(mediums)}",
        "track": f"""SELECT i, {gid("track")}, {pick(recordings, "t")}, {pick(mediums, "tm")}, 1 + i % 14, (1 + i % 14)::VARCHAR,
            {text("track", 6)}, {pick(credits_, "tc")}, 60000 + hash(i) % 400000, 0, {_STAMP}, 'f' FROM {rows(tracks)}""",
        "isrc": f"SELECT i, {pick(recordings, 'i')}, 'GBAYE' || lpad((i % 10000000)::TEXT, 7, '0'), 0, {_STAMP} FROM {rows(isrcs)}",
        "recording_gid_redirect": f"SELECT {gid('old')}, {pick(recordings, 'o')}, {_STAMP} FROM {rows(recordings // 14)}",
        "url": f"SELECT i, {gid('url')}, 'https://www.example.org/' || md5(i::VARCHAR), 0, {_STAMP} FROM {rows(recordings // 4)}",
        "l_recording_url": f"SELECT i, {pick(recordings // 40, 'l')}, {link[3:]} FROM {rows(recordings // 8)}",
        "l_release_url": f"SELECT i, {pick(recordings // 40, 'l')}, {link[3:]} FROM {rows(recordings // 8)}",
        "link": f"SELECT i, 301 + hash(i) % 20, {'NULL, ' * 6} 0, {_STAMP}, 'f' FROM {rows(recordings // 40)}",
        "link_type": f"""SELECT i, NULL, 0, CASE i WHEN 301 THEN '{RELEASE_LICENCE}' WHEN 302 THEN '{RECORDING_LICENCE}'
            ELSE md5(i::VARCHAR)::UUID::VARCHAR END, 'a', 'url', 'license', '', 'x', 'y', 'z', {_STAMP}, 'f', 't', 0, 0
            FROM range(300, 330) r(i)""",
        "release_status": f"SELECT 1, 'Official', NULL, 1, '', '{OFFICIAL}'",
    }


def _words() -> list[str]:
    """Return 200,000 made-up words in three scripts, the same every time."""
    chance = np.random.default_rng(7)
    alphabets = ["etaoinshrdlucmfwypvbgk", "оеаинтсрвлкмдпу", "あいうえおかきくけこさしすせそたちつて"]
    return ["".join(chance.choice(list(alphabets[min(n % 12, 2) if n % 12 < 3 else 0]), 2 + int(n) % 7)) for n in range(200_000)]


def make_dump(folder: Path, recordings: int) -> None:
    """Write `folder/mbdump/*` and the small files beside it."""
    (folder / "mbdump").mkdir(parents=True)
    for name, content in _SMALL.items():
        (folder / name).write_text(content + "\n")
    with duckdb.connect() as duck:
        duck.execute("SET threads = 2")
        duck.execute("SET VARIABLE lexicon = $1", [_words()])
        duck.execute(
            """CREATE MACRO words(i, salt, n) AS array_to_string(list_transform(range(n::BIGINT),
               lambda k: list_extract(getvariable('lexicon'), 1 + (hash(i, salt, k) % 200000)::BIGINT)), ' ')"""
        )
        for name, rows in _tables(recordings).items():
            target = folder / "mbdump" / name
            duck.execute(f"COPY ({rows}) TO '{target}' (FORMAT csv, HEADER false, DELIMITER '\t', QUOTE '', ESCAPE '', NULL '\\N')")


def pack(folder: Path, ending: str) -> Path:
    """Return a new archive of the dump beside the folder, made by the tools that MusicBrainz uses."""
    path = folder.parent / f"mbdump.{ending}"
    members = [*_SMALL, *(f"mbdump/{name}" for name in sorted(_tables(1)))]
    with path.open("wb") as target:
        tar = subprocess.Popen(["tar", "-C", folder, "--create", "--", *members], stdout=subprocess.PIPE)
        subprocess.run(list(PACKERS[ending]) or ["cat"], stdin=tar.stdout, stdout=target, check=True)
        assert tar.wait() == 0
    return path


class _Silent:
    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Iterator[object]:
        yield lambda units: None

    def note(self, text: str) -> None:
        """Say nothing."""


def measure(path: Path, scratch: Path, tsv_bytes: int) -> dict[str, object]:
    """Return what reading one dump takes; to be called in a process of its own, for its peak memory."""
    scratch.mkdir()
    begun, cpu = time.perf_counter(), time.process_time()
    desk = Desk(scratch, _Silent(), lambda bad: None)  # type: ignore[arg-type]
    KIND.read([path], desk)
    took, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    rows = sum(int(count) for fact, count in desk.facts.items() if fact.startswith("rows_"))
    found = {
        "packing": path.suffix or "folder",
        "seconds": round(took, 1),
        "cpu_seconds": round(cpu_s, 1),
        "rows": rows,
        "rows_a_second": round(rows / took),
        "tsv_mb_a_second": round(tsv_bytes / 1e6 / took, 1),
        "packed_mb": round((path.stat().st_size if path.is_file() else tsv_bytes) / 1e6),
        "tsv_mb": round(tsv_bytes / 1e6),
        "scratch_mb": round(sum(f.stat().st_size for f in scratch.rglob("*") if f.is_file()) / 1e6),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    shutil.rmtree(scratch)
    return found


def main() -> None:
    """Make a dump, pack it three ways, read each."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--recordings", type=int, default=2_000_000)
    asked.add_argument("--read", type=Path)
    found = asked.parse_args()
    dump = found.folder / "dump"
    tsv_bytes = sum(file.stat().st_size for file in dump.rglob("*") if file.is_file())
    if found.read:
        print(json.dumps(measure(found.read, found.folder / "scratch", tsv_bytes)))
        return
    if not dump.exists():
        make_dump(dump, found.recordings)
    for path in (dump, *(found.folder / f"mbdump.{ending}" for ending in PACKERS)):
        if not path.exists():
            pack(dump, path.name.partition(".")[2])
        command = [sys.executable, "-m", "bench.musicbrainz", found.folder, "--read", path]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
