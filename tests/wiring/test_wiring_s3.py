"""An archive whose store is on S3, put together as the commands do it: the whole corridor, kills, and who owns the store."""

# ruff: noqa: SIM118 - blobs have keys and are no mapping

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from wiring_world import PLAIN, Quiet, put_item, put_out, take

from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.audit import audit
from fonoteca.flows.rebuild import rebuild
from fonoteca.flows.repair import repair
from fonoteca.flows.seed import seed
from fonoteca.formats.claim import CLAIM_FILE
from fonoteca.frontage import serve_rooms
from fonoteca.model.errors import ClaimedError, FixityError, FormatError, UsageError
from fonoteca.model.settings import S3Settings, Settings
from fonoteca.ports import Blobs
from fonoteca.serve import create_app
from fonoteca.store.logs import CLAIM
from fonoteca.testing.lying_s3 import Lie, lying_s3
from fonoteca.testing.seaweed import Seaweed
from fonoteca.wiring import (
    Archive,
    Founding,
    SwarmChoice,
    acquire_rooms,
    audit_rooms,
    create_archive,
    healers_at,
    load_settings,
    mirrors_at,
    open_archive,
    open_swarm,
    rebuild_rooms,
    repair_rooms,
    seed_rooms,
)

_prefixes = count()


@pytest.fixture
def settings(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of an archive whose store is at a new place on S3; this process has the keys."""
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    place = f"s3://music/wired/{next(_prefixes)}"
    return Settings("wired", "Wired", workers=1, store=place, s3=S3Settings(seaweed.endpoint))


def _made(folder: Path, settings: Settings) -> Path:
    create_archive(folder, settings)
    return folder


def _acquire(archive: Archive, item: Path) -> list[Any]:
    return list(acquire(acquire_rooms(archive, Quiet()), "folder", str(item)))


async def _get(archive: Archive, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """Return what the archive's site answers."""
    transport = httpx.ASGITransport(create_app(serve_rooms(archive)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.get(path, headers=headers)


def test_the_whole_corridor_on_s3(tmp_path: Path, settings: Settings) -> None:
    folder = _made(tmp_path / "archive", settings)
    items = tmp_path / "items"
    put_item(items, "one")
    put_item(items, "two", title="Other", track=PLAIN)
    with open_archive(folder, writing=True) as archive:
        outcomes = _acquire(archive, items)
        assert [(type(each), each.made) for each in outcomes] == [(Acquired, True)] * 2
        again = _acquire(archive, items)
        assert [each.made for each in again] == [False] * 2
        audited = audit(audit_rooms(archive, Quiet()))
        assert audited.sound
        assert audited.file_count >= 10
        published = put_out(archive)
        assert [drop.file_count for drop in published.drops][-1] >= 10
        rows = list(archive.register.natural_rows())
        rebuild(rebuild_rooms(archive, Quiet()))
        assert list(archive.register.natural_rows()) == rows
    assert list((folder / "staging").iterdir()) == []
    assert not (folder / "store").exists()


def test_files_are_served_from_s3_by_ranges_and_seeded_by_no_swarm(tmp_path: Path, settings: Settings) -> None:
    folder = _made(tmp_path / "archive", settings)
    item = put_item(tmp_path / "items", "one")
    content = next(item.glob("*.ogg")).read_bytes()
    with open_archive(folder, writing=True) as archive:
        take(archive, item)
        put_out(archive)
        (row,) = [row for row in archive.register.objects() if row.kind == "audio"]
        path = f"/files/{quote(row.object_id)}/sad.ogg"
        whole = asyncio.run(_get(archive, path))
        part = asyncio.run(_get(archive, path, {"Range": "bytes=100000-100099"}))
        assert (whole.status_code, whole.content) == (200, content)
        assert (part.status_code, part.content) == (206, content[100_000:100_100])
        with open_swarm(SwarmChoice()) as swarm:
            seeding = seed(seed_rooms(archive, swarm))
        assert seeding.drops
        assert all("this store is on S3" in reason for _, reason in seeding.withheld)
        assert seeding.withheld
    with pytest.raises(UsageError, match=r"its store is on S3.*Run `fonoteca serve` there"), mirrors_at([str(folder)]):
        pass


def test_damage_on_s3_is_found_and_healed_from_another_store(tmp_path: Path, settings: Settings) -> None:
    folder, mirror = _made(tmp_path / "archive", settings), tmp_path / "mirror"
    item = put_item(tmp_path / "items", "one")
    create_archive(mirror, Settings("wired", "Wired", workers=1))
    for each in (mirror, folder):
        with open_archive(each, writing=True) as archive:
            take(archive, item)
    with open_archive(folder, writing=True) as archive, healers_at([str(mirror)], "wired") as healers:
        blobs = archive.blobs("store")
        (track,) = [key for key in blobs.keys() if key.endswith(".ogg")]
        sound = blobs.read(track)
        blobs.write(track, sound[:300_000] + b"\0" + sound[300_001:])
        damages = audit(audit_rooms(archive, Quiet())).damages
        assert [(damage.member.path, damage.pieces) for damage in damages] == [(track, (1,))]
        repaired = repair(repair_rooms(archive, healers, Quiet()), damages)
        assert repaired.healed == (track,)
        assert blobs.read(track) == sound


def test_another_buckets_object_is_found_out_and_never_served(tmp_path: Path, seaweed: Seaweed, settings: Settings) -> None:
    item = put_item(tmp_path / "items", "one")
    with lying_s3(seaweed.host, seaweed.port) as liar:
        folder = _made(
            tmp_path / "archive", Settings("wired", "Wired", workers=1, store=settings.store, s3=S3Settings(liar.endpoint))
        )
        with open_archive(folder, writing=True) as archive:
            acquired = take(archive, item)
            before = set(archive.blobs("store").keys())
            liar.lies = [Lie("GET", "01-sad.ogg", body=b"another bucket's object")]
            damages = audit(audit_rooms(archive, Quiet())).damages
            assert [damage.member.path.rsplit("/", 1)[1] for damage in damages] == ["01-sad.ogg"]
            liar.lies = [Lie("GET", "/inventory.json", body=b"{}"), Lie("GET", "rights.json", body=b"{}")]
            with pytest.raises((FixityError, FormatError)):
                archive.store.rights(acquired.object_id)
            liar.lies = [Lie("GET", CLAIM_FILE, body=b"{}")]
            with pytest.raises(FormatError, match="which archive the store belongs to"):
                archive.store.claim(archive.identity())
            liar.lies = []
            after = set(archive.blobs("store").keys())
            assert {key.rsplit("/", 1)[1][-6:] for key in after ^ before} == {".jsonl"}  # what the audit told the log


# Whose store it is --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["folder", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path, Path], Settings]:
    """Return what gives an archive's folder settings with which it has the same store as another."""

    def share(first: Path, second: Path) -> Settings:
        if request.param == "s3":
            return request.getfixturevalue("settings")  # type: ignore[no-any-return]
        for folder in (first, second):
            folder.mkdir()
            (folder / "store").symlink_to(tmp_path / "shared")
        (tmp_path / "shared").mkdir(exist_ok=True)
        return Settings("wired", "Wired", workers=1)

    return share


def test_a_second_archive_is_refused_until_it_takes_over(tmp_path: Path, shared: Callable[[Path, Path], Settings]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    settings = shared(first, second)
    create_archive(first, settings)
    item = put_item(tmp_path / "items", "one")
    with open_archive(first, writing=True) as archive:
        take(archive, item)
        rows, before = list(archive.register.natural_rows()), _bytes(archive.blobs("store"))
    other = replace(settings, name="usurper", title="Usurper")
    id_ = r"\(id [0-9a-f]{8}\)"
    words = rf"belongs to the archive 'wired' {id_}, and this is 'usurper' {id_}\..*`fonoteca claim`"
    with pytest.raises(ClaimedError, match=words):
        create_archive(second, other)
    create_archive(second, other, how=Founding(take_over=True))
    with pytest.raises(ClaimedError, match="belongs to the archive 'usurper'"), open_archive(first, writing=True):
        pass
    with open_archive(second, writing=True) as archive:
        rebuild(rebuild_rooms(archive, Quiet()))
        assert list(archive.register.natural_rows()) == rows
        after = _bytes(archive.blobs("store"))
    assert {key for key in before if after[key] != before[key]} == {CLAIM}
    archive = Archive(first, load_settings(first))
    taken = archive.take_over()
    archive.close()
    assert taken is not None
    assert taken.name == "usurper"
    with open_archive(first, writing=True):
        pass


def test_an_archive_of_before_claims_gets_one(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    create_archive(folder, Settings("wired", "Wired", workers=1))
    (folder / CLAIM_FILE).unlink()
    (folder / "store" / CLAIM).unlink()
    with closing(sqlite3.connect(folder / "register.sqlite", isolation_level=None)) as register:
        register.execute("DELETE FROM owner")
    with open_archive(folder) as archive:
        assert archive.store.check_root() == []
    assert not (folder / CLAIM_FILE).exists()
    with open_archive(folder, writing=True) as archive:
        assert (folder / "store" / CLAIM).read_bytes() == (folder / CLAIM_FILE).read_bytes()
        assert list(archive.store.log()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"format": "fonoteca-store/2", "id": "x"}', "has format 2, and this Fonoteca knows formats up to 1.*newest Fonoteca"),
        (b"{", "not JSON.*fonoteca claim"),
        (b'{"format": "fonoteca-store/1"}', "not a text.*fonoteca claim"),
        (b'{"format": "fonoteca-store/1", "archive": "x", "name": "y"}', "not the id of an archive.*fonoteca claim"),
    ],
)
def test_a_store_of_a_newer_fonoteca_is_refused_and_a_damaged_claim_mended(tmp_path: Path, content: bytes, words: str) -> None:
    folder = tmp_path / "archive"
    create_archive(folder, Settings("wired", "Wired", workers=1))
    (folder / "store" / CLAIM).write_bytes(content)
    before = {path: path.read_bytes() for path in (folder / "store").rglob("*") if path.is_file()}
    with pytest.raises(FormatError, match=words), open_archive(folder, writing=True):
        pass
    assert {path: path.read_bytes() for path in (folder / "store").rglob("*") if path.is_file()} == before
    archive = Archive(folder, load_settings(folder))
    if b"/2" in content:
        with pytest.raises(FormatError, match="newest Fonoteca"):
            archive.take_over()
    else:
        archive.take_over()
        with open_archive(folder, writing=True):
            pass
    archive.close()


def _bytes(blobs: Blobs) -> dict[str, bytes]:
    """Return all blobs."""
    return {key: blobs.read(key) for key in blobs.keys()}
