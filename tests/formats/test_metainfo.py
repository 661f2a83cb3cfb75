"""Laws of torrents that are written; libtorrent is the second implementation."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import libtorrent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.formats import bencode, metainfo
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import Announce, hybrid_torrent, magnet, parse_torrent, v1_only, v2_only
from fonoteca.model.corridor import MemberFile
from fonoteca.model.errors import FormatError, TrustError
from fonoteca.model.hashes import BLOCK_BYTES

NOBODY = Announce()
PIECE_BYTES = 2 * BLOCK_BYTES
CHECK_TIMEOUT_S = 30

PATHS = st.lists(st.sampled_from(["a", "a-b", "a.c", "b", "b0", "Z", "é", "01 x.ogg"]), min_size=1, max_size=3).map("/".join)
LENGTHS = st.one_of(st.integers(0, 3), st.integers(0, 120_000), st.sampled_from([PIECE_BYTES, 2 * PIECE_BYTES]))


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, int]:
    """Return path to length: no path a folder of another, not all empty."""
    paths = draw(st.lists(PATHS, min_size=1, max_size=8, unique=True))
    folders = {path[:i] for path in paths for i, c in enumerate(path) if c == "/"}
    lengths = {path: draw(LENGTHS) for path in paths if path not in folders}
    lengths["m/last"] = draw(st.integers(0, 40_000))
    lengths["k"] = 1 + draw(st.integers(0, 40_000))
    return lengths


def content_of(path: str, file_bytes: int) -> bytes:
    """Return the file's bytes."""
    return hashlib.shake_128(path.encode()).digest(file_bytes)


def members(payload: dict[str, int], piece_bytes: int = PIECE_BYTES) -> list[MemberFile]:
    """Return the files with hashes."""
    return [MemberFile(path, hash_bytes(content_of(path, n), piece_bytes)) for path, n in payload.items()]


def write(root: Path, payload: dict[str, int]) -> None:
    """Put the payload on disk."""
    for path, file_bytes in payload.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content_of(path, file_bytes))


@pytest.fixture(scope="module")
def session() -> Any:
    """Return a libtorrent session that talks to nobody."""
    quiet = dict.fromkeys(("enable_dht", "enable_lsd", "enable_upnp", "enable_natpmp"), False)
    return libtorrent.session({"listen_interfaces": "", "alert_mask": 0, **quiet})


def checked_share(session: Any, content: bytes, folder: Path) -> float:
    """Return the share of a torrent's payload, 0 to 1, that libtorrent's full check finds below `folder`."""
    params = libtorrent.load_torrent_buffer(content)
    params.save_path = str(folder)
    params.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
    handle = session.add_torrent(params)
    deadline = time.monotonic() + CHECK_TIMEOUT_S
    checking = (
        libtorrent.torrent_status.checking_files,
        libtorrent.torrent_status.checking_resume_data,
    )
    try:
        while True:
            status = handle.status()
            assert not status.errc.value(), status.errc.message()
            if status.state not in checking:
                return float(status.progress)
            assert time.monotonic() < deadline, "libtorrent did not finish its check"
            time.sleep(0.005)
    finally:
        session.remove_torrent(handle)


@given(payloads(), st.sampled_from([BLOCK_BYTES, PIECE_BYTES]))
def test_a_torrent_that_is_written_is_read_whole(payload: dict[str, int], piece_bytes: int) -> None:
    files = members(payload, piece_bytes)
    announce = Announce(("http://t.example/announce", "udp://u.example:1/"), ("https://w.example/root/",))
    torrent = hybrid_torrent("jazz", files, piece_bytes, announce)
    read = parse_torrent(torrent.content)
    expected = {f.path: (f.hashes.file_bytes, f.hashes.pieces_root, f.hashes.piece_layer) for f in files}
    assert {f.path: (f.file_bytes, f.pieces_root, f.piece_layer) for f in read.files} == expected
    assert (read.name, read.piece_bytes, read.announce) == ("jazz", piece_bytes, announce)
    assert (read.infohash_v1, read.infohash_v2) == (torrent.infohash_v1, torrent.infohash_v2)
    assert bencode.encode(bencode.decode(torrent.content)) == torrent.content


@given(payloads())
def test_libtorrent_loads_all_three_forms_and_finds_the_same_infohashes(payload: dict[str, int]) -> None:
    hybrid = hybrid_torrent("jazz", members(payload), PIECE_BYTES, NOBODY).content
    for content in (hybrid, v1_only(hybrid), v2_only(hybrid)):
        read = parse_torrent(content)
        info = libtorrent.load_torrent_buffer(content).ti.info_hashes()
        assert read.infohash_v1 == (str(info.v1) if info.has_v1() else None)
        assert read.infohash_v2 == (str(info.v2) if info.has_v2() else None)


@pytest.mark.filterwarnings("ignore:create_torrent constructor:DeprecationWarning")
def test_libtorrent_writes_the_same_info_dictionary(tmp_path: Path) -> None:
    payload = {"a/x.ogg": 70_000, "a/y.ogg": PIECE_BYTES, "b": 1, "c/d/e": 5}
    write(tmp_path / "jazz", payload)
    storage = libtorrent.file_storage()
    for path, file_bytes in payload.items():
        storage.add_file(f"jazz/{path}", file_bytes)
    creator = libtorrent.create_torrent(storage, PIECE_BYTES, flags=int(libtorrent.create_torrent.canonical_files_no_tail_padding))
    libtorrent.set_piece_hashes(creator, str(tmp_path))
    theirs = creator.generate()
    ours = bencode.decode(hybrid_torrent("jazz", members(payload), PIECE_BYTES, NOBODY).content)
    assert isinstance(ours, dict)
    assert ours[b"info"] == theirs[b"info"]
    assert ours[b"piece layers"] == theirs[b"piece layers"]


@settings(max_examples=20, deadline=None)
@given(payload=payloads())
def test_libtorrent_finds_the_payload_complete_in_all_three_forms(
    payload: dict[str, int], session: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("payload")
    write(folder / "jazz", payload)
    hybrid = hybrid_torrent("jazz", members(payload), PIECE_BYTES, NOBODY).content
    for content in (hybrid, v1_only(hybrid), v2_only(hybrid)):
        assert checked_share(session, content, folder) == 1.0


@pytest.mark.parametrize("form", [lambda c: c, v1_only, v2_only], ids=["hybrid", "v1", "v2"])
def test_libtorrent_finds_one_damaged_byte(form: Any, session: Any, tmp_path: Path) -> None:
    payload = {"a.ogg": 5 * PIECE_BYTES, "b.ogg": 3 * PIECE_BYTES - 7}
    write(tmp_path / "jazz", payload)
    content = form(hybrid_torrent("jazz", members(payload), PIECE_BYTES, NOBODY).content)
    damaged = bytearray((tmp_path / "jazz" / "a.ogg").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "jazz" / "a.ogg").write_bytes(damaged)
    assert 0.8 < checked_share(session, content, tmp_path) < 0.9


@given(payloads(), st.randoms())
def test_the_order_of_arguments_changes_nothing(payload: dict[str, int], random: Any) -> None:
    files = members(payload)
    shuffled = list(files)
    random.shuffle(shuffled)
    assert hybrid_torrent("jazz", files, PIECE_BYTES, NOBODY) == hybrid_torrent("jazz", shuffled, PIECE_BYTES, NOBODY)


def test_the_bytes_of_a_torrent_never_change() -> None:
    torrent = hybrid_torrent("jazz", members({"a/x": 70_000, "a/empty": 0, "b": 3}), PIECE_BYTES, Announce(("http://t/a",)))
    assert torrent.infohash_v1 == "a852e15243cf89d79f4971a99b5f1386e86c9303"
    assert torrent.infohash_v2 == "044279c2c4c75e37be46abe39db6b2d5db77828a62c745c96f91124c762e76ab"
    assert hashlib.sha256(torrent.content).hexdigest() == "1e5c341fb79e462dbc06c3a6dcbe902bd08a2238515b970829e6033482232f2b"


def test_trackers_and_web_seeds_change_no_infohash() -> None:
    files = members({"a": 10, "b": 20})
    plain = hybrid_torrent("jazz", files, PIECE_BYTES, NOBODY)
    announced = hybrid_torrent("jazz", files, PIECE_BYTES, Announce(("http://t/a",), ("http://w/",)))
    assert plain.content != announced.content
    assert (plain.infohash_v1, plain.infohash_v2) == (announced.infohash_v1, announced.infohash_v2)


def test_a_piece_of_a_file_is_found_by_its_first_piece() -> None:
    payload = {"a": 70_000, "b": 0, "c": 100_000}
    for form in (hybrid_torrent("jazz", members(payload), PIECE_BYTES, NOBODY).content,):
        read = parse_torrent(form)
        for file in read.files:
            content = content_of(file.path, file.file_bytes)
            for index in range(file.file_bytes // PIECE_BYTES):
                piece = content[index * PIECE_BYTES : (index + 1) * PIECE_BYTES]
                start = 20 * (file.first_piece + index)
                assert read.v1_pieces[start : start + 20] == hashlib.sha1(piece).digest()
        assert [f.first_piece for f in parse_torrent(v2_only(form)).files] == [f.first_piece for f in read.files]


def test_equal_files_share_one_layer() -> None:
    hashes = hash_bytes(content_of("x", 100_000), PIECE_BYTES)
    torrent = hybrid_torrent("jazz", [MemberFile("a", hashes), MemberFile("b", hashes)], PIECE_BYTES, NOBODY)
    assert [f.piece_layer for f in parse_torrent(torrent.content).files] == [hashes.piece_layer] * 2
    libtorrent.load_torrent_buffer(torrent.content)


def test_a_magnet_link_says_to_libtorrent_what_the_torrent_says() -> None:
    torrent = hybrid_torrent("jazz & more", members({"a": 10}), PIECE_BYTES, NOBODY)
    announce = Announce(("http://t.example/a?b=1&c=2",), ("http://w.example/é/",))
    params = libtorrent.parse_magnet_uri(magnet(parse_torrent(torrent.content), announce))
    assert (str(params.info_hashes.v1), str(params.info_hashes.v2)) == (torrent.infohash_v1, torrent.infohash_v2)
    assert (params.name, list(params.trackers)) == ("jazz & more", ["http://t.example/a?b=1&c=2"])
    assert list(params.url_seeds) == ["http://w.example/é/"]


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a//x", "a/./x", "a\\x", "a\nb", "a\u202eb", "A:x", "nul", "x.", ".pad/1", "x" * 256, "", "a/", "a/" * 30 + "x"],
)
def test_a_path_that_clients_rewrite_is_never_written(path: str) -> None:
    with pytest.raises(TrustError):
        hybrid_torrent("jazz", [MemberFile(path, hash_bytes(b"x", PIECE_BYTES))], PIECE_BYTES, NOBODY)


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "A"), ("a/x", "A/y"), ("a", "a/x"), ("É", "e\u0301"), ("ß", "SS")])
def test_paths_that_clash_are_never_written(paths: tuple[str, str]) -> None:
    hashes = hash_bytes(b"x", PIECE_BYTES)
    with pytest.raises(TrustError):
        hybrid_torrent("jazz", [MemberFile(path, hashes) for path in paths], PIECE_BYTES, NOBODY)


def test_what_makes_no_torrent_is_refused() -> None:
    with pytest.raises(FormatError, match="not empty"):
        hybrid_torrent("jazz", members({"a": 0}), PIECE_BYTES, NOBODY)
    with pytest.raises(FormatError, match="name of the torrent"):
        hybrid_torrent("jazz", members({"jazz": 1}), PIECE_BYTES, NOBODY)
    with pytest.raises(FormatError, match="hashed in pieces"):
        hybrid_torrent("jazz", members({"a": 1}), BLOCK_BYTES, NOBODY)
    with pytest.raises(TrustError):
        hybrid_torrent("a/b", members({"a": 1}), PIECE_BYTES, NOBODY)


def test_a_torrent_of_one_half_has_no_other() -> None:
    hybrid = hybrid_torrent("jazz", members({"a": 1}), PIECE_BYTES, NOBODY).content
    with pytest.raises(FormatError):
        v1_only(v2_only(hybrid))
    with pytest.raises(FormatError):
        v2_only(v1_only(hybrid))
    with pytest.raises(FormatError):
        v1_only(bencode.encode([1]))


def test_everything_promised_is_offered() -> None:
    assert all(hasattr(metainfo, name) for name in metainfo.__all__)
