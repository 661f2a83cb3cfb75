"""Laws of bencode."""

from __future__ import annotations

import libtorrent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats import bencode
from fonoteca.model.errors import FormatError

VALUES = st.recursive(
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.binary(max_size=8), inner, max_size=5)),
    max_leaves=30,
)

MALFORMED = {
    "empty": b"",
    "trailing bytes": b"i1ei2e",
    "integer with leading zero": b"i01e",
    "minus zero": b"i-0e",
    "integer with plus": b"i+1e",
    "integer with space": b"i 1e",
    "integer with underscore": b"i1_0e",
    "empty integer": b"ie",
    "lone minus": b"i-e",
    "integer of 65 bits": b"i9223372036854775808e",
    "integer without end": b"i12",
    "integer of many digits": b"i" + b"9" * 5000 + b"e",
    "length with leading zero": b"01:a",
    "length with minus": b"-1:a",
    "length beyond the content": b"5:abcd",
    "length of many digits": b"9" * 5000 + b":a",
    "length of 4 GB": b"4294967296:a",
    "string without colon": b"4",
    "list without end": b"li1e",
    "dictionary without end": b"d1:ai1e",
    "dictionary without value": b"d1:ae",
    "keys out of order": b"d1:bi1e1:ai2ee",
    "key twice": b"d1:ai1e1:ai2ee",
    "key that is an integer": b"di1ei2ee",
    "unknown token": b"x",
    "end alone": b"e",
    "nested too deep": b"l" * 33 + b"e" * 33,
    "nested very deep": b"d1:a" * 100_000,
    "superscript digit": "²:ab".encode(),
}


@given(VALUES)
def test_what_is_encoded_is_decoded(value: bencode.Value) -> None:
    assert bencode.decode(bencode.encode(value)) == value


@given(VALUES)
def test_libtorrent_encodes_the_same_bytes(value: bencode.Value) -> None:
    assert libtorrent.bencode(value) == bencode.encode(value)


@given(st.binary(max_size=60))
def test_only_canonical_bytes_are_decoded(content: bytes) -> None:
    try:
        value = bencode.decode(content)
    except FormatError:
        return
    assert bencode.encode(value) == content


@given(VALUES, st.data())
def test_no_damaged_encoding_does_more_than_be_refused(value: bencode.Value, draw: st.DataObject) -> None:
    content = bytearray(bencode.encode(value))
    content[draw.draw(st.integers(0, len(content) - 1))] = draw.draw(st.integers(0, 255))
    test_only_canonical_bytes_are_decoded.hypothesis.inner_test(bytes(content))  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        bencode.decode(content)


def test_a_bomb_of_tokens_is_refused_before_it_grows() -> None:
    with pytest.raises(FormatError, match="more tokens"):
        bencode.decode(b"l" + b"de" * 2000 + b"e", tokens_max=1000)


def test_errors_name_the_offset() -> None:
    with pytest.raises(FormatError, match="offset 4 of 8"):
        bencode.decode(b"li1ei01e")


def test_text_keys_and_raw_keys_are_one_key() -> None:
    assert bencode.encode({"b": 1, "a": "x"}) == b"d1:a1:x1:bi1ee"
    with pytest.raises(FormatError):
        bencode.encode({"a": 1, b"a": 2})  # type: ignore[dict-item]


@pytest.mark.parametrize("value", [True, 1.5, None, 2**63, [None]])
def test_what_bencode_has_not_is_refused(value: object) -> None:
    with pytest.raises(FormatError):
        bencode.encode(value)  # type: ignore[arg-type]


def test_spans_are_the_bytes_of_the_values() -> None:
    content = bencode.encode({"a": [1, 2], "info": {"info": b"x"}, "z": b"y"})
    value, spans = bencode.decode_spanned(content)
    assert {key: bencode.decode(content[slice(*span)]) for key, span in spans.items()} == value
