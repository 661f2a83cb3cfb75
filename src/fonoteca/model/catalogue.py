"""Nouns of the catalogue: recordings, popularity with its interval, coverage, the plan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from fonoteca.model.corridor import Want
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import Isrc, RecordingId


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
    isrcs: tuple[Isrc, ...]
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
    held_bytes: of what is held.
    """

    points: tuple[CoveragePoint, ...]
    recording_count: int
    held_count: int
    held_share: float
    held_share_low: float
    held_share_high: float
    synthetic: bool
    heard: bool = True
    held_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """The most heard recordings of a snapshot, down to some rank, each as its source offers it.

    share: of all listening, that they carry. held_*: of those among them that are held now.
    """

    count: int
    file_bytes: int
    share: float
    held_count: int
    held_bytes: int
    held_share: float

    @property
    def missing_count(self) -> int:
        """How many of them are not held."""
        return self.count - self.held_count

    @property
    def missing_bytes(self) -> int:
        """What those weigh."""
        return self.file_bytes - self.held_bytes


@dataclass(frozen=True, slots=True)
class PlannedWithin:
    """What the plan in force brings in so many bytes beside what is held: its first wants, as many as fit.

    share: of all listening, of what is held and wanted together. whole: whether that is all that the plan wants.
    """

    plan: str
    budget_bytes: int
    want_count: int
    want_bytes: int
    share: float
    whole: bool


@dataclass(frozen=True, slots=True)
class KeptWithin:
    """What a budget of bytes keeps: the most heard recordings that fit, up to the first that does not.

    kept: these. low, high: of the 90 % interval of the share of listening that they carry. whole: all recordings.
    more_bytes: a step of a size that goes with the budget; more: what it adds to `kept`. last: the last recordings kept, in order
    of rank. left: the first that does not fit, None where all do. planned: None where no plan of this snapshot is in force.
    """

    budget_bytes: int
    kept: Head
    low: float
    high: float
    whole: Head
    more_bytes: int
    more: Head
    last: tuple[Recording, ...]
    left: Recording | None
    synthetic: bool
    heard: bool
    planned: PlannedWithin | None = None


class Permit(Enum):
    """What rights would let us do with recordings under one licence."""

    REFUSED = "refused"
    AS_OFFERED = "as offered"
    """Hold the file as its source offers it, and make no other format of it."""
    ANY_FORMAT = "any format"


AS_OFFERED = "as-offered"
"""The encoding that is a source's own file."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A way to keep a recording other than the file that its source names.

    value: what it keeps of a listen, above 0 and at most 1, which is what the source's file keeps.
    source: the source that offers it; "" for an encoding that we make ourselves, of any source's file, where rights allow.
    """

    name: str
    bits_per_second: int
    value: float
    source: str = ""

    def __post_init__(self) -> None:
        """Hold the limits. Raises: UsageError."""
        shown = f"encoding {self.name!r}"
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,39}", self.name) or self.name == AS_OFFERED:
            raise UsageError(shown, "not a name for it", "Use a-z, 0-9, dots and hyphens, such as opus-96.")
        if not 1000 <= self.bits_per_second <= BITRATE_MAX_BPS:
            raise UsageError(shown, f"{self.bits_per_second} bit/s", f"Give 1k to {BITRATE_MAX_BPS // 1_000_000}M.")
        if not 0 < self.value <= 1:
            raise UsageError(shown, f"keeps {self.value} of a listen", "Give a value above 0, and at most 1.")


BITRATE_MAX_BPS = 100_000_000
"""Eight channels of 32 bits at 384 kHz, the most that FLAC carries, are 98 Mbit/s."""

OPUS_75 = Encoding("opus-75", 75_000, 0.98)
"""What the largest archive of this shape makes of the recordings that are heard least. docs/decisions/knapsack.md has the value."""


@dataclass(frozen=True, slots=True)
class PlanQuestion:
    """What a plan is asked. phase_bytes: how large a phase may be. encodings: what may be had besides the sources' own files."""

    budget_bytes: int
    phase_bytes: int = 10**13
    encodings: tuple[Encoding, ...] = (OPUS_75,)

    def __post_init__(self) -> None:
        """Hold the limits. Raises: UsageError."""
        for name, amount in (("budget", self.budget_bytes), ("phase", self.phase_bytes)):
            if not 1 <= amount <= PLAN_BYTES_MAX:
                raise UsageError("plan", f"a {name} of {amount} bytes", "Give 1 byte to 9 PB, such as 300TB.")
        names = [encoding.name for encoding in self.encodings]
        if len(set(names)) < len(names) or len(names) > PLAN_ENCODINGS_MAX:
            raise UsageError("plan", f"encodings {', '.join(names)}", f"Name at most {PLAN_ENCODINGS_MAX}, each once.")


PLAN_BYTES_MAX = 2**53
"""9.0 PB: up to here sums of bytes are exact in floating point too. All recorded music is some 1.5 PB at 192 kbit/s."""
PLAN_ENCODINGS_MAX = 7


@dataclass(frozen=True, slots=True)
class Kept:
    """What a choice of recordings keeps of all listening, 0 to 1.

    share: plain, a listen to a kept recording counts whole. value: weighted by what each one's encoding keeps of a listen.
    """

    share: float
    value: float


@dataclass(frozen=True, slots=True)
class PlanPart:
    """Some of a plan's wants: a phase (`1`, `2`, ...) or an encoding. share: of all listening, that these recordings carry."""

    name: str
    want_count: int
    part_bytes: int
    share: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What to hold next in so many bytes. Each `Kept` is of what is held and what is wanted together.

    id: the same for the same question about the same snapshot under the same rights.
    kept: of this plan, whose `value` is the most that was found; bound: of any plan in the budget, by linear programming, each of
    share and value by itself. by_popularity: of the sources' own files, most heard first, whatever still fits;
    by_popularity_smallest: the same of the smallest encoding of each.
    optimal: whether it is proved that no plan has more value. candidate_count: recordings that can be wanted; left_out_count and
    left_out_share: those that rights would refuse or ask a person about.
    wants: the first page of them; `Catalogue.wants` has all, in order of worth: value per byte, most first.
    """

    id: str
    snapshot: str
    question: PlanQuestion
    want_count: int
    plan_bytes: int
    held_share: float
    kept: Kept
    bound: Kept
    by_popularity: Kept
    by_popularity_smallest: Kept
    optimal: bool
    candidate_count: int
    left_out_count: int
    left_out_share: float
    phases: tuple[PlanPart, ...]
    encodings: tuple[PlanPart, ...]
    synthetic: bool
    wants: tuple[Want, ...] = ()

    @property
    def gap(self) -> float:
        """How far the value kept is below the bound, as a share of the bound: 0 to 1."""
        return max(0.0, 1 - self.kept.value / self.bound.value) if self.bound.value else 0.0


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
class Heard:
    """How much the listeners of this archive heard a recording. listeners: who comes back after a while counts again."""

    recording: str
    listens: int
    listeners: int


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
class SourceRow:
    """What one source says of a recording. duration_ms: 0 when unknown. rule: by which it is this recording, "" for its own row."""

    id: RecordingId
    title: str
    artist: str
    release: str
    year: int | None
    duration_ms: int
    isrc: str
    source_uri: str
    source: str
    rule: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A recording that something may be. score: the probability, 0 to 1. reasons: what was compared, and how it compares."""

    recording: Recording
    score: float
    reasons: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Suggested:
    """Which recording a held file is taken for, None where the snapshot has none, and which others it may be, likeliest first."""

    taken_for: Recording | None
    others: tuple[Suggestion, ...]


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
