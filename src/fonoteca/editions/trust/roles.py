"""The roles of an edition's metadata (TUF 1.0), how long each is, and where each lies below the edition's folder.

root names the keys of all; targets bind every file and name the keys of withdrawals; snapshot says which of these belong together;
timestamp says which snapshot is the newest, and is what an edition hangs on: the file that is written last.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Who signs what. The order is that of power: who has the first can replace all others."""

    ROOT = "root"
    TARGETS = "targets"
    WITHDRAWALS = "withdrawals"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


METADATA = "metadata"
TIMESTAMP = f"{METADATA}/timestamp.json"
WITHDRAWALS = "withdrawals.json"
"""The one target of the role of that name: what must not be given on any more."""

SIGNED_AT = "x-fonoteca-signed-at"
"""A field of the timestamp that TUF has not: when it was signed."""

ROOT_BYTES_MAX = 512_000
TIMESTAMP_BYTES_MAX = 16_384
SNAPSHOT_BYTES_MAX = 2_000_000
"""These three as python-tuf's client has them."""

TARGETS_BYTES_MAX = 64 * 2**20
"""About 150,000 drops: 8,000 take 3.5 MB. Other clients refuse more than 5 MB unless told otherwise (docs/decisions/tuf.md)."""

WITHDRAWALS_BYTES_MAX = 64 * 2**20
"""Of withdrawals.json: about 100,000 of them."""

ROOTS_MAX = 256
"""How many roots a mirror takes at once that it missed: one a week for five years."""


def document_path(role: Role, version: int) -> str:
    """Return where a version of a role's metadata lies; timestamp.json has no version in its name."""
    return TIMESTAMP if role is Role.TIMESTAMP else f"{METADATA}/{version}.{role}.json"


def stamped_path(path: str, sha256: str) -> str:
    """Return where a target that changes under its name lies, too, by its digest: an old edition stays whole beside a new one."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{sha256}.{name}"
