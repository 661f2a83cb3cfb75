"""`fonoteca account`, and the address at which `serve` lets the first operator in."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import select
import sys
import termios
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cli_world import Fonoteca

from fonoteca.frontage import serve_rooms
from fonoteca.model.settings import ServerSettings
from fonoteca.serve import ServeRooms, create_app
from fonoteca.wiring import open_archive

Served = Callable[[Path], AbstractContextManager[dict[str, Any]]]
PASSWORD = "four words of mine"


@pytest.fixture
def empty(fonoteca: Fonoteca, tmp_path: Path) -> Path:
    """Return an archive in which nobody has an account."""
    assert fonoteca("init", tmp_path / "archive").status == 0
    return tmp_path / "archive"


@pytest.fixture
def account(fonoteca: Fonoteca, empty: Path) -> Callable[..., object]:
    """Return what runs a command of accounts, and gives its JSON or, for one that fails, its status."""

    def call(*words: object) -> object:
        said = fonoteca("account", *words, "--archive", empty, "--json")
        return said.answer if said.status == 0 else said.status

    return call


def test_an_account_from_its_beginning_to_its_end(
    account: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[type-arg]
    (tmp_path / "word").write_text(f"{PASSWORD}\nnot this line\n")
    ada = account("add", "Ada", "--role", "operator", "--password-file", tmp_path / "word")["account"]
    assert (ada["name"], ada["role"], ada["disabled"]) == ("Ada", "operator", False)
    for last in (("role", "ada", "listener"), ("disable", "ada"), ("remove", "ada")):
        assert account(*last) == 2, "the last operator stays"
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    assert account("add", "Max", "--password-file", "-")["account"]["role"] == "listener"
    assert len(account("add", "Eve", "--generate")["password"]) == 27
    assert account("add", "eve", "--generate") == 2
    assert account("add", "Zoe") == 2, "there is no terminal to ask at"
    assert account("role", "MAX", "curator")["account"]["role"] == "curator"
    assert account("disable", "max")["account"]["disabled"] is True
    assert account("enable", "max")["account"]["disabled"] is False
    assert len(account("password", "max", "--generate")["password"]) == 27
    key = account("key", "max", "my script")
    assert key["key"].startswith("fnt_")
    assert account("key", "max")["keys"][0]["for"] == "my script"
    player = account("player", "max", "phone")
    assert (player["user"], len(player["password"])) == ("Max", 27)
    assert account("key", "max", "--revoke", "7") == 2
    assert account("key", "max", "--revoke", key["made"])["keys"] == []
    assert account("player", "max", "--revoke", player["made"])["players"] == []
    assert account("remove", "max")["account"]["name"] == "Max"
    assert account("role", "max", "listener") == 2
    assert [each["name"] for each in account("list")["accounts"]] == ["Ada", "Eve"]


def test_a_password_is_typed_twice_at_a_terminal_that_does_not_show_it() -> None:
    program = "from fonoteca.cli.passphrases import ask_new_password; print('length', len(ask_new_password()))"
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    seen = b""
    for prompt in (b"New password:", b"epeat"):
        seen += _until(terminal, prompt)
        while termios.tcgetattr(terminal)[3] & termios.ECHO:  # what is typed before is shown, and dropped
            time.sleep(0.01)
        os.write(terminal, PASSWORD.encode() + b"\n")
    seen += _until(terminal, f"length {len(PASSWORD)}".encode())
    os.waitpid(child, 0)
    os.close(terminal)
    assert PASSWORD.encode() not in seen


def _until(terminal: int, words: bytes) -> bytes:
    """Return what a terminal shows up to some words."""
    seen, deadline = b"", time.monotonic() + 60
    while words not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096)
    return seen


def test_who_starts_the_server_makes_the_first_operator(served: Served, empty: Path, fonoteca: Fonoteca) -> None:
    settings = empty / "fonoteca.toml"
    settings.write_text(settings.read_text().replace("anonymous = true", "anonymous = false"))
    with served(empty) as one, open_archive(empty) as archive:
        with httpx.Client(timeout=30, headers={"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}) as browser:
            page = browser.get(one["setup"])
            form = page.text.split('name="csrf" value="')[1].split('"')[0]
            token = one["setup"].split("token=")[1]
            fields = {"csrf": form, "token": token, "name": "Ada", "password": PASSWORD, "again": PASSWORD}
            done = browser.post(f"{one['url']}setup", data=fields)
            assert (done.status_code, done.headers["location"]) == (303, "/account?said=made")
            assert "Ada" in browser.get(f"{one['url']}account").text
            assert archive.people.session(browser.cookies[f"fonoteca-{httpx.URL(one['url']).port}"]), "other processes know it"
            assert browser.get(one["setup"]).status_code == 404
        assert archive.people.new_setup() == ""
        secret = fonoteca("account", "player", "ada", "desk", "--archive", empty, "--json").answer["password"]
        key = fonoteca("account", "key", "ada", "script", "--archive", empty, "--json").answer["key"]
        said = {"u": "ada", "t": md5(f"{secret}salt".encode()).hexdigest(), "s": "salt", "f": "json"}
        for given in (said, {"apiKey": key, "f": "json"}):
            assert httpx.get(f"{one['url']}rest/ping", params=given).json()["subsonic-response"]["status"] == "ok"
        assert httpx.get(f"{one['url']}api/withdrawals", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert httpx.get(f"{one['url']}api/withdrawals").status_code == 401


def test_a_closed_site_gives_mirrors_what_it_published(archive: Path) -> None:
    async def ask(rooms: ServeRooms, path: str) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(rooms)), base_url="http://archive.example") as client:
            return (await client.get(f"/webseed/prepared/{quote(path)}")).status_code

    with open_archive(archive) as opened:
        settings = replace(opened.settings, server=ServerSettings(anonymous=False))
        rooms = replace(serve_rooms(opened), settings=settings)
        member = next(iter(opened.register.dropped_members()))
        path = opened.register.files(member.object_id)[0].path
        assert asyncio.run(ask(rooms, path)) == 200
        for drop in opened.register.drops():
            opened.register.forget_drop(drop.id)
        assert asyncio.run(ask(rooms, path)) == 401
