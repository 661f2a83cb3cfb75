"""Which of the candidates match best: how much of a name was asked for and how rightly, times popularity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fonoteca.search.cards import Card
from fonoteca.search.hits import HitKind
from fonoteca.search.nearness import typing_errors
from fonoteca.search.query import Phrase
from fonoteca.search.words import asked as asked_words
from fonoteca.search.words import indexed

_BEST_RANK_WEIGHT = 6.0
_ALL_OF_IT, _NAME_ALONE = 2.0, 1.5
_RELEASE_WORTH = 0.5
_ERRORS_WORTH = (1.0, 0.7, 0.45)
_BEGUN_WORTH = 0.9
_SPOILT_CHARS_MIN = 4
_NAMES_KEPT = 1 << 14
"""Whose words are remembered, 6 MB: the most heard are candidates for many words."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a card. near: for each word the words that it may be, and how many errors away each is.

    optional: phrases that may be absent, all of them. missing: so many of the others may be absent, too.
    """

    phrases: tuple[Phrase, ...]
    near: Mapping[str, Mapping[str, int]]
    optional: frozenset[Phrase] = frozenset()
    missing: int = 0


def weigh(rank: int) -> float:
    """Return what a match is multiplied by: 3.0 for the most heard recording, 2.3 for the tenth, 1.5 for the millionth.

    So popularity orders equal matches and does not drown better ones.
    """
    return math.log2(2 + _BEST_RANK_WEIGHT / (1 + math.log10(max(rank, 1))))


def score(card: Card, kind: HitKind, wanted: Wanted) -> float:
    """Return how well a card answers, 0 when it does not: each phrase must be there. Where nothing is asked for, all do."""
    if not wanted.phrases:
        return weigh(card.rank)
    found, missed = 0.0, 0
    in_title = 0.0
    for phrase in wanted.phrases:
        worth, field = _best_worth(phrase, card, wanted)
        if worth <= 0:
            missed += phrase not in wanted.optional
            if missed > wanted.missing:
                return 0.0
            continue
        found += worth * len(phrase.words) * (_RELEASE_WORTH if field == "release" else 1)
        in_title += worth * len(phrase.words) if field == "title" else 0
    title = _length(card.title)
    both = title + (_length(card.artist) if kind is not HitKind.ARTIST else 0)
    asked = sum(len(phrase.words) for phrase in wanted.phrases)
    rightness = found / asked
    share = min(1.0, found / both) if both else 0.0
    match = rightness * (0.5 + share)
    if not missed and asked == both and share > 0.4:
        match += _ALL_OF_IT * rightness
    elif not missed and asked == title and in_title >= 0.4 * title:
        match += _NAME_ALONE * rightness
    return match * weigh(card.rank)


def _length(text: str) -> int:
    """Return how many words one must type for a name."""
    return len(_words_of(text) if text.isascii() else asked_words(text))


@lru_cache(_NAMES_KEPT)
def _words_of(name: str) -> tuple[str, ...]:
    """Return the words that a name is found by."""
    return tuple(indexed(name).split())


def _best_worth(phrase: Phrase, card: Card, wanted: Wanted) -> tuple[float, str]:
    """Return how rightly a card has a phrase, and in which field."""
    best = 0.0, ""
    for field in phrase.fields:
        worth = _phrase_worth(phrase, _words_of(getattr(card, field)), wanted)
        if worth >= 1:
            return worth, field
        best = max(best, (worth, field))
    return best


def _phrase_worth(phrase: Phrase, words: tuple[str, ...], wanted: Wanted) -> float:
    """Return how rightly a name has a phrase, 0 to 1."""
    if len(phrase.words) == 1:
        worth = _word_worth(phrase.words[0], words, wanted.near, prefix=phrase.prefix)
        return worth or (_spoilt_worth(phrase, words) if phrase in wanted.optional else 0.0)
    length = len(phrase.words)
    for first in range(len(words) - length + 1):
        here = words[first : first + length]
        last = here[-1].startswith(phrase.words[-1]) if phrase.prefix else here[-1] == phrase.words[-1]
        if last and here[:-1] == phrase.words[:-1]:
            return 1.0
    return 0.0


def _word_worth(word: str, words: tuple[str, ...], near: Mapping[str, Mapping[str, int]], *, prefix: bool) -> float:
    if word in words:
        return 1.0
    known = near.get(word, {})
    worth = 0.0
    for each in words:
        if prefix and each.startswith(word):
            worth = max(worth, _BEGUN_WORTH * (0.5 + 0.5 * len(word) / len(each)))
        if each in known:
            worth = max(worth, _ERRORS_WORTH[min(known[each], 2)])
    return worth


def _spoilt_worth(phrase: Phrase, words: tuple[str, ...]) -> float:
    """Return how rightly a name has a word that nobody wrote so: as one with an error or two."""
    word = phrase.words[0]
    if len(word) < _SPOILT_CHARS_MIN:
        return 0.0
    least = min((typing_errors(word, each, prefix=phrase.prefix) for each in words if abs(len(each) - len(word)) <= 2), default=3)
    return _ERRORS_WORTH[least] if least <= 2 else 0.0
