from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from snapshot_world import made_up_world, write_world

from fonoteca.catalogue.charts import CHARTS, DARK, LIGHT, spec_of, write_gallery
from fonoteca.catalogue.charts.page import page
from fonoteca.catalogue.charts.shapes import duration_peaks, licence_names
from fonoteca.catalogue.duck import DuckSettings, open_duck
from fonoteca.catalogue.layout import ARTISTS, MERGED, RECORDINGS, RELEASES, table_files
from fonoteca.catalogue.statistics import (
    ARTISTS_BY_POPULARITY,
    DURATIONS,
    GENRES,
    ISRCS,
    LICENCES,
    POPULARITY,
    RELEASE_SIZES,
    YEARS,
    Figures,
    Statistics,
    gather_statistics,
)
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.catalogue import Coverage, CoveragePoint
from fonoteca.model.errors import StoreError
from fonoteca.ports import SILENCE

COUNT = 4000


def curve(count: int) -> Coverage:
    points = tuple(CoveragePoint(i / 50, (i / 50) ** 0.2, i * 10**9, 0.9 * (i / 50) ** 0.2, (i / 50) ** 0.19) for i in range(51))
    return Coverage(points, count, count // 5, 0.3, 0.25, 0.35, True)


def statistics_of(folder: Path, count: int) -> Statistics:
    with open_duck(DuckSettings(), None) as duck:
        return gather_statistics(folder, curve(count), duck)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("snapshot"), made_up_world(COUNT))


@pytest.fixture(scope="module")
def statistics(snapshot: Path) -> Statistics:
    return statistics_of(snapshot, COUNT)


def rows_of(snapshot: Path, table: str) -> dict[str, list[object]]:
    found: dict[str, list[object]] = pq.read_table(table_files(snapshot, table)[0]).to_pydict()
    return found


def test_every_recording_release_and_artist_is_in_one_bar(statistics: Statistics, snapshot: Path) -> None:
    tables = statistics.tables
    assert sum(tables[POPULARITY].column("tracks")) == COUNT
    assert sum(tables[POPULARITY].column("listening")) == pytest.approx(1)
    assert sum(tables[DURATIONS].column("tracks")) == COUNT
    assert sum(tables[GENRES].column("tracks")) == sum(tables[LICENCES].column("tracks")) == COUNT
    releases = len(rows_of(snapshot, RELEASES)["title"])
    assert sum(tables[YEARS].column("releases")) == sum(tables[RELEASE_SIZES].column("releases")) == releases
    assert sum(tables[YEARS].column("tracks")) == COUNT
    assert sum(tables[ARTISTS_BY_POPULARITY].column("artists")) == len(rows_of(snapshot, ARTISTS)["name"])


def test_the_bars_of_popularity_hold_what_their_edges_say(statistics: Statistics, snapshot: Path) -> None:
    rows = rows_of(snapshot, RECORDINGS)
    share, held, listens = (np.array(rows[name]) for name in ("share", "held", "listens"))
    for row in statistics.tables[POPULARITY].records():
        inside = (share >= row["share_from"] * (1 - 1e-12)) & (share < row["share_to"] * (1 - 1e-12))
        assert (row["tracks"], row["held"]) == (inside.sum(), (inside & held).sum())
        assert row["heard"] == (inside & (listens > 0)).sum()
    assert statistics.heard_count == (listens > 0).sum()


def test_copies_of_an_isrc_are_counted_over_merged_rows_too(statistics: Statistics, snapshot: Path) -> None:
    counts: dict[str, int] = {}
    for table in (RECORDINGS, MERGED):
        for cell in rows_of(snapshot, table)["isrc"]:
            for code in str(cell).split():
                counts[code] = counts.get(code, 0) + 1
    wanted = sorted({n: list(counts.values()).count(n) for n in counts.values()}.items())
    assert list(statistics.tables[ISRCS].rows) == wanted
    assert statistics.isrc_sample == 1


def test_what_stands_out_among_durations_are_the_peaks(statistics: Statistics) -> None:
    assert [second for second, _ in duration_peaks(statistics.tables[DURATIONS])] == [120, 180, 240]
    even = Figures(("seconds", "tracks"), tuple((s, 100 + s % 3) for s in range(600)))
    assert duration_peaks(even) == []
    steps = Figures(("seconds", "tracks"), tuple((s, 1000 if s < 180 else 100) for s in range(600)))
    assert duration_peaks(steps) == []


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_drawn_and_said_in_words_and_labelled(statistics: Statistics, name: str) -> None:
    kind = CHARTS[name]
    for look in (LIGHT, DARK):
        spec = spec_of(kind.draw(statistics, look))
        assert spec["background"] == look.background
        title = spec["title"]
        assert re.search("[Ss]ynthetic", title["subtitle"])
    caption = kind.caption(statistics)
    assert caption.endswith(".")
    assert re.search(r"\d", caption)
    assert len(caption) < 400
    if name not in ("coverage", "coverage-log"):
        heard = spec_of(kind.draw(replace(statistics, citation=replace(statistics.citation, synthetic=False)), LIGHT))
        assert "ynthetic" not in heard["title"]["subtitle"]


def test_charts_of_listening_say_when_none_is_known(statistics: Statistics) -> None:
    silent = replace(statistics, coverage=replace(statistics.coverage, heard=False))
    for name in ("tracks", "listening-log", "artists", "held", "coverage"):
        assert "No listening is known" in spec_of(CHARTS[name].draw(silent, LIGHT))["title"]["subtitle"]


def test_the_gallery_has_picture_definition_and_table_of_every_chart(statistics: Statistics, tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path)
    folder = staging.folder("gallery")
    written = write_gallery(statistics, folder, staging, SILENCE)
    assert {path.name for path in folder.iterdir()} == set(written)
    for name, kind in CHARTS.items():
        for png in (f"{name}.png", f"{name}-dark.png"):
            assert (folder / png).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert "vega-lite" in json.loads((folder / f"{name}.vl.json").read_text())["$schema"]
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
        assert tuple(rows[0]) == statistics.tables[kind.table].columns
        assert len(rows) == 1 + len(statistics.tables[kind.table].rows)
    text = (folder / "index.html").read_text()
    head = text[: text.index("<script>")]
    assert not re.search(r'(src|href)="https?:', head), "the page must need no network"
    assert "made up" in head
    assert statistics.citation.id in head


def test_no_name_in_a_catalogue_can_break_out_of_the_page(statistics: Statistics) -> None:
    evil = "</script><script>alert(1)</script>"
    source = replace(statistics.citation.sources[0], name=evil, attribution=evil)
    genres = Figures(("name", "rest", "names", "tracks", "listening"), ((evil, "", 1, COUNT, 1.0),))
    poisoned = replace(
        statistics, citation=replace(statistics.citation, sources=(source,)), tables={**statistics.tables, GENRES: genres}
    )
    specs = {name: {look.name: spec_of(kind.draw(poisoned, look)) for look in (LIGHT, DARK)} for name, kind in CHARTS.items()}
    assert evil not in page(poisoned, specs)
    assert "<script>alert" not in page(poisoned, specs)


def test_one_recording_can_be_drawn(tmp_path: Path) -> None:
    tiny = statistics_of(write_world(tmp_path / "tiny", made_up_world(1)), 1)
    for kind in CHARTS.values():
        assert spec_of(kind.draw(tiny, LIGHT))
        assert kind.caption(tiny)


def test_licences_are_called_what_people_call_them() -> None:
    names = licence_names(
        [
            "https://creativecommons.org/licenses/by-sa/4.0/",
            "http://www.creativecommons.org/publicdomain/zero/1.0/",
            "https://www.gnu.org/licenses/gpl-2.0.html",
            "custom",
            "",
        ]
    )
    assert list(names.values()) == ["CC BY-SA 4.0", "CC0 1.0", "www.gnu.org/licenses/gpl-2.0.html", "custom", ""]


def test_what_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        statistics_of(tmp_path, 1)
