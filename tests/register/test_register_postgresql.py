"""PostgreSQL away, full, refusing or dying: a clear error, nothing half, no password shown, and on again once it is back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from register_world import DESCRIPTION, keep, made, rights
from sqlalchemy import text

from fonoteca.model.errors import FonotecaError, StoreError, UsageError
from fonoteca.register import Register
from fonoteca.sql.engine import open_engine, reading, writing
from fonoteca.sql.failures import shown_address
from fonoteca.testing.postgres import DURABLE, PASSWORD, USER, Cluster, postgres_cluster

pytestmark = pytest.mark.xdist_group("postgresql")

_NUMBERS = count(1)

SECRET = "hunter2/@:x"  # as it is written in an address
WRITTEN = "hunter2%2F%40%3Ax"


@pytest.fixture(scope="module")
def mortal() -> Iterator[Cluster]:
    """Return a cluster to be killed and started again. A process that dies takes nothing from the system's own memory."""
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
def mortal_address(mortal: Cluster) -> str:
    """Return the address of a new database there."""
    return mortal.create_database(f"mortal{next(_NUMBERS)}")


def error_of(call: Callable[[], object]) -> FonotecaError:
    """Return the error that a call ends with; whatever is said of it, by us or by libraries under us, holds no password."""
    try:
        call()
    except FonotecaError as error:
        told = "".join(traceback.format_exception(error))
        assert not any(secret in told for secret in (PASSWORD, SECRET, WRITTEN, "hunter2"))
        return error
    raise AssertionError("no error")


def test_server_that_is_not_there_is_said_to_be_started() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = error_of(lambda: Register.open(f"postgresql://me:{WRITTEN}@127.0.0.1:{port}/fonoteca"))
    assert isinstance(error, StoreError)
    assert error.subject == f"postgresql+psycopg://me:***@127.0.0.1:{port}/fonoteca"
    assert "refused" in error.problem
    assert "Start PostgreSQL" in error.remedy


def test_server_that_never_answers_is_given_up(database: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        error = error_of(lambda: Register.open(f"postgresql://me:{WRITTEN}@127.0.0.1:{port}/x?connect_timeout=2"))
    assert "timeout" in error.problem


@pytest.mark.parametrize(
    ("change", "problem", "remedy"),
    [
        ({"password": WRITTEN}, "password authentication failed", "Correct the password"),
        ({"user": "nobody", "password": WRITTEN}, "password authentication failed", "Correct the password"),
        ({"database": "missing"}, 'database "missing" does not exist', "Make the database"),
    ],
)
def test_what_the_server_refuses_is_said_with_its_remedy(
    cluster: Cluster, change: dict[str, str], problem: str, remedy: str
) -> None:
    error = error_of(lambda: Register.open(cluster.url(**change)))
    assert isinstance(error, StoreError)
    assert problem in error.problem
    assert remedy in error.remedy


def test_user_who_may_make_no_tables_is_told_so(cluster: Cluster, database: str) -> None:
    cluster.run_sql(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    error = error_of(lambda: Register.open(cluster.url(database.rsplit("/", 1)[1], user="guest")))
    assert "permission denied" in error.problem
    assert "right to make" in error.remedy


def test_too_many_connections_are_an_error_and_later_there_is_room(cluster: Cluster, database: str) -> None:
    name = database.rsplit("/", 1)[1]
    cluster.run_sql(f"CREATE ROLE few LOGIN SUPERUSER PASSWORD '{PASSWORD}'; ALTER DATABASE \"{name}\" CONNECTION LIMIT 1")
    cluster.run_sql(f'ALTER ROLE few NOSUPERUSER; ALTER DATABASE "{name}" OWNER TO few')
    address = cluster.url(name, user="few")
    with Register.open(address) as first:
        keep(first, made("folder:a"))
        error = error_of(lambda: Register.open(address))
        assert "too many connections" in error.problem
        assert "max_connections" in error.remedy
    with _once_there_is_room(address) as then:
        assert then.totals().objects == 1


def _once_there_is_room(address: str) -> Register:
    """Open a register; a connection that was given back is gone from the server a moment later."""
    for _ in range(100):
        try:
            return Register.open(address)
        except StoreError:
            time.sleep(0.1)
    return Register.open(address)


@pytest.mark.parametrize(
    "address",
    [
        f"mysql://me:{WRITTEN}@localhost/x",
        f"postgresql+asyncpg://me:{WRITTEN}@localhost/x",
        f"postgresql://me:{SECRET}@localhost/x",
        f"postgresql://me:{SECRET}",
        f"postgresql://localhost:{SECRET}/x",
        f"postgresql://me:{WRITTEN}@localhost:port/x",
        f"://me:{WRITTEN}@localhost",
    ],
)
def test_address_that_is_none_is_wrong_use_and_shows_no_password(address: str) -> None:
    assert isinstance(error_of(lambda: open_engine(address)), UsageError)


@pytest.mark.parametrize("option", ["", "&sslmode=none", "&connect_timeout=soon", "&passwrod=x", "&options=-c%20nothing=1"])
def test_password_in_the_query_is_not_shown_either(cluster: Cluster, option: str) -> None:
    host = f"127.0.0.1:{cluster.port}"
    error = error_of(lambda: Register.open(f"postgresql://{USER}@{host}/fonoteca?password={WRITTEN}{option}"))
    assert "password=***" in error.subject or "password=%2A%2A%2A" in error.subject
    assert shown_address(f"postgresql://{USER}:{WRITTEN}@{host}/x") == f"postgresql://{USER}:***@{host}/x"


def test_driver_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = error_of(lambda: open_engine("postgresql+psycopg://me@localhost/x"))
    assert isinstance(error, UsageError)
    assert "fonoteca[many]" in error.remedy


def test_limits_of_time_are_the_servers_too(database: str) -> None:
    engine = open_engine(database)
    with reading(engine) as connection:
        settings = {name: connection.execute(text(f"SHOW {name}")).scalar() for name in ("lock_timeout", "statement_timeout")}
        assert settings == {"lock_timeout": "1min", "statement_timeout": "10min"}
        assert connection.execute(text("SHOW transaction_read_only")).scalar() == "on"
    hurried = open_engine(f"{database}?options=-c%20statement_timeout%3D100")
    with pytest.raises(StoreError, match="statement timeout"), writing(hurried) as connection:
        connection.execute(text("SELECT pg_sleep(5)"))
    engine.dispose()
    hurried.dispose()


def test_commits_wait_for_the_disk_where_the_server_would_not(cluster: Cluster, database: str) -> None:
    cluster.run_sql(f'ALTER DATABASE "{database.rsplit("/", 1)[1]}" SET synchronous_commit = off')
    engine = open_engine(database)
    with reading(engine) as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    engine.dispose()


def backend_of(register: Register) -> int:
    """Return the process id of the server's process that works for a register's writer now."""
    with reading(register._engine) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
        found: int = connection.execute(text(f"{query} AND pid <> pg_backend_pid()")).scalar_one()
        return found


def test_backend_killed_between_statement_and_commit_leaves_nothing_half(mortal: Cluster, mortal_address: str) -> None:
    register: Register
    killed: list[int] = []

    def kill() -> None:
        if not killed:
            killed.append(backend_of(register))
            mortal.run_sql(f"SELECT pg_terminate_backend({killed[0]}, 5000)")

    with Register.open(mortal_address, before_commit=kill) as register:
        batch = [(made(f"folder:{n}"), rights(f"folder:{n}"), DESCRIPTION) for n in range(3)]
        error = error_of(lambda: register.record_many(batch))
        assert isinstance(error, StoreError)
        assert "Wait until PostgreSQL is back" in error.remedy
        assert list(register.natural_rows()) == []
        register.record_many(batch)
        assert register.totals().objects == 3


@pytest.mark.parametrize("how", ["postmaster", "backend"])
def test_kill_9_before_the_commit_loses_only_what_was_not_acknowledged(mortal: Cluster, mortal_address: str, how: str) -> None:
    register: Register
    armed: list[bool] = []

    def kill() -> None:
        if armed.pop() if armed else False:
            if how == "postmaster":
                mortal.kill()
            else:
                os.kill(backend_of(register), signal.SIGKILL)

    with Register.open(mortal_address, before_commit=kill) as register:
        keep(register, made("folder:acknowledged"))
        before = list(register.natural_rows())
        armed.append(True)
        error = error_of(lambda: keep(register, made("folder:lost")))
        assert isinstance(error, StoreError)
        if how == "postmaster":
            error = error_of(register.totals)
            assert "refused" in error.problem
            mortal.start()
        mortal.wait()
        assert list(register.natural_rows()) == before
        keep(register, made("folder:lost"))
        assert [row.item for row in register.objects()] == ["folder:acknowledged", "folder:lost"]
    with Register.open(mortal_address) as again:
        assert again.totals().objects == 2


def test_server_gone_while_the_register_is_made_anew_leaves_it_as_it_was(mortal: Cluster, mortal_address: str) -> None:
    with Register.open(mortal_address) as register:
        keep(register, made("folder:a"))
        before = list(register.natural_rows())

        def fails() -> None:
            with register.made_anew() as anew:
                keep(anew, made("folder:b"))
                mortal.kill()
                keep(anew, made("folder:c"))

        assert isinstance(error_of(fails), StoreError)
        mortal.start()
        assert list(register.natural_rows()) == before


_COMMAND = """
import sys
from fonoteca.register import Register
sys.path.insert(0, sys.argv[2])
from register_world import keep, made
with Register.open(sys.argv[1]) as register:
    print("open", flush=True)
    for number in range(int(sys.argv[3])):
        keep(register, made(f"folder:{number:04}"))
        print(number, flush=True)
"""


@pytest.fixture
def durable() -> Iterator[Cluster]:
    """Return a cluster that syncs what it commits, as in service."""
    with postgres_cluster(DURABLE) as cluster:
        yield cluster


def test_same_command_goes_on_after_the_server_was_killed_under_it(durable: Cluster) -> None:
    here, address = os.path.dirname(__file__), durable.url()
    words = [sys.executable, "-c", _COMMAND, address, here]
    writer = subprocess.Popen([*words, "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [writer.stdout.readline().strip() for _ in range(12)]
    durable.kill()
    rest, said = writer.communicate(timeout=60)
    told += rest.split()
    assert writer.returncode == 1
    assert "StoreError" in said
    assert PASSWORD not in said
    durable.start()
    acknowledged = [f"folder:{int(each):04}" for each in told[1:]]
    with Register.open(address) as register:
        there = [row.item for row in register.objects(limit=2000)]
        assert there[: len(acknowledged)] == acknowledged
        assert len(there) <= len(acknowledged) + 1
        assert register.totals().objects == len(there)
    subprocess.run([*words, str(len(there) + 5)], check=True, capture_output=True, timeout=60)
    with Register.open(address) as register:
        assert register.totals().objects == len(there) + 5
