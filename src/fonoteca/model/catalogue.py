"""Nouns of the catalogue: recordings, popularity with its interval, coverage, the plan."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.model.corridor import Want
from fonoteca.model.ids import RecordingId


@dataclass(frozen=True, slots=True)
class Popularity:
    """An estimate of a recording's share of all listening, 0 to 1, with a 90 % interval. rank: 1 is the most heard."""

    share: float
    share_low: float
    share_high: float
    rank: int
    synthetic: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of a snapshot. Duration in ms, 0 when unknown. file_bytes: of the held file, or estimated from duration."""

    id: RecordingId
    title: str
    artist: str
    release: str
    release_id: str
    year: int | None
    duration_ms: int
    licence_uri: str
    source_uri: str
    source: str
    file_bytes: int
    held: bool
    popularity: Popularity


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """A point of the coverage curve: the most heard share_of_recordings carry share_of_listening in so many bytes.

    listening_low, listening_high: of the 90 % interval of share_of_listening.
    """

    share_of_recordings: float
    share_of_listening: float
    curve_bytes: int
    listening_low: float = 0.0
    listening_high: float = 1.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """The curve, and where the archive stands. held_share: of all listening, carried by what is held, with its interval.

    heard: whether any listening is known; where none is, every recording counts the same, and no share says what people hear.
    """

    points: tuple[CoveragePoint, ...]
    recording_count: int
    held_count: int
    held_share: float
    held_share_low: float
    held_share_high: float
    synthetic: bool
    heard: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """Wants in order of worth, chosen under a byte budget.

    kept_share: of all listening, by what is held and the wants. bound_share: the linear-programming bound on it.
    by_popularity_share: what plain popularity order keeps in the same bytes. left_out_count: recordings rights would refuse.
    """

    budget_bytes: int
    wants: tuple[Want, ...]
    plan_bytes: int
    held_share: float
    kept_share: float
    bound_share: float
    by_popularity_share: float
    left_out_count: int
    synthetic: bool


@dataclass(frozen=True, slots=True)
class SnapshotSource:
    """Where rows of a snapshot came from. synthetic is shown wherever its figures are."""

    name: str
    kind: str
    date: str
    licence: str
    attribution: str
    row_count: int
    quarantined_count: int
    synthetic: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A catalogue snapshot: `catalogue/<date>/`. files: path below the snapshot's folder to its sha256, in order of path."""

    name: str
    recording_count: int
    sources: tuple[SnapshotSource, ...]
    files: tuple[tuple[str, str], ...]

    @property
    def synthetic(self) -> bool:
        """Whether any listening in it is made up."""
        return any(s.synthetic for s in self.sources)


@dataclass(frozen=True, slots=True)
class HeldTrack:
    """A track we keep, as the catalogue needs it to make a row of kind `store`."""

    recording: RecordingId
    object_id: str
    logical_path: str
    title: str
    artist: str
    release: str
    year: int | None
    duration_ms: int
    file_bytes: int
    licence_uri: str


@dataclass(frozen=True, slots=True)
class Release:
    """A release as a snapshot sums it up. artist: of its most heard recording; artist_count: how many it has.

    year: the latest of its recordings. best_rank: of its most heard recording. share: of all listening, 0 to 1.
    """

    id: str
    title: str
    artist: str
    artist_count: int
    year: int | None
    track_count: int
    held_count: int
    best_rank: int
    share: float


@dataclass(frozen=True, slots=True)
class Artist:
    """An artist's name as written, as a snapshot sums it up. best_rank: of the most heard recording. share: of all listening."""

    name: str
    track_count: int
    held_count: int
    best_rank: int
    share: float
