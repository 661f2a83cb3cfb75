"""What `follow --keep` and `seed` share: a service in the foreground, told of in lines, its health on a port."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.output import say
from fonoteca.flows.keep import Taken, keep
from fonoteca.formats.quantities import show_bytes
from fonoteca.model.service import Health, Notice
from fonoteca.ports import TendedSwarm
from fonoteca.tending import answering, outside, tended
from fonoteca.wiring import SwarmChoice, load_settings

HealthOption = Annotated[
    str,
    typer.Option("--health", help="Say how it is, as JSON, at /health and /ready of this PORT or HOST:PORT.", metavar="PORT"),
]
HostOption = Annotated[str, typer.Option(help="The address to listen on for peers.", show_default="all of this machine")]
PortOption = Annotated[
    int | None,
    typer.Option(help="The port to listen on for peers; 0 takes a free one. Default: as the settings say.", min=0, max=65535),
]
PrivateOption = Annotated[bool, typer.Option(help="Only serve peers that ask: no DHT, no local discovery, nothing of the router.")]
_STYLES = {"trouble": "red", "withheld": "yellow", "seeding": "green", "listening": "green", "refreshed": "bold"}


def keep_running(
    folder: Path,
    choice: SwarmChoice,
    health: str,
    as_json: bool,
    take: Callable[[TendedSwarm], Taken] | None = None,
) -> None:
    """Run the service of an archive until it is told to stop. take: takes what is new from somebody else, with the swarm."""
    tell = _tell_machine if as_json else _tell_person
    with outside(tell) as (around, board), tended(folder, choice, take) as rooms:
        served = (
            answering(health, lambda: health_json(replace(board.health, swarm=rooms.swarm.now()))) if health else nullcontext(None)
        )
        with served as health_at:
            facts = {"address": _place(rooms.swarm.address)} | ({"health": _place(health_at)} if health_at else {})
            around.tell(Notice(around.clock.now(), "listening", tuple(facts.items())))
            keep(rooms, around, board)


def own_port(folder: Path, port: int | None) -> int:
    """Return the port to listen on: as it was given, or as the settings say."""
    return load_settings(folder).swarm.port if port is None else port


def health_json(health: Health) -> dict[str, Any]:
    """Return a service's health as `/health` shows it; times in UTC, null for what has not been yet."""
    swarm, trouble = health.swarm, health.trouble
    return {
        "live": True,
        "ready": health.ready,
        "stage": health.stage,
        "since": _shown(health.since),
        "edition": health.edition,
        "refreshed_at": _shown(health.refreshed_at),
        "due_at": _shown(health.due_at),
        "drops": {"seeding": health.seeded, "withheld": health.withheld, "bytes": health.seeded_bytes},
        "swarm": asdict(swarm) if swarm else None,
        "trouble": {"at": _shown(trouble.at), "code": trouble.code, "message": trouble.message} if trouble else None,
    }


def _tell_machine(notice: Notice) -> None:
    """Print a notice as one line of JSON."""
    line = json.dumps({"event": notice.what, "at": _shown(notice.at), **dict(notice.facts)}, ensure_ascii=False)
    sys.stdout.write(line.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
    sys.stdout.flush()


def _tell_person(notice: Notice) -> None:
    """Print a notice as one line of words."""
    facts = dict(notice.facts)
    lines = {
        "listening": "listening for peers on {address}; stop with Ctrl-C",
        "seeding": "giving out {drops} drops, {bytes}; {withheld} withheld",
        "withheld": "not seeding {drop}: {reason}",
        "refreshed": "edition {edition}: {new_drops} new drops, {bytes_fetched} fetched",
        "trouble": "trouble: {message}",
        "reloaded": "the settings were read anew",
        "interrupted": "interrupted; what is here is kept, and goes on next time",
        "status": "{peers} peers, {upload_bytes_per_s}/s out, {download_bytes_per_s}/s in",
        "stopping": "stopping",
    }
    if notice.what not in lines:
        return
    shown = {name: show_bytes(value) if "bytes" in name and isinstance(value, int) else value for name, value in facts.items()}
    say(lines[notice.what].format(**shown), _STYLES.get(notice.what, ""))
    sys.stdout.flush()


def _place(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _shown(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
