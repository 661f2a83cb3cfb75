"""OCFL 1.1: inventories, sidecars, declarations and the storage layout, as Fonoteca writes them.

`parse_inventory` takes what Fonoteca's profile allows (OCFL 1.1, sha256, content directory `content`, versions without
padding) and refuses all else with the specification's code where there is one. Extra to the specification, content
paths are `ContentPath`s, since a mirror makes files with names that a stranger's inventory gives.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from fonoteca.formats.instants import instant
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.errors import FormatError
from fonoteca.model.ids import CONTENT_PATH_BYTES_MAX, ContentPath, LogicalPath, ObjectId, Sha256

INVENTORY = "inventory.json"
SIDECAR = "inventory.json.sha256"
ROOT_DECLARATION = ("0=ocfl_1.1", b"ocfl_1.1\n")
OBJECT_DECLARATION = ("0=ocfl_object_1.1", b"ocfl_object_1.1\n")
"""Namaste files (OCFL 1.1 sections 4.1 and 3.3): name and content."""

EXTENSIONS = "extensions"
LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"
INVENTORY_BYTES_MAX = 256 << 20
"""More than a million files an object; a mirror reads no longer ones into memory."""

_TYPE = "https://ocfl.io/1.1/spec/#inventory"
_USER = {"address": "urn:fonoteca:software", "name": "Fonoteca"}
_TUPLE_DIGITS = 3
_TUPLES = 3
OBJECT_DEPTH = _TUPLES + 1
"""Levels of folders from the storage root to an object's, its own counted."""

_NAME_MAX = 100
"""Layout 0003: longer encoded ids are cut here, and the digest follows."""

_VERSION = re.compile(r"v[1-9][0-9]*")
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_EXTENSION = re.compile(r"[A-Za-z0-9]{1,5}")
_TUPLE_PATH = re.compile(r"(?:[0-9a-f]{3}/){3}([A-Za-z0-9_%-]+)")
_SIDECAR = re.compile(rb"([0-9a-f]{64})[\t ]+inventory\.json\n?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_KEYS = {"id", "type", "digestAlgorithm", "head", "contentDirectory", "manifest", "versions", "fixity"}
_KEYS_NEEDED = {"id", "type", "digestAlgorithm", "head", "manifest", "versions"}


def root_files() -> dict[str, bytes]:
    """Return the files that make a folder a storage root with our layout, path to content."""
    description = "Paths from three parts of three digits of the id's SHA-256, and the id itself percent-encoded"
    config = {"digestAlgorithm": "sha256", "extensionName": LAYOUT, "numberOfTuples": _TUPLES, "tupleSize": _TUPLE_DIGITS}
    return {
        f"{EXTENSIONS}/{LAYOUT}/config.json": json_bytes(config, LAYOUT),
        "ocfl_layout.json": json_bytes({"description": description, "extension": LAYOUT}, LAYOUT),
        ROOT_DECLARATION[0]: ROOT_DECLARATION[1],
    }


def object_path(object_id: ObjectId) -> str:
    """Return where the object is below the storage root, such as `a1b/2c3/d4e/urn%3afonoteca%3aaudio%3afolder%3ax`.

    At most 177 characters. Source: OCFL community extension 0003.
    """
    digest = hashlib.sha256(object_id.encode()).hexdigest()
    tuples = [digest[at : at + _TUPLE_DIGITS] for at in range(0, _TUPLES * _TUPLE_DIGITS, _TUPLE_DIGITS)]
    name = "".join(c if _PLAIN.match(c) else f"%{ord(c):02x}" for c in object_id)
    if len(name) > _NAME_MAX:
        name = f"{name[:_NAME_MAX]}-{digest}"
    return "/".join([*tuples, name])


def object_id_at(path: str) -> ObjectId | None:
    """Return the id of the object at this path, or None when the path does not tell: its id was cut, or it is not ours."""
    match = _TUPLE_PATH.fullmatch(path)
    if match is None:
        return None
    text = re.sub("%([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), match[1])
    try:
        object_id = ObjectId(text)
    except FormatError:
        return None
    return object_id if object_path(object_id) == path else None


def version_folder(version: int) -> str:
    """Return the name of a version's folder."""
    return f"v{version}"


def version_of_folder(name: str) -> int | None:
    """Return the version whose folder has this name, or None when it is not such a name."""
    return int(name[1:]) if _VERSION.fullmatch(name) else None


def version_of(path: ContentPath) -> int:
    """Return the version whose folder holds this content."""
    return int(path.split("/", 1)[0][1:])


def content_path(version: int, ordinal: int, logical_path: LogicalPath) -> ContentPath:
    """Return a content path that survives every client: ASCII, lower case, at most 100 bytes, the extension kept when plain.

    ordinal: counted from 1 over the new files of the version; it makes the path unique, also when case-folded.
    """
    name = logical_path.rsplit("/", 1)[-1]
    stem, dot, extension = name.rpartition(".")
    if not dot or not _EXTENSION.fullmatch(extension):
        stem, extension = name, ""
    start = f"{version_folder(version)}/content/{ordinal:02d}"
    end = f".{extension.lower()}" if extension else ""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", plain).strip("-")
    slug = slug[: CONTENT_PATH_BYTES_MAX - len(start) - len(end) - 1].rstrip("-")
    return ContentPath(f"{start}-{slug}{end}" if slug else f"{start}{end}")


def sidecar(inventory: bytes) -> bytes:
    """Return the content of the sidecar of an inventory (OCFL 1.1 section 3.7)."""
    return sidecar_of(hashlib.sha256(inventory).hexdigest())


def sidecar_of(digest: str) -> bytes:
    """Return the content of the sidecar of an inventory with this sha256."""
    return f"{digest} {INVENTORY}\n".encode()


def parse_sidecar(content: bytes) -> Sha256:
    """Return the digest that a sidecar gives. Raises: FormatError (E061)."""
    match = _SIDECAR.fullmatch(content)
    if match is None:
        raise FormatError(SIDECAR, "expected a sha256 digest, a space and inventory.json (E061)")
    return Sha256(match[1].decode())


@dataclass(frozen=True, slots=True)
class InventoryVersion:
    """One version. state: logical path to digest. created_at: in UTC."""

    created_at: datetime
    message: str
    state: Mapping[LogicalPath, Sha256]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an object holds. versions: in order from v1. manifest: content path to digest, of all versions."""

    object_id: ObjectId
    versions: tuple[InventoryVersion, ...]
    manifest: Mapping[ContentPath, Sha256]
    fixity: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def head(self) -> int:
        """The newest version's number."""
        return len(self.versions)

    @property
    def state(self) -> Mapping[LogicalPath, Sha256]:
        """The newest version's files."""
        return self.versions[-1].state

    def content_of(self, digest: Sha256) -> ContentPath:
        """Return the first content path with this digest. Raises: KeyError when there is none."""
        return next(iter(self.contents([digest]).values()))

    def contents(self, digests: Iterable[Sha256]) -> dict[Sha256, ContentPath]:
        """Return the first content path of each digest. Raises: KeyError when one has none. Cost: O(manifest)."""
        first = {digest: path for path, digest in sorted(self.manifest.items(), reverse=True)}
        return {digest: first[digest] for digest in digests}

    def at(self, version: int) -> Inventory:
        """Return the inventory as it was when this version was the newest: what `vN/inventory.json` says."""
        versions = self.versions[:version]
        manifest = {path: digest for path, digest in self.manifest.items() if version_of(path) <= version}
        return Inventory(self.object_id, versions, manifest, self.fixity)

    def of_version(self, version: int) -> dict[ContentPath, Sha256]:
        """Return what lies in this version's own folder, in order of path."""
        return {path: digest for path, digest in sorted(self.manifest.items()) if version_of(path) == version}

    def to_bytes(self) -> bytes:
        """Return the inventory as JSON, the same bytes for the same inventory."""
        versions = {
            version_folder(number): {
                "created": instant(version.created_at),
                "message": version.message,
                "state": _by_digest(version.state),
                "user": _USER,
            }
            for number, version in enumerate(self.versions, 1)
        }
        inventory: dict[str, Any] = {
            "digestAlgorithm": "sha256",
            "head": version_folder(self.head),
            "id": self.object_id,
            "manifest": _by_digest(self.manifest),
            "type": _TYPE,
            "versions": versions,
        }
        if self.fixity:
            inventory["fixity"] = {name: {d: list(p) for d, p in block.items()} for name, block in self.fixity.items()}
        return json_bytes(inventory, self.object_id)


def next_version(
    before: Inventory | None, object_id: ObjectId, version: InventoryVersion, added: Mapping[ContentPath, Sha256]
) -> Inventory:
    """Return the inventory with one version more. before: None for a new object. added: content new in this version."""
    if before is None:
        return Inventory(object_id, (version,), dict(added))
    assert before.object_id == object_id
    assert all(version_of(path) == before.head + 1 for path in added)
    return Inventory(object_id, (*before.versions, version), {**before.manifest, **added}, before.fixity)


def check_follows(older: Inventory, newer: Inventory) -> None:
    """Raise FormatError (E066) when the newer inventory does not keep all that the older one says."""
    if older.object_id != newer.object_id:
        _fail("E037", newer.object_id, f"the id was {older.object_id} before")
    if newer.versions[: older.head] != older.versions:
        _fail("E066", newer.object_id, f"versions up to v{older.head} are not what they were before")
    if {p: d for p, d in newer.manifest.items() if version_of(p) <= older.head} != older.manifest:
        _fail("E066", newer.object_id, f"content of versions up to v{older.head} is not what it was before")


def parse_inventory(content: bytes) -> Inventory:
    """Return a checked inventory.

    Raises: FormatError whose problem names the specification's code (`E050`) where it has one.
    Cost: O(length); at most 256 MiB.
    """
    if len(content) > INVENTORY_BYTES_MAX:
        _fail("E033", INVENTORY, f"{len(content):,} bytes are more than {INVENTORY_BYTES_MAX:,}")
    try:
        found = parse_json(content, INVENTORY)
    except FormatError as error:
        _fail("E033", INVENTORY, error.problem)
    if not isinstance(found, dict):
        _fail("E033", INVENTORY, "expected a JSON object")
    _check_head_fields(found)
    object_id = _object_id(found["id"])
    manifest = _manifest(object_id, found["manifest"])
    versions = _versions(object_id, found["versions"], set(manifest.values()))
    if found["head"] != version_folder(len(versions)):
        _fail("E040", object_id, f"head is {found['head']!r}, the newest version is v{len(versions)}")
    late = [path for path in manifest if version_of(path) > len(versions)]
    if late:
        _fail("E042", object_id, f"content path {late[0]} is of a version that is not there")
    unused = set(manifest.values()) - {digest for version in versions for digest in version.state.values()}
    if unused:
        _fail("E107", object_id, f"digest {min(unused)} of the manifest is in no version's state")
    return Inventory(object_id, versions, manifest, _fixity(object_id, found.get("fixity", {}), manifest))


def _fail(code: str, subject: str, problem: str) -> NoReturn:
    raise FormatError(subject, f"{problem} ({code})")


def _check_head_fields(found: dict[str, Any]) -> None:
    """Check the keys and the values that are the same in every inventory of ours."""
    for key in sorted(_KEYS_NEEDED - found.keys()):
        _fail("E041" if key in ("manifest", "versions") else "E036", INVENTORY, f"{key!r} is missing")
    for key in sorted(found.keys() - _KEYS):
        _fail("E102", INVENTORY, f"key {key!r} is not of OCFL 1.1")
    if found["type"] != _TYPE:
        _fail("E038", INVENTORY, f"type is {found['type']!r}, expected {_TYPE!r}")
    if found["digestAlgorithm"] != "sha256":
        _fail("E025", INVENTORY, f"digestAlgorithm is {found['digestAlgorithm']!r}, expected 'sha256'")
    if found.get("contentDirectory", "content") != "content":
        _fail("E019", INVENTORY, f"contentDirectory is {found['contentDirectory']!r}, expected 'content'")


def _object_id(found: Any) -> ObjectId:
    if not isinstance(found, str) or not found:
        _fail("E037", INVENTORY, "id is not a text")
    try:
        return ObjectId(found)
    except FormatError as error:
        _fail("E037", INVENTORY, error.problem)


def _digests(object_id: str, found: Any, where: str, codes: tuple[str, str]) -> Mapping[Sha256, list[str]]:
    """Return a checked block of digest to paths. codes: for a wrong block and for a wrong list of paths."""
    if not isinstance(found, dict):
        _fail(codes[0], object_id, f"{where} is not a JSON object")
    block = {}
    for text, paths in found.items():
        try:
            digest = Sha256(text)
        except FormatError:
            _fail("E025" if where == "manifest" else codes[0], object_id, f"{text!r} in {where} is not a sha256 in lower case")
        if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
            _fail(codes[1], object_id, f"{text} in {where} has no list of paths")
        block[digest] = paths
    return block


def _manifest(object_id: str, found: Any) -> dict[ContentPath, Sha256]:
    manifest: dict[ContentPath, Sha256] = {}
    for digest, paths in _digests(object_id, found, "manifest", ("E041", "E092")).items():
        for text in paths:
            try:
                path = ContentPath(text)
            except FormatError as error:
                _fail("E042", object_id, error.problem)
            if path in manifest:
                _fail("E101", object_id, f"content path {path} is there twice")
            manifest[path] = digest
    _check_nesting(object_id, manifest, "E101")
    folded = {path.casefold() for path in manifest}
    if len(folded) < len(manifest):
        _fail("E101", object_id, "content paths differ by case alone")
    return manifest


def _versions(object_id: str, found: Any, digests: set[Sha256]) -> tuple[InventoryVersion, ...]:
    if not isinstance(found, dict):
        _fail("E044", object_id, "versions is not a JSON object")
    if not found:
        _fail("E008", object_id, "there is no version")
    names = [version_folder(number) for number in range(1, len(found) + 1)]
    if set(names) != found.keys():
        _fail("E010", object_id, f"versions are {sorted(found)}, expected v1 to v{len(found)} without gap or padding")
    return tuple(_version(object_id, name, found[name], digests) for name in names)


def _version(object_id: str, name: str, found: Any, digests: set[Sha256]) -> InventoryVersion:
    if not isinstance(found, dict) or not {"created", "state"} <= found.keys():
        _fail("E048", object_id, f"{name} has no created or no state")
    if not found.keys() <= {"created", "state", "message", "user"}:
        _fail("E102", object_id, f"{name} has a key that is not of OCFL 1.1")
    message = found.get("message", "")
    if not isinstance(message, str):
        _fail("E094", object_id, f"message of {name} is not a text")
    user = found.get("user", _USER)
    if not isinstance(user, dict) or not isinstance(user.get("name"), str):
        _fail("E054", object_id, f"user of {name} has no name")
    state: dict[LogicalPath, Sha256] = {}
    for digest, paths in _digests(object_id, found["state"], f"state of {name}", ("E050", "E051")).items():
        if digest not in digests:
            _fail("E050", object_id, f"digest {digest} of {name} is not in the manifest")
        for text in paths:
            try:
                path = LogicalPath(text)
            except FormatError as error:
                _fail("E052", object_id, error.problem)
            if path in state:
                _fail("E095", object_id, f"logical path {path!r} is in {name} twice")
            state[path] = digest
    _check_nesting(object_id, state, "E095")
    return InventoryVersion(_parse_instant(object_id, name, found["created"]), message, state)


def _check_nesting(object_id: str, paths: Iterable[str], code: str) -> None:
    """Refuse a path that is another's folder."""
    known = set(paths)
    for path in known:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in known:
                _fail(code, object_id, f"{'/'.join(parts[:end])!r} is both a file and the folder of {path!r}")


def _fixity(object_id: str, found: Any, manifest: Mapping[ContentPath, Sha256]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the fixity block, kept as it is: what it claims is not used."""
    if not isinstance(found, dict) or not all(isinstance(block, dict) for block in found.values()):
        _fail("E057", object_id, "fixity is not an object of objects")
    for block in found.values():
        for paths in block.values():
            if not isinstance(paths, list) or not all(path in manifest for path in paths):
                _fail("E057", object_id, "fixity names a path that is not in the manifest")
    return {name: {digest: tuple(paths) for digest, paths in block.items()} for name, block in found.items()}


def _parse_instant(object_id: str, name: str, found: Any) -> datetime:
    if not isinstance(found, str) or not _INSTANT.fullmatch(found):
        _fail("E049", object_id, f"created of {name} is {found!r}, expected a time with timezone as in RFC 3339")
    try:
        return datetime.fromisoformat(found).astimezone(UTC)
    except (ValueError, OverflowError):
        _fail("E049", object_id, f"created of {name} is {found!r}, which is no time")


def _by_digest(paths: Mapping[Any, Sha256]) -> dict[str, list[str]]:
    """Return digest to its paths in order."""
    block: dict[str, list[str]] = {}
    for path, digest in sorted(paths.items()):
        block.setdefault(digest, []).append(path)
    return block
