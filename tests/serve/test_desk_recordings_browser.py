"""Recordings merged, built and taken back at the desk, in a real browser by keyboard alone, with the process that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from site_browser import DESKTOP_PX, HEIGHT_PX, SHOTS, chromium, errors_of
from test_serve_signing_browser import PASSWORD, fill_in, tab_to

from fonoteca.catalogue import TableMapping
from fonoteca.flows.catalogue import refresh
from fonoteca.model.ids import RecordingId
from fonoteca.model.settings import Settings
from fonoteca.people import Role
from fonoteca.ports import SILENCE
from fonoteca.wiring import catalogue_rooms, create_archive, open_archive

ONE, OTHER = (f"0000000{n}-1111-4222-8333-444444444444" for n in (1, 2))
COPY = RecordingId.of("label", "x1")


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def address(tmp_path: Path, served: Callable[[Path], AbstractContextManager[dict[str, Any]]]) -> Iterator[str]:
    """Return the address of an archive that knows one song under two ids and three rows, and has a curator."""
    archive = tmp_path / "archive"
    create_archive(archive, Settings("songs", "Songs"))
    tables = {
        "base": f"id,title,artist,seconds\n{ONE},<b>Rain</b>,A. Nightingale,200\n{OTHER},Rain (Regen),A. Nightingale,200\n",
        "label": "key,title,artist,seconds\nx1,<b>Rain</b>,A. Nightingale,201\n",
    }
    with open_archive(archive, writing=True) as opened:
        for name, table in tables.items():
            (tmp_path / f"{name}.csv").write_text(table)
            key = table.split(",")[0]
            columns = {key: key, "title": "title", "artist": "artist", "duration_s": "seconds"}
            mapping = TableMapping(name=name, rows="recordings", licence="CC0", attribution="t", date="2026-01-31", columns=columns)
            opened.catalogue.import_table([tmp_path / f"{name}.csv"], mapping)
        refresh(catalogue_rooms(opened, SILENCE))
        opened.people.add("Cleo", PASSWORD, Role.CURATOR)
    with served(archive) as said:
        yield said["url"].rstrip("/")


def carried_out(page: Page, words: str) -> None:
    expect(page.locator(".entry-state")).to_contain_text(words, timeout=30_000)


def press(page: Page, what: str) -> None:
    tab_to(page, what)
    page.keyboard.press("Enter")


def build(page: Page) -> None:
    page.goto("/desk/recordings")
    press(page, "form.sheet button")
    carried_out(page, "recordings")


def test_a_curator_merges_two_recordings_and_takes_it_back_by_keyboard(browser: Browser, address: str) -> None:
    page = browser.new_context(base_url=address, viewport={"width": DESKTOP_PX, "height": HEIGHT_PX}).new_page()
    errors = errors_of(page)
    page.goto("/sign-in?next=/desk")
    fill_in(page, "Cleo", PASSWORD)
    expect(page.get_by_role("heading", name="The curator’s desk", level=1)).to_be_visible()
    press(page, "a[href='/desk/recordings']")
    page.wait_for_url("**/desk/recordings")
    tab_to(page, ".sifting input")
    fill_in(page, "rain nightingale")
    page.wait_for_url("**?q=*")
    press(page, f"a[href='/desk/recordings/{ONE}']")
    expect(page.get_by_role("heading", name="<b>Rain</b>", level=1)).to_be_visible()
    expect(page.get_by_role("region", name="Rows of its sources")).to_contain_text("its name")
    page.screenshot(path=SHOTS / "desk-recording.png", full_page=True)
    tab_to(page, ".sifting input")
    page.keyboard.press("Control+A")
    fill_in(page, "rain")
    page.wait_for_url(f"**/{ONE}?q=rain*")
    tab_to(page, "input[name=other]")
    page.keyboard.press("Space")
    tab_to(page, "#merge-reason")
    fill_in(page, "the same <i>matrix</i> number")
    carried_out(page, f"{OTHER} becomes part of {ONE}")
    build(page)
    with httpx.Client(base_url=address) as client:
        for one in (ONE, OTHER, COPY):
            answer = client.get(f"/tracks/{one}")
            assert (answer.status_code, f"<code>{ONE}</code>" in answer.text) == (200, True)
    page.goto(f"/desk/recordings/{OTHER}")
    expect(page.get_by_role("region", name="Rows of its sources")).to_contain_text("a curator’s word")
    expect(page.locator("section[aria-labelledby=curators] ul").first).to_contain_text("the same <i>matrix</i> number")
    page.goto(f"/desk/recordings/{ONE}")
    press(page, "a[href='/desk/entries/1']")
    page.wait_for_url("**/desk/entries/1")
    tab_to(page, "#undo-reason")
    fill_in(page, "another take")
    carried_out(page, "rules decide again")
    assert errors == []


def test_who_decides_about_a_recording_second_is_told(address: str, tmp_path: Path) -> None:
    with httpx.Client(base_url=address, timeout=30) as client:
        assert client.get(f"/desk/recordings/{ONE}").status_code == 401
        with open_archive(tmp_path / "archive") as archive:
            curator, listener = archive.people.add("Mina", PASSWORD, Role.CURATOR), archive.people.add("Lia", PASSWORD)
            key, other = (archive.people.add_key(each.number, "test").text for each in (curator, listener))
        bearer = {"Authorization": f"Bearer {key}"}
        for path in ("", f"/{ONE}"):
            assert client.get(f"/desk/recordings{path}", headers={"Authorization": f"Bearer {other}"}).status_code == 403
        form = {"part": "merge", "other": OTHER, "stays": "this", "reason": "by ear", "seen": "0"}
        first = client.post(f"/desk/recordings/{ONE}", headers=bearer, data=form)
        # The other curator looked at the other recording, and sees it as the one that goes.
        second = client.post(f"/desk/recordings/{OTHER}", headers=bearer, data={**form, "other": ONE, "reason": "by <hand>"})
        assert (first.status_code, second.status_code) == (303, 409)
        assert 'value="by &lt;hand&gt;"' in second.text
        assert "entry 1 (merge)" in second.text
        for wrong in ({"reason": ""}, {"other": ""}, {"other": "x"}, {"part": "split"}):
            assert client.post(f"/desk/recordings/{ONE}", headers=bearer, data={**form, "seen": "9", **wrong}).status_code == 422
        assert client.get("/desk/recordings/nothing", headers=bearer).status_code == 404
