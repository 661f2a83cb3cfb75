"""Files taken out of an archive, kept in the staging folder as long as a candidate may still be read."""

from __future__ import annotations

import itertools
import os
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fonoteca.model.errors import SourceError
from fonoteca.model.ids import LogicalPath
from fonoteca.ports import Staging
from fonoteca.sources.roles import Role
from fonoteca.sources.steady import Stamp

COPY_BYTES = 1 << 20
_numbers = itertools.count(1)


class Readable(Protocol):
    """Anything with bytes to read."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""
        ...


class Spool:
    """A staging folder of its own, discarded when nothing refers to it any more: neither its maker nor an open candidate."""

    def __init__(self, staging: Staging, name: str) -> None:
        self._staging = staging
        self._numbers = itertools.count(1)
        # Two readings of one source in one process must not share a folder, nor the second be swept away by the first.
        self.folder = staging.folder(f"source-{name}-{os.getpid()}-{next(_numbers)}")
        weakref.finalize(self, staging.discard, self.folder)

    def put(self, source: Readable, name: str, bytes_max: int) -> Path:
        """Return the path of a new file with all bytes of a stream. name: lends its extension.

        Raises: SourceError when there are more than bytes_max.
        """
        extension = os.path.splitext(name)[1].lower()
        plain = extension.isascii() and extension[1:].isalnum() and len(extension) <= 8
        path = self.folder / f"{next(self._numbers):06d}{extension if plain else ''}"
        given_bytes = 0
        with self._staging.writer(path) as target:
            while chunk := source.read(COPY_BYTES):
                given_bytes += len(chunk)
                if given_bytes > bytes_max:
                    raise SourceError(
                        name, f"more than {bytes_max} bytes", "No music file is that long; look at where it came from"
                    )
                target.write(chunk)
        return path


@dataclass(frozen=True, slots=True)
class SpooledFile:
    """A file in a spool. spool: held so that the file lives as long as this."""

    spool: Spool
    logical_path: LogicalPath
    path: Path
    role: Role
    stamp: Stamp
