"""Words of curators about the catalogue: that recordings are one, or that one is several."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fonoteca.model.ids import RecordingId


class WordKind(StrEnum):
    """What a word says."""

    MERGE = "merge"
    """`ids` are the recording."""
    SPLIT = "split"
    """`ids` are not the recording, but one of their own."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a curator said of a recording, and why. ids: of other recordings (merge), or of rows of it (split), each once.

    entry: its number in the docket. at: when it was put down there; the two together tell words apart.
    """

    kind: WordKind
    recording: RecordingId
    ids: tuple[RecordingId, ...]
    reason: str
    at: datetime
    entry: int
