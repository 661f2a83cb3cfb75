from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.search.words import QUERY_WORDS_MAX, WORD_CHARS_MAX, Phrase, fold, read_query


@pytest.mark.parametrize(
    ("text", "words"),
    [
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
    ],
)
def test_text_folds_to_the_words_it_is_found_by(text: str, words: str) -> None:
    assert fold(text) == words
    assert fold(unicodedata.normalize("NFD", text)) == words


@given(st.text(max_size=200))
def test_folding_is_bounded_and_folded_text_stays_as_it_is(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert all(0 < len(word) <= WORD_CHARS_MAX for word in folded.split())
    assert " ".join(folded.split()) == folded


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("sigur ros ", (Phrase(("sigur",)), Phrase(("ros",)))),
        ("sigur ro", (Phrase(("sigur",)), Phrase(("ro",), prefix=True))),
        ('"ok computer" rad', (Phrase(("ok", "computer")), Phrase(("rad",), prefix=True))),
        ('"ok computer', (Phrase(("ok", "computer"), prefix=True),)),
        ('""', ()),
        ("«Война и мир»", (Phrase(("воина", "и", "мир")),)),
        ("AC/DC", (Phrase(("ac", "dc"), prefix=True),)),
        ("坂本", (Phrase(("坂", "本"), prefix=True),)),
        ("title:x AND (y OR -z)", (Phrase(("title", "x")), Phrase(("and",)), Phrase(("y",)), Phrase(("or",)), Phrase(("z",)))),
        ("", ()),
        ("?!", ()),
    ],
)
def test_a_query_is_phrases_and_words_whatever_its_signs(text: str, phrases: tuple[Phrase, ...]) -> None:
    assert read_query(text) == phrases


@given(st.text() | st.text(alphabet="\"ab «\\'é本"))
def test_any_text_is_a_query_of_bounded_size(text: str) -> None:
    phrases = read_query(text * 5)
    assert sum(len(phrase.words) for phrase in phrases) <= QUERY_WORDS_MAX
    assert all(phrase.words for phrase in phrases)
    assert not any(phrase.prefix for phrase in phrases[:-1])
