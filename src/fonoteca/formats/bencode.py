"""Bencode, strictly canonical: what BEP 3 says and nothing more lenient, so that equal values have equal bytes.

Everything that a torrent file of a stranger contains passes here first: depth, tokens and digits are bounded
before anything is built from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from fonoteca.model.errors import FormatError

DEPTH_MAX = 32
"""Containers inside containers. A hybrid torrent of the store needs 14: root, info, tree, eight path parts, leaf."""

TOKENS_MAX = 3_000_000
"""Strings, integers and containers; libtorrent 2.1 has the same default (`load_torrent_limits.max_decode_tokens`)."""

_INT_MAX = 2**63 - 1
_INT_MIN = -(2**63)
_INT_DIGITS_MAX = 20
"""A sign and the 19 digits of 2**63: clients read integers into 64 bits."""

_LENGTH_DIGITS_MAX = 10

Value: TypeAlias = "int | bytes | list[Value] | dict[bytes, Value]"
"""What `decode` gives: byte strings stay bytes, since torrents keep digests in them."""

Encodable: TypeAlias = "int | bytes | str | Sequence[Encodable] | Mapping[bytes, Encodable] | Mapping[str, Encodable]"
"""What `encode` takes: text is written as UTF-8."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why bytes are not canonical bencode. kind: one word, `depth`, `tokens`, `value`, `length`, `short`, `integer`, `key`,
    `order`, `trailing` or `dictionary`. offset: where, in bytes from the start.
    """

    kind: str
    offset: int
    problem: str


@dataclass(frozen=True, slots=True)
class Spanned:
    """A dictionary, and where in the content the encoding of each of its values starts and ends (exclusive)."""

    value: dict[bytes, Value]
    spans: dict[bytes, tuple[int, int]]


class _FaultError(Exception):
    """Ends a reading. It leaves this module as a `Fault` or a FormatError only."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.problem)


def encode(value: Encodable) -> bytes:
    """Return the one canonical encoding of a value: dictionary keys in ascending order of their raw bytes.

    Raises: FormatError for a type that bencode has not, an integer beyond 64 bits, or two keys with the same bytes.
    Cost: O(bytes), one list of parts beside the answer.
    """
    parts: list[bytes] = []
    _write(value, parts)
    return b"".join(parts)


def _write(value: Encodable, parts: list[bytes]) -> None:
    """Append the encoding of one value to `parts`."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        parts.append(b"%d:" % len(value))
        parts.append(value)
    elif isinstance(value, bool):
        raise FormatError("bencode", "expected an integer, found a truth value")
    elif isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise FormatError("bencode", f"integer {value} does not fit 64 bits")
        parts.append(b"i%de" % value)
    elif isinstance(value, Mapping):
        _write_dictionary(value, parts)
    elif isinstance(value, Sequence):
        parts.append(b"l")
        for item in value:
            _write(item, parts)
        parts.append(b"e")
    else:
        raise FormatError("bencode", f"expected bytes, text, integer, list or dictionary, found {type(value).__name__}")


def _write_dictionary(value: Mapping[bytes, Encodable] | Mapping[str, Encodable], parts: list[bytes]) -> None:
    """Append a dictionary, its keys sorted "as raw strings, not alphanumerics" (BEP 3)."""
    raw: dict[bytes, Encodable] = {key.encode() if isinstance(key, str) else key: item for key, item in value.items()}
    if len(raw) != len(value):
        raise FormatError("bencode", "two keys of a dictionary have the same bytes")
    parts.append(b"d")
    for key in sorted(raw):
        parts.append(b"%d:" % len(key))
        parts.append(key)
        _write(raw[key], parts)
    parts.append(b"e")


def decode(content: bytes, *, depth_max: int = DEPTH_MAX, tokens_max: int = TOKENS_MAX) -> Value:
    """Return the value that `content` encodes, all of it and canonically.

    depth_max: containers inside containers. tokens_max: strings, integers and containers together.
    Raises: FormatError, with the offset, for anything that `encode` would not have written, and at either bound.
    Cost: O(bytes), about 0.4 us a token; memory is bounded by tokens_max, whatever lengths the content claims.
    Source: BEP 3, "bencoding".
    """
    try:
        return _Reader(content, depth_max, tokens_max).whole()
    except _FaultError as error:
        raise _format_error(error.fault, content) from None


def decode_spanned(content: bytes, *, depth_max: int = DEPTH_MAX) -> tuple[dict[bytes, Value], dict[bytes, tuple[int, int]]]:
    """Return a dictionary and where in `content` the encoding of each of its values starts and ends (exclusive).

    A torrent's infohash is a digest of such a span (BEP 3, BEP 52), not of something encoded anew.
    Raises: FormatError as `decode` does, and when the content is not a dictionary.
    """
    found = judged(content, depth_max=depth_max)
    if isinstance(found, Fault):
        raise _format_error(found, content)
    return found.value, found.spans


def judged(content: bytes, *, depth_max: int = DEPTH_MAX) -> Spanned | Fault:
    """Return what `decode_spanned` does, with a refusal as a value: what is wrong first."""
    reader = _Reader(content, depth_max, TOKENS_MAX)
    try:
        value = reader.whole()
    except _FaultError as error:
        return error.fault
    if not isinstance(value, dict):
        return Fault("dictionary", 0, f"expected a dictionary, found {type(value).__name__}")
    return Spanned(value, reader.spans)


def _format_error(fault: Fault, content: bytes) -> FormatError:
    return FormatError("bencode", f"{fault.problem}, at offset {fault.offset} of {len(content)}")


class _Reader:
    """One pass over one encoding. spans: of the values of the outermost dictionary."""

    __slots__ = ("_content", "_depth_max", "_tokens_left", "spans")

    def __init__(self, content: bytes, depth_max: int, tokens_max: int) -> None:
        self._content = content
        self._depth_max = depth_max
        self._tokens_left = tokens_max
        self.spans: dict[bytes, tuple[int, int]] = {}

    def whole(self) -> Value:
        """Return the value that fills the content."""
        value, end = self._value(0, 0)
        if end != len(self._content):
            self._refuse("trailing", end, "bytes after the end of the value")
        return value

    def _value(self, start: int, depth: int) -> tuple[Value, int]:
        """Return the value at `start` and where it ends. depth: containers around it."""
        kind = self._content[start : start + 1]
        if kind.isdigit():
            return self._string(start)
        self._tokens_left -= 1
        if self._tokens_left < 0:
            self._refuse("tokens", start, "more tokens than allowed")
        if kind == b"i":
            return self._integer(start)
        if kind not in (b"d", b"l"):
            self._refuse("value", start, f"expected a value, found {kind!r}")
        if depth >= self._depth_max:
            self._refuse("depth", start, f"containers nested deeper than {self._depth_max}")
        return self._dictionary(start, depth) if kind == b"d" else self._list(start, depth)

    def _string(self, start: int) -> tuple[bytes, int]:
        """Return the byte string at `start` and where it ends."""
        self._tokens_left -= 1
        if self._tokens_left < 0:
            self._refuse("tokens", start, "more tokens than allowed")
        colon = self._content.find(b":", start, start + _LENGTH_DIGITS_MAX + 1)
        digits = self._content[start:colon]
        if colon < 0 or not digits.isdigit() or (digits[0] == 48 and len(digits) > 1):
            self._refuse("length", start, "expected the length of a string without leading zeros, and a colon")
        end = colon + 1 + int(digits)
        if end > len(self._content):
            self._refuse("short", start, f"a string of {int(digits)} bytes ends after the content")
        return self._content[colon + 1 : end], end

    def _integer(self, start: int) -> tuple[int, int]:
        """Return the integer at `start` and where it ends."""
        end = self._content.find(b"e", start, start + _INT_DIGITS_MAX + 2)
        digits = self._content[start + 1 : end] if end > 0 else b""
        magnitude = digits[1:] if digits[:1] == b"-" else digits
        canonical = magnitude.isdigit() and (magnitude[0] != 48 or digits == b"0")
        if not canonical or not _INT_MIN <= int(digits) <= _INT_MAX:
            self._refuse("integer", start, "expected an integer of 64 bits without leading zeros")
        return int(digits), end + 1

    def _list(self, start: int, depth: int) -> tuple[list[Value], int]:
        """Return the list at `start` and where it ends."""
        items: list[Value] = []
        at = start + 1
        while self._content[at : at + 1] != b"e":
            item, at = self._value(at, depth + 1)
            items.append(item)
        return items, at + 1

    def _dictionary(self, start: int, depth: int) -> tuple[dict[bytes, Value], int]:
        """Return the dictionary at `start` and where it ends."""
        items: dict[bytes, Value] = {}
        last: bytes | None = None
        at = start + 1
        while self._content[at : at + 1] != b"e":
            if not self._content[at : at + 1].isdigit():
                self._refuse("key", at, "expected a key, which is a string")
            key, value_start = self._string(at)
            if last is not None and key <= last:
                self._refuse("order", at, f"key {key[:40]!r} is out of order or appears twice")
            last = key
            items[key], at = self._value(value_start, depth + 1)
            if depth == 0:
                self.spans[key] = (value_start, at)
        return items, at + 1

    def _refuse(self, kind: str, offset: int, problem: str) -> NoReturn:
        """Raise what is wrong, and where."""
        raise _FaultError(Fault(kind, offset, problem))
