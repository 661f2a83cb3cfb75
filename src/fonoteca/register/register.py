"""The register: the transactional record of all that we hold, made anew from the store whenever it is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Select, delete, select, update

from fonoteca.formats.claim import Claim
from fonoteca.model.catalogue import HeldTrack
from fonoteca.model.corridor import Damage, Drop, DropKind, DropMember, Event, StoredVersion
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import DropId, ObjectId
from fonoteca.model.rights import Dossier, Hold, Refusal, RightsRecord
from fonoteca.model.withdrawal import Purpose
from fonoteca.register import portable, queries, reading
from fonoteca.register.asking import Asking
from fonoteca.register.auditing import Auditing
from fonoteca.register.bulk import batched
from fonoteca.register.changes import Changes, note_all_changes
from fonoteca.register.migrate import migrate
from fonoteca.register.natural import natural_rows
from fonoteca.register.owner import check_owner, claim_register, hand_over, owner_of
from fonoteca.register.publishing import Publishing
from fonoteca.register.questions import Question, asked
from fonoteca.register.recording import event_digest, forget_drop, record_checks, record_drop, record_events, split_path
from fonoteca.register.review import NO_DOSSIER, Judged, Review, record_decision
from fonoteca.register.rows import (
    Check,
    CheckRow,
    DecisionRow,
    DecisionState,
    Description,
    DropRow,
    FileRow,
    MemberRow,
    ObjectRow,
    Totals,
    VersionRow,
    plain,
    storable,
)
from fonoteca.register.schema import (
    decision,
    decision_text,
    drop,
    drop_member,
    event,
    item,
    metadata,
    object_,
    owner,
    want,
    withdrawal,
)
from fonoteca.register.shelf import Shelf
from fonoteca.register.soundness import SoundnessKnown
from fonoteca.register.terms import Terms
from fonoteca.register.versions import record_versions
from fonoteca.register.wants import Wants
from fonoteca.register.withdrawals import Withdrawals
from fonoteca.sql.engine import open_engine, write, writing
from fonoteca.sql.moments import Moments

LIMIT_DEFAULT = 100
"""Rows of a page where the caller names no other number."""

_ROWS_AT_ONCE = 1000

_T = TypeVar("_T")

_PUBLICATION = tuple(DropKind)


class Register:
    """What we hold, why we may, what was refused and published, and when bytes were checked.

    Each writing method is one transaction: durable when it returns, or as if never called. Safe for threads and for several
    processes at once; on SQLite one of them writes at a time and the others wait up to a minute. On PostgreSQL many write at once.
    Raises, from every method: StoreError when the database fails.
    """

    def __init__(self, engine: Engine, before_commit: Callable[[], None] | None, within: Connection | None = None) -> None:
        """Take an engine whose tables are there; use `Register.open`. within: a transaction that all is part of."""
        self._engine = engine
        self._before_commit = before_commit
        self._within = within
        self._moments = Moments(engine)

    @classmethod
    def open(cls, url_or_path: str | os.PathLike[str], *, before_commit: Callable[[], None] | None = None) -> Self:
        """Return the register at a file or SQLAlchemy URL, made or migrated where needed.

        before_commit: called at the end of every writing transaction, before it is durable; tests crash there.
        Raises: UsageError for an address that is none; StoreError when it cannot be opened or a newer Fonoteca made it.
        """
        engine = open_engine(os.fspath(url_or_path))
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, before_commit)

    def claim(self, own: Claim) -> None:
        """Return when this register is the archive's: it was so, or was nobody's. Raises: ClaimedError when it is another's."""
        if not self.check_owner(own):
            self._write(lambda connection: claim_register(connection, own))

    def check_owner(self, own: Claim) -> bool:
        """Return whether this register is the archive's, False when it is nobody's. Raises: ClaimedError when it is another's."""
        with self._reading() as connection:
            found = owner_of(connection)
        check_owner(found, own)
        return found is not None

    def hand_over(self, before: Claim | None, own: Claim) -> None:
        """Make this register the archive's, if it is nobody's or belongs to the archive before. Raises: ClaimedError."""
        self._write(lambda connection: hand_over(connection, before, own))

    def close(self) -> None:
        """Give back all connections. On SQLite the last one to leave folds the log into the database file."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Return the register itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    # What is held ---------------------------------------------------------------------------------------------------

    def record(self, stored: StoredVersion, rights: RightsRecord | None, description: Description) -> None:
        """Record an acknowledged version, durably. Twice is as once; versions of one object in order.

        rights: None for a document (a drop's member list), which has none.
        Raises: StoreError when the version was recorded with other bytes, or an earlier one it needs was not recorded.
        """
        self.record_many([(stored, rights, description)])

    def record_many(self, batch: Iterable[tuple[StoredVersion, RightsRecord | None, Description]]) -> None:
        """Record versions in one transaction, all or none. Some hundreds at a time are the quickest; all are in memory at once."""
        listed = list(batch)
        self._write(lambda connection: record_versions(connection, listed))

    def object(self, object_id: str) -> ObjectRow | None:
        """Return one object, or None."""
        return self._one(queries.object_by_id(object_id), reading.object_row)

    def object_at(self, object_path: str) -> ObjectRow | None:
        """Return the object at a path below the storage root, or None."""
        return self._one(queries.object_by_path(object_path), reading.object_row)

    def objects(self, kind: str | None = None, after: str | None = None, limit: int = LIMIT_DEFAULT) -> list[ObjectRow]:
        """Return a page of objects in order of id, those after `after`."""
        return self._all(queries.objects_after(kind, after, limit), reading.object_row)

    def newest(self, kind: str, limit: int = LIMIT_DEFAULT) -> list[ObjectRow]:
        """Return the objects of a kind whose heads were made last, newest first."""
        return self._all(queries.objects_newest(kind, limit), reading.object_row)

    def objects_by_artist(self, artist: str, limit: int = LIMIT_DEFAULT) -> list[ObjectRow]:
        """Return objects whose artist is exactly this, without order."""
        return self._all(queries.objects_by_artist(artist, limit), reading.object_row)

    def objects_of(self, item_key: str) -> list[ObjectRow]:
        """Return the objects of any kind that came from an item, `#` and what follows it in the key left aside."""
        return self._all(queries.objects_of_item(item_key), reading.object_row)

    def versions(self, object_id: str) -> list[VersionRow]:
        """Return an object's versions in order."""
        return self._all(queries.versions_of(object_id), reading.version_row)

    def stored_version(self, object_id: str, number: int) -> StoredVersion | None:
        """Return a version as the store acknowledged it, hashes included, from rows alone; None when not recorded."""
        with self._reading() as connection:
            row = connection.execute(queries.version_of(object_id, number)).one_or_none()
            if row is None:
                return None
            members = connection.execute(queries.hashed_members(row.id)).all()
            files = connection.execute(queries.files_of_version(row.id)).all()
            return reading.stored_version(row, list(members), list(files))

    def file_by_path(self, path: str) -> MemberRow | None:
        """Return the file at a path below the storage root, as `<object path>/vN/...`; None when none is recorded."""
        parts = split_path(path)
        return None if parts is None else self._one(queries.member_at(*parts), reading.member_row)

    def hashes_by_path(self, path: str) -> FileHashes | None:
        """Return the hashes of the file at a path below the storage root; None when none is recorded."""
        parts = split_path(path)
        return None if parts is None else self._one(queries.hashes_at(*parts), reading.hashes_of)

    def file(self, object_id: str, logical_path: str) -> FileRow | None:
        """Return one audio or artwork file of an object's head, or None."""
        return self._one(queries.file_at(object_id, logical_path), reading.file_row)

    def files(self, object_id: str) -> list[FileRow]:
        """Return the audio or artwork files of an object's head, in the order of its metadata.json."""
        return self._all(queries.files_of(object_id), reading.file_row)

    def files_by_digest(self, sha256: str) -> list[FileRow]:
        """Return the files of heads whose content has this digest."""
        return self._all(queries.files_with_digest(sha256), reading.file_row)

    def digests_held(self, sha256s: Sequence[str]) -> set[str]:
        """Return which of some digests a file of the store has. Cost: a question for a few hundred."""
        batches = batched(sha256s, _ROWS_AT_ONCE)
        return {found for batch in batches for found in self._all(queries.digests_held(batch), lambda row: str(row.sha256))}

    def files_by_artist(self, artist: str, limit: int = LIMIT_DEFAULT) -> list[FileRow]:
        """Return files of heads whose artist is exactly this, without order."""
        return self._all(queries.files_by_artist(artist, limit), reading.file_row)

    def files_of_recording(self, recording_id: str) -> list[FileRow]:
        """Return the files that hold a recording."""
        return self._all(queries.files_of_recording(recording_id), reading.file_row)

    def waiting(self) -> Iterator[ObjectId]:
        """Yield the objects whose audio waits for its analysis, in order of recording. Cost: the number of their files."""
        after_key, last = 0, ""
        while page := self._all(queries.unanalysed(after_key, _ROWS_AT_ONCE), lambda row: row):
            for row in page:
                if row.object_id != last:
                    yield ObjectId(row.object_id)
                last = row.object_id
            after_key = page[-1].id

    def waits(self, object_id: str) -> bool:
        """Return whether audio of the object's head waits for its analysis: it is not published or served before."""
        return self._one(queries.unanalysed_of(object_id), lambda row: row) is not None

    def held_tracks(self) -> Iterator[HeldTrack]:
        """Yield every track that is held and not withdrawn, in order of object and position, from one state. Cost: one pass."""
        with self._reading() as connection:
            withdrawn = Withdrawals(lambda: nullcontext(connection), self._write).masked(Purpose.FINDING)
            for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(queries.held()):
                tombstone = withdrawn.get(row.object_id)
                if tombstone is None or not tombstone.means(row.sha256):
                    yield reading.held_track(row)

    def totals(self, kind: str | None = None) -> Totals:
        """Return sums over heads of a kind, or of audio and artwork together. Cost: constant."""
        return self._all(queries.sums(kind), lambda row: Totals(*map(int, row)))[0]  # PostgreSQL sums to Decimal

    # What was refused or waits --------------------------------------------------------------------------------------

    def record_decision(self, verdict: Refusal | Hold, item_key: str, at: datetime, dossier: Dossier = NO_DOSSIER) -> None:
        """Record a refusal or hold. One row a subject, outcome and rule: again only dates it anew. A settled one stays settled."""
        self._write(lambda connection: record_decision(connection, Judged(verdict, item_key, at, dossier)))

    def decisions(
        self, state: str = DecisionState.OPEN, limit: int = LIMIT_DEFAULT, outcome: str | None = None
    ) -> list[DecisionRow]:
        """Return decisions in a state (`open`, `settled`), newest first, of one outcome (`refusal`, `hold`) or of both."""
        return self._all(queries.decisions_in(state, limit, outcome), reading.decision_row)

    def decisions_about(self, item_key: str) -> list[DecisionRow]:
        """Return all decisions about an item, oldest first."""
        return self._all(queries.decisions_about(item_key), reading.decision_row)

    def settle_decision(self, subject: str, settlement: str, at: datetime) -> int:
        """Mark the open decisions about a subject as settled, and how. Returns: how many there were."""
        statement = (
            update(decision)
            .where(decision.c.subject == storable(subject), decision.c.state == DecisionState.OPEN)
            .values(state=DecisionState.SETTLED, settlement=plain(settlement), settled_at=at)
        )
        return self._write(lambda connection: connection.execute(statement).rowcount)

    def reopen_decisions(self, subject: str) -> int:
        """Let the settled decisions about a subject wait again. Returns: how many there were."""
        settled = (decision.c.subject == storable(subject), decision.c.state == DecisionState.SETTLED)
        waits = update(decision).where(*settled).values(state=DecisionState.OPEN, settlement="", settled_at=None)
        return self._write(lambda connection: connection.execute(waits).rowcount)

    # What is published ----------------------------------------------------------------------------------------------

    def record_drop(self, published: Drop) -> None:
        """Record a drop and mark its members as dropped. Twice is as once."""
        self._write(lambda connection: record_drop(connection, published))

    def forget_drop(self, drop_id: str) -> None:
        """Take a drop back that was recorded and never published: its versions are undropped again, if no other one has them."""
        self._write(lambda connection: forget_drop(connection, drop_id))

    def drops(self) -> list[DropRow]:
        """Return all drops in order of publication: by time, then by kind, audio by what it carries."""
        rows = self._all(select(drop), reading.drop_row)
        return sorted(rows, key=lambda row: (row.created_at, _PUBLICATION.index(row.kind), -row.coverage_share, row.id))

    def members_of_drop(self, drop_id: str) -> list[DropMember]:
        """Return the versions in a drop, in order of object and version."""
        return self._all(queries.members_of_drop(drop_id), lambda row: DropMember(ObjectId(row.object_id), row.version))

    def dropped_members(self) -> Mapping[DropMember, DropId]:
        """Return every version that a drop carries which none replaces, and the first such drop by id.

        Cost: one pass, about 300 B a version.
        """
        replaced = {old for row in self.drops() for old in row.replaces}
        carried: dict[DropMember, DropId] = {}
        query = select(*drop_member.c).order_by(drop_member.c.drop_id.desc())
        with self._reading() as connection:
            for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query):
                if row.drop_id not in replaced:
                    carried[DropMember(ObjectId(row.object_id), row.version)] = DropId(row.drop_id)
        return carried

    def undropped(self, kind: str) -> Iterator[DropMember]:
        """Yield the versions of a kind that no drop carries, in order of recording. Cost: their number, not that of all."""
        return (member for _, member in self.publishing.undropped(kind))

    @property
    def auditing(self) -> Auditing:
        """The register as audits know it: files by what is due, and quarantine."""
        return Auditing(self._reading, self._write)

    @property
    def asking(self) -> Asking:
        """The register as whoever asks sources again knows it."""
        return Asking(self._reading)

    @property
    def soundness(self) -> SoundnessKnown:
        """The register as it knows what was proved: for the calendar, and for whoever asks how the archive is."""
        return SoundnessKnown(self._reading, self.auditing.events_of)

    @property
    def publishing(self) -> Publishing:
        """The register as publishing knows it: what is in no drop, by keys of few bytes."""
        return Publishing(self._reading)

    @property
    def changes(self) -> Changes:
        """The register as harvesters know it: what changed when, deletions among it."""
        return Changes(self._reading)

    @property
    def shelf(self) -> Shelf:
        """The register as players know it: albums, artists, genres and songs."""
        return Shelf(self._reading)

    @property
    def terms(self) -> Terms:
        """The register as terms know it: what may be shared for a time or somewhere alone."""
        return Terms(self._reading)

    @property
    def wants(self) -> Wants:
        """The register as an acquire of a plan knows it: what became of its wants."""
        return Wants(self._reading, self._write)

    @property
    def review(self) -> Review:
        """The register as curators know it: what rights held for a person, and what its evidence says."""
        return Review(self._reading)

    @property
    def withdrawals(self) -> Withdrawals:
        """The register as withdrawals know it: every statement, and what is under way."""
        return Withdrawals(self._reading, self._write)

    # What was checked, and what happened ----------------------------------------------------------------------------

    def record_check(self, object_id: str, path: str, at: datetime, damage: Damage | None) -> None:
        """Record that a file was checked. path: below the storage root. damage: None when it was sound."""
        self.record_checks([Check(ObjectId(object_id), path, at, damage)])

    def record_checks(self, checks: Iterable[Check]) -> None:
        """Record checks in one transaction. Twice is as once; only the latest check of a file says how it is now.

        Raises: StoreError when a file is not recorded; nothing is written then.
        """
        listed = list(checks)
        self._write(lambda connection: record_checks(connection, listed))

    def next_to_audit(self, limit: int = LIMIT_DEFAULT) -> list[MemberRow]:
        """Return the files that an audit should read next: those never checked, then those checked the longest ago."""
        never = self._all(queries.members_never_checked(limit), reading.member_row)
        rest = limit - len(never)
        return never + self._all(queries.members_checked_longest_ago(rest), reading.member_row) if rest else never

    def mark_object(self, object_id: str, damage: str) -> None:
        """Record what is wrong with an object's own inventory, sidecar or declaration, which are no version's; "": nothing."""
        statement = update(object_).where(object_.c.object_id == object_id).values(damage=damage or None)
        self._write(lambda connection: connection.execute(statement))

    def damaged_objects(self, limit: int = LIMIT_DEFAULT) -> list[ObjectRow]:
        """Return objects whose own files their last audit found damaged, in order of id."""
        return self._all(queries.objects_damaged(limit), reading.object_row)

    def damaged(self, limit: int = LIMIT_DEFAULT) -> list[MemberRow]:
        """Return files that their last check found damaged."""
        return self._all(queries.members_damaged(limit), reading.member_row)

    def checks(self, limit: int = LIMIT_DEFAULT) -> list[CheckRow]:
        """Return the last checks of any file, newest first."""
        return self._all(queries.checks_newest(limit), reading.check_row)

    def record_events(self, events: Sequence[Event]) -> None:
        """Record events in one transaction. An event that is known, equal in everything, is not recorded again."""
        self._write(lambda connection: record_events(connection, events))

    def events(self, limit: int = LIMIT_DEFAULT, subject: str | None = None) -> list[Event]:
        """Return the last events, of one subject or of all, newest first."""
        return self._all(queries.events_newest(limit, subject), reading.event_of)

    def unknown_events(self, events: Sequence[Event]) -> list[Event]:
        """Return those events that the register does not know, in the order given."""
        digests = [event_digest(each) for each in events]
        with self._reading() as connection:
            known = {
                bytes(row.digest)
                for some in batched(digests, _ROWS_AT_ONCE)
                for row in connection.execute(queries.events_with_digests(some))
            }
        return [each for each, digest in zip(events, digests, strict=True) if digest not in known]

    # Made anew ------------------------------------------------------------------------------------------------------

    @contextmanager
    def made_anew(self) -> Iterator[Register]:
        """Give a register with nothing held or published in it, which takes this one's place when the context ends well.

        All of it is one transaction: until then, and when the context fails, everybody has the register as it was. Decisions,
        wants, withdrawals and past events stay: here they may be known when nowhere else. So does whose the register is.
        """
        with writing(self._engine, self._before_commit, alone=True) as connection:
            for table in reversed(metadata.sorted_tables):
                if table not in (decision, decision_text, event, item, owner, want, withdrawal):
                    connection.execute(delete(table))
            note_all_changes(connection)
            yield Register(self._engine, None, connection)

    def natural_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield (table, column, ...) of all that is held and published, in order of table and natural key.

        Two registers of one store are equal when these are. Cost: a pass over everything.
        """
        with self._reading() as connection:
            yield from natural_rows(connection)

    # Kept elsewhere -------------------------------------------------------------------------------------------------

    def dump(self) -> Iterator[bytes]:
        """Yield everything as lines that `load` takes, on any engine. Cost: a pass over everything."""
        with self._reading() as connection:
            yield from portable.dump(connection)

    def load(self, lines: Iterable[bytes]) -> int:
        """Put what a `dump` gave in place of everything, at once or not at all. Returns: how many rows.

        Raises: FormatError when they are not what a dump gives.
        """
        with writing(self._engine, self._before_commit, alone=True) as connection:
            return portable.load(connection, lines)

    # Plumbing -------------------------------------------------------------------------------------------------------

    def _reading(self) -> AbstractContextManager[Connection]:
        return nullcontext(self._within) if self._within is not None else self._moments.reading()

    def _write(self, work: Callable[[Connection], _T]) -> _T:
        """Return what `work` returns, as one transaction; it may be called again, so it only writes."""
        if self._within is not None:
            return work(self._within)
        self._moments.end()
        return write(self._engine, work, self._before_commit)

    def one_moment(self) -> AbstractContextManager[None]:
        """Let all that this thread reads meanwhile be of one moment, by one connection, until it writes."""
        return self._moments.one()

    def _all(self, query: Select[Any] | Question, noun: Callable[[Any], _T]) -> list[_T]:
        with self._reading() as connection:
            return [noun(row) for row in asked(connection, query)]

    def _one(self, query: Select[Any] | Question, noun: Callable[[Any], _T]) -> _T | None:
        rows = self._all(query, noun)
        return rows[0] if rows else None
