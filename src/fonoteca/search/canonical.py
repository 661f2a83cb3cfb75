"""A shard in its one form: Tantivy names segments at random, here a shard's one segment is named by its number.

So the same rows give the same files on every machine, with the same version of Tantivy, and a digest proves them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import file_digest, sha256
from pathlib import Path

from fonoteca.model.errors import FormatError
from fonoteca.ports import Staging
from fonoteca.search.shards import CARDS, META, tier_meta, write_empty

STORE = "store"
STORE_BYTES_MAX = 1 << 10
"""Tantivy's stored fields, of which there are none: nothing reads this file, and it must be there."""

ENDINGS = (CARDS, "fast", "fieldnorm", "idx", "pos", STORE, "term")
"""The files of a shard."""

_EMPTY: list[bytes] = []

LOCKS = (".tantivy-meta.lock", ".tantivy-writer.lock")
"""What Tantivy leaves in a folder when it opens an index; they are no part of it."""


def shard_files(number: int) -> dict[str, str]:
    """Return the name in its tier of each of a shard's files, by ending."""
    return {ending: f"{number:032x}.{ending}" for ending in ENDINGS}


def move_shard(made: Path, number: int, tier: Path, staging: Staging) -> str:
    """Move a finished shard's files into its tier under their names; both folders are below staging. Returns: its digest.

    What Tantivy stores of documents without stored fields, 4 B each, is left out: one document's stands for all.
    """
    names = shard_files(number)
    found = _segment(made)
    with staging.writer(tier / names[STORE]) as stream:
        stream.write(_empty_store(made, staging))
    staging.move(made / CARDS, tier / names[CARDS])
    for ending in set(ENDINGS) - {CARDS, STORE}:
        staging.move(made / f"{found}.{ending}", tier / names[ending])
    staging.discard(made)
    return digest_of(tier, number)


def _empty_store(made: Path, staging: Staging) -> bytes:
    """Return what Tantivy stores of a document without a word; made once, beside a shard."""
    if not _EMPTY:
        empty = staging.folder(f"{made.name}-empty")
        write_empty(empty, staging)
        _EMPTY.append((empty / f"{_segment(empty)}.{STORE}").read_bytes())
        staging.discard(empty)
    return _EMPTY[0]


def _segment(folder: Path) -> str:
    """Return the name of the one segment that Tantivy wrote into a folder."""
    (segment,) = json.loads((folder / META).read_bytes())["segments"]
    return str(segment["segment_id"]).replace("-", "")


def digest_of(tier: Path, number: int) -> str:
    """Return the digest of a shard: of the names and digests of its files."""
    told = []
    for name in sorted(shard_files(number).values()):
        with (tier / name).open("rb") as stream:
            told.append(f"{file_digest(stream, 'sha256').hexdigest()}  {name}\n")
    return sha256("".join(told).encode()).hexdigest()


def check_tier(folder: Path, shards: Iterable[tuple[int, int]]) -> None:
    """Raise FormatError unless a folder of which nothing is believed has the files of a tier and nothing else.

    shards: number and rows of each, in order.
    """
    shards = tuple(shards)
    names = [shard_files(number) for number, _ in shards]
    expected = {META, *(name for each in names for name in each.values())}
    there = {path.name: path for path in folder.iterdir() if path.name not in LOCKS}
    strange = there.keys() ^ expected or {name for name, path in there.items() if path.is_symlink() or not path.is_file()}
    if strange or folder.is_symlink():
        raise FormatError(folder.name, f"its files are not those of a tier: {sorted(strange)[:4]}")
    if any(there[each[STORE]].stat().st_size > STORE_BYTES_MAX for each in names):
        raise FormatError(folder.name, "it stores documents, which no index of ours does")
    meta = tier_meta(shards)
    if there[META].stat().st_size != len(meta) or there[META].read_bytes() != meta:
        raise FormatError(folder.name, "its list of segments is not the one that it must have")
