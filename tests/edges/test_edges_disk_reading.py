"""Large files are read from the disk itself, and as they are."""

from __future__ import annotations

import errno
import os
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from fonoteca.edges.disk_lanes import DIRECT_BYTES
from fonoteca.edges.disk_reading import read_directly
from fonoteca.edges.disk_sightings import sight_files

COUNTS = [0, 1, DIRECT_BYTES - 1, DIRECT_BYTES, DIRECT_BYTES + 1, 3 * DIRECT_BYTES, 3 * DIRECT_BYTES + 4097]


def _digest(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        digest = sha256()
        for part in read_directly(descriptor):
            digest.update(part)
        return digest.hexdigest()
    finally:
        os.close(descriptor)


def _file(path: Path, count: int) -> str:
    content = Random(count).randbytes(count)
    path.write_bytes(content)
    return sha256(content).hexdigest()


@pytest.mark.parametrize("count", COUNTS)
def test_a_file_is_read_whole(tmp_path: Path, count: int) -> None:
    expected = _file(tmp_path / "file", count)
    assert _digest(tmp_path / "file") == expected


@pytest.mark.parametrize("count", COUNTS)
def test_what_cannot_be_read_directly_is_read_the_plain_way(tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, read = _file(tmp_path / "file", count), os.preadv

    def refusing(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        flags = int(Path(f"/proc/self/fdinfo/{descriptor}").read_text().split("flags:")[1].split()[0], 8)
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return read(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", refusing)
    assert _digest(tmp_path / "file") == expected


def test_a_file_that_grows_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    _file(path, DIRECT_BYTES + 100)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = read_directly(descriptor)
        found = len(next(parts)) + len(next(parts))
        with path.open("ab") as target:
            target.write(b"more" * 1000)
        assert found + sum(map(len, parts)) == DIRECT_BYTES + 4100
    finally:
        os.close(descriptor)


def test_reading_that_is_broken_off_leaves_no_thread_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    expected = _file(path, 5 * DIRECT_BYTES)
    for _ in range(20):
        descriptor = os.open(path, os.O_RDONLY)
        parts = read_directly(descriptor)
        next(parts)
        parts.close()  # type: ignore[attr-defined]
        os.close(descriptor)
    assert _digest(path) == expected


def test_a_large_file_is_looked_at_on_the_disk(tmp_path: Path) -> None:
    digests = {f"{count}": _file(tmp_path / f"{count}", count) for count in COUNTS}
    sightings = sight_files(str(tmp_path), list(digests))
    assert [each.sha256 for each in sightings] == list(digests.values())
    assert all(earlier != later for earlier, later in pairwise(each.sha256 for each in sightings))
