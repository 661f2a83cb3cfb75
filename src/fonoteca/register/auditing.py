"""What an audit asks of the register and tells it: whole pages of files at a time, so that small files cost little."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, insert, or_, select, update

from fonoteca.model.corridor import Damage, Event
from fonoteca.model.fixity import Stamp
from fonoteca.model.ids import ObjectId, Sha256
from fonoteca.register.recording import record_events, split_path
from fonoteca.register.rows import SOUND, facts_of, numbers_json, plain
from fonoteca.register.schema import event, fixity_check, member_file, object_, version

PAGE_ROWS = 2000
_KEYS_AT_ONCE = 500
QUARANTINED_MAX = 100_000
"""Objects looked at by one run; more are an archive that is lost."""

INVENTORY = "inventory.json"


@dataclass(frozen=True, slots=True)
class DueRow:
    """A file to check. key: good while the register is open. damage: what its last check found, "" for nothing."""

    key: int
    version_key: int
    object_id: ObjectId
    object_path: str
    version: int
    head_version: int
    path: str
    file_bytes: int
    sha256: Sha256
    checked_at: datetime | None
    damage: str

    @property
    def is_head_inventory(self) -> bool:
        """Whether it is the inventory whose copy is the object's own."""
        return self.version == self.head_version and self.path == f"{self.object_path}/v{self.version}/{INVENTORY}"


@dataclass(frozen=True, slots=True)
class SeenRow:
    """What the last check of a file saw. seen: None where the register was made anew since."""

    key: int
    path: str
    file_bytes: int
    checked_at: datetime
    seen: Stamp | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a file came to. stamp: its length and time, None for a file that is gone. damage: None when it is sound.

    was: the damage that the check before had found, "" for none.
    """

    key: int
    stamp: Stamp | None
    damage: Damage | None
    was: str = ""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An object that is neither served nor published until it is healed, since when, and why."""

    object_id: ObjectId
    at: datetime
    reason: str


def due_never(after_key: int, limit: int) -> Select[Any]:
    """Select files that no check has seen, oldest rows first."""
    query = _due().where(member_file.c.checked_at.is_(None), member_file.c.id > after_key)
    return query.order_by(member_file.c.checked_at, member_file.c.id).limit(limit)  # the index's order, which PostgreSQL asks for


def due_between(since: tuple[datetime, int], until: datetime | None, limit: int) -> Select[Any]:
    """Select files by the date of their last check, the oldest first: after (date, key) `since`, and before `until` if given."""
    at, after_key = since
    checked = member_file.c.checked_at
    query = _due().where(checked >= at, or_(checked > at, member_file.c.id > after_key))
    query = query if until is None else query.where(checked < until)
    return query.order_by(checked, member_file.c.id).limit(limit)


def every(after_key: int, limit: int) -> Select[Any]:
    """Select all files, oldest rows first."""
    return _due().where(member_file.c.id > after_key).order_by(member_file.c.id).limit(limit)


def due_damaged(after_key: int, limit: int) -> Select[Any]:
    """Select files whose last check found damage."""
    query = _due().where(member_file.c.damage.is_not(None), member_file.c.version_key > after_key)
    return query.order_by(member_file.c.version_key).limit(limit)


def seen_after(after_key: int, limit: int) -> Select[Any]:
    """Select what the last checks saw, in order of key."""
    columns = (member_file.c.id, member_file.c.tail, member_file.c.file_bytes, member_file.c.checked_at)
    seen = (member_file.c.seen_bytes, member_file.c.seen_mtime_ns)
    return (
        _with_paths(select(*columns, *seen, object_.c.object_path, version.c.version))
        .where(member_file.c.id > after_key, member_file.c.checked_at.is_not(None))
        .order_by(member_file.c.id)
        .limit(limit)
    )


def objects_at(after_path: str, until_path: str, limit: int) -> Select[Any]:
    """Select the paths of objects between two paths, in order."""
    path = object_.c.object_path
    return select(path).where(path > after_path, path < until_path).order_by(path).limit(limit)


def objects_with_lost_rows(limit: int) -> Select[Any]:
    """Select objects with a version whose files' rows do not add up to its bytes: a pass over all files' rows."""
    found = func.coalesce(func.sum(member_file.c.file_bytes), 0)
    return (
        select(object_.c.object_path)
        .join(version, version.c.object_key == object_.c.id)
        .outerjoin(member_file, member_file.c.version_key == version.c.id)
        .group_by(version.c.id, object_.c.object_path, version.c.version_bytes)
        .having(found != version.c.version_bytes)
        .limit(limit)
    )


def quarantined(limit: int) -> Select[Any]:
    """Select the objects in quarantine."""
    columns = (object_.c.object_id, object_.c.quarantined_at, object_.c.quarantine)
    return select(*columns).where(object_.c.quarantined_at.is_not(None)).order_by(object_.c.object_id).limit(limit)


def events_since(subject: str, at: datetime, after_key: int, limit: int) -> Select[Any]:
    """Select events of a subject from a moment on, oldest first."""
    columns = (event.c.id, event.c.at, event.c.what, event.c.facts)
    later = or_(event.c.at > at, event.c.id > after_key)
    return select(*columns).where(event.c.subject == subject, event.c.at >= at, later).order_by(event.c.at, event.c.id).limit(limit)


def _with_paths(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(member_file)
        .join(version, version.c.id == member_file.c.version_key)
        .join(object_, object_.c.id == version.c.object_key)
    )


def _due() -> Select[Any]:
    columns = (member_file.c.id, member_file.c.version_key, member_file.c.tail, member_file.c.file_bytes, member_file.c.sha256)
    checked = (member_file.c.checked_at, member_file.c.damage)
    owner = (object_.c.object_id, object_.c.object_path, version.c.version, object_.c.head_version)
    return _with_paths(select(*columns, *checked, *owner))


_NEWEST_CHECK = select(func.max(member_file.c.checked_at))


class Auditing:
    """The register as audits know it. Made by `Register.auditing`; each writing method is one transaction."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[Connection]],
        write: Callable[[Callable[[Connection], object]], object],
    ) -> None:
        self._reading = reading
        self._write = write

    def every_file(self) -> Iterator[DueRow]:
        """Yield all files, oldest rows first."""
        return self._by_key(every)

    def never_checked(self) -> Iterator[DueRow]:
        """Yield the files that no check has seen, oldest rows first."""
        return self._by_key(due_never)

    def checked_between(self, since: datetime, until: datetime | None) -> Iterator[DueRow]:
        """Yield the files whose last check was from `since` on and before `until`, the oldest first. None: without an end.

        Files that are dated anew meanwhile, at `until` or later, are not met again.
        """
        place = (since, -1)
        while page := self._due(due_between(place, until, PAGE_ROWS)):
            yield from page
            last = page[-1]
            assert last.checked_at is not None, "the statement asks for files with a date"
            place = (last.checked_at, last.key)

    def damaged_files(self) -> Iterator[DueRow]:
        """Yield the files whose last check found damage. Cost: their number."""
        after, limit = -1, PAGE_ROWS
        while page := self._due(due_damaged(after, limit)):
            whole = page if len(page) < limit else [row for row in page if row.version_key != page[-1].version_key]
            if whole:
                yield from whole
                after = whole[-1].version_key
            else:
                limit *= 2  # one version alone fills the page

    def files(self, keys: Iterable[int]) -> Iterator[DueRow]:
        """Yield the files with these keys."""
        wanted = sorted(keys)
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            yield from self._due(
                _due().where(member_file.c.id.in_(wanted[start : start + _KEYS_AT_ONCE])).order_by(member_file.c.id)
            )

    def seen(self) -> Iterator[SeenRow]:
        """Yield what the last check of each file saw. Cost: a pass over all files' rows."""
        after = -1
        while rows := self._rows(seen_after(after, PAGE_ROWS)):
            for row in rows:
                seen = None if row.seen_bytes is None else (row.seen_bytes, row.seen_mtime_ns)
                yield SeenRow(row.id, f"{row.object_path}/v{row.version}/{row.tail}", row.file_bytes, row.checked_at, seen)
            after = rows[-1].id

    def newest_check(self) -> datetime | None:
        """Return the date of the last check, None before the first."""
        found: datetime | None = self._rows(_NEWEST_CHECK)[0][0]
        return found

    def member_counts(self, version_keys: Iterable[int]) -> Mapping[int, int]:
        """Return how many files each version directory has."""
        count = select(member_file.c.version_key, func.count().label("files")).group_by(member_file.c.version_key)
        return {row.version_key: row.files for row in self._in(count, member_file.c.version_key, version_keys)}

    def object_paths(self, first: str, last: str) -> set[str]:
        """Return the paths of all objects below some folders of the layout, from the first to the last."""
        found: set[str] = set()
        after = f"{first}/"
        while rows := self._rows(objects_at(after, f"{last}0", PAGE_ROWS)):  # "0" follows "/"
            found.update(row.object_path for row in rows)
            after = rows[-1].object_path
        return found

    def objects_with_lost_rows(self, limit: int) -> list[str]:
        """Return the paths of objects of which rows of files are lost, or give other lengths. Cost: a pass over all of them."""
        return sorted({row.object_path for row in self._rows(objects_with_lost_rows(limit))})

    def record(self, at: datetime, verdicts: Sequence[Verdict], events: Sequence[Event] = ()) -> None:
        """Record checks of one moment, and the events that tell of them.

        They are the latest of their files, whatever dates were recorded before.
        """
        rows = [{"checked_key": each.key, **_found(each.damage.kind if each.damage else "", each.stamp)} for each in verdicts]
        told = [_told(at, each) for each in verdicts if each.damage or each.was]
        found: dict[str, Any] = {name: bindparam(name) for name in ("seen_bytes", "seen_mtime_ns", "damage")}
        statement = update(member_file).where(member_file.c.id == bindparam("checked_key")).values(checked_at=at, **found)

        def work(connection: Connection) -> None:
            record_events(connection, events)
            if rows:
                connection.execute(statement, rows)
            for each in told:
                known = select(fixity_check.c.at).where(fixity_check.c.member_key == each["member_key"], fixity_check.c.at == at)
                if connection.execute(known).first() is None:
                    connection.execute(insert(fixity_check).values(**each))

        self._write(work)

    def replay_checks(self, at: datetime, versions: Iterable[tuple[str, int]], paths: Iterable[str]) -> None:
        """Date checks of the past that found files sound: all of some version directories, and single files."""
        of_version = (
            select(version.c.id)
            .join(object_, object_.c.id == version.c.object_key)
            .where(object_.c.object_id == bindparam("of_object"), version.c.version == bindparam("of_version"))
        )
        statement = update(member_file).values(checked_at=at, damage=None)
        whole = [{"of_object": object_id, "of_version": number} for object_id, number in versions]
        single = list(paths)

        def work(connection: Connection) -> None:
            if whole:
                connection.execute(statement.where(member_file.c.version_key == of_version.scalar_subquery()), whole)
            for path in single:
                self._date(connection, at, path, _found("", None))

        self._write(work)

    def enter_check(self, at: datetime, path: str, damage: str, stamp: Stamp | None = None) -> None:
        """Date a check of one file, the latest whatever date was recorded before, and say what it found, "" for nothing.

        stamp: what it saw, None for a check of the past, of which nobody knows.
        """
        self._write(lambda connection: self._date(connection, at, path, _found(damage, stamp)))

    def seen_at(self, path: str) -> Stamp | None:
        """Return the length and time that a file had at its last check, None where no check saw them."""
        parts = split_path(path)
        if parts is None:
            return None
        query = (
            select(member_file.c.seen_bytes, member_file.c.seen_mtime_ns)
            .join(version, version.c.id == member_file.c.version_key)
            .join(object_, object_.c.id == version.c.object_key)
            .where(object_.c.object_path == parts[0], version.c.version == parts[1], member_file.c.tail == parts[2])
        )
        rows = self._rows(query)
        return (rows[0].seen_bytes, rows[0].seen_mtime_ns) if rows and rows[0].seen_bytes is not None else None

    def quarantine(self, object_id: str, at: datetime, reason: str) -> None:
        """Say that an object is neither to be served nor published, and why."""
        self._mark(object_id, at, plain(reason))

    def release(self, object_id: str) -> None:
        """Say that an object is sound again."""
        self._mark(object_id, None, None)

    def quarantined(self, limit: int = QUARANTINED_MAX) -> list[Quarantined]:
        """Return objects in quarantine, in order of id."""
        return [
            Quarantined(ObjectId(row.object_id), row.quarantined_at, row.quarantine or "") for row in self._rows(quarantined(limit))
        ]

    def is_sound(self, object_id: str) -> bool:
        """Whether no damage of an object is known, of its files or of its own."""
        damaged = (
            select(member_file.c.id)
            .join(version, version.c.id == member_file.c.version_key)
            .where(version.c.object_key == object_.c.id, member_file.c.damage.is_not(None))
        )
        ill = or_(object_.c.damage.is_not(None), exists(damaged))
        return not self._rows(select(object_.c.id).where(object_.c.object_id == object_id, ill))

    def events_of(self, subject: str, since: datetime) -> Iterator[tuple[datetime, str, dict[str, str | int | float]]]:
        """Yield when, what and the facts of a subject's events from a moment on, oldest first."""
        place = (since, -1)
        while rows := self._rows(events_since(subject, *place, PAGE_ROWS)):
            yield from ((row.at, row.what, dict(facts_of(row.facts))) for row in rows)
            place = (rows[-1].at, rows[-1].id)

    def _mark(self, object_id: str, at: datetime | None, reason: str | None) -> None:
        statement = update(object_).where(object_.c.object_id == object_id).values(quarantined_at=at, quarantine=reason)
        self._write(lambda connection: connection.execute(statement))

    def _date(self, connection: Connection, at: datetime, path: str, found: Mapping[str, Any]) -> None:
        parts = split_path(path)
        if parts is None:
            return
        of_path = (
            select(version.c.id)
            .join(object_, object_.c.id == version.c.object_key)
            .where(object_.c.object_path == parts[0], version.c.version == parts[1])
            .scalar_subquery()
        )
        this = (member_file.c.version_key == of_path, member_file.c.tail == parts[2])
        connection.execute(update(member_file).where(*this).values(checked_at=at, **found))

    def _by_key(self, question: Callable[[int, int], Select[Any]]) -> Iterator[DueRow]:
        after = -1
        while page := self._due(question(after, PAGE_ROWS)):
            yield from page
            after = page[-1].key

    def _due(self, query: Select[Any]) -> list[DueRow]:
        rows = self._rows(query)
        ids = {text: ObjectId(text) for text in {row.object_id for row in rows}}
        return [
            DueRow(
                row.id,
                row.version_key,
                ids[row.object_id],
                row.object_path,
                row.version,
                row.head_version,
                f"{row.object_path}/v{row.version}/{row.tail}",
                row.file_bytes,
                row.sha256,
                row.checked_at,
                row.damage or "",
            )
            for row in rows
        ]

    def _in(self, query: Select[Any], column: Any, values: Iterable[Any]) -> Iterator[Any]:
        wanted = sorted(set(values))
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            yield from self._rows(query.where(column.in_(wanted[start : start + _KEYS_AT_ONCE])))

    def _rows(self, query: Select[Any]) -> list[Any]:
        with self._reading() as connection:
            return list(connection.execute(query))


def _found(damage: str, stamp: Stamp | None) -> dict[str, Any]:
    """Return the columns of what a check found and saw."""
    seen_bytes, seen_mtime_ns = stamp or (None, None)
    return {"damage": damage or None, "seen_bytes": seen_bytes, "seen_mtime_ns": seen_mtime_ns}


def _told(at: datetime, verdict: Verdict) -> dict[str, Any]:
    """Return the row of a check that is worth one of its own: it found damage, or that there is none any more."""
    damage = verdict.damage
    return {
        "member_key": verdict.key,
        "at": at,
        "result": damage.kind if damage else SOUND,
        "expected": plain(damage.expected) if damage else "",
        "found": plain(damage.found) if damage else "",
        "pieces": numbers_json(damage.pieces if damage else ()),
    }
