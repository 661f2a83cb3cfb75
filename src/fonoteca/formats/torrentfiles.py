"""The files that the two halves of a torrent list: the v1 list (BEP 3) and the file tree (BEP 52).

Nothing is built of a name or a count before it is known to be short: a tree spells a folder once, however many files are in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from fonoteca.formats import bencode, merkle
from fonoteca.formats.torrentpaths import PAD_FOLDER, PATH_BYTES_MAX, PATH_PARTS_MAX, PATHS_BYTES_MAX, part_of
from fonoteca.formats.torrentrules import Findings, shown

FILES_MAX = 200_000
PAYLOAD_BYTES_MAX = 2**50

Dictionary = dict[bytes, bencode.Value]
_T = TypeVar("_T", int, bytes, list[bencode.Value], dict[bytes, bencode.Value])

_TYPE_NAMES = {int: "an integer", bytes: "a string", list: "a list", dict: "a dictionary"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as one half lists it. pieces_root: b"" in the v1 half. pad: whether it is a BEP 47 pad file."""

    path: str
    file_bytes: int
    pieces_root: bytes = b""
    pad: bool = False


@dataclass(slots=True)
class Half:
    """The files of one half, in order. whole: every file is here as the torrent says it; else some were noted and left out."""

    found: Findings
    place: str
    entries: list[Entry] = field(default_factory=list)
    whole: bool = True
    paths_bytes: int = 0

    @property
    def payload(self) -> list[Entry]:
        """The files that are no pads."""
        return [entry for entry in self.entries if not entry.pad]

    def lacks(self, code: str, place: str, sentence: str) -> None:
        """Note why a file is left out."""
        self.whole = False
        self.found.add(code, place, sentence)

    def take(self, entry: Entry) -> None:
        """Append a file."""
        self.entries.append(entry)

    def has_room(self, path_bytes: int) -> bool:
        """Return whether one more file, with a path so long, keeps within the bounds; note it when not."""
        self.paths_bytes += path_bytes
        if path_bytes > PATH_BYTES_MAX:
            self.lacks("path.long", self.place, f"a path of {path_bytes} bytes, expected at most {PATH_BYTES_MAX}")
        elif self.paths_bytes > PATHS_BYTES_MAX:
            self.lacks("path.long", self.place, f"more than {PATHS_BYTES_MAX} bytes of paths together")
        else:
            return True
        return False


def field_of(found: Findings, place: str, dictionary: Dictionary, key: bytes, kind: type[_T]) -> _T | None:
    """Return a field that must be there and of this type, or None after that was noted. place: of the dictionary."""
    value = dictionary.get(key)
    if isinstance(value, kind):
        return value
    name = key.decode()
    if value is None:
        found.add("field.missing", place, f"expected {_TYPE_NAMES[kind]} as {name!r}, found nothing")
    else:
        found.add("field.type", place, f"expected {_TYPE_NAMES[kind]} as {name!r}, found {_TYPE_NAMES[type(value)]}")
    return None


def listed_files(found: Findings, info: Dictionary, name: str) -> Half:
    """Return the v1 half's files, pad files among them. name: of the torrent."""
    half = Half(found, "info.files")
    if (b"length" in info) == (b"files" in info):
        half.lacks("field.missing", "info", "expected either 'length' or 'files'")
        return half
    if b"length" in info:
        file_bytes = _length_of(half, "info", info)
        if file_bytes is not None and name:
            half.take(Entry(name, file_bytes))
        half.whole = half.whole and bool(name)
        return half
    rows = field_of(found, "info", info, b"files", list)
    if rows is None or len(rows) > 2 * FILES_MAX:
        half.whole = False
        if rows is not None:
            found.add("files.many", half.place, f"{len(rows)} files, expected at most {FILES_MAX}")
        return half
    for index, row in enumerate(rows):
        entry = _row(half, f"info.files[{index}]", row)
        if entry is None:
            half.whole = False
        else:
            half.take(entry)
    if len(half.payload) > FILES_MAX:
        half.lacks("files.many", half.place, f"{len(half.payload)} files, expected at most {FILES_MAX}")
    return half


def tree_files(found: Findings, info: Dictionary) -> Half:
    """Return the files of the BEP 52 file tree in its order."""
    half = Half(found, "info.file tree")
    tree = field_of(found, "info", info, b"file tree", dict)
    if tree is None:
        half.whole = False
    else:
        _walk(half, tree, "", 0)
    return half


def _row(half: Half, place: str, row: bencode.Value) -> Entry | None:
    """Return one file of the v1 list, or None after it was noted why it is none."""
    if not isinstance(row, dict):
        half.found.add("field.type", place, f"expected a dictionary, found {_TYPE_NAMES[type(row)]}")
        return None
    path = _listed_path(half, place, row)
    file_bytes = _length_of(half, place, row)
    if path is None or file_bytes is None:
        return None
    pad = b"p" in _attributes(half, place, row)
    folder, _, digits = path.partition("/")
    if pad and not (folder == PAD_FOLDER and digits.isascii() and digits.isdigit()):
        # Old clients write pad files like any other: one named as payload would overwrite it with zeros.
        half.found.add("pad.name", place, f"the pad file {shown(path)} is not {PAD_FOLDER}/NUMBER")
        return None
    return Entry(path, file_bytes, pad=pad)


def _listed_path(half: Half, place: str, row: Dictionary) -> str | None:
    """Return the path of a row as text, or None."""
    parts = field_of(half.found, place, row, b"path", list)
    if parts is None:
        return None
    raw = [part for part in parts if isinstance(part, bytes)]
    if not raw or len(raw) != len(parts):
        half.found.add("field.type", place, "expected a list of strings as 'path', and not an empty one")
        return None
    if row.get(b"path.utf-8", parts) != parts:
        half.found.add("name.second", place, "'path.utf-8' is another path than 'path'")
    if len(raw) > PATH_PARTS_MAX:
        half.found.add("path.deep", place, f"a path of {len(raw)} parts, expected at most {PATH_PARTS_MAX}")
        return None
    if not half.has_room(sum(map(len, raw)) + len(raw) - 1):
        return None
    names = [part_of(half.found, place, part) for part in raw]
    if "" in names:
        half.found.add("name.traversal", place, "the path has an empty part")
        return None
    kept = [name for name in names if name is not None]
    return "/".join(kept) if len(kept) == len(names) else None


def _walk(half: Half, folder: Dictionary, above: str, depth: int) -> None:
    """Take the files below one folder of the tree. A file is a dictionary whose only key is the empty string.

    above: the folder's path with a slash, "" at the top. depth: parts of that path; bounded, and so is the recursion.
    """
    place = f"{half.place}/{above}"
    if not folder:
        half.lacks("tree.empty", place, "the folder is empty")
    for part, node in folder.items():
        if not isinstance(node, dict):
            half.lacks("field.type", place, f"expected a dictionary as {shown(part)}, found {_TYPE_NAMES[type(node)]}")
            continue
        name = part_of(half.found, place, part)
        if not name:
            if name is not None:
                half.found.add("name.traversal", place, "a file without a name")
            half.whole = False
        elif len(half.entries) >= FILES_MAX:
            half.lacks("files.many", half.place, f"{FILES_MAX + 1} or more files, expected at most {FILES_MAX}")
            return
        elif b"" not in node:
            if depth + 1 >= PATH_PARTS_MAX:
                half.lacks("path.deep", place, f"folders nested deeper than {PATH_PARTS_MAX - 1}")
            else:
                _walk(half, node, f"{above}{name}/", depth + 1)
        elif len(node) > 1:
            half.lacks("path.folder", place, f"{shown(name)} is a file and a folder")
        elif half.has_room(len(above.encode()) + len(part)):
            _take_leaf(half, above + name, node[b""])


def _take_leaf(half: Half, path: str, fields: bencode.Value) -> None:
    """Take one file of the tree. BEP 52: an empty file has no pieces root, every other one has."""
    place = f"{half.place}/{path}"
    if not isinstance(fields, dict):
        half.lacks("field.type", place, f"expected a dictionary, found {_TYPE_NAMES[type(fields)]}")
        return
    file_bytes = _length_of(half, place, fields)
    root = field_of(half.found, place, fields, b"pieces root", bytes) if b"pieces root" in fields else b""
    if file_bytes is None or root is None:
        half.whole = False
        return
    if b"p" in _attributes(half, place, fields):
        half.lacks("pad.tree", place, "a pad file in the file tree")
    elif len(root) != (merkle.HASH_BYTES if file_bytes else 0) or (file_bytes and not any(root)):
        what = "of zeros" if len(root) == merkle.HASH_BYTES and not any(root) else f"of {len(root)} bytes"
        half.lacks("root.length", place, f"a pieces root {what} for a file of {file_bytes} bytes")
    else:
        half.take(Entry(path, file_bytes, root))


def _length_of(half: Half, place: str, entry: Dictionary) -> int | None:
    """Return the length of a file that is no link, or None after it was noted why there is none."""
    if b"md5sum" in entry:
        half.found.add("md5.used", place, "an MD5 sum, which proves nothing and which clients ignore")
    attributes = _attributes(half, place, entry)
    if b"x" in attributes:
        half.found.add("file.executable", place, "the file is to be made executable")
    if b"l" in attributes or b"symlink path" in entry:
        _find_link(half, place, entry)
        return None
    file_bytes = field_of(half.found, place, entry, b"length", int)
    if file_bytes is None:
        half.whole = False
    elif not 0 <= file_bytes <= PAYLOAD_BYTES_MAX:
        half.lacks("file.length", place, f"a file of {file_bytes} bytes, expected 0 to {PAYLOAD_BYTES_MAX}")
        return None
    return file_bytes


def _attributes(half: Half, place: str, entry: Dictionary) -> bytes:
    """Return the BEP 47 attributes of a file entry, b"" where it has none."""
    if b"attr" not in entry:
        return b""
    return field_of(half.found, place, entry, b"attr", bytes) or b""


def _find_link(half: Half, place: str, entry: Dictionary) -> None:
    """Note where a symbolic link leads. None is taken: what a client makes of one, another client does not."""
    half.whole = False
    target = entry.get(b"symlink path")
    parts = [part for part in target if isinstance(part, bytes)] if isinstance(target, list) else []
    if not isinstance(target, list) or not parts or len(parts) != len(target):
        half.found.add("link.target", place, "a link that does not say what it links to")
        return
    path = b"/".join(parts)
    steps = set(path.replace(b"\\", b"/").split(b"/"))
    if steps & {b"", b".", b".."} or b":" in parts[0]:
        half.found.add("link.out", place, f"a link to {shown(path)}, which leads out of the torrent")
    else:
        half.found.add("link.inside", place, f"a link to {shown(path)}")
