"""Pad files of hybrid torrents (BEP 47): `.pad/N` stands for N zero bytes, which nobody keeps.

Clients that know pads never ask for them. Others do, and take a web seed that has none for incomplete.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import BinaryIO, cast

_LENGTH = re.compile(r"[1-9][0-9]{0,9}")
_FOLDER = ".pad"


def pad_bytes_of(parts: Sequence[str], piece_bytes: int) -> int | None:
    """Return how long the pad file at a path in a torrent is, None when the path is none.

    A pad fills a piece, so it is shorter than one (BEP 52, "Upgrade Path"): nobody gets more zeros than that from us.
    """
    if len(parts) != 2 or parts[0] != _FOLDER or not _LENGTH.fullmatch(parts[1]):
        return None
    pad_bytes = int(parts[1])
    return pad_bytes if pad_bytes < piece_bytes else None


class Zeros:
    """Opens pads: a key is the number of zeros."""

    def open(self, key: str) -> BinaryIO:
        """Return so many zeros as a stream."""
        return cast(BinaryIO, io.BytesIO(bytes(int(key))))
