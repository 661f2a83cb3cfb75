"""What a mirror makes of the withdrawals of the archive that it follows: masked at once, its bytes kept until its operator decides.

Rules of order, at each refresh:
  1. the withdrawals that are signed for are heard before anything is fetched; none that was heard before may be missing or older;
  2. from then on nothing that they mask goes out, and none of it is fetched;
  3. the mirror says so in `mirror.json` beside its edition, where anyone may read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from fonoteca.editions import Editions
from fonoteca.flows.events import EventRooms
from fonoteca.flows.withdrawn import hear_statements, inherit_statements
from fonoteca.formats import tombstones
from fonoteca.formats.acknowledgement import Acknowledgement, Answered, acknowledgement_json, parse_acknowledgement
from fonoteca.model.errors import FonotecaError, FormatError, StoreError, TrustError
from fonoteca.model.ids import Sha256
from fonoteca.model.withdrawal import Answer, Authority, Tombstone
from fonoteca.register import Register

_REMEDY = "Follow another mirror of this archive, or ask its operator; what was masked stays masked."


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose withdrawals are heard. mark: of an archive that is followed beside the first one, "" for the first.

    gives: the infohashes of its drops: what it has no say in is not its to withdraw. None for the first, who is believed in all.
    succeeded: another archive than before says it, which goes on from that.
    """

    mark: str = ""
    gives: frozenset[str] | None = None
    succeeded: bool = False


THE_FIRST = Speaker()


def heed(rooms: EventRooms, content: bytes | None, at: datetime, speaker: Speaker = THE_FIRST) -> list[Tombstone]:
    """Return the statements that are new, after they are recorded and in force here. content: of withdrawals.json, None without.

    What an archive does not know that goes on from another one goes on masking here, as this mirror's own word.
    Raises: TrustError for what is no such list, or takes back what was heard before.
    """
    said = [each for each in listened_to(content) if _has_a_say(rooms.register, speaker, each)]
    every = rooms.register.withdrawals.all()
    theirs = [each.tombstone for each in every if each.authority is Authority.FOLLOWED and each.origin == speaker.mark]
    known = {each.object_id: each for each in theirs}
    heard = {each.object_id: each for each in said}
    unknown = [before for before in known.values() if not _goes_on(before, heard.get(before.object_id))]
    if speaker.succeeded:
        inherit_statements(rooms, unknown, at, speaker.mark)
    else:
        for before in unknown[:1]:
            problem = f"statement {before.number} about {before.object_id} was heard already, and is missing or another one now"
            raise TrustError(tombstones.WITHDRAWALS, problem, _REMEDY)
    fresh = [each for each in said if known.get(each.object_id) != each]
    hear_statements(rooms, fresh, at, speaker.mark)
    return fresh


def listened_to(content: bytes | None) -> tuple[Tombstone, ...]:
    """Return what withdrawals.json says, nothing where there is none. Raises: TrustError for what is no such list."""
    try:
        return () if content is None else tombstones.parse(content)
    except FormatError as error:
        raise TrustError(error.subject, error.problem, _REMEDY) from None


def _has_a_say(register: Register, speaker: Speaker, said: Tombstone) -> bool:
    """Whether a drop that is held here, and that the speaker gives, carries what it withdraws."""
    return speaker.gives is None or not speaker.gives.isdisjoint(register.withdrawals.drops_with(said.object_id))


def _goes_on(before: Tombstone, now: Tombstone | None) -> bool:
    """Whether a statement stands, or is followed by a newer one."""
    return now is not None and (now.number > before.number or now == before)


def stop_giving(
    register: Register, followed: Iterable[Editions], masked: Sequence[Tombstone], unseed: Callable[[bytes], None]
) -> None:
    """Take the drops that carry what was just masked out of the swarm: they come back without it when seeding is begun again.

    One that cannot be taken out does not keep the others in. Raises: the first error, after all were tried.
    """
    named = {infohash for each in masked for infohash in register.withdrawals.drops_with(each.object_id)}
    failed: list[FonotecaError] = []
    for editions in followed if named else ():
        try:
            index = editions.index()
        except FonotecaError as error:
            failed.append(error)
            continue
        for entry in index.entries if index else ():
            try:
                if entry.infohash_v2 in named:
                    unseed(editions.torrent_of(entry))
            except FonotecaError as error:
                failed.append(error)
    if failed:
        raise failed[0]


def acknowledge(register: Register, editions: Editions, told: Acknowledgement) -> None:
    """Say beside the edition what is in force here."""
    followed = [each for each in register.withdrawals.all() if each.authority is Authority.FOLLOWED and not each.origin]
    masked = [each for each in followed if each.masks()]
    answers = [
        Answered(each.tombstone.object_id, each.tombstone.number, each.answer, each.answered_at, each.answer_ground)
        for each in followed
        if each.answer is not Answer.PENDING and each.answered_at is not None
    ]
    pending = sum(each.answer is Answer.PENDING for each in masked)
    editions.put_acknowledgement(acknowledgement_json(replace(told, masked=len(masked), pending=pending, answers=tuple(answers))))


def acknowledge_edition(register: Register, editions: Editions, content: bytes | None, times: tuple[datetime, datetime]) -> None:
    """Say beside the edition that is out now what is in force here. times: of this refresh, and until when it is good."""
    index = editions.index()
    digest = Sha256(sha256(tombstones.write(()) if content is None else content).hexdigest())
    acknowledge(register, editions, Acknowledgement(index.number if index else 0, *times, digest))


def acknowledge_again(register: Register, editions: Editions) -> None:
    """Say beside the edition what changed since: for when the operator has decided something. Nothing where this is no mirror."""
    told = acknowledged(editions)
    if told is not None:
        acknowledge(register, editions, told)


def acknowledged(editions: Editions) -> Acknowledgement | None:
    """Return what this mirror says of itself, None where it is none. Raises: StoreError when that is damaged."""
    content = editions.acknowledgement()
    try:
        return None if content is None else parse_acknowledgement(content)
    except FormatError as error:
        raise StoreError(f"editions/{error.subject}", error.problem, "Run `fonoteca follow` again: it is written anew.") from None


def staleness(editions: Editions, now: datetime) -> str:
    """Return why nobody can tell here what was withdrawn lately, "" where that is known, as in any archive that is no mirror."""
    told = acknowledged(editions)
    if told is None or now <= told.good_until:
        return ""
    return f"what was withdrawn is known as of {told.refreshed_at:%Y-%m-%d}, which was good until {told.good_until:%Y-%m-%d}"


def stalest(followed: Iterable[Editions], now: datetime) -> str:
    """Return `staleness` of an archive that is followed here and was not heard lately, "" where all were."""
    return next(filter(None, (staleness(editions, now) for editions in followed)), "")
