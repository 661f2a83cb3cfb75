"""Promote: a mirror whose origin is gone becomes an archive of its own, with the same content and drops, and a new root of trust.

Rules of order:
  1. what is decided is written to `trust/promotion.json`: from then on nothing is followed, and the same command goes on;
  2. what the origin withdrew is this archive's own word, and masked as before;
  3. the edition is signed by keys of this archive's own, and says what it goes on from: `timestamp.json` is written last;
  4. what was seen of the origin, and what this archive said of itself as a mirror, is let go of, the decision last.
Killed anywhere, the same command ends the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from fonoteca.editions import (
    Announcement,
    Asked,
    Editions,
    Heading,
    Index,
    Promotion,
    Terms,
    offered_roots,
    parse_promotion,
    promotion_json,
)
from fonoteca.flows.events import record_events
from fonoteca.flows.press import PublishRooms
from fonoteca.flows.records import forget_snapshots, record_snapshots
from fonoteca.flows.withdrawn import inheritance_event, statement_event
from fonoteca.formats import tombstones
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.corridor import Event
from fonoteca.model.errors import FonotecaError, StoreError, TrustError, UsageError
from fonoteca.model.ids import DropId, Sha256
from fonoteca.model.withdrawal import Authority, Scope, Tombstone, Withdrawal, WithdrawalState
from fonoteca.ports import Blobs, Fetch
from fonoteca.register import Register

PROMOTED = "promoted"
_DECIDED = "promotion.json"
_PLACE = "followed.json"


@dataclass(frozen=True, slots=True)
class PromoteRooms:
    """What a promotion needs: what publishing does, and what is kept of the archive that was followed."""

    publishing: PublishRooms
    trust: Blobs


@dataclass(frozen=True, slots=True)
class Promoted:
    """What came of it. made: False where it was so before. left_out: drops of the origin that were never held here.

    inherited: statements about withdrawals that are this archive's own now.
    """

    promotion: Promotion
    number: int
    root_sha256: Sha256
    made: bool
    left_out: tuple[DropId, ...] = ()
    inherited: int = 0


def promote(rooms: PromoteRooms, *, fork: bool = False) -> Promoted:
    """Return what came of making a mirror an archive of its own, which is out then.

    fork: although the origin may be alive, since what it signed last is still good: two archives go on from it then.
    Raises: UsageError for an archive that follows nobody, and without `fork` while the origin's edition is good.
    """
    editions, clock = rooms.publishing.editions, rooms.publishing.catalogue.clock
    index = editions.index()
    if index is None:
        raise UsageError("editions", "nothing was ever followed here", "Run `fonoteca follow` first: a mirror is promoted.")
    decided = _decided(rooms.trust)
    if decided is None:
        if editions.signs_own():
            return _as_before(editions, index)
        _check_gone(editions, clock.now(), fork)
        place = followed_place(rooms.trust)  # a folder is nobody's business
        decided = Promotion(place if "://" in place else "", editions.roots(), index.number, clock.now().replace(microsecond=0))
        rooms.trust.write(_DECIDED, json_bytes(promotion_json(decided), _DECIDED))
        decided = _decided(rooms.trust) or decided
    inherited = _inherit(rooms.publishing, decided.at)
    left_out: set[DropId] = set()
    if decided not in index.promoted_from:
        held = {row.id for row in rooms.publishing.register.drops()}
        left_out = {entry.id for entry in index.entries if not (entry.id in held and editions.has(entry))}
        _sign(rooms.publishing, decided, held)
    index = editions.index()
    assert index is not None, "it is out"
    forget_snapshots(rooms.publishing.register, index)
    record_snapshots(rooms.publishing.register, index, editions.has)
    facts = (("edition", decided.edition), ("root", decided.root_sha256), ("followed", decided.address))
    record_events(rooms.publishing, [Event(decided.at, PROMOTED, rooms.publishing.settings.name, facts)])
    editions.drop_acknowledgement()
    for name in sorted(rooms.trust.children(), key=lambda name: name == _DECIDED):
        rooms.trust.delete(name)
    survey = editions.survey()
    return Promoted(decided, decided.edition + 1, Sha256(survey.root_sha256), True, tuple(sorted(left_out)), inherited)


def _as_before(editions: Editions, index: Index) -> Promoted:
    """Return what came of an earlier promotion. Raises: UsageError when there was none."""
    if not index.promoted_from:
        remedy = "Only a mirror is promoted. To put other keys in the place of its own: `fonoteca keys rotate`."
        raise UsageError("editions", "this archive signs its own editions: it is no mirror", remedy)
    return Promoted(index.promoted_from[-1], index.number, Sha256(editions.survey().root_sha256), made=False)


def _check_gone(editions: Editions, now: datetime, fork: bool) -> None:
    """Raise UsageError while the origin may be alive, unless that is known."""
    until = editions.good_until()
    if not fork and until is not None and until > now:
        problem = f"what its origin signed last is good until {until:%Y-%m-%d %H:%M} UTC: the origin may be alive"
        remedy = "Wait until then, and ask its operator; with `--fork` two archives go on from here, each with its own root."
        raise UsageError("editions", problem, remedy)


def _sign(rooms: PublishRooms, promotion: Promotion, held: Collection[DropId]) -> None:
    """Put out the edition that is here as the first of this archive's own."""
    settings = rooms.settings
    heading = Heading(archive=settings.title, root_name=settings.name, piece_bytes=settings.piece_bytes)
    said = tombstones.write(each.tombstone for each in _statements(rooms.register, Authority.OWN))
    terms = Terms(rooms.catalogue.clock.now(), said, Announcement(settings.editions.address, rooms.announce))
    rooms.editions.commit(rooms.editions.promoted(heading, promotion, terms, held))


# What was withdrawn -------------------------------------------------------------------------------------------------


def _inherit(rooms: PublishRooms, at: datetime) -> int:
    """Return how many statements of the origin are this archive's own now, each in force as it was there.

    Statements follow each other by number, and others have heard the origin's: what this archive said itself while it was a mirror,
    which nobody heard, comes after them all. One batch of events tells of it, so that all of it holds or nothing.
    """
    heard = [each for each in _statements(rooms.register, Authority.FOLLOWED) if not each.origin or each.masks()]
    followed = [each.tombstone for each in heard if not each.origin]
    theirs = {each.object_id: each for each in followed}
    # Of those that were followed beside the origin, the numbers are other ones: what they withdrew is said anew.
    beside = {each.tombstone.object_id: each.tombstone for each in heard if each.origin}
    own = {each.tombstone.object_id: each.tombstone for each in _statements(rooms.register, Authority.OWN)}
    own = {**beside, **{object_id: _stronger(each, beside.get(object_id)) for object_id, each in own.items()}}
    newest = max((each.tombstone.number for each in rooms.register.withdrawals.all()), default=0)
    restated: list[Tombstone] = []
    for each in own.values() if heard else ():
        before = theirs.get(each.object_id)
        newest += 1
        restated.append(replace(_stronger(each, before), number=newest, prior=before.number if before else 0))
    events = [inheritance_event(each.tombstone, at, each.origin) for each in heard]
    record_events(rooms, [*events, *(statement_event(each, Authority.OWN, at) for each in restated)])
    for told in heard:
        rooms.register.withdrawals.inherit(told.tombstone, told.origin)
    for each in restated:
        rooms.register.withdrawals.enter(each, Authority.OWN)
    return len(heard)


def _stronger(own: Tombstone, theirs: Tombstone | None) -> Tombstone:
    """Return what this archive says from now on of an object of which the origin may have said something, too."""
    if theirs is None or not theirs.masks() or (own.masks() and own.whole and not own.scope):
        return own
    if not own.masks() or (theirs.whole and not theirs.scope):
        return theirs
    return replace(own, state=WithdrawalState.DARK, scope=Scope(), whole=True)


def _statements(register: Register, authority: Authority) -> list[Withdrawal]:
    return [each for each in register.withdrawals.all() if each.authority is authority]


# What followers are told --------------------------------------------------------------------------------------------


class FollowedRooms(Protocol):
    """What a mirror reads."""

    @property
    def editions(self) -> Editions:
        """What is out here."""
        ...

    @property
    def fetch(self) -> Fetch:
        """Reads the edition that is followed."""
        ...

    @property
    def asked(self) -> Asked:
        """How it is believed."""
        ...


def check_not_promoting(trust: Blobs) -> None:
    """Raise UsageError when a promotion was begun here."""
    if _decided(trust) is not None:
        raise UsageError("editions", "a promotion of this mirror was begun and not finished", "Run `fonoteca promote` again.")


def check_follows(rooms: FollowedRooms, refusal: TrustError) -> None:
    """Raise UsageError when an edition that was refused is that of the origin which this archive was promoted from."""
    index = rooms.editions.index()
    if index is None or not index.promoted_from or not rooms.editions.signs_own():
        return
    offered = offered_roots(rooms.fetch.read, rooms.asked)
    for each in reversed(index.promoted_from):
        if each.known_root(offered) is not None:
            problem = f"this archive was promoted on {each.at:%Y-%m-%d}, and does not follow its old origin any more"
            raise UsageError("follow", problem, "Be a mirror of that origin in another folder.") from refusal


def note_place(trust: Blobs, place: str) -> None:
    """Keep where an edition was followed, for a promotion to say."""
    content = json_bytes({"place": place}, _PLACE)
    if trust.size(_PLACE) is None or trust.read(_PLACE) != content:
        trust.write(_PLACE, content)


def followed_place(trust: Blobs, prefix: str = "") -> str:
    """Return where an edition was followed last, "" where nobody knows. prefix: where below `trust/` that is kept."""
    name = f"{prefix}{_PLACE}"
    return str(_object(trust, name).get("place", "")) if trust.size(name) is not None else ""


def _decided(trust: Blobs) -> Promotion | None:
    """Return the promotion that was begun, None without."""
    if trust.size(_DECIDED) is None:
        return None
    try:
        return parse_promotion(_object(trust, _DECIDED))
    except (FonotecaError, TypeError, ValueError, KeyError) as error:
        raise StoreError(f"trust/{_DECIDED}", str(error), "Remove it, and run `fonoteca promote` again.") from error


def _object(trust: Blobs, name: str) -> dict[str, object]:
    found = parse_json(trust.read(name), name)
    if not isinstance(found, dict):
        raise StoreError(f"trust/{name}", "expected a JSON object", "Remove it.")
    return found
