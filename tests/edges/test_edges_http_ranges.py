from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.edges.http import HttpFetch, HttpLimits
from fonoteca.edges.http_ranges import TAIL_BYTES, RangedFile, open_ranged
from fonoteca.model.errors import SourceError, TrustError, UsageError

LIMITS = HttpLimits(connect_timeout_s=1, idle_timeout_s=1, fetch_timeout_s=2, attempts_max=2, retry_wait_s=0.01)


class RangeHost(BaseHTTPRequestHandler):
    """A host that serves ranges of what is in `files`, counts its bytes, and has a bad habit for some names."""

    files: dict[str, bytes]
    sent: list[int]
    version: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        content = self.files.get(name)
        if content is None:
            self.answer(404, b"", {})
            return
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not wanted or name.startswith("whole"):
            self.answer(200, content, {})
            return
        first = int(wanted[1]) if wanted[1] else max(0, len(content) - int(wanted[2]))
        last = min(len(content) - 1, int(wanted[2]) if wanted[1] else len(content) - 1)
        if name.startswith("shifted"):
            first, last = first + 1, last + 1
        total = len(content) if not name.startswith("liar") else "*"
        self.answer(206, content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{total}", "ETag": self.version})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
            self.sent.append(len(body))
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[tuple[str, type[RangeHost]]]:
    class Host(RangeHost):
        files: dict[str, bytes] = {}  # noqa: RUF012 - one for each server
        sent: list[int] = []  # noqa: RUF012
        version = '"1"'

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/base/", Host
    server.shutdown()
    server.server_close()


CONTENT = bytes(np.random.default_rng(1).integers(0, 256, 3 * TAIL_BYTES, np.uint8))


@given(st.lists(st.tuples(st.sampled_from(["set", "cur", "end"]), st.integers(-70000, 200000), st.integers(-1, 5000)), max_size=8))
def test_a_ranged_file_reads_as_a_local_one(host: tuple[str, type[RangeHost]], steps: list[tuple[str, int, int]]) -> None:
    address, server = host
    server.files["x"] = CONTENT
    with open_ranged(address, LIMITS)("x") as remote, io.BytesIO(CONTENT) as local:
        for whence, offset, size in steps:
            start = {"set": 0, "cur": local.tell(), "end": len(CONTENT)}[whence]
            local.seek(max(0, start + offset))
            remote.seek(offset, {"set": os.SEEK_SET, "cur": os.SEEK_CUR, "end": os.SEEK_END}[whence])
            assert remote.tell() == local.tell()
            assert remote.read(size) == local.read(size)


def test_a_page_of_a_large_remote_parquet_file_costs_a_page(host: tuple[str, type[RangeHost]]) -> None:
    address, server = host
    rows = pa.table({"rank": np.arange(400_000), "noise": np.random.default_rng(1).random(400_000)})
    sink = io.BytesIO()
    pq.write_table(rows, sink, row_group_size=16_384)
    server.files["t.parquet"] = sink.getvalue()
    server.sent.clear()
    with open_ranged(address, LIMITS)("t.parquet") as remote:
        found = pq.ParquetFile(remote).read_row_group(10)
    assert found.slice(0, 100).equals(rows.slice(163_840, 100))
    assert sum(server.sent) < len(sink.getvalue()) / 10


@pytest.mark.parametrize("name", ["whole", "shifted", "liar", "missing"])
def test_a_host_that_does_not_send_what_was_asked_is_refused(host: tuple[str, type[RangeHost]], name: str) -> None:
    address, server = host
    server.files.update(whole=CONTENT, shifted=CONTENT, liar=CONTENT)
    with pytest.raises(TrustError if name in ("shifted", "liar") else SourceError):
        open_ranged(address, LIMITS)(name)


def test_a_file_that_is_replaced_under_way_is_noticed(host: tuple[str, type[RangeHost]]) -> None:
    address, server = host
    server.files["x"] = CONTENT
    with RangedFile(HttpFetch(address, LIMITS), "x") as remote:
        assert remote.read(10) == CONTENT[:10]
        server.version = '"2"'
        with pytest.raises(SourceError, match="changed"):
            remote.read(10)


def test_a_folder_is_read_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(CONTENT)
    with open_ranged(str(tmp_path))("x") as stream:
        stream.seek(-5, os.SEEK_END)
        assert stream.read() == CONTENT[-5:]
    with pytest.raises(SourceError):
        open_ranged(str(tmp_path))("missing")
    with pytest.raises(UsageError):
        open_ranged("gopher://x/")
