"""Addresses on this site: made with every odd character escaped, and read back from what the client sent, undecoded.

Ids and paths may hold slashes, percent signs, newlines and emoji. Starlette routes on the decoded path, where an escaped
slash is lost; so the parts are taken from the raw path.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote, unquote, urlencode

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from fonoteca.model.errors import FormatError
from fonoteca.model.ids import LogicalPath, ObjectId

PARTS_MAX = 256
"""Of one path; more are nobody's file."""


class _Rest(Convertor[str]):
    """The rest of a path, newlines and all: Starlette's own `path` stops at them."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """Return the text as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Return the text as it is."""
        return value


register_url_convertor("rest", _Rest())


def object_url(object_id: str) -> str:
    """Return the address of an object's page."""
    return f"/objects/{quote(object_id, safe=':')}"


def trace_url(object_id: str) -> str:
    """Return the address of why an object is here."""
    return f"/trace/{quote(object_id, safe=':')}"


def review_url(object_id: str) -> str:
    """Return the address of what waits for a decision about an object, for curators."""
    return f"/desk/review/{quote(object_id, safe=':')}"


def track_anchor(logical_path: str) -> str:
    """Return the name of a track's place on its release's page: letters and digits, whatever the path holds."""
    return f"t{hashlib.sha256(logical_path.encode()).hexdigest()[:12]}"


def track_url(object_id: str, logical_path: str) -> str:
    """Return the address of a held track's page."""
    return f"/tracks/{_of_file(object_id, logical_path)}"


def recording_url(recording_id: str) -> str:
    """Return the address of the page of a recording that the catalogue knows, held or not."""
    return f"/tracks/{quote(recording_id, safe='')}"


def known_release_url(release_id: str) -> str:
    """Return the address of the page of a release that the catalogue knows, held or not."""
    return f"/releases/{quote(release_id, safe='')}"


def file_url(object_id: str, logical_path: str) -> str:
    """Return the address of a file."""
    return f"/files/{_of_file(object_id, logical_path)}"


def listen_url(object_id: str, logical_path: str) -> str:
    """Return the address of a file in another format."""
    return f"/listen/{_of_file(object_id, logical_path)}"


def waveform_url(object_id: str, logical_path: str) -> str:
    """Return the address of a picture of a file's sound."""
    return f"/waveforms/{_of_file(object_id, logical_path)}"


def cover_url(object_id: str) -> str:
    """Return the address of the picture that stands for an object: artwork where there is some that may be shown."""
    return f"/covers/{quote(object_id, safe=':')}"


def _of_file(object_id: str, logical_path: str) -> str:
    return f"{quote(object_id, safe=':')}/{quote(logical_path)}"


def ask_url(object_id: str, logical_path: str = "") -> str:
    """Return the address at which one asks for a correction or a withdrawal of an object, or of one of its files."""
    return f"/corrections?{urlencode({'about': object_id, **({'file': logical_path} if logical_path else {})})}"


def artist_url(name: str) -> str:
    """Return the address of an artist's page."""
    return f"/artists/{quote(name, safe='')}"


def raw_parts(request: Request, prefix: str) -> list[str]:
    """Return the decoded parts of the path below a prefix; an escaped slash stays inside its part.

    Returns: [] for a path that is not UTF-8, has too many parts, or an empty, `.` or `..` part.
    """
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode("ascii")
    root = request.scope.get("root_path", "").encode("utf-8")
    below = raw.split(b"?", 1)[0].removeprefix(root).removeprefix(prefix.encode("ascii"))
    try:
        parts = [unquote(part.decode("ascii"), errors="strict") for part in below.split(b"/")]
    except UnicodeDecodeError:
        return []
    whole = "/".join(parts).split("/")
    if len(whole) > PARTS_MAX or any(part in ("", ".", "..") for part in whole):
        return []
    return parts


def object_id_of(text: str) -> ObjectId | None:
    """Return the object id that a text is, or None."""
    try:
        return ObjectId(text)
    except FormatError:
        return None


def logical_path_of(parts: list[str]) -> LogicalPath | None:
    """Return the logical path that these parts make, or None."""
    try:
        return LogicalPath("/".join(parts))
    except FormatError:
        return None
