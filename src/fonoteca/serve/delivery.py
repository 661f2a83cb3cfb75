"""Sending a blob: whole or in part, under conditions, and only if it still has the length it was recorded with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol
from urllib.parse import quote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fonoteca.model.errors import FixityError
from fonoteca.serve.ranges import Portion, Validators, choose_portion

CHUNK_BYTES = 1 << 17
"""128 KiB: a thread hop a chunk costs little beside it, and two of them for each of hundreds of listeners are not much."""

_DAMAGED = "Its copy here is damaged. It will be healed from a mirror by `fonoteca repair`."


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
    except BaseException:
        source.close()
        raise
    if request.method == "HEAD":
        source.close()
        return Response(status_code=portion.status, headers=headers)
    return StreamingResponse(_chunks(source, parcel.key, portion), portion.status, headers)


async def _chunks(source: BinaryIO, key: str, portion: Portion) -> AsyncIterator[bytes]:
    """Yield the portion; a blob that ends early breaks the connection, so that no client takes a part for the whole."""
    left = portion.length
    with closing(source):
        while left:
            chunk = await run_sync(source.read, min(left, CHUNK_BYTES))
            if not chunk:
                raise FixityError(key, f"ended {left} bytes early while it was sent", _DAMAGED)
            left -= len(chunk)
            yield chunk


def disposition(file_name: str, *, attached: bool) -> str:
    """Return a Content-Disposition (RFC 6266), with the name in ASCII for old clients and whole for others."""
    kind = "attachment" if attached else "inline"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%;/' else "_" for c in file_name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
