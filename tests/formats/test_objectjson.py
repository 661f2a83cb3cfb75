"""metadata.json and rights.json: facts only, the same bytes for the same facts, nothing believed unchecked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteca.formats import objectjson
from fonoteca.formats.eventlog import parse_segment, segment, segment_name
from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.objectjson import ObjectMetadata
from fonoteca.formats.terms import term_json
from fonoteca.model.audio import AudioProbe, Loudness, Tags
from fonoteca.model.corridor import Event, LeftOut, StoredFile
from fonoteca.model.errors import FormatError
from fonoteca.model.ids import ContentPath, ItemKey, LogicalPath
from fonoteca.model.rights import (
    Act,
    Admission,
    AiConsent,
    AiPurpose,
    Evidence,
    Kind,
    Licence,
    PublishedEvidence,
    RightsRecord,
    Scheme,
)
from fonoteca.model.terms import ALWAYS, Term

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ITEM = ItemKey("folder:x")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
moments = st.integers(0, 4_000_000_000_000_000).map(lambda n: AT + timedelta(microseconds=n))
measures = st.none() | st.floats(-100, 100, allow_nan=False)
probes = st.builds(
    AudioProbe,
    texts,
    texts,
    *[st.integers(0, 10**9)] * 4,
    loudness=st.builds(Loudness, measures, measures, measures),
    lossless=st.booleans(),
)
tags = st.builds(
    Tags,
    title=texts,
    artist=texts,
    track_number=st.none() | st.integers(-5, 99),
    isrcs=st.lists(texts, max_size=2).map(tuple),
    other=st.dictionaries(texts, st.lists(texts, max_size=2).map(tuple), max_size=3),
)
hashes = st.integers(0, 70_000).map(lambda n: hash_bytes(b"x" * n, 16384))


@st.composite
def metadatas(draw: st.DrawFn) -> ObjectMetadata:
    names = sorted(draw(st.sets(texts.filter(lambda t: t.strip("./") == t and "/" not in t and t), max_size=3)))
    files = tuple(
        StoredFile(
            LogicalPath(name),
            ContentPath(f"v1/content/{n:02d}.ogg"),
            draw(hashes),
            draw(texts),
            draw(st.none() | probes),
            draw(st.none() | tags),
        )
        for n, name in enumerate(names)
    )
    left_out = tuple(LeftOut(draw(texts), draw(texts), draw(texts)) for _ in range(draw(st.integers(0, 2))))
    return ObjectMetadata(ITEM, draw(st.sampled_from(Kind)), draw(texts), draw(texts), draw(texts), 16384, files, left_out)


evidences = st.builds(PublishedEvidence, st.sampled_from(Scheme), texts, texts, texts, moments, texts)
records = st.builds(
    RightsRecord,
    st.just(ITEM),
    st.sampled_from(Kind),
    texts,
    st.frozensets(st.sampled_from(Act)),
    texts,
    texts,
    texts,
    st.lists(evidences, max_size=3).map(tuple),
    texts,
    moments,
    texts,
    st.dictionaries(st.sampled_from(AiPurpose), st.sampled_from(AiConsent)),
)


@settings(max_examples=60)
@given(metadatas())
def test_metadata_survives_the_round_trip(metadata: ObjectMetadata) -> None:
    content = objectjson.metadata_json(metadata)
    assert objectjson.parse_metadata(content) == metadata
    assert objectjson.metadata_json(objectjson.parse_metadata(content)) == content


@given(records)
def test_rights_survive_the_round_trip(record: RightsRecord) -> None:
    content = objectjson.record_json(record)
    assert objectjson.parse_rights(content) == record
    assert objectjson.same_facts(record, objectjson.parse_rights(content))


def _metadata() -> ObjectMetadata:
    probe = AudioProbe("ogg", "vorbis", 1000, 44100, 2, 128000, Loudness(-14.2, None, -0.5), lossless=False)
    found = Tags(title="Für Elise", track_number=1, isrcs=("GBAAA0000001",), other={"encoder": ("x", "y")})
    file = StoredFile(
        LogicalPath("CD 1/ä.ogg"), ContentPath("v1/content/01-a.ogg"), hash_bytes(b"x" * 40_000, 16384), "audio/ogg", probe, found
    )
    left_out = (LeftOut("b.ogg", "damaged", "cut off at 7 s"),)
    return ObjectMetadata(ITEM, Kind.AUDIO, "Stücke", "Ludwig", "https://example.org/x", 16384, (file,), left_out)


def _record() -> RightsRecord:
    evidence = PublishedEvidence(Scheme.LICENCE_URI, "https://example.org/l", "file:///x", "packager", AT, "ab" * 32)
    acts = frozenset({Act.HOLD, Act.SHARE})
    ai = {AiPurpose.MINING: AiConsent.RESERVED}
    return RightsRecord(ITEM, Kind.AUDIO, "https://example.org/l", acts, "", "Ludwig", "", (evidence,), "r", AT, "00" * 32, ai)


MAY = datetime(2027, 5, 1, tzinfo=UTC)


@given(records, st.sampled_from([Term(MAY), Term(None, MAY), Term(territories=frozenset({"DE", "AT"}))]))
def test_rights_for_a_term_are_of_a_format_that_who_knows_no_terms_cannot_read(record: RightsRecord, term: Term) -> None:
    content = objectjson.record_json(replace(record, term=term))
    assert json.loads(content)["format"] == objectjson.TERM_FORMAT
    assert objectjson.parse_rights(content) == replace(record, term=term)
    assert not objectjson.same_facts(record, objectjson.parse_rights(content))


def test_rights_of_the_older_format_have_no_term_and_those_of_the_newer_one_need_it() -> None:
    found = json.loads(objectjson.record_json(_record()))
    assert objectjson.parse_rights(json.dumps(found).encode()).term == ALWAYS
    termed = {**found, "term": term_json(Term(MAY))}
    for wrong in (termed, {**found, "format": objectjson.TERM_FORMAT}):
        with pytest.raises(FormatError, match="term"):
            objectjson.parse_rights(json.dumps(wrong).encode())


def test_the_bytes_are_golden() -> None:
    assert objectjson.metadata_json(_metadata()) == (GOLDEN / "metadata.json").read_bytes()
    assert objectjson.record_json(_record()) == (GOLDEN / "rights.json").read_bytes()


WRONG: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("format is 'fonoteca-metadata/2'.*newer", lambda m: m.update(format="fonoteca-metadata/2")),
    ("format is None", lambda m: m.pop("format")),
    ("not a ItemKey", lambda m: m.update(item="x")),
    ("kind is 'film', expected one of audio, artwork", lambda m: m.update(kind="film")),
    ("title is None", lambda m: m.pop("title")),
    ("files is {}", lambda m: m.update(files={})),
    ("expected a JSON object", lambda m: m.update(files=[7])),
    ("hash lengths", lambda m: m["files"][0].update(file_bytes=1)),
    ("file_bytes is -1", lambda m: m["files"][0].update(file_bytes=-1)),
    ("file_bytes is True", lambda m: m["files"][0].update(file_bytes=True)),
    ("piece_bytes of a file", lambda m: m.update(piece_bytes=32768)),
    ("not base64", lambda m: m["files"][0].update(v1_pieces="???")),
    ("not a ContentPath", lambda m: m["files"][0].update(content_path="v1/content/../x")),
    ("not a LogicalPath", lambda m: m["files"][0].update(logical_path="../x")),
    ("not a Sha256", lambda m: m["files"][0].update(sha256="x")),
    ("lossless is 1", lambda m: m["files"][0]["probe"].update(lossless=1)),
    ("range_lu is 'loud'", lambda m: m["files"][0]["probe"]["loudness"].update(range_lu="loud")),
    ("isrcs", lambda m: m["files"][0]["tags"].update(isrcs=[7])),
    ("tag 'a'", lambda m: m["files"][0]["tags"].update(other={"a": "b"})),
    ("in order of logical path, each once", lambda m: m.update(files=m["files"] * 2)),
]


@pytest.mark.parametrize(("words", "edit"), WRONG, ids=[words for words, _ in WRONG])
def test_wrong_metadata_is_refused_in_words(words: str, edit: Callable[[dict[str, Any]], object]) -> None:
    found = json.loads(objectjson.metadata_json(_metadata()))
    edit(found)
    with pytest.raises(FormatError, match=words):
        objectjson.parse_metadata(json.dumps(found).encode())


@pytest.mark.parametrize(
    ("words", "edit"),
    [
        ("acts is 'fly'", lambda r: r.update(acts=["fly"])),
        ("ai", lambda r: r.update(ai=[])),
        ("ai is 'painting'", lambda r: r.update(ai={"painting": "allowed"})),
        ("decided_at has no timezone", lambda r: r.update(decided_at="2026-01-01T00:00:00")),
        ("decided_at is no time", lambda r: r.update(decided_at="yesterday")),
        ("scheme", lambda r: r["evidence"][0].update(scheme="rumour")),
        ("format is", lambda r: r.update(format="fonoteca-metadata/1")),
    ],
)
def test_wrong_rights_are_refused_in_words(words: str, edit: Callable[[dict[str, Any]], object]) -> None:
    found = json.loads(objectjson.record_json(_record()))
    edit(found)
    with pytest.raises(FormatError, match=words):
        objectjson.parse_rights(json.dumps(found).encode())


@given(st.binary(max_size=200) | st.dictionaries(texts, texts).map(lambda d: json.dumps(d).encode()))
def test_no_input_gives_another_error(content: bytes) -> None:
    for parse in (objectjson.parse_metadata, objectjson.parse_rights):
        with pytest.raises(FormatError):
            parse(content)


def test_text_that_no_file_can_hold_is_mended() -> None:
    odd = replace(_metadata(), title="a\ud800b\udc80")
    assert objectjson.parse_metadata(objectjson.metadata_json(odd)).title == "a\ufffdb\ufffd"


def test_a_loudness_that_is_no_number_is_refused() -> None:
    file = _metadata().files[0]
    assert file.probe is not None
    silent = replace(file, probe=replace(file.probe, loudness=Loudness(float("-inf"), None, None)))
    with pytest.raises(FormatError, match="cannot be written as JSON"):
        objectjson.metadata_json(replace(_metadata(), files=(silent,)))


def test_same_facts_forget_times_and_the_policy_and_nothing_else() -> None:
    record = _record()
    later = replace(
        record,
        decided_at=AT + timedelta(days=1),
        policy_digest="11" * 32,
        evidence=tuple(replace(e, observed_at=AT + timedelta(days=1)) for e in record.evidence),
    )
    assert objectjson.same_facts(record, later)
    for other in (
        replace(record, licence_uri="x"),
        replace(record, acts=frozenset({Act.HOLD})),
        replace(record, attribution="x"),
        replace(record, ai={}),
        replace(record, evidence=()),
        replace(record, evidence=tuple(replace(e, salted_sha256="") for e in record.evidence)),
    ):
        assert not objectjson.same_facts(record, other)


class Granted(Admission):
    def _made_by_rights(self) -> None: ...


def _admission(*evidence: Evidence) -> Admission:
    licence = Licence("https://example.org/l", "L", "l", "1", "", frozenset(Act), frozenset(), frozenset())
    ai = {AiPurpose.MINING: AiConsent.UNKNOWN, AiPurpose.INFERENCE: AiConsent.RESERVED}
    return Granted(ITEM, Kind.AUDIO, licence, frozenset(Act), "", "Ludwig", "", evidence, "r", AT, "00", ai)


def test_raw_evidence_and_long_free_text_stay_private() -> None:
    secret = "by Jane Doe <jane@example.org>"
    evidence = [
        Evidence(Scheme.FREE_TEXT, statement, "file:///x", "packager", AT, secret.encode())
        for statement in ("a letter of the label", secret, "line\nline", "x" * 121)
    ]
    content = objectjson.rights_json(_admission(*evidence), ["ab"] * 4)
    assert b"Jane" not in content
    record = objectjson.parse_rights(content)
    assert [e.statement for e in record.evidence] == ["a letter of the label", *["free text, kept private"] * 3]
    assert record.ai == {AiPurpose.INFERENCE: AiConsent.RESERVED}
    with pytest.raises(ValueError, match="argument"):
        objectjson.published(_admission(*evidence), ["ab"])


facts = st.dictionaries(
    texts, texts | st.integers(1 - 2**53, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False), max_size=3
)
events = st.builds(Event, moments, texts, texts, facts.map(lambda f: tuple(f.items())))


@given(st.lists(events, min_size=1, max_size=4))
def test_events_survive_the_round_trip(happened: list[Event]) -> None:
    content = segment(happened)
    assert content.count(b"\n") == len(happened)
    assert list(parse_segment(segment_name(happened, content), content)) == happened


@pytest.mark.parametrize("line", [b"{}", b"[]", b"7", b"{", b'{"at": 1, "what": "x", "subject": "y", "facts": {}}'])
def test_what_is_no_event_is_refused(line: bytes) -> None:
    name = segment_name([Event(AT, "x", "y")], line + b"\n")
    with pytest.raises(FormatError, match="line 1"):
        list(parse_segment(name, line + b"\n"))


def test_an_event_with_half_a_character_can_be_read_again() -> None:
    content = segment([Event(AT, "ruled", "a", (("reason", "told by \udcff"),))])
    (event,) = parse_segment(segment_name([Event(AT, "ruled", "a")], content), content)
    assert event.facts == (("reason", "told by \ufffd"),)
