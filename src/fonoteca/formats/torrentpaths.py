"""Which paths every client keeps as they are, and that no two of them become one.

libtorrent turns newlines into `_`, drops direction marks and backslashes, cuts long names and renames case clashes; Windows
and macOS rewrite more. A payload whose names change is another payload, so such names are refused (DESIGN idea 4).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from fonoteca.formats.torrentrules import Findings, shown

COMPONENT_BYTES_MAX = 240
"""libtorrent 2.1 cuts longer names (`sanitize_append_path_element`); file systems take 255."""

PATH_PARTS_MAX = 20
"""Folders in folders; paths below a storage root have eight."""

PATH_BYTES_MAX = 1024
"""A key on S3, and a path on macOS."""

PATHS_BYTES_MAX = 64 * 2**20
"""Of all paths together, 335 bytes for each of 200,000: a file tree spells a folder once, however many files lie in it."""

PAD_FOLDER = ".pad"
"""BEP 47 suggests it for pad files, so payload may not lie in it."""

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,98}[A-Za-z0-9_-]")
"""Names that need no closer look, apart from Windows' devices."""

_REWRITTEN = re.compile(r'[<>:"|?*\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]')
"""What Windows forbids, and marks of writing direction."""

_DEVICE = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.I
)
"""Names that are devices on Windows, with any extension."""

_DRIVE = re.compile(r"[A-Za-z]:|\\\\")
"""A drive's letter, and the start of a share's name (UNC)."""

_PAD_MARK = "_____padding_file_"
"""libtorrent takes any file with this in its path for padding, as BitComet names it, and writes zeros in its place."""


def name_fault(name: str) -> tuple[str, str] | None:
    """Return why clients would not keep this file or folder name, as code and words, or None when all do."""
    if not _PLAIN.fullmatch(name):
        if name in ("", ".", ".."):
            return "name.traversal", "is empty or leads out of its folder"
        if _DRIVE.match(name):
            return "name.drive", "begins with a drive's letter or is a share on another machine"
        if "/" in name or "\\" in name:
            return "name.separator", "has a separator in it"
        if _REWRITTEN.search(name) or any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
            return "name.characters", "has characters that clients rewrite"
        if name[-1] in " .":
            return "name.end", "ends with a space or a full stop, which Windows drops"
        if len(name.encode()) > COMPONENT_BYTES_MAX:
            return "name.long", f"is longer than {COMPONENT_BYTES_MAX} bytes"
    if _PAD_MARK in name:
        return "name.pad", "says that it is padding, and clients believe it"
    return ("name.device", "is a device on Windows") if _DEVICE.fullmatch(name) else None


def find_name(found: Findings, place: str, name: str) -> None:
    """Note when clients would not keep this name. place: where it stands."""
    fault = name_fault(name)
    if fault is not None:
        found.add(fault[0], place, f"the name {shown(name)} {fault[1]}")


def find_paths(found: Findings, place: str, paths: Iterable[str]) -> None:
    """Note each path that escapes, is rewritten by clients, or clashes with another one.

    paths: `/`-separated, relative. Two paths clash when they are equal after case folding and normalisation (NFC), or
    when one is a folder of the other; a folder must be spelled the same everywhere. place: where the paths stand.
    Cost: O(bytes), each folder looked at once.
    """
    folders: dict[str, str] = {}
    files: dict[str, str] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if path.startswith("/"):
            found.add("path.absolute", place, f"the path {shown(path)} is absolute")
        elif folder and folders.get(folded(folder)) != folder:
            _enter_folder(found, place, folder, folders)
        find_name(found, place, name)
        if len(path) > PATH_BYTES_MAX // 4 and len(path.encode()) > PATH_BYTES_MAX:
            found.add("path.long", place, f"the path {shown(path)} is longer than {PATH_BYTES_MAX} bytes")
        key = folded(path)
        if key in files:
            found.add("path.clash", place, f"the paths {shown(files[key])} and {shown(path)} clash")
        files[key] = path
    for key in sorted(folders.keys() & files.keys()):
        found.add("path.folder", place, f"{shown(files[key])} is a file and a folder")


def part_of(found: Findings, place: str, raw: bytes) -> str | None:
    """Return one part of a path as text, or None after it was noted that it is none that can be told further.

    What `find_paths` can see is left to it; a separator inside a part is not, since it makes another path of it.
    """
    if len(raw) > COMPONENT_BYTES_MAX:
        found.add("name.long", place, f"the name {shown(raw)} is longer than {COMPONENT_BYTES_MAX} bytes")
        return None
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        found.add("name.utf8", place, f"the name {shown(raw)} is not UTF-8")
        return None
    if "/" not in name:
        return name
    if name.startswith("/") and name.strip("/"):
        found.add("path.absolute", place, f"the path {shown(name)} is absolute")
    elif {"", ".", ".."} & set(name.split("/")):
        found.add("name.traversal", place, f"the name {shown(name)} is empty or leads out of its folder")
    else:
        found.add("name.separator", place, f"the name {shown(name)} has a separator in it")
    return None


def check_name(subject: str, name: str) -> None:
    """Raise TrustError when clients would not keep this name. subject: what the message is about."""
    find_name(Findings(subject, strict=True), "", name)


def check_paths(subject: str, paths: Iterable[str]) -> None:
    """Raise TrustError for the first path that `find_paths` would note."""
    find_paths(Findings(subject, strict=True), "", paths)


def _enter_folder(found: Findings, place: str, folder: str, folders: dict[str, str]) -> None:
    """Look at every part of a folder's path, and that each is spelled as before. folders: folded to as spelled."""
    parts = folder.split("/")
    if len(parts) >= PATH_PARTS_MAX:
        found.add("path.deep", place, f"the path {shown(folder)} has more than {PATH_PARTS_MAX} parts")
        return
    if parts[0].casefold() == PAD_FOLDER:
        found.add("path.pad", place, f"the path {shown(folder)} lies in the folder of pad files")
    for count in range(1, len(parts) + 1):
        prefix = "/".join(parts[:count])
        key = folded(prefix)
        if key not in folders:
            find_name(found, place, parts[count - 1])
            folders[key] = prefix
        elif folders[key] != prefix:
            found.add("path.clash", place, f"the folders {shown(folders[key])} and {shown(prefix)} clash")
            return


def folded(path: str) -> str:
    """Return what a file system that ignores case and normalises names takes the path for."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
