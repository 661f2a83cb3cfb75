"""`metadata.json` and `rights.json`: what an object says of its files and why we may hold them.

Both are published with the object, so both hold facts only; raw evidence is present as a salted digest. They carry a
version (`fonoteca-metadata/1`), sorted keys, and are the same bytes for the same facts. Binary hashes are base64.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from fonoteca.formats.instants import instant
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.formats.terms import parse_term, term_json
from fonoteca.model.audio import AudioProbe, Loudness, Tags
from fonoteca.model.corridor import Correction, LeftOut, StoredFile
from fonoteca.model.errors import FormatError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, ItemKey, LogicalPath, Sha256
from fonoteca.model.rights import Act, Admission, AiConsent, AiPurpose, Kind, PublishedEvidence, RightsRecord, Scheme
from fonoteca.model.terms import ALWAYS

METADATA = LogicalPath("metadata.json")
RIGHTS = LogicalPath("rights.json")
METADATA_FORMAT = "fonoteca-metadata/1"
RIGHTS_FORMAT = "fonoteca-rights/1"
TERM_FORMAT = "fonoteca-rights/2"
"""Of rights that hold for a term: a newer format, so that nobody who knows no terms reads them as rights without one."""

_DESCRIPTION_CHARACTERS_MAX = 120
"""A short description of free-text evidence is no longer; more would be the text itself."""

_PROBE_NUMBERS = ("duration_ms", "sample_rate_hz", "channels", "bitrate_bps")
_LOUDNESS = ("integrated_lufs", "range_lu", "sample_peak_dbfs")
_TAG_TEXTS = ("title", "artist", "album", "album_artist", "date", "genre", "copyright", "licence", "recording_mbid")
_TAG_NUMBERS = ("track_number", "disc_number")
_RECORD_TEXTS = ("licence_uri", "transcode", "attribution", "notices", "rule", "policy_digest")

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ObjectMetadata:
    """What metadata.json says. files: in order of logical path. left_out: files of the item that were not taken.

    corrections: what of it is a curator's word, in order.
    """

    item: ItemKey
    kind: Kind
    title: str
    artist: str
    source_uri: str
    piece_bytes: int
    files: tuple[StoredFile, ...]
    left_out: tuple[LeftOut, ...]
    corrections: tuple[Correction, ...] = ()


def metadata_json(metadata: ObjectMetadata) -> bytes:
    """Return metadata.json. Raises: FormatError for a loudness that is not a number."""
    return json_bytes(
        {
            "format": METADATA_FORMAT,
            "item": metadata.item,
            "kind": metadata.kind,
            "title": metadata.title,
            "artist": metadata.artist,
            "source_uri": metadata.source_uri,
            "piece_bytes": metadata.piece_bytes,
            "files": [_file_json(file) for file in sorted(metadata.files, key=lambda f: f.logical_path)],
            "left_out": [{"logical_path": f.logical_path, "rule": f.rule, "reason": f.reason} for f in metadata.left_out],
            **_corrections_json(metadata.corrections),
        },
        METADATA,
    )


def parse_metadata(content: bytes) -> ObjectMetadata:
    """Return what metadata.json says, checked. Raises: FormatError naming the field; content is a stranger's on a mirror."""
    found = _Fields(parse_json(content, METADATA), METADATA)
    found.expect_format(METADATA_FORMAT)
    piece_bytes = found.number("piece_bytes")
    files = tuple(_parse_file(file, piece_bytes) for file in found.objects("files"))
    names = [file.logical_path for file in files]
    if names != sorted(set(names)):
        raise FormatError(METADATA, "files are not in order of logical path, each once")
    return ObjectMetadata(
        item=found.made("item", ItemKey),
        kind=found.member("kind", Kind),
        title=found.text("title"),
        artist=found.text("artist"),
        source_uri=found.text("source_uri"),
        piece_bytes=piece_bytes,
        files=files,
        left_out=tuple(LeftOut(f.text("logical_path"), f.text("rule"), f.text("reason")) for f in found.objects("left_out")),
        corrections=() if found.absent("corrections") else tuple(_parse_correction(f) for f in found.objects("corrections")),
    )


def published(admission: Admission, salted: Sequence[str]) -> RightsRecord:
    """Return an admission as it may be published.

    salted: for each evidence of the admission, in order, the salted digest of its raw bytes; "" where it has none.
    """
    return RightsRecord(
        item=admission.item,
        kind=admission.kind,
        licence_uri=admission.licence.uri,
        acts=admission.acts,
        transcode=admission.transcode,
        attribution=admission.attribution,
        notices=admission.notices,
        evidence=tuple(
            PublishedEvidence(e.scheme, published_statement(e.scheme, e.statement), e.source_uri, e.declarer, e.observed_at, digest)
            for e, digest in zip(admission.evidence, salted, strict=True)
        ),
        rule=admission.rule,
        decided_at=admission.decided_at,
        policy_digest=admission.policy_digest,
        ai={purpose: consent for purpose, consent in admission.ai.items() if consent is not AiConsent.UNKNOWN},
        term=admission.term,
    )


def rights_json(admission: Admission, salted: Sequence[str]) -> bytes:
    """Return rights.json of an admission; `salted` as `published` takes it."""
    return record_json(published(admission, salted))


def record_json(record: RightsRecord) -> bytes:
    """Return rights.json of a record."""
    return json_bytes(
        {
            "format": TERM_FORMAT if record.term else RIGHTS_FORMAT,
            "item": record.item,
            "kind": record.kind,
            "acts": sorted(record.acts),
            "evidence": [
                {
                    "scheme": e.scheme,
                    "statement": e.statement,
                    "source_uri": e.source_uri,
                    "declarer": e.declarer,
                    "observed_at": instant(e.observed_at),
                    "salted_sha256": e.salted_sha256,
                }
                for e in record.evidence
            ],
            "decided_at": instant(record.decided_at),
            "ai": dict(record.ai),
            **{name: getattr(record, name) for name in _RECORD_TEXTS},
            **({"term": term_json(record.term)} if record.term else {}),
        },
        RIGHTS,
    )


def parse_rights(content: bytes) -> RightsRecord:
    """Return what rights.json says, checked. Raises: FormatError naming the field."""
    found = _Fields(parse_json(content, RIGHTS), RIGHTS)
    termed = found.content.get("format") == TERM_FORMAT
    found.expect_format(TERM_FORMAT if termed else RIGHTS_FORMAT)
    if not termed and "term" in found.content:
        raise FormatError(RIGHTS, f"it has a term, and is of format {RIGHTS_FORMAT}, which knows none")
    ai = _Fields(found.value("ai", dict), f"{RIGHTS} ai")
    return RightsRecord(
        item=found.made("item", ItemKey),
        kind=found.member("kind", Kind),
        acts=frozenset(_member(RIGHTS, "acts", act, Act) for act in found.value("acts", list)),
        evidence=tuple(
            PublishedEvidence(
                scheme=e.member("scheme", Scheme),
                statement=e.text("statement"),
                source_uri=e.text("source_uri"),
                declarer=e.text("declarer"),
                observed_at=e.instant("observed_at"),
                salted_sha256=e.text("salted_sha256"),
            )
            for e in found.objects("evidence")
        ),
        decided_at=found.instant("decided_at"),
        ai={_member(RIGHTS, "ai", name, AiPurpose): ai.member(name, AiConsent) for name in sorted(ai.content)},
        term=parse_term(found.content.get("term"), RIGHTS) if termed else ALWAYS,
        **{name: found.text(name) for name in _RECORD_TEXTS},
    )


def same_facts(one: RightsRecord, other: RightsRecord) -> bool:
    """Whether two records say the same of an item's rights: all but when it was seen and decided, and under which policy."""
    return _timeless(one) == _timeless(other)


def _timeless(record: RightsRecord) -> RightsRecord:
    never = datetime.min.replace(tzinfo=UTC)
    evidence = tuple(replace(e, observed_at=never) for e in record.evidence)
    return replace(record, evidence=evidence, decided_at=never, policy_digest="", ai=dict(record.ai))


def published_statement(scheme: Scheme, statement: str) -> str:
    """Return a statement as it may be published. Free text that is not a short description stays private: it may name people."""
    if scheme is not Scheme.FREE_TEXT:
        return statement
    short = len(statement) <= _DESCRIPTION_CHARACTERS_MAX and "\n" not in statement and "@" not in statement
    return statement if short else "free text, kept private"


def _corrections_json(corrections: Sequence[Correction]) -> dict[str, Any]:
    """Return the field of corrections; none where there are none, so that nothing changes for an object without."""
    found = [{"of": each.of, "field": each.field, "was": each.was, "says": each.says} for each in corrections]
    return {"corrections": found} if found else {}


def _parse_correction(found: _Fields) -> Correction:
    return Correction(found.text("of"), found.text("field"), found.text("was"), found.text("says"))


def _file_json(file: StoredFile) -> dict[str, Any]:
    hashes = file.hashes
    return {
        "logical_path": file.logical_path,
        "content_path": file.content_path,
        "media_type": file.media_type,
        "sha256": hashes.sha256,
        "file_bytes": hashes.file_bytes,
        "piece_bytes": hashes.piece_bytes,
        "pieces_root": _base64(hashes.pieces_root),
        "piece_layer": _base64(hashes.piece_layer),
        "v1_pieces": _base64(hashes.v1_pieces),
        "v1_last_padded": _base64(hashes.v1_last_padded),
        "probe": None if file.probe is None else _probe_json(file.probe),
        "tags": None if file.tags is None else _tags_json(file.tags),
    }


def _probe_json(probe: AudioProbe) -> dict[str, Any]:
    found = {f.name: getattr(probe, f.name) for f in fields(probe)}
    return {**found, "loudness": {name: getattr(probe.loudness, name) for name in _LOUDNESS}}


def _tags_json(tags: Tags) -> dict[str, Any]:
    """Return tags, those without a value left out."""
    found = {f.name: getattr(tags, f.name) for f in fields(tags)}
    found["other"] = {name: list(values) for name, values in tags.other.items()}
    return {name: value for name, value in found.items() if value not in ("", None, (), {})}


def _parse_file(found: _Fields, piece_bytes: int) -> StoredFile:
    hashes = FileHashes(
        file_bytes=found.number("file_bytes"),
        piece_bytes=found.number("piece_bytes"),
        sha256=found.made("sha256", Sha256),
        pieces_root=found.binary("pieces_root"),
        piece_layer=found.binary("piece_layer"),
        v1_pieces=found.binary("v1_pieces"),
        v1_last_padded=found.binary("v1_last_padded"),
    )
    if hashes.piece_bytes != piece_bytes:
        raise FormatError(METADATA, f"piece_bytes of a file is {hashes.piece_bytes}, of the object {piece_bytes}")
    return StoredFile(
        logical_path=found.made("logical_path", LogicalPath),
        content_path=found.made("content_path", ContentPath),
        hashes=hashes,
        media_type=found.text("media_type"),
        probe=None if found.absent("probe") else _parse_probe(_Fields(found.value("probe", dict), "probe")),
        tags=None if found.absent("tags") else _parse_tags(_Fields(found.value("tags", dict), "tags")),
    )


def _parse_probe(found: _Fields) -> AudioProbe:
    loudness = _Fields(found.value("loudness", dict), "loudness")
    return AudioProbe(
        container=found.text("container"),
        codec=found.text("codec"),
        loudness=Loudness(**{name: loudness.measure(name) for name in _LOUDNESS}),
        lossless=found.value("lossless", bool),
        **{name: found.number(name) for name in _PROBE_NUMBERS},
    )


def _parse_tags(found: _Fields) -> Tags:
    plain: dict[str, Any] = {name: None if found.absent(name) else found.value(name, int) for name in _TAG_NUMBERS}
    plain |= {name: "" if found.absent(name) else found.text(name) for name in _TAG_TEXTS}
    other = {} if found.absent("other") else found.value("other", dict)
    return Tags(
        **plain,
        isrcs=() if found.absent("isrcs") else _texts("isrcs", found.value("isrcs", list)),
        other={name: _texts(name, values) for name, values in other.items()},
    )


def _texts(name: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise FormatError(METADATA, f"tag {name!r} is not a list of texts")
    return tuple(values)


def _member(subject: str, name: str, value: Any, kind: type[_E]) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise FormatError(subject, f"{name} is {value!r}, expected one of {', '.join(kind)}") from None


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@dataclass(frozen=True, slots=True)
class _Fields:
    """A JSON object whose fields are taken by name and type; each method raises FormatError naming the field."""

    content: Mapping[str, Any]
    subject: str

    def __post_init__(self) -> None:
        if not isinstance(self.content, dict):
            raise FormatError(self.subject, "expected a JSON object")

    def expect_format(self, name: str) -> None:
        found = self.content.get("format")
        if found != name:
            remedy = "It may be of a newer Fonoteca." if isinstance(found, str) else ""
            raise FormatError(self.subject, f"format is {found!r}, expected {name!r}", remedy)

    def absent(self, name: str) -> bool:
        return self.content.get(name) is None

    def value(self, name: str, kind: type[_T]) -> _T:
        found = self.content.get(name)
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise FormatError(self.subject, f"{name} is {found!r}, expected {kind.__name__}"[:300])
        return found

    def text(self, name: str) -> str:
        return self.value(name, str)

    def number(self, name: str) -> int:
        found = self.value(name, int)
        if found < 0:
            raise FormatError(self.subject, f"{name} is {found}, expected 0 or more")
        return found

    def measure(self, name: str) -> float | None:
        if self.absent(name):
            return None
        found = self.content[name]
        return float(found) if isinstance(found, int) and not isinstance(found, bool) else self.value(name, float)

    def made(self, name: str, make: Callable[[str], _T]) -> _T:
        return make(self.text(name))

    def member(self, name: str, kind: type[_E]) -> _E:
        return _member(self.subject, name, self.text(name), kind)

    def binary(self, name: str) -> bytes:
        try:
            return base64.b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError):
            raise FormatError(self.subject, f"{name} is not base64") from None

    def instant(self, name: str) -> datetime:
        try:
            found = datetime.fromisoformat(self.text(name))
            if found.tzinfo is not None:
                return found.astimezone(UTC)
        except (ValueError, OverflowError):
            raise FormatError(self.subject, f"{name} is no time in RFC 3339") from None
        raise FormatError(self.subject, f"{name} has no timezone")

    def objects(self, name: str) -> list[_Fields]:
        return [_Fields(found, f"{self.subject} {name}") for found in self.value(name, list)]
