"""Uploads taken in: files that a curator brought become a folder with a rights.toml, and come in like any other.

Rules of order:
  1. the rights.toml is written before anything is read for keeping;
  2. the folder goes through the one corridor: rights, staging, store, register;
  3. what the curator put right in the files' tags is a correction, once they are held;
  4. the folder goes when all of it is held and its entry says so; what was refused stays for a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fonoteca.flows.acquire import Acquired, Failed, Outcome, acquire_offers
from fonoteca.flows.actions import Action, DeskRooms
from fonoteca.flows.correct import Correcting, correct
from fonoteca.flows.withdraw import Order as WithdrawOrder
from fonoteca.flows.withdraw import withdraw
from fonoteca.formats.corrections import changes_from, values
from fonoteca.formats.uploads import (
    RIGHTS_FILE,
    UPLOAD_ACTION,
    Brought,
    brought_in,
    check_unchanged,
    rights_toml,
    subject_of,
)
from fonoteca.model.corridor import LeftOut
from fonoteca.model.desk import Entry, EntryState, Order
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ItemKey, ObjectId
from fonoteca.model.rights import Hold, Kind
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.people.docket import Docket
from fonoteca.ports import Staging
from fonoteca.sources import SOURCES
from fonoteca.sources.uploads import stamps_of

KEPT_FOR = timedelta(days=1)
"""How long files stay of an upload that nobody put down, or that came to nothing."""

TOLD_MOST = 20
"""Files of which an outcome says why they were not taken; it names the number of the others."""

UNDONE_GROUND = "the upload was taken back"


def sweep_uploads(rooms: DeskRooms) -> int:
    """Return how many uploads' folders were removed: those that are held, were dropped, or lay for a day."""
    found = list(over(rooms.uploads, rooms.docket, rooms.clock.now()))
    for folder in found:
        rooms.uploads.discard(folder)
    return len(found)


def over(uploads: Staging, docket: Docket, now: datetime) -> Iterator[Path]:
    """Yield the folders of uploads that nobody needs any more."""
    for token in list(uploads.left()):
        entries = docket.about(subject_of(token))
        state = entries[-1].state if entries else None
        folder = uploads.kept_folder(token)
        touched = _touched(folder)
        lies = touched is not None and now - touched > KEPT_FOR
        if state in (EntryState.DONE, EntryState.DROPPED) or (state is not EntryState.WAITING and lies):
            yield folder


def _touched(folder: Path) -> datetime | None:
    """Return when something was last put into a folder, None while files of it come and go."""
    try:
        times = [folder.stat().st_mtime, *(path.stat().st_mtime for path in folder.iterdir())]
    except FileNotFoundError:
        return None
    return datetime.fromtimestamp(max(times), UTC)


def _take_in(rooms: DeskRooms, entry: Entry) -> str:
    said, right = brought_in(entry.order.facts)
    if said.token not in set(rooms.uploads.left()):
        if rooms.register.object(said.object_id) is None:
            raise UsageError(said.title, "the files of this upload are gone", "Upload them again.")
        return _corrected(rooms, said, right, entry, "held")
    folder = rooms.uploads.kept_folder(said.token)
    check_unchanged(entry.order.facts, stamps_of(folder))
    rooms.uploads.discard(folder / f".{RIGHTS_FILE}")  # of a run that was killed
    with rooms.uploads.writer(folder / f".{RIGHTS_FILE}") as target:
        target.write(rights_toml(said))
    rooms.uploads.move(folder / f".{RIGHTS_FILE}", folder / RIGHTS_FILE)
    acquiring = rooms.acquiring()
    offers = SOURCES["folder"].candidates(str(folder), acquiring.sources)
    if said.cover_of:
        offers = (replace(each, item=ItemKey(said.cover_of)) for each in offers if each.kind is Kind.ARTWORK)
    outcomes = [outcome for _, outcome in acquire_offers(acquiring, offers, said.title)]
    if not outcomes:
        raise UsageError(said.title, "no picture of a supported kind is in it", "Send a JPEG, PNG, GIF or WebP picture.")
    told = "; ".join(_words(outcome) for outcome in outcomes)
    if not all(isinstance(outcome, Acquired) for outcome in outcomes):
        raise UsageError(said.title, told, "Mend it, or decide what waits, and try again.")
    return _corrected(rooms, said, right, entry, told)


def _corrected(rooms: DeskRooms, said: Brought, right: Mapping[tuple[str, str], str], entry: Entry, told: str) -> str:
    """Put right what the curator did in the tags of files that are held now. Returns: the outcome in words."""
    if said.cover_of:
        return told
    metadata = rooms.store.metadata(said.object_id)
    known = values(metadata.title, metadata.artist, metadata.files)
    wanted = {place: value for place, value in right.items() if place in known and known[place] != value}
    if not wanted:
        return told
    changes = changes_from(said.object_id, known, wanted)
    correct(rooms, Correcting(said.object_id, changes, "as it was uploaded", entry.put_at, entry.number))
    return f"{told}; {len(changes)} of its tags put right"


def _words(outcome: Outcome) -> str:
    """Return what became of a candidate."""
    match outcome:
        case Acquired():
            kind = "music" if outcome.object_id.kind == Kind.AUDIO else "artwork"
            return (
                f"{kind} held: {outcome.file_count} of {outcome.file_count + len(outcome.left_out)} files{_left(outcome.left_out)}"
            )
        case Failed():
            return f"failed: {outcome.error}"
        case Hold():
            return f"waits for review by the rule {outcome.rule}: {outcome.reason}"
        case _:
            return f"refused by the rule {outcome.rule}: {outcome.reason}"


def _left(left_out: Sequence[LeftOut]) -> str:
    told = [f"{each.logical_path} ({each.reason})" for each in left_out[:TOLD_MOST]]
    more = len(left_out) - len(told)
    return f", not taken: {', '.join(told)}{f' and {more} more' if more else ''}" if told else ""


def _check(order: Order) -> None:
    said, _ = brought_in(order.facts)
    if order.subject != subject_of(said.token):
        raise UsageError(order.subject, f"expected {subject_of(said.token)}", "Begin again.")


def _take_back(rooms: DeskRooms, undone: Entry, _entry: Entry) -> str:
    """Withdraw what was uploaded: dark, its bytes kept, as every withdrawal of this archive's own."""
    said, _ = brought_in(undone.order.facts)
    kinds = (Kind.ARTWORK,) if said.cover_of else tuple(Kind)
    subjects = [each for kind in kinds if (each := ObjectId.of(kind, said.object_id.key)) and rooms.register.object(each)]
    for each in subjects:
        withdraw(rooms.withdrawing(), each, WithdrawOrder(WithdrawalState.DARK, Reason.OPERATOR, UNDONE_GROUND))
    return f"{len(subjects)} objects are withdrawn, dark; `fonoteca withdraw ID --reinstate` gives them out again"


UPLOAD = Action(UPLOAD_ACTION, "Upload", _check, _take_in, _take_back, "What was uploaded is withdrawn: kept, and given to nobody.")
