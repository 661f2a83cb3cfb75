"""Discogs' XML as a stream of items: one element a release (master, artist, label), with the line where it begins.

A dump is one root element of millions of items, 10 GB and more packed, so nothing but the item at hand is kept. The parser is
expat, bare: it can refuse a DOCTYPE, and with it every entity of a file's own making, and it says bytes and lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from fonoteca.model.errors import SourceError, UsageError

CHUNK_BYTES = 1 << 18
ITEM_BYTES_MAX = 16 << 20
"""The longest releases known, boxes of some hundred discs, have about 1 MB. As elements this much takes 250 MB at worst."""
DEPTH_MAX = 32
"""Items of a dump nest 7 deep."""

_AGAIN = "Nothing was imported; fetch the file again, or take another month's (some dumps were published broken)."


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a dump. line: where it begins, from 1."""

    line: int
    element: Element


class _Parser:
    """Turns chunks of one file into items."""

    def __init__(self, subject: str, unwanted: frozenset[str]) -> None:
        self.found: list[Item] = []
        self.root = ""
        self._subject = subject
        self._unwanted = unwanted
        self._depth = 0
        self._skipped_depth = 0
        self._line = 0
        self._item = TreeBuilder()
        self._fed_bytes = 0
        self._found_at_byte = 0
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.StartDoctypeDeclHandler = self._doctype

    def feed(self, chunk: bytes) -> None:
        """Read on; b"" is the end. Raises: SourceError with byte and line."""
        try:
            self._expat.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            place = f"{self._subject}: byte {self._expat.ErrorByteIndex}, line {error.lineno}"
            raise SourceError(place, f"is not sound XML: {expat.ErrorString(error.code)}", _AGAIN) from error
        self._fed_bytes += len(chunk)
        if self.found:
            self._found_at_byte = self._fed_bytes
        elif self._fed_bytes - self._found_at_byte > ITEM_BYTES_MAX:
            raise self._broken(f"no item ends in {ITEM_BYTES_MAX} bytes")

    def _broken(self, problem: str) -> SourceError:
        return SourceError(
            f"{self._subject}: byte {self._expat.CurrentByteIndex}, line {self._expat.CurrentLineNumber}", problem, _AGAIN
        )

    def _doctype(self, *_declaration: object) -> None:
        raise self._broken("has a DOCTYPE, which no dump has and which may hold entities that grow without bound")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth = depth = self._depth + 1
        if self._skipped_depth:
            return
        if depth > 2:
            if tag in self._unwanted:
                self._skipped_depth = depth
                self._expat.CharacterDataHandler = None
                return
            if depth > DEPTH_MAX:
                raise self._broken(f"elements nest more than {DEPTH_MAX} deep")
            self._item.start(tag, attributes)
        elif depth == 2:
            self._line = self._expat.CurrentLineNumber
            self._item = TreeBuilder()
            self._item.start(tag, attributes)
            self._expat.CharacterDataHandler = self._item.data
        else:
            self.root = tag

    def _end(self, tag: str) -> None:
        depth = self._depth
        self._depth = depth - 1
        if self._skipped_depth:
            if depth == self._skipped_depth:
                self._skipped_depth = 0
                self._expat.CharacterDataHandler = self._item.data
            return
        if depth > 1:
            self._item.end(tag)
            if depth == 2:
                self._expat.CharacterDataHandler = None
                self.found.append(Item(self._line, self._item.close()))


def items(stream: BinaryIO, subject: str, unwanted: frozenset[str]) -> Iterator[Item]:
    """Yield the items below the root, without their elements of unwanted names. Memory: one chunk and the items in it.

    Raises: SourceError for XML that is broken, cut off, or built to exhaust.
    """
    parser = _Parser(subject, unwanted)
    while True:
        chunk = stream.read(CHUNK_BYTES)
        parser.feed(chunk)
        yield from parser.found
        parser.found.clear()
        if not chunk:
            return


def root_of(head: bytes, subject: str) -> str:
    """Return the name of the root element. head: the first bytes of a file. Raises: UsageError for what is no XML, SourceError."""
    parser = _Parser(subject, frozenset())
    try:
        if head:
            parser.feed(head)
    except SourceError as error:
        if not parser.root:
            remedy = "Name Discogs' dumps: discogs_YYYYMMDD_releases.xml.gz and its siblings."
            raise UsageError(error.subject, error.problem, remedy) from error
    return parser.root
