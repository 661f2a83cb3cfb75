"""Which recording of the catalogue a held file most likely is: found by search, weighed as lists are matched.

A suggestion changes nothing. Accepted, it is a correction of the file's recording, which the next build of the catalogue counts.
"""

from __future__ import annotations

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.matching import Sounding, likenesses, words_in
from fonoteca.model.catalogue import Recording, Suggested
from fonoteca.register import FileRow, recording_of
from fonoteca.search import HitKind, SearchIndex

SUGGESTED_MOST = 5
_HITS_MOST = 20
"""Of each search that are weighed."""

SCORE_LEAST = 0.01
"""What is less likely is not shown."""


def suggested(catalogue: Catalogue, finder: SearchIndex, file: FileRow) -> Suggested:
    """Return which recording a file of an object's head is taken for, and which others it may be. None before the first build.

    Cost: two searches, and a read of each recording that they find. Raises: StoreError.
    """
    taken_for = catalogue.recording(recording_of(file.object_id, file.stored))
    if finder.current() is None:
        return Suggested(taken_for, ())
    tags = file.stored.tags
    sounding = Sounding(file.title, file.artist, file.duration_ms, tags.isrcs[0] if tags and tags.isrcs else "")
    title, artist = words_in(sounding)
    found: dict[str, Recording] = {}
    for words in (f"{title} {artist}".strip(), title):
        hits = finder.search(words, _HITS_MOST) if words else ()
        for hit in hits:
            recording = catalogue.recording(hit.id) if hit.kind is HitKind.TRACK and hit.id not in found else None
            if recording is not None and (taken_for is None or recording.id != taken_for.id):
                found[hit.id] = recording
    weighed = likenesses(sounding, list({each.id: each for each in found.values()}.values()))
    return Suggested(taken_for, tuple(each for each in weighed if each.score >= SCORE_LEAST)[:SUGGESTED_MOST])
