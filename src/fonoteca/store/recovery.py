"""What a kill interrupted is finished or removed; what the disk has lost is left for audit and repair.

States that a kill can leave, and what is done:
    the object's folder was not renamed in       empty folders on its way are removed
    `vN` was not renamed in                      nothing: the object is as before
    `vN` renamed in, root inventory older        root inventory and sidecar are written from `vN`
    root inventory written, sidecar older        the same
    `vN` newer than the root inventory, partial  removed (blobs without an atomic rename only)
Bytes that an inventory acknowledges are never removed here, whatever state they are in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fonoteca.formats import ocfl
from fonoteca.formats.ocfl import EXTENSIONS, INVENTORY, OBJECT_DECLARATION, SIDECAR
from fonoteca.model.errors import BlobMissing, FixityError, FormatError
from fonoteca.model.ids import ObjectId
from fonoteca.store.logs import sweep_log
from fonoteca.store.root import Proved, Root, head_of, newest_complete, object_paths, read_proved, version_numbers

_UNDER_WAY = "commit+"
"""How the names of our staging folders begin; the object's path follows, "/" as "+"."""


def under_way(root: Root, path: str) -> Path:
    """Return a new staging folder whose name says that the object at this path is being changed."""
    return root.staging.folder(_UNDER_WAY + path.replace("/", "+"))


def recover(root: Root, *, whole: bool) -> list[str]:
    """Return, in sentences, what was finished or removed. Only for a time when nobody writes in the store.

    whole: looks at every object instead of those that staging says were under way.
    Cost: O(interrupted commits), at most one for each writer; with `whole` a walk through the store.
    """
    sentences: list[str] = []
    root.blobs.sweep(EXTENSIONS)  # and what lies beside it: the storage root's own files
    sweep_log(root)
    for name in list(root.staging.left()):
        if name.startswith(_UNDER_WAY):
            path = name.removeprefix(_UNDER_WAY).replace("+", "/")
            sentences += settle(root, path)
            root.staging.discard(root.staging.folder(name))
    if whole:
        removed = root.blobs.sweep()
        if removed:
            sentences.append(f"Removed {removed} leftovers of interrupted writes.")
        for path in list(object_paths(root)):
            sentences += settle(root, path)
    return sentences


def settle(root: Root, path: str) -> Iterator[str]:
    """Finish or undo what was under way for the object at a path; yield what was done."""
    root.blobs.sweep(path)
    if next(iter(root.blobs.children(path)), None) is None:
        return
    acknowledged = _acknowledged(root, path)
    newest = newest_complete(root, path)
    head = 0 if acknowledged is None else acknowledged.inventory.head
    if newest is not None and newest.inventory.head > head:
        head = newest.inventory.head
        if not _may_rule(newest, acknowledged, max(version_numbers(root, path))):
            yield f"{newest.inventory.object_id}: its versions disagree or one is damaged; left for audit and repair."
            return
        enter_head(root, path, newest.content)
        yield f"{newest.inventory.object_id}: v{head} was stored before an interruption; its inventory now says so."
    elif acknowledged is None:
        yield f"{path}: no version of this object is whole; left as it is for audit and repair."
        return
    for version in version_numbers(root, path):
        if version > head:
            root.blobs.delete(f"{path}/{ocfl.version_folder(version)}")
            yield f"{path}: removed v{version}, which an interruption left partial and nobody was told of."
    if root.blobs.size(f"{path}/{OBJECT_DECLARATION[0]}") is None:
        root.blobs.write(f"{path}/{OBJECT_DECLARATION[0]}", OBJECT_DECLARATION[1])
        yield f"{path}: wrote the missing declaration {OBJECT_DECLARATION[0]}."


def settled_head(root: Root, object_id: ObjectId) -> Proved | None:
    """Return the object's newest inventory after finishing what was under way; None when there is no such object.

    Nothing is listed for an object that is new or in order: a store of many objects is asked for a few keys by name.
    """
    path = ocfl.object_path(object_id)
    signs = (f"{path}/{SIDECAR}", f"{path}/{INVENTORY}", f"{path}/{ocfl.version_folder(1)}/{SIDECAR}")
    if all(root.blobs.size(sign) is None for sign in signs):
        return None
    head = head_of(root, object_id)
    if head is None or root.blobs.size(f"{path}/{ocfl.version_folder(head.inventory.head + 1)}/{SIDECAR}") is None:
        return head
    list(settle(root, path))
    return head_of(root, object_id)


def enter_head(root: Root, path: str, content: bytes) -> None:
    """Make these bytes the object's root inventory, its sidecar after it."""
    root.blobs.write(f"{path}/{INVENTORY}", content)
    root.blobs.write(f"{path}/{SIDECAR}", ocfl.sidecar(content))


def _acknowledged(root: Root, path: str) -> Proved | None:
    """Return the root inventory when its sidecar proves it."""
    try:
        return read_proved(root, path)
    except (BlobMissing, FixityError, FormatError):
        return None


def _may_rule(newest: Proved, acknowledged: Proved | None, last: int) -> bool:
    """Whether the newest complete version can become the head without hiding what was acknowledged.

    last: the highest version that has a folder, complete or not.
    """
    if acknowledged is None:
        return newest.inventory.head == last
    try:
        ocfl.check_follows(acknowledged.inventory, newest.inventory)
    except FormatError:
        return False
    return True
