"""What a question and a recording have in common, as one small number, and what that says. Pure.

Each pair gets grades: how alike titles, credits, durations and ISRCs are. A pair's weight is the sum of its grades' weights
(a conditional logit, see `weights`), and a recording's chance to be the one meant is its share of e^weight over all that were
found for the question, "none of them" included.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

_TEXT_GRADES = (
    *("unknown", "equal", "same letters", "equal but for the edition"),
    *("question is longer", "question is much longer"),
    *("recording is longer", "recording is much longer"),
)
TITLE_GRADES = (*_TEXT_GRADES, "0.97", "0.94", "0.90", "0.86", "0.80", "0.72", "other")
CREDIT_GRADES = (*_TEXT_GRADES, "0.96", "0.92", "0.86", "0.78", "0.68", "other")
GRADES: Mapping[str, tuple[str, ...]] = {
    "title": TITLE_GRADES,
    "numbers": ("equal", "one has none", "other"),
    "version": ("equal", "other"),
    "credit": CREDIT_GRADES,
    "duration": ("unknown", "1000", "3000", "6000", "15000", "other"),
    "isrc": ("unknown", "equal", "other"),
}
"""Grades by name. Numbers are the least Jaro similarity of words, and the most milliseconds between durations; "longer" holds the
other's words at its beginning or end, and is at most twice as long; numbers and versions are those in titles that differ."""

_VERSIONS = (
    "live|remix|mix|instrumental|acoustic|demo|karaoke|edit|reprise|unplugged|cover|dub|acapella|extended|orchestral|session"
)
"""Words that tell another recording of a song from the first. A remaster or a radio's copy is the same recording."""

_NUMBERS = r"\b(?:[0-9]{1,3}(?:st|nd|rd|th)?|i{1,3}|iv|vi{0,3}|ix)\b"
"""Figures, and Roman numerals of movements: No. 5 is not No. 6. Years are left to editions."""
_EDITIONS = (
    r"(?: (?:(?:19|20)[0-9]{2}|remaster(?:ed)?|version|edition|mono|stereo|single|album|bonus|track|explicit|deluxe|expanded"
    r"|anniversary|digital|digitally|original))+$"
)
"""Words behind a title that tell an edition of the same recording."""

_LOOK_MIN = 0.6
"""Titles that are less alike (Jaro) are other titles whatever their numbers: half of all pairs need no closer look."""

_SIZES = tuple(len(grades) for grades in GRADES.values())
CODE_COUNT = int(np.prod(_SIZES))

CODES = np.arange(CODE_COUNT, dtype=np.uint16)
"""Every code there is."""

Codes = npt.NDArray[np.uint16]

PAIR_COLUMNS = (
    *("q_title", "r_title", "q_credit", "r_credit", "q_title_letters", "r_title_letters", "q_credit_letters", "r_credit_letters"),
    *("q_ms", "r_ms", "q_isrc", "r_isrc"),
)
"""Columns of a table of pairs, q_ of the question and r_ of the recording: words, `Parts.letters`, durations (0 unknown), ISRCs."""


def _alike(column: str, grades: tuple[str, ...]) -> str:
    """Return SQL for the grade of the words of a column."""
    asked, found = f"q_{column}", f"r_{column}"
    plain = [f"regexp_replace({side}, '{_EDITIONS}', '')" for side in (asked, found)]
    steps = " ".join(f"WHEN {column}_jaro >= {floor} THEN {number}" for number, floor in enumerate(grades) if floor[0] == "0")
    return f"""CASE
        WHEN {asked} = '' OR {found} = '' THEN 0
        WHEN {asked} = {found} OR replace({asked}, ' ', '') = replace({found}, ' ', '') THEN 1
        WHEN {asked}_letters = {found}_letters THEN 2
        WHEN {column}_jaro >= {_LOOK_MIN} AND {plain[0]} = {plain[1]} THEN 3
        WHEN starts_with({asked}, {found} || ' ') OR ends_with({asked}, ' ' || {found})
            THEN 4 + (strlen({asked}) > 2 * strlen({found}))::INTEGER
        WHEN starts_with({found}, {asked} || ' ') OR ends_with({found}, ' ' || {asked})
            THEN 6 + (strlen({found}) > 2 * strlen({asked}))::INTEGER
        {steps} ELSE {len(grades) - 1} END"""


def _near() -> str:
    floors = enumerate(GRADES["duration"])
    steps = " ".join(f"WHEN abs(q_ms - r_ms) <= {floor} THEN {number}" for number, floor in floors if floor.isdigit())
    return f"CASE WHEN q_ms = 0 OR r_ms = 0 THEN 0 {steps} ELSE {len(GRADES['duration']) - 1} END"


def _grading() -> str:
    asked, found = (f"regexp_extract_all({side}_title, '{_NUMBERS}')" for side in "qr")
    numbers = f"CASE WHEN {asked} = {found} THEN 0 WHEN len({asked}) = 0 OR len({found}) = 0 THEN 1 ELSE 2 END"
    asked, found = (f"list_sort(regexp_extract_all({side}_title, '\\b(?:{_VERSIONS})\\b'))" for side in "qr")
    version = f"CASE WHEN {asked} = {found} THEN 0 ELSE 1 END"
    grades = (
        _alike("title", TITLE_GRADES),
        *(f"CASE WHEN q_title = r_title OR title_jaro < {_LOOK_MIN} THEN 0 ELSE {grade} END" for grade in (numbers, version)),
        _alike("credit", CREDIT_GRADES),
        _near(),
        "CASE WHEN q_isrc = '' OR r_isrc = '' THEN 0 WHEN contains(r_isrc, q_isrc) THEN 1 ELSE 2 END",
    )
    code = "0"
    for size, grade in zip(_SIZES, grades, strict=True):
        code = f"({code}) * {size} + {grade}"
    return f"""SELECT ({code})::USMALLINT AS code FROM (
        SELECT *, jaro_similarity(q_title, r_title) AS title_jaro, jaro_similarity(q_credit, r_credit) AS credit_jaro FROM pairs)"""


_GRADING = _grading()


def codes_of(duck: duckdb.DuckDBPyConnection, pairs: pa.Table) -> Codes:
    """Return the grades of each pair as one number. pairs: with PAIR_COLUMNS. Cost: 0.5 us a pair on one core."""
    duck.register("pairs", pairs)
    try:
        return np.ascontiguousarray(duck.execute(_GRADING).fetchnumpy()["code"], dtype=np.uint16)
    finally:
        duck.unregister("pairs")


def grades_of(codes: Codes) -> npt.NDArray[np.int64]:
    """Return the grades of each code, as indexes into GRADES: shape (codes, kinds of grade)."""
    return np.stack(np.unravel_index(codes.astype(np.int64), _SIZES), axis=1)
