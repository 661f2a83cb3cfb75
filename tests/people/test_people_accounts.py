"""Accounts and what signs one in, on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from fonoteca.model.errors import FormatError, StoreError, UsageError
from fonoteca.people import People, Role, Seal, portable
from fonoteca.people.people import SESSION_KEPT
from fonoteca.people.personal import Kind, Song, Thing
from fonoteca.people.schema import metadata, tries, version
from fonoteca.people.tries import NAME_MOST, ORIGIN_MOST, PAIR_MOST, WINDOW_S, charge
from fonoteca.sql.engine import open_engine, reading, writing

if TYPE_CHECKING:
    from conftest import Hand

PASSWORD = "four words of mine"
PLACE = "192.0.2.0/24"


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


def test_one_place_that_goes_on_trying_keeps_nobody_else_out_and_writes_nothing(people: People, address: str) -> None:
    ada, engine = people.add("Ada", PASSWORD), open_engine(address)
    for _ in range(PAIR_MOST):
        people.sign_in("Ada", "wrong", PLACE)
    with reading(engine) as connection:
        counted = connection.execute(select(tries).order_by(tries.c.who)).all()
    assert all(people.sign_in("Ada", PASSWORD, PLACE).wait_s for _ in range(NAME_MOST))
    with reading(engine) as connection:
        assert connection.execute(select(tries).order_by(tries.c.who)).all() == counted
    engine.dispose()
    assert people.sign_in("Ada", PASSWORD, "198.51.100.0/24").account == ada


def test_a_password_that_was_changed_meanwhile_does_nothing_any_more(people: People) -> None:
    ada = people.add("Ada", PASSWORD)
    begun = people.sign_in("Ada", PASSWORD, PLACE)
    again = people.set_password(ada.number, "another one of mine", begun.fitted)
    assert again not in ("", begun.fitted)
    assert people.open_session(ada.number, fitted=begun.fitted) == ""
    assert people.set_password(ada.number, "one of a thief's own", begun.fitted) == ""
    assert people.sign_in("Ada", "another one of mine", PLACE).fitted == again
    assert people.session(people.open_session(ada.number, fitted=again)) is not None
    people.set_disabled(ada.number, True)
    assert people.open_session(ada.number, fitted=again) == ""
    people.set_disabled(ada.number, False)
    assert people.session_count(ada.number) == 0
    people.remove(ada.number)
    assert people.open_session(ada.number, fitted=again) == ""


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


def test_a_dump_fills_any_engine_with_all_but_what_passes(people: People, seal: Seal, hand: Hand, tmp_path: Path) -> None:
    gone, ada = people.add("Gone", PASSWORD), people.add("Ada", PASSWORD, Role.OPERATOR)
    people.remove(gone.number)
    key, secret = people.add_key(ada.number, "script"), people.add_secret(ada.number, "phone")
    song = Song(-(2**62), "0123456789ab")
    people.personal.marks.star(ada.number, [Thing(Kind.SONG, song.album, song.path)])
    session = people.open_session(ada.number)
    lines = list(people.dump())
    assert session not in "".join(map(str, lines))
    with People.open(str(tmp_path / "other.sqlite"), hand, os.urandom, seal) as other:
        other.add("Eve", PASSWORD)
        other.load(lines)
        assert other.all() == [ada]
        assert list(other.dump()) == lines
        assert other.by_key(key.text) == ada
        assert other.by_secret("ada", secret.text) == ada
        assert other.sign_in("ada", PASSWORD, PLACE).account == ada
        assert other.session(session) is None
        assert other.add("Max", PASSWORD).number > ada.number
        with pytest.raises(FormatError):
            other.load([b'{"format":"fonoteca-people/1","tables":"9999"}\n'])
        assert other.named("ada") == ada
    people.load(lines)
    assert people.add("Max", PASSWORD).number > ada.number, "numbers go on"


def test_the_last_operator_stays(people: People) -> None:
    ada, eve = people.add("Ada", PASSWORD, Role.OPERATOR), people.add("Eve", PASSWORD, Role.OPERATOR)
    people.set_disabled(eve.number, True)
    for change in (
        lambda: people.set_role(ada.number, Role.CURATOR),
        lambda: people.set_disabled(ada.number, True),
        lambda: people.remove(ada.number),
    ):
        with pytest.raises(UsageError, match="last operator"):
            change()
    people.set_disabled(eve.number, False)
    token = people.open_session(ada.number)
    people.set_role(ada.number, Role.OPERATOR)
    assert people.session(token), "nothing changed"
    people.set_role(ada.number, Role.LISTENER)
    assert people.session(token) is None, "another role is a new session"
    people.remove(ada.number)
    assert people.all() == [people.named("eve")]


def test_two_operators_cannot_both_go_at_once(opened: Callable[[], People]) -> None:
    both, barrier, ended = (opened(), opened()), threading.Barrier(2), []
    numbers = [both[0].add(name, PASSWORD, Role.OPERATOR).number for name in ("Ada", "Eve")]

    def leave(people: People, number: int) -> None:
        barrier.wait()
        try:
            people.set_role(number, Role.LISTENER)
            ended.append("went")
        except UsageError:
            ended.append("stays")

    threads = [threading.Thread(target=leave, args=each) for each in zip(both, numbers, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["stays", "went"]


def test_the_first_operator_is_made_by_one_of_two_at_once(opened: Callable[[], People], hand: Hand) -> None:
    both, barrier, made = (opened(), opened()), threading.Barrier(2), []
    tokens = [people.new_setup() for people in both]

    def set_up(people: People, token: str) -> None:
        barrier.wait()
        made.append(people.set_up(token, f"Ada {token[:4]}", PASSWORD))

    threads = [threading.Thread(target=set_up, args=each) for each in zip(both, tokens, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [account for account in made if account] == both[0].all()
    assert both[0].new_setup() == ""
    assert not both[0].may_set_up(tokens[0])


def test_processes_that_start_at_once_make_the_tables_once(opened: Callable[[], People]) -> None:
    barrier, made = threading.Barrier(4), []

    def start() -> None:
        barrier.wait()
        made.append(opened().all())

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [[]] * 4


def test_sign_ins_at_once_wait_for_each_other_and_none_fails(opened: Callable[[], People]) -> None:
    both, done = (opened(), opened()), []
    names = [both[0].add(name, PASSWORD).name for name in ("Ada", "Eve")]

    def sign_in(people: People, number: int) -> None:
        for each in names if number % 2 else names[::-1]:
            signed = people.sign_in(each, PASSWORD, PLACE)
            assert signed.account
            done.append(people.session(people.open_session(signed.account.number)))

    threads = [threading.Thread(target=sign_in, args=(both[number % 2], number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in done if each]) == 8


def test_a_token_of_set_up_is_good_for_a_day(people: People, hand: Hand) -> None:
    token = people.new_setup()
    assert people.may_set_up(token)
    assert people.set_up("x", "Ada", PASSWORD) is None
    hand.move(hours=24)
    assert not people.may_set_up(token)
    assert people.set_up(token, "Ada", PASSWORD) is None
    assert people.all() == []


def test_every_table_is_in_a_backup_or_passes() -> None:
    assert {*portable.KEPT, *portable.PASSING, version} == {*metadata.tables.values()}
