"""How long a search of the starter catalogue takes, beside SQLite FTS5 on the same documents and words, and what it finds."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import quantiles

from bench.known_items import FIRST_HITS, count_known, make_questions
from bench.report import Figure, Goal, Peer
from bench.starter import starter_archive
from bench.stopwatch import Stopwatch
from fonoteca.model.catalogue import Recording
from fonoteca.search import HitKind, SearchIndex

QUERIES = 1_000
HITS = 20
QUESTIONS = 10_000
FIRST_SHARE_MIN, AMONG_FIRST_SHARE_MIN = 90.0, 97.0
"""Per cent of the known-item questions that are to be answered by the first hit, and by one of the first ten."""
_WORD = re.compile(r"[^\W_]{3,}")


def figures(scratch: Path) -> list[Figure]:
    """Return the median and the 99th percentile in milliseconds, with and without a typing error, and the index's build."""
    with starter_archive(scratch / "archive") as archive:
        archive.catalogue.build()
        recordings = list(archive.catalogue.rows())
        with Stopwatch() as watch:
            count = archive.search.build(recordings, "bench")
        queries = list(_queries(recordings))
        ours_ms = _milliseconds(lambda words: archive.search.search(words, HITS), queries)
        wrong_ms = _milliseconds(lambda words: archive.search.search(words, HITS), [_with_error(each) for each in queries])
        quality = _quality(archive.search, recordings)
    with closing(_peer(recordings)) as peer:
        theirs_ms = _milliseconds(lambda words: peer.execute(_ASK, (_as_fts(words), HITS)).fetchall(), queries)
    name = "search, 1 to 3 words, the last one begun"
    return [
        Figure("search index build", count / watch.seconds, "documents/s"),
        Figure(f"{name}: median", _part(ours_ms, 50), "ms", Peer("SQLite FTS5", _part(theirs_ms, 50)), less_is_better=True),
        Figure(f"{name}: p99", _part(ours_ms, 99), "ms", Peer("SQLite FTS5", _part(theirs_ms, 99)), less_is_better=True),
        Figure("search with a typing error: p99", _part(wrong_ms, 99), "ms", less_is_better=True),
        *quality,
    ]


def _quality(index: SearchIndex, recordings: Sequence[Recording]) -> list[Figure]:
    """Return how many known-item questions are answered by the first hit and by one of the first ten, in all and by kind."""

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


def _queries(recordings: Sequence[Recording]) -> Iterator[str]:
    """Yield what people type: words of a title, an artist or both, the last word cut after three letters half of the time."""
    dice = random.Random(1890)
    attempts = 0
    for _ in range(QUERIES):
        words: list[str] = []
        while not words:
            recording = dice.choice(recordings)
            text = dice.choice([recording.title, recording.artist, f"{recording.artist} {recording.title}"])
            words = _WORD.findall(text)[: dice.randint(1, 3)]
            attempts += 1
            assert attempts < 100 * QUERIES, "the catalogue has no words"
        if dice.random() < 0.5:
            words[-1] = words[-1][: dice.randint(3, 6)]
        yield " ".join(words)


def _with_error(query: str) -> str:
    """Return the query with the middle letter of its longest word mistyped."""
    longest = max(query.split(), key=len)
    middle = len(longest) // 2
    return query.replace(longest, f"{longest[:middle]}q{longest[middle + 1 :]}", 1)


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


_ASK = "SELECT title, artist, release FROM found WHERE found MATCH ? ORDER BY rank LIMIT ?"


def _peer(recordings: Sequence[Recording]) -> sqlite3.Connection:
    """Return a database in memory with the same documents: a row for each track, artist and release."""
    peer = sqlite3.connect(":memory:")
    peer.execute(
        "CREATE VIRTUAL TABLE found USING fts5(title, artist, release, tokenize='unicode61 remove_diacritics 2', prefix='3 4')"
    )
    rows = [(one.title, one.artist, one.release) for one in recordings]
    rows += [(artist, "", "") for artist in {one.artist for one in recordings if one.artist}]
    rows += [(release, artist, "") for release, artist in {(one.release, one.artist) for one in recordings if one.release_id}]
    peer.executemany("INSERT INTO found VALUES (?, ?, ?)", rows)
    peer.commit()
    return peer


def _as_fts(words: str) -> str:
    """Return the same wish in FTS5's own words: all words, the last one as a prefix."""
    quoted = [f'"{word}"' for word in words.split()]
    return " ".join(quoted) + "*"
