"""Objects to be validated: the other project's fixtures, one of our own with everything in it, and the second opinion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ocfl.validator import Validator

from fonoteca.formats.ocfl_validation import Report, kind_of, validate
from fonoteca.testing.trees import MemoryTree

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "ocfl" / "1.0"

Files = dict[str, bytes]


def sha512(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()


def load(folder: Path) -> Files:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write(files: Mapping[str, bytes], folder: Path) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def ours(files: Mapping[str, bytes]) -> Report:
    tree = MemoryTree(files)
    kind = kind_of(tree)
    assert kind is not None
    return validate(tree, kind)


def theirs(files: Mapping[str, bytes], folder: Path) -> bool:
    """Return whether ocfl-py calls an object valid."""
    return bool(Validator(log_errors=False).validate_object(str(write(files, folder))))


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def said(report: Report) -> str:
    return "\n".join(f"{f.code} {f.place}: {f.sentence}" for f in report.findings)


def named_codes(name: str) -> set[str]:
    """Return the codes in a fixture's name."""
    return {part for part in name.split("_") if part[0] in "EW" and part[1:].isdigit()}


def as_spec(files: Mapping[str, bytes], spec: str) -> Files:
    """Return an object as one of the other version. Sidecars that were right before are right again; wrong ones stay wrong."""
    old = "1.0" if spec == "1.1" else "1.1"
    made: Files = {}
    for path, content in sorted(files.items()):  # a sidecar follows its inventory
        name = path.rsplit("/", 1)[-1]
        if name == f"0=ocfl_object_{old}":
            text = content.replace(f"ocfl_object_{old}".encode(), f"ocfl_object_{spec}".encode())
            made[path.removesuffix(old) + spec] = text
        elif name == "inventory.json":
            made[path] = content.replace(f"ocfl.io/{old}/".encode(), f"ocfl.io/{spec}/".encode())
        elif name.startswith("inventory.json.") and (inventory := path[: path.rindex(".")]) in files:
            before, after = (hashlib.new(name.rsplit(".", 1)[-1], each[inventory]).hexdigest() for each in (files, made))
            made[path] = content.replace(before.encode(), after.encode())
        else:
            made[path] = content
    return made


def inventory_of(files: Mapping[str, bytes], folder: str = "") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files[f"{folder}inventory.json"])
    return loaded


def seal(files: Files, inventory: Any, folders: Iterable[str], algorithm: str = "sha512") -> None:
    """Put an inventory and its sidecar into folders: "" or such as "v1/"."""
    content = inventory if isinstance(inventory, bytes) else json.dumps(inventory, indent=1).encode()
    for folder in folders:
        files[f"{folder}inventory.json"] = content
        files[f"{folder}inventory.json.{algorithm}"] = f"{hashlib.new(algorithm, content).hexdigest()} inventory.json\n".encode()


def good_object(spec: str = "1.1", object_id: str = "urn:example:good") -> Files:
    """Return an object of three versions: files added, renamed, removed and given back, with fixity, without a warning."""
    a, b, c = b"first", b"second\n" * 300, b"third"
    content = {"v1/content/a.txt": a, "v1/content/folder/b.txt": b, "v2/content/c.txt": c}
    states: list[dict[str, list[str]]] = [
        {sha512(a): ["a.txt", "copy of a.txt"], sha512(b): ["folder/b.txt"]},
        {sha512(a): ["renamed.txt"], sha512(c): ["folder/c.txt"]},
        {sha512(b): ["folder/b.txt"], sha512(c): ["folder/c.txt"]},
    ]
    files: Files = {f"0=ocfl_object_{spec}": f"ocfl_object_{spec}\n".encode(), **content}
    for number in (1, 2, 3):
        there = {path: each for path, each in content.items() if int(path[1]) <= number}
        inventory = {
            "id": object_id,
            "type": f"https://ocfl.io/{spec}/spec/#inventory",
            "digestAlgorithm": "sha512",
            "head": f"v{number}",
            "contentDirectory": "content",
            "manifest": {sha512(each): [path] for path, each in there.items()},
            "versions": {
                f"v{index}": {
                    "created": f"2026-01-0{index}T00:00:00Z",
                    "message": f"Version {index}",
                    "user": {"name": "Eve", "address": "mailto:eve@example.org"},
                    "state": states[index - 1],
                }
                for index in range(1, number + 1)
            },
            "fixity": {
                "md5": {hashlib.md5(a).hexdigest(): ["v1/content/a.txt"]},
                "sha1": {hashlib.sha1(b).hexdigest(): ["v1/content/folder/b.txt"]},
                "blake2b-512": {hashlib.blake2b(a).hexdigest(): ["v1/content/a.txt"]},
            },
        }
        seal(files, inventory, [f"v{number}/", ""] if number == 3 else [f"v{number}/"])
    return files
