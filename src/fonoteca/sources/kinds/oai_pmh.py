"""`oai-pmh`: records of libraries and archives, with what they say of rights. See docs/sources.md."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit

from fonoteca.formats.terms import term_of
from fonoteca.model.corridor import Candidate, Elsewhere, LeftOut, Want
from fonoteca.model.errors import FormatError, SourceError, SourceMissing, UsageError
from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Evidence, Kind, Scheme
from fonoteca.model.terms import ALWAYS, Term
from fonoteca.sources.grouping import Item, OfferedFile, candidates_of
from fonoteca.sources.listings import offered_in
from fonoteca.sources.offering import Found, Held, SourceContext
from fonoteca.sources.paths import logical_path
from fonoteca.sources.remote import DOCUMENT_BYTES_MAX, key_of, name_of, plain_words, remote_file
from fonoteca.sources.roles import Role, role_of
from fonoteca.sources.statements import scheme_of

PAGES_MAX = 2_000
FILES_MAX = 2_000
"""Of one record."""
_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_ACCESS, _EMBARGO_END = "info:eu-repo/semantics/", "info:eu-repo/date/embargoEnd/"
"""Words of access, in `dc:rights`, and the day on which an embargo ends, in `dc:date` (OpenAIRE guidelines, versions 2 and 3)."""
_OPEN, _EMBARGOED = f"{_ACCESS}openAccess", f"{_ACCESS}embargoedAccess"
_KINDS = {Role.AUDIO: Kind.AUDIO, Role.ARTWORK: Kind.ARTWORK}
_CHOSEN = ("set", "from", "until")


@dataclass(frozen=True, slots=True)
class _Record:
    """One record, as unqualified Dublin Core has it. raw: its XML."""

    identifier: str
    said: Mapping[str, Sequence[str]]
    raw: bytes

    def first(self, name: str) -> str:
        """Return what is said first under a name, "" for nothing."""
        return next(iter(self.said.get(name, ())), "")

    @property
    def term(self) -> Term:
        """From when it may be shared, as a record of embargoed access says. More than one day, or no day, is no answer."""
        days = {day.removeprefix(_EMBARGO_END) for day in self.said.get("date", ()) if day.startswith(_EMBARGO_END)}
        try:
            return term_of(days.pop(), None, None) if len(days) == 1 else ALWAYS
        except FormatError:
            return ALWAYS

    @property
    def addresses(self) -> list[str]:
        """The web addresses that a record names: of itself, and of what belongs to it."""
        named = [each for name in ("identifier", "relation", "hasPart") for each in self.said.get(name, ())]
        return [each for each in dict.fromkeys(named) if urlsplit(each).scheme in ("http", "https")]


class OaiPmh:
    """Repositories that answer OAI-PMH 2.0."""

    kind = "oai-pmh"

    def begins(self, ref: str) -> str:
        """Return the address of the record, or of the first page of records. Raises: UsageError."""
        address, _, identifier = ref.partition("#")
        parts = urlsplit(address)
        chosen = dict(parse_qsl(parts.query))
        if parts.scheme not in ("http", "https") or set(chosen) - set(_CHOSEN):
            remedy = f"Give the repository's address, and after `?` any of {', '.join(_CHOSEN)}; `#IDENTIFIER` for one record."
            raise UsageError(ref, "is no OAI-PMH repository", remedy)
        base = address.partition("?")[0]
        if identifier:
            return _asked(base, {"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": identifier})
        return _asked(base, {"verb": "ListRecords", "metadataPrefix": "oai_dc", **chosen})

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        """Yield the candidates of one record (`ADDRESS#IDENTIFIER`), or of all (`ADDRESS`, `ADDRESS?set=audio&from=2026-01-01`)."""
        address, _, identifier = ref.partition("#")
        base, first = address.partition("?")[0], self.begins(ref)
        records = [_one(first, identifier, context)] if identifier else _listed(base, first, context)
        for record in records:
            yield from _candidates(base, record, context)

    def find(self, want: Want, place: str, context: SourceContext) -> Iterator[Found]:
        """Yield the record whose title and creator are a want's: all records are read, once in a run."""
        address = place.split()[0]
        kept = context.seen.get((self.kind, address))
        known: dict[str, str] = kept if isinstance(kept, dict) else {}
        if not isinstance(kept, dict):
            for record in _listed(address.partition("?")[0], self.begins(address), context):
                for title in record.said.get("title", ()):
                    for creator in record.said.get("creator", ()):
                        known.setdefault(plain_words(title, creator), record.identifier)
            context.seen[self.kind, address] = known
        for title in dict.fromkeys(filter(None, (want.title, want.release))):
            identifier = known.get(plain_words(title, want.artist))
            if identifier is not None:
                yield Found(f"{address.partition('?')[0]}#{identifier}")

    def asks(self, want: Want, place: str) -> Iterator[str]:
        """Yield the first page of records."""
        yield self.begins(place.split()[0])

    def asked_again(self, held: Held) -> str:
        """Return the address of the record."""
        return held.told_at if _identified(held.told_at) else ""

    def said_again(self, held: Held, context: SourceContext) -> tuple[Evidence, ...]:
        """Return what the record says now."""
        return _restated(held.told_at.partition("?")[0], _identified(held.told_at), context)


SOURCE = OaiPmh()


def _identified(url: str) -> str:
    """Return the identifier of the record that an address asks for, "" where it asks for none."""
    return next(iter(parse_qs(urlsplit(url).query).get("identifier", ())), "")


def _asked(base: str, form: Mapping[str, str]) -> str:
    return f"{base}?{urlencode(form)}"


def _read(url: str, context: SourceContext) -> ET.Element:
    """Return an answer. Raises: SourceError, SourceMissing for what the repository does not have."""
    page = context.web.read(url, DOCUMENT_BYTES_MAX)
    where = url.partition("?")[0]
    try:
        text = page.content.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise SourceError(where, "its answer has a document type, which may unpack to anything", "Ask whoever runs it.")
        root = ET.fromstring(text)
    except (UnicodeDecodeError, ET.ParseError, RecursionError) as error:
        raise SourceError(where, f"answers no XML: {error!s:.120}", "Check the address: it ends in `/oai` or the like.") from error
    if root.tag != f"{_OAI}OAI-PMH":
        raise SourceError(where, f"answers no OAI-PMH, but {root.tag!r:.80}", "Check the address: it ends in `/oai` or the like.")
    problem = root.find(f"{_OAI}error")
    if problem is not None:
        code, words = problem.get("code", ""), " ".join((problem.text or "").split())[:200]
        if code == "idDoesNotExist":
            raise SourceMissing(where, f"has no such record: {words}")
        if code != "noRecordsMatch":
            raise SourceError(where, f"answers {code or 'an error'}: {words}", "Ask whoever runs it.")
    return root


def _record(element: ET.Element) -> _Record | None:
    """Return a record, None for one that is deleted or says nothing in Dublin Core."""
    header = element.find(f"{_OAI}header")
    if header is None or header.get("status") == "deleted":
        return None
    identifier = (header.findtext(f"{_OAI}identifier") or "").strip()
    said: dict[str, list[str]] = {}
    for each in element.iter():
        text = " ".join((each.text or "").split())
        if each.tag.startswith(_DC) and text:
            said.setdefault(each.tag.removeprefix(_DC), []).append(text)
    return _Record(identifier, said, ET.tostring(element)) if identifier and said else None


def _one(url: str, identifier: str, context: SourceContext) -> _Record:
    element = _read(url, context).find(f"{_OAI}GetRecord/{_OAI}record")
    record = _record(element) if element is not None else None
    if record is None:
        raise SourceMissing(identifier, "is deleted there, or says nothing in Dublin Core", "It may have been taken down.")
    return record


def _listed(base: str, first: str, context: SourceContext) -> Iterator[_Record]:
    """Yield all records, each once. Raises: SourceError for a list that goes in a circle or never ends."""
    url, tokens, seen = first, set[str](), set[str]()
    for _ in range(PAGES_MAX):
        page = _read(url, context).find(f"{_OAI}ListRecords")
        if page is None:
            return
        for element in page.iter(f"{_OAI}record"):
            record = _record(element)
            if record is not None and record.identifier not in seen:
                seen.add(record.identifier)
                yield record
        token = (page.findtext(f"{_OAI}resumptionToken") or "").strip()
        if not token:
            return
        if token in tokens:
            raise SourceError(base, "its list goes in a circle: the same resumption token comes again", "Ask whoever runs it.")
        tokens.add(token)
        url = _asked(base, {"verb": "ListRecords", "resumptionToken": token})
    raise SourceError(base, f"its list goes on after {PAGES_MAX:,} pages", "Ask for less at a time: `?set=` and `?from=`.")


def _candidates(base: str, record: _Record, context: SourceContext) -> Iterator[Candidate]:
    key = key_of(OaiPmh.kind, record.identifier, base)
    title, artist = record.first("title") or record.identifier, ", ".join(record.said.get("creator", ()))
    page = next(iter(record.addresses), base)
    evidence = _evidence(base, record, context)
    restate = partial(_restated, base, record.identifier, context)
    if not evidence:  # nothing says that it may be held, and so nobody is asked for its files
        yield Candidate(ItemKey(key), Kind.AUDIO, title, artist, page, (), ())
        return
    offered: list[OfferedFile] = []
    seen: set[str] = set()
    for url in _files(record, context):
        path = logical_path(name_of(url).encode("utf-8", "surrogateescape"))
        if path is not None and path not in seen:
            seen.add(path)
            kind = _KINDS[role_of(name_of(url))]
            offered.append(OfferedFile(remote_file(path, Elsewhere(url), None), kind, evidence))
    left_out = () if offered else (LeftOut("*", "nothing", "neither the record nor its page names a file of music"),)
    for candidate in candidates_of(Item(key, title, artist, title, page, left_out, record.term), offered):
        yield replace(candidate, restate=restate)


def _files(record: _Record, context: SourceContext) -> list[str]:
    """Return the addresses of the music and pictures of a record: those that it names, else those that its page links to."""
    named = [url for url in record.addresses if role_of(name_of(url)) in _KINDS]
    if named or not record.addresses:
        return named[:FILES_MAX]
    page = context.web.read(record.addresses[0], DOCUMENT_BYTES_MAX)
    if page.media_type not in ("text/html", "application/xhtml+xml"):
        return []
    own = urlsplit(page.url).netloc
    for links in offered_in(page.content):
        urls = dict.fromkeys(urljoin(page.url, link) for link in links)
        found = [url for url in urls if urlsplit(url).netloc == own and role_of(name_of(url)) in _KINDS]
        if found:
            return found[:FILES_MAX]
    return []


def _evidence(base: str, record: _Record, context: SourceContext) -> tuple[Evidence, ...]:
    """Return what a record says of its rights: addresses as they are, words for a person."""
    now = context.clock.now()
    source = _asked(base, {"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": record.identifier})
    found = []
    for text in dict.fromkeys(record.said.get("rights", ())):
        is_address = text.startswith(("http://", "https://")) and " " not in text
        scheme, statement = (scheme_of(text), text) if is_address else (Scheme.FREE_TEXT, f"rights: {text[:300]}")
        if text.startswith(_ACCESS) and text != _OPEN and not (text == _EMBARGOED and record.term):
            scheme, statement = Scheme.RIGHTS_STATEMENT, text[:300]  # kept from somebody, and nobody says from whom: for a person
        found.append(Evidence(scheme, statement, source, "repository's record", now, record.raw))
    return tuple(found)


def _restated(base: str, identifier: str, context: SourceContext) -> tuple[Evidence, ...]:
    """Return what a record says of its rights now."""
    url = _asked(base, {"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": identifier})
    return _evidence(base, _one(url, identifier, context), context)
