"""Laws of trust: what a mirror believes of an edition, and each attack on it that TUF's authors name."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from editions_payload import HEADING, NOW
from trust_world import DAY, HOUR, Origin, Watcher, forge, more_drops, put_on_top, reader, sign_newest, some_drops
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from fonoteca.editions.publication import NOTHING_WITHDRAWN
from fonoteca.editions.trust import Anchor, Asked, Change, Role, Unkept, believe
from fonoteca.model.errors import SourceMissing, TrustError, UsageError
from fonoteca.testing.keys import MemoryKeys


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """Return an archive that has published once."""
    made = Origin(tmp_path / "origin")
    made.publish(some_drops())
    return made


def refused(watcher: Watcher, folder: Path, match: str, **how: Any) -> None:
    """Check that an edition is refused in words."""
    with pytest.raises(TrustError, match=match) as error:
        watcher.look(folder, **how)
    assert error.value.exit_status == 5


# What is believed ---------------------------------------------------------------------------------------------------


def test_what_is_signed_is_believed_to_the_last_file(origin: Origin) -> None:
    watcher = Watcher()
    found = watcher.look(origin.folder)
    assert found.index == origin.editions.index()
    files = [file for entry in found.index.entries for file in entry.files]
    assert {file.path: file for file in files}.items() <= found.targets.items()
    assert (found.withdrawals, found.root_version, found.first_use, found.expired) == (NOTHING_WITHDRAWN, 1, True, False)
    assert found.signed_at == origin.at
    assert found.expires_at == origin.at + timedelta(days=7)
    assert sorted(watcher.seen) == ["1.root.json", "snapshot.json", "timestamp.json"]
    assert not watcher.look(origin.folder).first_use


def test_a_client_that_is_not_ours_believes_the_same(origin: Origin, tmp_path: Path) -> None:
    origin.rotate(Role.TIMESTAMP, Role.ROOT)
    origin.publish(more_drops())

    class Folder(FetcherInterface):
        def _fetch(self, url: str) -> Any:
            path = url.removeprefix("edition://")
            if not (origin.folder / path).is_file():
                raise DownloadHTTPError("not there", 404)
            return iter([(origin.folder / path).read_bytes()])

    (tmp_path / "targets").mkdir()
    (tmp_path / "known").mkdir()
    first = (origin.folder / "metadata" / "1.root.json").read_bytes()
    config = UpdaterConfig(prefix_targets_with_hash=False)
    updater = Updater(
        str(tmp_path / "known"),
        "edition://metadata/",
        str(tmp_path / "targets"),
        "edition://",
        Folder(),
        config,
        bootstrap=first,
    )
    updater._trusted_set.reference_time = origin.at
    index = origin.editions.index()
    assert index is not None
    for path in ("index.json", "withdrawals.json", *(file.path for entry in index.entries for file in entry.files)):
        info = updater.get_targetinfo(path)
        assert info is not None, path
        assert Path(updater.download_target(info)).read_bytes() == (origin.folder / path).read_bytes()


def test_a_mirror_goes_on_through_all_the_roots_that_it_missed(origin: Origin) -> None:
    watcher = Watcher()
    watcher.look(origin.folder)
    origin.rotate(Role.ROOT, Role.TIMESTAMP, Role.ROOT, Role.TARGETS, Role.SNAPSHOT, Role.WITHDRAWALS, Role.ROOT)
    origin.publish(more_drops())
    watcher.now = origin.at
    found = watcher.look(origin.folder)
    assert (found.root_version, found.index.number) == (7, 2)
    assert len([name for name in watcher.seen if name.endswith("root.json")]) == 7


def test_each_change_of_keys_is_good_for_who_has_seen_it_and_for_who_has_not_yet(origin: Origin, tmp_path: Path) -> None:
    """As a crash between the write of the new timestamp and that of the new root leaves it."""
    for role in (Role.ROOT, Role.TARGETS, Role.SNAPSHOT, Role.TIMESTAMP):
        origin.rotate(role)
        half = origin.copy(tmp_path / f"half-{role}")
        newest = max((half / "metadata").glob("*.root.json"), key=lambda path: int(path.name.partition(".")[0]))
        newest.unlink()
        for folder in (half, origin.folder):
            assert Watcher(now=origin.at).look(folder).index.number == 1


def test_a_root_may_be_pinned_by_its_bytes_or_its_digest(origin: Origin) -> None:
    origin.rotate(Role.TIMESTAMP)
    second = (origin.folder / "metadata" / "2.root.json").read_bytes()
    for anchor in (Anchor(second), Anchor(sha256=sha256(second).hexdigest())):
        watcher = Watcher(now=origin.at)
        found = watcher.look(origin.folder, anchor=anchor)
        assert (found.root_version, found.first_use) == (2, False)
        assert [path for path, _ in found.metadata][:2] == ["metadata/2.root.json", "metadata/1.root.json"] or len(
            found.metadata
        ) > 2
        watcher.look(origin.folder, anchor=anchor)
    refused(Watcher(now=origin.at), origin.folder, "has the sha256 0000", anchor=Anchor(sha256="0" * 64))
    known = Watcher(now=origin.at)
    known.look(origin.folder)
    refused(known, origin.folder, "none that this mirror trusts", anchor=Anchor(sha256="0" * 64))


def test_a_first_root_is_kept_only_with_an_edition_that_was_found_whole(origin: Origin) -> None:
    next(origin.folder.glob("*.index.json")).write_bytes(b"{}")
    watcher = Watcher()
    refused(watcher, origin.folder, "index.json")
    assert watcher.seen == {}


def test_an_origin_that_follows_its_mirror_trusts_its_own_root(origin: Origin, tmp_path: Path) -> None:
    stranger = Origin(tmp_path / "stranger", salt="stranger")
    stranger.publish(some_drops())
    watcher = Watcher()
    assert not watcher.look(origin.folder, own=origin.folder).first_use
    refused(Watcher(), stranger.folder, ".", own=origin.folder)


# Attacks ------------------------------------------------------------------------------------------------------------


def test_rollback_to_an_older_edition_is_refused(origin: Origin, tmp_path: Path) -> None:
    old = origin.copy(tmp_path / "old")
    origin.publish(more_drops())
    watcher = Watcher(now=origin.at)
    watcher.look(origin.folder)
    before = watcher.seen
    refused(watcher, old, "timestamp version 1 must be >= 2")
    assert watcher.seen == before
    for as_of in (True, False):
        refused(watcher, old, "must be >= 2", as_of=as_of)


@pytest.mark.parametrize("role", [Role.SNAPSHOT, Role.TARGETS, Role.WITHDRAWALS])
def test_rollback_of_one_document_by_who_has_the_keys_of_the_next_is_refused(role: Role, origin: Origin, tmp_path: Path) -> None:
    """Whoever has stolen the keys of timestamp, or of timestamp and snapshot, can still not bring an older document back."""
    old = origin.copy(tmp_path / "old")
    origin.publish(more_drops(), b'["x"]\n')
    watcher = Watcher(now=origin.at)
    watcher.look(origin.folder)
    forged = origin.copy(tmp_path / "forged")
    shutil.copy(old / "metadata" / f"1.{role}.json", forged / "metadata" / f"1.{role}.json")
    if role is Role.SNAPSHOT:
        sign_newest(forged, origin.keyring, 1)
    else:
        put_on_top(forged, origin.keyring, role, f"1.{role}.json", 1)
    refused(watcher, forged, "version must be >= 2|got 2|Expected")


def test_freezing_a_mirror_on_an_edition_ends_when_it_expires(origin: Origin) -> None:
    watcher = Watcher()
    watcher.look(origin.folder)
    watcher.now = origin.at + timedelta(days=6)
    watcher.look(origin.folder)
    watcher.now = origin.at + timedelta(days=7)
    before = watcher.seen
    refused(watcher, origin.folder, "expired")
    refused(Watcher(now=watcher.now), origin.folder, "expired")
    assert watcher.seen == before
    found = watcher.look(origin.folder, as_of=True)
    assert (found.expired, found.signed_at, found.index.number) == (True, origin.at, 1)


@pytest.mark.parametrize(("days", "role"), [(15, "snapshot|timestamp"), (400, "."), (3000, "root")])
def test_every_document_expires_and_as_of_takes_it(days: int, role: str, origin: Origin) -> None:
    refused(Watcher(now=origin.at + days * DAY), origin.folder, role)
    assert Watcher(now=origin.at + days * DAY).look(origin.folder, as_of=True).expired


def test_an_expired_root_is_refused_and_a_later_one_goes_on_from_it(origin: Origin) -> None:
    watcher = Watcher()
    watcher.look(origin.folder)
    forge(origin.folder, "timestamp.json", origin.keyring, lambda s: _long(s), Role.TIMESTAMP)
    watcher.now = origin.at + 800 * DAY
    refused(watcher, origin.folder, "root.json is expired")
    origin.at = watcher.now
    origin.publish()
    watcher.now = origin.at
    assert watcher.look(origin.folder).root_version == 2


def _long(signed: Any) -> None:
    signed.version += 1
    signed.expires = datetime(2040, 1, 1, tzinfo=UTC)


def test_expired_withdrawals_are_refused_though_all_else_is_good(origin: Origin, tmp_path: Path) -> None:
    """`refresh` of TUF passes over a delegated role that is expired: whoever holds withdrawals back must not profit from that."""
    forged = origin.copy(tmp_path / "forged")
    forge(forged, "1.withdrawals.json", origin.keyring, _expired, Role.WITHDRAWALS)
    put_on_top(forged, origin.keyring, Role.WITHDRAWALS, "2.withdrawals.json", 2)
    refused(Watcher(), forged, "withdrawals")
    assert Watcher().look(forged, as_of=True).expired


def _expired(signed: Any) -> None:
    signed.version += 1
    signed.expires = NOW - DAY


def test_parts_of_two_editions_are_no_edition(origin: Origin, tmp_path: Path) -> None:
    """Mix and match: every pair of files of two sound editions that do not belong together."""
    old = origin.copy(tmp_path / "old")
    origin.publish(more_drops(), b'["x"]\n')
    new = origin.folder
    pairs = [
        ("metadata/2.snapshot.json", "metadata/1.snapshot.json"),
        ("metadata/2.targets.json", "metadata/1.targets.json"),
        ("metadata/2.withdrawals.json", "metadata/1.withdrawals.json"),
        *zip(_stamped(new, old), _stamped(old), strict=True),
    ]
    for mine, theirs in pairs:
        mixed = Path(shutil.copytree(new, tmp_path / "mixed"))
        shutil.copy(old / theirs, mixed / mine)
        refused(Watcher(now=origin.at), mixed, ".")
        shutil.rmtree(mixed)


def _stamped(folder: Path, without: Path | None = None) -> list[str]:
    known = {path.name for path in without.glob("?" * 64 + ".*.json")} if without else set()
    found = [path.name for path in folder.glob("?" * 64 + ".*.json") if path.name not in known]
    return sorted(found, key=lambda name: name[64:])


def test_a_flipped_byte_or_a_shorter_body_of_any_file_is_refused(origin: Origin) -> None:
    names = [path for path in origin.folder.rglob("*.json") if path.name not in ("index.json", "withdrawals.json")]
    assert len(names) == 7
    for path in names:
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 40)):
            for damaged in (content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :], content[:at]):
                path.write_bytes(damaged)
                with pytest.raises(TrustError):
                    Watcher().look(origin.folder)
        path.write_bytes(content)
    Watcher().look(origin.folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"signed": 1, "signatures": []}', b"\xff", b"[" * 100_000, b'{"a":' * 15_000, b"1e999", b"null"],
)
def test_what_is_no_metadata_at_all_is_refused(content: bytes, origin: Origin) -> None:
    for name in ("1.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json", "1.withdrawals.json"):
        path = origin.folder / "metadata" / name
        before = path.read_bytes()
        path.write_bytes(content)
        refused(Watcher(), origin.folder, ".")
        path.write_bytes(before)


def test_documents_that_are_longer_than_their_bound_are_not_read(origin: Origin) -> None:
    asked: dict[str, int] = {}
    read = reader(origin.folder)

    def watching(path: str, bytes_max: int) -> bytes:
        asked[path] = bytes_max
        return read(path, bytes_max)

    believe(watching, Unkept(), Asked(NOW + HOUR))
    sizes = {path: (origin.folder / path).stat().st_size for path in asked if (origin.folder / path).exists()}
    assert asked.pop("metadata/timestamp.json") == 16_384
    assert {asked.pop("metadata/1.root.json"), asked.pop("metadata/2.root.json")} == {512_000}
    assert {path: sizes[path] for path in asked} == asked, "all others are bound to the byte by the document before"


# Stolen keys --------------------------------------------------------------------------------------------------------


def test_a_stolen_timestamp_key_cannot_name_another_snapshot(origin: Origin, tmp_path: Path) -> None:
    watcher = Watcher()
    watcher.look(origin.folder)
    forged = origin.copy(tmp_path / "forged")
    forge(forged, "1.snapshot.json", origin.keyring, _next)
    shutil.copy(forged / "metadata" / "1.snapshot.json", forged / "metadata" / "2.snapshot.json")
    sign_newest(forged, origin.keyring, 2)
    refused(watcher, forged, "signed by 0/1 keys")


def _next(signed: Any) -> None:
    signed.version += 1


def test_a_mirror_that_was_sent_ahead_by_stolen_keys_comes_back_when_they_are_rotated(origin: Origin, tmp_path: Path) -> None:
    """Fast-forward recovery: versions beyond all others, signed with keys of timestamp and snapshot."""
    watcher = Watcher()
    watcher.look(origin.folder)
    forged = origin.copy(tmp_path / "forged")
    far = 2**31

    def ahead(signed: Any) -> None:
        signed.version, signed.meta["targets.json"].version = far, far

    forge(forged, "1.snapshot.json", origin.keyring, ahead, Role.SNAPSHOT)
    sign_newest(forged, origin.keyring, far)
    forge(forged, "timestamp.json", origin.keyring, lambda s: setattr(s, "version", far), Role.TIMESTAMP)
    with pytest.raises(SourceMissing):
        watcher.look(forged)
    origin.publish(more_drops())
    watcher.now = origin.at
    refused(watcher, origin.folder, "must be >= 2147483648")
    origin.rotate(Role.TIMESTAMP)
    watcher.now = origin.at
    refused(watcher, origin.folder, "Expected targets.json version")
    origin.rotate(Role.SNAPSHOT)
    watcher.now = origin.at
    assert watcher.look(origin.folder).index.number == 2


def test_a_stolen_targets_key_below_the_threshold_signs_nothing(origin: Origin, tmp_path: Path) -> None:
    second = origin.keyring.make(Role.TARGETS)
    origin.change(Change(Role.TARGETS, (second,), threshold=2))
    watcher = Watcher(now=origin.at)
    watcher.look(origin.folder)
    forged = origin.copy(tmp_path / "forged")
    thief = Origin(forged, MemoryKeys(origin.keys.files), origin.at)
    thief.keyring.drop([second.keyid])
    with pytest.raises(UsageError, match="1 more of"):
        thief.publish(more_drops())
    forge(forged, "2.targets.json", thief.keyring, lambda s: setattr(s, "version", 3), Role.TARGETS)
    put_on_top(forged, thief.keyring, Role.TARGETS, "3.targets.json", 3)
    refused(watcher, forged, "targets was signed by 1/2 keys")


def test_a_revoked_key_signs_nothing(origin: Origin, tmp_path: Path) -> None:
    old = MemoryKeys(origin.keys.files)
    origin.rotate(Role.TIMESTAMP)
    watcher = Watcher(now=origin.at)
    watcher.look(origin.folder)
    forged = origin.copy(tmp_path / "forged")
    thief = Origin(forged, old)
    forge(forged, "timestamp.json", thief.keyring, lambda s: setattr(s, "version", 99), Role.TIMESTAMP)
    refused(watcher, forged, "timestamp was signed by 0/1 keys")
    assert not set(old.files) <= set(origin.keys.files), "the private half of a key that may sign no more is removed"


def test_a_root_that_the_root_before_did_not_sign_is_refused(origin: Origin, tmp_path: Path) -> None:
    watcher = Watcher()
    watcher.look(origin.folder)
    stranger = Origin(tmp_path / "stranger", salt="stranger")
    stranger.publish(some_drops())
    stranger.rotate(Role.ROOT)
    refused(watcher, stranger.folder, "root was signed by 0/1 keys")
    assert len([name for name in watcher.seen if "root" in name]) == 1


def test_a_root_of_another_version_than_its_name_is_refused(origin: Origin) -> None:
    watcher = Watcher()
    watcher.look(origin.folder)
    forge(origin.folder, "1.root.json", origin.keyring, lambda s: setattr(s, "version", 3), Role.ROOT)
    (origin.folder / "metadata" / "3.root.json").rename(origin.folder / "metadata" / "2.root.json")
    refused(watcher, origin.folder, "version 2")


def test_whoever_signs_withdrawals_signs_nothing_else(origin: Origin, tmp_path: Path) -> None:
    """The delegated role may name withdrawals.json alone: a torrent that it names is none of the edition's."""
    forged = origin.copy(tmp_path / "forged")
    target = origin.editions.index().entries[0].torrent.path  # type: ignore[union-attr]

    def names_a_torrent(signed: Any) -> None:
        signed.version += 1
        signed.targets = {target: next(iter(signed.targets.values()))}

    forge(forged, "1.withdrawals.json", origin.keyring, names_a_torrent, Role.WITHDRAWALS)
    put_on_top(forged, origin.keyring, Role.WITHDRAWALS, "2.withdrawals.json", 2)
    refused(Watcher(), forged, "withdrawals")


def test_an_index_that_says_more_than_the_targets_is_refused(origin: Origin) -> None:
    def without_one(signed: Any) -> None:
        signed.version += 1
        del signed.targets[next(path for path in signed.targets if path.endswith(".torrent"))]

    forge(origin.folder, "1.targets.json", origin.keyring, without_one, Role.TARGETS)
    put_on_top(origin.folder, origin.keyring, Role.TARGETS, "2.targets.json", 2)
    refused(Watcher(), origin.folder, "something else than the targets")


def test_another_archive_leaves_no_trace_in_what_a_mirror_trusts(origin: Origin) -> None:
    watcher = Watcher()
    with pytest.raises(TrustError, match="this folder mirrors 'blues'"):
        believe(reader(origin.folder), watcher.kept, Asked(watcher.now, archive=("blues", HEADING.piece_bytes)))
    assert watcher.seen == {}
