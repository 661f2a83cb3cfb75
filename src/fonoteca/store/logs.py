"""Where the event log is, apart from what it says, so that recovery can sweep it."""

from __future__ import annotations

from collections.abc import Iterator

from fonoteca.formats import ocfl
from fonoteca.formats.claim import CLAIM_FILE
from fonoteca.model.ids import ObjectId
from fonoteca.store.root import Root

EVENTS = ObjectId("urn:fonoteca:events:log")
LOGS = f"{ocfl.object_path(EVENTS)}/logs"
CLAIM = f"{LOGS}/{CLAIM_FILE}"
"""Which archive writes in the store: beside the folders of years, and no segment."""


def sweep_log(root: Root) -> None:
    """Remove what an interrupted append left: it can only be in the newest day's folder. Cost: four listings."""
    root.blobs.sweep(newest_folder(root))


def newest_folder(root: Root) -> str:
    """Return the folder of the newest day of the log, or of what is there of its year and month. Cost: three listings."""
    folder = LOGS
    for _ in ("year", "month", "day"):
        numbers = [name for name in root.blobs.children(folder) if name.isdecimal()]
        if not numbers:
            break
        folder = f"{folder}/{numbers[-1]}"
    return folder


def segment_keys(root: Root) -> Iterator[str]:
    """Yield the keys of the log's segments, in the order in which they were appended."""
    return (key for key in root.blobs.keys(LOGS) if key != CLAIM)
