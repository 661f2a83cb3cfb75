"""Lists of files with their rights, as the kind `http` reads them: tab-separated with a header, or JSON lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from fonoteca.model.errors import SourceError

ROWS_MAX = 1_000_000
LINKS_MAX = 50_000
COLUMNS = (
    "url",
    "licence",
    "title",
    "artist",
    "release",
    "item",
    "recording",
    "attribution",
    "source",
    "bytes",
    "sha256",
    "sha1",
    "md5",
)
_REMEDY = "See docs/sources.md for the columns of a list."


@dataclass(frozen=True, slots=True)
class Row:
    """One file of a list. raw: the line itself. digests: named as in COLUMNS."""

    url: str
    licence: str
    title: str
    artist: str
    release: str
    item: str
    recording: str
    attribution: str
    source: str
    stated: Mapping[str, Any]
    raw: bytes


def read_list(content: bytes, url: str) -> list[Row]:
    """Return the rows of a list. url: where it is, which relative addresses are below. Raises: SourceError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(url, f"is not UTF-8 text: byte {error.start}", _REMEDY) from error
    lines = _json_lines(text, url) if text.lstrip().startswith("{") else _tab_lines(text, url)
    rows = []
    for number, (stated, raw) in enumerate(lines, start=1):
        if number > ROWS_MAX:
            raise SourceError(url, f"has more than {ROWS_MAX:,} rows", "Split it.")
        rows.append(_row(stated, raw, url, number))
    return rows


def _row(stated: Mapping[str, Any], raw: str, url: str, number: int) -> Row:
    unknown = next((name for name in stated if name not in COLUMNS), None)
    if unknown is not None:
        raise SourceError(url, f"row {number}: unknown column {unknown!r:.60}", f"Known ones are {', '.join(COLUMNS)}.")
    said = {name: str(stated.get(name) or "").strip() for name in COLUMNS}
    address = urldefrag(urljoin(url, said["url"]))[0]
    if not said["url"] or urlsplit(address).scheme not in ("http", "https"):
        raise SourceError(url, f"row {number}: expected an http or https address in `url`", _REMEDY)
    named = ("licence", "title", "artist", "release", "item", "recording", "attribution", "source")
    return Row(url=address, stated=said, raw=raw.encode(), **{name: said[name] for name in named})


def _tab_lines(text: str, url: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return
    header = lines[0].split("\t")
    if "url" not in header:
        raise SourceError(url, f"is no list of files: its first line has no column `url`, but {lines[0]!r:.80}", _REMEDY)
    for line in lines[1:]:
        (values,) = csv.reader(io.StringIO(line), delimiter="\t", quoting=csv.QUOTE_NONE)
        if len(values) > len(header):
            raise SourceError(url, f"a row has {len(values)} columns, its header {len(header)}: {line!r:.80}", _REMEDY)
        yield dict(zip(header, values, strict=False)), line


def _json_lines(text: str, url: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            stated = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(url, f"line {number} is no JSON: {error!s:.80}", _REMEDY) from error
        if not isinstance(stated, dict):
            raise SourceError(url, f"line {number}: expected an object", _REMEDY)
        yield stated, line


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link."""
        if tag == "a" and len(self.found) < LINKS_MAX:
            self.found += [value for name, value in attrs if name == "href" and value]


class _Offers(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link, and of how much it says that a file is behind it."""
        said = dict(attrs)
        address = said.get("href") if tag in ("a", "link") else said.get("src") if tag in ("audio", "source") else None
        if not address or len(self.found) >= LINKS_MAX:
            return
        if "item" in (said.get("rel") or "").split():
            self.found.append((0, address))
        elif tag != "link":
            self.found.append((1 if tag != "a" or "download" in said else 2, address))


def offered_in(content: bytes) -> list[list[str]]:
    """Return what a page links to, as it is written there, in order: first what it says are its items (`rel=item`, as Signposting
    has it), then what it plays or gives to be saved, then the rest.
    """
    parser = _Offers()
    parser.feed(content.decode("utf-8", "replace"))
    parser.close()
    return [[link for rank, link in parser.found if rank == each] for each in range(3)]


def links_below(content: bytes, folder: str) -> list[str]:
    """Return the addresses directly below a folder that its index names, in order, each once: folders end in `/`.

    What leads elsewhere, up, or only sorts the same index another way is left out.
    """
    parser = _Links()
    parser.feed(content.decode("utf-8", "replace"))
    parser.close()
    found: dict[str, None] = {}
    for link in parser.found:
        try:
            address = urldefrag(urljoin(folder, link))[0]
        except ValueError:
            continue
        below = address.removeprefix(folder)
        if address.startswith(folder) and re.fullmatch(r"[^/?]+/?", below) and below not in (".", "..", "./", "../"):
            found.setdefault(address, None)
    return list(found)
