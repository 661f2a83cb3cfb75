"""A small archive of music of our own making, with the real rooms in it."""

from __future__ import annotations

import importlib
import math
import re
import shutil
import struct
import threading
import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import av
import uvicorn

from fonoteca.audio import judge, verdict_on
from fonoteca.edges.disk import SystemCalls
from fonoteca.edges.keys import KeyFolder
from fonoteca.editions import Keyring
from fonoteca.flows.acquire import AcquireRooms, Outcome, Pace, acquire
from fonoteca.flows.analyse import Analysed, Budget, Unanalysed, analyse
from fonoteca.flows.audit import Audited, audit
from fonoteca.flows.publish import Published, publish
from fonoteca.flows.rebuild import Rebuilt, rebuild
from fonoteca.flows.seed import Seeding, seed
from fonoteca.formats.settings import FILE_NAME, settings_toml
from fonoteca.frontage import serve_rooms
from fonoteca.ingest import TAKE_TASK
from fonoteca.intake import analyse_rooms
from fonoteca.model.ids import ItemKey, ObjectId
from fonoteca.model.settings import EditionSettings, Settings
from fonoteca.ports import DurableCalls, Swarm
from fonoteca.register import Register
from fonoteca.serve import create_app
from fonoteca.testing.keys import counted_seeds
from fonoteca.wiring import (
    EXAMINE_TASK,
    Archive,
    SwarmChoice,
    acquire_rooms,
    audit_rooms,
    create_archive,
    load_settings,
    open_swarm,
    publish_rooms,
    rebuild_rooms,
    seed_rooms,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PIECE_BYTES = 16384
SETTINGS = Settings("test-archive", "Test archive", PIECE_BYTES, editions=EditionSettings(drop_bytes_max=60_000))
NO_LIMIT = Budget()
SALT = bytes(range(32))
"""The secret that evidence is digested under: the same in every archive here, so that two can be compared."""


class StoppedClock:
    """A clock that stands."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class Quiet:
    """Progress that nobody watches."""

    def task(self, label: str, total: int | None, unit: str = "") -> AbstractContextManager[Callable[[int], None]]:
        return nullcontext(lambda _count: None)

    def note(self, text: str) -> None: ...


class Inline:
    """Workers in this process: the same tasks, without starting processes for a few seconds of music.

    The same bytes under the same name are examined once.
    """

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        module, name = task.split(":")
        function = getattr(importlib.import_module(module), name)
        if task == EXAMINE_TASK:
            return (_verdict(path, name) for path, name in items)
        if task == TAKE_TASK and settings.examine is judge:
            settings = replace(settings, examine=_verdict)
        return (function(settings, item) for item in items)


_verdicts: dict[tuple[bytes, str], Any] = {}


def _verdict(path: Path, name: str) -> Any:
    """Return what audio says of a file."""
    content = path.read_bytes()
    if (content, name) not in _verdicts:
        _verdicts[content, name] = verdict_on(None, (path, name))
    return _verdicts[content, name]


class Unsynced(SystemCalls):
    """Calls that do not wait for the disk: a killed process loses no page."""

    def fsync(self, descriptor: int) -> None: ...

    def fsync_dir(self, path: Path) -> None:
        assert path.is_dir()

    def sync_all(self, descriptor: int) -> None: ...


# Music --------------------------------------------------------------------------------------------------------------


@lru_cache
def track(number: int = 1, seconds: float = 0.5, *, noise: bool = False, **tags: str) -> bytes:
    """Return a FLAC file: a tone, or noise, which weighs 8 kB a second and does not compress."""
    count = int(8000 * seconds)
    source = Random(number)
    samples = (
        [source.randrange(-128, 128) for _ in range(count)]
        if noise
        else [int(9000 * math.sin(2 * math.pi * (200 + 37 * number) * i / 8000)) for i in range(count)]
    )
    target = BytesIO()
    with av.open(target, "w", format="flac") as container:
        container.metadata.update({"title": f"Track {number}", "artist": "The Generators", **tags})
        stream = container.add_stream("flac", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame(format="s16", layout="mono", samples=count)
        frame.sample_rate = 8000
        frame.planes[0].update(array("h", samples).tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def picture(number: int = 1) -> bytes:
    """Return a PNG of one pixel."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes([0, number % 256, 0, 0]))) + chunk(b"IEND", b"")


def put_item(music: Path, name: str, files: Mapping[str, bytes], licence: str = 'licence = "CC-BY-4.0"', artist: str = "") -> Path:
    """Write an item's folder: its files, and a rights.toml with this statement. Returns: the folder."""
    folder = music / name
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    said = f'id = "{name}"\ntitle = "Item {name}"\nartist = "{artist or "The Generators"}"\nsource = "https://example.org/{name}"\n'
    (folder / "rights.toml").write_text(f"{said}{licence}\n")
    return folder


def small_music(music: Path) -> Path:
    """Write three items: two that may be shared, one of them with artwork and a file of two pieces, and one of unknown licence."""
    put_item(music, "one", {"01 a.flac": track(1), "cover.png": picture()})
    put_item(music, "two", {"01 b.flac": track(2), "02 c.flac": track(3, 2.5, noise=True)}, 'licence = "CC-BY-SA-4.0"')
    put_item(music, "unknown", {"x.flac": track(4)}, 'licence = "LicenseRef-Nobody-Knows"')
    return music


def audio(name: str) -> ObjectId:
    """Return the id of an item's audio."""
    return ObjectId.of("audio", ItemKey(f"folder:{name}"))


def artwork(name: str) -> ObjectId:
    """Return the id of an item's artwork."""
    return ObjectId.of("artwork", ItemKey(f"folder:{name}"))


# Archives -----------------------------------------------------------------------------------------------------------


def make_archive(folder: Path, settings: Settings = SETTINGS) -> Path:
    """Make an empty archive whose secrets are known. Returns: its folder."""
    (folder / "private").mkdir(parents=True)
    (folder / "private" / "evidence-salt").write_bytes(SALT)
    Keyring(KeyFolder(folder / "keys", Unsynced()), counted_seeds()).make_missing()
    create_archive(folder, settings, Unsynced())
    return folder


def change_settings(folder: Path, settings: Settings) -> None:
    """Edit an archive's fonoteca.toml, as its operator would."""
    (folder / FILE_NAME).write_text(settings_toml(settings))


@contextmanager
def opened(
    folder: Path,
    calls: DurableCalls | None = None,
    before_commit: Callable[[], None] | None = None,
    clock: StoppedClock | None = None,
) -> Iterator[Archive]:
    """Open an archive for writing, with fresh objects, as `wiring.open_archive` does; its clock stands and workers are inline."""
    archive = Archive(folder, load_settings(folder), calls or Unsynced(), before_commit)
    archive.clock = clock or StoppedClock()
    archive.workers = Inline()
    try:
        archive.begin_writing()
        yield archive
    finally:
        archive.close()


def in_turn(archive: Archive, batch: int = 2, *, later: bool = False) -> AcquireRooms:
    """Return what acquiring needs, so many items made durable at once, and nothing beside anything else: always in one order."""
    return replace(acquire_rooms(archive, Quiet(), later=later), pace=Pace(objects_max=batch, beside=False))


def take(archive: Archive, source: Path, *, later: bool = False) -> list[Outcome]:
    """Acquire a folder. later: audio is not decoded."""
    return list(acquire(in_turn(archive, later=later), "folder", str(source)))


def hear(archive: Archive, budget: Budget = NO_LIMIT, batch: int = 2) -> list[Analysed | Unanalysed]:
    """Analyse what waits."""
    return list(analyse(replace(analyse_rooms(archive, Quiet()), pace=Pace(objects_max=batch, beside=False)), budget))


def put_out(archive: Archive) -> Published:
    """Publish."""
    return publish(publish_rooms(archive, Quiet()))


def check(archive: Archive) -> Audited:
    """Audit everything."""
    return audit(audit_rooms(archive, Quiet()))


def make_anew(archive: Archive) -> Rebuilt:
    """Rebuild the register from the store."""
    return rebuild(rebuild_rooms(archive, Quiet()))


@contextmanager
def seeding(folder: Path, choice: SwarmChoice | None = None) -> Iterator[tuple[Swarm, Seeding]]:
    """Seed an archive in place."""
    with ExitStack() as open_now:
        archive = Archive(folder, load_settings(folder))
        open_now.callback(archive.close)
        archive.clock = StoppedClock()
        swarm = open_now.enter_context(open_swarm(choice or SwarmChoice()))
        yield swarm, seed(seed_rooms(archive, swarm))


@contextmanager
def serving(archive: Archive) -> Iterator[str]:
    """Serve an archive's site on a free port of this machine. Gives: its address."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(serve_rooms(archive)), port=0, log_level="critical", lifespan="on", proxy_headers=False)
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


def copy_archive(source: Path, target: Path) -> Path:
    """Return a copy of an archive that nobody has open."""
    return shutil.copytree(source, target)


def killed(folder: Path) -> None:
    """Leave an archive as a killed process does, which gives no lock back in order."""
    (folder / ".lock").write_text('{"pid": 1, "command": "fonoteca"}')


# What is compared ---------------------------------------------------------------------------------------------------


def decisions(register: Register) -> list[Any]:
    """Return all decisions of a register, in an order that does not depend on when they were made."""
    return sorted(
        (*register.decisions("open", 1000), *register.decisions("settled", 1000)), key=lambda row: (row.subject, row.rule)
    )


def events(register: Register) -> list[Any]:
    """Return all events of a register, in order of what they say."""
    return sorted(register.events(10_000), key=repr)


def state_of(register: Register) -> dict[str, list[Any]]:
    """Return all that a register knows and that does not depend on how often anyone looked."""
    return {"rows": list(register.natural_rows()), "decisions": decisions(register), "events": events(register)}


def rebuilt_state(folder: Path, scratch: Path) -> dict[str, list[Any]]:
    """Return what a register knows that is made anew, beside, from the store of the archive in a folder."""
    archive = Archive(folder, load_settings(folder))
    archive.clock = StoppedClock()
    with Register.open(scratch / f"rebuilt-{folder.name}.sqlite") as register:
        archive.register = register
        try:
            rebuild(rebuild_rooms(archive, Quiet()))
            return state_of(register)
        finally:
            archive.close()


def bytes_of(folder: Path, *but: str) -> dict[str, bytes]:
    """Return every file below a folder, those whose path begins with one of `but` left aside."""
    paths = ((p.relative_to(folder).as_posix(), p) for p in sorted(folder.rglob("*")) if p.is_file())
    return {path: file.read_bytes() for path, file in paths if not path.startswith(but)}


def leftovers(folder: Path) -> list[str]:
    """Return what interrupted work left in an archive: temporary files and things in staging."""
    staging = folder / "staging"
    left = [f"staging/{p.name}" for p in staging.iterdir()] if staging.exists() else []
    return left + [p.relative_to(folder).as_posix() for p in folder.rglob(".fonoteca-tmp-*")]


def disk(folder: Path) -> tuple[tuple[str, bytes], ...]:
    """Return all that is on disk below a folder but the register's own files and what is in search indexes.

    Names that differ from run to run are made the same: of temporary files, and those that Tantivy throws dice for.
    """
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.name.startswith("register.sqlite"):
            continue
        if name.startswith(("search/", "staging/search-")):
            found.append((re.sub(r"[0-9a-f]{32}", "dice", name), b""))
        else:
            found.append((re.sub(r"tmp-\d+-\d+", "tmp", name), path.read_bytes() if path.is_file() else b""))
    return tuple(sorted(found))
