"""Which encodings each recording can be had in, what they weigh and what they keep: the knapsack's columns. Pure.

Encoding 0 is the file as its source names it; the others are those of the question, in its order. An encoding that a source
offers is open to what that source has on offer, under whatever licence lets us hold it. One that we make ourselves of the source's
file is open where rights say that another format may be made: the licence lets the work be changed, or lets formats be changed
without that being a change of the work (for instance CC 4.0 section 2(a)(4), no-derivatives licences among them).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fonoteca.catalogue.knapsack import Bytes, Choices, Rows, Shares
from fonoteca.model.catalogue import AS_OFFERED, OPUS_75, Encoding, Permit
from fonoteca.model.errors import UsageError

KNOWN: tuple[Encoding, ...] = (
    Encoding("opus-64", 64_000, 0.95),
    OPUS_75,
    Encoding("opus-96", 96_000, 0.99),
    Encoding("opus-128", 128_000, 0.995),
)
"""Encodings that have a name of their own. docs/decisions/knapsack.md says where the values come from."""

_WRITTEN = re.compile(
    r"(?P<name>[^@=]+)(?:@(?P<source>[^=]+))?=(?P<rate>[0-9]+(?:\.[0-9]+)?)(?P<unit>[kKM]?)(?::(?P<value>[0-9.]+))?"
)
_UNITS = {"": 1, "k": 1000, "K": 1000, "M": 1_000_000}


def parse_encoding(text: str) -> Encoding:
    """Return the encoding that `NAME=RATE:VALUE`, `NAME@SOURCE=RATE:VALUE` or a known name stands for: `opus-64=64k:0.95`.

    Raises: UsageError.
    """
    for known in KNOWN:
        if text == known.name:
            return known
    match = _WRITTEN.fullmatch(text)
    remedy = f"Write NAME=RATE:VALUE, such as {OPUS_75.name}=75k:0.98, or one of {', '.join(e.name for e in KNOWN)}."
    if match is None:
        raise UsageError(f"encoding {text!r}", "not known", remedy)
    try:
        value = float(match["value"] or 1)
    except ValueError:
        raise UsageError(f"encoding {text!r}", f"keeps {match['value']} of a listen", remedy) from None
    return Encoding(match["name"], round(float(match["rate"]) * _UNITS[match["unit"]]), value, match["source"] or "")


def open_encodings(encodings: Sequence[Encoding], permit: Permit, source: str) -> int:
    """Return which encodings can be had of what a source has on offer, under such a permit: bit n for encoding n, 0 for none."""
    if permit is Permit.REFUSED:
        return 0
    found = 1
    for number, encoding in enumerate(encodings, start=1):
        made_here = not encoding.source and permit is Permit.ANY_FORMAT
        if made_here or encoding.source == source:
            found |= 1 << number
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """The recordings that can be wanted, as columns in order of rank: the knapsack's groups.

    rank: uint32. file_bytes: of the source's file. duration_ms: int32, never 0. mask: uint8, the open encodings' bits.
    Cost: 25 B a recording.
    """

    rank: npt.NDArray[np.uint32]
    share: Shares
    file_bytes: Bytes
    duration_ms: npt.NDArray[np.int32]
    mask: npt.NDArray[np.uint8]
    encodings: tuple[Encoding, ...]

    @property
    def group_count(self) -> int:
        """How many recordings can be wanted."""
        return len(self.rank)

    @property
    def names(self) -> tuple[str, ...]:
        """The encodings' names, by number."""
        return (AS_OFFERED, *(encoding.name for encoding in self.encodings))

    def at(self, rows: slice | Rows) -> tuple[Bytes, Shares]:
        """Return bytes and value of each encoding of some recordings, shape (encodings, recordings)."""
        share, mask, duration_ms = self.share[rows], self.mask[rows], self.duration_ms[rows].astype(np.int64)
        sizes = np.empty((len(self.encodings) + 1, len(share)), np.int64)
        values = np.empty(sizes.shape)
        sizes[0], values[0] = self.file_bytes[rows], share
        for number, encoding in enumerate(self.encodings, start=1):
            np.floor_divide(duration_ms * encoding.bits_per_second, 8000, out=sizes[number])
            np.multiply(share, encoding.value, out=values[number])
            values[number][(mask >> number) & 1 == 0] = 0.0
        return sizes, values

    def bytes_of(self, rows: slice | Rows, options: Choices) -> Bytes:
        """Return what these recordings weigh in these encodings, one for each."""
        sizes = self.at(rows)[0]
        found: Bytes = np.take_along_axis(sizes, options.astype(np.intp)[None, :], 0)[0]
        return found


@dataclass(frozen=True, slots=True)
class Smallest:
    """The same recordings, each in its smallest encoding alone, at the plain value of a listen: what bounds plain listening."""

    wanted: Wanted

    @property
    def group_count(self) -> int:
        """How many recordings can be wanted."""
        return self.wanted.group_count

    def at(self, rows: slice | Rows) -> tuple[Bytes, Shares]:
        """Return bytes and share of the smallest encoding of some recordings, shape (1, recordings)."""
        sizes, values = self.wanted.at(rows)
        sizes[values <= 0] = np.iinfo(np.int64).max
        return sizes.min(axis=0, keepdims=True), self.wanted.share[rows][None, :]
