"""Uploads: what a curator says of files that they bring, as the desk's docket keeps it and as the rights.toml that is made of it.

An upload is a folder like any other: it comes in by the kind `folder`, through the same gates.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fonoteca.model.desk import Order
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import ItemKey, ObjectId
from fonoteca.model.rights import Act, Kind

UPLOAD_ACTION = "upload"
RIGHTS_FILE = "rights.toml"
"""What is made of what is said, beside the files."""
NAME_BYTES_MAX = 200
_TEXTS = {"title": 500, "artist": 500, "attribution": 500, "licence": 500, "source": 2000, "why": 2000}
"""What is said in words, and how many letters each may have."""

_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Brought:
    """What is said of an upload. token: its folder. licence: an address or SPDX name, "" for the curator's own work.

    acts: what is granted of one's own work. why: how they know that it may be held; it is kept as evidence.
    cover_of: the key of the item that is held and that the upload is a cover of, "" for a release.
    """

    token: str
    title: str
    artist: str
    licence: str
    acts: tuple[str, ...]
    attribution: str
    source: str
    why: str
    cover_of: str = ""

    @property
    def item_id(self) -> str:
        """The id in its rights.toml: what it is called and where it came in, so that no two uploads are one item."""
        plain = unicodedata.normalize("NFKD", self.title).encode("ascii", "ignore").decode().lower()
        return f"{re.sub(r'[^a-z0-9]+', '-', plain)[:60].strip('-') or 'upload'}-{self.token[:8]}"

    @property
    def object_id(self) -> ObjectId:
        """The id of its music once it is held, or of the pictures of the item that it is a cover of."""
        if self.cover_of:
            return ObjectId.of(Kind.ARTWORK, ItemKey(self.cover_of))
        return ObjectId.of(Kind.AUDIO, ItemKey(f"folder:{self.item_id}"))


def check_brought(said: Brought) -> None:
    """Raise UsageError for what is left out, too long, or says both a licence and one's own work."""
    if not _TOKEN.fullmatch(said.token):
        raise UsageError("upload", "there is no such upload", "Begin again.")
    if said.cover_of and not is_key(said.cover_of):
        raise UsageError(repr(said.cover_of[:100]), "not the key of an item", "It stands on the page of what is held.")
    for name, most in _TEXTS.items():
        _check_text(name, getattr(said, name), most)
    if not said.title.strip():
        raise UsageError("title", "the upload has none", "Say what it is called.")
    if bool(said.licence) == bool(said.acts):
        raise UsageError("licence", "expected a licence, or what is granted of one's own work, and not both", "Choose one of them.")
    if any(act not in frozenset(Act) for act in said.acts):
        raise UsageError("acts", f"expected some of {', '.join(Act)}, found {', '.join(said.acts)}", "Choose from them.")
    if not said.why.strip():
        problem = "nothing is said of how you know that it may be held"
        raise UsageError("why", problem, "Say who licensed it, and where that is to be read.")


def is_key(text: str) -> bool:
    """Whether a text can be the key of an item."""
    try:
        ItemKey(text)
    except FormatError:
        return False
    return True


def _check_text(name: str, text: str, most: int) -> None:
    lines = "" if name != "why" else "\r\n\t"
    hidden = any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") and letter not in lines for letter in text)
    if len(text) > most or hidden:
        problem = f"expected at most {most:,} letters that can be seen, found {len(text):,}"
        raise UsageError(name, problem, "Shorten it, or take out what cannot be seen.")


def file_name(name: str) -> str:
    """Return a name under which a file is kept that somebody calls so: never a path, never hidden, at most 200 bytes.

    Raises: UsageError for a name of which nothing is left, or that means something here.
    """
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    plain = "".join(letter for letter in last if unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp")).strip().lstrip(".")
    stem, dot, ending = plain.rpartition(".")
    if len(plain.encode()) > NAME_BYTES_MAX:
        room = NAME_BYTES_MAX - len(f"{dot}{ending}".encode())
        plain = (stem if dot else plain).encode()[: max(room, 1)].decode("utf-8", "ignore") + (dot + ending if dot else "")
    if not plain or len(plain.encode()) > NAME_BYTES_MAX or plain.lower() == "rights.toml":
        raise UsageError(repr(name[:100]), "no name for a file of an upload", "Give it another name.")
    return plain


def rights_toml(said: Brought) -> bytes:
    """Return the rights.toml of an upload. What the curator knows stands in it as a comment: it is evidence, and kept private."""
    why = "\n".join(f"# {line}" for line in re.split(r"[\r\n\u2028\u2029]+", said.why.strip()))
    terms = f"licence = {_text(said.licence)}" if said.licence else f"own = true\nacts = {json.dumps(list(said.acts))}"
    lines = (
        "# Said at the desk by who uploaded it:",
        why,
        f"id = {_text(said.item_id)}",
        f"title = {_text(said.title)}",
        f"artist = {_text(said.artist)}",
        terms,
        *([f"attribution = {_text(said.attribution)}"] if said.attribution else []),
        *([f"source = {_text(said.source)}"] if said.source else []),
    )
    return ("\n".join(lines) + "\n").encode()


Files = Mapping[str, tuple[int, int]]
"""The files of an upload by name: bytes, and when each was last written to, in microseconds since 1970."""


def upload_order(said: Brought, files: Files, right: Mapping[str, Mapping[str, str]]) -> Order:
    """Return the order to take an upload in. right: what is right of its files' tags, by file and field. Raises: UsageError."""
    check_brought(said)
    told = {"files": _listed(files), "right": {of: dict(fields) for of, fields in right.items()}}
    facts = {**asdict(said), "acts": list(said.acts), **told}
    return Order(UPLOAD_ACTION, subject_of(said.token), facts, (said.object_id,))


def check_unchanged(facts: Mapping[str, Any], files: Files) -> None:
    """Raise UsageError when the files of an upload are not those of which an order's facts speak."""
    meant = facts.get("files")
    if meant != _listed(files):
        names = ", ".join(sorted(set(meant if isinstance(meant, Mapping) else ()) ^ set(files))) or "one was replaced"
        problem = f"its files changed since it was put down: {names[:500]}"
        raise UsageError("upload", problem, "Look at them, and put it down again.")


def _listed(files: Files) -> dict[str, list[int]]:
    return {name: list(stamp) for name, stamp in files.items()}


def subject_of(token: str) -> str:
    """Return what an upload is called in the docket before anything of it is held."""
    return f"upload:{token}"


def brought_in(facts: Mapping[str, Any]) -> tuple[Brought, Mapping[tuple[str, str], str]]:
    """Return what an order's facts say of an upload, and what is right by (file, field). Raises: UsageError when they are none."""
    acts, right = facts.get("acts"), facts.get("right")
    texts: dict[str, Any] = {name: facts.get(name) for name in ("token", "cover_of", *_TEXTS)}
    told = [*texts.values(), *(acts if isinstance(acts, list) else [None])]
    known = isinstance(right, Mapping) and all(isinstance(own, Mapping) for own in right.values())
    if not known or not all(isinstance(value, str) for value in told):
        raise UsageError("upload", "its entry does not say what an upload says", "Begin again.")
    said = Brought(**texts, acts=tuple(told[len(texts) :]))
    check_brought(said)
    return said, {(str(of), str(name)): str(value) for of, own in dict(right or {}).items() for name, value in own.items()}


def _text(text: str) -> str:
    """Return a text as TOML writes it: as JSON does, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
