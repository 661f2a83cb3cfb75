"""Other people's clients take a drop as it is published, and end with the bytes of the store.

docs/decisions/old-clients.md tells which ways into a drop did not work, and are not tested here.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import inet_aton

import libtorrent as lt
import pytest
from flows_world import SETTINGS, make_archive, opened, picture, put_item, put_out, serving, take, track

from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.formats.metainfo import Announce, announced_also, parse_torrent, v1_only, v2_only
from fonoteca.model.corridor import DropKind
from fonoteca.model.settings import EditionSettings

TIMEOUT_S = 60
FORMS: Mapping[str, Callable[[bytes], bytes]] = {"hybrid": lambda torrent: torrent, "v1 only": v1_only, "v2 only": v2_only}


@dataclass(frozen=True)
class Given:
    """A drop that is given out. torrent: the hybrid, which names no tracker and no web seed. payload: its files."""

    torrent: bytes
    payload: Mapping[str, bytes]
    peer: tuple[str, int]
    site: str
    tracker: str

    def form(self, name: str, *, web: bool) -> bytes:
        """Return a torrent of the drop that leads to the web seed alone, or to the peer alone."""
        torrent = FORMS[name](self.torrent)
        if web:
            return announced_also(torrent, Announce(web_seeds=(f"{self.site}/webseed/",)))
        assert torrent.startswith(b"d4:info")
        return b"d8:announce%d:%s" % (len(self.tracker), self.tracker.encode()) + torrent[1:]


@contextmanager
def tracker_of(peers: list[tuple[str, int]]) -> Iterator[str]:
    """Answer announces with these peers (BEP 3, BEP 23). Gives: the address to announce at."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            compact = b"".join(inet_aton(host) + port.to_bytes(2, "big") for host, port in peers)
            body = b"d8:intervali60e5:peers%d:%be" % (len(compact), compact)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/announce"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """Give a drop of two items out: by a peer in each form of its torrent, and by the site as a web seed."""
    folder = tmp_path_factory.mktemp("clients")
    for n in range(2):
        tracks = {"01 a.flac": track(3 * n + 1, 3, noise=True), "02 b.flac": track(3 * n + 2, 5, noise=True)}
        put_item(folder / "music", f"item{n}", {**tracks, "cover.png": picture(n)})
    made = make_archive(folder / "origin", replace(SETTINGS, editions=EditionSettings(drop_bytes_max=10_000_000)))
    with opened(made) as archive, LibtorrentSwarm(SwarmSettings()) as swarm, tracker_of([swarm.address]) as tracker:
        take(archive, folder / "music")
        put_out(archive)
        index = archive.editions.index()
        assert index is not None
        (entry,) = [entry for entry in index.entries if entry.kind is DropKind.AUDIO]
        torrent = archive.editions.torrent_of(entry)
        for form in FORMS.values():
            swarm.seed(form(torrent), made / "store")
        payload = {file.path: (made / "store" / file.path).read_bytes() for file in parse_torrent(torrent).files}
        with serving(archive) as site:
            yield Given(torrent, payload, swarm.address, site, tracker)


def payload_in(folder: Path, given: Given) -> dict[str, bytes]:
    """Return the files of the drop as a client left them below a folder, pads left aside."""
    root = folder / parse_torrent(given.torrent).name
    found = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return {path: content for path, content in found.items() if not path.startswith(".pad/")}


def plain_libtorrent(torrent: bytes, folder: Path, peer: tuple[str, int] | None) -> None:
    """Fetch as any client on libtorrent would: none of this project's settings, but that it keeps to this machine."""
    private = {"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False}
    session = lt.session({**private, "enable_natpmp": False, "alert_mask": lt.alert_category.status})
    params = lt.load_torrent_buffer(torrent)
    params.save_path = str(folder)
    params.trackers = []
    params.peers = [peer] if peer else []
    handle = session.add_torrent(params)
    for _ in range(TIMEOUT_S * 10):
        session.wait_for_alert(100)
        session.pop_alerts()
        if handle.status().is_seeding:
            break
    assert handle.status().is_seeding, handle.status().state
    session.remove_torrent(handle)
    del handle, session  # the last of the session writes what is left


@pytest.mark.parametrize("form", FORMS)
def test_libtorrent_takes_each_form_of_a_drop_from_a_peer(form: str, given: Given, tmp_path: Path) -> None:
    plain_libtorrent(given.form(form, web=False), tmp_path, given.peer)
    assert payload_in(tmp_path, given) == given.payload


@pytest.mark.parametrize("form", ["hybrid", "v1 only"])
def test_libtorrent_takes_a_drop_from_the_web_seed_alone(form: str, given: Given, tmp_path: Path) -> None:
    plain_libtorrent(given.form(form, web=True), tmp_path, None)
    assert payload_in(tmp_path, given) == given.payload


def aria2(torrent: bytes, folder: Path, stop_s: int = 20) -> int:
    """Return how aria2 ended, which takes a torrent and seeds nothing."""
    program = shutil.which("aria2c")
    if program is None:
        pytest.skip("aria2 is missing: apt-get install aria2")
    (folder / "x.torrent").write_bytes(torrent)
    quiet = ["--seed-time=0", "--enable-dht=false", "--enable-dht6=false", "--enable-peer-exchange=false", "--quiet=true"]
    words = [program, f"--dir={folder}", *quiet, "--file-allocation=none", f"--bt-stop-timeout={stop_s}", "--no-conf=true"]
    return subprocess.run([*words, str(folder / "x.torrent")], timeout=TIMEOUT_S, check=False, capture_output=True).returncode


@pytest.mark.parametrize(("form", "web"), [("hybrid", True), ("v1 only", True), ("v1 only", False)])
def test_aria2_takes_the_hybrid_from_the_web_seed_and_the_v1_torrent_from_a_peer_too(
    form: str, web: bool, given: Given, tmp_path: Path
) -> None:
    assert aria2(given.form(form, web=web), tmp_path) == 0
    assert payload_in(tmp_path, given) == given.payload


TRANSMISSION = (
    '{"bind-address-ipv4": "127.0.0.1", "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false}'
)


def transmission(torrent: bytes, folder: Path) -> str:
    """Return what Transmission said, which is told to end by a script that it calls when all is there."""
    program = shutil.which("transmission-cli")
    if program is None:
        pytest.skip("Transmission is missing: apt-get install transmission-cli")
    (folder / "settings").mkdir()
    (folder / "settings" / "settings.json").write_text(TRANSMISSION)
    (folder / "x.torrent").write_bytes(torrent)
    done = folder / "done.sh"
    done.write_text(f"#!/bin/sh\nkill $(cat {folder}/pid)\n")
    done.chmod(0o755)
    words = [program, "-g", folder / "settings", "-w", folder, "-M", "-f", done, folder / "x.torrent"]
    run = ["sh", "-c", f'echo $$ > {folder}/pid; exec "$@"', "sh", *map(str, words)]
    said = subprocess.run(run, timeout=TIMEOUT_S, check=False, capture_output=True, text=True)
    return said.stdout + said.stderr


def test_transmission_takes_the_v1_torrent_from_the_web_seed(given: Given, tmp_path: Path) -> None:
    transmission(given.form("v1 only", web=True), tmp_path)
    assert payload_in(tmp_path, given) == given.payload
