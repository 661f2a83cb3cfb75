"""A command that runs beside this process whenever there is something for it to do."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

ENDING_S = 15.0
"""How long a command that is told to stop may take before it is killed. It is safe to kill; it only clears up sooner otherwise."""


FAILED_WAIT_MAX_S = 60.0
"""Between two tries of a command that fails each time."""


class Errand:
    """Runs a command, one at a time, while it is waited for and `waits` says that there is something to do.

    waits: asked at the start, after each nudge, and every `poll_s` seconds. A command that fails is tried again, less and less
    often.
    """

    def __init__(self, command: Sequence[str], waits: Callable[[], bool], poll_s: float) -> None:
        self._command, self._waits, self._poll_s = tuple(command), waits, poll_s
        self._nudged, self._ending = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="errand", daemon=True)
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the command if it runs, and wait for its end."""
        with self._lock:
            self._ending = True
            if self._child is not None and self._child.poll() is None:
                self._child.terminate()
        self._nudged.set()
        self._thread.join(ENDING_S)
        if self._thread.is_alive() and self._child is not None:
            self._child.kill()
            self._thread.join(ENDING_S)

    def nudge(self) -> None:
        """Say that there is something to do."""
        self._nudged.set()

    def _run(self) -> None:
        wait_s = self._poll_s
        while not self._ending:
            failed = self._waits() and self._once() != 0
            wait_s = min(2 * wait_s, FAILED_WAIT_MAX_S) if failed else self._poll_s
            self._nudged.wait(wait_s)
            self._nudged.clear()

    def _once(self) -> int:
        """Return the status that the command ended with."""
        with self._lock:
            if self._ending:
                return 0
            quiet = subprocess.DEVNULL  # what goes wrong is said where this process says such things
            self._child = subprocess.Popen(self._command, stdin=quiet, stdout=quiet)
        return self._child.wait()
