"""What a person asks for on the search page: words, and what narrows them down, which the search itself reads as words too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlencode

from fonoteca.search import LICENCES, HitKind

WORDS_CHARACTERS_MAX = 200
"""Longer than any title and artist together that people type."""

KIND_NAMES: Mapping[str, str] = {"track": "Tracks", "artist": "Artists", "release": "Releases"}
LICENCE_NAMES: Mapping[str, str] = {
    "cc0": "CC0",
    "pdm": "Public domain",
    "by": "CC BY",
    "by-sa": "CC BY-SA",
    "by-nd": "CC BY-ND",
    "by-nc": "CC BY-NC",
    "by-nc-sa": "CC BY-NC-SA",
    "by-nc-nd": "CC BY-NC-ND",
    "other": "Another licence",
    "any": "Any licence that is known",
}
HELD_NAMES: Mapping[str, str] = {"yes": "Held here", "no": "Known, not held"}
DECADES = tuple(str(year) for year in range(2020, 1889, -10))
_QUOTES = str.maketrans(dict.fromkeys('"\u201c\u201d\u201e\u00ab\u00bb', " "))


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A search as its form and its address say it; "" for what was not said. held: yes or no. decade: its first year."""

    q: str = ""
    kind: str = ""
    held: str = ""
    licence: str = ""
    decade: str = ""
    artist: str = ""

    @property
    def text(self) -> str:
        """What search is asked. The words come last: the last of them may only have begun."""
        parts = [f"{name}:{value}" for name in ("kind", "held", "licence") if (value := getattr(self, name))]
        if self.decade:
            parts.append(f"year:{self.decade}..{int(self.decade) + 9}")
        if artist := " ".join(self.artist.translate(_QUOTES).split()):
            named = "title" if self.kind == HitKind.ARTIST else "artist"  # an artist's own title is the name
            parts.append(f'{named}:"{artist}"')
        return " ".join([*parts, self.q] if self.q else parts)

    @property
    def narrow(self) -> list[tuple[str, str, str]]:
        """What narrows the words down: for each its name, what it says to a person, and the address without it."""
        said = {
            "kind": KIND_NAMES.get(self.kind, ""),
            "held": HELD_NAMES.get(self.held, ""),
            "licence": LICENCE_NAMES.get(self.licence, ""),
            "decade": f"{self.decade}s" if self.decade else "",
            "artist": self.artist,
        }
        return [(name, words, self.url(**{name: ""})) for name, words in said.items() if words]

    def url(self, **changed: str) -> str:
        """Return the address of this search with some of it changed, or of its next page: `after`."""
        asked = {each.name: getattr(self, each.name) for each in fields(self)} | changed
        return f"/search?{urlencode({name: value for name, value in asked.items() if value})}"


def read_narrowed(asked: Mapping[str, str]) -> Narrowed:
    """Return what an address asks for. What it cannot mean is left out."""
    known = {"kind": {str(kind) for kind in HitKind}, "held": HELD_NAMES, "licence": {*LICENCES[1:], "any"}, "decade": DECADES}
    chosen = {name: value for name, among in known.items() if (value := asked.get(name, "").strip()) in among}
    return Narrowed(q=asked.get("q", "").strip(), artist=asked.get("artist", "").strip(), **chosen)
