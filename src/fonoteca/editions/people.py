"""The files of an edition that are for people: `feed.xml` and `SHA256SUMS`. Both are made of the index alone, and signed for.

The feed is RSS 2.0 with one item a drop, the newest first: its torrent as the enclosure, which clients that read feeds fetch by
themselves, and its magnet link in the terms of ezRSS. The sums are coreutils' own, for `sha256sum -c` in a copy of `editions/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from fonoteca.editions.index import INDEX, Heading, Index, IndexEntry, TargetFile
from fonoteca.formats.metainfo import Announce, Metainfo, magnet
from fonoteca.formats.quantities import show_bytes, show_share

FEED = "feed.xml"
SUMS = "SHA256SUMS"
PEOPLE = (FEED, SUMS)

TORRENT_TYPE = "application/x-bittorrent"
_NAMESPACES = {"atom": "http://www.w3.org/2005/Atom", "torrent": "http://xmlns.ezrss.it/0.1/"}


@dataclass(frozen=True, slots=True)
class Announcement:
    """Where an edition is announced. address: of its folder, ending in `/`, "" where nobody said. announce: as in its torrents."""

    address: str = ""
    announce: Announce = field(default_factory=Announce)


def people_files(index: Index, content: bytes, announced: Announcement) -> dict[str, bytes]:
    """Return the files for people, by path. content: of index.json. The same arguments give the same bytes."""
    feed = feed_xml(index, announced)
    files = [file for entry in index.entries for file in entry.files]
    files += [TargetFile.of(INDEX, content), TargetFile.of(FEED, feed)]
    return {FEED: feed, SUMS: sums_text({file.path: file.sha256 for file in files})}


def sums_text(digests: Mapping[str, str]) -> bytes:
    """Return the lines of `sha256sum`, in order of path. digests: sha256 by a path that needs no escapes."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()


def magnet_of(heading: Heading, entry: IndexEntry, announce: Announce) -> str:
    """Return a drop's magnet link, with both infohashes, the archive's name, its trackers and web seeds."""
    named = Metainfo(heading.root_name, heading.piece_bytes, (), b"", entry.infohash_v1, entry.infohash_v2, announce)
    return magnet(named, announce)


def feed_xml(index: Index, announced: Announcement) -> bytes:
    """Return the feed. Without an address its links are relative: they hold wherever the edition is mirrored.

    Source: RSS 2.0 (rssboard.org); its best practices ask for `atom:link` with the feed's own address.
    """
    return "".join(f"{line}\n" for line in _lines(index, announced)).encode()


def _lines(index: Index, announced: Announcement) -> Iterator[str]:
    heading = index.heading
    spaces = " ".join(f"xmlns:{name}={quoteattr(uri)}" for name, uri in _NAMESPACES.items())
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<rss version="2.0" {spaces}>'
    yield "<channel>"
    yield _element("title", heading.archive)
    yield _element("link", announced.address or "./")
    yield _element("description", f"Edition {index.number} of {heading.archive}: torrents that anyone may keep, one item a drop.")
    if announced.address:
        yield f'<atom:link href={quoteattr(announced.address + FEED)} rel="self" type="application/rss+xml"/>'
    yield _element("lastBuildDate", format_datetime(index.published_at, usegmt=True))
    yield _element("generator", "fonoteca")
    for entry in reversed(index.entries):
        yield from _item(heading, entry, announced)
    yield "</channel>"
    yield "</rss>"


def _item(heading: Heading, entry: IndexEntry, announced: Announcement) -> Iterator[str]:
    address = quoteattr(announced.address + entry.torrent.path)
    yield "<item>"
    yield _element("title", f"{entry.kind}: {_said(entry)}")
    yield _element("link", announced.address + entry.torrent.path)
    yield _element("description", _description(entry))
    yield _element("category", entry.kind)
    yield f'<guid isPermaLink="false">urn:btmh:1220{entry.infohash_v2}</guid>'
    yield _element("pubDate", format_datetime(entry.created_at, usegmt=True))
    yield f'<enclosure url={address} length="{entry.torrent.file_bytes}" type="{TORRENT_TYPE}"/>'
    yield _element("torrent:contentLength", str(entry.drop_bytes))
    yield _element("torrent:infoHash", entry.infohash_v1)
    yield _element("torrent:magnetURI", magnet_of(heading, entry, announced.announce))
    yield "</item>"


def _said(entry: IndexEntry) -> str:
    """Return what a drop is, on a line."""
    files = "1 file" if entry.file_count == 1 else f"{entry.file_count:,} files"
    ranks = f", ranks {entry.ranks.first:,} to {entry.ranks.last:,}" if entry.ranks else ""
    return f"{files}, {show_bytes(entry.drop_bytes)}{ranks}"


def _description(entry: IndexEntry) -> str:
    """Return what a drop is and what it stands beside, in sentences."""
    sentences = [f"{entry.id}: {_said(entry)}."]
    if entry.coverage_share:
        sentences.append(f"It carries {show_share(entry.coverage_share)} of all listening.")
    if entry.needs:
        sentences.append(f"It needs {', '.join(entry.needs)}.")
    others = [each for each in (entry.supersedes, *entry.replaces) if each]
    if others:
        sentences.append(f"It replaces {', '.join(others)}.")
    return " ".join(sentences)


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"
