"""Known-item questions: what people type who know which recording they want, and how often they get it.

A question is a title and an artist, as they are or spoilt in one of the ways of `SPOILINGS`. An answer is right when it is any
recording with that title and artist, compared by `plainly`, which is this module's own and not the folding that search uses.
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FIRST_HITS = 10

_WORD_CHARACTERS_MIN = 4
"""Of a word that gets an error, where there is one: shorter words with an error are other words."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is typed, and the title and artist that it is about. kind: a key of SPOILINGS."""

    kind: str
    typed: str
    title: str
    artist: str

    def answered_by(self, title: str, artist: str) -> bool:
        """Return whether a recording of this title and artist is what was asked for."""
        return plainly(title) == plainly(self.title) and plainly(artist) == plainly(self.artist)


@dataclass(frozen=True, slots=True)
class Known:
    """How many questions of a kind were asked, found first, and found among the first FIRST_HITS."""

    asked: int
    first: int
    among_first: int


def plainly(text: str) -> str:
    """Return a text without case, diacritics and punctuation, words joined by single spaces."""
    letters = bare(text.casefold())
    return " ".join("".join(each if each.isalnum() else " " for each in letters).split())


def bare(text: str) -> str:
    """Return a text without diacritics, and otherwise as it is."""
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))


def make_questions(items: Sequence[tuple[str, str]], count: int, seed: int) -> list[Question]:
    """Return so many questions about titles and artists drawn at random, each kind of SPOILINGS in turn.

    items: title and artist; those that have no letter in one of them are passed over, so one at least must have both.
    """
    known = [(title, artist) for title, artist in items if plainly(title) and plainly(artist)]
    dice, kinds = random.Random(seed), list(SPOILINGS)
    questions = []
    for number in range(count):
        title, artist = dice.choice(known)
        kind = kinds[number % len(kinds)]
        questions.append(Question(kind, SPOILINGS[kind](f"{title} {artist}", dice), title, artist))
    return questions


def count_known(
    questions: Iterable[Question], search: Callable[[str], Iterable[tuple[str, str]]], first_hits: int = FIRST_HITS
) -> Mapping[str, Known]:
    """Return how each kind of question was answered. search: title and artist of the recordings found, the best first."""
    asked: Counter[str] = Counter()
    first: Counter[str] = Counter()
    among: Counter[str] = Counter()
    for question in questions:
        asked[question.kind] += 1
        for place, (title, artist) in enumerate(search(question.typed)):
            if place == first_hits:
                break
            if question.answered_by(title, artist):
                first[question.kind] += place == 0
                among[question.kind] += 1
                break
    return {kind: Known(asked[kind], first[kind], among[kind]) for kind in asked}


def mistype(text: str, dice: random.Random) -> str:
    """Return a text with one error in a word of it: a letter wrong, too many, missing, or two swapped."""
    words = text.split()
    long = [place for place, word in enumerate(words) if len(word) >= _WORD_CHARACTERS_MIN]
    place = dice.choice(long or range(len(words)))
    word = words[place]
    at, letter = dice.randrange(len(word)), dice.choice(LETTERS)
    swapped = word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]
    spoilt = [f"{word[:at]}{letter}{word[at + 1 :]}", f"{word[:at]}{letter}{word[at:]}", word[:at] + word[at + 1 :], swapped]
    words[place] = dice.choice(spoilt) or letter
    return " ".join(words)


def _mistype_twice(text: str, dice: random.Random) -> str:
    return mistype(mistype(text, dice), dice)


def _reorder(text: str, dice: random.Random) -> str:
    words = text.split()
    dice.shuffle(words)
    return " ".join(words)


def _as_it_is(text: str, _dice: random.Random) -> str:
    return text


def _bare(text: str, _dice: random.Random) -> str:
    return bare(text)


SPOILINGS: Mapping[str, Callable[[str, random.Random], str]] = {
    "as they are": _as_it_is,
    "one typing error": mistype,
    "two typing errors": _mistype_twice,
    "words reordered": _reorder,
    "diacritics dropped": _bare,
}
"""The kinds of question: each spoils a title and an artist in its own way."""
