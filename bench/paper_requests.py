"""What an archive on S3 asks of it and writes there: requests by kind and bytes, counted over the wire at small size.

A counting proxy (fonoteca.testing.lying_s3, told no lie) stands before a real SeaweedFS, so that what is counted is what was sent.
Counts are the same on any machine; `bench/paper.toml` keeps them, and a test holds the two equal.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from bench.music import make_albums
from bench.stopwatch import SILENT
from fonoteca.edges.s3_writing import PART_BYTES
from fonoteca.flows.acquire import Acquired, Pace, acquire
from fonoteca.flows.audit import Scope, audit
from fonoteca.flows.repair import repair
from fonoteca.model.settings import S3Settings, Settings
from fonoteca.testing.lying_s3 import LyingS3, lying_s3
from fonoteca.testing.seaweed import Seaweed, seaweed
from fonoteca.wiring import (
    Archive,
    acquire_rooms,
    audit_rooms,
    create_archive,
    healers_at,
    open_archive,
    repair_rooms,
)

SONG_BYTES = 3_488_372
"""300 TB over 86 M files."""

LONG_BYTES = 2 * PART_BYTES + 1
"""Goes in three parts."""

BUCKET = "paper"
KINDS = ("PUT", "POST", "GET", "HEAD", "LIST", "DELETE")
"""As price lists tell them apart: a LIST is a GET of the bucket itself."""

Counts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Deed:
    """What one deed asked of S3, by kind, and what it wrote there, in bytes."""

    requests: Counts
    written_bytes: float = 0


@dataclass(frozen=True, slots=True)
class World:
    """An archive on S3 behind the counting proxy, and where its music comes from."""

    folder: Path
    music: Path
    proxy: LyingS3

    def counted(self) -> Counter[str]:
        """Return the requests since the last time this was asked."""
        seen, self.proxy.seen[:] = list(self.proxy.seen), []
        return Counter(kind_of(method, path) for method, path in seen)


def kind_of(method: str, path: str) -> str:
    """Return how price lists call a request."""
    place, _, query = path.partition("?")
    listing = method == "GET" and ("list-type" in query or not place.strip("/").partition("/")[2])
    return "LIST" if listing else method


def measure(scratch: Path) -> dict[str, dict[str, float]]:
    """Return what is counted, a table for each deed, for a SeaweedFS that is started for it."""
    with seaweed(scratch / "seaweed") as server:
        return measure_at(server, scratch)


def measure_at(server: Seaweed, scratch: Path) -> dict[str, dict[str, float]]:
    """Return what is counted, a table for each deed: of a batch, an object or a file, by differences of what was counted."""
    os.environ.update(server.environment)
    found: dict[str, Counts] = {**acquire_counts(server, scratch), **_fixity_counts(server, scratch)}
    one, more, wide = (_acquired(server, scratch / f"bytes-{shape.name}", shape) for shape in SHAPES[:3])
    per_object, per_song = _difference(more, one, MANY - 1), _difference(wide, one, MANY - 1)
    sizes = {"object": per_object.written_bytes - per_song.written_bytes, "file": per_song.written_bytes - SONG_BYTES}
    return {name: {kind: float(counts.get(kind, 0)) for kind in KINDS} for name, counts in found.items()} | {
        "written_bytes": {name: float(round(value)) for name, value in sizes.items()}
    }


def acquire_counts(server: Seaweed, scratch: Path) -> dict[str, Counts]:
    """Return what an acquire asks."""
    server.make_bucket(BUCKET)
    one, more, wide, long = (_acquired(server, scratch / f"acquire-{shape.name}", shape) for shape in SHAPES)
    per_object, per_song = _difference(more, one, MANY - 1), _difference(wide, one, MANY - 1)
    return {
        "acquire_batch": _minus(one.requests, per_object.requests),
        "acquire_object": _minus(per_object.requests, per_song.requests),
        "acquire_file": per_song.requests,
        "acquire_long_file_more": _minus(long.requests, one.requests),
    }


@dataclass(frozen=True, slots=True)
class Shape:
    """Albums to take in, songs in each, bytes of each."""

    name: str
    albums: int
    songs: int
    song_bytes: int


MANY = 5
SHAPES = (
    Shape("one", 1, 1, SONG_BYTES),
    Shape("more", MANY, 1, SONG_BYTES),
    Shape("wide", 1, MANY, SONG_BYTES),
    Shape("long", 1, 1, LONG_BYTES),
)


def _minus(whole: Counts, part: Counts) -> dict[str, float]:
    return {kind: whole.get(kind, 0) - part.get(kind, 0) for kind in KINDS}


def _difference(larger: Deed, smaller: Deed, count: int) -> Deed:
    """Return what each of so many more costs."""
    requests = {kind: value / count for kind, value in _minus(larger.requests, smaller.requests).items()}
    return Deed(requests, (larger.written_bytes - smaller.written_bytes) / count)


@contextmanager
def _world(server: Seaweed, folder: Path) -> Iterator[World]:
    """Give an archive whose store is behind the proxy."""
    with lying_s3(server.host, server.port) as proxy:
        store = f"s3://{BUCKET}/{folder.name}"
        create_archive(folder / "archive", Settings("paper", "Paper", workers=1, store=store, s3=S3Settings(proxy.endpoint)))
        yield World(folder / "archive", folder / "music", proxy)


def _acquired(server: Seaweed, folder: Path, shape: Shape) -> Deed:
    """Return what the second acquire of an archive asks: its first also finds the end of the event log."""
    folder.mkdir(parents=True)
    with _world(server, folder) as world, open_archive(world.folder, writing=True) as archive:
        make_albums(folder / "first", 1, 1, 1000)
        rights = folder / "first/00000/rights.toml"
        rights.write_text(rights.read_text().replace('"bench-0"', '"another"'))
        _take(archive, folder / "first")
        make_albums(world.music, shape.albums, shape.songs, shape.song_bytes)
        before = _stored_bytes(archive)
        world.counted()
        _take(archive, world.music)
        return Deed(world.counted(), _stored_bytes(archive) - before)


def _take(archive: Archive, music: Path) -> None:
    """Acquire all albums of a folder at one durable point, without decoding."""
    rooms = replace(acquire_rooms(archive, SILENT, later=True), pace=Pace(beside=False))
    outcomes = list(acquire(rooms, "folder", str(music)))
    assert all(isinstance(each, Acquired) and each.made for each in outcomes), outcomes


def _stored_bytes(archive: Archive) -> int:
    """Return the bytes of all blobs of the store."""
    blobs = archive.blobs("store")
    return sum(blobs.size(key) or 0 for key in blobs.keys())  # noqa: SIM118 - blobs are no mapping


_DUE = Scope(older_than=timedelta(days=90))


def _fixity_counts(server: Seaweed, scratch: Path) -> dict[str, Counts]:
    """Return what an audit, a look at what was audited before, and a repair ask."""
    one, more, wide, long = (_held(server, scratch / f"fixity-{shape.name}", shape) for shape in SHAPES)
    found: dict[str, Counts] = {}
    for name in ("audit", "look"):
        per_object = {kind: value / (MANY - 1) for kind, value in _minus(more[name], one[name]).items()}
        per_file = {kind: value / (MANY - 1) for kind, value in _minus(wide[name], one[name]).items()}
        found[f"{name}_run"] = _minus(one[name], per_object)
        found[f"{name}_object"] = _minus(per_object, per_file)
        found[f"{name}_file"] = per_file
    return found | {"repair_piece": one["repair"], "repair_piece_of_long_file": long["repair"]}


def _held(server: Seaweed, folder: Path, shape: Shape) -> dict[str, Counts]:
    """Return what fixity asks of an archive: of its audit, of the next, which reads nothing, and of the repair of a piece."""
    folder.mkdir(parents=True)
    make_albums(folder / "music", shape.albums, shape.songs, shape.song_bytes)
    create_archive(folder / "mirror", Settings("paper", "Paper", workers=1))
    with open_archive(folder / "mirror", writing=True) as mirror:
        _take(mirror, folder / "music")
    with _world(server, folder) as world, open_archive(world.folder, writing=True) as archive:
        _take(archive, world.music)
        found: dict[str, Counts] = {}
        world.counted()
        for name in ("audit", "look"):
            assert audit(audit_rooms(archive, SILENT), _DUE).sound
            found[name] = world.counted()
        blobs = archive.blobs("store")
        song = next(key for key in blobs.keys() if key.endswith(".wav"))  # noqa: SIM118 - blobs are no mapping
        content = bytearray(blobs.read(song))
        content[len(content) // 2] ^= 1
        blobs.write(song, bytes(content))
        damages = audit(audit_rooms(archive, SILENT), _DUE).damages
        world.counted()
        with healers_at([str(folder / "mirror")], "paper") as healers:
            repaired = repair(repair_rooms(archive, healers, SILENT), damages)
        assert repaired.healed == (song,), repaired
        found["repair"] = world.counted()
        return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="fonoteca-bench-") as temporary:
        print(json.dumps(measure(Path(temporary)), indent=1))
