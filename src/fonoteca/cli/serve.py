"""`fonoteca serve`: the site, its files, its edition and its web seeds, over HTTP."""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, say
from fonoteca.collecting import collecting_seldom
from fonoteca.model.errors import UsageError
from fonoteca.wiring import Archive, open_archive

if TYPE_CHECKING:
    from starlette.types import ASGIApp

GRACE_S = 60
"""How long answers under way may take once the server is told to stop: less than the 90 s that systemd waits by default."""

STARTED_WITHIN_S = 120
"""How long a process may take to start, or say nothing, before it is started anew. Its libraries load for seconds."""

FILES_OPEN_MOST = 65_536
"""Each listener is a connection and an open file; of 1,024, which many systems let a process have, 500 would use all."""

OBJECTS_BETWEEN = 50_000
"""Python searches for cycles of dead objects after 700 new ones. A long list is many that live until it is told: a seventh of its
time, and nothing found."""

METERS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes of a server share what they count, as prometheus-client wants to be told."""


class LogFormat(StrEnum):
    """How lines of the log look."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Manner:
    """How an archive is served. log_format: None tells only of what goes wrong, without a line a request."""

    processes: int = 1
    log_format: LogFormat | None = None
    as_json: bool = False


@app.command("serve")
def serve_command(
    host: Annotated[str, typer.Option(help="The address to listen on. Default: as the settings say.")] = "",
    port: Annotated[int | None, typer.Option(help="The port to listen on. Default: as the settings say.", min=0, max=65535)] = None,
    processes: Annotated[int, typer.Option(help="How many processes answer: as many as cores use a machine.", min=1, max=256)] = 1,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="A line a request on stderr, as text or json. Default: only what goes wrong.")
    ] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Serve the site, the music that may be shared, and the edition, until interrupted."""
    manner = Manner(processes, log_format, as_json)
    with open_archive(archive) as opened:
        settings = opened.settings.server
        listener = listen(host or settings.host, settings.port if port is None else port)
        if processes == 1:
            serve(opened, listener, manner)
            return
        announce(opened, listener, as_json)
    serve_many(archive, listener, manner)


def serve(archive: Archive, listener: socket.socket, manner: Manner = Manner()) -> None:
    """Serve an archive on a socket that listens, after saying where, until SIGINT or SIGTERM. Answers under way end first."""
    # Imported here: FastAPI and what it brings double the time that every other command takes to start.
    import uvicorn

    from fonoteca.deskroom import desk_worked

    announce(archive, listener, manner.as_json)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service that is stopped ends as one that is interrupted
    try:
        with suppress(KeyboardInterrupt), collecting_seldom(OBJECTS_BETWEEN), desk_worked(archive) as errand:
            site = site_of(archive, errand.nudge)
            # uvicorn has ended in order by the time it raises the signal again
            uvicorn.Server(uvicorn.Config(site, **_said_to_uvicorn(manner))).run(sockets=[listener])
    finally:
        gc.unfreeze()  # what is never looked through is never let go of, and some libraries say so on stderr


def serve_many(folder: Path, listener: socket.socket, manner: Manner) -> None:
    """Serve the archive in a folder by several processes on one socket, until SIGINT or SIGTERM. One that dies is started anew."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    with TemporaryDirectory(prefix="fonoteca-meters-") as meters, listener:
        os.environ[METERS_VARIABLE] = meters
        told = _said_to_uvicorn(manner)
        config = uvicorn.Config(partial(site_in, folder.resolve()), factory=True, workers=manner.processes, **told)
        Multiprocess(config, [listener]).run()


def site_in(folder: Path) -> ASGIApp:
    """Return the site of the archive in a folder, which is open until this process ends."""
    from multiprocessing.util import Finalize

    from fonoteca.deskroom import desk_worked
    from fonoteca.serve.watching.meters import forget_dead_processes

    forget_dead_processes()
    opened = ExitStack()
    archive = opened.enter_context(open_archive(folder))
    opened.enter_context(collecting_seldom(OBJECTS_BETWEEN))
    errand = opened.enter_context(desk_worked(archive))
    Finalize(None, opened.close, exitpriority=1)
    return site_of(archive, errand.nudge)


def site_of(archive: Archive, nudge: Callable[[], object]) -> ASGIApp:
    """Return the site of an archive, for a process that does little else. nudge: hears of each decision of a curator."""
    from fonoteca.frontage import serve_rooms
    from fonoteca.serve import ZeroCopy, create_app

    let_many_in()
    site = ZeroCopy(create_app(serve_rooms(archive, nudge)))
    # What is loaded by now stays: looking through it again stopped every answer that makes many objects for 75 ms.
    gc.collect()
    gc.freeze()
    return site


def let_many_in() -> None:
    """Let this process have as many files and connections open as the system allows, FILES_OPEN_MOST at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_OPEN_MOST if hard == resource.RLIM_INFINITY else min(hard, FILES_OPEN_MOST)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def announce(archive: Archive, listener: socket.socket, as_json: bool) -> None:
    """Say where the site is, and where its first account is made, if there is none."""
    address = address_of(listener)
    token = archive.people.new_setup()
    setup = f"{address}setup?token={token}" if token else None
    if as_json:
        print_json({"title": archive.settings.title, "url": address, "setup": setup})
    else:
        say(f"{archive.settings.title} is on {address}  (stop with Ctrl-C)", "bold green")
    if setup and not as_json:
        say(f"nobody runs it yet: make the first account at {setup}  (works once, for a day)", "yellow")


def address_of(listener: socket.socket) -> str:
    """Return the address of the site on a socket that listens."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _said_to_uvicorn(manner: Manner) -> dict[str, Any]:
    from fonoteca.serve.patience import PatientProtocol
    from fonoteca.serve.watching.lines import logging_of

    return {
        "http": PatientProtocol,
        "loop": "asyncio",
        "log_config": logging_of(manner.log_format or ""),
        "log_level": None,
        "access_log": False,
        "timeout_worker_healthcheck": STARTED_WITHIN_S,
        "timeout_graceful_shutdown": GRACE_S,
        "proxy_headers": False,  # the site reads them itself, after it looked at who says so
    }


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, by IPv6 where the address is one. Raises: UsageError when address or port cannot be had.

    Its connections send at once (they inherit the option): asyncio sees to that only for sockets that were made with the protocol
    named. Else the body of every answer after the first waits for the head to be acknowledged, 40 ms.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        remedy = "Stop what listens there, or choose another with --port."
        raise UsageError(f"{host}:{port}", f"cannot listen: {error.strerror}", remedy) from error
