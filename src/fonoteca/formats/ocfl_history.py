"""What each version of an object changed, as its inventory tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fonoteca.formats.ocfl import Inventory
from fonoteca.model.ids import LogicalPath, Sha256


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A version against the one before it, by logical paths in order.

    changed: the same path with other content. content_count: files in the version's own folder; all its other files are
    content of earlier versions, which is not stored again.
    """

    version: int
    created_at: datetime
    message: str
    added: tuple[LogicalPath, ...]
    changed: tuple[LogicalPath, ...]
    removed: tuple[LogicalPath, ...]
    kept: tuple[LogicalPath, ...]
    content_count: int


def history(inventory: Inventory) -> list[VersionChange]:
    """Return what each version changed, from v1 on. Cost: O(files of all states)."""
    changes = []
    before: Mapping[LogicalPath, Sha256] = {}
    for number, version in enumerate(inventory.versions, 1):
        now = version.state
        both = sorted(now.keys() & before.keys())
        changes.append(
            VersionChange(
                version=number,
                created_at=version.created_at,
                message=version.message,
                added=tuple(sorted(now.keys() - before.keys())),
                changed=tuple(path for path in both if now[path] != before[path]),
                removed=tuple(sorted(before.keys() - now.keys())),
                kept=tuple(path for path in both if now[path] == before[path]),
                content_count=len(inventory.of_version(number)),
            )
        )
        before = now
    return changes
