"""What a request says: parameters of the query and of the form, each read once, with the protocol's error for what is odd."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from anyio.to_thread import run_sync
from starlette.requests import Request

from fonoteca.serve.subsonic.answers import CallError, Code

FORM_BYTES_MAX = 4 << 20
"""A play queue or playlist of some 50,000 ids."""

FIELDS_MAX = 60_000
NUMBER_MAX = 10**15
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_FORM = "application/x-www-form-urlencoded"


class Parameters:
    """The parameters of a request, by name."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            # PostgreSQL has no place for NUL.
            self._values.setdefault(name, []).append(value.replace("\x00", ""))

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter, or the default where it is missing."""
        found = self._values.get(name)
        return found[0] if found else default

    def needed(self, name: str) -> str:
        """Return a parameter. Raises: CallError where it is missing or empty."""
        value = self.text(name)
        if not value:
            raise CallError(Code.MISSING, f"Required parameter '{name}' is missing.")
        return value

    def all(self, name: str) -> list[str]:
        """Return every value of a parameter that may come several times, without empty ones."""
        return [value for value in self._values.get(name, ()) if value]

    def has(self, name: str) -> bool:
        """Return whether a parameter is there, be it empty."""
        return name in self._values

    def number(self, name: str, default: int, least: int = 0, most: int = NUMBER_MAX) -> int:
        """Return a whole number, the nearest one in its bounds. Raises: CallError for what is none."""
        value = self.text(name).strip()
        return min(max(_number(name, value), least), most) if value else default

    def needed_number(self, name: str) -> int:
        """Return a whole number. Raises: CallError where it is missing or none."""
        return _number(name, self.needed(name).strip())

    def numbers(self, name: str) -> list[int]:
        """Return every value of a parameter as a whole number. Raises: CallError for what is none."""
        return [_number(name, value.strip()) for value in self.all(name)]

    def flag(self, name: str, *, default: bool) -> bool:
        """Return whether a parameter says yes."""
        value = self.text(name).strip().lower()
        return value in ("true", "1", "yes", "on") if value else default


def _number(name: str, value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise CallError(Code.GENERIC, f"Parameter '{name}' is not a whole number.")
    return min(max(int(value), -NUMBER_MAX), NUMBER_MAX)


async def read_parameters(request: Request) -> Parameters:
    """Return what a request says in its address and, where it has one, in its form.

    Raises: CallError for a form that is too long.
    """
    pairs = _pairs(request.url.query)
    if request.method == "POST" and request.headers.get("content-type", "").split(";")[0].strip().lower() == _FORM:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > FORM_BYTES_MAX:
                raise CallError(Code.GENERIC, f"The form is longer than {FORM_BYTES_MAX:,} bytes.", 413)
        # A thread's work: one of 4 MiB takes a third of a second, in which nobody else would be answered.
        pairs += await run_sync(_pairs, body.decode("utf-8", "replace"))
    return Parameters(pairs)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of a query. Raises: CallError for more than FIELDS_MAX."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise CallError(Code.GENERIC, "The parameters could not be read.") from error
