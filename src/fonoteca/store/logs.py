"""Where the event log is, apart from what it says, so that recovery can sweep it."""

from __future__ import annotations

from fonoteca.formats import ocfl
from fonoteca.model.ids import ObjectId
from fonoteca.store.root import Root

EVENTS = ObjectId("urn:fonoteca:events:log")
LOGS = f"{ocfl.object_path(EVENTS)}/logs"


def sweep_log(root: Root) -> None:
    """Remove what an interrupted append left: it can only be in the newest day's folder. Cost: four listings."""
    folder = LOGS
    for _ in ("year", "month", "day"):
        names = list(root.blobs.children(folder))
        if not names:
            break
        folder = f"{folder}/{names[-1]}"
    root.blobs.sweep(folder)
