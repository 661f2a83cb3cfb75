"""What a request with conditions and ranges is answered with, as RFC 9110 has it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.serve.ranges import Portion, Validators, choose_portion

MODIFIED = datetime(2026, 5, 1, 12, 0, 0, 999_999, tzinfo=UTC)
FILE = Validators('"abc"', MODIFIED, 1000)
SAME_SECOND, LATER, EARLIER = "Fri, 01 May 2026 12:00:00 GMT", "Fri, 01 May 2026 12:00:01 GMT", "Fri, 01 May 2026 11:59:59 GMT"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=0-0", Portion(206, 0, 1)),
        ("bytes=0-999", Portion(206, 0, 1000)),
        ("bytes=0-", Portion(206, 0, 1000)),
        ("bytes=999-", Portion(206, 999, 1)),
        ("bytes=10-5000", Portion(206, 10, 990)),
        ("bytes=-1", Portion(206, 999, 1)),
        ("bytes=-5000", Portion(206, 0, 1000)),
        ("Bytes=5-9", Portion(206, 5, 5)),
        ("bytes=1000-", Portion(416, 0, 0)),
        ("bytes=5000-6000", Portion(416, 0, 0)),
        ("bytes=-0", Portion(416, 0, 0)),
        ("bytes=9-5", Portion(200, 0, 1000)),
        ("bytes=-", Portion(200, 0, 1000)),
        ("bytes=", Portion(200, 0, 1000)),
        ("bytes=0-1,5-6", Portion(200, 0, 1000)),
        ("bytes=a-b", Portion(200, 0, 1000)),
        ("bytes=0--1", Portion(200, 0, 1000)),
        ("items=0-1", Portion(200, 0, 1000)),
        ("bytes=" + "9" * 30 + "-", Portion(200, 0, 1000)),
    ],
)
def test_range_gives_exactly_these_bytes(wanted: str, expected: Portion) -> None:
    assert choose_portion({"range": wanted}, FILE) == expected


def test_empty_file_has_no_range() -> None:
    empty = Validators('"abc"', MODIFIED, 0)
    assert choose_portion({"range": "bytes=0-"}, empty).status == 416
    assert choose_portion({}, empty) == Portion(200, 0, 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": '"abc"'}, 304),
        ({"if-none-match": 'W/"abc"'}, 304),
        ({"if-none-match": '"x", "abc"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-none-match": "abc"}, 200),
        ({"if-none-match": '"x"', "if-modified-since": LATER}, 200),
        ({"if-modified-since": SAME_SECOND}, 304),
        ({"if-modified-since": EARLIER}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-match": '"abc"'}, 200),
        ({"if-match": 'W/"abc"'}, 412),
        ({"if-match": '"x"'}, 412),
        ({"if-match": "*"}, 200),
        ({"if-unmodified-since": SAME_SECOND}, 200),
        ({"if-unmodified-since": EARLIER}, 412),
        ({"if-match": '"x"', "if-none-match": '"abc"'}, 412),
        ({"range": "bytes=0-1", "if-range": '"abc"'}, 206),
        ({"range": "bytes=0-1", "if-range": 'W/"abc"'}, 200),
        ({"range": "bytes=0-1", "if-range": '"x"'}, 200),
        ({"range": "bytes=0-1", "if-range": SAME_SECOND}, 206),
        ({"range": "bytes=0-1", "if-range": LATER}, 200),
        ({"range": "bytes=0-1", "if-none-match": '"abc"'}, 304),
    ],
)
def test_conditions_are_weighed_in_their_order(headers: dict[str, str], status: int) -> None:
    assert choose_portion(headers, FILE).status == status


@given(st.text(max_size=40), st.integers(0, 10_000))
def test_no_range_header_reaches_outside_the_file(wanted: str, file_bytes: int) -> None:
    portion = choose_portion({"range": f"bytes={wanted}"}, Validators('"abc"', None, file_bytes))
    assert portion.status in (200, 206, 416)
    assert 0 <= portion.start <= portion.start + portion.length <= file_bytes


@given(st.text(max_size=60))
def test_odd_dates_and_tags_are_ignored_or_compared_and_never_fail(text: str) -> None:
    for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"):
        assert choose_portion({name: text, "range": "bytes=0-"}, FILE).status in (200, 206, 304, 412)
