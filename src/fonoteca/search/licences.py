"""Licences as a filter knows them: the short name in a Creative Commons address, and `other` for any other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LICENCES = ("", "other", "cc0", "pdm", "by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
"""By their codes. "" is no licence that we know of."""

_PUBLIC = {"zero": "cc0", "mark": "pdm"}
_ADDRESS = r"creativecommons\.org/(?:licenses|publicdomain)/(?P<name>[a-z-]+)"


def licence_codes(addresses: pa.ChunkedArray) -> np.ndarray:
    """Return the code of each licence's address, a place in LICENCES."""
    coded = pc.dictionary_encode(pc.fill_null(addresses, "")).combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    if not len(coded):
        return np.zeros(0, np.uint8)
    names = pc.struct_field(pc.extract_regex(pc.ascii_lower(coded.dictionary), _ADDRESS), "name").to_pylist()
    codes = [_code(address, name) for address, name in zip(coded.dictionary.to_pylist(), names, strict=True)]
    return np.asarray(np.array(codes, np.uint8)[np.asarray(coded.indices)])


def _code(address: str, name: str | None) -> int:
    known = _PUBLIC.get(name or "", name or "")
    if known in LICENCES[2:]:
        return LICENCES.index(known)
    return LICENCES.index("other") if address.strip() else 0
