"""Python's search for cycles of dead objects, put off while an edition is cut."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS_BETWEEN = 100_000
"""Python searches after 700 new objects. A drop is half a million that live until it is written and have no cycles, so nothing is
found: 30 % of the time to cut an edition, no more memory without (bench/editions.py)."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Search for cycles a hundred times less often, and as before afterwards."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
