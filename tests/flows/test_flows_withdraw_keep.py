"""A seed that runs heeds a withdrawal by another command within seconds, and not at its next look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import libtorrent as lt
import pytest
from flows_world import SETTINGS, StoppedClock, audio, make_archive, opened, put_item, put_out, take, track

from fonoteca.edges.swarm import SwarmSettings
from fonoteca.edges.swarm_session import Session, load_torrent
from fonoteca.flows import keep as keeping
from fonoteca.flows.keep import Board, Outside, keep
from fonoteca.flows.withdraw import Order, reinstate, withdraw
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.formats.ocfl import object_path
from fonoteca.model.corridor import DropKind
from fonoteca.model.service import Order as Told
from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.stewardship import withdraw_rooms
from fonoteca.tending import tended
from fonoteca.wiring import SwarmChoice

PATIENCE_S = 30


class Orders:
    """An operator who says nothing but stop."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def wait(self, timeout_s: float) -> Told:
        return Told.STOP if self.stop.wait(timeout_s) else Told.GO_ON

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        yield


def test_a_running_seed_lets_go_of_what_is_withdrawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "WATCH_S", 0.2)
    for name in ("one", "two"):
        put_item(tmp_path / "music", name, {"a.flac": track(len(name) + ord(name[0]), 3, noise=True)})
    made = make_archive(tmp_path / "archive", Settings(SETTINGS.name, SETTINGS.title, SETTINGS.piece_bytes))
    with opened(made) as archive:
        take(archive, tmp_path / "music")
        put_out(archive)
        index = archive.editions.index()
        assert index is not None
        torrent = next(archive.editions.torrent_of(entry) for entry in index.entries if entry.kind is DropKind.AUDIO)
    start = object_path(audio("one"))
    metainfo = parse_torrent(torrent)
    of_files = ((file.path, file.first_piece, -(-file.file_bytes // metainfo.piece_bytes)) for file in metainfo.files)
    masked = {piece for path, first, count in of_files if path.startswith(start) for piece in range(first, first + count)}
    every = set(range(lt.torrent_info(torrent).num_pieces()))
    orders, clock = Orders(), StoppedClock()
    with tended(made, SwarmChoice("127.0.0.1", 0, public=False)) as rooms:
        board = Board(clock.now())
        service = threading.Thread(target=keep, args=(rooms, Outside(clock, orders, lambda: 0.5, lambda _: None), board))
        service.start()
        try:
            _await(lambda: _given(torrent, tmp_path, rooms.swarm.address) >= masked)
            with opened(made) as archive:
                withdraw(withdraw_rooms(archive), audio("one"), Order(WithdrawalState.DARK, Reason.OPERATOR, "x"))
            _await(lambda: _given(torrent, tmp_path, rooms.swarm.address) == every - masked)
            with opened(made) as archive:
                reinstate(withdraw_rooms(archive), audio("one"), "y")
            _await(lambda: _given(torrent, tmp_path, rooms.swarm.address) == every)
        finally:
            orders.stop.set()
            service.join(PATIENCE_S)


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline


def _given(torrent: bytes, base: Path, seed: tuple[str, int]) -> set[int]:
    """Return the pieces that a new peer has after a moment, or as soon as it has all."""
    folder = base / f"peer-{time.monotonic_ns()}"
    folder.mkdir()
    session = Session(SwarmSettings())
    params = load_torrent(torrent, folder)
    params.peers = [seed]
    handle = session.add(params)
    deadline = time.monotonic() + 2
    while not handle.status().is_seeding and time.monotonic() < deadline:
        time.sleep(0.05)
    found = {index for index, here in enumerate(handle.status().pieces) if here}
    session.close()
    return found
