"""Comparing statements of licence, so that two spellings of one licence do not split an item.

This is no judgement: whether a statement is a licence at all, and what it permits, is for `fonoteca.rights`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from fonoteca.model.rights import Scheme

_SUFFIX_CHARS_MAX = 48
_CC = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?:licenses|publicdomain)/([a-z+-]+)/(\d\.\d)"
    r"(?:/(?!deed|legalcode)([a-z]{2,8}))?(?:/(?:deed|legalcode)[._a-z-]*)?/?",
    re.IGNORECASE,
)
_GNU = re.compile(r"(gfdl|[al]?gpl)[- ]?(?:v(?:ersion )?)?(\d(?:\.\d)?)(?:\.0)?(\+|-or-later| or later|-only)?")
_CC_NAMES = {"zero": "cc0", "mark": "cc-pdm", "publicdomain": "cc-pd"}


def scheme_of(statement: str) -> Scheme:
    """Return how a licence that a person wrote in a rights.toml is expressed: as an address or as an SPDX name."""
    if re.match(r"https?://rightsstatements\.org/", statement, re.IGNORECASE):
        return Scheme.RIGHTS_STATEMENT
    return Scheme.LICENCE_URI if re.match(r"https?://", statement, re.IGNORECASE) else Scheme.SPDX


def plain_name(statement: str) -> str:
    """Return one lower-case spelling for the many spellings of a statement: `cc-by-sa-3.0`, `gpl-2+`, or its own words.

    Words beside a name or an address make it another statement: they may limit what the licence grants. Lines that say the
    same count once.
    """
    return "; ".join(dict.fromkeys(_plain_line(line) for line in statement.splitlines() if line.strip()))


def _plain_line(line: str) -> str:
    text = " ".join(line.casefold().split())
    match = _CC.fullmatch(text)
    if match:
        code, version, port = match.groups()
        name = _CC_NAMES.get(code, f"cc-{code}")
        return "-".join(part for part in (name, version, port) if part)
    match = _GNU.fullmatch(text)
    if match:
        family, version, later = match.groups()
        return f"{family}-{version.removesuffix('.0')}{'+' if later and later != '-only' else ''}"
    return text.replace(" ", "-") if text.startswith("cc ") else text


def suffix_of(statements: Iterable[str]) -> str:
    """Return the part of an item's key that tells files under these statements from others, `unlicensed` for none.

    Stable: it depends on the statements alone, in any order and spelling. Printable ASCII, at most 48 characters.
    """
    names = sorted({plain_name(s) for s in statements if s.strip()})
    if not names:
        return "unlicensed"
    slugs = [re.sub(r"[^a-z0-9.+-]+", "-", name).strip("-") for name in names]
    text = "_".join(slugs)
    if slugs == names and len(text) <= _SUFFIX_CHARS_MAX:
        return text
    # Something was lost on the way to ASCII: a few digits of a digest keep different statements apart.
    digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{text[: _SUFFIX_CHARS_MAX - 9]}-{digest}".strip("-")
