"""What an import keeps about its source: source.json, to and from bytes, and what all JSON of the catalogue shares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fonoteca.model.catalogue import SnapshotSource
from fonoteca.model.errors import StoreError

FORMAT = "fonoteca-import/2"


@dataclass(frozen=True, slots=True)
class ImportedSource:
    """One import. inputs: a digest of how it was read and of every byte of it, "" for the store's own rows.

    files: name below the import's folder to sha256. facts: what the kind noted, and rows by kind.
    """

    source: SnapshotSource
    inputs: str
    files: Mapping[str, str]
    facts: Mapping[str, str | int]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name the import's folder: the same rows from the same source have the same.

        The store's rows have no date of their own, only that of the import, which must not make them new.
        """
        facts = self._facts()
        if not self.inputs:
            facts.pop("date")
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def tables(self, rows: str) -> list[str]:
        """Return the names of the files with rows of a kind, in order."""
        return sorted(name for name in self.files if name.startswith(f"{rows}-") and name.endswith(".parquet"))

    def _facts(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "inputs": self.inputs,
            "files": dict(self.files),
            "facts": dict(self.facts),
            **asdict(self.source),
        }

    def to_bytes(self) -> bytes:
        """Return source.json, the same to the byte for the same import."""
        return to_json(self._facts())


def parse_source(content: bytes, subject: str) -> ImportedSource:
    """Return the import that source.json describes. Raises: StoreError when it is not one."""
    facts = parse_json(content, subject, FORMAT)
    try:
        source = parse_snapshot_source(facts)
        files = {str(name): str(digest) for name, digest in facts["files"].items()}
        return ImportedSource(source, str(facts["inputs"]), files, dict(facts["facts"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(subject, f"lacks what {FORMAT} has: {error}", "Import the source again.") from error


def parse_snapshot_source(facts: Mapping[str, object]) -> SnapshotSource:
    """Return the source that parsed JSON describes. Raises: KeyError, TypeError."""
    names = SnapshotSource.__dataclass_fields__
    found = {name: facts[name] for name in names}
    for name, value in found.items():
        expected = {"int": int, "bool": bool}.get(str(names[name].type), str)
        if type(value) is not expected:
            raise TypeError(f"{name} is {value!r}")
    return SnapshotSource(**found)  # type: ignore[arg-type]  # each was checked against its field just above


def to_json(value: object) -> bytes:
    """Return the value as the catalogue writes JSON: sorted keys, one entry a line, UTF-8."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def parse_json(content: bytes, subject: str, expected_format: str) -> dict[str, Any]:
    """Return a JSON object whose `format` is the one expected. Raises: StoreError."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(subject, f"is not JSON: {error}", "Import its source and build again.") from error
    found: object = value.get("format") if isinstance(value, dict) else None
    if found != expected_format:
        raise StoreError(subject, f"expected format {expected_format}, found {found!r}", "Import its source and build again.")
    return dict(value)


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each of these files of a folder that we made. Raises: StoreError."""
    try:
        return {name: sha256_of(folder / name) for name in sorted(names)}
    except OSError as error:
        raise StoreError(str(folder), f"cannot be read back: {error}", "Check the disk under staging.") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal, in one pass. Raises: OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
