"""New files: written past the page cache where that can be, and always as they were given."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from random import Random

import pytest

from fonoteca.edges.disk_calls import SystemCalls
from fonoteca.edges.disk_lanes import DIRECT_BYTES
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.errors import StoreError

CHUNK = 1 << 18
COUNTS = [0, 1, DIRECT_BYTES - 1, DIRECT_BYTES, DIRECT_BYTES + 1, 4 * DIRECT_BYTES, 4 * DIRECT_BYTES + 4097]


class Seen(SystemCalls):
    """Notes for each write how long it was, and whether it went past the page cache."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, bool]] = []

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write."""
        self.writes.append((len(content), _is_direct(descriptor)))
        return super().write(descriptor, content)


class Partial(SystemCalls):
    """A file system that takes less than it is given."""

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write two thirds."""
        return super().write(descriptor, content[: max(1, len(content) * 2 // 3)])


class NothingDirect(SystemCalls):
    """A file system that lets a descriptor be set for direct I/O and refuses the writes."""

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write what is not direct."""
        if _is_direct(descriptor):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return super().write(descriptor, content)


class Full(SystemCalls):
    """A disk that is full after so many bytes."""

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """Write while there is room."""
        if len(content) > self.room_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room_bytes -= len(content)
        return super().write(descriptor, content)


def _is_direct(descriptor: int) -> bool:
    flags = int(Path(f"/proc/self/fdinfo/{descriptor}").read_text().split("flags:")[1].split()[0], 8)
    return bool(flags & os.O_DIRECT)


def _content(count: int) -> bytes:
    return Random(count).randbytes(count)


def _write(staging: DiskStaging, content: bytes, chunk: int = CHUNK) -> Path:
    path = staging.folder("one") / "file"
    with staging.writer(path) as target:
        for at in range(0, len(content), chunk):
            assert target.write(memoryview(content)[at : at + chunk]) == len(content[at : at + chunk])
    return path


@pytest.mark.parametrize("calls", [SystemCalls, Partial, NothingDirect])
@pytest.mark.parametrize("chunk", [CHUNK, 100_003, 5 * DIRECT_BYTES])
@pytest.mark.parametrize(
    "count", [0, 1, DIRECT_BYTES - 1, DIRECT_BYTES, DIRECT_BYTES + 1, 4 * DIRECT_BYTES, 4 * DIRECT_BYTES + 4097]
)
def test_a_file_is_what_was_written(tmp_path: Path, calls: type[SystemCalls], chunk: int, count: int) -> None:
    content = _content(count)
    assert _write(DiskStaging(tmp_path / "staging", calls()), content, chunk).read_bytes() == content


def test_whole_parts_go_past_the_page_cache_and_the_end_does_not(tmp_path: Path) -> None:
    calls = Seen()
    _write(DiskStaging(tmp_path / "staging", calls), _content(3 * DIRECT_BYTES + 5))
    assert [count for count, _ in calls.writes] == [DIRECT_BYTES] * 3 + [5]
    assert [direct for _, direct in calls.writes] == [True] * 3 + [False]


def test_a_small_file_is_one_plain_write(tmp_path: Path) -> None:
    calls = Seen()
    _write(DiskStaging(tmp_path / "staging", calls), _content(DIRECT_BYTES - 1), 1000)
    assert calls.writes == [(DIRECT_BYTES - 1, False)]


def test_positions_are_those_of_what_was_given(tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path / "staging")
    path = staging.folder("one") / "file"
    with staging.writer(path) as target:
        target.write(_content(DIRECT_BYTES + 10))
        assert target.tell() == DIRECT_BYTES + 10
        assert target.seek(4) == 4
        target.write(b"here")
        assert target.tell() == 8
        target.seek(0, os.SEEK_END)
        target.write(b"end")
    expected = bytearray(_content(DIRECT_BYTES + 10))
    expected[4:8] = b"here"
    assert path.read_bytes() == bytes(expected) + b"end"


@pytest.mark.parametrize("room", [0, DIRECT_BYTES, 3 * DIRECT_BYTES])
def test_a_full_disk_is_told_of_and_leaves_nothing(tmp_path: Path, room: int) -> None:
    staging = DiskStaging(tmp_path / "staging", Full(room))
    with pytest.raises(StoreError, match="disk is full"):
        _write(staging, _content(3 * DIRECT_BYTES + 7))
    assert list((tmp_path / "staging" / "one").iterdir()) == []


def test_nothing_writes_to_a_descriptor_that_is_closed(tmp_path: Path) -> None:
    closed, late = threading.Event(), []

    class Slow(SystemCalls):
        def write(self, descriptor: int, content: bytes | memoryview) -> int:
            closed.wait(0.2)
            late.append(closed.is_set())
            return super().write(descriptor, content)

    staging = DiskStaging(tmp_path / "staging", Slow())
    path = staging.folder("one") / "file"

    def break_off() -> None:
        with staging.writer(path) as target:
            target.write(_content(DIRECT_BYTES))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    closed.set()
    assert late == [False]
    assert not path.exists()


def test_many_files_at_once_do_not_mix(tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path / "staging")
    folder = staging.folder("many")
    contents = {f"{number}": _content(2 * DIRECT_BYTES + number) for number in range(6)}

    def write(name: str) -> None:
        with staging.writer(folder / name) as target:
            for at in range(0, len(contents[name]), CHUNK):
                target.write(contents[name][at : at + CHUNK])

    threads = [threading.Thread(target=write, args=(name,)) for name in contents]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents


def test_a_forked_process_writes_with_threads_of_its_own(tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path / "staging")
    content = _content(2 * DIRECT_BYTES)
    path = _write(staging, content)
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if _write(staging, content).read_bytes() == content else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert path.read_bytes() == content
