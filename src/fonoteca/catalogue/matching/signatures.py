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

from fonoteca.catalogue.folding import octets_of

Keys = npt.NDArray[np.uint64]

EDGE_BYTES = 5
"""Bytes of a title's or credit's beginning and end: see docs/decisions/match.md for what 4 and 6 gave."""
DURATION_STEP_MS = 5000
DURATION_SLACK_MS = 2500
"""A question looks into two steps, so that any recording at most this much longer or shorter is found."""

_ISRC_BYTES = 12
_SLICE_ROWS = 1 << 17
"""Rows at a time: eight bytes for each of their characters are many times the text."""
_PARTS = ("letters", "head", "tail")

_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
"""Odd constants with well spread bits (xxHash's primes and 2^64 / phi), to mix with."""


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
    parts = [_parts(words.slice(begin, _SLICE_ROWS)) for begin in range(0, max(len(words), 1), _SLICE_ROWS)]
    return parts[0] if len(parts) == 1 else Parts(*(np.concatenate([getattr(part, name) for part in parts]) for name in _PARTS))


def _parts(words: pa.Array) -> Parts:
    octets, bounds = octets_of(pc.replace_substring(words, " ", ""))
    starts, lengths = bounds[:-1], np.diff(bounds)
    shown = np.minimum(lengths, EDGE_BYTES)
    return Parts(_letters(octets, bounds), _edge(octets, starts, shown), _edge(octets, starts + lengths - shown, shown))


def _letters(octets: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64]) -> Keys:
    sums = np.empty(len(octets) + 1, np.uint64)
    sums[0] = 0
    np.cumsum(_OCTET_KEYS.take(octets), out=sums[1:])
    found: Keys = np.diff(sums[bounds])
    return found


def _octet_keys() -> Keys:
    keys = np.arange(1, 257, dtype=np.uint64)
    for odd in _ODD[:3]:
        keys *= np.uint64(odd)
        keys ^= keys >> np.uint64(29)
    return keys


_OCTET_KEYS = _octet_keys()


def _edge(octets: npt.NDArray[np.uint8], begins: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> Keys:
    """Return the bytes from each place, at most 8, as a number."""
    padded = np.concatenate([octets, np.zeros(8, np.uint8)])
    every = np.ndarray(len(octets) + 1, "<u8", padded, strides=(1,))
    return every[begins] & _FIRST_OCTETS[sizes]


_FIRST_OCTETS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)


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
    """Return a signature for each of the ISRCs of each row: none, or several with one blank between."""
    octets, bounds = octets_of(isrcs)
    counts = (np.diff(bounds) + 1) // (_ISRC_BYTES + 1)
    rows = np.repeat(np.arange(len(counts)), counts)
    turn = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = bounds[rows] + turn * (_ISRC_BYTES + 1)
    whole = np.full(len(rows), 8)
    return Signed(mixed(_edge(octets, begins, whole), _edge(octets, begins + (_ISRC_BYTES - 8), whole)), rows)
