"""Match keys: which ways to write a title or a credit are one, and which are not."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.catalogue import keys
from fonoteca.catalogue.keys import artist_words, key64, title_words

TEXTS = st.lists(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=40), min_size=1, max_size=20)


def _titles(*texts: str | None) -> list[str]:
    return title_words(pa.array(texts, pa.string())).to_pylist()


def _artists(*texts: str | None) -> list[str]:
    return artist_words(pa.array(texts, pa.string())).to_pylist()


@pytest.mark.parametrize(
    "same",
    [
        ("Recórcholis", "RECORCHOLIS", "Reco\u0301rcholis"),
        ("Straße", "STRASSE", "straße", "STRAẞE"),
        ("Ὀδυσσεύς", "ΟΔΥΣΣΕΥΣ"),
        ("İstanbul", "istanbul", "Istanbul", "ıstanbul"),
        ("Don't Stop", "Dont stop", "Don’t Stop!"),
        ("R.E.M.", "REM", "r.e.m"),
        ("Rock & Roll", "Rock and Roll"),
        ("Song (feat. Someone)", "Song [ft. Someone Else]", "Song featuring Anyone", "Song", "Song feat. A & B"),
        ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("ガラス", "カ\u3099ラス", "ｶﾞﾗｽ"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("Ａｂｃ１２", "abc12"),
        ("Smørrebrød", "Smorrebrod"),
        ("  two\t words ", "two words", "Two—Words", "two (words)"),
    ],
)
def test_ways_to_write_one_title_have_the_same_words(same: tuple[str, ...]) -> None:
    assert len(set(_titles(*same))) == 1
    assert len(set(key64(title_words(pa.array(same))).tolist())) == 1


@pytest.mark.parametrize(
    "different",
    [
        ("が", "か"),
        ("ぱ", "は", "ば"),
        ("!!!", "???", ""),
        ("हि", "हा", "ह"),
        ("한", "하"),
        ("Feat", ""),
        ("1/2", "1"),
        ("ก่า", "กา"),
    ],
)
def test_what_a_script_tells_apart_stays_apart(different: tuple[str, ...]) -> None:
    assert len(set(_titles(*different))) == len(different)


def test_credits_lose_guests_and_joints_and_the_article() -> None:
    same = _artists("Simon & Garfunkel", "Simon and Garfunkel", "Simon, Garfunkel", "SIMON + GARFUNKEL feat. Anyone")
    assert set(same) == {"simon garfunkel"}
    assert _artists("The Beatles", "Beatles, The", "The The", "The", "the") == ["beatles", "beatles", "the", "the", "the"]
    assert _artists("Florence + the Machine", "Florence and The Machine") == ["florence the machine"] * 2
    assert _artists("feat. Nobody") == ["feat nobody"]
    assert _titles("(feat. Nobody)", "Left ft Right", "Gift", "Ft. Worth") == ["feat nobody", "left", "gift", "ft worth"]


def test_words_know_no_null_and_keep_their_rows() -> None:
    assert _titles(None, "a", None) == ["", "a", ""]
    assert title_words(pa.array([], pa.string())).to_pylist() == []
    assert title_words(pa.chunked_array([["A", "é"], ["Ñ"]])).to_pylist() == ["a", "e", "n"]


@given(TEXTS)
def test_words_are_stable_and_blind_to_the_form_of_unicode(texts: list[str]) -> None:
    for words in (title_words, artist_words):
        once = words(pa.array(texts))
        assert len(once) == len(texts)
        for form in ("NFC", "NFD"):
            again = words(pa.array([unicodedata.normalize(form, text) for text in texts]))
            assert again.to_pylist() == once.to_pylist()


@given(TEXTS)
def test_a_row_has_the_words_that_it_has_alone(texts: list[str]) -> None:
    for words in (title_words, artist_words):
        assert words(pa.array(texts)).to_pylist() == [words(pa.array([text])).to_pylist()[0] for text in texts]


@given(TEXTS)
def test_the_table_gives_what_the_rules_give(texts: list[str]) -> None:
    column = pa.array(texts)
    assert keys._words(column).to_pylist() == keys._words_by_rule(column).to_pylist()


@pytest.mark.parametrize("frame", ["é{}Z", "e{}Z", " {} x", "{}{}", "ka {}", "カ{}가{}"])
def test_the_table_gives_what_the_rules_give_for_every_character(frame: str) -> None:
    characters = [chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000]
    column = pa.array([frame.format(character, character) for character in characters])
    assert keys._words(column).to_pylist() == keys._words_by_rule(column).to_pylist()


@given(TEXTS)
def test_a_title_with_a_letter_or_a_digit_has_words_with_one_blank_between(texts: list[str]) -> None:
    for text, words in zip(texts, _titles(*texts), strict=True):
        assert words or not any(unicodedata.category(c)[0] in "LN" for c in text)
        assert words.split(" ") == words.split() or not words


def test_keys_ignore_blanks_and_not_order() -> None:
    texts = pa.array(["night fall", "nightfall", "fall night"])
    key = key64(texts)
    assert key.dtype == np.uint64
    assert key[0] == key[1] != key[2]
    assert key64(pa.array(["a"]), pa.array(["bc"]))[0] != key64(pa.array(["ab"]), pa.array(["c"]))[0]
