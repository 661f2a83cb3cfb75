"""Promotion, as far as editions go: what the index says of it, who is told what, and which root is trusted after each step."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from editions_payload import HEADING
from trust_world import DAY, Origin, Watcher, more_drops, reader, some_drops

from fonoteca.editions import Anchor, Asked, Editions, Promotion, Terms, believe, offered_roots
from fonoteca.editions.index import Index, index_bytes, parse_index
from fonoteca.editions.trust import FIRST_USE, Role, TrustedEdition, Unkept, believe_on
from fonoteca.model.errors import TrustError
from fonoteca.model.ids import Sha256


def root_of(folder: Path, version: int = 1) -> str:
    """Return the digest of a root of an edition."""
    return sha256((folder / "metadata" / f"{version}.root.json").read_bytes()).hexdigest()


def index_of(editions: Editions) -> Index:
    found = editions.index()
    assert found is not None
    return found


def promoted(origin: Origin, folder: Path) -> Origin:
    """Return a copy of an archive's edition that somebody promoted, with keys of their own."""
    heir = Origin(origin.copy(folder), at=origin.at + DAY, salt="the heir's")
    promotion = Promotion("https://archive.example/editions/", heir.editions.roots(), index_of(heir.editions).number, heir.at)
    held = [entry.id for entry in index_of(heir.editions).entries]
    heir.editions.commit(heir.editions.promoted(HEADING, promotion, Terms(heir.at), held))
    return heir


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """Return an archive whose root was rotated twice, and which published between."""
    made = Origin(tmp_path / "origin")
    made.publish(some_drops())
    made.rotate(Role.ROOT)
    made.rotate(Role.TARGETS, Role.TIMESTAMP)
    return made


def look_on(watcher: Watcher, folder: Path, anchor: Anchor = FIRST_USE) -> TrustedEdition:
    """Return what a mirror believes, that goes on with a promoted archive where its root is named."""
    return believe_on(reader(folder), watcher.kept, Asked(watcher.now, False, anchor, (HEADING.root_name, HEADING.piece_bytes)))


def test_a_promoted_edition_is_believed_by_whoever_begins_with_it(origin: Origin, tmp_path: Path) -> None:
    heir = promoted(origin, tmp_path / "heir")
    before, found = index_of(origin.editions), Watcher(now=heir.at).look(heir.folder)
    assert found.index.entries == before.entries
    assert found.index.number == before.number + 1
    assert found.root_version == 1
    assert sorted(path.name for path in (heir.folder / "metadata").glob("*.root.json")) == ["1.root.json"]
    (said,) = found.index.promoted_from
    assert said.roots == tuple(root_of(origin.folder, version) for version in range(1, len(said.roots) + 1))
    assert heir.editions.signs_own()
    heir.publish(more_drops())
    heir.rotate(Role.ROOT, Role.TIMESTAMP)
    again = Watcher(now=heir.at).look(heir.folder)
    assert (again.index.number, again.index.promoted_from) == (before.number + 2, found.index.promoted_from)


@pytest.mark.parametrize("looked", ["before the root was rotated", "after"])
def test_whoever_trusts_any_root_of_the_origin_is_told_and_goes_on_by_name(looked: str, tmp_path: Path) -> None:
    origin = Origin(tmp_path / "origin")
    origin.publish(some_drops())
    watcher = Watcher(now=origin.at)
    if looked != "after":
        watcher.look(origin.folder)
    origin.rotate(Role.ROOT, Role.TARGETS)
    if looked == "after":
        watcher.look(origin.folder)
    heir = promoted(origin, tmp_path / "heir")
    heir.rotate(Role.ROOT)  # a root of its own under the number that the next of the origin's would have
    watcher.now = heir.at
    seen, new = watcher.seen, heir.editions.survey().root_sha256
    trusted = root_of(origin.folder, 1 if looked != "after" else 3)
    with pytest.raises(TrustError, match=f"promoted from root {trusted} which you trust") as refused:
        look_on(watcher, heir.folder)
    assert f"--root-sha256 {new}" in refused.value.remedy
    for wrong in ("0" * 64, trusted):
        with pytest.raises(TrustError):
            look_on(watcher, heir.folder, Anchor(sha256=wrong))
    assert watcher.seen == seen
    assert look_on(watcher, heir.folder, Anchor(sha256=new)).root_sha256 == new
    assert look_on(watcher, heir.folder).root_sha256 == new
    with pytest.raises(TrustError):
        look_on(watcher, origin.folder)


def test_a_root_that_is_named_of_an_archive_that_goes_on_from_another_one_replaces_nothing(tmp_path: Path) -> None:
    ours, theirs = Origin(tmp_path / "ours"), Origin(tmp_path / "theirs", salt="theirs")
    for each in (ours, theirs):
        each.publish(some_drops())
    heir = promoted(theirs, tmp_path / "heir")
    watcher = Watcher(now=heir.at)
    watcher.look(ours.folder)
    seen = watcher.seen
    for folder in (theirs.folder, heir.folder):
        for anchor in (FIRST_USE, Anchor(sha256=root_of(folder))):
            with pytest.raises(TrustError) as refused:
                look_on(watcher, folder, anchor)
            assert "promoted" not in str(refused.value)
    assert watcher.seen == seen
    assert offered_roots(reader(theirs.folder), Asked(heir.at)) == {root_of(theirs.folder)}


class _Dying(Unkept):
    """Keeps what was seen until the n-th change, and dies then."""

    def __init__(self, before: dict[str, bytes], changes: int) -> None:
        super().__init__()
        self._seen = dict(before)
        self._left = changes

    def write(self, key: str, content: bytes) -> None:
        self._step()
        super().write(key, content)

    def delete(self, key: str) -> None:
        self._step()
        super().delete(key)

    def _step(self) -> None:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1


@pytest.mark.parametrize("rotations", [0, 1, 5])
def test_killed_anywhere_while_roots_change_a_mirror_trusts_the_old_one_or_the_new_one(
    origin: Origin, tmp_path: Path, rotations: int
) -> None:
    """rotations: of the promoted archive, so that it has fewer, as many and more roots than its origin had."""
    watcher = Watcher(now=origin.at)
    watcher.look(origin.folder)
    heir = promoted(origin, tmp_path / "heir")
    for _ in range(rotations):
        heir.rotate(Role.ROOT)
    new = heir.editions.survey().root_sha256
    asked = Asked(heir.at, False, Anchor(sha256=new))
    nobody = Asked(heir.at)
    changes = 0
    while True:
        dying = _Dying(watcher.seen, changes)
        try:
            believe_on(reader(heir.folder), dying, asked)
        except KeyboardInterrupt:
            changes += 1
        else:
            break
        left = Unkept()
        for name in dying.children():
            left.write(name, dying.read(name))
        assert _told(heir, left) in (new, "which you trust"), changes
        assert believe_on(reader(heir.folder), left, asked).root_sha256 == new, changes
        assert believe(reader(heir.folder), left, nobody).root_sha256 == new, changes
    assert changes > 4


def _told(heir: Origin, kept: Unkept) -> str:
    """Return the root that is believed when nobody names one, or the end of the sentence that refuses it."""
    try:
        return believe_on(reader(heir.folder), kept, Asked(heir.at)).root_sha256
    except TrustError as error:
        return error.problem[-len("which you trust") :]


def test_an_index_says_what_it_goes_on_from_in_one_form_alone(origin: Origin, tmp_path: Path) -> None:
    index = index_of(promoted(origin, tmp_path / "heir").editions)
    content = index_bytes(index)
    assert parse_index(content) == index
    assert json.loads(content)["format"] == "fonoteca-edition/3"
    assert json.loads(index_bytes(replace(index, promoted_from=())))["format"] != "fonoteca-edition/3"
    found = json.loads(content)
    (said,) = found["promoted_from"]
    wrong = [
        [],
        None,
        [said] * 65,
        [{**said, "roots": []}],
        [{**said, "roots": ["0" * 63]}],
        [{**said, "edition": 0}],
        [{**said, "at": "yesterday"}],
        [{**said, "address": "two\nlines"}],
        [{**said, "address": None}],
        [{**said, "more": 1}],
        [{name: value for name, value in said.items() if name != "at"}],
    ]
    for each in wrong:
        with pytest.raises(TrustError):
            parse_index(json.dumps({**found, "promoted_from": each}, indent=2).encode() + b"\n")
    older = {name: value for name, value in found.items() if name != "promoted_from"}
    for changed in ({**found, "format": "fonoteca-edition/2"}, older):
        with pytest.raises(TrustError):
            parse_index(json.dumps(changed, indent=2).encode() + b"\n")
    roots = tuple(Sha256(f"{number:064x}") for number in range(3))
    assert Promotion("", roots, 1, origin.at + timedelta(days=1)).known_root({roots[0], roots[1]}) == roots[1]
