"""The only admissions there are. Nothing outside `fonoteca.rights` imports this module: a test sees to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from fonoteca.model.rights import Act, Admission, SharingAdmission


@final
@dataclass(frozen=True, slots=True)
class HoldingAdmission(Admission):
    """The item may be held, and not shared."""

    def __post_init__(self) -> None:
        """Assert that the class says what the acts say."""
        assert Act.HOLD in self.acts, "an admission lets an item be held"
        assert Act.SHARE not in self.acts, "what may be shared is an OpenAdmission"

    def _made_by_rights(self) -> None:
        """Make the class concrete."""


@final
@dataclass(frozen=True, slots=True)
class OpenAdmission(SharingAdmission):
    """The item may be held and shared."""

    def __post_init__(self) -> None:
        """Assert that the class says what the acts say."""
        assert self.acts >= {Act.HOLD, Act.SHARE}, "an open admission lets an item be held and shared"

    def _made_by_rights(self) -> None:
        """Make the class concrete."""
