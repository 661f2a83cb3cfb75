"""The OCFL editors' own fixtures: each gets the verdict of its folder and the codes of its name, as 1.0 and made 1.1."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ocfl_world import FIXTURES, as_spec, codes, good_object, inventory_of, load, named_codes, ours, said, seal, theirs

from fonoteca.edges.disk_tree import DiskTree
from fonoteca.formats.ocfl_validation import Report, TreeKind, kind_of, validate

NAMES = sorted(f"{folder.parent.name}/{folder.name}" for folder in FIXTURES.glob("*-objects/*"))

NAMED_ELSE_IN_1_1 = {"E037_inconsistent_id": {"E110"}}
"""Where 1.1 has a code of its own for what 1.0 calls by a wider one."""


def _check(name: str, report: Report, expected: set[str]) -> None:
    if name.startswith("good-objects/"):
        assert not report.findings, said(report)
    elif name.startswith("warn-objects/"):
        assert report.valid, said(report)
        assert expected <= codes(report), said(report)
    else:
        assert not report.valid
        assert expected <= codes(report), said(report)


def test_no_fixture_is_missing(fixtures: Path) -> None:
    assert (fixtures / "ocfl" / "1.0").samefile(FIXTURES)
    assert len(NAMES) >= 75


@pytest.mark.parametrize("name", NAMES)
def test_a_fixture_gets_its_verdict_and_its_code(name: str) -> None:
    with DiskTree(FIXTURES / name) as tree:
        assert kind_of(tree) is TreeKind.OBJECT
        _check(name, validate(tree, TreeKind.OBJECT), named_codes(Path(name).name))


@pytest.mark.parametrize("name", NAMES)
def test_a_fixture_made_1_1_gets_the_same_or_its_newer_code(name: str) -> None:
    expected = NAMED_ELSE_IN_1_1.get(Path(name).name, named_codes(Path(name).name))
    _check(name, ours(as_spec(load(FIXTURES / name), "1.1")), expected)


@pytest.mark.parametrize("name", NAMES)
def test_ocfl_py_agrees(name: str, tmp_path: Path) -> None:
    files = load(FIXTURES / name)
    for spec, made in (("1.0", files), ("1.1", as_spec(files, "1.1"))):
        assert theirs(made, tmp_path / spec) == ours(made).valid == (not name.startswith("bad-objects/")), spec


@pytest.mark.parametrize("spec", ["1.0", "1.1"])
def test_the_object_of_these_tests_is_good(spec: str, tmp_path: Path) -> None:
    report = ours(good_object(spec))
    assert not report.findings, said(report)
    assert (report.kind, report.object_count, report.file_count) == (TreeKind.OBJECT, 1, 3)


def test_an_object_may_have_begun_under_1_0() -> None:
    old, files = good_object("1.0"), good_object("1.1")
    seal(files, inventory_of(old, "v1/"), ["v1/"])
    report = ours(files)
    assert not report.findings, said(report)


def test_an_object_may_not_go_back_to_1_0() -> None:
    new, files = good_object("1.1"), good_object("1.0")
    seal(files, inventory_of(new, "v1/"), ["v1/"])
    assert codes(ours(files)) == {"E103"}


@pytest.mark.parametrize("spec", ["1.0", "1.1"])
def test_digests_of_extensions_are_computed_too(spec: str) -> None:
    files = good_object(spec)
    content = files["v1/content/a.txt"]
    digests = {"blake2b-160": 20, "blake2b-256": 32, "blake2b-384": 48}
    right = {name: hashlib.blake2b(content, digest_size=length).hexdigest() for name, length in digests.items()}
    right |= {"sha512/256": hashlib.new("sha512_256", content).hexdigest(), "size": str(len(content))}
    for wrong in ("", *right):
        inventory = inventory_of(files)
        inventory["fixity"] = {name: {digest: ["v1/content/a.txt"]} for name, digest in right.items()}
        if wrong:
            inventory["fixity"][wrong] = {right[wrong][:-1] + "9": ["v1/content/a.txt"]}
        seal(files, inventory, ["", "v3/"])
        assert codes(ours(files)) == ({"E093"} if wrong else set()), wrong
