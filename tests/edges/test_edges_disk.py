"""The folder as blobs and staging: the port's suite, crashes at every durable call, full and hostile disks."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fonoteca.edges.disk import DiskBlobs, DiskStaging, SystemCalls
from fonoteca.edges.disk_calls import TEMPORARY
from fonoteca.model.errors import BlobMissing, StoreError
from fonoteca.ports import Blobs
from fonoteca.testing import (
    AnswersTwice,
    BlobsSuite,
    Crash,
    CrashingCalls,
    FailsOnNthCall,
    FlipsLastByte,
    FullDiskCalls,
    MemoryBlobs,
    Truncates,
)


@pytest.fixture
def staging(tmp_path: Path) -> DiskStaging:
    return DiskStaging(tmp_path / "staging")


class TestDiskBlobs(BlobsSuite):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return DiskBlobs(tmp_path / "store")


class TestMemoryBlobs(BlobsSuite):
    @pytest.fixture
    def blobs(self) -> Blobs:
        return MemoryBlobs()


def _fill(blobs: DiskBlobs, staging: DiskStaging) -> None:
    tree = staging.folder("tree")
    with staging.writer(tree / "v1" / "x") as target:
        target.write(b"new")
    blobs.adopt(tree, "deep/er/object")


Change = Callable[[DiskBlobs, DiskStaging], object]
CHANGES: dict[str, tuple[Change, int]] = {
    "write": (lambda blobs, _: blobs.write("a/b", b"after"), 5),
    "write in a new folder": (lambda blobs, _: blobs.write("new/folder/b", b"after"), 9),
    "create": (lambda blobs, _: blobs.create("a/c", b"after"), 6),
    "patch": (lambda blobs, _: blobs.patch("a/b", {1: b"XX"}, 6), 7),
    "delete": (lambda blobs, _: blobs.delete("a"), 4),
    "adopt": (_fill, 17),
}


def _world(root: Path, calls: CrashingCalls) -> tuple[DiskBlobs, DiskStaging]:
    return DiskBlobs(root / "store", calls), DiskStaging(root / "staging", calls)


def _state(root: Path) -> dict[str, bytes]:
    blobs = DiskBlobs(root / "store")
    return {key: blobs.read(key) for key in list(blobs.keys())}


def _before(root: Path) -> dict[str, bytes]:
    blobs, _ = _world(root, CrashingCalls(SystemCalls()))
    blobs.write("a/b", b"before")
    return _state(root)


@pytest.mark.parametrize("name", CHANGES)
def test_a_crash_at_any_call_leaves_the_old_or_the_new(name: str, tmp_path: Path) -> None:
    change, steps_min = CHANGES[name]
    counted = tmp_path / "counted"
    before = _before(counted)
    calls = CrashingCalls(SystemCalls())
    change(*_world(counted, calls))
    after = _state(counted)
    assert calls.count >= steps_min
    for n in range(calls.count):
        root = tmp_path / str(n)
        _before(root)
        with pytest.raises(Crash):
            change(*_world(root, CrashingCalls(SystemCalls(), n)))
        assert _state(root) in (before, after), n
        blobs = DiskBlobs(root / "store")
        blobs.sweep()
        assert blobs.sweep() == 0
        if _state(root) == before:
            change(*_world(root, CrashingCalls(SystemCalls())))
        assert _state(root) == after
        leftovers = [p for p in (root / "store").rglob("*") if p.name.startswith(TEMPORARY)]
        assert leftovers == []


def test_a_killed_process_with_our_pid_is_no_obstacle(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    for number in range(10_000):
        path = tmp_path / f"{TEMPORARY}{os.getpid()}-{number}"
        if number < 300:
            path.write_bytes(b"")
    blobs.write("a", b"1")
    assert blobs.read("a") == b"1"


def test_a_full_disk_says_what_was_needed_and_leaves_the_old(tmp_path: Path) -> None:
    DiskBlobs(tmp_path).write("a", b"old")
    full = DiskBlobs(tmp_path, FullDiskCalls(SystemCalls(), 1000))
    with pytest.raises(StoreError, match=r"the disk is full, 5,000 bytes needed, [\d,]+ bytes free\. Free space on this disk"):
        full.write("a", bytes(5000))
    assert full.read("a") == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_leaves_nothing_in_staging(tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path, FullDiskCalls(SystemCalls(), 10))
    folder = staging.folder("x")
    with pytest.raises(StoreError, match="the disk is full"), staging.writer(folder / "y") as target:
        target.write(bytes(20))
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_really_full_disk_is_told_in_words(tmp_path: Path) -> None:
    if os.system(f"mount -t tmpfs -o size=64k tmpfs {tmp_path} 2>/dev/null") != 0:
        pytest.skip("mounting is not allowed here")
    try:
        blobs = DiskBlobs(tmp_path / "store")
        blobs.write("a", b"old")
        with pytest.raises(StoreError, match="the disk is full"):
            blobs.write("a", bytes(1 << 20))
        assert blobs.read("a") == b"old"
        assert blobs.sweep() == 0
        with pytest.raises(StoreError, match="the disk is full"):
            blobs.patch("a", {3: bytes(1 << 20)}, (1 << 20) + 3)
        assert list(blobs.keys()) == ["a"]
    finally:
        assert os.system(f"umount {tmp_path}") == 0


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "no permission"), (errno.EROFS, "read-only"), (errno.EIO, "EIO"), (errno.EXDEV, "another disk")],
)
def test_what_the_system_refuses_is_told_in_words(number: int, words: str, tmp_path: Path) -> None:
    class Refusing(SystemCalls):
        def rename(self, source: Path, target: Path) -> None:
            raise OSError(number, os.strerror(number))

    blobs = DiskBlobs(tmp_path, Refusing())
    with pytest.raises(StoreError, match=words) as caught:
        blobs.write("a", b"1")
    assert caught.value.remedy
    assert os.listdir(tmp_path) == []


def test_links_are_never_followed_out_of_the_root(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    root = tmp_path / "store"
    blobs = DiskBlobs(root)
    blobs.write("in/side", b"1")
    (root / "way").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    for act in (
        lambda: blobs.read("way/secret"),
        lambda: blobs.size("way/secret"),
        lambda: blobs.write("way/new", b""),
        lambda: blobs.delete("way/secret"),
        lambda: blobs.read("file"),
    ):
        with pytest.raises(StoreError, match="link"):
            act()
    assert blobs.size("file") is None
    assert [each.trouble for each in blobs.sight_all(["way/secret", "in/side"])] == [
        "a symbolic link is in the way; links are never followed here",
        "",
    ]
    assert blobs.stamp_all(["way/secret", "in/side"])[0] is None
    assert list(blobs.keys("way")) == []
    blobs.write("file", b"ours")
    blobs.delete("way")
    assert (outside / "secret").read_bytes() == b"secret"
    assert [p.name for p in outside.iterdir()] == ["secret"]
    assert blobs.read("file") == b"ours"


def test_a_root_that_is_itself_reached_by_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    blobs = DiskBlobs(tmp_path / "link" / "store")
    blobs.write("a/b", b"1")
    assert DiskBlobs(tmp_path / "real" / "store").read("a/b") == b"1"


def test_special_files_are_no_blobs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    blobs = DiskBlobs(tmp_path)
    with pytest.raises(BlobMissing):
        blobs.read("pipe")
    assert blobs.size("pipe") is None


def test_staging_stays_in_its_folder(tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path / "staging")
    folder = staging.folder("x")
    (tmp_path / "outside").mkdir()
    (folder / "way").symlink_to(tmp_path / "outside")
    for name in ("", "..", "a/b", ".", "a\0"):
        with pytest.raises(StoreError):
            staging.folder(name)
    for path in (tmp_path / "outside" / "f", folder / ".." / ".." / "f", folder / "way" / "f"):
        with pytest.raises(StoreError, match="not below"), staging.writer(path):
            pass
        with pytest.raises(StoreError, match="not below"):
            staging.discard(path)
        with pytest.raises(StoreError, match="not below"):
            staging.move(folder, path)
    staging.discard(folder)
    assert (tmp_path / "outside").is_dir()
    assert list(staging.left()) == []


def test_a_staging_folder_is_new_each_time(tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path)
    with staging.writer(staging.folder("x") / "deep" / "y") as target:
        target.write(b"1")
        assert target.tell() == 1
    assert list(staging.folder("x").iterdir()) == []
    assert list(staging.left()) == ["x"]


def test_liars_lie_as_they_are_named() -> None:
    honest = MemoryBlobs()
    honest.write("a", b"abcd")
    honest.write("b", b"abcd")
    flips = FlipsLastByte(honest, "a")
    assert (flips.read("a"), flips.read("b"), flips.open("a").read(), flips.size("a")) == (b"abce", b"abcd", b"abce", 4)
    assert Truncates(honest).read("a") == b"ab"
    assert not AnswersTwice(honest).create("c", b"1")
    assert honest.read("c") == b"1"
    failing = FailsOnNthCall(honest, 1)
    assert failing.read("a") == b"abcd"
    with pytest.raises(StoreError, match="call 1"):
        failing.read("a")
    assert failing.count == 2
