"""Taking in an index that another archive made: nothing of it is believed until it finds what the catalogue has, as it has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fonoteca.model.catalogue import Recording
from fonoteca.model.errors import FormatError, StoreError, TrustError
from fonoteca.search.canonical import check_canonical
from fonoteca.search.indexing import clean
from fonoteca.search.reading import LIMIT_MAX, IndexReader
from fonoteca.search.words import fold

_REMEDY = "Nothing was taken in. Follow another mirror of this archive."


def prove_index(folder: Path, recording_count: int, sample: Iterable[Recording]) -> None:
    """Return when a folder has an index of a catalogue with so many recordings, and finds those of a sample as they are there.

    Cost: one read of its files. Raises: TrustError when it is none; StoreError when this version of Tantivy cannot read it.
    """
    try:
        counts = check_canonical(folder)
    except (FormatError, OSError) as error:
        raise TrustError("search index", str(error), _REMEDY) from None
    reader = IndexReader(folder)
    if reader.count != sum(counts) or reader.count < recording_count or not reader.reaches(counts):
        problem = f"it has not the {sum(counts)} documents that it says, of a catalogue of {recording_count} recordings"
        raise TrustError("search index", problem, _REMEDY)
    for recording in sample:
        _check_found(reader, recording)


def _check_found(reader: IndexReader, recording: Recording) -> None:
    """Raise TrustError when a recording is not found by its own words, or found as something else."""
    words = " ".join(fold(text) for text in (recording.title, recording.artist, recording.release))
    try:
        hits = reader.search(f"{words} ", LIMIT_MAX)
    except StoreError as error:
        raise TrustError("search index", error.problem, _REMEDY) from None
    if not words.strip() or len(hits) == LIMIT_MAX:
        return  # nothing to ask by, or too many of the same words to tell
    hit = next((hit for hit in hits if hit.id == recording.id), None)
    told = (clean(recording.title), clean(recording.artist), clean(recording.release), recording.popularity.share)
    if hit is None or (hit.title, hit.artist, hit.release, hit.share) != told:
        problem = f"recording {recording.id} is not found as the catalogue has it"
        raise TrustError("search index", problem, _REMEDY)
