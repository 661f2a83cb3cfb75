"""Accounts on SQLite and on PostgreSQL, and a clock to move."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from fonoteca.people import People, Seal
from fonoteca.testing.postgres import Cluster, postgres_cluster

_NUMBERS = count(1)


class Hand:
    """A clock whose hand the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def move(self, **step: float) -> None:
        self.at += timedelta(**step)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "people.sqlite")
        return
    cluster = request.getfixturevalue("cluster")
    name = f"people{next(_NUMBERS)}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def seal() -> Seal:
    return Seal(Seal.new_key())


@pytest.fixture
def opened(address: str, hand: Hand, seal: Seal) -> Iterator[Callable[[], People]]:
    """Return what opens the same accounts once more, as another process would."""
    made: list[People] = []

    def open_people() -> People:
        made.append(People.open(address, hand, os.urandom, seal))
        return made[-1]

    yield open_people
    for people in made:
        people.close()


@pytest.fixture
def people(opened: Callable[[], People]) -> People:
    return opened()
