"""The verdict on any torrent file: every reason it is refused for, what is unwise, and what libtorrent thinks of it."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torrent_world import (
    FORMS,
    PIECE_BYTES,
    Top,
    info,
    layer_of,
    leaf,
    libtorrents,
    read_by_libtorrent,
    read_by_us,
    row,
    single,
    sound,
    spoiled,
    written,
)

from fonoteca.formats import bencode
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.formats.torrentcheck import Verdict, check_torrent
from fonoteca.formats.torrentrules import KEPT_OF_A_CODE_MAX, RULES
from fonoteca.model.errors import FonotecaError

Spoil = Callable[[Top], object]

TAKES, REFUSES, REWRITES = "takes", "refuses", "rewrites"
"""What libtorrent 2.1 does with a torrent: reads it as written, refuses it, or silently reads another."""

V1, V2, HYBRID = "v1", "v2", "hybrid"


def verdict_of(top: object) -> Verdict:
    assert isinstance(top, dict)
    return check_torrent(bencode.encode(top))


def renamed(index: int, *parts: bytes) -> Spoil:
    """Give a file of the v1 list another path."""
    return lambda top: row(top, index).update({b"path": list(parts)})


def in_tree(name: bytes) -> Spoil:
    """Give file b of the tree another name."""
    return lambda top: info(top)[b"file tree"].update({name: info(top)[b"file tree"].pop(b"b")})


def deep_tree(top: Top) -> None:
    node = info(top)[b"file tree"].pop(b"b")
    for _ in range(25):
        node = {b"d": node}
    info(top)[b"file tree"][b"d"] = node


def link(*target: bytes) -> Spoil:
    """Make c/empty of the v1 list a link."""
    return lambda top: row(top, 5).update({b"attr": b"l", b"symlink path": list(target)})


def without_layer(top: Top) -> None:
    top[b"piece layers"].pop(layer_of(top, b"b"))


def merkle_tree_of_bep_30(top: Top) -> None:
    info(top)[b"root hash"] = info(top).pop(b"pieces")[:20]


def other_layer(layer: bytes) -> Spoil:
    return lambda top: top[b"piece layers"].update({layer_of(top, b"b"): layer})


CASES: dict[str, tuple[str, Spoil, str, str]] = {
    # Names and paths. The names of libtorrent's own tests are in brackets, where there is an equal one.
    "traversal [parent_path]": (V1, renamed(4, b"..", b"b"), "name.traversal", REWRITES),
    "traversal inside [hidden_parent_path]": (V1, renamed(4, b"a", b"..", b"..", b"b"), "name.traversal", REWRITES),
    "traversal in one part": (V1, renamed(4, b"x/../../b"), "name.traversal", REWRITES),
    "here": (V1, renamed(4, b".", b"b"), "name.traversal", REWRITES),
    "empty part [empty_path]": (V1, renamed(4, b""), "name.traversal", REWRITES),
    "empty parts [empty_path_multi]": (V1, renamed(4, b"", b"", b"b"), "name.traversal", REWRITES),
    "no parts": (V1, renamed(4), "field.type", REFUSES),
    "traversal in the tree [v2_invalid_filename]": (V2, in_tree(b".."), "name.traversal", REWRITES),
    "separator in the tree": (V2, in_tree(b"a/x"), "name.separator", REWRITES),
    "absolute [absolute_filename]": (V1, renamed(4, b"/etc", b"passwd"), "path.absolute", REWRITES),
    "separator [slash_path2]": (V1, renamed(4, b"a/x"), "name.separator", REWRITES),
    "only a separator [slash_path]": (V1, renamed(4, b"/", b"b"), "name.traversal", REWRITES),
    "backslash [backslash_path]": (V1, renamed(4, b"a\\x"), "name.separator", REWRITES),
    "drive": (V1, renamed(4, b"C:", b"b"), "name.drive", TAKES),
    "share": (V1, renamed(4, b"\\\\server\\share"), "name.drive", REWRITES),
    "stream": (V1, renamed(4, b"bb:stream"), "name.characters", TAKES),
    "device": (V1, renamed(4, b"nul.ogg"), "name.device", TAKES),
    "device with a superscript": (V1, renamed(4, "COM\u00b9.txt".encode()), "name.device", TAKES),
    "console": (V1, renamed(4, b"CONOUT$"), "name.device", TAKES),
    "full stop": (V1, renamed(4, b"b."), "name.end", TAKES),
    "space": (V1, renamed(4, b"b "), "name.end", TAKES),
    "newline [symlink_filtered_path]": (V1, renamed(4, b"b\nx"), "name.characters", REWRITES),
    "nul": (V1, renamed(4, b"b\0x"), "name.characters", REWRITES),
    "direction": (V1, renamed(4, "b\u202egpj".encode()), "name.characters", REWRITES),
    "isolate": (V1, renamed(4, "b\u2066gpj".encode()), "name.characters", REWRITES),
    "not UTF-8 [invalid_filename]": (V1, renamed(4, b"b\xff"), "name.utf8", REWRITES),
    "surrogate": (V1, renamed(4, b"b\xed\xa0\x80"), "name.utf8", REWRITES),
    "long name [long_name]": (V1, renamed(4, b"x" * 241), "name.long", REWRITES),
    "long name in the tree [sanitize_limits]": (V2, in_tree(b"x" * 1000), "name.long", REWRITES),
    "name of 240 bytes": (V1, renamed(4, b"x" * 240), "", TAKES),
    "long path": (V1, renamed(4, *[b"x" * 200] * 6), "path.long", TAKES),
    "deep path": (V1, renamed(4, *[b"x"] * 21), "path.deep", TAKES),
    "deep tree": (V2, deep_tree, "path.deep", TAKES),
    "equal paths [duplicate_files]": (V1, renamed(4, b"a", b"long"), "path.clash", TAKES),
    "clash by case": (V1, renamed(4, b"a", b"LONG"), "path.clash", TAKES),
    "clash of folders by case": (V1, renamed(4, b"A", b"b"), "path.clash", TAKES),
    "clash by normalisation": (
        V1,
        lambda t: (renamed(4, "a\u0301".encode())(t), renamed(2, "\u00e1".encode())(t)),
        "path.clash",
        TAKES,
    ),
    "clash by folding": (V1, lambda t: (renamed(4, "stra\u00dfe".encode())(t), renamed(2, b"strasse")(t)), "path.clash", TAKES),
    "clash in the tree": (
        V2,
        lambda t: info(t)[b"file tree"][b"a"].update({b"LONG": {b"": {b"length": 0}}}),
        "path.clash",
        REWRITES,
    ),
    "file and folder": (V1, renamed(4, b"a"), "path.folder", TAKES),
    "file and folder in the tree": (V2, lambda t: info(t)[b"file tree"][b"b"].update({b"x": {}}), "path.folder", REFUSES),
    "payload among the pads": (V1, renamed(4, b".pad", b"16379"), "path.pad", TAKES),
    "payload named as padding": (V1, renamed(4, b"_____padding_file_0_x"), "name.pad", REWRITES),
    "payload named like padding": (V1, renamed(4, b"x_____padding_file_0"), "name.pad", REWRITES),
    "second path": (V1, lambda t: row(t, 4).update({b"path.utf-8": [b"c", b"d"]}), "name.second", REWRITES),
    "second name": (V1, lambda t: info(t).update({b"name.utf-8": b"blues"}), "name.second", REWRITES),
    "name leads out [bad_name]": (V1, lambda t: info(t).update({b"name": b".."}), "name.traversal", REWRITES),
    "name is a separator [invalid_name3]": (V1, lambda t: info(t).update({b"name": b"/"}), "name.separator", REWRITES),
    "name is absolute [invalid_name2]": (V1, lambda t: info(t).update({b"name": b"/jazz"}), "name.separator", REWRITES),
    "name is a number [invalid_name]": (V1, lambda t: info(t).update({b"name": 5}), "field.type", REFUSES),
    "no name [no_name]": (V1, lambda t: info(t).pop(b"name"), "field.missing", REFUSES),
    # Links: BEP 47.
    "link out [invalid_symlink]": (V1, link(b"..", b"x"), "link.out", TAKES),
    "link to the root of the disk": (V1, link(b"/etc", b"passwd"), "link.out", TAKES),
    "link to a drive": (V1, link(b"C:", b"x"), "link.out", TAKES),
    "link inside [symlink1]": (V1, link(b"a", b"long"), "link.inside", TAKES),
    "link to nothing": (V1, lambda t: row(t, 5).update({b"attr": b"l"}), "link.target", TAKES),
    "link in the tree [v2_symlinks]": (
        V2,
        lambda t: leaf(t, b"c", b"empty").update({b"attr": b"l", b"symlink path": [b"..", b".."]}),
        "link.out",
        TAKES,
    ),
    # Lengths and counts.
    "negative length [negative_file_size]": (V1, lambda t: row(t, 4).update({b"length": -1}), "file.length", REFUSES),
    "overflowing length [v2_large_file]": (V2, lambda t: leaf(t, b"b").update({b"length": 2**62}), "file.length", REFUSES),
    "overflowing sum [v2_large_offset]": (
        V1,
        lambda t: [row(t, i).update({b"length": 2**50}) for i in (0, 2, 4)],
        "file.length pieces.many",
        REFUSES,
    ),
    "length is text [invalid_file_size]": (V1, lambda t: row(t, 4).update({b"length": b"5"}), "field.type", REFUSES),
    "no files [no_files]": (V1, lambda t: info(t).update({b"files": [], b"pieces": b""}), "files.none", REFUSES),
    "empty files alone [zero]": (
        V1,
        lambda t: info(t).update({b"files": [{b"length": 0, b"path": [b"b"]}], b"pieces": b""}),
        "files.none",
        REFUSES,
    ),
    "many pieces [many_pieces]": (
        V1,
        lambda t: info(t).update({b"files": [{b"length": 2**36, b"path": [b"b"]}]}),
        "pieces.many",
        REFUSES,
    ),
    "piece length of zero": (V1, lambda t: info(t).update({b"piece length": 0}), "piece.bounds", REFUSES),
    "negative piece length [negative_piece_len]": (V1, lambda t: info(t).update({b"piece length": -1}), "piece.bounds", REFUSES),
    "huge piece length [large_piece_size]": (V1, lambda t: info(t).update({b"piece length": 2**40}), "piece.bounds", REFUSES),
    "no piece length [missing_piece_len]": (V1, lambda t: info(t).pop(b"piece length"), "field.missing", REFUSES),
    "odd piece length [v2_no_power2_piece]": (V2, lambda t: info(t).update({b"piece length": 16385}), "piece.length", REFUSES),
    "short piece length [v2_piece_size]": (V2, lambda t: info(t).update({b"piece length": 8192}), "piece.length", REFUSES),
    # Hashes.
    "pieces are a number [invalid_pieces]": (V1, lambda t: info(t).update({b"pieces": 5}), "field.type", REFUSES),
    "pieces are torn [unaligned_pieces]": (V1, lambda t: info(t).update({b"pieces": bytes(19)}), "pieces.length", REFUSES),
    "a piece too few": (V1, lambda t: info(t).update({b"pieces": info(t)[b"pieces"][20:]}), "pieces.length", REFUSES),
    "a piece too many": (V1, lambda t: info(t).update({b"pieces": info(t)[b"pieces"] + bytes(20)}), "pieces.length", REFUSES),
    "pieces of BEP 30 [invalid_merkle]": (V1, merkle_tree_of_bep_30, "field.missing", REFUSES),
    "no root": (V2, lambda t: leaf(t, b"b").pop(b"pieces root"), "root.length", REFUSES),
    "short root [v2_invalid_root_hash]": (V2, lambda t: leaf(t, b"b").update({b"pieces root": bytes(31)}), "root.length", REFUSES),
    "zero root [v2_zero_root]": (V2, lambda t: leaf(t, b"b").update({b"pieces root": bytes(32)}), "root.length", REFUSES),
    "root of an empty file": (V2, lambda t: leaf(t, b"c", b"empty").update({b"pieces root": b"x" * 32}), "root.length", TAKES),
    "no layers [v2_no_piece_layers]": (V2, lambda t: t.pop(b"piece layers"), "field.missing", TAKES),
    "missing layer [v2_incomplete_piece_layer]": (V2, without_layer, "layer.missing", TAKES),
    "superfluous layer [v2_unknown_piece_layer_entry]": (
        V2,
        lambda t: t[b"piece layers"].update({b"x" * 32: bytes(64)}),
        "layer.superfluous",
        REFUSES,
    ),
    "flipped layer [v2_invalid_piece_layer]": (V2, other_layer(bytes(64)), "layer.hash", REFUSES),
    "long layer [v2_invalid_piece_layer_size]": (V2, other_layer(bytes(96)), "layer.length", REFUSES),
    "torn layer [v2_non_multiple_piece_layer]": (V2, other_layer(bytes(63)), "layer.length", REFUSES),
    "layer is a list": (V2, lambda t: t[b"piece layers"].update({layer_of(t, b"b"): []}), "layer.length", REFUSES),
    "one root for two lengths": (
        V2,
        lambda t: leaf(t, b"b").update({b"pieces root": layer_of(t, b"a", b"long")}),
        "root.shared",
        REFUSES,
    ),
    # Halves and pads.
    "order differs": (HYBRID, lambda t: info(t)[b"files"].insert(0, info(t)[b"files"].pop()), "halves.order", REFUSES),
    "length differs [v2_mismatching_metadata]": (
        HYBRID,
        lambda t: row(t, 4).update({b"length": 2 * PIECE_BYTES - 1}),
        "halves.lengths",
        REFUSES,
    ),
    "name differs": (HYBRID, renamed(4, b"bb"), "halves.files", REFUSES),
    "file in the v1 half alone": (
        HYBRID,
        lambda t: info(t)[b"files"].append({b"length": 0, b"path": [b"d"]}),
        "halves.files",
        REFUSES,
    ),
    "v1 half without hashes": (HYBRID, lambda t: info(t).pop(b"pieces"), "field.missing", TAKES),
    "v1 half without files": (HYBRID, lambda t: info(t).pop(b"files"), "field.missing", TAKES),
    "tree without its version": (HYBRID, lambda t: info(t).pop(b"meta version"), "version.unknown", REFUSES),
    "version without its tree": (HYBRID, lambda t: info(t).pop(b"file tree"), "version.unknown", REFUSES),
    "unknown version": (HYBRID, lambda t: info(t).update({b"meta version": 3}), "version.unknown", REFUSES),
    "missing pad [v2_bad_file_alignment]": (HYBRID, lambda t: info(t)[b"files"].pop(1), "pad.missing", REFUSES),
    "short pad": (HYBRID, lambda t: row(t, 1).update({b"length": 1, b"path": [b".pad", b"1"]}), "pad.length pad.missing", REFUSES),
    "long pad": (V1, lambda t: row(t, 1).update({b"length": 2 * PIECE_BYTES}), "pad.length pieces.length", REFUSES),
    "pad in the tree [v2_invalid_pad_file]": (V2, lambda t: leaf(t, b"b").update({b"attr": b"p"}), "pad.tree", REFUSES),
    "pad is a link [pad_file_symlink]": (
        V1,
        lambda t: row(t, 1).update({b"attr": b"pl", b"symlink path": [b"b"]}),
        "link.inside",
        TAKES,
    ),
    "pad without a path [pad_file_no_path]": (V1, lambda t: row(t, 1).pop(b"path"), "field.missing", TAKES),
    "pad over payload": (V1, lambda t: row(t, 1).update({b"path": [b"b"]}), "pad.name", TAKES),
    # Forms and addresses.
    "tree is empty": (V2, lambda t: info(t).update({b"file tree": {}}), "tree.empty", REFUSES),
    "folder is empty": (V2, lambda t: info(t)[b"file tree"].update({b"d": {}}), "tree.empty", TAKES),
    "file without a name [v2_empty_filename]": (
        V2,
        lambda t: info(t)[b"file tree"].update({b"": {b"": {b"length": 0}}}),
        "name.traversal",
        REFUSES,
    ),
    "info is a number [invalid_info]": (V1, lambda t: t.update({b"info": 5}), "field.type", REFUSES),
    "private is a list": (V1, lambda t: info(t).update({b"private": [1]}), "private.value", TAKES),
    "web seed is a file": (V1, lambda t: t.update({b"url-list": [b"file:///etc/passwd"]}), "url.scheme", TAKES),
    "web seed has a password": (V1, lambda t: t.update({b"url-list": [b"https://me:secret@x.example/"]}), "url.form", TAKES),
    "web seed steers the terminal": (V1, lambda t: t.update({b"url-list": [b"https://x.example/\x1b[2J"]}), "url.form", TAKES),
    "tracker is a script": (V1, lambda t: t.update({b"announce": b"javascript:alert(1)"}), "url.scheme", TAKES),
    "tracker has no host": (V1, lambda t: t.update({b"announce-list": [[b"http:///announce"]]}), "url.form", TAKES),
    "many web seeds": (
        V1,
        lambda t: t.update({b"url-list": [b"https://x.example/"] * 1001}),
        "url.count",
        TAKES,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_spoiled_torrent_has_the_reasons_and_only_those(case: str) -> None:
    form, spoil, codes, _ = CASES[case]
    top = sound(form)
    spoil(top)
    verdict = verdict_of(top)
    assert {finding.code for finding in verdict.reasons} == set(codes.split())
    assert verdict.sound == (not codes)
    assert all(finding.sentence and len(str(finding.sentence)) < 1000 for finding in verdict.findings)


@pytest.mark.parametrize("case", CASES)
def test_what_libtorrent_makes_of_it_is_as_the_table_says(case: str) -> None:
    form, spoil, _, opinion = CASES[case]
    top = sound(form)
    spoil(top)
    assert _opinion_of(top) == opinion


def _opinion_of(top: Top) -> str:
    """Return what libtorrent does with a torrent."""
    read = libtorrents(bencode.encode(top))
    if isinstance(read, str):
        return REFUSES
    return TAKES if read_by_libtorrent(read)[2] == written(top) else REWRITES


def test_all_reasons_are_told_at_once() -> None:
    top = sound()
    renamed(4, b"..", b"b")(top)
    info(top).update({b"pieces": b"", b"piece length": 5, b"private": 7})
    top.update({b"url-list": [b"file:///x"], b"announce": b"gopher://x/"})
    leaf(top, b"a", b"long").update({b"length": -5})
    codes = {finding.code for finding in verdict_of(top).reasons}
    assert codes == {"name.traversal", "piece.length", "private.value", "url.scheme", "file.length"}


UNWISE: dict[str, tuple[str, Spoil, str]] = {
    "v1 alone": (V1, lambda _: None, "version.v1"),
    "v2 alone": (V2, lambda _: None, "version.v2"),
    "nothing": (HYBRID, lambda _: None, ""),
    "md5sum": (V1, lambda t: row(t, 0).update({b"md5sum": b"0" * 32}), "version.v1 md5.used"),
    "plain tracker": (HYBRID, lambda t: t.update({b"announce-list": [[b"http://t.example/"]]}), "tracker.plain"),
    "plain web seed": (HYBRID, lambda t: t.update({b"url-list": b"http://t.example/"}), "webseed.plain"),
    "ftp": (HYBRID, lambda t: t.update({b"url-list": [b"ftp://t.example/"]}), "webseed.ftp"),
    "BEP 17": (HYBRID, lambda t: t.update({b"httpseeds": [b"https://t.example/"]}), "webseed.old"),
    "own machine": (HYBRID, lambda t: t.update({b"url-list": [b"https://127.0.0.1:8080/"]}), "url.local"),
    "own network": (HYBRID, lambda t: t.update({b"url-list": [b"https://[fd00::1]/", b"https://router/"]}), "url.local"),
    "private": (HYBRID, lambda t: info(t).update({b"private": 1}), "private.set"),
    "executable": (V1, lambda t: row(t, 0).update({b"attr": b"x"}), "version.v1 file.executable"),
    "encoding": (HYBRID, lambda t: t.update({b"encoding": b"GBK"}), "encoding.other"),
    "one file in a folder": (
        V2,
        lambda t: (t[b"piece layers"].pop(layer_of(t, b"a", b"long")), [info(t)[b"file tree"].pop(key) for key in (b"a", b"c")]),
        "version.v2 tree.single",
    ),
    "short files without layers": (
        V2,
        lambda t: (info(t).update({b"piece length": 65536}), t.pop(b"piece layers")),
        "version.v2 layer.absent",
    ),
}


@pytest.mark.parametrize("case", UNWISE)
def test_what_is_legal_and_unwise_is_told_and_not_refused(case: str) -> None:
    form, spoil, codes = UNWISE[case]
    top = sound(form)
    spoil(top)
    verdict = verdict_of(top)
    assert verdict.sound, verdict.reasons
    assert {finding.code for finding in verdict.warnings} == set(codes.split())
    assert parse_torrent(bencode.encode(top)).name == "jazz"


@pytest.mark.parametrize(("piece_bytes", "code"), [(5000, "piece.odd piece.small"), (2**25, "piece.large"), (2**15, "")])
def test_odd_piece_lengths_of_v1_torrents_are_unwise(piece_bytes: int, code: str) -> None:
    info_ = {b"length": 9, b"name": b"x", b"piece length": piece_bytes, b"pieces": bytes(20)}
    verdict = verdict_of({b"info": info_})
    assert verdict.sound
    assert {finding.code for finding in verdict.warnings} == {"version.v1", *code.split()}


def test_every_rule_has_a_torrent_that_breaks_it() -> None:
    broken = {code for _, _, codes, _ in CASES.values() for code in codes.split()}
    broken |= {code for _, _, codes in UNWISE.values() for code in codes.split()}
    elsewhere = {"piece.odd", "piece.small", "piece.large", "torrent.large", "torrent.long", "files.many"}
    assert broken | elsewhere | {code for code in RULES if code.startswith("bencode.")} == set(RULES)


BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "bencode.value"),
    "text [string]": (b"5:jazzx", "bencode.dictionary"),
    "a list": (b"le", "bencode.dictionary"),
    "cut off": (b"d4:infod4:name4:jazz", "bencode.key"),
    "a string beyond the end": (b"d4:info999999999:x", "bencode.short"),
    "a length beyond all": (b"d4:info99999999999999999999:x", "bencode.length"),
    "a length with a zero": (b"d04:infodee", "bencode.length"),
    "a negative length": (b"d4:info-1:xe", "bencode.value"),
    "an integer beyond 64 bits": (b"d4:infoi99999999999999999999ee", "bencode.integer"),
    "an integer without end": (b"d4:infoi" + b"9" * 1_000_000 + b"ee", "bencode.integer"),
    "an integer with a zero [v2_overlong_integer]": (b"d4:infoi05ee", "bencode.integer"),
    "minus zero": (b"d4:infoi-0ee", "bencode.integer"),
    "keys out of order [unordered]": (b"d4:infode1:ai1ee", "bencode.order"),
    "a key twice": (b"d4:infode4:infodee", "bencode.order"),
    "a key that is a number": (b"di1e1:xe", "bencode.key"),
    "bytes after the end": (b"d4:infodeex", "bencode.trailing"),
    "a second torrent after the end": (b"d4:infodeed4:infodee", "bencode.trailing"),
    "lists without end": (b"d4:info" + b"l" * 1_000_000, "bencode.depth"),
    "folders without end [v2_deep_recursion]": (b"d4:info" + b"d1:a" * 1_000_000, "bencode.depth"),
    "lists without number": (b"d4:infol" + b"le" * 3_000_001 + b"ee", "bencode.tokens"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_bencode_has_one_reason_and_an_offset(case: str) -> None:
    content, code = BROKEN[case]
    (finding,) = check_torrent(content).findings
    assert finding.code == code
    assert finding.place.startswith("offset ")
    assert finding.refused


def test_every_rule_of_bencode_is_tried() -> None:
    assert {code for _, code in BROKEN.values()} == {code for code in RULES if code.startswith("bencode.")}


def test_torrents_of_other_projects_have_the_verdicts_of_the_table(fixtures: Path) -> None:
    folder = fixtures / "torrents-webtorrent" / "fixtures"
    with (Path(__file__).parent / "torrent_verdicts.tsv").open() as table:
        expected = {line["torrent"]: (line["verdict"], line["codes"]) for line in csv.DictReader(table, delimiter="\t")}
    found = {}
    for path in folder.glob("*.torrent"):
        verdict = check_torrent(path.read_bytes())
        found[path.stem] = ("sound" if verdict.sound else "refused", " ".join(sorted(verdict.counts)))
    assert found == expected


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=250)
@given(seed=st.integers(0, 2**32), times=st.integers(1, 3), flips=st.integers(0, 1))
def test_what_libtorrent_refuses_is_refused_and_what_is_sound_libtorrent_reads_the_same(
    form: str, seed: int, times: int, flips: int
) -> None:
    source = random.Random(seed)
    value = source.choice((sound, single))(form)
    for _ in range(times):
        spoilt = spoiled(value, source)
        value = spoilt if isinstance(spoilt, dict) else value
    content = bytearray(bencode.encode(value))
    for _ in range(flips if source.random() < 0.2 else 0):
        content[source.randrange(len(content))] ^= source.randrange(1, 256)
    verdict = check_torrent(bytes(content))
    try:
        parse_torrent(bytes(content))
    except FonotecaError:
        assert not verdict.sound
        return
    assert verdict.metainfo == parse_torrent(bytes(content)), "the reader and the checker are one"
    read = libtorrents(bytes(content))
    assert not isinstance(read, str), read
    if "tree.single" not in verdict.counts:
        assert read_by_libtorrent(read) == read_by_us(verdict.metainfo)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_get_a_verdict(content: bytes) -> None:
    assert not check_torrent(content).sound


def _folder_of(name: bytes, count: int) -> bytes:
    files = b"".join(b"6:%06dd0:d6:lengthi0eee" % number for number in range(count))
    info_ = b"d9:file treed%d:%bd%bee12:meta versioni2e4:name4:jazz12:piece lengthi16384ee" % (len(name), name, files)
    return b"d4:info" + info_ + b"12:piece layersdee"


def _deep_folders(count: int) -> bytes:
    files = b"".join(b"6:%06dd0:d6:lengthi0eee" % number for number in range(count))
    tree = b"d50:%b" % (b"x" * 50) * 18 + b"d" + files + b"e" * 19
    return b"d4:infod9:file tree" + tree + b"12:meta versioni2e4:name4:jazz12:piece lengthi16384ee12:piece layersdee"


def _bad_rows(count: int) -> bytes:
    rows = b"d6:lengthi-1e4:pathl2:..ee" * count
    return b"d4:infod5:filesl" + rows + b"e4:name4:jazz12:piece lengthi16384e6:pieces0:ee"


BOMBS: dict[str, tuple[bytes, str]] = {
    "a folder with a name of a megabyte and 20,000 files": (_folder_of(b"x" * 1_000_000, 20_000), "name.long"),
    "80,000 files below 900 bytes of folders": (_deep_folders(80_000), "path.long"),
    "100,000 bad rows": (_bad_rows(100_000), "file.length"),
    "210,000 files": (_folder_of(b"x", 210_000), "files.many"),
    "a million numbers": (b"d4:infol" + b"i0e" * 1_000_000 + b"ee", "field.type"),
    "a million keys": (b"d4:infod" + b"".join(b"7:%07d0:" % i for i in range(1_000_000)) + b"ee", "field.missing"),
}


_MEASURED = """
import json, resource, sys
from fonoteca.formats.torrentcheck import check_torrent
content = open(sys.argv[1], "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
verdict = check_torrent(content)
grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
json.dump([dict(verdict.counts), len(verdict.findings), grown_kb], sys.stdout)
"""


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_end_soon_and_in_bounded_memory(case: str, tmp_path: Path) -> None:
    content, code = BOMBS[case]
    (tmp_path / "bomb.torrent").write_bytes(content)
    run = [sys.executable, "-c", _MEASURED, str(tmp_path / "bomb.torrent")]
    said = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    counts, finding_count, grown_kb = json.loads(said.stdout)
    assert code in counts
    assert finding_count <= KEPT_OF_A_CODE_MAX * len(counts)
    assert grown_kb < 400_000


def test_a_file_above_the_bound_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonoteca.formats.torrentreading.TORRENT_BYTES_MAX", 100)
    assert set(check_torrent(b"d" * 101).counts) == {"torrent.long"}


def test_a_torrent_that_libtorrents_clients_refuse_for_its_length_is_unwise() -> None:
    top = sound()
    top[b"comment"] = b"x" * 10_000_000
    assert set(verdict_of(top).counts) == {"torrent.large"}
