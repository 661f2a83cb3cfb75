"""The words of the most heard recordings: which there are, and which of them are near to one that somebody typed."""

from __future__ import annotations

from collections.abc import Sequence

import tantivy

from fonoteca.search.nearness import alphabet_of, one_error_away, typing_errors
from fonoteca.search.opened import SCHEMA, OpenTier
from fonoteca.search.shards import wrapped

NEAR_WORDS = 48
"""So many words at most is one taken for: the nearest, then the most heard."""

_ASKED = 400
TWICE_FUZZY_CHARS_MIN = 5
"""Of words that may have two errors."""


class Vocabulary:
    """Words in tiers, in order of popularity."""

    def __init__(self, tiers: Sequence[OpenTier]) -> None:
        self._tiers = tiers

    def has(self, word: str, *, prefix: bool = False) -> bool:
        """Return whether there is a word, or one that begins so."""
        return any(tier.has_word(word, prefix=prefix) for tier in self._tiers)

    def near(self, word: str, errors: int, *, prefix: bool = False) -> dict[str, int]:
        """Return words within so many typing errors of one, 1 or 2, at most NEAR_WORDS, and how far each is.

        Two errors are only looked for in long words, and among the first two million; so is one in other letters than ALPHABETS.
        Cost: 1 ms for one error in one of ALPHABETS, else 15 ms for each million words.
        """
        errors = min(errors, 1 if len(word) < TWICE_FUZZY_CHARS_MIN else 2)
        found: dict[str, int] = {}
        quick = errors == 1 and not prefix and alphabet_of(word) != ""
        for tier in self._tiers if quick else self._tiers[:1]:
            for each in self._candidates(tier, word, errors, prefix=prefix):
                distance = typing_errors(word, each, prefix=prefix)
                if 0 < distance <= errors:
                    found.setdefault(each, distance)
            if len(found) >= NEAR_WORDS:
                break
        return dict(sorted(found.items(), key=lambda each: each[1])[:NEAR_WORDS])

    def _candidates(self, tier: OpenTier, word: str, errors: int, *, prefix: bool) -> list[str]:
        with wrapped(tier.name):
            letters = alphabet_of(word)
            if errors == 1 and not prefix and letters:
                there = [each for each in dict.fromkeys(one_error_away(word, letters)) if each and tier.has_word(each)]
                if not there:
                    return []
                query = tantivy.Query.term_set_query(SCHEMA, "title", there)
            else:
                query = tantivy.Query.fuzzy_term_query(SCHEMA, "title", word, distance=errors, prefix=prefix)
        return [card.title for card in tier.cards(tier.documents(query, _ASKED))]
