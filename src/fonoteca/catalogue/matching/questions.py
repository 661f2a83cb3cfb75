"""A file of questions, such as a list of tracks to find: which column is which, and its rows as words and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fonoteca.catalogue.checks import DURATION_MS_MAX
from fonoteca.catalogue.duck import DuckSettings, open_duck
from fonoteca.catalogue.keys import artist_words, title_words
from fonoteca.catalogue.matching.signatures import Named
from fonoteca.model.errors import SourceError, UsageError

BATCH_ROWS = 1 << 17
SECONDS_MAX = 10_000
"""Half of the durations of a file that gives seconds are below: nearly three hours. In milliseconds that is ten seconds."""

_READERS = {
    ".csv": "read_csv($path, header = true, all_varchar = true)",
    ".tsv": "read_csv($path, header = true, all_varchar = true, delim = '\t')",
    ".jsonl": "read_json($path, format = 'newline_delimited')",
    ".ndjson": "read_json($path, format = 'newline_delimited')",
    ".parquet": "read_parquet($path)",
}
_NAMES: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "track", "trackname", "tracktitle", "name", "song", "songtitle", "recording", "recordingname"),
    "artist": ("artist", "artistname", "artists", "artistcredit", "artistcreditname", "trackartist", "creator", "by", "performer"),
    "duration": ("duration", "durationms", "durations", "durationsec", "durationseconds", "length", "lengthms", "ms", "seconds"),
    "isrc": ("isrc", "isrcs"),
}
"""What columns are called, in small letters without signs; the first that a file has is taken."""
_UNITS: Mapping[str, float] = {"durationms": 1, "lengthms": 1, "ms": 1}
_UNITS = {**_UNITS, "durations": 1000, "durationsec": 1000, "durationseconds": 1000, "seconds": 1000}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column is which, "" for none. unit_ms: of the duration, 0 when the numbers shall tell."""

    title: str
    artist: str
    duration: str
    isrc: str
    unit_ms: float


class QuestionFile:
    """A CSV, TSV, JSON lines or Parquet file of questions. Raises: UsageError when it is none, or has no such columns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = _READERS.get(path.suffix.lower(), "")
        if not self._reader:
            raise UsageError(str(path), "cannot tell the table's format", f"Name it {', '.join(_READERS)}.")
        if not path.is_file():
            raise UsageError(str(path), "no such file", "Name a table that is there.")
        with self._asked(more="LIMIT 0") as answer:
            self.schema: pa.Schema = answer.schema
        self.columns = columns_of(self.schema.names, str(path))

    @contextmanager
    def _asked(self, columns: str = "*", more: str = "") -> Iterator[pa.RecordBatchReader]:
        query = f"SELECT {columns} FROM {self._reader} {more}"
        with _broken(self.path), open_duck(DuckSettings(), None) as duck:
            yield duck.sql(query, params={"path": str(self.path)}).to_arrow_reader(BATCH_ROWS)

    def batches(self, columns: str = "*") -> Iterator[pa.RecordBatch]:
        """Yield all rows in order, streamed. columns: SQL. Raises: SourceError with the position where the file is broken."""
        with self._asked(columns) as answer:
            while True:
                with _broken(self.path):
                    try:
                        batch = answer.read_next_batch()
                    except StopIteration:
                        return
                yield batch

    def named(self) -> Named:
        """Return all rows as words and numbers. Cost: 1 us and some 60 B a row."""
        fields = (self.columns.title, self.columns.artist, self.columns.isrc)
        texts = ", ".join(f"{self._text(column)} AS text{number}" for number, column in enumerate(fields))
        parts = [_named(batch) for batch in self.batches(f"{texts}, {_seconds(self._text(self.columns.duration))} AS duration")]
        if not parts:
            return Named(_NO_TEXTS, _NO_TEXTS, np.zeros(0, np.int64), _NO_TEXTS)
        columns = [pa.concat_arrays([part[number] for part in parts]) for number in range(3)]
        duration = np.concatenate([np.asarray(part[3]) for part in parts])
        return Named(columns[0], columns[1], self._in_ms(duration), columns[2])

    def _text(self, column: str) -> str:
        """Return SQL for a column as text; of a list, such as several artists, all with commas between."""
        if not column:
            return "''"
        kind = self.schema.field(column).type
        quoted = '"' + column.replace('"', '""') + '"'
        listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        text = f"array_to_string({quoted}::VARCHAR[], ', ')" if listed else f"{quoted}::VARCHAR"
        return f"coalesce({text}, '')"

    def _in_ms(self, duration: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return durations in milliseconds, 0 where unknown; those of a clock (3:45) are seconds below 0 until here."""
        told = duration > 0
        unit_ms = self.columns.unit_ms
        if not unit_ms:
            unit_ms = 1 if told.any() and np.median(duration[told]) > SECONDS_MAX else 1000
        # One beyond what a recording may have is not known, rather than wrong.
        found = np.where(told, duration * unit_ms, -duration * 1000)
        return np.where((found > 0) & (found <= DURATION_MS_MAX), np.rint(found), 0).astype(np.int64)


_NO_TEXTS = pa.array([], pa.string())


def columns_of(names: Sequence[str], subject: str) -> Columns:
    """Return which of a table's columns is which, by their names. Raises: UsageError without title or artist."""
    bare = {re.sub("[^a-z]", "", name.lower()): name for name in reversed(names)}
    found = {field: next((bare[name] for name in known if name in bare), "") for field, known in _NAMES.items()}
    missing = [field for field in ("title", "artist") if not found[field]]
    if missing and not found["isrc"]:
        raise UsageError(
            subject,
            f"expected columns title and artist, or isrc, found {', '.join(names) or 'none'}",
            "Give the first row the columns' names.",
        )
    unit_ms = _UNITS.get(re.sub("[^a-z]", "", found["duration"].lower()), 0)
    return Columns(found["title"], found["artist"], found["duration"], found["isrc"], unit_ms)


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    """Turn errors of reading the file into a SourceError that says where."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise SourceError(str(path), f"cannot be read: {'; '.join(lines[:3])}", "Mend the file; nothing was matched.") from error


def _seconds(text: str) -> str:
    """Return SQL for a duration as it is written, 0 where it is none; that of a clock (3:45, 1:02:03) in seconds below 0."""
    clock = f"TRY_CAST(string_split(trim({text}), ':') AS DOUBLE[])"
    seconds = f"-({clock}[-1] + 60 * {clock}[-2] + 3600 * coalesce({clock}[-3], 0))"
    number = f"TRY_CAST(trim({text}) AS DOUBLE)"
    return f"coalesce(CASE WHEN {number} < 0 THEN 0 ELSE {number} END, {seconds}, 0)"


def _named(batch: pa.RecordBatch) -> tuple[pa.Array, ...]:
    title, artist, isrc, duration = batch.columns
    isrc = pc.utf8_upper(pc.replace_substring_regex(isrc, "[^0-9A-Za-z]", ""))
    sound = pc.match_substring_regex(isrc, "^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$")
    return title_words(title), artist_words(artist), pc.if_else(sound, isrc, ""), duration
