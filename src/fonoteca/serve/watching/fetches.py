"""What a route says of the request it answers, kept with the request until its answer has ended."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Scope

from fonoteca.register import FileRow
from fonoteca.serve.signing.who import SIGNED, Signed

FETCH, ASKER, NAMED = "fonoteca.fetch", "fonoteca.asker", "fonoteca.named"
"""Keys of an ASGI scope: what is fetched, who asks by a player's protocol, and what the call is named."""

CLIENT_LETTERS_MAX = 40

_FAMILY = re.compile(r"[A-Za-z][\w .+-]{0,60}")
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrom", "Chrome"), ("Safari/", "Safari"))
"""Of user agents that begin with Mozilla/, the first that is found, since each also names those after it."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A blob of the store that goes out. object, path, recording: as in `fonoteca.people.accesses.Access`."""

    object: str
    path: str
    file_bytes: int
    recording: str = ""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks by a player's protocol. account: its number, None for anyone. client: what the player calls itself."""

    account: int | None
    client: str


def fetch_of(row: FileRow) -> Fetch:
    """Return the fetch of a file of an object's head."""
    recording = row.stored.tags.recording_mbid if row.stored.tags else ""
    return Fetch(row.object_id, row.logical_path, row.file_bytes, recording)


def note_fetch(request: Request, fetch: Fetch) -> None:
    """Say that the answer to this request is a fetch."""
    request.scope[FETCH] = fetch


def note_asker(request: Request, asker: Asker, call: str) -> None:
    """Say who makes a player's call, and which."""
    request.scope[ASKER] = asker
    request.scope[NAMED] = f"/rest/{call}"


def account_of(scope: Scope) -> int | None:
    """Return the number of the account that asks, None for anyone."""
    asker = scope.get(ASKER)
    if isinstance(asker, Asker) and asker.account is not None:
        return asker.account
    found = scope.get(SIGNED)
    return found.account.number if isinstance(found, Signed) else None


def client_of(scope: Scope) -> str:
    """Return the name of the program that asks, without its version, "" where it does not say."""
    asker = scope.get(ASKER)
    if isinstance(asker, Asker) and asker.client:
        return _name(asker.client)
    agent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"), "")
    if agent.startswith("Mozilla/"):
        return next((family for mark, family in _BROWSERS if mark in agent), "Mozilla")
    return _name(agent.split("/", 1)[0])


def _name(text: str) -> str:
    match = _FAMILY.match(text.strip())
    return match[0].strip()[:CLIENT_LETTERS_MAX] if match else ""
