"""Files that the kernel sends by itself: ASGI's zero copy send for uvicorn, which does not have it.

The bytes of a file then pass through no buffer of ours: a third of the processor time of a chunk at a time, and no memory.
The extension: https://asgi.readthedocs.io/en/latest/extensions.html#zero-copy-send. h11 counts what is sent beside it, and
asyncio's `sendfile` waits for slow clients without a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO, cast

import h11
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

BROUGHT_BYTES = 1 << 20
"""Read by a thread at once, into memory of its own for that long."""

ZERO_COPY = "http.response.zerocopysend"
"""The name of the extension, and the type of its message: file, offset, count, more_body."""


class ZeroCopy:
    """The outermost ASGI application: it offers zero copy send where uvicorn's own `send` is beneath it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the extension where it can be."""
        cycle = getattr(send, "__self__", None)
        if scope["type"] == "http" and isinstance(cycle, RequestResponseCycle):
            scope.setdefault("extensions", {})[ZERO_COPY] = {}
            send = _sending(cycle)
        await self._app(scope, receive, send)


class _Counted:
    """Bytes that are sent beside h11, which asks for their number alone."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count


def _sending(cycle: RequestResponseCycle) -> Callable[[Message], Awaitable[None]]:
    """Return uvicorn's `send` of a request, and zero copy send beside it."""

    async def send(message: Message) -> None:
        if message["type"] == ZERO_COPY:
            await _send_file(cycle, message)
        else:
            await cycle.send(cast(Any, message))

    return send


def is_file(source: BinaryIO) -> bool:
    """Whether a stream is a file that the kernel can send."""
    try:
        source.fileno()
    except OSError:
        return False
    return True


def written_at(source: BinaryIO) -> int:
    """Return when an open file was last written to, in nanoseconds since 1970."""
    return os.fstat(source.fileno()).st_mtime_ns


async def bring_in(source: BinaryIO, offset: int, count: int) -> None:
    """Return when a part of a file is in memory, so that sending it holds up nobody else. Asks a thread only where it is not.

    A disk is read on behind what is asked for, so that the last byte of BROUGHT_BYTES is there when all of them are.
    """
    for first in range(offset, offset + count, BROUGHT_BYTES):
        some = min(BROUGHT_BYTES, offset + count - first)
        try:
            os.preadv(source.fileno(), [bytearray(1)], first + some - 1, os.RWF_NOWAIT)
        except OSError:  # EAGAIN: it has to be read; or a file system that cannot say so
            await run_sync(os.pread, source.fileno(), some, first)


async def _send_file(cycle: RequestResponseCycle, message: Message) -> None:
    """Send a part of a file. Raises: ConnectionError when the client is gone, EOFError for a file that ends too early."""
    count = message["count"]
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        raise ConnectionResetError("the client is gone")
    cycle.conn.send_with_data_passthrough(h11.Data(data=cast(bytes, _Counted(count))))
    try:
        sent = await asyncio.get_running_loop().sendfile(cycle.transport, message["file"], message["offset"], count, fallback=False)
    except (ConnectionError, RuntimeError):  # asyncio has RuntimeError for a transport that closes
        cycle.transport.abort()
        await asyncio.sleep(0)  # so that uvicorn hears of it before the answer ends
        raise ConnectionResetError("the client is gone") from None
    if sent != count:
        raise EOFError(f"{count - sent} bytes of the file are missing")
    if not message.get("more_body", False):
        await cycle.send({"type": "http.response.body", "body": b"", "more_body": False})
