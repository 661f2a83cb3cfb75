"""Imports are all or nothing, and the same input twice changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue_world import StillClock, held_track, listening_of, mapping_of, recordings_csv

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.checking import keep_sound_rows
from fonoteca.model.errors import SourceError, UsageError
from fonoteca.model.ids import RecordingId


def _state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def test_importing_twice_changes_no_file(catalogue: Catalogue, tmp_path: Path, clock: StillClock) -> None:
    path = recordings_csv(tmp_path / "rows.csv", 20)
    first = catalogue.import_table([path], mapping_of()), catalogue.import_store([held_track(1), held_track(2)])
    before = _state(tmp_path / "catalogue")
    clock.time = clock.time.replace(year=2027)
    second = catalogue.import_table([path], mapping_of()), catalogue.import_store([held_track(1), held_track(2)])
    assert second == first
    assert _state(tmp_path / "catalogue") == before


def test_an_import_replaces_what_the_same_source_gave_before(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 20)], mapping_of())
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 5)], mapping_of())
    catalogue.import_table([recordings_csv(tmp_path / "b.csv", 3, "Other")], mapping_of("other"))
    assert [(s.name, s.row_count) for s in catalogue.sources()] == [("other", 3), ("table", 5)]
    assert len(list((tmp_path / "catalogue" / "imports" / "table").iterdir())) == 2
    assert catalogue.build().recording_count == 8


def test_the_store_can_become_empty(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 2)], mapping_of())
    catalogue.import_store([held_track(1)])
    assert catalogue.build().recording_count == 3
    catalogue.import_store([])
    catalogue.build()
    assert catalogue.coverage().held_count == 0


def test_a_failed_import_leaves_rows_and_snapshot_in_force(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 20)], mapping_of())
    snapshot = catalogue.build()
    (tmp_path / "a.csv").write_text('key,title,artist,duration\nz,"broken')
    with pytest.raises(SourceError):
        catalogue.import_table([tmp_path / "a.csv"], mapping_of())
    assert catalogue.snapshot() == snapshot
    assert catalogue.build() == snapshot


def test_a_file_that_changes_while_it_is_read_is_not_imported(catalogue: Catalogue, tmp_path: Path) -> None:
    path = recordings_csv(tmp_path / "a.csv", 10)
    read = catalogue._imports._import

    def grow_then_read(offer: object, progress: object) -> object:
        path.write_text(path.read_text() + "late,Late,Late,1\n")
        return read(offer, progress)  # type: ignore[arg-type]

    catalogue._imports._import = grow_then_read  # type: ignore[method-assign,assignment]
    with pytest.raises(SourceError, match="changed while it was read"):
        catalogue.import_table([path], mapping_of())
    assert catalogue.sources() == ()


def test_parquet_that_changes_after_its_rows_are_judged_is_not_imported(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    rows = {"key": ["a"], "title": ["One"], "artist": ["A"], "duration": [1]}
    pq.write_table(pa.table(rows), path)

    def keep_then_change(*asked: Any) -> dict[str, int]:
        counts = keep_sound_rows(*asked)
        pq.write_table(pa.table({**rows, "title": ["Another"]}), path)
        return counts

    monkeypatch.setattr("fonoteca.catalogue.imports.keep_sound_rows", keep_then_change)
    with pytest.raises(SourceError, match="changed while it was read"):
        catalogue.import_table([path], mapping_of())
    assert catalogue.sources() == ()


def test_listening_may_speak_of_another_sources_keys(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 3)], mapping_of("music"))
    listening = listening_of(tmp_path / "l.csv", {"k2": (50, 5), "nowhere": (7, 1)})
    catalogue.import_table([listening], mapping_of("heard", "listening", key_source="music"))
    catalogue.build()
    first = catalogue.recordings(limit=1)[0]
    assert first.id == RecordingId.of("music", "k2")
    stored = catalogue.stored_snapshot()
    assert stored
    assert (stored.basis.listens, stored.basis.unmatched_listens) == (50, 7)


def test_a_recording_that_is_held_is_one_row_with_the_bytes_we_have(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.import_table([recordings_csv(tmp_path / "a.csv", 3)], mapping_of("music"))
    known = RecordingId.of("music", "k1")
    again = held_track(2, recording=known, logical_path="zz.flac", file_bytes=999)
    catalogue.import_store([held_track(1, recording=known, file_bytes=12345), again, held_track(3)])
    assert catalogue.build().recording_count == 4
    recording = catalogue.recording(known)
    assert recording
    assert (recording.held, recording.file_bytes, recording.source, recording.title) == (True, 12345, "music", "Title 1")
    assert recording.licence_uri == "https://creativecommons.org/licenses/by-sa/4.0/"


def test_nothing_imported_builds_nothing(catalogue: Catalogue) -> None:
    assert catalogue.snapshot() is None
    assert catalogue.recording(RecordingId.of("a", "b")) is None
    for ask in (catalogue.build, catalogue.coverage, catalogue.recordings, catalogue.snapshot_files):
        with pytest.raises(UsageError, match="catalogue"):
            ask()
    for listener_count in (0, 10):
        with pytest.raises(UsageError, match="synthetic history"):
            catalogue.import_synthetic_history(1, listener_count)
