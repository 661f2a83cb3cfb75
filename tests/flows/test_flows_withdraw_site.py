"""The doors of the site: what is withdrawn goes out by none of them, and the site says why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from flows_world import audio, make_archive, opened, put_item, put_out, serving, take, track

from fonoteca.flows.withdraw import Order, purge, reinstate, withdraw
from fonoteca.model.withdrawal import Purpose, Reason, Scope, WithdrawalState
from fonoteca.serve.paths import file_url, object_url
from fonoteca.stewardship import withdraw_rooms
from fonoteca.wiring import Archive

DARK = Order(WithdrawalState.DARK, Reason.RIGHTS_HOLDER, "notice under article 16")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an archive that has published three items, made once."""
    folder = tmp_path_factory.mktemp("site")
    put_item(folder / "music", "one", {"01 a.flac": track(1, title="Lark", artist="Ada", album="Birds")}, artist="Ada")
    files = {"01 b.flac": track(2, title="Finch", artist="Bob"), "02 c.flac": track(3, title="Heron", artist="Bob")}
    put_item(folder / "music", "two", files, artist="Bob")
    put_item(folder / "music", "gone", {"01 d.flac": track(4, title="Dodo", artist="Dee")}, artist="Dee")
    with opened(make_archive(folder / "archive")) as made:
        take(made, folder / "music")
        put_out(made)
    return folder / "archive"


@pytest.fixture
def archive(published: Path, tmp_path: Path) -> Iterator[Archive]:
    """That archive, each test's own."""
    with opened(shutil.copytree(published, tmp_path / "archive")) as copy:
        yield copy


@pytest.fixture
def client(archive: Archive) -> Iterator[httpx.Client]:
    with serving(archive) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def urls(archive: Archive, name: str) -> dict[str, str]:
    row = archive.register.files(audio(name))[0]
    return {
        "file": file_url(row.object_id, row.logical_path),
        "web seed": f"/webseed/{archive.settings.name}/{quote(row.path)}",
        "page": object_url(row.object_id),
    }


def test_every_door_is_shut_and_says_why(archive: Archive, client: httpx.Client) -> None:
    doors = urls(archive, "one")
    assert {door: client.get(url).status_code for door, url in doors.items()} == dict.fromkeys(doors, 200)
    withdraw(withdraw_rooms(archive), audio("one"), DARK)
    try:
        for url in doors.values():
            answer = client.get(url)
            assert answer.status_code == 410
            assert "a holder of rights asked for it (notice under article 16)" in answer.text
            assert client.head(url).status_code == 410
            assert client.get(url, headers={"Range": "bytes=0-9"}).status_code == 410
        for listing in ("/", "/releases", "/search?q=lark", "/search?q=ada"):
            shown = client.get(listing).text
            assert object_url(audio("one")) not in shown
            assert "Item one" not in shown
        assert "Lark" not in client.get("/coverage?budget=9PB").text
        assert client.get("/artists/Ada").status_code == 404
        assert client.get("/api/search", params={"q": "lark"}).json()["hits"] == []
        assert client.get("/api/search", params={"q": "finch"}).json()["hits"][0]["held"]
        told = client.get("/api/withdrawals").json()
        assert (told["counts_by_state"], told["masked"], told["purged"]) == ({"dark": 1}, 1, 0)
        assert told["withdrawals"][0]["object"] == audio("one")
        assert client.get("/withdrawals", headers={"Accept": "application/json"}).json() == told
        page = client.get("/withdrawals")
        assert page.headers["content-type"].startswith("text/html")
        assert audio("one") in page.text
        assert "cannot be recalled" in page.text
        health = client.get("/health").json()
        assert (health["withdrawn"], health["mirror"]) == (1, None)
    finally:
        reinstate(withdraw_rooms(archive), audio("one"), "settled")
    assert {door: client.get(url).status_code for door, url in doors.items()} == dict.fromkeys(doors, 200)
    assert client.get("/api/search", params={"q": "lark"}).json()["hits"]
    assert "Lark" in client.get("/coverage?budget=9PB").text


def test_one_file_of_an_object_is_withdrawn_and_the_others_are_not(archive: Archive, client: httpx.Client) -> None:
    meant, other = archive.register.files(audio("two"))
    order = Order(WithdrawalState.DARK, Reason.OPERATOR, "this one", files=(meant.logical_path,))
    withdraw(withdraw_rooms(archive), audio("two"), order)
    try:
        for row, status in ((meant, 410), (other, 200)):
            assert client.get(file_url(row.object_id, row.logical_path)).status_code == status
            assert client.get(f"/webseed/{archive.settings.name}/{quote(row.path)}").status_code == status
        page = client.get(object_url(audio("two")))
        assert page.status_code == 200
        assert ("Finch" in page.text, "Heron" in page.text) == (False, True)
        assert not client.get("/api/search", params={"q": "finch"}).json()["hits"]
        assert client.get("/api/search", params={"q": "heron"}).json()["hits"]
    finally:
        reinstate(withdraw_rooms(archive), audio("two"), "settled")


def test_a_restriction_shuts_the_doors_of_its_purposes_alone(archive: Archive, client: httpx.Client) -> None:
    doors = urls(archive, "one")
    scope = Scope(purposes=(Purpose.SHARING,))
    withdraw(withdraw_rooms(archive), audio("one"), Order(WithdrawalState.RESTRICTED, Reason.LICENCE_MISTAKEN, "x", scope=scope))
    try:
        assert {door: client.get(url).status_code for door, url in doors.items()} == {"file": 200, "web seed": 410, "page": 200}
    finally:
        reinstate(withdraw_rooms(archive), audio("one"), "settled")


def test_what_is_purged_is_gone_with_its_reason(archive: Archive, client: httpx.Client) -> None:
    doors = urls(archive, "gone")
    withdraw(withdraw_rooms(archive), audio("gone"), DARK)
    purge(withdraw_rooms(archive), audio("gone"))
    for url in doors.values():
        answer = client.get(url)
        assert (answer.status_code, "notice under article 16" in answer.text) == (410, True)
    assert not client.get("/api/search", params={"q": "dodo"}).json()["hits"]
    assert client.get("/api/withdrawals").json()["purged"] == 1


def test_a_hostile_ground_is_text_and_nothing_else(archive: Archive, client: httpx.Client) -> None:
    order = Order(WithdrawalState.DARK, Reason.OPERATOR, "<script>alert(1)</script>")
    withdraw(withdraw_rooms(archive), audio("one"), order)
    try:
        for url in ("/withdrawals", object_url(audio("one"))):
            assert "<script>alert" not in client.get(url).text
    finally:
        reinstate(withdraw_rooms(archive), audio("one"), "settled")


def test_a_path_of_no_object_is_not_here(archive: Archive, client: httpx.Client) -> None:
    assert client.get(f"/webseed/{archive.settings.name}/000/000/000/nothing/v1/content/x").status_code == 404
