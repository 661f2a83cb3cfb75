"""What the site's tests share: a site over a socket, and what its archive takes."""

from __future__ import annotations

import contextlib
import threading
import time
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from fonoteca.model.ids import ObjectId
from fonoteca.serve import ServeRooms, ZeroCopy, create_app
from fonoteca.serve.patience import PatientProtocol
from fonoteca.store import Store

PIECE_BYTES = 16384
ODD_NAME = "tr\u00e4ck\n#1 \u202e100% \U0001f3b6?.wav"
HOSTILE = '<script>alert("x")</script> & Söhne'
ENDGAME, ODD, KEPT = (ObjectId.of("audio", f"folder:{name}") for name in ("endgame-singularity", "odd", "kept"))
RIGHTS: Mapping[str, str] = {
    "odd": f'id = "odd"\ntitle = {HOSTILE!r}\nartist = "AC/DC % ?"\nlicence = "CC-BY-NC-4.0"\n'
    'attribution = "A. Nightingale"\nsource = "javascript:alert(1)"\n',
    "kept": 'id = "kept"\ntitle = "Only kept"\nartist = "B. Finch"\nown = true\nacts = ["hold"]\n',
}


@dataclass(frozen=True)
class Site:
    """An archive's rooms, and the site over them."""

    rooms: ServeRooms
    store: Store
    folder: Path

    @contextlib.contextmanager
    def client(self, **changed: object) -> Iterator[httpx.Client]:
        """Give a client of the site, served over a socket, some of its rooms exchanged."""
        rooms = replace(self.rooms, **changed)  # type: ignore[arg-type]
        with serving(rooms) as address, httpx.Client(base_url=address, timeout=30) as client:
            yield client


@contextlib.contextmanager
def serving(rooms: ServeRooms, **more: Any) -> Iterator[str]:
    """Serve a site on a free port of this machine. more: settings of uvicorn. Gives: its address."""
    server = uvicorn.Server(
        uvicorn.Config(ZeroCopy(create_app(rooms)), http=PatientProtocol, port=0, log_level="critical", lifespan="on", **more)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


class Quiet:
    """Progress that nobody watches."""

    def task(self, label: str, total: int | None, unit: str = "") -> object:
        return contextlib.nullcontext(lambda _count: None)

    def note(self, text: str) -> None: ...


def tone(path: Path, seconds: float = 0.6) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(
            b"".join(((n * 997) % 4001 - 2000).to_bytes(2, "little", signed=True) for n in range(int(8000 * seconds)))
        )
