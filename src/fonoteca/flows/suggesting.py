"""Which recording of the catalogue a held file most likely is: found by search, weighed as lists are matched.

A suggestion changes nothing. Accepted, it is a correction of the file's recording, which the next build of the catalogue counts.
"""

from __future__ import annotations

from dataclasses import replace

from fonoteca.catalogue import Catalogue
from fonoteca.model.catalogue import Recording, Suggested
from fonoteca.register import FileRow, recording_of
from fonoteca.search import HitKind, SearchIndex

SUGGESTED_MOST = 5
_HITS_MOST = 12
"""Of each search that are weighed."""

SCORE_LEAST = 0.01
"""What is less likely is not shown."""


def suggested(catalogue: Catalogue, finder: SearchIndex, file: FileRow) -> Suggested:
    """Return which recording a file of an object's head is taken for, and which others it may be; none before a build that has it.

    Cost: two searches, and a read of each recording that they find. Raises: StoreError.
    """
    taken_for = catalogue.recording(recording_of(file.object_id, file.stored))
    if taken_for is None or finder.current() is None:
        return Suggested(taken_for, ())
    tags = file.stored.tags
    heard = replace(taken_for, title=file.title, artist=file.artist, duration_ms=file.duration_ms)
    found: dict[str, Recording] = {}
    for words in (f"{file.title} {file.artist}", file.title):
        for hit in finder.search(words, _HITS_MOST):
            recording = catalogue.recording(hit.id) if hit.kind is HitKind.TRACK else None
            if recording is not None and recording.id != taken_for.id:
                found[recording.id] = recording
    weighed = catalogue.suggestions(heard, tags.isrcs[0] if tags and tags.isrcs else "", list(found.values()))
    return Suggested(taken_for, tuple(each for each in weighed if each.score >= SCORE_LEAST)[:SUGGESTED_MOST])
