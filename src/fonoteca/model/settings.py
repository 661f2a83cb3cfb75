"""An archive's settings as `fonoteca.toml` gives them, checked once and passed on as arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fonoteca.model.errors import UsageError
from fonoteca.model.hashes import BLOCK_BYTES
from fonoteca.model.rights import Policy

PIECE_BYTES_DEFAULT = 262_144
"""256 KiB, settled by measurement: see docs/decisions/piece-length.md."""

DROP_BYTES_MAX_DEFAULT = 200 * 10**9
DROP_FILES_MAX_DEFAULT = 20_000
"""libtorrent's default limits refuse torrents of 70,000 files; 20,000 load everywhere."""

TITLE_CHARS_MAX = 500
"""What an edition says of its archive is a short line."""

_NAME = re.compile(r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\Z)[a-z0-9][a-z0-9-]{0,62}")
"""None that is a device on Windows, where a folder could not have it."""


def _check_range(setting: str, value: int, least: int, most: int | None = None) -> None:
    """Raise UsageError unless a number is in its range, both ends included."""
    if value < least or (most is not None and value > most):
        expected = f"{least} or more" if most is None else f"{least} to {most}"
        raise UsageError(f"{setting} {value}", f"expected {expected}", "Correct it in fonoteca.toml.")


@dataclass(frozen=True, slots=True)
class EditionSettings:
    """How drops are cut and announced. trackers: announce URLs. web_seeds: BEP 19 base URLs."""

    drop_bytes_max: int = DROP_BYTES_MAX_DEFAULT
    drop_files_max: int = DROP_FILES_MAX_DEFAULT
    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that a drop can hold something."""
        _check_range("drop_bytes_max", self.drop_bytes_max, 1)
        _check_range("drop_files_max", self.drop_files_max, 1)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where `serve` listens."""

    host: str = "127.0.0.1"
    port: int = 8420

    def __post_init__(self) -> None:
        """Check the port; 0 takes a free one."""
        _check_range("port", self.port, 0, 65535)


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
        """Check the name and title, which the archive's torrents and editions carry, and the piece length."""
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                self.name,
                "not a name for an archive",
                "Use lower-case letters, digits and hyphens, at most 63, as in `jazz-2026`.",
            )
        if not 0 < len(self.title) <= TITLE_CHARS_MAX or not self.title.isprintable():
            raise UsageError(
                repr(self.title), "not a title for an archive", f"Use one line of at most {TITLE_CHARS_MAX} characters."
            )
        if self.piece_bytes < BLOCK_BYTES or self.piece_bytes & (self.piece_bytes - 1):
            remedy = f"Use a power of two from {BLOCK_BYTES} up; {PIECE_BYTES_DEFAULT} is a good one."
            raise UsageError(f"piece_bytes {self.piece_bytes}", "not a piece length", remedy)
        _check_range("workers", self.workers, 0)
