"""JSON that can mean one thing only: UTF-8, no key twice, no NaN, no lone surrogates, bounded depth."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fonoteca.model.errors import FormatError


def parse_json(content: bytes, subject: str) -> Any:
    """Return the value. Raises: FormatError naming `subject` for anything that two readers could read differently."""
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise FormatError(subject, "the JSON is nested too deeply") from None
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
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    except ValueError as error:
        raise FormatError(subject, f"cannot be written as JSON: {error}") from None
    return (text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") + "\n").encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys are all different."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FormatError("", "a key is there twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise FormatError("", f"{name} is not JSON")
