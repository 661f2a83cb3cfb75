"""The questions that search's quality is measured by."""

from __future__ import annotations

import importlib
import random
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
ITEMS = [("Für Elise", "Ludwig van Beethoven"), ("Клён", "Песняры"), ("...", "nobody"), ("さくら", "森山直太朗")]


@pytest.fixture
def items(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("bench.known_items")


def test_questions_are_of_every_kind_in_turn_and_the_same_for_the_same_seed(items: ModuleType) -> None:
    questions = items.make_questions(ITEMS, 100, seed=1)
    assert questions == items.make_questions(ITEMS, 100, seed=1) != items.make_questions(ITEMS, 100, seed=2)
    assert [each.kind for each in questions[:5]] == list(items.SPOILINGS)
    assert {each.title for each in questions} == {"Für Elise", "Клён", "さくら"}


def test_reordered_and_bare_questions_have_the_words_they_are_about(items: ModuleType) -> None:
    for question in items.make_questions(ITEMS, 50, seed=3):
        if question.kind in ("words reordered", "diacritics dropped", "as they are"):
            assert sorted(items.plainly(question.typed).split()) == sorted(
                items.plainly(f"{question.title} {question.artist}").split()
            )


def test_a_typing_error_changes_at_most_one_word(items: ModuleType) -> None:
    dice = random.Random(4)
    for _ in range(500):
        before, after = ["ein", "feste", "burg"], items.mistype("ein feste burg", dice).split()
        assert len(after) == 3
        assert sum(a != b for a, b in zip(before, after, strict=True)) <= 1
    assert items.mistype("a", dice)


def test_an_answer_is_right_by_title_and_artist_without_case_and_diacritics(items: ModuleType) -> None:
    question = next(each for each in items.make_questions(ITEMS, 50, seed=5) if each.title == "Für Elise")
    assert question.answered_by("FUR ELISE!", "ludwig van beethoven")
    assert not question.answered_by("Für Elise", "somebody else")


def test_places_are_counted_first_and_among_the_first_hits(items: ModuleType) -> None:
    right, wrong = ("Für Elise", "Ludwig van Beethoven"), ("x", "y")
    questions = items.make_questions([right], 5, seed=6)
    assert set(items.count_known(questions, lambda _: [right]).values()) == {items.Known(1, 1, 1)}
    assert set(items.count_known(questions, lambda _: [wrong, right]).values()) == {items.Known(1, 0, 1)}
    assert set(items.count_known(questions, lambda _: [wrong] * 10 + [right]).values()) == {items.Known(1, 0, 0)}
    assert set(items.count_known(questions, lambda _: []).values()) == {items.Known(1, 0, 0)}
