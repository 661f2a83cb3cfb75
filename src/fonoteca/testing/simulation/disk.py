"""A disk that knows what a power cut would leave: `DurableCalls` over a real folder, with a model of what is durable.

What a process sees is the real folder, as it sees the page cache. Beside it the model keeps, for each file, the bytes of its last
fsync, and for each folder the names of its last fsync and every change of a name since. `power_off` puts the folder into one of the
states that POSIX allows then:
  - bytes that were not synchronised are there, are not, are torn, or are zeros;
  - each change of names that was not synchronised is kept or lost by itself, in any order; a rename is kept or lost whole;
  - what is below a folder whose name was lost is lost with it.
`fate` says how dice fall: a journal in order, everything, nothing, or each by lot. A killed process loses nothing of all this.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random

from fonoteca.edges.disk_calls import SystemCalls, remove_tree, write_all

BLOCK_BYTES = 512
"""What a disk writes whole or not at all."""


class Fate(StrEnum):
    """What becomes of that which was not synchronised."""

    KEPT = "all kept"
    LOST = "all lost"
    NAMES_ALONE = "names kept, bytes lost"
    IN_ORDER = "names kept up to a moment"
    BY_LOT = "each by lot"


@dataclass(slots=True, eq=False)
class Node:
    """A file or folder. synced: a file's durable bytes, None before any are. names: a folder's durable entries.

    dirty: whether a file was written since. forsaken: whether a failed fsync lost its bytes, so that no later one brings them back.
    """

    is_folder: bool
    synced: bytes | None = None
    dirty: bool = True
    forsaken: bool = False
    names: dict[str, Node] = field(default_factory=dict)


Slot = tuple[Node, str]


@dataclass(slots=True, eq=False)
class Change:
    """Names given or taken in one call, which the disk keeps or loses together. None: the name is taken away."""

    slots: dict[Slot, Node | None]


class Disk:
    """`DurableCalls` over the files below a root.

    trusted: begins of paths whose writers see to their own durability, past these calls: SQLite's files and the lock.
    """

    def __init__(self, root: Path, trusted: tuple[str, ...] = ()) -> None:
        self.root = root
        self._trusted = trusted
        self._real = SystemCalls()
        self._nodes: dict[int, Node] = {}
        self._pending: list[Change] = []
        self.power_on()

    # The calls ------------------------------------------------------------------------------------------------------

    def create_file(self, path: Path) -> int:
        """Return a descriptor of a new empty file, whose name is not durable."""
        descriptor = self._real.create_file(path)
        self._enter(path, Node(is_folder=False))
        return descriptor

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write what a power cut may lose."""
        written = self._real.write(descriptor, content)
        self._open_file(descriptor).dirty = True
        return written

    def fsync(self, descriptor: int) -> None:
        """Make a file's bytes durable. Its name is not."""
        node = self._open_file(descriptor)
        if not node.forsaken:
            node.synced, node.dirty = os.pread(descriptor, os.fstat(descriptor).st_size, 0), False

    def fsync_dir(self, path: Path) -> None:
        """Make a folder's names durable, and both ends of each rename into or out of it."""
        if not path.is_dir():
            raise NotADirectoryError(str(path))
        folder = self._node(path)
        for change in [each for each in self._pending if any(owner is folder for owner, _ in each.slots)]:
            self._make_durable(change)
        folder.names = {name: self._node(path / name) for name in os.listdir(path)}

    def sync_all(self, descriptor: int) -> None:
        """Make everything durable."""
        for path, node in self._walk(self.root):
            if not node.is_folder:
                self._settle_file(path, node)
        for path, node in self._walk(self.root):
            if node.is_folder:
                node.names = {name: self._node(path / name) for name in os.listdir(path)}
        self._pending.clear()

    def rename(self, source: Path, target: Path) -> None:
        """Move an entry. Durable when either folder is synchronised."""
        node, replaced = self._node(source), self._inode_if_last(target)
        self._real.rename(source, target)
        if replaced is not None:
            self._nodes.pop(replaced, None)
        self._pending.append(Change({(self._node(source.parent), source.name): None, self._slot(target): node}))

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name, not durable."""
        node = self._node(source)
        self._real.link(source, target)
        self._pending.append(Change({self._slot(target): node}))

    def unlink(self, path: Path) -> None:
        """Remove a name; a power cut may bring it back."""
        gone = self._inode_if_last(path)
        self._real.unlink(path)
        self._forget(path, gone)

    def mkdir(self, path: Path) -> None:
        """Make a folder whose name is not durable."""
        self._real.mkdir(path)
        self._enter(path, Node(is_folder=True))

    def rmdir(self, path: Path) -> None:
        """Remove an empty folder; a power cut may bring it back."""
        gone = os.lstat(path).st_ino
        self._real.rmdir(path)
        self._forget(path, gone)

    # Faults ---------------------------------------------------------------------------------------------------------

    def forsake(self, descriptor: int) -> None:
        """Let an fsync of a file have failed: the system gives its pages up as clean, and no later fsync writes them.

        Linux has been so since ever: `fsync` reports an error once ("fsyncgate", PostgreSQL, 2018).
        """
        self._open_file(descriptor).forsaken = True

    def forsake_all(self) -> None:
        """Let a synchronisation of everything have failed: what was written by then is given up."""
        for _, node in self._walk(self.root):
            node.forsaken = node.forsaken or (not node.is_folder and node.dirty)

    def rot(self, path: Path, content: bytes | None) -> None:
        """Change a file at rest, behind everybody's back; None takes it away."""
        node, folder = self._node(path), self._node(path.parent)
        remove_tree(path, self._real)
        folder.names.pop(path.name, None)
        if content is not None:
            self._put(path, content)
            fresh = Node(is_folder=False, synced=content, dirty=False)
            self._nodes[os.lstat(path).st_ino] = folder.names[path.name] = fresh
        for change in self._pending:
            for slot in [each for each, held in change.slots.items() if held is node]:
                del change.slots[slot]

    # Power ----------------------------------------------------------------------------------------------------------

    def power_off(self, fate: Fate, chance: Random) -> None:
        """Leave the folder as a power cut does, and take what is there then as durable."""
        seen = dict(self._walk(self.root))
        places = {id(node): path for path, node in seen.items()}
        for change in (*self._kept(fate, chance), *self._unseen_changes(seen, fate, chance)):
            for (folder, name), node in change.slots.items():
                _set(folder.names, name, node)
        volatile = {id(node): self._bytes_at(places[id(node)]) for node in seen.values() if not node.is_folder and node.dirty}
        self._lay(self.root, self._nodes[os.lstat(self.root).st_ino], lambda node: _survivor(node, volatile, fate, chance))
        self.power_on()

    def power_on(self) -> None:
        """Take all that is below the root as durable."""
        self._nodes.clear()
        self._pending.clear()
        for path, node in self._walk(self.root):
            if node.is_folder:
                node.names = {name: self._node(path / name) for name in os.listdir(path)}
            else:
                self._settle_file(path, node)

    def _kept(self, fate: Fate, chance: Random) -> list[Change]:
        """Return the changes of names that the disk kept, in their order."""
        match fate:
            case Fate.KEPT | Fate.NAMES_ALONE:
                return self._pending
            case Fate.LOST:
                return []
            case Fate.IN_ORDER:
                return self._pending[: chance.randint(0, len(self._pending))]
            case Fate.BY_LOT:
                return [change for change in self._pending if chance.random() < 0.5]

    def _unseen_changes(self, seen: dict[Path, Node], fate: Fate, chance: Random) -> Iterator[Change]:
        """Yield the names that other writers gave past these calls, as far as the disk kept them."""
        told = {slot for change in self._pending for slot in change.slots}
        for path, folder in seen.items():
            if not folder.is_folder:
                continue
            for name in sorted(os.listdir(path)):
                slot, node = (folder, name), self._node(path / name)
                if slot in told or folder.names.get(name) is node:
                    continue
                if self._is_trusted(path / name) or fate is Fate.KEPT or (fate is not Fate.LOST and chance.random() < 0.5):
                    yield Change({slot: node})

    def _lay(self, path: Path, folder: Node, survivor: Callable[[Node], bytes]) -> None:
        """Make a folder hold what its node's durable names say, and nothing else."""
        for name in sorted(os.listdir(path)):
            kept = folder.names.get(name)
            if kept is None or self._nodes.get(os.lstat(path / name).st_ino) is not kept:
                remove_tree(path / name, self._real)
        for name, node in sorted(folder.names.items()):
            place = path / name
            there = os.path.lexists(place)
            if node.is_folder:
                if not there:
                    self._real.mkdir(place)
                    self._nodes[os.lstat(place).st_ino] = node
                self._lay(place, node, survivor)
            elif not self._is_trusted(place) and (node.dirty or not there):
                content = survivor(node)
                remove_tree(place, self._real)
                self._put(place, content)

    # Plumbing -------------------------------------------------------------------------------------------------------

    def _is_trusted(self, path: Path) -> bool:
        return path.parent == self.root and path.name.startswith(self._trusted) if self._trusted else False

    def _walk(self, path: Path) -> Iterator[tuple[Path, Node]]:
        """Yield all that is visible at and below a path, folders first, names in order."""
        node = self._node(path)
        yield path, node
        if node.is_folder:
            for name in sorted(os.listdir(path)):
                yield from self._walk(path / name)

    def _node(self, path: Path) -> Node:
        """Return what is at a path; what others made is met here for the first time."""
        found = os.lstat(path)
        is_folder = stat.S_ISDIR(found.st_mode)
        node = self._nodes.get(found.st_ino)
        if node is None or node.is_folder != is_folder:
            node = self._nodes[found.st_ino] = Node(is_folder)
        return node

    def _open_file(self, descriptor: int) -> Node:
        return self._nodes.setdefault(os.fstat(descriptor).st_ino, Node(is_folder=False))

    def _slot(self, path: Path) -> Slot:
        return self._node(path.parent), path.name

    def _enter(self, path: Path, node: Node) -> None:
        """Take note of something new."""
        self._nodes[os.lstat(path).st_ino] = node
        self._pending.append(Change({self._slot(path): node}))

    def _forget(self, path: Path, inode: int | None) -> None:
        """Take note of a name that is gone, and of its file if that was the last."""
        if inode is not None:
            self._nodes.pop(inode, None)
        self._pending.append(Change({self._slot(path): None}))

    def _inode_if_last(self, path: Path) -> int | None:
        """Return the number of a file whose last name this is, None for another and where nothing is."""
        if not os.path.lexists(path):
            return None
        found = os.lstat(path)
        return found.st_ino if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1 else None

    def _make_durable(self, change: Change) -> None:
        """Take a change as kept: what was pending before it for the same names can no longer undo it."""
        for earlier in self._pending[: self._pending.index(change)]:
            for slot in change.slots:
                earlier.slots.pop(slot, None)
        self._pending.remove(change)
        for (folder, name), node in change.slots.items():
            _set(folder.names, name, node)

    def _settle_file(self, path: Path, node: Node) -> None:
        """Take a file's bytes as durable."""
        if node.dirty and not node.forsaken and not self._is_trusted(path):
            node.synced, node.dirty = self._bytes_at(path), False

    def _bytes_at(self, path: Path) -> bytes:
        return path.read_bytes()

    def _put(self, path: Path, content: bytes) -> None:
        """Write a file in one go, past the model."""
        descriptor = self._real.create_file(path)
        try:
            write_all(descriptor, content, self._real)
        finally:
            os.close(descriptor)


def _set(names: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _survivor(node: Node, volatile: dict[int, bytes], fate: Fate, chance: Random) -> bytes:
    """Return what a power cut leaves of a file's bytes."""
    old, new = node.synced or b"", volatile.get(id(node))
    if new is None or not node.dirty or fate in (Fate.LOST, Fate.NAMES_ALONE) or node.forsaken:
        return old
    if fate is Fate.KEPT:
        return new
    match chance.randrange(5):
        case 0:
            return old
        case 1:
            return new
        case 2:
            return new[: chance.randint(0, len(new))]
        case 3:
            return bytes(len(new))
        case _:
            return _torn(old, new, chance)


def _torn(old: bytes, new: bytes, chance: Random) -> bytes:
    """Return the new bytes with some blocks as they were before, or zeros where nothing was."""
    blocks = range(0, len(new), BLOCK_BYTES)
    before = old.ljust(len(new), b"\0")
    return b"".join((new if chance.random() < 0.5 else before)[start : start + BLOCK_BYTES][: len(new) - start] for start in blocks)
