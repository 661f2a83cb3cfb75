"""What a store must hold, told apart from the store's own code: promises made, and versions that were seen whole.

Reads inventories as plain JSON and hashes with hashlib, so that a mistake of the store's reader cannot hide one of its writer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from fonoteca.formats import ocfl
from fonoteca.formats.claim import CLAIM_FILE
from fonoteca.formats.ocfl import INVENTORY, OBJECT_DECLARATION, SIDECAR

Files = Mapping[str, bytes]
"""Files of a store by path."""


class LawBroken(Exception):  # noqa: N818 - it is what is being looked for
    """A law of the archive that does not hold. law: its name in `laws`."""

    def __init__(self, law: str, found: str) -> None:
        super().__init__(law, found)
        self.law = law
        self.found = found

    def __str__(self) -> str:
        """Return the law and what was found."""
        return f"{self.law}: {self.found}"


@dataclass(frozen=True, slots=True)
class Promise:
    """A version that somebody was told of. offered: SHA-256 of the source's files by logical path."""

    object_path: str
    version: int
    offered: Mapping[str, str]


@dataclass(slots=True)
class Truth:
    """What was promised, and what is known to be right.

    versions: the files below each version folder that was ever seen whole, by path below the store. logs: segments of the event log
    likewise, and the claim of the archive whose store it is.
    """

    promises: list[Promise] = field(default_factory=list)
    versions: dict[tuple[str, int], dict[str, bytes]] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)

    def take_in(self, files: Files) -> None:
        """Take note of versions and segments that are new. Raises: LawBroken for one that is not whole."""
        for (path, number), found in _by_version(files).items():
            if (path, number) not in self.versions:
                _check_whole(path, number, found)
                self.versions[path, number] = found
        for path, content in files.items():
            if "/logs/" in path and path not in self.logs and path.endswith((".jsonl", CLAIM_FILE)):
                if path.endswith(".jsonl") and sha256(content).hexdigest() != path.rpartition("-")[2].removesuffix(".jsonl"):
                    raise LawBroken("what-is-there-is-whole", f"{path} has not the digest of its name")
                self.logs[path] = content

    def forget(self, object_path: str) -> None:
        """Let go of an object that was purged."""
        self.promises = [promise for promise in self.promises if promise.object_path != object_path]
        self.versions = {key: files for key, files in self.versions.items() if key[0] != object_path}

    def right(self) -> dict[str, bytes]:
        """Return every file that a store with these versions has, by path."""
        expected = dict(ocfl.root_files()) | self.logs
        heads: dict[str, int] = {}
        for (path, number), found in self.versions.items():
            expected |= found
            heads[path] = max(number, heads.get(path, 0))
        for path, head in heads.items():
            inventory = self.versions[path, head][f"{path}/v{head}/{INVENTORY}"]
            expected[f"{path}/{INVENTORY}"] = inventory
            expected[f"{path}/{SIDECAR}"] = _sidecar(inventory)
            expected[f"{path}/{OBJECT_DECLARATION[0]}"] = OBJECT_DECLARATION[1]
        return expected

    def wrong(self, files: Files) -> dict[str, str]:
        """Return what is wrong with the files of a store: path to `missing`, `other bytes` or `unexplained`."""
        expected = self.right()
        found = {path: "missing" for path in expected if path not in files}
        found |= {path: "other bytes" for path in expected if path in files and files[path] != expected[path]}
        return found | {path: "unexplained" for path in files if path not in expected}

    def check_promises(self) -> None:
        """Raise LawBroken unless every promise is of a version that is known, and that has what the source offered."""
        for promise in self.promises:
            found = self.versions.get((promise.object_path, promise.version))
            if found is None:
                raise LawBroken("what-was-acknowledged-is-there", f"{promise.object_path} has no v{promise.version}")
            inventory = json.loads(found[f"{promise.object_path}/v{promise.version}/{INVENTORY}"])
            state = inventory["versions"][f"v{promise.version}"]["state"]
            held = {path: digest for digest, paths in state.items() for path in paths}
            for path, digest in promise.offered.items():
                if held.get(path) != digest:
                    raise LawBroken("what-was-acknowledged-is-proved", f"{promise.object_path} v{promise.version}: {path}")


def _by_version(files: Files) -> dict[tuple[str, int], dict[str, bytes]]:
    """Return the files of version folders, by object and version."""
    found: defaultdict[tuple[str, int], dict[str, bytes]] = defaultdict(dict)
    for path, content in files.items():
        parts = path.split("/")
        number = ocfl.version_of_folder(parts[4]) if len(parts) > 5 else None
        if number is not None:
            found["/".join(parts[:4]), number][path] = content
    return dict(found)


def _check_whole(path: str, number: int, files: Files) -> None:
    """Raise LawBroken unless a version folder is whole: its inventory proved, every file of it there and proved, and none else."""
    folder = f"{path}/v{number}"
    try:
        content = files[f"{folder}/{INVENTORY}"]
        if files[f"{folder}/{SIDECAR}"] != _sidecar(content):
            raise LawBroken("what-is-there-is-whole", f"{folder}/{SIDECAR} is not of its inventory")
        inventory = json.loads(content)
    except (KeyError, ValueError) as error:
        raise LawBroken("what-is-there-is-whole", f"{folder} has no whole inventory ({error!r})") from error
    expected = {f"{folder}/{INVENTORY}", f"{folder}/{SIDECAR}"}
    for digest, places in _contents(inventory["manifest"], f"v{number}/"):
        for place in places:
            expected.add(f"{path}/{place}")
            if sha256(files.get(f"{path}/{place}", b"nothing")).hexdigest() != digest:
                raise LawBroken("what-is-there-is-whole", f"{path}/{place} is missing or has not its digest")
    odd = expected ^ files.keys()
    if odd or inventory["head"] != f"v{number}":
        raise LawBroken("what-is-there-is-whole", f"{folder} and its inventory disagree on {sorted(odd)[:1] or inventory['head']}")


def _contents(manifest: Mapping[str, list[str]], prefix: str) -> Iterator[tuple[str, list[str]]]:
    """Yield digests and those of their content paths that begin so."""
    for digest, places in manifest.items():
        yield digest, [place for place in places if place.startswith(prefix)]


def _sidecar(inventory: bytes) -> bytes:
    """Return the sidecar of an inventory (OCFL 1.1 section 3.7)."""
    return f"{sha256(inventory).hexdigest()} {INVENTORY}\n".encode()
