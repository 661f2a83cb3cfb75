"""What a promoted archive says of where it comes from: it was a mirror, and its origin is gone.

`index.json` names it, so the promoted archive has signed it. The origin has not: whoever followed that decides whom to believe.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fonoteca.editions.memberlist import count
from fonoteca.formats.instants import instant, parse_instant
from fonoteca.model.ids import Sha256

PROMOTIONS_MAX = 64
"""How often an archive may be promoted, a mirror of a mirror after the other."""

_ROOTS_MAX = 4_096
_ADDRESS_CHARS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Promotion:
    """From what a promoted archive goes on. It is the word of the promoted archive alone: the origin has signed nothing of it.

    address: where the origin was followed, "" where nobody else can follow that. roots: the digests of the roots that it had, the
    first one first; the last was in force. edition: the last that was followed. at: when the mirror was promoted.
    """

    address: str
    roots: tuple[Sha256, ...]
    edition: int
    at: datetime

    def __post_init__(self) -> None:
        """Check what a stranger may have written."""
        if self.address and (len(self.address) > _ADDRESS_CHARS_MAX or not self.address.isprintable()):
            raise ValueError("expected an address of one line")
        if not self.roots or len(self.roots) > _ROOTS_MAX or self.edition < 1:
            raise ValueError(f"expected 1 to {_ROOTS_MAX} roots, and the number of an edition")

    @property
    def root_sha256(self) -> Sha256:
        """The root that was in force."""
        return self.roots[-1]

    def known_root(self, trusted: Collection[str]) -> Sha256 | None:
        """Return the newest of its roots that is among those that somebody trusts, None for none."""
        return next((each for each in reversed(self.roots) if each in trusted), None)


def promotion_json(promotion: Promotion) -> dict[str, Any]:
    """Return a promotion as JSON has it."""
    return {
        "address": promotion.address,
        "roots": list(promotion.roots),
        "edition": promotion.edition,
        "at": instant(promotion.at),
    }


def parse_promotion(found: Any) -> Promotion:
    """Return a promotion that JSON tells of. Raises: whatever a wrong type or value raises; the caller names it."""
    if not isinstance(found, dict) or not isinstance(found["address"], str) or not isinstance(found["roots"], list):
        raise TypeError("expected a promotion")
    roots = tuple(Sha256(each) for each in found["roots"])
    return Promotion(found["address"], roots, count(found["edition"], 1), parse_instant(found["at"]))


def parse_promotions(found: Any) -> tuple[Promotion, ...]:
    """Return promotions, one at least. Raises: as `parse_promotion`."""
    if not isinstance(found, list) or not 0 < len(found) <= PROMOTIONS_MAX:
        raise ValueError(f"expected 1 to {PROMOTIONS_MAX} promotions")
    return tuple(parse_promotion(each) for each in found)
