"""Terms: as people write them, as they are kept, and what is none."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats.terms import parse_term, parse_term_text, term_json, term_of, term_text
from fonoteca.model.errors import FormatError
from fonoteca.model.terms import ALWAYS, ANYWHERE, TERRITORIES, Closed, Place, Term
from fonoteca.rights import describe_term

MAY = datetime(2027, 5, 1, tzinfo=UTC)
AUTUMN = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
moments = st.none() | st.datetimes(timezones=st.just(UTC))
wheres = st.none() | st.frozensets(st.sampled_from(sorted(TERRITORIES)), min_size=1, max_size=5)


@st.composite
def terms(draw: st.DrawFn) -> Term:
    starts, ends = draw(moments), draw(moments)
    if starts and ends and ends <= starts:
        starts, ends = ends, starts + SECOND if starts == ends and starts < datetime.max.replace(tzinfo=UTC) - SECOND else starts
    return Term(starts, None if starts == ends else ends, draw(wheres))


@given(terms())
def test_a_term_survives_the_round_trip(term: Term) -> None:
    text = term_text(term)
    assert (text is None) == (not term)
    if text is not None:
        assert parse_term_text(text, "x") == term == parse_term(term_json(term), "x")
        assert describe_term(term)


@pytest.mark.parametrize(
    ("at", "place", "closed"),
    [
        (MAY - SECOND, Place("DE"), Closed.EARLY),
        (MAY, Place("DE"), None),
        (MAY, Place("FR"), Closed.ELSEWHERE),
        (MAY, ANYWHERE, Closed.ELSEWHERE),
        (MAY + timedelta(days=30) - SECOND, Place("AT"), None),
        (MAY + timedelta(days=30), Place("AT"), Closed.OVER),
        (MAY + timedelta(days=30), Place("FR"), Closed.OVER),
    ],
)
def test_a_term_opens_and_closes_at_its_very_second(at: datetime, place: Place, closed: Closed | None) -> None:
    term = Term(MAY, MAY + timedelta(days=30), frozenset({"AT", "DE"}))
    assert term.closed(at, place) is closed
    assert ALWAYS.closed(at, place) is None


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        ("2027-05-01", "2027-05-01", Term(MAY, MAY + timedelta(days=1))),
        ("2027-05-01T02:00:00+02:00", "", Term(MAY)),
        # Two o'clock of the night in which clocks go back comes twice in Vienna: an offset says which is meant.
        (
            "2027-10-31T02:30:00+02:00",
            "2027-10-31T02:30:00+01:00",
            Term(AUTUMN, AUTUMN + timedelta(hours=1)),
        ),
        (tomllib.loads("a = 2027-05-01")["a"], tomllib.loads("a = 2027-06-01T00:00:00Z")["a"], Term(MAY, MAY + timedelta(days=31))),
        (None, "0001-01-01", Term(None, datetime(1, 1, 2, tzinfo=UTC))),
    ],
)
def test_a_day_is_one_of_utc_and_a_moment_says_its_zone(starts: object, ends: object, expected: Term) -> None:
    assert term_of(starts, ends, None) == expected


@pytest.mark.parametrize(
    ("starts", "ends", "territories", "words"),
    [
        ("2027-05-02", "2027-05-01", None, "not after it starts"),
        ("2027-05-01T12:00:00Z", "2027-05-01T12:00:00Z", None, "not after it starts"),
        ("2027-05-01T12:00:00", None, None, "no time zone"),
        (tomllib.loads("a = 2027-05-01T12:00:00")["a"], None, None, "no time zone"),
        ("0000-01-01", None, None, "expected a day"),
        ("10000-01-01", None, None, "expected a day"),
        (None, "9999-12-31", None, "years 1 to 9999"),
        ("0001-01-01T00:00:00+02:00", None, None, "years 1 to 9999"),
        ("2027-02-29", None, None, "expected a day"),
        ("next May", None, None, "expected a day"),
        (20270501, None, None, "expected a day"),
        (tomllib.loads("a = 12:00:00")["a"], None, None, "expected a day"),
        (None, None, ["UK"], "'UK' is no territory"),
        (None, None, ["EU", "DE"], "'EU' is no territory"),
        (None, None, "DE", "a list of codes"),
        (None, None, [49], "a list of codes"),
        (None, None, [], "hold nowhere"),
    ],
)
def test_what_is_no_term_is_refused_in_words(starts: object, ends: object, territories: object, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        term_of(starts, ends, territories)


@pytest.mark.parametrize(
    "kept",
    [
        None,
        [],
        {},
        {"starts": None, "ends": None, "territories": None},
        {"starts": "2027-05-01", "ends": None, "territories": None},
        {"starts": "2027-05-01T00:00:00+00:00", "ends": None, "territories": None},
        {"starts": None, "ends": None, "territories": ["DE", "AT"]},
        {"starts": None, "ends": None, "territories": ["de"]},
        {"starts": None, "ends": None, "territories": []},
        {"starts": None, "ends": None, "territories": ["DE"], "more": 1},
        {"starts": 1, "ends": None, "territories": None},
        {"starts": "2027-05-02T00:00:00Z", "ends": "2027-05-01T00:00:00Z", "territories": None},
    ],
)
def test_what_nobody_here_would_have_kept_is_refused(kept: Any) -> None:
    with pytest.raises(FormatError, match=r"rights\.json"):
        parse_term(kept, "rights.json")
