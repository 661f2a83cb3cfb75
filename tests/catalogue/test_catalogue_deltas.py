from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot_world import World, made_up_world, uuids, write_snapshot_json, write_world

from fonoteca.catalogue.deltas import Delta, DeltaPlace, apply_delta, diff_snapshots, parse_delta
from fonoteca.catalogue.deltas.columns import Kept, changed_places, made, tell
from fonoteca.catalogue.deltas.piles import Piles, read_order, write_order
from fonoteca.catalogue.duck import DuckSettings
from fonoteca.catalogue.layout import RECORDINGS, shard_name, table_files
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.errors import FixityError, StoreError, UsageError
from fonoteca.ports import SILENCE

COUNT, ROWS_A_FILE = 3000, 700


def place_in(staging: DiskStaging, name: str) -> DeltaPlace:
    return DeltaPlace(staging, staging.folder(name), DuckSettings(memory_bytes_max=1 << 28), SILENCE)


def nothing(world: World) -> None:
    pass


def all_popularity(world: World) -> None:
    listens = world.recordings["listens"]
    noise = world.rng.poisson(1 + listens * 0.05)
    world.recordings["listens"] = listens + noise


def some_popularity(world: World) -> None:
    world.recordings["listens"][:30] += 7


def rows_added(world: World) -> None:
    fresh = made_up_world(200, seed=9)
    for name, values in world.recordings.items():
        world.recordings[name] = np.concatenate([values, fresh.recordings[name]])
    world.recordings["of"][-200:] %= len(world.releases["id"])
    world.recordings["id"][-200:] = uuids(world.rng, 200)


def rows_removed(world: World) -> None:
    for name, values in world.recordings.items():
        world.recordings[name] = values[::7]


def texts_changed(world: World) -> None:
    world.recordings["title"][10:40] = "другое имя"
    world.recordings["held"] ^= True
    world.recordings["copies"][5:9] += 1
    world.releases["year"][3:9] = 1977
    world.releases["artist"][:5] = "Someone else"


def everything(world: World) -> None:
    rows_added(world)
    all_popularity(world)
    texts_changed(world)
    rows_removed(world)


CHANGES: dict[str, Callable[[World], None]] = {
    f.__name__: f for f in (nothing, all_popularity, some_popularity, rows_added, rows_removed, texts_changed, everything)
}


def pair_of(folder: Path, change: Callable[[World], None]) -> tuple[Path, Path]:
    world = made_up_world(COUNT)
    old = write_world(folder / "old", world, "2026-01-31", ROWS_A_FILE)
    change(world)
    return old, write_world(folder / "new", world, "2026-02-28", ROWS_A_FILE)


def diffed(old: Path, new: Path, staging: DiskStaging) -> tuple[Path, Delta]:
    folder = staging.folder("delta")
    return folder, diff_snapshots(old, new, folder, place_in(staging, "scratch-diff"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def size(folder: Path) -> int:
    return sum(len(content) for content in contents(folder).values())


def ids(folder: Path) -> dict[object, dict[str, object]]:
    rows = [row for path in table_files(folder, RECORDINGS) for row in pq.read_table(path).to_pylist()]
    return {row["id"]: row for row in rows}


@pytest.mark.parametrize("name", CHANGES)
def test_a_delta_applied_to_the_old_gives_the_new_byte_for_byte(name: str, tmp_path: Path) -> None:
    old, new = pair_of(tmp_path, CHANGES[name])
    staging = DiskStaging(tmp_path / "staging")
    delta_folder, delta = diffed(old, new, staging)
    assert parse_delta((delta_folder / "delta.json").read_bytes(), "x") == delta
    assert not (delta_folder / "files").exists(), "every file is made again of its rows"
    made_folder = staging.folder("made")
    apply_delta(old, delta_folder, made_folder, place_in(staging, "scratch-apply"))
    assert contents(made_folder) == contents(new)
    if "removed" not in name and name != "everything":  # where most rows go, what is said of them is more than what stays
        assert size(delta_folder) < 0.7 * size(new)


def test_a_delta_tells_who_came_went_and_changed(tmp_path: Path) -> None:
    old, new = pair_of(tmp_path, everything)
    folder, delta = diffed(old, new, DiskStaging(tmp_path / "staging"))
    before, after = ids(old), ids(new)
    heard = {"rank", "listens", "listeners", "share", "share_low", "share_high", "synthetic"}
    changed = {
        row_id: {name for name in row if name not in heard and row[name] != before[row_id][name]}
        for row_id, row in after.items()
        if row_id in before
    }
    changed = {row_id: names for row_id, names in changed.items() if names}
    assert delta.added == len(after.keys() - before.keys()) > 0
    assert delta.removed == len(before.keys() - after.keys()) > 0
    assert delta.changed == len(changed) > 0
    added = pq.read_table(folder / "recordings" / "added.parquet").to_pylist()
    assert {row["id"]: row for row in added} == {row_id: after[row_id] for row_id in after.keys() - before.keys()}
    assert set(pq.read_table(folder / "recordings" / "removed.parquet")["id"].to_pylist()) == before.keys() - after.keys()
    told = pq.read_table(folder / "recordings" / "changed.parquet").to_pylist()
    assert {row["id"]: set(row["columns"].split()) for row in told} == changed


def test_a_recording_that_became_part_of_another_is_merged_and_not_removed(tmp_path: Path) -> None:
    old, new = pair_of(tmp_path, rows_removed)
    gone = sorted(ids(old).keys() - ids(new).keys(), key=str)[0]
    path = table_files(new, "merged")[0]
    rows = pq.read_table(path)
    first = rows.slice(0, 1).to_pylist()[0] | {"id": gone}
    more = pa.concat_tables([pa.Table.from_pylist([first], schema=rows.schema), rows])
    from fonoteca.catalogue.layout import schema_of, write_shard

    write_shard(path, more.cast(schema_of("merged")).combine_chunks())
    write_snapshot_json(new, "2026-02-28")
    folder, delta = diffed(old, new, DiskStaging(tmp_path / "staging"))
    assert delta.merged == 1
    told = pq.read_table(folder / "recordings" / "merged.parquet").to_pylist()
    assert [row["id"] for row in told] == [gone]
    into = next(row["id"] for row in ids(new).values() if row["rank"] == first["rank"])
    assert told[0]["into"] == into
    assert delta.ids_whole, "the fixture's index knows nothing of the row"


def test_nothing_new_is_told_in_two_small_files(tmp_path: Path) -> None:
    old, new = pair_of(tmp_path, nothing)
    folder, delta = diffed(old, new, DiskStaging(tmp_path / "staging"))
    assert (delta.added, delta.removed, delta.merged, delta.changed) == (0, 0, 0, 0)
    assert set(contents(folder)) == {"delta.json", "snapshot.json"}


def test_a_file_that_its_rows_do_not_make_again_is_carried_whole(tmp_path: Path) -> None:
    old, new = pair_of(tmp_path, some_popularity)
    path = new / shard_name(RECORDINGS, 1)
    pq.write_table(pq.read_table(path), path, compression="snappy")
    write_snapshot_json(new, "2026-02-28")
    staging = DiskStaging(tmp_path / "staging")
    folder, _ = diffed(old, new, staging)
    assert (folder / "files" / shard_name(RECORDINGS, 1)).read_bytes() == path.read_bytes()
    made_folder = staging.folder("made")
    apply_delta(old, folder, made_folder, place_in(staging, "scratch-apply"))
    assert contents(made_folder) == contents(new)


def test_a_delta_of_another_snapshot_is_refused(tmp_path: Path) -> None:
    old, new = pair_of(tmp_path, some_popularity)
    staging = DiskStaging(tmp_path / "staging")
    folder, _ = diffed(old, new, staging)
    with pytest.raises(UsageError):
        apply_delta(new, folder, staging.folder("made"), place_in(staging, "scratch-apply"))


@pytest.mark.parametrize("name", ["share.residuals.parquet", "order.parquet", "added.parquet"])
def test_a_spoilt_delta_never_makes_another_snapshot(name: str, tmp_path: Path) -> None:
    old, new = pair_of(tmp_path, everything)
    staging = DiskStaging(tmp_path / "staging")
    folder, _ = diffed(old, new, staging)
    path = folder / RECORDINGS / name
    rows = pq.read_table(path)
    pq.write_table(pa.concat_tables([rows.slice(1), rows.slice(0, 1)]), path)
    with pytest.raises((FixityError, StoreError)):
        apply_delta(old, folder, staging.folder("made"), place_in(staging, "scratch-apply"))
    pq.write_table(rows.slice(5), path)
    with pytest.raises((FixityError, StoreError)):
        apply_delta(old, folder, staging.folder("made"), place_in(staging, "scratch-apply"))
    path.write_bytes(b"no Parquet")
    with pytest.raises(StoreError):
        apply_delta(old, folder, staging.folder("made"), place_in(staging, "scratch-apply"))


def test_a_delta_writes_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    old, new = pair_of(tmp_path, some_popularity)
    staging = DiskStaging(tmp_path / "staging")
    folder, delta = diffed(old, new, staging)
    facts = json.loads(delta.to_bytes())
    facts["tables"][RECORDINGS]["files"][0]["path"] = "../../evil.parquet"
    (folder / "delta.json").write_text(json.dumps(facts))
    with pytest.raises(StoreError):
        apply_delta(old, folder, staging.folder("made"), place_in(staging, "scratch-apply"))
    (folder / "delta.json").write_text("{}")
    with pytest.raises(StoreError):
        apply_delta(old, folder, staging.folder("made"), place_in(staging, "scratch-apply"))


@given(st.lists(st.integers(-1, 500), max_size=60))
def test_an_order_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, places: list[int]) -> None:
    folder = tmp_path_factory.mktemp("order")
    with Piles(folder) as piles:
        write_order(piles, np.array(places, np.int64))
    if places:
        assert read_order(folder / "order.parquet", len(places)).tolist() == places


KINDS = {
    "listens": (pa.int64(), st.integers(0, 2**62)),
    "copies": (pa.int32(), st.integers(0, 2**31 - 1)),
    "share": (pa.float64(), st.floats(0, 1)),
    "share_low": (pa.float32(), st.floats(0, 1, width=32)),
    "year": (pa.int16(), st.none() | st.integers(1000, 2200)),
    "title": (pa.string(), st.text(max_size=5)),
    "held": (pa.bool_(), st.booleans()),
    "release_id": (pa.uuid(), st.none() | st.binary(min_size=16, max_size=16)),
}


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_a_column_comes_back_to_the_bit(column: str, data: st.DataObject) -> None:
    kind, values = KINDS[column]
    rows = data.draw(st.lists(st.tuples(values, values), min_size=1, max_size=40))
    share = [data.draw(st.floats(0, 1)) for _ in rows]

    def table(values: list[object], share: list[float]) -> pa.Table:
        storage = pa.array(values, pa.binary(16)) if kind == pa.uuid() else pa.array(values, kind)
        array = pa.ExtensionArray.from_storage(kind, storage) if kind == pa.uuid() else storage
        return pa.table({"share": share, column: array})

    old, new = table([a for a, _ in rows], share), table([b for _, b in rows], share[::-1])
    kept = Kept(old, new, np.arange(len(rows)) * 2)
    changed = changed_places(kept, column)
    again = made(old, column, tell(kept, column, changed), kept.rows, {"share": new["share"]})
    wanted = new[column].combine_chunks()
    assert again.equals(wanted.storage if kind == pa.uuid() else wanted)
