"""Strangers' torrents: each lie is refused, and nothing but a FonotecaError comes of any bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats import bencode, torrentfiles, torrentreading
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import Announce, hybrid_torrent, parse_torrent, v1_only, v2_only
from fonoteca.model.corridor import MemberFile
from fonoteca.model.errors import FonotecaError, FormatError, TrustError
from fonoteca.model.hashes import BLOCK_BYTES

PIECE_BYTES = BLOCK_BYTES
Top = dict[bytes, Any]


def sound() -> Top:
    """Return a sound hybrid of three files, decoded."""
    payload = {"a/long": 3 * PIECE_BYTES + 5, "a/short": 7, "b": 2 * PIECE_BYTES}
    files = [MemberFile(p, hash_bytes(hashlib.shake_128(p.encode()).digest(n), PIECE_BYTES)) for p, n in payload.items()]
    value = bencode.decode(hybrid_torrent("jazz", files, PIECE_BYTES, Announce()).content)
    assert isinstance(value, dict)
    return value


def info(top: Top) -> Top:
    """Return the info dictionary."""
    found: Top = top[b"info"]
    return found


def row(top: Top, index: int) -> Top:
    """Return a file of the v1 list: 0 a/long, 1 its pad, 2 a/short, 3 its pad, 4 b."""
    found: Top = info(top)[b"files"][index]
    return found


def leaf(top: Top, *parts: bytes) -> Top:
    """Return a file of the tree."""
    node = info(top)[b"file tree"]
    for part in parts:
        node = node[part]
    found: Top = node[b""]
    return found


def swap_layers(top: Top) -> None:
    """Let two files of one layer length prove each other."""
    layers = top[b"piece layers"]
    (first, second) = layers
    layers[first], layers[second] = layers[second], layers[first]


LIES: dict[str, Callable[[Top], object]] = {
    "empty part in the list": lambda t: row(t, 4).update({b"path": [b""]}),
    "no path in the list": lambda t: row(t, 4).update({b"path": []}),
    "path in the list is a string": lambda t: row(t, 4).update({b"path": b"b"}),
    "empty name in the tree": lambda t: info(t)[b"file tree"].update({b"": {b"length": 1, b"pieces root": bytes(32)}}),
    "file and folder at once": lambda t: info(t)[b"file tree"][b"b"].update({b"x": {b"": {b"length": 0}}}),
    "empty folder": lambda t: info(t)[b"file tree"].update({b"c": {}}),
    "file in the v1 half alone": lambda t: info(t)[b"files"].append({b"length": 0, b"path": [b"c"]}),
    "file in the v2 half alone": lambda t: info(t)[b"file tree"].update({b"c": {b"": {b"length": 0}}}),
    "length differs in the v1 half": lambda t: row(t, 4).update({b"length": 2 * PIECE_BYTES - 1}),
    "length differs in the v2 half": lambda t: leaf(t, b"b").update({b"length": 2 * PIECE_BYTES - 1}),
    "name differs in the v1 half": lambda t: row(t, 4).update({b"path": [b"c"]}),
    "order differs": lambda t: info(t)[b"files"].reverse(),
    "negative length": lambda t: leaf(t, b"b").update({b"length": -1}),
    "endless length": lambda t: leaf(t, b"b").update({b"length": 2**62}),
    "pad is missing": lambda t: info(t)[b"files"].pop(1),
    "pad is short": lambda t: row(t, 1).update({b"length": 1}),
    "pad is twice": lambda t: info(t)[b"files"].insert(1, dict(row(t, 1))),
    "pad is named as payload": lambda t: row(t, 1).update({b"path": [b"b"]}),
    "pad leads out": lambda t: row(t, 1).update({b"path": [b"..", b"1"]}),
    "pad is payload": lambda t: row(t, 1).pop(b"attr"),
    "payload is pad": lambda t: row(t, 4).update({b"attr": b"p"}),
    "pad in the tree": lambda t: leaf(t, b"b").update({b"attr": b"p"}),
    "symbolic link in the list": lambda t: row(t, 4).update({b"attr": b"l", b"symlink path": [b"..", b"x"]}),
    "symbolic link in the tree": lambda t: leaf(t, b"b").update({b"attr": b"l"}),
    "link path alone": lambda t: leaf(t, b"b").update({b"symlink path": [b"x"]}),
    "pieces are short": lambda t: info(t).update({b"pieces": info(t)[b"pieces"][:-20]}),
    "pieces are long": lambda t: info(t).update({b"pieces": info(t)[b"pieces"] + bytes(20)}),
    "pieces are broken": lambda t: info(t).update({b"pieces": info(t)[b"pieces"][:-1]}),
    "both length and files": lambda t: info(t).update({b"length": 5}),
    "layer of another file": swap_layers,
    "layer is missing": lambda t: t[b"piece layers"].popitem(),
    "layers are missing": lambda t: t.pop(b"piece layers"),
    "layer is short": lambda t: t[b"piece layers"].update({leaf(t, b"b")[b"pieces root"]: bytes(32)}),
    "layer is flipped": lambda t: t[b"piece layers"].update({leaf(t, b"b")[b"pieces root"]: bytes(64)}),
    "layer of nothing": lambda t: t[b"piece layers"].update({bytes(32): bytes(64)}),
    "layer is a list": lambda t: t[b"piece layers"].update({leaf(t, b"b")[b"pieces root"]: [1]}),
    "root is missing": lambda t: leaf(t, b"a", b"short").pop(b"pieces root"),
    "root is short": lambda t: leaf(t, b"a", b"short").update({b"pieces root": bytes(31)}),
    "one root for two lengths": lambda t: leaf(t, b"b").update({b"pieces root": leaf(t, b"a", b"long")[b"pieces root"]}),
    "piece length of zero": lambda t: info(t).update({b"piece length": 0}),
    "piece length below a block": lambda t: info(t).update({b"piece length": 8192}),
    "piece length is odd": lambda t: info(t).update({b"piece length": 16385}),
    "piece length differs": lambda t: info(t).update({b"piece length": 2 * PIECE_BYTES}),
    "piece length is endless": lambda t: info(t).update({b"piece length": 2**40}),
    "meta version 3": lambda t: info(t).update({b"meta version": 3}),
    "meta version is missing": lambda t: info(t).pop(b"meta version"),
    "meta version is a list": lambda t: info(t).update({b"meta version": [2]}),
    "tree is missing": lambda t: info(t).pop(b"file tree"),
    "name is missing": lambda t: info(t).pop(b"name"),
    "name leads out": lambda t: info(t).update({b"name": b".."}),
    "name is a path": lambda t: info(t).update({b"name": b"a/b"}),
    "name is a number": lambda t: info(t).update({b"name": 5}),
    "info is missing": lambda t: t.pop(b"info"),
    "info is a list": lambda t: t.update({b"info": [1]}),
    "announce list is a string": lambda t: t.update({b"announce-list": b"http://t/"}),
    "tier is a string": lambda t: t.update({b"announce-list": [b"http://t/"]}),
    "web seed is a number": lambda t: t.update({b"url-list": [5]}),
    "web seed is endless": lambda t: t.update({b"url-list": [b"x" * 10_000]}),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_torrent_that_lies_is_refused(lie: Callable[[Top], object]) -> None:
    top = sound()
    lie(top)
    with pytest.raises((FormatError, TrustError)):
        parse_torrent(bencode.encode(top))


NAMES = {
    "leads out": b"..",
    "is here": b".",
    "is absolute": b"/etc/passwd",
    "has separators": b"x/../../y",
    "has a backslash": b"..\\y",
    "has a newline": b"x\ny",
    "has a direction mark": "x\u202egpj".encode(),
    "has a nul": b"x\0",
    "is not UTF-8": b"\xff\xfe",
    "is too long": b"x" * 256,
    "is a device": b"COM1.ogg",
    "ends with a space": b"x ",
    "clashes by case": b"A",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_name_that_clients_rewrite_is_refused_in_either_half(name: bytes) -> None:
    v1 = bencode.decode(v1_only(bencode.encode(sound())))
    v2 = bencode.decode(v2_only(bencode.encode(sound())))
    assert isinstance(v1, dict)
    assert isinstance(v2, dict)
    row(v1, 4)[b"path"] = [name]
    tree = info(v2)[b"file tree"]
    tree[name] = tree.pop(b"b")
    for top in (v1, v2):
        with pytest.raises(TrustError, match=r"name|path|file and a folder"):
            parse_torrent(bencode.encode(top))


@pytest.mark.parametrize("folder", [b"..", b"", b"/", b".PAD", b"A", b"b"])
def test_a_folder_that_clients_rewrite_is_refused(folder: bytes) -> None:
    v1 = bencode.decode(v1_only(bencode.encode(sound())))
    assert isinstance(v1, dict)
    row(v1, 2)[b"path"] = [folder, b"x"]
    with pytest.raises(TrustError, match=r"name|path|clash|file and a folder|pad"):
        parse_torrent(bencode.encode(v1))


def test_the_torrent_that_the_lies_are_made_from_is_sound() -> None:
    assert [f.path for f in parse_torrent(bencode.encode(sound())).files] == ["a/long", "a/short", "b"]


def test_a_pad_may_end_a_torrent() -> None:
    top = sound()
    tail = {b"attr": b"p", b"length": PIECE_BYTES - 7, b"path": [b".pad", b"%d" % (PIECE_BYTES - 7)]}
    info(top)[b"files"] = [*info(top)[b"files"][:3], tail]
    del info(top)[b"file tree"][b"b"]
    info(top)[b"pieces"] = info(top)[b"pieces"][:-40]
    top[b"piece layers"] = {
        leaf(top, b"a", b"long")[b"pieces root"]: top[b"piece layers"][leaf(top, b"a", b"long")[b"pieces root"]]
    }
    assert len(parse_torrent(bencode.encode(top)).files) == 2


@pytest.mark.parametrize("form", [v1_only, v2_only])
def test_a_huge_count_of_files_is_refused(form: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torrentfiles, "FILES_MAX", 2)
    with pytest.raises(TrustError, match="files, expected at most 2"):
        parse_torrent(form(bencode.encode(sound())))


def test_a_huge_file_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torrentreading, "TORRENT_BYTES_MAX", 100)
    with pytest.raises(TrustError, match="at most 100"):
        parse_torrent(bytes(101))


def test_a_huge_count_of_pieces_is_refused() -> None:
    content = bencode.encode({"info": {"length": 2**45, "name": "x", "piece length": 1, "pieces": b""}})
    with pytest.raises(TrustError, match="pieces"):
        parse_torrent(content)


@given(st.integers(0, 10**6), st.integers(1, 255), st.sampled_from(["hybrid", "v1", "v2"]))
def test_a_flipped_byte_is_refused_or_changes_an_infohash_or_only_the_announce(at: int, flip: int, form: str) -> None:
    content = bytearray({"hybrid": bytes, "v1": v1_only, "v2": v2_only}[form](bencode.encode(sound())))
    before = parse_torrent(bytes(content))
    content[at % len(content)] ^= flip
    try:
        after = parse_torrent(bytes(content))
    except FonotecaError:
        return
    assert (before.infohash_v1, before.infohash_v2) != (after.infohash_v1, after.infohash_v2)


@given(
    st.recursive(
        st.one_of(st.integers(0, 9), st.binary(max_size=3)), lambda v: st.lists(v) | st.dictionaries(st.binary(max_size=2), v)
    )
)
def test_no_value_in_any_place_does_more_than_be_refused(value: Any) -> None:
    places: list[Callable[[Top], Top]] = [
        lambda t: t,
        info,
        lambda t: row(t, 0),
        lambda t: leaf(t, b"b"),
        lambda t: t[b"piece layers"],
    ]
    for place in places:
        for key in place(sound()):
            top = sound()
            place(top)[key] = value
            try:
                parse_torrent(bencode.encode(top))
            except FonotecaError:
                continue


SOUND = {
    "alice": "alice.txt",
    "leaves": "Leaves of Grass by Walt Whitman.epub",
    "leaves-metadata": "Leaves of Grass by Walt Whitman.epub",
    "folder": "folder",
    "numbers": "numbers",
    "lots-of-numbers": "lots-of-numbers",
    "bunny": "bbb_sunflower_1080p_30fps_stereo_abl.mp4",
    "sintel": "Sintel.2010.4K.DMRip.x264.DD.DTS.SRT-MaLLIeHbKa.mkv",
}


@pytest.mark.parametrize("stem", SOUND)
def test_sound_torrents_of_other_projects_are_read(stem: str, fixtures: Path) -> None:
    folder = fixtures / "torrents-webtorrent" / "fixtures"
    read = parse_torrent((folder / f"{stem}.torrent").read_bytes())
    assert (read.name, read.infohash_v2) == (SOUND[stem], None)
    root = folder / read.name
    if not root.exists():
        return
    names = [read.name] if root.is_file() else [f"{read.name}/{file.path}" for file in read.files]
    payload = b"".join((folder / name).read_bytes() for name in names)
    assert len(payload) == read.payload_bytes
    starts = range(0, len(payload), read.piece_bytes)
    assert read.v1_pieces == b"".join(hashlib.sha1(payload[i : i + read.piece_bytes]).digest() for i in starts)


def test_the_corrupt_torrent_of_another_project_is_refused(fixtures: Path) -> None:
    content = (fixtures / "torrents-webtorrent" / "fixtures" / "corrupt.torrent").read_bytes()
    with pytest.raises(FormatError, match="name"):
        parse_torrent(content)
