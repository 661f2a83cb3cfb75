"""What a person is told when the database of the register or of the accounts fails, and what to do. Never a password."""

from __future__ import annotations

import re

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from fonoteca.model.errors import StoreError

_SECRET_OPTIONS = frozenset({"password", "sslpassword"})
"""libpq's options that are secrets: they may stand in an address's query too."""

_RETRYABLE = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected (PostgreSQL, appendix A): the transaction was undone, and may be tried again."""

_AGAIN = "then run the command again: what was recorded stays, and recording twice is as once."

_BY_STATE = {
    "28P01": "Correct the password: in ~/.pgpass, in PGPASSWORD or in the address.",
    "28000": "Let this user in: see pg_hba.conf of the server.",
    "3D000": "Make the database (`createdb NAME`), or correct its name in the address.",
    "42501": "Give the user of the address the right to make and change tables in this database.",
    "53100": f"Make room on the database's disk, {_AGAIN}",
    "53300": f"Run fewer commands at once, or raise `max_connections`, {_AGAIN}",
    "55P03": f"Another process holds the tables: wait until a rebuild or migration has ended, {_AGAIN}",
    "57014": f"The server may be busy: wait, {_AGAIN}",
    "25006": "The server takes no writes: give the address of the primary.",
    **dict.fromkeys(("57P01", "57P02", "57P03", "57P05"), f"Wait until PostgreSQL is back, {_AGAIN}"),
}

_BY_WORDS = (
    ("password authentication failed", _BY_STATE["28P01"]),
    ("no password supplied", _BY_STATE["28P01"]),
    ("pg_hba.conf", _BY_STATE["28000"]),
    ("does not exist", "Make the database or user that is missing, or correct the address."),
    ("too many clients", _BY_STATE["53300"]),
    ("remaining connection slots", _BY_STATE["53300"]),
    ("too many connections", _BY_STATE["53300"]),
    ("starting up", _BY_STATE["57P03"]),
    ("shutting down", _BY_STATE["57P03"]),
    ("refused", f"Start PostgreSQL, or correct the address, {_AGAIN}"),
    ("server closed the connection", _BY_STATE["57P03"]),
    ("connection is lost", _BY_STATE["57P03"]),
    ("terminating connection", _BY_STATE["57P03"]),
    ("timeout expired", f"Start PostgreSQL, or correct the address, {_AGAIN}"),
)
"""What libpq says of a connection that it never got carries no SQLSTATE, only words."""

_OTHERWISE = "Check disk space and permissions, and that the address in fonoteca.toml is right; then run the command again."


def shown_address(address: str | URL) -> str:
    """Return an address with its secrets left out; of one that cannot be understood only the part before `://`."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return f"{str(address).split('://', 1)[0]}://..."
    if url.host and "@" in url.host:
        return f"{url.drivername}://..."  # an `@` in the password: what follows it looks like a host
    hidden = {name: "***" for name in url.query if name in _SECRET_OPTIONS}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def failure(url: URL, error: Exception) -> StoreError:
    """Return the error to raise for one of the engine, its driver or its pool."""
    cause: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = re.sub(r"\s+", " ", str(cause)).strip()
    state = getattr(cause, "sqlstate", None) or ""
    remedy = _BY_STATE.get(state) or next((advice for words, advice in _BY_WORDS if words in said), _OTHERWISE)
    return StoreError(shown_address(url), f"the database failed: {said}", remedy)


def may_try_again(error: StoreError) -> bool:
    """Return whether a transaction failed only because another one was in its way."""
    cause = error.__cause__
    return getattr(cause.orig if isinstance(cause, DBAPIError) else cause, "sqlstate", None) in _RETRYABLE
