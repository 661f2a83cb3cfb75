"""Torrents to spoil: sound ones of each form, the ways to spoil them, and what libtorrent makes of the result."""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import libtorrent as lt

from fonoteca.formats import bencode
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import Announce, hybrid_torrent, v1_only, v2_only
from fonoteca.formats.torrentreading import TORRENT_BYTES_MAX, Metainfo
from fonoteca.model.corridor import MemberFile

Top = dict[bytes, Any]

PIECE_BYTES = 16384
FORMS: Mapping[str, Callable[[bytes], bytes]] = {"hybrid": bytes, "v1": v1_only, "v2": v2_only}
PAYLOAD = {"a/long": 3 * PIECE_BYTES + 5, "a/short": 7, "b": 2 * PIECE_BYTES, "c/empty": 0}


def sound(form: str = "hybrid") -> Top:
    """Return a sound torrent of four files, decoded: a/long and b are longer than a piece, a/short is not."""
    files = [MemberFile(p, hash_bytes(hashlib.shake_128(p.encode()).digest(n), PIECE_BYTES)) for p, n in PAYLOAD.items()]
    announce = Announce(("https://tracker.example/a",), ("https://seed.example/",))
    value = bencode.decode(FORMS[form](hybrid_torrent("jazz", files, PIECE_BYTES, announce).content))
    assert isinstance(value, dict)
    return value


def single(form: str = "hybrid") -> Top:
    """Return a sound torrent without a folder, of one file of three pieces."""
    hashes = hash_bytes(b"x" * 40_000, PIECE_BYTES)
    info: Top = {b"name": b"one.ogg", b"piece length": PIECE_BYTES}
    top: Top = {b"info": info}
    if form != "v2":
        info |= {b"length": 40_000, b"pieces": hashes.v1_pieces}
    if form != "v1":
        leaf = {b"length": 40_000, b"pieces root": hashes.pieces_root}
        info |= {b"meta version": 2, b"file tree": {b"one.ogg": {b"": leaf}}}
        top[b"piece layers"] = {hashes.pieces_root: hashes.piece_layer}
    return top


def info(top: Top) -> Top:
    """Return the info dictionary."""
    found: Top = top[b"info"]
    return found


def row(top: Top, index: int) -> Top:
    """Return a file of the v1 list: 0 a/long, 1 its pad, 2 a/short, 3 its pad, 4 b, 5 c/empty."""
    found: Top = info(top)[b"files"][index]
    return found


def leaf(top: Top, *parts: bytes) -> Top:
    """Return a file of the tree."""
    node = info(top)[b"file tree"]
    for part in parts:
        node = node[part]
    found: Top = node[b""]
    return found


def layer_of(top: Top, *parts: bytes) -> bytes:
    """Return the pieces root of a file of the tree, which is the key of its piece layer."""
    root: bytes = leaf(top, *parts)[b"pieces root"]
    return root


def libtorrents(content: bytes) -> lt.add_torrent_params | str:
    """Return how libtorrent reads a torrent, or why it does not. Its limits are set to ours, or none would be compared."""
    try:
        return lt.load_torrent_buffer(content, {"max_buffer_size": TORRENT_BYTES_MAX})  # type: ignore[call-overload, no-any-return]
    except RuntimeError as error:
        return str(error)


def read_by_libtorrent(params: lt.add_torrent_params) -> tuple[str, int, list[tuple[str, int]], list[str]]:
    """Return the name, piece length, payload files and infohashes that libtorrent reads."""
    assert params.ti is not None
    layout, hashes = params.ti.layout(), params.ti.info_hashes()
    kept = [i for i in range(layout.num_files()) if not layout.file_flags(i) & lt.file_storage.flag_pad_file]
    files = [(layout.file_path(i), layout.file_size(i)) for i in kept]
    infohashes = [str(hashes.v1)] * hashes.has_v1() + [str(hashes.v2)] * hashes.has_v2()
    return params.ti.name(), params.ti.piece_length(), files, infohashes


def written(top: Top) -> list[tuple[str, int]]:
    """Return the payload files exactly as a torrent spells them, sane or not: those of the v1 list, or else of the tree."""
    found: list[tuple[list[bytes], int]] = []
    for each in info(top).get(b"files", ()):
        if b"p" not in each.get(b"attr", b""):
            found.append((each.get(b"path", []), each.get(b"length", 0)))
    if b"files" not in info(top):
        found = [(list(place[:-1]), node.get(b"length", 0)) for place, node in _leaves(info(top)[b"file tree"], ())]
    name = info(top)[b"name"]
    return [(b"/".join([name, *path]).decode("utf-8", "surrogateescape"), size) for path, size in found]


def _leaves(node: Any, above: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for key, each in node.items():
        if key == b"":
            yield (*above, key), each
        else:
            yield from _leaves(each, (*above, key))


def read_by_us(metainfo: Metainfo) -> tuple[str, int, list[tuple[str, int]], list[str]]:
    """Return the same of our own reading."""
    folder = PurePosixPath(metainfo.name)
    alone = [file.path for file in metainfo.files] == [metainfo.name]
    files = [(file.path if alone else str(folder / file.path), file.file_bytes) for file in metainfo.files]
    infohashes = [str(each) for each in (metainfo.infohash_v1, metainfo.infohash_v2) if each is not None]
    return metainfo.name, metainfo.piece_bytes, files, infohashes


_KEYS = (
    *b"attr length path path.utf-8 name.utf-8 name pieces private files info announce comment md5sum mtime sha1 nodes".split(),
    *(b"pieces root", b"symlink path", b"file tree", b"meta version", b"piece length", b"piece layers", b"url-list", b"", b"zz"),
)
_VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 16384, 16385, 2**31, 2**40, 2**62),
    *(b"", b"x", b"l", b"p", b"h", b"x" * 20, bytes(32), b"a", b"..", b"b", b"short", b"\xff", "\u00e9".encode()),
    *([], [b"a"], [b"b"], [b"..", b"x"], [1], [[b"http://x/"]]),
    *({}, {b"": {}}, {b"": {b"length": 0}}, {b"length": 5, b"path": [b"zz"]}),
)


def spoiled(top: Top, source: random.Random) -> Any:
    """Return a copy in which one place, anywhere, was taken away, changed, moved, swapped or added to."""
    value = copy.deepcopy(top)
    place = source.choice(list(_places(value, ())))
    if not place:
        value[source.choice(_KEYS)] = source.choice(_VALUES)
        return value
    parent, key = _at(value, place[:-1]), place[-1]
    node = parent[key]
    kind = source.randrange(8)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(node, dict):
        node[source.choice(_KEYS)] = copy.deepcopy(source.choice(_VALUES))
    elif kind == 1 and isinstance(node, list):
        node.append(copy.deepcopy(source.choice([*node, *_VALUES])))
    elif kind == 2 and isinstance(node, list):
        source.shuffle(node)
    elif kind == 3 and isinstance(node, int):
        parent[key] = node + source.choice((-1, 1, PIECE_BYTES, -PIECE_BYTES))
    elif kind == 4 and isinstance(node, bytes) and node:
        at = source.randrange(len(node))
        parent[key] = node[:at] + bytes([source.choice((0, 10, 46, 47, 58, 92, 65, 255, source.randrange(256)))]) + node[at + 1 :]
    elif kind == 5 and isinstance(parent, dict):
        parent[source.choice(_KEYS)] = parent.pop(key)
    elif kind == 6:
        parent[key] = copy.deepcopy(_at(value, source.choice(list(_places(value, ())))))
    else:
        parent[key] = copy.deepcopy(source.choice(_VALUES))
    return value


def _places(value: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield above
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _places(each, (*above, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _places(each, (*above, index))


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value
