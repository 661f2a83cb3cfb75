"""What worker processes run. Each builds its own edges from the settings that it is given, where it runs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fonoteca.model.corridor import Damage, MemberFile
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ObjectId
from fonoteca.store import Store
from fonoteca.wiring import Archive, load_settings


def audit_object(archive: Path, item: tuple[ObjectId, dict[str, FileHashes]]) -> tuple[list[Damage], dict[str, int]]:
    """Return an object's damaged files, and the length of every file that was read.

    item: the object, and what the register knows of its files.
    """
    object_id, known = item
    damages = list(_store(archive).audit(object_id, known))
    return damages, {path: hashes.file_bytes for path, hashes in known.items()}


def check_member(archive: Path, item: tuple[ObjectId, MemberFile]) -> Damage | None:
    """Return what is wrong with one file, None when it is sound."""
    return _store(archive).check_member(*item)


@lru_cache(maxsize=4)
def _store(archive: Path) -> Store:
    """Return the store of the archive in a folder, the same one for each item of a run."""
    return Archive(archive, load_settings(archive)).store
