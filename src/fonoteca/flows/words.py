"""Words of curators about the catalogue, kept as events in the store's log: they outlive every import, build and rebuild."""

from __future__ import annotations

from collections.abc import Mapping

from fonoteca.model.ids import RecordingId
from fonoteca.model.words import Word, WordKind
from fonoteca.register import Register

MERGED, SPLIT, WORD_TAKEN_BACK = "recordings-merged", "recording-split", "word-taken-back"
SUBJECT = "catalogue"
"""What these events are about."""

KINDS: Mapping[str, WordKind] = {MERGED: WordKind.MERGE, SPLIT: WordKind.SPLIT}
EVENTS: Mapping[WordKind, str] = {kind: what for what, kind in KINDS.items()}

WORDS_MAX = 100_000
"""Words and their taking back, all in all: a person who says a hundred a day is done after three years."""


def words_of(register: Register) -> tuple[Word, ...]:
    """Return the words that stand, in order of being said."""
    found: dict[tuple[int, str], Word] = {}
    for event in reversed(register.events(WORDS_MAX, subject=SUBJECT)):
        facts = dict(event.facts)
        if event.what in KINDS:
            ids = tuple(RecordingId(one) for one in str(facts["ids"]).split())
            recording, entry = RecordingId(str(facts["recording"])), int(facts["entry"])
            word = Word(KINDS[event.what], recording, ids, str(facts["reason"]), event.at, entry)
            found[_name(word)] = word
        elif event.what == WORD_TAKEN_BACK:
            found.pop((int(facts["word"]), str(facts["said_at"])), None)
    return tuple(sorted(found.values(), key=lambda word: (word.at, word.entry)))


def _name(word: Word) -> tuple[int, str]:
    """Return what tells a word from others: entries are numbered anew where a docket was lost."""
    return word.entry, word.at.isoformat()
