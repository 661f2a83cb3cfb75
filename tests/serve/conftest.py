"""A real archive with music of our own making beside the bundled sample, and its site."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import httpx
import pytest
import uvicorn

from fonoteca.audio import artwork_type, read_tags, verdict_on
from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.charts import coverage_png
from fonoteca.edges.disk import DiskBlobs, DiskStaging
from fonoteca.flows.acquire import Acquired, AcquireRooms, acquire
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.ingest import IngestContext
from fonoteca.model.ids import ObjectId
from fonoteca.model.settings import EditionSettings, Settings
from fonoteca.register import Register
from fonoteca.rights import protected_refusal
from fonoteca.search import SearchIndex
from fonoteca.serve import ServeRooms, create_app
from fonoteca.sources import SourceContext
from fonoteca.store import Store
from fonoteca.testing import SteppingClock
from fonoteca.wiring import open_archive, serve_rooms

PIECE_BYTES = 16384
ODD_NAME = "tr\u00e4ck\n#1 \u202e100% \U0001f3b6?.wav"
HOSTILE = '<script>alert("x")</script> & Söhne'
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
def serving(rooms: ServeRooms) -> Iterator[str]:
    """Serve a site on a free port of this machine. Gives: its address."""
    server = uvicorn.Server(uvicorn.Config(create_app(rooms), port=0, log_level="critical", lifespan="off"))
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


def _tone(path: Path, seconds: float = 0.6) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(
            b"".join(((n * 997) % 4001 - 2000).to_bytes(2, "little", signed=True) for n in range(int(8000 * seconds)))
        )


@pytest.fixture(scope="session")
def archive_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder to make an archive in, with what it takes beside it."""
    folder = tmp_path_factory.mktemp("serve")
    sample = Path(str(resources.files("fonoteca").joinpath("sample", "endgame-singularity")))
    shutil.copytree(sample, folder / "source" / "endgame-singularity")
    for name, text in RIGHTS.items():
        _tone(folder / "source" / name / (ODD_NAME if name == "odd" else "song.wav"))
        (folder / "source" / name / "rights.toml").write_text(text)
    return folder


@pytest.fixture(scope="session")
def site(archive_folder: Path) -> Iterator[Site]:
    """Return the site of an archive with three releases: one openly licensed, one with odd names, one that may only be kept."""
    root, clock = archive_folder / "archive", SteppingClock()
    blobs, staging = DiskBlobs(root / "store"), DiskStaging(root / "staging")
    store = Store(blobs, staging, clock, PIECE_BYTES)
    store.initialise()
    settings = Settings(
        "test-archive", "Test archive", PIECE_BYTES, editions=EditionSettings(trackers=("udp://tracker.example:1/a",))
    )
    with Register.open(root / "register.sqlite") as register, Catalogue(DiskBlobs(root / "catalogue"), staging, clock) as catalogue:
        rooms = AcquireRooms(
            store=store,
            register=register,
            policy=settings.rights,
            clock=clock,
            sources=SourceContext(clock, staging, read_tags, lambda name, folder: folder / name),
            ingest=IngestContext(
                staging, PIECE_BYTES, lambda named: (verdict_on(None, one) for one in named), artwork_type, protected_refusal
            ),
            evidence=EvidenceVault(DiskBlobs(root / "private"), lambda count: b"s" * count),
            progress=Quiet(),  # type: ignore[arg-type]
        )
        outcomes = list(acquire(rooms, "folder", str(archive_folder / "source")))
        assert all(isinstance(outcome, Acquired) for outcome in outcomes), outcomes
        catalogue.import_store(register.held_tracks())
        catalogue.import_synthetic_history(7, 50)
        snapshot = catalogue.build()
        finder = SearchIndex(DiskBlobs(root / "search"), staging)
        finder.build(catalogue.rows(), snapshot.name)
        yield Site(
            ServeRooms(
                settings=settings,
                clock=clock,
                store=store,
                blobs=blobs,
                register=register,
                editions=DiskBlobs(root / "editions"),
                catalogue_blobs=DiskBlobs(root / "catalogue"),
                catalogue=catalogue,
                finder=finder,
                coverage_png=coverage_png,
            ),
            store,
            root,
        )


@pytest.fixture(scope="session")
def client(site: Site) -> Iterator[httpx.Client]:
    """Return a client of the site."""
    with site.client() as client:
        yield client


ENDGAME, ODD, KEPT = (ObjectId.of("audio", f"folder:{name}") for name in ("endgame-singularity", "odd", "kept"))


@pytest.fixture(scope="session")
def serve_url(demo_archive: Path) -> Iterator[str]:
    """Return the address of the demo's archive as its site serves it."""
    with open_archive(demo_archive) as archive, serving(serve_rooms(archive)) as address:
        yield address
