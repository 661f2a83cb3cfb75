"""The register as lines of text that any engine can be filled from: what a backup keeps.

The lines are those of `fonoteca.sql.portable`. Whose the register is stays out: what is filled keeps its owner. What follows from
other tables is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from fonoteca.register.changes import note_all_changes
from fonoteca.register.migrate import HEAD
from fonoteca.register.schema import album, album_credit, album_genre, change, metadata, owner
from fonoteca.register.shelving import shelve_all
from fonoteca.sql.portable import LINE_BYTES_MAX as LINE_BYTES_MAX
from fonoteca.sql.portable import Portable

FORMAT = "fonoteca-register/1"
_DERIVED = (album, album_credit, album_genre, change)
_TABLES = [table for table in metadata.sorted_tables if table is not owner and table not in _DERIVED]
_REMEDY = "Use another backup, or make the register anew from the store with `fonoteca rebuild`."
_SHAPE = Portable(FORMAT, HEAD, _TABLES, "register.jsonl", _REMEDY)


def dump(connection: Connection) -> Iterator[bytes]:
    """Yield all rows of all tables as lines, from one state of the register. Cost: a pass over everything."""
    return _SHAPE.dump(connection)


def load(connection: Connection, lines: Iterable[bytes]) -> int:
    """Fill the register from lines that `dump` gave, in place of all that it holds. Returns: how many rows.

    Raises: FormatError for lines of another kind or of newer tables; then nothing may be kept of the transaction.
    """
    row_count = _SHAPE.load(connection, lines, _DERIVED)
    shelve_all(connection)
    note_all_changes(connection)
    return row_count
