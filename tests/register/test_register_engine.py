"""The register under several processes, crashes, old and new versions; and what its questions cost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.schema import CreateIndex

from fonoteca.model.corridor import Event
from fonoteca.model.errors import StoreError
from fonoteca.register import Register
from fonoteca.register.engine import open_engine, reading
from fonoteca.register.schema import metadata

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

_WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from fonoteca.model.corridor import Event
from fonoteca.register import Register

with Register.open(sys.argv[1]) as register:
    print("open", flush=True)
    for n in range(60):
        register.record_events([Event(datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=n), "tick", sys.argv[2])])
"""


def test_migrations_make_what_the_schema_says(tmp_path: Path) -> None:
    with Register.open(tmp_path / "register.sqlite"):
        engine = open_engine(str(tmp_path / "register.sqlite"))
        with reading(engine) as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        with sqlite3.connect(tmp_path / "register.sqlite") as plain:
            migrated = {row[0]: row[1] for row in plain.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")}
        for table in metadata.sorted_tables:
            for index in table.indexes:
                assert migrated[str(index.name)] == str(CreateIndex(index).compile(engine)), index.name
        engine.dispose()


def test_register_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "register.sqlite"
    Register.open(path).close()
    with sqlite3.connect(path) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
    plain.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer Fonoteca"):
        Register.open(path)
    assert path.read_bytes() == before


def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "register.sqlite"
    path.write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Register.open(path)
    assert path.read_bytes().startswith(b"not a database")


def test_missing_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"unable to open database file.*permissions"):
        Register.open(tmp_path / "nowhere" / "register.sqlite")


def test_commits_are_durable_and_readers_need_not_wait(tmp_path: Path) -> None:
    with Register.open(tmp_path / "register.sqlite"):
        engine = open_engine(str(tmp_path / "register.sqlite"))
        with reading(engine) as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        engine.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_crash_before_a_commit_leaves_nothing_and_the_next_run_carries_on(tmp_path: Path) -> None:
    class PowerCut(BaseException):
        pass

    def cut() -> None:
        raise PowerCut

    event = Event(NOON, "acquired", "folder:a")
    with Register.open(tmp_path / "register.sqlite", before_commit=cut) as register:
        with pytest.raises(PowerCut):
            register.record_events([event])
        assert register.events() == []
    with Register.open(tmp_path / "register.sqlite") as register:
        register.record_events([event])
        assert register.events() == [event]


def _start(path: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name], stdout=subprocess.PIPE, text=True)


def test_two_processes_open_a_new_register_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "register.sqlite"
    writers = [_start(path, "one"), _start(path, "two")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for writer in writers:
        writer.communicate()
    with Register.open(path) as register:
        assert [len(register.events(limit=200, subject=name)) for name in ("one", "two")] == [60, 60]


def test_server_reads_and_writes_while_a_command_writes(tmp_path: Path) -> None:
    path = tmp_path / "register.sqlite"
    failures: list[Exception] = []

    def serve(work: Callable[[], object]) -> None:
        try:
            for _ in range(30):
                work()
        except StoreError as error:
            failures.append(error)

    with Register.open(path) as register:
        writer = _start(path, "command")
        assert writer.stdout is not None
        writer.stdout.readline()
        events = [Event(NOON.replace(microsecond=n), "served", "server") for n in range(30)]
        jobs = [lambda: register.events(limit=5), lambda: register.record_events([events.pop()]), lambda: register.totals()]
        threads = [threading.Thread(target=serve, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert writer.wait(60) == 0
        writer.stdout.close()
        assert failures == []
        assert len(register.events(limit=100, subject="server")) == 30
        assert len(register.events(limit=100, subject="command")) == 60


def test_reader_sees_one_state_throughout(tmp_path: Path) -> None:
    with Register.open(tmp_path / "register.sqlite") as register:
        rows = register.natural_rows()
        assert next(rows, None) is None
        engine = open_engine(str(tmp_path / "register.sqlite"))
        with reading(engine) as connection:
            count = "SELECT count(*) FROM event"
            before = connection.exec_driver_sql(count).scalar()
            register.record_events([Event(NOON, "acquired", "folder:a")])
            assert connection.exec_driver_sql(count).scalar() == before == 0
        engine.dispose()
