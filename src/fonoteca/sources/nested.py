"""Music inside a zip (also called pk3, pk4): games keep theirs so."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from fonoteca.model.corridor import LeftOut
from fonoteca.model.errors import SourceError
from fonoteca.sources.paths import logical_path, received_text
from fonoteca.sources.roles import HEAD_BYTES, Role, role_of, starts_like_audio, unsupported_reason
from fonoteca.sources.spool import Spool, SpooledFile
from fonoteca.sources.steady import Stamp

ZIP_EXTENSIONS = frozenset({"zip", "pk3", "pk4"})
MEMBERS_MAX = 100_000
FILE_BYTES_MAX = 4 << 30
RATIO_MAX = 100
RATIO_FREE_BYTES = 16 << 20
"""A member that unpacks to more than this may not be more than RATIO_MAX times its packed size: sampled music is not."""
TOTAL_RATIO_MAX = 20
"""All members together may not be more than so many times the zip, beside RATIO_FREE_BYTES: they may share packed bytes."""
READ_BYTES_MAX = 12 << 20
"""One read. zipfile reads the list of members at once, and makes some 600 B of each 50 that it claims."""
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""How games pack. LZMA would take as much memory as a member asks for."""
_BROKEN = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, OSError),
    *(ValueError, IndexError, OverflowError, RuntimeError),
)
"""What zipfile raises on damaged and encrypted archives."""


def is_zip_name(name: str) -> bool:
    """Return whether a file is opened as a zip, by its name."""
    return name.rpartition(".")[2].lower() in ZIP_EXTENSIONS


def unzip(path: Path, prefix: bytes, spool: Spool) -> Iterator[SpooledFile | LeftOut]:
    """Yield the audio and artwork of a zip as spooled files, and what of it is not taken. Zips in zips are not opened.

    prefix: the path of the zip itself, below which its members appear. Damage ends the zip, not the package.
    """
    shown = received_text(prefix)
    left_bytes = RATIO_FREE_BYTES + TOTAL_RATIO_MAX * path.stat().st_size
    try:
        with _ShortReads(path) as stream, zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            if len(infos) > MEMBERS_MAX:
                yield LeftOut(shown, "limit", f"{len(infos)} files in one zip, expected at most {MEMBERS_MAX}")
                return
            for info in infos:
                try:
                    taken = _take(archive, info, prefix, spool)
                except SourceError as error:
                    taken = LeftOut(f"{shown}/{_shown_name(info)}", "limit", error.problem)
                except _BROKEN as error:
                    taken = LeftOut(f"{shown}/{_shown_name(info)}", "damaged", f"cannot be unpacked: {error}")
                if isinstance(taken, SpooledFile):
                    left_bytes -= taken.stamp.file_bytes
                    if left_bytes < 0:
                        taken.path.unlink()
                        yield LeftOut(shown, "limit", "unpacks to far more than its size: no music packs so well")
                        return
                if taken is not None:
                    yield taken
    except _BROKEN as error:
        yield LeftOut(shown, "damaged", f"is not a whole zip: {error}")


class _ShortReads(io.FileIO):
    """A zip that is never read in one go, which a list of members as long as the zip would ask for."""

    def read(self, size: int | None = -1) -> bytes:
        """Return so many bytes, fewer at the end. Raises: ValueError for more than READ_BYTES_MAX."""
        wanted = os.fstat(self.fileno()).st_size - self.tell() if size is None or size < 0 else size
        if wanted > READ_BYTES_MAX:
            raise ValueError(f"{wanted} bytes at once, expected at most {READ_BYTES_MAX}")
        return super().read(wanted) or b""


def _take(archive: zipfile.ZipFile, info: zipfile.ZipInfo, prefix: bytes, spool: Spool) -> SpooledFile | LeftOut | None:
    """Return one member, spooled, or why it is not taken; None where it is of no interest."""
    base = info.filename.rpartition("/")[2]
    role = role_of(base)
    if not base or role is Role.LEGAL:
        return None
    if role is Role.UNKNOWN:
        if info.flag_bits & 1 or info.compress_type not in METHODS or not _sniffs(archive, info):
            return None
        role = Role.AUDIO
    shown = f"{received_text(prefix)}/{_shown_name(info)}"
    path = logical_path(prefix + b"/" + _name_bytes(info)) if logical_path(_name_bytes(info)) else None
    if path is None or info.filename.startswith("/"):
        return LeftOut(shown, "name", "its path leads out of the zip")
    if role in (Role.UNSUPPORTED_MUSIC, Role.UNSUPPORTED_ARTWORK):
        return LeftOut(shown, "unsupported", unsupported_reason(base))
    if info.flag_bits & 1:
        return LeftOut(shown, "protected", "encrypted with a password")
    if info.compress_type not in METHODS:
        return LeftOut(shown, "unsupported", f"packed by method {info.compress_type}: expected stored or deflated")
    if info.file_size > RATIO_FREE_BYTES and info.file_size > RATIO_MAX * info.compress_size:
        return LeftOut(
            shown, "limit", f"{info.compress_size} bytes that claim to unpack to {info.file_size}: no music packs so well"
        )
    with archive.open(info) as stream:
        spooled = spool.put(stream, base, min(info.file_size, FILE_BYTES_MAX))
    return SpooledFile(spool, path, spooled, role, Stamp.of(spooled.stat()))


def _sniffs(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with archive.open(info) as stream:
        return starts_like_audio(stream.read(HEAD_BYTES))


def _name_bytes(info: zipfile.ZipInfo) -> bytes:
    """Return a member's name as UTF-8. zipfile has read it as UTF-8 where it is flagged so, else as code page 437."""
    return info.filename.encode("utf-8", "surrogateescape")


def _shown_name(info: zipfile.ZipInfo) -> str:
    return received_text(_name_bytes(info))
