"""`fonoteca audit --ocfl`: the verdict of any folder, its table, its JSON and its exit status."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
from fonoteca.cli.app import run
from fonoteca.formats import ocfl


@pytest.fixture
def objects(fixtures: Path) -> Path:
    return fixtures / "ocfl" / "1.0"


@pytest.fixture
def audited(capsys: pytest.CaptureFixture[str]) -> Callable[[Path], tuple[int, dict[str, Any]]]:
    """Return a function that gives the exit status and the JSON of an audit."""

    def audit(path: Path) -> tuple[int, dict[str, Any]]:
        status = run(["audit", "--ocfl", str(path), "--json"])
        return status, json.loads(capsys.readouterr().out)

    return audit


def test_a_valid_object_ends_with_0(objects: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = objects / "good-objects" / "spec-ex-full"
    assert run(["audit", "--ocfl", str(path)]) == 0
    out = capsys.readouterr().out
    assert "object, 1 object, 4 content files" in out
    assert "valid: 0 errors, 0 warnings" in out


def test_a_warning_leaves_an_object_valid(objects: Path, audited: Callable[..., Any]) -> None:
    status, answer = audited(objects / "warn-objects" / "W004_uses_sha256")
    assert (status, answer["valid"], answer["errors"], answer["counts"]) == (0, True, 0, {"W004": 1})
    assert answer["findings"] == [
        {
            "code": "W004",
            "level": "warning",
            "place": "inventory.json",
            "sentence": "digestAlgorithm is 'sha256', expected 'sha512'",
            "rule": "digestAlgorithm should be sha512",
        }
    ]


def test_an_error_ends_with_4_and_names_code_place_and_sentence(objects: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--ocfl", str(objects / "bad-objects" / "E023_extra_file")]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == ["E023", "v1/content/file2.txt"] and "not in the manifest" in line for line in lines)
    assert [line.split()[0] for line in lines if line[:1] in "EW"] == ["E023", "W009"]  # errors come first
    assert lines[-1] == "invalid: 1 error, 1 warning"


def test_where_nothing_is_to_be_validated_the_use_is_wrong(tmp_path: Path, audited: Callable[..., Any]) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "notes.txt"):
        status, answer = audited(path)
        assert (status, answer["error"]["code"], answer["error"]["subject"]) == (2, "usage", str(path))


def test_an_archive_s_own_folder_is_told_from_its_store(tmp_path: Path, audited: Callable[..., Any]) -> None:
    for path, content in ocfl.root_files().items():
        (tmp_path / "store" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "store" / path).write_bytes(content)
    assert audited(tmp_path)[0] == 2
    status, answer = audited(tmp_path / "store")
    assert (status, answer["kind"], answer["objects"], answer["findings"]) == (0, "storage root", 0, [])


def test_it_takes_no_option_of_an_archive_s_audit(objects: Path) -> None:
    assert run(["audit", "--ocfl", str(objects), "--sample", "3"]) == 2


def test_a_link_is_an_error_and_what_it_leads_to_is_not_read(objects: Path, tmp_path: Path, audited: Callable[..., Any]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for anyone")
    source, target = objects / "good-objects" / "minimal_one_version_one_file", tmp_path / "object"
    for path in sorted(source.rglob("*")):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
    os.symlink(secret, target / "v1" / "content" / "link.txt")
    os.symlink(tmp_path, target / "v1" / "content" / "folder")
    status, answer = audited(target)
    assert status == 4
    assert [(f["code"], f["place"]) for f in answer["findings"]] == [
        ("E090", "v1/content/folder"),
        ("E090", "v1/content/link.txt"),
    ]
