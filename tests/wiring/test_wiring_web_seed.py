"""A drop taken from a web seed and nobody else: whole, by single pieces, from a folder and from SeaweedFS."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from wiring_world import PLAIN, Quiet, flip, mirror, put_item, put_out, take

from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.flows.audit import audit
from fonoteca.flows.repair import repair
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.metainfo import Announce, announced_also, parse_torrent
from fonoteca.frontage import serve_rooms
from fonoteca.model.corridor import DropKind
from fonoteca.model.settings import S3Settings, Settings
from fonoteca.neighbours import Healers
from fonoteca.serve import create_app
from fonoteca.testing.seaweed import Seaweed
from fonoteca.wiring import Archive, audit_rooms, create_archive, open_archive, repair_rooms

PATIENCE = SwarmSettings(idle_timeout_s=5)


@contextmanager
def served(archive: Archive) -> Iterator[str]:
    """Serve an archive's site. Gives: its address."""
    server = uvicorn.Server(uvicorn.Config(create_app(serve_rooms(archive)), port=0, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(params=["folder", "seaweedfs"])
def origin(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """Give an archive that has published two items, its store in a folder or on S3."""
    settings = Settings("wired", "Wired", workers=1)
    if request.param == "seaweedfs":
        seaweed: Seaweed = request.getfixturevalue("seaweed")
        for name, value in seaweed.environment.items():
            monkeypatch.setenv(name, value)
        settings = Settings("wired", "Wired", workers=1, store=f"s3://music/{tmp_path.name}", s3=S3Settings(seaweed.endpoint))
    create_archive(tmp_path / "origin", settings)
    with open_archive(tmp_path / "origin", writing=True) as archive:
        take(archive, put_item(tmp_path / "items", "one"))
        take(archive, put_item(tmp_path / "items", "two", title="Other", track=PLAIN))
        put_out(archive)
        yield archive


def test_every_drop_comes_whole_from_the_web_seed_alone(origin: Archive, tmp_path: Path) -> None:
    index = origin.editions.index()
    assert index is not None
    assert {entry.kind for entry in index.entries} == {DropKind.METADATA, DropKind.SEARCH, DropKind.AUDIO}
    with served(origin) as address, LibtorrentSwarm(PATIENCE) as swarm:
        for entry in index.entries:
            torrent = announced_also(origin.editions.torrent_of(entry), Announce(web_seeds=(f"{address}/webseed/",)))
            folder = tmp_path / entry.id
            fetched_bytes = swarm.fetch(torrent, folder, [], lambda _: None)
            assert fetched_bytes >= entry.drop_bytes
            for file in parse_torrent(torrent).files:
                assert (folder / file.path).stat().st_size == file.file_bytes
        pieces = swarm.fetch_pieces(torrent, tmp_path / "pieces", [0], [])
        assert len(pieces.pieces) == 1
    assert not list(tmp_path.rglob(".pad"))


def test_a_damaged_piece_of_a_mirror_is_healed_from_the_web_seed_alone(origin: Archive, tmp_path: Path) -> None:
    with served(origin) as address:
        mirror(tmp_path / "mirror", f"{address}/editions/")
        (path,) = (tmp_path / "mirror" / "store").rglob("*.ogg")
        sound = path.read_bytes()
        flip(path)
        whereabouts = Whereabouts(web_seeds=(f"{address}/webseed/",))
        with open_archive(tmp_path / "mirror", writing=True) as damaged, LibtorrentSwarm(PATIENCE) as swarm:
            (damage,) = audit(audit_rooms(damaged, Quiet())).damages
            repaired = repair(repair_rooms(damaged, Healers(swarm=swarm, whereabouts=whereabouts), Quiet()), [damage])
    assert (dict(repaired.left), repaired.piece_count) == ({}, 1)
    assert repaired.refetched_bytes <= damage.member.hashes.piece_bytes
    assert path.read_bytes() == sound
