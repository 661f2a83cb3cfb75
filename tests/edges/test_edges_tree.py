"""Trees that are read only: the suite over memory and a folder, and what a folder can do to a reader."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fonoteca.edges.disk_tree import DiskTree
from fonoteca.formats.ocfl_tree import DigestQuestion, Entry, EntryKind, Tree
from fonoteca.model.errors import StoreError
from fonoteca.testing.trees import MemoryTree, TreeBuilder, TreeSuite


class TestMemoryTree(TreeSuite):
    @pytest.fixture
    def build(self) -> TreeBuilder:
        return MemoryTree


class TestDiskTree(TreeSuite):
    @pytest.fixture
    def build(self, tmp_path: Path) -> Iterator[TreeBuilder]:
        made: list[DiskTree] = []

        def build(files: Mapping[str, bytes], others: Mapping[str, EntryKind]) -> Tree:
            top = tmp_path / "tree"
            for path, content in files.items():
                (top / path).parent.mkdir(parents=True, exist_ok=True)
                (top / path).write_bytes(content)
            for path, kind in others.items():
                if kind is EntryKind.FOLDER:
                    (top / path).mkdir(parents=True)
                else:
                    (top / path).symlink_to(top)
            made.append(DiskTree(top))
            return made[-1]

        yield build
        for tree in made:
            tree.__exit__()


def test_a_pipe_is_told_of_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with DiskTree(tmp_path) as tree:
        assert tree.entries("") == [Entry("pipe", EntryKind.OTHER)]
        with pytest.raises(StoreError, match="not a regular file"):
            tree.read("pipe", 10)
        assert next(tree.digest([DigestQuestion("pipe", ("sha256",))])).problem


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "a/../../secret", "."])
def test_no_path_leads_out_of_the_tree(tmp_path: Path, path: str) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    with DiskTree(tmp_path / "top") as tree:
        for call in (tree.entries, lambda p: tree.read(p, 10), lambda p: list(tree.digest([DigestQuestion(p, ())]))):
            with pytest.raises(StoreError, match="not a path below"):
                call(path)


def test_large_files_are_hashed_while_more_are_asked_for(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(1 << 20))
    hashing = set()
    with DiskTree(tmp_path, lambda _: hashing.add(threading.current_thread().name)) as tree:
        assert len(list(tree.digest(DigestQuestion(name, ("sha512",)) for name in ("a", "b")))) == 2
    assert hashing
    assert all(name.startswith("hash") for name in hashing)
