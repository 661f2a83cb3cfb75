"""The data dictionary: what each column of a snapshot's tables means, for those who get the rows without the programme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pyarrow as pa

from fonoteca.catalogue.layout import ARTISTS, COLUMNS, EMPTY_COLUMNS, MERGED, RECORDINGS, RELEASES
from fonoteca.catalogue.sourcefile import to_json

FORMAT = "fonoteca-dictionary/1"


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """One column. kind: of its values. may_be_null: whether NULL stands for unknown. unit: "" where there is none."""

    table: str
    name: str
    kind: str
    may_be_null: bool
    unit: str
    meaning: str


TABLE_MEANINGS: Mapping[str, str] = {
    RECORDINGS: "One row a recording, key rank and id, in ascending order of rank.",
    MERGED: "One row for each row of a source that became part of a recording or was redirected, in ascending order of rank.",
    RELEASES: "One row a release id, in ascending order of best_rank.",
    ARTISTS: "One row an artist's name as written, in ascending order of best_rank.",
}

_KINDS: Mapping[pa.DataType, str] = {
    pa.uuid(): "UUID",
    pa.string(): "text",
    pa.int16(): "whole number",
    pa.int32(): "whole number",
    pa.int64(): "whole number",
    pa.float32(): "number",
    pa.float64(): "number",
    pa.bool_(): "true or false",
}

_UNITS: Mapping[str, str] = {
    "duration_ms": "ms",
    "file_bytes": "B",
    "share": "of all listening, 0 to 1",
    "share_low": "of all listening, 0 to 1",
    "share_high": "of all listening, 0 to 1",
    "listens": "listens",
    "listeners": "people",
}

_SHARED: Mapping[str, str] = {
    "artist": "The artist credit as written.",
    "release_id": "The release's id: an MBID, or a UUID of the source's own.",
    "disc": "Number of the disc in the release, from 1.",
    "track": "Number of the track on the disc, from 1.",
    "duration_ms": "Duration; 0 when unknown.",
    "isrc": 'International Standard Recording Codes, 12 characters, ascending, one blank between several; "" for none.',
    "source": "Name of the source that the row is from; snapshot.json and CITATION.cff name them all.",
    "source_uri": 'Where the recording is at its source; "" when the source does not say.',
    "track_count": "Recordings.",
    "held_count": "Recordings that the archive holds.",
    "best_rank": "Rank of the most heard of its recordings.",
    "synthetic": "Whether any listening in the snapshot is made up, so that shares and ranks measure nobody's ears.",
}

_MEANINGS: Mapping[str, Mapping[str, str]] = {
    RECORDINGS: {
        "rank": "1 is the most heard.",
        "id": "The recording's id: an MBID, or a UUID of the source, or version 5 of source and key.",
        "title": "The title as written.",
        "release": 'Title of the release; "" when unknown.',
        "year": "Year of the release.",
        "licence_uri": 'The licence as its source names it; "" when none is named, which allows nothing.',
        "offer_source": "Name of the source that source_uri is of, and licence_uri and file_bytes of what is not held.",
        "genre": 'Genre as its source names it; "" when unknown.',
        "file_bytes": "Of the file held, or as the source says, or 192 kbit/s for the duration (4 minutes when unknown).",
        "file_bytes_estimated": "Whether file_bytes was estimated from the duration.",
        "held": "Whether the archive holds it.",
        "listens": "Listens, added over the sources of listening.",
        "listeners": "People who listened, added over the sources that tell.",
        "copies": "Rows of sources that are this recording, itself included.",
        "share": "Estimated share of all listening.",
        "share_low": "Lower end of the share's 90 % interval.",
        "share_high": "Upper end of the share's 90 % interval.",
    },
    MERGED: {
        "rank": "Rank of the recording that the row became part of, or stands for under another id.",
        "id": "The id that its source gave the row.",
        "title": "The title as this row has it.",
        "release": 'Title of the release; "" when unknown.',
        "year": "Year of the release.",
        "rule": "Why it was merged: id (the same id), redirect, isrc (a shared ISRC), name (artist, title and duration).",
    },
    RELEASES: {
        "title": "Title of the release, as its most heard recording has it.",
        "artist": "Artist credit of its most heard recording.",
        "artist_count": "Different artist credits on it.",
        "year": "The latest year that its recordings name.",
        "share": "Share of all listening of its recordings together.",
    },
    ARTISTS: {
        "name": "The artist credit as written.",
        "share": "Share of all listening of its recordings together.",
    },
}


def dictionary() -> tuple[ColumnMeaning, ...]:
    """Return every column of every table, in the order of the files."""
    return tuple(
        ColumnMeaning(
            table, name, _KINDS[kind], name in EMPTY_COLUMNS, _UNITS.get(name, ""), _MEANINGS[table].get(name) or _SHARED[name]
        )
        for table, columns in COLUMNS.items()
        for name, kind in columns.items()
    )


def dictionary_json() -> bytes:
    """Return data-dictionary.json."""
    tables = {
        table: {"grain": grain, "columns": [_without_table(c) for c in dictionary() if c.table == table]}
        for table, grain in TABLE_MEANINGS.items()
    }
    return to_json({"format": FORMAT, "tables": tables})


def _without_table(column: ColumnMeaning) -> dict[str, object]:
    facts = asdict(column)
    del facts["table"]
    return facts


def dictionary_markdown() -> bytes:
    """Return data-dictionary.md."""
    lines = ["# Data dictionary", ""]
    for table, grain in TABLE_MEANINGS.items():
        lines += [f"## {table}", "", grain, "", "| column | kind | unit | meaning |", "|---|---|---|---|"]
        for c in dictionary():
            if c.table == table:
                empty = ", NULL when unknown" if c.may_be_null else ""
                lines.append(f"| `{c.name}` | {c.kind}{empty} | {c.unit} | {c.meaning} |")
        lines.append("")
    return "\n".join(lines).encode()
