"""What was withdrawn, as the register knows it: the newest statement of each archive about an object, and what became of it here.

Everything in here comes from the event log, and what is entered twice is as once, so that the log may be replayed over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from zlib import crc32

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, or_, select, update

from fonoteca.formats.tombstones import parse_tombstone, tombstone_line
from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Answer, Authority, Purpose, Tombstone, Withdrawal, WithdrawalState, joined
from fonoteca.register.changes import note_all_changes, note_changes
from fonoteca.register.queries import drops_with
from fonoteca.register.questions import Question, asked
from fonoteca.register.rows import storable
from fonoteca.register.schema import (
    TALLY_BUCKETS,
    change,
    file,
    fixity_check,
    holding,
    member_file,
    object_,
    piece_hashes,
    tally,
    version,
    withdrawal,
)
from fonoteca.register.shelving import unshelve
from fonoteca.register.sieve import Sieve

_T = TypeVar("_T")


def withdrawals_of(object_id: str) -> Question:
    """Select the statements about an object."""
    return Question(_OF_OBJECT, {"object_id": object_id})


def all_withdrawals() -> Select[Any]:
    """Select every statement, in order of object."""
    return _ALL


_OF_OBJECT = select(withdrawal).where(withdrawal.c.object_id == bindparam("object_id")).order_by(withdrawal.c.authority)
_ALL = select(withdrawal).order_by(withdrawal.c.object_id, withdrawal.c.authority)
"""Made once: every page asks it, and every file that goes out the other."""


class Withdrawals:
    """The register as withdrawals know it. Made by `Register.withdrawals`; each writing method is one transaction."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[Connection]],
        write: Callable[[Callable[[Connection], object]], object],
    ) -> None:
        self._reading = reading
        self._write = write

    # What is known --------------------------------------------------------------------------------------------------

    def all(self) -> list[Withdrawal]:
        """Return every statement, in order of object; of one object the archive's own comes after that which it follows."""
        return [_withdrawal(row) for row in self._rows(all_withdrawals())]

    def of(self, object_id: str) -> list[Withdrawal]:
        """Return the statements about an object, none for most. Cost: one look-up by key."""
        return [_withdrawal(row) for row in self._rows(withdrawals_of(object_id))]

    def mask(self, object_id: str, purpose: Purpose | None = None) -> Withdrawal | None:
        """Return why an object is not given out for a purpose, None when nothing was withdrawn of it. Cost: as `of`.

        Where several archives withdrew parts of it, the last statement means all of these parts.
        """
        masking = [each for each in self.of(object_id) if each.masks(purpose)]
        return replace(masking[-1], tombstone=joined([each.tombstone for each in masking])) if masking else None

    def masked(self, purpose: Purpose | None = None) -> Mapping[ObjectId, Tombstone]:
        """Return what is not given out for a purpose; None: for any at all. Joined as in `mask`. Cost: the number of statements."""
        return _masking(self.all(), (purpose,))

    def masked_for(self, purposes: Iterable[Purpose]) -> Mapping[ObjectId, Tombstone]:
        """Return what is not given out for one of some purposes, by one reading. Joined as in `mask`."""
        return _masking(self.all(), tuple(purposes))

    def sieve(self, purpose: Purpose) -> Sieve:
        """Return what takes out of lists what is not given out for a purpose. Cost: the number of statements."""
        said = self.all()
        return Sieve(_masking(said, (purpose,)), any(each.purged_at and each.authority is Authority.OWN for each in said))

    def newest_number(self, authority: Authority) -> int:
        """Return the number of an archive's newest statement, 0 before the first."""
        return max((each.tombstone.number for each in self.all() if each.authority is authority), default=0)

    def purges_under_way(self) -> list[Withdrawal]:
        """Return what was ordered to be purged and is not known to be gone."""
        under_way = withdrawal.c.purge_at.is_not(None) & withdrawal.c.purged_at.is_(None)
        return [_withdrawal(row) for row in self._rows(all_withdrawals().where(under_way))]

    def purged(self) -> set[ObjectId]:
        """Return the objects whose bytes are gone from here."""
        return {ObjectId(row.object_id) for row in self._rows(all_withdrawals().where(withdrawal.c.purged_at.is_not(None)))}

    def drops_with(self, object_id: str) -> list[str]:
        """Return the infohashes, v1 and v2, of the drops that carry versions of an object, in order."""
        rows = self._rows(drops_with(object_id))
        return sorted({*(row.infohash_v1 for row in rows), *(row.infohash_v2 for row in rows)})

    # What is said ---------------------------------------------------------------------------------------------------

    def enter(self, tombstone: Tombstone, authority: Authority, origin: str = "") -> None:
        """Take a statement, unless a newer one of the same archive about the same object is known. origin: that archive's mark.

        A newer one of the archive that is followed wants a new answer; one that gives the object back lets it be fetched again.
        """
        key = {"object_id": tombstone.object_id, "authority": _column(authority, origin)}
        said = {"number": tombstone.number, "tombstone": tombstone_line(tombstone)}
        answer: dict[str, Any] = {"answer": Answer.PENDING, "answered_at": None, "answer_ground": ""}
        back = authority is Authority.FOLLOWED and tombstone.state is WithdrawalState.REINSTATED
        this = (withdrawal.c.object_id == tombstone.object_id, withdrawal.c.authority == key["authority"])

        def work(connection: Connection) -> None:
            known = connection.execute(select(withdrawal.c.number).where(*this)).scalar()
            if known is None:
                connection.execute(insert(withdrawal).values(**key, **said, **answer))
            elif known < tombstone.number:
                gone = {"purge_at": None, "purged_at": None} if back else {}
                connection.execute(update(withdrawal).where(*this).values(**said, **answer, **gone))
            note_changes(connection, [tombstone.object_id])

        self._write(work)

    def inherit(self, tombstone: Tombstone, origin: str = "") -> None:
        """Make a statement of the archive that was followed this archive's own, unless it has a newer one itself.

        It masks as before, whatever was answered to it; what was purged stays gone.
        """
        this = withdrawal.c.object_id == tombstone.object_id
        theirs = _column(Authority.FOLLOWED, origin)
        followed = (this, withdrawal.c.authority == theirs, withdrawal.c.number <= tombstone.number)

        def work(connection: Connection) -> None:
            row = connection.execute(select(withdrawal).where(*followed)).one_or_none()
            if row is None:
                return
            own = (this, withdrawal.c.authority == Authority.OWN)
            newer = connection.execute(select(withdrawal.c.number).where(*own)).scalar()
            if newer is None or newer < row.number:
                connection.execute(delete(withdrawal).where(*own))
                said = {"authority": Authority.OWN, "answer": Answer.PENDING, "answered_at": None, "answer_ground": ""}
                connection.execute(update(withdrawal).where(*followed).values(**said))
            else:
                connection.execute(delete(withdrawal).where(*followed))
            note_changes(connection, [tombstone.object_id])

        self._write(work)

    def answer(self, answered: Withdrawal) -> None:
        """Take what the operator decided about a statement of the archive that is followed, if that is still its newest word."""
        this = (*_of(answered), withdrawal.c.number == answered.tombstone.number)
        said = {"answer": answered.answer, "answered_at": answered.answered_at, "answer_ground": storable(answered.answer_ground)}
        self._change(answered, this, said)

    def order_purge(self, ordered: Withdrawal, at: datetime) -> None:
        """Say that an object's bytes are about to go, on the strength of a statement that is still in force."""
        this = (*_of(ordered), withdrawal.c.number == ordered.tombstone.number, withdrawal.c.purge_at.is_(None))
        self._change(ordered, this, {"purge_at": at})

    def clear(self) -> None:
        """Let go of every statement, for them to be entered anew from a log that is whole."""

        def work(connection: Connection) -> None:
            connection.execute(delete(withdrawal))
            connection.execute(delete(change))
            note_all_changes(connection)

        self._write(work)

    def forget(self, object_id: str) -> None:
        """Let go of all that is held of an object whose bytes are gone. The drops that it is in stay as they are."""
        self._write(lambda connection: _forget_object(connection, object_id))

    def note_purged(self, ordered: Withdrawal, at: datetime) -> None:
        """Say that an object's bytes are gone."""
        this = (*_of(ordered), withdrawal.c.purge_at.is_not(None), withdrawal.c.purged_at.is_(None))
        self._change(ordered, this, {"purged_at": at})

    def _change(self, each: Withdrawal, this: Sequence[Any], said: Mapping[str, Any]) -> None:
        """Change what is kept of a statement, and when its object changed."""

        def work(connection: Connection) -> None:
            connection.execute(update(withdrawal).where(*this).values(**said))
            note_changes(connection, [each.tombstone.object_id])

        self._write(work)

    def _rows(self, query: Select[Any] | Question) -> list[Row[Any]]:
        with self._reading() as connection:
            return list(asked(connection, query))


def _masking(said: Iterable[Withdrawal], purposes: Sequence[Purpose | None]) -> dict[ObjectId, Tombstone]:
    """Return what statements come to that mask for one of some purposes, by object."""
    found: dict[ObjectId, list[Tombstone]] = {}
    for each in said:
        if any(each.masks(purpose) for purpose in purposes):
            found.setdefault(each.tombstone.object_id, []).append(each.tombstone)
    return {object_id: joined(tombstones) for object_id, tombstones in found.items()}


def _of(each: Withdrawal) -> Iterator[Any]:
    yield withdrawal.c.object_id == each.tombstone.object_id
    yield withdrawal.c.authority == _column(each.authority, each.origin)


def _column(authority: Authority, origin: str) -> str:
    """Return whose statement it is as the table has it."""
    return f"{authority}:{origin}" if origin else str(authority)


def _forget_object(connection: Connection, object_id: str) -> None:
    """Remove an object's rows, and take its head out of the sums."""
    row = connection.execute(select(object_).where(object_.c.object_id == object_id)).one_or_none()
    if row is None:
        return
    versions = select(version.c.id).where(version.c.object_key == row.id)
    members = select(member_file.c.id).where(member_file.c.version_key.in_(versions))
    files = select(file.c.id).where(file.c.version_key.in_(versions))
    unshelve(connection, [row.id])
    connection.execute(delete(holding).where(holding.c.file_key.in_(files)))
    connection.execute(delete(file).where(or_(file.c.version_key.in_(versions), file.c.member_key.in_(members))))
    connection.execute(delete(fixity_check).where(fixity_check.c.member_key.in_(members)))
    connection.execute(delete(piece_hashes).where(piece_hashes.c.member_key.in_(members)))
    connection.execute(delete(member_file).where(member_file.c.version_key.in_(versions)))
    connection.execute(delete(version).where(version.c.object_key == row.id))
    connection.execute(delete(object_).where(object_.c.id == row.id))
    bucket = crc32(object_id.encode("ascii")) % TALLY_BUCKETS
    less = {
        "object_count": tally.c.object_count - 1,
        "file_count": tally.c.file_count - row.file_count,
        "file_bytes": tally.c.file_bytes - row.file_bytes,
        "duration_ms": tally.c.duration_ms - row.duration_ms,
    }
    connection.execute(update(tally).where(tally.c.kind == row.kind, tally.c.bucket == bucket).values(**less))
    note_changes(connection, [object_id])


def _withdrawal(row: Row[Any]) -> Withdrawal:
    """Return a statement as the register keeps it."""
    authority, _, origin = row.authority.partition(":")
    return Withdrawal(
        tombstone=parse_tombstone(row.tombstone, f"withdrawal of {row.object_id}"),
        authority=Authority(authority),
        answer=Answer(row.answer),
        answered_at=row.answered_at,
        answer_ground=row.answer_ground,
        purge_at=row.purge_at,
        purged_at=row.purged_at,
        origin=origin,
    )
