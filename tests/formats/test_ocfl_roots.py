"""Storage roots: each row of a table breaks one rule of a good root; layouts put objects where their extensions say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ocfl.layout import LayoutException
from ocfl.storage_root import StorageRoot, StorageRootException
from ocfl_world import Files, as_spec, codes, good_object, ours, said, write

from fonoteca.formats.ocfl_codes import NOT_FOUND, RULES
from fonoteca.formats.ocfl_extensions import layout_paths
from fonoteca.formats.ocfl_tree import EntryKind
from fonoteca.formats.ocfl_validation import KEPT_OF_A_CODE_MAX, TreeKind, kind_of, validate
from fonoteca.testing.trees import MemoryTree

FLAT, HASH_AND_ID, HASHED = (
    "0002-flat-direct-storage-layout",
    "0003-hash-and-id-n-tuple-storage-layout",
    "0004-hashed-n-tuple-storage-layout",
)
DEFAULTS = {"digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3}
IDS = ("urn:example:one", "urn:example:two/three", "urn:example:" + "x" * 120)


def _root(spec: str = "1.1", layout: str = HASH_AND_ID) -> Files:
    """Return a storage root of three objects at the layout's places."""
    path_of = layout_paths(layout, {})
    assert path_of is not None
    files: Files = {
        f"0=ocfl_{spec}": f"ocfl_{spec}\n".encode(),
        "ocfl_layout.json": json.dumps({"extension": layout, "description": "x"}).encode(),
        f"extensions/{layout}/config.json": json.dumps({"extensionName": layout, **DEFAULTS}).encode(),
        "README.md": b"Files of the root itself are ignored.",
        "1=Eve": b"So are other tags of Namaste.",
    }
    for object_id in IDS:
        if "/" not in object_id or layout != FLAT:
            files |= {f"{path_of(object_id)}/{path}": content for path, content in good_object(spec, object_id).items()}
    return files


def _place(object_id: str) -> str:
    path_of = layout_paths(HASH_AND_ID, {})
    assert path_of is not None
    return path_of(object_id)


def _layout(**changed: object) -> Callable[[Files], None]:
    def broken(files: Files) -> None:
        found = {**json.loads(files["ocfl_layout.json"]), **changed}
        files["ocfl_layout.json"] = json.dumps({key: value for key, value in found.items() if value is not None}).encode()

    return broken


def _config(text: str) -> Callable[[Files], None]:
    return lambda files: files.update({f"extensions/{HASH_AND_ID}/config.json": text.encode()})


def _move(old: str, new: str, copy: bool = False) -> Callable[[Files], None]:
    def broken(files: Files) -> None:
        for path in [path for path in files if path.startswith(f"{old}/")]:
            files[new + path[len(old) :]] = files[path] if copy else files.pop(path)

    return broken


def _add(**content: str) -> Callable[[Files], None]:
    return lambda files: files.update({path: text.encode() for path, text in content.items()})


def _redeclare(name: str, text: str) -> Callable[[Files], None]:
    def broken(files: Files) -> None:
        del files["0=ocfl_1.1"]
        files[name] = text.encode()

    return broken


FIRST = _place(IDS[0])
ROWS: list[tuple[str, str, Callable[[Files], None]]] = [
    ("no declaration", "E069", lambda files: files.pop("0=ocfl_1.1") and None),
    ("two declarations", "E076", _add(**{"0=ocfl_1.0": "ocfl_1.0\n"})),
    ("unknown version", "E077", _redeclare("0=ocfl_2.0", "ocfl_2.0\n")),
    ("another tag", "E078", _redeclare("3=ocfl_1.1", "ocfl_1.1\n")),
    ("another declaration", "E079", _redeclare("0=archive_1.1", "archive_1.1\n")),
    ("declaration says something else", "E080", _add(**{"0=ocfl_1.1": "ocfl_1.0\n"})),
    ("layout is not JSON", "E070", _add(**{"ocfl_layout.json": "{"})),
    ("layout is an array", "E070", _add(**{"ocfl_layout.json": "[]"})),
    ("layout has no description", "E070", _layout(description=None)),
    ("layout has no extension", "E070", _layout(extension=None)),
    ("layout is not registered", "E071", _layout(extension="our-own-layout")),
    ("file among folders", "E072", _add(**{f"{FIRST.rpartition('/')[0]}/notes.txt": "x"})),
    ("folder of files that is no object", "E072", _add(**{"zzz/zz/file": "x"})),
    ("storage root in a storage root", "E074", _add(**{"zzz/0=ocfl_1.1": "ocfl_1.1\n"})),
    ("newer object than its root", "E081", lambda files: _redeclare("0=ocfl_1.0", "ocfl_1.0\n")(files)),
    ("object in an object", "E082", _move(_place(IDS[1]), f"{FIRST}/inner")),
    ("config is not JSON", "E083", _config("{")),
    ("config is of another extension", "E083", _config('{"extensionName": "0004-hashed-n-tuple-storage-layout"}')),
    ("config is out of range", "E083", _config('{"tupleSize": 33}')),
    ("config makes more than the digest has", "E083", _config('{"tupleSize": 32, "numberOfTuples": 3}')),
    ("config has tuples of nothing", "E083", _config('{"tupleSize": 0}')),
    ("config names no algorithm", "E083", _config('{"digestAlgorithm": "crc32"}')),
    ("file among extensions", "E112", _add(**{"extensions/notes.txt": "x"})),
    ("one id twice", "E037", _move(FIRST, "other/place", copy=True)),
    ("an object is not declared", "E003", lambda files: files.pop(f"{FIRST}/0=ocfl_object_1.1") and None),
    ("content of an object is damaged", "E092", _add(**{f"{FIRST}/v1/content/a.txt": "First"})),
]
WARNINGS: list[tuple[str, str, Callable[[Files], None]]] = [
    ("not where the layout says", "W014", _move(FIRST, FIRST.replace("/", "/0", 1))),
    ("folders and no folders", "W015", _move(FIRST, "one")),
    ("unregistered extension", "W016", _add(**{"extensions/our-own/config.json": "{}"})),
]


@pytest.mark.parametrize("spec", ["1.0", "1.1"])
@pytest.mark.parametrize("layout", [FLAT, HASH_AND_ID, HASHED])
def test_a_good_root_has_no_findings(layout: str, spec: str) -> None:
    report = ours(_root(spec, layout))
    assert not report.findings, said(report)
    assert (report.kind, report.object_count) == (TreeKind.ROOT, 2 if layout == FLAT else 3)


@pytest.mark.parametrize(("row", "code", "broken"), ROWS, ids=[row[0] for row in ROWS])
def test_a_broken_rule_is_named(row: str, code: str, broken: Callable[[Files], None]) -> None:
    files = _root()
    broken(files)
    report = ours(files)
    assert not report.valid
    assert code in codes(report), said(report)


@pytest.mark.parametrize(("row", "code", "broken"), WARNINGS, ids=[row[0] for row in WARNINGS])
def test_what_should_be_otherwise_is_a_warning(row: str, code: str, broken: Callable[[Files], None]) -> None:
    files = _root()
    broken(files)
    report = ours(files)
    assert report.valid
    assert code in codes(report), said(report)


THEIRS_DIFFER = {
    "newer object than its root": "E081 is a MUST; ocfl-py holds no object's version against the root's",
    "one id twice": "E037 is a MUST; ocfl-py keeps no ids of a root",
}
"""Rows on whose validity ocfl-py has another opinion, with the reason for ours."""


@pytest.mark.parametrize("row", ["good", *(row for row, _, _ in ROWS + WARNINGS)])
def test_ocfl_py_agrees(row: str, tmp_path: Path) -> None:
    files = _root()
    next((broken for name, _, broken in ROWS + WARNINGS if name == row), lambda _: None)(files)
    try:
        root = StorageRoot(root=str(write(files, tmp_path)))
        theirs = root.validate(log_errors=False) and root.num_objects == root.good_objects
    except (StorageRootException, LayoutException):  # how it refuses a layout
        theirs = False
    assert (theirs == ours(files).valid) == (row not in THEIRS_DIFFER)


def test_a_root_of_1_0_has_the_older_names() -> None:
    files = _root("1.0") | {"extensions/notes.txt": b"x", "extensions/our-own/config.json": b"{}"}
    assert codes(ours(files)) == {"E086", "W013"}


def test_objects_of_1_0_may_lie_in_a_root_of_1_1() -> None:
    files = _root()
    for path in [path for path in files if path.startswith(f"{FIRST}/")]:
        del files[path]
    files |= {f"{FIRST}/{path}": content for path, content in good_object("1.0", IDS[0]).items()}
    assert not ours(files).findings


def test_empty_folders_links_and_special_files_are_found_wherever_they_are() -> None:
    others = {
        "empty": EntryKind.FOLDER,
        "deep/er/empty": EntryKind.FOLDER,
        "link": EntryKind.LINK,
        "pipe": EntryKind.OTHER,
        f"{FIRST}/link": EntryKind.LINK,
        f"{FIRST}/v1/link": EntryKind.LINK,
        f"{FIRST}/v1/content/link": EntryKind.LINK,
        f"{FIRST}/v1/content/pipe": EntryKind.OTHER,
        f"{FIRST}/v1/content/empty": EntryKind.FOLDER,
        f"{FIRST}/logs": EntryKind.FOLDER,
        f"{FIRST}/extensions/link": EntryKind.LINK,
        "extensions/link": EntryKind.LINK,
    }
    found = {(f.code, f.place) for f in validate(MemoryTree(_root(), others), TreeKind.ROOT).findings}
    kinds = {EntryKind.LINK: "E090", EntryKind.OTHER: "E089"}
    assert found == {
        ("E024", f"{FIRST}/v1/content/empty"),
        ("E073", "empty"),
        ("E073", "deep/er/empty"),
        *((kinds[kind], path) for path, kind in others.items() if kind in kinds),
    }


def test_an_empty_content_folder_is_a_warning() -> None:
    tree = MemoryTree(good_object(), {"v3/content": EntryKind.FOLDER})
    assert [(f.code, f.place) for f in validate(tree, TreeKind.OBJECT).findings] == [("W003", "v3/content")]


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"notes.txt": b"x"}, None),
        ({}, None),
        ({"store/0=ocfl_1.1": b"ocfl_1.1\n", "store/a/0=ocfl_object_1.1": b"ocfl_object_1.1\n"}, None),
        ({"0=ocfl_1.1": b"ocfl_1.1\n"}, TreeKind.ROOT),
        ({"ocfl_layout.json": b"{}"}, TreeKind.ROOT),
        ({"a/b/0=ocfl_object_1.0": b"ocfl_object_1.0\n"}, TreeKind.ROOT),
        ({"0=ocfl_object_9.9": b""}, TreeKind.OBJECT),
        ({"inventory.json": b"{}"}, TreeKind.OBJECT),
        ({"v1/content/x": b""}, TreeKind.OBJECT),
    ],
)
def test_what_a_folder_is_meant_to_be(files: Files, kind: TreeKind | None) -> None:
    assert kind_of(MemoryTree(files)) is kind


def test_a_layout_that_we_do_not_know_is_not_held_against_the_objects() -> None:
    files = _root()
    _layout(extension="0007-n-tuple-omit-prefix-storage-layout")(files)
    assert not ours(files).findings


@pytest.mark.parametrize(
    ("layout", "config", "object_id", "path"),
    [
        (FLAT, {}, "..hor_rib:lé-$id", "..hor_rib:lé-$id"),
        (HASH_AND_ID, {}, "object-01", "3c0/ff4/240/object-01"),
        (HASH_AND_ID, {}, "..Hor/rib:lè-$id", "373/529/21a/%2e%2eHor%2frib%3al%c3%a8-%24id"),
        (
            HASH_AND_ID,
            {"digestAlgorithm": "md5", "tupleSize": 2, "numberOfTuples": 15},
            "object-01",
            "ff/75/53/44/92/48/5e/ab/b3/9f/86/35/67/28/88/object-01",
        ),
        (HASH_AND_ID, {"tupleSize": 0, "numberOfTuples": 0}, "object-01", "object-01"),
        (
            HASH_AND_ID,
            {},
            "abcdefghij" * 10 + "a",
            "5cc/73e/648/" + "abcdefghij" * 10 + "-5cc73e648fbcff136510e330871180922ddacf193b68fdeff855683a01464220",
        ),
        (HASHED, {}, "object-01", "3c0/ff4/240/3c0ff4240c1e116dba14c7627f2319b58aa3d77606d0d90dfc6161608ac987d4"),
        (
            HASHED,
            {"digestAlgorithm": "md5", "tupleSize": 2, "numberOfTuples": 15, "shortObjectRoot": True},
            "..hor/rib:le-$id",
            "08/31/97/66/fb/6c/29/35/dd/17/5b/94/26/77/17/e0",
        ),
        (
            HASHED,
            {"tupleSize": 0, "numberOfTuples": 0},
            "object-01",
            "3c0ff4240c1e116dba14c7627f2319b58aa3d77606d0d90dfc6161608ac987d4",
        ),
    ],
)
def test_layouts_give_the_paths_of_their_specifications(layout: str, config: dict[str, object], object_id: str, path: str) -> None:
    path_of = layout_paths(layout, config)
    assert path_of is not None
    assert path_of(object_id) == path


def test_many_findings_of_a_code_are_counted_and_some_are_kept() -> None:
    files = _root() | {f"zzz/{number}": b"" for number in range(KEPT_OF_A_CODE_MAX + 5)}
    report = ours(files)
    assert report.counts == {"E072": KEPT_OF_A_CODE_MAX + 5}
    assert len(report.findings) == KEPT_OF_A_CODE_MAX


def test_the_codes_are_those_of_the_specification() -> None:
    assert not RULES.keys() & NOT_FOUND.keys()
    gone = {65, 109}  # numbers that neither version has
    numbers = {f"E{number:03}" for number in range(1, 113) if number not in gone}
    numbers |= {f"W{number:03}" for number in range(1, 17) if number != 6}
    assert RULES.keys() | NOT_FOUND.keys() == numbers


def test_1_1_made_from_1_0_is_itself_again() -> None:
    assert as_spec(as_spec(good_object("1.0"), "1.1"), "1.0") == good_object("1.0")
    assert as_spec(good_object("1.0"), "1.1") == good_object("1.1")
