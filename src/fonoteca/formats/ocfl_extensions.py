"""Registered extensions of OCFL, and where the storage layouts among them that we know put an object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fonoteca.formats.ocfl_digests import digest_of, is_known
from fonoteca.model.errors import FormatError

REGISTERED = frozenset(
    {
        "0001-digest-algorithms",
        "0002-flat-direct-storage-layout",
        "0003-hash-and-id-n-tuple-storage-layout",
        "0004-hashed-n-tuple-storage-layout",
        "0005-mutable-head",
        "0006-flat-omit-prefix-storage-layout",
        "0007-n-tuple-omit-prefix-storage-layout",
        "0008-schema-registry",
        "0009-digest-algorithms",
        "0010-differential-n-tuple-omit-prefix-storage-layout",
        "0011-direct-clean-path-layout",
        "0012-hash-and-no-prefix-id-n-tuple-storage-layout",
        "initial",
    }
)
"""Source: the OCFL Extensions repository, 2025."""

_TUPLE_MAX = 32
_NAME_MAX = 100
"""Layout 0003 cuts longer encoded ids here; the digest follows."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]")


def is_registered(name: str) -> bool:
    """Return whether an extension of this name is registered."""
    return name in REGISTERED


@dataclass(frozen=True, slots=True)
class _Tuples:
    """The parameters of the layouts 0003 and 0004."""

    algorithm: str
    size: int
    count: int
    short_root: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> _Tuples:
        """Return the parameters that a config.json gives. Raises: FormatError when one is out of its range."""
        algorithm = config.get("digestAlgorithm", "sha256")
        if not isinstance(algorithm, str) or not is_known(algorithm) or algorithm == "size":
            raise FormatError("config.json", f"digestAlgorithm is {algorithm!r}, expected a registered one")
        numbers = []
        for key in ("tupleSize", "numberOfTuples"):
            number = config.get(key, 3)
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _TUPLE_MAX:
                raise FormatError("config.json", f"{key} is {number!r}, expected a whole number from 0 to {_TUPLE_MAX}")
            numbers.append(number)
        size, count = numbers
        short_root = config.get("shortObjectRoot", False)
        digits = len(digest_of(algorithm, b""))
        if (size == 0) != (count == 0):
            raise FormatError("config.json", f"tupleSize is {size} and numberOfTuples {count}, expected both or neither to be 0")
        if size * count > digits or (short_root is True and size * count == digits):
            raise FormatError("config.json", f"{count} tuples of {size} leave nothing of {digits} digits")
        if not isinstance(short_root, bool):
            raise FormatError("config.json", f"shortObjectRoot is {short_root!r}, expected true or false")
        return cls(algorithm, size, count, short_root)

    def split(self, object_id: str) -> tuple[str, list[str]]:
        """Return the id's digest and the names of the folders above the object."""
        digest = digest_of(self.algorithm, object_id.encode("utf-8"))
        return digest, [digest[at : at + self.size] for at in range(0, self.size * self.count, self.size or 1)]


def _flat_direct(config: Mapping[str, Any]) -> Callable[[str], str]:
    return lambda object_id: object_id


def _hash_and_id(config: Mapping[str, Any]) -> Callable[[str], str]:
    tuples = _Tuples.of({key: value for key, value in config.items() if key != "shortObjectRoot"})

    def path(object_id: str) -> str:
        digest, parts = tuples.split(object_id)
        name = "".join(c if _PLAIN.match(c) else "".join(f"%{b:02x}" for b in c.encode("utf-8")) for c in object_id)
        return "/".join([*parts, name if len(name) <= _NAME_MAX else f"{name[:_NAME_MAX]}-{digest}"])

    return path


def _hashed(config: Mapping[str, Any]) -> Callable[[str], str]:
    tuples = _Tuples.of(config)

    def path(object_id: str) -> str:
        digest, parts = tuples.split(object_id)
        return "/".join([*parts, digest[tuples.size * tuples.count :] if tuples.short_root else digest])

    return path


_LAYOUTS: Mapping[str, Callable[[Mapping[str, Any]], Callable[[str], str]]] = {
    "0002-flat-direct-storage-layout": _flat_direct,
    "0003-hash-and-id-n-tuple-storage-layout": _hash_and_id,
    "0004-hashed-n-tuple-storage-layout": _hashed,
}


def layout_paths(name: str, config: Mapping[str, Any]) -> Callable[[str], str] | None:
    """Return what tells an object's path below the storage root from its id, None for a layout that we do not know.

    config: the layout's config.json, empty where it has none. Raises: FormatError when it is out of its range.
    """
    if name not in _LAYOUTS:
        return None
    if config.get("extensionName", name) != name:
        raise FormatError("config.json", f"extensionName is {config['extensionName']!r}, expected {name!r}")
    return _LAYOUTS[name](config)
