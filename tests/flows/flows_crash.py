"""Ending the world between any two durable steps of a flow: system calls that change the disk, and commits of the register."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows_world import StoppedClock, Unsynced, bytes_of, copy_archive, disk, killed, leftovers, opened, rebuilt_state, state_of

from fonoteca.testing import Crash, CrashingCalls
from fonoteca.wiring import Archive

Deed = Callable[[Archive], Iterator[Any]]
"""Does something to an archive, and yields what it acknowledges, one thing at a time."""


_INDEXING = "/staging/search-"
_WAITS = {"fsync", "fsync_dir", "sync_all"}


class Doom:
    """Crashes before the n-th durable call or the m-th commit, counted from 0, and lets nothing be done after that."""

    def __init__(self, call: int | None = None, commit: int | None = None) -> None:
        self.calls = CrashingCalls(Unsynced(), call)
        self.commit_count = 0
        self.commits_before: set[int] = set()
        self._commit = commit

    def before_commit(self) -> None:
        """Crash or pass on."""
        dead = self.calls._n is not None and self.calls.count >= self.calls._n
        if dead or self.commit_count == self._commit:
            self.calls._n = self.calls.count
            raise Crash(f"before commit {self.commit_count}")
        self.commit_count += 1
        self.commits_before.add(self.calls.count)

    @property
    def telling(self) -> list[int]:
        """The calls before which a crash may leave a disk that a crash before the call before does not.

        Not those after one that only waits for the disk, without a commit between them. A write that is crashed leaves half.
        What others' code writes to staging in between, such as DuckDB's, is seen one call later. Of the thirty files of a search
        index in the making only each eighth call is one: nobody is told of them before the index is whole.
        """
        names, paths = self.calls.names, self.calls.paths
        return [
            n
            for n in range(self.calls.count)
            if n == 0
            or n in self.commits_before
            or ((names[n - 1] not in _WAITS or names[n] == "write") and not (_INDEXING in paths[n] and n % 8))
        ]


@dataclass
class Crashed:
    """An archive as a crash left it. place: which one. acknowledged: what the caller was told before."""

    folder: Path
    place: str
    acknowledged: list[Any]


@dataclass
class Points:
    """Where a deed can be crashed. telling: as `Doom` has it. seen: states of the disk that crashes left, each examined once."""

    calls: int
    commits: int
    telling: list[int] = field(default_factory=list, repr=False)
    seen: set[Any] = field(default_factory=set, repr=False)


def run(folder: Path, deed: Deed, doom: Doom, clock: StoppedClock | None = None) -> list[Any]:
    """Return what a deed acknowledges, after it is done to the archive in a folder."""
    told: list[Any] = []
    with opened(folder, doom.calls, doom.before_commit, clock) as archive:
        for each in deed(archive):
            told.append(each)
    return told


def count_points(folder: Path, deed: Deed) -> Points:
    """Return how many places there are, after the deed is done whole."""
    run(copy_archive(folder, folder.with_name("before")), deed, Doom())  # what a process makes once is made now
    doom = Doom()
    run(folder, deed, doom)
    return Points(doom.calls.count, doom.commit_count, doom.telling)


def crashes(prepared: Path, deed: Deed, points: Points) -> Iterator[Crashed]:
    """Yield a copy of the prepared archive crashed at every place, one after the other.

    A crash that leaves the very same disk as one before, and as many commits, is counted and not yielded again: a call that
    only waits for the disk changes nothing that a killed process leaves, so none is made right after one.
    """
    dooms = [(f"call {n} of {points.calls}", Doom(call=n)) for n in points.telling]
    dooms += [(f"commit {m} of {points.commits}", Doom(commit=m)) for m in range(points.commits)]
    folder = prepared.with_name("crashed")
    for place, doom in dooms:
        copy_archive(prepared, folder)
        told: list[Any] = []
        ended = False
        with suppress(Crash), opened(folder, doom.calls, doom.before_commit) as archive:
            for each in deed(archive):
                told.append(each)
            ended = True
        assert not ended, f"no crash at {place}"
        killed(folder)
        left = (disk(folder), doom.commit_count)
        if left not in points.seen:
            points.seen.add(left)
            yield Crashed(folder, place, told)
        _clear(folder)


def _clear(folder: Path) -> None:
    """Remove a crashed archive. Threads of Tantivy that no crash of ours can stop may still put a file into it."""
    for _ in range(5):
        with suppress(OSError):
            shutil.rmtree(folder)
            return
        time.sleep(0.2)
    shutil.rmtree(folder)


class Finished:
    """What an uncrashed run leaves, proved once, and what every crashed and repeated one must come to.

    parts: folders of the archive that must be equal to the byte; what was proved of them here is so there.
    """

    def __init__(self, folder: Path, validate: Callable[[Path], None], parts: tuple[str, ...]) -> None:
        self.parts = {part: bytes_of(folder / part) for part in parts}
        with opened(folder) as archive:
            self.state = state_of(archive.register)
            _check_sound(archive)
        validate(folder / "store")
        assert rebuilt_state(folder, folder.parent) == self.state
        assert leftovers(folder) == []

    def check(self, folder: Path, place: str) -> None:
        """Check that another archive is the same."""
        for part, expected in self.parts.items():
            found = bytes_of(folder / part)
            assert sorted(set(found) ^ set(expected)) == [], (place, part)
            assert [path for path in found if found[path] != expected[path]] == [], (place, part)
        assert leftovers(folder) == [], place
        with opened(folder) as archive:
            assert state_of(archive.register) == self.state, place
            _check_sound(archive)


def _check_sound(archive: Archive) -> None:
    """Check that an audit finds nothing."""
    assert [damage for one in archive.store.object_ids() for damage in archive.store.audit(one)] == []
    assert archive.store.check_root() == []
