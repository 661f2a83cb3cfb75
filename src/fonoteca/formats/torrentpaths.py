"""Which paths every client keeps as they are, and that no two of them become one.

libtorrent turns newlines into `_`, drops direction marks and backslashes and renames case clashes; Windows and macOS
rewrite more. A payload whose names change is another payload, so such names are refused (DESIGN idea 4).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from fonoteca.model.errors import TrustError

COMPONENT_BYTES_MAX = 255
"""NAME_MAX of every file system met so far."""

PATH_PARTS_MAX = 20
"""Folders in folders; paths below a storage root have eight."""

PAD_FOLDER = ".pad"
"""BEP 47 suggests it for pad files, so payload may not lie in it."""

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,98}[A-Za-z0-9_-]")
"""Names that need no closer look, apart from Windows' devices."""

_REWRITTEN = re.compile(r'[/\\<>:"|?*\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]')
"""Separators, what Windows forbids, and marks of writing direction."""

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that are devices on Windows, with any extension."""


def name_fault(name: str) -> str:
    """Return why clients would not keep this file or folder name, or "" when all do."""
    if _PLAIN.fullmatch(name):
        return "is a device on Windows" if _DEVICE.fullmatch(name) else ""
    if name in ("", ".", ".."):
        return "is empty or leads out of its folder"
    if _REWRITTEN.search(name) or any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
        return "has characters that clients rewrite"
    if name[-1] in " .":
        return "ends with a space or a full stop, which Windows drops"
    if len(name.encode()) > COMPONENT_BYTES_MAX:
        return f"is longer than {COMPONENT_BYTES_MAX} bytes"
    return "is a device on Windows" if _DEVICE.fullmatch(name) else ""


def check_name(subject: str, name: str) -> None:
    """Raise TrustError when clients would not keep this name. subject: what the message is about."""
    fault = name_fault(name)
    if fault:
        raise TrustError(subject, f"the name {name!r} {fault}")


def check_paths(subject: str, paths: Iterable[str]) -> None:
    """Raise TrustError when a path escapes, is rewritten by clients, or clashes with another one.

    paths: `/`-separated, relative. Two paths clash when they are equal after case folding and normalisation (NFC), or
    when one is a folder of the other; a folder must be spelled the same everywhere.
    Cost: O(bytes), each folder looked at once.
    """
    folders: dict[str, str] = {}
    files: dict[str, str] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if folder and folders.get(folded(folder)) != folder:
            _enter_folder(subject, folder, folders)
        elif path.startswith("/"):
            raise TrustError(subject, f"the path {path!r} is absolute")
        check_name(subject, name)
        key = folded(path)
        if key in files:
            raise TrustError(subject, f"the paths {files[key]!r} and {path!r} clash")
        files[key] = path
    for key in sorted(folders.keys() & files.keys()):
        raise TrustError(subject, f"{files[key]!r} is a file and a folder")


def _enter_folder(subject: str, folder: str, folders: dict[str, str]) -> None:
    """Check every part of a folder's path, and that each is spelled as before. folders: folded to as spelled."""
    parts = folder.split("/")
    if len(parts) >= PATH_PARTS_MAX:
        raise TrustError(subject, f"the path {folder!r} has more than {PATH_PARTS_MAX} parts")
    if parts[0].casefold() == PAD_FOLDER:
        raise TrustError(subject, f"the path {folder!r} lies in the folder of pad files")
    for count in range(1, len(parts) + 1):
        check_name(subject, parts[count - 1])
        prefix = "/".join(parts[:count])
        other = folders.setdefault(folded(prefix), prefix)
        if other != prefix:
            raise TrustError(subject, f"the folders {other!r} and {prefix!r} clash")


def folded(path: str) -> str:
    """Return what a file system that ignores case and normalises names takes the path for."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
