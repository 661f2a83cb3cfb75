"""The coverage of the snapshot in force, measured once a snapshot and not once a visit."""

from __future__ import annotations

from fonoteca.model.catalogue import Coverage
from fonoteca.serve.rooms import Atlas


class LatestCoverage:
    """Remembers the last measurement: a snapshot never changes, so its name says whether it still holds.

    Measuring is a scan of the snapshot. Two visitors at once may both measure; no harm.
    """

    def __init__(self, catalogue: Atlas) -> None:
        self._catalogue = catalogue
        self._measured: tuple[str, Coverage] | None = None

    def __call__(self) -> Coverage | None:
        """Return the coverage, None before the first snapshot."""
        snapshot = self._catalogue.snapshot()
        if snapshot is None:
            return None
        measured = self._measured
        if measured is None or measured[0] != snapshot.name:
            measured = (snapshot.name, self._catalogue.coverage())
            self._measured = measured
        return measured[1]
