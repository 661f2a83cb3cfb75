"""An object store in memory, with the semantics of `ports.ObjectCalls`, and requests to it that go wrong as on a network.

A request that changes something may be done and its answer lost; be done twice, the second answer coming; be done late, after
later requests or even after the process that sent it is gone; or not be done at all. None of this shows in what the caller is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from itertools import count
from pathlib import Path
from random import Random
from typing import TypeVar

from fonoteca.model.errors import BlobMissing, StoreError, UnsureError
from fonoteca.ports import ObjectFound
from fonoteca.testing.objects import Mishap
from fonoteca.testing.simulation.faults import FaultyCalls

_SECOND_NS = 10**9
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A blob. number: counts writes; it makes the tag and the time of each another."""

    content: bytes
    write_id: str
    number: int

    def found(self) -> ObjectFound:
        """Return what the store says of it. S3 tells the time to the second."""
        tag = f"{md5(self.content, usedforsecurity=False).hexdigest()}-{self.number}"
        return ObjectFound(len(self.content), tag, 1_700_000_000 * _SECOND_NS + self.number * _SECOND_NS, self.write_id)


@dataclass(slots=True)
class Bucket:
    """Blobs that outlive every process. late: requests that were sent and not done yet."""

    blobs: dict[str, Kept] = field(default_factory=dict)
    late: list[Callable[[], None]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def keep(self, key: str, content: bytes, write_id: str = "") -> None:
        """Put a blob."""
        self.blobs[key] = Kept(bytes(content), write_id, next(self._numbers))

    def files(self) -> dict[str, bytes]:
        """Return all blobs by key."""
        return {key: kept.content for key, kept in self.blobs.items()}

    def all_gone(self, chance: Random) -> None:
        """Let the sender of late requests be gone: each is done still, or lost with the connection."""
        for request in self.late:
            if chance.random() < 0.5:
                request()
        self.late.clear()


class FaultyBucket:
    """`ObjectCalls` of one process: each request is a step that a crash may come before, and one that changes may meet a mishap.

    Reads that get no answer are `world.FailingReads`' matter.
    """

    def __init__(self, bucket: Bucket, calls: FaultyCalls) -> None:
        self._bucket = bucket
        self._calls = calls
        self._mishaps = dict(calls.faults.requests)
        self._number = -1

    def get(self, key: str, start: int, length: int, e_tag: str) -> tuple[bytes, ObjectFound]:
        """Return a range of a blob."""
        self._calls.request("get", key)
        kept = self._kept(key)
        if e_tag and kept.found().e_tag != e_tag:
            raise StoreError(key, "it was changed while it was read")
        return kept.content[start : start + length], kept.found()

    def read(self, key: str) -> bytes:
        """Return a blob."""
        self._calls.request("read", key)
        return self._kept(key).content

    def head(self, key: str) -> ObjectFound | None:
        """Return what a blob is."""
        self._calls.request("head", key)
        kept = self._bucket.blobs.get(key)
        return None if kept is None else kept.found()

    def put(self, key: str, content: bytes, write_id: str) -> None:
        """Put a blob."""
        self._write("put", key, lambda: self._bucket.keep(key, content, write_id))

    def create(self, key: str, content: bytes, write_id: str) -> bool:
        """Put a blob if there is none."""

        def make() -> bool:
            there = key in self._bucket.blobs
            if not there:
                self._bucket.keep(key, content, write_id)
            return not there

        return self._write("create", key, make)

    def put_parts(self, key: str, parts: Path | bytes | Iterator[bytes], write_id: str, part_bytes: int) -> None:
        """Put a blob that was sent in parts."""
        content = parts.read_bytes() if isinstance(parts, Path) else parts if isinstance(parts, bytes) else b"".join(parts)
        self._write("parts", key, lambda: self._bucket.keep(key, content, write_id))

    def delete(self, keys: Sequence[str]) -> None:
        """Remove blobs, one after the other."""
        for key in keys:
            self._write("delete", key, lambda k=key: self._bucket.blobs.pop(k, None))  # type: ignore[misc]

    def below(self, prefix: str) -> Iterator[str]:
        """Yield all keys below a prefix."""
        self._calls.request("list", prefix)
        yield from sorted(key for key in self._bucket.blobs if not prefix or key.startswith(f"{prefix}/"))

    def level(self, prefix: str) -> tuple[list[str], list[str]]:
        """Return the names of folders and blobs directly below a prefix."""
        self._calls.request("list", prefix)
        start = len(prefix) + 1 if prefix else 0
        rests = [key[start:] for key in self._bucket.blobs if not prefix or key.startswith(f"{prefix}/")]
        return sorted({rest.partition("/")[0] for rest in rests if "/" in rest}), sorted(rest for rest in rests if "/" not in rest)

    def give_up_uploads(self, prefix: str) -> int:
        """Return 0: an upload here has no parts that could be left."""
        return 0

    def _kept(self, key: str) -> Kept:
        if key not in self._bucket.blobs:
            raise BlobMissing(key, "there is no such blob in the bucket")
        return self._bucket.blobs[key]

    def _write(self, name: str, key: str, deed: Callable[[], _T]) -> _T:
        """Take the step of a request that changes something, and let it meet its mishap."""
        match self._step(name, key):
            case Mishap.REFUSED:
                raise self._unsure(name, key)
            case Mishap.LOST:
                deed()
                raise self._unsure(name, key)
            case Mishap.TWICE:
                deed()
            case Mishap.LATE:
                self._bucket.late.append(lambda: (deed(), None)[1])
                raise self._unsure(name, key)
        answer = deed()
        late, self._bucket.late[:] = list(self._bucket.late), []
        for request in late:
            request()
        return answer

    def _step(self, name: str, key: str) -> Mishap | None:
        self._number += 1
        self._calls.request(name, key)
        mishap = self._mishaps.get(self._number)
        return None if mishap is None else Mishap(mishap)

    def _unsure(self, name: str, key: str) -> UnsureError:
        self._calls.harmed += 1
        return UnsureError(key, f"the S3 did not answer as asked to {name}", "Run the same command again when it answers.")
