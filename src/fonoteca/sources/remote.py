"""What all kinds of sources that are elsewhere have in common: files with an address, and documents that must be understood.

No music is fetched here: a candidate says where its files are, rights decide, and then `fonoteca.flows.fetching` asks for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import unquote, urlsplit

from fonoteca.model.corridor import CandidateFile, Elsewhere
from fonoteca.model.errors import SourceError
from fonoteca.model.ids import LogicalPath
from fonoteca.model.manners import Download, Downloaded, Page
from fonoteca.sources.paths import slug
from fonoteca.sources.steady import Stamp, open_steady

DOCUMENT_BYTES_MAX = 32 << 20
"""Of a listing, a record or an answer; an item of the Internet Archive with ten thousand files has 4 MB of metadata."""
DEPTH_MAX = 64
_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


@dataclass(frozen=True, slots=True)
class NotFetched:
    """Opens a file that has to be fetched first: it cannot be."""

    url: str

    def __call__(self) -> BinaryIO:
        """Raise SourceError."""
        raise SourceError(self.url.partition("?")[0], "was not fetched yet", "Run the same command again")


class Offline:
    """A `Web` that reaches nobody: for archives that only take what is at hand."""

    sent = 0

    def read(self, url: str, bytes_max: int) -> Page:
        """Raise SourceError."""
        self._refuse(url)

    def download(self, wanted: Download, advance: object) -> Downloaded:
        """Raise SourceError."""
        self._refuse(wanted.url)

    def free_at(self, url: str) -> None:
        """Return None."""

    def _refuse(self, url: str) -> NoReturn:
        raise SourceError(url.partition("?")[0], "cannot be asked: nothing here reaches other hosts")


def remote_file(path: LogicalPath, elsewhere: Elsewhere, file_bytes: int | None) -> CandidateFile:
    """Return a file that has to be fetched before it can be opened."""
    return CandidateFile(path, file_bytes, NotFetched(elsewhere.url), elsewhere)


def fetched_file(file: CandidateFile, path: Path, subject: str) -> CandidateFile:
    """Return a file as it can be opened now that it was fetched to a path."""
    stamp = Stamp.of(path.stat())
    return CandidateFile(file.logical_path, stamp.file_bytes, partial(open_steady, path, subject, stamp))


def digests_of(stated: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the digests among what is stated of a file, in a fixed order; what is no digest is not one."""
    found = ((name, str(stated.get(name, "") or "").strip().lower()) for name in ("sha256", "sha512", "sha1", "md5"))
    return tuple((name, text) for name, text in found if len(text) == _LENGTHS[name] and set(text) <= set("0123456789abcdef"))


def count_of(stated: Any) -> int | None:
    """Return a number of bytes that is stated as a number or as digits, None where none is."""
    text = str(stated).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def read_json(content: bytes, subject: str) -> Any:
    """Return what a document says. Raises: SourceError for what is no JSON, or nested beyond sense."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        remedy = "Look at the address in a browser: it may have moved."
        raise SourceError(subject, f"is no JSON: {error!s:.120}", remedy) from error


def name_of(url: str) -> str:
    """Return the name of the file that an address ends in, as text; "" for a folder."""
    return unquote(urlsplit(url).path.rpartition("/")[2], errors="surrogateescape")


def plain_words(*words: str) -> str:
    """Return texts as they are compared: in one case, blanks as one."""
    return "\0".join(" ".join(word.casefold().split()) for word in words)


def key_of(kind: str, name: str, place: str) -> str:
    """Return the key of an item: its name made plain, and eight digits that tell it from items of other places."""
    mark = hashlib.sha256(f"{place}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{kind}:{slug(name) or 'item'}-{mark}"
