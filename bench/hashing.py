"""How much of `hashlib` alone the one hashing pass keeps: sha256, BEP 52 blocks and SHA-1 pieces of the same bytes in memory.

Run: `python -m bench.hashing`.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

from bench.report import Figure, Goal, Peer
from fonoteca.formats.hashing import FileHasher
from fonoteca.model.hashes import BLOCK_BYTES
from fonoteca.model.settings import PIECE_BYTES_DEFAULT

CONTENT_BYTES = 256 * 2**20
CHUNK_BYTES = 2**20
ROUNDS = 3
GOAL = Goal(0.8, of_ratio=True)


def _passes(content: memoryview) -> list[Callable[[], object]]:
    """Return hashlib's three hashes, each a pass of its own over the bytes."""
    blocks, pieces = range(0, len(content), BLOCK_BYTES), range(0, len(content), PIECE_BYTES_DEFAULT)
    return [
        lambda: hashlib.sha256(content).digest(),
        lambda: [hashlib.sha256(content[at : at + BLOCK_BYTES]).digest() for at in blocks],
        lambda: [hashlib.sha1(content[at : at + PIECE_BYTES_DEFAULT]).digest() for at in pieces],
    ]


def _one_pass(content: memoryview) -> None:
    """Hash as ingest does, with trees and padded pieces."""
    hasher = FileHasher(PIECE_BYTES_DEFAULT)
    for at in range(0, len(content), CHUNK_BYTES):
        hasher.update(content[at : at + CHUNK_BYTES])
    hasher.finish()


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure() -> dict[str, float]:
    """Return the ratio and both speeds in GB/s, the best of three rounds that take turns, so that noise meets both."""
    dice = random.Random(52)
    content = memoryview(b"".join(dice.randbytes(CHUNK_BYTES) for _ in range(CONTENT_BYTES // CHUNK_BYTES)))
    passes = _passes(content)
    alone = [float("inf")] * len(passes)
    ours = float("inf")
    for _ in range(ROUNDS):
        alone = [min(best, _seconds(work)) for best, work in zip(alone, passes, strict=True)]
        ours = min(ours, _seconds(lambda: _one_pass(content)))
    return {
        "hashing_ratio": sum(alone) / ours,
        "hashing_ratio_target": GOAL.limit,
        "hashing_gb_per_s": CONTENT_BYTES / ours / 1e9,
        "hashlib_gb_per_s": CONTENT_BYTES / sum(alone) / 1e9,
    }


def figures(_scratch: Path) -> list[Figure]:
    """Return the speed of the hashing pass beside that of hashlib alone."""
    found = measure()
    peer = Peer("hashlib alone, the same three hashes", found["hashlib_gb_per_s"])
    return [Figure("hashing in the ingest pass", found["hashing_gb_per_s"], "GB/s", peer, GOAL)]


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
