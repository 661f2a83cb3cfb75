"""A storage root and what its objects' inventories say, read with proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from fonoteca.formats import ocfl
from fonoteca.formats.ocfl import INVENTORY, SIDECAR, Inventory
from fonoteca.model.errors import BlobMissing, FixityError, FormatError, UsageError
from fonoteca.model.ids import LogicalPath, ObjectId, Sha256
from fonoteca.ports import Blobs, Clock, Staging

DAMAGED_REMEDY = "Run `fonoteca audit` to see all that is damaged, then `fonoteca repair`."


@dataclass(frozen=True, slots=True)
class Root:
    """What every part of the store works with. piece_bytes: of files that this archive itself makes or takes in."""

    blobs: Blobs
    staging: Staging
    clock: Clock
    piece_bytes: int


@dataclass(frozen=True, slots=True)
class Proved:
    """An inventory and its bytes, which have the digest that their sidecar gives."""

    inventory: Inventory
    content: bytes


def read_proved(root: Root, path: str) -> Proved:
    """Return the inventory at `path/inventory.json`, proved by the sidecar beside it.

    Raises: BlobMissing when one of them is not there; FixityError when they disagree; FormatError.
    """
    content = root.blobs.read(f"{path}/{INVENTORY}")
    expected = ocfl.parse_sidecar(root.blobs.read(f"{path}/{SIDECAR}"))
    found = sha256(content).hexdigest()
    if found != expected:
        raise FixityError(f"{path}/{INVENTORY}", f"sha256 is {found}, its sidecar says {expected}", DAMAGED_REMEDY)
    return Proved(ocfl.parse_inventory(content), content)


def version_numbers(root: Root, path: str) -> list[int]:
    """Return the versions that have a folder at an object's path, in ascending order."""
    found = (ocfl.version_of_folder(name) for name in root.blobs.children(path))
    return sorted(number for number in found if number is not None)


def complete_version(root: Root, path: str, version: int, *, with_content: bool = True) -> Proved | None:
    """Return the inventory of a version that is whole: proved by its sidecar, and every file of its manifest there.

    Content is not read: this tells what was interrupted, not what has rotten.
    with_content: False asks for the proved inventory alone, so that the loss of a file can be told and healed.
    """
    try:
        proved = read_proved(root, f"{path}/{ocfl.version_folder(version)}")
    except (BlobMissing, FixityError, FormatError):
        return None
    inventory = proved.inventory
    whole = inventory.head == version and ocfl.object_path(inventory.object_id) == path
    if whole and with_content:
        whole = all(root.blobs.size(f"{path}/{content}") is not None for content in inventory.manifest)
    return proved if whole else None


def newest_complete(root: Root, path: str, *, with_content: bool = True) -> Proved | None:
    """Return the inventory of the newest version that is whole, None when there is none.

    DESIGN, failure model: this version rules when an object's root inventory and its sidecar disagree.
    """
    for version in reversed(version_numbers(root, path)):
        proved = complete_version(root, path, version, with_content=with_content)
        if proved is not None:
            return proved
    return None


def head_of(root: Root, object_id: ObjectId) -> Proved | None:
    """Return the object's newest inventory, None when there is no such object.

    Raises: FixityError when no version of it is whole; FormatError when it is of another kind than Fonoteca makes.
    """
    path = ocfl.object_path(object_id)
    try:
        proved: Proved | None = read_proved(root, path)
    except (BlobMissing, FixityError, FormatError) as error:
        # Not only where all its content is there: what brings a version in puts its inventory last, so what lacks is damage.
        proved = _agreed(root, path) or newest_complete(root, path, with_content=False)
        if proved is None and next(iter(root.blobs.children(path)), None) is not None:
            raise FixityError(object_id, f"no version of it is whole: {error}", DAMAGED_REMEDY) from error
    if proved is not None and proved.inventory.object_id != object_id:
        raise FixityError(object_id, f"the object at {path} says that it is {proved.inventory.object_id}", DAMAGED_REMEDY)
    return proved


def _agreed(root: Root, path: str) -> Proved | None:
    """Return the newest version's inventory when two of the four files that say it agree, None when none do.

    They are the object's own inventory and sidecar, and the version's: without this, a sidecar lost here and one there would
    make the object's older version its newest.
    """
    numbers = version_numbers(root, path)
    places = (path, f"{path}/{ocfl.version_folder(numbers[-1])}") if numbers else ()
    contents = [content for place in places if (content := _content_at(root, f"{place}/{INVENTORY}")) is not None]
    sidecars = [_content_at(root, f"{place}/{SIDECAR}") for place in places]
    for content in contents:
        if contents.count(content) > 1 or ocfl.sidecar(content) in sidecars:
            try:
                inventory = ocfl.parse_inventory(content)
            except FormatError:
                continue
            if inventory.head == numbers[-1] and ocfl.object_path(inventory.object_id) == path:
                return Proved(inventory, content)
    return None


def _content_at(root: Root, key: str) -> bytes | None:
    """Return a small blob's bytes, None when it is not there."""
    try:
        return root.blobs.read(key)
    except BlobMissing:
        return None


def held(root: Root, object_id: ObjectId) -> Proved:
    """Return the object's newest inventory. Raises: UsageError when there is no such object, and what `head_of` raises."""
    proved = head_of(root, object_id)
    if proved is None:
        raise UsageError(object_id, "no such object is held", "Search for its title, or check the id.")
    return proved


def read_content(root: Root, inventory: Inventory, digest: Sha256) -> bytes:
    """Return the content with this digest, proved. Raises: FixityError, also where it is gone. For small files."""
    path = f"{ocfl.object_path(inventory.object_id)}/{inventory.content_of(digest)}"
    try:
        content = root.blobs.read(path)
    except BlobMissing as error:  # damage like any other: the object's own, and no failure of the store
        raise FixityError(path, f"it is gone, the inventory says that its sha256 is {digest}", DAMAGED_REMEDY) from error
    found = sha256(content).hexdigest()
    if found != digest:
        raise FixityError(path, f"sha256 is {found}, the inventory says {digest}", DAMAGED_REMEDY)
    return content


def read_logical(root: Root, inventory: Inventory, state: Mapping[LogicalPath, Sha256], path: LogicalPath) -> bytes:
    """Return a file of a state by its logical path, proved. Raises: UsageError when the state has none, and as above."""
    digest = state.get(path)
    if digest is None:
        raise UsageError(inventory.object_id, f"it has no file {path!r}")
    return read_content(root, inventory, digest)


def object_paths(root: Root, below: str = "") -> Iterator[str]:
    """Yield the paths of all objects, in ascending order. Cost: a look at each folder of the layout; on S3 a request a 1,000 blobs.

    below: one of the layout's first folders, to look no further.
    """
    for first in [below] if below else _tuples(root, ""):
        for path in root.blobs.entries(first, ocfl.OBJECT_DEPTH - 1):
            if all(_is_tuple(part) for part in path.split("/")[:-1]):
                yield path


def object_ids(root: Root) -> Iterator[ObjectId]:
    """Yield the ids of all objects, in order of path: what a rebuild goes through.

    Raises: FixityError for an object whose id cannot be told. Cost: as `object_paths`, and an inventory for each id of
    more than 100 encoded characters.
    """
    for path in object_paths(root):
        object_id = ocfl.object_id_at(path)
        if object_id is None:
            proved = newest_complete(root, path)
            if proved is None or ocfl.object_path(proved.inventory.object_id) != path:
                raise FixityError(path, "no inventory there tells whose object it is", DAMAGED_REMEDY)
            object_id = proved.inventory.object_id
        yield object_id


def layout_folders(root: Root) -> list[str]:
    """Return the names of the layout's first folders."""
    return _tuples(root, "")


def _tuples(root: Root, prefix: str) -> list[str]:
    """Return the names of the layout's folders below a prefix."""
    return [name for name in root.blobs.children(prefix) if _is_tuple(name)]


def _is_tuple(name: str) -> bool:
    """Whether a folder's name is one of the layout's."""
    return len(name) == 3 and not set(name) - set("0123456789abcdef")
