"""Listens as ListenBrainz writes them, one JSON object a line: the dump's `.listens`, and a person's export.

Lines go to DuckDB as Arrow text and are parsed there: some 500,000 a second on two cores, no Python object a line.
Source: listenbrainz-server `listenbrainz/listen.py` (to_json), `background/export.py`, docs/users/json.rst.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from fonoteca.catalogue.listening_files.ledger import SECONDS, Ledger
from fonoteca.catalogue.listening_files.pieces import Piece
from fonoteca.catalogue.listening_files.plays import whole_number

LINE_BYTES_MAX = 1 << 20
"""ListenBrainz takes listens of at most 10,240 bytes (MAX_LISTEN_SIZE); its mapping adds less than that."""
_BLOCK_BYTES = 32 << 20
_BLANK_BYTES_MAX = 40
"""Only a line shorter than this is looked at for being blank, which costs more than its JSON."""
_LINES_A_BATCH = 8192
"""DuckDB gives each thread a batch at a time."""

_PATHS = {
    "listened_at": "$.listened_at",
    "stamp": "$.timestamp",
    "user_id": "$.user_id",
    "user_name": "$.user_name",
    "artist": "$.track_metadata.artist_name",
    "title": "$.track_metadata.track_name",
    "release": "$.track_metadata.release_name",
    "mbid": "$.track_metadata.additional_info.recording_mbid",
    "mapped": "$.track_metadata.mbid_mapping.recording_mbid",
}
_CELLS = ", ".join(f"cells[{index}] AS {name}" for index, name in enumerate(_PATHS, 1))


def _no_text(name: str) -> str:
    """Return SQL that tells whether a name is something else than text; only what looks so is parsed again."""
    looks = f"regexp_matches({name}, '^[-\\[{{0-9]|^(true|false|NaN|Infinity)$')"
    return f"CASE WHEN {looks} THEN json_type(text, '{_PATHS[name]}') <> 'VARCHAR' ELSE false END"


_LISTENS = f"""
SELECT line, coalesce(user_id, user_name) AS listener, moment, artist, title, mbid, mapped, {SECONDS} AS seconds,
    CASE WHEN cells IS NULL THEN 'not JSON'
         WHEN artist IS NULL AND title IS NULL THEN 'track_metadata: missing'
         WHEN {_no_text("artist")} THEN 'artist: expected text'
         WHEN {_no_text("title")} THEN 'title: expected text'
         WHEN {_no_text("release")} THEN 'release: expected text'
    END AS wrong
FROM (
    SELECT line, text, cells, {_CELLS}, coalesce(cells[1], cells[2]) AS moment
    FROM (SELECT line, text, TRY(json_extract_string(text, {list(_PATHS.values())})) AS cells FROM page)
    WHERE CASE WHEN strlen(text) < {_BLANK_BYTES_MAX} THEN trim(text, ' ' || chr(9) || chr(10) || chr(13)) <> '' ELSE true END
)"""
_ALONE = _LISTENS.replace("coalesce(user_id, user_name) AS listener", "CAST(NULL AS VARCHAR) AS listener")


def read_lines(piece: Piece, ledger: Ledger, alone: bool) -> None:
    """Enter listens, one a line. alone: whether they are one person's own."""
    for page in pages_of(piece, ledger):
        ledger.take(page, _ALONE if alone else _LISTENS, piece.label)


def entries_of(piece: Piece, ledger: Ledger) -> Iterator[tuple[int, Any]]:
    """Yield line and value of JSON lines of any other kind; what is no JSON is set aside."""
    for page in pages_of(piece, ledger):
        for line, text in zip(page["line"].to_pylist(), page["text"].to_pylist(), strict=True):
            if not text.strip():
                continue
            try:
                yield line, json.loads(text, parse_int=whole_number)
            except (ValueError, RecursionError):
                ledger.reject(line, "not JSON", "", piece.label)


def pages_of(piece: Piece, ledger: Ledger) -> Iterator[pa.Table]:
    """Yield lines as columns `line`, from 1, and `text`; lines that are no UTF-8, or too long, are set aside."""
    first = 1
    for block in _blocks(piece.stream):
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
        if not len(ends) or ends[-1] != len(block):
            ends = np.append(ends, len(block))
        offsets = np.concatenate(([0], ends)).astype(np.int32)
        lines = np.arange(first, first + len(ends))
        first += len(ends)
        texts = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(block))
        keep = np.diff(offsets) <= LINE_BYTES_MAX
        for line in lines[~keep]:
            ledger.reject(int(line), f"a line of more than {LINE_BYTES_MAX} bytes", "", piece.label)
        keep &= _unicode(texts, lines, ledger, piece.label)
        page = pa.table({"line": lines, "text": texts})
        if not keep.all():
            page = page.filter(pa.array(keep))
        if not len(page):
            continue
        yield pa.Table.from_batches(page.to_batches(max_chunksize=_LINES_A_BATCH), schema=page.schema)


def _unicode(texts: pa.StringArray, lines: Any, ledger: Ledger, label: str) -> Any:
    """Return which texts are UTF-8, and set the others aside."""
    keep = np.ones(len(texts), dtype=bool)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        for index, raw in enumerate(texts.cast(pa.binary()).to_pylist()):
            try:
                raw.decode()
            except UnicodeDecodeError:
                keep[index] = False
                ledger.reject(int(lines[index]), "not UTF-8", "", label)
    return keep


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield blocks of whole lines. A line that is longer than LINE_BYTES_MAX is cut to a little more, and never held whole."""
    rest, skipping = b"", False
    while block := stream.read(_BLOCK_BYTES):
        if skipping:
            at = block.find(b"\n")
            if at < 0:
                continue
            block = block[at:]
            skipping = False
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = b""
        rest += block[end:]
        if len(rest) > LINE_BYTES_MAX:
            rest, skipping = rest[: LINE_BYTES_MAX + 1], True
    if rest:
        yield rest
