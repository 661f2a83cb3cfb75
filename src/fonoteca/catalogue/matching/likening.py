"""One file against a few recordings: which it is, how likely, and why. The same grades and weights as a list against a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fonoteca.catalogue.duck import DuckSettings, open_duck
from fonoteca.catalogue.keys import artist_words, title_words
from fonoteca.catalogue.matching.answers import calibrated, code_weights
from fonoteca.catalogue.matching.signatures import parts_of
from fonoteca.catalogue.matching.weighing import GRADES, PAIR_COLUMNS, codes_of, grades_of
from fonoteca.catalogue.matching.weights import NONE_WEIGHT, RANK_WEIGHT
from fonoteca.model.catalogue import Likeness, Recording

_CALLED = {"title": "title", "numbers": "number in the title", "version": "version", "credit": "artist", "duration": "length"}
_TOLD = {
    "equal": "the same",
    "same letters": "the same letters",
    "equal but for the edition": "the same but for the edition",
    "question is longer": "longer in the file",
    "question is much longer": "much longer in the file",
    "recording is longer": "longer in the catalogue",
    "recording is much longer": "much longer in the catalogue",
    "one has none": "on one side alone",
    "other": "another",
}


@dataclass(frozen=True, slots=True)
class Sounding:
    """What a file says of itself. duration_ms: 0 where unknown. isrc: "" for none."""

    title: str
    artist: str
    duration_ms: int
    isrc: str


def words_in(sounding: Sounding) -> tuple[str, str]:
    """Return the words of a file's title and artist, as the catalogue compares them."""
    return _words(sounding.title, title_words), _words(sounding.artist, artist_words)


def likenesses(sounding: Sounding, recordings: Sequence[Recording]) -> list[Likeness]:
    """Return how likely a file is each of these recordings, the likeliest first; together at most 1, for it may be none of them.

    Cost: some ms. Raises: StoreError when DuckDB fails.
    """
    if not recordings:
        return []
    with open_duck(DuckSettings(threads=1), None) as duck:
        codes = codes_of(duck, _pairs(sounding, recordings))
    ranks = np.array([each.popularity.rank for each in recordings], np.float64)
    weights = code_weights()[codes] - RANK_WEIGHT * np.log(np.maximum(ranks, 1))
    odds = np.exp(weights)
    scores = calibrated(odds / (odds.sum() + np.exp(NONE_WEIGHT)))
    grades = grades_of(codes)
    found = [
        Likeness(each, float(score), tuple(_reasons(grade.tolist())))
        for each, score, grade in zip(recordings, scores, grades, strict=True)
    ]
    order = np.argsort(-weights, kind="stable")
    return [found[number] for number in order]


def _pairs(sounding: Sounding, recordings: Sequence[Recording]) -> pa.Table:
    count = len(recordings)
    asked = [pa.array([text] * count, pa.string()) for text in words_in(sounding)]
    found = [
        title_words(pa.array([each.title for each in recordings], pa.string())),
        artist_words(pa.array([each.artist for each in recordings], pa.string())),
    ]
    words = (asked[0], found[0], asked[1], found[1])
    columns = [
        *words,
        *(parts_of(each).letters for each in words),
        np.full(count, sounding.duration_ms, np.int64),
        np.array([each.duration_ms for each in recordings], np.int64),
        pa.array([sounding.isrc] * count, pa.string()),
        pa.array([" ".join(each.isrcs) for each in recordings], pa.string()),
    ]
    return pa.table(dict(zip(PAIR_COLUMNS, columns, strict=True)))


def _words(text: str, rule: Callable[[pa.Array], pa.Array]) -> str:
    return str(rule(pa.array([text], pa.string()))[0].as_py())


def _reasons(grades: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield what of a pair is how alike; what is unknown of either is left out, and so is what only counts when it differs."""
    for (name, told), grade in zip(GRADES.items(), grades, strict=True):
        words = told[grade]
        if words == "unknown" or (name in ("numbers", "version") and words == "equal"):
            continue
        yield _CALLED.get(name, name.upper()), _told(words)


def _told(words: str) -> str:
    if words.isdigit():
        return f"within {int(words) // 1000} s"
    return f"{100 * float(words):.0f} % alike" if words[0] == "0" else _TOLD[words]
