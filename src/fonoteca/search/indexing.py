"""Writing an index: one document for each track, artist and release. Tantivy is called here and in `reading`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from itertools import chain, islice
from itertools import count as count_from
from pathlib import Path

import tantivy

from fonoteca.model.catalogue import Recording
from fonoteca.model.errors import StoreError
from fonoteca.search.hits import HitKind
from fonoteca.search.words import fold

HEAP_BYTES = 128_000_000
"""Tantivy's writing buffer; it flushes a segment when it is full."""

BATCH_DOCUMENTS = 50_000
"""Of the first batch that is committed: less than what fills the buffer."""

_BEST_RANK_WEIGHT = 6.0


@dataclass(slots=True)
class Entry:
    """One document before it is written. rank: of its most heard track. share: of all its tracks."""

    kind: HitKind
    id: str
    title: str
    artist: str
    release: str
    rank: int
    share: float
    held: bool


def make_schema() -> tantivy.Schema:
    """Return the fields of an index.

    words: all that an entry is found by; name: its own name; whole: its name as one term, for exact matches. All folded, so
    that splitting at spaces is all the analysis there is. entry: what a hit shows, stored and not searched, as a JSON list in
    the order of `Entry`. weight: popularity, see `weigh`.
    """
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("name", tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("whole", tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field("entry", stored=True)
    builder.add_unsigned_field("rank", fast=True)
    builder.add_float_field("weight", fast=True)
    return builder.build()


def weigh(rank: int) -> float:
    """Return the value that a match is weighted by; Tantivy multiplies the score by log2(2 + value).

    So the most heard recording counts 3.0 times its match, the tenth 2.3, the millionth 1.5: popularity orders equal
    matches and does not drown better ones.
    """
    return _BEST_RANK_WEIGHT / (1 + math.log10(max(rank, 1)))


def write_index(folder: Path, recordings: Iterable[Recording]) -> int:
    """Write an index into an empty folder. Returns: the number of documents.

    recordings: in any order; artists and releases are gathered from them, artists by name and releases by id.
    Memory: about 300 B for each artist and release, besides `HEAP_BYTES`.
    Raises: StoreError when the disk fails.
    """
    count = 0
    with wrapped(str(folder)):
        index = tantivy.Index(make_schema(), str(folder))
        for batch in _batches(gather_entries(recordings)):
            # One thread: the same recordings then give the same order of documents.
            writer = index.writer(HEAP_BYTES, 1)
            try:
                for entry in batch:
                    writer.add_document(_document(entry))
                    count += 1
                writer.commit()
            except BaseException:
                writer.rollback()
                raise
            finally:
                # Its threads write in the folder, which the caller is about to move or remove. Merges end before there is more to
                # merge, and no two batches are as long as each other: so the same segments are merged in the same order always.
                writer.wait_merging_threads()
    for lock in folder.glob(".tantivy-*.lock"):
        lock.unlink()
    return count


def _batches(entries: Iterable[Entry]) -> Iterator[Iterable[Entry]]:
    """Yield the entries in batches, each a little longer than the one before; at least one, which may be empty."""
    rest = iter(entries)
    for number in count_from(BATCH_DOCUMENTS):
        batch = islice(rest, number)
        first = next(batch, None)
        if first is not None or number == BATCH_DOCUMENTS:
            yield chain(() if first is None else (first,), batch)
        if first is None:
            return


def gather_entries(recordings: Iterable[Recording]) -> Iterator[Entry]:
    """Yield an entry for each recording, then one for each artist and release in order of rank."""
    groups: dict[tuple[HitKind, str], Entry] = {}
    for recording in recordings:
        track = _track(recording)
        yield track
        if recording.artist:
            _merge(groups, Entry(HitKind.ARTIST, track.artist, track.artist, "", "", track.rank, track.share, track.held))
        if recording.release_id:
            release = Entry(
                HitKind.RELEASE, clean(recording.release_id), track.release, track.artist, "", track.rank, track.share, track.held
            )
            _merge(groups, release)
    yield from sorted(groups.values(), key=lambda entry: (entry.rank, entry.kind, entry.id))


def clean(text: str) -> str:
    """Return the text as UTF-8 can carry it: a lone surrogate becomes `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _track(recording: Recording) -> Entry:
    return Entry(
        HitKind.TRACK,
        str(recording.id),
        clean(recording.title),
        clean(recording.artist),
        clean(recording.release),
        recording.popularity.rank,
        recording.popularity.share,
        recording.held,
    )


def _merge(groups: dict[tuple[HitKind, str], Entry], entry: Entry) -> None:
    known = groups.setdefault((entry.kind, entry.id), entry)
    if known is not entry:
        known.rank = min(known.rank, entry.rank)
        known.share += entry.share
        known.held |= entry.held


def _document(entry: Entry) -> tantivy.Document:
    document = tantivy.Document()
    name = fold(entry.title)
    document.add_text("words", " ".join(filter(None, (name, fold(entry.artist), fold(entry.release)))))
    document.add_text("name", name)
    document.add_text("whole", name)
    document.add_bytes("entry", json.dumps(astuple(entry), ensure_ascii=False, separators=(",", ":")).encode())
    # Not `Document(rank=...)`: that infers a signed integer, on which an unsigned fast field panics.
    document.add_unsigned("rank", max(entry.rank, 0))
    document.add_float("weight", weigh(entry.rank))
    return document


@contextmanager
def wrapped(subject: str) -> Iterator[None]:
    """Turn what Tantivy raises into a StoreError, its panics included, which are no ordinary exceptions."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise StoreError(subject, f"the search index failed: {error}", "Build it again.") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise StoreError(subject, f"the search index panicked: {error}", "Build it again, and report this.") from error
