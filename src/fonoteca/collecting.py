"""Python's search for cycles of dead objects, put off while many objects are made that live."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_seldom(objects_between: int) -> Iterator[None]:
    """Search for cycles after so many new objects, and not after hundreds; and as before afterwards."""
    before = gc.get_threshold()
    gc.set_threshold(objects_between, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
