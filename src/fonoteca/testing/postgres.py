"""A real PostgreSQL for tests, trials and benchmarks: a cluster of its own, on loopback, gone when the context ends."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fonoteca.model.errors import StoreError

USER = "fonoteca"
PASSWORD = "loopback-only"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 600
"""A server that has much to write stops slowly."""

SQL_TIMEOUT_S = 3600
_PORT_TRIES = 5
"""Another program may take a free port between our look and PostgreSQL's."""

_DEBIAN_PLACE = "usr/lib/postgresql"
_SYSTEM_USER = "postgres"
_LOCALE_FREE: Mapping[str, str] = {"LC_ALL": "C.UTF-8", "LANGUAGE": ""}

QUICK: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "deadlock_timeout": "100ms",
    "max_connections": "40",
}
"""For tests that crash no machine: nothing waits for the disk, nothing runs beside them, deadlocks are seen soon."""

DURABLE: Mapping[str, str] = {"fsync": "on", "max_connections": "40"}
"""As in service: what is committed is on disk."""


def postgres_programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs. Raises: StoreError when there is none."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = Path("/", _DEBIAN_PLACE).glob("*/bin/initdb")
    newest = max(found, key=lambda path: [int(part) for part in path.parts[-3].split(".") if part.isdecimal()], default=None)
    if newest is None:
        raise StoreError("PostgreSQL", "its programs were not found", "Install Debian's package `postgresql`.")
    return newest.parent


@dataclass
class Cluster:
    """A PostgreSQL that was set up. folder: its files. options: server settings. It runs between `start` and `stop` or `kill`."""

    folder: Path
    options: Mapping[str, str]
    log: IO[bytes] = field(repr=False)
    port: int = 0
    _server: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, database: str = USER, *, user: str = USER, password: str = PASSWORD) -> str:
        """Return a database's address, as `register` in fonoteca.toml has it."""
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process id of the postmaster, which runs."""
        assert self._server is not None, "the cluster does not run"
        return self._server.pid

    def start(self) -> None:
        """Let the server run, on the port that it had or a free one. Raises: StoreError when it does not answer in time."""
        assert self._server is None, "the cluster runs already"
        tries = 1 if self.port else _PORT_TRIES
        for attempt in range(1, tries + 1):
            port = self.port or _free_port()
            self._server = self._started(port)
            if self._answers(port):
                self.port = port
                return
            self.kill()
            if attempt == tries:
                self.log.seek(0)
                said = self.log.read()[-2000:].decode("utf-8", "replace")
                raise StoreError(f"PostgreSQL on port {port}", f"did not start: {said}")

    def stop(self, *, at_once: bool = False) -> None:
        """End the server in order, clients or no clients. Nothing to do when it does not run. at_once: without a checkpoint."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self._server.wait(STOP_TIMEOUT_S)
            self._server = None

    def kill(self) -> None:
        """End the postmaster as a power cut would, and wait until its children have noticed."""
        if self._server is not None:
            children = _children(self._server.pid)
            self._server.kill()
            self._server.wait(STOP_TIMEOUT_S)
            self._server = None
            for child in children:
                _end(child)

    def wait(self) -> None:
        """Return when the server takes connections: after a backend was killed it starts anew. Raises: StoreError in time."""
        if not self._answers(self.port):
            raise StoreError(f"PostgreSQL on port {self.port}", "does not answer")

    def create_database(self, name: str) -> str:
        """Return the address of a new empty database."""
        self.run_sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.run_sql(f'DROP DATABASE "{name}" WITH (FORCE)')

    def run_sql(self, statement: str, database: str = "postgres") -> str:
        """Return what psql prints for a statement, run as the cluster's owner."""
        words = ["psql", "-XqAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database, "-c", statement]
        return _run(words, {"PGPASSWORD": PASSWORD}, timeout_s=SQL_TIMEOUT_S)

    def _started(self, port: int) -> subprocess.Popen[bytes]:
        settings = {**self.options, "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
        words = [str(postgres_programs() / "postgres"), "-D", str(self.folder / "cluster")]
        words += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return subprocess.Popen(words, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, **_as_system_user())

    def _answers(self, port: int) -> bool:
        """Return whether the server takes connections before the time is up; False as soon as it has ended."""
        assert self._server is not None
        ready = [str(postgres_programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        for _ in range(START_TIMEOUT_S * 20):
            if self._server.poll() is not None:
                return False
            if subprocess.run(ready, check=False).returncode == 0:
                return self._server.poll() is None
            try:
                self._server.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        return False


@contextmanager
def postgres_cluster(options: Mapping[str, str] = QUICK, below: Path | None = None) -> Iterator[Cluster]:
    """Give a new cluster that runs, with one empty database; stopped and removed when the context ends.

    below: the folder that its files go below; the system's own for temporary files where none is given.

    Root hands it to the user `postgres`, as PostgreSQL refuses to run as root.
    """
    with tempfile.TemporaryDirectory(prefix="fonoteca-pg-", dir=below) as name, tempfile.NamedTemporaryFile() as secret:
        folder = Path(name)
        secret.write(PASSWORD.encode())
        secret.flush()
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_SYSTEM_USER)
            for path in (name, secret.name):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        words = ["initdb", "-D", str(folder / "cluster"), "-U", USER, f"--pwfile={secret.name}", "-A", "scram-sha-256"]
        _run([*words, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], {}, as_system_user=True)
        with tempfile.TemporaryFile() as log:
            cluster = Cluster(folder, options, log)
            cluster.start()
            try:
                cluster.create_database(USER)
                yield cluster
            finally:
                cluster.stop(at_once=True)


def _as_system_user() -> dict[str, Any]:
    """Return what makes a child process run as the user that PostgreSQL may run as, where we are root, in a neutral locale."""
    neutral: dict[str, Any] = {"env": {**os.environ, **_LOCALE_FREE}, "cwd": "/"}
    return {**neutral, "user": _SYSTEM_USER, "group": _SYSTEM_USER, "extra_groups": []} if os.geteuid() == 0 else neutral


def _run(
    words: Sequence[str], environment: Mapping[str, str], *, as_system_user: bool = False, timeout_s: int = START_TIMEOUT_S
) -> str:
    """Return what one of PostgreSQL's programs prints. Raises: StoreError when it fails."""
    options = _as_system_user() if as_system_user else {"env": {**os.environ, **_LOCALE_FREE, **environment}}
    command = [str(postgres_programs() / words[0]), *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, **options)
    if done.returncode:
        raise StoreError(words[0], f"ended with status {done.returncode}: {done.stderr[-2000:]}")
    return str(done.stdout).strip()


def _free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _end(pid: int) -> None:
    """End a process and wait until it is gone; one that is gone already is fine."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], STOP_TIMEOUT_S)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)
