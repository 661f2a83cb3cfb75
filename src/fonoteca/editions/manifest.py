"""Manifests: one row per file of a drop, binding pieces root to sha256, in Parquet for engines and JSONL.zst for streams.

Grain: one file of one drop. Key: (drop, path). Order: the torrent's. Rows: as many as the drop has files. Columns:
drop, object and version ("" and 0 in a snapshot), path (below the torrent's name), bytes, sha256 and pieces_root
(hexadecimal, "" for an empty file), licence (URI), title, artist ("" for files that are not music).

Both forms are the same bytes for the same rows and library versions: no times, no names of machines.
"""

from __future__ import annotations

import json.encoder
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from fonoteca.editions.cutting import SnapshotPlan
from fonoteca.editions.memberlist import count
from fonoteca.editions.planning import DropPlan
from fonoteca.formats.metainfo import torrent_order
from fonoteca.formats.strictjson import parse_json
from fonoteca.formats.torrentreading import FILES_MAX
from fonoteca.model.corridor import Shareable
from fonoteca.model.errors import FonotecaError, FormatError
from fonoteca.model.ids import DropId, ObjectId, Sha256

MANIFEST_BYTES_MAX = 512 * 2**20
"""Of the rows as text: 1 kB each for 200,000 files, and half as much again for long titles."""

_ZSTD_LEVEL = 1
"""Most of a row is digests, in which there is nothing to find: level 10 takes ten times as long for 4 % less."""

_SCHEMA = pa.schema(
    [
        pa.field("drop", pa.string(), nullable=False),
        pa.field("object", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("pieces_root", pa.string(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("artist", pa.string(), nullable=False),
    ]
)
COLUMNS: tuple[str, ...] = tuple(_SCHEMA.names)

_quoted = json.encoder.encode_basestring
"""Text as a JSON string, letters beyond ASCII as they are: what `json.dumps(text, ensure_ascii=False)` gives."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One file of one drop. object_id: None and version: 0 in a snapshot. pieces_root: hexadecimal, "" for an empty file."""

    drop_id: DropId
    object_id: ObjectId | None
    version: int
    path: str
    file_bytes: int
    sha256: Sha256
    pieces_root: str
    licence_uri: str = ""
    title: str = ""
    artist: str = ""


def rows_of_plan(plan: DropPlan) -> tuple[ManifestRow, ...]:
    """Return the rows of a store drop, in the order of its torrent."""
    owners: dict[str, tuple[Shareable, str]] = {}
    music: dict[str, tuple[str, str]] = {}
    for each in plan.members:
        owner = each, each.admission.licence.uri
        owners.update(dict.fromkeys((file.path for file in each.version.members), owner))
        music.update(_music(each))
    rows = []
    for file in torrent_order(file for each in plan.members for file in each.version.members):
        shareable, licence_uri = owners[file.path]
        title, artist = music.get(file.path, ("", ""))
        rows.append(
            ManifestRow(
                drop_id=plan.id,
                object_id=shareable.version.object_id,
                version=shareable.version.version,
                path=file.path,
                file_bytes=file.hashes.file_bytes,
                sha256=file.hashes.sha256,
                pieces_root=file.hashes.pieces_root.hex(),
                licence_uri=licence_uri,
                title=title,
                artist=artist,
            )
        )
    return tuple(rows)


def rows_of_snapshot(plan: SnapshotPlan) -> tuple[ManifestRow, ...]:
    """Return the rows of a snapshot drop, in the order of its torrent."""
    drop_id = plan.id
    return tuple(
        ManifestRow(drop_id, None, 0, file.path, file.hashes.file_bytes, file.hashes.sha256, file.hashes.pieces_root.hex())
        for file in torrent_order(plan.files)
    )


def to_parquet(rows: Sequence[ManifestRow]) -> bytes:
    """Return the manifest as Parquet: zstd, one row group for each 64 Ki rows, no metadata of ours."""
    columns: tuple[Sequence[str | int], ...] = (
        [row.drop_id for row in rows],
        [row.object_id or "" for row in rows],
        [row.version for row in rows],
        [row.path for row in rows],
        [row.file_bytes for row in rows],
        [row.sha256 for row in rows],
        [row.pieces_root for row in rows],
        [row.licence_uri for row in rows],
        [_well_formed(row.title) for row in rows],
        [_well_formed(row.artist) for row in rows],
    )
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA), sink, compression="zstd", row_group_size=65_536)
    return bytes(sink.getvalue())


def from_parquet(content: bytes) -> tuple[ManifestRow, ...]:
    """Return the rows of a Parquet manifest. For our own files: a stranger's is read from its JSONL form.

    Raises: FormatError when it is not Parquet, has other columns, or a cell breaks its rule.
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise FormatError("manifest", f"not Parquet: {error}") from None
    if table.schema.names != list(COLUMNS):
        raise FormatError("manifest", f"expected the columns {', '.join(COLUMNS)}")
    return tuple(_row(cells) for cells in table.to_pylist())


def to_jsonl(rows: Iterable[ManifestRow]) -> bytes:
    """Return the manifest as JSON lines, compressed with Zstandard."""
    # Four times as fast as encoding a dictionary for each row, to the same bytes: names, numbers and digests need no escapes.
    text = "".join(
        f'{{"drop":"{row.drop_id}","object":{_quoted(row.object_id or "")},"version":{row.version},"path":{_quoted(row.path)},'
        f'"bytes":{row.file_bytes},"sha256":"{row.sha256}","pieces_root":"{row.pieces_root}","licence":{_quoted(row.licence_uri)},'
        f'"title":{_quoted(_well_formed(row.title))},"artist":{_quoted(_well_formed(row.artist))}}}\n'
        for row in rows
    )
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(text.encode("utf-8", "replace"))


def from_jsonl(content: bytes, bytes_max: int = MANIFEST_BYTES_MAX) -> tuple[ManifestRow, ...]:
    """Return the rows of a JSONL.zst manifest, which may be a stranger's.

    bytes_max: of the text; a frame that does not say its length, or says more, is refused before anything is expanded.
    Raises: FormatError for text that is longer, not Zstandard, or not such rows.
    """
    try:
        text_bytes = zstandard.frame_content_size(content)
        if not 0 <= text_bytes <= bytes_max:
            raise FormatError("manifest", f"says that it expands to {text_bytes} bytes, expected at most {bytes_max}")
        text = zstandard.ZstdDecompressor().decompress(content, max_output_size=bytes_max, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError("manifest", f"not one whole frame of Zstandard: {error}") from None
    if text and not text.endswith(b"\n"):
        raise FormatError("manifest", "the last line is not whole")
    if (rows := text.count(b"\n")) > FILES_MAX:
        raise FormatError("manifest", f"{rows} rows, expected at most {FILES_MAX}, as a torrent has files")
    return tuple(_row(parse_json(line, f"manifest line {number}")) for number, line in enumerate(text.splitlines(), 1))


def _music(shareable: Shareable) -> dict[str, tuple[str, str]]:
    """Return title and artist of each audio file, by its path below the storage root."""
    version = shareable.version
    return {
        f"{version.object_path}/{file.content_path}": (file.tags.title, file.tags.artist)
        for file in version.files
        if file.tags is not None
    }


def _well_formed(text: str) -> str:
    """Return text that UTF-8 can hold: tags as received may have lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _row(cells: Any) -> ManifestRow:
    """Return a row of what a manifest has in one line."""
    if not isinstance(cells, dict) or cells.keys() != set(COLUMNS):
        raise FormatError("manifest", f"expected rows with exactly {', '.join(COLUMNS)}")
    texts = [cells[name] for name in COLUMNS if name not in ("version", "bytes")]
    if not all(isinstance(text, str) for text in texts):
        raise FormatError("manifest", f"expected text in every column but version and bytes, at {cells['path']!r}")
    try:
        row = ManifestRow(
            drop_id=DropId(cells["drop"]),
            object_id=ObjectId(cells["object"]) if cells["object"] else None,
            version=count(cells["version"]),
            path=cells["path"],
            file_bytes=count(cells["bytes"]),
            sha256=Sha256(cells["sha256"]),
            pieces_root=Sha256(cells["pieces_root"]) if cells["pieces_root"] else "",
            licence_uri=cells["licence"],
            title=cells["title"],
            artist=cells["artist"],
        )
    except (FonotecaError, ValueError) as error:
        raise FormatError("manifest", f"at {cells['path']!r}: {error}") from None
    if (row.object_id is None) != (row.version == 0):
        raise FormatError("manifest", f"at {row.path!r}: an object and its version go together")
    return row
