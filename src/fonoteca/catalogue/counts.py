"""What sources counted, by recording: beside their rows, or apart from any rows, by id or by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fonoteca.catalogue.desk import RECORDINGS
from fonoteca.catalogue.gathering import ImportFile, Rows, chunks_of, name_keys, read_chunk
from fonoteca.catalogue.identity import Identity, Redirects
from fonoteca.catalogue.lookup import id_keys
from fonoteca.catalogue.popularity_shares import SourceCounts
from fonoteca.catalogue.rank_ids import uuid_halves
from fonoteca.model.catalogue import SnapshotSource

U32, I64 = np.uint32, np.int64
_COLUMNS = ("id", "title", "artist", "listens", "listeners")
_Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings by number, in order of import. heads: the row that stands for each. number: of each row's recording."""

    heads: npt.NDArray[np.uint32]
    number: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, identity: Identity) -> Recordings:
        """Return the recordings that rows were merged into."""
        heads = np.flatnonzero(identity.into == np.arange(len(identity.into), dtype=U32)).astype(U32)
        number = np.zeros(len(identity.into), U32)
        number[heads] = np.arange(len(heads), dtype=U32)
        return cls(heads, number[identity.into])

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.heads)


@dataclass(frozen=True, slots=True)
class Heard:
    """What may have been heard: all rows, the recordings that they are, and ids that are no more."""

    rows: Rows
    recordings: Recordings
    redirects: Redirects


@dataclass(frozen=True, slots=True)
class Listening:
    """A source's files of kind `listening`, numbered from 0."""

    source: SnapshotSource
    files: tuple[ImportFile, ...]


def counts_of_rows(rows: Rows, recordings: Recordings, sources: Sequence[SnapshotSource]) -> Iterator[SourceCounts]:
    """Yield what each source that counts says beside its rows. sources: by their number in `rows`."""
    for number, source in enumerate(sources):
        spans = [slice(f.first_row, f.first_row + f.row_count) for f in rows.files if f.source == number and f.rows == RECORDINGS]
        places = [s.start + np.flatnonzero(rows.listens[s] > 0) for s in spans]
        rows_counted = np.concatenate(places) if places else np.empty(0, I64)
        if len(rows_counted):
            recording = recordings.number[rows_counted]
            yield _added_up(source, recording, rows.listens[rows_counted], rows.listeners[rows_counted])


def counts_apart(heard: Heard, listening: Sequence[Listening]) -> Iterator[tuple[SourceCounts, int]]:
    """Yield what each source counted of recordings that are here, and its listens of those that are not."""
    if not listening:
        return
    lookup = _Lookup.over(heard)
    for one in listening:
        found = [lookup.find(read_chunk(chunk, _COLUMNS)) for file in one.files for chunk in chunks_of(file)]
        recording, listens, listeners = (np.concatenate([part[column] for part in found]) for column in range(3))
        here = (recording >= 0) & (listens > 0)
        unmatched = int(listens[recording < 0].sum())
        yield _added_up(one.source, recording[here].astype(U32), listens[here], listeners[here]), unmatched


def _added_up(
    source: SnapshotSource, recording: npt.NDArray[np.uint32], listens: npt.NDArray[np.int64], listeners: npt.NDArray[Any]
) -> SourceCounts:
    """Return counts by recording, ascending; where several rows are one recording, added up. No listeners unless all are known.

    Who says 0 listeners of all that was heard does not count them; of one recording among others, somebody must have heard it.
    """
    known = bool(len(listeners) and listeners.min() >= 0 and listeners.max() > 0)
    listeners = np.maximum(listeners, 1, dtype=I64)
    if not bool((recording[1:] > recording[:-1]).all()):
        order = np.argsort(recording, kind="stable")
        recording, listens, listeners = recording[order], listens[order], listeners[order]
        starts = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), recording[1:] != recording[:-1])))
        recording, listens = recording[starts], np.add.reduceat(listens, starts)
        # Who heard one row may have heard the other too, so the larger count is all that is sure.
        listeners = np.maximum.reduceat(listeners, starts)
    return SourceCounts(source.name, recording, listens, listeners if known else None, source.synthetic, source.date)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Recordings by id and by name. ids, names: their keys in ascending order; id_rows, name_rows: whose they are."""

    rows: Rows
    recordings: Recordings
    redirects: Redirects
    ids: npt.NDArray[np.uint64]
    id_rows: npt.NDArray[np.uint32]
    names: npt.NDArray[np.uint64]
    name_rows: npt.NDArray[np.uint32]

    @classmethod
    def over(cls, heard: Heard) -> _Lookup:
        """Return a look-up over all rows."""
        rows = heard.rows
        ids = rows.id_keys()
        id_rows = np.argsort(ids).astype(U32)
        ids = ids[id_rows]
        name_rows = np.argsort(rows.name_key, kind="stable").astype(U32)
        return cls(rows, heard.recordings, heard.redirects, ids, id_rows, rows.name_key[name_rows], name_rows)

    def find(self, table: pa.Table) -> tuple[_Index, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return for each counted row the number of its recording, -1 when there is none, its listens and listeners."""
        ids = table["id"].combine_chunks()
        found = self._by_id(*self.redirects.followed(*uuid_halves(ids))[0])
        nameless = np.asarray(pc.is_null(ids))
        if nameless.any():
            places = pa.array(np.flatnonzero(nameless))
            keys, _ = name_keys(*(table[name].take(places).combine_chunks() for name in ("artist", "title")))
            found[nameless] = self._by_name(keys)
        return found, np.asarray(table["listens"]), np.asarray(pc.fill_null(table["listeners"], -1))

    def _by_id(self, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> _Index:
        found = np.full(len(high), -1, I64)
        if not len(self.ids):
            return found
        keys = id_keys(high, low)
        place = np.searchsorted(self.ids, keys)
        # Ids of one key stand together; two or more that are not the same id are rarer than rare.
        for _ in range(_ALIKE_MAX):
            row = self.id_rows[np.minimum(place, len(self.ids) - 1)]
            fits = (place < len(self.ids)) & (self.rows.id_high[row] == high) & (self.rows.id_low[row] == low)
            fits &= found < 0
            found[fits] = self.recordings.number[row[fits]]
            place += 1
            open_still = (found < 0) & (place < len(self.ids))
            if not (self.ids[np.minimum(place, len(self.ids) - 1)][open_still] == keys[open_still]).any():
                break
        return found

    def _by_name(self, keys: npt.NDArray[np.uint64]) -> _Index:
        """Return the first recording of each name: sources that know no ids mean the best known of that name."""
        if not len(self.names):
            return np.full(len(keys), -1, I64)
        place = np.minimum(np.searchsorted(self.names, keys), len(self.names) - 1)
        fits = (self.names[place] == keys) & (keys != 0)
        return np.where(fits, self.recordings.number[self.name_rows[place]].astype(I64), -1)


_ALIKE_MAX = 64
"""More ids than this with one key are made on purpose; the rest are not found."""
