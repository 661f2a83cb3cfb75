"""What an index says of itself: `index.json`, its shards in order and the files of the snapshot that each is of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fonoteca.formats.strictjson import parse_json
from fonoteca.model.errors import FormatError
from fonoteca.search.shards import tier_of

MANIFEST = "index.json"
FORMAT = "fonoteca-search/2"
MANIFEST_BYTES_MAX = 16 * 2**20
SHARD_ROWS_MAX = 1 << 24
SHARDS_MAX = 1 << 14

WORDS = "words"
KINDS = ("recordings", "artists", "releases", WORDS)

_FILE = re.compile(r"index\.json|(?:recordings|artists|releases|words)-[0-9]{2}/(?:meta\.json|[0-9a-f]{32}\.[a-z]{2,12})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"(?P<kind>recordings|artists|releases|words)-[0-9]{5}")
_SNAPSHOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class ShardOf:
    """One shard. name: its kind and number. rows: its documents. origin: the files of the snapshot that it is of, see `origin_of`.

    digest: of its own files, see `canonical.digest_of`.
    """

    name: str
    rows: int
    origin: str
    digest: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not 0 < self.rows <= SHARD_ROWS_MAX:
            raise FormatError(MANIFEST, f"no shard is named {self.name!r} and has {self.rows} rows")
        if not _DIGEST.fullmatch(self.origin) or not _DIGEST.fullmatch(self.digest):
            raise FormatError(MANIFEST, f"shard {self.name} is not named by digests")

    @property
    def kind(self) -> str:
        """Whether it has recordings, artists, releases or words."""
        return self.name.rpartition("-")[0]

    @property
    def number(self) -> int:
        """Its place among those of its kind, from 0."""
        return int(self.name.rpartition("-")[2])

    @property
    def tier(self) -> str:
        """The name of the folder that its files are in."""
        return f"{self.kind}-{tier_of(self.number):02}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """An index. snapshot: the name of the one that it is of. shards: of each kind in order of popularity."""

    snapshot: str
    shards: tuple[ShardOf, ...]

    def __post_init__(self) -> None:
        if not _SNAPSHOT.fullmatch(self.snapshot) or len(self.shards) > SHARDS_MAX:
            raise FormatError(MANIFEST, f"no index is of {len(self.shards)} shards of {self.snapshot!r}")
        for kind in KINDS:
            names = [shard.name for shard in self.of(kind)]
            if names != [f"{kind}-{number:05}" for number in range(len(names))]:
                raise FormatError(MANIFEST, f"the shards of {kind} do not follow one another")

    def of(self, kind: str) -> tuple[ShardOf, ...]:
        """Return the shards of a kind in order."""
        return tuple(shard for shard in self.shards if shard.kind == kind)

    def tiers(self, kind: str) -> dict[str, list[ShardOf]]:
        """Return the shards of a kind by the tier that they are in, both in order."""
        tiers: dict[str, list[ShardOf]] = {}
        for shard in self.of(kind):
            tiers.setdefault(shard.tier, []).append(shard)
        return tiers

    def write(self) -> bytes:
        """Return its one form as JSON."""
        told = {"format": FORMAT, "snapshot": self.snapshot, "shards": [asdict(shard) for shard in self.shards]}
        return json.dumps(told, indent=1).encode("ascii")


def origin_of(digests: Iterable[str]) -> str:
    """Return what stands for the files of a snapshot that a shard is of. digests: their sha256, in order."""
    return sha256("".join(f"{digest}\n" for digest in digests).encode("ascii")).hexdigest()


def is_index_file(path: str) -> bool:
    """Return whether an index may have a file at this path."""
    return _FILE.fullmatch(path) is not None


def read_manifest(folder: Path) -> Manifest:
    """Return what the index in a folder says of itself. Raises: FormatError; OSError when it cannot be read."""
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MANIFEST_BYTES_MAX:
        raise FormatError(MANIFEST, "not there, or longer than any index needs")
    content = path.read_bytes()
    told = parse_json(content, MANIFEST)
    if not isinstance(told, dict) or told.get("format") != FORMAT or not isinstance(told.get("shards"), list):
        raise FormatError(MANIFEST, f"not an index of the format {FORMAT}")
    manifest = Manifest(str(told.get("snapshot")), tuple(_shard(each) for each in told["shards"]))
    if manifest.write() != content:
        raise FormatError(MANIFEST, "not in the one form that it has")
    return manifest


def _shard(told: Any) -> ShardOf:
    types = {"name": str, "rows": int, "origin": str, "digest": str}
    if not isinstance(told, dict) or told.keys() != types.keys() or any(type(told[key]) is not types[key] for key in types):
        raise FormatError(MANIFEST, "a shard that is not as this version writes it")
    return ShardOf(**told)
