"""DuckDB, opened one way: bounded memory and threads, spill in staging, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fonoteca.model.errors import StoreError

PARQUET = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880"
"""How scratch files are written; those that stay have rules of their own in `layout` and `checking`. 122,880 rows is DuckDB's own
row group."""


_INTERRUPTED = "Query interrupted"
"""What DuckDB's Python client says in a RuntimeError when SIGINT came in the middle of a query."""


@dataclass(frozen=True, slots=True)
class DuckSettings:
    """What DuckDB may use. memory_bytes_max: before it spills to staging; it was seen to go some 10 % over."""

    memory_bytes_max: int = 1 << 30
    threads: int = 2


@contextmanager
def duck_errors(subject: str) -> Iterator[None]:
    """Turn DuckDB's errors into a StoreError about the subject, and Ctrl-C, which it makes an error of, into Ctrl-C again."""
    try:
        yield
    except RuntimeError as error:
        if str(error) == _INTERRUPTED:
            raise KeyboardInterrupt from error
        raise
    except duckdb.Error as error:
        raise StoreError(
            subject,
            f"DuckDB failed: {str(error).splitlines()[0]}",
            "Check the free space and the file; the snapshot that was current still is.",
        ) from error


def open_duck(settings: DuckSettings, spill: Path | None) -> duckdb.DuckDBPyConnection:
    """Return a new in-memory database with its settings locked, to be closed by the caller.

    spill: folder below staging for what does not fit into memory; None where nothing large is asked.
    """
    with duck_errors("catalogue"):
        duck = duckdb.connect(":memory:")
        duck.execute(f"SET memory_limit = '{settings.memory_bytes_max}B'")
        duck.execute(f"SET threads = {settings.threads}")
        duck.execute("SET temp_directory = $folder", {"folder": "" if spill is None else str(spill)})
        duck.execute("SET autoinstall_known_extensions = false")
        duck.execute("SET autoload_known_extensions = false")
        duck.execute("SET preserve_insertion_order = true")
        # A snapshot's files never change, and reading a footer anew takes a fifth of a look-up.
        duck.execute("SET parquet_metadata_cache = true")
        duck.execute("SET lock_configuration = true")
    return duck


def quoted(text: object) -> str:
    """Return text as an SQL literal, for the places where DuckDB takes no parameter."""
    return "'" + str(text).replace("'", "''") + "'"
