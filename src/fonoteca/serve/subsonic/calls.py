"""One call of a player: who asks, what they say, and what they may browse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from fonoteca.audio import Rendition
from fonoteca.register import AlbumRow, SongRow
from fonoteca.serve.held import HeldFile
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.asking import Parameters
from fonoteca.serve.subsonic.ids import Ref, needed_ref
from fonoteca.serve.subsonic.library import Library
from fonoteca.serve.subsonic.listeners import Listener
from fonoteca.serve.subsonic.looking import Lookups
from fonoteca.serve.subsonic.own import Own

_T = TypeVar("_T")

COUNT_MAX = 500
"""Of one page, as the protocol has it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was let in. lookups: of the index. own: what is kept for who asks. now: when it came."""

    rooms: ServeRooms
    request: Request
    given: Parameters
    library: Library
    lookups: Lookups
    listener: Listener
    own: Own
    now: datetime

    def ref(self, kinds: str, name: str = "id") -> Ref:
        """Return what a parameter names. Raises: CallError where it is missing, or names nothing of these kinds."""
        return needed_ref(self.given.needed(name), kinds)

    def album(self, name: str = "id") -> AlbumRow:
        """Return the album that a parameter names. Raises: CallError."""
        return found(self.library.album(self.ref("al", name)), "album")

    def song(self, name: str = "id") -> SongRow:
        """Return the song that a parameter names. Raises: CallError."""
        return found(self.library.song(self.ref("tr", name)), "song")

    def owner(self) -> int:
        """Return the number of the account that asks. Raises: CallError for who has none, of whom nothing is kept."""
        if self.listener.number is None:
            raise CallError(Code.FORBIDDEN, "This needs an account.")
        return self.listener.number

    def count(self, name: str, default: int) -> int:
        """Return how many are asked for."""
        return self.given.number(name, default, 0, COUNT_MAX)


@dataclass(frozen=True, slots=True)
class Transcoded:
    """A file to be given out in another format, which is made while it is sent."""

    held: HeldFile
    rendition: Rendition


Handler = Callable[[Call], "Noun | Response | Transcoded"]


def found(noun: _T | None, what: str) -> _T:
    """Return what was looked for. Raises: CallError where it is not here."""
    if noun is None:
        raise CallError(Code.NOT_FOUND, f"There is no such {what} in this archive.")
    return noun
