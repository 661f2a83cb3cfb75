"""What a fetch that was interrupted knows of the bytes that are here, so that the next run need not hash them again.

Kept in the folder that is fetched into, from time to time and when a fetch stops: which pieces were proved, and each file's
length and time of change. A file that has another length or time since, or is gone, is fetched again; the others are believed
without being read. That is as good as the file system: after a fetch that stopped in order all was put on the medium first; what
was kept on the way counts only while the machine has not started anew, for a power cut takes bytes and leaves names and times.
Whoever adopts what was fetched proves every file by its sha256 (`flows/follow.py`), and when one fails the next run reads all.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libtorrent as lt

from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_calls import SystemCalls
from fonoteca.edges.swarm_session import info_of, payload_files
from fonoteca.model.errors import StoreError

RESUME_FILE = ".fonoteca-resume"
FORMAT = "fonoteca-resume/1"
_CLEAN = "none"
"""In place of a run of the machine: what is kept holds in any."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the torrent with bytes. pieces: its own, first to before the last; pieces of a hybrid hold one file each."""

    path: str
    pieces: range


class Resume:
    """The memory of one fetch into a folder."""

    def __init__(self, params: lt.add_torrent_params, folder: Path, infohash: str) -> None:
        self._folder = folder
        self._infohash = infohash
        self._count = info_of(params).num_pieces()
        self._files = list(_files(params))
        # A piece that holds two files would be believed by one of them alone.
        self._aligned = sum(len(file.pieces) for file in self._files) == len({p for file in self._files for p in file.pieces})

    def recall(self, params: lt.add_torrent_params) -> bool:
        """Tell a torrent that is about to be added which pieces are here. Returns: whether anything is known; else it reads all."""
        kept = self._read() if self._aligned else None
        if kept is None:
            return False
        known = _bits(kept["pieces"], self._count)
        stamps: dict[str, list[int]] = kept["stamps"]
        have = [False] * self._count
        for file in self._files:
            if stamps.get(file.path) == self._stamp(file.path):
                for piece in file.pieces:
                    have[piece] = known[piece]
        params.have_pieces = have
        return True

    def keep(self, pieces: list[bool], *, clean: bool) -> None:
        """Keep that these pieces were proved and written before this call. clean: put all on the medium first.

        Raises: StoreError when the disk fails.
        """
        if not self._aligned:
            return
        stamps = {}
        for file in self._files:
            if any(pieces[piece] for piece in file.pieces):
                stamp = self._stamp(file.path)
                if stamp is not None:
                    stamps[file.path] = stamp
        if clean:
            self._synchronise()
        document = {
            "format": FORMAT,
            "infohash": self._infohash,
            "boot_id": _CLEAN if clean else _boot_id(),
            "pieces": _text(pieces),
            "stamps": stamps,
        }
        DiskBlobs(self._folder).write(RESUME_FILE, json.dumps(document, separators=(",", ":")).encode())

    def forget(self) -> None:
        """Remove what was kept: the fetch is over, or what it says is not to be believed."""
        DiskBlobs(self._folder).delete(RESUME_FILE)

    def _read(self) -> dict[str, Any] | None:
        """Return what was kept, None for nothing, for another torrent, and for what this run cannot rely on."""
        try:
            kept = json.loads(DiskBlobs(self._folder).read(RESUME_FILE))
            sound = (kept["format"], kept["infohash"]) == (FORMAT, self._infohash) and kept["boot_id"] in (_CLEAN, _boot_id())
            sound = sound and isinstance(kept["pieces"], str) and isinstance(kept["stamps"], dict)
        except (StoreError, ValueError, KeyError, TypeError):
            return None
        return kept if sound else None

    def _stamp(self, path: str) -> list[int] | None:
        with suppress(OSError):
            found = os.stat(self._folder / path)
            return [found.st_size, found.st_mtime_ns]
        return None

    def _synchronise(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            SystemCalls().sync_all(descriptor)
        except OSError as error:
            raise StoreError(str(self._folder), error.strerror or str(error), "Make room or mend the disk.") from error
        finally:
            os.close(descriptor)


def _files(params: lt.add_torrent_params) -> Iterator[_File]:
    """Yield the files with bytes, at the paths where this fetch has them: what is masked is nowhere."""
    layout = info_of(params).layout()
    piece_bytes = layout.piece_length()
    renamed = params.renamed_files
    for index, path, file_bytes in payload_files(params):
        if file_bytes:
            first = layout.file_offset(index) // piece_bytes
            last = (layout.file_offset(index) + file_bytes - 1) // piece_bytes
            yield _File(renamed.get(index, path), range(first, last + 1))


def _text(pieces: list[bool]) -> str:
    """Return bits as text, the first piece as the highest bit."""
    padded = [*pieces, *[False] * (-len(pieces) % 8)]
    content = bytes(sum(padded[i + bit] << (7 - bit) for bit in range(8)) for i in range(0, len(padded), 8))
    return base64.b64encode(content).decode()


def _bits(text: str, count: int) -> list[bool]:
    """Return the bits of a text, so many; those that it has not are False."""
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        content = b""
    bits = [bool(byte >> (7 - bit) & 1) for byte in content for bit in range(8)]
    return [*bits, *[False] * count][:count]


def _boot_id() -> str:
    """Return what names this run of the machine; where it has no name a new one each time, so that nothing is believed by it."""
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return secrets.token_hex(16)
