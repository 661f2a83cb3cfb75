"""An archive's settings as `fonoteca.toml` gives them, checked once and passed on as arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fonoteca.model.errors import UsageError
from fonoteca.model.rights import Policy

PIECE_BYTES_DEFAULT = 262_144
"""256 KiB, settled by measurement: see docs/decisions/piece-length.md."""

DROP_BYTES_MAX_DEFAULT = 200 * 10**9
DROP_FILES_MAX_DEFAULT = 20_000
"""libtorrent's default limits refuse torrents of 70,000 files; 20,000 load everywhere."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class EditionSettings:
    """How drops are cut and announced. trackers: announce URLs. web_seeds: BEP 19 base URLs."""

    drop_bytes_max: int = DROP_BYTES_MAX_DEFAULT
    drop_files_max: int = DROP_FILES_MAX_DEFAULT
    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where `serve` listens."""

    host: str = "127.0.0.1"
    port: int = 8420


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one archive. name: also the root name of its torrents, fixed at `init`."""

    name: str
    title: str
    piece_bytes: int = PIECE_BYTES_DEFAULT
    register: str = "sqlite"
    workers: int = 0
    rights: Policy = field(default_factory=Policy)
    editions: EditionSettings = field(default_factory=EditionSettings)
    server: ServerSettings = field(default_factory=ServerSettings)

    def __post_init__(self) -> None:
        """Check the name, which every torrent of the archive carries."""
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                self.name,
                "not a name for an archive",
                "Use lower-case letters, digits and hyphens, at most 63, as in `jazz-2026`.",
            )
