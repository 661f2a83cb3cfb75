"""Writing shards: one for each file of a snapshot, further down for each four, in order of popularity.

A shard is one segment of Tantivy, and the document's number is the row's place. Shards lie in tiers, each an index of Tantivy
that is as large as all before it together: what is asked for often is found in the first, and what is rare takes few more.
Files that did not change keep their shard. Tantivy is called here, in `opened` and in `reading`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tantivy

from fonoteca.model.errors import StoreError
from fonoteca.ports import Staging
from fonoteca.search.cards import CardRows, write_cards
from fonoteca.search.folding import fold_texts
from fonoteca.search.licences import licence_codes

HEAP_BYTES_MIN, HEAP_BYTES_A_ROW, HEAP_BYTES_MAX = 15_000_000, 1_000, 4_000_000_000
"""Tantivy's writing buffer, an upper limit: a shard of four million rows takes 1.2 GB of it, and must be one segment."""

FILES_A_SHARD = 4

WHOLE_FILES = 16
"""Of recordings, the most heard: they are found by the words of their release too, and their words are those that misspellings are
corrected to. So many files have all of a catalogue of 16 million."""

ROWS_AT_ONCE = 1 << 16

META = "meta.json"
CARDS = "cards"

TEXT_FIELDS = ("title", "artist", "release")
NUMBER_FIELDS = ("year", "licence", "held")
YEAR_MIN, YEAR_MAX = 1, 9999


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a snapshot and what is read of it. texts: the columns of TEXT_FIELDS, "" for none of them."""

    name: str
    texts: tuple[str, str, str]
    lean_texts: tuple[str, str, str]
    id: str
    rank: str
    held: str
    year: str
    licence: str


TABLES = (
    Table("recordings", ("title", "artist", "release"), ("title", "artist", ""), "id", "rank", "held", "year", "licence_uri"),
    Table("artists", ("name", "", ""), ("name", "", ""), "", "best_rank", "held_count", "", ""),
    Table("releases", ("title", "artist", ""), ("title", "artist", ""), "release_id", "best_rank", "held_count", "year", ""),
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table as columns of one length. texts: as they are; folded: as words."""

    count: int
    texts: tuple[list[str], ...]
    folded: tuple[list[str], ...]
    years: np.ndarray
    licences: np.ndarray
    held: np.ndarray
    ids: bytes
    shares: np.ndarray
    ranks: np.ndarray


def make_schema() -> tantivy.Schema:
    """Return the fields of a shard.

    title, artist, release: words, folded, so that splitting at spaces is all the analysis there is. Which documents have a word
    is all that is kept of it. year, licence, held: for filters and facets; 0 where unknown.
    """
    builder = tantivy.SchemaBuilder()
    for field in TEXT_FIELDS:
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="basic")
    for field in NUMBER_FIELDS:
        builder.add_unsigned_field(field, fast=True)
    return builder.build()


def tier_meta(shards: Sequence[tuple[int, int]]) -> bytes:
    """Return what Tantivy reads first of an index: its fields, and its segments in order. shards: number and rows of each.

    The fields are those of `make_schema` but for norms, 3 B a row, which nothing asks for.
    """
    words = {"indexing": {"fieldnorms": False, "record": "basic", "tokenizer": "whitespace"}, "fast": False, "stored": False}
    number = {"fast": True, "fieldnorms": False, "indexed": False, "stored": False}
    told = {
        "index_settings": {"docstore_blocksize": 16384, "docstore_compression": "none"},
        "opstamp": 0,
        "schema": [
            *({"name": name, "options": words, "type": "text"} for name in TEXT_FIELDS),
            *({"name": name, "options": number, "type": "u64"} for name in NUMBER_FIELDS),
        ],
        "segments": [{"deletes": None, "max_doc": rows, "segment_id": str(UUID(int=place))} for place, rows in shards],
    }
    return json.dumps(told, indent=1, sort_keys=True).encode("ascii")


def files_of(shard: int) -> range:
    """Return which files of a snapshot's table a shard is of: 0, 1, 2 and 3, then four at a time."""
    if shard < 3:
        return range((0, 1, 2)[shard], (1, 2, 4)[shard])
    return range(FILES_A_SHARD * (shard - 2), FILES_A_SHARD * (shard - 1))


def tier_of(shard: int) -> int:
    """Return the tier of a shard: it has as many files as all tiers before it together."""
    return files_of(shard)[0].bit_length()


def read_rows(file: Path, table: Table, *, whole: bool) -> Rows:
    """Return the rows of a snapshot's file. whole: with the releases of recordings. Cost: 4 us a row; 500 B a row of memory."""
    table = table if whole else replace(table, texts=table.lean_texts)
    columns = [name for name in (*table.texts, table.id, table.rank, table.held, table.year, table.licence, "share") if name]
    rows = pq.read_table(file, columns=columns, use_threads=False).combine_chunks()
    texts = tuple(_column(rows, name) if name else [] for name in table.texts)
    return Rows(
        len(rows),
        texts,
        tuple(fold_texts(each) for each in texts),
        _years(rows, table.year),
        licence_codes(rows.column(table.licence)) if table.licence else np.zeros(len(rows), np.uint8),
        np.asarray(pc.cast(rows.column(table.held), pa.int64()).fill_null(0)) > 0,
        _octets(rows, table.id),
        np.asarray(rows.column("share"), np.float64),
        np.asarray(rows.column(table.rank), np.int64),
    )


def write_shard(folder: Path, parts: Iterable[Rows], row_count: int, staging: Staging) -> None:
    """Write the shard of some rows, which come in parts, into an empty folder below staging. Cost: 7 us a row."""
    with wrapped(str(folder)), staging.writer(folder / CARDS) as stream:
        _write_meta(folder, staging)
        index = tantivy.Index.open(str(folder))
        writer = index.writer(min(HEAP_BYTES_MAX, max(HEAP_BYTES_MIN, HEAP_BYTES_A_ROW * row_count)), num_threads=1)
        write_cards(stream, _added(writer, parts))
        writer.commit()
        writer.wait_merging_threads()


def _added(writer: tantivy.IndexWriter, parts: Iterable[Rows]) -> Iterator[CardRows]:
    """Yield the cards of rows once their words are added."""
    for rows in parts:
        for first in range(0, rows.count, ROWS_AT_ONCE):
            _add(writer, rows, first)
        yield CardRows(rows.ids, rows.shares, rows.ranks, rows.held, _filled(rows.texts, rows.count))


def write_empty(folder: Path, staging: Staging) -> None:
    """Write a shard of one document without a word into an empty folder below staging."""
    with wrapped(str(folder)):
        _write_meta(folder, staging)
        writer = tantivy.Index.open(str(folder)).writer(HEAP_BYTES_MIN, num_threads=1)
        writer.add_document(tantivy.Document())
        writer.commit()
        writer.wait_merging_threads()


def _write_meta(folder: Path, staging: Staging) -> None:
    with staging.writer(folder / META) as stream:
        stream.write(tier_meta([]))


def _add(writer: tantivy.IndexWriter, rows: Rows, first: int) -> None:
    here = slice(first, first + ROWS_AT_ONCE)
    years, licences, held = (each[here].tolist() for each in (rows.years, rows.licences, rows.held))
    columns = [(name, column[here]) for name, column in zip(TEXT_FIELDS, rows.folded, strict=True) if column]
    make, add = tantivy.Document, writer.add_document
    for place, year in enumerate(years):
        document = make()
        for name, column in columns:
            document.add_text(name, column[place])
        if year:
            document.add_unsigned("year", year)
        if licences[place]:
            document.add_unsigned("licence", licences[place])
        if held[place]:
            document.add_unsigned("held", 1)
        add(document)


def _filled(texts: tuple[list[str], ...], count: int) -> tuple[list[str], ...]:
    return tuple(column or [""] * count for column in texts)


def _column(rows: pa.Table, name: str) -> list[str]:
    texts: list[str] = pc.fill_null(_whole(rows.column(name)).cast(pa.string()), "").to_pylist()
    return texts


def _years(rows: pa.Table, name: str) -> np.ndarray:
    if not name:
        return np.zeros(len(rows), np.int64)
    years = np.asarray(_whole(rows.column(name)).cast(pa.int64()).fill_null(0))
    return np.where((years >= YEAR_MIN) & (years <= YEAR_MAX), years, 0)


def _octets(rows: pa.Table, name: str) -> bytes:
    """Return a column of UUIDs as their bytes one after another; zeros for null, and for no column."""
    if not name:
        return bytes(16 * len(rows))
    ids = _whole(rows.column(name))
    storage = pc.coalesce(ids.storage if isinstance(ids, pa.ExtensionArray) else ids, pa.scalar(bytes(16), pa.binary(16)))
    octets: bytes = storage.buffers()[1].to_pybytes()
    return octets[16 * storage.offset : 16 * (storage.offset + len(storage))]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


@contextmanager
def wrapped(subject: str) -> Iterator[None]:
    """Turn what Tantivy raises into a StoreError, its panics included, which are no ordinary exceptions."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise StoreError(subject, f"the search index failed: {error}", "Build it again.") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise StoreError(subject, f"the search index panicked: {error}", "Build it again, and report this.") from error
