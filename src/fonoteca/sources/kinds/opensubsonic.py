"""`opensubsonic`: another archive or a server of one's own that speaks OpenSubsonic. See docs/sources.md.

The protocol says nothing of rights. What may be held is what the operator declares for a server; without that, a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from fonoteca.model.corridor import Candidate, Elsewhere, LeftOut, Want
from fonoteca.model.errors import SourceError, SourceMissing, SourceRefused, UsageError
from fonoteca.model.rights import Evidence, Kind, Scheme
from fonoteca.sources.grouping import Item, OfferedFile, candidates_of
from fonoteca.sources.offering import Found, SourceContext
from fonoteca.sources.paths import logical_path
from fonoteca.sources.remote import DOCUMENT_BYTES_MAX, count_of, key_of, plain_words, read_json, remote_file
from fonoteca.sources.roles import Role, role_of
from fonoteca.sources.statements import scheme_of

PAGE_ALBUMS = 500
ALBUMS_MAX = 200_000
SONGS_MAX = 5_000
"""Of one album."""
FOUND_SONGS = 20
_DENIED = frozenset({40, 41, 42, 43, 44, 50})
_ABSENT = 70


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a reference asks for. declared: what the operator says of its rights, "" for nothing."""

    base: str
    album: str = ""
    declared: str = ""


class OpenSubsonic:
    """Servers that speak OpenSubsonic."""

    kind = "opensubsonic"

    def begins(self, ref: str) -> str:
        """Return the address of an album, or of the first page of the list of them. Raises: UsageError."""
        asked = _asked(ref)
        return _call(asked.base, "getAlbum", id=asked.album) if asked.album else _page(asked.base, 0)

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        """Yield the candidates of an album (`ADDRESS#ALBUM`) or of all (`ADDRESS`); after a blank what is declared of rights."""
        asked = _asked(ref)
        for album in [asked.album] if asked.album else _albums(asked.base, context):
            yield from _candidates(_Asked(asked.base, album, asked.declared), context)

    def find(self, want: Want, place: str, context: SourceContext) -> Iterator[Found]:
        """Yield the albums with songs of a want's title and artist."""
        asked = _asked(place)
        if not want.title or not want.artist:
            return
        found = _read(_search(asked.base, want), context).get("searchResult3")
        songs = found.get("song") if isinstance(found, dict) else None
        for song in songs if isinstance(songs, list) else []:
            if isinstance(song, dict) and song.get("albumId") and _is(song, want):
                declared = f" {asked.declared}" if asked.declared else ""
                yield Found(f"{asked.base}#{song['albumId']}{declared}", _call(asked.base, "download", id=str(song.get("id"))))

    def asks(self, want: Want, place: str) -> Iterator[str]:
        """Yield the search for a want."""
        if want.title and want.artist:
            yield _search(_asked(place).base, want)


SOURCE = OpenSubsonic()


def _asked(ref: str) -> _Asked:
    address, _, declared = ref.strip().partition(" ")
    base, _, album = address.partition("#")
    if urlsplit(base).scheme not in ("http", "https") or urlsplit(base).query:
        remedy = "Give a server's address, `#ALBUM` for one album, and after a blank what is declared, such as `own: hold`."
        raise UsageError(ref, "is no OpenSubsonic server", remedy)
    return _Asked(base.rstrip("/"), album, " ".join(declared.split()))


def _call(base: str, method: str, **form: str | int) -> str:
    """Return the address of a call. Who calls is added when it is sent (`keys/sources.netrc`), and so is in no record."""
    return f"{base}/rest/{method}?{urlencode(form)}"


def _page(base: str, offset: int) -> str:
    return _call(base, "getAlbumList2", type="alphabeticalByName", size=PAGE_ALBUMS, offset=offset)


def _search(base: str, want: Want) -> str:
    return _call(base, "search3", query=want.title, songCount=FOUND_SONGS, albumCount=0, artistCount=0)


def _is(song: Mapping[str, Any], want: Want) -> bool:
    said = [plain_words(str(song.get("title", "")), str(song.get(name, ""))) for name in ("artist", "displayArtist")]
    return plain_words(want.title, want.artist) in said


def _read(url: str, context: SourceContext) -> Mapping[str, Any]:
    """Return what a server answers. Raises: SourceRefused, SourceMissing, SourceError for what it answers instead."""
    where = url.partition("?")[0]
    answer = read_json(context.web.read(url, DOCUMENT_BYTES_MAX).content, where)
    found = answer.get("subsonic-response") if isinstance(answer, dict) else None
    if not isinstance(found, dict):
        raise SourceError(where, "answers no OpenSubsonic", "Check the address: what comes before `/rest/`.")
    if found.get("status") != "ok":
        error = found.get("error")
        code, words = (error.get("code"), str(error.get("message", ""))[:200]) if isinstance(error, dict) else (None, "")
        if code in _DENIED:
            raise SourceRefused(where, f"refuses: {words}", "See keys/sources.netrc, and what the account may.")
        if code == _ABSENT:
            raise SourceMissing(where, f"has it not: {words}")
        raise SourceError(where, f"answers error {code}: {words}", "Ask whoever runs it.")
    return found


def _albums(base: str, context: SourceContext) -> Iterator[str]:
    """Yield the ids of all albums, each once; ends where a page brings none that is new."""
    seen: set[str] = set()
    while len(seen) < ALBUMS_MAX:
        listed = _read(_page(base, len(seen)), context).get("albumList2")
        rows = listed.get("album") if isinstance(listed, dict) else None
        names = [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id")] if isinstance(rows, list) else []
        fresh = [name for name in dict.fromkeys(names) if name not in seen]
        if not fresh:
            return
        seen.update(fresh)
        yield from fresh
        if len(names) < PAGE_ALBUMS:
            return
    raise SourceError(base, f"its list of albums goes on after {ALBUMS_MAX:,}", "Name albums one by one.")


def _candidates(asked: _Asked, context: SourceContext) -> Iterator[Candidate]:
    url = _call(asked.base, "getAlbum", id=asked.album)
    album = _read(url, context).get("album")
    songs = album.get("song") if isinstance(album, dict) else None
    if not isinstance(album, dict) or not isinstance(songs, list):
        raise SourceError(asked.base, f"has no songs under {asked.album!r:.80}", "Look at it in a player.")
    evidence = _evidence(asked, context)
    offered: list[OfferedFile] = []
    left_out: list[LeftOut] = []
    seen: set[str] = set()
    for song in [each for each in songs[:SONGS_MAX] if isinstance(each, dict)]:
        name = (
            str(song.get("path") or f"{song.get('title', 'song')}.{song.get('suffix', '')}").replace("\\", "/").rpartition("/")[2]
        )
        path = logical_path(name.encode("utf-8", "surrogatepass"))
        if path is None or path in seen:
            path = logical_path(f"{song.get('discNumber', 1)}-{song.get('track', 0)} {name}".encode("utf-8", "surrogatepass"))
        if path is None or path in seen or role_of(name) is not Role.AUDIO or not song.get("id"):
            left_out.append(LeftOut(name, "name", "its name says of no music, or is taken"))
            continue
        seen.add(path)
        there = Elsewhere(_call(asked.base, "download", id=str(song["id"])))
        offered.append(OfferedFile(remote_file(path, there, count_of(song.get("size"))), Kind.AUDIO, evidence))
    title, artist = str(album.get("name", "")), str(album.get("artist", ""))
    key = key_of(OpenSubsonic.kind, f"{artist} {title}", f"{asked.base}#{asked.album}")
    yield from candidates_of(Item(key, title, artist, asked.album, asked.base, tuple(left_out)), offered)


def _evidence(asked: _Asked, context: SourceContext) -> tuple[Evidence, ...]:
    """Return what the operator declares of a server: that it is their own, or a licence."""
    text = asked.declared
    if not text:
        return ()
    if text.casefold().partition(":")[0] == "own":
        scheme, text = Scheme.OWNER, text if ":" in text else "own: hold"
    else:
        scheme = scheme_of(text)
    return (Evidence(scheme, text, asked.base, "operator", context.clock.now(), asked.declared.encode()),)
