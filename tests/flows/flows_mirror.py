"""Mirrors: an archive that has published twice, and ways to follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows_world import Quiet, make_archive, opened, picture, put_item, put_out, seeding, small_music, take, track

from fonoteca.cli.follow import ensure_mirror
from fonoteca.edges.swarm import LibtorrentSwarm, SwarmSettings
from fonoteca.flows.follow import Followed, follow
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.ports import DurableCalls, Swarm
from fonoteca.wiring import Mirroring, follow_rooms

PATIENCE = SwarmSettings(idle_timeout_s=3)


def publish_twice(folder: Path, between: Callable[[Path], object] = lambda _: None) -> Path:
    """Return an archive whose second edition has a new version of an item of the first. between: told when the first is out."""
    music = small_music(folder / "music")
    put_item(music, "three", {"z.flac": track(8, 4, noise=True), "cover.png": picture(3)}, 'licence = "CC-BY-NC-4.0"')
    made = make_archive(folder / "origin")
    with opened(made) as archive:
        take(archive, music)
        put_out(archive)
    between(made)
    put_item(music, "one", {"02 more.flac": track(20)})
    put_item(music, "four", {"a.flac": track(21)})
    with opened(made) as archive:
        take(archive, music)
        put_out(archive)
    return made


def follow_place(mirror: Path, place: Path | str, given: Given, calls: DurableCalls | None = None) -> Followed:
    """Return what a mirror takes from the edition at a place."""
    ensure_mirror(mirror, str(place))
    with opened(mirror, calls) as archive:
        return follow(follow_rooms(archive, Mirroring(str(place), given.swarm, given.whereabouts), Quiet()))


@dataclass(frozen=True)
class Given:
    """What a mirror takes part in swarms with, kept open by the tests of a module: libtorrent opens and closes in seconds."""

    swarm: Swarm
    whereabouts: Whereabouts


@contextmanager
def seeded(archive: Path) -> Iterator[Given]:
    """Seed an archive in place, and open a swarm for mirrors of it."""
    with seeding(archive) as (seed, _), LibtorrentSwarm(PATIENCE) as swarm:
        yield Given(swarm, Whereabouts((seed.address,)))
