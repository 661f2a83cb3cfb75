"""Letting go of an object for good: the one way by which acknowledged bytes leave the store. Only a withdrawal asks for it."""

from __future__ import annotations

from fonoteca.formats import ocfl
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Kind
from fonoteca.store.recovery import marked
from fonoteca.store.root import Root


def purge(root: Root, object_id: ObjectId) -> None:
    """Remove all of an object, every version of it. Durable on return; an object that is not there is no error.

    A kill may leave a part of it. The order for the purge was written to the event log before, and is carried out again.
    Raises: UsageError for what is no music and no artwork: drops' lists and the log are never let go of.
    """
    if object_id.kind not in frozenset(Kind):
        raise UsageError(object_id, "only music and artwork can be purged", "See `fonoteca withdraw --list`.")
    path = ocfl.object_path(object_id)
    with marked(root, path):
        root.blobs.delete(path)
        root.blobs.sweep(path)
