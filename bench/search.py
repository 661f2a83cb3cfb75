"""How long a search takes, beside SQLite FTS5 on the same rows and words, what an index takes, and what known items it finds.

`python -m bench search` measures on a synthetic catalogue of a million tracks; `python -m bench.search 2000000` on another size.
"""

from __future__ import annotations

import random
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import quantiles
from uuid import UUID

import pyarrow.parquet as pq

from bench.known_items import FIRST_HITS, count_known, make_questions, mistype
from bench.report import Figure, Goal, Peer
from bench.starter import starter_archive
from bench.stopwatch import SILENT, Stopwatch
from fonoteca.catalogue import TableMapping
from fonoteca.catalogue.synth.settings import SynthSettings
from fonoteca.catalogue.synth.writing import write_synthetic
from fonoteca.flows.catalogue import tables_of
from fonoteca.model.catalogue import Recording
from fonoteca.model.settings import Settings
from fonoteca.search import HitKind, SearchIndex, SnapshotTables
from fonoteca.wiring import Archive, create_archive, open_archive

TRACKS = 1_000_000
QUERIES = 1_000
HITS = 20
QUESTIONS = 10_000
FIRST_SHARE_MIN, AMONG_FIRST_SHARE_MIN = 90.0, 97.0
"""Per cent of the known-item questions that are to be answered by the first hit, and by one of the first ten."""
P50_MS_MAX, P99_MS_MAX, P99_MISSPELT_MS_MAX = 10.0, 100.0, 250.0
PEER_RATIO_MIN = 10.0
_WORD = re.compile(r"[^\W_]{3,}")
_FTS_WORD = re.compile(r"[^\W_]+")


def figures(scratch: Path) -> list[Figure]:
    """Return latencies, bytes and the time of a build for a million tracks, and how many known items are found."""
    return [*scale_figures(TRACKS, scratch / "synthetic"), *_quality_figures(scratch / "starter")]


def scale_figures(tracks: int, folder: Path) -> list[Figure]:
    """Return the same for so many synthetic tracks, beside SQLite FTS5. folder: for an archive, and the peer's file."""
    with synthetic_archive(tracks, folder) as archive:
        tables = tables_of(archive.catalogue, archive.catalogue.build(SILENT))
        with Stopwatch() as watch:
            count = archive.search.build(tables)
        index_bytes = sum(path.stat().st_size for _, path in archive.search.files())
        queries = make_queries(tables, random.Random(1890))
        ours = {kind: _milliseconds(lambda words: archive.search.search(words, HITS), asked) for kind, asked in queries.items()}
    with closing(_peer(tables, folder / "fts5.sqlite")) as peer:
        theirs = {kind: _milliseconds(lambda words: _ask_peer(peer, words), queries[kind]) for kind in ("words", "as one types")}
        peer_bytes = (folder / "fts5.sqlite").stat().st_size
    size = f"{tracks / 1e6:g} M tracks"
    measured = [
        Figure(f"search index build, {size}", count / watch.seconds, "documents/s"),
        Figure(
            f"search index, {size}", index_bytes / 1e6, "MB", Peer("SQLite FTS5", peer_bytes / 1e6), Goal(1, of_ratio=True), True
        ),
        Figure(f"search index, {size}", index_bytes / tracks, "B a track", less_is_better=True),
    ]
    for kind, taken in ours.items():
        name = f"search, {size}, {kind}"
        limit_ms = P99_MISSPELT_MS_MAX if kind == "misspelt" else P99_MS_MAX
        measured.append(Figure(f"{name}: median", _part(taken, 50), "ms", goal=Goal(P50_MS_MAX, at_most=True), less_is_better=True))
        measured.append(Figure(f"{name}: p99", _part(taken, 99), "ms", goal=Goal(limit_ms, at_most=True), less_is_better=True))
    both, peers = (sorted(each["words"] + each["as one types"]) for each in (ours, theirs))
    held_against, goal = Peer("SQLite FTS5", _part(peers, 99)), Goal(PEER_RATIO_MIN, of_ratio=True)
    name = f"search, {size}, words and as one types: p99"
    return [*measured, Figure(name, _part(both, 99), "ms", held_against, goal, less_is_better=True)]


@contextmanager
def synthetic_archive(tracks: int, folder: Path) -> Iterator[Archive]:
    """Give an archive, open for writing, that has imported a made-up catalogue and not built it yet."""
    create_archive(folder, Settings("bench", "Search measured"))
    dump = folder / "dump"
    (dump / "truth").mkdir(parents=True)
    write_synthetic(SynthSettings(tracks), dump, lambda path: path.open("wb"), SILENT)
    mapping = TableMapping.from_toml((dump / "catalogue.toml").read_bytes(), "catalogue.toml")
    with open_archive(folder, writing=True) as archive:
        archive.catalogue.import_table(sorted(dump.glob("catalogue-*.parquet")), mapping, SILENT)
        yield archive


def make_queries(tables: SnapshotTables, dice: random.Random, count: int = QUERIES) -> Mapping[str, Sequence[str]]:
    """Return what people type who look for recordings: half of these are drawn by rank, the most heard first, half evenly."""
    items = list(_items(tables, dice, count))
    kinds: dict[str, list[str]] = {"words": [], "as one types": [], "misspelt": []}
    for number, (title, artist) in enumerate(items):
        text = (title, artist, f"{title} {artist}", f"{artist} {title}")[number % 4]
        words = text.split()
        kinds["words"].append(" ".join(words[: dice.randint(1, 3)] if number % 2 else words) + " ")
        begun = words[: dice.randint(1, 3)]
        begun[-1] = begun[-1][: dice.randint(2, 6)]
        kinds["as one types"].append(" ".join(begun))
        kinds["misspelt"].append(mistype(f"{title} {artist}" if number % 2 else text, dice) + " ")
    return kinds


def _items(tables: SnapshotTables, dice: random.Random, count: int) -> Iterator[tuple[str, str]]:
    """Yield title and artist of so many recordings that have both."""
    files = [pq.ParquetFile(file.path) for file in tables.files["recordings"]]
    groups = [(file, group) for file in files for group in range(file.metadata.num_row_groups)]
    read: dict[int, tuple[list[str], list[str]]] = {}
    while count:
        place = int(len(groups) ** dice.random() - 1) if count % 2 else dice.randrange(len(groups))
        if place not in read:
            file, group = groups[place]
            rows = file.read_row_group(group, columns=["title", "artist"])
            read[place] = rows["title"].to_pylist(), rows["artist"].to_pylist()
        titles, artists = read[place]
        row = dice.randrange(len(titles))
        if _WORD.search(titles[row]) and _WORD.search(artists[row]):
            yield titles[row], artists[row]
            count -= 1


def _quality_figures(folder: Path) -> list[Figure]:
    """Return how many known-item questions are answered by the first hit and by one of the first ten, in all and by kind.

    On the starter catalogue, whose names are real.
    """
    with starter_archive(folder) as archive:
        archive.search.build(tables_of(archive.catalogue, archive.catalogue.build()))
        recordings = list(archive.catalogue.rows())
        return known_figures(archive.search, recordings)


def known_figures(index: SearchIndex, recordings: Sequence[Recording]) -> list[Figure]:
    """Return how many questions about some recordings an index answers."""

    def found(words: str) -> list[tuple[str, str]]:
        return [(hit.title, hit.artist) for hit in index.search(words, HITS) if hit.kind is HitKind.TRACK]

    counts = count_known(make_questions([(one.title, one.artist) for one in recordings], QUESTIONS, seed=1891), found)
    asked = sum(one.asked for one in counts.values())
    first, among = sum(one.first for one in counts.values()), sum(one.among_first for one in counts.values())
    name = "known items, of title and artist"
    return [
        Figure(f"{name}: first", 100 * first / asked, "%", goal=Goal(FIRST_SHARE_MIN)),
        Figure(f"{name}: among the first {FIRST_HITS}", 100 * among / asked, "%", goal=Goal(AMONG_FIRST_SHARE_MIN)),
        *(Figure(f"{name}, {kind}: first", 100 * one.first / one.asked, "%") for kind, one in counts.items()),
    ]


def _milliseconds(search: Callable[[str], object], queries: Sequence[str]) -> list[float]:
    """Return how long each query took, after a tenth of them to warm up."""
    for words in queries[: len(queries) // 10]:
        search(words)
    taken = []
    for words in queries:
        with Stopwatch() as watch:
            search(words)
        taken.append(1000 * watch.seconds)
    return taken


def _part(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]


_ASK = "SELECT id, title, artist, release, share FROM found WHERE found MATCH ? ORDER BY rank LIMIT ?"
_SOURCES = {
    "recordings": ("id", "title", "artist", "release", "share"),
    "artists": ("name", "name", "", "", "share"),
    "releases": ("release_id", "title", "artist", "", "share"),
}


def _peer(tables: SnapshotTables, path: Path) -> sqlite3.Connection:
    """Return a database with the same rows: one for each track, artist and release, with what a hit shows."""
    peer = sqlite3.connect(path)
    peer.execute(
        "CREATE VIRTUAL TABLE found USING fts5(id UNINDEXED, title, artist, release, share UNINDEXED,"
        " tokenize='unicode61 remove_diacritics 2')"
    )
    for table, columns in _SOURCES.items():
        for file in tables.files[table]:
            read = pq.read_table(file.path, columns=[name for name in dict.fromkeys(columns) if name])
            cells = [[_plain(cell) for cell in read[name].to_pylist()] if name else [""] * len(read) for name in columns]
            peer.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?)", zip(*cells, strict=True))
    peer.commit()
    peer.execute("INSERT INTO found(found) VALUES ('optimize')")
    peer.commit()
    peer.execute("VACUUM")
    return peer


def _plain(cell: object) -> object:
    return cell.bytes if isinstance(cell, UUID) else cell


def _ask_peer(peer: sqlite3.Connection, words: str) -> object:
    """Return the peer's hits for the same wish in its own words: all words, the last one as a prefix unless a space follows."""
    quoted = [f'"{word}"' for word in _FTS_WORD.findall(words)]
    return peer.execute(_ASK, (" ".join(quoted) + ("" if words.endswith(" ") else "*"), HITS)).fetchall() if quoted else []


def main() -> None:
    """Print the figures of a size."""
    with tempfile.TemporaryDirectory() as scratch:
        for each in scale_figures(int(sys.argv[1]), Path(scratch) / "archive"):
            peer = f"   {each.peer.name}: {each.peer.value:,.2f}, {each.ratio:,.1f} x" if each.peer and each.ratio else ""
            print(f"{each.name:60} {each.value:,.2f} {each.unit}{peer}", flush=True)


if __name__ == "__main__":
    main()
