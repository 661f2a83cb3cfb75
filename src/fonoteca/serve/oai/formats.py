"""What is told of an object in each metadata format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fonoteca.register import FileRow
from fonoteca.rights import describe_term
from fonoteca.serve.oai.asking import second
from fonoteca.serve.oai.records import Work
from fonoteca.serve.oai.xml import Xml, element
from fonoteca.serve.paths import object_url

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XLINK = "http://www.w3.org/1999/xlink"


@dataclass(frozen=True, slots=True)
class Site:
    """What is told of every object alike. address: of the site, without a slash at its end. title: of the archive."""

    address: str
    title: str


@dataclass(frozen=True, slots=True)
class Told:
    """An object with its identifier."""

    work: Work
    identifier: str


@dataclass(frozen=True, slots=True)
class MetadataFormat:
    """A format. write: makes its XML."""

    schema: str
    namespace: str
    write: Callable[[Site, Told], Xml]


def _oai_dc(site: Site, told: Told) -> Xml:
    """Return a record in unqualified Dublin Core (section 5)."""
    attributes = {
        "xmlns:oai_dc": OAI_DC.namespace,
        "xmlns:dc": "http://purl.org/dc/elements/1.1/",
        "xmlns:xsi": XSI,
        "xsi:schemaLocation": f"{OAI_DC.namespace} {OAI_DC.schema}",
    }
    return element("oai_dc:dc", (element(f"dc:{name}", text) for name, text in _dublin_core(site, told)), attributes)


def _dublin_core(site: Site, told: Told) -> Iterator[tuple[str, str]]:
    work = told.work
    yield "title", work.row.title or told.identifier
    yield from (("creator", name) for name in work.artists)
    yield from (("subject", genre) for genre in work.genres)
    yield from (("date", str(year)) for year in work.years)
    if work.embargo_end is not None:
        yield "date", f"info:eu-repo/date/embargoEnd/{work.embargo_end}"
    yield "type", "Sound" if work.is_audio else "StillImage"  # the DCMI type vocabulary
    yield from (("format", media_type) for media_type in work.media_types)
    yield "identifier", site.address + object_url(work.row.object_id)
    yield "identifier", work.row.object_id
    if work.row.source_uri.startswith(("http://", "https://")):
        yield "source", work.row.source_uri
    yield from (("rights", uri) for uri, _ in work.licences)
    if work.access:
        yield "rights", f"info:eu-repo/semantics/{work.access}"
        yield "rights", f"Available {describe_term(work.rights.term)}"
    if work.rights.attribution:
        yield "rights", work.rights.attribution


def _mods(site: Site, told: Told) -> Xml:
    """Return a record in MODS 3.8. Only elements are used that version 3.6 has too, so that older readers take it."""
    attributes = {
        "xmlns": MODS.namespace,
        "xmlns:xlink": _XLINK,
        "xmlns:xsi": XSI,
        "version": "3.8",
        "xsi:schemaLocation": f"{MODS.namespace} {MODS.schema}",
    }
    return element("mods", _mods_parts(site, told), attributes)


def _mods_parts(site: Site, told: Told) -> Iterator[Xml]:
    work = told.work
    yield _title(work.row.title or told.identifier)
    yield from (_name(name) for name in work.artists)
    yield element("typeOfResource", "sound recording-musical" if work.is_audio else "still image")
    yield from (element("genre", genre) for genre in work.genres)
    if work.years:
        yield element("originInfo", [_date(year) for year in work.years])
    yield element("physicalDescription", [*(element("internetMediaType", each) for each in work.media_types), _extent(work)])
    yield from (_constituent(row) for row in work.tracks)
    yield element("identifier", work.row.object_id, {"type": "uri"})
    yield element("location", [element("url", site.address + object_url(work.row.object_id), {"usage": "primary"})])
    if work.row.source_uri.startswith(("http://", "https://")):
        yield element("relatedItem", [element("location", [element("url", work.row.source_uri)])], {"type": "original"})
    for uri, name in work.licences:
        yield element("accessCondition", name, {"type": "use and reproduction", "xlink:href": uri, "displayLabel": "Licence"})
    if work.access:
        words = f"Available {describe_term(work.rights.term)}"
        yield element("accessCondition", words, {"type": "restriction on access", "displayLabel": "Term"})
    if work.rights.attribution:
        condition = {"type": "use and reproduction", "displayLabel": "Attribution"}
        yield element("accessCondition", work.rights.attribution, condition)
    yield element(
        "recordInfo",
        [
            element("recordContentSource", site.title),
            element("recordChangeDate", second(work.row.head_at), {"encoding": "w3cdtf"}),
            element("recordIdentifier", told.identifier),
        ],
    )


def _title(text: str) -> Xml:
    return element("titleInfo", [element("title", text)])


def _name(name: str) -> Xml:
    role = element("role", [element("roleTerm", "creator", {"type": "text", "authority": "marcrelator"})])
    return element("name", [element("namePart", name), role])


def _date(year: int) -> Xml:
    return element("dateIssued", f"{year:04d}", {"encoding": "w3cdtf"})


def _extent(work: Work) -> Xml:
    count = len(work.files)
    length = f", {_duration(work.duration_s)}" if work.duration_s else ""
    return element("extent", f"{count} file{'s' if count != 1 else ''}{length}")


def _duration(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _constituent(row: FileRow) -> Xml:
    """Return a track as a part of its release."""
    parts = [_title(row.title), *([_name(row.artist)] if row.artist else [])]
    if row.duration_ms:
        parts.append(element("physicalDescription", [element("extent", _duration(-(-row.duration_ms // 1000)))]))
    tags = row.stored.tags
    parts += [element("identifier", isrc, {"type": "isrc"}) for isrc in (tags.isrcs if tags else ())]
    return element("relatedItem", parts, {"type": "constituent"})


OAI_DC = MetadataFormat("http://www.openarchives.org/OAI/2.0/oai_dc.xsd", "http://www.openarchives.org/OAI/2.0/oai_dc/", _oai_dc)
MODS = MetadataFormat("http://www.loc.gov/standards/mods/v3/mods-3-8.xsd", "http://www.loc.gov/mods/v3", _mods)

FORMATS: Mapping[str, MetadataFormat] = {"oai_dc": OAI_DC, "mods": MODS}
"""The formats by prefix."""
