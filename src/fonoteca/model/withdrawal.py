"""Withdrawals: what an archive says of an item that it gives out no more, and what a mirror makes of that.

A `Tombstone` is public and for ever, so it holds no claimant's personal data: the notice stays in `private/`, and the tombstone
has its salted digest. Statements about one object follow each other by number; the newest one is in force.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from fonoteca.model.errors import FormatError
from fonoteca.model.ids import ObjectId, Sha256

TEXT_CHARACTERS_MAX = 500
"""Of a ground or a contact: a line that a person reads."""

FILES_MAX = 20_000
"""Of one object: as many as a drop has by default."""

DROPS_MAX = 1_000
"""That carry versions of one object."""

NUMBER_MAX = 2**31 - 1

_INFOHASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TERRITORY = re.compile(r"[A-Z]{2}")


class WithdrawalState(StrEnum):
    """What became of an object. Each but the last masks it."""

    DARK = "dark"
    """The bytes are kept, and given to nobody."""
    REMOVED = "removed"
    """The bytes are purged."""
    RESTRICTED = "restricted"
    """Given out, but not for the purposes of its scope."""
    DISPUTED = "disputed"
    """A notice came in, or an appeal, and nobody has decided yet: masked until someone does."""
    REINSTATED = "reinstated"
    """Given out as before."""


class Reason(StrEnum):
    """Why, as a public code."""

    RIGHTS_HOLDER = "rights-holder"
    LICENCE_MISTAKEN = "licence-mistaken"
    COURT_ORDER = "court-order"
    PERSONAL_RIGHTS = "personal-rights"
    CULTURAL = "cultural"
    OPERATOR = "operator"

    @property
    def words(self) -> str:
        """The reason as a sentence for people."""
        return _WORDS[self]


_WORDS = {
    Reason.RIGHTS_HOLDER: "a holder of rights asked for it",
    Reason.LICENCE_MISTAKEN: "the licence it was held under turned out to be mistaken",
    Reason.COURT_ORDER: "a court or an authority ordered it",
    Reason.PERSONAL_RIGHTS: "it touches the rights of a person",
    Reason.CULTURAL: "the community that it comes from asked for it",
    Reason.OPERATOR: "the operator of the archive decided so",
}


class Decider(StrEnum):
    """Who decided: a role, never a name."""

    OPERATOR = "operator"
    COURT = "court"
    AUTHORITY = "authority"
    PANEL = "panel"


class Purpose(StrEnum):
    """A door that an object goes out by."""

    LISTENING = "listening"
    """The site, its API, its streams and downloads."""
    FINDING = "finding"
    """Search, and lists of what is held."""
    SHARING = "sharing"
    """Swarms, web seeds and new drops."""
    EXPORTING = "exporting"
    """Copies in other forms."""


def _check_sorted(field: str, values: Collection[str], count_max: int) -> None:
    """Raise FormatError unless texts are few, in order, each once."""
    if len(values) > count_max or list(values) != sorted(set(values)):
        raise FormatError("tombstone", f"expected at most {count_max} {field} in order, each once")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a restriction is limited to. territories: ISO 3166-1 codes; purposes: none means every one.

    A server does not know where who asks is, so a territory masks everywhere; whoever sits elsewhere may decide otherwise.
    """

    territories: tuple[str, ...] = ()
    purposes: tuple[Purpose, ...] = ()

    def __post_init__(self) -> None:
        """Check that there is one way to say it."""
        _check_sorted("scope.territories", self.territories, 300)
        _check_sorted("scope.purposes", self.purposes, len(Purpose))
        for code in self.territories:
            if not _TERRITORY.fullmatch(code):
                raise FormatError("tombstone", f"expected a territory such as DE, found {code!r:.20}")

    def __bool__(self) -> bool:
        """Whether it limits anything."""
        return bool(self.territories or self.purposes)


@dataclass(frozen=True, slots=True)
class Dates:
    """When the notice came, when it was decided (None while it is disputed), from when that holds, and when it is looked at
    again, None for never.
    """

    notice_at: datetime
    decided_at: datetime | None
    effective_at: datetime
    review_at: datetime | None = None

    def __post_init__(self) -> None:
        """Check that they follow each other."""
        decided_at = self.decided_at or self.notice_at
        if not self.notice_at <= decided_at <= self.effective_at:
            raise FormatError("tombstone", "expected the notice before the decision, and that before it takes effect")
        if self.review_at is not None and self.review_at < self.effective_at:
            raise FormatError("tombstone", "expected the review after it takes effect")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One statement of an archive about one of its objects.

    number: of the statement, counted from 1 in each archive; prior: that of the statement which this one replaces, 0 for none.
    whole: whether the object as such is meant, or the files with these digests alone. sha256s: of the music or pictures meant,
    in order. infohashes: of the drops that carry the object, v1 and v2, in order. notice_digest: salted, "" without a notice.
    """

    object_id: ObjectId
    number: int
    prior: int
    state: WithdrawalState
    reason: Reason
    ground: str
    dates: Dates
    decider: Decider = Decider.OPERATOR
    scope: Scope = Scope()
    whole: bool = True
    sha256s: tuple[Sha256, ...] = ()
    infohashes: tuple[str, ...] = ()
    notice_digest: str = ""
    contact: str = ""

    def __post_init__(self) -> None:
        """Check what a stranger may have written."""
        if not 0 <= self.prior < self.number <= NUMBER_MAX:
            raise FormatError("tombstone", f"expected a number after that of the statement before, found {self.number}")
        for name, text in (("ground", self.ground), ("contact", self.contact)):
            if len(text) > TEXT_CHARACTERS_MAX or (text and not text.isprintable()):
                raise FormatError("tombstone", f"expected a line of at most {TEXT_CHARACTERS_MAX} characters as its {name}")
        _check_sorted("sha256s", self.sha256s, FILES_MAX)
        _check_sorted("infohashes", self.infohashes, 2 * DROPS_MAX)
        if not all(_INFOHASH.fullmatch(each) for each in self.infohashes):
            raise FormatError("tombstone", "expected infohashes of 40 or 64 hexadecimal digits")
        if self.notice_digest:
            Sha256(self.notice_digest)
        if not self.whole and not self.sha256s:
            raise FormatError("tombstone", "names neither the object nor files of it")
        if bool(self.scope) != (self.state is WithdrawalState.RESTRICTED):
            raise FormatError("tombstone", "a restriction has a scope, and nothing else has one")
        if (self.dates.decided_at is None) != (self.state is WithdrawalState.DISPUTED):
            raise FormatError("tombstone", "what is disputed has no decision yet, and everything else has one")

    def masks(self, purpose: Purpose | None = None) -> bool:
        """Whether the object, or the part that is meant, is not given out for a purpose; None: for any at all."""
        if self.state is WithdrawalState.REINSTATED:
            return False
        return purpose is None or not self.scope.purposes or purpose in self.scope.purposes

    def means(self, sha256: str) -> bool:
        """Whether a file of the object is meant, by its digest."""
        return self.whole or sha256 in self.sha256s


def joined(said: Sequence[Tombstone]) -> Tombstone:
    """Return the last of the statements about one object that mask it, meaning all that any of them means: no one lifts another's.

    said: of the archives that have a say, at least one, of this archive last.
    """
    last = said[-1]
    if last.whole or len(said) == 1:
        return last
    sha256s = sorted({sha256 for each in said for sha256 in each.sha256s})
    # More files than a statement can name are the object as such.
    whole = len(sha256s) > FILES_MAX or any(each.whole for each in said)
    return replace(last, whole=whole, sha256s=last.sha256s if whole else tuple(sha256s))


class Authority(StrEnum):
    """Whose statement it is."""

    OWN = "own"
    """This archive's own."""
    FOLLOWED = "followed"
    """Of the archive that this one mirrors."""


class Answer(StrEnum):
    """What a mirror's operator made of a statement of the archive that it follows."""

    PENDING = "pending"
    """Nothing yet: the bytes are kept, masked."""
    KEEP = "keep"
    """Keep the bytes, masked."""
    PURGE = "purge"
    """Purge the bytes."""
    DISMISS = "dismiss"
    """Give it out all the same, on the mirror's own account."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A statement as this archive keeps it.

    answer: PENDING for own ones. answer_ground: why, in words for the public. purge_at: when a purge was ordered, None for
    never; purged_at: when the bytes were gone. origin: the mark of the archive that said it, "" for this one and for the first
    that it follows.
    """

    tombstone: Tombstone
    authority: Authority
    answer: Answer = Answer.PENDING
    answered_at: datetime | None = None
    answer_ground: str = ""
    purge_at: datetime | None = None
    purged_at: datetime | None = None
    origin: str = ""

    def masks(self, purpose: Purpose | None = None) -> bool:
        """Whether the object is not given out here for a purpose; None: for any at all."""
        if self.purge_at is not None and self.purged_at is None:
            return True  # half of it may be gone
        return self.answer is not Answer.DISMISS and self.tombstone.masks(purpose)
