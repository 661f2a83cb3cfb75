from __future__ import annotations

import os
from pathlib import Path

import pytest

from fonoteca.model.errors import SourceError
from fonoteca.sources.steady import Stamp, open_steady

CONTENT = bytes(range(256)) * 8192  # 2 MiB: two fills of the buffer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.ogg"
    path.write_bytes(CONTENT)
    os.utime(path, ns=(10**18, 10**18))
    return path


def stamp(path: Path) -> Stamp:
    return Stamp.of(path.stat())


def test_an_unchanged_file_is_read_whole(file: Path) -> None:
    with open_steady(file, "x", stamp(file)) as stream:
        assert stream.read() == CONTENT
        assert stream.read() == b""
    with open_steady(file, "x", stamp(file)) as stream:
        assert b"".join(iter(lambda: stream.read(1000), b"")) == CONTENT


def test_an_empty_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "e").touch()
    with open_steady(tmp_path / "e", "x", stamp(tmp_path / "e")) as stream:
        assert stream.read() == b""


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.open("ab").write(b"more"),
        lambda p: os.truncate(p, 1_500_000),
        lambda p: os.truncate(p, 10),
        lambda p: p.open("r+b").write(b"X"),
        lambda p: os.utime(p, ns=(10**18, 10**18 + 1)),
    ],
    ids=["grows", "shrinks", "shrinks to what was read", "same length", "touched"],
)
def test_a_file_that_changes_while_it_is_read_is_never_read_to_its_end(file: Path, change: object) -> None:
    with open_steady(file, "folder:x: a.ogg", stamp(file)) as stream:
        stream.read(100)
        assert callable(change)
        change(file)
        with pytest.raises(SourceError, match="changed while it was read") as caught:
            list(iter(lambda: stream.read(65536), b""))
    assert caught.value.subject == "folder:x: a.ogg"


def test_the_last_byte_is_not_given_away_before_the_check(file: Path) -> None:
    with open_steady(file, "x", stamp(file)) as stream:
        stream.read(100)
        file.open("r+b").write(b"X")
        with pytest.raises(SourceError):
            stream.read(len(CONTENT) - 100)


def test_a_file_that_changed_since_it_was_listed_is_not_opened(file: Path) -> None:
    listed = stamp(file)
    file.write_bytes(CONTENT + b"x")
    with pytest.raises(SourceError, match="changed"):
        open_steady(file, "x", listed)


def test_a_file_that_was_replaced_by_another_a_link_a_pipe_or_nothing_is_not_opened(file: Path, tmp_path: Path) -> None:
    listed = stamp(file)
    other = tmp_path / "other"
    other.write_bytes(CONTENT)
    os.utime(other, ns=(10**18, 10**18))
    file.unlink()
    with pytest.raises(SourceError, match="cannot be opened"):
        open_steady(file, "x", listed)
    file.symlink_to(other)
    with pytest.raises(SourceError, match="cannot be opened"):
        open_steady(file, "x", listed)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(SourceError, match="no longer a regular file"):
        open_steady(file, "x", listed)
    file.unlink()
    other.rename(file)
    with pytest.raises(SourceError, match="changed"):
        open_steady(file, "x", listed)
