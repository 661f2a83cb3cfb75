"""What a search gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HitKind(StrEnum):
    """What was found."""

    TRACK = "track"
    ARTIST = "artist"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found. id: the recording's id, the release's id, or the artist's name as the catalogue has it.

    title: of the track or release, or the artist's name. artist and release: "" where they say nothing more.
    held: whether we keep it, or any track of it. share: of all listening, 0 to 1, of all its tracks together.
    score: match times popularity; comparable within one answer only.
    """

    kind: HitKind
    id: str
    title: str
    artist: str
    release: str
    held: bool
    share: float
    score: float
