"""Snapshots on disk: `<date>/` with its Parquet files and snapshot.json, and `current`, which names the one in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

from fonoteca.catalogue.popularity_basis import ListeningBasis
from fonoteca.catalogue.sourcefile import parse_json, parse_snapshot_source, to_json
from fonoteca.model.catalogue import Snapshot
from fonoteca.model.errors import StoreError
from fonoteca.ports import Blobs, Staging

FORMAT = "fonoteca-catalogue/2"
CURRENT = "current"
SNAPSHOT_FILE = "snapshot.json"
BUILDS_A_DAY_MAX = 1000
"""More differing snapshots than this on one day are a loop gone wrong."""


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot and the listening it rests on, as snapshot.json keeps them.

    merged: rows of the table of that name, by rule. inputs: a digest of the imports and rules it was made of.
    unused: redirects that go round in a circle, and ids to keep apart or to merge that no row has: how many of each.
    """

    snapshot: Snapshot
    basis: ListeningBasis
    merged: Mapping[str, int]
    inputs: str
    unused: Mapping[str, int] = field(default_factory=dict)

    def same_content(self, other: StoredSnapshot) -> bool:
        """Whether the two differ in nothing but the name."""
        mine, theirs = self.snapshot, other.snapshot
        return (mine.sources, mine.files, self.basis) == (theirs.sources, theirs.files, other.basis)

    def to_bytes(self) -> bytes:
        """Return snapshot.json, the same to the byte for the same snapshot."""
        return to_json(
            {
                "format": FORMAT,
                "name": self.snapshot.name,
                "recording_count": self.snapshot.recording_count,
                "synthetic": self.snapshot.synthetic,
                "sources": [asdict(source) for source in self.snapshot.sources],
                "files": [{"path": path, "sha256": digest} for path, digest in self.snapshot.files],
                "merged": dict(self.merged),
                "unused": dict(self.unused),
                "inputs": self.inputs,
                "popularity": self.basis.to_json(),
            }
        )


def parse_snapshot(content: bytes, subject: str) -> StoredSnapshot:
    """Return the snapshot that snapshot.json describes. Raises: StoreError when it is not one."""
    facts = parse_json(content, subject, FORMAT)
    try:
        snapshot = Snapshot(
            str(facts["name"]),
            int(facts["recording_count"]),
            tuple(parse_snapshot_source(source) for source in facts["sources"]),
            tuple((str(file["path"]), str(file["sha256"])) for file in facts["files"]),
        )
        merged = {str(rule): int(count) for rule, count in facts["merged"].items()}
        unused = {str(what): int(count) for what, count in facts.get("unused", {}).items()}
        inputs = str(facts["inputs"])
        basis = ListeningBasis.from_json(facts["popularity"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(subject, f"lacks what {FORMAT} has: {error}", "Build the catalogue again.") from error
    return StoredSnapshot(snapshot, basis, merged, inputs, unused)


def current_name(blobs: Blobs) -> str | None:
    """Return the name of the snapshot in force, None before the first build."""
    if blobs.size(CURRENT) is None:
        return None
    return blobs.read(CURRENT).decode("ascii", "replace").strip()


def read_snapshot(blobs: Blobs, name: str) -> StoredSnapshot:
    """Return the snapshot of this name. Raises: StoreError when it is none."""
    return parse_snapshot(blobs.read(f"{name}/{SNAPSHOT_FILE}"), f"catalogue/{name}/{SNAPSHOT_FILE}")


def names_of_day(day: date) -> Iterator[str]:
    """Yield the names that a day's snapshots may have, in order: 2026-01-31, 2026-01-31-2, ..."""
    yield day.isoformat()
    for number in range(2, BUILDS_A_DAY_MAX + 1):
        yield f"{day.isoformat()}-{number}"


def put_snapshot(blobs: Blobs, staging: Staging, folder: Path, made: StoredSnapshot, day: date) -> Snapshot:
    """Move a finished folder in as a snapshot of this day and make it current. Returns: the snapshot with its name.

    The pointer is written last, so until then the old snapshot is in force. The folder that an earlier run left before it
    could write the pointer is found again by its content.
    """
    for name in names_of_day(day):
        named = replace(made, snapshot=replace(made.snapshot, name=name))
        key = f"{name}/{SNAPSHOT_FILE}"
        if blobs.size(key) is None:
            with staging.writer(folder / SNAPSHOT_FILE) as stream:
                stream.write(named.to_bytes())
            blobs.adopt(folder, name)
        elif blobs.read(key) != named.to_bytes():
            continue
        blobs.write(CURRENT, name.encode() + b"\n")
        return named.snapshot
    raise StoreError("catalogue", f"{BUILDS_A_DAY_MAX} snapshots made on {day}", "Something builds in a loop; stop it.")
