"""The last gate: may these bytes leave the archive now? Asked anew for every request, since permission can be withdrawn."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.model.errors import BlobMissing, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Decision, Hold, Licence, Refusal, RightsRecord, SharingAdmission
from fonoteca.model.withdrawal import Purpose, Tombstone
from fonoteca.rights import judge_again, licence_named
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms

LEGAL_REASONS = 451
"""RFC 7725: the server may not serve it for legal reasons."""

FORBIDDEN = 403

GONE = 410
"""It was here, and was withdrawn."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The rights of an object on record, and what they come to today. mask: what was withdrawn of it."""

    record: RightsRecord
    decision: Decision
    mask: Tombstone | None = None

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
    def refused_status(self) -> int:
        """The status to refuse with: 451 where rights are gone or in doubt, 403 where it is kept and not shared."""
        return LEGAL_REASONS if isinstance(self.decision, Refusal | Hold) else FORBIDDEN

    @property
    def reason(self) -> str:
        """Why it is not shared, "" where it is."""
        if self.shared:
            return ""
        if isinstance(self.decision, Refusal | Hold):
            return self.decision.reason
        return "its admission lets this archive keep it, and not share it"


def judge_passage(rooms: ServeRooms, object_id: ObjectId) -> Passage:
    """Return what rights say of an object that the register knows. Raises: StoreError when the store has no rights for it."""
    try:
        record = rooms.store.rights(object_id)
    except UsageError as error:
        # It is no fault of who asks: the register knows the object, and the store has lost it.
        raise BlobMissing(object_id, f"in the register, and not in the store: {error.problem}", error.remedy) from error
    withdrawal = rooms.register.withdrawals.mask(object_id, Purpose.LISTENING)
    decision = judge_again(record, rooms.settings.rights, rooms.clock.now())
    return Passage(record, decision, withdrawal.tombstone if withdrawal else None)


def refuse_withdrawn(rooms: ServeRooms, object_id: ObjectId, purpose: Purpose, sha256: str = "") -> None:
    """Raise Problem, 410 with the public reason, for what was withdrawn. sha256: of the file asked for, "" for the object."""
    withdrawal = rooms.register.withdrawals.mask(object_id, purpose)
    if withdrawal is not None and withdrawal.tombstone.means(sha256):
        raise Problem(GONE, withdrawn_words(withdrawal.tombstone), "withdrawn")


def withdrawn_words(tombstone: Tombstone) -> str:
    """Return why something is not given out, for anyone."""
    words = f"This was withdrawn on {tombstone.dates.effective_at:%Y-%m-%d}: {tombstone.reason.words} ({tombstone.ground})."
    return f"{words} Whoever disagrees may write to {tombstone.contact}." if tombstone.contact else words
