"""The folder of an upload, as a source: which files of it came whole, and what tells them from others of the same names."""

from __future__ import annotations

from pathlib import Path

from fonoteca.formats.uploads import RIGHTS_FILE, Files


def files_in(folder: Path) -> list[Path]:
    """Return the files of an upload's folder that came whole, in order of name."""
    own = (path for path in folder.iterdir() if path.is_file() and path.name != RIGHTS_FILE)
    return sorted(path for path in own if not path.name.startswith("."))


def stamps_of(folder: Path) -> Files:
    """Return the files of an upload as they are now: what is said of them is said of no others."""
    found = {path.name: path.stat() for path in files_in(folder)}
    return {name: (status.st_size, status.st_mtime_ns // 1000) for name, status in found.items()}
