"""What became of the wants of plans: known here alone, and kept when the register is made anew from the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from fonoteca.model.ids import RecordingId
from fonoteca.model.wants import WantRow, WantState
from fonoteca.register.bulk import batched
from fonoteca.register.rows import storable
from fonoteca.register.schema import OF_REVIEW, want
from fonoteca.sql.engine import insert_or

_AT_ONCE = 500
_TEXT_CHARS_MAX = 500


def wants_of(recordings: Sequence[str]) -> Select[Any]:
    """Select the wants for recordings."""
    return select(want).where(want.c.recording.in_(recordings))


def wants_in(plan: str, state: str, after_place: int, limit: int) -> Select[Any]:
    """Select wants of a plan in a state, `""` for any, in order of place."""
    found = select(want).where(want.c.plan == plan, want.c.place > after_place).order_by(want.c.place).limit(limit)
    return found.where(want.c.state == state) if state else found


def want_counts(plan: str) -> Select[Any]:
    """Select how many wants of a plan are in each state."""
    return select(want.c.state, func.count()).where(want.c.plan == plan).group_by(want.c.state)


def wants_held_for_review(item: str) -> Select[Any]:
    """Select the wants that wait for a person to decide about an item."""
    return select(want).where(OF_REVIEW, want.c.subject == item)


class Wants:
    """The register as an acquire of a plan knows it. Made by `Register.wants`; each writing method is one transaction."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[Connection]],
        write: Callable[[Callable[[Connection], object]], object],
    ) -> None:
        self._reading = reading
        self._write = write

    def record(self, rows: Sequence[WantRow]) -> None:
        """Record what became of wants, in place of what was known of the same recordings."""
        values = [_values(row) for row in rows]

        def work(connection: Connection) -> None:
            for some in batched(values, _AT_ONCE):
                statement = insert_or(connection, want).values(list(some))
                rest = {column.name: statement.excluded[column.name] for column in want.c if column.name != "recording"}
                connection.execute(statement.on_conflict_do_update(index_elements=["recording"], set_=rest))

        if values:
            self._write(work)

    def of(self, recordings: Sequence[str]) -> Mapping[str, WantRow]:
        """Return what is known of recordings, by recording; nothing of one that nobody has looked for."""
        with self._reading() as connection:
            found = [row for some in batched(recordings, _AT_ONCE) for row in connection.execute(wants_of(list(some)))]
        return {row.recording: _row(row) for row in found}

    def waiting_for(self, item: str) -> list[WantRow]:
        """Return the wants that wait for a person to decide about an item."""
        with self._reading() as connection:
            return [_row(row) for row in connection.execute(wants_held_for_review(storable(item)))]

    def page(self, plan: str, state: str = "", after_place: int = 0, limit: int = 100) -> list[WantRow]:
        """Return wants of a plan in a state, `""` for any, that come after a place, in order."""
        with self._reading() as connection:
            return [_row(row) for row in connection.execute(wants_in(plan, state, after_place, limit))]

    def counts(self, plan: str) -> Mapping[WantState, int]:
        """Return how many wants of a plan are in each state that any is in."""
        with self._reading() as connection:
            return {WantState(state): int(count) for state, count in connection.execute(want_counts(plan))}


def _values(row: WantRow) -> dict[str, Any]:
    texts = ("title", "artist", "subject", "reference", "reason")
    told = {name: storable(getattr(row, name)[:_TEXT_CHARS_MAX]) for name in texts}
    plain = ("recording", "plan", "place", "tries", "next_at", "changed_at")
    return {**{name: getattr(row, name) for name in plain}, **told, "state": row.state.value}


def _row(row: Row[Any]) -> WantRow:
    named = row._asdict()
    return WantRow(**{**named, "recording": RecordingId(row.recording), "state": WantState(row.state)})
