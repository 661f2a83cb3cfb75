"""How an archive stands, as far as others than its rooms know it: the disk it lies on, and the edition that is out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Space:
    """The disk that the store lies on."""

    free_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class EditionSeen:
    """The edition that is out. good_until: None where nothing is signed. root_sha256: of the newest root, "" without one."""

    number: int
    published_at: datetime
    good_until: datetime | None
    drop_count: int
    root_version: int
    root_sha256: str
