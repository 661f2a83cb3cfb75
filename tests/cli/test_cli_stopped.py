"""A server that is told to stop ends what it has begun, begins nothing more, and exits with 0."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from fonoteca.model.settings import OaiSettings, Settings
from fonoteca.wiring import create_archive

COMMAND = [sys.executable, "-m", "fonoteca"]
FORM = b"verb=Identify"


def test_serve_ends_what_it_has_begun_and_refuses_more(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    create_archive(archive, Settings("stopped", "stopped", oai=OaiSettings("archive.example", "a@b.example")))
    words = ["serve", "--port", "0", "--archive", str(archive), "--json"]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            while lines[-1] not in ("}\n", ""):
                lines.append(process.stdout.readline())
            place = urlsplit(json.loads("".join(lines))["url"])
            address = (place.hostname, place.port)
            with socket.create_connection(address, timeout=60) as line:
                form = "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue"
                head = f"POST /oai HTTP/1.1\r\nHost: archive.example\r\n{form}\r\nContent-Length: {len(FORM)}\r\n\r\n"
                line.sendall(head.encode())
                assert line.recv(100).startswith(b"HTTP/1.1 100"), "the request is under way"
                line.sendall(FORM[:4])
                process.send_signal(signal.SIGTERM)
                assert _refused(address), "no new ones"
                line.sendall(FORM[4:])
                answer = b"".join(iter(lambda: line.recv(65536), b""))
            assert b"<repositoryName>stopped</repositoryName>" in answer
            assert process.wait(timeout=60) == 0
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def _refused(address: tuple[str | None, int | None]) -> bool:
    """Return whether connections are refused within a while."""
    for _ in range(200):
        try:
            socket.create_connection(address, timeout=5).close()
        except OSError:
            return True
        time.sleep(0.05)
    return False
