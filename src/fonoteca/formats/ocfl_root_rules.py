"""The rules for a storage root: its declaration, layout and extensions, and the folders in which its objects lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fonoteca.formats.ocfl import EXTENSIONS, INVENTORY
from fonoteca.formats.ocfl_codes import SPECS, Finding, Notes, shown
from fonoteca.formats.ocfl_declarations import ROOT, declares_object, declares_root, read_declaration
from fonoteca.formats.ocfl_extensions import is_registered, layout_paths
from fonoteca.formats.ocfl_object_rules import SeenObject, see_object
from fonoteca.formats.ocfl_tree import Entry, EntryKind, Tree, below
from fonoteca.formats.strictjson import parse_json
from fonoteca.model.errors import FormatError, StoreError

LAYOUT_FILE = "ocfl_layout.json"
_CONFIG_BYTES_MAX = 1 << 20
_LAYOUT_KEYS = ("extension", "description")


def looks_like_object(entries: Sequence[Entry]) -> bool:
    """Return whether a folder is an object, if perhaps one without declaration."""
    return declares_object(entries) or Entry(INVENTORY, EntryKind.FILE) in entries


@dataclass(slots=True)
class SeenRoot:
    """What is known of a storage root itself. path_of: an object's path by its id, None when the layout is not known."""

    spec: str = SPECS[-1]
    path_of: Callable[[str], str] | None = None
    ids: dict[str, str] = field(default_factory=dict)
    flat: bool = False
    deep: bool = False


def see_root(tree: Tree, findings: list[Finding]) -> Iterator[SeenObject]:
    """Yield the objects of a storage root as they are come upon; all else that is wrong is taken down in `findings`.

    Memory: the ids of all objects. Cost: lists every folder once.
    """
    entries = tree.entries("")
    notes = Notes("", findings=findings)
    root = SeenRoot()
    root.spec = notes.spec = read_declaration(tree, "", entries, ROOT, notes) or SPECS[-1]
    root.path_of = _read_layout(tree, entries, notes)
    folders = []
    for entry in entries:
        if _is_strange(entry, "", notes) or entry.kind is EntryKind.FILE:
            continue  # files in the root itself are for everyone to add (E087)
        if entry.name == EXTENSIONS:
            _check_extensions(tree, notes)
        else:
            folders.append(entry.name)
    for seen in _objects_below(tree, folders, notes):
        _check_in_root(seen, root, notes)
        yield seen


def _objects_below(tree: Tree, folders: Sequence[str], notes: Notes) -> Iterator[SeenObject]:
    """Yield the objects in and below folders, in order of their paths; check that there is nothing else."""
    waiting = list(reversed(folders))
    while waiting:
        folder = waiting.pop()
        entries = tree.entries(folder)
        if looks_like_object(entries):
            yield see_object(tree, folder, entries)
            continue
        if not entries:
            notes.add("E073", "an empty folder", folder)
        if declares_root(entries):
            notes.add("E074", "a storage root lies inside another", folder)
        inner = []
        for entry in entries:
            if _is_strange(entry, folder, notes):
                continue
            if entry.kind is EntryKind.FOLDER:
                inner.append(below(folder, entry.name))
            else:
                notes.add("E072", "a file that is part of no object", below(folder, entry.name))
        waiting.extend(reversed(inner))


def _check_in_root(seen: SeenObject, root: SeenRoot, notes: Notes) -> None:
    """Check an object's id, place and version of the specification against the root and the objects before it."""
    if seen.spec is not None and seen.spec > root.spec:
        notes.add("E081", f"the object declares OCFL {seen.spec}, the storage root {root.spec}", seen.folder)
    root.flat, root.deep = root.flat or "/" not in seen.folder, root.deep or "/" in seen.folder
    if root.flat and root.deep:
        notes.add("W015", "objects lie both in the storage root itself and in folders", seen.folder)
        root.flat = root.deep = False  # said once for each change
    if not seen.object_id:
        return
    other = root.ids.setdefault(seen.object_id, seen.folder)
    if other != seen.folder:
        notes.add("E037", f"id {shown(seen.object_id)} is also that of {other}", below(seen.folder, INVENTORY))
    expected = root.path_of(seen.object_id) if root.path_of else seen.folder
    if expected != seen.folder:
        notes.add("W014", f"the layout puts {shown(seen.object_id)} at {expected}", seen.folder)


def _check_extensions(tree: Tree, notes: Notes) -> None:
    """Check the root's extensions folder; what its folders hold is theirs to say."""
    for entry in tree.entries(EXTENSIONS):
        place = below(EXTENSIONS, entry.name)
        if _is_strange(entry, EXTENSIONS, notes):
            continue
        if entry.kind is EntryKind.FILE:
            notes.add("E112", "expected folders of extensions alone, found a file", place)
        elif not is_registered(entry.name):
            notes.add("W016", "no registered extension has this name", place)


def _read_layout(tree: Tree, entries: Sequence[Entry], notes: Notes) -> Callable[[str], str] | None:
    """Return what tells an object's path from its id, None when the layout is not said or not known; check what is said."""
    if Entry(LAYOUT_FILE, EntryKind.FILE) not in entries:
        return None
    layout = _json_object(tree, LAYOUT_FILE, "E070", notes)
    if layout is None:
        return None
    for key in _LAYOUT_KEYS:
        if not isinstance(layout.get(key), str):
            notes.add("E070", f"{key} is {shown(layout.get(key))}, expected a text", LAYOUT_FILE)
    name = layout.get("extension")
    if not isinstance(name, str):
        return None
    if not is_registered(name):
        notes.add("E071", f"extension is {shown(name)}, expected a registered one", LAYOUT_FILE)
        return None
    config: Mapping[str, Any] | None = {}
    place = f"{EXTENSIONS}/{name}/config.json"
    if _has_file(tree, entries, place):
        config = _json_object(tree, place, "E083", notes)
    try:
        return None if config is None else layout_paths(name, config)
    except FormatError as error:
        notes.add("E083", error.problem, place)
        return None


def _has_file(tree: Tree, entries: Sequence[Entry], path: str) -> bool:
    """Return whether there is such a file, without passing through a link."""
    folder = ""
    *folders, name = path.split("/")
    for part in folders:
        if Entry(part, EntryKind.FOLDER) not in entries:
            return False
        folder = below(folder, part)
        entries = tree.entries(folder)
    return Entry(name, EntryKind.FILE) in entries


def _json_object(tree: Tree, place: str, code: str, notes: Notes) -> Mapping[str, Any] | None:
    """Return the JSON object in a file, None when there is none; take that down."""
    try:
        found = parse_json(tree.read(place, _CONFIG_BYTES_MAX), place)
    except (FormatError, StoreError) as error:
        notes.add(code, error.problem, place)
        return None
    if not isinstance(found, dict):
        notes.add(code, f"expected a JSON object, found {shown(found)}", place)
        return None
    return found


def _is_strange(entry: Entry, folder: str, notes: Notes) -> bool:
    """Return whether an entry is neither file nor folder, and take that down."""
    if entry.kind is EntryKind.LINK:
        notes.add("E090", "a symbolic link, which is not followed", below(folder, entry.name))
    elif entry.kind is EntryKind.OTHER:
        notes.add("E089", "neither a folder nor a regular file", below(folder, entry.name))
    return entry.kind in (EntryKind.LINK, EntryKind.OTHER)
