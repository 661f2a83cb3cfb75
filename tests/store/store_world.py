"""A small world to store things in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from random import Random

from fonoteca.edges.disk import DiskBlobs, DiskStaging, SystemCalls
from fonoteca.edges.workers import SerialWorkers
from fonoteca.ingest import IngestContext, Verdict, stage
from fonoteca.model.audio import AudioProbe, Examined, Loudness, Tags
from fonoteca.model.corridor import Candidate, CandidateFile, StagedVersion
from fonoteca.model.ids import ItemKey, LogicalPath, ObjectId
from fonoteca.model.rights import Act, Duty, Evidence, Kind, Licence, Refusal, Scheme, SharingAdmission
from fonoteca.ports import DurableCalls
from fonoteca.store import Store
from fonoteca.testing import SteppingClock

PIECE_BYTES = 16384
ITEM = ItemKey("folder:holst")
OBJECT = ObjectId.of("audio", ITEM)
SALTED = ("ab" * 32,)
THEN = datetime(2025, 5, 5, tzinfo=UTC)
LICENCE = Licence(
    uri="https://creativecommons.org/licenses/by/4.0/",
    name="CC BY 4.0",
    family="cc-by",
    version="4.0",
    jurisdiction="",
    permits=frozenset(Act),
    requires=frozenset({Duty.ATTRIBUTION}),
    prohibits=frozenset(),
)
FILES = {"CD 1/01 Mars\n.ogg": b"m" * 40_000, "CD 1/02 Venus.ogg": Random(1).randbytes(76_800), "cover é.ogg": b"c"}


class Granted(SharingAdmission):
    """An admission as rights would make it."""

    def _made_by_rights(self) -> None: ...


def examined(path: Path, name: str) -> Verdict:
    loudness = Loudness(-14.5, None, -0.25)
    probe = AudioProbe("ogg", "vorbis", 1234, 44100, 2, 128_000, loudness, lossless=False)
    return Examined("audio/ogg", probe, Tags(title=f"Title of {name}", isrcs=("GBAAA0000001",), other={"x": (str(path.suffix),)}))


class Unsynced(SystemCalls):
    """Calls that do not wait for the disk: a killed process loses no page, so tests of kills lose nothing but time."""

    def fsync(self, descriptor: int) -> None: ...

    def fsync_dir(self, path: Path) -> None:
        assert path.is_dir()

    def sync_all(self, descriptor: int) -> None: ...


@dataclass
class World:
    """An archive's store below `root`, with one clock, through these calls."""

    root: Path
    calls: DurableCalls = field(default_factory=Unsynced)
    piece_bytes: int = PIECE_BYTES

    def __post_init__(self) -> None:
        self.blobs = DiskBlobs(self.root / "store", self.calls)
        self.staging = DiskStaging(self.root / "staging", self.calls)
        self.clock = SteppingClock()
        self.store = Store(self.blobs, self.staging, self.clock, self.piece_bytes)

    @property
    def folder(self) -> Path:
        return self.root / "store"

    def staged(self, files: Mapping[str, bytes] = FILES, *, seen: datetime = THEN, title: str = "Planets") -> StagedVersion:
        """Return these files staged under an admission."""
        evidence = (Evidence(Scheme.LICENCE_URI, LICENCE.uri, "file:///x", "folder's rights.toml", seen, b"raw"),)
        offered = tuple(CandidateFile(LogicalPath(p), len(c), lambda c=c: BytesIO(c)) for p, c in files.items())
        candidate = Candidate(ITEM, Kind.AUDIO, title, "Holst", "file:///x", offered, evidence)
        admission = Granted(
            item=ITEM,
            kind=Kind.AUDIO,
            licence=LICENCE,
            acts=frozenset({Act.HOLD, Act.SHARE}),
            transcode="section 2(a)(4)",
            attribution="Holst",
            notices="",
            evidence=evidence,
            rule="licence-admits",
            decided_at=seen,
            policy_digest="00" * 32,
        )
        context = IngestContext(
            self.staging, self.piece_bytes, SerialWorkers(), examined, lambda _: None, lambda i, p, m: Refusal(i, "protected", p, m)
        )
        result = stage(candidate, admission, context)
        assert isinstance(result, StagedVersion)
        return result

    def bytes_of(self) -> dict[str, bytes]:
        """Return every file below the store, temporary ones too, by path."""
        return {p.relative_to(self.folder).as_posix(): p.read_bytes() for p in sorted(self.folder.rglob("*")) if p.is_file()}


def tree(root: Path) -> tuple[tuple[str, bytes], ...]:
    """Return all that is on disk below a root, names of temporary files aside."""
    found = sorted((str(p.relative_to(root)), p.read_bytes() if p.is_file() else b"") for p in root.rglob("*"))
    return tuple((re.sub(r"tmp-\d+-\d+", "tmp", path), content) for path, content in found)
