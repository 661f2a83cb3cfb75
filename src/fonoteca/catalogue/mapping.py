"""How a table's columns become fields: a mapping in TOML, checked before a row is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from fonoteca.catalogue.checks import FIELDS
from fonoteca.catalogue.desk import LISTENING, RECORDINGS, REDIRECTS
from fonoteca.model.errors import UsageError

_REQUIRED: Mapping[str, frozenset[str]] = {
    RECORDINGS: frozenset({"title", "artist"}),
    LISTENING: frozenset({"listens"}),
    REDIRECTS: frozenset({"id", "into"}),
}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_TEXTS = ("name", "rows", "licence", "attribution", "date", "key_source", "format", "delimiter")
_FORMATS = ("", "csv", "jsonl", "parquet")
STORE = "store"
LISTENERS = "own-listeners"
"""What listeners of this archive heard, as it counts them itself."""


@dataclass(frozen=True, slots=True)
class TableMapping:
    """What a table is and which of its columns give which field.

    name: of the source, part of every snapshot that has its rows; importing under the same name replaces the rows.
    rows: `recordings` (one row a track), `listening` (one row a recording: listens, and listeners if known) or `redirects`.
    date: of the data, as the source gives it. synthetic: whether the figures are made up; shown wherever they are.
    columns: field to column. `id` names a column of MBIDs, `uuid` one of the source's own UUIDs, `key` one of its own keys; a row's
    id is the first of these that it has.
    key_source: whose keys these are, when a listening table speaks of another source's recordings; "" for its own.
    format: csv, jsonl or parquet, "" to go by the file's name. delimiter: of CSV; "" for comma, or tab in *.tsv.
    """

    name: str
    rows: str
    licence: str
    attribution: str
    date: str
    columns: Mapping[str, str]
    synthetic: bool = False
    key_source: str = ""
    format: str = ""
    delimiter: str = ""

    def __post_init__(self) -> None:
        """Check all that can be checked without the table."""
        if not _NAME.fullmatch(self.name) or self.name in (STORE, LISTENERS):
            remedy = f"Use lower-case letters, digits and hyphens, at most 63, and not `{STORE}` or `{LISTENERS}`."
            self._wrong(f"`name` is {self.name!r}", remedy)
        if self.rows not in _REQUIRED:
            self._wrong(f"`rows` is {self.rows!r}", f"Use one of: {', '.join(_REQUIRED)}.")
        if self.format not in _FORMATS:
            self._wrong(f"`format` is {self.format!r}", "Use csv, jsonl or parquet, or leave it out.")
        if len(self.delimiter) > 1:
            self._wrong(f"`delimiter` is {self.delimiter!r}", "Use one character.")
        fields = set(self.columns)
        if unknown := sorted(fields - set(FIELDS[self.rows])):
            self._wrong(f"unknown fields: {', '.join(unknown)}", f"Known are: {', '.join(sorted(FIELDS[self.rows]))}.")
        if missing := sorted(_REQUIRED[self.rows] - fields):
            self._wrong(f"no column for {', '.join(missing)}", "Name the column under [columns].")
        for one, other in (("uuid", "key"), ("duration_s", "duration_ms")):
            if one in fields and other in fields:
                self._wrong(f"columns for both {one} and {other}", "Give one of them.")
        named = self.rows == LISTENING and {"title", "artist"} <= fields
        if not fields & {"id", "uuid", "key"} and not named:
            self._wrong("no column for id, uuid or key", "Name the column that tells recordings apart under [columns].")

    def _wrong(self, problem: str, remedy: str) -> None:
        raise UsageError(f"mapping {self.name!r}", problem, remedy)

    @classmethod
    def from_toml(cls, content: bytes, subject: str) -> TableMapping:
        """Return the mapping in a TOML file. subject: its name, for errors. Raises: UsageError."""
        try:
            table = tomllib.loads(content.decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(subject, f"not TOML: {error}") from error
        columns = table.pop("columns", None)
        synthetic = table.pop("synthetic", False)
        if not isinstance(columns, dict) or not all(isinstance(c, str) and c for c in columns.values()):
            raise UsageError(subject, 'expected a table [columns] of field = "column"')
        if not isinstance(synthetic, bool):
            raise UsageError(subject, f"`synthetic` is {synthetic!r}", "Use true or false.")
        for key, text in table.items():
            if key not in _TEXTS or not isinstance(text, str):
                raise UsageError(subject, f"unexpected `{key} = {text!r}`", f"Known texts are: {', '.join(_TEXTS)}.")
        if missing := [key for key in ("name", "rows", "licence", "attribution", "date") if key not in table]:
            raise UsageError(subject, f"missing: {', '.join(missing)}", "See docs/catalogue.md for a whole mapping.")
        return cls(**table, columns=columns, synthetic=synthetic)
