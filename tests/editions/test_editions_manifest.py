"""Laws of manifests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
import zstandard
from editions_payload import LICENCE, Payload, manifested, manifested_snapshot
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.editions import plan_drops
from fonoteca.editions.manifest import COLUMNS, ManifestRow, from_jsonl, from_parquet, to_jsonl, to_parquet
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.model.errors import FormatError
from fonoteca.model.ids import DropId, ObjectId, Sha256
from fonoteca.model.settings import EditionSettings

DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@st.composite
def manifest_rows(draw: st.DrawFn) -> ManifestRow:
    """Return any row."""
    version = draw(st.integers(0, 3))
    return ManifestRow(
        drop_id=DropId(f"audio-{draw(DIGESTS)[:16]}"),
        object_id=ObjectId.of("audio", draw(st.sampled_from(["folder:a", "debian:b%20c"]))) if version else None,
        version=version,
        path=draw(TEXTS),
        file_bytes=draw(st.integers(0, 2**53 - 1)),
        sha256=Sha256(draw(DIGESTS)),
        pieces_root=draw(st.one_of(st.just(""), DIGESTS)),
        licence_uri=draw(TEXTS),
        title=draw(TEXTS),
        artist=draw(TEXTS),
    )


@given(st.lists(manifest_rows(), max_size=5))
def test_rows_come_back_from_both_forms(rows: list[ManifestRow]) -> None:
    assert from_parquet(to_parquet(rows)) == tuple(rows)
    assert from_jsonl(to_jsonl(rows)) == tuple(rows)


@given(st.lists(manifest_rows(), max_size=5))
def test_the_same_rows_are_the_same_bytes(rows: list[ManifestRow]) -> None:
    assert to_parquet(rows) == to_parquet(list(rows))
    assert to_jsonl(rows) == to_jsonl(list(rows))


def test_a_row_says_what_the_file_is_and_where_it_belongs() -> None:
    payload = Payload()
    (plan,) = plan_drops([payload.shareable(payload.version("a"))], {}, EditionSettings())
    rows = manifested(plan).rows
    track = next(row for row in rows if row.path.endswith("/v1/content/00-track.ogg"))
    assert (track.object_id, track.version) == (ObjectId.of("audio", "folder:a"), 1)
    assert (track.title, track.licence_uri) == ("a content/00-track.ogg", LICENCE)
    assert [row.title for row in rows if row.path.endswith("inventory.json")] == [""]


def test_rows_are_the_torrents_files_in_its_order() -> None:
    payload = Payload()
    offer = [payload.shareable(payload.version(name), 0.1) for name in "abcdef"]
    for drop in (manifested(plan_drops(offer, {}, EditionSettings())[0]), manifested_snapshot(payload.snapshot())):
        files = parse_torrent(drop.torrent).files
        assert [(row.path, row.file_bytes, row.pieces_root) for row in drop.rows] == [
            (file.path, file.file_bytes, file.pieces_root.hex()) for file in files
        ]


def test_an_engine_of_another_make_reads_the_parquet_form(tmp_path: Any) -> None:
    payload = Payload()
    (plan,) = plan_drops([payload.shareable(payload.version("a"), 0.1)], {}, EditionSettings())
    rows = manifested(plan).rows
    (tmp_path / "m.parquet").write_bytes(to_parquet(rows))
    found = duckdb.sql(f"SELECT count(*), sum(bytes), min(licence) FROM '{tmp_path}/m.parquet'").fetchall()
    assert found == [(len(rows), sum(row.file_bytes for row in rows), LICENCE)]


def test_text_that_utf_8_cannot_hold_is_replaced_in_both_forms() -> None:
    row = ManifestRow(DropId("audio-0123456789abcdef"), None, 0, "x", 1, Sha256("0" * 64), "", title="caf\udce9")
    assert from_jsonl(to_jsonl([row])) == from_parquet(to_parquet([row]))


LINE = dict(zip(COLUMNS, ("audio-0123456789abcdef", "", 0, "x", 1, "0" * 64, "", "", "", ""), strict=True))


def packed(text: str | bytes) -> bytes:
    """Return text as a compressed manifest."""
    return zstandard.compress(text.encode() if isinstance(text, str) else text)


MALFORMED: dict[str, Callable[[], bytes]] = {
    "not zstandard": lambda: b"plain",
    "cut short": lambda: packed("x" * 1000)[:-5],
    "more after the frame": lambda: packed(json.dumps(LINE) + "\n") + b"x",
    "length not said": lambda: zstandard.ZstdCompressor(write_content_size=False).compress(json.dumps(LINE).encode() + b"\n"),
    "not JSON": lambda: packed("{\n"),
    "not a row": lambda: packed("[]\n"),
    "not UTF-8": lambda: packed(b"\xff\n"),
    "last line not whole": lambda: packed(json.dumps(LINE)),
    "empty line": lambda: packed("\n"),
    "nested": lambda: packed("[" * 100_000 + "\n"),
    "column missing": lambda: packed(json.dumps({k: v for k, v in LINE.items() if k != "artist"}) + "\n"),
    "column more": lambda: packed(json.dumps({**LINE, "x": 1}) + "\n"),
    "negative bytes": lambda: packed(json.dumps({**LINE, "bytes": -1}) + "\n"),
    "bytes as text": lambda: packed(json.dumps({**LINE, "bytes": "1"}) + "\n"),
    "bytes as truth": lambda: packed(json.dumps({**LINE, "bytes": True}) + "\n"),
    "title as number": lambda: packed(json.dumps({**LINE, "title": 1}) + "\n"),
    "digest of wrong length": lambda: packed(json.dumps({**LINE, "sha256": "00"}) + "\n"),
    "root of wrong length": lambda: packed(json.dumps({**LINE, "pieces_root": "00"}) + "\n"),
    "version without object": lambda: packed(json.dumps({**LINE, "version": 1}) + "\n"),
    "object without version": lambda: packed(json.dumps({**LINE, "object": "urn:fonoteca:audio:a:b"}) + "\n"),
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_manifests_are_refused(content: Callable[[], bytes]) -> None:
    with pytest.raises(FormatError):
        from_jsonl(content())


def test_a_bomb_is_refused_before_it_expands() -> None:
    bomb = zstandard.compress(bytes(50_000_000))
    assert len(bomb) < 10_000
    with pytest.raises(FormatError, match="expected at most 1000000"):
        from_jsonl(bomb, bytes_max=1_000_000)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_what_is_not_parquet_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        from_parquet(content)
