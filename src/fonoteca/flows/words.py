"""Words of curators about the catalogue, kept as events in the store's log: they outlive every import, build and rebuild."""

from __future__ import annotations

from fonoteca.formats.words import SUBJECT, WORDS_MAX, words_from
from fonoteca.model.words import Word
from fonoteca.register import Register


def words_of(register: Register) -> tuple[Word, ...]:
    """Return the words that stand, in order of being said. Cost: one pass over all that were ever said."""
    return words_from(reversed(register.events(WORDS_MAX, subject=SUBJECT)))
