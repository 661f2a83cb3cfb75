"""What the operator tells a running service, by signals: SIGTERM and SIGINT to stop, SIGHUP to read its settings anew."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from fonoteca.model.service import Order

_STOPPING = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Signals as `fonoteca.ports.Orders`, while the context lasts. Only for a program's main thread."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._stop = False
        self._reload = False
        self._interruptible = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Listen."""
        for number in (*_STOPPING, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave signals to whoever had them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, timeout_s: float) -> Order:
        """Return what was told, at once if it was before, and `GO_ON` when nothing was for so long."""
        self._told.wait(timeout_s)
        self._told.clear()
        if self._stop:
            return Order.STOP
        told, self._reload = self._reload, False
        return Order.RELOAD if told else Order.GO_ON

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let an order to stop end what is done in the context, as Ctrl-C does: by KeyboardInterrupt, also for one before it."""
        self._interruptible = True
        try:
            if self._stop:
                raise KeyboardInterrupt
            yield
        finally:
            self._interruptible = False

    def _hear(self, number: int, _: FrameType | None) -> None:
        self._stop = self._stop or number in _STOPPING
        self._reload = self._reload or number == signal.SIGHUP
        self._told.set()
        if number in _STOPPING and self._interruptible:
            self._interruptible = False  # once: what is done on the way out is not to be interrupted in turn
            raise KeyboardInterrupt
