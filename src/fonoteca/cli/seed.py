"""`fonoteca seed`: give to others, for as long as it runs."""

from __future__ import annotations

from pathlib import Path

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.keeping import HealthOption, HostOption, PortOption, PrivateOption, keep_running, own_port
from fonoteca.wiring import SwarmChoice


@app.command("seed")
def seed_command(
    host: HostOption = "",
    port: PortOption = None,
    private: PrivateOption = False,
    health: HealthOption = "",
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Give every drop that may be shared to whoever asks, from the store in place, until interrupted.

    New drops and what may not be shared any more are looked for every hour (`swarm.refresh_minutes`), and at once at SIGHUP, which
    reads the settings anew. With `--json` each thing that happens is one line of JSON. SIGTERM and Ctrl-C end it with status 0.
    """
    keep_running(archive, SwarmChoice(host, own_port(archive, port), public=not private), health, as_json)
