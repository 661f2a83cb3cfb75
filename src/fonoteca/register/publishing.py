"""The register as publishing knows it: what is in no drop yet, by keys of few bytes, and which drop carries a version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice

from sqlalchemy import Connection

from fonoteca.model.corridor import DropMember
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.register import queries

_ROWS_AT_ONCE = 1000


class Publishing:
    """Questions of one run of publishing. Keys are this register's own and good for this run only.

    reading: gives a connection. A drop that a successor replaces counts for nothing.
    """

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._reading = reading

    def undropped(self, kind: str) -> Iterator[tuple[int, DropMember]]:
        """Yield the versions of a kind that no drop carries, with their keys, in order of recording.

        Cost: their number, not that of all.
        """
        after_key = 0
        while True:
            with self._reading() as connection:
                page = connection.execute(queries.undropped(kind, after_key, _ROWS_AT_ONCE)).all()
            if not page:
                return
            yield from ((row.id, DropMember(ObjectId(row.object_id), row.version)) for row in page)
            after_key = page[-1].id

    def members(self, keys: Iterable[int]) -> Iterator[DropMember]:
        """Yield the versions that have these keys, in their order."""
        rest = iter(keys)
        while some := list(islice(rest, _ROWS_AT_ONCE)):
            with self._reading() as connection:
                rows = connection.execute(queries.versions_with_keys(some)).all()
            found = {row.id: DropMember(ObjectId(row.object_id), row.version) for row in rows}
            yield from (found[int(key)] for key in some)

    def carrier(self, member: DropMember) -> DropId | None:
        """Return the drop that carries a version, the first by id of several; None where none does."""
        with self._reading() as connection:
            carriers = set(connection.execute(queries.dropped_in(member.object_id, member.version)).scalars())
            if len(carriers) > 1:
                carriers -= {old for text in connection.execute(queries.drops_that_replace()).scalars() for old in text.split()}
        return DropId(min(carriers)) if carriers else None
