"""The register holds what was recorded, once, and gives it back whole."""

from __future__ import annotations

import base64
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from register_world import DESCRIPTION, NOON, ODD_TAGS, drop_of, keep, made, rights, second

from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Damage, DamageKind, DropKind, DropMember, Event
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.ids import DropId, LogicalPath, ObjectId, RecordingId
from fonoteca.model.rights import Hold, Kind, Refusal
from fonoteca.register import Description, Register, Totals
from fonoteca.sources.paths import PATH_BYTES_MAX


def test_stored_version_comes_back_equal(register: Register) -> None:
    stored = made("folder:planets", names=("02.ogg", "01.ogg"), tags=ODD_TAGS)
    keep(register, stored)
    assert register.stored_version(stored.object_id, 1) == stored
    assert register.stored_version(stored.object_id, 2) is None
    assert [row.stored for row in register.files(stored.object_id)] == list(stored.files)


def test_later_version_shares_content_and_both_come_back_equal(register: Register) -> None:
    first = made("folder:planets")
    later = second(first)
    keep(register, first)
    keep(register, later)
    assert register.stored_version(first.object_id, 1) == first
    assert register.stored_version(first.object_id, 2) == later
    assert [row.logical_path for row in register.files(first.object_id)] == ["music/new.ogg", "music/01.ogg"]
    assert [row.version for row in register.versions(first.object_id)] == [1, 2]
    assert len(list(register.held_tracks())) == 2
    row = register.object(first.object_id)
    assert row is not None
    assert (row.head_version, row.head_at, row.file_count) == (2, later.created_at, 2)


def test_later_version_without_the_earlier_one_is_refused_whole(register: Register) -> None:
    with pytest.raises(StoreError, match="no recorded version holds"):
        keep(register, second(made("folder:planets")))
    assert list(register.natural_rows()) == []


def test_recording_twice_is_as_once(register: Register) -> None:
    stored = made("folder:planets")
    keep(register, stored)
    once = list(register.natural_rows())
    keep(register, stored)
    assert list(register.natural_rows()) == once
    assert register.totals() == Totals(1, 1, stored.files[0].hashes.file_bytes, 61_000)


def test_older_version_recorded_again_does_not_become_the_head(register: Register) -> None:
    first = made("folder:planets")
    keep(register, first)
    keep(register, second(first))
    before = list(register.natural_rows())
    keep(register, first)
    assert list(register.natural_rows()) == before


def test_version_with_other_bytes_is_refused(register: Register) -> None:
    stored = made("folder:planets")
    keep(register, stored)
    other = replace(stored, members=stored.members[:1])
    with pytest.raises(StoreError, match="other bytes"):
        keep(register, other)


def test_totals_follow_heads_of_both_kinds_and_leave_documents_out(register: Register) -> None:
    first = made("folder:planets")
    keep(register, first)
    keep(register, second(first))
    keep(register, made("folder:planets", Kind.ARTWORK, ("cover.png",)))
    document = replace(made("folder:x"), object_id=ObjectId.of("drop", "audio-0123456789abcdef"), files=())
    register.record(document, None, Description("drop", "", ""))
    sound = first.files[0].hashes.file_bytes + 3
    picture = len(b"folder:planets/cover.png" * 2000)
    assert register.totals("audio") == Totals(1, 2, sound, 122_000)
    assert register.totals() == Totals(2, 3, sound + picture, 122_000)
    assert register.totals("drop") == Totals(1, 0, 0, 0)


def test_files_are_found_by_path_digest_artist_recording_and_object(register: Register) -> None:
    stored = made("folder:planets", tags=Tags(title="Mars", recording_mbid="B1A9C0E9-D987-4042-AE91-78D6A3267D69"))
    keep(register, stored)
    [row] = register.files(stored.object_id)
    member = register.file_by_path(row.path)
    assert member is not None
    assert (member.object_id, member.version, member.sha256) == (stored.object_id, 1, stored.files[0].hashes.sha256)
    assert register.files_by_digest(member.sha256) == [row]
    assert register.files_by_artist("Gustav Holst") == [row]
    assert register.files_of_recording("b1a9c0e9-d987-4042-ae91-78d6a3267d69") == [row]
    assert register.file(stored.object_id, "music/01.ogg") == row
    assert [each.object_id for each in register.objects_of("folder:planets")] == [stored.object_id]
    assert [each.object_id for each in register.objects_by_artist("Gustav Holst")] == [stored.object_id]


@pytest.mark.parametrize("path", ["", "x", "../v1/a", "v1/content/01.ogg", "a/v0/b", "a/v99999999999/b", "/etc/passwd"])
def test_path_outside_any_version_is_no_file(register: Register, path: str) -> None:
    keep(register, made("folder:planets"))
    assert register.file_by_path(path) is None


def test_file_without_tags_is_named_by_its_path_and_object(register: Register) -> None:
    stored = made("folder:planets", names=("03 - Jupiter.ogg",))
    keep(register, stored)
    [track] = register.held_tracks()
    assert (track.title, track.artist, track.release) == ("03 - Jupiter", "Gustav Holst", "The Planets")
    assert track.recording == RecordingId.of("store", f"{stored.object_id}/music/03 - Jupiter.ogg")


def test_text_that_no_column_takes_is_recorded_all_the_same(register: Register) -> None:
    odd, as_kept = "Holst\x00, \ud800", "Holst, \ufffd"
    stored = made("folder:odd")
    said = replace(rights("folder:odd"), attribution=odd, transcode=odd)
    for version in (stored, second(stored)):  # the second finds the object there
        register.record(version, said, Description("The Planets", odd, odd))
        row, kept = register.object(stored.object_id), register.versions(stored.object_id)[-1]
        assert row is not None
        assert (row.artist, row.source_uri, row.attribution, kept.attribution, kept.transcode) == (as_kept,) * 5
    register.record_decision(Hold("folder:odd", "rule", odd, odd), "folder:odd", NOON)
    assert register.settle_decision("folder:odd", odd, NOON) == 1
    register.auditing.quarantine(stored.object_id, NOON, odd)
    assert [each.reason for each in register.auditing.quarantined()] == [as_kept]
    member = stored.members[0]
    register.record_check(stored.object_id, member.path, NOON, Damage(stored.object_id, member, DamageKind.DIGEST, (0,), odd, odd))
    assert register.checks()[0].found == as_kept


def test_the_longest_path_that_a_source_may_give_is_recorded(register: Register) -> None:
    name = base64.b64encode(random.Random(1).randbytes(PATH_BYTES_MAX)).decode().replace("/", "_")  # nothing to compress
    stored = made("folder:long")
    path = LogicalPath(name[:PATH_BYTES_MAX])
    stored = replace(stored, files=(replace(stored.files[0], logical_path=path),))
    keep(register, stored)
    assert register.file(stored.object_id, path) is not None


def test_year_is_read_from_a_date_tag(register: Register) -> None:
    keep(register, made("folder:planets", tags=ODD_TAGS))
    assert [track.year for track in register.held_tracks()] == [1916]


def test_objects_are_paged_in_order_without_gaps(register: Register) -> None:
    register.record_many([(made(f"folder:{n:03}"), rights(f"folder:{n:03}"), DESCRIPTION) for n in range(25)])
    seen: list[str] = []
    while page := register.objects("audio", seen[-1] if seen else None, 10):
        seen += [row.object_id for row in page]
    assert seen == sorted(f"urn:fonoteca:audio:folder:{n:03}" for n in range(25))
    assert register.objects("artwork") == []
    assert len(register.newest("audio", 5)) == 5


def test_batch_is_recorded_whole_or_not_at_all(register: Register) -> None:
    with pytest.raises(StoreError):
        register.record_many(
            [
                (made("folder:a"), rights("folder:a"), DESCRIPTION),
                (second(made("folder:b")), rights("folder:b"), DESCRIPTION),
            ]
        )
    assert list(register.natural_rows()) == []


def test_decision_is_one_row_however_often_it_is_taken(register: Register) -> None:
    refusal = Refusal("folder:x: a.m4a", "protected", "holds a sinf box", "Take a clear copy.")
    register.record_decision(refusal, "folder:x", NOON)
    register.record_decision(refusal, "folder:x", NOON + timedelta(hours=1))
    hold = Hold("folder:y", "unknown", "no licence was found", "Which licence is it under?")
    register.record_decision(hold, "folder:y", NOON)
    assert [(row.outcome, row.at) for row in register.decisions()] == [("refusal", NOON + timedelta(hours=1)), ("hold", NOON)]
    assert [row.remedy for row in register.decisions_about("folder:y")] == ["Which licence is it under?"]


def test_settled_decision_stays_settled(register: Register) -> None:
    hold = Hold("folder:y", "unknown", "no licence was found", "Which licence is it under?")
    register.record_decision(hold, "folder:y", NOON)
    assert register.settle_decision("folder:y", "https://creativecommons.org/publicdomain/zero/1.0/", NOON) == 1
    register.record_decision(hold, "folder:y", NOON)
    assert register.decisions("open") == []
    assert [row.settled_at for row in register.decisions("settled")] == [NOON]
    assert register.settle_decision("folder:y", "again", NOON) == 0


def test_dropped_versions_are_no_longer_undropped(register: Register) -> None:
    for key in ("folder:a", "folder:b"):
        keep(register, made(key))
    member = DropMember(ObjectId.of("audio", "folder:a"), 1)
    register.record_drop(drop_of((member,)))
    register.record_drop(drop_of((member,)))
    assert [each.object_id.key for each in register.undropped("audio")] == ["folder:b"]
    assert register.dropped_members() == {member: "audio-0123456789abcdef"}
    assert register.members_of_drop("audio-0123456789abcdef") == [member]


def test_version_recorded_after_its_drop_is_dropped(register: Register) -> None:
    member = DropMember(ObjectId.of("audio", "folder:a"), 1)
    register.record_drop(drop_of((member,)))
    keep(register, made("folder:a"))
    assert list(register.undropped("audio")) == []


def test_a_drop_that_is_forgotten_frees_what_no_other_one_has(register: Register) -> None:
    members = []
    for key in ("folder:a", "folder:b"):
        keep(register, made(key))
        members.append(DropMember(ObjectId.of("audio", key), 1))
    register.record_drop(drop_of(tuple(members)))
    register.record_drop(drop_of((members[1],), "audio-1111111111111111"))
    before = list(register.natural_rows())
    register.forget_drop("audio-0123456789abcdef")
    register.forget_drop("audio-0123456789abcdef")
    assert list(register.undropped("audio")) == [members[0]]
    assert [row.id for row in register.drops()] == ["audio-1111111111111111"]
    assert register.members_of_drop("audio-0123456789abcdef") == []
    register.record_drop(drop_of(tuple(members)))
    assert list(register.natural_rows()) == before


def test_drops_are_listed_in_order_of_publication(register: Register) -> None:
    less = replace(drop_of((), "audio-1111111111111111"), coverage_share=0.1)
    art = drop_of((), "artwork-2222222222222222", DropKind.ARTWORK)
    facts = replace(drop_of((), "metadata-3333333333333333", DropKind.METADATA), supersedes=DropId("metadata-4444444444444444"))
    for each in (art, less, drop_of(()), facts):
        register.record_drop(each)
    assert [row.id[:7] for row in register.drops()] == ["metadat", "audio-0", "audio-1", "artwork"]
    assert register.drops()[0].supersedes == "metadata-4444444444444444"


def test_audit_order_is_never_checked_first_then_oldest(register: Register) -> None:
    stored = made("folder:a", names=("1.ogg", "2.ogg"))
    keep(register, stored)
    paths = [member.path for member in stored.members]
    for days, path in ((2, paths[0]), (1, paths[1])):
        register.record_check(stored.object_id, path, NOON + timedelta(days=days), None)
    assert [row.path for row in register.next_to_audit()] == [paths[2], paths[1], paths[0]]
    assert [row.path for row in register.next_to_audit(1)] == [paths[2]]


def test_damage_is_shown_until_a_later_check_finds_the_file_sound(register: Register) -> None:
    stored = made("folder:a")
    keep(register, stored)
    member = stored.members[0]
    damage = Damage(stored.object_id, member, DamageKind.DIGEST, (0, 2), "aa", "bb")
    register.record_check(stored.object_id, member.path, NOON, damage)
    register.record_check(stored.object_id, member.path, NOON, damage)
    register.record_check(stored.object_id, member.path, NOON - timedelta(days=1), None)
    assert [row.path for row in register.damaged()] == [member.path]
    assert [row.damage for row in register.files(stored.object_id)] == ["digest"]
    assert register.checks()[0].pieces == (0, 2)
    register.record_check(stored.object_id, member.path, NOON + timedelta(days=1), None)
    assert register.damaged() == []
    assert len(register.checks()) == 3


def test_check_of_an_unknown_file_is_an_error(register: Register) -> None:
    with pytest.raises(StoreError, match="not in the register"):
        register.record_check("urn:fonoteca:audio:a:b", "a/b/c/d/v1/x", NOON, None)


def test_replayed_events_are_not_doubled(register: Register) -> None:
    events = [Event(NOON + timedelta(minutes=n), "acquired", "folder:a", (("files", n),)) for n in range(3)]
    register.record_events(events)
    register.record_events(events)
    assert register.events() == events[::-1]
    assert register.events(limit=1, subject="folder:a") == [events[2]]
    assert register.events(subject="folder:b") == []


def test_register_made_anew_in_another_order_is_equal(register: Register, tmp_path: Path) -> None:
    first, other = made("folder:a"), made("folder:b", names=("x.ogg", "y.ogg"))
    for each in (first, other, second(first)):
        keep(register, each)
    register.record_drop(drop_of((DropMember(first.object_id, 1), DropMember(other.object_id, 1))))
    register.record_check(other.object_id, other.members[0].path, NOON, None)
    with Register.open(tmp_path / "other.sqlite") as anew:
        anew.record_drop(drop_of((DropMember(other.object_id, 1), DropMember(first.object_id, 1))))
        for each in (other, first, second(first)):
            keep(anew, each)
        assert list(anew.natural_rows()) == list(register.natural_rows())


def test_register_made_anew_keeps_decisions_and_events_and_nothing_else(register: Register) -> None:
    keep(register, made("folder:a"))
    register.record_decision(Refusal("folder:x", "rule", "reason", "remedy"), "folder:x", NOON)
    register.record_drop(drop_of((DropMember(ObjectId.of("audio", "folder:a"), 1),)))
    register.record_events([Event(NOON, "acquired", "folder:a")])
    with register.made_anew():
        pass
    assert list(register.natural_rows()) == []
    assert register.totals() == Totals(0, 0, 0, 0)
    assert len(register.events()) == len(register.decisions()) == 1


def test_register_that_cannot_be_made_anew_stays_as_it_was(register: Register) -> None:
    keep(register, made("folder:a"))
    before = list(register.natural_rows())

    def fails() -> None:
        with register.made_anew() as anew:
            keep(anew, made("folder:b"))
            assert list(register.natural_rows()) == before
            raise StoreError("folder:c", "damaged")

    with pytest.raises(StoreError, match="damaged"):
        fails()
    assert list(register.natural_rows()) == before
    with register.made_anew() as anew:
        keep(anew, made("folder:b"))
        anew.record_events([Event(NOON, "acquired", "folder:b")])
        assert [row.object_id for row in anew.objects()] == [ObjectId.of("audio", "folder:b")]
    assert [row.object_id for row in register.objects()] == [ObjectId.of("audio", "folder:b")]
    assert len(register.events()) == 1


def test_address_of_another_kind_of_database_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="expected sqlite or postgresql"):
        Register.open("mysql://localhost/x")
