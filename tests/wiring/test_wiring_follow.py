"""A mirror believes nothing, loses nothing, and gives nothing on that its own rights do not let out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from wiring_world import Quiet, archive_in, mirror, put_item, put_out, take

from fonoteca.editions import Index, ManifestRow, TargetFile, list_members, read_index
from fonoteca.editions.index import index_bytes, jsonl_path, parquet_path, torrent_path
from fonoteca.editions.manifest import from_jsonl, to_jsonl, to_parquet
from fonoteca.flows.rebuild import rebuild
from fonoteca.flows.seed import seed
from fonoteca.formats import ocfl
from fonoteca.model.corridor import Drop, DropKind
from fonoteca.model.errors import TrustError
from fonoteca.model.ids import Sha256
from fonoteca.register import Register
from fonoteca.wiring import SwarmChoice, open_swarm, rebuild_rooms, seed_rooms


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of an archive that has published two items, one edition each."""
    folder = tmp_path_factory.mktemp("published")
    with archive_in(folder / "archive") as archive:
        for name in ("one", "two"):
            take(archive, put_item(folder / "items", name, title=name))
            put_out(archive)
    return folder / "archive"


@pytest.fixture
def origin(published: Path, tmp_path: Path) -> Path:
    """Give a copy of that archive."""
    return Path(shutil.copytree(published, tmp_path / "origin"))


def _index(origin: Path) -> Index:
    return read_index(lambda path, _: (origin / "editions" / path).read_bytes())


Sign = Callable[[Path, Path, datetime], None]


def _sign_index(origin: Path, index: Index, sign: Sign) -> None:
    """Put out an index as whoever has the keys can."""
    (origin / "editions" / "index.json").write_bytes(index_bytes(index))
    sign(origin / "editions", origin / "keys", datetime.now(UTC))


def _forge(origin: Path, change: Callable[[ManifestRow], ManifestRow], sign: Sign) -> None:
    """Change the manifest of the first audio drop, and all that must agree with it, as whoever signs an edition can."""
    index, folder = _index(origin), origin / "editions"
    at = next(n for n, entry in enumerate(index.entries) if entry.kind is DropKind.AUDIO)
    entry = index.entries[at]
    rows = tuple(map(change, from_jsonl((folder / entry.manifest_jsonl.path).read_bytes())))
    drop_id = list_members(entry.kind, entry.needs, rows).drop_id
    rows = tuple(replace(row, drop_id=drop_id) for row in rows)
    files = {
        torrent_path(drop_id): (folder / entry.torrent.path).read_bytes(),
        parquet_path(drop_id): to_parquet(rows),
        jsonl_path(drop_id): to_jsonl(rows),
    }
    for path, content in files.items():
        (folder / path).write_bytes(content)
    forged = replace(
        entry, id=drop_id, **dict(zip(("torrent", "manifest_parquet", "manifest_jsonl"), _targets(files), strict=True))
    )
    with archive_in(origin) as archive:  # what an archive does not know, it does not give out
        row = next(row for row in archive.register.drops() if row.id == entry.id)
        members = tuple(archive.register.members_of_drop(entry.id))
        archive.register.forget_drop(entry.id)
        archive.register.record_drop(Drop(**{**asdict(row), "id": drop_id, "ranks": row.ranks}, members=members))
    entries = (*index.entries[:at], forged, *index.entries[at + 1 :])
    _sign_index(origin, replace(index, entries=entries), sign)


def _targets(files: dict[str, bytes]) -> list[TargetFile]:
    return [TargetFile.of(path, content) for path, content in files.items()]


def _stored(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "store").rglob("*") if "audio" in str(path))


def test_version_whose_digest_the_manifest_gets_wrong_is_not_taken_in(origin: Path, tmp_path: Path, sign_again: Sign) -> None:
    _forge(origin, lambda row: replace(row, sha256=Sha256("0" * 64)) if row.path.endswith(".ogg") else row, sign_again)
    with pytest.raises(TrustError, match="sha256"):
        mirror(tmp_path / "mirror", origin)
    assert _stored(tmp_path / "mirror") == []


def test_mirror_that_was_killed_fetches_no_version_twice_and_knows_every_drop(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mirror(tmp_path / "whole", origin)
    record_drop = Register.record_drop

    def killed(register: Register, drop: Drop) -> None:
        if drop.kind is DropKind.AUDIO:
            raise KeyboardInterrupt
        record_drop(register, drop)

    with monkeypatch.context() as patched:
        patched.setattr(Register, "record_drop", killed)
        with pytest.raises(KeyboardInterrupt):
            mirror(tmp_path / "mirror", origin)
    carried_on = mirror(tmp_path / "mirror", origin)
    with archive_in(tmp_path / "mirror") as archive:
        first = next(entry for entry in _index(origin).entries if entry.kind is DropKind.AUDIO)
        assert first.id in carried_on.drops
        assert carried_on.fetched_bytes <= whole.fetched_bytes - first.drop_bytes
        rows = list(archive.register.natural_rows())
        rebuild(rebuild_rooms(archive, Quiet()))
        assert list(archive.register.natural_rows()) == rows


def test_mirror_that_passed_over_a_replaced_snapshot_is_rebuilt_as_it_was(origin: Path, tmp_path: Path) -> None:
    followed = mirror(tmp_path / "mirror", origin)
    assert (followed.number, len(followed.drops)) == (2, len(_index(origin).entries) - 2)  # the catalogue's and its search index's
    with archive_in(tmp_path / "mirror") as archive:
        rows = list(archive.register.natural_rows())
        rebuild(rebuild_rooms(archive, Quiet()))
        assert list(archive.register.natural_rows()) == rows
    assert mirror(tmp_path / "mirror", origin).drops == ()


def test_edition_that_is_told_in_two_ways_is_not_believed(origin: Path, tmp_path: Path, sign_again: Sign) -> None:
    mirror(tmp_path / "mirror", origin)
    index = _index(origin)
    last = replace(index.entries[-1], coverage_share=0.25)
    _sign_index(origin, replace(index, entries=(*index.entries[:-1], last)), sign_again)
    with pytest.raises(TrustError, match="said something else"):
        mirror(tmp_path / "mirror", origin)
    _sign_index(origin, replace(index, number=1), sign_again)
    with pytest.raises(TrustError, match="older"):
        mirror(tmp_path / "mirror", origin)


def test_mirror_of_another_archive_takes_nothing(origin: Path, tmp_path: Path) -> None:
    with archive_in(tmp_path / "mirror"):
        pass
    settings = tmp_path / "mirror" / "fonoteca.toml"
    settings.write_text(settings.read_text().replace('name = "wired"', 'name = "other"'))
    with pytest.raises(TrustError, match="another folder"):
        mirror(tmp_path / "mirror", origin)
    assert _stored(tmp_path / "mirror") == []


def test_what_rights_do_not_let_out_is_not_seeded_whatever_its_own_record_says(origin: Path) -> None:
    """The record is of an archive with the very policy of this one, and grants sharing; its evidence does not."""
    folder = next(path.parent.parent for path in (origin / "store").rglob("rights.json") if "audio" in str(path))
    old = (folder / "content/rights.json").read_bytes()
    new = old.replace(b'"GPL-2.0-or-later"', b'"Proprietary-1.0"')
    assert new != old
    (folder / "content/rights.json").write_bytes(new)
    inventory = (folder / "inventory.json").read_text()
    changed = inventory.replace(sha256(old).hexdigest(), sha256(new).hexdigest()).encode()
    for place in (folder, folder.parent):
        (place / "inventory.json").write_bytes(changed)
        (place / "inventory.json.sha256").write_bytes(ocfl.sidecar(changed))
    with archive_in(origin) as archive, open_swarm(SwarmChoice()) as swarm:
        rebuild(rebuild_rooms(archive, Quiet()))
        seeding = seed(seed_rooms(archive, swarm))
        (withheld,) = [reason for drop, reason in seeding.withheld if drop.startswith("audio")]
        assert "may not be shared" in withheld
        assert len([drop for drop in seeding.drops if drop.startswith("audio")]) == 1


def test_drop_whose_torrent_is_damaged_is_withheld_and_the_others_are_given(origin: Path) -> None:
    entry = _index(origin).entries[-1]
    (origin / "editions" / entry.torrent.path).write_bytes(b"d4:infoe")
    with archive_in(origin) as archive, open_swarm(SwarmChoice()) as swarm:
        seeding = seed(seed_rooms(archive, swarm))
    assert entry.id in dict(seeding.withheld)
    assert len(seeding.drops) == len(_index(origin).entries) - 1
