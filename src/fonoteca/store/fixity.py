"""Finding damage, down to the piece, and healing it with bytes that are proved before they are written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from fonoteca.formats import merkle, ocfl
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.ocfl import INVENTORY, OBJECT_DECLARATION, SIDECAR, Inventory
from fonoteca.model.corridor import Damage, DamageKind, MemberFile, StoredVersion
from fonoteca.model.errors import FixityError, FonotecaError, FormatError, StoreError, TrustError, UsageError
from fonoteca.model.fixity import Stamp
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, ObjectId, Sha256
from fonoteca.store.reading import digest_known, inventory_bytes, known_hashes, read_metadata
from fonoteca.store.recovery import marked
from fonoteca.store.root import DAMAGED_REMEDY, Proved, Root, held, newest_complete

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """What an object's own files should be, as the register knows it. inventory_sha256: of its head version's inventory."""

    object_path: str
    inventory_sha256: Sha256

    def files(self) -> dict[str, str]:
        """Return the object's own files with their digests, by path."""
        sidecar = ocfl.sidecar_of(self.inventory_sha256)
        return {
            f"{self.object_path}/{INVENTORY}": self.inventory_sha256,
            f"{self.object_path}/{SIDECAR}": sha256(sidecar).hexdigest(),
            f"{self.object_path}/{OBJECT_DECLARATION[0]}": _DECLARATION_SHA256,
        }


_DECLARATION_SHA256 = sha256(OBJECT_DECLARATION[1]).hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """Files to check, by path and digest, and objects whose own files are to be checked with them."""

    files: tuple[tuple[str, Sha256], ...]
    frames: tuple[Frame, ...]


Look = tuple[Stamp | None, str]
"""What a first look at a file gives: its stamp, None when it is gone or cannot be read; and what is wrong, "" for nothing."""


def look_all(root: Root, batch: Batch) -> tuple[list[Look], list[Frame]]:
    """Return a first look at each file, and the objects whose own files are not as they should be. Cost: one read of each.

    Nothing more is found out here: sound files are many, and each is a line in somebody's loop.
    """
    own = [frame.files() for frame in batch.frames]
    paths = [path for path, _ in batch.files]
    for files in own:
        paths += files
    seen = root.blobs.sight_all(paths)
    pairs = zip(seen, batch.files, strict=False)
    looks = [(s.stamp, s.trouble or ("" if s.sha256 == expected else s.sha256)) for s, (_, expected) in pairs]
    rest = iter(seen[len(looks) :])
    wrong = [[next(rest).sha256 != expected for expected in files.values()] for files in own]
    return looks, [frame for frame, found in zip(batch.frames, wrong, strict=True) if any(found)]


def root_is_there(root: Root) -> bool:
    """Whether anything is left of the storage root's own files: without them its disk is not mounted, rather than emptied."""
    try:
        return any(root.blobs.size(path) is not None for path in ocfl.root_files())
    except StoreError:
        return False


def check_member(root: Root, object_id: ObjectId, member: MemberFile) -> Damage | None:
    """Return what is wrong with a file, None when it is as it should be.

    Damaged pieces are told apart by the piece layer; a file known by its digest alone has none to tell.
    Raises: nothing for damage of any kind; StoreError when the store as a whole cannot be read.
    Cost: one read; a second one of a damaged file.
    """
    hashes = member.hashes
    every_piece = tuple(range(hashes.piece_count))
    try:
        size = root.blobs.size(member.path)
    except StoreError as error:
        return Damage(object_id, member, DamageKind.UNREADABLE, every_piece, hashes.sha256, error.problem)
    if size is None:
        return Damage(object_id, member, DamageKind.MISSING, every_piece, hashes.sha256, "no such file")
    if size != hashes.file_bytes and not hashes.digest_only:
        pieces = _damaged_pieces(root, member)
        return Damage(object_id, member, DamageKind.LENGTH, pieces, f"{hashes.file_bytes} bytes", f"{size} bytes")
    try:
        found = _sha256(root, member.path)
    except StoreError as error:
        pieces = _damaged_pieces(root, member)
        return Damage(object_id, member, DamageKind.UNREADABLE, pieces, hashes.sha256, error.problem)
    if found == hashes.sha256:
        return None
    return Damage(object_id, member, DamageKind.DIGEST, _damaged_pieces(root, member), hashes.sha256, found)


def verify(root: Root, version: StoredVersion) -> Iterator[Damage]:
    """Yield the damage of a version's files, in order of path."""
    for member in version.members:
        damage = check_member(root, version.object_id, member)
        if damage is not None:
            yield damage


def audit(root: Root, object_id: ObjectId, known: Mapping[str, FileHashes], passed: Collection[str] = ()) -> Iterator[Damage]:
    """Yield the damage of every file that an object's inventories account for, in order of path.

    passed: paths of files that are checked elsewhere.

    known: hashes of members by path, from the register or from torrents. Nothing under `vN/` ever changes, so what they say
    rules: a version that is gone, or was made to say something else, is found even when the inventories left agree with each
    other; and damage has pieces even when metadata.json is damaged. Where nobody knows, the inventory's digest is proof
    enough, and the damage has no pieces.
    Raises: only without `known`: FixityError when no version of the object is whole, UsageError when there is none.
    """
    hashes = _expected(root, object_id, known)
    for place in sorted(hashes.keys() - set(passed)):
        damage = check_member(root, object_id, MemberFile(place, hashes[place]))
        if damage is not None:
            yield damage


def _expected(root: Root, object_id: ObjectId, known: Mapping[str, FileHashes]) -> dict[str, FileHashes]:
    """Return what each file of an object should be, by path below the storage root."""
    try:
        proved = held(root, object_id)
    except (FixityError, FormatError, UsageError):
        if not known:
            raise
        return {**known, **_known_frame(root, object_id, known)}
    path = ocfl.object_path(object_id)
    hashes = {f"{path}/{name}": found for name, found in _hashes_of_all(root, proved.inventory).items()}
    hashes |= {f"{path}/{name}": hash_bytes(content, root.piece_bytes) for name, content in _frame(root, proved).items()}
    # A newer version than any inventory left proves: its inventory is the object's own, whatever an older one says.
    newer = _known_frame(root, object_id, known) if _newest_known(path, known) > proved.inventory.head else {}
    return {**hashes, **known, **newer}


def _known_frame(root: Root, object_id: ObjectId, known: Mapping[str, FileHashes]) -> dict[str, FileHashes]:
    """Return what lies directly in an object's folder, of which no inventory is whole: the newest version's has the same bytes."""
    path = ocfl.object_path(object_id)
    frame = {f"{path}/{OBJECT_DECLARATION[0]}": hash_bytes(OBJECT_DECLARATION[1], root.piece_bytes)}
    newest = _newest_known(path, known)
    for name in (INVENTORY, SIDECAR):
        copied = f"{path}/{ocfl.version_folder(newest)}/{name}" if newest else ""
        frame |= {f"{path}/{name}": known[copied]} if copied in known else {}
    return frame


def _newest_known(path: str, known: Mapping[str, FileHashes]) -> int:
    """Return the newest version of the object at a path of which files are known, 0 for none."""
    numbers = (ocfl.version_of_folder(place.removeprefix(f"{path}/").partition("/")[0]) for place in known)
    return max((number for number in numbers if number is not None), default=0)


def mend(root: Root, object_id: ObjectId) -> list[str]:
    """Restore what the store itself still knows: inventories, sidecars, the declaration. Returns: the paths mended.

    Nothing is mended while no inventory is whole: heal those under `vN/` first, then mend again.
    """
    try:
        proved = _newest(root, object_id)
    except (FixityError, FormatError, UsageError):
        return []
    path = ocfl.object_path(object_id)
    mended = []
    kept = (INVENTORY, SIDECAR) if _says_more(root, path, proved) else ()
    for name, content in _frame(root, proved).items():
        place = f"{path}/{name}"
        if name in kept:
            continue
        try:
            right = root.blobs.read(place) == content
        except StoreError:
            right = False
        if not right:
            with marked(root, path):
                root.blobs.write(place, content)
            mended.append(place)
    return mended


def _says_more(root: Root, path: str, proved: Proved) -> bool:
    """Whether an object's own inventory, which nothing proves now, is of a newer version than what is proved.

    An older one is not written over it: it may be whole, and once its version is healed it is proved again.
    """
    try:
        return ocfl.parse_inventory(root.blobs.read(f"{path}/{INVENTORY}")).head > proved.inventory.head
    except (StoreError, FormatError):
        return False


def _newest(root: Root, object_id: ObjectId) -> Proved:
    """Return the newest inventory, also where the object's own is of an older version, which a healed one goes on from."""
    proved = held(root, object_id)
    newest = newest_complete(root, ocfl.object_path(object_id))
    if newest is None or newest.inventory.head <= proved.inventory.head:
        return proved
    try:
        ocfl.check_follows(proved.inventory, newest.inventory)
    except FormatError:
        return proved
    return newest


def heal(root: Root, member: MemberFile, pieces: Mapping[int, bytes]) -> None:
    """Put damaged pieces right; return when the whole file is proved and on disk.

    pieces: index to bytes, the last one without padding. For a file known by its digest alone: the whole file as piece 0.
    Of another file no more than one is held in memory: they may lie on disk, and each is proved as it is read.
    Raises: TrustError when a piece is not what the hashes prove (nothing is written); FixityError when with these pieces
    the file would still be wrong (nothing is written).
    """
    hashes = member.hashes
    if hashes.digest_only:
        _heal_whole(root, member, pieces.get(0, b""))
        return
    parts = _ProvedParts(member, pieces)
    for start in sorted(parts):
        _ = parts[start]
    digest = sha256()
    for index in range(hashes.piece_count):
        piece = pieces[index] if index in pieces else _piece(root, member, index)
        if piece is None:
            raise FixityError(member.path, f"piece {index} is damaged too and was not given", DAMAGED_REMEDY)
        digest.update(piece)
    if digest.hexdigest() != hashes.sha256:
        raise FixityError(
            member.path,
            f"with these pieces its sha256 would be {digest.hexdigest()}, expected {hashes.sha256}",
            "Audit the file again: more of its pieces are damaged.",
        )
    with marked(root, _object_of(member.path)):
        root.blobs.patch(member.path, parts, hashes.file_bytes)


class _ProvedParts(Mapping[int, bytes]):
    """Pieces of a file by where they begin in it, each proved whenever it is read."""

    def __init__(self, member: MemberFile, pieces: Mapping[int, bytes]) -> None:
        self._member = member
        self._pieces = pieces
        self._piece_bytes = member.hashes.piece_bytes

    def __getitem__(self, start: int) -> bytes:
        index, rest = divmod(start, self._piece_bytes)
        if rest:
            raise KeyError(start)
        content = self._pieces[index]
        _prove_piece(self._member, index, content)
        return content

    def __contains__(self, start: object) -> bool:
        return isinstance(start, int) and start % self._piece_bytes == 0 and start // self._piece_bytes in self._pieces

    def __iter__(self) -> Iterator[int]:
        return (index * self._piece_bytes for index in self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)


def _heal_whole(root: Root, member: MemberFile, content: bytes) -> None:
    found = sha256(content).hexdigest()
    if found != member.hashes.sha256:
        raise TrustError(member.path, f"the bytes offered have sha256 {found}, expected {member.hashes.sha256}")
    with marked(root, _object_of(member.path)):
        root.blobs.write(member.path, content)


def _object_of(path: str) -> str:
    """Return the path of the object that a file is of: below three folders of the layout."""
    return "/".join(path.split("/")[:4])


def _prove_piece(member: MemberFile, index: int, content: bytes) -> None:
    """Raise TrustError when bytes are not the piece with this index."""
    hashes = member.hashes
    if not 0 <= index < hashes.piece_count:
        raise TrustError(member.path, f"it has no piece {index}, but {hashes.piece_count} from 0 up")
    expected = _piece_length(hashes, index)
    if len(content) != expected:
        raise TrustError(member.path, f"piece {index} has {len(content)} bytes, expected {expected}")
    if not _is_piece(hashes, index, content):
        raise TrustError(member.path, f"the bytes offered for piece {index} are not what its hash proves", "Ask another mirror.")


def _is_piece(hashes: FileHashes, index: int, content: bytes) -> bool:
    return merkle.piece_hash(content, hashes.piece_bytes, hashes.file_bytes) == hashes.v2_piece_hash(index)


def _piece_length(hashes: FileHashes, index: int) -> int:
    return min(hashes.piece_bytes, hashes.file_bytes - index * hashes.piece_bytes)


def _piece(root: Root, member: MemberFile, index: int) -> bytes | None:
    """Return a piece from the store, None when its bytes are short or cannot be read."""
    try:
        content = root.blobs.read_range(member.path, index * member.hashes.piece_bytes, _piece_length(member.hashes, index))
    except StoreError:
        return None
    return content if len(content) == _piece_length(member.hashes, index) else None


def _damaged_pieces(root: Root, member: MemberFile) -> tuple[int, ...]:
    """Return the indexes of pieces that are not what their hashes prove, in order."""
    damaged = []
    for index in range(member.hashes.piece_count):
        content = _piece(root, member, index)
        if content is None or not _is_piece(member.hashes, index, content):
            damaged.append(index)
    return tuple(damaged)


def _sha256(root: Root, path: str) -> str:
    """Return the digest of a blob. Raises: StoreError."""
    digest = sha256()
    with root.blobs.open(path) as source:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def proves(member: MemberFile, index: int, content: bytes) -> bool:
    """Whether these bytes are a file's piece with this index, or the whole file where its digest alone is known."""
    hashes = member.hashes
    if hashes.digest_only:
        return index == 0 and sha256(content).hexdigest() == hashes.sha256
    return len(content) == _piece_length(hashes, index) and _is_piece(hashes, index, content)


def _frame(root: Root, proved: Proved) -> dict[str, bytes]:
    """Return the right bytes of all files of an object that are not content, by path below the object."""
    inventory = proved.inventory
    frame = {
        OBJECT_DECLARATION[0]: OBJECT_DECLARATION[1],
        INVENTORY: proved.content,
        SIDECAR: ocfl.sidecar(proved.content),
    }
    for number in range(1, inventory.head + 1):
        folder = ocfl.version_folder(number)
        content = proved.content if number == inventory.head else _confirmed(root, inventory.at(number))
        frame[f"{folder}/{INVENTORY}"] = content
        frame[f"{folder}/{SIDECAR}"] = ocfl.sidecar(content)
    return frame


def _confirmed(root: Root, inventory: Inventory) -> bytes:
    """Return the bytes of an older inventory; as Fonoteca writes them when nothing is left that could confirm them."""
    try:
        return inventory_bytes(root, inventory)
    except (StoreError, FixityError, FormatError):
        return inventory.to_bytes()


def _hashes_of_all(root: Root, inventory: Inventory) -> dict[str, FileHashes]:
    """Return what is known of each content file: all its hashes where a metadata.json tells, else its digest."""
    known: dict[ContentPath, FileHashes] = {}
    for number in range(1, inventory.head + 1):
        try:
            metadata = read_metadata(root, inventory.at(number))
        except FonotecaError:  # damaged: found again below, by its digest
            continue
        if metadata is not None:
            known |= known_hashes(metadata)
    return {
        str(path): known[path] if path in known and known[path].sha256 == digest else digest_known(digest, root.piece_bytes)
        for path, digest in inventory.manifest.items()
    }
