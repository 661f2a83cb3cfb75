from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from shutil import which

import pyarrow.parquet as pq
import pytest
import zstandard
from snapshot_world import made_up_world, write_world

from fonoteca.catalogue.citation import citation_of
from fonoteca.catalogue.dictionary import dictionary
from fonoteca.catalogue.exported import ExportReader
from fonoteca.catalogue.exports import FORMATS, JSONL, PARQUET, SQLITE, Export, export_snapshot, parse_export
from fonoteca.catalogue.exports_jsonl import FRAME_ROWS
from fonoteca.catalogue.layout import COLUMNS, MERGED, RECORDINGS, TABLES, table_files
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.edges.http_ranges import open_ranged
from fonoteca.model.errors import FormatError, SourceError, StoreError, UsageError
from fonoteca.ports import SILENCE

COUNT = 5000


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("snapshot"), made_up_world(COUNT))


@pytest.fixture(scope="module")
def exported(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Export]]:
    made: dict[str, tuple[Path, Export]] = {}

    def export(form: str) -> tuple[Path, Export]:
        if form not in made:
            staging = DiskStaging(tmp_path_factory.mktemp("staging"))
            folder = staging.folder(form)
            made[form] = (folder, export_snapshot(snapshot, form, folder, staging, SILENCE))
        return made[form]

    return export


Exported = Callable[[str], tuple[Path, Export]]


@pytest.fixture(scope="module")
def rows(snapshot: Path) -> list[dict[str, object]]:
    found = pq.read_table(table_files(snapshot, RECORDINGS)[0]).to_pylist()
    return [{name: value if name not in ("id", "release_id") else str(value) for name, value in row.items()} for row in found]


def close_to(row: dict[str, object]) -> dict[str, object]:
    """A FLOAT is written as its shortest text."""
    return {k: pytest.approx(v, rel=1e-6, abs=1e-30) if k in ("share_low", "share_high") else v for k, v in row.items()}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_back_the_rows_of_the_snapshot(exported: Exported, rows: list[dict[str, object]], form: str) -> None:
    folder, _ = exported(form)
    reader = ExportReader.at(open_ranged(str(folder)))
    found = [*reader.rows(1, 1), *reader.rows(FRAME_ROWS, 2), *reader.rows(2000, 100), *reader.rows(COUNT - 1, 10)]
    wanted = [rows[0], *rows[FRAME_ROWS - 1 : FRAME_ROWS + 1], *rows[1999:2099], *rows[COUNT - 2 :]]
    assert found == [close_to(row) for row in wanted]
    assert reader.rows(COUNT + 1, 1) == []
    reader.close()


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_is_found_by_its_id_and_by_the_id_of_what_was_merged_into_it(exported: Exported, snapshot: Path, form: str) -> None:
    reader = ExportReader.at(open_ranged(str(exported(form)[0])))
    merged = pq.read_table(table_files(snapshot, MERGED)[0], columns=["rank", "id"]).to_pylist()
    for row in (merged[0], merged[len(merged) // 2], merged[-1]):
        found = reader.row_of(str(row["id"]))
        assert found is not None
        assert found["rank"] == row["rank"]
        assert reader.row_of(str(found["id"])) == found
    assert reader.row_of("00000000-0000-4000-8000-000000000000") is None
    with pytest.raises(UsageError):
        reader.row_of("not an id")
    reader.close()


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_names_its_files_with_digests_and_its_snapshot(exported: Exported, snapshot: Path, form: str) -> None:
    folder, export = exported(form)
    assert parse_export((folder / "export.json").read_bytes(), "x") == export
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {"export.json", *(file.path for file in export.files)}
    for file in export.files:
        assert hashlib.sha256((folder / file.path).read_bytes()).hexdigest() == file.sha256
    digest = hashlib.sha256((snapshot / "snapshot.json").read_bytes()).hexdigest()
    assert export.id == f"urn:fonoteca:catalogue:2026-01-31:{digest[:16]}"
    assert (folder / "snapshot.json").read_bytes() == (snapshot / "snapshot.json").read_bytes()
    assert export.id in (folder / "CITATION.cff").read_text()
    datacite = json.loads((folder / "datacite.json").read_text())
    assert datacite["identifiers"] == [{"identifier": export.id, "identifierType": "URN"}]
    assert "made up" in datacite["descriptions"][0]["description"]


def test_the_data_dictionary_has_every_column_and_travels_inside_the_files(exported: Exported) -> None:
    columns = {(c.table, c.name) for c in dictionary()}
    assert columns == {(table, name) for table in TABLES for name in COLUMNS[table]}
    assert all(c.meaning for c in dictionary())
    folder, export = exported(PARQUET)
    for table in TABLES:
        inside = pq.read_metadata(folder / table / "00000.parquet").metadata
        assert inside[b"fonoteca.id"].decode() == export.id
        assert json.loads(inside[b"fonoteca.dictionary"]) == json.loads((folder / "data-dictionary.json").read_text())
    with sqlite3.connect(exported(SQLITE)[0] / "catalogue.sqlite") as opened:
        assert opened.execute("SELECT value FROM about WHERE name = 'id'").fetchone() == (export.id,)
        found = opened.execute("""SELECT "table", "column" FROM data_dictionary WHERE "column" <> ''""").fetchall()
        assert set(found) == columns
        assert opened.execute("SELECT licence FROM sources").fetchall() == [("https://creativecommons.org/publicdomain/zero/1.0/",)]


@pytest.mark.parametrize("column", ["id", "isrc", "artist", "rank"])
def test_sqlite_looks_up_by_index(exported: Exported, column: str) -> None:
    with sqlite3.connect(exported(SQLITE)[0] / "catalogue.sqlite") as opened:
        plan = opened.execute(f"EXPLAIN QUERY PLAN SELECT * FROM recordings WHERE {column} = ?", ("x",)).fetchall()
        assert "SEARCH" in plan[0][3]
        counted = opened.execute("SELECT (SELECT count(*) FROM recordings), (SELECT count(*) FROM merged)").fetchone()
    assert counted[0] == COUNT
    assert counted[1] > 0


def test_any_tool_unpacks_the_json_lines(exported: Exported, rows: list[dict[str, object]]) -> None:
    path = exported(JSONL)[0] / "recordings" / "00000.jsonl.zst"
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
        content = reader.read()
    assert [json.loads(line) for line in content.splitlines()] == [close_to(row) for row in rows]
    if which("zstd"):
        assert subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True).stdout == content


def test_one_row_of_the_json_lines_costs_its_frame_and_the_seek_table(exported: Exported) -> None:
    folder = exported(JSONL)[0]
    counted: list[int] = []

    class Counting:
        def __init__(self, path: str) -> None:
            self.stream = (folder / path).open("rb")
            self.read_bytes = 0

        def __getattr__(self, name: str) -> object:
            return getattr(self.stream, name)

        def read(self, size: int = -1) -> bytes:
            content = self.stream.read(size)
            counted.append(len(content))
            return content

    reader = ExportReader.at(Counting)  # type: ignore[arg-type]
    counted.clear()
    reader.rows(3000, 1)
    whole = (folder / "recordings" / "00000.jsonl.zst").stat().st_size
    assert sum(counted) < 16384 + whole / 4


def test_what_is_damaged_is_refused(exported: Exported, tmp_path: Path) -> None:
    folder = exported(JSONL)[0]
    for name in ("export.json", "recordings/00000.jsonl.zst"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    target = tmp_path / "recordings" / "00000.jsonl.zst"
    content = bytearray(target.read_bytes())
    content[1000] ^= 0xFF
    target.write_bytes(content)
    with pytest.raises(SourceError):
        ExportReader.at(open_ranged(str(tmp_path))).rows(1, 1)
    target.write_bytes(content[:-1])
    with pytest.raises(FormatError):
        ExportReader.at(open_ranged(str(tmp_path))).rows(1, 1)
    (tmp_path / "export.json").write_bytes(b"{}")
    with pytest.raises(StoreError):
        ExportReader.at(open_ranged(str(tmp_path)))


def test_an_unknown_format_is_refused(snapshot: Path, tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path)
    with pytest.raises(UsageError):
        export_snapshot(snapshot, "xml", staging.folder("x"), staging, SILENCE)


def test_names_of_sources_cannot_break_out_of_the_citation(snapshot: Path) -> None:
    facts = json.loads((snapshot / "snapshot.json").read_bytes())
    facts["sources"][0]["attribution"] = 'A "label":\n  - evil: yes'
    cff = citation_of(json.dumps(facts).encode(), "x").cff().decode()
    assert r"A \"label\":\n  - evil: yes" in cff


def test_the_reader_that_the_page_shows_reads_a_row(exported: Exported, rows: list[dict[str, object]], tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "exports.md").read_text()
    lines = page[page.index("    import io, json") :].splitlines()
    code = "\n".join(line.removeprefix("    ") for line in takewhile(lambda line: not line or line.startswith("    "), lines))
    (tmp_path / "read_row.py").write_text(code)
    path = exported(JSONL)[0] / "recordings" / "00000.jsonl.zst"
    for row in (0, 1023, 1024, COUNT - 1):
        done = subprocess.run(
            [sys.executable, tmp_path / "read_row.py", path, str(row)], capture_output=True, text=True, check=True
        )
        assert f"'rank': {row + 1}, 'id': '{rows[row]['id']}'" in done.stdout
