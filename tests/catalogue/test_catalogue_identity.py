"""Rows are one recording by id, ISRC or name, around a representative and never by chains; every merge says why."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from catalogue_world import mapping_of

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.deltas import DeltaPlace, diff_snapshots
from fonoteca.catalogue.duck import DuckSettings
from fonoteca.catalogue.exported import ExportReader
from fonoteca.catalogue.exports import export_snapshot
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import RecordingId
from fonoteca.ports import SILENCE, Silence

MBID_A, MBID_B, MBID_OLD, MBID_C = (f"0000000{n}-1111-4222-8333-444444444444" for n in (1, 2, 3, 4))
COLUMNS = {name: name for name in ("id", "key", "title", "artist", "duration_ms", "isrc", "licence", "source_uri")}
Row = dict[str, object]


def take(catalogue: Catalogue, folder: Path, rows: list[Row], name: str = "one") -> None:
    """Import rows; what they do not say of title and artist is the same for all."""
    path = folder / f"{name}.jsonl"
    plain = {"title": "Song", "artist": "Singer", "duration_ms": 200_000, "isrc": ""}
    path.write_text("\n".join(json.dumps({**plain, **row}) for row in rows))
    catalogue.import_table([path], mapping_of(name, columns=COLUMNS))


def move(catalogue: Catalogue, folder: Path, into: dict[str, str]) -> None:
    """Import redirects."""
    (folder / "r.csv").write_text("\n".join(["id,into", *(f"{old},{new}" for old, new in into.items()), ""]))
    catalogue.import_table([folder / "r.csv"], mapping_of("moved", "redirects", columns={"id": "id", "into": "into"}))


def groups(catalogue: Catalogue, folder: Path) -> list[set[str]]:
    """Build, and return the keys of the rows of each recording."""
    name = catalogue.build().name
    rows = duckdb.sql(
        f"""SELECT rank, id::VARCHAR FROM read_parquet('{folder}/catalogue/{name}/recordings/*.parquet')
        UNION ALL SELECT rank, id::VARCHAR FROM read_parquet('{folder}/catalogue/{name}/merged/*.parquet')"""
    ).fetchall()
    found: dict[int, set[str]] = {}
    for rank, one in rows:
        found.setdefault(rank, set()).add(NAMES.get(one, one))
    return sorted(found.values(), key=sorted)


NAMES = {str(RecordingId.of(source, key)): key for source in ("one", "two") for key in "abcdefgh"}

TOGETHER: dict[str, list[Row]] = {
    "name and duration": [{"key": "a"}, {"key": "b", "title": "SONG!", "artist": "The Singer feat. B", "duration_ms": 202_000}],
    "accents and case": [{"key": "a", "title": "Déjà Vu"}, {"key": "b", "title": "deja vu"}],
    "ISRC and title": [
        {"key": "a", "isrc": "USABC2400001"},
        {"key": "b", "isrc": "us-abc-24-00001", "artist": "Singer & Band", "duration_ms": 207_000},
    ],
    "an ISRC speaks for an unknown duration": [
        {"key": "a", "isrc": "USABC2400001", "duration_ms": 0},
        {"key": "b", "isrc": "USABC2400001", "artist": "X"},
    ],
    "one of several ISRCs": [
        {"key": "a", "isrc": "USABC2400001 USABC2400002"},
        {"key": "b", "isrc": "USABC2400002", "artist": "X"},
    ],
    "an MBID and a row without": [{"id": MBID_A}, {"key": "b"}],
}
X, Y, Z = (f"USABC240000{n}" for n in (1, 2, 3))
CHAINS: dict[str, tuple[list[Row], list[set[str]]]] = {
    "a code of another MBID alone": (
        [{"id": MBID_A, "isrc": X}, {"id": MBID_B, "isrc": f"{X} {Y}"}, {"key": "c", "isrc": Y}],
        [{MBID_A}, {MBID_B, "c"}],
    ),
    "one row with many codes": (
        [
            {"key": "a", "isrc": f"{X} {Y} {Z}", "artist": "Compiler"},
            {"id": MBID_A, "isrc": X, "artist": "One"},
            {"key": "c", "isrc": Y, "artist": "Two"},
            {"key": "d", "isrc": Z, "artist": "Three"},
        ],
        [{MBID_A, "a"}, {"c"}, {"d"}],
    ),
    "later codes on both sides": (
        [
            {"key": "a", "isrc": f"{X} {Z}", "artist": "One"},
            {"key": "b", "isrc": f"{Y} {Z}", "artist": "Two"},
            {"key": "c", "isrc": Y, "artist": "Three"},
        ],
        [{"a", "b"}, {"c"}],
    ),
    "a duration lent by one of another recording": (
        [
            {"id": MBID_A, "isrc": X, "duration_ms": 0},
            {"id": MBID_B, "isrc": Y, "duration_ms": 300_000},
            {"key": "c", "isrc": f"{X} {Y}", "artist": "One", "duration_ms": 100_000},
            {"key": "d", "isrc": X, "artist": "Two", "duration_ms": 103_000},
        ],
        [{MBID_A, "c", "d"}, {MBID_B}],
    ),
}
APART: dict[str, list[Row]] = {
    "other durations": [{"key": "a"}, {"key": "b", "duration_ms": 202_001}],
    "other artists": [{"key": "a"}, {"key": "b", "artist": "Another"}],
    "unknown durations": [{"key": "a", "duration_ms": 0}, {"key": "b", "duration_ms": 0}],
    "an ISRC on another title": [{"key": "a", "isrc": "USABC2400001"}, {"key": "b", "isrc": "USABC2400001", "title": "Other"}],
    "an ISRC on another length": [
        {"key": "a", "isrc": "USABC2400001"},
        {"key": "b", "isrc": "USABC2400001", "duration_ms": 211_000},
    ],
    "two MBIDs": [{"id": MBID_A, "isrc": "USABC2400001"}, {"id": MBID_B, "isrc": "USABC2400001"}],
    "nobody's tracks": [{"key": "a", "artist": ""}, {"key": "b", "artist": ""}],
}


@pytest.mark.parametrize("law", TOGETHER)
def test_rows_become_one_recording_by(law: str, catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, TOGETHER[law])
    assert len(groups(catalogue, tmp_path)) == 1


@pytest.mark.parametrize("law", APART)
def test_rows_stay_apart_with(law: str, catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, APART[law])
    assert len(groups(catalogue, tmp_path)) == 2


@pytest.mark.parametrize("law", CHAINS)
def test_nobody_joins_without_an_isrc_of_the_representative(law: str, catalogue: Catalogue, tmp_path: Path) -> None:
    rows, found = CHAINS[law]
    take(catalogue, tmp_path, [{"artist": f"Nobody else {n}", **row} for n, row in enumerate(rows)])
    assert groups(catalogue, tmp_path) == sorted(found, key=sorted)


def test_nobody_joins_by_way_of_another(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"key": k, "duration_ms": 200_000 + 1_500 * n} for n, k in enumerate("abcd")])
    assert groups(catalogue, tmp_path) == [{"a", "b"}, {"c", "d"}]


def test_a_third_joins_one_of_two_mbids_and_they_stay_two(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"key": "c"}, {"id": MBID_A}, {"id": MBID_B}])
    assert groups(catalogue, tmp_path) == [{MBID_A, "c"}, {MBID_B}]


def test_a_redirect_leads_old_ids_to_the_recording(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"id": MBID_A}, {"id": MBID_OLD, "title": "Other"}])
    move(catalogue, tmp_path, {MBID_OLD: MBID_A})
    assert groups(catalogue, tmp_path) == [{MBID_A, MBID_OLD}]
    found = catalogue.recording(MBID_OLD)
    assert found
    assert (found.id, found.title) == (MBID_A, "Song")


def test_a_recording_is_found_by_the_id_that_its_only_row_had(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"key": "a", "title": "Before"}, {"id": MBID_OLD, "title": "Other"}, {"key": "c", "title": "Other"}])
    move(catalogue, tmp_path, {MBID_OLD: MBID_A})
    assert groups(catalogue, tmp_path) == [{MBID_A, MBID_OLD, "c"}, {"a"}]
    found = catalogue.recording(MBID_OLD)
    assert found
    assert (found.id, found.title) == (MBID_A, "Other")
    assert catalogue.recording(MBID_A) == found
    stored = catalogue.stored_snapshot()
    assert stored
    assert stored.merged == {"id": 0, "redirect": 1, "isrc": 0, "name": 1, "word": 0}
    staging = DiskStaging(tmp_path / "staging")
    for form in ("jsonl", "parquet", "sqlite"):
        folder = staging.folder(form)
        export_snapshot(catalogue.snapshot_folder(), form, folder, staging, SILENCE)
        row = ExportReader.at(lambda path, folder=folder: (folder / path).open("rb")).row_of(MBID_OLD)  # type: ignore[misc]
        assert row
        assert row["id"] == MBID_A


def test_a_delta_makes_the_index_again_where_ids_were_redirected(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"id": MBID_OLD}, {"id": MBID_B, "title": "Other"}, {"id": MBID_C, "title": "Third"}])
    old = catalogue.build().name
    move(catalogue, tmp_path, {MBID_OLD: MBID_A, MBID_B: MBID_C})
    new = catalogue.build().name
    staging = DiskStaging(tmp_path / "staging")
    place = DeltaPlace(staging, staging.folder("scratch"), DuckSettings(), SILENCE)
    folders = [tmp_path / "catalogue" / name for name in (old, new)]
    delta = diff_snapshots(*folders, staging.folder("delta"), place)
    assert not delta.ids_whole
    assert (delta.removed, delta.merged) == (0, 2)


def test_redirects_that_go_round_leave_rows_as_they_are(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"id": MBID_A}, {"id": MBID_B, "title": "Other"}])
    move(catalogue, tmp_path, {MBID_A: MBID_B, MBID_B: MBID_A})
    assert groups(catalogue, tmp_path) == [{MBID_A}, {MBID_B}]


def test_what_the_representative_lacks_comes_from_the_others(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"id": MBID_A}], "one")
    take(
        catalogue,
        tmp_path,
        [{"key": "b", "licence": "https://l.example/", "source_uri": "https://s.example/", "isrc": "USABC2400001"}],
        "two",
    )
    assert len(groups(catalogue, tmp_path)) == 1
    found = catalogue.recording(str(RecordingId.of("two", "b")))
    assert found
    assert (found.id, found.source, found.licence_uri, found.source_uri) == (
        MBID_A,
        "one",
        "https://l.example/",
        "https://s.example/",
    )
    assert found.isrcs == ("USABC2400001",)
    stored = catalogue.stored_snapshot()
    assert stored
    assert stored.merged == {"id": 0, "redirect": 0, "isrc": 0, "name": 1, "word": 0}


def test_a_person_can_take_a_merge_back(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"key": "a"}, {"key": "b"}, {"key": "c"}])
    assert len(groups(catalogue, tmp_path)) == 1
    (tmp_path / "catalogue" / "identity.toml").write_text(f'apart = ["{RecordingId.of("one", "b")}"]')
    assert groups(catalogue, tmp_path) == [{"a", "c"}, {"b"}]


def test_a_person_can_take_a_redirect_back(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"id": MBID_A}, {"id": MBID_OLD, "title": "Other"}])
    move(catalogue, tmp_path, {MBID_OLD: MBID_A})
    (tmp_path / "l.csv").write_text(f"id,listens\n{MBID_OLD},5\n")
    catalogue.import_table([tmp_path / "l.csv"], mapping_of("heard", "listening", columns={"id": "id", "listens": "listens"}))
    (tmp_path / "catalogue" / "identity.toml").write_text(f'apart = ["{MBID_OLD}"]')
    assert groups(catalogue, tmp_path) == [{MBID_A}, {MBID_OLD}]
    assert [row.id for row in catalogue.recordings(limit=1)] == [MBID_OLD]


class _Notes(Silence):
    """Progress of which a person reads the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_what_was_told_of_no_row_is_said_and_counted(catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"id": MBID_A}, {"id": MBID_B, "title": "Other"}])
    move(catalogue, tmp_path, {MBID_A: MBID_B, MBID_B: MBID_A})
    (tmp_path / "catalogue" / "identity.toml").write_text(f'apart = ["{MBID_OLD}"]')
    progress = _Notes()
    catalogue.build(progress)
    assert [note for note in progress.notes if MBID_OLD in note]
    assert [note for note in progress.notes if "2 redirects" in note]
    stored = catalogue.stored_snapshot()
    assert stored
    assert stored.unused == {"redirects": 2, "apart": 1, "words": 0}


@pytest.mark.parametrize("content", ["apart = 5", 'apart = ["no id"]', "together = []", "apart ="])
def test_a_rule_file_that_makes_no_sense_is_said_to_be_wrong(content: str, catalogue: Catalogue, tmp_path: Path) -> None:
    take(catalogue, tmp_path, [{"key": "a"}])
    (tmp_path / "catalogue" / "identity.toml").write_text(content)
    with pytest.raises(UsageError, match=r"identity\.toml"):
        catalogue.build()
