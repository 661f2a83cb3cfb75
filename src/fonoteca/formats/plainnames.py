"""Names for people: what a file is called in folders by artist and album, safe on every file system and unique there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from fonoteca.formats.torrentpaths import folded, name_fault

NAME_BYTES_MAX = 150
"""Of a folder's or file's name: file systems take 255, paths on Windows 260 all in all."""

_UNSAFE = re.compile(r'[<>:"/\\|?*]')
_UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file would best be called. owner: what it is, which never changes. folders: from the outermost in. ending: `.ogg`."""

    owner: str
    folders: tuple[str, ...]
    name: str
    ending: str


def plain_names(wanted: Iterable[Wanted]) -> Mapping[str, str]:
    """Return the path of each owner below the folder of all. No two are the same on any file system.

    The first in order of owner has the plain name, and others like it a digest of their owner behind: the same owners, the same
    names, in whatever order they come. A folder is spelled as it was first.
    """
    spelled: dict[str, str] = {}
    taken: set[str] = set()
    found: dict[str, str] = {}
    for each in sorted(wanted, key=lambda one: one.owner):
        folder = ""
        for part in each.folders:
            folder = f"{folder}/{plain_name(part)}".lstrip("/")
            folder = spelled.setdefault(folded(folder), folder)
        name = plain_name(each.name, each.ending)
        digest = sha256(each.owner.encode()).hexdigest()
        # Somebody's title may end in another one's digest, so it is as long as it must be.
        for length in range(12, len(digest) + 1):
            if folded(f"{folder}/{name}") not in taken:
                break
            name = plain_name(each.name, f" [{digest[:length]}]{each.ending}")
        taken.add(folded(f"{folder}/{name}"))
        found[each.owner] = f"{folder}/{name}".lstrip("/")
    return found


def plain_name(text: str, ending: str = "") -> str:
    """Return a text as the name of a file or folder: what some system forbids is `_`, the rest stays. ending: kept whole."""
    known = unicodedata.normalize("NFC", text.encode(errors="replace").decode())
    kept = "".join("" if unicodedata.category(c) in ("Cf", "Cn", "Cs") else c if c.isprintable() else " " for c in known)
    name = _UNSAFE.sub("_", " ".join(kept.split())).strip(" .")
    end = _UNSAFE.sub("_", ending)
    room = NAME_BYTES_MAX - len(end.encode())
    name = name.encode()[:room].decode(errors="ignore").rstrip(" .") or _UNKNOWN
    return f"_{name}{end}" if name_fault(f"{name}{end}") else f"{name}{end}"
