"""Commit: what is stored, what is not stored again, and what other software says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from store_world import FILES, ITEM, OBJECT, PIECE_BYTES, SALTED, THEN, World

from fonoteca.formats import ocfl
from fonoteca.formats.claim import Claim
from fonoteca.formats.hashing import hash_bytes
from fonoteca.model.errors import FixityError, StoreError, UsageError
from fonoteca.model.ids import LogicalPath, ObjectId
from fonoteca.model.rights import Act
from fonoteca.store import Store
from fonoteca.testing.liars import ReplacesOnCreate


def test_a_commit_is_read_back_as_it_was_acknowledged(world: World) -> None:
    commit = world.store.commit(world.staged(), SALTED)
    assert commit.made
    assert commit.version == world.store.read(OBJECT) == world.store.read(OBJECT, 1)
    stored = commit.version
    assert (stored.version, stored.object_path) == (1, ocfl.object_path(OBJECT))
    for member in stored.members:
        assert member.hashes == hash_bytes((world.folder / member.path).read_bytes(), PIECE_BYTES)
    assert [f.logical_path for f in stored.files] == sorted(FILES)
    for file in stored.files:
        assert (world.folder / stored.object_path / file.content_path).read_bytes() == FILES[file.logical_path]
        assert file.tags is not None
        assert file.tags.title == f"Title of {file.logical_path}"


def test_every_file_of_a_version_is_a_member(world: World) -> None:
    stored = world.store.commit(world.staged(), SALTED).version
    found = sorted(p for p in world.bytes_of() if p.startswith(f"{stored.object_path}/v1/"))
    assert [m.path for m in stored.members] == found
    assert stored.version_bytes == sum(len(world.bytes_of()[p]) for p in found)


def test_content_paths_survive_every_client(world: World) -> None:
    stored = world.store.commit(world.staged(), SALTED).version
    assert [f.content_path for f in stored.files] == [
        "v1/content/01-01-mars.ogg",
        "v1/content/02-02-venus.ogg",
        "v1/content/03-cover-e.ogg",
    ]


def test_other_software_finds_no_fault(
    world: World, validate: Callable[[Path], None], validate_by_command: Callable[[Path], None]
) -> None:
    world.store.commit(world.staged(), SALTED)
    world.store.commit(world.staged({**FILES, "new.ogg": b"n"}), SALTED)
    world.store.commit_document(ObjectId.of("drop", "audio-0123456789abcdef"), {"members.json": b"[]"}, "Cut")
    validate(world.folder)
    validate_by_command(world.folder)
    assert list((world.root / "staging").iterdir()) == []


def test_the_root_says_how_it_is_laid_out(world: World) -> None:
    layout = json.loads((world.folder / "ocfl_layout.json").read_text())
    config = json.loads((world.folder / "extensions" / layout["extension"] / "config.json").read_text())
    assert config["extensionName"] == layout["extension"] == "0003-hash-and-id-n-tuple-storage-layout"
    assert (config["digestAlgorithm"], config["tupleSize"], config["numberOfTuples"]) == ("sha256", 3, 3)


def test_a_second_ingest_of_the_same_item_makes_no_version(world: World) -> None:
    first = world.store.commit(world.staged(), SALTED)
    before = world.bytes_of()
    again = world.store.commit(world.staged(seen=THEN + timedelta(days=9)), SALTED)
    assert not again.made
    assert again.version == first.version
    assert world.bytes_of() == before
    assert list(world.staging.left()) == []


def test_an_added_file_makes_a_version_that_shares_content(world: World) -> None:
    first = world.store.commit(world.staged(), SALTED).version
    before = world.bytes_of()
    second = world.store.commit(world.staged({**FILES, "04 Neptune.ogg": b"n" * 10}), SALTED).version
    assert second == world.store.read(OBJECT)
    assert [Path(m.path).name for m in second.members] == [
        "01-04-neptune.ogg",
        "metadata.json",
        "inventory.json",
        "inventory.json.sha256",
    ]
    assert len(second.files) == 4
    assert world.store.read(OBJECT, 1) == first
    unchanged = {p: c for p, c in before.items() if "/v1/" in p}
    assert {p: c for p, c in world.bytes_of().items() if "/v1/" in p} == unchanged


def test_changed_rights_make_a_version_with_rights_alone(world: World) -> None:
    world.store.commit(world.staged(), SALTED)
    staged = world.staged()
    withdrawn = replace(staged, admission=replace(staged.admission, acts=frozenset({Act.HOLD})))
    second = world.store.commit(withdrawn, SALTED).version
    names = [Path(m.path).name for m in second.members]
    assert names == ["rights.json", "inventory.json", "inventory.json.sha256"]
    assert world.store.rights(OBJECT).acts == {Act.HOLD}
    assert world.store.rights(OBJECT, 1).acts == {Act.HOLD, Act.SHARE}


def test_a_corrected_title_makes_a_version(world: World) -> None:
    world.store.commit(world.staged(), SALTED)
    assert world.store.commit(world.staged(title="The Planets"), SALTED).made
    assert world.store.metadata(OBJECT).title == "The Planets"
    assert world.store.metadata(OBJECT, 1).title == "Planets"


def test_a_file_that_comes_back_is_not_written_twice(world: World) -> None:
    world.store.commit(world.staged(), SALTED)
    world.store.commit(world.staged({"cover é.ogg": b"c"}), SALTED)
    third = world.store.commit(world.staged(), SALTED).version
    assert [Path(m.path).name for m in third.members] == ["inventory.json", "inventory.json.sha256"]
    assert third == world.store.read(OBJECT)


def test_the_same_bytes_under_two_names_are_kept_once(world: World) -> None:
    stored = world.store.commit(world.staged({"a.ogg": b"same", "b.ogg": b"same"}), SALTED).version
    assert [f.content_path for f in stored.files] == ["v1/content/01-a.ogg"] * 2
    assert world.store.read(OBJECT) == stored


def test_raw_evidence_is_not_in_the_store(world: World) -> None:
    world.store.commit(world.staged(), SALTED)
    assert not any(b'"raw"' in c or b"cmF3" in c for p, c in world.bytes_of().items() if p.endswith("rights.json"))
    assert world.store.rights(OBJECT).evidence[0].salted_sha256 == SALTED[0]


def test_documents_are_stored_once(world: World) -> None:
    drop = ObjectId.of("drop", "audio-0123456789abcdef")
    first = world.store.commit_document(drop, {"a.json": b"1", "b/c.json": b"2"}, "Cut")
    before = world.bytes_of()
    assert world.store.commit_document(drop, {"b/c.json": b"2", "a.json": b"1"}, "Cut again") == first
    assert world.bytes_of() == before
    assert world.store.document(drop, "b/c.json") == b"2"
    assert world.store.commit_document(drop, {"a.json": b"3"}, "Cut anew").version == 2
    assert world.store.document(drop, "b/c.json", 1) == b"2"
    assert [f.logical_path for f in first.files] == []
    assert {m.hashes.file_bytes for m in first.members if "content" in m.path} == {1}


def test_object_ids_are_found_by_walking(world: World) -> None:
    long = ObjectId.of("artwork", "folder:" + "long-" * 35)
    world.store.commit_document(long, {"a": b"1"}, "x")
    world.store.commit(world.staged(), SALTED)
    assert set(world.store.object_ids()) == {OBJECT, long, "urn:fonoteca:events:log"}
    assert list(world.store.object_ids("audio")) == [OBJECT]
    assert world.store.read(long).object_id == long


def test_what_is_not_held_is_a_wrong_question(world: World) -> None:
    for ask in (
        lambda: world.store.read(OBJECT),
        lambda: world.store.rights(OBJECT),
        lambda: world.store.read(ObjectId("urn:fonoteca:events:log"), 2),
        lambda: world.store.metadata(ObjectId("urn:fonoteca:events:log")),
        lambda: world.store.document(ObjectId("urn:fonoteca:events:log"), "none"),
    ):
        with pytest.raises(UsageError):
            ask()
    assert world.store.head(OBJECT) == 0


def test_a_damaged_metadata_file_is_told_and_not_believed(world: World) -> None:
    stored = world.store.commit(world.staged(), SALTED).version
    path = world.folder / stored.object_path / "v1/content/metadata.json"
    path.write_bytes(path.read_bytes().replace(b"Planets", b"Plonets"))
    with pytest.raises(FixityError, match=r"metadata\.json.*the inventory says.*fonoteca audit"):
        world.store.read(OBJECT)


def test_initialise_again_changes_nothing_and_respects_strangers(world: World, tmp_path: Path) -> None:
    before = world.bytes_of()
    world.store.initialise()
    assert world.bytes_of() == before
    other = World(tmp_path / "other")
    other.blobs.write("music/a.mp3", b"mine")
    with pytest.raises(StoreError, match="expected an empty folder"):
        other.store.initialise()
    (world.folder / "ocfl_layout.json").write_text("{}")
    with pytest.raises(StoreError, match="not as Fonoteca writes it"):
        world.store.initialise()


def test_a_medium_that_replaces_what_is_there_is_refused_and_stays_nobody_s(world: World) -> None:
    liar = Store(ReplacesOnCreate(world.blobs), world.staging, world.clock, PIECE_BYTES)
    own = Claim("0" * 32, "ours")
    for _ in range(2):
        with pytest.raises(StoreError, match="although told not to"):
            liar.claim(own)
    world.store.claim(own)
    liar.claim(own)


def test_an_item_named_like_our_own_files_is_left_out_with_a_reason(world: World) -> None:
    staged = world.staged({"metadata.json": b"x", "a.ogg": b"y", "a.ogg/b.ogg": b"z"})
    assert [(f.logical_path, f.rule) for f in staged.left_out] == [("a.ogg/b.ogg", "name"), ("metadata.json", "name")]
    stored = world.store.commit(staged, SALTED).version
    assert [f.logical_path for f in stored.files] == [LogicalPath("a.ogg")]
    assert [f.logical_path for f in world.store.metadata(OBJECT).left_out] == ["a.ogg/b.ogg", "metadata.json"]
    assert world.store.metadata(OBJECT).item == ITEM
