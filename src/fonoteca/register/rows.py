"""What the register gives back: plain frozen rows, and the JSON in which probes, tags and facts are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from fonoteca.formats.strictjson import whole_text
from fonoteca.model.audio import AudioProbe, Loudness, Tags
from fonoteca.model.corridor import Damage, DropKind, RankRange, StoredFile
from fonoteca.model.ids import DropId, InfohashV1, InfohashV2, ItemKey, LogicalPath, ObjectId, Sha256


@dataclass(frozen=True, slots=True)
class Description:
    """What an object is called and where it came from, as its metadata.json says."""

    title: str
    artist: str
    source_uri: str


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object and its head version. file_*: audio or artwork files of the head, not the JSON beside them. head_at: when
    the head was made. item: None for documents. licence_uri, attribution: "" for documents. damage: what the last audit found
    wrong with its own inventory, sidecar or declaration, "" for nothing. quarantined_at: None unless it is neither served nor
    published for damage that nothing could heal; quarantine: why.
    """

    object_id: ObjectId
    kind: str
    item: ItemKey | None
    title: str
    artist: str
    source_uri: str
    object_path: str
    head_version: int
    head_at: datetime
    licence_uri: str
    attribution: str
    file_count: int
    file_bytes: int
    duration_ms: int
    damage: str
    quarantined_at: datetime | None = None
    quarantine: str = ""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version and the rights that were in force when it was made. acts: names in order; empty for documents."""

    object_id: ObjectId
    version: int
    created_at: datetime
    object_path: str
    version_bytes: int
    licence_uri: str
    acts: tuple[str, ...]
    transcode: str
    attribution: str
    rule: str
    policy_digest: str
    decided_at: datetime | None
    dropped: bool


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A file under `vN/`. path: below the storage root. checked_at: None before the first audit. damage: its kind or ""."""

    object_id: ObjectId
    version: int
    path: str
    file_bytes: int
    sha256: Sha256
    checked_at: datetime | None
    damage: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """An audio or artwork file of an object's head. path: below the storage root, often in an earlier `vN/`.

    title, artist, release: from tags, or from the path and the object where there are none. duration_ms: 0 for artwork.
    damage: what the last audit found, "" for nothing. stored: the file as metadata.json describes it.
    """

    object_id: ObjectId
    logical_path: LogicalPath
    path: str
    media_type: str
    codec: str
    file_bytes: int
    duration_ms: int
    title: str
    artist: str
    release: str
    year: int | None
    damage: str
    checked_at: datetime | None
    stored: StoredFile


class Outcome(StrEnum):
    """How rights decided against taking an item at once."""

    REFUSAL = "refusal"
    HOLD = "hold"


class DecisionState(StrEnum):
    """Whether someone has seen to a decision."""

    OPEN = "open"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A refusal or hold. remedy: of a refusal its remedy, of a hold the question. settlement: what a person decided, or "".

    source: the kind that the item is of. said: a digest of what its evidence says, "" where that was not kept.
    """

    subject: str
    outcome: Outcome
    rule: str
    item: str
    reason: str
    remedy: str
    at: datetime
    state: DecisionState
    settlement: str
    settled_at: datetime | None
    title: str = ""
    artist: str = ""
    source: str = ""
    said: str = ""

    @property
    def token(self) -> str:
        """A digest of what a person decides about: another one when rights hold it by another rule, or its evidence changed."""
        told = "\n".join((self.subject, self.outcome, self.rule, self.reason, self.remedy, self.said))
        return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class DropRow:
    """A drop without its members, which may be many."""

    id: DropId
    kind: DropKind
    infohash_v1: InfohashV1
    infohash_v2: InfohashV2
    drop_bytes: int
    file_count: int
    coverage_share: float
    created_at: datetime
    needs: tuple[DropId, ...]
    supersedes: DropId | None
    ranks: RankRange | None
    replaces: tuple[DropId, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A fixity check to record: of the file at `path` below the storage root. damage: None when it was sound."""

    object_id: ObjectId
    path: str
    at: datetime
    damage: Damage | None


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A dated fixity check. result: `sound` or a kind of damage; expected, found, pieces: of the damage."""

    object_id: ObjectId
    path: str
    at: datetime
    result: str
    expected: str
    found: str
    pieces: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the heads of objects: audio and artwork files, without the JSON beside them. duration_ms: of audio."""

    objects: int
    files: int
    bytes: int
    duration_ms: int


SOUND = "sound"
"""The result of a fixity check that found nothing wrong."""


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def _compact(value: object) -> str:
    """Return JSON that is the same for equal values: keys in order, no spaces, ASCII, so that odd text in tags survives."""
    return _ENCODER.encode(value)


TEXT_CHARACTERS_MAX = 600
"""Of a title or name. PostgreSQL's indexes take keys of at most 2,704 bytes, and a character has up to four."""


def plain(text: str) -> str:
    """Return text as every engine takes it: lone surrogates become U+FFFD, and NUL goes, which PostgreSQL has no place for."""
    return whole_text(text).replace("\x00", "")


def storable(text: str) -> str:
    """Return text as every engine takes it in a column with an index: as `plain` gives it, cut where it is too long.

    The JSON columns keep titles and names whole.
    """
    whole = plain(text)
    return whole if len(whole) <= TEXT_CHARACTERS_MAX else whole[: TEXT_CHARACTERS_MAX - 1] + "…"


def probe_json(probe: AudioProbe | None) -> str | None:
    """Return the probe as the register keeps it."""
    if probe is None:
        return None
    fields = {name: getattr(probe, name) for name in AudioProbe.__dataclass_fields__}
    fields["loudness"] = {name: getattr(probe.loudness, name) for name in Loudness.__dataclass_fields__}
    return _compact(fields)


def probe_of(text: str | None) -> AudioProbe | None:
    """Return the probe that `probe_json` wrote."""
    if text is None:
        return None
    fields = json.loads(text)
    fields["loudness"] = Loudness(**fields["loudness"])
    return AudioProbe(**fields)


def tags_json(tags: Tags | None) -> str | None:
    """Return the tags as the register keeps them, fields that say nothing left out."""
    if tags is None:
        return None
    fields = {name: getattr(tags, name) for name in Tags.__dataclass_fields__}
    fields["other"] = {key: list(values) for key, values in tags.other.items()}
    return _compact({name: value for name, value in fields.items() if value not in ("", None, (), {})})


def tags_of(text: str | None) -> Tags | None:
    """Return the tags that `tags_json` wrote."""
    if text is None:
        return None
    fields = json.loads(text)
    if "isrcs" in fields:
        fields["isrcs"] = tuple(fields["isrcs"])
    if "other" in fields:
        fields["other"] = {key: tuple(values) for key, values in fields["other"].items()}
    return Tags(**fields)


def facts_json(facts: Sequence[tuple[str, str | int | float]]) -> str:
    """Return an event's facts, in their own order."""
    return _compact([list(fact) for fact in facts])


def facts_of(text: str) -> tuple[tuple[str, str | int | float], ...]:
    """Return the facts that `facts_json` wrote."""
    return tuple((name, value) for name, value in json.loads(text))


def numbers_json(numbers: Sequence[int]) -> str:
    """Return piece indexes as a JSON list."""
    return _compact(list(numbers))


def numbers_of(text: str) -> tuple[int, ...]:
    """Return the list that `numbers_json` wrote."""
    return tuple(json.loads(text))
