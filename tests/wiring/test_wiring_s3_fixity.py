"""Audit and repair where a store is on S3: what is not due costs no read, and damaged pieces cost themselves alone."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from wiring_world import Quiet, put_item, take

from fonoteca.flows.audit import Scope, audit
from fonoteca.flows.repair import repair
from fonoteca.model.settings import S3Settings, Settings
from fonoteca.testing.seaweed import Seaweed
from fonoteca.wiring import audit_rooms, create_archive, healers_at, open_archive, repair_rooms

_prefixes = count()
DUE = Scope(older_than=timedelta(days=90))


@pytest.fixture
def pair(tmp_path: Path, seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return two archives of the same item: one with its store on S3, one in a folder."""
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    place = f"s3://music/fixity/{next(_prefixes)}"
    there, here = tmp_path / "there", tmp_path / "here"
    create_archive(there, Settings("wired", "Wired", workers=1, store=place, s3=S3Settings(seaweed.endpoint)))
    create_archive(here, Settings("wired", "Wired", workers=1))
    item = put_item(tmp_path / "items", "one")
    for folder in (there, here):
        with open_archive(folder, writing=True) as archive:
            take(archive, item)
    return there, here


@pytest.mark.parametrize("ill", ["there", "here"])
def test_damaged_pieces_cost_themselves_alone_to_and_from_s3(ill: str, pair: tuple[Path, Path]) -> None:
    there, here = pair
    folder, mirror = (there, here) if ill == "there" else (here, there)
    with open_archive(folder, writing=True) as archive, healers_at([str(mirror)], "wired") as healers:
        blobs = archive.blobs("store")
        (track,) = [key for key in blobs.keys() if key.endswith(".ogg")]  # noqa: SIM118 - blobs are no mapping
        sound = blobs.read(track)
        piece = archive.settings.piece_bytes
        blobs.write(track, bytes([sound[0] ^ 1]) + sound[1 : piece + 9] + b"?" + sound[piece + 10 :])
        damages = audit(audit_rooms(archive, Quiet()), DUE).damages
        assert [damage.pieces for damage in damages] == [(0, 1)]
        repaired = repair(repair_rooms(archive, healers, Quiet()), damages)
        assert repaired.healed == (track,)
        assert (repaired.piece_count, repaired.refetched_bytes) == (2, min(2 * piece, len(sound)))
        assert blobs.read(track) == sound
        assert audit(audit_rooms(archive, Quiet()), DUE).file_count == 0


def test_nothing_verified_on_s3_is_read_again_and_what_is_written_is_noticed(pair: tuple[Path, Path]) -> None:
    with open_archive(pair[0], writing=True) as archive:
        first = audit(audit_rooms(archive, Quiet()), DUE)
        assert first.sound
        again = audit(audit_rooms(archive, Quiet()), DUE)
        assert (again.file_count, again.stamp_count, again.changed) == (0, first.file_count, ())
        blobs = archive.blobs("store")
        (rights,) = [key for key in blobs.keys() if key.endswith("rights.json")]  # noqa: SIM118
        blobs.write(rights, blobs.read(rights) + b" ")
        found = audit(audit_rooms(archive, Quiet()), DUE)
        assert (found.changed, found.file_count) == ((rights,), 1)
        assert [damage.member.path for damage in found.damages] == [rights]
