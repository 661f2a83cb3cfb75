"""What an archive says in public of what it gives out no more: counts, tombstones, and at a mirror what was made of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from fonoteca.formats.acknowledgement import MIRROR, parse_acknowledgement
from fonoteca.formats.instants import instant
from fonoteca.model.withdrawal import Withdrawal
from fonoteca.serve.paging import page_of
from fonoteca.serve.rooms import ServeRooms


@dataclass(frozen=True, slots=True)
class TombstoneAnswer:
    """A tombstone. authority: `own`, or `followed` for that of the archive which this one mirrors; answer: what was made of it.

    number: of the statement, prior: of the one that it replaces, 0 for none. Dates in UTC. notice_digest: salted.
    """

    object: str
    number: int
    prior: int
    state: str
    reason: str
    reason_words: str
    ground: str
    decider: str
    territories: list[str]
    purposes: list[str]
    notice_at: str
    decided_at: str | None
    effective_at: str
    review_at: str | None
    whole: bool
    sha256s: list[str]
    infohashes: list[str]
    notice_digest: str
    contact: str
    authority: str
    masked: bool
    answer: str
    answer_ground: str
    answered_at: str | None
    purged_at: str | None


@dataclass(frozen=True, slots=True)
class WithdrawalsAnswer:
    """What was withdrawn: how much, by state and by reason, and tombstones in order of object.

    next: what `after` is for the next tombstones, null at the end.
    """

    counts_by_state: dict[str, int]
    counts_by_reason: dict[str, int]
    masked: int
    purged: int
    withdrawals: list[TombstoneAnswer]
    next: str | None


@dataclass(frozen=True, slots=True)
class MirrorAnswer:
    """How a mirror stands to the archive that it follows. stale: nobody can tell here what was withdrawn lately.

    withdrawals_sha256: of the withdrawals.json in force here. pending: masked objects about which nothing was decided yet.
    """

    edition: int
    refreshed_at: datetime
    good_until: datetime
    stale: bool
    withdrawals_sha256: str
    masked: int
    pending: int


def withdrawals_answer(rooms: ServeRooms, limit: int, after: str) -> WithdrawalsAnswer:
    """Return what was withdrawn: all counts, and at most `limit` tombstones after one of a name. Raises: Problem 404 for none."""
    said = rooms.register.withdrawals.all()
    shown = page_of(said, _name, limit, after)
    return WithdrawalsAnswer(
        counts_by_state=dict(sorted(Counter(str(each.tombstone.state) for each in said).items())),
        counts_by_reason=dict(sorted(Counter(str(each.tombstone.reason) for each in said).items())),
        masked=len({each.tombstone.object_id for each in said if each.masks()}),
        purged=len({each.tombstone.object_id for each in said if each.purged_at}),
        withdrawals=[_answer(each) for each in shown.rows],
        next=shown.next,
    )


def _name(each: Withdrawal) -> str:
    return f"{each.authority} {each.tombstone.object_id}"


def mirror_answer(rooms: ServeRooms) -> MirrorAnswer | None:
    """Return how this mirror stands, None for an archive that follows nobody."""
    if rooms.editions.size(MIRROR) is None:
        return None
    told = parse_acknowledgement(rooms.editions.read(MIRROR))
    stale = rooms.clock.now() > told.good_until
    return MirrorAnswer(told.edition, told.refreshed_at, told.good_until, stale, told.withdrawals_sha256, told.masked, told.pending)


def _answer(each: Withdrawal) -> TombstoneAnswer:
    said, dates = each.tombstone, each.tombstone.dates
    return TombstoneAnswer(
        object=said.object_id,
        number=said.number,
        prior=said.prior,
        state=said.state,
        reason=said.reason,
        reason_words=said.reason.words,
        ground=said.ground,
        decider=said.decider,
        territories=list(said.scope.territories),
        purposes=[str(purpose) for purpose in said.scope.purposes],
        notice_at=instant(dates.notice_at),
        decided_at=_shown(dates.decided_at),
        effective_at=instant(dates.effective_at),
        review_at=_shown(dates.review_at),
        whole=said.whole,
        sha256s=[str(digest) for digest in said.sha256s],
        infohashes=list(said.infohashes),
        notice_digest=said.notice_digest,
        contact=said.contact,
        authority=each.authority,
        masked=each.masks(),
        answer=each.answer,
        answer_ground=each.answer_ground,
        answered_at=_shown(each.answered_at),
        purged_at=_shown(each.purged_at),
    )


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)
