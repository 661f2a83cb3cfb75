"""The rules for one inventory by itself (OCFL 1.1 section 3.5): bytes in, what it says and what is wrong with it out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from fonoteca.formats.ocfl_codes import SPECS, Notes, shown
from fonoteca.formats.ocfl_digests import CONTENT_ALGORITHMS, is_known
from fonoteca.formats.ocfl_path_rules import (
    Block,
    ContentPlaces,
    DigestBlock,
    FixityClaim,
    read_fixity,
    read_manifest,
    read_state,
    version_number,
)
from fonoteca.formats.strictjson import parse_json
from fonoteca.model.errors import FormatError

_KEYS_NEEDED = ("id", "type", "digestAlgorithm", "head")
_KEYS = {*_KEYS_NEEDED, "contentDirectory", "manifest", "versions", "fixity"}
_VERSION_KEYS = {"created", "state", "message", "user"}
_USER_KEYS = {"name", "address"}
_TYPES = {f"https://ocfl.io/{spec}/spec/#inventory": spec for spec in SPECS}
_CONTENT_FOLDER = "content"

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
"""The characters of RFC 3986 after a scheme; what a scheme makes of them is not looked at."""

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
"""RFC 3339 section 5.6. A second may be the sixtieth: there are leap seconds."""

_LEAP_YEAR = 2000
"""Stands for the year 0, which RFC 3339 has and Python's calendar has not."""


@dataclass(frozen=True, slots=True)
class SeenVersion:
    """What an inventory says of a version. about: its created, message and user. state: logical path to digest in lower case."""

    about: Mapping[str, Any]
    state: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SeenInventory:
    """What an inventory says, as far as it can be used. spec: the version of the specification that its type names.

    algorithm: "" when it is not known. versions: by folder name, in order of their numbers. manifest: content path to digest
    in lower case. content_folder_set: whether contentDirectory is there.
    """

    spec: str
    object_id: str | None
    algorithm: str
    head: Any
    content_folder: str
    content_folder_set: bool
    versions: dict[str, SeenVersion]
    manifest: Mapping[str, str]
    fixity: tuple[FixityClaim, ...]

    @property
    def last(self) -> str | None:
        """The folder name of the version with the highest number, None when there is none."""
        return next(reversed(self.versions), None)


def read_inventory(content: bytes, notes: Notes, declared: str | None) -> SeenInventory | None:
    """Return what an inventory says, None when it is not JSON; take down all that is wrong with it by itself.

    declared: the version of the specification that its `type` must name; None when any known one will do, whose rules are
    then taken.
    """
    try:
        found = parse_json(content, notes.place, Block.of)
    except FormatError as error:
        notes.add("E033", error.problem)
        return None
    if not isinstance(found, Block):
        notes.add("E033", f"expected a JSON object, found {shown(found)}")
        return None
    named = found.get("type")
    spec = _TYPES.get(named) if isinstance(named, str) else None
    notes.spec = declared or spec or notes.spec
    _note_heading(found, notes, declared)
    algorithm = _algorithm(found, notes)
    folder = _content_folder(found, notes)
    blocks = _version_blocks(found, notes)
    numbers = {name: version_number(name) or 0 for name in blocks}
    _note_head(found, numbers, notes)
    places = ContentPlaces(numbers, {number: name for name, number in numbers.items()}, folder)
    manifest: dict[str, str] = {}
    digests: frozenset[str] | None = None
    if "manifest" in found:
        manifest, digests = read_manifest(found["manifest"], algorithm, places, notes)
    else:
        notes.add("E041", "the key 'manifest' is missing")
    states = {name: DigestBlock(f"state of {name}", algorithm, "E051") for name in blocks}
    versions = {name: _version(name, block, states[name], digests, notes) for name, block in blocks.items()}
    _note_unused(digests, versions, notes)
    fixity = (
        read_fixity(found["fixity"], places, lambda path: digests is None or path in manifest, notes) if "fixity" in found else ()
    )
    object_id = found.get("id")
    return SeenInventory(
        spec=spec or notes.spec,
        object_id=object_id if isinstance(object_id, str) else None,
        algorithm=algorithm,
        head=found.get("head"),
        content_folder=folder,
        content_folder_set="contentDirectory" in found,
        versions=versions,
        manifest=manifest,
        fixity=fixity,
    )


def is_uri(text: str) -> bool:
    """Return whether a text is a URI, as far as its scheme and characters tell."""
    return _URI.fullmatch(text) is not None


def is_instant(text: str) -> bool:
    """Return whether a text is a time of RFC 3339, of a day that there is."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return False
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return False
    return True


def _note_heading(found: Block, notes: Notes, declared: str | None) -> None:
    """Check the keys, the id and the type."""
    for key in found.repeated:
        notes.add("E033", f"the key {shown(key)} is there more than once")
    for key in _KEYS_NEEDED:
        if key not in found:
            notes.add("E036", f"the key {key!r} is missing")
    notes.add_each("E102", "not a key of the specification:", found.keys() - _KEYS)
    object_id = found.get("id", "urn:missing")
    if not isinstance(object_id, str) or not object_id:
        notes.add("E037", f"id is {shown(object_id)}, expected a text that is not empty")
    elif not is_uri(object_id):
        notes.add("W005", f"id is {shown(object_id)}, expected a URI")
    expected = [text for text, spec in _TYPES.items() if declared in (None, spec)]
    if "type" in found and found["type"] not in expected:
        notes.add("E038", f"type is {shown(found['type'])}, expected {' or '.join(map(repr, expected))}")


def _algorithm(found: Block, notes: Notes) -> str:
    """Return the digestAlgorithm, "" when it is none that can be computed."""
    algorithm = found.get("digestAlgorithm", CONTENT_ALGORITHMS[0])
    if not isinstance(algorithm, str) or algorithm not in CONTENT_ALGORITHMS:
        notes.add("E025", f"digestAlgorithm is {shown(algorithm)}, expected 'sha512' or 'sha256'")
        return algorithm if isinstance(algorithm, str) and is_known(algorithm) else ""
    if algorithm != CONTENT_ALGORITHMS[0]:
        notes.add("W004", f"digestAlgorithm is {algorithm!r}, expected 'sha512'")
    return algorithm


def _content_folder(found: Block, notes: Notes) -> str:
    """Return the name of the content folder; the default's when the one given is no name."""
    folder = found.get("contentDirectory", _CONTENT_FOLDER)
    if not isinstance(folder, str) or not folder:
        notes.add("E108", f"contentDirectory is {shown(folder)}, expected the name of a folder")
    elif "/" in folder:
        notes.add("E017", f"contentDirectory is {shown(folder)}, expected a name without slash")
    elif folder in (".", ".."):
        notes.add("E018", f"contentDirectory is {folder!r}, expected the name of a folder")
    else:
        return folder
    return _CONTENT_FOLDER


def _version_blocks(found: Block, notes: Notes) -> dict[str, Any]:
    """Return the versions whose names are names of versions, in order of their numbers."""
    if "versions" not in found:
        notes.add("E043", "the key 'versions' is missing")
        return {}
    blocks = found["versions"]
    if not isinstance(blocks, Block):
        notes.add("E045", f"versions is {shown(blocks)}, expected a JSON object")
        return {}
    for name in blocks.repeated:
        notes.add("E033", f"versions has the key {shown(name)} more than once")
    numbers = {}
    for name in blocks:
        number = version_number(name)
        if number is None:
            code = "E105" if name.startswith("v") else "E104"
            notes.add(code, f"versions has the key {shown(name)}, expected v and a number from 1 up")
        else:
            numbers[name] = number
    if not blocks:
        notes.add("E008", "versions is empty, expected at least one")
    _note_sequence(sorted(numbers.values()), notes)
    _note_padding(sorted(numbers, key=lambda name: (numbers[name], name)), notes)
    return {name: blocks[name] for name in sorted(numbers, key=lambda name: (numbers[name], name))}


def _note_sequence(numbers: list[int], notes: Notes) -> None:
    """Check that the numbers of versions begin with 1 and have no gap."""
    if numbers and numbers[0] != 1:
        notes.add("E009", f"the first version is {numbers[0]}, expected 1")
    for before, number in pairwise(numbers):
        if number > before + 1:
            notes.add("E010", f"version {number} follows version {before}")


def _note_padding(names: list[str], notes: Notes) -> None:
    """Check that all names of versions are built as the first one is."""
    if not names:
        return
    first = names[0]
    padded = first.startswith("v0")
    if padded:
        notes.add("W001", f"version names are padded with zeros, as in {first}")
    for name in names[1:]:
        fits = name.startswith("v0") == padded and (len(name) == len(first) or not padded)
        if not fits:
            overflowed = padded and len(name) == len(first)
            notes.add("E011" if overflowed else "E012", f"version {name} is not padded as {first} is")
            notes.add("E013", f"version {name} is not named as {first} is")


def _note_head(found: Block, numbers: Mapping[str, int], notes: Notes) -> None:
    """Check that head is the newest version."""
    newest = max(numbers, key=lambda name: numbers[name], default=None)
    if "head" in found and found["head"] != newest:
        expected = "there is no version" if newest is None else f"expected {newest!r}"
        notes.add("E040", f"head is {shown(found['head'])}, {expected}")


def _version(name: str, found: Any, block: DigestBlock, digests: frozenset[str] | None, notes: Notes) -> SeenVersion:
    """Return what is said of a version; check all of it."""
    if not isinstance(found, Block):
        notes.add("E047", f"version {name} is {shown(found)}, expected a JSON object")
        return SeenVersion({}, {})
    for key in found.repeated:
        notes.add("E033", f"version {name} has the key {shown(key)} more than once")
    notes.add_each("E102", f"version {name} has a key that is not of the specification:", found.keys() - _VERSION_KEYS)
    created = found.get("created")
    if "created" not in found:
        notes.add("E048", f"version {name} has no 'created'")
    elif not isinstance(created, str) or not is_instant(created):
        notes.add("E049", f"created of version {name} is {shown(created)}, expected a time as 2026-01-31T12:00:00Z")
    if "message" not in found:
        notes.add("W007", f"version {name} has no 'message'")
    elif not isinstance(found["message"], str):
        notes.add("E094", f"message of version {name} is {shown(found['message'])}, expected a text")
    if "user" not in found:
        notes.add("W007", f"version {name} has no 'user'")
    else:
        _note_user(name, found["user"], notes)
    state: dict[str, str] = {}
    if "state" in found:
        state = read_state(found["state"], block, digests, notes)
    else:
        notes.add("E048", f"version {name} has no 'state'")
    return SeenVersion({key: value for key, value in found.items() if key != "state"}, state)


def _note_user(name: str, user: Any, notes: Notes) -> None:
    """Check who made a version."""
    if not isinstance(user, Block) or not isinstance(user.get("name"), str) or not user["name"]:
        notes.add("E054", f"user of version {name} is {shown(user)}, expected a JSON object with a 'name'")
        return
    for key in user.repeated:
        notes.add("E033", f"user of version {name} has the key {shown(key)} more than once")
    notes.add_each("E102", f"user of version {name} has a key that is not of the specification:", user.keys() - _USER_KEYS)
    if "address" not in user:
        notes.add("W008", f"user of version {name} has no 'address'")
    elif not isinstance(user["address"], str) or not is_uri(user["address"]):
        notes.add("W009", f"address of version {name}'s user is {shown(user['address'])}, expected a URI")


def _note_unused(digests: frozenset[str] | None, versions: Mapping[str, SeenVersion], notes: Notes) -> None:
    """Check that each digest of the manifest is that of a file of some version."""
    if digests is None or not versions:
        return
    used = {digest for version in versions.values() for digest in version.state.values()}
    unused = [digest for digest in digests if digest.lower() not in used]
    notes.add_each("E107", "the manifest has a digest that is in no version's state:", unused)
