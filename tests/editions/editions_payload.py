"""Stored versions with real bytes, real admissions and a real folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from fonoteca.edges.disk import DiskBlobs
from fonoteca.editions import (
    Editions,
    Heading,
    Keyring,
    ManifestedDrop,
    Signatory,
    SnapshotPlan,
    cut,
    cut_snapshot,
    rows_of_plan,
    rows_of_snapshot,
)
from fonoteca.editions.planning import DropPlan
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import Announce
from fonoteca.formats.ocfl import object_path
from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Candidate, CandidateFile, MemberFile, Shareable, StoredFile, StoredVersion
from fonoteca.model.hashes import BLOCK_BYTES
from fonoteca.model.ids import ContentPath, ItemKey, LogicalPath, ObjectId
from fonoteca.model.rights import Evidence, Kind, Policy, Scheme, SharingAdmission
from fonoteca.model.settings import SigningSettings
from fonoteca.rights import decide
from fonoteca.testing.keys import MemoryKeys, counted_seeds

PIECE_BYTES = BLOCK_BYTES
NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
HEADING = Heading("Jazz of the commons", "jazz", PIECE_BYTES)
LICENCE = "https://creativecommons.org/licenses/by/4.0/"


@cache
def admission_of(kind: Kind, key: str) -> SharingAdmission:
    """Return what the gate gives for an item under CC BY."""
    evidence = Evidence(Scheme.LICENCE_URI, LICENCE, "https://example.org/", "packager", NOW)
    offer = CandidateFile(LogicalPath("x"), 1, lambda: pytest.fail("nothing is read"))
    candidate = Candidate(ItemKey(key), kind, key, "Somebody", "https://example.org/", (offer,), (evidence,), "Somebody")
    decision = decide(candidate, Policy(), NOW)
    assert isinstance(decision, SharingAdmission)
    return decision


@dataclass(frozen=True)
class Payload:
    """Makes versions and keeps their bytes, so that they can be put on disk. contents: path below the storage root to bytes."""

    contents: dict[str, bytes] = field(default_factory=dict)

    def version(self, name: str, number: int = 1, lengths: Sequence[int] = (40_000, 70_000), kind: str = "audio") -> StoredVersion:
        """Return a version of the object with this name: as many content files as lengths, an inventory and its sidecar."""
        object_id = ObjectId.of(kind, f"folder:{name}")
        home = object_path(object_id)
        names = [f"content/{index:02d}-track.ogg" for index in range(len(lengths))]
        contents = {
            path: hashlib.shake_128(f"{object_id} {number} {path}".encode()).digest(length)
            for path, length in zip([*names, "inventory.json", "inventory.json.sha256"], [*lengths, 300, 80], strict=True)
        }
        members = []
        for path, content in contents.items():
            self.contents[f"{home}/v{number}/{path}"] = content
            members.append(MemberFile(f"{home}/v{number}/{path}", hash_bytes(content, PIECE_BYTES)))
        files = tuple(
            StoredFile(
                logical_path=LogicalPath(path),
                content_path=ContentPath(f"v{number}/{path}"),
                hashes=member.hashes,
                media_type="audio/ogg",
                probe=None,
                tags=Tags(title=f"{name} {path}", artist="Somebody \udce9") if kind == "audio" else None,
            )
            for path, member in zip(names, members, strict=False)
        )
        return StoredVersion(object_id, number, NOW, home, tuple(sorted(members, key=lambda m: m.path)), files)

    def shareable(self, version: StoredVersion, share: float = 0.0) -> Shareable:
        """Return the version with its admission."""
        return Shareable(version, admission_of(Kind(version.object_id.kind), version.object_id.key), share)

    def snapshot(self, name: str = "2026-11-22", salt: str = "") -> SnapshotPlan:
        """Return a snapshot of two files."""
        files = {"snapshot.json": f"{{{salt}}}".encode(), "recordings.parquet": hashlib.shake_128(salt.encode()).digest(50_000)}
        return SnapshotPlan(name, tuple(MemberFile(path, hash_bytes(content, PIECE_BYTES)) for path, content in files.items()))

    def write(self, root: Path) -> None:
        """Put everything below a folder."""
        for path, content in self.contents.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)


def manifested(plan: DropPlan, announce: Announce | None = None) -> ManifestedDrop:
    """Return the drop of a plan as it is published."""
    made = cut(plan, HEADING.root_name, PIECE_BYTES, announce or Announce(), NOW)
    return ManifestedDrop(made.drop, made.torrent, rows_of_plan(plan))


def manifested_snapshot(plan: SnapshotPlan, supersedes: ManifestedDrop | None = None) -> ManifestedDrop:
    """Return the drop of a snapshot as it is published."""
    plan = replace(plan, supersedes=supersedes.drop.id if supersedes else None)
    made = cut_snapshot(plan, HEADING.root_name, PIECE_BYTES, Announce(), NOW)
    return ManifestedDrop(made.drop, made.torrent, rows_of_snapshot(plan))


def editions_in(folder: Path, salt: str = "") -> Editions:
    """Return the editions in a folder, signed by keys that are always the same for one salt."""
    return Editions(DiskBlobs(folder), signatory(salt))


def signatory(salt: str = "", keys: MemoryKeys | None = None) -> Signatory:
    """Return what signs with keys that are always the same for one salt."""
    keyring = Keyring(keys or MemoryKeys(), counted_seeds(salt))
    keyring.make_missing()
    return Signatory(keyring, SigningSettings())
