"""Members of a zip archive, as services hand out a person's own data; what inflates without measure is stopped.

Source of the limits: listenbrainz-server `background/listens_importer/zip_base.py` takes at most 500 members of 500 MB each.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from fonoteca.catalogue.desk import INFLATED_FREE_BYTES, INFLATED_RATIO_MAX, Desk
from fonoteca.model.errors import SourceError

MAGIC = b"PK\x03\x04"
EMPTY = b"PK\x05\x06"
_MEMBERS_MAX = 5_000
"""ListenBrainz's export has a file a month: 12 a year."""
_UNPACKED_BYTES_MAX = 8 << 30
_REMEDY = "Nothing was imported; fetch the archive again."
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
"""What zipfile raises for damaged, encrypted (RuntimeError) and oddly packed members."""


def zip_members(path: Path, desk: Desk) -> Iterator[tuple[str, BinaryIO]]:
    """Yield name and bytes of each file in a zip archive, in order of name. Raises: SourceError."""
    subject = str(path)
    with desk.progress.task(f"reading {path.name}", path.stat().st_size, "B") as advance:
        try:
            archive = zipfile.ZipFile(path)
        except _BROKEN as error:
            raise SourceError(subject, f"no sound zip archive: {error}", _REMEDY) from error
        with archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > _MEMBERS_MAX or sum(info.file_size for info in infos) > _UNPACKED_BYTES_MAX:
                what = f"{len(infos)} files of {sum(info.file_size for info in infos)} bytes"
                raise SourceError(subject, f"{what}: no person's own data", _REMEDY)
            for info in sorted(infos, key=lambda info: info.filename):
                with _opened(archive, info, subject) as member:
                    yield info.filename, cast(BinaryIO, io.BufferedReader(member, 1 << 20))
                advance(info.compress_size)


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo, subject: str) -> _Bounded:
    try:
        return _Bounded(archive.open(info), info.compress_size, f"{subject}: {info.filename}")
    except _BROKEN as error:
        raise SourceError(f"{subject}: {info.filename}", f"cannot be unpacked: {error}", _REMEDY) from error


class _Bounded(io.RawIOBase):
    """A member that may not grow beyond what deflate can do with it."""

    def __init__(self, member: Any, packed_bytes: int, subject: str) -> None:
        self._member = member
        self._subject = subject
        self._left = max(INFLATED_FREE_BYTES, INFLATED_RATIO_MAX * packed_bytes)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            found = self._member.read(len(buffer))
        except _BROKEN as error:
            raise SourceError(self._subject, f"cannot be unpacked: {error}", _REMEDY) from error
        self._left -= len(found)
        if self._left < 0:
            raise SourceError(self._subject, f"unpacks to more than {INFLATED_RATIO_MAX} times its size", _REMEDY)
        buffer[: len(found)] = found
        return len(found)
