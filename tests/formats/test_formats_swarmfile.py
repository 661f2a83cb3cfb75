"""`swarm.json`: what is written is read, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fonoteca.formats.swarmfile import DropSeen, SwarmSeen, parse_swarm, swarm_json
from fonoteca.model.errors import FormatError
from fonoteca.model.ids import DropId

SEEN = SwarmSeen(
    datetime(2026, 2, 1, 12, tzinfo=UTC),
    (
        DropSeen(DropId("audio-0123456789abcdef"), None, 0, 0, "its rights ended"),
        DropSeen(DropId("search-0123456789abcdef"), 4, 2, 10**12),
    ),
)


def test_what_is_written_is_read() -> None:
    assert parse_swarm(swarm_json(SEEN)) == SEEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fonoteca-swarm/1", "fonoteca-swarm/9"),
        ('"seeds": 4', '"seeds": -4'),
        ('"seeds": 4', '"seeds": true'),
        ('"given": true', '"given": false'),
        ("audio-", "video-"),
        ('"peers"', '"pears"'),
        ("2026", "next year"),
        ("[", "{"),
    ],
)
def test_anything_else_is_refused(old: str, new: str) -> None:
    with pytest.raises(FormatError):
        parse_swarm(swarm_json(SEEN).decode().replace(old, new).encode())
