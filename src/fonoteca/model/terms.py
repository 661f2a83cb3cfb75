"""Terms: from when, until when and where what may be shared may be shared; and a place, which is asked for with a moment.

Kept in rights.json and decided by `fonoteca.rights` alone. A term never grants anything: it narrows what a licence grants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from fonoteca.model.errors import FormatError

_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW
"""
TERRITORIES = frozenset(_CODES.split())
"""The officially assigned codes of ISO 3166-1 alpha-2. `UK`, `EU` and the like are none of them."""


class Closed(StrEnum):
    """Why a term does not let something out."""

    EARLY = "early"
    OVER = "over"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes would go. country: of ISO 3166-1; "" where nobody knows, or where it is everywhere, as with a swarm."""

    country: str = ""

    def __post_init__(self) -> None:
        """Check the country."""
        if self.country and self.country not in TERRITORIES:
            raise FormatError(f"country {self.country!r:.20}", "expected a code of ISO 3166-1 such as DE")


ANYWHERE = Place()
"""A swarm, an edition, a mirror, and a visitor of whom no country is known: what holds only somewhere does not go there."""


@dataclass(frozen=True, slots=True)
class Term:
    """When and where it holds. starts: the first moment of it; ends: the first moment after it; None for no such bound.

    territories: None for everywhere. `ALWAYS` has neither bound, and is everywhere.
    """

    starts: datetime | None = None
    ends: datetime | None = None
    territories: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Check that there is a moment and a place at which it holds."""
        for name, moment in (("starts", self.starts), ("ends", self.ends)):
            if moment is not None and moment.utcoffset() is None:
                raise FormatError("term", f"{name} {moment.isoformat()} has no time zone")
        if self.starts is not None and self.ends is not None and self.ends <= self.starts:
            raise FormatError("term", f"it ends {_shown(self.ends)}, not after it starts {_shown(self.starts)}")
        if self.territories is not None:
            if not self.territories:
                raise FormatError("term", "its list of territories is empty: it would hold nowhere")
            if unknown := sorted(self.territories - TERRITORIES):
                raise FormatError("term", f"{unknown[0]!r:.20} is no territory: expected codes of ISO 3166-1 such as DE")

    def __bool__(self) -> bool:
        """Whether it narrows anything."""
        return self != ALWAYS

    def closed(self, now: datetime, place: Place) -> Closed | None:
        """Return why it does not hold at a moment and a place, None where it does. What is over is told before anything else."""
        if self.ends is not None and now >= self.ends:
            return Closed.OVER
        if self.territories is not None and place.country not in self.territories:
            return Closed.ELSEWHERE
        if self.starts is not None and now < self.starts:
            return Closed.EARLY
        return None


ALWAYS = Term()
"""And everywhere: nothing is narrowed."""


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
