"""The rules for one object: its folder, its inventories against each other, and what their digests claim of its files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fonoteca.formats.ocfl import EXTENSIONS, INVENTORY, INVENTORY_BYTES_MAX
from fonoteca.formats.ocfl_codes import SPECS, Finding, Notes, shown
from fonoteca.formats.ocfl_declarations import OBJECT, declarations, declares_object, read_declaration
from fonoteca.formats.ocfl_digests import digest_of
from fonoteca.formats.ocfl_extensions import is_registered
from fonoteca.formats.ocfl_inventory_rules import SeenInventory, SeenVersion, read_inventory
from fonoteca.formats.ocfl_path_rules import version_number
from fonoteca.formats.ocfl_tree import Entry, EntryKind, Tree, below
from fonoteca.model.errors import FormatError, StoreError

LOGS = "logs"
_SIDECAR_BYTES_MAX = 4096
_SIDECAR = re.compile(rb"([0-9A-Fa-f]+)[ \t]+inventory\.json\s*")
_ABOUT = ("created", "message", "user")


@dataclass(frozen=True, slots=True)
class Claim:
    """What an inventory says of a file. digest: in lower case. code: for when it is not so. place: the inventory."""

    algorithm: str
    digest: str
    code: str
    place: str


@dataclass(slots=True)
class SeenObject:
    """What is known of an object when all but its content was read. claims: by path from the tree's top, to be proved."""

    folder: str
    object_id: str | None = None
    spec: str | None = None
    findings: list[Finding] = field(default_factory=list)
    claims: dict[str, list[Claim]] = field(default_factory=dict)


def see_object(tree: Tree, folder: str, entries: Sequence[Entry]) -> SeenObject:
    """Return an object with all that is wrong with it but for its files' digests. entries: of its folder.

    Content files are not read. Raises: FormatError for an inventory longer than `INVENTORY_BYTES_MAX`; StoreError.
    Cost: reads every inventory once and lists every folder once.
    """
    return _ObjectReader(tree, folder, entries).read()


class _ObjectReader:
    """Reads one object."""

    def __init__(self, tree: Tree, folder: str, entries: Sequence[Entry]) -> None:
        self._tree = tree
        self._folder = folder
        self._entries = entries
        self._seen = SeenObject(folder)
        self._notes = Notes(folder, findings=self._seen.findings)

    def read(self) -> SeenObject:
        """Return what there is to say."""
        declared = read_declaration(self._tree, self._folder, self._entries, OBJECT, self._notes)
        content = self._inventory_bytes(self._folder, self._entries)
        newest = None
        if content is not None:
            notes = self._notes_at(below(self._folder, INVENTORY), declared or SPECS[-1])
            newest = read_inventory(content, notes, declared)
            declared = declared or notes.spec
        self._seen.spec = declared
        self._notes.spec = declared or SPECS[-1]
        if content is None or newest is None:
            self._check_root({}, None)
            return self._seen
        self._seen.object_id = newest.object_id
        self._check_root(newest.versions, newest.algorithm)
        self._check_sidecar(self._folder, self._entries, content, newest)
        files = self._check_versions(newest, content)
        self._check_covered(newest, files)
        return self._seen

    def _notes_at(self, place: str, spec: str, earlier: bool = False) -> Notes:
        return Notes(place, spec, earlier, self._seen.findings)

    def _inventory_bytes(self, folder: str, entries: Sequence[Entry]) -> bytes | None:
        """Return a folder's inventory, None when it has none; in the object's root it must have one."""
        place = below(folder, INVENTORY)
        if Entry(INVENTORY, EntryKind.FILE) not in entries:
            if folder == self._folder:
                for entry in entries:
                    if entry.name.lower() == INVENTORY and entry.name != INVENTORY:
                        self._notes.add("E034", f"expected {INVENTORY}, found {entry.name}", below(folder, entry.name))
                self._notes.add("E063", "there is no inventory", place)
            return None
        try:
            content = self._tree.read(place, INVENTORY_BYTES_MAX + 1)
        except StoreError as error:
            self._notes.add("E063" if folder == self._folder else "E033", f"it cannot be read: {error.problem}", place)
            return None
        if len(content) > INVENTORY_BYTES_MAX:
            raise FormatError(place, f"more than {INVENTORY_BYTES_MAX:,} bytes are not read")
        return content

    def _check_root(self, versions: Mapping[str, SeenVersion], algorithm: str | None) -> None:
        """Check that the object's root holds what it should. algorithm: None when there is no inventory to go by."""
        declared = declarations(self._entries, OBJECT)
        for entry in self._entries:
            place = below(self._folder, entry.name)
            if self._is_strange(entry):
                continue
            if entry.kind is EntryKind.FILE:
                sidecar = entry.name == f"{INVENTORY}.{algorithm}" or self._stands_for_sidecar(entry.name, algorithm)
                if not (entry.name == INVENTORY or sidecar or entry.name in declared):
                    self._notes.add("E001", "an object's root holds no such file", place)
            elif entry.name == EXTENSIONS:
                self._check_extensions(place)
            elif entry.name in versions or entry.name == LOGS:
                continue
            elif version_number(entry.name) is not None:
                if algorithm is not None:
                    self._notes.add("E046", "the folder of a version that the inventory has not", place)
            else:
                self._notes.add("E001", "an object's root holds no such folder", place)
                if declares_object(self._tree.entries(place)):
                    self._notes.add("E082", "an object lies inside another", place)

    def _stands_for_sidecar(self, name: str, algorithm: str | None) -> bool:
        """Return whether a file is named as a sidecar where the right one is missing: that is told as E058 or E059."""
        if not name.startswith(f"{INVENTORY}."):
            return False
        return algorithm is None or Entry(f"{INVENTORY}.{algorithm}", EntryKind.FILE) not in self._entries

    def _is_strange(self, entry: Entry, folder: str | None = None) -> bool:
        """Return whether an entry is neither file nor folder, and take that down."""
        place = below(self._folder if folder is None else folder, entry.name)
        if entry.kind is EntryKind.LINK:
            self._notes.add("E090", "a symbolic link, which is not followed", place)
        elif entry.kind is EntryKind.OTHER:
            self._notes.add("E089", "neither a folder nor a regular file", place)
        return entry.kind in (EntryKind.LINK, EntryKind.OTHER)

    def _check_extensions(self, place: str) -> None:
        """Check the object's own extensions folder; what its folders hold is theirs to say."""
        for entry in self._tree.entries(place):
            if self._is_strange(entry, place):
                continue
            if entry.kind is EntryKind.FILE:
                self._notes.add("E067", "expected folders of extensions alone, found a file", below(place, entry.name))
            elif not is_registered(entry.name):
                self._notes.add("W013", "no registered extension has this name", below(place, entry.name))

    def _check_sidecar(self, folder: str, entries: Sequence[Entry], content: bytes, inventory: SeenInventory) -> None:
        """Check that an inventory's sidecar is there and has its digest."""
        name = f"{INVENTORY}.{inventory.algorithm}"
        place = below(folder, name)
        names = [entry.name for entry in entries if entry.kind is EntryKind.FILE and entry.name.startswith(f"{INVENTORY}.")]
        if not inventory.algorithm:
            if not names:
                self._notes.add("E058", "the inventory has no sidecar", below(folder, INVENTORY))
            return
        if name not in names:
            self._notes.add("E058", f"there is no {name}", place)
            if names:
                self._notes.add("E059", f"expected {name}, found {', '.join(names)}", below(folder, names[0]))
            return
        try:
            text = self._tree.read(place, _SIDECAR_BYTES_MAX)
        except StoreError as error:
            self._notes.add("E058", f"it cannot be read: {error.problem}", place)
            return
        match = _SIDECAR.fullmatch(text)
        digest = digest_of(inventory.algorithm, content)
        if match is None or len(match[1]) != len(digest):
            expected = f"a {inventory.algorithm} digest, a space and {INVENTORY}"
            self._notes.add("E061", f"expected {expected}, found {shown(text)}", place)
        elif match[1].decode().lower() != digest:
            self._notes.add("E060", f"expected {digest}, found {match[1].decode()}", place)

    def _check_versions(self, newest: SeenInventory, root_content: bytes) -> dict[str, frozenset[str]]:
        """Return each version's content files, by paths from the object's root; check the versions' folders and inventories."""
        folders = {entry.name for entry in self._entries if entry.kind is EntryKind.FOLDER}
        last = max((i for i, name in enumerate(newest.versions) if name in folders), default=-1)
        with_content = {path.partition("/")[0] for path in newest.manifest}
        files: dict[str, frozenset[str]] = {}
        kept: dict[str, SeenInventory] = {}
        for index, name in enumerate(newest.versions):
            if name not in folders:
                place = below(self._folder, name)
                self._notes.add("E046", "the inventory has this version, but there is no such folder", place)
                if index < last:
                    self._notes.add("E010" if index else "E009", "later versions have folders, and this one has none", place)
                files[name] = frozenset()
                continue
            entries = self._tree.entries(below(self._folder, name))
            inventory = self._version_inventory(name, entries, newest, root_content)
            if inventory is not None:
                kept[name] = inventory
            files[name] = self._check_version_folder(name, entries, newest.content_folder, inventory)
            if not files[name] and name in with_content:
                place = below(self._folder, name)
                self._notes.add("E016", f"expected content in the folder {newest.content_folder}", place)
        self._check_earlier(newest, kept, files)
        return files

    def _version_inventory(
        self, name: str, entries: Sequence[Entry], newest: SeenInventory, root_content: bytes
    ) -> SeenInventory | None:
        """Return a version's inventory, None when it has none that can be read; check it and its sidecar by themselves."""
        folder = below(self._folder, name)
        place = below(folder, INVENTORY)
        content = self._inventory_bytes(folder, entries)
        if content is None:
            self._notes.add("W010", "the version's folder has no inventory", folder)
            return None
        inventory: SeenInventory | None = newest
        if name != newest.last or content != root_content:
            if name == newest.last:
                self._notes.add("E064", f"expected the same bytes as in {below(self._folder, INVENTORY)}", place)
            inventory = read_inventory(content, self._notes_at(place, newest.spec, earlier=True), None)
            if inventory is not None and inventory.head != name:
                self._notes.add("E040", f"head is {shown(inventory.head)} in the folder of {name}", place)
        if inventory is not None:
            self._check_sidecar(folder, entries, content, inventory)
        return inventory

    def _check_version_folder(
        self, name: str, entries: Sequence[Entry], content_folder: str, inventory: SeenInventory | None
    ) -> frozenset[str]:
        """Return a version's content files, by paths from the object's root; check what its folder holds."""
        folder = below(self._folder, name)
        files: frozenset[str] = frozenset()
        right = f"{INVENTORY}.{inventory.algorithm}" if inventory else ""
        names = {entry.name for entry in entries if entry.kind is EntryKind.FILE}
        for entry in entries:
            place = below(folder, entry.name)
            if self._is_strange(entry, folder):
                continue
            if entry.kind is EntryKind.FILE:
                stands_in = entry.name.startswith(f"{INVENTORY}.") and INVENTORY in names and right not in names
                if entry.name not in (INVENTORY, right) and not stands_in:
                    self._notes.add("E015", "a version's folder holds no such file", place)
            elif entry.name == content_folder:
                files = frozenset(f"{name}/{entry.name}/{path}" for path in self._content_files(place))
                if not files:
                    self._notes.add("W003", "a version without content has a content folder", place)
            else:
                self._notes.add("W002", f"expected no folder but {content_folder}", place)
        return files

    def _content_files(self, top: str) -> Iterator[str]:
        """Yield the paths of the files below a content folder, relative to it."""
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            place = below(top, inner) if inner else top
            entries = self._tree.entries(place)
            if not entries and inner:
                self._notes.add("E024", "an empty folder", place)
            for entry in entries:
                path = below(inner, entry.name)
                if self._is_strange(entry, place):
                    continue
                if entry.kind is EntryKind.FOLDER:
                    waiting.append(path)
                else:
                    yield path

    def _check_earlier(self, newest: SeenInventory, kept: Mapping[str, SeenInventory], files: Mapping[str, frozenset[str]]) -> None:
        """Check the versions' inventories against the newest and against what there is. kept: those that could be read."""
        before = SPECS[0]
        first = kept.get(next(iter(files), ""))
        if first is not None and newest.content_folder_set and not first.content_folder_set:
            place = below(self._folder, INVENTORY)
            self._notes.add("E019", "contentDirectory is set, but not in the first version's inventory", place)
        there: set[str] = set()
        for name in files:
            there |= files[name]
            inventory = kept.get(name)
            if inventory is None:
                continue
            notes = self._notes_at(below(below(self._folder, name), INVENTORY), inventory.spec)
            if inventory.spec < before:
                newer = self._notes_at(notes.place, SPECS[-1])
                newer.add("E103", f"type is of OCFL {inventory.spec}, that of an earlier version is of {before}")
            before = max(before, inventory.spec)
            if inventory is not newest:
                _check_same_heading(newest, inventory, notes)
                _check_same_history(newest, inventory, notes)
                for path in sorted(there - inventory.manifest.keys()):
                    notes.add("E023", f"the manifest has no {shown(path)}, which is there")
                self._claim(inventory, there, notes, newest.manifest.keys())

    def _check_covered(self, newest: SeenInventory, files: Mapping[str, frozenset[str]]) -> None:
        """Check that the newest manifest has every file, and that every file of it is there."""
        there = {path for each in files.values() for path in each}
        notes = self._notes_at(below(self._folder, INVENTORY), self._notes.spec)
        for path in sorted(there - newest.manifest.keys()):
            notes.add("E023", "the file is not in the manifest", below(self._folder, path))
        self._claim(newest, there, notes, ())

    def _claim(self, inventory: SeenInventory, there: Collection[str], notes: Notes, told: Collection[str]) -> None:
        """Take an inventory's digests down to be proved. there: files that there are. told: whose absence is told of already."""
        for path, digest in inventory.manifest.items():
            if path in there:
                if inventory.algorithm:
                    self._add_claim(path, Claim(inventory.algorithm, digest, "E092", notes.place))
            elif path not in told:
                notes.add("E092", f"the manifest has {shown(path)}, which is not there")
        for fixed in inventory.fixity:
            if fixed.path in there:
                self._add_claim(fixed.path, Claim(fixed.algorithm, fixed.digest, "E093", notes.place))
            else:
                notes.add("E093", f"fixity has {shown(fixed.path)}, which is not there")

    def _add_claim(self, path: str, claim: Claim) -> None:
        """Keep a claim, but for one that says the same as another."""
        claims = self._seen.claims.setdefault(below(self._folder, path), [])
        if not any((c.algorithm, c.digest, c.code) == (claim.algorithm, claim.digest, claim.code) for c in claims):
            claims.append(claim)


def _check_same_heading(newest: SeenInventory, earlier: SeenInventory, notes: Notes) -> None:
    """Check that an earlier inventory is of the same object, with the same content folder (E019, E020, E110)."""
    if earlier.object_id is not None and earlier.object_id != newest.object_id:
        notes.add("E110", f"id is {shown(earlier.object_id)}, in the newest inventory {shown(newest.object_id)}")
    if earlier.content_folder != newest.content_folder:
        said = f"the content folder is {earlier.content_folder!r}, in the newest inventory {newest.content_folder!r}"
        notes.add("E020", said)
        notes.add("E019", said)


def _check_same_history(newest: SeenInventory, earlier: SeenInventory, notes: Notes) -> None:
    """Check that an earlier inventory tells of its versions as the newest does (E066, W011)."""
    contents = (_contents(newest), _contents(earlier)) if newest.algorithm != earlier.algorithm else None
    for name, version in earlier.versions.items():
        now = newest.versions.get(name)
        if now is None:
            notes.add("E066", f"version {name} is not in the newest inventory")
            continue
        if contents is None and version == now:
            continue
        for path in sorted(version.state.keys() ^ now.state.keys()):
            where = "only here" if path in version.state else "only in the newest inventory"
            notes.add("E066", f"version {name} has {shown(path)} {where}")
        for path in sorted(version.state.keys() & now.state.keys()):
            if contents is None:
                same = version.state[path] == now.state[path]
            else:
                same = bool(contents[0].get(now.state[path], set()) & contents[1].get(version.state[path], set()))
            if not same:
                notes.add("E066", f"version {name} has other content for {shown(path)} than the newest inventory says")
        for key in _ABOUT:
            if version.about.get(key) != now.about.get(key):
                notes.add("W011", f"{key} of version {name} is not what the newest inventory says")


def _contents(inventory: SeenInventory) -> dict[str, set[str]]:
    """Return digest to content paths."""
    paths: dict[str, set[str]] = {}
    for path, digest in inventory.manifest.items():
        paths.setdefault(digest, set()).add(path)
    return paths
