"""Will they still be here in fifty years? OCFL object versions, fixity, repair."""

from fonoteca.store.commit import Commit
from fonoteca.store.events import Segment
from fonoteca.store.fixity import Batch, Frame, Look
from fonoteca.store.mirror import Claims, VersionNeededError
from fonoteca.store.store import Store

__all__ = ["Batch", "Claims", "Commit", "Frame", "Look", "Segment", "Store", "VersionNeededError"]
