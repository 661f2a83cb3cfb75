"""`fonoteca follow URL`: be a mirror, once or for as long as it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.keeping import HealthOption, HostOption, PortOption, PrivateOption, keep_running, own_port
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.flows.follow import Followed, follow
from fonoteca.flows.keep import Taken
from fonoteca.formats.quantities import show_bytes
from fonoteca.formats.settings import FILE_NAME
from fonoteca.model.settings import Settings
from fonoteca.ports import TendedSwarm
from fonoteca.wiring import (
    Founding,
    Mirroring,
    SwarmChoice,
    create_archive,
    edition_heading,
    follow_rooms,
    load_settings,
    mirrors_at,
    open_archive,
    open_swarm,
)

PeersOption = Annotated[
    list[str] | None,
    typer.Option("--peer", help="HOST:PORT of someone who has the bytes; may be given several times."),
]


@app.command("follow")
def follow_command(
    place: Annotated[str, typer.Argument(help="The edition: an http(s) URL, or an archive's folder.", metavar="URL")],
    peers: PeersOption = None,
    keeping: Annotated[
        bool, typer.Option("--keep", help="Go on: give out what is here, and take what is new, until stopped.")
    ] = False,
    host: HostOption = "",
    port: PortOption = None,
    private: PrivateOption = False,
    health: HealthOption = "",
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Become a mirror of an archive: fetch its drops, prove every byte, and hold them.

    The folder is made into an archive if it is none. Run again to take what is new, or to carry on after an interruption.
    With `--keep` it goes on as a service: it gives out what is here, and looks for a new edition every hour
    (`swarm.refresh_minutes`), and at once at SIGHUP, which reads the settings anew. With `--json` each thing that happens is one
    line of JSON then. SIGTERM and Ctrl-C end it with status 0. `--host`, `--port`, `--private` and `--health` are for `--keep`.
    """
    progress = TerminalProgress(quiet=as_json)
    ensure_mirror(archive, place)
    found = [place] if "://" in place or (Path(place) / FILE_NAME).is_file() else []

    def take_with(swarm: TendedSwarm) -> Followed:
        with open_archive(archive, writing=True) as opened, mirrors_at([*found, *(peers or [])]) as whereabouts:
            return follow(follow_rooms(opened, Mirroring(place, swarm, whereabouts), progress))

    def take(swarm: TendedSwarm) -> Taken:
        followed = take_with(swarm)
        return Taken(followed.number, len(followed.drops), followed.fetched_bytes)

    if keeping:
        keep_running(archive, SwarmChoice(host, own_port(archive, port), public=not private), health, as_json, take)
        return
    alone = any("://" not in each for each in [*found, *(peers or [])])
    with open_swarm(SwarmChoice(public=not alone), load_settings(archive).swarm) as swarm:
        followed = take_with(swarm)
    if as_json:
        print_json(followed_json(followed))
    else:
        say(f"edition {followed.number}: {len(followed.drops)} new drops, {show_bytes(followed.fetched_bytes)} fetched", "bold")
        say(f"{followed.verified_count} files proved; give them on with: fonoteca seed --archive {archive}", "green")


def ensure_mirror(folder: Path, place: str) -> None:
    """Make the folder an archive of the same name, so that its torrents are the same, unless it is an archive already."""
    if not (folder / FILE_NAME).is_file():
        heading = edition_heading(place)
        settings = Settings(name=heading.root_name, title=heading.archive, piece_bytes=heading.piece_bytes)
        create_archive(folder, settings, how=Founding(keys=False))


def followed_json(followed: Followed) -> dict[str, Any]:
    """Return what was taken as `--json` shows it."""
    return {
        "edition": followed.number,
        "drops": list(followed.drops),
        "verified": followed.verified_count,
        "bytes_fetched": followed.fetched_bytes,
    }
