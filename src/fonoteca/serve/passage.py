"""The last gate: may these bytes leave the archive now? Asked anew for every request, since permission can be withdrawn."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.model.errors import BlobMissing, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Act, Decision, Hold, Licence, Refusal, RightsRecord, SharingAdmission
from fonoteca.model.terms import ANYWHERE, Closed, Place
from fonoteca.model.withdrawal import Purpose, Tombstone
from fonoteca.rights import describe_kept, judge_again, licence_named
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms

LEGAL_REASONS = 451
"""RFC 7725: the server may not serve it for legal reasons."""

FORBIDDEN = 403

GONE = 410
"""It was here, and was withdrawn, or could be had until a day that is past."""

_STATUSES = {Closed.EARLY: FORBIDDEN, Closed.OVER: GONE, Closed.ELSEWHERE: LEGAL_REASONS}
_STANDINGS = {Closed.EARLY: "Not yet", Closed.OVER: "Not any more", Closed.ELSEWHERE: "Not everywhere"}


@dataclass(frozen=True, slots=True)
class Passage:
    """The rights of an object on record, and what they come to now, for a place. mask: what was withdrawn of it."""

    record: RightsRecord
    decision: Decision
    mask: Tombstone | None = None
    place: Place = ANYWHERE

    @property
    def shared(self) -> bool:
        """Whether its files may be served, seeded and linked, as far as they were not withdrawn by themselves."""
        return isinstance(self.decision, SharingAdmission) and (self.mask is None or not self.mask.whole)

    def lets(self, sha256: str) -> bool:
        """Whether a file may be served, seeded and linked."""
        return self.shared and (self.mask is None or not self.mask.means(sha256))

    @property
    def licence(self) -> Licence | None:
        """The licence on record, as the table knows it."""
        return licence_named(self.record.licence_uri)

    @property
    def closed(self) -> Closed | None:
        """Why its term does not let it out now, to this place; None where that is not what keeps it."""
        if isinstance(self.decision, Refusal | Hold) or Act.SHARE not in self.decision.acts:
            return None
        return self.record.term.closed(self.decision.decided_at, self.place)

    @property
    def standing(self) -> str:
        """How it stands where it is not shared, in two words."""
        return "Not shared" if self.closed is None else _STANDINGS[self.closed]

    @property
    def refused_status(self) -> int:
        """The status to refuse with: 451 where rights are gone, in doubt, or of other countries; 410 where their term is over; 403
        where it is kept and not shared, or not yet.
        """
        if isinstance(self.decision, Refusal | Hold):
            return LEGAL_REASONS
        return FORBIDDEN if self.closed is None else _STATUSES[self.closed]

    @property
    def reason(self) -> str:
        """Why it is not shared, "" where it is."""
        if self.shared:
            return ""
        if isinstance(self.decision, Refusal | Hold):
            return self.decision.reason
        return describe_kept(self.decision, self.place)


def judge_passage(rooms: ServeRooms, object_id: ObjectId) -> Passage:
    """Return what rights say now, for who asks, of an object that the register knows.

    Raises: StoreError when the store has no rights for it.
    """
    try:
        record = rooms.store.rights(object_id)
    except UsageError as error:
        # It is no fault of who asks: the register knows the object, and the store has lost it.
        raise BlobMissing(object_id, f"in the register, and not in the store: {error.problem}", error.remedy) from error
    withdrawal = rooms.register.withdrawals.mask(object_id, Purpose.LISTENING)
    decision = judge_again(record, rooms.settings.rights, rooms.clock.now(), rooms.place)
    return Passage(record, decision, withdrawal.tombstone if withdrawal else None, rooms.place)


def refuse_withdrawn(rooms: ServeRooms, object_id: ObjectId, purpose: Purpose, sha256: str = "") -> None:
    """Raise Problem, 410 with the public reason, for what was withdrawn. sha256: of the file asked for, "" for the object."""
    withdrawal = rooms.register.withdrawals.mask(object_id, purpose)
    if withdrawal is not None and withdrawal.tombstone.means(sha256):
        raise Problem(GONE, withdrawn_words(withdrawal.tombstone), "withdrawn")


def withdrawn_words(tombstone: Tombstone) -> str:
    """Return why something is not given out, for anyone."""
    words = f"This was withdrawn on {tombstone.dates.effective_at:%Y-%m-%d}: {tombstone.reason.words} ({tombstone.ground})."
    return f"{words} Whoever disagrees may write to {tombstone.contact}." if tombstone.contact else words
