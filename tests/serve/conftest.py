"""A real archive with music of our own making beside the bundled sample, and its site."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import httpx
import pytest
from serve_site import ODD_NAME, PIECE_BYTES, RIGHTS, Quiet, Site, serving, tone

from fonoteca.audio import artwork_type, judge, read_tags
from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.charts import coverage_png
from fonoteca.edges.disk import DiskBlobs, DiskStaging
from fonoteca.edges.workers import SerialWorkers
from fonoteca.flows.acquire import Acquired, AcquireRooms, acquire
from fonoteca.flows.catalogue import tables_of
from fonoteca.flows.evidence import EvidenceVault
from fonoteca.frontage import serve_rooms
from fonoteca.gatehouse import open_people
from fonoteca.ingest import IngestContext
from fonoteca.model.settings import EditionSettings, Settings
from fonoteca.register import Register
from fonoteca.rights import protected_refusal
from fonoteca.search import SearchIndex
from fonoteca.serve import ServeRooms
from fonoteca.sources import SourceContext
from fonoteca.store import Store
from fonoteca.testing import SteppingClock
from fonoteca.wiring import open_archive


@pytest.fixture(scope="session")
def archive_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder to make an archive in, with what it takes beside it."""
    folder = tmp_path_factory.mktemp("serve")
    sample = Path(str(resources.files("fonoteca").joinpath("sample", "endgame-singularity")))
    shutil.copytree(sample, folder / "source" / "endgame-singularity")
    for name, text in RIGHTS.items():
        tone(folder / "source" / name / (ODD_NAME if name == "odd" else "song.wav"))
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
    with (
        Register.open(root / "register.sqlite") as register,
        Catalogue(DiskBlobs(root / "catalogue"), staging, clock) as catalogue,
        open_people(root, settings, clock) as people,
    ):
        rooms = AcquireRooms(
            store=store,
            register=register,
            policy=settings.rights,
            clock=clock,
            sources=SourceContext(clock, staging, read_tags, lambda name, folder: folder / name),
            ingest=IngestContext(staging, PIECE_BYTES, SerialWorkers(), judge, artwork_type, protected_refusal),
            evidence=EvidenceVault(DiskBlobs(root / "private"), lambda count: b"s" * count),
            progress=Quiet(),  # type: ignore[arg-type]
        )
        outcomes = list(acquire(rooms, "folder", str(archive_folder / "source")))
        assert all(isinstance(outcome, Acquired) for outcome in outcomes), outcomes
        catalogue.import_store(register.held_tracks())
        catalogue.import_synthetic_history(7, 50)
        snapshot = catalogue.build()
        finder = SearchIndex(DiskBlobs(root / "search"), staging)
        finder.build(tables_of(catalogue, snapshot))
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
                search_blobs=DiskBlobs(root / "search"),
                finder=finder,
                people=people,
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


@pytest.fixture(scope="session")
def serve_url(demo_archive: Path) -> Iterator[str]:
    """Return the address of the demo's archive as its site serves it."""
    with open_archive(demo_archive) as archive, serving(serve_rooms(archive)) as address:
        yield address
