"""Can people find it? An index of tracks, artists and releases, built from a catalogue snapshot, the most heard first."""

from fonoteca.search.building import SnapshotFile, SnapshotTables, make_shard
from fonoteca.search.hits import Answer, Facets, Hit, HitKind
from fonoteca.search.index import SearchIndex
from fonoteca.search.licences import LICENCES
from fonoteca.search.manifest import is_index_file
from fonoteca.search.nearness import typing_errors
from fonoteca.search.query import read_query
from fonoteca.search.reading import IndexReader
from fonoteca.search.words import indexed

__all__ = [
    "LICENCES",
    "Answer",
    "Facets",
    "Hit",
    "HitKind",
    "IndexReader",
    "SearchIndex",
    "SnapshotFile",
    "SnapshotTables",
    "indexed",
    "is_index_file",
    "make_shard",
    "read_query",
    "typing_errors",
]
