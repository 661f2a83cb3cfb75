"""`fonoteca serve`: the site, its files, its edition and its web seeds, over HTTP."""

from __future__ import annotations

import gc
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, say
from fonoteca.model.errors import UsageError
from fonoteca.wiring import Archive, open_archive, serve_rooms

GRACE_S = 60
"""How long answers under way may take once the server is told to stop: less than the 90 s that systemd waits by default."""


@app.command("serve")
def serve_command(
    host: Annotated[str, typer.Option(help="The address to listen on. Default: as the settings say.")] = "",
    port: Annotated[int | None, typer.Option(help="The port to listen on. Default: as the settings say.", min=0, max=65535)] = None,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Serve the site, the music that may be shared, and the edition, until interrupted."""
    with open_archive(archive) as opened:
        settings = opened.settings.server
        serve(opened, listen(host or settings.host, settings.port if port is None else port), as_json)


def serve(archive: Archive, listener: socket.socket, as_json: bool = False) -> None:
    """Serve an archive on a socket that listens, after saying where, until SIGINT or SIGTERM. Answers under way end first."""
    # Imported here: FastAPI and what it brings double the time that every other command takes to start.
    import uvicorn

    from fonoteca.serve import create_app

    host, port = listener.getsockname()[:2]
    address = f"http://{host}:{port}/"
    if as_json:
        print_json({"title": archive.settings.title, "url": address})
    else:
        say(f"{archive.settings.title} is on {address}  (stop with Ctrl-C)", "bold green")
    site = create_app(serve_rooms(archive))
    # What is loaded by now stays: looking through it again stopped every answer that makes many objects for 75 ms.
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(site, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service that is stopped ends as one that is interrupted
    try:
        with suppress(KeyboardInterrupt):  # uvicorn has ended in order by then, and raises the signal again
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        gc.unfreeze()  # what is never looked through is never let go of, and some libraries say so on stderr


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises: UsageError when the address or port cannot be had."""
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        remedy = "Stop what listens there, or choose another with --port."
        raise UsageError(f"{host}:{port}", f"cannot listen: {error.strerror}", remedy) from error
