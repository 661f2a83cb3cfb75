"""From a plan to holdings: whether manners hold and nothing is fetched twice however often a run is killed, and how fast it is.

Run: `python -m bench acquire_plan`. The host is on loopback and answers as the Internet Archive does; `fonoteca acquire plan` is a
process of its own, killed (SIGKILL, with all its processes) whenever the host has answered so many requests more.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

from bench.music import fonoteca, program, wav_header
from bench.report import Figure, Goal, Peer
from fonoteca.catalogue.mapping import TableMapping
from fonoteca.flows.catalogue import plan
from fonoteca.formats.settings import FILE_NAME, settings_toml
from fonoteca.model.catalogue import PlanQuestion
from fonoteca.model.manners import Manners
from fonoteca.model.settings import Settings
from fonoteca.ports import SILENCE
from fonoteca.testing.source_answers import BY, put_archive_item
from fonoteca.testing.source_hosts import SourceHost, source_host
from fonoteca.wiring import catalogue_rooms, create_archive, open_archive

ITEMS, KILLS, PER_SECOND, CONCURRENT, FILE_BYTES = 1000, 20, 100.0, 4, 40_000
FAST_ITEMS, FAST_FILE_BYTES, FAST_BYTES_PER_S = 60, 1 << 20, 2_000_000
PIECE_BYTES = 262_144
_DEADLINE_S = 900
_MAPPING = b"""
name = "wanted"
rows = "recordings"
licence = "CC0"
attribution = "the benchmark"
date = "2026-01-01"
[columns]
key = "key"
title = "title"
artist = "artist"
duration_s = "seconds"
licence = "licence"
source_uri = "source"
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried. kills: how often the run is killed."""

    items: int
    file_bytes: int
    kills: int
    manners: Manners


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial, as the host and the archive have it. twice_bytes: sent more than once, of files that are held."""

    wrong: int
    states: Mapping[str, int]
    twice_bytes: int
    most_in_a_second: int
    seconds: float
    sent_bytes: int


def figures(scratch: Path) -> list[Figure]:
    """Return what manners and kills come to over 1,000 items, and the speed beside curl over a host that limits it."""
    manners = Manners("bench@example.org", PER_SECOND, CONCURRENT, own_networks=True)
    kept = run_trial(scratch / "kept", Trial(ITEMS, FILE_BYTES, KILLS, manners))
    name = f"acquire plan: {ITEMS:,} items, killed {KILLS} times"
    return [
        Figure(f"{name}: wants in a wrong state", kept.wrong, "", goal=Goal(0, at_most=True), less_is_better=True),
        Figure(
            f"{name}: bytes fetched twice a kill",
            kept.twice_bytes / KILLS,
            "B",
            goal=Goal(PIECE_BYTES, at_most=True),
            less_is_better=True,
        ),
        Figure(
            f"{name}: most requests in a second at the host",
            kept.most_in_a_second,
            "",
            Peer("allowed", PER_SECOND),
            Goal(PER_SECOND, at_most=True),
            less_is_better=True,
        ),
        *speed(scratch / "fast"),
    ]


def speed(scratch: Path) -> list[Figure]:
    """Return bytes a second beside curl, with the same files and connections, from a host that gives each connection so much."""
    manners = Manners("bench@example.org", 1000.0, CONCURRENT, own_networks=True)
    fast = Trial(FAST_ITEMS, FAST_FILE_BYTES, 0, manners)
    with source_host() as host:
        prepared(scratch, host, fast)
        host.bytes_per_s = FAST_BYTES_PER_S
        _run(scratch, host, [])
        ours = _rate(host)
        theirs = _curl(scratch / "curl", host, fast.items)
    name = f"acquire plan: {FAST_ITEMS} files of 1 MiB, {CONCURRENT} connections of {FAST_BYTES_PER_S / 1e6:g} MB/s"
    return [Figure(name, ours / 1e6, "MB/s", Peer("curl, the same", theirs / 1e6), Goal(0.8, of_ratio=True))]


def run_trial(scratch: Path, trial: Trial) -> Outcome:
    """Return what comes of a plan that is acquired while it is killed again and again."""
    with source_host() as host:
        expected = prepared(scratch, host, trial)
        about = 3 * trial.items
        begun = time.monotonic()
        _run(scratch, host, [about * (number + 1) // (trial.kills + 1) for number in range(trial.kills)])
        seconds = time.monotonic() - begun
        with open_archive(scratch / "archive") as archive:
            current = archive.catalogue.current_plan()
            assert current is not None
            rows = {row.title: row.state.value for row in archive.register.wants.page(current.id, limit=trial.items + 1)}
        files = [each for each in host.asked() if each.path.startswith("/download/")]
        sent: Counter[str] = Counter()
        for each in files:
            sent[each.path] += each.sent_bytes
        twice = sum(max(0, count - trial.file_bytes) for count in sent.values())
        wrong = sum(1 for title, state in expected.items() if rows.get(title, "wanted") != state)
        return Outcome(wrong, Counter(rows.values()), twice, host.most_in_a_second(), seconds, sum(sent.values()))


def prepared(scratch: Path, host: SourceHost, trial: Trial) -> dict[str, str]:
    """Make an archive that wants what a host has. Returns: the state that each want must end in, by its title."""
    archive = scratch / "archive"
    scratch.mkdir(parents=True)
    chance, expected = Random(7), {}
    table = scratch / "wanted.csv"
    with table.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines)
        rows.writerow(("key", "title", "artist", "seconds", "licence", "source"))
        for number in range(trial.items):
            name = f"item-{number:04d}"
            song = wav_header(trial.file_bytes) + chance.randbytes(trial.file_bytes - len(wav_header(trial.file_bytes)))
            expected[f"Song {number}"] = _put(host, name, song, number)
            source = f"http://www.archive.org/download/{name}/song.mp3"
            rows.writerow((name, f"Song {number}", f"Artist {number % 97}", 30 + number % 200, BY, source))
    places = (f"internet-archive {host.address}",)
    settings = Settings("bench", "Bench", piece_bytes=PIECE_BYTES, workers=1, sources=replace(trial.manners, places=places))
    create_archive(archive, settings)
    (archive / FILE_NAME).write_text(settings_toml(settings), encoding="utf-8")
    with open_archive(archive, writing=True) as opened:
        opened.catalogue.import_table([table], TableMapping.from_toml(_MAPPING, "wanted.toml"))
        opened.catalogue.build()
        found = plan(catalogue_rooms(opened, SILENCE), PlanQuestion(10**12, 10**12, ()))
        assert found.want_count == trial.items, found.want_count
    return expected


def _put(host: SourceHost, name: str, song: bytes, number: int) -> str:
    """Put an item, six in a hundred of kinds that are not to be had. Returns: the state that its want must end in."""
    match number % 100:
        case 3 | 23:
            put_archive_item(host, name, {"song.wav": song}, licence="")
            return "review"
        case 5 | 25:
            put_archive_item(host, name, {"song.wav": song}, **{"access-restricted-item": "true"})
            return "refused"
        case 7:
            return "not-found"
        case 9:
            put_archive_item(host, name, {"song.wav": song})
            host.put(f"/download/{name}/song.wav", song[:-1] + bytes([song[-1] ^ 1]))
            return "failed"
    put_archive_item(host, name, {"song.wav": song})
    return "held"


def _run(scratch: Path, host: SourceHost, kill_at: list[int]) -> None:
    """Run `acquire plan` until it ends by itself; kill it whenever the host was asked so often in all."""
    words = fonoteca("acquire", "plan", "--later", "--json", "--archive", scratch / "archive")
    with (scratch / "said").open("w", encoding="utf-8") as said:
        for at in [*kill_at, 0]:
            with _started(words, said) as process:
                host.alarm = (at, partial(os.killpg, process.pid, signal.SIGKILL)) if at else None
                ended = process.wait(_DEADLINE_S)
            asked = len(host.requests)
            killed = ended == -signal.SIGKILL  # by itself it ends with 1: some wants fail, as they must
            assert killed == bool(at), f"it ended with {ended} after {asked} requests, to be killed at {kill_at}"


@contextmanager
def _started(words: list[str], said: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, stdout=said, start_new_session=True)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _rate(host: SourceHost) -> float:
    """Return the bytes a second of files, from the first request for one to the end of the last."""
    files = [each for each in host.asked() if each.path.startswith("/download/")]
    return sum(each.sent_bytes for each in files) / (max(each.ended_at for each in files) - min(each.at for each in files))


def _curl(folder: Path, host: SourceHost, items: int) -> float:
    """Return the bytes a second at which curl fetches the same files."""
    folder.mkdir(parents=True)
    urls = sorted(path for path in host.given if path.startswith("/download/"))
    assert len(urls) <= items
    lines = "\n".join(f'url = "{host.address}{path}"\noutput = "{folder}/{at}"' for at, path in enumerate(urls))
    host.requests.clear()
    command = [program("curl", "curl"), "--no-progress-meter", "--parallel", "--parallel-max", str(CONCURRENT), "--config", "-"]
    subprocess.run(command, input=lines, text=True, check=True, timeout=_DEADLINE_S)
    return _rate(host)
