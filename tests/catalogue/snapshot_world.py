"""Small snapshots in the layout of `fonoteca.catalogue.layout`, made up from a seed, for what reads snapshots."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fonoteca.catalogue.layout import (
    ARTISTS,
    IDS_FILE,
    MERGED,
    RECORDINGS,
    RELEASES,
    SHARD_ROWS,
    TABLES,
    schema_of,
    shard_name,
    table_files,
    write_shard,
)
from fonoteca.catalogue.lookup import id_keys, write_ids
from fonoteca.catalogue.snapshots import FORMAT
from fonoteca.catalogue.sourcefile import to_json

Columns = dict[str, np.ndarray]
SOURCE = {
    "attribution": "The tests, https://tests.example",
    "date": "2026-01-01",
    "kind": "recordings",
    "licence": "https://creativecommons.org/publicdomain/zero/1.0/",
    "name": "made-up",
    "quarantined_count": 0,
    "row_count": 0,
    "synthetic": True,
}
_SYLLABLES = ["ka", "lo", "mi", "ren", "tas", "ö", "ver", "wi", "shi", "no", "dra", "quel", "éa", "ми", "ра", "夜", "の"]
_GENRES = np.array(["", "rock", "jazz", "électronique", "folk", "ambient", "hip hop"], object)
_LICENCES = np.array(
    ["", "https://creativecommons.org/licenses/by/4.0/", "https://creativecommons.org/publicdomain/zero/1.0/"], object
)


@dataclass
class World:
    """What a snapshot is made of: one array a column, before anything is ranked. releases: index of each recording's."""

    rng: np.random.Generator
    recordings: Columns
    releases: Columns


def made_up_world(count: int, seed: int = 1) -> World:
    """Return recordings with heavy-tailed listening, durations that peak at whole minutes, and releases of several tracks."""
    rng = np.random.default_rng(seed)
    release_count = max(1, count // 4)
    artist_of_release = rng.integers(0, max(1, release_count // 3), release_count)
    words = np.array(["".join(rng.choice(_SYLLABLES, rng.integers(1, 5))) for _ in range(min(40_000, 100 + count))], object)

    def names(rows: int, least: int, most: int) -> np.ndarray:
        lengths = rng.integers(least, most + 1, rows)
        picked = words[(rng.zipf(1.3, int(lengths.sum())) - 1) % len(words)]
        ends = np.cumsum(lengths)
        return np.array([" ".join(picked[e - n : e]) for e, n in zip(ends, lengths, strict=True)], object)

    artists = names(int(artist_of_release.max()) + 1, 1, 3)
    releases = {
        "id": uuids(rng, release_count),
        "title": names(release_count, 1, 4),
        "artist": artists[artist_of_release],
        "year": np.clip(2026 - rng.exponential(12, release_count), 1930, 2026).astype(np.int16),
        "prior": rng.lognormal(-2, 1, release_count),
    }
    of = np.sort(rng.integers(0, release_count, count))
    recordings = {
        "of": of,
        "id": uuids(rng, count),
        "title": names(count, 1, 6),
        "track": (np.arange(count) - np.searchsorted(of, of) + 1).astype(np.int16),
        "duration_ms": _durations(rng, count),
        "isrc": np.array([f"QZ{n // 10**7 % 1000:03}{n % 10**7:07}" for n in rng.integers(0, count, count)], object),
        "genre": _GENRES[rng.integers(0, len(_GENRES), release_count)][of],
        "licence_uri": _LICENCES[rng.integers(0, len(_LICENCES), release_count)][of],
        "held": rng.random(count) < 0.2,
        "listens": _listens(rng, count),
        "copies": rng.geometric(0.8, count).astype(np.int32),
    }
    recordings["isrc"][rng.random(count) < 0.25] = ""
    return World(rng, recordings, releases)


def uuids(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return random ids, 16 bytes each."""
    return np.frombuffer(rng.bytes(16 * count), "V16").copy()


def _listens(rng: np.random.Generator, count: int) -> np.ndarray:
    heard = np.floor(3 * (1 + rng.pareto(0.8, count))).clip(0, 10**9)
    return np.where(rng.random(count) < 0.4, heard, 0).astype(np.int64)


def _durations(rng: np.random.Generator, count: int) -> np.ndarray:
    peak = rng.choice([120, 180, 240], count, p=[0.25, 0.45, 0.3])
    seconds = np.where(rng.random(count) < 0.15, peak, rng.normal(peak, 45, count)).clip(1, 3600)
    seconds[rng.random(count) < 0.03] = 0
    return (seconds * 1000).astype(np.int32)


def write_world(folder: Path, world: World, name: str = "2026-01-31", rows_a_file: int = SHARD_ROWS) -> Path:
    """Write the snapshot that ranks this world, and return its folder."""
    tables = _tables(world)
    for table in TABLES:
        (folder / table).mkdir(parents=True)
        rows = tables[table]
        for number in range(max(1, -(-rows.num_rows // rows_a_file))):
            write_shard(folder / shard_name(table, number), rows.slice(number * rows_a_file, rows_a_file).combine_chunks())
    recordings, merged = tables[RECORDINGS], tables[MERGED]
    ids = pa.concat_arrays([t["id"].combine_chunks().storage for t in (recordings, merged)]).to_pylist()
    halves = np.frombuffer(b"".join(ids), ">u8").reshape(-1, 2).astype(np.uint64)
    ranks = np.concatenate([recordings["rank"], merged["rank"]]).astype(np.uint32)
    with (folder / IDS_FILE).open("wb") as stream:
        write_ids(stream, id_keys(halves[:, 0], halves[:, 1]), ranks)
    write_snapshot_json(folder, name)
    return folder


def write_snapshot_json(folder: Path, name: str) -> None:
    """Write snapshot.json for the files that are there."""
    files = [folder / IDS_FILE, *(path for table in TABLES for path in table_files(folder, table))]
    count = sum(pq.read_metadata(path).num_rows for path in table_files(folder, RECORDINGS))
    digests = [
        {"path": path.relative_to(folder).as_posix(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(files)
    ]
    facts: Mapping[str, object] = {
        "format": FORMAT,
        "name": name,
        "recording_count": count,
        "synthetic": True,
        "sources": [SOURCE],
        "files": digests,
        "popularity": {},
    }
    (folder / "snapshot.json").write_bytes(to_json(facts))


def _tables(world: World) -> dict[str, pa.Table]:
    recordings, releases = world.recordings, world.releases
    count = len(recordings["id"])
    # Pulled towards the release, as the catalogue's own estimate is: what was never heard shares its release's guess.
    weight = recordings["listens"] + releases["prior"][recordings["of"]]
    order = np.argsort(-weight, kind="stable")
    total = float(weight.sum())
    r = {name: values[order] for name, values in recordings.items()}
    share = weight[order] / total
    half = 1.6 * np.sqrt(share / total)
    rank = np.arange(1, count + 1)
    blank = np.full(count, "", object)
    columns = {
        **{name: r[name] for name in ("id", "title", "track", "duration_ms", "isrc", "licence_uri", "genre", "held", "listens")},
        "copies": r["copies"],
        "rank": rank,
        "artist": releases["artist"][r["of"]],
        "release": releases["title"][r["of"]],
        "release_id": releases["id"][r["of"]],
        "disc": np.ones(count, np.int16),
        "year": releases["year"][r["of"]],
        "source_uri": blank,
        "source": np.full(count, "made-up", object),
        "offer_source": np.full(count, "made-up", object),
        "file_bytes": r["duration_ms"].astype(np.int64) * 24,
        "file_bytes_estimated": ~r["held"],
        "listeners": r["listens"] // 3,
        "share": share,
        "share_low": (share - half).clip(0).astype(np.float32),
        "share_high": (share + half).astype(np.float32),
        "synthetic": np.ones(count, bool),
    }
    return {
        RECORDINGS: _arrow(RECORDINGS, columns),
        MERGED: _merged(columns),
        RELEASES: _summed(RELEASES, columns, r["of"], releases),
        ARTISTS: _summed(ARTISTS, columns, np.unique(columns["artist"].astype(str), return_inverse=True)[1], releases),
    }


def _merged(columns: Columns) -> pa.Table:
    picked = np.repeat(np.arange(len(columns["rank"])), columns["copies"] - 1)
    rows = {name: values[picked] for name, values in columns.items()}
    digest = [hashlib.sha256(b"%d" % n + i.tobytes()).digest()[:16] for n, i in enumerate(rows["id"])]
    rows["id"] = np.array(digest, "V16") if digest else np.empty(0, "V16")
    rows["rule"] = np.full(len(picked), "isrc", object)
    return _arrow(MERGED, rows)


def _summed(table: str, columns: Columns, of: np.ndarray, releases: Columns) -> pa.Table:
    """Sum rows of recordings up by a group, in order of the group's first row."""
    groups, first, inverse = np.unique(of, return_index=True, return_inverse=True)
    order = np.argsort(first)
    first = first[order]
    rows = {
        "release_id": columns["release_id"][first],
        "title": columns["release"][first],
        "name": columns["artist"][first],
        "artist": columns["artist"][first],
        "year": columns["year"][first],
        "artist_count": np.ones(len(groups), np.int64),
        "track_count": np.bincount(inverse)[order],
        "held_count": np.bincount(inverse, columns["held"])[order].astype(np.int64),
        "best_rank": columns["rank"][first],
        "share": np.bincount(inverse, columns["share"])[order],
        "synthetic": np.ones(len(groups), bool),
    }
    return _arrow(table, rows)


def _arrow(table: str, columns: Columns) -> pa.Table:
    """Return columns as the table's Arrow rows."""
    schema = schema_of(table)
    arrays = []
    for field in schema:
        values = columns[field.name]
        if field.type == pa.uuid():
            storage = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(values), [None, pa.py_buffer(values.tobytes())])
            arrays.append(pa.ExtensionArray.from_storage(pa.uuid(), storage))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
