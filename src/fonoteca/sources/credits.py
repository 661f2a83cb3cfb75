"""Titles, artists and credit lines, as far as the tags of an item's files agree."""

from __future__ import annotations

from collections.abc import Iterable

from fonoteca.model.audio import Tags

_CREDIT_CHARS_MAX = 300
"""A longer tag is not a name; it is cut, so that one file cannot fill every page with its credit."""
VARIOUS = "Various artists"


def uniform_album(tags: Iterable[Tags]) -> str:
    """Return the album that all tagged files name, "" where they differ or say nothing."""
    return _uniform(t.album for t in tags)


def uniform_artist(tags: Iterable[Tags]) -> str:
    """Return the artist of all tagged files, else their album artist, else `Various artists`; "" where none is named."""
    known = list(tags)
    artists = {t.artist.strip() for t in known if t.artist.strip()}
    return _uniform(t.artist for t in known) or _uniform(t.album_artist for t in known) or (VARIOUS if artists else "")


def credit_line(tags: Tags) -> str:
    """Return whom a file itself asks to credit: its copyright line, else its artist, else ""."""
    text = tags.copyright or tags.artist or tags.album_artist
    return " ".join(text.split())[:_CREDIT_CHARS_MAX]


def joined(credit_lines: Iterable[str]) -> str:
    """Return credit lines as one, each once, in order of appearance."""
    return "; ".join(dict.fromkeys(line for line in credit_lines if line))


def _uniform(texts: Iterable[str]) -> str:
    known = {" ".join(text.split()) for text in texts if text.strip()}
    return known.pop() if len(known) == 1 else ""
