"""The rules for declarations: files such as `0=ocfl_object_1.1` that say what a folder is (OCFL 1.1 sections 3.2 and 4.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fonoteca.formats.ocfl_codes import SPECS, Notes, shown
from fonoteca.formats.ocfl_tree import Entry, EntryKind, Tree, below

_DECLARATION = re.compile(r"([0-9]+)=(.*)")
_READ_BYTES = 256
"""More than any right declaration has."""


@dataclass(frozen=True, slots=True)
class DeclarationRules:
    """What one kind of declaration must be. start: of the name after `0=`.

    The other fields are codes: for none, for more than one, for an unknown version of the specification, for a name that
    does not begin with `0=`, for one that goes on with something other than `start`, and for wrong content.
    """

    start: str
    missing: str
    too_many: str
    spec: str
    tag: str
    other: str
    content: str


OBJECT = DeclarationRules("ocfl_object_", "E003", "E003", "E004", "E005", "E006", "E007")
ROOT = DeclarationRules("ocfl_", "E069", "E076", "E077", "E078", "E079", "E080")


def declares_object(entries: Sequence[Entry]) -> bool:
    """Return whether there is a declaration of an object, right or wrong, among a folder's entries."""
    return any(_says(entry, OBJECT.start) for entry in entries)


def declares_root(entries: Sequence[Entry]) -> bool:
    """Return whether there is a declaration of a storage root, right or wrong, among a folder's entries."""
    return any(_says(entry, ROOT.start) and not _says(entry, OBJECT.start) for entry in entries)


def declarations(entries: Sequence[Entry], rules: DeclarationRules) -> list[str]:
    """Return the files that a folder's declaration is to be judged by.

    They are those that speak of OCFL; where none is right, whatever is built as a declaration: it may have been meant as one.
    """
    named = [entry.name for entry in entries if entry.kind is EntryKind.FILE and _DECLARATION.fullmatch(entry.name)]
    if any(name == f"0={rules.start}{spec}" for name in named for spec in SPECS):
        return [name for name in named if name.partition("=")[2].startswith(ROOT.start)]
    return named


def read_declaration(tree: Tree, folder: str, entries: Sequence[Entry], rules: DeclarationRules, notes: Notes) -> str | None:
    """Return the version of the specification that a folder declares, the newest of several, None when there is none; check it."""
    named = declarations(entries, rules)
    right = {f"0={rules.start}{spec}": spec for spec in SPECS}
    for name in named:
        if name not in right:
            notes.add(_fault(name, rules), f"expected {' or '.join(right)}, found {shown(name)}", below(folder, name))
    specs = sorted(right[name] for name in named if name in right)
    if not specs:
        notes.add(rules.missing, f"expected the file {' or '.join(right)}, found no right declaration")
        return None
    if len(named) > 1:
        notes.add(rules.too_many, f"expected one declaration, found {', '.join(map(shown, named))}")
    for spec in specs:
        text = f"{rules.start}{spec}"
        content = tree.read(below(folder, f"0={text}"), _READ_BYTES)
        if content != f"{text}\n".encode():
            notes.add(rules.content, f"expected {text} and a newline, found {shown(content)}", below(folder, f"0={text}"))
    return specs[-1]


def _says(entry: Entry, start: str) -> bool:
    match = _DECLARATION.fullmatch(entry.name)
    return entry.kind is EntryKind.FILE and match is not None and match[2].startswith(start)


def _fault(name: str, rules: DeclarationRules) -> str:
    """Return the code for what is wrong with a declaration's name."""
    match = _DECLARATION.fullmatch(name)
    assert match is not None
    if match[1] != "0":
        return rules.tag
    return rules.spec if match[2].startswith(rules.start) else rules.other
