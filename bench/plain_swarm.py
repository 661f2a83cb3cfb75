"""libtorrent alone, as well tuned as we could: what a mirror is held against.

Two sessions in one process, as `bench.swarm` has them, with the same torrent on the same disk. The settings are the best of those
tried in docs/decisions/swarm-settings.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import libtorrent as lt

TIMEOUT_S = 900.0
TUNED: Mapping[str, object] = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True,
    "smooth_connects": False,
    "tick_interval": 100,
    "min_reconnect_time": 1,
    "active_downloads": -1,
    "active_seeds": -1,
    "active_limit": -1,
    "alert_mask": lt.alert_category.error | lt.alert_category.status | lt.alert_category.storage,
}


@contextmanager
def plain_seed(torrent: bytes, root: Path, *, proving: bool = False) -> Iterator[tuple[str, int]]:
    """Seed files that lie below the torrent's name in `root`. Gives: host and port.

    proving: prove each piece before it is first sent, as ours does (libtorrent's seed mode).
    """
    session = lt.session(dict(TUNED))
    params = _params(torrent, root)
    params.flags |= lt.torrent_flags.upload_mode
    params.flags &= ~lt.torrent_flags.paused
    if proving:
        params.flags |= lt.torrent_flags.seed_mode
    else:
        params.flags |= lt.torrent_flags.no_verify_files
        params.have_pieces = [True] * params.ti.num_pieces()
    handle = session.add_torrent(params)
    deadline = time.monotonic() + TIMEOUT_S
    while handle.status(0).state != lt.torrent_status.states.seeding or not session.listen_port():
        assert time.monotonic() < deadline, "a seed that does not begin"
        time.sleep(0.01)
    yield "127.0.0.1", session.listen_port()
    session.pause()


def fetch_plainly(torrent: bytes, copy: Path, peer: tuple[str, int]) -> float:
    """Return the seconds from asking to the last byte handed to the file system."""
    session = lt.session(dict(TUNED))
    start = time.perf_counter()
    params = _params(torrent, copy)
    params.flags |= lt.torrent_flags.paused  # a torrent connects to known peers when it is resumed, else up to a second later
    params.peers = [peer]
    handle = session.add_torrent(params)
    while handle.status(0).state == lt.torrent_status.states.checking_resume_data:
        time.sleep(0.002)
    handle.resume()
    _await(session, lt.torrent_finished_alert)
    handle.flush_cache()
    _await(session, lt.cache_flushed_alert)
    seconds = time.perf_counter() - start
    session.pause()
    return seconds


def _params(torrent: bytes, folder: Path) -> lt.add_torrent_params:
    params = lt.load_torrent_buffer(torrent, {"max_buffer_size": 1 << 28})
    params.save_path = str(folder)
    params.flags &= ~lt.torrent_flags.auto_managed
    return params


def _await(session: lt.session, kind: type) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        session.wait_for_alert(200)
        if any(isinstance(alert, kind) for alert in session.pop_alerts()):
            return
    raise TimeoutError(f"no {kind.__name__} after {TIMEOUT_S:g} s")
