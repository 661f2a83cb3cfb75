"""Many writers at once leave what one writer leaves, and wait for each other only so long."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from register_world import DESCRIPTION, NOON, keep, made, rights, second
from register_writer import versions, work
from sqlalchemy import text

from fonoteca.model.corridor import Event
from fonoteca.model.errors import StoreError
from fonoteca.register import Register
from fonoteca.sql import engine
from fonoteca.sql.engine import open_engine, write, writing

PROCESSES = 2
WRITER = Path(__file__).with_name("register_writer.py")


def all_of(register: Register) -> dict[str, Any]:
    """Return all that a register says, in an order that does not depend on who wrote first."""
    return {
        "rows": list(register.natural_rows()),
        "totals": [register.totals(), *(register.totals(kind) for kind in ("audio", "artwork", "drop"))],
        "open": sorted(register.decisions("open"), key=repr),
        "settled": sorted(register.decisions("settled"), key=repr),
        "events": sorted(register.events(1000), key=repr),
        "checks": sorted(register.checks(1000), key=repr),
        "undropped": sorted(register.undropped("audio"), key=repr),
        "unchecked": sorted(row.path for row in register.next_to_audit(1000) if row.checked_at is None),
    }


def test_several_processes_and_threads_leave_what_one_writer_leaves(address: str, tmp_path: Path) -> None:
    with Register.open(tmp_path / "serial.sqlite") as serial:
        work(serial, 0)
        expected = all_of(serial)
    assert len(expected["rows"]) > len(versions())
    writers = [
        subprocess.Popen([sys.executable, WRITER, address, str(10 * each)], stderr=subprocess.PIPE) for each in range(PROCESSES)
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=120)
        assert writer.returncode == 0, said.decode()
    with Register.open(address) as register:
        assert all_of(register) == expected
        rebuilt = register.natural_rows()
        work(register, 77)
        assert all_of(register) == expected
        assert next(rebuilt) == expected["rows"][0]


@pytest.fixture
def registers(database: str) -> Iterator[tuple[Register, Register]]:
    """Return two writers of one register on PostgreSQL."""
    with Register.open(database) as one, Register.open(database) as other:
        yield one, other


pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
on_postgresql = pytest.mark.xdist_group("postgresql")


def aside(work: Callable[[], object]) -> threading.Thread:
    """Start work in a thread."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@on_postgresql
def test_two_who_lock_crosswise_both_end_and_one_tries_again(database: str, registers: tuple[Register, Register]) -> None:
    one, _ = registers
    for key in ("folder:a", "folder:b"):
        keep(one, made(key))
    crossed = threading.Barrier(2)
    tries: list[str] = []

    def lock(first: str, then: str) -> None:
        def touch(connection: Any) -> None:
            tries.append(first)
            for each in (first, then):
                connection.execute(text("UPDATE object SET title = title || '+' WHERE item_key = :key"), {"key": each})
                if each == first and len(tries) <= 2:
                    crossed.wait(30)

        own = open_engine(database)
        write(own, touch)
        own.dispose()

    threads = [aside(lambda: lock("folder:a", "folder:b")), aside(lambda: lock("folder:b", "folder:a"))]
    for thread in threads:
        thread.join(60)
    assert len(tries) in (3, 4), "the engine ends one of them, and on a busy machine both"
    assert [row.title for row in one.objects()] == [f"{DESCRIPTION.title}++"] * 2


@on_postgresql
def test_tries_end(database: str) -> None:
    Register.open(database).close()
    tries: list[int] = []

    def always_in_the_way(connection: Any) -> None:
        tries.append(1)
        connection.execute(text("DO $$ BEGIN RAISE serialization_failure; END $$"))

    own = open_engine(database)
    with pytest.raises(StoreError, match="serialization_failure"):
        write(own, always_in_the_way)
    own.dispose()
    assert len(tries) == engine.TRANSACTION_TRIES


@on_postgresql
def test_readers_have_the_old_register_and_writers_wait_while_it_is_made_anew(registers: tuple[Register, Register]) -> None:
    one, other = registers
    keep(one, made("folder:old"))
    before = list(other.natural_rows())
    waiting = threading.Event()

    def record() -> None:
        waiting.set()
        other.record(made("folder:new"), rights("folder:new"), DESCRIPTION)

    with one.made_anew() as anew:
        keep(anew, made("folder:kept"))
        keep(anew, second(made("folder:kept")))
        thread = aside(record)
        assert waiting.wait(10)
        thread.join(0.3)
        assert thread.is_alive()
        assert list(other.natural_rows()) == before
        assert [row.item for row in anew.objects()] == ["folder:kept"]
    thread.join(30)
    assert [row.item for row in other.objects()] == ["folder:kept", "folder:new"]
    assert other.totals() == one.totals()
    assert other.totals().objects == 2


@on_postgresql
def test_a_writer_waits_only_so_long(database: str, registers: tuple[Register, Register]) -> None:
    one, _ = registers
    keep(one, made("folder:a"))
    impatient = open_engine(f"{database}?options=-c%20lock_timeout=200")
    with writing(open_engine(database), alone=True), pytest.raises(StoreError, match=r"lock timeout.*wait until a rebuild"):
        write(impatient, lambda connection: None)
    impatient.dispose()


@on_postgresql
def test_reader_sees_one_state_throughout_on_postgresql(registers: tuple[Register, Register]) -> None:
    one, other = registers
    keep(one, made("folder:a"))
    rows = one.natural_rows()
    first = next(rows)
    keep(other, made("folder:b"))
    other.record_events([Event(NOON, "acquired", "folder:b")])
    assert {row[1] for row in (first, *rows)} == {first[1]}
