"""Words of curators about the catalogue as events keep them, and the orders that say them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fonoteca.model.corridor import Event
from fonoteca.model.desk import Order
from fonoteca.model.ids import RecordingId
from fonoteca.model.words import Word, WordKind

MERGED, SPLIT, WORD_TAKEN_BACK = "recordings-merged", "recording-split", "word-taken-back"
BUILD = "build"
"""The action that builds the catalogue, and its search index."""
SUBJECT = "catalogue"
"""What these events are about."""

KINDS: Mapping[str, WordKind] = {MERGED: WordKind.MERGE, SPLIT: WordKind.SPLIT}
EVENTS: Mapping[WordKind, str] = {kind: what for what, kind in KINDS.items()}

WORDS_MAX = 100_000
"""Words and their taking back, all in all: a person who says a hundred a day is done after three years."""


def words_from(events: Iterable[Event]) -> tuple[Word, ...]:
    """Return the words that stand, in order of being said. events: about SUBJECT, oldest first."""
    found: dict[tuple[int, str], Word] = {}
    for event in events:
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


def merging_order(recording_id: str, others: Sequence[str], reason: str) -> Order:
    """Return the order to make recordings one. recording_id: of the one that stays and stands for all."""
    return Order("merge", recording_id, {"ids": list(others), "reason": reason}, tuple(others))


def splitting_order(recording_id: str, ids: Sequence[str], reason: str) -> Order:
    """Return the order to part a recording. ids: of those of its rows that go, together, and become one of their own."""
    return Order("split", recording_id, {"ids": list(ids), "reason": reason}, tuple(ids))


def differing_order(recording_id: str, other: str, reason: str) -> Order:
    """Return the order to say that a recording is not another one."""
    return Order("differ", recording_id, {"ids": [other], "reason": reason}, (other,))
