"""How fast one core examines music: identity, protection, full decode with loudness, tags; beside decoding alone."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import av

from bench.report import Figure, Peer
from bench.stopwatch import Stopwatch
from fonoteca.audio import Examined, examine

ROUNDS = 3
_SOUND = (".ogg", ".opus", ".mp3")


def figures(_scratch: Path) -> list[Figure]:
    """Return how many seconds of music a second of one core examines, the best of rounds that take turns."""
    with as_file(files("fonoteca") / "sample") as sample:
        paths = sorted(path for path in sample.rglob("*") if path.suffix in _SOUND)
        playing_s = sum(_playing_s(path) for path in paths)
        ours_s = decoding_s = float("inf")
        for _ in range(ROUNDS):
            with Stopwatch() as watch:
                for path in paths:
                    examine(path, path.name)
            ours_s = min(ours_s, watch.seconds)
            with Stopwatch() as watch:
                for path in paths:
                    _decode(path)
            decoding_s = min(decoding_s, watch.seconds)
    name = f"examining {playing_s / 60:.0f} minutes of Vorbis, Opus and MP3, one core"
    peer = Peer("PyAV decoding alone", playing_s / decoding_s)
    return [Figure(name, playing_s / ours_s, "x real time", peer)]


def _playing_s(path: Path) -> float:
    found = examine(path, path.name)
    assert isinstance(found, Examined), path.name
    return found.probe.duration_ms / 1000


def _decode(path: Path) -> None:
    with av.open(str(path)) as source:
        source.streams.audio[0].codec_context.thread_count = 1
        for _frame in source.decode(source.streams.audio[0]):
            pass
