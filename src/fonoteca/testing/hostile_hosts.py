"""A web seed (BEP 19) that serves a folder by ranges, and the ways in which one may lie."""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

DRIP_S = 0.05


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up: they have every reason to."""


class Host(BaseHTTPRequestHandler):
    """Answers one request. habit: how it lies. contents: by path below the root. asked: paths and ranges that were asked for."""

    protocol_version = "HTTP/1.1"
    habit: Callable[[Host, bytes, int, int], None]
    contents: Mapping[str, bytes]
    asked: list[tuple[str, str]]
    elsewhere: str

    def do_GET(self) -> None:
        """Answer as the habit has it; what is not there is 404."""
        path = unquote(self.path).split("?")[0].lstrip("/")
        ranged = self.headers.get("Range", "")
        self.asked.append((path, ranged))
        content = self.contents.get(path)
        if content is None:
            self.answer(404, b"")
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", ranged)
        first, last = (int(wanted[1]), min(int(wanted[2]), len(content) - 1)) if wanted else (0, len(content) - 1)
        try:
            type(self).habit(self, content, first, last)
        except OSError:
            self.close_connection = True

    def answer(self, status: int, body: bytes, **headers: object) -> None:
        """Send an answer. headers: `Content_Length` may say something else than the truth."""
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def part(content: bytes, first: int, last: int) -> dict[str, object]:
    """Return the header that names a part."""
    return {"Content_Range": f"bytes {first}-{last}/{len(content)}"}


def honest(host: Host, content: bytes, first: int, last: int) -> None:
    """Send the part that was asked for."""
    host.answer(206, content[first : last + 1], **part(content, first, last))


def everything(host: Host, content: bytes, first: int, last: int) -> None:
    """Send the whole file with 200, whatever was asked for."""
    host.answer(200, content)


def page(host: Host, content: bytes, first: int, last: int) -> None:
    """Send a page with 200, as captive portals do."""
    host.answer(200, b"<html>Please log in</html>", Content_Type="text/html")


def page_as_part(host: Host, content: bytes, first: int, last: int) -> None:
    """Send a page as long as the part."""
    host.answer(206, b"<html>".ljust(last - first + 1), **part(content, first, last))


def page_for_all(host: Host, content: bytes, first: int, last: int) -> None:
    """Send a page as long as the whole file, with 200."""
    host.answer(200, b"<html>".ljust(len(content)))


def other_bytes(host: Host, content: bytes, first: int, last: int) -> None:
    """Send other bytes as the part."""
    host.answer(206, bytes(octet ^ 1 for octet in content[first : last + 1]), **part(content, first, last))


def other_part(host: Host, content: bytes, first: int, last: int) -> None:
    """Send another part, and say so."""
    first, last = (first + 1, last) if last == len(content) - 1 else (first + 1, last + 1)
    host.answer(206, content[first : last + 1], **part(content, first, last))


def other_part_unsaid(host: Host, content: bytes, first: int, last: int) -> None:
    """Send the file's beginning as if it were the part."""
    host.answer(206, content[: last - first + 1], **part(content, first, last))


def part_without_place(host: Host, content: bytes, first: int, last: int) -> None:
    """Send a part, and do not say which."""
    host.answer(206, content[first : last + 1])


def short(host: Host, content: bytes, first: int, last: int) -> None:
    """Send half of what is said to come, and hang up."""
    body = content[first : last + 1]
    host.answer(206, body[: len(body) // 2], Content_Length=len(body), **part(content, first, last))
    host.close_connection = True


def long(host: Host, content: bytes, first: int, last: int) -> None:
    """Send more than the part, without end."""
    host.answer(206, b"", Content_Length=2**40, **part(content, first, last))
    while True:
        host.wfile.write(bytes(65536))


def endless_chunks(host: Host, content: bytes, first: int, last: int) -> None:
    """Send chunks without end."""
    host.answer(206, b"", Content_Length=None, Transfer_Encoding="chunked", **part(content, first, last))
    while True:
        host.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")


def endless_head(host: Host, content: bytes, first: int, last: int) -> None:
    """Send headers without end."""
    host.send_response(206)
    host.flush_headers()
    while True:
        host.wfile.write(b"X-More: " + b"x" * 65536 + b"\r\n")


def zipped(host: Host, content: bytes, first: int, last: int) -> None:
    """Send a bomb: a little that unpacks to much."""
    bomb = gzip.compress(bytes(20_000_000))
    host.answer(206, bomb, Content_Encoding="gzip", **part(content, first, last))


def drip(host: Host, content: bytes, first: int, last: int) -> None:
    """Send a byte now and then."""
    host.answer(206, b"", Content_Length=last - first + 1, **part(content, first, last))
    for octet in content[first : last + 1]:
        host.wfile.write(bytes([octet]))
        time.sleep(DRIP_S)


def silence(host: Host, content: bytes, first: int, last: int) -> None:
    """Take the request and say nothing."""
    time.sleep(20)


def busy(host: Host, content: bytes, first: int, last: int) -> None:
    """Say that it is busy, always."""
    host.answer(503, b"")


def to_file(host: Host, content: bytes, first: int, last: int) -> None:
    """Redirect to a file of the client's own disk."""
    host.answer(302, b"", Location="file:///etc/passwd")


def to_itself(host: Host, content: bytes, first: int, last: int) -> None:
    """Redirect in a circle."""
    host.answer(302, b"", Location=host.path)


def to_elsewhere(host: Host, content: bytes, first: int, last: int) -> None:
    """Redirect to another host, which is honest."""
    host.answer(302, b"", Location=host.elsewhere + host.path)


def nonsense(host: Host, content: bytes, first: int, last: int) -> None:
    """Answer in no protocol."""
    host.wfile.write(bytes(range(256)) * 100)
    host.close_connection = True


def only_below(prefix: str, lie: Callable[[Host, bytes, int, int], None]) -> Callable[[Host, bytes, int, int], None]:
    """Return a habit that lies of paths with this prefix, and of no others."""

    def habit(host: Host, content: bytes, first: int, last: int) -> None:
        ranged = honest if "Range" in host.headers else everything
        (lie if host.path.startswith(prefix) else ranged)(host, content, first, last)

    return habit


LIES: tuple[Callable[[Host, bytes, int, int], None], ...] = (
    *(everything, page, page_as_part, page_for_all, other_bytes, other_part, other_part_unsaid, part_without_place, short, long),
    *(endless_chunks, endless_head, zipped, drip, silence, busy, to_file, to_itself, to_elsewhere, nonsense),
)


@contextmanager
def hosting(
    contents: Mapping[str, bytes], habit: Callable[[Host, bytes, int, int], None] = honest, elsewhere: str = ""
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Serve contents until the context ends. Gives: the address, without a slash at its end, and what is asked for."""
    asked: list[tuple[str, str]] = []
    facts = {"habit": staticmethod(habit), "contents": contents, "asked": asked, "elsewhere": elsewhere}
    server = _Server(("127.0.0.1", 0), type("OneHost", (Host,), facts))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
