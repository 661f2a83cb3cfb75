"""One column of one file: what of it cannot be foretold from the older snapshot, and the column made again. Pure.

Numbers are foretold in several ways and the one that leaves the least is taken. What is left of a number, the difference of the
bits, is exact whatever the prediction, so the column comes back to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fonoteca.catalogue.deltas.nouns import OLD, PREVIOUS, RATIO, ROW, SCALED
from fonoteca.catalogue.layout import EMPTY_COLUMNS

SHARE, LOW, HIGH = "share", "share_low", "share_high"
PLACED = ("rank",)
"""Columns that count the rows of their table up from 1, in `recordings`."""
_EXCEPTION_BITS = 16
"""What the place of an exception costs, besides its value."""
_RESIDUAL_BITS_MIN = 0.05
"""What zstd makes of a residual that is nothing."""
_NUMBERS: Mapping[pa.DataType, type[Any]] = {
    pa.int32(): np.int32,
    pa.int64(): np.int64,
    pa.float32(): np.float32,
    pa.float64(): np.float64,
}
_BITS: Mapping[type[Any], type[Any]] = {np.float32: np.int32, np.float64: np.int64}

Numbers = npt.NDArray[Any]
Residuals = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows that both snapshots have, of one new file. old, new: in the new order. rows: their places in the new table."""

    old: pa.Table
    new: pa.Table
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Told:
    """What must be told of a column. mode: what it is foretold from. exceptions: places in the kept rows, with their values.

    residuals: of every kept row, for modes that have them.
    """

    mode: str
    factor: str = ""
    exceptions: npt.NDArray[np.int64] | None = None
    values: pa.Array | None = None
    residuals: Residuals | None = None

    @property
    def count(self) -> int:
        """How many exceptions or residuals there are."""
        found = self.residuals if self.residuals is not None else self.exceptions
        return 0 if found is None else len(found)


def tell(kept: Kept, column: str, changed: npt.NDArray[np.int64]) -> Told:
    """Return what must be told of a column so that `made` gives it again. changed: the places that are not as they were."""
    old, new = _plain(kept.old[column]), _plain(kept.new[column])
    if column in PLACED and np.array_equal(new.to_numpy(), kept.rows + 1):
        return Told(ROW)
    sparse = Told(OLD, exceptions=changed, values=new.take(pa.array(changed)))
    if column in EMPTY_COLUMNS or new.type not in _NUMBERS:
        return sparse
    best, bits = sparse, float(len(changed) * (_EXCEPTION_BITS + 8 * np.dtype(_NUMBERS[new.type]).itemsize))
    shares = {SHARE: kept.new[SHARE]} if SHARE in kept.new.schema.names else {}
    for way in _ways(old, new, column):
        residuals = _residuals(new.to_numpy(), _foretold(way, kept.old, column, shares))
        cost = _cost(residuals)
        if cost < bits:
            best, bits = Told(way.mode, way.factor, residuals=residuals), cost
    return best


def changed_places(kept: Kept, column: str) -> npt.NDArray[np.int64]:
    """Return the places in the kept rows whose value of a column is not as it was."""
    return np.flatnonzero(~same_values(_plain(kept.old[column]), _plain(kept.new[column])))


def same_values(old: pa.Array, new: pa.Array) -> npt.NDArray[np.bool_]:
    """Return where two columns are the same to the bit; NULL is the same as NULL."""
    if pa.types.is_floating(new.type):
        bits = _BITS[_NUMBERS[new.type]]
        return np.asarray(old.to_numpy().view(bits) == new.to_numpy().view(bits))
    both = pc.and_(pc.is_null(old), pc.is_null(new))
    return np.asarray(pc.or_(pc.fill_null(pc.equal(old, new), False), both))


@dataclass(frozen=True, slots=True)
class Way:
    """How a number is foretold."""

    mode: str
    factor: str


def made(old: pa.Table, column: str, told: Told, rows: npt.NDArray[np.int64], shares: Mapping[str, pa.ChunkedArray]) -> pa.Array:
    """Return the kept rows of a column anew. old: the kept rows as they were. shares: the new `share`, where it is known already.

    Raises: ValueError when what was told does not fit.
    """
    before = _plain(old[column])
    if told.mode == ROW:
        return pa.array(rows + 1, before.type)
    if told.residuals is None:
        assert told.exceptions is not None
        assert told.values is not None
        if len(told.exceptions) and not 0 <= told.exceptions.min() <= told.exceptions.max() < len(before):
            raise ValueError(f"{column}: an exception is outside of the file")
        places = np.arange(len(before))
        places[told.exceptions] = len(before) + np.arange(len(told.exceptions))
        return pa.concat_arrays([before, told.values]).take(pa.array(places))
    if len(told.residuals) != len(before) or before.type not in _NUMBERS:
        raise ValueError(f"{column}: {len(told.residuals)} residuals for {len(before)} rows")
    foretold = _foretold(Way(told.mode, told.factor), old, column, shares)
    return pa.array(_restored(told.residuals, foretold, _NUMBERS[before.type]), before.type)


def _plain(values: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, ids as their 16 bytes."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _ways(old: pa.Array, new: pa.Array, column: str) -> list[Way]:
    ways = [Way(PREVIOUS, ""), Way(SCALED, (1.0).hex())]
    before, now = old.to_numpy().astype(np.float64), new.to_numpy().astype(np.float64)
    usable = (before > 0) & (now > 0)
    if usable.any():
        ways.append(Way(SCALED, float(np.median(now[usable] / before[usable])).hex()))
    if column in (LOW, HIGH):
        ways.append(Way(RATIO, ""))
    return ways


def _foretold(way: Way, old: pa.Table, column: str, shares: Mapping[str, pa.ChunkedArray]) -> Numbers | None:
    """Return what each value is foretold to be, in the column's own type; None where it is the value before it."""
    if way.mode == PREVIOUS:
        return None
    before: Numbers = _plain(old[column]).to_numpy()
    kind = before.dtype
    with np.errstate(all="ignore"):
        if way.mode == RATIO:
            share_before: Numbers = _plain(old[SHARE]).to_numpy()
            share_now: Numbers = _plain(shares[SHARE]).to_numpy()
            ratio = np.divide(before.astype(np.float64), share_before, out=np.zeros(len(before)), where=share_before > 0)
            return np.asarray((share_now * ratio).astype(kind))
        scaled = before.astype(np.float64) * float.fromhex(way.factor)
        if kind.kind == "i":
            limit = float(np.iinfo(kind).max // 2)
            return np.asarray(np.rint(np.clip(scaled, -limit, limit)).astype(kind))
        return np.asarray(scaled.astype(kind))


def _as_bits(values: Numbers) -> npt.NDArray[np.int64]:
    """Return numbers as whole ones: floating-point ones by their bits, which ascend as they do."""
    kind = values.dtype.type
    return (values.view(_BITS[kind]) if kind in _BITS else values).astype(np.int64)


def _residuals(values: Numbers, foretold: Numbers | None) -> Residuals:
    """Return how far each value is from what was foretold, small numbers for near ones (zigzag), modulo 2^64."""
    bits = _as_bits(values)
    with np.errstate(over="ignore"):
        away = np.diff(bits, prepend=np.int64(0)) if foretold is None else bits - _as_bits(foretold)
        return ((away << np.int64(1)) ^ (away >> np.int64(63))).view(np.uint64)


def _restored(residuals: Residuals, foretold: Numbers | None, kind: type) -> Numbers:
    """Return the values of residuals: the inverse of `_residuals`."""
    with np.errstate(over="ignore"):
        away = ((residuals >> np.uint64(1)) ^ (np.uint64(0) - (residuals & np.uint64(1)))).view(np.int64)
        bits = np.cumsum(away) if foretold is None else away + _as_bits(foretold)
    if kind in _BITS:
        return np.asarray(bits.astype(_BITS[kind]).view(kind))
    return np.asarray(bits.astype(kind))


def _cost(residuals: Residuals) -> float:
    """Return about how many bits residuals take once packed: each its own length, in whole bytes' planes."""
    lengths = np.log2(residuals.astype(np.float64) + 1)
    return float(np.maximum(lengths, _RESIDUAL_BITS_MIN).sum())
