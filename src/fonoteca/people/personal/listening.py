"""What was heard: by whom for a number of days, after that how often on a day, by nobody in particular.

A listen is two rows from the start: one of its account, which goes when its days are over, and one more in a count of its
recording, day and source, which says nothing of accounts. So nothing has to be worked out of what is to be forgotten.

How many listeners there are can be told only while it is known who they are. So a listen counts a listener too when its account has
no other listen of the recording that is still kept; whoever comes back after the days counts again. With it goes a span: for how
many days back from it the same account cannot have counted, which is as far back as nothing was forgotten yet. By that `heard`
tells how many different accounts heard something for certain, long after it is forgotten which ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, delete, func, not_, select, update

from fonoteca.model.catalogue import Heard
from fonoteca.people.personal.desk import DAY_S, Desk
from fonoteca.people.personal.marks import HIDDEN_MOST, KEYS_AT_ONCE
from fonoteca.people.personal.nouns import Name, Part, Plays, Scrobble, Song
from fonoteca.people.personal.tables import known, listens, paces, playing, scrobbles
from fonoteca.sql.engine import insert_or

SCROBBLES_A_DAY_MOST = 5_000
"""That an account may send in a day: one every 17 s, or what a player kept while it had no network. More are not counted."""

SCROBBLES_KEPT_MOST = 200_000
"""Of an account, however many days are kept: older ones go."""

EARLIEST = 1_033_430_400
"""2002-10-01, when the first scrobble was sent. Earlier times are of players that do not know what day it is."""

LATE_S = 2 * DAY_S
"""A listen that a player sends later than this counts no listener: little is known of what came before it."""

EXPIRY_STEP_S = 3_600
"""Rows go at most so much later than their days are over. What is read of them ends to the second."""

UNSPANNED = 36_500
"""The span of a count without listeners."""

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Hearer:
    """Whose listens, and for how many days it is kept that they are. 0 keeps none."""

    number: int
    kept_days: int


_TOLD = func.count().label("plays"), func.max(scrobbles.c.at).label("last")


class _Asked:
    """What an account heard by some columns, of all and of few albums, as statements that are made once."""

    def __init__(self, *columns: Any) -> None:
        own = scrobbles.c.account == bindparam("account"), scrobbles.c.at >= bindparam("since")
        every: Any = select(*columns, *_TOLD).where(*own)
        self.of_all: Select[Any] = every.group_by(*columns)
        self.of_few: Select[Any] = self.of_all.where(scrobbles.c.key.in_(bindparam("keys", expanding=True)))


_OF_SONGS, _OF_ALBUMS = _Asked(scrobbles.c.key, scrobbles.c.path), _Asked(scrobbles.c.key)


class Listening:
    """Scrobbles and counts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add(self, account: Hearer, heard: Iterable[Scrobble], source: str) -> int:
        """Count what an account heard, and keep for its days that it did. source: through what, a short word.

        One song at one time counts once, as long as it is kept. What is from the future was heard now; what is from before EARLIEST
        was not heard. Rows whose days are over are removed first, those of all accounts.
        Returns: how many were counted.
        """
        now = self._desk.now()
        wanted = sorted({(min(_seconds(each), now), each.song, each.recording) for each in heard if _seconds(each) >= EARLIEST})

        def work(connection: Connection) -> int:
            _expire(connection, now, account.kept_days)
            some = wanted[: _allowance(connection, account.number, now)]
            counted = _kept(connection, account, some, now)
            _count(connection, counted, source)
            _pace(connection, account.number, now, len(counted))
            _shorten(connection, account.number)
            return len(counted)

        return self._desk.write(account.number, work) if wanted else 0

    def expire(self, kept_days: int) -> int:
        """Remove listens whose days are over. Returns: how many."""
        now = self._desk.now()
        return self._desk.change(lambda connection: _expire(connection, now, kept_days, step_s=0))

    # What an account heard ------------------------------------------------------------------------------------------

    def plays(self, account: Hearer, songs: Collection[Name]) -> Mapping[Name, Plays]:
        """Return how often an account heard songs, those that it heard."""
        wanted = set(songs)
        rows = self._among(account, _OF_SONGS, {key for key, _ in wanted})
        return {(row.key, row.path): Plays(row.plays, row.last) for row in rows if (row.key, row.path) in wanted}

    def album_plays(self, account: Hearer, albums: Collection[int]) -> Mapping[int, Plays]:
        """Return how often an account heard songs of albums, together."""
        wanted = set(albums)
        rows = self._among(account, _OF_ALBUMS, wanted)
        return {row.key: Plays(row.plays, row.last) for row in rows if row.key in wanted}

    def _among(self, account: Hearer, asked: _Asked, albums: Collection[int]) -> Sequence[Row[Any]]:
        """Return what a question finds among albums, or more than that."""
        if not albums or not account.kept_days:
            return []
        values: dict[str, Any] = {"account": account.number, "since": _horizon(self._desk.now(), account.kept_days)}
        with self._desk.reading() as connection:
            if len(albums) <= KEYS_AT_ONCE:
                return connection.execute(asked.of_few, {**values, "keys": sorted(albums)}).all()
            return connection.execute(asked.of_all, values).all()

    def frequent(self, account: Hearer, part: Part) -> list[int]:
        """Return the albums that an account heard, the most heard first."""
        return self._albums(account, part, (func.count().desc(), func.max(scrobbles.c.at).desc(), scrobbles.c.key))

    def recent(self, account: Hearer, part: Part) -> list[int]:
        """Return the albums that an account heard, the last heard first."""
        return self._albums(account, part, (func.max(scrobbles.c.at).desc(), scrobbles.c.key))

    def _albums(self, account: Hearer, part: Part, order: Sequence[Any]) -> list[int]:
        if not account.kept_days:
            return []
        query = self._own(account, scrobbles.c.key).group_by(scrobbles.c.key).order_by(*order)
        hidden = sorted(part.hidden)[:HIDDEN_MOST]
        if hidden:
            query = query.where(not_(scrobbles.c.key.in_(hidden)))
        with self._desk.reading() as connection:
            return [row.key for row in connection.execute(query.limit(part.limit).offset(part.offset))]

    def _own(self, account: Hearer, *columns: Any) -> Select[Any]:
        since = _horizon(self._desk.now(), account.kept_days)
        return select(*columns, *_TOLD).where(scrobbles.c.account == account.number, scrobbles.c.at >= since)

    # What was heard -------------------------------------------------------------------------------------------------

    def heard(self, listeners_least: int) -> list[Heard]:
        """Return how much each recording was heard, those that at least so many different accounts heard, in order of recording.

        Different for certain: that many counted within days in which none of them can have counted twice.
        """
        found = []
        for recording, days in self._days():
            if most_within(days) >= listeners_least:
                found.append(Heard(recording, sum(day.listens for day in days), sum(day.listeners for day in days)))
        return found

    def _days(self) -> Iterator[tuple[str, list[Day]]]:
        """Yield each recording with its days, in order."""
        sums = func.sum(listens.c.listens).label("listens"), func.sum(listens.c.listeners).label("listeners")
        columns = listens.c.recording, listens.c.day
        query = select(*columns, *sums, func.min(listens.c.span).label("span")).group_by(*columns).order_by(*columns)
        with self._desk.reading() as connection:
            rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)
            for recording, days in groupby(rows, key=lambda row: str(row.recording)):
                yield recording, [Day(row.day, int(row.listens), int(row.listeners), row.span) for row in days]


@dataclass(frozen=True, slots=True)
class Day:
    """How much a recording was heard on a day. span: no account that counts here counts again in so many days up to this one."""

    day: int
    listens: int
    listeners: int
    span: int


def most_within(days: Sequence[Day]) -> int:
    """Return the most listeners that were counted within days on end in which none of them can have counted twice."""
    most = 0
    for place in range(len(days)):
        within, before = 0, -UNSPANNED
        for day in reversed(days[: place + 1]):
            if day.day <= before:
                break
            within += day.listeners
            before = max(before, day.day - day.span)
        most = max(most, within)
    return most


_Listen = tuple[int, Song, str]
"""When, what, and of which recording."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A listen that counts. span: that of the listener that it counts too, None where it counts none."""

    recording: str
    day: int
    span: int | None


def _kept(connection: Connection, account: Hearer, some: Sequence[_Listen], now: int) -> list[_Counted]:
    """Keep listens for their days. Returns: those that were not there before."""
    horizon = _horizon(now, account.kept_days)
    heard = _recordings_heard(connection, account.number, {recording for _, _, recording in some})
    known_since = _known_since(connection)
    full = _oldest_of_most(connection, account.number) is not None
    counted = []
    for at, song, recording in some:
        day = at // DAY_S
        if not account.kept_days or at < horizon:
            counted.append(_Counted(recording, day, None))
            continue
        row = {"account": account.number, "key": song.album, "path": song.path, "at": at, "recording": recording}
        made = insert_or(connection, scrobbles).values(**row).on_conflict_do_nothing().returning(scrobbles.c.at)
        if connection.execute(made).first():
            span = day - known_since // DAY_S
            counts_listener = recording not in heard and not full and at >= now - LATE_S and span > 0
            counted.append(_Counted(recording, day, span if counts_listener else None))
            heard.add(recording)
    return counted


def _recordings_heard(connection: Connection, account: int, among: Collection[str]) -> set[str]:
    """Return those of some recordings of which an account has a listen that is kept."""
    found: set[str] = set()
    for some in batched(sorted(among), KEYS_AT_ONCE):
        own = scrobbles.c.account == account, scrobbles.c.recording.in_(some)
        found.update(connection.execute(select(scrobbles.c.recording).where(*own).distinct()).scalars())
    return found


def _known_since(connection: Connection) -> int:
    """Return since when no listen was forgotten: later ones of accounts that are not full are all here."""
    # Locked, so that nothing is forgotten between this look and what follows from it.
    return int(connection.execute(select(known.c.since).with_for_update(read=True)).scalar_one())


def _count(connection: Connection, counted: Iterable[_Counted], source: str) -> None:
    """Add listens to the counts of nobody, in order, so that no two writers wait for each other."""
    found: dict[tuple[str, int], list[_Counted]] = {}
    for each in counted:
        found.setdefault((each.recording, each.day), []).append(each)
    for (recording, day), those in sorted(found.items()):
        spans = [each.span for each in those if each.span is not None]
        row = {"listens": len(those), "listeners": len(spans), "span": min([UNSPANNED, *spans])}
        made = insert_or(connection, listens).values(recording=recording, day=day, source=source, **row)
        more = {
            "listens": listens.c.listens + row["listens"],
            "listeners": listens.c.listeners + row["listeners"],
            "span": case((listens.c.span < row["span"], listens.c.span), else_=row["span"]),
        }
        connection.execute(made.on_conflict_do_update(index_elements=list(listens.primary_key), set_=more))


def _allowance(connection: Connection, account: int, now: int) -> int:
    """Return how many more an account may send today."""
    sent = select(paces.c.count).where(paces.c.account == account, paces.c.day == now // DAY_S)
    return max(0, SCROBBLES_A_DAY_MOST - (connection.execute(sent).scalar_one_or_none() or 0))


def _pace(connection: Connection, account: int, now: int, count: int) -> None:
    """Note how many an account sent today, and forget how many anyone sent before."""
    today = now // DAY_S
    connection.execute(delete(paces).where(paces.c.account == account, paces.c.day != today))
    made = insert_or(connection, paces).values(account=account, day=today, count=count)
    connection.execute(made.on_conflict_do_update(index_elements=[paces.c.account], set_={"count": paces.c.count + count}))


def _shorten(connection: Connection, account: int) -> None:
    """Remove the oldest listens of an account that has more than may be kept."""
    last = _oldest_of_most(connection, account)
    if last is not None:
        connection.execute(delete(scrobbles).where(scrobbles.c.account == account, scrobbles.c.at < last))


def _oldest_of_most(connection: Connection, account: int) -> int | None:
    """Return when the oldest listen was that an account may keep beside all newer ones, None while it has fewer."""
    newest = select(scrobbles.c.at).where(scrobbles.c.account == account).order_by(scrobbles.c.at.desc())
    found: int | None = connection.execute(newest.offset(SCROBBLES_KEPT_MOST - 1).limit(1)).scalar_one_or_none()
    return found


def _expire(connection: Connection, now: int, kept_days: int, step_s: int = EXPIRY_STEP_S) -> int:
    """Remove what says who listened to what, once its days are over. Returns: how many listens.

    step_s: nothing is removed where that was done up to so short a time ago.
    """
    horizon = _horizon(now, kept_days)
    connection.execute(insert_or(connection, known).values(place=1, since=0).on_conflict_do_nothing())
    if not connection.execute(update(known).where(known.c.since < horizon - step_s).values(since=horizon)).rowcount:
        return 0
    connection.execute(delete(playing).where(playing.c.until <= now))
    connection.execute(delete(paces).where(paces.c.day < now // DAY_S))
    return connection.execute(delete(scrobbles).where(scrobbles.c.at < horizon)).rowcount


def _horizon(now: int, kept_days: int) -> int:
    return now - kept_days * DAY_S


def batched(things: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield things a number at a time."""
    for start in range(0, len(things), size):
        yield things[start : start + size]


def _seconds(each: Scrobble) -> int:
    return int(each.at.timestamp())
