"""Files that a browser sends, written to disk as they come: multipart/form-data (RFC 7578), never whole in memory."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from anyio.to_thread import run_sync
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from fonoteca.formats.uploads import file_name
from fonoteca.model.errors import UsageError
from fonoteca.ports import Staging
from fonoteca.serve.problems import Problem

UPLOAD_TYPE = b"multipart/form-data"
FILES_MAX = 500
UPLOAD_BYTES_MAX = 32 << 30
"""Of one upload: some boxes of CDs as they are. What is larger is taken in by `fonoteca acquire folder`."""

FREE_BYTES_MIN = 1 << 30
"""That an upload leaves on the disk: an archive whose disk is full does nothing."""

LOOK_BYTES = 64 << 20
"""After so much more the disk is looked at again."""

_HEADERS_BYTES_MAX = 16_384
_PART = ".part"


async def receive(request: Request, uploads: Staging, folder: Path) -> list[str]:
    """Return the names of the files that came whole into an upload's folder; one that is cut off is not there.

    A file of a name that is there is replaced, so that an upload that broke off may be sent again. Raises: Problem for what is no
    upload, too much, or too much for the disk; UsageError for a name that is none; StoreError.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != UPLOAD_TYPE or not boundary:
        raise Problem(415, "Send the files as a form does, as multipart/form-data.", "usage")
    _check_room(folder, int(request.headers.get("content-length", "0") or "0"))
    parts = _Parts(uploads, folder)
    parser = MultipartParser(boundary, parts.callbacks, max_size=UPLOAD_BYTES_MAX)  # type: ignore[arg-type]
    came_bytes = looked_bytes = 0
    try:
        async for chunk in request.stream():
            came_bytes += len(chunk)
            if came_bytes - looked_bytes > LOOK_BYTES:
                looked_bytes = came_bytes
                _check_room(folder, 0)
            if came_bytes > UPLOAD_BYTES_MAX:
                raise _too_much()
            await run_sync(parser.write, chunk)
        await run_sync(parser.finalize)
        if parts.is_open:
            raise Problem(400, "The upload broke off in a file. Those before it are kept: send the others again.", "usage")
    except MultipartParseError as error:
        raise Problem(400, f"The upload could not be read: {error}.", "usage") from error
    finally:
        await run_sync(parts.close)
    return parts.names


def _check_room(folder: Path, announced: int) -> None:
    """Raise Problem, 413 or 507, where what is announced is more than may come, or than fits."""
    if announced > UPLOAD_BYTES_MAX:
        raise _too_much()
    free = shutil.disk_usage(folder).free
    if free < announced + FREE_BYTES_MIN:
        raise Problem(507, f"The upload has {announced:,} bytes, and the archive's disk {free:,} free. Nothing was kept.", "disk")


def _too_much() -> Problem:
    return Problem(413, f"An upload has at most {UPLOAD_BYTES_MAX >> 30} GiB. Use `fonoteca acquire folder`.", "usage")


class _Parts:
    """Takes the parts of a form as they are read. names: of files that are whole."""

    def __init__(self, uploads: Staging, folder: Path) -> None:
        self._uploads, self._folder = uploads, folder
        self.names: list[str] = []
        self._header, self._value, self._disposition = b"", b"", b""
        self._name = ""
        self._open: AbstractContextManager[BinaryIO] | None = None
        self._file: BinaryIO | None = None
        self.callbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_file,
            "on_part_data": self._on_content,
            "on_part_end": self._end,
        }

    @property
    def is_open(self) -> bool:
        """Whether a file has begun and not ended."""
        return self._open is not None

    def close(self) -> None:
        """Remove what did not come whole."""
        if self._open is not None:
            opened, self._open, self._file = self._open, None, None
            cut = EOFError("the upload broke off")
            opened.__exit__(EOFError, cut, None)

    def _begin(self) -> None:
        self._header, self._value, self._disposition, self._name = b"", b"", b"", ""

    def _on_header(self, content: bytes, start: int, end: int) -> None:
        self._header = self._bounded(self._header, content[start:end])

    def _on_value(self, content: bytes, start: int, end: int) -> None:
        self._value = self._bounded(self._value, content[start:end])

    def _bounded(self, known: bytes, more: bytes) -> bytes:
        if len(known) + len(more) > _HEADERS_BYTES_MAX:
            raise MultipartParseError("a part's headers are too long")
        return known + more

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _begin_file(self) -> None:
        _, options = parse_options_header(self._disposition)
        called = options.get(b"filename")
        if not called:
            return  # a field that is no file, or a place for a file that nobody chose
        self._name = file_name(called.decode("utf-8", "replace"))
        if len(self.names) >= FILES_MAX:
            raise UsageError("upload", f"more than {FILES_MAX} files", "Upload the others by themselves.")
        self._uploads.discard(self._folder / f".{self._name}{_PART}")  # of a process that was killed
        self._open = self._uploads.writer(self._folder / f".{self._name}{_PART}")
        self._file = self._open.__enter__()

    def _on_content(self, content: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(content[start:end])

    def _end(self) -> None:
        if self._open is None:
            return
        opened, self._open, self._file = self._open, None, None
        opened.__exit__(None, None, None)
        self._uploads.move(self._folder / f".{self._name}{_PART}", self._folder / self._name)
        self.names.append(self._name)
