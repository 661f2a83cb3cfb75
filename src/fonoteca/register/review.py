"""What rights held for a person, as a curator knows it: the queue, what of it is alike, and what its evidence says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, insert, literal_column, or_, select

from fonoteca.formats.dossiers import bounded, dossier_json, parse_dossier, said_digest, text_keys
from fonoteca.model.rights import Dossier, Hold, PublishedEvidence, Refusal
from fonoteca.register import reading
from fonoteca.register.bulk import batched
from fonoteca.register.rows import DecisionRow, DecisionState, Outcome, storable
from fonoteca.register.schema import WAITS, decision, decision_text, item
from fonoteca.sql.engine import insert_or

NO_DOSSIER = Dossier()
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """A refusal or hold, of which item, when, and what is kept of it."""

    verdict: Refusal | Hold
    item_key: str
    at: datetime
    dossier: Dossier


@dataclass(frozen=True, slots=True)
class Sift:
    """Which held items are meant. "" means any. text: the key of a text that their evidence has (`text_key`)."""

    rule: str = ""
    source: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many held items have something alike. value: what `Sift` takes. example: a piece of evidence that says it, of a text."""

    value: str
    count: int
    example: PublishedEvidence | None = None


def record_decision(connection: Connection, judged: Judged) -> None:
    """Write a refusal or hold with its dossier, in place of what was known of the same subject, outcome and rule."""
    verdict, dossier = judged.verdict, bounded(judged.dossier)
    source = judged.item_key.split(":", 1)[0]
    said = {
        "item_key": judged.item_key,
        "reason": storable(verdict.reason),
        "remedy": storable(verdict.remedy if isinstance(verdict, Refusal) else verdict.question),
        "at": judged.at,
        "source": source,
        "title": storable(dossier.title),
        "artist": storable(dossier.artist),
        "said": said_digest(dossier),
        "dossier": dossier_json(dossier),
    }
    key = {
        "subject": storable(verdict.subject),
        "outcome": Outcome.REFUSAL if isinstance(verdict, Refusal) else Outcome.HOLD,
        "rule": verdict.rule,
    }
    connection.execute(insert_or(connection, item).values(key=judged.item_key, source=source).on_conflict_do_nothing())
    statement = insert_or(connection, decision).values(**key, **said, state=DecisionState.OPEN, settlement="")
    made = statement.on_conflict_do_update(index_elements=list(key), set_=said).returning(decision.c.id)
    number = connection.execute(made).scalar_one()
    connection.execute(delete(decision_text).where(decision_text.c.decision_key == number))
    rows = [{"text_key": each, "decision_key": number} for each in sorted(text_keys(dossier))]
    if rows:
        connection.execute(insert(decision_text), rows)


def held_for_review(sift: Sift) -> Select[Any]:
    """Select the holds that wait: of each subject the newest one, since rights hold it by one rule at a time."""
    later = decision.alias("later")
    newer = exists().where(
        later.c.subject == decision.c.subject,
        later.c.outcome == literal_column("'hold'"),
        later.c.state.concat("") == DecisionState.OPEN,  # so that SQLite looks them up by subject, not among all that are open
        or_(later.c.at > decision.c.at, and_(later.c.at == decision.c.at, later.c.id > decision.c.id)),
    )
    found = select(decision).where(WAITS, ~newer)
    if sift.rule:
        found = found.where(decision.c.rule == sift.rule)
    if sift.source:
        found = found.where(decision.c.source == sift.source)
    if sift.text:
        texts = decision_text.c.decision_key == decision.c.id, decision_text.c.text_key == sift.text
        found = found.where(exists().where(*texts))
    return found


class Review:
    """The register as curators know it. Made by `Register.review`; it only reads."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._reading = reading

    def page(self, sift: Sift, after: str = "", limit: int = 50) -> list[DecisionRow]:
        """Return held items in order of subject, those after one."""
        chosen = held_for_review(sift).order_by(decision.c.subject).limit(limit)
        with self._reading() as connection:
            found = connection.execute(chosen.where(decision.c.subject > after) if after else chosen)
            return [reading.decision_row(row) for row in found]

    def count(self, sift: Sift) -> int:
        """Return how many items are held. Cost: their number."""
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(held_for_review(sift).subquery())).scalar_one())

    def alike(self, sift: Sift, limit: int = 50) -> Mapping[str, Sequence[Tally]]:
        """Return how many held items have a `rule`, a `source`, a `text`, the most first. Each without its own part of the sift.

        Cost: the number of held items.
        """
        with self._reading() as connection:
            return {
                "rule": _tallies(connection, held_for_review(Sift("", sift.source, sift.text)), "rule", limit),
                "source": _tallies(connection, held_for_review(Sift(sift.rule, "", sift.text)), "source", limit),
                "text": _texts(connection, held_for_review(Sift(sift.rule, sift.source, "")), limit),
            }

    def about(self, subject: str) -> list[DecisionRow]:
        """Return all decisions about a subject, newest first."""
        chosen = select(decision).where(decision.c.subject == storable(subject))
        with self._reading() as connection:
            rows = connection.execute(chosen.order_by(decision.c.at.desc(), decision.c.id.desc())).all()
        return [reading.decision_row(row) for row in rows]

    def waiting(self, subjects: Sequence[str]) -> Mapping[str, DecisionRow]:
        """Return the hold that waits of each of some subjects that has one."""
        found: dict[str, DecisionRow] = {}
        with self._reading() as connection:
            for some in batched([storable(each) for each in subjects], _AT_ONCE):
                rows = connection.execute(held_for_review(Sift()).where(decision.c.subject.in_(list(some))))
                found |= {row.subject: reading.decision_row(row) for row in rows}
        return found

    def dossier(self, row: DecisionRow) -> Dossier:
        """Return what is kept of a decision; an empty one where that is older than dossiers. Raises: FormatError."""
        key = (decision.c.subject == row.subject, decision.c.outcome == row.outcome, decision.c.rule == row.rule)
        with self._reading() as connection:
            text = connection.execute(select(decision.c.dossier).where(*key)).scalar()
        return parse_dossier(text or "", row.subject)


def _tallies(connection: Connection, chosen: Select[Any], column: str, limit: int) -> list[Tally]:
    rows = chosen.subquery()
    counted = select(rows.c[column], func.count()).group_by(rows.c[column]).order_by(func.count().desc(), rows.c[column])
    return [Tally(str(value), int(count)) for value, count in connection.execute(counted.limit(limit))]


def _texts(connection: Connection, chosen: Select[Any], limit: int) -> list[Tally]:
    """Return the texts that evidence of chosen decisions has, each with a piece of evidence that says it."""
    rows = chosen.subquery()
    key = decision_text.c.text_key
    counted = select(key, func.count(), func.min(rows.c.id)).join(rows, rows.c.id == decision_text.c.decision_key)
    found = connection.execute(counted.group_by(key).order_by(func.count().desc(), key).limit(limit)).all()
    examples = {number for _, _, number in found}
    kept = connection.execute(select(decision.c.id, decision.c.subject, decision.c.dossier).where(decision.c.id.in_(examples)))
    texts = {row.id: text_keys(parse_dossier(row.dossier, row.subject)) for row in kept}
    return [Tally(text, int(count), texts[number].get(text)) for text, count, number in found]
