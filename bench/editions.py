"""An edition of a whole archive, cut: synthetic rows of the register, the real planning, cutting, manifests and signatures, into
a sink that counts. And what a mirror with a fifteenth of the space chooses of it, and of as many drops as the full size has.

Run: `python -m bench editions`, a fiftieth of the full size. `FONOTECA_BENCH_TRACKS=86000000 python -m bench editions` cuts all.
What it does not count: reading the rows from the register, and judging rights.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import shake_128
from math import log
from pathlib import Path
from random import Random

from bench.cutting import admission
from bench.report import Figure, Goal, Peer
from bench.stopwatch import Stopwatch
from fonoteca.editions import (
    Editions,
    Heading,
    Index,
    Keyring,
    ManifestedDrop,
    Offered,
    Option,
    Signatory,
    Situation,
    Terms,
    choose,
    cut,
    line_up,
    member_list,
    options_of,
    pack,
    place_of,
    rows_of_plan,
)
from fonoteca.formats.metainfo import Announce
from fonoteca.formats.ocfl import object_path
from fonoteca.model.audio import Tags
from fonoteca.model.corridor import DropKind, MemberFile, RankRange, Shareable, StoredFile, StoredVersion
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, DropId, LogicalPath, ObjectId, Sha256
from fonoteca.model.settings import PIECE_BYTES_DEFAULT, EditionSettings, SigningSettings
from fonoteca.testing import MemoryBlobs
from fonoteca.testing.keys import MemoryKeys, counted_seeds

FULL_TRACKS = 86_000_000
FULL_SPACE_BYTES = 20 * 10**12
TRACKS_VARIABLE = "FONOTECA_BENCH_TRACKS"
TRACKS_DEFAULT = FULL_TRACKS // 50
TRACK_BYTES = (2_500_000, 4_477_000)
"""Uniform between these: 300 TB for 86 M of them."""

ALBUM_TRACKS = 11
SIDECARS = {"content/metadata.json": 9_000, "content/rights.json": 1_800, "inventory.json": 4_500, "inventory.json.sha256": 80}
POOL_HASHES = 30_011
"""So many sets of hashes, a prime, are used again and again: more than one drop has files, so that no torrent is shorter for it."""

LOGICAL = [LogicalPath(f"{track + 1:02} - Song.ogg") for track in range(2 * ALBUM_TRACKS - 1)]
CONTENT = [ContentPath(f"v1/content/{track + 1:06}.ogg") for track in range(2 * ALBUM_TRACKS - 1)]
MINUTES_FULL, MEMORY_GB, CHOICE_S = 60, 4, 10
DROPS_BETWEEN_NEWS = 100
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Sink(MemoryBlobs):
    """Counts what drops weigh, and keeps the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.torrent_bytes = self.parquet_bytes = self.jsonl_bytes = 0

    def write(self, key: str, content: bytes) -> None:
        """Count a torrent or a manifest; keep anything else."""
        if key.startswith("drops/"):
            self.torrent_bytes += len(content)
        elif key.endswith(".parquet"):
            self.parquet_bytes += len(content)
        elif key.startswith("manifests/"):
            self.jsonl_bytes += len(content)
        else:
            super().write(key, content)


class World:
    """An archive of so many tracks in albums of 1 to 21. Popularity falls as one over the rank, album by album."""

    def __init__(self, tracks: int) -> None:
        dice = Random(86)
        self.albums = max(1, tracks // ALBUM_TRACKS)
        self._step = next(step for step in range(self.albums // 2 + 1, 2 * self.albums + 2) if _coprime(step, self.albums))
        self._pool = [_hashes(dice, dice.randint(*TRACK_BYTES)) for _ in range(POOL_HASHES)]
        self._small = {name: [_hashes(dice, size) for _ in range(997)] for name, size in SIDECARS.items()}
        self._admission = admission("bench:x")
        self._scale = 1 / (log(self.albums) + 0.5772)
        self.list_bytes = self.file_count = self.track_count = self.payload_bytes = 0

    def rank(self, album: int) -> int:
        """Return how popular an album is, 1 the most; they were acquired in another order."""
        return album * self._step % self.albums + 1

    def offers(self) -> Iterator[Offered]:
        """Yield what the register has of versions that are in no drop."""
        for album in range(self.albums):
            object_id = ObjectId.of("audio", f"bench:{album:08}")
            yield Offered(album, place_of(object_id), 1, self._scale / self.rank(album))

    def shareable(self, album: int) -> Shareable:
        """Return an album as the register gives it. Its admission is another's, so the assertion that forbids that is passed by."""
        object_id = ObjectId.of("audio", f"bench:{album:08}")
        home = object_path(object_id)
        files, members = [], []
        for track in range(album % (2 * ALBUM_TRACKS - 1) + 1):
            hashes = self._pool[(album * 31 + track) % POOL_HASHES]
            members.append(MemberFile(f"{home}/{CONTENT[track]}", hashes))
            tags = Tags(title=f"Song {track} of {album}", artist=f"Artist {album % 400_000}")
            files.append(StoredFile(LOGICAL[track], CONTENT[track], hashes, "audio/ogg", None, tags))
            self.payload_bytes += hashes.file_bytes
        for name, small in self._small.items():
            members.append(MemberFile(f"{home}/v1/{name}", small[album % len(small)]))
        self.track_count += len(files)
        self.file_count += len(members)
        found: Shareable = object.__new__(Shareable)
        rank = self.rank(album)
        version = StoredVersion(object_id, 1, NOW, home, tuple(members), tuple(files))
        for name, value in (
            ("version", version),
            ("admission", self._admission),
            ("coverage_share", self._scale / rank),
            ("ranks", RankRange(rank, rank + ALBUM_TRACKS)),
        ):
            object.__setattr__(found, name, value)
        return found

    def drops(self) -> Iterator[ManifestedDrop]:
        """Yield the drops as publishing makes them."""
        members = (self.shareable(int(key)) for key in line_up(self.offers()))
        for number, plan in enumerate(pack(DropKind.AUDIO, members, lambda _: None, EditionSettings()), 1):
            if not number % DROPS_BETWEEN_NEWS:
                used = f"{time.process_time() / 60:.1f} min of processor time, {_memory_gb():.2f} GB"
                print(f"  {number:,} drops, {self.track_count / 1e6:.1f} M tracks, {used}", file=sys.stderr, flush=True)
            self.list_bytes += len(member_list(plan))
            made = cut(plan, "bench", PIECE_BYTES_DEFAULT, Announce(), NOW)
            yield ManifestedDrop(made.drop, made.torrent, rows_of_plan(plan))


def figures(scratch: Path) -> list[Figure]:
    """Return how long an edition takes, its weight, and the choice of a mirror."""
    tracks = int(os.environ.get(TRACKS_VARIABLE, TRACKS_DEFAULT))
    world, sink = World(tracks), Sink()
    keyring = Keyring(MemoryKeys(), counted_seeds("bench"))
    keyring.make_missing()
    editions = Editions(sink, Signatory(keyring, SigningSettings()))
    heading = Heading("Bench", "bench", PIECE_BYTES_DEFAULT)
    begun_s = time.process_time()
    with Stopwatch() as watch:
        editions.publish(heading, world.drops(), Terms(NOW))
    cpu_s = time.process_time() - begun_s
    index = editions.index()
    assert index is not None
    memory_gb = _memory_gb()
    tracks_m, files_m, payload_tb = world.track_count / 1e6, world.file_count / 1e6, world.payload_bytes / 1e12
    name = f"edition of {tracks_m:.3g} M tracks, {files_m:.3g} M files, {payload_tb:.3g} TB"
    full = Peer(f"{FULL_TRACKS / 1e6:.0f} M tracks in {MINUTES_FULL} minutes", FULL_TRACKS / MINUTES_FULL / 60)
    return [
        Figure(f"{name}: cut and signed", world.track_count / watch.seconds, "tracks/s", full, Goal(1, of_ratio=True)),
        Figure(f"{name}: time", watch.seconds / 60, "min", less_is_better=True),
        Figure(f"{name}: processor time, one core", cpu_s / 60, "min", less_is_better=True),
        Figure(f"{name}: memory at most", memory_gb, "GB", goal=Goal(MEMORY_GB, at_most=True), less_is_better=True),
        Figure(f"{name}: drops", len(index.entries), ""),
        Figure(f"{name}: torrents", sink.torrent_bytes / 1e9, "GB", less_is_better=True),
        Figure(f"{name}: manifests as Parquet", sink.parquet_bytes / 1e9, "GB", less_is_better=True),
        Figure(f"{name}: manifests as JSON lines", sink.jsonl_bytes / 1e9, "GB", less_is_better=True),
        Figure(f"{name}: member lists in the store", world.list_bytes / 1e9, "GB", less_is_better=True),
        *_choice(options_of(index.entries), FULL_SPACE_BYTES * tracks // FULL_TRACKS),
        *(_choice(_full_options(index, tracks), FULL_SPACE_BYTES) if tracks < FULL_TRACKS else ()),
    ]


def _full_options(index: Index, tracks: int) -> tuple[Option, ...]:
    """Return drops of the full size, those that were cut again and again, with the listening that each place has."""
    found = options_of(index.entries)
    count = len(found) * FULL_TRACKS // tracks
    sizes = [option.space_bytes for option in found[:-1] or found]  # the last one is what was left
    at = [FULL_TRACKS // ALBUM_TRACKS * number // count for number in range(count + 1)]
    heard = [log(albums + 1) / log(at[-1] + 1) for albums in at]
    dice = Random(20)
    return tuple(
        Option(DropId(f"audio-{number:016x}"), DropKind.AUDIO, dice.choice(sizes), heard[number + 1] - heard[number])
        for number in range(count)
    )


def _choice(options: tuple[Option, ...], space_bytes: int) -> list[Figure]:
    """Return the choice of a mirror with so much space: how long it takes, and what it keeps beside drops in order."""
    begun = time.perf_counter()
    choice = choose(options, Situation(space_bytes))
    taken_s = time.perf_counter() - begun
    in_order = Peer("taking drops in order", _coverage_in_order(options, space_bytes))
    name = f"choosing among {len(options):,} drops within {space_bytes / 1e12:.3g} TB"
    return [
        Figure(f"{name}", taken_s, "s", goal=Goal(CHOICE_S, at_most=True), less_is_better=True),
        Figure(f"{name}: listening kept", choice.coverage_share, "", in_order, Goal(1, of_ratio=True)),
    ]


def _coverage_in_order(options: tuple[Option, ...], space_bytes: int) -> float:
    """Return what drops carry that are taken in order until the next one does not fit."""
    kept, room = 0.0, space_bytes
    for option in options:
        if option.space_bytes > room:
            break
        room -= option.space_bytes
        kept += option.share
    return kept


def _memory_gb() -> float:
    """Return the most memory that this process had at once; it has no other processes to help it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _hashes(dice: Random, file_bytes: int) -> FileHashes:
    """Return hashes of a file of which nobody has the bytes."""
    pieces = -(-file_bytes // PIECE_BYTES_DEFAULT)
    root = dice.randbytes(32)
    layer = shake_128(root).digest(32 * pieces) if pieces > 1 else b""
    digest = Sha256(dice.randbytes(32).hex())
    return FileHashes(file_bytes, PIECE_BYTES_DEFAULT, digest, root, layer, dice.randbytes(20 * pieces), dice.randbytes(20))


def _coprime(one: int, other: int) -> bool:
    while other:
        one, other = other, one % other
    return one == 1
