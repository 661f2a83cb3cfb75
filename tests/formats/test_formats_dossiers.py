"""Dossiers: what is kept of what rights did not admit comes back as it was, and stays small whatever it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats.dossiers import (
    DOSSIER_BYTES_MAX,
    EVIDENCE_MAX,
    STATEMENT_CHARACTERS_MAX,
    bounded,
    dossier_json,
    parse_dossier,
    said_digest,
    text_keys,
)
from fonoteca.model.errors import FormatError
from fonoteca.model.rights import Dossier, PublishedEvidence, Scheme

TEXTS = st.text(st.characters(codec=None), max_size=40)
SEEN = datetime(2026, 11, 23, tzinfo=UTC)
EVIDENCE = st.builds(
    PublishedEvidence,
    st.sampled_from(Scheme),
    TEXTS,
    TEXTS,
    TEXTS,
    st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["", "ab" * 32]),
)
DOSSIERS = st.builds(Dossier, TEXTS, TEXTS, TEXTS, TEXTS, st.lists(EVIDENCE, max_size=4).map(tuple), st.integers(0, 9))
GOLDEN = (
    '{"title":"T","artist":"A","from":"https://example.org/","ref":"folder /music","evidence":'
    '[["spdx","X \\u202e","https://example.org/","file tag","2026-11-23T00:00:00Z","' + "ab" * 32 + '"]],"more":0}'
)


@given(DOSSIERS)
def test_a_dossier_comes_back_as_it_was_kept(dossier: Dossier) -> None:
    kept = bounded(dossier)
    text = dossier_json(kept)
    assert "\n" not in text
    assert parse_dossier(text, "x") == kept == bounded(kept)
    assert said_digest(parse_dossier(text, "x")) == said_digest(kept)


def test_a_dossier_reads_as_the_format_says() -> None:
    said = PublishedEvidence(Scheme.SPDX, "X \u202e", "https://example.org/", "file tag", SEEN, "ab" * 32)
    dossier = Dossier("T", "A", "https://example.org/", "folder /music", (said,))
    assert (dossier_json(dossier), parse_dossier(GOLDEN, "x")) == (GOLDEN, dossier)
    assert (dossier_json(Dossier()), parse_dossier("", "x")) == ("", Dossier())


def test_what_is_too_long_is_cut_and_what_is_too_much_is_counted() -> None:
    said = PublishedEvidence(Scheme.FREE_TEXT, "x" * 1_000_000, "y" * 1_000_000, "z" * 1_000_000, SEEN, "")
    kept = bounded(Dossier("t" * 1_000_000, "", "", "", (said,) * 1000))
    assert (len(kept.evidence), kept.more) == (EVIDENCE_MAX, 1000 - EVIDENCE_MAX)
    assert len(kept.evidence[0].statement) == STATEMENT_CHARACTERS_MAX
    astral = bounded(Dossier("\U0001d11e" * 999, "", "", "", (replace(said, statement="\U0001d11e" * 9999),) * 60))
    for each in (kept, astral):
        assert len(dossier_json(each)) <= DOSSIER_BYTES_MAX
        assert parse_dossier(dossier_json(each), "x") == each
    assert len(astral.evidence) + astral.more == 60


def test_a_text_is_the_same_whoever_says_it_and_evidence_another_when_it_says_else() -> None:
    one = PublishedEvidence(Scheme.TAG, "CC  BY\n4.0", "a", "file tag", SEEN, "")
    other = replace(one, statement="CC BY 4.0", source_uri="b", declarer="packager")
    assert set(text_keys(Dossier(evidence=(one,)))) == set(text_keys(Dossier(evidence=(other,))))
    free = [PublishedEvidence(Scheme.FREE_TEXT, "a text", "", "", SEEN, digest * 32) for digest in ("ab", "cd")]
    assert len(text_keys(Dossier(evidence=tuple(free)))) == 2
    later = replace(one, observed_at=SEEN.replace(year=2027))
    assert said_digest(Dossier(evidence=(one,))) == said_digest(Dossier(evidence=(later,)))
    assert said_digest(Dossier(evidence=(one,))) != said_digest(Dossier(evidence=(one, later)))


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "null", '{"title":"T"}', json.dumps({"title": "x" * (5 << 20)})),
        *(GOLDEN.replace("spdx", "rumour"), GOLDEN.replace('"more":0', '"more":"x"')),
        GOLDEN.replace("2026-11-23T00:00:00Z", "yesterday"),
    ],
)
def test_what_is_no_dossier_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_dossier(text, "x")
