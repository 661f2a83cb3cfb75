"""One scan of a snapshot past a sieve: which recordings may be meant by which questions, and how alike they are.

Two threads read, sign and sift blocks of rows; what the sieve holds back is capped in order of rank, so that a signature that
thousands of recordings share costs no more than others and the answer does not depend on the threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.duck import DuckSettings, open_duck
from fonoteca.catalogue.keys import artist_words, title_words
from fonoteca.catalogue.layout import MERGED, RECORDINGS, table_files
from fonoteca.catalogue.matching.sieve import QUESTION_BITS, Places, Sieve
from fonoteca.catalogue.matching.signatures import Named, parts_of, questions_signed, recordings_signed
from fonoteca.catalogue.matching.weighing import Codes, codes_of

BLOCK_ROWS = 1 << 17
"""Rows that a thread takes at once: their columns stay in a core's cache, and Python costs little beside them."""
FOUND_MAX = 24
"""Recordings that one signature gives at most, the most heard: 300,000 are called "Intro"."""
_T = TypeVar("_T")
_R = TypeVar("_R")
_COLUMNS = ["rank", "title", "artist", "duration_ms", "isrc"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of question and recording worth a look. questions, ranks, codes: one a pair; a pair may come twice."""

    questions: npt.NDArray[np.uint32]
    ranks: npt.NDArray[np.uint32]
    codes: Codes

    def __len__(self) -> int:
        return len(self.questions)


class Asked:
    """Questions laid out for a scan. At most QUESTIONS_MAX."""

    def __init__(self, named: Named) -> None:
        self.named = named
        self.title_letters = parts_of(named.titles).letters
        self.credit_letters = parts_of(named.credits).letters
        signed = questions_signed(named)
        self.sieve = Sieve.of(list(signed.values()))


@dataclass(frozen=True, slots=True)
class _Sifted:
    """Rows of a block that a signature of a question holds back, and the signature's place in the sieve."""

    block: pa.Table
    rows: npt.NDArray[np.int64]
    places: Places


def scan(folder: Path, asked: Asked, threads: int, advance: Callable[[int], None]) -> Candidates:
    """Return the candidates among the recordings of the snapshot in a folder. advance: is told of rows that were read.

    Cost: 1 us a recording and thread; see docs/decisions/match.md.
    """
    given = np.zeros(len(asked.sieve.signatures), np.uint8)
    with ThreadPoolExecutor(threads) as pool, open_duck(DuckSettings(threads=1), None) as duck:

        def compare(sifted: _Sifted) -> Candidates:
            with duck.cursor() as cursor:
                return _compared(asked, sifted, cursor)

        def capped() -> Iterator[_Sifted]:
            for sifted in _ahead(pool, lambda block: _sifted(asked.sieve, block), _blocks(folder), threads + 1):
                yield _capped(sifted, given)
                advance(len(sifted.block))

        found = list(_ahead(pool, compare, capped(), threads + 1))
    return Candidates(
        np.concatenate([each.questions for each in found] or [np.zeros(0, np.uint32)]),
        np.concatenate([each.ranks for each in found] or [np.zeros(0, np.uint32)]),
        np.concatenate([each.codes for each in found] or [np.zeros(0, np.uint16)]),
    )


def scan_rows(folder: Path) -> int:
    """Return how many rows a scan reads."""
    return sum(pq.read_metadata(path).num_rows for path in _files(folder))


@dataclass(frozen=True, slots=True)
class _Block:
    """Row groups of one file that are read together."""

    path: Path
    groups: Sequence[int]


def _files(folder: Path) -> list[Path]:
    """Return the files in order of rank, each of recordings with that of the rows merged into them behind it."""
    paths = [*table_files(folder, RECORDINGS), *table_files(folder, MERGED)]
    return sorted(paths, key=lambda path: (path.name, path.parent.name == MERGED))


def _blocks(folder: Path) -> Iterator[_Block]:
    for path in _files(folder):
        metadata = pq.read_metadata(path)
        groups: list[int] = []
        rows = 0
        for number in range(metadata.num_row_groups):
            groups.append(number)
            rows += metadata.row_group(number).num_rows
            if rows >= BLOCK_ROWS or number == metadata.num_row_groups - 1:
                yield _Block(path, groups)
                groups, rows = [], 0


def _ahead(pool: ThreadPoolExecutor, work: Callable[[_T], _R], things: Iterable[_T], ahead_max: int) -> Iterator[_R]:
    """Yield the work's answer for each thing in order, a few of them under way."""
    under_way: deque[Future[_R]] = deque()
    for thing in things:
        under_way.append(pool.submit(work, thing))
        if len(under_way) >= ahead_max:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _sifted(sieve: Sieve, block: _Block) -> _Sifted:
    with pq.ParquetFile(block.path) as parquet:
        table = parquet.read_row_groups(list(block.groups), columns=_COLUMNS, use_threads=False).combine_chunks()
    words = table.set_column(1, "title", title_words(table["title"])).set_column(2, "artist", artist_words(table["artist"]))
    signed = recordings_signed(named_of(words))
    rows, places = [], []
    for some in signed.values():
        hit, place = sieve.found(some.keys)
        rows.append(some.rows[hit])
        places.append(place)
    return _Sifted(words, np.concatenate(rows), np.concatenate(places))


def named_of(words: pa.Table) -> Named:
    """Return the rows of a table of words to be signed."""
    title, artist, isrc = (_one(words[name]) for name in ("title", "artist", "isrc"))
    return Named(title, artist, words["duration_ms"].to_numpy().astype(np.int64), isrc)


def _one(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _capped(sifted: _Sifted, given: npt.NDArray[np.uint8]) -> _Sifted:
    """Return what is left when each signature gives FOUND_MAX recordings at most, those that came first."""
    order = np.argsort(sifted.places, kind="stable")
    rows, places = sifted.rows[order], sifted.places[order]
    if not len(places):
        return sifted
    first = np.flatnonzero(np.diff(places, prepend=-1))
    counts = np.diff(first, append=len(places))
    turn = np.arange(len(places)) - np.repeat(first, counts) + given[places]
    given[places[first]] = np.minimum(given[places[first]] + counts, FOUND_MAX)
    kept = turn < FOUND_MAX
    return _Sifted(sifted.block, rows[kept], places[kept])


def _compared(asked: Asked, sifted: _Sifted, duck: duckdb.DuckDBPyConnection) -> Candidates:
    """Return the pairs of a block with their grades, each pair once."""
    which, questions = asked.sieve.questions(sifted.places)
    pairs = np.unique((sifted.rows[which] << QUESTION_BITS) | questions)
    rows, questions = pairs >> QUESTION_BITS, pairs & ((1 << QUESTION_BITS) - 1)
    if not len(pairs):
        return Candidates(np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(0, np.uint16))
    named = named_of(sifted.block.take(pa.array(rows)))
    at = pa.array(questions)
    table = pa.table(
        {
            "q_title": asked.named.titles.take(at),
            "r_title": named.titles,
            "q_credit": asked.named.credits.take(at),
            "r_credit": named.credits,
            "q_title_letters": asked.title_letters[questions],
            "r_title_letters": parts_of(named.titles).letters,
            "q_credit_letters": asked.credit_letters[questions],
            "r_credit_letters": parts_of(named.credits).letters,
            "q_ms": asked.named.duration_ms[questions],
            "r_ms": named.duration_ms,
            "q_isrc": asked.named.isrcs.take(at),
            "r_isrc": named.isrcs,
        }
    )
    ranks = np.asarray(sifted.block["rank"])[rows].astype(np.uint32)
    return Candidates(questions.astype(np.uint32), ranks, codes_of(duck, table))
