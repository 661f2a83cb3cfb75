"""Sending a blob: whole or in part, under conditions, and only if it still has the length it was recorded with."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import BinaryIO, Protocol
from urllib.parse import quote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from fonoteca.model.errors import FixityError
from fonoteca.serve.ranges import Portion, Validators, choose_portion
from fonoteca.serve.zero_copy import ZERO_COPY, bring_in, is_file, written_at

CHUNK_BYTES = 1 << 17
"""128 KiB: a thread hop a chunk costs little beside it, and two of them for each of hundreds of listeners are not much."""

ZERO_COPY_BYTES = 1 << 20
"""Sent at once by the kernel: so much is brought in from the disk by a thread first, where it is not in memory."""

ZERO_COPY_MOST_BYTES, FAST_S = 8 << 20, 0.25
"""To a client that takes a part faster than so long, twice as much is sent at once: each part costs as much as 200 kB of it."""

FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""For what strangers made: even a file that a browser takes for a page can run and load nothing."""

BINARY = "application/octet-stream"
_HELD_TYPE = re.compile(r"audio/[a-z0-9.+-]{1,60}|image/(?:png|jpeg|webp|gif)")

_DAMAGED = "Its copy here is damaged. It will be healed from a mirror by `fonoteca repair`."


def sent_type(media_type: str) -> str:
    """Return the type that a held file is sent as. On a mirror another archive's metadata names it, and it may say `text/html`."""
    return media_type if _HELD_TYPE.fullmatch(media_type) else BINARY


class Opens(Protocol):
    """What opens blobs to be read: `fonoteca.ports.Blobs`, or anything that makes bytes up."""

    def open(self, key: str) -> BinaryIO:
        """Return a blob as a seekable stream, to be closed by the caller."""
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """A blob to send. tag: a name of exactly these bytes, such as their sha256. file_name: for the person who saves it.

    cache: the Cache-Control to send.
    """

    key: str
    tag: str
    file_bytes: int
    modified_at: datetime | None
    media_type: str
    file_name: str
    cache: str = "no-cache"


def deliver(request: Request, blobs: Opens, parcel: Parcel) -> Response:
    """Return the answer to a GET or HEAD for a blob.

    Raises: StoreError when it cannot be read, FixityError when it has another length than recorded; nothing was sent then.
    """
    validators = Validators(f'"{parcel.tag}"', parcel.modified_at, parcel.file_bytes)
    portion = choose_portion(request.headers, validators)
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": parcel.cache,
        **validators.headers(),
        **portion.headers(parcel.file_bytes),
    }
    if portion.status not in (200, 206):
        return Response(status_code=portion.status, headers=headers)
    headers["Content-Type"] = parcel.media_type
    headers["Content-Disposition"] = disposition(parcel.file_name, attached="download" in request.query_params)
    source = blobs.open(parcel.key)
    try:
        found_bytes = source.seek(0, 2)
        if found_bytes != parcel.file_bytes:
            raise FixityError(parcel.key, f"expected {parcel.file_bytes} bytes, found {found_bytes}", _DAMAGED)
        source.seek(portion.start)
        if request.method != "HEAD" and is_file(source) and ZERO_COPY in request.scope.get("extensions", {}):
            return SentByKernel(source, parcel.key, portion, headers)
        # The first part is read before anything is sent, so that damage in it has its status.
        first = source.read(min(portion.length, CHUNK_BYTES)) if request.method != "HEAD" else b""
    except BaseException:
        source.close()
        raise
    if request.method == "HEAD":
        source.close()
        return Response(status_code=portion.status, headers=headers)
    return Closing(_chunks(source, parcel.key, portion, first), source.close, portion.status, headers)


async def _chunks(source: BinaryIO, key: str, portion: Portion, chunk: bytes) -> AsyncIterator[bytes]:
    """Yield the portion from its first chunk, which was read before.

    A blob that ends early, or proves damaged, breaks the connection, so that no client takes a part for the whole.
    """
    left = portion.length
    while left:
        if not chunk:
            raise FixityError(key, f"ended {left} bytes early while it was sent", _DAMAGED)
        left -= len(chunk)
        yield chunk
        chunk = await run_sync(source.read, min(left, CHUNK_BYTES)) if left else b""


class SentByKernel(Response):
    """A part of a file, which the kernel sends by itself.

    One that ends early, or that somebody wrote to since it was opened, breaks the connection: what is asked for anew is proved.
    """

    def __init__(self, source: BinaryIO, key: str, portion: Portion, headers: Mapping[str, str]) -> None:
        super().__init__(None, portion.status, headers)
        self._source, self._key, self._portion = source, key, portion
        self._written = written_at(source)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. A client that leaves ends it."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            at, end, most = self._portion.start, self._portion.start + self._portion.length, ZERO_COPY_BYTES
            while at < end:
                count = min(end - at, most)
                began_s = perf_counter()
                await bring_in(self._source, at, count)
                if written_at(self._source) != self._written:
                    raise FixityError(self._key, "somebody wrote to it while it was sent", "Ask again.")
                part = {"type": ZERO_COPY, "file": self._source, "offset": at, "count": count, "more_body": True}
                await send(part)
                at += count
                most = min(2 * most, ZERO_COPY_MOST_BYTES) if perf_counter() - began_s < FAST_S else ZERO_COPY_BYTES
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ConnectionError:
            return
        except EOFError as error:
            raise FixityError(self._key, f"ended early while it was sent: {error}", _DAMAGED) from None
        finally:
            self._source.close()


class Closing(StreamingResponse):
    """An answer that says when it has ended, however it ended: also when it never began."""

    def __init__(self, parts: AsyncIterator[bytes], ended: Callable[[], None], status: int, headers: Mapping[str, str]) -> None:
        super().__init__(parts, status, headers)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


def disposition(file_name: str, *, attached: bool) -> str:
    """Return a Content-Disposition (RFC 6266), with the name in ASCII for old clients and whole for others."""
    kind = "attachment" if attached else "inline"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%;/' else "_" for c in file_name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
