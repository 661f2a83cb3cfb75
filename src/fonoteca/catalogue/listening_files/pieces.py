"""A piece: one file, or one member of an archive, as a stream whose first bytes tell what it is."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, TextIO, cast

from fonoteca.catalogue.listening_files.plays import whole_number
from fonoteca.model.errors import SourceError

HEAD_BYTES = 2 << 20
"""What tells a file: the first line of JSON lines fits in, which may be of a megabyte."""
DOCUMENT_BYTES_MAX = 256 << 20
"""A JSON document is read whole: 800,000 scrobbles of Maloja's. Larger histories come as lines."""
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Piece:
    """A file on its way. subject: its path, for the one who imports. label: for what is kept, which may not name a person.

    head: its first bytes, HEAD_BYTES of them if there are so many. stream: begins with the head again.
    """

    subject: str
    label: str
    head: bytes
    stream: BinaryIO

    @property
    def text_head(self) -> str:
        """The head as text, without a byte order mark and without its last, broken line."""
        whole = len(self.head) < HEAD_BYTES
        lines = self.head.removeprefix(_BOM)
        return (lines if whole else lines[: lines.rfind(b"\n") + 1]).decode("utf-8", "replace")

    def document(self) -> Any:
        """Return the JSON that this is. Raises: SourceError with the place where it is none."""
        content = self.stream.read(DOCUMENT_BYTES_MAX + 1)
        if len(content) > DOCUMENT_BYTES_MAX:
            raise SourceError(self.subject, f"one JSON document of more than {DOCUMENT_BYTES_MAX >> 20} MiB", "Split it.")
        try:
            return json.loads(content.removeprefix(_BOM).decode("utf-8"), parse_int=whole_number)
        except UnicodeDecodeError as error:
            raise SourceError(f"{self.subject}: byte {error.start}", "not UTF-8", "Nothing was imported.") from error
        except json.JSONDecodeError as error:
            place = f"{self.subject}:{error.lineno}: column {error.colno}"
            raise SourceError(place, f"not JSON: {error.msg}", "Nothing was imported; fetch the file again.") from error
        except RecursionError:
            raise SourceError(self.subject, "the JSON is nested too deeply", "Nothing was imported.") from None

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """Give the lines of a text file; bytes that are no UTF-8 become lone surrogates, which spoil their row."""
        text = io.TextIOWrapper(self.stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield text
        finally:
            text.detach()


def piece_of(stream: BinaryIO, subject: str, label: str) -> Piece:
    """Return the piece that a stream begins."""
    head = b""
    while len(head) < HEAD_BYTES and (found := stream.read(HEAD_BYTES - len(head))):
        head += found
    return Piece(subject, label, head, cast(BinaryIO, io.BufferedReader(_Headed(head, stream), 1 << 20)))


class _Headed(io.RawIOBase):
    """A stream with what was already read of it put back."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = memoryview(head)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found: Any = self._head[: len(buffer)]
        if found:
            self._head = self._head[len(buffer) :]
        else:
            found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)
