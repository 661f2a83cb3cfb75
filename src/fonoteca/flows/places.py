"""The places where wants are looked for, and whether what one offers is what is wanted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from fonoteca.model.corridor import Candidate, Want
from fonoteca.model.errors import UsageError
from fonoteca.model.rights import Kind
from fonoteca.sources import SOURCES, Finder, Found

_REMEDY = "See docs/sources.md, `acquire plan`."
_MADE = re.compile(r"_(?:64kb|128kb|vbr)$")
"""How names end that the Internet Archive gives to what it made of a file."""


@dataclass(frozen=True, slots=True)
class Place:
    """One of `sources.places`."""

    kind: str
    address: str

    @property
    def finder(self) -> Finder:
        """The kind that looks there."""
        found = SOURCES[self.kind]
        assert isinstance(found, Finder), "checked when the place was made"
        return found


@dataclass(frozen=True, slots=True)
class Asking:
    """What a dry run says: the first address that a want would have asked for, and the bytes that it should bring."""

    want: Want
    place: str
    url: str
    host: str


def places_of(texts: Sequence[str]) -> tuple[Place, ...]:
    """Return the places that settings name. Raises: UsageError for none, and for a kind that cannot look for a want."""
    if not texts:
        raise UsageError("sources.places", "is empty: there is nowhere to look", _REMEDY)
    found = []
    for text in texts:
        kind, _, address = text.partition(" ")
        if not isinstance(SOURCES.get(kind), Finder):
            known = ", ".join(name for name, source in SOURCES.items() if isinstance(source, Finder))
            raise UsageError(f"sources.places {text!r:.80}", f"{kind} cannot look for a want", f"Kinds that can: {known}.")
        found.append(Place(kind, address.strip()))
    return tuple(found)


def asked_for(wants: Iterable[Want], places: Sequence[Place]) -> Iterator[Asking]:
    """Yield what looking for wants would begin with, at the first place that may have each; nobody is asked."""
    for want in wants:
        for place in places:
            url = next(iter(place.finder.asks(want, place.address)), None)
            if url is not None:
                yield Asking(want, f"{place.kind} {place.address}", url, urlsplit(url).netloc)
                break


def has_want(want: Want, found: Found, candidates: Iterable[Candidate]) -> bool:
    """Return whether a want is among the music on offer: at its address, or by its title in a file's name, or as a whole item."""
    named = _plain(want.title)
    for candidate in candidates:
        if candidate.kind is not Kind.AUDIO:
            continue
        if not candidate.files and candidate.left_out:
            return True  # what its source set aside is what rights refuse
        if found.url:
            wanted = _stem(found.url)
            if any(file.elsewhere and _stem(file.elsewhere.url) == wanted for file in candidate.files):
                return True
        elif named and (any(named in _plain(file.logical_path) for file in candidate.files) or _is_lone(candidate, named)):
            return True
    return False


def _is_lone(candidate: Candidate, named: str) -> bool:
    return len(candidate.files) == 1 and _plain(candidate.title) == named


def _stem(url: str) -> str:
    """Return an address without the ending of its file, so that a file and what its host made of it are one."""
    parts = urlsplit(url)
    folder, _, name = unquote(parts.path).rpartition("/")
    return f"{folder}/{_MADE.sub('', name.rpartition('.')[0] or name)}?{parts.query}"


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if c.isalnum())
