"""Torrent files: hybrids written from hashes alone, and what else is made of a torrent. BEP 3, BEP 47 (pads), BEP 52.

Reading, `parse_torrent`, has its own module and is offered here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1, sha256
from urllib.parse import quote

from fonoteca.formats import bencode, merkle
from fonoteca.formats.torrentpaths import check_name, check_paths
from fonoteca.formats.torrentreading import V1_HASH_BYTES, Announce, Metainfo, TorrentFile, parse_torrent
from fonoteca.model.corridor import MemberFile
from fonoteca.model.errors import FormatError
from fonoteca.model.ids import InfohashV1, InfohashV2

__all__ = [
    "LOADABLE_TORRENT_BYTES_MAX",
    "Announce",
    "Metainfo",
    "Torrent",
    "TorrentFile",
    "hybrid_torrent",
    "magnet",
    "parse_torrent",
    "torrent_bytes_bound",
    "torrent_order",
    "v1_only",
    "v2_only",
]

LOADABLE_TORRENT_BYTES_MAX = 10_000_000
"""libtorrent 2.1, `load_torrent_limits.max_buffer_size`: a longer torrent file is refused as "metadata too large"."""

_FILE_BYTES_BOUND = 190
_PART_BYTES_BOUND = 6
_LAYER_BYTES_BOUND = 45
"""What a file, a part of a path and the key of a piece layer add to a torrent at most: field names, lengths, a pad file."""


@dataclass(frozen=True, slots=True)
class Torrent:
    """A hybrid torrent file and its two infohashes."""

    content: bytes
    infohash_v1: InfohashV1
    infohash_v2: InfohashV2


def torrent_order(files: Iterable[MemberFile]) -> list[MemberFile]:
    """Return the files in the one order that both halves of a hybrid can have.

    A file tree is a dictionary, so its keys ascend as raw bytes, part by part: `a/x` before `a-b/x`, unlike whole paths.
    """
    # Code points ascend as their UTF-8 does, and nothing is before NUL: the order of the parts without splitting a path.
    return sorted(files, key=lambda file: file.path.replace("/", "\0"))


def hybrid_torrent(name: str, files: Sequence[MemberFile], piece_bytes: int, announce: Announce) -> Torrent:
    """Return the hybrid torrent of files whose hashes are known. The same arguments give the same bytes, in any order of files.

    name: the torrent's own name, the folder in which clients put the payload.
    Raises: TrustError for a name or path that a client would rewrite; FormatError when no file has bytes, a file was
        hashed with other pieces, or the only file has the torrent's name (BEP 52 reads that as a torrent without folder).
    Cost: O(files + pieces), no content is read. About 7 us a file of 1 MB.
    Source: BEP 52, "Upgrade Path"; order and pads as libtorrent 2.1 writes them.
    """
    ordered = torrent_order(files)
    check_name("torrent", name)
    check_paths(f"torrent {name}", [file.path for file in ordered])
    if not any(file.hashes.file_bytes for file in ordered):
        raise FormatError(f"torrent {name}", "expected at least one file that is not empty")
    if len(ordered) == 1 and ordered[0].path == name:
        raise FormatError(f"torrent {name}", "the only file has the name of the torrent")
    for file in ordered:
        if file.hashes.piece_bytes != piece_bytes:
            raise FormatError(file.path, f"hashed in pieces of {file.hashes.piece_bytes} bytes, expected {piece_bytes}")
    info = b"".join(
        [
            b"d9:file tree",
            _file_tree(ordered),
            *_v1_files(ordered, piece_bytes),
            b"12:meta versioni2e4:name",
            bencode.encode(name),
            b"12:piece lengthi%de6:pieces" % piece_bytes,
            bencode.encode(_v1_pieces(ordered)),
            b"e",
        ]
    )
    return Torrent(
        content=b"".join([*_head(announce), b"4:info", info, _piece_layers(ordered), *_url_list(announce), b"e"]),
        infohash_v1=InfohashV1(sha1(info).hexdigest()),
        infohash_v2=InfohashV2(sha256(info).hexdigest()),
    )


def torrent_bytes_bound(files: Iterable[MemberFile]) -> int:
    """Return how much these files add to a torrent file, at most: some 10 % above the truth."""
    folders: set[str] = set()
    bound = 0
    for file in files:
        path = file.path
        folder, _, name = path.rpartition("/")
        bound += _FILE_BYTES_BOUND + len(name.encode()) + len(path.encode()) + _PART_BYTES_BOUND * path.count("/")
        while folder and folder not in folders:
            folders.add(folder)
            folder, _, name = folder.rpartition("/")
            bound += _PART_BYTES_BOUND + len(name.encode())
        pieces = file.hashes.piece_count
        bound += V1_HASH_BYTES * pieces
        if pieces > 1:
            bound += _LAYER_BYTES_BOUND + merkle.HASH_BYTES * pieces
    return bound


def v1_only(content: bytes) -> bytes:
    """Return a torrent of the same payload for clients without BEP 52. It has an infohash, and so a swarm, of its own.

    content: a hybrid. Its pad files stay: the pieces count them (BEP 47). Raises: FormatError when it has no v1 half.
    """
    top, info = _dictionaries(content)
    if b"pieces" not in info:
        raise FormatError("torrent", "has no v1 half")
    kept = {key: value for key, value in info.items() if key not in (b"file tree", b"meta version")}
    return bencode.encode({**{k: v for k, v in top.items() if k != b"piece layers"}, b"info": kept})


def v2_only(content: bytes) -> bytes:
    """Return a torrent of the same payload without its v1 half and pad files. It has an infohash of its own.

    Raises: FormatError when it has no v2 half.
    """
    top, info = _dictionaries(content)
    if b"file tree" not in info:
        raise FormatError("torrent", "has no v2 half")
    kept = {key: value for key, value in info.items() if key not in (b"files", b"length", b"pieces")}
    return bencode.encode({**top, b"info": kept})


def announced_also(content: bytes, announce: Announce) -> bytes:
    """Return the same torrent, swarm and all, with further web seeds: where a torrent is announced is outside its infohash."""
    top, _ = _dictionaries(content)
    known = top.get(b"url-list", [])
    seeds = list(known) if isinstance(known, list) else [known]
    return bencode.encode({**top, b"url-list": [*seeds, *(url.encode() for url in announce.web_seeds)]})


def magnet(metainfo: Metainfo, announce: Announce) -> str:
    """Return a magnet link with every infohash of the torrent (BEP 9; BEP 52: `btmh` with multihash prefix 1220)."""
    terms = []
    if metainfo.infohash_v1 is not None:
        terms.append(f"xt=urn:btih:{metainfo.infohash_v1}")
    if metainfo.infohash_v2 is not None:
        terms.append(f"xt=urn:btmh:1220{metainfo.infohash_v2}")
    terms.append(f"dn={quote(metainfo.name, safe='')}")
    terms += [f"tr={quote(url, safe='')}" for url in announce.trackers]
    terms += [f"ws={quote(url, safe='')}" for url in announce.web_seeds]
    return "magnet:?" + "&".join(terms)


def _dictionaries(content: bytes) -> tuple[dict[bytes, bencode.Value], dict[bytes, bencode.Value]]:
    """Return the outermost dictionary and the info dictionary of a torrent."""
    top = bencode.decode(content)
    info = top.get(b"info") if isinstance(top, dict) else None
    if not isinstance(top, dict) or not isinstance(info, dict):
        raise FormatError("torrent", "expected a dictionary with an info dictionary")
    return top, info


def _file_tree(files: Sequence[MemberFile]) -> bytes:
    """Return the encoded BEP 52 file tree. The order of files is the order of the tree, so it is written as it is walked."""
    parts = [b"d"]
    opened: list[bytes] = []
    before = ""
    for file in files:
        folder, _, name = file.path.rpartition("/")
        if folder != before:  # most files have neighbours
            opened, before = _walk(parts, opened, folder), folder
        leaf, hashes = name.encode(), file.hashes
        if hashes.file_bytes:
            line = b"%d:%bd0:d6:lengthi%de11:pieces root32:%bee"
            parts.append(line % (len(leaf), leaf, hashes.file_bytes, hashes.pieces_root))
        else:
            parts.append(b"%d:%bd0:d6:lengthi0eee" % (len(leaf), leaf))
    parts.append(b"e" * (len(opened) + 1))
    return b"".join(parts)


def _walk(parts: list[bytes], opened: list[bytes], folder: str) -> list[bytes]:
    """Return the parts of the path of a folder after those that are open were closed and its own opened."""
    path = folder.encode().split(b"/") if folder else []
    shared = 0
    while shared < len(path) and shared < len(opened) and path[shared] == opened[shared]:
        shared += 1
    parts.append(b"e" * (len(opened) - shared))
    parts += [b"%d:%bd" % (len(part), part) for part in path[shared:]]
    return path


def _v1_files(files: Sequence[MemberFile], piece_bytes: int) -> list[bytes]:
    """Return the encoded v1 file list with its key: a pad file after every file that another one with bytes follows."""
    last = _last_with_bytes(files)
    parts = [b"5:filesl"]
    encoded, before = b"", ""
    for index, file in enumerate(files):
        folder, _, name = file.path.rpartition("/")
        if folder != before:
            encoded = b"".join(b"%d:%b" % (len(part), part) for part in folder.encode().split(b"/")) if folder else b""
            before = folder
        leaf, file_bytes = name.encode(), file.hashes.file_bytes
        parts.append(b"d6:lengthi%de4:pathl%b%d:%bee" % (file_bytes, encoded, len(leaf), leaf))
        pad_bytes = -file_bytes % piece_bytes
        if pad_bytes and index < last:
            digits = b"%d" % pad_bytes
            parts.append(b"d4:attr1:p6:lengthi%be4:pathl4:.pad%d:%bee" % (digits, len(digits), digits))
    parts.append(b"e")
    return parts


def _v1_pieces(files: Sequence[MemberFile]) -> bytes:
    """Return SHA-1 of all v1 pieces: every file but the last one with bytes is padded to whole pieces."""
    last = _last_with_bytes(files)
    parts = []
    for index, file in enumerate(files):
        if index < last:
            parts.append(file.hashes.v1_pieces[:-V1_HASH_BYTES])
            parts.append(file.hashes.v1_last_padded)
        else:
            parts.append(file.hashes.v1_pieces)
    return b"".join(parts)


def _last_with_bytes(files: Sequence[MemberFile]) -> int:
    """Return the index of the last file that is not empty."""
    return next(index for index in range(len(files) - 1, -1, -1) if files[index].hashes.file_bytes)


def _piece_layers(files: Sequence[MemberFile]) -> bytes:
    """Return the encoded piece layers with their key: of files longer than a piece, equal files once."""
    layers = {file.hashes.pieces_root: file.hashes.piece_layer for file in files if file.hashes.piece_layer}
    return b"12:piece layers" + bencode.encode(layers)


def _head(announce: Announce) -> list[bytes]:
    """Return the start of the outermost dictionary, up to the info key. BEP 12: each tracker a tier of its own."""
    parts = [b"d"]
    if announce.trackers:
        tiers = [[url] for url in announce.trackers]
        parts += [b"8:announce", bencode.encode(announce.trackers[0]), b"13:announce-list", bencode.encode(tiers)]
    return parts


def _url_list(announce: Announce) -> list[bytes]:
    """Return the web seeds with their key (BEP 19), or nothing."""
    return [b"8:url-list", bencode.encode(list(announce.web_seeds))] if announce.web_seeds else []
