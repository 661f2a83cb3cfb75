"""The questions that search's quality is measured by."""

from __future__ import annotations

import random

from bench.known_items import SPOILINGS, Known, count_known, make_questions, mistype, plainly

ITEMS = [("Für Elise", "Ludwig van Beethoven"), ("Клён", "Песняры"), ("...", "nobody"), ("さくら", "森山直太朗")]


def test_questions_are_of_every_kind_in_turn_and_the_same_for_the_same_seed() -> None:
    questions = make_questions(ITEMS, 100, seed=1)
    assert questions == make_questions(ITEMS, 100, seed=1) != make_questions(ITEMS, 100, seed=2)
    assert [each.kind for each in questions[:5]] == list(SPOILINGS)
    assert {each.title for each in questions} == {"Für Elise", "Клён", "さくら"}


def test_reordered_and_bare_questions_have_the_words_they_are_about() -> None:
    for question in make_questions(ITEMS, 50, seed=3):
        if question.kind in ("words reordered", "diacritics dropped", "as they are"):
            assert sorted(plainly(question.typed).split()) == sorted(plainly(f"{question.title} {question.artist}").split())


def test_a_typing_error_changes_at_most_one_word() -> None:
    dice = random.Random(4)
    for _ in range(500):
        before, after = ["ein", "feste", "burg"], mistype("ein feste burg", dice).split()
        assert len(after) == 3
        assert sum(a != b for a, b in zip(before, after, strict=True)) <= 1
    assert mistype("a", dice)


def test_an_answer_is_right_by_title_and_artist_without_case_and_diacritics() -> None:
    question = next(each for each in make_questions(ITEMS, 50, seed=5) if each.title == "Für Elise")
    assert question.answered_by("FUR ELISE!", "ludwig van beethoven")
    assert not question.answered_by("Für Elise", "somebody else")


def test_places_are_counted_first_and_among_the_first_hits() -> None:
    right, wrong = ("Für Elise", "Ludwig van Beethoven"), ("x", "y")
    questions = make_questions([right], 5, seed=6)
    assert set(count_known(questions, lambda _: [right]).values()) == {Known(1, 1, 1)}
    assert set(count_known(questions, lambda _: [wrong, right]).values()) == {Known(1, 0, 1)}
    assert set(count_known(questions, lambda _: [wrong] * 10 + [right]).values()) == {Known(1, 0, 0)}
    assert set(count_known(questions, lambda _: []).values()) == {Known(1, 0, 0)}
