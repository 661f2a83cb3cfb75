"""What a player asks before it asks for music."""

from __future__ import annotations

from collections.abc import Mapping

from fonoteca.serve.subsonic.answers import Noun
from fonoteca.serve.subsonic.calls import Call, Handler

EXTENSIONS = {"apiKeyAuthentication": [1], "formPost": [1], "indexBasedQueue": [1], "songLyrics": [1]}
"""Of OpenSubsonic, that are kept in full."""


def ping(call: Call) -> Noun:
    """Return that all is well."""
    return {}


def licence(call: Call) -> Noun:
    """Return that nobody has to pay."""
    return {"license": {"valid": True}}


def extensions(call: Call) -> Noun:
    """Return what is here beyond the protocol. Asked before signing in."""
    listed = [{"name": name, "versions": versions} for name, versions in sorted(EXTENSIONS.items())]
    return {"openSubsonicExtensions": listed}


def scan_status(call: Call) -> Noun:
    """Return that no scan runs, and how many songs there are: what comes in is there at once."""
    return {"scanStatus": {"scanning": False, "count": call.library.shelf.counts()[1]}}


HANDLERS: Mapping[str, Handler] = {
    "ping": ping,
    "getLicense": licence,
    "getOpenSubsonicExtensions": extensions,
    "getScanStatus": scan_status,
    "startScan": scan_status,
}
