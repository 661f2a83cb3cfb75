"""Signatures: 64-bit keys that a question and the recording it means still share when one or the other is written wrongly.

A text has three parts that noise seldom breaks together: its letters in any order (survives swapped words, blanks, transposed
letters), its first bytes and its last bytes (survive a slip elsewhere, a word or a suffix lost at the other end). A signature
joins a part of the title with a part of the credit, the loose ones with the duration too. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Keys = npt.NDArray[np.uint64]

EDGE_BYTES = 5
"""Bytes of a title's or credit's beginning and end: see docs/decisions/match.md for what 4 and 6 gave."""
DURATION_STEP_MS = 5000
DURATION_SLACK_MS = 2500
"""A question looks into two steps, so that any recording at most this much longer or shorter is found."""

_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
"""Odd constants with well spread bits (xxHash's primes and 2^64 / phi), to mix with."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of words without blanks, and its bytes. starts, lengths: in octets, one a row."""

    octets: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @classmethod
    def of(cls, column: pa.Array) -> Texts:
        """Return the bytes of a column of strings without nulls. Nothing is copied but the offsets."""
        _, offset_buffer, octet_buffer = column.buffers()
        wide = pa.types.is_large_string(column.type)
        offsets = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)[column.offset : column.offset + len(column) + 1]
        octets = np.frombuffer(octet_buffer, np.uint8) if octet_buffer else np.zeros(0, np.uint8)
        starts = offsets[:-1].astype(np.int64)
        return cls(octets, starts, np.diff(offsets).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of each text of a column. letters: whatever their order. head, tail: the first and last EDGE_BYTES."""

    letters: Keys
    head: Keys
    tail: Keys


@dataclass(frozen=True, slots=True)
class Named:
    """Rows to make signatures of, question or recording. titles, credits: words. duration_ms: 0 where unknown."""

    titles: pa.Array
    credits: pa.Array
    duration_ms: npt.NDArray[np.int64]
    isrcs: pa.Array


def parts_of(words: pa.Array) -> Parts:
    """Return the parts of each text. Cost: 0.1 us a text of 16 bytes on one core."""
    texts = Texts.of(pc.replace_substring(words, " ", ""))
    return Parts(
        _letters(texts), _edge(texts, texts.starts), _edge(texts, texts.starts + np.maximum(texts.lengths - EDGE_BYTES, 0))
    )


def _letters(texts: Texts) -> Keys:
    if not len(texts.octets):
        return np.zeros(len(texts.starts), np.uint64)
    sums = np.empty(len(texts.octets) + 1, np.uint64)
    sums[0] = 0
    np.cumsum(_OCTET_KEYS[texts.octets], out=sums[1:])
    found: Keys = sums[texts.starts + texts.lengths] - sums[texts.starts]
    return found


def _octet_keys() -> Keys:
    keys = np.arange(1, 257, dtype=np.uint64)
    for odd in _ODD[:3]:
        keys *= np.uint64(odd)
        keys ^= keys >> np.uint64(29)
    return keys


_OCTET_KEYS = _octet_keys()


def _edge(texts: Texts, begins: npt.NDArray[np.int64], width: int = EDGE_BYTES) -> Keys:
    """Return `width` bytes, at most 8, from each place, as a number; a text that ends sooner is filled up with zeros."""
    padded = np.concatenate([texts.octets, np.zeros(width, np.uint8)])
    ends = texts.starts + texts.lengths
    found = np.zeros((len(begins), 8), np.uint8)
    for place in range(width):
        at = begins + place
        found[:, place] = np.where(at < ends, padded[at], 0)
    return found.view(np.uint64).ravel()


def mixed(*terms: Keys) -> Keys:
    """Return one key of several; their order counts."""
    found = np.zeros_like(terms[0])
    for number, term in enumerate(terms):
        found ^= term * np.uint64(_ODD[number % 4])
        found *= np.uint64(_ODD[(number + 1) % 4])
        found ^= found >> np.uint64(32)
    found *= np.uint64(_ODD[3])
    found ^= found >> np.uint64(29)
    return found


@dataclass(frozen=True, slots=True)
class Signature:
    """One kind of signature. title, credit: the part of each, "" for none. with_duration: only rows that have one."""

    title: str
    credit: str
    with_duration: bool = False


SIGNATURES: Mapping[str, Signature] = {
    "letters of both": Signature("letters", "letters"),
    "credit, title's beginning": Signature("head", "letters"),
    "credit, title's end": Signature("tail", "letters"),
    "title, credit's beginning": Signature("letters", "head"),
    "title, credit's end": Signature("letters", "tail"),
    "beginnings, duration": Signature("head", "head", True),
    "ends, duration": Signature("tail", "tail", True),
    "credit, duration": Signature("", "letters", True),
    "title, duration": Signature("letters", "", True),
}
ISRC = "ISRC"


@dataclass(frozen=True, slots=True)
class Signed:
    """Signatures of one kind. rows: whose, as indexes."""

    keys: Keys
    rows: npt.NDArray[np.int64]


def recordings_signed(named: Named) -> dict[str, Signed]:
    """Return the signatures of recordings by kind, at most one a recording but for ISRCs."""
    return _signed(named, (0,))


def questions_signed(named: Named) -> dict[str, Signed]:
    """Return the signatures under which each question looks; those with durations look into two steps."""
    return _signed(named, (-DURATION_SLACK_MS, DURATION_SLACK_MS))


def _signed(named: Named, shifts_ms: tuple[int, ...]) -> dict[str, Signed]:
    titles, credit = parts_of(named.titles), parts_of(named.credits)
    written = np.flatnonzero((titles.letters != 0) & (credit.letters != 0))
    timed = written[named.duration_ms[written] > 0]
    found: dict[str, Signed] = {}
    for number, (name, kind) in enumerate(SIGNATURES.items()):
        rows = timed if kind.with_duration else written
        salt = np.full(len(rows), number + 1, np.uint64)
        terms = [salt]
        terms += [getattr(part, which)[rows] for part, which in ((titles, kind.title), (credit, kind.credit)) if which]
        base = mixed(*terms)
        if not kind.with_duration:
            found[name] = Signed(base, rows)
            continue
        steps = [(named.duration_ms[rows] + shift) // DURATION_STEP_MS for shift in shifts_ms]
        keys = [mixed(base, step.astype(np.uint64)) for step in steps]
        found[name] = Signed(np.concatenate(keys), np.tile(rows, len(steps)))
    found[ISRC] = _isrcs_signed(named.isrcs)
    return found


def _isrcs_signed(isrcs: pa.Array) -> Signed:
    """Return a signature for each of the ISRCs of each row; a row has several with blanks between, or none."""
    rows = np.flatnonzero(np.asarray(pc.not_equal(isrcs, "")))
    lists = pc.split_pattern(isrcs.take(pa.array(rows)), " ")
    texts = Texts.of(pc.list_flatten(lists))
    ends = texts.starts + texts.lengths
    keys = mixed(_edge(texts, texts.starts, 8), _edge(texts, np.maximum(ends - 8, texts.starts), 8))
    counts = np.asarray(pc.list_value_length(lists)).astype(np.int64)
    return Signed(keys, np.repeat(rows, counts))
