"""A search for an ISRC finds the recordings that have it, from the search box to the catalogue."""

from __future__ import annotations

import json
from pathlib import Path

from catalogue_world import mapping_of

from fonoteca.flows.catalogue import refresh
from fonoteca.model.settings import Settings
from fonoteca.ports import SILENCE
from fonoteca.wiring import catalogue_rooms, create_archive, open_archive

COLUMNS = {name: name for name in ("key", "title", "artist", "duration_ms", "isrc")}
ROWS = (
    {"key": "a", "title": "Morning Song", "artist": "Ada", "duration_ms": 1000, "isrc": "USABC2400001 GBXYZ9912345"},
    {"key": "b", "title": "Evening Song", "artist": "Ada", "duration_ms": 2000, "isrc": "USABC2400002"},
    {"key": "c", "title": "Other", "artist": "Eve", "duration_ms": 3000, "isrc": ""},
)


ANSWERS = {
    "isrc:USABC2400001": ["Morning Song"],
    "isrc:gb-xyz-99-12345": ["Morning Song"],
    "isrc:USABC2400002 ada": ["Evening Song"],
    "isrc:USABC2400002 morning": [],
    "isrc:USABC2400002 kind:artist": [],
    "isrc:USABC2400002 held:yes": [],
    "isrc:USABC2400009": [],
}


def test_an_isrc_is_found_however_it_is_written_and_narrowed_by_words(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS))
    create_archive(tmp_path / "archive", Settings("isrc", "ISRC"))
    with open_archive(tmp_path / "archive", writing=True) as archive:
        assert archive.catalogue.recordings_of_isrc("USABC2400001") == []
        archive.catalogue.import_table([tmp_path / "rows.jsonl"], mapping_of("one", columns=COLUMNS))
        refresh(catalogue_rooms(archive, SILENCE))
        assert {typed: [hit.title for hit in archive.search.search(typed)] for typed in ANSWERS} == ANSWERS
        counts = archive.search.facets("isrc:USABC2400002")
        assert (counts.kinds, counts.held, counts.whole) == ({"track": 1}, {"yes": 0, "no": 1}, True)
