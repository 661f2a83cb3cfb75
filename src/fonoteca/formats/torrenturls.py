"""Where a torrent says that peers and web seeds are: trackers (BEP 3, 12) and web seeds (BEP 19).

What is not one of the known kinds is refused: a `file:` URL is read by some clients and skipped by others.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from fonoteca.formats import bencode
from fonoteca.formats.torrentfiles import Dictionary, field_of
from fonoteca.formats.torrentrules import Findings, shown

URLS_MAX = 1000
URL_BYTES_MAX = 2000

_TRACKER_SCHEMES = frozenset({"http", "https", "udp", "ws", "wss"})
_SEED_SCHEMES = frozenset({"http", "https", "ftp"})
_PLAIN_SCHEMES = frozenset({"http", "ws"})


@dataclass(frozen=True, slots=True)
class Announce:
    """Where peers are found. trackers: announce URLs, each a tier of its own. web_seeds: BEP 19 base URLs.

    Outside the info dictionary: it changes neither infohash.
    """

    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()


def announce_of(found: Findings, top: Dictionary) -> Announce:
    """Return trackers, those of `announce-list` where there are any (BEP 12), and web seeds (BEP 19)."""
    trackers: list[str] = []
    tiers = field_of(found, "", top, b"announce-list", list) if b"announce-list" in top else []
    for tier in (tiers or [])[:URLS_MAX]:
        trackers += _urls(found, "announce-list", tier, _TRACKER_SCHEMES)
    if len(tiers or []) > URLS_MAX or len(trackers) > URLS_MAX:
        found.add("url.count", "announce-list", f"more than {URLS_MAX} trackers")
    first = field_of(found, "", top, b"announce", bytes) if b"announce" in top else None
    known = _urls(found, "announce", [first], _TRACKER_SCHEMES) if first and first.decode("latin-1") not in trackers else []
    seeds = top.get(b"url-list", [])
    web_seeds = _urls(found, "url-list", [seeds] if isinstance(seeds, bytes) else seeds, _SEED_SCHEMES)
    return Announce(tuple(trackers or known), tuple(web_seeds))


def _urls(found: Findings, place: str, values: bencode.Value, schemes: frozenset[str]) -> list[str]:
    """Return a list of URLs as text, empty ones and those that were noted left out."""
    if not isinstance(values, list):
        found.add("field.type", place, "expected a list of URLs")
        return []
    if len(values) > URLS_MAX:
        found.add("url.count", place, f"{len(values)} URLs, expected at most {URLS_MAX}")
        return []
    urls = []
    for value in values:
        if not isinstance(value, bytes):
            found.add("field.type", place, "expected a URL as a string")
        elif len(value) > URL_BYTES_MAX:
            found.add("url.count", place, f"a URL of {len(value)} bytes, expected at most {URL_BYTES_MAX}")
        elif value and _is_url(found, place, value, schemes):
            urls.append(value.decode())
    return urls


def _is_url(found: Findings, place: str, value: bytes, schemes: frozenset[str]) -> bool:
    """Return whether this is a URL of a known scheme; note why not, and what is unwise about it."""
    try:
        text = value.decode()
        parts = urlsplit(text)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        found.add("url.form", place, f"{shown(value)} is no URL")
        return False
    if parts.scheme not in schemes:
        found.add("url.scheme", place, f"{shown(value)}, expected one of {', '.join(sorted(schemes))}")
        return False
    if not host or not text.isprintable() or " " in host or parts.username is not None:
        found.add("url.form", place, f"{shown(value)} has no host, has a password, or is no plain text")
        return False
    if parts.scheme in _PLAIN_SCHEMES:
        code = "tracker.plain" if schemes is _TRACKER_SCHEMES else "webseed.plain"
        found.add(code, place, f"{shown(text)}: who listens on the way sees who takes what")
    if parts.scheme == "ftp":
        found.add("webseed.ftp", place, f"{shown(text)}: most clients no longer speak ftp")
    if _is_local(host):
        found.add("url.local", place, f"{shown(text)} leads into the network of whoever opens the torrent")
    return True


def _is_local(host: str) -> bool:
    """Return whether a host is, by its name alone, in the network of whoever asks."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan")) or "." not in host
