"""What a kill interrupted is finished or removed; what the disk has lost is left for audit and repair.

States that a kill can leave, and what is done:
    the object's folder was not renamed in       empty folders on its way are removed
    `vN` was not renamed in                      nothing: the object is as before
    `vN` renamed in, root inventory older        root inventory and sidecar are written from `vN`
    root inventory written, sidecar older        the same
    a folder partly in (blobs without a rename)  the rest follows from staging, where all of it still is
    the same, but staging is lost: `vN`, N > 1   removed; of a first version nobody could tell it from a damaged object
Bytes that an inventory acknowledges are never removed here, whatever state they are in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from fonoteca.formats import ocfl
from fonoteca.formats.ocfl import EXTENSIONS, INVENTORY, OBJECT_DECLARATION, SIDECAR
from fonoteca.model.errors import BlobMissing, FixityError, FormatError, TakenError
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
            tree = root.staging.kept_folder(name)
            sentences += _go_on(root, path, tree)
            sentences += settle(root, path, mark=False)
            root.staging.discard(tree)
    if whole:
        removed = root.blobs.sweep()
        if removed:
            sentences.append(f"Removed {removed} leftovers of interrupted writes.")
        for path in list(object_paths(root)):
            sentences += settle(root, path)
    return sentences


@contextmanager
def marked(root: Root, path: str) -> Iterator[None]:
    """Let staging say that the object at a path is being changed, until the context ends well: a kill's leftovers are found so."""
    tree = under_way(root, path)
    yield
    root.staging.discard(tree)


@contextmanager
def _unmarked(_root: Root, _path: str) -> Iterator[None]:
    """Leave staging as it is."""
    yield


def begun(root: Root, tree: Path, target: str) -> bool:
    """Whether anything of a folder in staging is in the store: its staging folder is needed then, to go on with.

    For when an adoption failed. Cost: a question for each of its files. Raises: StoreError when the store cannot say.
    """
    if root.blobs.size(f"{target}/{SIDECAR}") is not None:
        return True
    places = (path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    return any(root.blobs.size(f"{target}/{place}") is not None for place in places)


def _go_on(root: Root, path: str, tree: Path) -> Iterator[str]:
    """Bring in the rest of a version that is partly in the store and wholly in staging; yield what was done.

    Only blobs without a rename, as on S3, ever hold a part.
    """
    for folder in sorted(tree.glob("v*")):
        version = ocfl.version_of_folder(folder.name)
        source, target = (tree, path) if version == 1 else (folder, f"{path}/{folder.name}")
        if version is None or not _is_whole(tree, path, version) or not begun(root, source, target):
            continue
        try:
            root.blobs.adopt(source, target)
            yield f"{path}: v{version} was partly in the store when a run was interrupted; now it is whole."
        except TakenError as error:
            yield f"{path}: v{version} cannot be brought in: {error}"


def _is_whole(tree: Path, path: str, version: int) -> bool:
    """Whether a staging folder holds all of a version, and of a first one the object's own files too, as its inventory says."""
    folder = tree / ocfl.version_folder(version)
    try:
        content = (folder / INVENTORY).read_bytes()
        inventory = ocfl.parse_inventory(content)
        if (folder / SIDECAR).read_bytes() != ocfl.sidecar(content):
            return False
        if version == 1 and (tree / INVENTORY).read_bytes() != content:
            return False
        if version == 1 and not ((tree / SIDECAR).is_file() and (tree / OBJECT_DECLARATION[0]).is_file()):
            return False
        named = inventory.head == version and ocfl.object_path(inventory.object_id) == path
        return named and all(_digest(tree / place) == digest for place, digest in inventory.of_version(version).items())
    except (OSError, FormatError):
        return False


def _digest(path: Path) -> str:
    """Return the sha256 of a file in staging. Raises: OSError."""
    with path.open("rb") as source:
        return file_digest(source, "sha256").hexdigest()


def settle(root: Root, path: str, *, mark: bool = True) -> Iterator[str]:
    """Finish or undo what was under way for the object at a path; yield what was done.

    mark: staging says meanwhile that the object is being changed, so that a kill in this, too, leaves nothing that nobody
    looks for. False where staging says so already.
    """
    changing = marked if mark else _unmarked
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
        with changing(root, path):
            enter_head(root, path, newest.content)
        yield f"{newest.inventory.object_id}: v{head} was stored before an interruption; its inventory now says so."
    elif acknowledged is None:
        yield f"{path}: no version of this object is whole; left as it is for audit and repair."
        return
    for version in version_numbers(root, path):
        if version > head:
            with changing(root, path):
                root.blobs.delete(f"{path}/{ocfl.version_folder(version)}")
            yield f"{path}: removed v{version}, which an interruption left partial and nobody was told of."
    if root.blobs.size(f"{path}/{OBJECT_DECLARATION[0]}") is None:
        with changing(root, path):
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
