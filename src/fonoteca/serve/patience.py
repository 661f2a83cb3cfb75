"""HTTP/1.1 with patience that ends: uvicorn waits for ever for a request whose head or body comes a byte at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 20.0
"""How long a whole request may take to come: heads, and forms of some kB. Answers take as long as their listeners play."""

BYTES_PER_S_MIN = 32_768
"""What comes faster than this may take longer: the files of an upload."""

_COMING = (h11.IDLE, h11.SEND_BODY)


class PatientProtocol(H11Protocol):
    """uvicorn's protocol, which closes connections whose request does not come whole in REQUEST_S."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._late: asyncio.TimerHandle | None = None
        self._since, self._came_bytes = 0.0, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._await_request()

    def data_received(self, received: bytes) -> None:
        """Take what comes, and end the wait once the request is whole."""
        self._came_bytes += len(received)
        super().data_received(received)
        if self.conn.their_state in _COMING:
            self._await_request()
        else:
            self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._forget()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        if self._late is None:
            self._since, self._came_bytes = self.loop.time(), 0
            self._late = self.loop.call_later(REQUEST_S, self._leave)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _leave(self) -> None:
        """Close the connection, unless so much came that it may go on for a while."""
        spare_s = self._since + REQUEST_S + self._came_bytes / BYTES_PER_S_MIN - self.loop.time()
        if spare_s > 0:
            self._late = self.loop.call_later(spare_s, self._leave)
            return
        self._late = None
        self.transport.abort()
