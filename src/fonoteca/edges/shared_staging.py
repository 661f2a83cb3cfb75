"""Staging that many machines write in, each with tries of work that another may have begun or still be at."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fonoteca.edges.disk_staging import DiskStaging


class SharedStaging(DiskStaging):
    """`DiskStaging` whose files appear under their names when they are whole and flushed, in place of what another try left.

    A worker that was given up for dead may write on for a while: it has a file of its own, and never tears the one in use.
    What it leaves goes with the staging folder. Here everything is flushed where it is written: what one machine has in its
    memory, another cannot flush.
    """

    @contextmanager
    def writer(self, path: Path) -> Iterator[BinaryIO]:
        """Open a new file below a staging folder for writing; at `path` when the context ends well, gone when it does not."""
        aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with super().writer(aside) as target:
            yield target
        self.move(aside, path)
