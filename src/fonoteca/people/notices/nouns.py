"""What a notice is, the states that it passes through, and what may be decided about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from fonoteca.model.errors import UsageError

PLACE_LETTERS_MOST, REASONS_LETTERS_MOST, CONTACT_LETTERS_MOST, ANSWER_LETTERS_MOST = 500, 10_000, 200, 500


class NoticeKind(StrEnum):
    """What a notice asks for: that something is given out no more, that it is said rightly, that it is given out again."""

    RIGHTS = "rights"
    CORRECTION = "correction"
    COUNTER = "counter"


class NoticeState(StrEnum):
    """What became of a notice. `deciding` and `answering`: what was granted is being carried out."""

    RECEIVED = "received"
    DECIDING = "deciding"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    APPEALED = "appealed"
    ANSWERING = "answering"
    GRANTED = "granted"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Ways:
    """Where a decision leads from a state. claimed: while what it orders is carried out."""

    granted: NoticeState
    refused: NoticeState
    claimed: NoticeState


WAYS: Mapping[NoticeState, Ways] = {
    NoticeState.RECEIVED: Ways(NoticeState.ACCEPTED, NoticeState.REJECTED, NoticeState.DECIDING),
    NoticeState.APPEALED: Ways(NoticeState.GRANTED, NoticeState.DENIED, NoticeState.ANSWERING),
}
"""From each state in which somebody has to decide."""

BACK: Mapping[NoticeState, NoticeState] = {ways.claimed: state for state, ways in WAYS.items()}
"""From each state in which somebody has decided first, to the one before."""

WAITING = (*WAYS, *BACK)
APPEALABLE = (NoticeState.ACCEPTED, NoticeState.REJECTED)
ENDED = tuple(state for state in NoticeState if state not in WAITING)


class Act(StrEnum):
    """What a decision does to what is held."""

    NONE = "none"
    WITHDRAW = "withdraw"
    REINSTATE = "reinstate"


class Likeness(StrEnum):
    """By what notices that wait are taken together."""

    TEXT = "text"
    CONTACT = "contact"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody wrote. place: the exact place, an object's id or its page. name, contact: who, "" once forgotten.

    subject: the id of the withdrawn object that a counter-notice is about, "" for the other kinds.
    """

    kind: NoticeKind
    place: str
    reasons: str
    name: str
    contact: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice. answer: the reasons of the newest decision, "" while there is none; decided: when that was.

    since: when its state began. due: until when it is to be decided or its appeal answered, None where nothing waits.
    """

    number: int
    received: datetime
    words: Words = field(repr=False)
    state: NoticeState
    answer: str
    decided: datetime | None
    since: datetime
    due: datetime | None

    @property
    def brief(self) -> Brief:
        """The notice without what was written."""
        return Brief(self.number, self.words.kind, self.words.subject, self.state)

    def overdue(self, now: datetime) -> bool:
        """Whether it should have been decided by now."""
        return self.due is not None and self.due < now


@dataclass(frozen=True, slots=True)
class Brief:
    """A notice without what was written."""

    number: int
    kind: NoticeKind
    subject: str
    state: NoticeState


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a notice; nothing of it is ever changed. words: reasons, as its sender may read them.

    objects: ids of the objects that were withdrawn or given out again with it. by: the account that decided, None for a sender, or
    for a command at the machine.
    """

    at: datetime
    what: NoticeState
    words: str
    act: Act
    objects: tuple[str, ...]
    by: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision. grant: what was asked for, in the notice or the appeal. subject: an object's id or an item's key.

    reason: the public code of a withdrawal. files: logical paths, none for all.
    """

    grant: bool
    ground: str
    act: Act = Act.NONE
    subject: str = ""
    reason: str = "rights-holder"
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that a refusal does nothing, and that what is done is done to something."""
        if not self.grant and self.act is not Act.NONE:
            raise UsageError("decision", f"a refusal that would {self.act}", "Grant it, or leave what is held alone.")
        if (self.act is Act.NONE) is not (self.subject == ""):
            raise UsageError("decision", f"to {self.act} {self.subject!r}", "Name what is meant, where something is done.")

    def text(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True, sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> Verdict:
        """Return the verdict of a line that `text` gave."""
        found = json.loads(text)
        return cls(**{**found, "act": Act(found["act"]), "files": tuple(found["files"])})


@dataclass(frozen=True, slots=True)
class Queued:
    """A row of the queue. notice: the one that is due first. count: of those like it, and it. like: by what, None for one."""

    notice: Notice
    count: int
    like: Likeness | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the queue stands. oldest: when the notice came, or was objected to, that waits the longest; None where none waits."""

    waiting: int
    overdue: int
    oldest: datetime | None
