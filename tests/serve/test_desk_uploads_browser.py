"""Uploading an album at the desk, in a real browser by keyboard alone: the real site, and the process that takes it in."""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, expect
from site_browser import DESKTOP_PX, HEIGHT_PX, PHONE_PX, SHOTS, chromium
from test_desk_objects_browser import carried_out
from test_serve_signing_browser import PASSWORD, fill_in, tab_to

from fonoteca.people import Role
from fonoteca.wiring import open_archive

HTML = b"<!doctype html><title>404</title>"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def archive(tmp_path: Path, run_fonoteca: Callable[..., Any]) -> Path:
    """Return an empty archive with a curator."""
    run_fonoteca("init", tmp_path / "archive")
    with open_archive(tmp_path / "archive") as opened:
        opened.people.add("Cleo", PASSWORD, Role.CURATOR)
    return tmp_path / "archive"


@pytest.fixture
def address(archive: Path, served: Callable[[Path], AbstractContextManager[dict[str, Any]]]) -> Iterator[str]:
    with served(archive) as said:
        yield said["url"].rstrip("/")


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    """Return two songs and what only looks like one."""
    sample = Path(str(resources.files("fonoteca") / "sample" / "endgame-singularity"))
    (tmp_path / "songs").mkdir()
    for path in sorted(sample.glob("*.ogg"))[:2]:
        shutil.copy(path, tmp_path / "songs")
    (tmp_path / "songs" / "not here.mp3").write_bytes(HTML)
    return sorted((tmp_path / "songs").iterdir())


def test_a_curator_uploads_an_album_and_hears_it_by_keyboard(
    browser: Browser, address: str, archive: Path, songs: list[Path]
) -> None:
    page = browser.new_context(base_url=address, viewport={"width": DESKTOP_PX, "height": HEIGHT_PX}).new_page()
    page.goto("/sign-in")
    fill_in(page, "Cleo", PASSWORD)
    page.wait_for_url("**/")
    tab_to(page, "a[href='/desk']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk")
    tab_to(page, "a[href='/desk/upload']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/upload")
    tab_to(page, "#files")
    page.locator("#files").set_input_files(songs)  # the window that Enter opens is the browser's own
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/upload/*")
    page.screenshot(path=SHOTS / "desk-upload.png", full_page=True)
    expect(page.get_by_role("row", name="not here.mp3")).to_contain_text("will not be taken")
    assert page.locator("#title").input_value() == "Endgame: Singularity Original Soundtrack", "as the files' tags have it"
    assert page.locator("#licence").input_value() == "https://creativecommons.org/licenses/by-sa/3.0/", "as they say themselves"
    tab_to(page, "#why")
    page.keyboard.type("The game's own README says so: <b>CC BY-SA 3.0</b>")
    tab_to(page, "#title-0")
    page.keyboard.press("Control+A")
    page.keyboard.type("Apex Alef")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/entries/1")
    carried_out(page)
    expect(page.locator(".entry-state")).to_contain_text("music held: 2 of 3 files, not taken: not here.mp3")
    page.screenshot(path=SHOTS / "desk-uploaded.png", full_page=True)
    tab_to(page, "#docket a[href^='/objects/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/objects/**")
    expect(page.get_by_text("Apex Alef").first).to_be_visible()
    tab_to(page, "[data-does='play-all']")
    page.keyboard.press("Enter")
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some(each => each.currentTime > 0)")
    phone = page.context.new_page()
    phone.set_viewport_size({"width": PHONE_PX, "height": HEIGHT_PX})
    phone.emulate_media(color_scheme="dark")
    phone.goto("/desk/entries/1")
    phone.screenshot(path=SHOTS / "desk-uploaded-phone.png", full_page=True)
    assert list((archive / "uploads").iterdir()) == [], "what is held is in the store alone"
    with open_archive(archive) as opened:
        (row,) = opened.register.newest("audio", 10)
        record = opened.store.rights(row.object_id)
        assert record.licence_uri == "https://creativecommons.org/licenses/by-sa/3.0/"
        assert not any("README" in each.statement for each in record.evidence), "what a curator knows is kept, and not published"
        assert any(b"README says so" in path.read_bytes() for path in (archive / "private").rglob("*") if path.is_file())


def test_what_is_cut_off_too_much_or_none_of_ours_leaves_nothing(address: str, archive: Path) -> None:
    with open_archive(archive) as opened:
        key = opened.people.add_key(opened.people.add("Mina", PASSWORD, Role.CURATOR).number, "test").text
    bearer = {"Authorization": f"Bearer {key}"}
    uploads = archive / "uploads"
    with httpx.Client(base_url=address, timeout=30, headers=bearer) as client:
        for name in ("../../etc/passwd.ogg", "C:\\music\\passwd.ogg", "..", "\x00.ogg", "rights.toml", "a" * 5000 + ".ogg"):
            answer = client.post("/desk/upload", files={"files": (name, b"OggS", "audio/ogg")})
            assert answer.status_code in (303, 400, 422), name
            if answer.status_code == 303:
                (made,) = (uploads / answer.headers["location"].rpartition("/")[2]).iterdir()
                assert made.parent.parent == uploads
                assert len(made.name.encode()) <= 200
                client.post(answer.headers["location"] + "/remove", data={"all": "yes"})
        assert client.post("/desk/upload", data={"files": "no file"}).status_code == 415
        assert client.post("/desk/upload", files={"other": ("", b"", "audio/ogg")}).status_code == 422
        assert client.post("/desk/upload", headers={"Content-Type": "multipart/form-data"}, content=b"x").status_code == 415
        wrong = client.post("/desk/upload", headers={"Content-Type": "multipart/form-data; boundary=x"}, content=b"nothing of it")
        assert wrong.status_code == 400
        listener = client.post("/desk/upload", headers={"Authorization": ""}, files={"files": ("a.ogg", b"OggS", "audio/ogg")})
        assert listener.status_code in (303, 401, 403)
    assert sending(address, bearer, 1 << 40).getresponse().status == 413
    sending(address, bearer, 100_000).close()
    deadline = time.monotonic() + 20
    while any(uploads.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(uploads.iterdir()) == []


def sending(address: str, bearer: dict[str, str], announced: int) -> http.client.HTTPConnection:
    """Return a connection that began to send an upload of so many bytes, and sends no more."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.putrequest("POST", "/desk/upload")
    said = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(announced)}
    for name, value in {**bearer, **said}.items():
        connection.putheader(name, value)
    connection.endheaders(b'--x\r\nContent-Disposition: form-data; name="files"; filename="cut.ogg"\r\n\r\nOggS')
    return connection
