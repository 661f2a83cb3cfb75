"""An archive whose register is on PostgreSQL: every flow, and a server that dies under one."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.flows.publish import publish
from fonoteca.flows.rebuild import rebuild
from fonoteca.formats.settings import FILE_NAME, settings_toml
from fonoteca.model.errors import ClaimedError, StoreError
from fonoteca.model.settings import Settings
from fonoteca.ports import SILENCE
from fonoteca.register import Register
from fonoteca.testing.postgres import PASSWORD, Cluster
from fonoteca.wiring import (
    Archive,
    Founding,
    acquire_rooms,
    create_archive,
    load_settings,
    open_archive,
    publish_rooms,
    rebuild_rooms,
)

pytestmark = pytest.mark.xdist_group("postgresql")

TRACK = resources.files("fonoteca") / "sample" / "battle-for-wesnoth" / "sad.ogg"
"""Its tag says that it comes under the GPL."""


def put_item(folder: Path, name: str) -> Path:
    """Return a folder with one item of one track."""
    item = folder / name
    item.mkdir(parents=True)
    (item / TRACK.name).write_bytes(TRACK.read_bytes())
    (item / "rights.toml").write_text(f'id = "{name}"\ntitle = "{name}"\nartist = "Somebody"\nlicence = "GPL-2.0-or-later"\n')
    return item


def take(archive: Archive, item: Path) -> bool:
    """Return whether taking an item made a new version."""
    (outcome,) = acquire(acquire_rooms(archive, SILENCE), "folder", str(item))
    assert isinstance(outcome, Acquired), outcome
    return outcome.made


def test_a_second_archive_in_one_database_is_refused(tmp_path: Path, database: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    settings = Settings("first", "First", workers=1, register=database)
    create_archive(first, settings)
    with open_archive(first, writing=True) as archive:
        rows = list(archive.register.dump())
    told = r"register: it belongs to the archive 'first' \(id [0-9a-f]{8}\), and this is 'second'.*database of its own"
    with pytest.raises(ClaimedError, match=told):
        create_archive(second, replace(settings, name="second"))
    create_archive(second, replace(settings, name="second", register="sqlite"))
    (second / FILE_NAME).write_text(settings_toml(replace(settings, name="second")))
    with pytest.raises(ClaimedError, match=told), open_archive(second, writing=True):
        pass
    with pytest.raises(ClaimedError, match=told), open_archive(second) as archive:
        archive.register.totals()
    with pytest.raises(ClaimedError, match=told):
        Archive(second, load_settings(second)).take_over()
    with open_archive(first, writing=True) as archive:
        assert list(archive.register.dump()) == rows


def test_who_takes_a_store_over_has_its_register_too(tmp_path: Path, database: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    settings = Settings("first", "First", workers=1, register=database)
    create_archive(first, settings)
    second.mkdir()
    (first / "store").rename(second / "store")
    create_archive(second, settings, how=Founding(take_over=True))
    with open_archive(second, writing=True) as archive:
        rebuild(rebuild_rooms(archive, SILENCE))
    with pytest.raises(ClaimedError), open_archive(first) as archive:
        archive.register.totals()


def test_flows_run_on_postgresql_and_a_register_lost_under_them_is_made_good(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    folder = tmp_path / "archive"
    create_archive(folder, Settings("wired", "Wired", register=database, workers=1))
    assert not (folder / "register.sqlite").exists()
    one, two = put_item(tmp_path / "items", "one"), put_item(tmp_path / "items", "two")
    with open_archive(folder, writing=True) as archive:
        assert take(archive, one)
        acknowledged = list(archive.register.natural_rows())

    name = database.rsplit("/", 1)[1]
    armed: list[str] = []

    def cut_off() -> None:
        if armed:
            cluster.run_sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")

    cut = Archive(folder, load_settings(folder), before_commit=cut_off)
    cut.begin_writing()
    armed.append("now")
    with pytest.raises(StoreError, match="the database failed") as failed:
        take(cut, two)
    cut.close()
    assert PASSWORD not in str(failed.value)
    with Register.open(database) as register:
        assert list(register.natural_rows()) == acknowledged

    with open_archive(folder, writing=True) as archive:
        take(archive, two)
        assert archive.register.totals("audio").objects == 2
        published = publish(publish_rooms(archive, SILENCE))
        assert published.drops
        before = list(archive.register.natural_rows())
        rebuild(rebuild_rooms(archive, SILENCE))
        assert list(archive.register.natural_rows()) == before
