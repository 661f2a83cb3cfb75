"""BagIt 0.93 to 1.0 (RFC 8493): what the tag files of a bag say, and whether that and the files in it are one whole.

Bytes and names in, a plan or an error out: no file is opened here, and no digest computed. Each error names the file, what was
expected and what was found. A path is `/`-separated and below the bag's own folder.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fonoteca.model.errors import FormatError

DECLARATION, FETCH, PAYLOAD = "bagit.txt", "fetch.txt", "data/"
INFO_NAMES = ("bag-info.txt", "package-info.txt")
"""The second until 0.95."""
VERSIONS = frozenset({(0, 93), (0, 94), (0, 95), (0, 96), (0, 97), (1, 0)})
_DIGEST_BYTES = (16, "md5"), (20, "sha1"), (28, "sha224 sha3_224"), (32, "sha256 sha3_256 blake2s"), (48, "sha384 sha3_384")
DIGEST_DIGITS: Mapping[str, int] = {
    name: 2 * length for length, names in (*_DIGEST_BYTES, (64, "sha512 sha3_512 blake2b")) for name in names.split()
}
"""Hexadecimal digits of each algorithm's digest. The names are those that manifests have in their own."""

MANIFEST_NAME = re.compile(r"(?P<tag>tag)?manifest-(?P<algorithm>.+)\.txt", re.IGNORECASE)
_STRICT = re.compile(r"BagIt-Version: (\d+\.\d+)(?:\r\n|\r|\n)Tag-File-Character-Encoding: (\S+)(?:\r\n|\r|\n)?")
_LENIENT = re.compile(
    r"BagIt-Version[ \t]*:[ \t]*(\d+\.\d+)[ \t]*(?:\r\n|\r|\n)Tag-File-Character-Encoding[ \t]*:[ \t]*(\S+)[ \t]*(?:\r\n|\r|\n)*"
)
_ENCODING_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,39}")
_LINE_END = re.compile(r"\r\n|\r|\n")
_ENTRY = re.compile(r"[ \t]*(?P<digest>[^ \t]+)[ \t]+(?P<name>.*[^ \t].*)")
_FETCHED = re.compile(r"(?P<url>\S+)[ \t]+(?P<length>\d+|-)[ \t]+(?P<name>.*\S.*)")
_OXUM = re.compile(r"(\d{1,18})\.(\d{1,18})")
_LEADS_OUT = re.compile(r"/|~|[A-Za-z]:|\\|%[A-Za-z_]+%[\\/]|.*(?:^|[\\/])\.\.(?:[\\/]|$)", re.DOTALL)
"""Absolute, somebody's home, a drive, a server's share, an environment variable, or upwards: on any system."""
_SYSTEM_FILE = re.compile(r"\.DS_Store|\._.+|Thumbs\.db|desktop\.ini|ehthumbs\.db|\.Spotlight-V100|\.Trashes", re.IGNORECASE)
"""What Finder and Explorer put into folders, and copying tools leave behind."""
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What bagit.txt says. encoding: of the other tag files."""

    version: tuple[int, int]
    encoding: str

    @property
    def escapes_percent(self) -> bool:
        """Whether `%25` in a manifest is a `%` in a name (RFC 8493 section 2.1.3)."""
        return self.version >= (1, 0)


@dataclass(frozen=True, slots=True)
class Caution:
    """Something in a valid bag that another program may stumble over."""

    file: str
    text: str


@dataclass(frozen=True)
class BagListing:
    """A bag as it lies there. files: the length in bytes of every regular file. texts: tag files by name: the declaration, the
    info file, fetch.txt and all manifests, as far as they are there.
    """

    files: Mapping[str, int]
    texts: Mapping[str, bytes]

    @cached_property
    def payload(self) -> frozenset[str]:
        """The paths of all payload files."""
        return frozenset(path for path in self.files if path.startswith(PAYLOAD))

    @cached_property
    def alike(self) -> Mapping[str, tuple[str, ...]]:
        """Paths by what is left of them where letters' case and ways to compose accents do not count."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path in self.files:
            found[_folded(path)].append(path)
        return {key: tuple(paths) for key, paths in found.items()}


@dataclass(frozen=True, slots=True)
class BagPlan:
    """A bag that is complete, its digests still to be proved.

    info: labels and values of the info file, in order. claims: for each file that a manifest lists, as it is named on disk, the
    digests in lower case by algorithm. oxum_holds: whether the payload's count and length are exactly as the info file says.
    """

    declaration: Declaration
    info: tuple[tuple[str, str], ...]
    claims: Mapping[str, Mapping[str, str]]
    cautions: tuple[Caution, ...]
    oxum_holds: bool

    def values(self, *labels: str) -> tuple[str, ...]:
        """Return the values under any of these labels, whatever the case of their letters, in order."""
        wanted = {label.casefold() for label in labels}
        return tuple(value for label, value in self.info if label.casefold() in wanted and value)


def plan_bag(listing: BagListing) -> BagPlan:
    """Return what is to be proved of a bag. Raises: FormatError for one that is not valid or has to be fetched first."""
    if DECLARATION not in listing.texts:
        raise FormatError(DECLARATION, "expected the declaration that makes a folder a bag, found no such file")
    declaration = read_declaration(listing.texts[DECLARATION])
    info_name = INFO_NAMES[1] if declaration.version <= (0, 95) else INFO_NAMES[0]
    info = read_info(info_name, listing.texts[info_name], declaration) if info_name in listing.texts else ()
    fetched = read_fetch(listing.texts[FETCH], declaration) if FETCH in listing.texts else frozenset()
    check = _Check(listing, declaration, fetched)
    check.manifests()
    holds = check.oxum(info_name, [value for label, value in info if label.casefold() == "payload-oxum"])
    return BagPlan(declaration, info, check.claims, tuple(check.cautions), holds)


def read_declaration(content: bytes) -> Declaration:
    """Return what bagit.txt says. Raises: FormatError; from 1.0 on for a blank out of place too (RFC 8493 section 2.1.1)."""
    if content.startswith(_BOM.encode()):
        raise FormatError(DECLARATION, "expected UTF-8 without a byte-order mark, found one")
    text = _text(DECLARATION, content, "utf-8")
    found = _LENIENT.fullmatch(text)
    if found is None:
        raise FormatError(
            DECLARATION,
            f"expected the lines `BagIt-Version: M.N` and `Tag-File-Character-Encoding: NAME`, found {text[:120]!r}",
        )
    major, _, minor = found[1].partition(".")
    version = (int(major[:9]), int(minor[:9]))
    if version not in VERSIONS:
        raise FormatError(DECLARATION, f"expected a version from 0.93 to 1.0, found {found[1][:20]}")
    if version >= (1, 0) and not _STRICT.fullmatch(text):
        raise FormatError(DECLARATION, f"expected each label, `: ` and its value with no other blank, found {text[:120]!r}")
    encoding = found[2]
    if not _is_encoding(encoding):
        raise FormatError(DECLARATION, f"expected the name of a character encoding, found {encoding[:40]!r}")
    return Declaration(version, encoding)


def read_info(name: str, content: bytes, declaration: Declaration) -> tuple[tuple[str, str], ...]:
    """Return the labels and values of bag-info.txt, in order; values of several lines joined by blanks."""
    found: list[tuple[str, str]] = []
    for number, line in enumerate(_lines(name, content, declaration), 1):
        if not line.strip():
            continue
        if line[0] in " \t" and found:
            label, value = found[-1]
            found[-1] = (label, f"{value} {line.strip()}".strip())
            continue
        label, colon, value = line.partition(":")
        if not colon or not label.strip():
            raise FormatError(name, f"line {number}: expected `Label: value`, found {line[:80]!r}")
        found.append((label.strip(), value.strip()))
    return tuple(found)


def read_fetch(content: bytes, declaration: Declaration) -> frozenset[str]:
    """Return the paths that fetch.txt says are to be had elsewhere."""
    found = set()
    for number, line in enumerate(_lines(FETCH, content, declaration), 1):
        if not line.strip():
            continue
        entry = _FETCHED.fullmatch(line.strip())
        if entry is None or ":" not in entry["url"]:
            raise FormatError(FETCH, f"line {number}: expected an address, a length or `-`, and a path, found {line[:80]!r}")
        path = _normal(FETCH, number, entry["name"])
        if not path.startswith(PAYLOAD):
            raise FormatError(FETCH, f"line {number}: expected a path below {PAYLOAD}, found {entry['name'][:200]!r}")
        found.add(_decoded(path, declaration))
    return frozenset(found)


def read_manifest(name: str, content: bytes, declaration: Declaration) -> Iterator[tuple[int, str, str]]:
    """Yield the number, digest in lower case and path of each line of a manifest, the path as it is written.

    A name after `*` is one as `md5sum` writes it. Raises: FormatError for a line of another form and a path that leads out.
    """
    algorithm = _algorithm(name)
    for number, line in enumerate(_lines(name, content, declaration), 1):
        if not line.strip() or line.startswith("#"):
            continue
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            raise FormatError(name, f"line {number}: expected a digest and a path, found {line[:80]!r}")
        digest = entry["digest"].lower()
        if not re.fullmatch(rf"[0-9a-f]{{{DIGEST_DIGITS[algorithm]}}}", digest):
            expected = f"{DIGEST_DIGITS[algorithm]} hexadecimal digits of {algorithm}"
            raise FormatError(name, f"line {number}: expected {expected}, found {entry['digest'][:140]!r}")
        yield number, digest, entry["name"]


@dataclass
class _Check:
    """Compares what manifests list with what is there."""

    listing: BagListing
    declaration: Declaration
    fetched: frozenset[str]
    claims: dict[str, dict[str, str]] = field(default_factory=dict)
    cautions: list[Caution] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    """Files of other people's systems that are listed and not there."""
    echoes: set[str] = field(default_factory=set)
    """Listed names of a file that is listed under its own too."""

    def manifests(self) -> None:
        """Read all manifests. Raises: FormatError unless each payload file is listed, and each listed file is there."""
        names = sorted(name for name in self.listing.texts if MANIFEST_NAME.fullmatch(name))
        if not any(name.startswith("manifest-") for name in names):
            raise FormatError("manifest-ALGORITHM.txt", "expected a manifest of the payload, found none")
        if not any(path.startswith(PAYLOAD) for path in (*self.listing.files, *self.fetched)) and not self._empty(names):
            raise FormatError(PAYLOAD, "expected the payload, found no file in it")
        listed_once: set[str] = set()
        for name in names:
            listed = self._manifest(name)
            if name.startswith("tag"):
                continue
            listed_once |= listed
            if self.declaration.version >= (1, 0):
                self._expect_all(name, listed)
        self._expect_all("the payload's manifests", listed_once)

    def oxum(self, name: str, values: list[str]) -> bool:
        """Return whether the payload is as long as the info file says, True where it says nothing. Raises: FormatError."""
        if not values:
            return True
        found_count, found_bytes = len(self.listing.payload), sum(self.listing.files[p] for p in self.listing.payload)
        if len(values) > 1:
            self.cautions.append(Caution(name, "Payload-Oxum is there more than once: the first counts"))
        match = _OXUM.fullmatch(values[0])
        if match is None:
            raise FormatError(name, f"expected Payload-Oxum as BYTES.COUNT, found {values[0][:60]!r}")
        stated_bytes, stated_count = int(match[1]), int(match[2])
        if (stated_bytes, stated_count) == (found_bytes, found_count):
            return True
        lost = sum(path.startswith(PAYLOAD) for path in self.absent | self.echoes)
        if lost and found_count < stated_count <= found_count + lost and stated_bytes >= found_bytes:
            return False
        expected = f"{stated_count} files of {stated_bytes} bytes as Payload-Oxum says"
        raise FormatError(name, f"expected {expected}, found {found_count} of {found_bytes} bytes")

    def _empty(self, names: Iterable[str]) -> bool:
        """Whether the payload's manifests say that there is no payload."""
        return not any(self.listing.texts[name].strip() for name in names if name.startswith("manifest-"))

    def _manifest(self, name: str) -> set[str]:
        """Return the files that a manifest lists, as they are named on disk."""
        algorithm, of_tags = _algorithm(name), name.startswith("tag")
        seen: dict[str, str] = {}
        remarks: dict[str, str] = {}
        for number, digest, written in read_manifest(name, self.listing.texts[name], self.declaration):
            bare = written.lstrip("*")
            if bare != written:
                remarks.setdefault("star", f"line {number}: a path after `*`, as md5sum writes it")
            path = _normal(name, number, bare)
            if path.startswith(PAYLOAD) == of_tags:
                where = f"a path outside {PAYLOAD}" if of_tags else f"a path below {PAYLOAD}"
                raise FormatError(name, f"line {number}: expected {where}, found {written[:200]!r}")
            if bare.startswith("./"):
                remarks.setdefault("dot", f"line {number}: a path that begins with `./`")
            found = self._on_disk(name, path)
            if found is None:
                remarks[path] = f"{path} is listed and not there: a file of an operating system, which holds no music"
                continue
            if found in seen:
                remarks[f"{found} again"] = self._again(name, number, found, seen[found] == digest)
            seen[found] = digest
            self._claim(found, algorithm, digest)
        if self.listing.texts[name].startswith(_BOM.encode()):
            remarks["mark"] = "begins with a byte-order mark"
        self.cautions += [Caution(name, text) for text in remarks.values()]
        return set(seen)

    def _again(self, name: str, number: int, path: str, same: bool) -> str:
        """Return what is said of a file that a manifest lists a second time. Raises: FormatError where that is an error."""
        if not same:
            raise FormatError(name, f"line {number}: expected one digest for {path}, found another one")
        if self.declaration.version >= (1, 0):
            raise FormatError(name, f"line {number}: expected {path} once, found it again")
        return f"line {number}: {path} is listed more than once"

    def _claim(self, path: str, algorithm: str, digest: str) -> None:
        other = self.claims.setdefault(path, {}).setdefault(algorithm, digest)
        assert other == digest, "one manifest an algorithm, and a second digest in it is an error"

    def _on_disk(self, name: str, path: str) -> str | None:
        """Return the name that a listed file has on disk, None for one that nobody misses. Raises: FormatError without it."""
        spellings = dict.fromkeys((_decoded(path, self.declaration), path, path.rstrip(" \t"), *self._in_bytes(path)))
        exact = next((spelling for spelling in spellings if spelling in self.listing.files), None)
        if exact is not None:
            return exact
        alike = self.listing.alike.get(_folded(path), ())
        if len(alike) == 1:
            self.echoes.add(path)
            text = f"{path} is listed, and the file is named {alike[0]}: only letters' case or accents differ"
            self.cautions.append(Caution(name, text))
            return alike[0]
        if self.fetched.intersection(spellings):
            raise FormatError(
                FETCH, f"expected all of the payload here, found that {path} has to be fetched: Fonoteca fetches nothing for a bag"
            )
        if _SYSTEM_FILE.fullmatch(path.rpartition("/")[2]):
            self.absent.add(path)
            return None
        raise FormatError(path, f"expected the file that {name} lists, found none")

    def _in_bytes(self, path: str) -> Iterator[str]:
        """Yield the name of a file whose name on disk is in the manifest's own encoding."""
        if not path.isascii():
            yield path.encode(self.declaration.encoding, "replace").decode("utf-8", "surrogateescape")

    def _expect_all(self, name: str, listed: set[str]) -> None:
        missing = self.listing.payload - listed
        if missing:
            raise FormatError(min(missing), f"expected {name} to list it, found that it does not")


def _algorithm(name: str) -> str:
    """Return a manifest's algorithm. Raises: FormatError for one that cannot be checked."""
    match = MANIFEST_NAME.fullmatch(name)
    algorithm = match["algorithm"] if match else ""
    if algorithm not in DIGEST_DIGITS or not name.startswith(("manifest-", "tagmanifest-")):
        raise FormatError(name, f"expected a manifest of one of {', '.join(DIGEST_DIGITS)} named in small letters, found {name!r}")
    return algorithm


def _normal(name: str, number: int, written: str) -> str:
    """Return a path without `.` and empty segments. Raises: FormatError for one that leads out of the bag."""
    bare = re.sub(r"\\(?=\.)", "", written)
    if _LEADS_OUT.match(written) or _LEADS_OUT.match(bare) or "\0" in written:
        raise FormatError(name, f"line {number}: expected a path inside the bag, found {written[:200]!r}, which leads out of it")
    return "/".join(part for part in written.split("/") if part not in ("", "."))


def _decoded(path: str, declaration: Declaration) -> str:
    """Return a path with the escapes resolved that its version knows: line ends, and from 1.0 on the percent sign."""
    escapes = {"%0a": "\n", "%0d": "\r"} | ({"%25": "%"} if declaration.escapes_percent else {})
    return re.sub("|".join(escapes), lambda m: escapes[m[0].lower()], path, flags=re.IGNORECASE)


def _is_encoding(name: str) -> bool:
    """Return whether text can be read in an encoding of this name: Python has some that turn bytes into bytes."""
    try:
        return _ENCODING_NAME.fullmatch(name) is not None and b" ".decode(name, "ignore") is not None
    except LookupError:
        return False
    except UnicodeError:  # of no use for a blank, and an encoding
        return True


def _lines(name: str, content: bytes, declaration: Declaration) -> list[str]:
    return _LINE_END.split(_text(name, content, declaration.encoding).removeprefix(_BOM))


def _text(name: str, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        place = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise FormatError(name, f"expected text in {encoding}, found something else{place}") from None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
