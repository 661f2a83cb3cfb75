"""Laws of drops that are cut; libtorrent checks them against bytes on disk in one storage root."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import libtorrent
import pytest
from editions_payload import HEADING, NOW, PIECE_BYTES, Payload, manifested

from fonoteca.editions import cut, cut_snapshot, drop_record, parse_drop_record, plan_drops, snapshot_of
from fonoteca.formats.metainfo import Announce, parse_torrent
from fonoteca.model.corridor import DropKind
from fonoteca.model.errors import FormatError, TrustError
from fonoteca.model.settings import EditionSettings

NOBODY = Announce()


def test_drops_of_one_store_are_slices_of_one_root_that_libtorrent_finds_complete(tmp_path: Path) -> None:
    payload = Payload()
    offer = [payload.shareable(payload.version(name, number)) for name in "ab" for number in (1, 2)]
    offer.append(payload.shareable(payload.version("a", kind="artwork", lengths=(5,))))
    payload.write(tmp_path / HEADING.root_name)
    plans = plan_drops(offer, {}, EditionSettings(drop_files_max=5))
    assert len(plans) == 5
    quiet = dict.fromkeys(("enable_dht", "enable_lsd", "enable_upnp", "enable_natpmp"), False)
    session = libtorrent.session({"listen_interfaces": "", "alert_mask": 0, **quiet})
    handles = []
    for plan in plans:
        params = libtorrent.load_torrent_buffer(cut(plan, HEADING.root_name, PIECE_BYTES, NOBODY, NOW).torrent)
        params.save_path = str(tmp_path)
        params.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
        handles.append(session.add_torrent(params))
    deadline = time.monotonic() + 30
    while not all(handle.status().is_seeding for handle in handles):
        assert time.monotonic() < deadline, [str(handle.status().state) for handle in handles]
        time.sleep(0.005)


def test_the_same_plan_is_cut_to_the_same_bytes_whenever_and_for_whomever() -> None:
    payload = Payload()
    offer = [payload.shareable(payload.version(name), 0.1) for name in "abc"]
    (plan,) = plan_drops(offer, {}, EditionSettings())
    (other,) = plan_drops([replace(each, coverage_share=0.2) for each in reversed(offer)], {}, EditionSettings())
    first = cut(plan, "jazz", PIECE_BYTES, NOBODY, NOW)
    second = cut(other, "jazz", PIECE_BYTES, NOBODY, NOW + timedelta(days=1))
    assert (first.drop.id, first.torrent) == (second.drop.id, second.torrent)


def test_the_figures_of_a_drop_are_those_of_its_torrent() -> None:
    payload = Payload()
    (plan,) = plan_drops([payload.shareable(payload.version("a")), payload.shareable(payload.version("b"))], {}, EditionSettings())
    made = cut(plan, "jazz", PIECE_BYTES, Announce(("http://t.example/a",), ("http://w.example/",)), NOW)
    drop, read = made.drop, parse_torrent(made.torrent)
    assert (read.name, read.payload_bytes, len(read.files)) == ("jazz", drop.drop_bytes, drop.file_count)
    assert (read.infohash_v1, read.infohash_v2) == (drop.infohash_v1, drop.infohash_v2)
    assert read.announce == Announce(("http://t.example/a",), ("http://w.example/",))
    assert sorted(file.path for file in read.files) == sorted(payload.contents)


def test_members_hashed_with_another_piece_length_are_refused() -> None:
    payload = Payload()
    (plan,) = plan_drops([payload.shareable(payload.version("a"))], {}, EditionSettings())
    with pytest.raises(FormatError, match="hashed in pieces"):
        cut(plan, "jazz", 2 * PIECE_BYTES, NOBODY, NOW)


def test_a_snapshot_has_a_name_of_its_own_and_an_id_from_its_files() -> None:
    payload = Payload()
    plan = payload.snapshot()
    made = cut_snapshot(plan, "jazz", PIECE_BYTES, NOBODY, NOW)
    drop = made.drop
    assert (drop.kind, drop.members, drop.id) == (DropKind.METADATA, (), plan.id)
    assert parse_torrent(made.torrent).name == "jazz-catalogue-2026-11-22"
    assert replace(plan, files=plan.files[::-1]).id == plan.id
    assert cut_snapshot(replace(plan, files=plan.files[::-1]), "jazz", PIECE_BYTES, NOBODY, NOW) == made
    assert payload.snapshot(salt="x").id != plan.id
    assert payload.snapshot(name="2026-11-23").id != plan.id


def test_a_snapshot_whose_name_clients_rewrite_is_refused() -> None:
    with pytest.raises(TrustError):
        cut_snapshot(Payload().snapshot(name="a/b"), "jazz", PIECE_BYTES, NOBODY, NOW)


def test_the_record_that_the_store_keeps_of_a_drop_comes_back() -> None:
    payload = Payload()
    (plan,) = plan_drops([payload.shareable(payload.version("a"), 0.1)], {}, EditionSettings())
    drop = manifested(plan).drop
    record = parse_drop_record(drop_record(drop))
    for field in ("id", "infohash_v1", "infohash_v2", "coverage_share", "created_at"):
        assert getattr(record, field) == getattr(drop, field)
    for damage in (b"", b"[]", drop_record(drop).replace(b'"0.1', b'"x'), drop_record(drop).replace(b"0.1", b"1.1")):
        if damage != drop_record(drop):
            with pytest.raises(FormatError):
                parse_drop_record(damage)


def test_snapshot_is_named_by_its_torrent_and_never_leads_out_of_its_folder() -> None:
    assert snapshot_of("jazz-catalogue-2026-11-22-2", "jazz") == "2026-11-22-2"
    for name in ("jazz", "jazz-catalogue-", "jazz-catalogue-..", "jazz-catalogue-a/b", "blues-catalogue-2026-11-22"):
        with pytest.raises(TrustError):
            snapshot_of(name, "jazz")
