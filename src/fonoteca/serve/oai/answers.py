"""The six verbs, answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fonoteca.model.errors import StoreError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Kind
from fonoteca.register import ChangeRow, Span
from fonoteca.serve.oai.asking import Code, OaiError, Question, Verb, parse_bounds, parse_question, second
from fonoteca.serve.oai.formats import FORMATS, XSI, MetadataFormat, Site, Told
from fonoteca.serve.oai.names import SetSpec, identifier_of, object_of, parse_set
from fonoteca.serve.oai.records import Item, item, items
from fonoteca.serve.oai.tokens import Token, expiry, parse_token, token_text
from fonoteca.serve.oai.xml import Xml, element
from fonoteca.serve.rooms import ServeRooms

_OAI = "http://www.openarchives.org/OAI/2.0/"
_IDENTIFIER = "http://www.openarchives.org/OAI/2.0/oai-identifier"
_ROOT = {"xmlns": _OAI, "xmlns:xsi": XSI, "xsi:schemaLocation": f"{_OAI} {_OAI}OAI-PMH.xsd"}


@dataclass(frozen=True, slots=True)
class _Listing:
    """A list that is asked for, and how far it is. cursor: records before this page. size: None before the first page."""

    prefix: str
    chosen: SetSpec | None
    since: datetime | None
    before: datetime | None
    after: tuple[datetime, ObjectId] | None = None
    cursor: int = 0
    size: int | None = None

    @property
    def span(self) -> Span:
        """The part of the register's list that it is."""
        return Span(self.chosen.kind if self.chosen else "", self.chosen.source if self.chosen else "", self.since, self.before)


class Answers:
    """Answers to harvesters. address: of the site, as this one reached it."""

    def __init__(self, rooms: ServeRooms, address: str) -> None:
        self._rooms = rooms
        self._domain = rooms.settings.oai.domain
        self._base_url = f"{address}/oai"
        self._site = Site(address, rooms.settings.title)
        self._now = rooms.clock.now()

    def answer(self, encoded: str) -> str:
        """Return the answer to a query or form."""
        question: Question | None = None
        try:
            question = parse_question(encoded)
            content = self._content(question)
        except OaiError as error:
            return self.refusal(error, question)
        return self._document(element(question.verb, content), question)

    def refusal(self, error: OaiError, question: Question | None = None) -> str:
        """Return an error. What was asked is repeated unless it was itself at fault (section 3.2)."""
        repeated = None if error.code in (Code.BAD_VERB, Code.BAD_ARGUMENT) else question
        return self._document(element("error", error.words, {"code": error.code}), repeated)

    def _document(self, content: Xml, question: Question | None) -> str:
        asked = {"verb": question.verb, **question.arguments} if question else {}
        parts = [element("responseDate", second(self._now)), element("request", self._base_url, asked), content]
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + element("OAI-PMH", parts, _ROOT) + "\n"

    def _content(self, question: Question) -> Sequence[Xml]:
        asked = question.arguments
        match question.verb:
            case Verb.IDENTIFY:
                return list(self._identify())
            case Verb.LIST_METADATA_FORMATS:
                if "identifier" in asked:
                    self._change_of(asked["identifier"])
                return [_metadata_format(prefix, form) for prefix, form in FORMATS.items()]
            case Verb.LIST_SETS:
                if "resumptionToken" in asked:
                    raise OaiError(Code.BAD_RESUMPTION_TOKEN, "The list of sets is given whole: there are no tokens for it.")
                return [element("set", [element("setSpec", str(each)), element("setName", each.name)]) for each in self._sets()]
            case Verb.GET_RECORD:
                form = _format_of(asked["metadataPrefix"])
                return [self._record(item(self._rooms, self._change_of(asked["identifier"])), form)]
            case Verb.LIST_IDENTIFIERS | Verb.LIST_RECORDS:
                return self._list(question.verb, self._listing(question.verb, asked))

    def _identify(self) -> Iterator[Xml]:
        settings = self._rooms.settings
        earliest = self._rooms.register.changes.earliest() or self._now
        yield element("repositoryName", settings.title)
        yield element("baseURL", self._base_url)
        yield element("protocolVersion", "2.0")
        yield element("adminEmail", settings.oai.email)
        yield element("earliestDatestamp", second(earliest))
        yield element("deletedRecord", "persistent")
        yield element("granularity", "YYYY-MM-DDThh:mm:ssZ")
        parts = [
            element("scheme", "oai"),
            element("repositoryIdentifier", self._domain),
            element("delimiter", ":"),
            element("sampleIdentifier", identifier_of(ObjectId.of(Kind.AUDIO, "debian:asc-music"), self._domain)),
        ]
        attributes = {"xmlns": _IDENTIFIER, "xmlns:xsi": XSI, "xsi:schemaLocation": f"{_IDENTIFIER} {_IDENTIFIER}.xsd"}
        yield element("description", [element("oai-identifier", parts, attributes)])

    def _sets(self) -> Iterable[SetSpec]:
        """Return the kinds, and the kinds with the sources that the archive has."""
        sources = self._rooms.register.changes.sources()
        return sorted([*map(SetSpec, Kind), *(SetSpec(*each) for each in sources)], key=str)

    def _change_of(self, identifier: str) -> ChangeRow:
        object_id = object_of(identifier, self._domain)
        change = self._rooms.register.changes.of(object_id) if object_id else None
        if change is None:
            raise OaiError(Code.ID_DOES_NOT_EXIST, "This archive shares nothing under that identifier, and never did.")
        return change

    def _listing(self, verb: Verb, asked: Mapping[str, str]) -> _Listing:
        """Return the list that is asked for, from its beginning or from where a token says."""
        if "resumptionToken" in asked:
            token = parse_token(asked["resumptionToken"], self._domain, self._now)
            chosen = parse_set(token.set_spec)
            if token.verb is not verb or token.prefix not in FORMATS or bool(chosen) != bool(token.set_spec):
                raise OaiError(Code.BAD_RESUMPTION_TOKEN, "The token is of another list.")
            after = (token.changed_at, token.object_id)
            return _Listing(token.prefix, chosen, token.since, token.before, after, token.cursor, token.size)
        since, before = parse_bounds(asked)
        _format_of(asked["metadataPrefix"])
        chosen = parse_set(asked["set"]) if "set" in asked else None
        if "set" in asked and chosen is None:
            raise OaiError(Code.NO_RECORDS_MATCH, "There is no such set.")
        return _Listing(asked["metadataPrefix"], chosen, since, before)

    def _list(self, verb: Verb, listing: _Listing) -> Sequence[Xml]:
        """Return a page of a list, and where it goes on (section 3.5)."""
        changes, limit = self._rooms.register.changes, self._rooms.settings.oai.page_records
        rows = changes.page(listing.span, listing.after, limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        size = listing.size if listing.size is not None else (changes.count(listing.span) if more else len(rows))
        told = list(items(self._rooms, rows))
        if rows and not told:
            raise StoreError("OAI-PMH", "no rights record of a page can be read", "Run `fonoteca audit` and `fonoteca repair`.")
        form = FORMATS[listing.prefix]
        written = [self._header(each) if verb is Verb.LIST_IDENTIFIERS else self._record(each, form) for each in told]
        # What changed meanwhile is on the list again, further down: it may be longer by now than it was.
        seen = {"completeListSize": str(max(size, listing.cursor + len(rows) + more)), "cursor": str(listing.cursor)}
        if more:
            ends = expiry(self._now)
            set_spec, last = str(listing.chosen or ""), rows[-1]
            place = (listing.since, listing.before, last.changed_at, last.object_id, listing.cursor + len(rows), size)
            text = token_text(Token(verb, listing.prefix, set_spec, *place, ends), self._domain)
            written.append(element("resumptionToken", text, {"expirationDate": second(ends), **seen}))
        elif listing.after is not None:
            written.append(element("resumptionToken", "", seen))
        if not told:
            raise OaiError(Code.NO_RECORDS_MATCH, "Nothing on the list matches.")
        return written

    def _header(self, each: Item) -> Xml:
        change = each.change
        specs = [SetSpec(change.kind), SetSpec(change.kind, change.source)]
        parts = [
            element("identifier", identifier_of(change.object_id, self._domain)),
            element("datestamp", second(change.changed_at)),
            *(element("setSpec", str(spec)) for spec in specs),
        ]
        return element("header", parts, {} if each.work else {"status": "deleted"})

    def _record(self, each: Item, form: MetadataFormat) -> Xml:
        """Return a record; of a deleted one its header alone (section 2.5.1), which says nothing of why."""
        if each.work is None:
            return element("record", [self._header(each)])
        told = Told(each.work, identifier_of(each.change.object_id, self._domain))
        return element("record", [self._header(each), element("metadata", [form.write(self._site, told)])])


def _format_of(prefix: str) -> MetadataFormat:
    if prefix not in FORMATS:
        raise OaiError(Code.CANNOT_DISSEMINATE_FORMAT, f"Records are in {' and '.join(FORMATS)}.")
    return FORMATS[prefix]


def _metadata_format(prefix: str, form: MetadataFormat) -> Xml:
    parts = [element("metadataPrefix", prefix), element("schema", form.schema), element("metadataNamespace", form.namespace)]
    return element("metadataFormat", parts)
