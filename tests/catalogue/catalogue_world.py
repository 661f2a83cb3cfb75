"""What the catalogue's tests are made of: a clock that stands still, progress that is cut short, small tables, held tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fonoteca.catalogue import TableMapping
from fonoteca.model.catalogue import HeldTrack
from fonoteca.model.ids import RecordingId


class StillClock:
    """A clock that shows what it was last told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Interrupted:
    """Progress that a person ends as soon as a task has come a step further."""

    def __init__(self, label: str) -> None:
        self.label = label

    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Iterator[Callable[[int], None]]:
        yield lambda _amount: self._step(label)

    def _step(self, label: str) -> None:
        if label == self.label:
            raise KeyboardInterrupt(label)

    def note(self, text: str) -> None: ...


RECORDING_COLUMNS = {"key": "key", "title": "title", "artist": "artist", "duration_s": "duration"}


def mapping_of(name: str = "table", rows: str = "recordings", **changes: object) -> TableMapping:
    columns = RECORDING_COLUMNS if rows == "recordings" else {"key": "key", "listens": "listens", "listeners": "listeners"}
    facts: dict[str, object] = {
        "name": name,
        "rows": rows,
        "licence": "CC0",
        "attribution": "the tests",
        "date": "2026-01-01",
        "columns": columns,
        **changes,
    }
    return TableMapping(**facts)  # type: ignore[arg-type]


def recordings_csv(path: Path, count: int, title: str = "Title") -> Path:
    lines = [f"k{i},{title} {i},Artist {i % 7},{60 + i}" for i in range(count)]
    path.write_text("\n".join(["key,title,artist,duration", *lines, ""]))
    return path


def listening_of(path: Path, counts: dict[str, tuple[int, int]]) -> Path:
    lines = [f"{key},{listens},{listeners}" for key, (listens, listeners) in counts.items()]
    path.write_text("\n".join(["key,listens,listeners", *lines, ""]))
    return path


def held_track(number: int, **changes: object) -> HeldTrack:
    facts: dict[str, object] = {
        "recording": RecordingId.of("store", f"item/{number}"),
        "object_id": "urn:fonoteca:audio:debian:item",
        "logical_path": f"{number:02}.ogg",
        "title": f"Held {number}",
        "artist": "The Holders",
        "release": "Held Together",
        "year": 2012,
        "duration_ms": 1000 * number,
        "file_bytes": 100 + number,
        "licence_uri": "https://creativecommons.org/licenses/by-sa/4.0/",
        **changes,
    }
    return HeldTrack(**facts)  # type: ignore[arg-type]
