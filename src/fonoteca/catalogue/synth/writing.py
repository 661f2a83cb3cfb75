"""Writes a synthetic catalogue: the dump, the mapping to import it by, and the truth beside it, block by block."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fonoteca.catalogue.synth.chance import F64, U64
from fonoteca.catalogue.synth.listening import Listening, People
from fonoteca.catalogue.synth.rows import Facts
from fonoteca.catalogue.synth.settings import FILE_ROWS, ROW_GROUP_ROWS, SynthSettings
from fonoteca.catalogue.synth.wording import Wording
from fonoteca.catalogue.synth.world import Appearances, World
from fonoteca.ports import Progress

OpenWriter = Callable[[Path], AbstractContextManager[BinaryIO]]
FORMAT = "fonoteca-synthetic/1"
LABEL = b"made up by fonoteca catalogue synth: no one ever recorded or heard any of it"
HISTORY, HELD_OUT = "history", "held-out"
THREADS = 2
LOOKAHEAD = 4
"""Blocks under way at once: each takes about 60 MB."""
SHARE_BITS = 12
"""Bits kept of a share's mantissa in the truth file: true to 1 in 8,192, so that it packs."""
_Made = TypeVar("_Made")

_COLUMNS = pa.schema(
    [
        ("mbid", pa.uuid()), ("uuid", pa.uuid()), ("title", pa.string()), ("artist", pa.string()), ("release", pa.string()),
        ("release_id", pa.uuid()), ("disc", pa.int16()), ("track", pa.int16()), ("year", pa.int16()), ("duration_ms", pa.int32()),
        ("isrc", pa.string()), ("genre", pa.string()), ("licence", pa.string()), ("listens", pa.int64()), ("listeners", pa.int64()),
    ],
    metadata={"synthetic": LABEL},
)  # fmt: skip
_TRUTH = pa.schema([("recording", pa.uint32()), ("share", pa.float32())], metadata={"synthetic": LABEL})
_HEARD = pa.schema([("uuid", pa.uuid()), ("listens", pa.int64()), ("listeners", pa.int64())], metadata={"synthetic": LABEL})
_RANDOM = ("mbid", "uuid")
_REPEATED = ("artist", "release", "release_id", "disc", "track", "year", "genre", "licence", "listens", "listeners")
ZSTD_LEVEL = 1
_FILE_BLOCKS = FILE_ROWS // ROW_GROUP_ROWS
DISC_TRACKS = 20
"""Tracks on a disc."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one row group: facts, and the weight of listening of recording and row."""

    number: int
    of: Appearances
    love: F64
    weight: F64


class Maker:
    """A world ready to be written. Memory: 6 B a row and the vocabulary."""

    def __init__(self, settings: SynthSettings, progress: Progress) -> None:
        self.settings = settings
        self.world = World(settings)
        self.facts = Facts(self.world)
        self.wording = Wording(self.world)
        self._splits = np.zeros(settings.tracks, np.uint16)
        self.love = 0.0
        self.recording_count = 0
        self._weigh(progress)
        self.history = self.people(HISTORY)

    def people(self, name: str) -> Listening:
        """Return the counts of a set of listeners of the usual size."""
        settings = self.settings
        plays = settings.tracks * settings.listens_per_track / settings.listeners
        return Listening(self.world, People(name, settings.listeners, plays), self.love)

    def block_count(self) -> int:
        """Return how many blocks the rows make."""
        return -(-self.settings.tracks // ROW_GROUP_ROWS)

    def rows_of(self, block: int) -> U64:
        """Return the numbers of the rows of a block."""
        return np.arange(block * ROW_GROUP_ROWS, min((block + 1) * ROW_GROUP_ROWS, self.settings.tracks), dtype=np.uint64)

    def _weigh(self, progress: Progress) -> None:
        """Sum up the listening of all recordings, and how many ways each is split."""

        def facts(number: int) -> tuple[U64, NDArray[np.uint16], float, int]:
            of = self.world.appearances(self.rows_of(number))
            home = ~of.copied
            return of.home, self.world.split(of), float(self.world.love(of)[home].sum()), int(home.sum())

        with progress.task("weighing recordings", self.settings.tracks, "rows") as advance:
            for home, split, love, count in in_order(facts, self.block_count()):
                np.add.at(self._splits, home, split)
                self.love += love
                self.recording_count += count
                advance(len(home))

    def block(self, number: int) -> Block:
        """Return a block's facts."""
        of = self.world.appearances(self.rows_of(number))
        love = self.world.love(of)
        return Block(number, of, love, love * (self.world.split(of) / self._splits[of.home]))


def in_order(make: Callable[[int], _Made], count: int) -> Iterator[_Made]:
    """Yield what is made of 0, 1, ... count - 1, in order, two at a time and a few ahead."""
    with ThreadPoolExecutor(THREADS) as pool:
        under_way: deque[Future[_Made]] = deque()
        try:
            for number in range(count):
                under_way.append(pool.submit(make, number))
                if len(under_way) >= LOOKAHEAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def _catalogue_rows(maker: Maker, block: Block) -> pa.RecordBatch:
    of, facts, wording = block.of, maker.facts, maker.wording
    dress = facts.dress(of)
    listens, listeners = maker.history.counts(of, block.weight, block.number)
    names = pa.DictionaryArray.from_arrays(pa.array(of.which.astype(np.int32)), wording.release_titles(of.releases))
    place = of.place.astype(np.int16)
    columns = [
        facts.mbids(of), facts.uuids(of.row), wording.titles(of, dress), wording.artists(of, dress), names.dictionary_decode(),
        facts.release_ids(of.releases.number, of.which), pa.array(place // DISC_TRACKS + 1), pa.array(place % DISC_TRACKS + 1),
        pa.array(facts.years(of)), pa.array(facts.lengths(of)), facts.isrcs(of), facts.genres(of).dictionary_decode(),
        facts.licences(of).dictionary_decode(), pa.array(listens), pa.array(listeners),
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=_COLUMNS)


def _truth_rows(maker: Maker, block: Block) -> pa.RecordBatch:
    share = (block.love / maker.love).astype(np.float32)
    spare = 23 - SHARE_BITS
    bits = share.view(np.uint32)
    rounded = ((bits + np.uint32(1 << (spare - 1))) >> np.uint32(spare) << np.uint32(spare)).view(np.float32)
    return pa.RecordBatch.from_arrays([pa.array(block.of.home.astype(np.uint32)), pa.array(rounded)], schema=_TRUTH)


@dataclass(slots=True)
class _Tally:
    """What is counted as the rows go by."""

    heard: NDArray[np.bool_]
    heard_love: float = 0.0
    heard_recordings: int = 0
    copies: int = 0
    isrc_rows: int = 0
    mbid_rows: int = 0
    listens: int = 0
    rows_heard: int = 0

    def add(self, block: Block, rows: pa.RecordBatch) -> None:
        listens = rows.column("listens").to_numpy()
        some = np.flatnonzero(listens)
        home = block.of.home[some]
        new, first = np.unique(home, return_index=True)
        fresh = ~self.heard[new]
        self.heard[new] = True
        self.heard_love += float(block.love[some][first[fresh]].sum())
        self.heard_recordings += int(fresh.sum())
        self.copies += int(block.of.copied.sum())
        self.isrc_rows += int(pc.sum(pc.not_equal(rows.column("isrc"), "")).as_py())
        self.mbid_rows += len(rows) - rows.column("mbid").null_count
        self.listens += int(listens.sum())
        self.rows_heard += len(some)


def _parquet(stream: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer of zstd Parquet. Random ids are kept plain: nothing packs them."""
    packed = [name for name in schema.names if name not in _RANDOM]
    return pq.ParquetWriter(
        stream,
        schema,
        compression={name: "zstd" if name in packed else "none" for name in schema.names},
        compression_level=dict.fromkeys(packed, ZSTD_LEVEL),
        use_dictionary=[name for name in schema.names if name in _REPEATED],
        column_encoding={"recording": "DELTA_BINARY_PACKED", "share": "BYTE_STREAM_SPLIT"} if schema is _TRUTH else None,
        write_statistics=False,
    )


def write_synthetic(settings: SynthSettings, folder: Path, open_writer: OpenWriter, progress: Progress) -> dict[str, Any]:
    """Write catalogue-*.parquet, catalogue.toml, truth/truth-*.parquet and truth.json. Returns: what truth.json says.

    folder: empty, below staging. The same settings give the same bytes. Memory: 7 B a row and 0.7 GB at most.
    """
    maker = Maker(settings, progress)
    tally = _Tally(np.zeros(settings.tracks, np.bool_))

    def make(number: int) -> tuple[Block, pa.RecordBatch, pa.RecordBatch]:
        block = maker.block(number)
        return block, _catalogue_rows(maker, block), _truth_rows(maker, block)

    with progress.task("writing the synthetic catalogue", settings.tracks, "rows") as advance:
        made = in_order(make, maker.block_count())
        for number in range(-(-maker.block_count() // _FILE_BLOCKS)):
            with (
                open_writer(folder / f"catalogue-{number:05}.parquet") as one,
                open_writer(folder / "truth" / f"truth-{number:05}.parquet") as other,
                _parquet(one, _COLUMNS) as rows,
                _parquet(other, _TRUTH) as truth,
            ):
                for block, catalogue, answers in islice(made, _FILE_BLOCKS):
                    rows.write_batch(catalogue, row_group_size=ROW_GROUP_ROWS)
                    truth.write_batch(answers, row_group_size=ROW_GROUP_ROWS)
                    tally.add(block, catalogue)
                    advance(len(catalogue))
    facts = _facts(maker, tally)
    with open_writer(folder / "truth.json") as stream:
        stream.write(json.dumps(facts, indent=2, sort_keys=True).encode() + b"\n")
    with open_writer(folder / "catalogue.toml") as stream:
        stream.write(mapping_toml(settings).encode())
    return facts


def _facts(maker: Maker, tally: _Tally) -> dict[str, Any]:
    settings = maker.settings
    return {
        "format": FORMAT,
        "synthetic": True,
        "label": LABEL.decode(),
        "settings": asdict(settings),
        "tracks": settings.tracks,
        "releases": settings.releases,
        "artists": settings.artists,
        "recordings": maker.recording_count,
        "copies": tally.copies,
        "listeners": settings.listeners,
        "listens": tally.listens,
        "rows_heard": tally.rows_heard,
        "recordings_heard": tally.heard_recordings,
        "unseen_share": 1 - tally.heard_love / maker.love,
        "isrc_rows": tally.isrc_rows,
        "mbid_rows": tally.mbid_rows,
    }


def mapping_toml(settings: SynthSettings) -> str:
    """Return the mapping by which `fonoteca catalogue import table` reads the dump."""
    columns = {"id": "mbid", "uuid": "uuid"} | {name: name for name in _COLUMNS.names if name not in ("mbid", "uuid")}
    lines = [
        f"# {LABEL.decode()}",
        'name = "synthetic"',
        'rows = "recordings"',
        'licence = "https://creativecommons.org/publicdomain/zero/1.0/"',
        f'attribution = "made up by Fonoteca: {settings.tracks} tracks that do not exist, seed {settings.seed}"',
        'date = ""',
        "synthetic = true",
        "",
        "[columns]",
        *(f'{field} = "{column}"' for field, column in columns.items()),
    ]
    return "\n".join(lines) + "\n"
