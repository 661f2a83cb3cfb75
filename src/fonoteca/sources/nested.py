"""Music inside a zip (also called pk3, pk4): games keep theirs so."""

from __future__ import annotations

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
_BROKEN = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)
"""What zipfile raises on damaged and encrypted archives and, as a RuntimeError, on methods of packing it does not know."""


def is_zip_name(name: str) -> bool:
    """Return whether a file is opened as a zip, by its name."""
    return name.rpartition(".")[2].lower() in ZIP_EXTENSIONS


def unzip(path: Path, prefix: bytes, spool: Spool) -> Iterator[SpooledFile | LeftOut]:
    """Yield the audio and artwork of a zip as spooled files, and what of it is not taken. Zips in zips are not opened.

    prefix: the path of the zip itself, below which its members appear. Damage ends the zip, not the package.
    """
    shown = received_text(prefix)
    try:
        with zipfile.ZipFile(path) as archive:
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
                if taken is not None:
                    yield taken
    except _BROKEN as error:
        yield LeftOut(shown, "damaged", f"is not a whole zip: {error}")


def _take(archive: zipfile.ZipFile, info: zipfile.ZipInfo, prefix: bytes, spool: Spool) -> SpooledFile | LeftOut | None:
    """Return one member, spooled, or why it is not taken; None where it is of no interest."""
    base = info.filename.rpartition("/")[2]
    role = role_of(base)
    if info.is_dir() or role is Role.LEGAL:
        return None
    if role is Role.UNKNOWN:
        if info.flag_bits & 1 or not _sniffs(archive, info):
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
