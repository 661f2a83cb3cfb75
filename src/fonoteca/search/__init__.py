"""Can people find it? An index of tracks, artists and releases, built from a catalogue snapshot."""

from fonoteca.search.hits import Hit, HitKind
from fonoteca.search.index import SearchIndex
from fonoteca.search.reading import IndexReader

__all__ = ["Hit", "HitKind", "IndexReader", "SearchIndex"]
