"""Who asks: an account, found by what a player signs in with, or anyone, where the archive is open to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fonoteca.serve.subsonic.answers import CallError, Code
from fonoteca.serve.subsonic.asking import Parameters

ANONYMOUS = "anonymous"
"""The name to give a player for an archive that is open to all. Most want a password too, which is not looked at."""

_HEX = "enc:"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who asks. operator: may see who else has an account. known: has an account."""

    name: str
    operator: bool = False
    known: bool = True


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
        """Return an account whose password, or a player's own secret, this is."""
        ...

    def by_token(self, name: str, token: str, salt: str) -> Listener | None:
        """Return an account with a secret of which this is `md5(secret + salt)`."""
        ...


class Anyone:
    """No accounts: everyone may browse and listen, and nothing is kept of anyone."""

    open_to_all = True

    def by_key(self, key: str) -> Listener | None:
        """Return None: there are no keys."""
        return None

    def by_password(self, name: str, password: str) -> Listener | None:
        """Return None: there are no accounts."""
        return None

    def by_token(self, name: str, token: str, salt: str) -> Listener | None:
        """Return None: there are no secrets."""
        return None


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
        return Listener(ANONYMOUS, known=False)
    wrong = "Wrong username or password."
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
