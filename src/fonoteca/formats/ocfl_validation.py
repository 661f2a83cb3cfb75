"""Whether a tree of files is a valid OCFL object or storage root, 1.0 or 1.1, whoever wrote it; with the specification's codes.

Bytes in, verdict out: all that is seen of the medium comes through `ocfl_tree.Tree`. What `formats.ocfl` reads and writes is
Fonoteca's own narrower profile.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fonoteca.formats.ocfl import INVENTORY
from fonoteca.formats.ocfl_codes import Finding, is_error
from fonoteca.formats.ocfl_declarations import declares_object, declares_root
from fonoteca.formats.ocfl_object_rules import Claim, SeenObject, see_object
from fonoteca.formats.ocfl_path_rules import version_number
from fonoteca.formats.ocfl_root_rules import LAYOUT_FILE, see_root
from fonoteca.formats.ocfl_tree import DigestAnswer, DigestQuestion, Entry, EntryKind, Tree, below

_LOOK_FOLDERS_MAX = 1000
"""How many folders are looked into for an object, where nothing says what the top folder is."""

KEPT_OF_A_CODE_MAX = 10_000
"""Findings of one code beyond this many are counted only: an archive of a million objects may have a warning for each."""


class TreeKind(StrEnum):
    """What a tree is."""

    OBJECT = "object"
    ROOT = "storage root"


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on a tree. findings: in order of place and code, at most `KEPT_OF_A_CODE_MAX` of each code.

    counts: code to how often it was found.
    """

    kind: TreeKind
    object_count: int
    file_count: int
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]

    @property
    def valid(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return self.error_count == 0

    @property
    def error_count(self) -> int:
        """How many errors there are."""
        return sum(count for code, count in self.counts.items() if is_error(code))

    @property
    def warning_count(self) -> int:
        """How many warnings there are."""
        return sum(count for code, count in self.counts.items() if not is_error(code))


def kind_of(tree: Tree) -> TreeKind | None:
    """Return what a tree is, or would be if its declaration were not missing; None when there is nothing of OCFL to see.

    Cost: lists the top folder, and at most a thousand folders below it when that says nothing.
    """
    entries = tree.entries("")
    versions = any(entry.kind is EntryKind.FOLDER and version_number(entry.name) for entry in entries)
    inventory = Entry(INVENTORY, EntryKind.FILE) in entries
    if declares_object(entries) or (inventory and versions):
        return TreeKind.OBJECT
    if declares_root(entries) or Entry(LAYOUT_FILE, EntryKind.FILE) in entries:
        return TreeKind.ROOT
    if inventory or versions:
        return TreeKind.OBJECT
    return TreeKind.ROOT if _object_below(tree, entries) else None


def validate(tree: Tree, kind: TreeKind) -> Report:
    """Return the verdict on a tree. kind: what it is to be, as `kind_of` says.

    Every file that an inventory names is read once. Memory: the findings kept and, for a storage root, its objects' ids.
    Raises: FormatError for an inventory too long to be read; StoreError when a folder cannot be listed.
    """
    if kind is TreeKind.OBJECT:
        return _Proving(tree, iter([see_object(tree, "", tree.entries(""))]), []).report(kind)
    outside: list[Finding] = []
    return _Proving(tree, see_root(tree, outside), outside).report(kind)


class _Proving:
    """Holds the files of objects against what their inventories claim, while more objects are being seen."""

    def __init__(self, tree: Tree, objects: Iterator[SeenObject], outside: list[Finding]) -> None:
        self._tree = tree
        self._objects = objects
        self._outside = outside  # what is found between the objects while they are being seen
        self._claims: deque[list[Claim]] = deque()
        self._kept: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self._object_count = 0

    def report(self, kind: TreeKind) -> Report:
        """Return the verdict. The medium may read ahead, so claims wait in a queue for their answers."""
        file_count = 0
        for answer in self._tree.digest(self._questions()):
            self._take(_judge(answer, self._claims.popleft()))
            file_count += 1
        ordered = tuple(sorted(self._kept, key=lambda f: (f.place, f.code, f.sentence)))
        return Report(kind, self._object_count, file_count, ordered, dict(sorted(self._counts.items())))

    def _questions(self) -> Iterator[DigestQuestion]:
        for seen in self._objects:
            self._object_count += 1
            self._take(seen.findings)
            self._take(self._outside)
            self._outside.clear()
            for path, claims in seen.claims.items():
                self._claims.append(claims)
                yield DigestQuestion(path, tuple(dict.fromkeys(claim.algorithm for claim in claims)))
        self._take(self._outside)

    def _take(self, findings: Iterable[Finding]) -> None:
        """Count findings, each once, and keep those that are not too many of their code."""
        for finding in dict.fromkeys(findings):
            self._counts[finding.code] += 1
            if self._counts[finding.code] <= KEPT_OF_A_CODE_MAX:
                self._kept.append(finding)


def _judge(answer: DigestAnswer, claims: list[Claim]) -> Iterator[Finding]:
    """Yield the claims that a file does not bear out."""
    if answer.problem:
        yield Finding("E092", answer.path, f"it cannot be read: {answer.problem}")
        return
    for claim in claims:
        found = answer.digests[claim.algorithm]
        if found != claim.digest:
            yield Finding(claim.code, answer.path, f"expected {claim.algorithm} {claim.digest} by {claim.place}, found {found}")


def _object_below(tree: Tree, entries: Sequence[Entry]) -> bool:
    """Return whether an object is soon found below the top folder, and no storage root before it."""
    waiting = deque(entry.name for entry in entries if entry.kind is EntryKind.FOLDER)
    for _ in range(_LOOK_FOLDERS_MAX):
        if not waiting:
            return False
        folder = waiting.popleft()
        inner = tree.entries(folder)
        if declares_object(inner):
            return True
        if declares_root(inner):
            return False
        waiting.extend(below(folder, entry.name) for entry in inner if entry.kind is EntryKind.FOLDER)
    return False
