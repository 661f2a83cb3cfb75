"""What the room gives: accounts, keys, secrets, sessions. None of them holds what could be used to sign in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What an account may do; each may do what those before it may."""

    LISTENER = "listener"
    CURATOR = "curator"
    OPERATOR = "operator"

    def covers(self, needed: Role) -> bool:
        """Return whether this role may do what needs another."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Account:
    """A person. number: never given to another account, so that what is kept under it is theirs alone."""

    number: int
    name: str
    role: Role
    disabled: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of an account. used: last, None for never; to the hour."""

    number: int
    name: str
    created: datetime
    used: datetime | None


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A password made for one player, which signs in by `md5(secret + salt)`."""

    number: int
    name: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What was made, and may be read now and never again."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in of a browser. csrf: what each of its forms must send back."""

    account: Account
    csrf: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class SignIn:
    """What became of a sign-in. account: None when it failed. wait_s: how long no further try is looked at, 0 where one is.

    fitted: what names the password that fitted, so that nothing is done by it that was begun before it was changed.
    """

    account: Account | None
    wait_s: int = 0
    fitted: str = ""
