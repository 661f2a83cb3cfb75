"""Laws of publishing, and of believing what others published."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from editions_payload import HEADING, NOW, Payload, editions_in, manifested, manifested_snapshot

from fonoteca.editions import (
    Heading,
    ManifestedDrop,
    Terms,
    drop_record,
    list_members,
    member_list,
    parse_drop_record,
    plan_drops,
    read_drop,
    read_edition,
    read_index,
)
from fonoteca.editions.manifest import from_jsonl, to_jsonl
from fonoteca.editions.memberlist import member_list_of
from fonoteca.formats import bencode
from fonoteca.formats.metainfo import v1_only, v2_only
from fonoteca.model.corridor import DropKind, DropMember, RankRange
from fonoteca.model.errors import StoreError, TrustError, UsageError
from fonoteca.model.ids import DropId
from fonoteca.model.settings import EditionSettings

LATER = NOW + timedelta(days=7)


def drops_of(payload: Payload) -> list[ManifestedDrop]:
    """Return a snapshot, two audio drops of which the second needs the first, and one of artwork."""
    offer = [payload.shareable(payload.version("a", number), 0.25) for number in (1, 2)]
    offer.append(payload.shareable(payload.version("a", kind="artwork", lengths=(500,))))
    plans = plan_drops(offer, {}, EditionSettings(drop_files_max=4))
    return [manifested_snapshot(payload.snapshot()), *(manifested(plan) for plan in plans)]


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fetch_from(files: dict[str, bytes]) -> Callable[[str, int], bytes]:
    """Return a way to read these files as a follower does."""

    def fetch_read(path: str, bytes_max: int) -> bytes:
        assert path in files, f"{path} was asked for"
        assert len(files[path]) <= bytes_max or path != "index.json"
        return files[path]

    return fetch_read


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of an edition."""
    folder = tmp_path_factory.mktemp("editions")
    editions_in(folder).publish(HEADING, drops_of(Payload()), Terms(NOW))
    return tree(folder)


def test_what_is_published_is_read_whole(published: dict[str, bytes]) -> None:
    drops = drops_of(Payload())
    edition = read_edition(fetch_from(published))
    assert edition.drops == tuple(each.drop for each in drops)
    assert (edition.archive, edition.root_name, edition.number, edition.published_at) == ("Jazz of the commons", "jazz", 1, NOW)
    index = read_index(fetch_from(published))
    assert [read_drop(fetch_from(published), index, entry).drop for entry in index.entries] == list(edition.drops)


def test_the_same_store_and_settings_give_the_same_edition_byte_for_byte(published: dict[str, bytes], tmp_path: Path) -> None:
    editions_in(tmp_path).publish(HEADING, drops_of(Payload()), Terms(NOW))
    assert tree(tmp_path) == published


METADATA = ("metadata/", "withdrawals.json")


def signed_files(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of an edition that its index, or the targets' signature, binds, under their plain names."""
    return {path: content for path, content in files.items() if not path.startswith(METADATA) and path[64:65] != "."}


def test_nothing_new_signs_only_a_timestamp(tmp_path: Path) -> None:
    editions, drops = editions_in(tmp_path), drops_of(Payload())
    first = editions.publish(HEADING, drops, Terms(NOW))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = NOW + timedelta(hours=1)
    second = editions.publish(HEADING, drops, Terms(again))
    third = editions.publish(HEADING, [], Terms(again))
    assert (first.made, second.made, third.made) == (True, False, False)
    assert first.files == second.files == third.files
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in after if after[path] != before.get(path)} == {"timestamp.json"}
    assert json.loads((tmp_path / "metadata" / "timestamp.json").read_bytes())["signed"]["version"] == 2


def test_a_new_edition_keeps_every_old_drop_and_its_files(tmp_path: Path) -> None:
    editions, payload = editions_in(tmp_path), Payload()
    old = drops_of(payload)
    editions.publish(HEADING, old, Terms(NOW))
    before = tree(tmp_path)
    successor = manifested_snapshot(payload.snapshot("2026-11-29"), supersedes=old[0])
    (plan,) = plan_drops([payload.shareable(payload.version("b"))], {}, EditionSettings())
    publication = editions.publish(HEADING, [successor, manifested(plan)], Terms(LATER))
    after = tree(tmp_path)
    assert publication.number == 2
    changed = {path for path in before if after.get(path) != before[path]}
    assert changed == {"index.json", "feed.xml", "SHA256SUMS", "metadata/timestamp.json"}
    edition = editions.read()
    assert edition is not None
    assert edition.drops[:4] == tuple(each.drop for each in old)
    assert edition.drops[4].supersedes == old[0].drop.id
    index = editions.index()
    assert index is not None
    assert index.current_snapshot() == successor.drop.id


def test_ranks_and_successors_are_told_in_index_and_record(tmp_path: Path) -> None:
    editions, payload = editions_in(tmp_path), Payload()
    old = drops_of(payload)
    editions.publish(HEADING, old, Terms(NOW))
    assert b'"fonoteca-edition/1"' in (tmp_path / "index.json").read_bytes()
    (plan,) = plan_drops([payload.shareable(payload.version("b"))], {}, EditionSettings())
    new = manifested(plan)
    told = replace(new.drop, ranks=RankRange(3, 2**40), replaces=(old[1].drop.id,))
    editions.publish(HEADING, [replace(new, drop=told)], Terms(LATER))
    assert b'"fonoteca-edition/2"' in (tmp_path / "index.json").read_bytes()
    edition = editions.read()
    assert edition is not None
    assert edition.drops == (*(each.drop for each in old), told)
    for drop, form in ((told, b"2"), (new.drop, b"1")):
        content = drop_record(drop)
        assert b"fonoteca-drop-record/" + form in content
        record = parse_drop_record(content)
        assert (record.ranks, record.replaces) == (drop.ranks, drop.replaces)


def test_a_publication_binds_every_file(tmp_path: Path) -> None:
    publication = editions_in(tmp_path).publish(HEADING, drops_of(Payload()), Terms(NOW))
    assert [(f.path, f.file_bytes, f.sha256) for f in publication.files] == [
        (path, len(content), sha256(content).hexdigest()) for path, content in sorted(signed_files(tree(tmp_path)).items())
    ]


def test_a_staged_edition_is_not_out_until_it_is_committed(tmp_path: Path) -> None:
    editions = editions_in(tmp_path)
    staged = editions.stage(HEADING, iter(drops_of(Payload())), Terms(NOW))
    assert editions.index() is None
    assert editions.read() is None
    editions.commit(staged)
    assert editions.read() is not None
    assert not editions.stage(HEADING, drops_of(Payload()), Terms(LATER)).made


def test_what_a_crash_left_is_written_again(published: dict[str, bytes], tmp_path: Path) -> None:
    editions = editions_in(tmp_path)
    editions.stage(HEADING, drops_of(Payload())[:2], Terms(NOW))
    for path in (tmp_path / "drops").iterdir():
        path.write_bytes(b"half")
    editions.publish(HEADING, drops_of(Payload()), Terms(NOW))
    assert tree(tmp_path) == published


def test_what_can_never_change_is_refused(tmp_path: Path) -> None:
    editions = editions_in(tmp_path)
    with pytest.raises(UsageError, match="nothing to publish"):
        editions.publish(HEADING, [], Terms(NOW))
    editions.publish(HEADING, drops_of(Payload()), Terms(NOW))
    before = tree(tmp_path)
    for heading in (replace(HEADING, root_name="blues"), replace(HEADING, piece_bytes=2 * HEADING.piece_bytes)):
        with pytest.raises(UsageError, match="fixed at"):
            editions.publish(heading, drops_of(Payload()), Terms(LATER))
    assert tree(tmp_path) == before


def test_an_edition_that_mirrors_would_refuse_is_not_committed(tmp_path: Path) -> None:
    editions, drops = editions_in(tmp_path), drops_of(Payload())
    for wrong in (
        [drops[2]],
        [drops[1], drops[1]],
        [manifested_snapshot(Payload().snapshot("x"), supersedes=drops[0])],
    ):
        with pytest.raises(StoreError):
            editions.publish(HEADING, wrong, Terms(NOW))
    with pytest.raises(StoreError):
        editions.publish(Heading("two\nlines", "jazz", HEADING.piece_bytes), drops, Terms(NOW))
    assert editions.index() is None


def test_a_damaged_index_of_ones_own_is_a_fault_of_the_store(tmp_path: Path) -> None:
    editions = editions_in(tmp_path)
    editions.publish(HEADING, drops_of(Payload()), Terms(NOW))
    (stamped,) = tmp_path.glob("*.index.json")
    stamped.write_bytes(b"{")
    with pytest.raises(StoreError, match="from a mirror"):
        editions.publish(HEADING, drops_of(Payload()), Terms(LATER))


def test_a_torrent_is_found_by_its_drop(tmp_path: Path) -> None:
    editions, drops = editions_in(tmp_path), drops_of(Payload())
    editions.publish(HEADING, drops, Terms(NOW))
    assert editions.torrent(drops[1].drop.id) == drops[1].torrent
    with pytest.raises(UsageError):
        editions.torrent(DropId("audio-0000000000000000"))


def test_a_mirror_makes_the_origins_member_list_from_the_manifest(published: dict[str, bytes]) -> None:
    payload = Payload()
    offer = [payload.shareable(payload.version("a", number), 0.25) for number in (1, 2)]
    plans = plan_drops(offer, {}, EditionSettings(drop_files_max=4))
    index = read_index(fetch_from(published))
    for plan in plans:
        entry = next(each for each in index.entries if each.id == plan.id)
        rows = read_drop(fetch_from(published), index, entry).rows
        assert list_members(plan.kind, plan.needs, rows).to_bytes() == member_list(plan)


# Lies. Each starts from a sound edition and changes one thing; the index is written anew so that only that thing is wrong.

SNAPSHOT, FIRST, SECOND, ARTWORK = range(4)


def lying(published: dict[str, bytes], change: Callable[[dict[str, Any]], object]) -> dict[str, bytes]:
    """Return the edition with its index changed."""
    index = json.loads(published["index.json"])
    change(index)
    return {**published, "index.json": (json.dumps(index, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()}


HEAD_LIES: dict[str, Any] = {
    "format": ["fonoteca-edition/2", None, 1],
    "archive": ["", 5, "a\nb", "x" * 501],
    "root_name": ["blues", "", 5],
    "number": [0, -1, "1", True, 1.5, 2**63],
    "published_at": ["", "yesterday", "2026-11-22", "2026-11-22T12:30:00", "2026-11-22T12:30:00+01:00", 5, None],
    "piece_bytes": [0, 1, 2 * HEADING.piece_bytes, "16384"],
    "drops": [5, None, {"a": 1}, [5], ["x"], [None], "x"],
}

DROP_LIES: dict[str, Any] = {
    "id": ["audio-0000000000000000", "x", 5, None, "../../x"],
    "kind": ["artwork", "Audio", "video", 5, None],
    "created_at": ["now", 5, "2026-11-22T12:30:00.000Z"],
    "infohash_v1": ["0" * 40, "x", None],
    "infohash_v2": ["0" * 64, "x", None],
    "bytes": [0, 1, -1, "1", 2**70],
    "files": [0, 1, 5, "4"],
    "coverage_share": [-0.1, 1.1, "0.5", None, True, 1e999],
    "needs": [["audio-0000000000000000"], ["x"], 5, None],
    "supersedes": ["audio-0000000000000000", "metadata-0000000000000000", 5, []],
    "torrent": [None, 5, {}, [], "x"],
    "manifest_jsonl": [None, {}, []],
    "manifest_parquet": [None, {}, []],
}

FILE_LIES: dict[str, Any] = {
    "path": ["drops/x.torrent", "../../etc/passwd", "/etc/passwd", "http://example.org/", 5, None],
    "bytes": [0, 1, 10**12, "1", -1],
    "sha256": ["0" * 64, "x", None],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in HEAD_LIES.items() for value in values], ids=repr)
def test_an_index_whose_head_lies_is_refused(published: dict[str, bytes], field: str, value: Any) -> None:
    with pytest.raises(TrustError):
        read_edition(fetch_from(lying(published, lambda index: index.update({field: value}))))


@pytest.mark.parametrize("at", [SNAPSHOT, FIRST, SECOND])
@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in DROP_LIES.items() for value in values], ids=repr)
def test_an_index_whose_drop_lies_is_refused(published: dict[str, bytes], field: str, value: Any, at: int) -> None:
    with pytest.raises(TrustError):
        read_edition(fetch_from(lying(published, lambda index: index["drops"][at].update({field: value}))))


@pytest.mark.parametrize("file", ["torrent", "manifest_jsonl"])
@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in FILE_LIES.items() for value in values], ids=repr)
def test_an_index_whose_file_lies_is_refused(published: dict[str, bytes], file: str, field: str, value: Any) -> None:
    with pytest.raises(TrustError):
        read_edition(fetch_from(lying(published, lambda index: index["drops"][FIRST][file].update({field: value}))))


ORDER_LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a drop before the one it needs": lambda index: index["drops"].reverse(),
    "a needed drop left out": lambda index: index["drops"].pop(FIRST),
    "a drop twice": lambda index: index["drops"].append(index["drops"][FIRST]),
    "a need left out": lambda index: index["drops"][SECOND].update(needs=[]),
    "a need twice": lambda index: index["drops"][SECOND].update(needs=index["drops"][SECOND]["needs"] * 2),
    "a drop needs itself": lambda index: index["drops"][FIRST].update(needs=[index["drops"][FIRST]["id"]]),
    "a drop needs a snapshot": lambda index: index["drops"][FIRST].update(needs=[index["drops"][SNAPSHOT]["id"]]),
    "a snapshot needs a drop": lambda index: index["drops"].append({**index["drops"].pop(0), "needs": [index["drops"][0]["id"]]}),
    "a snapshot supersedes itself": lambda index: index["drops"][SNAPSHOT].update(supersedes=index["drops"][SNAPSHOT]["id"]),
    "an audio drop supersedes a snapshot": lambda index: index["drops"][FIRST].update(supersedes=index["drops"][SNAPSHOT]["id"]),
    "an extra field": lambda index: index.update(extra=1),
    "an extra field of a drop": lambda index: index["drops"][FIRST].update(extra=1),
    "an extra field of a file": lambda index: index["drops"][FIRST]["torrent"].update(extra=1),
    "two drops share a torrent": lambda index: index["drops"][FIRST].update(torrent=index["drops"][SECOND]["torrent"]),
    "two drops share a manifest": lambda index: index["drops"][FIRST].update(
        manifest_jsonl=index["drops"][SECOND]["manifest_jsonl"]
    ),
}


@pytest.mark.parametrize("change", ORDER_LIES.values(), ids=ORDER_LIES.keys())
def test_an_index_whose_drops_do_not_fit_together_is_refused(published: dict[str, bytes], change: Any) -> None:
    with pytest.raises(TrustError):
        read_edition(fetch_from(lying(published, change)))


def test_an_index_in_another_form_is_refused_since_mirrors_put_out_the_same_bytes(published: dict[str, bytes]) -> None:
    assert lying(published, lambda index: None) == published
    for content in (json.dumps(json.loads(published["index.json"])).encode(), published["index.json"] + b"\n"):
        with pytest.raises(TrustError, match="one form"):
            read_edition(fetch_from({**published, "index.json": content}))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b'{"format": "fonoteca-edition/1"}', b"[" * 10**5, b'{"a":1,"a":2}']
)
def test_an_index_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(TrustError):
        read_edition(fetch_from({"index.json": content}))


@pytest.mark.parametrize("stem", ["drops", "manifests"])
@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c + b"x", lambda c: bytes([c[0] ^ 1]) + c[1:], lambda c: b""])
def test_a_file_that_is_not_as_the_index_says_is_refused(published: dict[str, bytes], stem: str, damage: Any) -> None:
    for path in published:
        if path.startswith(stem) and not path.endswith(".parquet"):
            with pytest.raises(TrustError, match="expected"):
                read_edition(fetch_from({**published, path: damage(published[path])}))


def replaced(published: dict[str, bytes], at: int, file: str, content: bytes) -> dict[str, bytes]:
    """Return the edition with a file changed and the index made to agree with it."""
    path = json.loads(published["index.json"])["drops"][at][file]["path"]
    facts = {"path": path, "bytes": len(content), "sha256": sha256(content).hexdigest()}
    return {**lying(published, lambda index: index["drops"][at].update({file: facts})), path: content}


@pytest.mark.parametrize("at", [SNAPSHOT, FIRST, ARTWORK])
@pytest.mark.parametrize("form", [v1_only, v2_only, lambda c: b"", lambda c: b"de", lambda c: c[:-1], lambda c: b"d" * 10**5])
def test_a_torrent_of_another_form_is_refused(published: dict[str, bytes], at: int, form: Any) -> None:
    path = json.loads(published["index.json"])["drops"][at]["torrent"]["path"]
    with pytest.raises(TrustError):
        read_edition(fetch_from(replaced(published, at, "torrent", form(published[path]))))


def test_a_torrent_with_a_path_that_escapes_is_refused_whatever_the_index_says(published: dict[str, bytes]) -> None:
    path = json.loads(published["index.json"])["drops"][FIRST]["torrent"]["path"]
    top: Any = bencode.decode(published[path])
    top[b"info"][b"files"][0][b"path"] = [b"..", b"x"]
    with pytest.raises(TrustError):
        read_edition(fetch_from(replaced(published, FIRST, "torrent", bencode.encode(top))))


ROW_LIES: dict[str, Callable[[list[Any]], list[Any]]] = {
    "a row left out": lambda rows: rows[1:],
    "a row twice": lambda rows: [*rows, rows[0]],
    "rows in another order": lambda rows: rows[::-1],
    "another digest": lambda rows: [replace(rows[0], sha256=rows[1].sha256), *rows[1:]],
    "another root": lambda rows: [replace(rows[0], pieces_root=rows[1].pieces_root), *rows[1:]],
    "another length": lambda rows: [replace(rows[0], file_bytes=rows[0].file_bytes + 1), *rows[1:]],
    "another path": lambda rows: [replace(rows[0], path="../x"), *rows[1:]],
    "another drop": lambda rows: [replace(rows[0], drop_id=DropId("audio-0000000000000000")), *rows[1:]],
    "another version": lambda rows: [replace(row, version=3) for row in rows],
    "another object": lambda rows: [replace(row, object_id=type(row.object_id)("urn:fonoteca:audio:folder:z")) for row in rows],
    "no object": lambda rows: [replace(row, object_id=None, version=0) for row in rows],
    "no rows": lambda rows: [],
}


@pytest.mark.parametrize("change", ROW_LIES.values(), ids=ROW_LIES.keys())
def test_a_manifest_that_lies_is_refused(published: dict[str, bytes], change: Any) -> None:
    path = json.loads(published["index.json"])["drops"][FIRST]["manifest_jsonl"]["path"]
    content = to_jsonl(change(list(from_jsonl(published[path]))))
    with pytest.raises(TrustError):
        read_edition(fetch_from(replaced(published, FIRST, "manifest_jsonl", content)))


def test_titles_and_licences_are_claims_that_no_hash_proves(published: dict[str, bytes]) -> None:
    path = json.loads(published["index.json"])["drops"][FIRST]["manifest_jsonl"]["path"]
    content = to_jsonl([replace(row, title="x") for row in from_jsonl(published[path])])
    read_edition(fetch_from(replaced(published, FIRST, "manifest_jsonl", content)))


def test_members_are_listed_whatever_else_lies_between_their_files() -> None:
    payload = Payload()
    offer = [payload.shareable(payload.version("a", number)) for number in (1, 2)]
    (plan,) = plan_drops(offer, {}, EditionSettings())
    rows = manifested(plan).rows
    mixed = sorted(rows, key=lambda row: row.sha256)
    assert list_members(DropKind.AUDIO, (), mixed) == list_members(DropKind.AUDIO, (), rows)
    assert list_members(DropKind.AUDIO, (), rows).drop_id == plan.id
    assert member_list_of(DropKind.AUDIO, (), []).members == ()


def test_no_byte_of_an_index_does_more_than_be_refused_when_it_is_flipped(published: dict[str, bytes]) -> None:
    sound = read_index(fetch_from(published))
    content = published["index.json"]
    for at in range(0, len(content), 7):
        flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with suppress(TrustError):
            assert read_index(fetch_from({"index.json": flipped})) != sound or content[at : at + 1].isspace()


def test_a_drop_member_is_what_the_drop_says() -> None:
    drops = drops_of(Payload())
    assert [each.drop.members for each in drops] == [
        (),
        (DropMember(drops[1].drop.members[0].object_id, 1),),
        (DropMember(drops[1].drop.members[0].object_id, 2),),
        (DropMember(drops[3].drop.members[0].object_id, 1),),
    ]
    assert drops[2].drop.needs == (drops[1].drop.id,)
