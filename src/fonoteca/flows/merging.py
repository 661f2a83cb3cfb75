"""Words of curators about the catalogue: that recordings are one, or that one is two; said, taken back, and told to the next build.

A word counts from the next build on. See `words` for how it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.words import made_one, told_of
from fonoteca.flows.actions import Action, DeskRooms, text_of
from fonoteca.flows.catalogue import refresh
from fonoteca.flows.events import record_events
from fonoteca.flows.words import words_of
from fonoteca.formats.words import BUILD, EVENTS, SUBJECT, WORD_TAKEN_BACK, WORDS_MAX
from fonoteca.model.catalogue import Recording
from fonoteca.model.corridor import Event
from fonoteca.model.desk import Entry, Order
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import RecordingId
from fonoteca.model.words import Word, WordKind

IDS_MAX = 100
"""That one word may name."""
REASON_LETTERS_MOST = 2000
NEXT_BUILD = "it counts from the next `fonoteca catalogue build` on"


def recording_at(catalogue: Catalogue, recording_id: str) -> Recording:
    """Return a recording of the snapshot in force. Raises: UsageError for an id that it does not have."""
    found = catalogue.recording(recording_id)
    if found is None:
        remedy = "See `fonoteca search`, or build the catalogue first."
        raise UsageError(recording_id, "the catalogue has no recording of this id", remedy)
    return found


def _check(order: Order) -> None:
    ids, reason = order.facts.get("ids"), text_of(order.facts, "reason")
    if not isinstance(ids, list) or not 1 <= len(ids) <= IDS_MAX:
        raise UsageError(order.subject, f"expected 1 to {IDS_MAX} ids beside its own", "Name them.")
    for one in (order.subject, *ids):
        _id(one)
    if len(set(ids)) < len(ids) or (order.action == WordKind.MERGE and order.subject in ids):
        raise UsageError(order.subject, "an id is named twice", "Name each once.")
    if not reason.strip():
        raise UsageError(order.subject, "no reason is given", "Say why: others will want to know.")
    if len(reason) > REASON_LETTERS_MOST:
        problem = f"expected a reason of at most {REASON_LETTERS_MOST:,} characters, found {len(reason):,}"
        raise UsageError(order.subject, problem, "Make it shorter.")


def _id(one: Any) -> RecordingId:
    try:
        return RecordingId(one)
    except (FormatError, TypeError) as error:
        raise UsageError(repr(one), "not the id of a recording", "Write it as `fonoteca search` does.") from error


def _merge(rooms: DeskRooms, entry: Entry) -> str:
    """Say that recordings are one. Returns: what comes next."""
    if (known := _known(rooms, entry)) is not None:
        return _merged_words(known)
    stays = recording_at(rooms.catalogue, entry.order.subject)
    parts: list[RecordingId] = []
    for one in entry.order.facts["ids"]:
        part = recording_at(rooms.catalogue, one)
        if part.id == stays.id or part.id in parts:
            raise UsageError(one, f"the catalogue has it as {part.id} already", "There is nothing to merge.")
        parts.append(part.id)
    word = _word(WordKind.MERGE, stays.id, parts, entry)
    _say(rooms, word)
    return _merged_words(word)


def _merged_words(word: Word) -> str:
    others = f"{len(word.ids)} recordings become" if len(word.ids) > 1 else f"{word.ids[0]} becomes"
    return f"{others} part of {word.recording}; {NEXT_BUILD}"


def _split(rooms: DeskRooms, entry: Entry) -> str:
    """Say that a recording is two. Returns: what comes next."""
    if (known := _known(rooms, entry)) is not None:
        return _split_words(known)
    whole = recording_at(rooms.catalogue, entry.order.subject)
    rows = list(dict.fromkeys(row.id for row in rooms.catalogue.rows_of(whole)))
    going = [_id(one) for one in entry.order.facts["ids"]]
    for one in going:
        if one not in rows:
            raise UsageError(one, f"no row of {whole.id} has this id", f"Its rows are {', '.join(rows[:10])}.")
    staying = [one for one in rows if one not in going]
    if not staying:
        raise UsageError(whole.id, "nothing would be left of it", "Leave at least one of its ids.")
    if (earlier := made_one(words_of(rooms.register), going, staying)) is not None:
        raise _said_before(whole.id, earlier)
    word = _word(WordKind.SPLIT, staying[0], [one for one in rows if one in going], entry)
    _say(rooms, word)
    return _split_words(word)


def _split_words(word: Word) -> str:
    others = f"{len(word.ids)} ids leave" if len(word.ids) > 1 else f"{word.ids[0]} leaves"
    return f"{others} the recording of {word.recording}; {NEXT_BUILD}"


def _differ(rooms: DeskRooms, entry: Entry) -> str:
    """Say that a recording is not another one, and no rule is to merge it. Returns: what comes next."""
    (other,) = entry.order.facts["ids"]
    own, theirs = recording_at(rooms.catalogue, entry.order.subject), recording_at(rooms.catalogue, other)
    if own.id == theirs.id:
        raise UsageError(own.id, f"the catalogue has {other} as the same one", "Split it instead.")
    if _known(rooms, entry) is None:
        _say(rooms, _word(WordKind.SPLIT, theirs.id, [own.id], entry))
    return f"{own.id} is not {theirs.id}, and no rule makes it one with any; {NEXT_BUILD}"


def _build(rooms: DeskRooms, entry: Entry) -> str:
    """Build the catalogue and its search index. Returns: what was made."""
    made = refresh(rooms.cataloguing())
    return f"snapshot {made.name}: {made.recording_count:,} recordings"


def _word(kind: WordKind, recording: RecordingId, ids: Sequence[RecordingId], entry: Entry) -> Word:
    return Word(kind, recording, tuple(ids), text_of(entry.order.facts, "reason"), entry.put_at, entry.number)


def _known(rooms: DeskRooms, entry: Entry) -> Word | None:
    """Return the word of an entry that stands already: a run was killed after it was said."""
    return next((word for word in words_of(rooms.register) if (word.entry, word.at) == (entry.number, entry.put_at)), None)


def _say(rooms: DeskRooms, word: Word) -> None:
    """Keep a word. Raises: UsageError for one that contradicts or repeats another that stands."""
    words = words_of(rooms.register)
    if len(words) >= WORDS_MAX // 2:
        raise UsageError(word.recording, f"{len(words):,} words stand already", "Take some back first.")
    for each in told_of((*words, word)).contradictions:
        if each.word == word:
            raise _said_before(word.recording, each.earlier)
    facts = (("recording", word.recording), ("ids", " ".join(word.ids)), ("reason", word.reason), ("entry", word.entry))
    record_events(rooms, rooms.register.unknown_events([Event(word.at, EVENTS[word.kind], SUBJECT, facts)]))


def _said_before(recording: RecordingId, earlier: Word) -> UsageError:
    """Return the error of a word that an earlier one stands against."""
    what = "are one" if earlier.kind is WordKind.MERGE else "are two"
    problem = f"entry {earlier.entry} of {earlier.at:%Y-%m-%d} says that they {what}: {earlier.reason}"
    remedy = f"Take that back first, if it is wrong: `fonoteca desk undo {earlier.entry} --reason WHY`."
    return UsageError(recording, problem, remedy)


def _take_back(rooms: DeskRooms, undone: Entry, entry: Entry) -> str:
    """Take a word back. Twice is as once."""
    said = (("word", undone.number), ("said_at", undone.put_at.isoformat()))
    facts = (*said, ("reason", text_of(entry.order.facts, "reason")), ("entry", entry.number))
    told = Event(entry.put_at, WORD_TAKEN_BACK, SUBJECT, facts)
    unknown = rooms.register.unknown_events([told])
    if unknown and not any((word.entry, word.at) == (undone.number, undone.put_at) for word in words_of(rooms.register)):
        raise UsageError(f"entry {undone.number}", "its word was taken back already", "There is nothing to undo.")
    record_events(rooms, unknown)
    return f"the catalogue's own rules decide again; {NEXT_BUILD}"


def _check_build(order: Order) -> None:
    if order.subject != SUBJECT:
        raise UsageError(order.subject, "it cannot be built", f"Only the {SUBJECT} can.")


_UNDONE = "The catalogue's own rules decide again, from its next build on."
MERGE = Action("merge", "Merge", _check, _merge, _take_back, _UNDONE)
SPLIT = Action("split", "Split", _check, _split, _take_back, _UNDONE)
DIFFER = Action("differ", "Not the same", _check, _differ, _take_back, _UNDONE)
BUILD_CATALOGUE = Action(BUILD, "Build of the catalogue", _check_build, _build)
