"""Writes a synthetic catalogue: the dump, the mapping to import it by, and the truth beside it, block by block."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fonoteca.catalogue.ahead import in_order
from fonoteca.catalogue.synth.listening import Listening
from fonoteca.catalogue.synth.parquet import LABEL, OpenWriter, parquet_writer
from fonoteca.catalogue.synth.rows import Facts
from fonoteca.catalogue.synth.settings import FILE_ROWS, ROW_GROUP_ROWS, SynthSettings
from fonoteca.catalogue.synth.weighing import HELD_OUT, HISTORY, Block, Weighed
from fonoteca.catalogue.synth.wording import Wording
from fonoteca.ports import Progress

FORMAT = "fonoteca-synthetic/1"
SHARE_BITS = 12
"""Bits kept of a share's mantissa in the truth file: true to 1 in 8,192, so that it packs."""

_COLUMNS = pa.schema(
    [
        ("mbid", pa.uuid()), ("uuid", pa.uuid()), ("title", pa.string()), ("artist", pa.string()), ("release", pa.string()),
        ("release_id", pa.uuid()), ("disc", pa.int16()), ("track", pa.int16()), ("year", pa.int16()), ("duration_ms", pa.int32()),
        ("isrc", pa.string()), ("genre", pa.string()), ("licence", pa.string()), ("listens", pa.int64()), ("listeners", pa.int64()),
    ],
    metadata={"synthetic": LABEL},
)  # fmt: skip
_TRUTH = pa.schema([("recording", pa.uint32()), ("share", pa.float32())], metadata={"synthetic": LABEL})
_HEARD = pa.schema(
    [("id", pa.uuid()), ("uuid", pa.uuid()), ("listens", pa.int64()), ("listeners", pa.int64())], metadata={"synthetic": LABEL}
)
_FILE_BLOCKS = FILE_ROWS // ROW_GROUP_ROWS
DISC_TRACKS = 20
"""Tracks on a disc."""


@dataclass(frozen=True, slots=True)
class _Maker:
    """What says the rows of a weighed world."""

    weighed: Weighed
    facts: Facts
    wording: Wording
    history: Listening


def _catalogue_rows(maker: _Maker, block: Block) -> pa.RecordBatch:
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


def _truth_rows(weighed: Weighed, block: Block) -> pa.RecordBatch:
    share = (block.love / weighed.love).astype(np.float32)
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


def write_synthetic(settings: SynthSettings, folder: Path, open_writer: OpenWriter, progress: Progress) -> dict[str, Any]:
    """Write catalogue-*.parquet, catalogue.toml, truth/truth-*.parquet and truth.json. Returns: what truth.json says.

    folder: empty, below staging. The same settings give the same bytes. Memory: 7 B a row and 0.7 GB at most.
    """
    weighed = Weighed(settings, progress)
    maker = _Maker(weighed, Facts(weighed.world), Wording(weighed.world), weighed.people(HISTORY))
    tally = _Tally(np.zeros(settings.tracks, np.bool_))

    def make(number: int) -> tuple[Block, pa.RecordBatch, pa.RecordBatch]:
        block = weighed.block(number)
        return block, _catalogue_rows(maker, block), _truth_rows(weighed, block)

    with (
        progress.task("writing the synthetic catalogue", settings.tracks, "rows") as advance,
        closing(in_order(make, range(weighed.block_count()))) as made,
    ):
        for number in range(-(-weighed.block_count() // _FILE_BLOCKS)):
            with (
                open_writer(folder / f"catalogue-{number:05}.parquet") as one,
                open_writer(folder / "truth" / f"truth-{number:05}.parquet") as other,
                parquet_writer(one, _COLUMNS) as rows,
                parquet_writer(other, _TRUTH) as truth,
            ):
                for block, catalogue, answers in islice(made, _FILE_BLOCKS):
                    rows.write_batch(catalogue, row_group_size=ROW_GROUP_ROWS)
                    truth.write_batch(answers, row_group_size=ROW_GROUP_ROWS)
                    tally.add(block, catalogue)
                    advance(len(catalogue))
    facts = _facts(weighed, tally)
    with open_writer(folder / "truth.json") as stream:
        stream.write(json.dumps(facts, indent=2, sort_keys=True).encode() + b"\n")
    with open_writer(folder / "catalogue.toml") as stream:
        stream.write(mapping_toml(settings).encode())
    return facts


def write_held_out(settings: SynthSettings, folder: Path, open_writer: OpenWriter, progress: Progress) -> int:
    """Write held-out.parquet: what as many other people heard of the same catalogue. Returns: their listens.

    A row for each row of the catalogue that they heard, in its order: id (as an import gives it: the MBID, or else the uuid), uuid,
    listens, listeners.
    """
    weighed = Weighed(settings, progress)
    facts, people = Facts(weighed.world), weighed.people(HELD_OUT)

    def make(number: int) -> tuple[int, pa.RecordBatch]:
        block = weighed.block(number)
        listens, listeners = people.counts(block.of, block.weight, number)
        some = np.flatnonzero(listens)
        ids = (facts.ids(block.of).take(pa.array(some)), facts.uuids(block.of.row[some]))
        columns = [*ids, pa.array(listens[some]), pa.array(listeners[some])]
        return len(listens), pa.RecordBatch.from_arrays(columns, schema=_HEARD)

    total = 0
    with (
        progress.task("writing the held-out listeners", settings.tracks, "rows") as advance,
        open_writer(folder / "held-out.parquet") as stream,
        parquet_writer(stream, _HEARD) as writer,
        closing(in_order(make, range(weighed.block_count()))) as counted,
    ):
        for row_count, heard in counted:
            writer.write_batch(heard, row_group_size=ROW_GROUP_ROWS)
            total += int(heard.column("listens").to_numpy().sum())
            advance(row_count)
    return total


def _facts(weighed: Weighed, tally: _Tally) -> dict[str, Any]:
    settings = weighed.settings
    return {
        "format": FORMAT,
        "synthetic": True,
        "label": LABEL.decode(),
        "settings": asdict(settings),
        "tracks": settings.tracks,
        "releases": settings.releases,
        "artists": settings.artists,
        "recordings": weighed.recording_count,
        "copies": tally.copies,
        "listeners": settings.listeners,
        "listens": tally.listens,
        "rows_heard": tally.rows_heard,
        "recordings_heard": tally.heard_recordings,
        "unseen_share": 1 - tally.heard_love / weighed.love,
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
