"""Each row of a table breaks one rule of a good object, seeded; the validator must name the rule, and ocfl-py see it too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocfl_world import Files, as_spec, codes, good_object, inventory_of, ours, said, seal, sha512, theirs

from fonoteca.formats.ocfl_codes import RULES

SEEDS = range(4)
ONLY_IN_1_1 = {"E103", "E104", "E105", "E106", "E107", "E108", "E110", "E111", "E112", "W016"}
NOT_OF_A_ROW = {
    "E024": "an empty folder is in no table of files: test_ocfl_roots",
    "E103": "two versions of the specification: test_ocfl_fixtures",
    "E112": "of storage roots: test_ocfl_roots",
}.keys()
"""Codes that other tests find."""

NEWEST = ["", "v3/"]
VERSIONS = ("v1", "v2", "v3")

Change = Callable[[Any, Random], None]
"""Changes a parsed inventory in place."""

Break = Callable[[Files, Random], None]
"""Changes an object's files in place."""


def _inventory(change: Change, folders: list[str] | None = None) -> Break:
    """Return what changes an inventory, with its sidecars right again. folders: where it lies; the newest if not said."""

    def broken(files: Files, chance: Random) -> None:
        places = folders or NEWEST
        inventory = inventory_of(files, places[0])
        change(inventory, chance)
        seal(files, inventory, places)

    return broken


def _earlier(change: Change) -> Break:
    """Return what changes the inventory of v1 or v2."""
    return lambda files, chance: _inventory(change, [chance.choice(["v1/", "v2/"])])(files, chance)


def _put(*keys: str, value: Any) -> Change:
    """Return what puts a value at keys; `vN` is any version."""

    def change(inventory: Any, chance: Random) -> None:
        *above, last = [chance.choice(VERSIONS) if key == "vN" else key for key in keys]
        for key in above:
            inventory = inventory[key]
        inventory[last] = value

    return change


def _drop(*keys: str) -> Change:
    def change(inventory: Any, chance: Random) -> None:
        *above, last = [chance.choice(VERSIONS) if key == "vN" else key for key in keys]
        for key in above:
            inventory = inventory[key]
        del inventory[last]

    return change


def _some_file(files: Files, chance: Random) -> str:
    return chance.choice(sorted(path for path in files if "/content/" in path))


def _add(*paths: str, content: bytes = b"x") -> Break:
    return lambda files, chance: files.update({chance.choice(paths): content})


def _remove(*paths: str) -> Break:
    def broken(files: Files, chance: Random) -> None:
        del files[chance.choice(paths)]

    return broken


def _text(old: bytes, new: bytes) -> Break:
    """Return what changes the newest inventory's text once."""

    def broken(files: Files, _: Random) -> None:
        content = files["inventory.json"]
        assert old in content
        seal(files, content.replace(old, new, 1), NEWEST)

    return broken


def _flip(files: Files, chance: Random) -> None:
    path = _some_file(files, chance)
    content = bytearray(files[path])
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    files[path] = bytes(content)


def _truncate(files: Files, chance: Random) -> None:
    path = _some_file(files, chance)
    files[path] = files[path][: chance.randrange(len(files[path]))]


def _lose(files: Files, chance: Random) -> None:
    del files[_some_file(files, chance)]


def _rename(files: Files, chance: Random) -> None:
    path = _some_file(files, chance)
    files[path + ".old"] = files.pop(path)


def _drop_version_folder(number: int) -> Break:
    def broken(files: Files, _: Random) -> None:
        for path in [path for path in files if path.startswith(f"v{number}/")]:
            del files[path]

    return broken


def _declaration(name: str, content: bytes) -> Break:
    def broken(files: Files, _: Random) -> None:
        del files["0=ocfl_object_1.1"]
        files[name] = content

    return broken


def _sidecar(change: Callable[[bytes], bytes]) -> Break:
    def broken(files: Files, chance: Random) -> None:
        path = f"{chance.choice(['', 'v1/', 'v2/', 'v3/'])}inventory.json.sha512"
        files[path] = change(files[path])

    return broken


def _move_sidecar(files: Files, chance: Random) -> None:
    folder = chance.choice(["", "v1/", "v2/"])
    files[f"{folder}inventory.json.sha256"] = files.pop(f"{folder}inventory.json.sha512")


def _state_path(path: str) -> Change:
    def change(inventory: Any, chance: Random) -> None:
        paths = chance.choice(list(inventory["versions"]["v3"]["state"].values()))
        paths[0] = path

    return change


def _same_path_twice(inventory: Any, chance: Random) -> None:
    state = inventory["versions"]["v3"]["state"]
    first, second = state.values()
    second[0] = first[0] if chance.random() < 0.5 else f"{first[0]}/below"


def _content(path: str) -> Change:
    def change(inventory: Any, _: Random) -> None:
        inventory["manifest"][sha512(b"third")] = [path]

    return change


def _upper_state(inventory: Any, chance: Random) -> None:
    state = inventory["versions"][chance.choice(VERSIONS)]["state"]
    digest = chance.choice(list(state))
    state[digest.upper()] = state.pop(digest)


def _manifest_twice(inventory: Any, _: Random) -> None:
    inventory["manifest"][sha512(b"first").upper()] = ["v1/content/a.txt"]


def _fixity_twice(inventory: Any, _: Random) -> None:
    digest = hashlib.md5(b"first").hexdigest()
    inventory["fixity"]["md5"][digest.upper()] = ["v1/content/a.txt"]


def _renamed(*names: str) -> Break:
    """Return what renames the versions in folders and inventories alike."""

    def broken(files: Files, _: Random) -> None:
        for old, new in zip(reversed(VERSIONS), reversed(names), strict=True):
            for path in [path for path in files if path.startswith(f"{old}/")]:
                files[new + path[len(old) :]] = files.pop(path)
        for path in [path for path in files if path.endswith("inventory.json")]:
            content = files[path]
            for old, new in zip(VERSIONS, names, strict=True):
                content = content.replace(f'"{old}"'.encode(), f'"{new}"'.encode())
                content = content.replace(f'"{old}/'.encode(), f'"{new}/'.encode())
            seal(files, content, [path.removesuffix("inventory.json")])

    return broken


def _unused_digest(inventory: Any, _: Random) -> None:
    for version in inventory["versions"].values():
        version["state"].pop(sha512(b"first"), None)


def _forget_file(inventory: Any, _: Random) -> None:
    """Take a file out of an inventory, but not off the disk."""
    digest = sha512(b"first")
    del inventory["manifest"][digest]
    inventory["fixity"] = {}
    for version in inventory["versions"].values():
        version["state"].pop(digest, None)


def _other_history(inventory: Any, _: Random) -> None:
    inventory["versions"]["v1"]["state"][sha512(b"first")] = ["a.txt", "another copy"]


def _wrong_algorithm(inventory: Any, chance: Random) -> None:
    inventory["digestAlgorithm"] = chance.choice(["md5", "sha1", "SHA512", "sha512/256", 512, None])


def _short_digest(inventory: Any, _: Random) -> None:
    block = inventory["manifest"]
    digest = sha512(b"third")
    block[digest[:64]] = block.pop(digest)


def _odd_digest(inventory: Any, _: Random) -> None:
    block = inventory["manifest"]
    digest = sha512(b"third")
    block["g" + digest[1:]] = block.pop(digest)


def _sha256_fixity(inventory: Any, _: Random) -> None:
    inventory["fixity"]["sha256"] = {"z" * 64: ["v1/content/a.txt"]}


def _wrong_fixity(inventory: Any, chance: Random) -> None:
    algorithm = chance.choice(list(inventory["fixity"]))
    digest, paths = inventory["fixity"][algorithm].popitem()
    inventory["fixity"][algorithm][digest[:-1] + ("1" if digest[-1] == "0" else "0")] = paths


def _move_content_folder(files: Files, _: Random) -> None:
    """Say contentDirectory in the newest inventory alone."""
    for folder in ("v1/", "v2/"):
        inventory = inventory_of(files, folder)
        del inventory["contentDirectory"]
        seal(files, inventory, [folder])


ROWS: list[tuple[str, str, Break]] = [
    ("stray file in the root", "E001", _add("notes.txt", ".DS_Store", "inventory.json.bak", "0=something", "1=An object by Eve")),
    ("stray folder in the root", "E001", _add("v/file", "extra/file", "Extensions/x/y", "version1/file")),
    ("no declaration", "E003", _remove("0=ocfl_object_1.1")),
    ("two declarations", "E003", _add("0=ocfl_object_1.0", content=b"ocfl_object_1.0\n")),
    ("declaration of an unknown version", "E004", _declaration("0=ocfl_object_9.9", b"ocfl_object_9.9\n")),
    ("declaration with another tag", "E005", _declaration("1=ocfl_object_1.1", b"ocfl_object_1.1\n")),
    ("declaration of something else", "E006", _declaration("0=ocfl_1.1", b"ocfl_1.1\n")),
    ("another declaration", "E006", _add("0=ocfl_1.1")),
    ("declaration without newline", "E007", _add("0=ocfl_object_1.1", content=b"ocfl_object_1.1")),
    ("declaration of 1.0 in the text", "E007", _add("0=ocfl_object_1.1", content=b"ocfl_object_1.0\n")),
    ("no versions", "E008", _inventory(_put("versions", value={}))),
    ("first version is missing", "E009", _renamed("v2", "v3", "v4")),
    ("folder of v1 is missing", "E009", _drop_version_folder(1)),
    ("version is missing", "E010", _renamed("v1", "v3", "v4")),
    ("folder of v2 is missing", "E010", _drop_version_folder(2)),
    ("padding overflows", "E011", _renamed("v01", "v02", "v11")),
    ("padding of two lengths", "E012", _renamed("v01", "v02", "v003")),
    ("padding begins late", "E012", _renamed("v1", "v02", "v03")),
    ("padding ends", "E013", _renamed("v01", "v02", "v3")),
    ("content path with a padded version", "E014", _inventory(_content("v02/content/c.txt"))),
    ("stray file in a version", "E015", _add("v1/notes.txt", "v2/a.txt", "v3/inventory.json.bak2")),
    ("contentDirectory with a slash", "E017", _inventory(_put("contentDirectory", value="content/inner"))),
    ("contentDirectory is a dot", "E018", _inventory(_put("contentDirectory", value="."))),
    ("contentDirectory is two dots", "E018", _inventory(_put("contentDirectory", value=".."))),
    ("contentDirectory is set late", "E019", _move_content_folder),
    ("contentDirectory changes", "E020", _earlier(_put("contentDirectory", value="data"))),
    ("content is missing altogether", "E016", lambda files, _: files.pop("v2/content/c.txt") and None),
    ("file that no inventory knows", "E023", _add("v1/content/z.txt", "v3/content/deep/er/z.txt")),
    ("file that an earlier inventory does not know", "E023", _earlier(_forget_file)),
    ("digestAlgorithm is not for content", "E025", _inventory(_wrong_algorithm)),
    ("sha512 digest is not hexadecimal", "E031", _inventory(_odd_digest)),
    ("sha256 digest of fixity is not hexadecimal", "E030", _inventory(_sha256_fixity)),
    ("sha1 digest of fixity is not hexadecimal", "E029", _inventory(_put("fixity", "sha1", value={"?": ["v1/content/a.txt"]}))),
    ("blake2b digest is not hexadecimal", "E032", _inventory(_put("fixity", "blake2b-512", value={"?": ["v1/content/a.txt"]}))),
    ("not JSON", "E033", lambda files, _: seal(files, files["inventory.json"][:-2], NEWEST)),
    ("not UTF-8", "E033", _text(b"Version 1", b"Version \xff")),
    ("not a JSON object", "E033", lambda files, _: seal(files, [1], NEWEST)),
    ("a key twice", "E033", _text(b'"head": "v3"', b'"head": "v2", "head": "v3"')),
    ("a version twice", "E033", _text(b'"versions": {', b'"versions": {"v1": {}, ')),
    ("half a character", "E033", _text(b"Version 1", rb"Version \ud800")),
    ("earlier inventory is not JSON", "E033", lambda files, _: seal(files, b"{", ["v1/"])),
    ("inventory under another case", "E034", lambda files, _: files.update({"Inventory.json": files.pop("inventory.json")})),
    ("backslashes in a content path", "E035", _inventory(_content("v2\\content\\c.txt"))),
    *((f"no {key}", "E036", _inventory(_drop(key))) for key in ("id", "type", "digestAlgorithm", "head")),
    ("id is empty", "E037", _inventory(_put("id", value=""))),
    ("id is a number", "E037", _inventory(_put("id", value=7))),
    ("type is of the other version", "E038", _inventory(_put("type", value="https://ocfl.io/1.0/spec/#inventory"))),
    ("type is something else", "E038", _earlier(_put("type", value="inventory"))),
    ("digest of another algorithm", "E039", _inventory(_short_digest)),
    ("head is not the newest", "E040", _inventory(_put("head", value="v2"))),
    ("head is not there", "E040", _inventory(_put("head", value="v4"))),
    ("head is a number", "E040", _inventory(_put("head", value=3))),
    ("head of an earlier inventory", "E040", lambda files, _: seal(files, inventory_of(files), ["v2/"])),
    ("no manifest", "E041", _inventory(_drop("manifest"))),
    ("content path outside of versions", "E042", _inventory(_content("logs/c.txt"))),
    ("content path outside of content", "E042", _inventory(_content("v2/c.txt"))),
    ("content path in a version not there", "E042", _inventory(_content("v7/content/c.txt"))),
    ("no versions block", "E043", _inventory(_drop("versions"))),
    ("versions is an array", "E045", _inventory(_put("versions", value=[]))),
    ("folder of a version that is not there", "E046", _add("v4/content/x", "v9/inventory.json", "v03/x")),
    ("newest version's folder is missing", "E046", _drop_version_folder(3)),
    ("version is a text", "E047", _inventory(_put("versions", "vN", value="first"))),
    ("no created", "E048", _inventory(_drop("versions", "vN", "created"))),
    ("no state", "E048", _inventory(_drop("versions", "vN", "state"))),
    *(
        (f"created is {value!r}", "E049", _inventory(_put("versions", "vN", "created", value=value)))
        for value in ("2026-01-01T00:00:00", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "now", 1, None)
    ),
    ("state has an unknown digest", "E050", _inventory(_put("versions", "vN", "state", value={"0" * 128: ["x"]}))),
    ("state is an array", "E050", _inventory(_put("versions", "vN", "state", value=[]))),
    ("state spells a digest otherwise", "E050", _inventory(_upper_state)),
    ("state has no array", "E051", _inventory(_put("versions", "v1", "state", value={sha512(b"first"): "a.txt"}))),
    ("logical path is two dots", "E052", _inventory(_state_path("../up"))),
    ("logical path has an empty part", "E052", _inventory(_state_path("a//b"))),
    ("logical path is empty", "E052", _inventory(_state_path(""))),
    ("logical path is a dot", "E052", _inventory(_state_path("a/./b"))),
    ("logical path begins with a slash", "E053", _inventory(_state_path("/etc/passwd"))),
    ("logical path ends with a slash", "E053", _inventory(_state_path("folder/"))),
    ("user is a text", "E054", _inventory(_put("versions", "vN", "user", value="Eve"))),
    ("user has no name", "E054", _inventory(_drop("versions", "vN", "user", "name"))),
    ("fixity of an unknown algorithm", "E056", _inventory(_put("fixity", "crc32", value={"00": ["v1/content/a.txt"]}))),
    ("fixity is an array for an algorithm", "E057", _inventory(_put("fixity", "md5", value=[]))),
    ("fixity has no array", "E057", _inventory(_put("fixity", "md5", value={"0" * 32: "v1/content/a.txt"}))),
    ("fixity has a digest of another length", "E057", _inventory(_put("fixity", "md5", value={"00": ["v1/content/a.txt"]}))),
    ("no sidecar", "E058", _remove("inventory.json.sha512", "v1/inventory.json.sha512", "v3/inventory.json.sha512")),
    ("sidecar under another algorithm", "E059", _move_sidecar),
    ("sidecar of other bytes", "E060", _sidecar(lambda text: b"0" * 128 + text[128:])),
    ("sidecar without name", "E061", _sidecar(lambda text: text[:128])),
    ("sidecar of another name", "E061", _sidecar(lambda text: text.replace(b"inventory.json", b"inventory.txt"))),
    ("sidecar cut short", "E061", _sidecar(lambda text: text[100:])),
    ("empty sidecar", "E061", _sidecar(lambda _: b"")),
    ("no inventory in the root", "E063", _remove("inventory.json")),
    ("root inventory is not the newest's", "E064", _inventory(_put("versions", "v2", "message", value="x"), [""])),
    ("history was rewritten", "E066", _inventory(_other_history)),
    ("an earlier inventory tells another history", "E066", _earlier(_other_history)),
    ("file among an object's extensions", "E067", _add("extensions/readme.txt")),
    ("an object in an object", "E082", _add("inner/0=ocfl_object_1.1", content=b"ocfl_object_1.1\n")),
    ("a bit flipped", "E092", _flip),
    ("a file cut short", "E092", _truncate),
    ("a file lost", "E092", _lose),
    ("a file renamed", "E092", _rename),
    ("manifest has no array", "E092", _inventory(_put("manifest", sha512(b"third"), value="v2/content/c.txt"))),
    ("manifest has a file that is not there", "E092", _inventory(_content("v2/content/d.txt"))),
    ("fixity is wrong", "E093", _inventory(_wrong_fixity)),
    ("fixity of an earlier inventory is wrong", "E093", _earlier(_wrong_fixity)),
    ("message is a number", "E094", _inventory(_put("versions", "vN", "message", value=1))),
    ("logical paths conflict", "E095", _inventory(_same_path_twice)),
    ("a digest twice in the manifest", "E096", _inventory(_manifest_twice)),
    ("a key twice in the manifest", "E096", _text(b'"manifest": {', f'"manifest": {{"{sha512(b"third")}": [], '.encode())),
    ("a digest twice in fixity", "E097", _inventory(_fixity_twice)),
    ("content path is two dots", "E099", _inventory(_content("v2/content/../c.txt"))),
    ("content path has an empty part", "E099", _inventory(_content("v2/content//c.txt"))),
    ("content path begins with a slash", "E100", _inventory(_content("/v2/content/c.txt"))),
    ("content paths conflict", "E101", _inventory(_content("v1/content/a.txt/c.txt"))),
    ("content path twice", "E101", _inventory(_put("manifest", sha512(b"third"), value=["v2/content/c.txt"] * 2))),
    ("unknown key", "E102", _inventory(_put("comment", value="x"))),
    ("unknown key of a version", "E102", _inventory(_put("versions", "vN", "comment", value="x"))),
    ("unknown key of a user", "E102", _inventory(_put("versions", "vN", "user", "comment", value="x"))),
    ("version without v", "E104", _inventory(_put("versions", "3", value={}))),
    ("version of no number", "E105", _inventory(_put("versions", "v0", value={}))),
    ("version of a number too long", "E105", _inventory(_put("versions", "v" + "9" * 5000, value={}))),
    ("manifest is an array", "E106", _inventory(_put("manifest", value=[]))),
    ("manifest has a digest of no version", "E107", _inventory(_unused_digest)),
    ("contentDirectory is a number", "E108", _inventory(_put("contentDirectory", value=1))),
    ("contentDirectory is empty", "E108", _inventory(_put("contentDirectory", value=""))),
    ("id changes", "E110", _earlier(_put("id", value="urn:example:other"))),
    ("fixity is null", "E111", _inventory(_put("fixity", value=None))),
]

_TWO_READERS = "two readers of one JSON text must see the same; ocfl-py takes the last of two keys, and half a character"
_KEYS = "the specification allows no other keys (E102, and its own JSON schema); ocfl-py does not look"
THEIRS_ACCEPT = {
    "declaration without newline": "the text must end in a newline (E007); ocfl-py strips it",
    "type is of the other version": "the root's type must match the declaration (E038); ocfl-py takes any known type",
    "a key twice": _TWO_READERS,
    "a version twice": _TWO_READERS,
    "a key twice in the manifest": _TWO_READERS,
    "half a character": _TWO_READERS,
    "unknown key": _KEYS,
    "unknown key of a version": _KEYS,
    "unknown key of a user": _KEYS,
}
"""Rows that ocfl-py calls valid, with the reason why we do not."""

THEIRS_CRASH = {
    "not UTF-8": UnicodeDecodeError,
    "no manifest": TypeError,
    "version is a text": TypeError,
    "no state": KeyError,
    "state is an array": AttributeError,
}
"""Rows at which ocfl-py ends with a traceback instead of a verdict."""


@pytest.mark.parametrize(("row", "code", "broken"), ROWS, ids=[row[0] for row in ROWS])
def test_a_broken_rule_is_named(row: str, code: str, broken: Break) -> None:
    for seed in SEEDS:
        files = good_object()
        broken(files, Random(seed))
        report = ours(files)
        assert code in codes(report), f"seed {seed}: {said(report)}"
        assert not report.valid


@pytest.mark.parametrize(("row", "code", "broken"), ROWS, ids=[row[0] for row in ROWS])
def test_ocfl_py_sees_what_we_see(row: str, code: str, broken: Break, tmp_path: Path) -> None:
    files = good_object()
    broken(files, Random(0))
    if row in THEIRS_CRASH:
        with pytest.raises(THEIRS_CRASH[row]):
            theirs(files, tmp_path)
    else:
        assert theirs(files, tmp_path) == (row in THEIRS_ACCEPT)


IN_1_0 = {
    "version without v": "E046",
    "version of no number": "E046",
    "manifest is an array": "E041",
    "contentDirectory is a number": "E017",
    "id changes": "E037",
    "fixity is null": "E057",
}
"""Rows whose codes are of 1.1 alone, with the code of 1.0 for the same fault."""


@pytest.mark.parametrize("row", IN_1_0)
def test_a_rule_has_its_older_name_in_1_0(row: str) -> None:
    broken = next(each for name, _, each in ROWS if name == row)
    files = good_object()
    broken(files, Random(0))
    report = ours(as_spec(files, "1.0"))
    assert IN_1_0[row] in codes(report), said(report)
    assert not codes(report) & ONLY_IN_1_1


def test_1_0_did_not_ask_for_each_digest_to_be_used(tmp_path: Path) -> None:
    files = good_object()
    for folders in (["v1/"], ["v2/"], NEWEST):
        inventory = inventory_of(files, folders[0])
        _unused_digest(inventory, Random(0))
        seal(files, inventory, folders)
    assert codes(ours(files)) == {"E107"}
    files = as_spec(files, "1.0")
    assert not ours(files).findings
    assert not theirs(files, tmp_path)  # ocfl-py asks it of both


def test_every_code_that_is_found_has_a_row() -> None:
    of_roots = {"E037", *(code for code in RULES if "E069" <= code <= "E090")}
    assert {code for _, code, _ in ROWS} >= {code for code in RULES if code.startswith("E")} - of_roots - NOT_OF_A_ROW


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4) | st.sampled_from(["v1", "content", "..", "v3/content/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_no_inventory_makes_the_validator_fail(drawn: st.DataObject) -> None:
    files = good_object()
    inventory = inventory_of(files)
    for _ in range(drawn.draw(st.integers(1, 3))):
        node: Any = inventory
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = drawn.draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and drawn.draw(st.booleans()):
                node = node[key]
                continue
            value = drawn.draw(json_values)
            if isinstance(node, dict) and drawn.draw(st.booleans()):
                node[str(value)] = node.pop(key)
            else:
                node[key] = value
            break
    seal(files, inventory, drawn.draw(st.sampled_from([[""], ["v1/"], NEWEST])))
    for finding in ours(files).findings:
        assert finding.code in RULES
        assert finding.sentence
