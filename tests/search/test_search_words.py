from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.search.folding import fold_texts
from fonoteca.search.nearness import typing_errors
from fonoteca.search.query import QUERY_WORDS_MAX, Phrase, read_query
from fonoteca.search.words import WORD_CHARS_MAX, fold, indexed

TEXTS = [
    ("Sigur Rós", "sigur ros"),
    ("Ágætis byrjun", "agaetis byrjun"),
    ("Motörhead", "motorhead"),
    ("Motorhead", "motorhead"),
    ("MØ & Łódź", "mo lodz"),
    ("Straße İstanbul ılık", "strasse istanbul ilik"),
    ("don't stop rock\u2019n\u2019roll", "dont stop rocknroll"),
    ("AC/DC – (live) [1990]", "ac dc live 1990"),
    ("Чайковский: Щелкунчик, ёлка", "чаиковскии щелкунчик елка"),
    ("Ἀθῆναι Μίκης Θεοδωράκης", "αθηναι μικησ θεοδωρακησ"),
    ("مُوسِيقَى", "موسيقى"),
    ("שָׁלוֹם", "שלום"),
    ("坂本龍一", "坂 本 龍 一"),
    ("東京 がくせい", "東 京 が く せ い"),
    ("हिंदी संगीत", "हिंदी संगीत"),
    ("방탄소년단", "방탄소년단"),
    ("ﬁne ①②", "fine 12"),
    ("", ""),
    ("!!! ??? ♥", ""),
]


@pytest.mark.parametrize(("text", "words"), TEXTS)
def test_text_folds_to_the_words_it_is_found_by(text: str, words: str) -> None:
    assert fold(text) == words
    assert fold(unicodedata.normalize("NFD", text)) == words


@given(st.text(max_size=200))
def test_folding_is_bounded_and_folded_text_stays_as_it_is(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert all(0 < len(word) <= WORD_CHARS_MAX for word in folded.split())
    assert " ".join(folded.split()) == folded


def test_columns_are_folded_as_single_texts_are() -> None:
    texts = [text for text, _ in TEXTS] + [
        "line\nbreak",
        "x" * 200,
        "ma\u0301s que nada",
        "Ünï " * 40,
        "平成 mix 東京",
        "\u2028 odd",
    ]
    assert [" ".join(each.split()) for each in fold_texts(texts)] == [indexed(text) for text in texts]
    for text in texts:
        assert [" ".join(each.split()) for each in fold_texts([text])] == [indexed(text)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=8))
def test_any_column_is_folded_as_its_texts_are(texts: list[str]) -> None:
    assert [" ".join(each.split()) for each in fold_texts(texts)] == [indexed(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("sigur ros ", (Phrase(("sigur",)), Phrase(("ros",)))),
        ("sigur ro", (Phrase(("sigur",)), Phrase(("ro",), prefix=True))),
        ('"ok computer" rad', (Phrase(("ok", "computer")), Phrase(("rad",), prefix=True))),
        ('"ok computer', (Phrase(("ok", "computer"), prefix=True),)),
        ('""', ()),
        ("«Война и мир»", (Phrase(("воина", "и", "мир")),)),
        ("AC/DC", (Phrase(("ac",)), Phrase(("dc",), prefix=True))),
        ("坂本", (Phrase(("坂本",), prefix=True),)),
        ("坂本龍一", (Phrase(("坂本",)), Phrase(("本龍",)), Phrase(("龍一",), prefix=True))),
        ("title:x or", (Phrase(("x",), fields=("title",)), Phrase(("or",), prefix=True))),
        ("album:x ", (Phrase(("x",), fields=("release",)),)),
        ('artist:"a b" ', (Phrase(("a", "b"), fields=("artist",)),)),
        ("year:never ", (Phrase(("year",)), Phrase(("never",)))),
        ("", ()),
        ("?!", ()),
    ],
)
def test_a_query_is_phrases_and_words_whatever_its_signs(text: str, phrases: tuple[Phrase, ...]) -> None:
    assert read_query(text).phrases == phrases


@given(st.text() | st.text(alphabet="\"ab «\\'é本:"))
def test_any_text_is_a_query_of_bounded_size(text: str) -> None:
    phrases = read_query(text * 5).phrases
    assert sum(len(phrase.words) for phrase in phrases) <= QUERY_WORDS_MAX
    assert all(phrase.words for phrase in phrases)
    assert not any(phrase.prefix for phrase in phrases[:-1])


@given(st.text("abcd", max_size=7), st.text("abcd", max_size=7))
def test_typing_errors_are_counted_alike_both_ways_and_prefixes_have_fewer(typed: str, word: str) -> None:
    assert typing_errors(typed, word) == typing_errors(word, typed)
    assert typing_errors(typed, word, prefix=True) <= typing_errors(typed, word)
    assert (typing_errors(typed, word) == 0) == (typed == word)
    assert typing_errors("ab", "ba") == 1
