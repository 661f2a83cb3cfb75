"""A desk for the tests of kinds of import: what a kind lays down, sets aside and notes, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from fonoteca.catalogue.desk import Desk, Heading, Kind
from fonoteca.catalogue.rows import BadRow


@dataclass
class Counted:
    """Progress that remembers: bytes a task was advanced by, and what was said."""

    advanced: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def task(self, label: str, total: int | None, unit: str = "") -> Iterator[Callable[[int], None]]:
        def advance(units: int) -> None:
            self.advanced[label] = self.advanced.get(label, 0) + units

        yield advance

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Laid:
    """What a kind left on the desk. rows: field to text, "" and None left out, with line and file."""

    heading: Heading
    rows: list[dict[str, str]]
    rejects: list[BadRow]
    facts: Mapping[str, str | int]
    progress: Counted

    def row(self, key: str) -> dict[str, str]:
        """Return the one row with this key."""
        (found,) = [row for row in self.rows if row["key"] == key]
        return found


def lay(kind: Kind, paths: Sequence[Path], scratch: Path) -> Laid:
    """Return what the kind makes of the files."""
    scratch.mkdir(exist_ok=True)
    rejects: list[BadRow] = []
    progress = Counted()
    desk = Desk(scratch, progress, rejects.append)
    heading = kind.read(paths, desk)
    rows = [
        {"file": table.file, **{name: value for name, value in row.items() if value not in ("", None)}}
        for table in desk.tables
        for row in pq.read_table(table.path).to_pylist()
    ]
    return Laid(heading, rows, rejects, desk.facts, progress)
