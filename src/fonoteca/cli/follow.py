"""`fonoteca follow URL`: be a mirror, once or for as long as it runs."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.choosing import choice_json, print_choice, say_choice
from fonoteca.cli.keeping import HealthOption, HostOption, PortOption, PrivateOption, keep_running, own_port
from fonoteca.cli.output import TerminalProgress, print_json, say
from fonoteca.editions import FIRST_USE, Anchor
from fonoteca.flows.follow import Followed, FollowRooms, explain, follow
from fonoteca.flows.keep import Taken
from fonoteca.flows.seed import give_now
from fonoteca.flows.selecting import Appetite
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.instants import instant
from fonoteca.formats.quantities import parse_bytes, show_bytes
from fonoteca.formats.settings import FILE_NAME
from fonoteca.model.errors import UsageError
from fonoteca.model.settings import Settings
from fonoteca.neighbours import census_at
from fonoteca.ports import TendedSwarm
from fonoteca.stewardship import beside_rooms
from fonoteca.vault import read_root
from fonoteca.wiring import (
    Archive,
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
    seed_rooms,
)

PeersOption = Annotated[
    list[str] | None,
    typer.Option("--peer", help="HOST:PORT of someone who has the bytes; may be given several times."),
]


AsOfOption = Annotated[
    bool,
    typer.Option("--as-of", help="Take an expired edition, too, as when its origin is gone; never one older than seen."),
]
RootOption = Annotated[
    Path | None,
    typer.Option("--root", metavar="FILE", help="The root of trust to begin with: an N.root.json that you trust."),
]
RootSha256Option = Annotated[
    str, typer.Option("--root-sha256", metavar="HEX", help="The same by its digest, as the archive's operator tells it.")
]

SpaceOption = Annotated[
    str,
    typer.Option("--space", metavar="SIZE", help="How much to hold at most, as in 2TB; what is held counts. All, unless given."),
]
BesideOption = Annotated[bool, typer.Option("--beside", help="Follow this archive beside the one that is followed here already.")]
ExplainOption = Annotated[bool, typer.Option("--explain", help="Say which drops would be taken and why, and fetch none.")]


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
    space: SpaceOption = "",
    explaining: ExplainOption = False,
    as_of: AsOfOption = False,
    root: RootOption = None,
    root_sha256: RootSha256Option = "",
    beside: BesideOption = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Become a mirror of an archive: fetch its drops, prove every byte, and hold them.

    The folder is made into an archive if it is none. Run again to take what is new, or to carry on after an interruption.
    With `--space` it holds what fits: the catalogue and the search index first, then the drops that save most listening for their
    size, scarce ones before others. What is held stays. `--explain` says of each drop why it is taken or not, and fetches none.
    The first root of trust is the one that the edition has, unless you say which; later ones only follow from that.
    With `--beside` a mirror follows another archive, too: what both have is fetched and kept once, and each one's standing is kept
    apart. With `--keep` it goes on as a service: it gives out what is here, and looks for a new edition every hour
    (`swarm.refresh_minutes`), and at once at SIGHUP, which reads the settings anew. With `--json` each thing that happens is one
    line of JSON then. SIGTERM and Ctrl-C end it with status 0. `--host`, `--port`, `--private` and `--health` are for `--keep`.
    """
    progress = TerminalProgress(quiet=as_json)
    anchor = _anchor(root, root_sha256)
    if not beside:
        ensure_mirror(archive, place, anchor)
    found = [place] if "://" in place or (Path(place) / FILE_NAME).is_file() else []

    appetite = Appetite(parse_bytes(space) if space else None)

    def rooms_of(opened: Archive, swarm: TendedSwarm, whereabouts: Whereabouts) -> FollowRooms:
        counting = replace(appetite, seeds=census_at(place, swarm))
        rooms = follow_rooms(opened, Mirroring(place, swarm, whereabouts, anchor, as_of, counting), progress)
        if keeping:
            rooms = replace(rooms, give=partial(give_now, seed_rooms(opened, swarm)))
        return beside_rooms(opened, rooms) if beside else rooms

    def take_with(swarm: TendedSwarm) -> Followed:
        with open_archive(archive, writing=True) as opened, mirrors_at([*found, *(peers or [])]) as whereabouts:
            return follow(rooms_of(opened, swarm, whereabouts))

    def take(swarm: TendedSwarm) -> Taken:
        followed = take_with(swarm)
        return Taken(followed.number, len(followed.drops), followed.fetched_bytes, followed.withdrawn)

    if explaining:
        with open_archive(archive, writing=True) as opened, open_swarm(SwarmChoice(public=False)) as swarm:
            choice = explain(rooms_of(opened, swarm, Whereabouts()))
        print_json(choice_json(choice)) if as_json else print_choice(choice)
        return
    if keeping:
        keep_running(archive, SwarmChoice(host, own_port(archive, port), public=not private), health, as_json, take)
        return
    alone = any("://" not in each for each in [*found, *(peers or [])])
    with open_swarm(SwarmChoice(public=not alone), load_settings(archive).swarm) as swarm:
        followed = take_with(swarm)
    if as_json:
        print_json(followed_json(followed))
    else:
        _print_followed(followed, archive, appetite)


def _print_followed(followed: Followed, archive: Path, appetite: Appetite) -> None:
    """Print what was taken, what was refused, and what a person should know of it."""
    say(f"edition {followed.number}: {len(followed.drops)} new drops, {show_bytes(followed.fetched_bytes)} fetched", "bold")
    if appetite.space_bytes is not None:
        say_choice(followed.choice)
    say(f"{followed.verified_count} files proved; give them on with: fonoteca seed --archive {archive}", "green")
    if followed.withdrawn:
        say(f"{followed.withdrawn} new withdrawals are masked here; decide about them: fonoteca withdraw --list", "yellow")
    for object_id, found in followed.conflicts:
        say(f"refused {object_id}: it is here with other content, which stays ({found})", "red")
    _say_trust(followed)


def _say_trust(followed: Followed) -> None:
    """Print what a person should know of an edition's signatures."""
    if followed.expired:
        signed = f"{followed.signed_at:%Y-%m-%d %H:%M} UTC"
        say(f"as of {signed}, when it was last signed: it is expired, and may not be the newest", "yellow")
    if followed.first_use:
        say(f"its root was trusted on first use; compare with what its operator tells: sha256 {followed.root_sha256}", "yellow")


def _anchor(root: Path | None, sha256: str) -> Anchor:
    """Return how a mirror comes to its first root. Raises: UsageError for a digest that is none, and for two ways at once."""
    if root is not None and sha256:
        raise UsageError("--root and --root-sha256", "one of them", "Give the file, or its digest.")
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise UsageError(sha256, "not a sha256: 64 lower-case hexadecimal digits", "`fonoteca keys show` of the archive tells it.")
    return Anchor(None if root is None else read_root(root), sha256)


def ensure_mirror(folder: Path, place: str, anchor: Anchor = FIRST_USE) -> None:
    """Make the folder an archive of the same name, so that its torrents are the same, unless it is an archive already."""
    if not (folder / FILE_NAME).is_file():
        heading = edition_heading(place, anchor)
        settings = Settings(name=heading.root_name, title=heading.archive, piece_bytes=heading.piece_bytes)
        create_archive(folder, settings, how=Founding(keys=False))


def followed_json(followed: Followed) -> dict[str, Any]:
    """Return what was taken as `--json` shows it."""
    return {
        "edition": followed.number,
        "drops": list(followed.drops),
        "verified": followed.verified_count,
        "bytes_fetched": followed.fetched_bytes,
        "withdrawn": followed.withdrawn,
        "signed_at": instant(followed.signed_at),
        "expired": followed.expired,
        "root_sha256": followed.root_sha256,
        "root_on_first_use": followed.first_use,
        "choice": choice_json(followed.choice),
        "conflicts": [{"object": object_id, "found": found} for object_id, found in followed.conflicts],
    }
