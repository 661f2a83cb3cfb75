"""Registers to test on: SQLite, and a PostgreSQL that the tests start once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from plans import pretend_large
from register_world import DESCRIPTION, NOON, drop_of, made, rights
from sqlalchemy import Connection, Engine, delete

from fonoteca.model.corridor import DropMember, Event
from fonoteca.model.rights import Refusal
from fonoteca.register import Register
from fonoteca.register.engine import open_engine, writing
from fonoteca.register.schema import metadata
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


@pytest.fixture(scope="session", params=ENGINES)
def planner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return an engine with empty tables that plans as if they were large."""
    if request.param == "sqlite":
        address = str(tmp_path_factory.mktemp("planner") / "register.sqlite")
    else:
        address = request.getfixturevalue("cluster").create_database("planner")
    with Register.open(address) as register:
        fill(register)
    engine = open_engine(address)
    with writing(engine) as connection:
        empty(connection)
        if request.param == "postgresql":
            pretend_large(connection)
    yield engine
    engine.dispose()


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


@pytest.fixture(params=ENGINES)
def register(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Register]:
    """Return an empty register."""
    if request.param == "sqlite":
        address = str(tmp_path / "register.sqlite")
    else:
        engine: Engine = request.getfixturevalue("kept_database")
        with writing(engine) as connection:
            empty(connection)
        address = engine.url.render_as_string(hide_password=False)
    with Register.open(address) as register:
        yield register
