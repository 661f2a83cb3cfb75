"""OAI-PMH as libraries meet it: harvested over HTTP by a client that is not ours, each answer held against the official schemas."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from oaipmh_scythe import Scythe
from serve_site import ENDGAME, KEPT, ODD, Site

from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.settings import OaiSettings
from fonoteca.model.withdrawal import Authority, Dates, Reason, Tombstone, WithdrawalState
from fonoteca.serve.oai.asking import OaiError, Verb
from fonoteca.serve.oai.names import identifier_of, object_of
from fonoteca.serve.oai.tokens import Token, parse_token, token_text
from fonoteca.serve.oai.xml import element

SCHEMAS = Path(__file__).parent / "oai_schemas"
DOMAIN = "archive.example"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
MODS = "{http://www.loc.gov/mods/v3}"
DC = "{http://purl.org/dc/elements/1.1/}"
HREF = "{http://www.w3.org/1999/xlink}href"
GONE = ObjectId.of("audio", "folder:gone")


class _Carried(etree.Resolver):
    """Gives the schemas that lie here for those that others name."""

    def resolve(self, url: str, public_id: str, context: object) -> object:
        name = url.rsplit("/", 1)[-1]
        assert (SCHEMAS / name).is_file() or name == "XMLSchema.dtd", f"a schema that is not carried: {url}"
        return self.resolve_string("" if name.endswith(".dtd") else (SCHEMAS / name).read_bytes(), context, base_url=name)


@cache
def schema() -> etree.XMLSchema:
    """Return one schema of the protocol and of both formats, so that what is inside records is validated strictly."""
    parser = etree.XMLParser(no_network=True, load_dtd=False)
    parser.resolvers.add(_Carried())
    namespaces = {
        "http://www.openarchives.org/OAI/2.0/": "OAI-PMH.xsd",
        "http://www.openarchives.org/OAI/2.0/oai_dc/": "oai_dc.xsd",
        "http://www.loc.gov/mods/v3": "mods-3-6.xsd",
    }
    imports = "".join(f'<import namespace="{name}" schemaLocation="{file}"/>' for name, file in namespaces.items())
    text = f'<schema xmlns="http://www.w3.org/2001/XMLSchema">{imports}</schema>'
    return etree.XMLSchema(etree.fromstring(text, parser))


def valid(answer: httpx.Response) -> etree._Element:
    """Return an answer's root, after holding it against the schemas."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    root = etree.fromstring(answer.content, etree.XMLParser(resolve_entities=False, no_network=True))
    checked = etree.fromstring(answer.content)
    for mods in checked.iter(f"{MODS}mods"):
        assert mods.get("version") == "3.8"
        mods.set("version", "3.6")
    for description in list(checked.iter(f"{OAI}description")):
        description.getparent().remove(description)  # the schema of identifiers is carried by no package; its words are checked
    assert schema().validate(checked), schema().error_log
    return root


def errors(answer: httpx.Response) -> list[str]:
    """Return the codes of an answer that is an error, and valid."""
    return [each.get("code") for each in valid(answer).iter(f"{OAI}error")]


@dataclass(frozen=True)
class Provider:
    """A site that is harvested."""

    client: httpx.Client

    @property
    def address(self) -> str:
        return f"{str(self.client.base_url).rstrip('/')}/oai"

    def ask(self, **arguments: str) -> httpx.Response:
        return self.client.get("/oai", params={name.rstrip("_"): value for name, value in arguments.items()})

    def harvest(self, verb: Verb, **arguments: str) -> list[etree._Element]:
        """Return all records or headers of a list, each page valid, its cursor right."""
        found, answer = [], self.ask(verb=verb, **arguments)
        while True:
            root = valid(answer)
            assert not list(root.iter(f"{OAI}error")), answer.text
            tokens = list(root.iter(f"{OAI}resumptionToken"))
            if tokens:
                assert int(tokens[0].get("cursor")) == len(found)
            found += list(root.iter(f"{OAI}header" if verb is Verb.LIST_IDENTIFIERS else f"{OAI}record"))
            if tokens:
                assert int(tokens[0].get("completeListSize")) >= len(found)
            if not tokens or not tokens[0].text:
                return found
            answer = self.ask(verb=verb, resumptionToken=tokens[0].text)


@pytest.fixture(scope="module")
def provider(site: Site) -> Iterator[Provider]:
    """Return the site set up for harvesting, a record a page."""
    oai = OaiSettings(DOMAIN, "librarian@archive.example", page_records=1)
    with site.client(settings=replace(site.rooms.settings, oai=oai)) as client:
        yield Provider(client)


@pytest.fixture
def withdrawn(site: Site) -> Iterator[ObjectId]:
    """Withdraw an object for one test, and say that one was purged."""
    said = site.rooms.register.withdrawals
    now = site.rooms.clock.now().replace(microsecond=500)
    for number, object_id in enumerate((ODD, GONE), 1):
        dates = Dates(now, now, now)
        said.enter(
            Tombstone(object_id, number, 0, WithdrawalState.DARK, Reason.CULTURAL, "a ground in words", dates), Authority.OWN
        )
    yield ODD
    said.clear()


def identifiers(records: list[etree._Element]) -> list[str]:
    return [each.findtext(f".//{OAI}identifier") for each in records]


def test_a_client_that_is_not_ours_harvests_everything(provider: Provider) -> None:
    expected = {identifier_of(each, DOMAIN) for each in (ENDGAME, ODD)}
    with Scythe(provider.address) as scythe:
        assert scythe.identify().adminEmail == "librarian@archive.example"
        assert {each.metadataPrefix for each in scythe.list_metadata_formats()} == {"oai_dc", "mods"}
        assert {"audio", "artwork", "audio:folder"} <= {each.setSpec for each in scythe.list_sets()}
        for prefix in ("oai_dc", "mods"):
            headers = {each.identifier for each in scythe.list_identifiers(metadata_prefix=prefix, set_="audio")}
            records = {each.header.identifier: each for each in scythe.list_records(metadata_prefix=prefix)}
            assert expected <= headers <= set(records)
            assert not any("kept" in each for each in records), "what may only be kept is told to nobody"
        one = scythe.get_record(identifier=identifier_of(ODD, DOMAIN), metadata_prefix="oai_dc")
        assert one.metadata["title"] == ['<script>alert("x")</script> & Söhne']


def test_every_answer_is_valid_by_the_official_schemas(provider: Provider) -> None:
    for verb in (Verb.LIST_RECORDS, Verb.LIST_IDENTIFIERS):
        for prefix in ("oai_dc", "mods"):
            assert len(provider.harvest(verb, metadataPrefix=prefix)) >= 2
    for verb in (Verb.LIST_SETS, Verb.LIST_METADATA_FORMATS, Verb.IDENTIFY):
        valid(provider.ask(verb=verb))
    identified = valid(provider.ask(verb="Identify"))
    assert identified.findtext(f".//{OAI}deletedRecord") == "persistent"
    described = "{http://www.openarchives.org/OAI/2.0/oai-identifier}"
    assert [each.text for each in identified.find(f".//{described}oai-identifier")][:3] == ["oai", DOMAIN, ":"]


def test_rights_are_in_each_record(provider: Provider) -> None:
    wanted = {"identifier": identifier_of(ODD, DOMAIN), "verb": "GetRecord"}
    dublin = valid(provider.ask(metadataPrefix="oai_dc", **wanted))
    assert [each.text for each in dublin.iter(f"{DC}rights")] == [
        "https://creativecommons.org/licenses/by-nc/4.0/",
        "A. Nightingale",
    ]
    assert not list(dublin.iter(f"{DC}source")), "an address that is no page is not told"
    mods = valid(provider.ask(metadataPrefix="mods", **wanted))
    conditions = [(each.get(HREF), each.text) for each in mods.iter(f"{MODS}accessCondition")]
    assert conditions[0][0] == "https://creativecommons.org/licenses/by-nc/4.0/"
    assert conditions[1] == (None, "A. Nightingale")
    assert list(mods.iter(f"{MODS}relatedItem")), "the tracks"


def test_what_is_withdrawn_or_purged_is_told_to_be_deleted_and_nothing_else_of_it(provider: Provider, withdrawn: ObjectId) -> None:
    for object_id in (withdrawn, GONE):
        answer = provider.ask(verb="GetRecord", identifier=identifier_of(object_id, DOMAIN), metadataPrefix="oai_dc")
        root = valid(answer)
        assert root.find(f".//{OAI}header").get("status") == "deleted"
        assert root.find(f".//{OAI}metadata") is None
        assert not re.search("ground|cultural|Nightingale|alert", answer.text)
    gone = [each for each in provider.harvest(Verb.LIST_IDENTIFIERS, metadataPrefix="mods") if each.get("status") == "deleted"]
    assert {each.findtext(f"{OAI}identifier") for each in gone} == {identifier_of(each, DOMAIN) for each in (withdrawn, GONE)}
    since = gone[0].findtext(f"{OAI}datestamp")
    later = provider.harvest(Verb.LIST_IDENTIFIERS, metadataPrefix="mods", from_=since)
    assert len(later) == 2, "a harvest since then finds the deletions alone"


def test_a_list_goes_on_while_records_change(provider: Provider, site: Site) -> None:
    everything = set(identifiers(provider.harvest(Verb.LIST_IDENTIFIERS, metadataPrefix="oai_dc")))
    first = valid(provider.ask(verb="ListIdentifiers", metadataPrefix="oai_dc"))
    seen = identifiers(list(first.iter(f"{OAI}header")))
    changed = object_of(seen[0], DOMAIN)
    now = site.rooms.clock.now()
    site.rooms.register.withdrawals.enter(
        Tombstone(changed, 9, 0, WithdrawalState.DARK, Reason.OPERATOR, "", Dates(now, now, now)), Authority.OWN
    )
    try:
        token = first.findtext(f".//{OAI}resumptionToken")
        again = [valid(provider.ask(verb="ListIdentifiers", resumptionToken=token)) for _ in range(2)]
        assert len({tuple(identifiers(list(each.iter(f"{OAI}header")))) for each in again}) == 1, "a token asked again"
        while token:
            answer = valid(provider.ask(verb="ListIdentifiers", resumptionToken=token))
            seen += identifiers(list(answer.iter(f"{OAI}header")))
            token = answer.findtext(f".//{OAI}resumptionToken")
    finally:
        site.rooms.register.withdrawals.clear()
    assert set(seen) == everything, "nothing is missed"
    assert seen[-1] == seen[0], "what changed after it was given is given again"


def test_bounds_are_inclusive_by_the_day_and_by_the_second(provider: Provider) -> None:
    headers = provider.harvest(Verb.LIST_IDENTIFIERS, metadataPrefix="oai_dc")
    stamps = sorted(each.findtext(f"{OAI}datestamp") for each in headers)
    listed = {"verb": Verb.LIST_IDENTIFIERS, "metadataPrefix": "oai_dc"}
    for since, until in ((stamps[0], stamps[-1]), (stamps[0][:10], stamps[-1][:10])):
        assert len(provider.harvest(**listed, from_=since, until=until)) == len(headers)
        assert len(provider.harvest(**listed, until=until)) == len(headers)
    before = datetime.fromisoformat(stamps[0]) - timedelta(seconds=1)
    assert errors(provider.ask(**listed, until=before.strftime("%Y-%m-%dT%H:%M:%SZ"))) == ["noRecordsMatch"]
    assert errors(provider.ask(**listed, from_="9999-12-31", until="9999-12-31")) == ["noRecordsMatch"]
    assert valid(provider.ask(verb="Identify")).findtext(f".//{OAI}earliestDatestamp") == stamps[0]


LISTED = "verb=ListRecords&metadataPrefix=oai_dc"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "badVerb"),
        ("verb=", "badVerb"),
        ("verb=identify", "badVerb"),
        ("verb=Identify&verb=Identify", "badVerb"),
        ("verb=Identify&more=1", "badArgument"),
        ("verb=Identify&" + "a=1&" * 30, "badArgument"),
        ("verb=ListRecords", "badArgument"),
        ("verb=GetRecord&metadataPrefix=oai_dc", "badArgument"),
        ("verb=GetRecord&identifier=oai:archive.example:audio:none", "badArgument"),
        (f"{LISTED}&metadataPrefix=oai_dc", "badArgument"),
        (f"{LISTED}&from=2026-13-01", "badArgument"),
        (f"{LISTED}&from=yesterday", "badArgument"),
        (f"{LISTED}&from=", "badArgument"),
        (f"{LISTED}&from=2026-01-02&until=2026-01-01", "badArgument"),
        (f"{LISTED}&from=2026-01-02&until=2026-01-03T00:00:00Z", "badArgument"),
        (f"{LISTED}&set=a%00b", "badArgument"),
        (f"{LISTED}&resumptionToken=a", "badArgument"),
        (f"{LISTED}&set=video", "noRecordsMatch"),
        (f"{LISTED}&set=audio:nobody", "noRecordsMatch"),
        (f"{LISTED}&from=2999-01-01", "noRecordsMatch"),
        ("verb=ListRecords&metadataPrefix=marc21", "cannotDisseminateFormat"),
        ("verb=GetRecord&metadataPrefix=marc21&identifier=oai:archive.example:audio:a", "cannotDisseminateFormat"),
        ("verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:archive.example:audio:a:b", "idDoesNotExist"),
        (f"verb=GetRecord&metadataPrefix=oai_dc&identifier={identifier_of(KEPT, DOMAIN)}", "idDoesNotExist"),
        ("verb=ListMetadataFormats&identifier=oai:other.example:audio:a:b", "idDoesNotExist"),
        ("verb=GetRecord&metadataPrefix=oai_dc&identifier=%3Cno%3E", "badArgument"),
        ("verb=ListRecords&resumptionToken=a.b", "badResumptionToken"),
        ("verb=ListRecords&resumptionToken=", "badResumptionToken"),
        ("verb=ListSets&resumptionToken=a.b", "badResumptionToken"),
    ],
)
def test_each_mistake_has_the_code_that_the_protocol_gives_it(provider: Provider, query: str, code: str) -> None:
    assert errors(provider.client.get(f"/oai?{query}")) == [code]
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert errors(provider.client.post("/oai", content=query, headers=form)) == [code]


def test_post_and_head_answer_as_get_does(provider: Provider) -> None:
    posted = valid(provider.client.post("/oai", data={"verb": "ListSets"}))
    assert len(list(posted.iter(f"{OAI}set"))) >= 3
    head = provider.client.head("/oai", params={"verb": "Identify"})
    assert (head.status_code, head.content) == (200, b"")
    assert provider.client.put("/oai").status_code == 405
    assert errors(provider.client.post("/oai", json={"verb": "Identify"})) == ["badArgument"]


def test_100_kb_of_arguments_are_a_mistake_and_no_more(provider: Provider) -> None:
    large = "a" * 100_000
    assert errors(provider.client.post("/oai", data={"verb": "GetRecord", "identifier": large})) == ["badArgument"]
    host, port = provider.client.base_url.host, provider.client.base_url.port
    with socket.create_connection((host, port), timeout=20) as line:
        line.sendall(f"GET /oai?verb=GetRecord&identifier={large} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert line.recv(64).split()[1] in (b"200", b"400", b"414", b"431")
    assert errors(provider.ask(verb="ListRecords", resumptionToken=large[:30_000])) == ["badResumptionToken"]


def test_tokens_that_lie_are_refused(provider: Provider) -> None:
    token = valid(provider.ask(verb="ListRecords", metadataPrefix="oai_dc")).findtext(f".//{OAI}resumptionToken")
    chance = random.Random(7)
    lies = [token[:-1], token + "A", token.replace(".", ""), token + "." + token, "." + token]
    for _ in range(40):
        place = chance.randrange(len(token))
        lies.append(token[:place] + chance.choice("ABCabc012-_.") + token[place + 1 :])
    for lie in lies:
        assert lie == token or errors(provider.ask(verb="ListRecords", resumptionToken=lie)) == ["badResumptionToken"]
    assert errors(provider.ask(verb="ListIdentifiers", resumptionToken=token)) == ["badResumptionToken"], "of another verb"


def test_a_token_ends_and_is_of_one_archive() -> None:
    now = datetime.fromisoformat("2026-11-23T05:05:00+00:00")
    token = Token(Verb.LIST_RECORDS, "mods", "audio", None, now, now, ENDGAME, 100, 1_000, now + timedelta(days=7))
    text = token_text(token, DOMAIN)
    assert parse_token(text, DOMAIN, now) == token
    for domain, at in (("other.example", now), (DOMAIN, now + timedelta(days=8))):
        with pytest.raises(OaiError):
            parse_token(text, domain, at)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["verb", "set", "from", "until", "identifier", "metadataPrefix", "resumptionToken", "ä"]),
            st.one_of(st.sampled_from([*Verb, "oai_dc", "mods", "audio", "2026-01-01"]), st.text(max_size=30)),
        ),
        max_size=5,
    )
)
def test_no_arguments_break_it(provider: Provider, pairs: list[tuple[str, str]]) -> None:
    pairs = [(name, value.encode("utf-8", "replace").decode()) for name, value in pairs]
    valid(provider.client.get("/oai", params=pairs))


@settings(deadline=None)
@given(st.text(st.characters(codec=None, categories=None), max_size=40))
def test_xml_is_well_formed_whatever_a_text_holds(text: str) -> None:
    read = etree.fromstring(element("a", text, {"b": text}).encode("utf-8"))
    expected = "".join(
        c if c in "\t\n\r" or " " <= c < "\ud800" or "\udfff" < c < "\ufffe" or c > "\uffff" else "\ufffd" for c in text
    )
    assert (read.text or "", read.get("b")) == (expected, expected)


@pytest.mark.parametrize(
    "key", ["debian:asc-music", "folder:100%", "folder:a#b", 'folder:"<&>"', "http:x/y?z=1;w^~[]", "folder:a\\b"]
)
def test_an_identifier_names_one_object_and_no_other(key: str) -> None:
    object_id = ObjectId.of("audio", key)
    identifier = identifier_of(object_id, DOMAIN)
    assert re.fullmatch(r"oai:[a-zA-Z][a-zA-Z0-9\-]*(\.[a-zA-Z][a-zA-Z0-9\-]*)+:[a-zA-Z0-9\-_.!~*'();/?:@&=+$,%]+", identifier)
    assert object_of(identifier, DOMAIN) == object_id
    assert object_of(identifier + "%41", DOMAIN) != object_of(identifier + "A", DOMAIN)
    assert object_of(identifier, "other.example") is None


def test_an_archive_that_is_not_set_up_says_so(site: Site) -> None:
    with site.client() as client:
        answer = client.get("/oai?verb=Identify")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
    for wrong in ({"domain": "localhost"}, {"domain": "Archive.Example"}, {"email": "nobody"}, {"page_records": 0}):
        with pytest.raises(UsageError):
            OaiSettings(**wrong)
