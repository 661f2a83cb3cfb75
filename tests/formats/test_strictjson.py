"""JSON from strangers means one thing or is refused, in a FormatError that names it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats.strictjson import INTEGER_MAX, json_bytes, parse_json
from fonoteca.model.errors import FormatError

plain = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | st.floats(allow_nan=False, allow_infinity=False) | plain,
    lambda inner: st.lists(inner) | st.dictionaries(plain, inner),
    max_leaves=20,
)


@given(values)
def test_a_value_survives_the_round_trip(value: object) -> None:
    assert parse_json(json_bytes(value, "x"), "x") == value
    assert parse_json(json.dumps(value).encode(), "x") == value


@given(values)
def test_what_is_written_is_what_the_standard_library_writes(value: object) -> None:
    expected = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    assert json_bytes(value, "x") == expected.encode()
    assert json_bytes((value, {"b": (), "a": True}), "x") == json_bytes([value, {"a": True, "b": []}], "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (rb'{"title": "\ud800"}', "half a character"),
        (rb'{"\uDFFF": 1}', "half a character"),
        (b'"\xff"', "not UTF-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"NaN", "not JSON"),
        (b"[-Infinity]", "not JSON"),
        (b"1e999", "too large"),
        (b"9007199254740992", "too large"),
        (b"-" + b"9" * 100_000, "too large"),
        (b"[" * 200_000, "too deeply"),
        (b"{", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=f"^x: .*{words}"):
        parse_json(content, "x")


def test_an_escape_of_a_whole_character_is_text() -> None:
    assert parse_json(rb'"\ud83c\udfb6 \\ud800"', "x") == "\U0001f3b6 \\ud800"
