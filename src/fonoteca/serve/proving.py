"""Bytes that are proved before they leave: each piece against its hash, so that damage on a disk is never sent.

Rules of order:
  1. a file whose length and time are as the last audit saw them, or as this process did when it read the whole, is opened at once;
  2. any other is read whole first, up to WHOLE_BYTES_MAX, and refused when its digest is not the recorded one; not where as many
     as WHOLE_AT_ONCE are being read: its pieces prove it then, and others who ask for other things find a thread that is free;
  3. every piece is held against its hash as it is read: disks rot without changing a time. Only a file that this process proved
     whole within PROVED_FOR, and that nobody wrote to since, is opened as it is: the kernel may send that by itself;
  4. what is found damaged is read once more, whole, and then told to the register: no request gets it any more, and an audit
     reads such files first, and tells the event log.
"""

from __future__ import annotations

import io
import logging
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock, Semaphore
from typing import BinaryIO, cast

from fonoteca.formats.merkle import piece_hash
from fonoteca.model.corridor import DamageKind
from fonoteca.model.errors import BlobMissing, FixityError, FonotecaError
from fonoteca.model.fixity import Stamp
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import Sha256
from fonoteca.ports import Blobs, Clock
from fonoteca.register import Register

log = logging.getLogger("fonoteca.serve")

WHOLE_BYTES_MAX = 256 << 20
"""A longer file that no audit has seen is proved by its pieces alone: who listens first would wait for seconds."""

WHOLE_AT_ONCE = 8
"""Of the forty threads that answer. Whoever asks for a byte of each of many files would take all of them."""

REMEMBERED_MAX = 100_000
"""Files of which a process knows that it read them whole: some 20 MB."""

PROVED_FOR = timedelta(minutes=10)
"""How long a file counts as proved. What a disk does to it within that time is found by the next listener after it."""

_READ_BYTES = 1 << 20
_REMEDY = "Its copy here is damaged. It will be healed from a mirror by `fonoteca repair`."


@dataclass(frozen=True, slots=True)
class Mark:
    """A file on a disk as it is open: its place there, and what changes whenever somebody writes to it."""

    device: int
    inode: int
    file_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, source: BinaryIO) -> Mark | None:
        """Return the mark of what is open, None where that is no file."""
        try:
            found = os.fstat(source.fileno())
        except OSError:
            return None
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Remembered:
    """Which files this process has read whole and found sound, and the length and time that they had. whole: turns to read one."""

    def __init__(self) -> None:
        self._stamps: OrderedDict[str, Stamp] = OrderedDict()
        self._proofs: OrderedDict[str, tuple[Mark, datetime]] = OrderedDict()
        self._turn = Lock()
        self.whole = Semaphore(WHOLE_AT_ONCE)

    def knows(self, key: str, stamp: Stamp) -> bool:
        """Whether a file with this length and time was found sound."""
        with self._turn:
            return self._stamps.get(key) == stamp

    def add(self, key: str, stamp: Stamp) -> None:
        """Remember a sound file, in place of the one that was added first when there are too many."""
        with self._turn:
            self._stamps[key] = stamp
            if len(self._stamps) > REMEMBERED_MAX:
                self._stamps.popitem(last=False)

    def is_proved(self, key: str, mark: Mark | None, now: datetime) -> bool:
        """Whether all of an open file was proved lately, and nobody wrote to it since."""
        with self._turn:
            known = self._proofs.get(key)
        return known is not None and known[0] == mark and timedelta(0) <= now - known[1] < PROVED_FOR

    def prove(self, key: str, mark: Mark | None, now: datetime) -> None:
        """Remember that all of an open file was proved; nothing where that is no file."""
        if mark is not None:
            with self._turn:
                self._proofs[key] = (mark, now)
                if len(self._proofs) > REMEMBERED_MAX:
                    self._proofs.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Proving:
    """Opens one file of the store. hashes: None where its pieces are not known, and the digest alone proves it."""

    blobs: Blobs
    register: Register
    clock: Clock
    remembered: Remembered
    sha256: Sha256
    file_bytes: int
    hashes: FileHashes | None = None

    def open(self, key: str) -> BinaryIO:
        """Return the file as a seekable stream that raises FixityError in place of damaged bytes.

        Raises: FixityError when it is damaged, BlobMissing when it is gone, each told to the register; StoreError.
        """
        stamp = self.blobs.stamp(key)
        if stamp is None:
            self.tell(key, DamageKind.MISSING, None)
            raise BlobMissing(key, "in the register, and not in the store", _REMEDY)
        if stamp[0] != self.file_bytes:
            self.tell(key, DamageKind.LENGTH, stamp)
            raise FixityError(key, f"expected {self.file_bytes} bytes, found {stamp[0]}", _REMEDY)
        if not self.remembered.knows(key, stamp) and self._is_sound(key, stamp):
            self.remembered.add(key, stamp)
        source = self.blobs.open(key)
        if self.hashes is None or self.remembered.is_proved(key, Mark.of(source), self.clock.now()):
            return source
        return cast(BinaryIO, ProvenStream(source, key, self))

    def _is_sound(self, key: str, stamp: Stamp) -> bool:
        """Return whether a file may count as sound but for rot. False: nobody had time to read it. Raises: as `check_whole`."""
        if self.register.auditing.seen_at(key) == stamp or self.file_bytes > WHOLE_BYTES_MAX:
            return True
        if not self.remembered.whole.acquire(blocking=self.hashes is None):
            return False
        try:
            self.check_whole(key, stamp)
        finally:
            self.remembered.whole.release()
        return True

    def check_whole(self, key: str, stamp: Stamp | None) -> None:
        """Read a file whole. Raises: FixityError, after telling the register, when it is not what was recorded."""
        digest = sha256()
        with closing(self.blobs.open(key)) as source:
            mark = Mark.of(source)
            for part in _parts(source):
                digest.update(part)
            unchanged = mark == Mark.of(source)
        if digest.hexdigest() != self.sha256:
            self.tell(key, DamageKind.DIGEST, stamp)
            raise FixityError(key, f"expected sha256 {self.sha256}, found {digest.hexdigest()}", _REMEDY)
        if unchanged:
            self.remembered.prove(key, mark, self.clock.now())

    def tell(self, key: str, kind: DamageKind, stamp: Stamp | None) -> None:
        """Tell the register of damage. That it cannot be told now is logged: the next request finds the damage again."""
        log.error("%s: %s damage was found while it was read to be sent; it is not served until it is healed", key, kind)
        try:
            self.register.auditing.enter_check(self.clock.now(), key, kind, stamp)
        except FonotecaError as error:
            log.error("%s: its damage could not be recorded: %s", key, error)


class ProvenStream(io.RawIOBase):
    """A file whose pieces are held against their hashes as they are read. Cost: one SHA-256 of what is read, in whole pieces."""

    def __init__(self, source: BinaryIO, key: str, proving: Proving) -> None:
        assert proving.hashes is not None
        self._source, self._key, self._proving, self._hashes = source, key, proving, proving.hashes
        self._position = 0
        self._index = -1
        self._piece = b""
        self._mark = Mark.of(source)
        self._unproved = set(range(-(-self._hashes.file_bytes // self._hashes.piece_bytes)))

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere; nothing is read yet."""
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._hashes.file_bytes}
        self._position = max(0, starts[whence] + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer at the end. Raises: FixityError for damage."""
        left = max(0, self._hashes.file_bytes - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted:
            index, start = divmod(self._position, self._hashes.piece_bytes)
            part = self._piece_at(index)[start : start + wanted]
            self._position += len(part)
            wanted -= len(part)
            parts.append(part)
        if self._position >= self._hashes.file_bytes:
            self._index, self._piece = -1, b""  # a listener who hears the end for a minute needs no memory for it
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readall(self) -> bytes:
        """Return all bytes from here."""
        return self.read()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into a buffer, and return how many bytes."""
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        super().close()

    def _piece_at(self, index: int) -> bytes:
        if index != self._index:
            known = self._hashes
            start = index * known.piece_bytes
            self._source.seek(start)
            piece = _exactly(self._source, min(known.piece_bytes, known.file_bytes - start))
            if piece_hash(piece, known.piece_bytes, known.file_bytes) != known.v2_piece_hash(index):
                self._refuse(index)
            self._index, self._piece = index, piece
            self._unproved.discard(index)
            if not self._unproved and self._mark == Mark.of(self._source):
                self._proving.remembered.prove(self._key, self._mark, self._proving.clock.now())
        return self._piece

    def _refuse(self, index: int) -> None:
        """Raise FixityError. The register is told when the whole file, read anew, is damaged too: it may just have been healed."""
        self._proving.check_whole(self._key, self._proving.blobs.stamp(self._key))
        raise FixityError(self._key, f"piece {index} was not what was recorded, and is so now", "Ask again.")


def _parts(source: BinaryIO) -> Iterator[bytes]:
    while part := source.read(_READ_BYTES):
        yield part


def _exactly(source: BinaryIO, wanted: int) -> bytes:
    """Return so many bytes, fewer only where the file ends."""
    part = source.read(wanted)
    if len(part) == wanted or not part:
        return part
    parts = [part]
    while part and (wanted := wanted - len(part)):
        part = source.read(wanted)
        parts.append(part)
    return b"".join(parts)
