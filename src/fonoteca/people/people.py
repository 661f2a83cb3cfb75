"""Accounts, and everything that signs one in. Several processes and machines may have the same tables open."""

from __future__ import annotations

import hmac
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, md5
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, Table, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from fonoteca.model.errors import StoreError, UsageError
from fonoteca.people.nouns import Account, ApiKey, ClientSecret, Role, Session, Shown, SignIn
from fonoteca.people.passwords import Chance, Passwords, Seal
from fonoteca.people.schema import CONTENT_LOCK, accounts, keys, prepare, secrets, sessions
from fonoteca.people.tries import charge, forgive
from fonoteca.ports import Clock
from fonoteca.sql.engine import open_engine, reading, writing

TOKEN_BYTES = 32
SECRET_BYTES = 15
"""Of a player's secret: 20 letters to type on a phone, and 120 bits, which nobody finds by guessing."""

SESSION_KEPT = timedelta(days=30)
USED_STEP_S = 3600
"""A key's last use is noted once an hour, not with every call."""

NAME_LETTERS_MOST = 64
OF_ACCOUNT_MOST = 100
"""Keys, and secrets, that one account may have."""

_KEY_PREFIX = "fnt_"
"""So that scanners of published code can tell what they found."""

_T = TypeVar("_T")


class People:
    """The accounts of an archive."""

    def __init__(self, engine: Engine, clock: Clock, chance: Chance, seal: Seal) -> None:
        self._engine, self._clock, self._chance, self._seal = engine, clock, chance, seal
        self.passwords = Passwords(chance)
        prepare(engine)

    @classmethod
    def open(cls, address: str, clock: Clock, chance: Chance, seal: Seal) -> Self:
        """Return the accounts at an address of SQLAlchemy's or in a SQLite file. Raises: UsageError, StoreError."""
        return cls(open_engine(address), clock, chance, seal)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # Accounts

    def add(self, name: str, password: str, role: Role = Role.LISTENER) -> Account:
        """Return a new account. Raises: UsageError for a name that is taken or cannot be one, or a password of a wrong length."""
        name = _named(name)
        row: dict[str, Any] = {"name": name, "folded": folded(name), "role": str(role), "password": self.passwords.hashed(password)}
        row |= {"disabled": False, "created": self._now()}

        def work(connection: Connection) -> Account:
            if connection.execute(select(accounts.c.number).where(accounts.c.folded == row["folded"])).first():
                raise _taken(name)
            number = connection.execute(insert(accounts).values(**row).returning(accounts.c.number)).scalar_one()
            return _account(connection.execute(select(accounts).where(accounts.c.number == number)).one())

        try:
            return self._write(work)
        except StoreError as error:
            if isinstance(error.__cause__, IntegrityError):  # another process took the name between our look and our row
                raise _taken(name) from error
            raise

    def all(self) -> list[Account]:
        """Return every account by name."""
        with reading(self._engine) as connection:
            return [_account(row) for row in connection.execute(select(accounts).order_by(accounts.c.folded))]

    def named(self, name: str) -> Account | None:
        """Return the account of a name, in whatever case it is typed, None when there is none."""
        return self._account_where(select(accounts).where(accounts.c.folded == folded(name)))

    def set_password(self, number: int, password: str) -> None:
        """Give an account another password, and end its sessions. Raises: UsageError for one of a wrong length."""
        kept = self.passwords.hashed(password)

        def work(connection: Connection) -> None:
            connection.execute(update(accounts).where(accounts.c.number == number).values(password=kept))
            connection.execute(delete(sessions).where(sessions.c.account == number))

        self._write(work)

    def set_disabled(self, number: int, disabled: bool) -> None:
        """Let nobody sign in to an account, by whatever means, or let them again. Its sessions end; what it keeps stays."""

        def work(connection: Connection) -> None:
            connection.execute(update(accounts).where(accounts.c.number == number).values(disabled=disabled))
            connection.execute(delete(sessions).where(sessions.c.account == number))

        self._write(work)

    # Signing in

    def sign_in(self, name: str, password: str, origin: str) -> SignIn:
        """Return whether a name and password fit. origin: the address, or its prefix, that tries are counted for.

        A name that is not known costs and answers as one that is. Tries are counted before they are looked at, in the database.
        """
        who, now = folded(name), self._now()
        wait_s = self._write(lambda connection: charge(connection, who, origin, now))
        if wait_s:
            return SignIn(None, wait_s)
        with reading(self._engine) as connection:
            row = connection.execute(select(accounts).where(accounts.c.folded == who)).first()
        if not self.passwords.fits(password, row.password if row else None) or row is None or row.disabled:
            return SignIn(None)
        self._write(lambda connection: forgive(connection, who, origin))
        return SignIn(_account(row))

    def open_session(self, number: int, before: str = "") -> str:
        """Return the token of a new session, for a cookie. before: the token that the browser had, which ends now."""
        token, expires = self._token(), self._now() + int(SESSION_KEPT.total_seconds())

        def work(connection: Connection) -> str:
            ended = or_(sessions.c.digest == digest(before), sessions.c.expires <= self._now())
            connection.execute(delete(sessions).where(ended))
            connection.execute(insert(sessions).values(digest=digest(token), account=number, expires=expires))
            return token

        return self._write(work)

    def session(self, token: str) -> Session | None:
        """Return the session of a token, None when it ended, or its account is disabled."""
        wanted = sessions.c.digest == digest(token), sessions.c.expires > self._now(), accounts.c.disabled.is_(False)
        with reading(self._engine) as connection:
            row = connection.execute(select(accounts, sessions.c.expires).join(sessions).where(*wanted)).first()
        return Session(_account(row), csrf_of(token), _instant(row.expires)) if row else None

    def close_session(self, token: str) -> None:
        """End a session: its token is worth nothing from now on."""
        self._write(lambda connection: connection.execute(delete(sessions).where(sessions.c.digest == digest(token))))

    # Keys of programs

    def add_key(self, number: int, name: str) -> Shown:
        """Return a new API key of an account, which can be read only now. Raises: UsageError for too many."""
        text = _KEY_PREFIX + self._token()
        return Shown(self._owned(keys, number, {"name": _named(name), "digest": digest(text)}), text)

    def keys(self, number: int) -> list[ApiKey]:
        """Return the keys of an account, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(keys).where(keys.c.account == number).order_by(keys.c.number)).all()
        return [ApiKey(row.number, row.name, _instant(row.created), _instant(row.used) if row.used else None) for row in rows]

    def revoke_key(self, number: int, key: int) -> None:
        """Remove a key of an account; nothing when the account has none of that number."""
        self._write(lambda connection: connection.execute(delete(keys).where(keys.c.account == number, keys.c.number == key)))

    def by_key(self, text: str) -> Account | None:
        """Return whose API key this is, None when it is nobody's, or the account is disabled."""
        wanted = keys.c.digest == digest(text), accounts.c.disabled.is_(False)
        with reading(self._engine) as connection:
            row = connection.execute(select(accounts, keys.c.used).join(keys).where(*wanted)).first()
        if row is None:
            return None
        now = self._now()
        if row.used is None or now - row.used >= USED_STEP_S:
            self._write(lambda connection: connection.execute(update(keys).where(wanted[0]).values(used=now)))
        return _account(row)

    # Secrets of players

    def add_secret(self, number: int, name: str) -> Shown:
        """Return a new secret for one player of an account, which can be read only now. Raises: UsageError for too many."""
        text = urlsafe_b64encode(self._chance(SECRET_BYTES)).decode()
        return Shown(self._owned(secrets, number, {"name": _named(name), "sealed": self._seal.closed(text)}), text)

    def secrets(self, number: int) -> list[ClientSecret]:
        """Return the secrets of an account, oldest first, without what they are."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(secrets).where(secrets.c.account == number).order_by(secrets.c.number)).all()
        return [ClientSecret(row.number, row.name, _instant(row.created)) for row in rows]

    def revoke_secret(self, number: int, secret: int) -> None:
        """Remove a secret of an account; nothing when the account has none of that number."""
        wanted = secrets.c.account == number, secrets.c.number == secret
        self._write(lambda connection: connection.execute(delete(secrets).where(*wanted)))

    def by_secret(self, name: str, secret: str) -> Account | None:
        """Return the account whose player's secret this is, sent as a password. It is no password of the account."""
        return self._by_secret(name, lambda kept: hmac.compare_digest(kept.encode(), secret.encode("utf-8", "replace")))

    def by_token(self, name: str, token: str, salt: str) -> Account | None:
        """Return the account with a secret of which this is `md5(secret + salt)` in hexadecimal digits, as OpenSubsonic has it."""
        salted, sent = salt.encode("utf-8", "replace"), token.lower().encode("utf-8", "replace")
        return self._by_secret(name, lambda kept: hmac.compare_digest(_md5(kept.encode() + salted), sent))

    def _by_secret(self, name: str, fits: Callable[[str], bool]) -> Account | None:
        wanted = accounts.c.folded == folded(name), accounts.c.disabled.is_(False)
        with reading(self._engine) as connection:
            rows = connection.execute(select(accounts, secrets.c.sealed).join(secrets).where(*wanted)).all()
        matched = [row for row in rows if fits(self._seal.opened(row.sealed))]
        return _account(matched[0]) if matched else None

    def _owned(self, table: Table, number: int, row: dict[str, Any]) -> int:
        """Add a row of an account. Returns: its number."""

        def work(connection: Connection) -> int:
            if len(connection.execute(select(table.c.number).where(table.c.account == number)).all()) >= OF_ACCOUNT_MOST:
                raise UsageError(str(row["name"]), f"an account has at most {OF_ACCOUNT_MOST}", "Revoke one that is not used.")
            made = insert(table).values(account=number, created=self._now(), **row).returning(table.c.number)
            found: int = connection.execute(made).scalar_one()
            return found

        return self._write(work)

    def _account_where(self, asked: Select[Any]) -> Account | None:
        with reading(self._engine) as connection:
            row = connection.execute(asked).first()
        return _account(row) if row else None

    def _write(self, work: Callable[[Connection], _T]) -> _T:
        with writing(self._engine, content_lock=CONTENT_LOCK) as connection:
            return work(connection)

    def _token(self) -> str:
        return urlsafe_b64encode(self._chance(TOKEN_BYTES)).decode().rstrip("=")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def folded(name: str) -> str:
    """Return a name as it is compared: without case, and without the ways in which letters can be composed. NUL is no letter."""
    text = name[: 4 * NAME_LETTERS_MOST].replace("\x00", "").encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def digest(token: str) -> str:
    """Return what is kept of a random token: it has no need of a slow hash, since nobody guesses 32 bytes."""
    return blake2b(token.encode("utf-8", "replace"), digest_size=32).hexdigest()


def csrf_of(token: str) -> str:
    """Return what the forms of a session send back: made of its token, which other sites do not have."""
    return blake2b(b"csrf", key=blake2b(token.encode("utf-8", "replace")).digest(), digest_size=32).hexdigest()


def _md5(content: bytes) -> bytes:
    return md5(content, usedforsecurity=False).hexdigest().encode()


def _named(name: str) -> str:
    text = unicodedata.normalize("NFC", name).strip()
    if not text or len(text) > NAME_LETTERS_MOST or not text.isprintable() or not folded(text):
        raise UsageError(
            ascii(name[:NAME_LETTERS_MOST]), "cannot be a name", f"Give 1 to {NAME_LETTERS_MOST} printable characters."
        )
    return text


def _taken(name: str) -> UsageError:
    return UsageError(name, "there is an account of this name", "Choose another name.")


def _account(row: Row[Any]) -> Account:
    return Account(row.number, row.name, Role(row.role), row.disabled, _instant(row.created))


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
