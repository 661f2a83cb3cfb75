"""The only admissions there are. Nothing outside `fonoteca.rights` imports this module: a test sees to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from fonoteca.model.rights import Act, Admission, PublishingAdmission, SharingAdmission
from fonoteca.model.terms import ANYWHERE


@final
@dataclass(frozen=True, slots=True)
class HoldingAdmission(Admission):
    """The item may be held, and not shared: not at all, not now, or not there."""

    def __post_init__(self) -> None:
        """Assert that the class says what the acts say."""
        assert Act.HOLD in self.acts, "an admission lets an item be held"
        closed = self.term.closed(self.decided_at, ANYWHERE)
        assert Act.SHARE not in self.acts or closed is not None, "what anyone may be given is an OpenAdmission"

    def _made_by_rights(self) -> None:
        """Make the class concrete."""


@final
@dataclass(frozen=True, slots=True)
class LocalAdmission(SharingAdmission):
    """The item may be held, and shared now with those who are where it was asked for."""

    def __post_init__(self) -> None:
        """Assert that the class says what the acts and the term say."""
        assert self.acts >= {Act.HOLD, Act.SHARE}, "a local admission lets an item be held and shared"
        assert self.term.territories is not None, "what holds everywhere is an OpenAdmission"

    def _made_by_rights(self) -> None:
        """Make the class concrete."""


@final
@dataclass(frozen=True, slots=True)
class OpenAdmission(PublishingAdmission):
    """The item may be held, and shared now with everyone everywhere."""

    def __post_init__(self) -> None:
        """Assert that the class says what the acts and the term say."""
        assert self.acts >= {Act.HOLD, Act.SHARE}, "an open admission lets an item be held and shared"
        assert self.term.closed(self.decided_at, ANYWHERE) is None, "an open admission holds now, and everywhere"

    def _made_by_rights(self) -> None:
        """Make the class concrete."""
