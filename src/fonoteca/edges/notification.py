"""Word to systemd of how a service is, as `sd_notify` sends it. Without systemd nobody is told."""

from __future__ import annotations

import os
import socket

_TIMEOUT_S = 1.0


def notify_systemd(**said: str) -> bool:
    """Send lines such as `READY=1` to whoever started this process. Returns: whether there is someone and he heard it.

    A service goes on all the same when he did not: systemd is told by its own time limits then.
    Source: sd_notify(3): a datagram to the address in NOTIFY_SOCKET; one that begins with `@` is an abstract name.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    lines = "\n".join(f"{name}={value}" for name, value in said.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.settimeout(_TIMEOUT_S)
            told.sendto(lines.encode(), "\0" + address[1:] if address.startswith("@") else address)
    except OSError:
        return False
    return True
