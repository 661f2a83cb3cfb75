"""Distinct types for distinct strings. Each validates when made and is an ordinary `str` otherwise."""

from __future__ import annotations

import re
import uuid
from typing import Self

from fonoteca.model.errors import FormatError

CONTENT_PATH_BYTES_MAX = 100
"""DESIGN idea 4: content paths of at most 100 bytes survive every BitTorrent client and file system met so far."""


SHA256_BYTES = 32

UUID_PATTERN = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""A UUID in lower case, as Python and RE2 read it."""


class _Text(str):
    """A string that obeys a rule: `_rule` says it in words, `_fits` checks it."""

    __slots__ = ()
    _rule = "any text"
    _pattern: re.Pattern[str]

    def __new__(cls, value: str) -> Self:
        if not cls._fits(value):
            raise FormatError(repr(value), f"not a {cls.__name__}: expected {cls._rule}")
        return super().__new__(cls, value)

    @classmethod
    def _fits(cls, value: str) -> bool:
        return cls._pattern.fullmatch(value) is not None


class Sha256(_Text):
    """A SHA-256 digest as 64 lower-case hexadecimal digits."""

    __slots__ = ()
    _rule = "64 lower-case hexadecimal digits"
    _pattern = re.compile(r"[0-9a-f]{64}")

    @classmethod
    def of_bytes(cls, digest: bytes) -> Self:
        """Return the digest of 32 bytes, whose digits need no look: an audit of millions of files makes one for each."""
        if len(digest) != SHA256_BYTES:
            raise FormatError(repr(digest), f"not a SHA-256: expected {SHA256_BYTES} bytes")
        return str.__new__(cls, digest.hex())


class InfohashV1(_Text):
    """The SHA-1 of an info dictionary, 40 lower-case hexadecimal digits (BEP 3)."""

    __slots__ = ()
    _rule = "40 lower-case hexadecimal digits"
    _pattern = re.compile(r"[0-9a-f]{40}")


class InfohashV2(_Text):
    """The SHA-256 of an info dictionary, 64 lower-case hexadecimal digits (BEP 52)."""

    __slots__ = ()
    _rule = "64 lower-case hexadecimal digits"
    _pattern = re.compile(r"[0-9a-f]{64}")


class Isrc(_Text):
    """An ISRC without hyphens, upper case (ISO 3901). An attribute of a recording, never a key."""

    __slots__ = ()
    _rule = "two letters, three letters or digits and seven digits"
    _pattern = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")


class ItemKey(_Text):
    """The natural key of an item at its source, such as `debian:asc-music` or `folder:holst-planets`."""

    __slots__ = ()
    _rule = "SOURCE:NAME in printable ASCII without spaces, at most 200 characters"
    _pattern = re.compile(r"(?=.{3,200}\Z)[a-z][a-z0-9-]*:[!-~]+")


class ObjectId(_Text):
    """The id of an OCFL object: `urn:fonoteca:<kind>:<item key>`."""

    __slots__ = ()
    _rule = "urn:fonoteca:<kind>:<key> in printable ASCII"
    _pattern = re.compile(r"urn:fonoteca:[a-z]+:[!-~]{1,220}")

    @classmethod
    def of(cls, kind: str, key: str) -> ObjectId:
        """Return the id of the object of this kind for this item key."""
        return cls(f"urn:fonoteca:{kind}:{key}")

    @property
    def kind(self) -> str:
        """The kind: `audio`, `artwork` or `drop`."""
        return self.split(":", 3)[2]

    @property
    def key(self) -> str:
        """The item key, or the drop's id."""
        return self.split(":", 3)[3]


_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[^/\ud800-\udfff]+"


class LogicalPath(_Text):
    """A path as received, `/`-separated, relative, without empty, `.` or `..` segments (OCFL 1.1 section 3.5.2.2)."""

    __slots__ = ()
    _rule = "a relative path without empty, '.' or '..' segments"
    _pattern = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


class ContentPath(_Text):
    """A path below an object's root such as `v1/content/01-name.ogg`: ASCII, at most 100 bytes."""

    __slots__ = ()
    _rule = f"vN/content/... of letters, digits, '.', '_', '-', at most {CONTENT_PATH_BYTES_MAX} bytes"
    _pattern = re.compile(rf"(?=.{{1,{CONTENT_PATH_BYTES_MAX}}}\Z)v[1-9][0-9]*/content(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")


class DropId(_Text):
    """The id of a drop: kind and the first 16 hexadecimal digits of its member list's digest, `audio-0123456789abcdef`."""

    __slots__ = ()
    _rule = "metadata|search|audio|artwork, a hyphen and 16 hexadecimal digits"
    _pattern = re.compile(r"(metadata|search|audio|artwork)-[0-9a-f]{16}")


RECORDING_NAMESPACE = uuid.UUID("6f6e6f74-6563-5a61-8000-7265636f7264")
"""Namespace of the ids that Fonoteca gives to recordings which have no MusicBrainz id."""


class RecordingId(_Text):
    """A recording's id: its MBID where it has one, else a UUID version 5 of its natural key."""

    __slots__ = ()
    _rule = "a UUID in lower case"
    _pattern = re.compile(UUID_PATTERN)

    @classmethod
    def of(cls, source: str, natural_key: str) -> RecordingId:
        """Return the stable id of the recording that a source names by this key."""
        return cls(str(uuid.uuid5(RECORDING_NAMESPACE, f"{source}:{natural_key}")))

    @property
    def made_here(self) -> bool:
        """Whether `of` made it, so that it is no MBID: those are no UUIDs version 5."""
        return uuid.UUID(self).version == 5
