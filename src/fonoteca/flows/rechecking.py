"""Ask sources again what they say of the rights in what is held.

Rules of order:
  1. those that were asked the longest ago come first; what is withdrawn is not asked about;
  2. the same statement is marked in the log and the register, and is no new version: nothing of the object changed;
  3. another one is judged by the rights gate: what grants as much or more is kept as new evidence;
  4. what grants less, is gone or is refused is a question for a person: a licence that was given is not taken back by a change of a
     web page, and whether this one was given is what the person finds out. Meanwhile it is given out, unless the settings say dark.
Outcomes are told once they are durable, BATCH at a time: a run that is killed asks about at most so many again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from fonoteca.flows.events import record_events
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.flows.replay import HELD_FOR_REVIEW, SOURCE_CHANGED, SOURCE_GONE
from fonoteca.flows.withdraw import Order, WithdrawRooms, withdraw
from fonoteca.formats.dossiers import bounded, dossier_json, said_digest
from fonoteca.formats.objectjson import published_statement
from fonoteca.model.corridor import Event
from fonoteca.model.errors import SourceBusy, SourceError, SourceMissing, SourceRefused, TrustError
from fonoteca.model.ids import LogicalPath, ObjectId
from fonoteca.model.rights import Admission, Dossier, Evidence, Hold, Policy, PublishedEvidence, RightsRecord, Scheme
from fonoteca.model.settings import RecheckSettings
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.ports import Clock, Progress
from fonoteca.register import SOURCE_CONFIRMED, SOURCE_DOUBTED, SOURCE_RESTATED, SOURCE_SILENT, DecisionState, Register
from fonoteca.rights import judge_restated, licence_named
from fonoteca.sources import SOURCES, Held, Restating, SourceContext
from fonoteca.store import Store

BATCH = 50

_OURS = frozenset({Scheme.DECISION, Scheme.OWNER, Scheme.TAG})
"""What was said here, or by the files themselves: the source is not asked about it."""
_SETTLED = DecisionState.SETTLED
_PRIVATE = published_statement(Scheme.FREE_TEXT, "\n")
_GROUND = "its source says something else of the rights in it now, and a person looks at that"
_QUESTION = "Was it given under the licence it is held under? Rule under which it comes; or that it stays out, and withdraw it."


class Became(StrEnum):
    """What came of asking, by the event that tells of it."""

    CONFIRMED = SOURCE_CONFIRMED
    RESTATED = SOURCE_RESTATED
    DOUBTED = SOURCE_DOUBTED
    SILENT = SOURCE_SILENT


@dataclass(frozen=True, slots=True)
class RecheckRooms:
    """What asking again needs. withdrawing: what making dark needs, where the settings want that."""

    store: Store
    register: Register
    policy: Policy
    clock: Clock
    sources: SourceContext
    evidence: EvidenceVault
    settings: RecheckSettings
    withdrawing: Callable[[], WithdrawRooms]
    progress: Progress


@dataclass(frozen=True, slots=True)
class Question:
    """An object whose source can be asked. address: that is asked first."""

    object_id: ObjectId
    source: str
    address: str
    held: Held
    record: RightsRecord = field(repr=False)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A question for a person, and what is kept for who decides about it."""

    hold: Hold
    dossier: Dossier


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What came of a question. words: in what way, for a person."""

    question: Question
    became: Became
    words: str
    events: tuple[Event, ...] = field(repr=False)
    doubt: Doubt | None = field(default=None, repr=False)
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Round:
    """What one run asks. kinds: of sources, none for all that can be asked. due: only what the settings' cycle has come to.

    items_max: questions; requests_max: of the web, None for no limit of the run's own.
    """

    kinds: tuple[str, ...] = ()
    due: bool = False
    items_max: int = 1000
    requests_max: int | None = None


def restating_kinds() -> list[str]:
    """Return the kinds of source that can be asked again."""
    return [kind for kind, source in SOURCES.items() if isinstance(source, Restating)]


def questions(rooms: RecheckRooms, asked: Round) -> Iterator[Question]:
    """Yield what would be asked, the longest ago first. Nobody is asked. Cost: a read of each object's rights."""
    kinds = asked.kinds or tuple(restating_kinds())
    before = rooms.clock.now() - timedelta(days=rooms.settings.cycle_days) if asked.due else None
    masked = rooms.register.withdrawals.masked()
    # What leads nowhere is looked past, within a bound, so that it keeps nobody else from being asked.
    found = 0
    for row in rooms.register.asking.longest_ago(kinds, before, asked.items_max * 2 + len(masked)):
        source = SOURCES[row.source]
        if row.object_id in masked or not isinstance(source, Restating):
            continue
        record = rooms.store.rights(row.object_id)
        told_at = next((each.source_uri for each in record.evidence if each.scheme not in _OURS), "")
        names = tuple(LogicalPath(file.logical_path) for file in rooms.register.files(row.object_id))
        held = Held(record.item, record.kind, told_at, names)
        address = source.asked_again(held) if told_at else ""
        if address:
            yield Question(row.object_id, row.source, address, held, record)
            found += 1
        if found == asked.items_max:
            return


def recheck(rooms: RecheckRooms, asked: Round) -> Iterator[Rechecked]:
    """Yield what came of each question, once it is durable. A host that wants to be left alone is not asked again in this run.

    Raises: StoreError when the archive's own disk fails.
    """
    web, sent = rooms.sources.web, rooms.sources.web.sent
    busy: set[str] = set()
    waiting: list[Rechecked] = []
    todo = list(questions(rooms, asked))
    with rooms.progress.task("asking sources again", len(todo), "items") as advance:
        for question in todo:
            if asked.requests_max is not None and web.sent - sent >= asked.requests_max:
                break
            host = urlsplit(question.address).netloc
            if host not in busy:
                try:
                    waiting.append(_ask(rooms, question))
                except SourceBusy:
                    busy.add(host)  # its turn comes in another run: it is still among those asked the longest ago
            advance(1)
            if len(waiting) >= BATCH:
                yield from _settled(rooms, waiting)
                waiting = []
    yield from _settled(rooms, waiting)


def narrower(record: RightsRecord, decision: Admission) -> str:
    """Return in what way an admission grants less, or asks for more, than a record; "" where it does not."""
    before = licence_named(record.licence_uri)
    lost = sorted(record.acts - decision.acts)
    asks = sorted(decision.licence.requires - before.requires) if before is not None else []
    words = [f"no longer grants {', '.join(lost)}"] if lost else []
    words += [f"asks for {', '.join(asks)}, too"] if asks else []
    words += ["lets its format be changed no more"] if record.transcode and not decision.transcode else []
    return " and ".join(words)


def _ask(rooms: RecheckRooms, question: Question) -> Rechecked:
    """Return what comes of asking about one object. Raises: SourceBusy."""
    source = SOURCES[question.source]
    assert isinstance(source, Restating), "others are not asked"
    try:
        said = source.said_again(question.held, rooms.sources)
    except (SourceMissing, SourceRefused) as error:
        return _doubted(rooms, question, SOURCE_GONE, f"its source does not give it any more: {error.problem}", ())
    except SourceBusy:
        raise
    except (SourceError, TrustError) as error:
        return Rechecked(question, Became.SILENT, str(error), (_event(rooms, question, Became.SILENT),))
    before = _statements(question.record.evidence)
    if _statements(_published(rooms, said)) == before:
        return Rechecked(question, Became.CONFIRMED, "says the same", (_event(rooms, question, Became.CONFIRMED),))
    return _judged(rooms, question, said)


def _judged(rooms: RecheckRooms, question: Question, said: tuple[Evidence, ...]) -> Rechecked:
    """Return what the rights gate makes of another statement than the one on record."""
    record = question.record
    decision = judge_restated(record, said, rooms.policy, rooms.clock.now())
    if any(each.scheme is Scheme.DECISION for each in record.evidence):
        reason = "a person settled what it comes under, and its source says something else now"
        return _doubted(rooms, question, SOURCE_CHANGED, reason, said)
    if not isinstance(decision, Admission):
        return _doubted(rooms, question, SOURCE_CHANGED, f"what its source says now would not let it in: {decision.reason}", said)
    less = narrower(record, decision)
    if less:
        reason = f"it is held under {record.licence_uri}, and what its source says now, {decision.licence.uri}, {less}"
        return _doubted(rooms, question, SOURCE_CHANGED, reason, said)
    facts = (("licence", decision.licence.uri), ("before", record.licence_uri), ("evidence", _digests(rooms, said)))
    told = _event(rooms, question, Became.RESTATED, facts)
    return Rechecked(question, Became.RESTATED, f"says {decision.licence.uri} now, which grants as much", (told,), None, said)


def _doubted(rooms: RecheckRooms, question: Question, rule: str, reason: str, said: tuple[Evidence, ...]) -> Rechecked:
    """Return a question for a person; none where a person settled the very same."""
    about = rooms.register.decisions_about(question.record.item)
    if any((row.subject, row.rule, row.reason, row.state) == (question.object_id, rule, reason, _SETTLED) for row in about):
        told = _event(rooms, question, Became.RESTATED, (("licence", question.record.licence_uri),))
        return Rechecked(question, Became.RESTATED, "says what a person has settled", (told,))
    hold = Hold(question.object_id, rule, reason, _QUESTION)
    facts = (("item", question.record.item), ("rule", rule), ("reason", reason), ("next", _QUESTION))
    row = rooms.register.object(question.object_id)
    named = (row.title, row.artist, row.source_uri) if row is not None else ("", "", "")
    dossier = bounded(Dossier(*named, "", _published(rooms, said) or question.record.evidence))
    more = (("evidence", _digests(rooms, said)), ("said", said_digest(dossier)), ("dossier", dossier_json(dossier)))
    held = _event(rooms, question, HELD_FOR_REVIEW, (*facts, *more))
    told = _event(rooms, question, Became.DOUBTED, (("rule", rule),))
    return Rechecked(question, Became.DOUBTED, reason, (told, held), Doubt(hold, dossier), said)


def _settled(rooms: RecheckRooms, asked: list[Rechecked]) -> list[Rechecked]:
    """Return these after they are durable: raw evidence first, then the log and the register, then what goes dark."""
    rooms.evidence.keep_all(each for one in asked for each in one.evidence)
    record_events(rooms, [event for one in asked for event in one.events])
    for one in asked:
        if one.doubt is not None:
            item, at = one.question.record.item, rooms.clock.now()
            rooms.register.record_decision(one.doubt.hold, item, at, one.doubt.dossier)
            rooms.register.reopen_decisions(one.question.object_id)
            if rooms.settings.dark:
                order = Order(WithdrawalState.DISPUTED, Reason.OPERATOR, _GROUND)
                withdraw(rooms.withdrawing(), one.question.object_id, order)
    return asked


def _event(rooms: RecheckRooms, question: Question, what: str, facts: Iterable[tuple[str, str]] = ()) -> Event:
    asked = () if what == HELD_FOR_REVIEW else (("asked", question.address),)
    return Event(rooms.clock.now(), str(what), question.object_id, (*asked, *facts))


def _digests(rooms: RecheckRooms, said: Iterable[Evidence]) -> str:
    return ",".join(digest for each in said if (digest := rooms.evidence.digest(each)))


def _published(rooms: RecheckRooms, said: Iterable[Evidence]) -> tuple[PublishedEvidence, ...]:
    """Return evidence as a record would keep it."""
    return tuple(
        PublishedEvidence(
            e.scheme,
            published_statement(e.scheme, e.statement),
            e.source_uri,
            e.declarer,
            e.observed_at,
            rooms.evidence.digest(e),
        )
        for e in said
    )


def _statements(evidence: Iterable[PublishedEvidence]) -> frozenset[tuple[str, str, str]]:
    """Return what a source states. Of a text that a record does not show, the digest of what it was read from tells."""
    return frozenset(
        (each.scheme, each.statement, each.salted_sha256 if each.statement == _PRIVATE else "")
        for each in evidence
        if each.scheme not in _OURS
    )
