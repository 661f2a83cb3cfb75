"""How we sign in at hosts that know us: `keys/sources.netrc` in the archive's folder, which nothing but requests ever shows.

A line says `machine HOST[:PORT] login NAME password WORD`. What is below `/rest/` is signed as Subsonic has it (a salted token, so
that the word itself is never sent), the rest by HTTP Basic, and that over https or in our own networks alone.
"""

from __future__ import annotations

import hashlib
import netrc
import secrets
from base64 import b64encode
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import SplitResult, urlencode

from fonoteca.model.errors import UsageError

SUBSONIC_PATH = "/rest/"
_CLIENT = {"v": "1.16.1", "c": "fonoteca", "f": "json"}


class Logins:
    """The logins of a file, read when a request needs to know. path: None for no login at all."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @cached_property
    def _known(self) -> Mapping[str, tuple[str, str]]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            if self._path.stat().st_mode & 0o077:
                raise UsageError(self._path.name, "may be read by others", f"chmod 600 {self._path}")
            found = netrc.netrc(self._path).hosts
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as error:
            problem = f"cannot be read: {error}"
            raise UsageError(self._path.name, problem, "A line says `machine HOST login NAME password WORD`.") from error
        return {host.lower(): (each[0], each[2]) for host, each in found.items()}

    def signed(self, parts: SplitResult) -> tuple[str, Mapping[str, str]]:
        """Return what is asked for at a host, and the headers that go with it."""
        path, query = parts.path or "/", parts.query
        login = self._known.get(parts.netloc.lower()) or self._known.get((parts.hostname or "").lower())
        headers: dict[str, str] = {}
        if SUBSONIC_PATH in path:
            query = "&".join(filter(None, (query, urlencode({**_CLIENT, **(_token(*login) if login else {})}))))
        elif login and parts.scheme == "https":
            headers["Authorization"] = "Basic " + b64encode(":".join(login).encode()).decode()
        return path + (f"?{query}" if query else ""), headers


def _token(name: str, word: str) -> Mapping[str, str]:
    """Return a name and a token that proves its word, another one each time; `apikey` is no name, and its word is the key."""
    if name == "apikey":
        return {"apiKey": word}
    salt = secrets.token_hex(8)
    return {"u": name, "t": hashlib.md5((word + salt).encode(), usedforsecurity=False).hexdigest(), "s": salt}


NO_LOGINS = Logins(None)
