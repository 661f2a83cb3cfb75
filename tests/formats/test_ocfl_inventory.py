"""Inventories: the same bytes for the same facts, and nothing believed that OCFL does not allow."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import ocfl as ocfl_py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats import ocfl
from fonoteca.formats.ocfl import Inventory, InventoryVersion
from fonoteca.model.errors import FormatError
from fonoteca.model.ids import ContentPath, LogicalPath, ObjectId, Sha256

OBJECT = ObjectId("urn:fonoteca:audio:folder:x")
A, B = (Sha256(hashlib.sha256(name).hexdigest()) for name in (b"a", b"b"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

digests = st.integers(0, 12).map(lambda n: Sha256(hashlib.sha256(bytes([n])).hexdigest()))
segments = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=8)
logical_paths = st.lists(segments.filter(lambda s: s not in (".", "..")), min_size=1, max_size=3).map(
    lambda p: LogicalPath("/".join(p))
)
moments = st.integers(0, 7 * 10**15).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))


def _nested(paths: list[LogicalPath]) -> bool:
    return any(a != b and b.startswith(f"{a}/") for a in paths for b in paths)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Inventories as commits make them."""
    inventory: Inventory | None = None
    for number in range(1, draw(st.integers(1, 12)) + 1):
        paths = draw(st.lists(logical_paths, unique=True, max_size=4).filter(lambda p: not _nested(p)))
        state = {path: draw(digests) for path in paths}
        known = set() if inventory is None else set(inventory.manifest.values())
        added = {
            ocfl.content_path(number, n, LogicalPath("x.ogg")): digest
            for n, digest in enumerate(sorted(set(state.values()) - known), 1)
        }
        version = InventoryVersion(draw(moments), draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)), state)
        inventory = ocfl.next_version(inventory, OBJECT, version, added)
    assert inventory is not None
    return inventory


@given(inventories())
def test_an_inventory_survives_the_round_trip(inventory: Inventory) -> None:
    content = inventory.to_bytes()
    assert ocfl.parse_inventory(content) == inventory
    assert ocfl.parse_inventory(content).to_bytes() == content
    assert ocfl.parse_sidecar(ocfl.sidecar(content)) == hashlib.sha256(content).hexdigest()


@given(inventories())
def test_other_software_reads_the_same(inventory: Inventory) -> None:
    validator = ocfl_py.InventoryValidator()
    validator.validate(json.loads(inventory.to_bytes()))
    said = str(validator.log).splitlines()
    # ocfl-py finds all logical paths in order; an empty state is allowed by the specification.
    assert [line for line in said if "W004" not in line] == []


@given(inventories())
def test_a_newer_inventory_tells_the_older_ones(inventory: Inventory) -> None:
    for number in range(1, inventory.head + 1):
        older = inventory.at(number)
        assert ocfl.parse_inventory(older.to_bytes()) == older
        ocfl.check_follows(older, inventory)


def test_the_bytes_are_golden() -> None:
    state = {LogicalPath("b/ü.ogg"): A, LogicalPath("a.ogg"): A, LogicalPath("c"): B}
    added = {ContentPath("v1/content/01-a.ogg"): A, ContentPath("v1/content/02-c"): B}
    inventory = ocfl.next_version(None, OBJECT, InventoryVersion(AT, "Acquire", state), added)
    content = inventory.to_bytes()
    assert content == (Path(__file__).parent / "golden" / "inventory.json").read_bytes()
    elsewhere = AT.astimezone(timezone(timedelta(hours=2)))
    shuffled = InventoryVersion(elsewhere, "Acquire", dict(reversed(state.items())))
    assert ocfl.next_version(None, OBJECT, shuffled, added).to_bytes() == content


def _sound() -> dict[str, Any]:
    state = {LogicalPath("a.ogg"): A, LogicalPath("d/b.ogg"): B}
    added = {ContentPath("v1/content/01-a.ogg"): A, ContentPath("v1/content/02-b.ogg"): B}
    first = ocfl.next_version(None, OBJECT, InventoryVersion(AT, "one", state), added)
    second = ocfl.next_version(first, OBJECT, InventoryVersion(AT, "two", {LogicalPath("a.ogg"): B}), {})
    found = json.loads(second.to_bytes())
    assert isinstance(found, dict)
    return found


def _put(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(found: dict[str, Any]) -> None:
        for key in keys[:-1]:
            found = found[key]
        found[keys[-1]] = value

    return edit


def _drop(*keys: str) -> Callable[[dict[str, Any]], None]:
    def edit(found: dict[str, Any]) -> None:
        for key in keys[:-1]:
            found = found[key]
        del found[keys[-1]]

    return edit


WRONG: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("E036", _drop("id")),
    ("E036", _drop("type")),
    ("E036", _drop("digestAlgorithm")),
    ("E036", _drop("head")),
    ("E041", _drop("manifest")),
    ("E041", _drop("versions")),
    ("E102", _put("colour", value="red")),
    ("E037", _put("id", value="")),
    ("E037", _put("id", value=7)),
    ("E037", _put("id", value="urn:other:thing")),
    ("E038", _put("type", value="https://ocfl.io/1.0/spec/#inventory")),
    ("E025", _put("digestAlgorithm", value="md5")),
    ("E019", _put("contentDirectory", value="inhalt")),
    ("E040", _put("head", value="v1")),
    ("E040", _put("head", value=2)),
    ("E041", _put("manifest", value=[])),
    ("E025", _put("manifest", "ABC", value=["v1/content/x"])),
    ("E025", _put("manifest", A.upper(), value=["v1/content/x"])),
    ("E092", _put("manifest", A, value="v1/content/01-a.ogg")),
    ("E092", _put("manifest", A, value=[])),
    ("E092", _put("manifest", A, value=[7])),
    ("E042", _put("manifest", A, value=["/v1/content/a"])),
    ("E042", _put("manifest", A, value=["v1/content/../../../etc/passwd"])),
    ("E042", _put("manifest", A, value=["v1/elsewhere/a"])),
    ("E042", _put("manifest", A, value=["v1/content/a\nb"])),
    ("E042", _put("manifest", A, value=["v3/content/a"])),
    ("E101", _put("manifest", A, value=["v1/content/a", "v1/content/a"])),
    ("E101", _put("manifest", A, value=["v1/content/a", "v1/content/a/b"])),
    ("E101", _put("manifest", A, value=["v1/content/a", "v1/content/A"])),
    ("E107", _put("manifest", "0" * 64, value=["v1/content/x"])),
    ("E044", _put("versions", value=[])),
    ("E008", _put("versions", value={})),
    ("E010", _drop("versions", "v1")),
    ("E010", _put("versions", "v03", value={})),
    ("E010", _put("versions", "v4", value={})),
    ("E048", _put("versions", "v1", value="one")),
    ("E048", _drop("versions", "v1", "created")),
    ("E048", _drop("versions", "v1", "state")),
    ("E102", _put("versions", "v1", "colour", value="red")),
    ("E049", _put("versions", "v1", "created", value="2026-01-01")),
    ("E049", _put("versions", "v1", "created", value="2026-01-01T00:00:00")),
    ("E049", _put("versions", "v1", "created", value="2026-13-01T00:00:00Z")),
    ("E049", _put("versions", "v1", "created", value="0001-01-01T00:00:00+23:59")),
    ("E094", _put("versions", "v1", "message", value=7)),
    ("E054", _put("versions", "v1", "user", value={})),
    ("E054", _put("versions", "v1", "user", value="me")),
    ("E050", _put("versions", "v1", "state", value=[])),
    ("E050", _put("versions", "v1", "state", "0" * 64, value=["x"])),
    ("E050", _put("versions", "v1", "state", "short", value=["x"])),
    ("E051", _put("versions", "v1", "state", A, value="a.ogg")),
    ("E052", _put("versions", "v1", "state", A, value=["../a"])),
    ("E052", _put("versions", "v1", "state", A, value=["/a"])),
    ("E095", _put("versions", "v1", "state", A, value=["a", "a"])),
    ("E095", _put("versions", "v1", "state", A, value=["d"])),
    ("E057", _put("fixity", value=[])),
    ("E057", _put("fixity", value={"md5": {"00": ["v1/content/none"]}})),
]


@pytest.mark.parametrize(("code", "edit"), WRONG, ids=[f"{n}-{code}" for n, (code, _) in enumerate(WRONG)])
def test_what_the_specification_forbids_is_refused_with_its_code(code: str, edit: Callable[[dict[str, Any]], None]) -> None:
    found = _sound()
    assert ocfl.parse_inventory(json.dumps(found).encode()).head == 2
    edit(found)
    with pytest.raises(FormatError, match=rf"\({code}\)"):
        ocfl.parse_inventory(json.dumps(found).encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff{}", b"[" * 100_000, b'{"id": NaN}', b'{"id": "a", "id": "b"}', b'"\\ud800"'],
    ids=["empty", "cut", "list", "not UTF-8", "deep", "NaN", "twice", "text"],
)
def test_what_is_no_inventory_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match="E033"):
        ocfl.parse_inventory(content)


@pytest.mark.parametrize("content", [b"", b"0" * 64, b"0" * 64 + b"  other.json\n", b"A" * 64 + b" inventory.json\n"])
def test_a_wrong_sidecar_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match="E061"):
        ocfl.parse_sidecar(content)


@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.text(max_size=3),
        lambda v: st.lists(v) | st.dictionaries(st.sampled_from(["id", "head", "versions", "manifest", "type", "v1", "state"]), v),
    ).map(lambda v: json.dumps(v).encode())
)
def test_no_input_gives_another_error(content: bytes) -> None:
    with pytest.raises(FormatError):
        ocfl.parse_inventory(content)


def test_history_is_compared() -> None:
    inventory = ocfl.parse_inventory(json.dumps(_sound()).encode())
    found = _sound()
    found["versions"]["v1"]["message"] = "other"
    with pytest.raises(FormatError, match="E066"):
        ocfl.check_follows(inventory.at(1), ocfl.parse_inventory(json.dumps(found).encode()))
    found = _sound()
    found["manifest"][A] = ["v1/content/elsewhere"]
    with pytest.raises(FormatError, match="E066"):
        ocfl.check_follows(inventory.at(1), ocfl.parse_inventory(json.dumps(found).encode()))


@given(logical_paths, st.integers(1, 99_999), st.integers(1, 999))
def test_every_name_has_a_content_path(path: LogicalPath, ordinal: int, version: int) -> None:
    found = ocfl.content_path(version, ordinal, path)
    assert found == found.lower()
    assert len(found) <= 100
    assert ocfl.version_of(found) == version
    assert re.search(rf"/content/0*{ordinal}[-.]|/content/0*{ordinal}$", found)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("CD 1/01 Für Elise.OGG", "v1/content/07-01-fur-elise.ogg"),
        ("音楽.flac", "v1/content/07.flac"),
        ("a\nb\u202e.mp3", "v1/content/07-a-b.mp3"),
        (".hidden", "v1/content/07-hidden"),
        ("no extension", "v1/content/07-no-extension"),
        ("odd.ex:t", "v1/content/07-odd-ex-t"),
        ("😀", "v1/content/07"),
        ("x" * 255 + ".ogg", "v1/content/07-" + "x" * 82 + ".ogg"),
        ("CON.ogg", "v1/content/07-con.ogg"),
    ],
)
def test_content_paths_of_hostile_names(path: str, expected: str) -> None:
    assert ocfl.content_path(1, 7, LogicalPath(path)) == expected


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200))
def test_the_layout_agrees_with_other_software(key: str) -> None:
    object_id = ObjectId(f"urn:fonoteca:audio:{key}")
    path = ocfl.object_path(object_id)
    assert path == ocfl_py.layout_registry.get_layout(ocfl.LAYOUT).identifier_to_path(object_id)
    assert ocfl.object_id_at(path) in (object_id, None)
    assert (ocfl.object_id_at(path) is None) == (len(path) > 112)


@pytest.mark.parametrize("path", ["", "a", "a/b/c/d", "000/000/000/urn%3afonoteca%3aaudio%3ax", "000/000/000/%zz", "../../../x"])
def test_a_path_that_is_not_ours_tells_no_id(path: str) -> None:
    assert ocfl.object_id_at(path) is None


def test_the_root_files_are_what_other_software_expects(tmp_path: Path) -> None:
    for path, content in ocfl.root_files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    root = ocfl_py.StorageRoot(root=str(tmp_path))
    assert root.validate(log_warnings=True)
    assert (str(root.log), root.errors) == ("", [])
    assert root.object_path(OBJECT) == ocfl.object_path(OBJECT)
