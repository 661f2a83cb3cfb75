"""Fetches are kept for their days; nobody can find out later from where an anonymous one came."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fonoteca.people import People, Role, Seal
from fonoteca.people.accesses import Access

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACCESS = Access(int(NOON.timestamp() * 1000), 5, None, "", "files", "urn:x", "a/b.ogg", "", 10, 0, 10, 200, True, "curl")


class Hand:
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


def opened(folder: Path, hand: Hand) -> People:
    return People.open(str(folder / "people.sqlite"), hand, os.urandom, Seal(Seal.new_key()))


def test_a_network_has_one_name_for_a_day_and_no_longer(tmp_path: Path) -> None:
    hand = Hand()
    with opened(tmp_path, hand) as one, opened(tmp_path, hand) as other:
        name = one.accesses.visitor("192.0.2.7")
        assert len(name) == 16
        assert other.accesses.visitor("192.0.2.201") == name, "processes agree, and a /24 is one network"
        assert one.accesses.visitor("::ffff:192.0.2.7") == name
        assert one.accesses.visitor("192.0.3.7") != name
        six = one.accesses.visitor("2001:db8:1:2::3")
        assert other.accesses.visitor("2001:db8:1:ffff::9") == six != one.accesses.visitor("2001:db8:2::1")
        assert one.accesses.visitor("unix") == ""
        hand.at += timedelta(days=1)
        assert one.accesses.visitor("192.0.2.7") == other.accesses.visitor("192.0.2.7") != name
        hand.at += timedelta(days=1)
        one.accesses.visitor("192.0.2.7")
        one.accesses.expire(30)
    with opened(tmp_path, hand) as later:
        hand.at = NOON
        assert later.accesses.visitor("192.0.2.7") != name, "its key is gone"


def test_fetches_are_kept_in_order_for_their_days(tmp_path: Path) -> None:
    hand = Hand()
    with opened(tmp_path, hand) as people:
        account = people.add("Ada", "a long password", Role.LISTENER)
        told = people.accesses
        told.append([ACCESS, Access(**{**_fields(ACCESS), "account": account.number, "whole": False})])
        told.append([])
        assert [access.account for _, access in told.each()] == [None, account.number]
        assert told.since(told.since()[0][0])[0][1].whole is False
        assert told.since(0, 1)[0][1] == ACCESS
        people.remove(account.number)
        assert told.expire(30) == 1, "of an account that is gone"
        hand.at += timedelta(days=29)
        assert (told.expire(30), told.count()) == (0, 1)
        hand.at += timedelta(days=2)
        assert (told.expire(30), told.count()) == (1, 0)


def test_no_backup_keeps_fetches_longer(tmp_path: Path) -> None:
    with opened(tmp_path, Hand()) as people:
        people.accesses.append([ACCESS])
        people.accesses.visitor("192.0.2.7")
        assert b"urn:x" not in b"".join(people.dump())


def _fields(access: Access) -> dict[str, object]:
    return {name: getattr(access, name) for name in Access.__dataclass_fields__}
