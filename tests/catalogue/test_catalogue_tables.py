"""Bad rows are counted with line and reason; broken files fail with position and cause."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue_world import listening_of, mapping_of, recordings_csv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fonoteca.catalogue import Catalogue, TableMapping
from fonoteca.catalogue.rows import BadRow
from fonoteca.catalogue.tables import LINE_CHARS_MAX, read_table
from fonoteca.model.errors import FonotecaError, SourceError, UsageError

HOSTILE = {
    "too few columns": (b"x,T", "columns"),
    "too many columns": (b"x,T,A,1,2", "columns"),
    "NUL": (b"x,T\0,A,1", "NUL"),
    "not UTF-8": (b"x,T\xff\xfe,A,1", "UTF-8"),
    "no title": (b"x,  ,A,1", "title: empty"),
    "no key": (b",T,A,1", "no id"),
    "negative duration": (b"x,T,A,-5", "duration"),
    "absurd duration": (b"x,T,A,99999999", "duration"),
    "duration that is text": (b"x,T,A,long", "number"),
    "NaN": (b"x,T,A,nan", "finite"),
    "infinite": (b"x,T,A,inf", "finite"),
    "huge field": (b"x," + b"T" * 5000 + b",A,1", "characters"),
    "stray quote": (b'x,"T"T,A,1', "not CSV"),
}


def _quarantine(catalogue_folder: Path) -> list[dict[str, object]]:
    (path,) = catalogue_folder.glob("imports/*/*/quarantine.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(rows, key=lambda row: row["line"])


@pytest.mark.parametrize("law", HOSTILE)
def test_a_hostile_row_is_quarantined_with_line_and_reason(law: str, catalogue: Catalogue, tmp_path: Path) -> None:
    row, reason = HOSTILE[law]
    path = tmp_path / "rows.csv"
    path.write_bytes(b"key,title,artist,duration\na,One,A,60\n" + row + b'\nb,"Two\nlines",A,60\n')
    source = catalogue.import_table([path], mapping_of())
    assert (source.row_count, source.quarantined_count) == (2, 1)
    (bad,) = _quarantine(tmp_path / "catalogue")
    assert bad["line"] == 3
    assert reason in str(bad["reason"])
    assert catalogue.build().sources[0].quarantined_count == 1


def test_a_key_said_twice_is_one_recording_of_two_rows(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("key,title,artist,duration\na,One,A,60\nb,Two,B,60\na,One again,C,60\n")
    assert catalogue.import_table([path], mapping_of()).row_count == 3
    assert catalogue.build().recording_count == 2
    stored = catalogue.stored_snapshot()
    assert stored
    assert stored.merged == {"id": 1, "redirect": 0, "isrc": 0, "name": 0, "word": 0}
    assert {row.title for row in catalogue.rows()} == {"One", "Two"}


def test_a_count_said_twice_is_quarantined_with_the_line_of_the_first(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("key,listens,listeners\na,10,1\nb,20,2\na,30,3\n")
    assert catalogue.import_table([path], mapping_of(rows="listening")).row_count == 2
    (bad,) = _quarantine(tmp_path / "catalogue")
    assert (bad["line"], "line 2" in str(bad["reason"])) == (4, True)


BROKEN = {
    "empty": b"",
    "header alone": b"key,title,artist,duration\n",
    "other columns": b"a,b\n1,2\n",
    "ends in a quote": b'key,title,artist,duration\na,One,A,60\nb,"Tw',
    "endless line": b"key,title,artist,duration\n" + b"x" * (LINE_CHARS_MAX + 2),
    "nothing but bad rows": b"key,title,artist,duration\n,,,\n,,,\n",
    "not text at all": bytes(range(256)) * 16,
}


@pytest.mark.parametrize("law", BROKEN)
def test_a_broken_file_fails_with_position_and_changes_nothing(law: str, catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "good.csv", 5)], mapping_of())
    before = _listing(tmp_path / "catalogue")
    path = tmp_path / "broken.csv"
    path.write_bytes(BROKEN[law])
    with pytest.raises(SourceError, match=r"broken\.csv"):
        catalogue.import_table([path], mapping_of())
    assert _listing(tmp_path / "catalogue") == before
    assert list((tmp_path / "staging").iterdir()) == []


def _listing(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_position_of_a_broken_quote_is_where_its_row_begins(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(BROKEN["ends in a quote"])
    with pytest.raises(SourceError, match=r"broken\.csv:3: ends inside a quoted field"):
        list(read_table(path, mapping_of()))


def test_truncated_parquet_fails(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"key": ["a"], "title": ["T"], "artist": ["A"], "duration": [1]}), path)
    content = path.read_bytes()
    for length in (0, 3, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(SourceError):
            catalogue.import_table([path], mapping_of())


def test_parquet_rows_are_checked_like_any_other(catalogue: Catalogue, tmp_path: Path) -> None:
    spoilt = pa.array([b"Fine", b"\xff\xfe", None, b"Also fine"], pa.binary()).view(pa.string())
    table = pa.table({"key": ["a", "b", "c", "d"], "title": spoilt, "artist": ["A"] * 4, "duration": [1.5, 2.0, 3.0, -1.0]})
    pq.write_table(table, tmp_path / "rows.parquet")
    source = catalogue.import_table([tmp_path / "rows.parquet"], mapping_of())
    assert (source.row_count, source.quarantined_count) == (1, 3)
    assert [bad["line"] for bad in _quarantine(tmp_path / "catalogue")] == [2, 3, 4]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        *(("recordings", name) for name in ("Fault", "line", "raw_line", "c0", "FILE_ROW_NUMBER", 'a "quoted" name', "id")),
        *(("listening", name) for name in ("remark", "first_line", "file_row_number")),
    ],
)
def test_a_table_may_call_its_columns_what_it_likes(rows: str, name: str, catalogue: Catalogue, tmp_path: Path) -> None:
    values = {"recordings": ("title", ["One", "", "Three"]), "listening": ("listens", [1, -2, 3])}
    field, column = values[rows]
    others = {"key": ["a", "b", "c"], "artist": ["A"] * 3, "remark ": ["x"] * 3}
    pq.write_table(pa.table({**others, name: column}), tmp_path / "rows.parquet")
    mapping = mapping_of(rows=rows, columns={"key": "key", "artist": "artist", "title": "artist", field: name})
    source = catalogue.import_table([tmp_path / "rows.parquet"], mapping)
    assert (source.row_count, source.quarantined_count) == (2, 1)
    (bad,) = _quarantine(tmp_path / "catalogue")
    assert (bad["line"], str(bad["reason"]).split(":")[0]) == (2, field)


def test_columns_that_differ_in_capitals_alone_are_told_apart(catalogue: Catalogue, tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": ["a"], "Title": ["Wrong"], "title": ["Right"], "artist": ["A"]}), tmp_path / "rows.parquet")
    catalogue.import_table([tmp_path / "rows.parquet"], mapping_of(columns={"key": "key", "title": "title", "artist": "artist"}))
    catalogue.build()
    assert [row.title for row in catalogue.rows()] == ["Right"]


def test_json_lines_are_checked_like_any_other(catalogue: Catalogue, tmp_path: Path) -> None:
    lines = [
        '{"key": "a", "title": "One", "artist": "A", "duration": 60.5}',
        '{"key": "b", "title": "\\ud800", "artist": "A", "duration": 1}',
        '{"key": "c", "title": "Nan", "artist": "A", "duration": NaN}',
        '{"key": "d", "title": ["list"], "artist": "A", "duration": 1}',
        "[" * 100_000,
        "17",
        '{"key": "e", "title": "Yes", "artist": "A", "duration": true}',
        '{"key": 5, "title": "Number for a key", "artist": "A"}',
        '{"key": "f", "title": "cut sho',
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    source = catalogue.import_table([tmp_path / "rows.jsonl"], mapping_of())
    assert (source.row_count, source.quarantined_count) == (2, 7)
    assert [bad["line"] for bad in _quarantine(tmp_path / "catalogue")] == [2, 3, 4, 5, 6, 7, 9]


@pytest.mark.parametrize(
    ("row", "sound"),
    [
        (("a", "5", "2"), True),
        (("a", "5", ""), True),
        (("a", "0", "0"), True),
        (("a", "", "1"), False),
        (("a", "2", "5"), False),
        (("a", "-1", "0"), False),
        (("a", "1.5", "1"), False),
        (("a", str(2**60), "1"), False),
        (("a", "nan", "1"), False),
    ],
)
def test_listening_counts_are_whole_and_no_more_listeners_than_listens(
    row: tuple[str, str, str], sound: bool, catalogue: Catalogue, tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_text("key,listens,listeners\nfine,1,1\n" + ",".join(row) + "\n")
    source = catalogue.import_table([tmp_path / "l.csv"], mapping_of(rows="listening"))
    assert source.row_count == 1 + sound


@pytest.mark.parametrize(
    ("written", "year"),
    [("2010", 2010), ("2010-05", 2010), ("2010-05-01", 2010), ("0000-00-00", None), ("", None), ("0", None), (2010, 2010)],
)
def test_years_are_read_from_dates(written: object, year: int | None, catalogue: Catalogue, tmp_path: Path) -> None:
    assert _year_of(written, catalogue, tmp_path) == [year]


@pytest.mark.parametrize("written", ["MMX", "20100", "-5", "0999", 20100])
def test_a_year_that_is_none_is_a_bad_row(written: object, catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="year: expected a date"):
        _year_of(written, catalogue, tmp_path)


def _year_of(written: object, catalogue: Catalogue, tmp_path: Path) -> list[int | None]:
    pq.write_table(pa.table({"k": ["k"], "t": ["T"], "a": ["A"], "y": [written]}), tmp_path / "years.parquet")
    mapping = mapping_of(columns={"key": "k", "title": "t", "artist": "a", "year": "y"})
    catalogue.import_table([tmp_path / "years.parquet"], mapping)
    catalogue.build()
    return [row.year for row in catalogue.rows()]


@given(content=st.binary(max_size=400), suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_bring_a_reader_down(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(b"key\ttitle,artist,duration\n" * (suffix == ".csv") + content)
    mapping = mapping_of(columns={"key": "key", "title": "title", "artist": "artist"}, delimiter="," if suffix == ".csv" else "")
    try:
        rows = list(read_table(path, mapping))
    except FonotecaError:
        return
    for row in rows:
        if isinstance(row, BadRow):
            row.row.encode("utf-8")
            row.reason.encode("utf-8")


WRONG_MAPPINGS = {
    "not TOML": b"name = ",
    "not UTF-8": b"\xff",
    "no columns": b'name = "a"\nrows = "recordings"\nlicence = ""\nattribution = ""\ndate = ""',
    "unknown key": b'name = "a"\nnome = "b"\n[columns]\nid = "id"',
    "missing name": b'rows = "recordings"\n[columns]\nid = "id"',
    "number for a name": b'name = 1\n[columns]\nid = "id"',
    "synthetic is text": b'name = "a"\nsynthetic = "no"\n[columns]\nid = "id"',
}


@pytest.mark.parametrize("law", WRONG_MAPPINGS)
def test_a_wrong_mapping_file_is_said_to_be_wrong(law: str) -> None:
    with pytest.raises(UsageError, match=r"m\.toml"):
        TableMapping.from_toml(WRONG_MAPPINGS[law], "m.toml")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "store"},
        {"name": "../up"},
        {"rows": "albums"},
        {"format": "xlsx"},
        {"delimiter": ";;"},
        {"columns": {"key": "k", "title": "t"}},
        {"columns": {"title": "t", "artist": "a"}},
        {"columns": {"key": "k", "uuid": "i", "title": "t", "artist": "a"}},
        {"columns": {"key": "k", "title": "t", "artist": "a", "isbn": "i"}},
        {"columns": {"key": "k", "title": "t", "artist": "a", "duration_s": "s", "duration_ms": "m"}},
    ],
)
def test_a_mapping_that_cannot_work_is_refused_before_a_row_is_read(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        mapping_of(**changes)  # type: ignore[arg-type]


def test_a_missing_file_and_an_unknown_format_are_wrong_use(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(FonotecaError, match=r"none\.csv"):
        catalogue.import_table([tmp_path / "none.csv"], mapping_of())
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    with pytest.raises(UsageError, match="format"):
        catalogue.import_table([tmp_path / "table.xlsx"], mapping_of())
    listening_of(tmp_path / "dir.csv", {})
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FonotecaError):
        catalogue.import_table([tmp_path / "folder.csv"], mapping_of())
