"""What is wrong with an archive, and what to do about it: a table of questions, of which none changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fonoteca.editions import Asked, Editions, Unkept, believe
from fonoteca.editions.trust import Role, Survey
from fonoteca.flows.backup import BACKED_UP, BACKUP_SUBJECT
from fonoteca.flows.withdraw import REVIEW_NOTICE
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.desk import EntryState
from fonoteca.model.errors import FonotecaError, SourceError, TrustError
from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Answer, Authority
from fonoteca.people import People
from fonoteca.ports import Clock
from fonoteca.register import Register
from fonoteca.store import Store

FREE_SHARE_MIN = 0.05
BACKUP_AGE_MAX = timedelta(days=30)
CLOCK_SKEW_MAX = timedelta(minutes=5)
SIGN_ELSEWHERE_BEFORE = timedelta(days=60)
"""Who must fetch keys from a safe is told in time."""
DESK_WAIT_MAX = timedelta(hours=1)
"""A decision waits for as long as another process writes; `serve` carries it out within seconds after that."""
_SHOWN_MAX = 20
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Health(StrEnum):
    """How bad a finding is: nothing to do, something to see to, something broken, bytes damaged."""

    SOUND = "sound"
    ADVICE = "advice"
    BROKEN = "broken"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question. remedy: what to do, "" when nothing is to be done."""

    question: str
    health: Health
    said: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    """What the archive's own disk is like. killed: a writing run was killed and nothing was cleared up since.

    loose_keys: files of keys and accounts that others than their owner may read. staging_bytes: of what is under way or was left.
    """

    free_bytes: int
    disk_bytes: int
    staging_bytes: int
    killed: bool
    loose_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DoctorRooms:
    """What a doctor looks at; each room is opened when it is first asked for, so that one that will not open is a finding.

    current: the names of the catalogue's snapshot in force and of the one that was indexed for search, None for none.
    people: gives None, and makes nothing, where nobody ever had an account.
    """

    settings: Settings
    clock: Clock
    disk: Callable[[], Disk]
    store: Callable[[], Store]
    claim: Callable[[], None]
    register: Callable[[], Register]
    editions: Editions
    current: Callable[[], tuple[str | None, str | None]]
    people: Callable[[], People | None]


def examine(rooms: DoctorRooms) -> Iterator[Finding]:
    """Yield findings, in the order of the questions. Cost: a read of the event log and of the torrents; no file is hashed."""
    for question, ask in _QUESTIONS:
        try:
            yield from ask(rooms, question)
        except FonotecaError as error:
            yield Finding(question, Health.BROKEN, f"{error.subject}: {error.problem}", error.remedy)


def _disk(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    disk = rooms.disk()
    said = f"{show_bytes(disk.free_bytes)} of {show_bytes(disk.disk_bytes)} free"
    if disk.free_bytes < FREE_SHARE_MIN * disk.disk_bytes:
        yield Finding(question, Health.ADVICE, said, "Free some space, or move the archive to a larger disk.")
    else:
        yield Finding(question, Health.SOUND, said)
    if disk.killed:
        left = f"a writing run was killed; {show_bytes(disk.staging_bytes)} in staging/"
        yield Finding(question, Health.ADVICE, left, "Run the same command again: it clears up and carries on.")


def _keys(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    loose = rooms.disk().loose_keys
    if loose:
        yield Finding(question, Health.BROKEN, f"others may read {', '.join(loose[:_SHOWN_MAX])}", "chmod 600 them; rotate keys.")
    else:
        yield Finding(question, Health.SOUND, "none that others may read")


def _store(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    rooms.claim()
    damaged = rooms.store().check_root()
    for path in damaged[:_SHOWN_MAX]:
        yield Finding(question, Health.DAMAGED, f"{path} is damaged", "Run `fonoteca repair`.")
    if not damaged:
        yield Finding(question, Health.SOUND, "its own files and the event log are whole")


def _register(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    register, store = rooms.register(), rooms.store()
    missing = register.unknown_events(store.newest_events())
    if missing:
        said = f"it does not know of {missing[0].what} {missing[0].subject} at {missing[0].at:%Y-%m-%d %H:%M}"
        yield Finding(question, Health.BROKEN, said, "Run any writing command, or `fonoteca rebuild`.")
    totals = register.totals()
    yield Finding(question, Health.SOUND, f"{totals.objects} objects, {totals.files} files, {show_bytes(totals.bytes)}")


def _clock(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    newest = max((event.at for event in rooms.store().newest_events()), default=None)
    if newest is not None and newest > rooms.clock.now() + CLOCK_SKEW_MAX:
        said = f"it is {rooms.clock.now():%Y-%m-%d %H:%M} UTC here, and the last event was at {newest:%Y-%m-%d %H:%M}"
        yield Finding(question, Health.BROKEN, said, "Set this machine's clock.")
    else:
        yield Finding(question, Health.SOUND, f"{rooms.clock.now():%Y-%m-%d %H:%M} UTC")


def _fixity(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    auditing = rooms.register().auditing
    damaged = [row.path for row, _ in zip(auditing.damaged_files(), range(_SHOWN_MAX), strict=False)]
    for path in damaged:
        yield Finding(question, Health.DAMAGED, f"{path} is damaged", "Run `fonoteca repair --from MIRROR`.")
    for each in auditing.quarantined(_SHOWN_MAX):
        said = f"{each.object_id} is in quarantine since {each.at:%Y-%m-%d}: {each.reason}"
        yield Finding(question, Health.DAMAGED, said, "Name another mirror to `fonoteca repair`, or acquire its item again.")
    due = rooms.clock.now() - timedelta(days=rooms.settings.fixity.cycle_days)
    if next(auditing.never_checked(), None) is not None:
        yield Finding(question, Health.ADVICE, "some files were never checked", "Run `fonoteca audit`.")
    elif rooms.settings.fixity.cycle_days and next(auditing.checked_between(_EVER, due), None) is not None:
        said = f"some files were not checked for more than {rooms.settings.fixity.cycle_days} days"
        yield Finding(question, Health.ADVICE, said, "Run `fonoteca audit`.")
    elif not damaged:
        yield Finding(question, Health.SOUND, f"every file was checked within {rooms.settings.fixity.cycle_days} days")


def _editions(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    index = rooms.editions.index()
    if index is None:
        yield Finding(question, Health.ADVICE, "nothing is published", "Run `fonoteca publish`: what mirrors have cannot be lost.")
        return
    for entry in index.entries:
        rooms.editions.torrent_of(entry)
    known = {drop.id for drop in rooms.register().drops()}
    strange = [entry.id for entry in index.entries if entry.id not in known]
    if strange:
        said = f"drops that the register does not know: {', '.join(strange[:_SHOWN_MAX])}"
        yield Finding(question, Health.BROKEN, said, "Run `fonoteca rebuild`.")
    else:
        yield Finding(question, Health.SOUND, f"edition {index.number}, {len(index.entries)} drops, every torrent whole")


def _signatures(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    """Whether mirrors take the edition, and for how long."""
    now, seen = rooms.clock.now(), rooms.editions.survey()
    until = rooms.editions.good_until()
    if not seen.root_version or until is None:
        yield Finding(question, Health.ADVICE, "no edition is signed yet", "Run `fonoteca publish`.")
        return
    try:
        believe(rooms.editions.read_at_most, Unkept(), Asked(now, as_of=True))
    except (TrustError, SourceError) as error:
        remedy = "Restore `editions/` and `keys/` from a backup, or run `fonoteca publish`, before mirrors see it."
        yield Finding(question, Health.BROKEN, f"{error.subject}: {error.problem}", remedy)
        return
    own = seen.of(Role.TIMESTAMP).signs_here
    yield from _expiries(question, seen, now) if own else ()
    for key in (key for role in seen.roles for key in role.keys if key.here and not key.named):
        said = f"the key {key.name} may not sign"
        yield Finding(question, Health.ADVICE, said, "Remove the file, or let it sign: `fonoteca keys`.")
    whose = "its own keys" if own else "the archive that it follows"
    if own or until > now:
        yield Finding(question, Health.SOUND, f"signed by {whose}, good until {until:%Y-%m-%d}")
    else:
        remedy = "Run `fonoteca follow`, or with `--as-of` if the origin is gone; to go on without it, `fonoteca promote`."
        yield Finding(question, Health.ADVICE, f"signed by {whose}, expired on {until:%Y-%m-%d}", remedy)


def _expiries(question: str, seen: Survey, now: datetime) -> Iterator[Finding]:
    """Yield what is expired, so that mirrors refuse the edition, and what soon is and is signed elsewhere."""
    for role in seen.roles:
        if role.expires_at is None:
            continue
        remedy = "Run `fonoteca publish`." if role.signs_here else "Run `fonoteca publish --stage DIR`, and sign there."
        if role.expires_at <= now:
            yield Finding(question, Health.BROKEN, f"{role.role} is expired since {role.expires_at:%Y-%m-%d}", remedy)
        elif not role.signs_here and role.expires_at <= now + SIGN_ELSEWHERE_BEFORE:
            said = f"{role.role} is good until {role.expires_at:%Y-%m-%d}, and its keys are elsewhere"
            yield Finding(question, Health.ADVICE, said, remedy)


def _withdrawals(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    """Whether anything that was withdrawn waits for a person."""
    now, said = rooms.clock.now(), rooms.register().withdrawals.all()
    own = [each.tombstone for each in said if each.authority is Authority.OWN and each.masks()]
    for each in own[:_SHOWN_MAX]:
        if each.dates.review_at is not None and each.dates.review_at <= now + REVIEW_NOTICE:
            due = f"{each.object_id} is {each.state}, to be looked at again on {each.dates.review_at:%Y-%m-%d}"
            yield Finding(question, Health.ADVICE, due, "Say what becomes of it: `fonoteca withdraw`.")
    pending = sum(each.masks() and each.authority is Authority.FOLLOWED and each.answer is Answer.PENDING for each in said)
    masked = sum(each.masks() for each in said)
    if pending:
        left = f"{masked} objects are masked, {pending} of them wait for a decision"
        yield Finding(question, Health.ADVICE, left, "See `fonoteca withdraw --list`, and decide with `--decide`.")
    else:
        yield Finding(question, Health.SOUND, f"{masked} objects are masked" if masked else "nothing is withdrawn")


def _notices(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    """Whether holders of rights wait for an answer, and for longer than they were promised."""
    people = rooms.people()
    standing = people.notices.standing() if people is not None else None
    if standing is None or standing.oldest is None:
        yield Finding(question, Health.SOUND, "none waits")
        return
    said = f"waiting: {standing.waiting}, the oldest since {standing.oldest:%Y-%m-%d}; overdue: {standing.overdue}"
    remedy = "Decide about them: at the desk of the site, or `fonoteca notice list`." if standing.overdue else ""
    yield Finding(question, Health.ADVICE if remedy else Health.SOUND, said, remedy)


def _desk(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    """Whether what curators decided was carried out."""
    people = rooms.people()
    if people is None:
        yield Finding(question, Health.SOUND, "nothing waits")
        return
    failed = people.docket.in_state(EntryState.FAILED, _SHOWN_MAX)
    for entry in failed:
        said = f"{entry.order.action} {entry.order.subject} failed: {entry.outcome}"
        remedy = f"Mend that, then `fonoteca desk retry {entry.number}`; or `fonoteca desk drop {entry.number}`."
        yield Finding(question, Health.ADVICE, said, remedy)
    waiting = people.docket.count(EntryState.WAITING)
    said = f"decisions that wait to be carried out: {waiting}" if waiting else "nothing waits"
    late = [entry for entry in people.docket.waiting(1) if rooms.clock.now() - entry.put_at > DESK_WAIT_MAX]
    for oldest in late:
        since = f"{said}, the oldest since {oldest.put_at:%Y-%m-%d %H:%M}"
        yield Finding(question, Health.ADVICE, since, "Run `fonoteca desk work`, once nothing else writes in this archive.")
    if not failed and not late:
        yield Finding(question, Health.SOUND, said)


def _search(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    snapshot, indexed = rooms.current()
    if snapshot != indexed:
        said = f"the catalogue is {snapshot or 'not built'}, search has {indexed or 'none'}"
        yield Finding(question, Health.BROKEN, said, "Run `fonoteca catalogue build`.")
    else:
        yield Finding(question, Health.SOUND, f"search has the catalogue of {snapshot}" if snapshot else "no catalogue yet")


def _backup(rooms: DoctorRooms, question: str) -> Iterator[Finding]:
    last = next((e for e in rooms.register().events(subject=BACKUP_SUBJECT) if e.what == BACKED_UP), None)
    remedy = "Run `fonoteca backup FILE`, and keep the file on another machine."
    if last is None:
        yield Finding(question, Health.ADVICE, "there is none", remedy)
    elif rooms.clock.now() - last.at > BACKUP_AGE_MAX:
        yield Finding(question, Health.ADVICE, f"the last one is of {last.at:%Y-%m-%d}", remedy)
    else:
        yield Finding(question, Health.SOUND, f"the last one is of {last.at:%Y-%m-%d}")


_QUESTIONS: tuple[tuple[str, Callable[[DoctorRooms, str], Iterator[Finding]]], ...] = (
    ("disk", _disk),
    ("keys", _keys),
    ("store", _store),
    ("register", _register),
    ("clock", _clock),
    ("fixity", _fixity),
    ("editions", _editions),
    ("signatures", _signatures),
    ("withdrawals", _withdrawals),
    ("notices", _notices),
    ("desk", _desk),
    ("search", _search),
    ("backup", _backup),
)
