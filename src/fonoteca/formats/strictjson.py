"""JSON that can mean one thing only: UTF-8, no key twice, no lone surrogates, bounded depth, numbers that every reader reads
alike (I-JSON, RFC 7493 section 2).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from json.encoder import encode_basestring as _quoted
from typing import Any, NoReturn

from fonoteca.model.errors import FormatError

INTEGER_MAX = 2**53 - 1
"""RFC 7493 section 2.2: many readers keep numbers as doubles, which hold no larger integer exactly."""

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(content: bytes, subject: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Return the value. pairs: makes a JSON object from its keys and values, and judges keys that are there twice.

    Raises: FormatError naming `subject` for anything that two readers could read differently.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=pairs or _object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
        if _ESCAPED_SURROGATE.search(content):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError:
        raise FormatError(subject, "the JSON is nested too deeply") from None
    except UnicodeEncodeError:
        raise FormatError(subject, "an escape stands for half a character") from None
    except UnicodeDecodeError as error:
        raise FormatError(subject, f"not UTF-8 at byte {error.start}") from None
    except FormatError as error:
        raise FormatError(subject, error.problem) from None
    except ValueError as error:
        raise FormatError(subject, f"not JSON: {error}") from None


def json_bytes(value: object, subject: str) -> bytes:
    """Return a value as JSON with sorted keys, one space of indent and a last newline: the same bytes for the same value.

    Lone surrogates in text, which no UTF-8 can hold, become U+FFFD. Raises: FormatError for NaN and infinities.
    """
    parts: list[str] = []
    try:
        _write(value, "\n", parts)
    except (ValueError, RecursionError) as error:
        raise FormatError(subject, f"cannot be written as JSON: {error}") from None
    return (whole_text("".join(parts)) + "\n").encode()


def _write(value: Any, line: str, parts: list[str]) -> None:
    """Add a value as `json.dumps` lays it out with sorted keys and an indent of one space.

    With an indent the standard library leaves its encoder in C for a chain of generators, which takes three times as long.
    line: a line break and the indent that the value stands at. Raises: ValueError, TypeError as `json.dumps` does.
    """
    kind = type(value)
    if kind is dict and value:
        inner, comma = f"{line} ", "{"
        for key in sorted(value):
            parts.append(f"{comma}{inner}{_quoted(key)}: ")
            _write(value[key], inner, parts)
            comma = ","
        parts.append(f"{line}}}")
    elif kind in (list, tuple) and value:
        inner, comma = f"{line} ", "["
        for each in value:
            parts.append(f"{comma}{inner}")
            _write(each, inner, parts)
            comma = ","
        parts.append(f"{line}]")
    elif isinstance(value, str):
        parts.append(_quoted(value))
    elif kind is int or (kind is float and math.isfinite(value)):
        parts.append(repr(value))
    elif value is None:
        parts.append("null")
    else:
        parts.append(json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False))


def whole_text(text: str) -> str:
    """Return text as UTF-8 can carry it: lone surrogates become U+FFFD, and two that make a character that character."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys are all different."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FormatError("", "a key is there twice in one object")
    return found


def _finite(digits: str) -> float:
    """Return a number that a double can hold."""
    number = float(digits)
    if not math.isfinite(number):
        raise FormatError("", f"{digits[:40]} is too large for a number")
    return number


def _integer(digits: str) -> int:
    """Return an integer that every reader can hold."""
    number = int(digits) if len(digits) <= 17 else INTEGER_MAX + 1
    if abs(number) > INTEGER_MAX:
        raise FormatError("", f"{digits[:40]} is too large for an integer")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise FormatError("", f"{name} is not JSON")
