"""What a search gives."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Facets:
    """How many match, by kind, decade, licence and whether held. whole: False where only the most heard were counted."""

    kinds: Mapping[str, int]
    decades: Mapping[int, int]
    licences: Mapping[str, int]
    held: Mapping[str, int]
    whole: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of hits, the best first. after: the cursor of the next page, "" when this is the last."""

    hits: tuple[Hit, ...]
    after: str
