"""Which of a few recordings a track most likely is, and what speaks for and against each, by the match's own weights."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from fonoteca.catalogue.keys import artist_words, title_words
from fonoteca.catalogue.matching.answers import calibrated, code_weights
from fonoteca.catalogue.matching.signatures import parts_of
from fonoteca.catalogue.matching.weighing import GRADES, codes_of, grades_of
from fonoteca.catalogue.matching.weights import NONE_WEIGHT
from fonoteca.model.catalogue import Recording, Suggestion

_SHOWN = ("title", "credit", "duration", "isrc")
"""The grades that a person is told. Numbers and versions are part of the title's."""

_ALIKE = ("equal", "same letters", "equal but for the edition")


def suggest(duck: duckdb.DuckDBPyConnection, track: Recording, isrc: str, some: Sequence[Recording]) -> list[Suggestion]:
    """Return recordings as suggestions of what a track is, the likeliest first. isrc: of the track, "" for none. Cost: some 10 ms.

    A score is the probability that it is this one, if the one that is meant is among them or nowhere.
    """
    if not some:
        return []
    codes = codes_of(duck, _pairs(track, isrc, some))
    odds = np.exp(code_weights()[codes])
    scores = calibrated(odds / (odds.sum() + np.exp(NONE_WEIGHT)))
    told = [_reasons(grades, track, each) for grades, each in zip(grades_of(codes).tolist(), some, strict=True)]
    found = [Suggestion(each, float(score), reasons) for each, score, reasons in zip(some, scores, told, strict=True)]
    return sorted(found, key=lambda each: (-each.score, each.recording.popularity.rank))


def _pairs(track: Recording, isrc: str, some: Sequence[Recording]) -> pa.Table:
    """Return the table of pairs of the track with each of some recordings, as `codes_of` reads it."""
    columns: dict[str, pa.Array] = {}
    for side, rows in (("q", [track] * len(some)), ("r", list(some))):
        titles = _joined(title_words(pa.array([row.title for row in rows], pa.string())))
        credit = _joined(artist_words(pa.array([row.artist for row in rows], pa.string())))
        columns |= {
            f"{side}_title": titles,
            f"{side}_credit": credit,
            f"{side}_title_letters": pa.array(parts_of(titles).letters),
            f"{side}_credit_letters": pa.array(parts_of(credit).letters),
            f"{side}_ms": pa.array([row.duration_ms for row in rows], pa.int64()),
            f"{side}_isrc": pa.array([isrc if side == "q" else " ".join(row.isrcs) for row in rows], pa.string()),
        }
    return pa.table(columns)


def _joined(words: pa.Array | pa.ChunkedArray) -> pa.Array:
    return words.combine_chunks() if isinstance(words, pa.ChunkedArray) else words


def _reasons(grades: Sequence[int], track: Recording, other: Recording) -> tuple[tuple[str, str], ...]:
    """Return how the two compare: (what, equal, differs, alike or unknown), with the difference of durations in words."""
    grade = {name: GRADES[name][number] for name, number in zip(GRADES, grades, strict=True)}
    words = {name: _word(grade[name]) for name in _SHOWN}
    if grade["duration"] != "unknown":
        words["duration"] = f"{abs(track.duration_ms - other.duration_ms) / 1000:.1f} s apart"
    return tuple((("artist" if name == "credit" else name), words[name]) for name in _SHOWN)


def _word(grade: str) -> str:
    if grade == "unknown":
        return "unknown"
    if grade == "other":
        return "differs"
    return "equal" if grade in _ALIKE else "alike"
