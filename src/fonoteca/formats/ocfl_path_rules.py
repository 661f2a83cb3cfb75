"""The rules for blocks of digest to paths: manifest, state and fixity (OCFL 1.1 sections 3.5.2 to 3.5.4)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fonoteca.formats.ocfl_codes import Notes, shown
from fonoteca.formats.ocfl_digests import is_known, wrong_digest

_VERSION_NAME = re.compile(r"v([0-9]{1,18})")
_BACKSLASHED = re.compile(r"v[0-9]+\\[^/]+")


class Block(dict[str, Any]):
    """A JSON object. repeated: keys that are there more than once; the last value rules here, another one elsewhere."""

    repeated: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> Block:
        """Return the object of these keys and values."""
        block = cls(pairs)
        if len(block) < len(pairs):
            block.repeated = tuple(sorted(key for key, count in Counter(key for key, _ in pairs).items() if count > 1))
        return block


@dataclass(frozen=True, slots=True)
class DigestBlock:
    """What to call a block and its faults. algorithm: "" when it is not known, and digests are taken as they are.

    no_array: the code for a value that is no array of texts. twice: the code for a digest that is there twice, whatever its
    case; None where no rule forbids it.
    """

    name: str
    algorithm: str
    no_array: str
    twice: str | None = None


def version_number(name: str) -> int | None:
    """Return the number of a version folder's name, padded or not; None when it is no such name."""
    match = _VERSION_NAME.fullmatch(name)
    return (int(match[1]) or None) if match else None


def digests_and_paths(found: Block, block: DigestBlock, notes: Notes) -> Iterator[tuple[str, str]]:
    """Yield each digest of a block, as it is spelt, with each of its paths; take down what is wrong with the digests."""
    _note_repeated(found, block, notes)
    for digest, paths in found.items():
        if block.algorithm and (code := wrong_digest(block.algorithm, digest)):
            code = "E057" if code == "E039" and block.no_array == "E057" else code
            notes.add(code, f"{block.name} has the key {shown(digest)}, which is no {block.algorithm} digest")
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            notes.add(block.no_array, f"{block.name} has {shown(paths)} for {shown(digest)}, expected an array of paths")
            continue
        if not paths:
            notes.add(block.no_array, f"{block.name} has no path for {shown(digest)}")
        for path in paths:
            yield digest, path


def _note_repeated(found: Block, block: DigestBlock, notes: Notes) -> None:
    """Take down digests that are there more than once."""
    folded = Counter(digest.lower() for digest in found)
    twice = {digest for digest, count in folded.items() if count > 1} if block.twice else set()
    if block.twice:
        notes.add_each(block.twice, f"{block.name} has a digest more than once, whatever its case:", twice)
    for digest in found.repeated:
        notes.add(block.twice or "E033", f"{block.name} has the key {shown(digest)} more than once")


def note_conflicts(paths: Collection[str], code: str, where: str, notes: Notes) -> None:
    """Take down paths that are there more than once, or are the folder of another one. Cost: O(all parts of all paths)."""
    counts = Counter(paths)
    notes.add_each(code, f"{where} has a path more than once:", [path for path, count in counts.items() if count > 1])
    folders: set[str] = set()
    for path in counts:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    notes.add_each(code, f"{where} has a path that is also another one's folder:", folders & counts.keys())


def note_parts(path: str, codes: tuple[str, str], where: str, notes: Notes) -> bool:
    """Return whether a path's parts may be so, and take down when not. codes: for slashes at its ends, and for its parts."""
    sound = True
    if path.startswith("/") or path.endswith("/"):
        notes.add(codes[0], f"{where} has the path {shown(path)}, which begins or ends with a slash")
        sound = False
    inner = path.removeprefix("/").removesuffix("/") if path != "/" else path
    if path != "/" and any(part in ("", ".", "..") for part in inner.split("/")):
        notes.add(codes[1], f"{where} has the path {shown(path)}, of which a part is empty, . or ..")
        sound = False
    return sound


@dataclass(frozen=True, slots=True)
class ContentPlaces:
    """Where content of an object may lie. versions: name of a version's folder to its number. names: the other way round."""

    versions: Mapping[str, int]
    names: Mapping[int, str]
    content_folder: str

    def note(self, path: str, where: str, notes: Notes) -> bool:
        """Return whether a content path is one, and take down when not (E014, E035, E042, E099, E100)."""
        if _BACKSLASHED.fullmatch(path):
            notes.add("E035", f"{where} has the path {shown(path)}, which has backslashes for slashes")
            return False
        if not note_parts(path, ("E100", "E099"), where, notes):
            return False
        version, _, rest = path.partition("/")
        if version not in self.versions:
            real = self.names.get(version_number(version) or 0)
            if real is not None:
                notes.add("E014", f"{where} has the path {shown(path)}, but the version's folder is {real}")
            else:
                notes.add("E042", f"{where} has the path {shown(path)}, which is in no version's folder")
            return False
        if not rest.startswith(f"{self.content_folder}/"):
            notes.add("E042", f"{where} has the path {shown(path)}, expected it below {version}/{self.content_folder}")
            return False
        return True


def read_manifest(found: Any, algorithm: str, places: ContentPlaces, notes: Notes) -> tuple[dict[str, str], frozenset[str] | None]:
    """Return content path to digest in lower case, of sound paths alone, and the digests as they are spelt, None for no block."""
    if not isinstance(found, Block):
        notes.add("E106", f"manifest is {shown(found)}, expected a JSON object")
        return {}, None
    block = DigestBlock("manifest", algorithm, "E092", "E096")
    pairs = list(digests_and_paths(found, block, notes))
    note_conflicts([path for _, path in pairs], "E101", "manifest", notes)
    manifest = {path: digest.lower() for digest, path in pairs if places.note(path, "manifest", notes)}
    return manifest, frozenset(found)


def read_state(found: Any, block: DigestBlock, digests: frozenset[str] | None, notes: Notes) -> dict[str, str]:
    """Return logical path to digest in lower case. digests: those of the manifest, as they are spelt, None when it has none."""
    if not isinstance(found, Block):
        notes.add("E050", f"{block.name} is {shown(found)}, expected a JSON object")
        return {}
    pairs = list(digests_and_paths(found, block, notes))
    if digests is not None:
        folded = {digest.lower() for digest in digests - found.keys()}
        for digest in sorted(found.keys() - digests):
            other = "spelt with other cases" if digest.lower() in folded else "missing"
            notes.add("E050", f"{block.name} has the digest {shown(digest)}, which in the manifest is {other}")
    for _, path in pairs:
        note_parts(path, ("E053", "E052"), block.name, notes)
    note_conflicts([path for _, path in pairs], "E095", block.name, notes)
    return {path: digest.lower() for digest, path in pairs}


@dataclass(frozen=True, slots=True)
class FixityClaim:
    """What a block of fixity says of a file. digest: in lower case."""

    algorithm: str
    digest: str
    path: str


def read_fixity(found: Any, places: ContentPlaces, known: Callable[[str], bool], notes: Notes) -> tuple[FixityClaim, ...]:
    """Return what fixity says of sound paths under known algorithms. known: whether the manifest, if there is one, has a path."""
    if not isinstance(found, Block):
        notes.add("E111", f"fixity is {shown(found)}, expected a JSON object")
        return ()
    for name in found.repeated:
        notes.add("E033", f"fixity has the key {shown(name)} more than once")
    claims = []
    for algorithm, digests in found.items():
        name = f"fixity of {algorithm}"
        if not is_known(algorithm):
            notes.add("E056", f"fixity has the key {shown(algorithm)}, which is no registered digest algorithm")
        if not isinstance(digests, Block):
            notes.add("E057", f"{name} is {shown(digests)}, expected a JSON object")
            continue
        block = DigestBlock(name, algorithm if is_known(algorithm) else "", "E057", "E097")
        for digest, path in digests_and_paths(digests, block, notes):
            if places.note(path, name, notes):
                if not known(path):
                    notes.add("E057", f"{name} has the path {shown(path)}, which is not in the manifest")
                if block.algorithm:
                    claims.append(FixityClaim(algorithm, digest.lower(), path))
    return tuple(claims)
