"""Every question of the register has its index, on both engines, before there is a single row."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from plans import plan_of
from sqlalchemy import Engine, Select, create_engine
from test_register_holdings import NOON

import fonoteca.register
from fonoteca.register import Order, Page, Sift, Span
from fonoteca.register.questions import Question
from fonoteca.register.review import held_for_review
from fonoteca.register.schema import metadata

OBJECT, PATH, KEY, DIGEST = "urn:fonoteca:audio:a:b", "a/b/c/d", "a:b", "41" * 32
OF_VERSION = {"uq_object_object_id", "uq_version_object_key_version"}
OF_FILES = OF_VERSION | {"uq_file_version_key_logical_path"}
OF_MEMBER = {"uq_object_object_path", "uq_version_object_key_version", "uq_member_file_version_key_tail"}

PAGE = Page(50, 100, (7,))

Case = tuple[tuple[Any, ...], set[str]]
"""What a question is asked with, and the indexes that answer it besides primary keys."""

EXPECTED: dict[str, list[Case]] = {
    "object_by_id": [((OBJECT,), {"uq_object_object_id"})],
    "object_by_path": [((PATH,), {"uq_object_object_path"})],
    "objects_after": [
        ((None, None, 50), {"uq_object_object_id, whole"}),
        ((None, OBJECT, 50), {"uq_object_object_id"}),
        (("audio", None, 50), {"ix_object_kind_object_id"}),
        (("audio", OBJECT, 50), {"ix_object_kind_object_id"}),
    ],
    "objects_newest": [(("audio", 24), {"ix_object_kind_head_at"})],
    "objects_by_artist": [(("a", 50), {"ix_object_artist"})],
    "objects_damaged": [((100,), {"ix_object_damaged"})],
    "objects_of_item": [((KEY,), {"ix_object_item_key"})],
    "objects_held": [(([OBJECT, f"{OBJECT}c"],), {"uq_object_object_id"})],
    "versions_of": [((OBJECT,), OF_VERSION)],
    "version_of": [((OBJECT, 1), OF_VERSION)],
    "versions_in": [(([1, 2],), {"uq_version_object_key_version"})],
    "digests_of": [((1,), {"uq_member_file_version_key_tail"})],
    "hashed_members": [((1,), {"uq_member_file_version_key_tail"})],
    "files_of_version": [((1,), {"uq_file_version_key_logical_path"})],
    "files_of": [((OBJECT,), OF_FILES)],
    "file_at": [((OBJECT, "a.ogg"), OF_FILES)],
    "digests_held": [(([DIGEST, "42" * 32],), {"ix_member_file_digest_key"})],
    "files_with_digest": [((DIGEST,), {"ix_member_file_digest_key", "ix_file_member_key"})],
    "files_by_artist": [(("a", 50), {"ix_file_artist"})],
    "wants_of": [((["00000000-0000-0000-0000-000000000000"],), set())],
    "wants_in": [(("p", "", 0, 50), {"ix_want_plan_place"}), (("p", "failed", 7, 50), {"ix_want_plan_place"})],
    "wants_held_for_review": [(("a:b",), {"ix_want_review"})],
    "want_counts": [(("p",), {"ix_want_plan_place"})],
    "files_of_recording": [(("00000000-0000-0000-0000-000000000000",), {"ix_holding_recording_id"})],
    "member_at": [((PATH, 1, "content/a.ogg"), OF_MEMBER)],
    "hashes_at": [((PATH, 1, "content/a.ogg"), OF_MEMBER)],
    "members_at": [(([(PATH, 1, "content/a.ogg"), (PATH, 2, "content/b.ogg")],), OF_MEMBER)],
    "members_never_checked": [((100,), {"ix_member_file_next_to_audit"})],
    "members_checked_longest_ago": [((100,), {"ix_member_file_next_to_audit"})],
    "members_damaged": [((100,), {"ix_member_file_damaged"})],
    "checks_newest": [((100,), {"ix_fixity_check_at, whole"})],
    "undropped": [(("audio", 0, 100), {"ix_version_undropped"})],
    "versions_with_keys": [(([1, 2],), set())],
    "dropped_in": [((OBJECT, 1), set())],
    "dropped_among": [(([OBJECT, f"{OBJECT}c"],), set())],
    "members_of_drop": [(("audio-0000000000000000",), {"ix_drop_member_drop_id"})],
    "decisions_in": [(("open", 50), {"ix_decision_state_at"})],
    "decisions_about": [((KEY,), {"ix_decision_item_key"})],
    "events_newest": [((50, None), {"ix_event_at, whole"}), ((50, "a"), {"ix_event_subject_at"})],
    "events_with_digests": [(([b"A" * 16, b"B" * 16],), {"uq_event_digest"})],
    "owned": [((), set())],
    "sums": [((None,), set()), (("audio",), set())],
    "unanalysed": [((0, 100), {"ix_file_unanalysed"})],
    "unanalysed_of": [((OBJECT,), OF_FILES)],
    "due_never": [((0, 100), {"ix_member_file_next_to_audit"})],
    "due_between": [
        (((NOON, 0), None, 100), {"ix_member_file_next_to_audit"}),
        (((NOON, 0), NOON, 100), {"ix_member_file_next_to_audit"}),
    ],
    "due_damaged": [((0, 100), {"ix_member_file_damaged"})],
    "every": [((0, 100), set())],
    "seen_after": [((0, 100), set())],
    "objects_at": [(("a/", "a0", 100), {"uq_object_object_path"})],
    "quarantined": [((100,), {"ix_object_quarantined"})],
    "events_since": [(("a", NOON, 0, 100), {"ix_event_subject_at"})],
    "withdrawals_of": [((OBJECT,), set())],
    "drops_with": [((OBJECT,), set())],
    "drops_that_replace": [((), set())],
    "keys_of_objects": [(([OBJECT, f"{OBJECT}c"],), {"uq_object_object_id"})],
    "albums_in": [
        ((Order.NAME, PAGE), {"ix_album_sort_title, whole"}),
        ((Order.ARTIST, PAGE), {"ix_album_sort_artist, whole"}),
        ((Order.NEWEST, PAGE), {"ix_album_created_at, whole"}),
    ],
    "albums_of_years": [((1990, 1999, PAGE), {"ix_album_year"}), ((1999, 1990, PAGE), {"ix_album_year"})],
    "albums_by": [((1, PAGE), {"ix_album_artist_key"})],
    "albums_with": [((1, PAGE), set())],
    "albums_after_key": [((1, PAGE), {"ix_album_album_key"})],
    "albums_by_title": [(("a", PAGE), {"ix_album_sort_title"})],
    "albums_titled": [((["a", "b"], PAGE), {"ix_album_sort_title"})],
    "albums_at": [(([1, 2],), {"ix_album_album_key"})],
    "artists": [((PAGE,), {"ix_album_sort_artist, whole"}), ((PAGE, "a"), {"ix_album_sort_artist"})],
    "artist_names": [(([1, 2],), set())],
    "owner_names": [(([1, 2],), {"ix_album_artist_key"})],
    "songs": [(([1, 2],), {"uq_version_object_key_version", "uq_file_version_key_logical_path"})],
    "song_names": [(([1, 2],), {"uq_version_object_key_version", "uq_file_version_key_logical_path"})],
    "songs_at": [(([1, 2],), set())],
    "songs_of_recordings": [((["00000000-0000-0000-0000-000000000000"],), {"ix_holding_recording_id"})],
    "recordings_of_albums": [(([1, 2],), {"uq_version_object_key_version", "uq_file_version_key_logical_path"})],
    "newest": [((), {"ix_album_created_at, whole"})],
    "changes_after": [
        ((Span(), None, 100), {"ix_change_changed_at, whole"}),
        ((Span(since=NOON), (NOON, OBJECT), 100), {"ix_change_changed_at"}),
        ((Span("audio"), (NOON, OBJECT), 100), {"ix_change_kind_changed_at"}),
        ((Span("audio", "debian", NOON, NOON), (NOON, OBJECT), 100), {"ix_change_kind_source_changed_at"}),
    ],
    "change_of": [((OBJECT,), set())],
    "source_after": [(("audio", "debian"), {"ix_change_kind_source_changed_at"})],
}

PASSES = {
    *(
        "albums",
        "albums_of_genre",
        "albums_of_genre_songs",
        "albums_of_songs",
        "song_counts",
        "all_withdrawals",
        "counts",
        "genres",
    ),
    *("held_for_review", "changes_in", "held", "hashed_files", "objects_with_lost_rows", "termed"),
}
"""Questions that read everything, or that only others narrow: nobody waits for them. And those of which PostgreSQL answers
neither alike on tables that are empty, having two good indexes."""


def _questions() -> Iterator[tuple[str, Any]]:
    """Yield every public function of the room that returns a statement."""
    for module in pkgutil.iter_modules(fonoteca.register.__path__):
        if not module.ispkg:
            found = importlib.import_module(f"fonoteca.register.{module.name}")
            for name, function in inspect.getmembers(found, inspect.isfunction):
                returns = inspect.signature(function).return_annotation
                if (
                    not name.startswith("_")
                    and function.__module__ == found.__name__
                    and returns in ("Select[Any]", "Question", Select)
                ):
                    yield name, function


QUESTIONS = dict(_questions())


def test_every_question_has_its_plan_here_or_is_known_to_read_everything() -> None:
    assert set(QUESTIONS) == set(EXPECTED) | PASSES


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_question_is_answered_by_its_index_without_a_full_scan(planner: Engine, name: str) -> None:
    for arguments, indexes in EXPECTED[name]:
        asked = QUESTIONS[name](*arguments)
        question = asked.statement.params(**asked.values) if isinstance(asked, Question) else asked
        statement = str(question.compile(planner, compile_kwargs={"literal_binds": True})).replace("%", "%%")
        with planner.connect() as connection:
            found = plan_of(connection, statement)
        assert found.indexes == indexes, (name, arguments, found)
        assert not (found.sorts and question._limit_clause is not None), f"{name}{arguments} reads all before it gives a page"


def test_a_hold_is_held_against_the_others_of_its_subject_alone() -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    statement = held_for_review(Sift()).compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        steps = [str(row.detail) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
    assert [step for step in steps if "later" in step and "(subject=?" in step], f"20,000 holds would take minutes: {steps}"
