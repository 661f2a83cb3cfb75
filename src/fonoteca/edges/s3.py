"""`Blobs` on any S3. Every write is one request or one upload in parts, so each blob is whole or not there.

What S3 cannot do, a folder's rename, is made of an order of puts: see `s3_adoption`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from fonoteca.edges.disk_calls import SystemCalls
from fonoteca.edges.s3_adoption import Adoption
from fonoteca.edges.s3_calls import LIMITS, S3Limits, connect
from fonoteca.edges.s3_requests import S3Keys
from fonoteca.edges.s3_stream import AHEAD_BYTES, FIRST_BYTES, open_stream
from fonoteca.edges.s3_words import S3Place
from fonoteca.edges.s3_writing import PART_BYTES, Writer
from fonoteca.formats.sightings import sight
from fonoteca.model.errors import BlobMissing, StoreError
from fonoteca.model.fixity import GONE, Sighting, Stamp
from fonoteca.ports import DurableCalls, ObjectCalls

__all__ = ["PUTS_AT_ONCE", "S3Blobs", "S3Keys", "S3Limits", "S3Place", "open_s3"]

Span = tuple[int, int, bool]
"""Where some bytes of a patched blob begin and end, and whether a part gives them."""

PUTS_AT_ONCE = 16
"""Requests under way together. SeaweedFS on 2 cores took 1,700 puts of 10 kB a second from 16 threads, and no more from 32."""


def open_s3(place: S3Place, keys: S3Keys, limits: S3Limits = LIMITS, disk: DurableCalls | None = None) -> S3Blobs:
    """Return the blobs at a place. Nothing is asked yet. disk: for staging folders that are used up."""
    return S3Blobs(connect(place, keys, limits), disk=disk)


class S3Blobs:
    """`Blobs` on an object store. Two processes must not write under one prefix at the same time: see `store.claim`.

    at_once: requests under way together; with 1 they come in one order, for tests that count them.
    disk: removes staging folders that were adopted.
    """

    def __init__(self, calls: ObjectCalls, at_once: int = PUTS_AT_ONCE, disk: DurableCalls | None = None) -> None:
        self._calls = calls
        self._at_once = at_once
        self._disk = disk or SystemCalls()
        self._writer = Writer(calls, _write_id)
        self._pool: ThreadPoolExecutor | None = None

    def read(self, key: str) -> bytes:
        """Return the whole blob."""
        return self._calls.read(_checked(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`, fewer at the end."""
        if start < 0 or length < 0:
            raise StoreError(_checked(key), f"not a range: {length} bytes from {start}")
        if length == 0:
            if self.size(key) is None:
                raise BlobMissing(key, "there is no such blob")
            return b""
        return self._calls.get(_checked(key), start, length, "")[0]

    def open(self, key: str) -> BinaryIO:
        """Return the blob as a seekable stream, read by ranges, with some MiB read ahead."""
        return open_stream(self._calls, _checked(key), self._executor if self._at_once > 1 else None)

    def size(self, key: str) -> int | None:
        """Return the length in bytes, or None when there is no such blob."""
        found = self._calls.head(_checked(key))
        return None if found is None else found.blob_bytes

    def stamp(self, key: str) -> tuple[int, int] | None:
        """Return the length in bytes and the time of the last write in nanoseconds, None when there is no such blob.

        S3 tells the time to the second; what follows the second comes of the blob's tag.
        """
        found = self._calls.head(_checked(key))
        return None if found is None else (found.blob_bytes, found.modified_ns)

    def sight_all(self, keys: Sequence[str]) -> list[Sighting]:
        """Return each blob's stamp and sha256, many at once. Cost: one request for a small blob."""
        if self._at_once == 1:
            return [self._sight(key) for key in keys]
        # Threads of their own: those that all requests share are waited for by streams of large blobs.
        with ThreadPoolExecutor(self._at_once, "s3-sight") as threads:
            return list(threads.map(self._sight, keys))

    def stamp_all(self, keys: Sequence[str]) -> list[Stamp | None]:
        """Return each blob's stamp, many at once, None for one that is missing or cannot be asked for."""
        with ThreadPoolExecutor(self._at_once, "s3-stamp") as threads:
            return list(threads.map(self._stamp_or_none, keys))

    def write(self, key: str, content: bytes) -> None:
        """Put the blob, in place of one that may be there."""
        self._writer.replace(_checked(key), content)

    def create(self, key: str, content: bytes) -> bool:
        """Put the blob if there is none. Returns: whether this call made it, also when its answer was lost."""
        return self._writer.create(_checked(key), content)

    def create_all(self, contents: Mapping[str, bytes]) -> None:
        """Put those blobs that are not there yet, many at once."""
        for key in contents:
            _checked(key)
        self._together([partial(self.create, key, content) for key, content in contents.items()])

    def patch(self, key: str, parts: Mapping[int, bytes], blob_bytes: int) -> None:
        """Put the blob anew: what is unchanged is fetched and put back, since S3 changes nothing in place."""
        spans = _spans(_checked(key), parts, blob_bytes)
        found = self._calls.head(key)
        old_bytes = 0 if found is None else found.blob_bytes
        for start, end, is_part in spans:
            if not is_part and end > old_bytes:
                raise StoreError(key, f"its bytes from {start} to {end} are needed and not there")
        e_tag = "" if found is None else found.e_tag
        if blob_bytes <= PART_BYTES:
            self._writer.replace(key, b"".join(self._spliced(key, parts, spans, e_tag)))
        else:
            self._writer.replace_in_parts(key, self._spliced(key, parts, spans, e_tag), blob_bytes)

    def adopt(self, tree: Path, prefix: str) -> None:
        """Move a finished local folder in as `prefix`; a blob that is there with the very same bytes is taken for ours."""
        self.adopt_all([(tree, prefix)])

    def adopt_all(self, trees: Sequence[tuple[Path, str]]) -> None:
        """Move finished local folders in. They stay until all is up, so that a kill leaves what is needed to go on."""
        adoption = Adoption(self._calls, _write_id(), self._together, self._disk)
        adoption.run([(tree, _checked(prefix)) for tree, prefix in trees])

    def delete(self, prefix: str) -> None:
        """Remove the blob and everything below the prefix. Readers may meet half of it, and a kill leaves half."""
        self._calls.delete([_checked(prefix), *self._calls.below(prefix)])

    def sweep(self, prefix: str = "") -> int:
        """Give up uploads in parts that nobody ended, at and below a prefix. Returns: how many."""
        return self._calls.give_up_uploads(_checked(prefix) if prefix else "")

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all blobs below a prefix, in ascending order. Cost: a request for each folder."""
        folders, names = self._calls.level(_checked(prefix) if prefix else "")
        for name in sorted([*names, *(f"{folder}/" for folder in folders)]):
            key = f"{prefix}/{name}" if prefix else name
            if key.endswith("/"):
                yield from self.keys(key[:-1])
            else:
                yield key

    def children(self, prefix: str = "") -> Iterator[str]:
        """Yield the names directly below a prefix, folders and blobs, in ascending order.

        Cost: a request, and one for each folder, since SeaweedFS goes on showing an emptied one for minutes.
        """
        folders, names = self._calls.level(_checked(prefix) if prefix else "")
        known = set(names)
        for name in sorted(known | set(folders)):
            if name in known or self._holds_any(f"{prefix}/{name}" if prefix else name):
                yield name

    def entries(self, prefix: str, depth: int) -> Iterator[str]:
        """Yield the paths of all folders and blobs so many levels below a prefix. Cost: a request a 1,000 keys.

        Memory: the entries of one folder at the level above.
        """
        level = depth + (len(_checked(prefix).split("/")) if prefix else 0)
        above: tuple[str, ...] = ()
        found: set[str] = set()
        for key in self._calls.below(prefix):
            parts = tuple(key.split("/"))
            if len(parts) < level:
                continue
            if parts[: level - 1] != above:  # all keys below one folder come together, whatever the order of the store
                yield from ("/".join((*above, name)) for name in sorted(found))
                above, found = parts[: level - 1], set()
            found.add(parts[level - 1])
        yield from ("/".join((*above, name)) for name in sorted(found))

    def local_path(self, key: str) -> Path | None:
        """Return None: there is no file."""
        _checked(key)
        return None

    def close(self) -> None:
        """End the threads that this made."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _sight(self, key: str) -> Sighting:
        """Return a blob's stamp and digest, or why it has none."""
        try:
            first, found = self._calls.get(_checked(key), 0, FIRST_BYTES, "")
        except BlobMissing:
            return Sighting(None, "", GONE)
        except StoreError as error:
            return Sighting(None, "", error.problem)
        if found.blob_bytes != len(first):
            return sight(self, key)
        return Sighting((found.blob_bytes, found.modified_ns), sha256(first).hexdigest(), "")

    def _stamp_or_none(self, key: str) -> Stamp | None:
        try:
            return self.stamp(key)
        except StoreError:
            return None

    def _executor(self) -> ThreadPoolExecutor:
        """Return the threads for requests, made when they are first needed."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._at_once, "s3")
        return self._pool

    def _together(self, deeds: Sequence[Callable[[], object]]) -> None:
        """Do many things, some at once; when one fails, those not begun are left. Raises: the first error, after all have ended."""
        if self._at_once == 1 or len(deeds) == 1:
            for deed in deeds:
                deed()
            return
        doing = [self._executor().submit(deed) for deed in deeds]
        wait(doing, return_when=FIRST_EXCEPTION)
        for each in doing:
            each.cancel()
        wait(doing)
        for each in doing:
            if not each.cancelled():
                each.result()

    def _holds_any(self, prefix: str) -> bool:
        """Whether any blob is below a prefix."""
        return next(iter(self._calls.below(prefix)), None) is not None

    def _spliced(self, key: str, parts: Mapping[int, bytes], spans: Sequence[Span], e_tag: str) -> Iterator[bytes]:
        """Yield the bytes of a patched blob in order: the parts and, between them, what the old blob of this tag has."""
        for start, end, is_part in spans:
            if is_part:
                yield parts[start]
                continue
            for at in range(start, end, AHEAD_BYTES):
                # In another thread: obstore asks for these bytes from inside an upload, where it can ask for nothing itself.
                yield self._executor().submit(self._calls.get, key, at, min(AHEAD_BYTES, end - at), e_tag).result()[0]


def _write_id() -> str:
    """Return an id that no other write has."""
    return secrets.token_hex(16)


def _checked(key: str) -> str:
    """Return a key. Raises: StoreError for one that a folder could not have, or that some S3 would take for another."""
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise StoreError(repr(key), "not a key: expected a relative path without empty, '.' or '..' parts")
    if not key.isprintable() or "\\" in key:  # SeaweedFS takes a backslash for a slash
        raise StoreError(repr(key), "not a key: expected printable characters and no backslash")
    return key


def _spans(key: str, parts: Mapping[int, bytes], blob_bytes: int) -> list[Span]:
    """Return what a patched blob is made of, in order.

    Raises: StoreError for parts that overlap or pass the end.
    """
    spans: list[Span] = []
    at = 0
    for start in sorted(parts):
        end = start + len(parts[start])
        if start < at or end > blob_bytes:
            raise StoreError(key, f"a part of {end - start} bytes at {start} overlaps another or passes the end {blob_bytes}")
        if start > at:
            spans.append((at, start, False))
        spans.append((start, end, True))
        at = end
    return [*spans, (at, blob_bytes, False)] if at < blob_bytes else spans
