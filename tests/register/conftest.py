"""Registers to test on: SQLite, and a PostgreSQL that the tests start once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from plans import plan_of, pretend_large, reads_everything
from register_world import DESCRIPTION, NOON, drop_of, made, rights
from sqlalchemy import Connection, Engine, delete, event

from fonoteca.model.corridor import DropMember, Event
from fonoteca.model.rights import Refusal
from fonoteca.register import Register
from fonoteca.register.schema import metadata
from fonoteca.sql.engine import open_engine, writing
from fonoteca.testing.postgres import Cluster, postgres_cluster

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))]
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Return a PostgreSQL that runs; all its tests are one group, so that it starts once."""
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """Return the address of an empty database on PostgreSQL."""
    name = f"test{next(_NUMBERS)}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


@pytest.fixture(params=ENGINES)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a register that is not there yet, on each engine."""
    if request.param == "sqlite":
        return str(tmp_path / "register.sqlite")
    found: str = request.getfixturevalue("database")
    return found


@pytest.fixture(scope="session")
def kept_database(cluster: Cluster) -> Iterator[Engine]:
    """Return a database with the register's tables, for tests that leave them as they are: making one takes half a second."""
    address = cluster.create_database("kept")
    Register.open(address).close()
    engine = open_engine(address)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def planners(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Engine]]:
    """Return what gives an engine with empty tables that plans as if they were large, by the engine's name."""
    with ExitStack() as open_now:

        @cache
        def planner(name: str) -> Engine:
            if name == "sqlite":
                address = str(tmp_path_factory.mktemp("planner") / "register.sqlite")
            else:
                address = request.getfixturevalue("cluster").create_database("planner")
            with Register.open(address) as register:
                fill(register)
            engine = open_engine(address)
            open_now.callback(engine.dispose)
            with writing(engine) as connection:
                empty(connection)
                if name == "postgresql":
                    pretend_large(connection)
            return engine

        yield planner


@pytest.fixture(params=ENGINES)
def planner(request: pytest.FixtureRequest, planners: Callable[[str], Engine]) -> Engine:
    """Return an engine with empty tables that plans as if they were large."""
    return planners(request.param)


def fill(register: Register) -> None:
    """Give every table of a register a row."""
    stored = made("folder:a")
    register.record(stored, rights("folder:a"), DESCRIPTION)
    register.record_drop(drop_of((DropMember(stored.object_id, 1),)))
    register.record_check(stored.object_id, stored.members[0].path, NOON, None)
    register.record_decision(Refusal("folder:x", "rule", "reason", "remedy"), "folder:x", NOON)
    register.record_events([Event(NOON, "acquired", "folder:a")])


def empty(connection: Connection) -> None:
    """Remove every row."""
    for table in reversed(metadata.sorted_tables):
        connection.execute(delete(table))


_PLANNED: set[str] = set()
"""Statements whose plans were looked at, by a test before this one."""


@pytest.fixture(params=ENGINES)
def register(request: pytest.FixtureRequest, tmp_path: Path, planners: Callable[[str], Engine]) -> Iterator[Register]:
    """Return an empty register. Whatever it asks its engine must be answered by an index, or be known to read everything."""
    if request.param == "sqlite":
        address = str(tmp_path / "register.sqlite")
    else:
        engine: Engine = request.getfixturevalue("kept_database")
        with writing(engine) as connection:
            empty(connection)
        address = engine.url.render_as_string(hide_password=False)
    asked: dict[str, Any] = {}

    def ask(_connection: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
        asked.setdefault(statement, parameters[0] if many else parameters)

    with Register.open(address) as register:
        event.listen(register._engine, "before_cursor_execute", ask)
        yield register
    for statement in asked.keys() - _PLANNED:
        _PLANNED.add(statement)
        if statement.startswith(("SELECT", "WITH", "UPDATE", "DELETE")) and not reads_everything(statement):
            with planners(request.param).connect() as connection:
                found = plan_of(connection, statement, asked[statement])
            pages = " LIMIT " in statement and not found.sorts
            assert not [each for each in found.indexes if "table" in each or ("whole" in each and not pages)], (statement, found)
