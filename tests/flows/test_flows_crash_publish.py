"""Publish, crashed at every durable step: readers see the old edition or the new one, and the next run ends the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flows_crash import Crashed, Doom, Finished, count_points, crashes, run
from flows_world import copy_archive, make_archive, opened, picture, put_item, put_out, take, track

from fonoteca.edges.disk import DiskBlobs
from fonoteca.editions import Editions, Index
from fonoteca.flows.publish import Published
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.wiring import Archive


def _publish(archive: Archive) -> Iterator[Published]:
    yield put_out(archive)


def _nothing_out(folder: Path) -> Path:
    """Return an archive that holds an item and has published nothing."""
    put_item(folder / "music", "one", {"01 a.flac": track(1)})
    prepared = make_archive(folder / "prepared")
    with opened(prepared) as archive:
        take(archive, folder / "music")
    return prepared


def _edition_out(folder: Path) -> Path:
    """Return an archive with an edition out, and since then a new version of what is in it, and an item with artwork."""
    prepared = _nothing_out(folder)
    with opened(prepared) as archive:
        put_out(archive)
        put_item(folder / "music", "one", {"02 more.flac": track(5)})
        put_item(folder / "music", "new", {"x.flac": track(7, 2.5, noise=True), "cover.png": picture(2)})
        take(archive, folder / "music")
    return prepared


CASES = {"the first edition": (_nothing_out, 100, 3), "the second edition": (_edition_out, 150, 5)}
"""By name: the archive before, and how many durable calls and commits there are at least."""


@pytest.mark.parametrize("case", CASES)
def test_publish_crashed_at_any_durable_step_and_run_again_ends_the_same(
    case: str, fast_path: Path, validate: Callable[[Path], None]
) -> None:
    prepare, calls_min, commits_min = CASES[case]
    prepared = prepare(fast_path)
    points = count_points(copy_archive(prepared, fast_path / "whole"), _publish)
    before, after = _index(prepared), _index(fast_path / "whole")
    assert after is not None
    _check_members(fast_path / "whole", after)
    whole = Finished(fast_path / "whole", validate, ("store", "private", "editions", "catalogue"))
    assert points.calls > calls_min
    assert points.commits >= commits_min
    for crashed in crashes(prepared, _publish, points):
        assert _index(crashed.folder) in (before, after), crashed.place
        assert crashed.acknowledged == [] or _index(crashed.folder) == after, crashed.place
        (published,) = run(crashed.folder, _publish, Doom())
        assert published.number == after.number, crashed.place
        whole.check(crashed.folder, crashed.place)
        _check_search(crashed)
    print(f"\npublish: {points.calls} durable calls and {points.commits} commits crashed, {len(points.seen)} states of the disk")  # noqa: T201


def _index(folder: Path) -> Index | None:
    """Return the edition that anyone finds, every file of it read and proved."""
    editions = Editions(DiskBlobs(folder / "editions"))
    editions.read()
    return editions.index()


def _check_members(folder: Path, index: Index) -> None:
    """Check that all that the drops carry is there, whole."""
    blobs = DiskBlobs(folder / "editions")
    for entry in index.entries:
        if not entry.kind.is_snapshot:
            files = parse_torrent(blobs.read(entry.torrent.path)).files
            assert {file.path: file.file_bytes for file in files} == {
                file.path: (folder / "store" / file.path).stat().st_size for file in files
            }


def _check_search(crashed: Crashed) -> None:
    """Check that what was published is found."""
    with opened(crashed.folder) as archive:
        assert [hit.title for hit in archive.search.search("Track 1")], crashed.place
