"""A real acquire and a real audit over a Ray cluster that loses a node in the middle, held against a run on this machine."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.audit import audit
from fonoteca.model.settings import RAY, RaySettings, Settings
from fonoteca.ports import SILENCE, Workers
from fonoteca.testing.cluster import LocalCluster
from fonoteca.wiring import Archive, acquire_rooms, audit_rooms, create_archive, load_settings

pytestmark = pytest.mark.xdist_group("cluster")

ITEMS, TRACKS = 4, 15
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StoppedClock:
    """A clock that stands, so that two archives can be compared byte for byte."""

    def now(self) -> datetime:
        return NOW


class Strikes:
    """Workers that do something when they give their nth answer, while others are at work."""

    def __init__(self, workers: Workers, nth: int, strike: Callable[[], None]) -> None:
        self.workers, self.nth, self.strike = workers, nth, strike

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        for answer in self.workers.run(task, settings, items):
            self.nth -= 1
            if self.nth == 0:
                self.strike()
            yield answer


def make_music(folder: Path) -> None:
    """Write items of short tones, each track another."""
    for item in range(ITEMS):
        place = folder / f"item-{item}"
        place.mkdir(parents=True)
        (place / "rights.toml").write_text(
            f'id = "item-{item}"\ntitle = "Item {item}"\nartist = "The Tones"\nlicence = "CC-BY-4.0"\n'
        )
        for track in range(TRACKS):
            step = 3 + item * TRACKS + track
            with wave.open(str(place / f"{track:02d}.wav"), "wb") as sound:
                sound.setparams((1, 2, 8000, 0, "NONE", ""))
                sound.writeframes(bytes(b for n in range(4000) for b in (n * step % 251, n * step % 13)))


@contextmanager
def opened(folder: Path, settings: Settings) -> Iterator[Archive]:
    """Open an archive for writing, made first where it is missing; its clock stands and its secret is known."""
    if not folder.exists():
        (folder / "private").mkdir(parents=True)
        (folder / "private" / "evidence-salt").write_bytes(bytes(range(32)))
        create_archive(folder, settings)
    archive = Archive(folder, load_settings(folder))
    archive.clock = StoppedClock()
    try:
        archive.begin_writing()
        yield archive
    finally:
        archive.close()


def held_by(folder: Path) -> dict[str, bytes]:
    """Return every file of the store's objects. The event log says the same in an order of its own."""
    paths = (path for path in sorted((folder / "store").rglob("*")) if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return {path: content for path, content in found.items() if "%3aevents%3a" not in path and "/extensions/" not in path}


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    make_music(folder)
    return folder


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, music: Path) -> tuple[dict[str, bytes], list[Any]]:
    """Return what an archive holds that acquired the music on this machine alone: its objects' bytes, and its register's rows."""
    folder = tmp_path_factory.mktemp("local") / "archive"
    with opened(folder, Settings("tones", "Tones", workers=1)) as archive:
        list(acquire(acquire_rooms(archive, SILENCE), "folder", str(music)))
        return held_by(folder), list(archive.register.natural_rows())


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory, music: Path, cluster: LocalCluster) -> tuple[Path, list[Any]]:
    """Return an archive that acquired the music over a cluster, one node of which was killed meanwhile, and the outcomes."""
    folder = tmp_path_factory.mktemp("spread") / "archive"
    last = cluster.mend()
    with opened(folder, Settings("tones", "Tones", workers=RAY, ray=RaySettings(cluster.address))) as archive:
        archive.workers = Strikes(archive.workers, 20, lambda: cluster.kill(last))  # type: ignore[misc]
        outcomes = list(acquire(acquire_rooms(archive, SILENCE), "folder", str(music)))
        assert archive.workers.nth < 0, "nothing was under way when the node was killed"
    return folder, outcomes


def test_an_acquire_that_loses_a_node_holds_every_item_exactly_once(
    spread: tuple[Path, list[Any]], local: tuple[dict[str, bytes], list[Any]]
) -> None:
    folder, outcomes = spread
    assert [(type(each), each.made, each.file_count, each.left_out) for each in outcomes] == [(Acquired, True, TRACKS, ())] * ITEMS
    held, rows = local
    assert held_by(folder) == held
    with opened(folder, load_settings(folder)) as archive:
        assert list(archive.register.natural_rows()) == rows
    assert list((folder / "staging").iterdir()) == []


def test_an_audit_that_loses_a_node_checks_every_file(
    spread: tuple[Path, list[Any]], cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = spread
    monkeypatch.setattr("fonoteca.flows.audit.BATCH_FILES", 4)
    victim = next(folder.glob("store/**/01-*.wav"), None) or next(folder.glob("store/**/*.wav"))
    whole = victim.read_bytes()
    victim.chmod(0o644)
    victim.write_bytes(whole[:999] + bytes([whole[999] ^ 1]) + whole[1000:])
    last = cluster.mend()
    try:
        with opened(folder, load_settings(folder)) as archive:
            archive.workers = Strikes(archive.workers, 5, lambda: cluster.kill(last))  # type: ignore[misc]
            audited = audit(audit_rooms(archive, SILENCE))
            assert archive.workers.nth < 0, "nothing was under way when the node was killed"
    finally:
        victim.write_bytes(whole)
    assert [damage.member.path for damage in audited.damages] == [victim.relative_to(folder / "store").as_posix()]
    files = [path for path in held_by(folder) if path.count("/") > 4]
    assert audited.file_count >= ITEMS * TRACKS
    assert audited.file_count <= len(files)
