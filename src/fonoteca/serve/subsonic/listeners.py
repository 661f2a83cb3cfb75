"""Who asks: an account, found by what a player signs in with, or anyone, where the archive is open to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fonoteca.people import Account, People, Role
from fonoteca.serve.subsonic.answers import CallError, Code
from fonoteca.serve.subsonic.asking import Parameters

ANONYMOUS = "anonymous"
"""The name to give a player for an archive that is open to all. Most want a password too, which is not looked at."""

_HEX = "enc:"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who asks. number: of the account, None for who has none. operator: may see who else has an account."""

    name: str
    number: int | None = None
    operator: bool = False

    @property
    def known(self) -> bool:
        """Whether it has an account."""
        return self.number is not None


NOBODY = Listener(ANONYMOUS)


class Listeners(Protocol):
    """The accounts, as signing in asks for them. Each answer is None for what does not fit."""

    @property
    def open_to_all(self) -> bool:
        """Whether anyone may browse and listen without an account."""
        ...

    def by_key(self, key: str) -> Listener | None:
        """Return whose API key this is."""
        ...

    def by_password(self, name: str, password: str) -> Listener | None:
        """Return an account with a player's secret that this is."""
        ...

    def by_token(self, name: str, token: str, salt: str) -> Listener | None:
        """Return an account with a secret of which this is `md5(secret + salt)`."""
        ...


class AccountListeners:
    """The archive's accounts. A player signs in by a key or a secret that was made for it, never by the account's password."""

    def __init__(self, people: People, *, open_to_all: bool) -> None:
        self._people = people
        self.open_to_all = open_to_all

    def by_key(self, key: str) -> Listener | None:
        """Return whose API key this is."""
        return _listener(self._people.by_key(key))

    def by_password(self, name: str, password: str) -> Listener | None:
        """Return the account of whose players this is a secret."""
        return _listener(self._people.by_secret(name, password))

    def by_token(self, name: str, token: str, salt: str) -> Listener | None:
        """Return the account of whose players a secret makes this token."""
        return _listener(self._people.by_token(name, token, salt))


def _listener(account: Account | None) -> Listener | None:
    return Listener(account.name, account.number, account.role.covers(Role.OPERATOR)) if account else None


def sign_in(given: Parameters, listeners: Listeners) -> Listener:
    """Return who asks, by an API key, a token or a password. Raises: CallError."""
    name, by_token = given.text("u"), given.has("t") or given.has("s")
    if given.has("apiKey"):
        if name or by_token or given.has("p"):
            raise CallError(Code.CONFLICT, "Sign in by 'apiKey' alone, or by 'u' with a password or token.")
        return _known(listeners.by_key(given.needed("apiKey")), Code.WRONG_KEY, "This API key is not known, or not valid any more.")
    if by_token and given.has("p"):
        raise CallError(Code.CONFLICT, "Sign in by a token or by a password, not by both.")
    if listeners.open_to_all and name in ("", ANONYMOUS):
        return NOBODY
    wrong = "Wrong username or password. A player has a password of its own, made on the page of the account."
    name = given.needed("u")
    if by_token:
        return _known(listeners.by_token(name, given.needed("t").lower(), given.needed("s")), Code.WRONG, wrong)
    return _known(listeners.by_password(name, _password(given.needed("p"))), Code.WRONG, wrong)


def _known(listener: Listener | None, code: Code, message: str) -> Listener:
    if listener is None:
        raise CallError(code, message)
    return listener


def _password(text: str) -> str:
    """Return a password that is sent as it is, or in hexadecimal digits after `enc:`."""
    if not text.startswith(_HEX):
        return text
    try:
        return bytes.fromhex(text.removeprefix(_HEX)).decode("utf-8")
    except ValueError:  # what is no hexadecimal text is a password of its own
        return text
