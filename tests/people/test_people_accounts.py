"""Accounts and what signs one in, on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import md5
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from fonoteca.model.errors import StoreError, UsageError
from fonoteca.people import People, Role, Seal
from fonoteca.people.people import SESSION_KEPT
from fonoteca.people.schema import metadata
from fonoteca.people.tries import NAME_MOST, ORIGIN_MOST, PAIR_MOST, WINDOW_S, charge
from fonoteca.sql.engine import open_engine, writing
from fonoteca.testing.postgres import Cluster, postgres_cluster

PASSWORD = "four words of mine"
PLACE = "192.0.2.0/24"
_NUMBERS = count(1)


class Hand:
    """A clock whose hand the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def move(self, **step: float) -> None:
        self.at += timedelta(**step)


@pytest.fixture(scope="module")
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
def opened(address: str, hand: Hand) -> Iterator[Callable[[], People]]:
    """Return what opens the same accounts once more, as another process would."""
    seal, made = Seal(Seal.new_key()), []

    def open_people() -> People:
        made.append(People.open(address, hand, os.urandom, seal))
        return made[-1]

    yield open_people
    for people in made:
        people.close()


@pytest.fixture
def people(opened: Callable[[], People]) -> People:
    return opened()


def test_a_name_is_one_account_in_whatever_case_it_is_typed(people: People) -> None:
    ada = people.add("Ada", PASSWORD, Role.OPERATOR)
    assert people.named(" aDA ") == ada
    assert people.all() == [ada]
    with pytest.raises(UsageError):
        people.add("ADA", PASSWORD)
    for name in ("", " ", "a\nb", "x" * 65, "a\x00b", "\ud800"):
        with pytest.raises(UsageError):
            people.add(name, PASSWORD)
    for password in ("short", "x" * 1025):
        with pytest.raises(UsageError):
            people.add("other", password)


def test_two_at_once_get_one_account(opened: Callable[[], People]) -> None:
    both, barrier, ended = (opened(), opened()), threading.Barrier(2), []

    def add(people: People) -> None:
        barrier.wait()
        try:
            ended.append(people.add("Ada", PASSWORD).name)
        except UsageError:
            ended.append("taken")

    threads = [threading.Thread(target=add, args=(people,)) for people in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["Ada", "taken"]


def test_a_name_that_is_not_known_costs_and_answers_as_one_that_is(people: People) -> None:
    ada = people.add("Ada", PASSWORD)
    assert people.sign_in("ada", PASSWORD, PLACE).account == ada
    people.set_disabled(people.add("Eve", PASSWORD).number, True)
    answers, costs = [], []
    for name in ("Ada", "nobody", "Eve", "\x00\ud800", "x" * 100_000):
        before = people.passwords.checked
        answers.append(people.sign_in(name, PASSWORD if name == "Eve" else "wrong", PLACE))
        costs.append(people.passwords.checked - before)
    assert {(answer.account, answer.wait_s) for answer in answers} == {(None, 0)}
    assert costs == [1] * 5


def test_tries_are_counted_for_all_processes_and_for_names_nobody_has(opened: Callable[[], People], hand: Hand) -> None:
    both = opened(), opened()
    ada = both[0].add("Ada", PASSWORD)
    for name in ("Ada", "nobody"):
        for number in range(PAIR_MOST):
            assert both[number % 2].sign_in(name, "wrong", PLACE).wait_s == 0
        before = both[1].passwords.checked
        assert both[1].sign_in(name, PASSWORD, PLACE).wait_s == WINDOW_S
        assert both[1].passwords.checked == before, "what is not looked at costs nothing"
    assert both[1].sign_in("Ada", PASSWORD, "198.51.100.0/24").account == ada, "who is elsewhere is not kept out"
    hand.move(seconds=WINDOW_S)
    assert both[0].sign_in("Ada", PASSWORD, PLACE).account == ada


def test_one_place_and_one_name_have_limits_of_their_own(people: People, address: str) -> None:
    engine = open_engine(address)
    with writing(engine) as connection:
        of_place = [charge(connection, f"name{number}", PLACE, 1_000) for number in range(ORIGIN_MOST + 1)]
        of_name = [charge(connection, "ada", f"place{number}", 1_000) for number in range(NAME_MOST + 1)]
        later = charge(connection, "ada", PLACE, 1_000 + WINDOW_S)
    engine.dispose()
    assert of_place == [0] * ORIGIN_MOST + [WINDOW_S]
    assert of_name == [0] * NAME_MOST + [WINDOW_S]
    assert later == 0


def test_a_session_ends_by_time_sign_out_password_and_disabling(people: People, hand: Hand) -> None:
    ada = people.add("Ada", PASSWORD)
    first = people.open_session(ada.number)
    second = people.open_session(ada.number, first)
    assert people.session(first) is None, "a sign-in gives another token"
    held = people.session(second)
    assert held is not None
    assert (held.account, held.expires) == (ada, hand.now() + SESSION_KEPT)
    other = people.session(people.open_session(ada.number))
    assert other is not None
    assert held.csrf != other.csrf
    assert held.csrf != second
    people.close_session(second)
    assert people.session(second) is None
    for end in (
        lambda: hand.move(days=30),
        lambda: people.set_password(ada.number, "another one of mine"),
        lambda: people.set_disabled(ada.number, True),
    ):
        token = people.open_session(ada.number)
        assert people.session(token) is not None
        end()
        assert people.session(token) is None
    assert people.session("\ud800\x00" * 1000) is None


def test_a_key_works_until_it_is_revoked_and_only_its_owner_revokes_it(people: People, hand: Hand) -> None:
    ada, eve = people.add("Ada", PASSWORD), people.add("Eve", PASSWORD)
    key = people.add_key(ada.number, "my script")
    assert [(each.name, each.used) for each in people.keys(ada.number)] == [("my script", None)]
    assert people.by_key(key.text) == ada
    assert people.keys(ada.number)[0].used == hand.now()
    people.revoke_key(eve.number, key.number)
    assert people.by_key(key.text) == ada
    people.set_disabled(ada.number, True)
    assert people.by_key(key.text) is None
    people.set_disabled(ada.number, False)
    people.revoke_key(ada.number, key.number)
    assert people.by_key(key.text) is None
    assert people.by_key("") is None


def test_a_player_signs_in_by_its_secret_and_never_by_the_password(people: People) -> None:
    ada, eve = people.add("Ada", PASSWORD), people.add("Eve", PASSWORD)
    secret = people.add_secret(ada.number, "phone")
    token = md5(f"{secret.text}salt".encode()).hexdigest()
    assert people.by_token("ada", token.upper(), "salt") == ada
    assert people.by_secret("Ada", secret.text) == ada
    assert people.by_token("ada", token, "other") is None
    assert people.by_token("eve", token, "salt") is None
    assert people.by_token("ada", md5(f"{PASSWORD}salt".encode()).hexdigest(), "salt") is None
    assert people.by_secret("Ada", PASSWORD) is None
    assert people.by_token("a\x00\ud800", "é" * 10_000, "\ud800") is None
    people.revoke_secret(eve.number, secret.number)
    assert [each.name for each in people.secrets(ada.number)] == ["phone"]
    people.revoke_secret(ada.number, secret.number)
    assert people.by_token("ada", token, "salt") is None


def test_nothing_that_signs_in_lies_in_the_database(people: People, address: str) -> None:
    ada = people.add("Ada", PASSWORD)
    shown = [
        people.add_key(ada.number, "a").text,
        people.add_secret(ada.number, "b").text,
        people.open_session(ada.number),
        PASSWORD,
    ]
    engine = open_engine(address)
    with engine.connect() as connection:
        kept = "".join(str(row) for table in metadata.sorted_tables for row in connection.execute(table.select()))
    engine.dispose()
    assert "$argon2id$" in kept
    assert [text for text in shown if text in kept] == []


def test_a_secret_of_another_key_is_said_and_a_newer_database_is_left(people: People, address: str, hand: Hand) -> None:
    people.add_secret(people.add("Ada", PASSWORD).number, "phone")
    with (
        People.open(address, hand, os.urandom, Seal(Seal.new_key())) as other,
        pytest.raises(StoreError, match="this archive's key"),
    ):
        other.by_secret("Ada", "x")
    engine = open_engine(address)
    with writing(engine) as connection:
        connection.execute(text("UPDATE people_version SET version = 99"))
    engine.dispose()
    with pytest.raises(StoreError, match="version 99"):
        People.open(address, hand, os.urandom, Seal(Seal.new_key()))
