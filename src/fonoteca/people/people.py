"""Accounts, and everything that signs one in. Several processes and machines may have the same tables open."""

from __future__ import annotations

import hmac
import unicodedata
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, md5
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, Table, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.settings import NoticeSettings
from fonoteca.people import portable
from fonoteca.people.accesses import Accesses
from fonoteca.people.docket import Docket
from fonoteca.people.notices import Notices
from fonoteca.people.notices.tables import upgrade_from_5
from fonoteca.people.nouns import Account, ApiKey, ClientSecret, Role, Session, Shown, SignIn
from fonoteca.people.passwords import Chance, Passwords, Seal
from fonoteca.people.personal import Personal
from fonoteca.people.personal.desk import Desk
from fonoteca.people.schema import CONTENT_LOCK, Changes, accounts, keys, prepare, secrets, sessions, setups
from fonoteca.people.tries import charge, forgive, waits
from fonoteca.ports import Clock
from fonoteca.sql.engine import open_engine, reading, write, writing

TOKEN_BYTES = 32
SECRET_BYTES, SECRET_GROUP = 15, 6
"""Of a player's secret: four groups of six letters to type on a phone, and 120 bits, which nobody finds by guessing."""

SESSION_KEPT = timedelta(days=30)
SETUP_KEPT = timedelta(hours=24)
"""How long the first operator may take: a server that starts at night is set up in the morning."""

USED_STEP_S = 3600
"""A key's last use is noted once an hour, not with every call."""

NAME_LETTERS_MOST = 64
OF_ACCOUNT_MOST = 100
"""Keys, and secrets, that one account may have."""

NOTICES = NoticeSettings()
_CHANGES: Changes = {5: upgrade_from_5}

_KEY_PREFIX = "fnt_"
"""So that scanners of published code can tell what they found."""

_T = TypeVar("_T")


class People:
    """The accounts of an archive."""

    def __init__(self, engine: Engine, clock: Clock, chance: Chance, seal: Seal, kept: NoticeSettings = NOTICES) -> None:
        self._engine, self._clock, self._chance, self._seal = engine, clock, chance, seal
        self.passwords = Passwords(chance)
        prepare(engine, _CHANGES)
        self.personal = Personal(engine, clock)
        self.accesses = Accesses(engine, clock, chance)
        self.notices = Notices(Desk(engine, clock), chance, kept)
        self.docket = Docket(Desk(engine, clock))

    @classmethod
    def open(cls, address: str, clock: Clock, chance: Chance, seal: Seal, kept: NoticeSettings = NOTICES) -> Self:
        """Return the accounts at an address of SQLAlchemy's or in a SQLite file. Raises: UsageError, StoreError."""
        return cls(open_engine(address), clock, chance, seal, kept)

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
        row = self._new_row(name, password, role)
        return self._made(row["name"], lambda connection: _inserted(connection, row))

    def new_setup(self) -> str:
        """Return a token that makes the first operator, good for SETUP_KEPT; "" when there is an operator."""
        token, now = self._token(), self._now()

        def work(connection: Connection) -> str:
            connection.execute(delete(setups).where(setups.c.expires <= now))
            if _operators(connection):
                return ""
            connection.execute(insert(setups).values(digest=digest(token), expires=now + int(SETUP_KEPT.total_seconds())))
            return token

        return self._write(work)

    def may_set_up(self, token: str) -> bool:
        """Return whether a token makes the first operator now."""
        with reading(self._engine) as connection:
            return self._is_setup(connection, token) and not _operators(connection)

    def set_up(self, token: str, name: str, password: str) -> Account | None:
        """Return the first operator, None for a token that is not good, or no more. Raises: as `add`."""
        row = self._new_row(name, password, Role.OPERATOR)

        def work(connection: Connection) -> Account | None:
            if not self._is_setup(connection, token) or _operators(connection):
                return None
            # Whoever deletes the rows first goes on; another one waits for that, and finds none.
            gone = connection.execute(delete(setups).returning(setups.c.digest)).scalars().all()
            return _inserted(connection, row) if digest(token) in gone else None

        return self._made(row["name"], work)

    def _is_setup(self, connection: Connection, token: str) -> bool:
        wanted = setups.c.digest == digest(token), setups.c.expires > self._now()
        return connection.execute(select(setups.c.digest).where(*wanted)).first() is not None

    def _new_row(self, name: str, password: str, role: Role) -> dict[str, Any]:
        name = _named(name)
        row = {"name": name, "folded": folded(name), "role": str(role), "password": self.passwords.hashed(password)}
        return {**row, "disabled": False, "created": self._now()}

    def _made(self, name: str, work: Callable[[Connection], _T]) -> _T:
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

    def numbered(self, number: int) -> Account | None:
        """Return the account of a number, None when there is none."""
        return self._account_where(select(accounts).where(accounts.c.number == number))

    def set_role(self, number: int, role: Role) -> None:
        """Give an account another role, and end its sessions. Raises: UsageError for the last operator."""

        def work(connection: Connection) -> None:
            if role is not Role.OPERATOR:
                _keep_an_operator(connection, number)
            changed = update(accounts).where(accounts.c.number == number, accounts.c.role != str(role)).values(role=str(role))
            if connection.execute(changed).rowcount:
                connection.execute(delete(sessions).where(sessions.c.account == number))

        self._write(work)

    def remove(self, number: int) -> None:
        """Remove an account and all that is kept for it. Raises: UsageError for the last operator."""

        def work(connection: Connection) -> None:
            _keep_an_operator(connection, number)
            connection.execute(delete(accounts).where(accounts.c.number == number))

        self._write(work)

    def new_password(self) -> str:
        """Return a password that nobody guesses, to be handed to a person."""
        return self._typed()

    def set_password(self, number: int, password: str, fitted: str = "") -> str:
        """Give an account another password, and end its sessions. fitted: of the present one, where that had to be shown.

        Returns: `fitted` of the new one; "" where the account is disabled by now, or has another password than was shown.
        Raises: UsageError for one of a wrong length.
        """
        kept = self.passwords.hashed(password)

        def work(connection: Connection) -> str:
            if fitted and not _still_fits(connection, number, fitted):
                return ""
            connection.execute(update(accounts).where(accounts.c.number == number).values(password=kept))
            connection.execute(delete(sessions).where(sessions.c.account == number))
            return digest(kept)

        return self._write(work)

    def set_disabled(self, number: int, disabled: bool) -> None:
        """Let nobody sign in to an account, by whatever means, or let them again. Its sessions end; what it keeps stays.

        Raises: UsageError for the last operator.
        """

        def work(connection: Connection) -> None:
            if disabled:
                _keep_an_operator(connection, number)
            connection.execute(update(accounts).where(accounts.c.number == number).values(disabled=disabled))
            connection.execute(delete(sessions).where(sessions.c.account == number))

        self._write(work)

    # Backup

    def dump(self, *, whole: bool = False) -> Iterator[bytes]:
        """Yield the accounts and what is kept for them as lines, from one state; what ends by itself is left out.

        whole: with who sent notices that are settled, for tables that move and not for a backup.
        """
        with reading(self._engine) as connection:
            yield from portable.dump(connection, whole=whole)

    def load(self, lines: Iterable[bytes]) -> int:
        """Fill the tables from lines that `dump` gave, in place of all they hold. Returns: how many rows. Raises: FormatError."""
        given = iter(lines)
        with writing(self._engine, content_lock=CONTENT_LOCK, alone=True) as connection:
            return portable.load(connection, given, self._now())

    # Signing in

    def sign_in(self, name: str, password: str, origin: str) -> SignIn:
        """Return whether a name and password fit. origin: the address, or its prefix, that tries are counted for.

        A name that is not known costs and answers as one that is. Tries are counted before they are looked at, in the database.
        """
        who, now = folded(name), self._now()
        with reading(self._engine) as connection:
            wait_s = waits(connection, who, origin, now)
        wait_s = wait_s or self._write(lambda connection: charge(connection, who, origin, now))
        if wait_s:
            return SignIn(None, wait_s)
        with reading(self._engine) as connection:
            row = connection.execute(select(accounts).where(accounts.c.folded == who)).first()
        if not self.passwords.fits(password, row.password if row else None) or row is None or row.disabled:
            return SignIn(None)
        self._write(lambda connection: forgive(connection, who, origin))
        return SignIn(_account(row), fitted=digest(row.password))

    def open_session(self, number: int, before: str = "", fitted: str = "") -> str:
        """Return the token of a new session, for a cookie. before: the token that the browser had, which ends now.

        fitted: of the sign-in that it is for. Returns: "" where the account is disabled by now, or has another password.
        """
        token, expires = self._token(), self._now() + int(SESSION_KEPT.total_seconds())

        def work(connection: Connection) -> str:
            if fitted and not _still_fits(connection, number, fitted):
                return ""
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

    def session_count(self, number: int) -> int:
        """Return how many browsers are signed in to an account."""
        wanted = sessions.c.account == number, sessions.c.expires > self._now()
        with reading(self._engine) as connection:
            return connection.execute(select(func.count()).select_from(sessions).where(*wanted)).scalar_one()

    def close_sessions(self, number: int, but: str = "") -> None:
        """End all sessions of an account but that of one token."""
        ended = sessions.c.account == number, sessions.c.digest != digest(but)
        self._write(lambda connection: connection.execute(delete(sessions).where(*ended)))

    def form_token(self) -> str:
        """Return a token for the forms of a browser that has no session yet."""
        return self._token()

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
        text = self._typed()
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
        with reading(self._engine) as connection:
            rows = connection.execute(_SECRETS_OF, {"name": folded(name)}).all()
        failed: StoreError | None = None
        for row in rows:
            try:
                if fits(self._seal.opened(row.sealed)):
                    return _account(row)
            except StoreError as error:  # closed by a key that is lost: others may be good
                failed = error
        if failed is not None:
            raise failed
        return None

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
        return write(self._engine, work, content_lock=CONTENT_LOCK)

    def _typed(self) -> str:
        """Return a secret to be typed: in small letters and digits of which none looks like another, in groups."""
        letters = b32encode(self._chance(SECRET_BYTES)).decode().lower()
        return "-".join(letters[start : start + SECRET_GROUP] for start in range(0, len(letters), SECRET_GROUP))

    def _token(self) -> str:
        return urlsafe_b64encode(self._chance(TOKEN_BYTES)).decode().rstrip("=")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


_SECRETS_OF = (
    select(accounts, secrets.c.sealed).join(secrets).where(accounts.c.folded == bindparam("name"), accounts.c.disabled.is_(False))
)
"""Made once: players sign in with every call."""


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


def _inserted(connection: Connection, row: dict[str, Any]) -> Account:
    """Return the account of a new row. Raises: UsageError when its name is taken."""
    if connection.execute(select(accounts.c.number).where(accounts.c.folded == row["folded"])).first():
        raise _taken(row["name"])
    return _account(connection.execute(insert(accounts).values(**row).returning(accounts)).one())


def _operators(connection: Connection) -> list[int]:
    """Return the numbers of the operators that can sign in."""
    wanted = accounts.c.role == str(Role.OPERATOR), accounts.c.disabled.is_(False)
    return list(connection.execute(select(accounts.c.number).where(*wanted).order_by(accounts.c.number)).scalars())


def _keep_an_operator(connection: Connection, number: int) -> None:
    """Raise UsageError when an account is the last operator: nobody could make another one on the site."""
    wanted = accounts.c.role == str(Role.OPERATOR), accounts.c.disabled.is_(False)
    locked = select(accounts.c.number).where(*wanted).order_by(accounts.c.number).with_for_update()
    if list(connection.execute(locked).scalars()) == [number]:
        raise UsageError("account", "it is the last operator", "Make another account an operator first.")


def _still_fits(connection: Connection, number: int, fitted: str) -> bool:
    """Return whether an account may be signed in to by the password that fitted. It stays so until the transaction ends."""
    wanted = accounts.c.number == number, accounts.c.disabled.is_(False)
    kept = connection.execute(select(accounts.c.password).where(*wanted).with_for_update()).scalar()
    return kept is not None and digest(kept) == fitted


def _taken(name: str) -> UsageError:
    return UsageError(name, "there is an account of this name", "Choose another name.")


def _account(row: Row[Any]) -> Account:
    return Account(row.number, row.name, Role(row.role), row.disabled, _instant(row.created))


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
