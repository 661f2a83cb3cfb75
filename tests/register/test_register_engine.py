"""The register under several processes, crashes, old and new versions; and what its questions cost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from register_world import NOON, keep, made
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateIndex

from fonoteca.model.corridor import Event
from fonoteca.model.errors import StoreError
from fonoteca.register import Register, migrate
from fonoteca.register.schema import metadata
from fonoteca.sql.engine import open_engine, reading, writing

_WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from fonoteca.model.corridor import Event
from fonoteca.register import Register

with Register.open(sys.argv[1]) as register:
    print("open", flush=True)
    for n in range(40):
        register.record_events([Event(datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=n), "tick", sys.argv[2])])
"""


def test_migrations_make_what_the_schema_says(address: str) -> None:
    engine = open_engine(address)
    migrate.migrate(engine, from_the_first=True)
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrated_indexes_on_sqlite_are_the_schemas_to_the_letter(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "register.sqlite"))
    migrate.migrate(engine, from_the_first=True)
    with Register.open(tmp_path / "register.sqlite"):
        with sqlite3.connect(tmp_path / "register.sqlite") as plain:
            migrated = {row[0]: row[1] for row in plain.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")}
        for table in metadata.sorted_tables:
            for index in table.indexes:
                assert migrated[str(index.name)] == str(CreateIndex(index).compile(engine)), index.name
        engine.dispose()


_MADE = """
    SELECT table_name, column_name, data_type, collation_name, is_nullable, '' AS definition FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name <> 'alembic_version'
    UNION ALL SELECT tablename, indexname, '', '', '', replace(indexdef, current_schema() || '.', '') FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename <> 'alembic_version' ORDER BY 1, 2, 6
"""


@pytest.mark.xdist_group("postgresql")
def test_migrated_columns_and_indexes_on_postgresql_are_the_schemas_to_the_letter(database: str) -> None:
    engine = open_engine(database)
    migrate.migrate(engine, from_the_first=True)
    with engine.connect() as connection:
        migrated = connection.exec_driver_sql(_MADE).all()
        connection.exec_driver_sql("CREATE SCHEMA said; SET LOCAL search_path = said")
        metadata.create_all(connection, checkfirst=False)
        assert migrated == connection.exec_driver_sql(_MADE).all()
    engine.dispose()


def test_register_of_a_newer_version_is_refused_and_left_alone(address: str) -> None:
    Register.open(address).close()
    engine = open_engine(address)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"newer Fonoteca.*nothing was changed"):
        Register.open(address)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999"
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_register_of_an_older_version_is_brought_up_to_date(address: str) -> None:
    engine = open_engine(address)
    with writing(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with Register.open(address) as register:
        keep(register, made("folder:a"))
        assert register.totals().objects == 1
    engine.dispose()


@pytest.mark.xdist_group("postgresql")
def test_migration_that_fails_leaves_an_empty_database(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise SQLAlchemyError("no more")

    engine = open_engine(database)
    monkeypatch.setattr("alembic.op.create_index", fails)
    with pytest.raises(StoreError, match="no more"):
        migrate.migrate(engine, from_the_first=True)
    monkeypatch.undo()
    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == []
    engine.dispose()
    Register.open(database).close()


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


def test_crash_before_a_commit_leaves_nothing_and_the_next_run_carries_on(address: str) -> None:
    class PowerCut(BaseException):
        pass

    def cut() -> None:
        raise PowerCut

    event = Event(NOON, "acquired", "folder:a")
    with Register.open(address, before_commit=cut) as register:
        with pytest.raises(PowerCut):
            register.record_events([event])
        assert register.events() == []
    with Register.open(address) as register:
        register.record_events([event])
        assert register.events() == [event]


def _start(address: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _WRITER, address, name], stdout=subprocess.PIPE, text=True)


def test_two_processes_open_a_new_register_and_write_at_once(address: str) -> None:
    writers = [_start(address, "one"), _start(address, "two")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for writer in writers:
        writer.communicate()
    with Register.open(address) as register:
        assert [len(register.events(limit=200, subject=name)) for name in ("one", "two")] == [40, 40]


def test_server_reads_and_writes_while_a_command_writes(address: str) -> None:
    failures: list[Exception] = []

    def serve(work: Callable[[], object]) -> None:
        try:
            for _ in range(30):
                work()
        except StoreError as error:
            failures.append(error)

    with Register.open(address) as register:
        writer = _start(address, "command")
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
        assert len(register.events(limit=100, subject="command")) == 40


def test_reader_sees_one_state_throughout(register: Register) -> None:
    with reading(register._engine) as connection:
        count = "SELECT count(*) FROM event WHERE at >= 0"
        assert connection.exec_driver_sql(count).scalar() == 0
        register.record_events([Event(NOON, "acquired", "folder:a")])
        assert connection.exec_driver_sql(count).scalar() == 0
    assert len(register.events()) == 1


def test_what_is_read_in_one_moment_is_of_one_state_until_its_reader_writes(register: Register) -> None:
    with register.one_moment():
        assert register.events() == []
        other = threading.Thread(target=register.record_events, args=([Event(NOON, "acquired", "folder:a")],))
        other.start()
        other.join(60)
        with register.one_moment():
            assert register.events() == []
        register.record_events([Event(NOON, "acquired", "folder:b")])
        assert len(register.events()) == 2
        with pytest.raises(InterruptedError), register._reading():
            raise InterruptedError
        assert len(register.events()) == 2, "what failed is over"
    assert len(register.events()) == 2
