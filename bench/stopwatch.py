"""Time that passed, and what all benchmarks share."""

from __future__ import annotations

import time

from fonoteca.cli.output import TerminalProgress

SILENT = TerminalProgress(quiet=True)


class NotMeasurableError(Exception):
    """A benchmark cannot run here; the message says why, and what to do."""


class Stopwatch:
    """Seconds between entering and leaving its context."""

    def __init__(self) -> None:
        self._start = 0.0
        self.seconds = 0.0

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start
