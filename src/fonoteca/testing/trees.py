"""`formats.ocfl_tree.Tree` in memory: the plainest thing that obeys it, and the suite that every other one passes.

Use of the suite: a pytest class that inherits `TreeSuite` and has a fixture `build`, a `TreeBuilder`.
"""

# ruff: noqa: D102

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fonoteca.formats.ocfl_digests import Digester
from fonoteca.formats.ocfl_tree import DigestAnswer, DigestQuestion, Entry, EntryKind, Tree
from fonoteca.model.errors import StoreError

_LARGE_BYTES = 3 << 20

TreeBuilder = Callable[[Mapping[str, bytes], Mapping[str, EntryKind]], Tree]
"""Makes a tree with these files, and these empty folders and links; a link leads to the tree's own top."""


@dataclass(slots=True)
class MemoryTree:
    """A tree in a dictionary. files: path to content. others: path to kind, for empty folders, links and special files."""

    files: Mapping[str, bytes]
    others: Mapping[str, EntryKind] = field(default_factory=dict)

    def entries(self, folder: str) -> Sequence[Entry]:
        """Return what lies directly in a folder, in ascending order of name."""
        start = f"{folder}/" if folder else ""
        kinds: dict[str, EntryKind] = {}
        for path, kind in [*((path, EntryKind.FILE) for path in self.files), *self.others.items()]:
            if path.startswith(start):
                name, slash, _ = path[len(start) :].partition("/")
                kinds[name] = EntryKind.FOLDER if slash else kind
        if folder and not kinds and self.others.get(folder) is not EntryKind.FOLDER:
            raise StoreError(folder, "there is no such folder in memory")
        return [Entry(name, kinds[name]) for name in sorted(kinds)]

    def read(self, path: str, bytes_max: int) -> bytes:
        """Return the first bytes of a regular file, at most so many."""
        if path not in self.files:
            raise StoreError(path, "there is no such file in memory")
        return self.files[path][:bytes_max]

    def digest(self, questions: Iterable[DigestQuestion]) -> Iterator[DigestAnswer]:
        """Yield the answer to each question, in their order."""
        for question in questions:
            if question.path not in self.files:
                yield DigestAnswer(question.path, problem="there is no such file in memory")
                continue
            digester = Digester(question.algorithms)
            digester.update(self.files[question.path])
            yield DigestAnswer(question.path, digester.digests())


def _refused(call: Callable[..., object], *arguments: object) -> None:
    """Check that a call gives a StoreError."""
    try:
        call(*arguments)
    except StoreError:
        return
    raise AssertionError(f"expected StoreError of {arguments!r}")


class TreeSuite:
    """The laws of a tree, one a test."""

    def test_entries_are_told_apart_and_come_in_order(self, build: TreeBuilder) -> None:
        files = dict.fromkeys(("b", "a", "ab/c", "a.b", "B", "ä"), b"")
        tree = build(files, {"empty": EntryKind.FOLDER, "link": EntryKind.LINK, "ab/loop": EntryKind.LINK})
        kinds = dict.fromkeys(("B", "a", "a.b", "b", "ä"), EntryKind.FILE)
        kinds |= {"ab": EntryKind.FOLDER, "empty": EntryKind.FOLDER, "link": EntryKind.LINK}
        assert list(tree.entries("")) == [Entry(name, kinds[name]) for name in sorted(kinds)]
        assert list(tree.entries("ab")) == [Entry("c", EntryKind.FILE), Entry("loop", EntryKind.LINK)]
        assert list(tree.entries("empty")) == []

    def test_a_link_is_never_followed(self, build: TreeBuilder) -> None:
        tree = build({"folder/file": b"x"}, {"link": EntryKind.LINK})
        _refused(tree.entries, "link")
        _refused(tree.read, "link", 10)
        assert next(iter(tree.digest([DigestQuestion("link", ("md5",))]))).problem

    def test_what_is_not_there_is_an_error(self, build: TreeBuilder) -> None:
        tree = build({"file": b"x"}, {})
        _refused(tree.entries, "missing")
        _refused(tree.read, "missing", 10)

    def test_no_more_is_read_than_asked_for(self, build: TreeBuilder) -> None:
        tree = build({"file": b"0123456789", "empty": b""}, {})
        assert tree.read("file", 4) == b"0123"
        assert tree.read("file", 10) == tree.read("file", 1 << 30) == b"0123456789"
        assert tree.read("empty", 10) == b""

    def test_answers_come_in_the_order_of_the_questions(self, build: TreeBuilder) -> None:
        files = {f"{index:03}": bytes([index]) * (_LARGE_BYTES if index % 40 == 0 else index) for index in range(100)}
        tree = build(files, {})
        names = [*sorted(files, reverse=True), "missing", "000"]
        answers = list(tree.digest(DigestQuestion(name, ("sha256", "size")) for name in names))
        assert [answer.path for answer in answers] == names
        for answer in answers:
            if answer.path == "missing":
                assert answer.problem
                assert not answer.digests
            else:
                content = files[answer.path]
                assert answer.digests == {"sha256": hashlib.sha256(content).hexdigest(), "size": str(len(content))}
                assert not answer.problem
