"""`internet-archive`: items of archive.org, or of a host that answers as it does. See docs/sources.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from fonoteca.model.corridor import Candidate, Elsewhere, LeftOut, Want
from fonoteca.model.errors import SourceError, SourceMissing, SourceRefused, UsageError
from fonoteca.model.rights import Evidence, Kind, Scheme
from fonoteca.sources.grouping import Item, OfferedFile, candidates_of
from fonoteca.sources.offering import Found, Held, SourceContext
from fonoteca.sources.paths import logical_path
from fonoteca.sources.remote import DOCUMENT_BYTES_MAX, count_of, digests_of, read_json, remote_file
from fonoteca.sources.roles import Role, role_of, unsupported_reason
from fonoteca.sources.statements import scheme_of

HOME = "https://archive.org"
FILES_MAX = 20_000
"""Of one item. The largest items there have some ten thousand."""
PAGE_ITEMS = 500
PAGES_MAX = 200
FOUND_MAX = 3
"""Items that are looked at for one want which names none."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PLACES = re.compile(r"/(?:details|download|metadata)/([^/?#]+)(?:/(.+))?")
_NO_MUSIC = frozenset({"JPEG Thumb", "Item Tile", "Collection Header", "Spectrogram", "PNG", "Metadata", "Archive BitTorrent"})


@dataclass(frozen=True, slots=True)
class _Reference:
    """What is asked for: an item, or what a search finds, at a host."""

    base: str
    item: str = ""
    query: str = ""


class InternetArchive:
    """The Internet Archive, by its metadata and search APIs."""

    kind = "internet-archive"

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        """Yield the candidates of an item: IDENTIFIER, its address, or `search:QUERY` for all items that a search finds.

        A host other than archive.org is named by the item's address there, or as `search:HOST QUERY`.
        """
        asked = _reference(ref)
        if asked.query:
            for item in _searched(asked, context):
                yield from _candidates(_Reference(asked.base, item), context)
        else:
            yield from _candidates(asked, context)

    def begins(self, ref: str) -> str:
        """Return the address of an item's metadata, or of the first page of a search. Raises: UsageError."""
        asked = _reference(ref)
        return _scrape(asked, "") if asked.query else _metadata(asked)

    def find(self, want: Want, place: str, context: SourceContext) -> Iterator[Found]:
        """Yield the item that a want's own address names; else items whose title and creator are as the want's."""
        base = _base(place)
        named = _PLACES.search(urlsplit(want.source_uri).path) if want.source_uri else None
        if named and _IDENTIFIER.fullmatch(unquote(named[1])) and _is_there(want.source_uri, base):
            file = quote(unquote(named[2] or ""))
            yield Found(f"{base}/details/{unquote(named[1])}", f"{base}/download/{quote(unquote(named[1]))}/{file}" if file else "")
        elif not want.source_uri and want.title and want.artist:
            query = _question(want)
            found = _read(f"{base}/advancedsearch.php?{_search_form(query, FOUND_MAX)}", context)
            for row in _rows(found)[:FOUND_MAX]:
                yield Found(f"{base}/details/{row}")

    def asks(self, want: Want, place: str) -> Iterator[str]:
        """Yield the addresses that looking for a want begins with."""
        base = _base(place)
        named = _PLACES.search(urlsplit(want.source_uri).path) if want.source_uri else None
        if named and _is_there(want.source_uri, base):
            yield f"{base}/metadata/{quote(unquote(named[1]))}"
        elif not want.source_uri and want.title and want.artist:
            yield f"{base}/advancedsearch.php?{_search_form(_question(want), FOUND_MAX)}"

    def asked_again(self, held: Held) -> str:
        """Return the address of the item's metadata."""
        return _metadata(_reference(held.told_at)) if _PLACES.search(held.told_at) else ""

    def said_again(self, held: Held, context: SourceContext) -> tuple[Evidence, ...]:
        """Return what the item's uploader claims now."""
        asked = _reference(held.told_at)
        answer = _read(_metadata(asked), context)
        if not isinstance(answer, dict) or not isinstance(answer.get("metadata"), dict):
            raise SourceMissing(held.told_at, "has no such item any more", "It may have been taken down: ask there.")
        reader = _ItemReader(asked, answer, context)
        if reader.is_restricted:
            raise SourceRefused(held.told_at, "is not for everyone any more", "It may have been taken down: ask there.")
        return reader.evidence()


SOURCE = InternetArchive()


def _base(place: str) -> str:
    return (place.split() or [HOME])[0].rstrip("/")


def _is_there(uri: str, base: str) -> bool:
    """Whether an address names an item of the place: of archive.org, whose items other places mirror, or of its own host."""
    host = (urlsplit(uri).hostname or "").removeprefix("www.")
    return host in ("archive.org", urlsplit(base).hostname)


def _reference(ref: str) -> _Reference:
    if ref.startswith("search:"):
        words = ref.removeprefix("search:").strip()
        first, _, rest = words.partition(" ")
        asked = _Reference(first.rstrip("/"), query=rest.strip()) if "://" in first else _Reference(HOME, query=words)
        if asked.query:
            return asked
    elif "://" in ref:
        parts = urlsplit(ref)
        named = _PLACES.match(parts.path)
        if named and parts.hostname and _IDENTIFIER.fullmatch(unquote(named[1])):
            host = "archive.org" if parts.hostname == "www.archive.org" else parts.netloc
            scheme = "https" if host == "archive.org" else parts.scheme
            return _Reference(f"{scheme}://{host}", unquote(named[1]))
    elif _IDENTIFIER.fullmatch(ref):
        return _Reference(HOME, ref)
    raise UsageError(ref, "is no item of the Internet Archive", "Name its identifier, its address, or `search:` and a query.")


def _read(url: str, context: SourceContext) -> Any:
    return read_json(context.web.read(url, DOCUMENT_BYTES_MAX).content, url.partition("?")[0])


def _question(want: Want) -> str:
    """Return a search for a want: its words as phrases, so that no character of them is an operator."""

    def phrase(text: str) -> str:
        return '"' + re.sub(r'["\\]+', " ", text)[:200].strip() + '"'

    return f"mediatype:audio AND creator:{phrase(want.artist)} AND title:{phrase(want.release or want.title)}"


def _search_form(query: str, count: int) -> str:
    return urlencode({"q": query, "fl[]": "identifier", "rows": count, "page": 1, "output": "json"})


def _rows(found: Any) -> list[str]:
    response = found.get("response") if isinstance(found, dict) else None
    docs = response.get("docs") if isinstance(response, dict) else None
    names = [str(doc.get("identifier", "")) for doc in docs if isinstance(doc, dict)] if isinstance(docs, list) else []
    return [name for name in names if _IDENTIFIER.fullmatch(name)]


def _metadata(asked: _Reference) -> str:
    return f"{asked.base}/metadata/{quote(asked.item)}"


def _scrape(asked: _Reference, cursor: str) -> str:
    form = {"q": asked.query, "fields": "identifier", "count": PAGE_ITEMS, **({"cursor": cursor} if cursor else {})}
    return f"{asked.base}/services/search/v1/scrape?{urlencode(form)}"


def _searched(asked: _Reference, context: SourceContext) -> Iterator[str]:
    """Yield the items that a scrape finds, each once. Ends where an answer brings none that is new: a feed may never end."""
    seen: set[str] = set()
    cursor = ""
    for _ in range(PAGES_MAX):
        found = _read(_scrape(asked, cursor), context)
        rows = found.get("items") if isinstance(found, dict) else None
        names = [str(row.get("identifier", "")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        fresh = [name for name in dict.fromkeys(names) if _IDENTIFIER.fullmatch(name) and name not in seen]
        yield from fresh
        seen.update(fresh)
        following = str(found.get("cursor", "") or "") if isinstance(found, dict) else ""
        if not fresh or not following or following == cursor:
            return
        cursor = following
    raise SourceError(asked.query, f"the search goes on after {PAGES_MAX} pages", "Ask for less at a time.")


def _candidates(asked: _Reference, context: SourceContext) -> Iterator[Candidate]:
    url = _metadata(asked)
    answer = _read(url, context)
    if not isinstance(answer, dict) or not isinstance(answer.get("metadata"), dict):
        raise SourceError(url, f"has no item {asked.item}", "Check its identifier; it may have been taken down.")
    for candidate in _ItemReader(asked, answer, context).candidates():
        yield replace(candidate, restate=partial(_restated, asked, context))


def candidates_in(item: str, answer: Mapping[str, Any], context: SourceContext) -> Iterator[Candidate]:
    """Yield the candidates that the metadata of an item offers, as archive.org answers it."""
    yield from _ItemReader(_Reference(HOME, item), answer, context).candidates()


def _restated(asked: _Reference, context: SourceContext) -> tuple[Evidence, ...]:
    """Return what an item says of its rights now."""
    answer = _read(_metadata(asked), context)
    stated = answer if isinstance(answer, dict) and isinstance(answer.get("metadata"), dict) else {"metadata": {}}
    reader = _ItemReader(asked, stated, context)
    return () if reader.is_restricted else reader.evidence()


class _ItemReader:
    """Reads the metadata of one item, of which nothing is believed."""

    def __init__(self, asked: _Reference, answer: Mapping[str, Any], context: SourceContext) -> None:
        self._asked = asked
        self._metadata: Mapping[str, Any] = answer["metadata"]
        files = answer.get("files")
        listed = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
        self._files = listed[:FILES_MAX]
        self._left_out: list[LeftOut] = []
        if len(listed) > FILES_MAX:
            self._left_out.append(LeftOut("...", "limit", f"the item has {len(listed):,} files, and {FILES_MAX:,} are looked at"))
        self._dark = answer.get("is_dark") is True
        self._context = context
        self._page = f"{asked.base}/details/{quote(asked.item)}"

    @property
    def is_restricted(self) -> bool:
        """Whether the item is not for everyone."""
        return self._dark or _said(self._metadata, "access-restricted-item").casefold() in ("true", "1", "yes")

    def evidence(self) -> tuple[Evidence, ...]:
        """Return what the item says of its rights: what its uploader claims."""
        now, raw = self._context.clock.now(), repr(sorted(_statements(self._metadata))).encode("utf-8", "surrogatepass")
        found = [
            Evidence(scheme_of(text), text, self._page, "uploader at the Internet Archive", now, raw)
            for text in _texts(self._metadata, "licenseurl")
        ]
        found += [
            Evidence(Scheme.FREE_TEXT, f"{name}: {text[:300]}", self._page, "uploader at the Internet Archive", now, raw)
            for name in ("rights", "possible-copyright-status")
            for text in _texts(self._metadata, name)
        ]
        return tuple(found)

    def candidates(self) -> Iterator[Candidate]:
        """Yield the item's music and its pictures."""
        evidence = self.evidence()
        offered: list[OfferedFile] = []
        if self.is_restricted:
            self._left_out.append(LeftOut("*", "restricted", "the item is not for everyone (access-restricted-item)"))
        else:
            offered = list(self._offered(evidence))
        title, artist = _said(self._metadata, "title"), ", ".join(_texts(self._metadata, "creator"))
        key = f"{InternetArchive.kind}:{self._asked.item}"
        item = Item(key, title, artist, self._asked.item, self._page, tuple(self._left_out))
        if not offered and not self._left_out:
            raise SourceError(self._page, "has no music among its files", "Look at it in a browser.")
        yield from candidates_of(item, offered)

    def _offered(self, evidence: tuple[Evidence, ...]) -> Iterator[OfferedFile]:
        """Yield the files as they were uploaded; what the host made of them only where nothing else can be taken."""
        music = [file for file in self._files if _role(file) is Role.AUDIO and not _private(file)]
        originals = [file for file in music if _said(file, "source") == "original"]
        names = {_said(file, "name") for file in originals}
        made = [file for file in music if _said(file, "source") != "original" and _said(file, "original") not in names]
        pictures = [file for file in self._files if _is_cover(file)]
        for file in self._files:
            if _role(file) is Role.UNSUPPORTED_MUSIC:
                name = _said(file, "name")
                self._left_out.append(LeftOut(name, "unsupported", unsupported_reason(name)))
            elif _role(file) is Role.AUDIO and _private(file):
                self._left_out.append(LeftOut(_said(file, "name"), "restricted", "the file is not for everyone (private)"))
        for file in (*originals, *(made if not originals else ()), *pictures):
            one = self._file(file, evidence)
            if one is not None:
                yield one

    def _file(self, file: Mapping[str, Any], evidence: tuple[Evidence, ...]) -> OfferedFile | None:
        name = _said(file, "name")
        path = logical_path(name.encode("utf-8", "surrogatepass"))
        if path is None:
            self._left_out.append(LeftOut(name, "name", "its name cannot be a path of its own in an archive"))
            return None
        url = f"{self._asked.base}/download/{quote(self._asked.item)}/{quote(name, errors='surrogatepass')}"
        kind = Kind.AUDIO if _role(file) is Role.AUDIO else Kind.ARTWORK
        found = remote_file(path, Elsewhere(url, digests_of(file)), count_of(file.get("size")))
        return OfferedFile(found, kind, evidence)


def _role(file: Mapping[str, Any]) -> Role:
    return role_of(_said(file, "name").rpartition("/")[2])


def _private(file: Mapping[str, Any]) -> bool:
    return _said(file, "private").casefold() == "true"


def _is_cover(file: Mapping[str, Any]) -> bool:
    """Whether a file is a picture that somebody uploaded: no thumbnail, tile or spectrogram that the host made."""
    uploaded = _said(file, "source") == "original" and _said(file, "format") not in _NO_MUSIC
    return _role(file) is Role.ARTWORK and uploaded and not _said(file, "name").startswith("__ia_thumb") and not _private(file)


def _texts(stated: Mapping[str, Any], name: str) -> list[str]:
    """Return what is said under a name, which may be a text or a list of them, each once."""
    found = stated.get(name)
    values: Sequence[Any] = found if isinstance(found, list) else [found]
    return list(
        dict.fromkeys(" ".join(str(value).split()) for value in values if isinstance(value, str | int) and str(value).strip())
    )


def _said(stated: Mapping[str, Any], name: str) -> str:
    return next(iter(_texts(stated, name)), "")


def _statements(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("identifier", "licenseurl", "rights", "possible-copyright-status", "access-restricted-item", "uploader_claims"):
        for text in _texts(metadata, name):
            yield name, text
