"""An origin that gives each mirror another third of its music. Run as `swarms_origin.py ARCHIVE HOST PORT WEB_ROOT`.

The edition is at http://HOST:8000/editions/. Peers listen at PORT, PORT + 1 and PORT + 2: each has the catalogue and the search
index whole, and of the audio every third file. Says in one line of JSON which music each has, and lives until it is killed.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.flows.seed import seed
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.model.corridor import DropKind
from fonoteca.wiring import open_archive, seed_rooms

DOORS = 3


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def main(folder: Path, host: str, port: int, web_root: Path) -> None:
    """Give out."""
    with ExitStack() as open_now:
        archive = open_now.enter_context(open_archive(folder))
        index = archive.editions.index()
        assert index is not None
        (audio,) = [entry for entry in index.entries if entry.kind is DropKind.AUDIO]
        torrent = archive.editions.torrent_of(audio)
        paths = sorted((file.path for file in parse_torrent(torrent).files), key=lambda path: (path.endswith(".wav"), path))
        thirds = []
        for door in range(DOORS):
            swarm = open_now.enter_context(LibtorrentSwarm(SwarmSettings(host, port + door)))
            seed(seed_rooms(archive, swarm))
            third = paths[door::DOORS]
            swarm.seed(torrent, folder / "store", without=set(paths) - set(third))
            thirds.append([path for path in third if path.endswith(".wav")])
        server = ThreadingHTTPServer((host, 8000), partial(_Silent, directory=str(web_root)))
        sys.stdout.write(json.dumps(thirds) + "\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
