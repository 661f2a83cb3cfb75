"""A small archive with real rooms, put together as the commands do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.follow import Followed, follow
from fonoteca.flows.publish import Published, publish
from fonoteca.model.settings import Settings
from fonoteca.wiring import (
    Archive,
    Founding,
    Mirroring,
    SwarmChoice,
    acquire_rooms,
    create_archive,
    edition_heading,
    follow_rooms,
    mirrors_at,
    open_archive,
    open_swarm,
    publish_rooms,
)

SAMPLE = resources.files("fonoteca") / "sample"
TRACK = SAMPLE / "battle-for-wesnoth" / "sad.ogg"
"""Its tag says that it comes under the GPL."""
PLAIN = SAMPLE / "warzone-2100-legacy" / "track6.opus"
"""Its tags say nothing of a licence."""


class Quiet:
    """Progress that nobody watches."""

    def task(self, label: str, total: int | None, unit: str = "") -> AbstractContextManager[Callable[[int], None]]:
        return nullcontext(lambda _count: None)

    def note(self, text: str) -> None: ...


def put_item(
    folder: Path, name: str, title: str = "A title", licence: str = "GPL-2.0-or-later", track: Traversable = TRACK
) -> Path:
    """Return a folder with one item of one track."""
    item = folder / name
    item.mkdir(parents=True, exist_ok=True)
    (item / track.name).write_bytes(track.read_bytes())
    (item / "rights.toml").write_text(f'id = "{name}"\ntitle = "{title}"\nartist = "Somebody"\nlicence = "{licence}"\n')
    return item


@contextmanager
def archive_in(folder: Path) -> Iterator[Archive]:
    """Give the archive in a folder, made if it is missing, to write in; work on files is done in this process."""
    if not (folder / "fonoteca.toml").is_file():
        create_archive(folder, Settings("wired", "Wired", workers=1))
    with open_archive(folder, writing=True) as archive:
        yield archive


def take(archive: Archive, item: Path) -> Acquired:
    """Return what became of an item that can be had."""
    (outcome,) = acquire(acquire_rooms(archive, Quiet()), "folder", str(item))
    assert isinstance(outcome, Acquired), outcome
    return outcome


def put_out(archive: Archive) -> Published:
    """Return what was published."""
    return publish(publish_rooms(archive, Quiet()))


def mirror(folder: Path, origin: Path | str) -> Followed:
    """Return what a mirror took from an archive's folder or an edition's address."""
    if not (folder / "fonoteca.toml").is_file():
        heading = edition_heading(str(origin))
        settings = Settings(heading.root_name, heading.archive, heading.piece_bytes, workers=1)
        create_archive(folder, settings, how=Founding(keys=False))
    with (
        open_archive(folder, writing=True) as archive,
        mirrors_at([str(origin)]) as whereabouts,
        open_swarm(SwarmChoice()) as swarm,
    ):
        return follow(follow_rooms(archive, Mirroring(str(origin), swarm, whereabouts), Quiet()))


def flip(path: Path) -> None:
    """Flip every bit of the byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
