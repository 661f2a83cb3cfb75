"""An index in its one form: Tantivy names segments at random, here each is named by what is in it.

So the same recordings give the same files under the same names on every machine, with the same version of Tantivy, and a name
proves its files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from fonoteca.formats.strictjson import parse_json
from fonoteca.model.errors import FormatError
from fonoteca.ports import Staging

META = "meta.json"
META_BYTES_MAX = 16 * 2**20
"""Some 100 B a segment; an index has hundreds."""

LOCKS = (".tantivy-meta.lock", ".tantivy-writer.lock")
"""What Tantivy leaves in a folder when it opens an index; they are no part of it."""

ENDINGS = ("fast", "fieldnorm", "idx", "pos", "store", "term")
"""The files of a segment."""

_SEGMENT_FILE = re.compile(rf"(?P<segment>[0-9a-f]{{32}})\.({'|'.join(ENDINGS)})")


def make_canonical(folder: Path, staging: Staging) -> None:
    """Give the files of a finished index their names, and leave nothing else in its folder, which is below staging."""
    meta = _parsed(folder)
    named = {_plain(each["segment_id"]): digest_name(folder, _plain(each["segment_id"])) for each in meta["segments"]}
    for old, new in named.items():
        for ending in ENDINGS:
            staging.move(folder / f"{old}.{ending}", folder / f"{new}.{ending}")
    for each in meta["segments"]:
        each["segment_id"] = _dashed(named[_plain(each["segment_id"])])
    meta["segments"].sort(key=lambda each: (-each["max_doc"], each["segment_id"]))
    for path in folder.iterdir():
        if path.name.startswith("."):  # locks, and a list of files for Tantivy's own tidying
            staging.discard(path)
    with staging.writer(folder / "meta.new") as stream:
        stream.write(json.dumps(meta, indent=1).encode())
    staging.move(folder / "meta.new", folder / META)


def check_canonical(folder: Path) -> list[int]:
    """Return how many documents each segment of an index is said to have, of which nothing is believed yet. Cost: one read of it.

    Raises: FormatError unless the folder has its segments' files and nothing else, each segment named by what is in it.
    """
    meta = _parsed(folder)
    segments = [_plain(each["segment_id"]) for each in meta["segments"]]
    expected = {META, *(f"{segment}.{ending}" for segment in segments for ending in ENDINGS)}
    there = {path.name: path for path in folder.iterdir() if path.name not in LOCKS}
    strange = there.keys() ^ expected or {name for name, path in there.items() if path.is_symlink() or not path.is_file()}
    if strange or len(set(segments)) != len(segments):
        raise FormatError(META, f"its segments are not the files that are there: {sorted(strange)[:4]}")
    for segment in segments:
        if digest_name(folder, segment) != segment:
            raise FormatError(segment, "the segment is not named by what is in it")
    return [each["max_doc"] for each in meta["segments"]]


def digest_name(folder: Path, segment: str) -> str:
    """Return the name of a segment: the first 32 hexadecimal digits of the digest of its files' digests."""
    told = []
    for ending in ENDINGS:
        with (folder / f"{segment}.{ending}").open("rb") as stream:
            told.append(f"{ending} {file_digest(stream, 'sha256').hexdigest()}\n")
    return sha256("".join(told).encode()).hexdigest()[:32]


def _parsed(folder: Path) -> dict[str, Any]:
    """Return what an index says of itself. Raises: FormatError."""
    path = folder / META
    if not path.is_file() or path.is_symlink() or path.stat().st_size > META_BYTES_MAX:
        raise FormatError(META, "not there, or longer than any index needs")
    meta = parse_json(path.read_bytes(), META)
    segments = meta.get("segments") if isinstance(meta, dict) else None
    sound = isinstance(segments, list) and all(
        isinstance(each, Mapping)
        and isinstance(each.get("segment_id"), str)
        and _SEGMENT_FILE.fullmatch(f"{_plain(each['segment_id'])}.idx")
        and type(each.get("max_doc")) is int
        and 0 < each["max_doc"] < 2**31
        and each.get("deletes") is None
        for each in segments
    )
    if not sound or not isinstance(meta, dict):
        raise FormatError(META, "not the list of an index's segments")
    return meta


def _plain(segment_id: str) -> str:
    return segment_id.replace("-", "")


def _dashed(segment: str) -> str:
    """Return a segment's name as Tantivy writes it, a UUID."""
    return "-".join((segment[:8], segment[8:12], segment[12:16], segment[16:20], segment[20:]))
