"""`swarm.json`: what a service that gives drops out knows of the swarm, for the site beside it. Nobody signs it.

Grain: one entry per drop that is given out or withheld. Key: id. Order: by id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fonoteca.formats.instants import instant, parse_instant
from fonoteca.formats.strictjson import INTEGER_MAX, json_bytes, parse_json
from fonoteca.model.errors import FonotecaError, FormatError
from fonoteca.model.ids import DropId

SWARM = "swarm.json"
FORMAT = "fonoteca-swarm/1"
SWARM_BYTES_MAX = 64 * 2**20
_REASON_CHARACTERS_MAX = 1000

UNREADABLE = "something of it cannot be read here"
"""How a reason begins that goes on with an error's words: for the operator, since they may name places on this machine."""


@dataclass(frozen=True, slots=True)
class DropSeen:
    """What is known of a drop. seeds: how many have it whole, us among them where a tracker counts; None where nobody says.

    peers: connected. uploaded_bytes: since the service began to give it. withheld: why it is not given out, "" when it is.
    """

    id: DropId
    seeds: int | None
    peers: int
    uploaded_bytes: int
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class SwarmSeen:
    """What a service saw, and when."""

    at: datetime
    drops: tuple[DropSeen, ...]


def swarm_json(seen: SwarmSeen) -> bytes:
    """Return swarm.json."""
    drops = [
        {
            "id": each.id,
            "seeds": each.seeds,
            "peers": each.peers,
            "uploaded_bytes": each.uploaded_bytes,
            "given": not each.withheld,
            "withheld": told_to_all(each.withheld)[:_REASON_CHARACTERS_MAX],
        }
        for each in sorted(seen.drops, key=lambda each: each.id)
    ]
    return json_bytes({"format": FORMAT, "at": instant(seen.at), "drops": drops}, SWARM)


def told_to_all(reason: str) -> str:
    """Return a reason without what is for the operator alone."""
    return UNREADABLE if reason.startswith(UNREADABLE) else reason


def parse_swarm(content: bytes) -> SwarmSeen:
    """Return what swarm.json says. Raises: FormatError."""
    if len(content) > SWARM_BYTES_MAX:
        raise FormatError(SWARM, f"{len(content)} bytes, expected at most {SWARM_BYTES_MAX}")
    found = parse_json(content, SWARM)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise FormatError(SWARM, f"expected the format {FORMAT}")
    try:
        return SwarmSeen(parse_instant(found["at"]), tuple(_drop(each) for each in found["drops"]))
    except FonotecaError as error:
        raise FormatError(SWARM, error.problem) from None
    except (TypeError, ValueError, KeyError) as error:
        raise FormatError(SWARM, f"not what a swarm is: {error!r:.200}") from None


def _drop(found: Any) -> DropSeen:
    withheld = found["withheld"]
    if not isinstance(withheld, str) or found["given"] is not (not withheld):
        raise ValueError("expected either given or a reason")
    seeds = None if found["seeds"] is None else _count(found["seeds"])
    return DropSeen(DropId(found["id"]), seeds, _count(found["peers"]), _count(found["uploaded_bytes"]), withheld)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= INTEGER_MAX:
        raise ValueError(f"expected a count, found {value!r:.40}")
    return value
