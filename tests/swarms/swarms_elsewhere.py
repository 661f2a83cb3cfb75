"""Another machine, as far as a process can be one. Run as `swarms_elsewhere.py ARCHIVE...`: rebuilds registers and publishes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from flows_world import Quiet

from fonoteca.flows.publish import publish
from fonoteca.flows.rebuild import rebuild
from fonoteca.wiring import open_archive, publish_rooms, rebuild_rooms

if __name__ == "__main__":
    os.umask(0o077)
    for folder in sys.argv[1:]:
        with open_archive(Path(folder), writing=True) as archive:
            rebuild(rebuild_rooms(archive, Quiet()))
            publish(publish_rooms(archive, Quiet()))
