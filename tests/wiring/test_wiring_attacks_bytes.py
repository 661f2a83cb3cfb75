"""Attacks on the bytes that a mirror fetches, by the command: peers, web seeds and hosts that lie.

Status 5 and a clear refusal, or success from someone honest; what the mirror held stays as it was. The attacks on metadata are in
test_wiring_attacks; every lie alone is in tests/edges.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from wiring_world import archive_in, mirror, put_item, put_out, take

import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
from fonoteca import neighbours
from fonoteca.cli.app import run
from fonoteca.edges.swarm import SwarmSettings
from fonoteca.formats import merkle
from fonoteca.formats.metainfo import TorrentFile, parse_torrent
from fonoteca.testing import hostile_hosts, hostile_peers
from fonoteca.testing.hostile_hosts import Host, hosting, only_below
from fonoteca.testing.hostile_peers import Honest, listening

pytestmark = pytest.mark.xdist_group("swarm")

Lie = Callable[[Host, bytes, int, int], None]


@dataclass(frozen=True)
class Grown:
    """An archive with an edition that a mirror of it has not seen. torrent: of the first drop that it lacks.

    payload: all files of all drops by their address below a web seed.
    """

    origin: Path
    mirror: Path
    torrent: bytes
    payload: dict[str, bytes]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """Return the archive and the mirror. Tests change copies of the mirror."""
    folder = tmp_path_factory.mktemp("bytes")
    origin = folder / "origin"
    with archive_in(origin) as archive:
        take(archive, put_item(folder / "items", "one", title="one"))
        put_out(archive)
    mirror(folder / "mirror", origin)
    with archive_in(origin) as archive:
        first = archive.editions.index()
        take(archive, put_item(folder / "items", "two", title="two"))
        put_out(archive)
        index = archive.editions.index()
        assert first is not None
        assert index is not None
        superseded = {entry.supersedes for entry in index.entries}
        new = [entry for entry in index.entries if entry not in first.entries and entry.id not in superseded]
        torrents = [archive.editions.torrent_of(entry) for entry in index.entries if entry.id not in superseded]
        torrent = archive.editions.torrent_of(new[0])
    payload = {}
    for read in map(parse_torrent, torrents):
        for file in read.files:
            named = origin.rglob(file.path.rpartition("/")[2])
            found = next(path for path in named if path.as_posix().endswith(f"/{file.path}") and _proves(file, path))
            payload[f"{read.name}/{file.path}"] = found.read_bytes()
    return Grown(origin, folder / "mirror", torrent, payload)


def _proves(file: TorrentFile, path: Path) -> bool:
    """Return whether a file is the one that a torrent names."""
    return merkle.pieces_root(merkle.block_hashes(path.read_bytes())) == file.pieces_root


@pytest.fixture(autouse=True)
def quiet_and_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands wait two seconds for a block, and look for nobody outside."""

    def settings(**given: Any) -> SwarmSettings:
        return SwarmSettings(**{**given, "dht": False, "lsd": False, "upnp": False, "idle_timeout_s": 2.0})

    monkeypatch.setattr(neighbours, "SwarmSettings", settings)


def _held(folder: Path) -> dict[str, bytes]:
    """Return every file of an archive but what each writer touches, and what lies in staging for the next run."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    passing = (".lock", "register.sqlite", "trust/", "staging/")
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(passing)}


def _refused(grown: Grown, tmp_path: Path, *words: str) -> None:
    """Check that a mirror refuses what it is told to follow, that nothing of it changes, and that it goes on from the origin.

    Files that tell of the new edition may lie beside the others, the origin's own to the byte: they are proved, and nothing names
    them until the edition is taken.
    """
    known = Path(shutil.copytree(grown.mirror, tmp_path / "known"))
    before = _held(known)
    assert run(["follow", *words, "--archive", str(known)]) == 5
    after, given = _held(known), _held(grown.origin)
    assert before.items() <= after.items()
    assert [name for name in after.keys() - before.keys() if not name.startswith("editions/") or after[name] != given[name]] == []
    assert run(["audit", "--archive", str(known)]) == 0
    assert run(["follow", str(grown.origin), "--archive", str(known)]) == 0
    assert (_held(known).keys() & grown.payload.keys()) == (_held(grown.origin).keys() & grown.payload.keys())


@pytest.mark.parametrize("liar", ["BadBlocksNoHashes", "Staller", "Unasked", "HugeMessage", "FastFlood", "ShortBlocks"])
def test_a_peer_that_lies_is_refused_and_the_mirror_stays_as_it_was(
    liar: str, grown: Grown, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = parse_torrent(grown.torrent)
    contents = {file.path: grown.payload[f"{read.name}/{file.path}"] for file in read.files}
    peer: type[Honest] = getattr(hostile_peers, liar)
    with listening(peer(grown.torrent, contents)) as (host, port):
        _refused(grown, tmp_path, str(grown.origin / "editions"), "--peer", f"{host}:{port}")
    assert "pieces are here" in capsys.readouterr().err


@pytest.mark.parametrize("lie", ["page", "page_as_part", "other_bytes", "other_part", "to_itself", "endless_head", "drip"])
def test_a_web_seed_that_lies_is_refused_and_the_mirror_stays_as_it_was(
    lie: str, grown: Grown, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hosting(_site(grown), only_below("/webseed/", getattr(hostile_hosts, lie))) as (address, _):
        _refused(grown, tmp_path, f"{address}/editions/")
    assert "pieces are here" in capsys.readouterr().err


@pytest.mark.parametrize("habit", ["honest", "everything"])
def test_a_web_seed_that_sends_whole_files_is_enough(habit: str, grown: Grown, tmp_path: Path) -> None:
    known = Path(shutil.copytree(grown.mirror, tmp_path / "known"))
    with hosting(_site(grown), only_below("/webseed/", getattr(hostile_hosts, habit))) as (address, asked):
        assert run(["follow", f"{address}/editions/", "--archive", str(known)]) == 0
    assert any(path.startswith("webseed/") for path, _ in asked)
    assert run(["audit", "--archive", str(known)]) == 0


@pytest.mark.parametrize("lie", ["page", "zipped", "to_file", "to_itself", "short", "other_bytes", "long", "endless_head"])
def test_a_host_that_lies_of_an_edition_is_refused_and_the_mirror_stays_as_it_was(lie: str, grown: Grown, tmp_path: Path) -> None:
    with hosting(_site(grown), only_below("/editions/", getattr(hostile_hosts, lie))) as (address, _):
        _refused(grown, tmp_path, f"{address}/editions/")
        assert run(["follow", f"{address}/editions/", "--archive", str(tmp_path / "new")]) in (1, 5)
    assert not (tmp_path / "new" / "store").exists()


def _site(grown: Grown) -> dict[str, bytes]:
    """Return what a site has: the edition, and the web seed beside it."""
    editions = grown.origin / "editions"
    files = {f"editions/{path.relative_to(editions)}": path.read_bytes() for path in editions.rglob("*") if path.is_file()}
    return files | {f"webseed/{path}": content for path, content in grown.payload.items()}
