"""`fonoteca follow URL` and `fonoteca seed`: be a mirror, and give to others."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.flows.follow import Followed, follow
from fonoteca.flows.seed import seed
from fonoteca.formats.quantities import show_bytes
from fonoteca.formats.settings import FILE_NAME
from fonoteca.model.settings import Settings
from fonoteca.wiring import (
    Founding,
    Mirroring,
    SwarmChoice,
    create_archive,
    edition_heading,
    follow_rooms,
    mirrors_at,
    open_archive,
    open_swarm,
    seed_rooms,
)

PeersOption = Annotated[
    list[str] | None,
    typer.Option("--peer", help="HOST:PORT of someone who has the bytes; may be given several times."),
]


@app.command("follow")
def follow_command(
    place: Annotated[str, typer.Argument(help="The edition: an http(s) URL, or an archive's folder.", metavar="URL")],
    peers: PeersOption = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Become a mirror of an archive: fetch its drops, prove every byte, and hold them.

    The folder is made into an archive if it is none. Run again to take what is new, or to carry on after an interruption.
    """
    progress = TerminalProgress(quiet=as_json)
    ensure_mirror(archive, place)
    found = [place] if "://" in place or (Path(place) / FILE_NAME).is_file() else []
    with (
        open_archive(archive, writing=True) as opened,
        mirrors_at([*found, *(peers or [])]) as whereabouts,
        open_swarm(SwarmChoice(public=not whereabouts.peers)) as swarm,
    ):
        followed = follow(follow_rooms(opened, Mirroring(place, swarm, whereabouts), progress))
    if as_json:
        print_json(followed_json(followed))
    else:
        say(f"edition {followed.number}: {len(followed.drops)} new drops, {show_bytes(followed.fetched_bytes)} fetched", "bold")
        say(f"{followed.verified_count} files proved; give them on with: fonoteca seed --archive {archive}", "green")


@app.command("seed")
def seed_command(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "0.0.0.0",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)] = 6881,
    private: Annotated[bool, typer.Option(help="Only serve peers that ask: no DHT, no local discovery.")] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Give every drop that may be shared to whoever asks, from the store in place, until interrupted."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with open_archive(archive) as opened, open_swarm(SwarmChoice(host, port, public=not private)) as swarm:
        seeding = seed(seed_rooms(opened, swarm))
        address = "{}:{}".format(*swarm.address)
        withheld = [{"drop": drop, "reason": reason} for drop, reason in seeding.withheld]
        if as_json:
            print_json({"address": address, "drops": list(seeding.drops), "withheld": withheld})
        else:
            say(f"seeding {len(seeding.drops)} drops on {address}; stop with Ctrl-C", "green")
            for each in withheld:
                say(f"not seeding {each['drop']}: {each['reason']}", "yellow")
        stop.wait()


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
