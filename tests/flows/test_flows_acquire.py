"""Acquire: what is held, refused, held for review or failed, and that nothing is half-done."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from flows_world import (
    NOW,
    SALT,
    Quiet,
    StoppedClock,
    Unsynced,
    artwork,
    audio,
    bytes_of,
    check,
    decisions,
    leftovers,
    make_archive,
    opened,
    picture,
    put_item,
    put_out,
    small_music,
    state_of,
    take,
    track,
)

from fonoteca.flows.acquire import Acquired, Failed, acquire
from fonoteca.flows.rulings import Ruling, rule
from fonoteca.formats.mp4 import protected_sample
from fonoteca.model.errors import SourceError, StoreError, UsageError
from fonoteca.model.rights import Hold, Refusal, Scheme
from fonoteca.testing import FullDiskCalls
from fonoteca.wiring import acquire_rooms

CC_BY = "https://creativecommons.org/licenses/by/4.0/"
WITNESS = b"Jane Roe told us by letter"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty archive."""
    return make_archive(tmp_path / "archive")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Return where items go."""
    return tmp_path / "music"


class Watching(Unsynced):
    """Calls that remember which folders and files were made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def mkdir(self, path: Path) -> None:
        self.made.append(path.name)
        super().mkdir(path)

    def create_file(self, path: Path) -> int:
        self.made.append(path.name)
        return super().create_file(path)


def _staged(calls: Watching) -> list[str]:
    return [name for name in calls.made if name.startswith("ingest-")]


def _unknown(music: Path) -> Path:
    item = put_item(music, "unknown", {"x.flac": track(4)}, 'licence = "LicenseRef-Nobody-Knows"')
    with (item / "rights.toml").open("ab") as target:
        target.write(b"# " + WITNESS + b"\n")
    return item


def test_refused_candidate_is_never_staged(folder: Path, music: Path) -> None:
    put_item(music, "closed", {"x.flac": track(1)}, 'licence = "http://rightsstatements.org/vocab/InC/1.0/"')
    calls = Watching()
    with opened(folder, calls) as archive:
        (refusal,) = take(archive, music)
        assert isinstance(refusal, Refusal)
        assert refusal.rule == "status-forbids"
        (row,) = archive.register.decisions()
        assert (row.subject, row.outcome, row.item) == (audio("closed"), "refusal", "folder:closed")
        assert archive.store.head(audio("closed")) == 0
    assert _staged(calls) == []
    assert [name for name in calls.made if name.endswith(".flac")] == []


def test_a_hold_is_never_staged_and_its_evidence_stays_private(folder: Path, music: Path) -> None:
    item = _unknown(music)
    calls = Watching()
    with opened(folder, calls) as archive:
        (hold,) = take(archive, music)
        assert isinstance(hold, Hold)
        assert archive.store.head(audio("unknown")) == 0
        (event,) = archive.register.events(subject=audio("unknown"))
        digest = dict(event.facts)["evidence"]
        assert digest == hmac.new(SALT, (item / "rights.toml").read_bytes(), hashlib.sha256).hexdigest()
        assert archive.evidence.read(str(digest)) == (item / "rights.toml").read_bytes()
    assert _staged(calls) == []
    assert [path for path, content in bytes_of(folder).items() if WITNESS in content] == [
        f"private/evidence/{str(digest)[:2]}/{digest}"
    ]


def test_the_evidence_of_what_is_held_is_published_as_a_salted_digest_alone(folder: Path, music: Path) -> None:
    item = put_item(music, "one", {"a.flac": track(1)})
    with (item / "rights.toml").open("ab") as target:
        target.write(b"# " + WITNESS + b"\n")
    with opened(folder) as archive:
        take(archive, music)
        (evidence,) = archive.store.rights(audio("one")).evidence
        assert archive.evidence.read(evidence.salted_sha256) == (item / "rights.toml").read_bytes()
        put_out(archive)
    found = [path for path, content in bytes_of(folder).items() if WITNESS in content]
    assert [path.split("/")[0] for path in found] == ["private"]
    assert (evidence.scheme, evidence.statement) == (Scheme.SPDX, "CC-BY-4.0")


def test_a_ruling_lets_a_held_item_in(folder: Path, music: Path) -> None:
    _unknown(music)
    with opened(folder) as archive:
        take(archive, music)
        assert rule(archive, [audio("unknown")], Ruling(CC_BY, "the composer wrote so", NOW)) == 1
        (outcome,) = take(archive, music)
        assert isinstance(outcome, Acquired)
        rights = archive.store.rights(audio("unknown"))
        assert (rights.licence_uri, rights.rule) == (CC_BY, "decision")
        assert [e.scheme for e in rights.evidence] == [Scheme.SPDX, Scheme.DECISION]
        (row,) = decisions(archive.register)
        assert (row.state, row.settlement) == ("settled", f"{CC_BY}: the composer wrote so")
        (again,) = take(archive, music)
        assert isinstance(again, Acquired)
        assert not again.made


def test_a_later_ruling_supersedes_an_earlier_one(folder: Path, music: Path) -> None:
    _unknown(music)
    with opened(folder) as archive:
        take(archive, music)
        rule(archive, [audio("unknown")], Ruling(CC_BY, "first thought", NOW))
        rule(archive, [audio("unknown")], Ruling(CC_BY.replace("/by/", "/by-nc/"), "second thought", NOW + timedelta(days=1)))
        take(archive, music)
        assert archive.store.rights(audio("unknown")).licence_uri == CC_BY.replace("/by/", "/by-nc/")


def test_a_ruling_needs_a_licence_of_the_table_a_reason_and_something_to_decide(folder: Path, music: Path) -> None:
    _unknown(music)
    put_item(music, "one", {"a.flac": track(1)})
    with opened(folder) as archive:
        take(archive, music)
        before = state_of(archive.register)
        for subject, ruling, said in (
            (audio("unknown"), Ruling("https://example.org/mine", "why", NOW), "not a licence of the table"),
            (audio("unknown"), Ruling(CC_BY, "  ", NOW), "without a reason"),
            (audio("one"), Ruling(CC_BY, "why", NOW), "nothing was refused or held"),
            (audio("never-seen"), Ruling(CC_BY, "why", NOW), "nothing was refused or held"),
        ):
            with pytest.raises(UsageError, match=said):
                rule(archive, [subject], ruling)
        assert state_of(archive.register) == before


def test_the_same_item_again_makes_no_version(folder: Path, music: Path) -> None:
    small_music(music)
    with opened(folder) as archive:
        first = take(archive, music)
    before = bytes_of(folder / "store"), bytes_of(folder / "private")
    with opened(folder, clock=StoppedClock(NOW + timedelta(days=1))) as archive:
        again = take(archive, music)
        assert [archive.store.head(a.object_id) for a in again if isinstance(a, Acquired)] == [1, 1, 1]
    assert (bytes_of(folder / "store"), bytes_of(folder / "private")) == before
    assert [a.made for a in first if isinstance(a, Acquired)] == [True, True, True]
    assert [a.made for a in again if isinstance(a, Acquired)] == [False, False, False]


def test_a_changed_item_makes_a_second_version_that_shares_what_stayed(
    folder: Path, music: Path, validate: Callable[[Path], None]
) -> None:
    item = put_item(music, "one", {"01 a.flac": track(1), "02 b.flac": track(2)})
    with opened(folder) as archive:
        take(archive, music)
        (item / "02 b.flac").unlink()
        put_item(music, "one", {"03 c.flac": track(3)})
        (outcome,) = take(archive, music)
        assert isinstance(outcome, Acquired)
        assert (outcome.version, outcome.made, outcome.file_count) == (2, True, 2)
        stored = archive.store.read(audio("one"))
        paths = {file.logical_path: file.content_path for file in stored.files}
        assert paths["01 a.flac"].startswith("v1/")
        assert paths["03 c.flac"].startswith("v2/")
        assert [m.path for m in stored.members if m.path.endswith(".flac")] == [f"{stored.object_path}/{paths['03 c.flac']}"]
        assert [f.logical_path for f in archive.store.read(audio("one"), 1).files] == ["01 a.flac", "02 b.flac"]
        assert [row.version for row in archive.register.versions(audio("one"))] == [1, 2]
        assert check(archive).damages == ()
    validate(folder / "store")


def test_a_failing_item_does_not_keep_the_next_from_its_turn(folder: Path, music: Path) -> None:
    put_item(music, "bad", {"x.flac": track(1)[:3000]})
    put_item(music, "good", {"x.flac": track(2)})
    with opened(folder) as archive:
        bad, good = take(archive, music)
        assert isinstance(bad, Failed)
        assert isinstance(good, Acquired)
        assert "x.flac" in str(bad.error)
        (event,) = archive.register.events(subject="folder:bad")
        assert event.what == "failed"
    assert leftovers(folder) == []


def test_an_object_that_is_damaged_does_not_keep_the_next_item_from_its_turn(folder: Path, music: Path) -> None:
    put_item(music, "one", {"x.flac": track(1)})
    with opened(folder) as archive:
        take(archive, music)
        for inventory in (folder / "store" / archive.store.read(audio("one")).object_path).rglob("inventory.json"):
            inventory.write_bytes(b"{}")
        put_item(music, "one", {"y.flac": track(2)})
        put_item(music, "two", {"x.flac": track(3)})
        one, two = take(archive, music)
        assert isinstance(one, Failed)
        assert one.error.exit_status == 4
        assert isinstance(two, Acquired)
    assert leftovers(folder) == []


def test_a_protected_file_refuses_its_item_and_leaves_nothing(folder: Path, music: Path) -> None:
    put_item(music, "locked", {"01 clear.flac": track(1), "02 locked.m4a": protected_sample()})
    with opened(folder) as archive:
        (refusal,) = take(archive, music)
        assert isinstance(refusal, Refusal)
        assert refusal.rule == "protected"
        assert refusal.subject == "folder:locked: 02 locked.m4a"
        assert archive.store.head(audio("locked")) == 0
        (row,) = archive.register.decisions()
        assert (row.subject, row.rule) == ("folder:locked: 02 locked.m4a", "protected")
    assert leftovers(folder) == []
    assert [path for path in bytes_of(folder / "store") if path.endswith((".flac", ".m4a"))] == []


HOSTILE = (
    "a\nb.flac",
    "\u202egnp.flac",
    "🎵 #1 100%.flac",
    "Ä" * 125 + ".flac",
    "UPPER.flac",
    "upper.FLAC",
    "back\\slash.flac",
    " .flac",
)


def test_hostile_names_are_kept_as_they_came_and_stored_under_plain_ones(
    folder: Path, music: Path, validate: Callable[[Path], None]
) -> None:
    names = [*HOSTILE, "deep/..x/" + "n" * 200 + ".flac"]
    put_item(music, "odd", {name: track(number) for number, name in enumerate(names)})
    put_item(music, "escape", {"x.flac": track(90)})
    os.symlink("/etc/hostname", music / "escape" / "link.flac")
    with opened(folder) as archive:
        escape, odd = take(archive, music)
        assert isinstance(escape, Acquired)
        assert [(left.logical_path, left.rule) for left in escape.left_out] == [("link.flac", "link")]
        assert isinstance(odd, Acquired)
        assert odd.left_out == ()
        stored = archive.store.read(audio("odd"))
        assert {file.logical_path for file in stored.files} == set(names)
        tails = [file.content_path for file in stored.files]
        assert all(tail.isascii() and len(tail) <= 100 for tail in tails)
        assert len({tail.casefold() for tail in tails}) == len(names)
        put_out(archive)
        assert check(archive).damages == ()
    validate(folder / "store")


def test_a_name_that_is_no_text_at_all_is_taken(folder: Path, music: Path) -> None:
    item = put_item(music, "raw", {"a.flac": track(1)})
    os.rename(item / "a.flac", os.fsencode(item) + b"/\xff\xfe.flac")
    os.rename(item, os.fsencode(music) + b"/\xe9")
    with opened(folder) as archive:
        (outcome,) = take(archive, music)
        assert isinstance(outcome, Acquired)
        assert [f.logical_path for f in archive.store.read(audio("raw")).files] == ["%FF%FE.flac"]


def test_artwork_is_an_object_of_its_own(folder: Path, music: Path) -> None:
    put_item(music, "one", {"a.flac": track(1), "cover.png": picture()})
    with opened(folder) as archive:
        take(archive, music)
        assert [f.media_type for f in archive.store.read(artwork("one")).files] == ["image/png"]
        assert [f.logical_path for f in archive.store.read(audio("one")).files] == ["a.flac"]


def test_a_full_disk_leaves_nothing_half_written_and_says_so(tmp_path: Path, music: Path, validate: Callable[[Path], None]) -> None:
    put_item(music, "one", {"01 a.flac": track(1)})
    put_item(music, "two", {"02 b.flac": track(2), "03 c.flac": track(3)})
    told = set()
    for number, room_bytes in enumerate((0, 3_000, 11_000, 14_000, 16_500, 18_500, 21_000, 30_000, 37_000)):
        folder = make_archive(tmp_path / f"archive-{number}")
        acknowledged = []
        with opened(folder, FullDiskCalls(Unsynced(), room_bytes)) as archive, pytest.raises(StoreError, match="the disk is full"):
            acknowledged.extend(acquire(acquire_rooms(archive, Quiet()), "folder", str(music)))
        told.add(len(acknowledged))
        assert leftovers(folder) == [], room_bytes
        with opened(folder) as archive:
            for outcome in acknowledged:
                assert isinstance(outcome, Acquired)
                assert archive.register.stored_version(outcome.object_id, 1) == archive.store.read(outcome.object_id)
            validate(folder / "store")
            assert [type(outcome) for outcome in take(archive, music)] == [Acquired, Acquired]
            assert check(archive).damages == ()
    assert told == {0, 1}


def test_a_file_that_changes_while_it_is_read_is_not_taken(folder: Path, music: Path) -> None:
    item = put_item(music, "moving", {"01 a.flac": track(1), "02 b.flac": track(2)})
    put_item(music, "still", {"x.flac": track(3)})

    class Meddling(Quiet):
        """Progress under which someone goes on writing the second file as soon as the first is read."""

        def task(self, label: str, total: int | None, unit: str = "") -> object:  # type: ignore[override]
            return nullcontext(lambda _count: (item / "02 b.flac").write_bytes(track(4)))

    with opened(folder) as archive:
        moving, still = acquire(acquire_rooms(archive, Meddling()), "folder", str(music))  # type: ignore[arg-type]
        assert isinstance(moving, Failed)
        assert "changed while it was read" in str(moving.error)
        assert isinstance(still, Acquired)
        assert archive.store.head(audio("moving")) == 0
        assert leftovers(folder) == []
        moving, still = take(archive, music)
        assert isinstance(moving, Acquired)


def test_a_folder_that_is_missing_or_without_music_is_told(folder: Path, music: Path) -> None:
    (music / "empty").mkdir(parents=True)
    (music / "empty" / "notes.txt").write_text("nothing")
    with opened(folder) as archive:
        with pytest.raises(UsageError, match="no such folder"):
            take(archive, music / "none")
        with pytest.raises(UsageError, match="is not a folder"):
            take(archive, music / "empty" / "notes.txt")
        with pytest.raises(SourceError, match="holds no music"):
            take(archive, music / "empty")
