"""Correcting what is held at the desk, in a real browser by keyboard alone: the real site, and the process that carries it out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from site_browser import DESKTOP_PX, HEIGHT_PX, SHOTS, chromium
from test_serve_signing_browser import PASSWORD, fill_in, tab_to

from fonoteca.catalogue import TableMapping
from fonoteca.cli.output import TerminalProgress
from fonoteca.flows.catalogue import refresh
from fonoteca.model.ids import ObjectId
from fonoteca.people import Role
from fonoteca.wiring import catalogue_rooms, open_archive

LISTED = "a1111111-1111-4111-8111-111111111111"
SENT = quote("urn:fonoteca:audio:folder:endgame-singularity", safe=":")


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def address(
    tmp_path: Path, run_fonoteca: Callable[..., Any], served: Callable[[Path], AbstractContextManager[dict[str, Any]]]
) -> Iterator[str]:
    """Return the address of an archive that has a release and a curator."""
    run_fonoteca("init", tmp_path / "archive")
    shutil.copytree(str(resources.files("fonoteca") / "sample" / "endgame-singularity"), tmp_path / "music" / "endgame-singularity")
    run_fonoteca("acquire", "folder", tmp_path / "music", "--later", "--archive", tmp_path / "archive")
    with open_archive(tmp_path / "archive", writing=True) as archive:
        archive.people.add("Cleo", PASSWORD, Role.CURATOR)
        (tmp_path / "list.jsonl").write_text(json.dumps({"id": LISTED, "title": "Apex Aleph", "artist": "M<b>axstack"}) + "\n")
        columns = {name: name for name in ("id", "title", "artist")}
        mapping = TableMapping(name="list", rows="recordings", licence="CC0", attribution="t", date="2026-01-01", columns=columns)
        archive.catalogue.import_table([tmp_path / "list.jsonl"], mapping)
        refresh(catalogue_rooms(archive, TerminalProgress(quiet=True)))
    with served(tmp_path / "archive") as said:
        yield said["url"].rstrip("/")


def carried_out(page: Page) -> None:
    """Wait until the page of an entry says that it was carried out."""
    expect(page.locator(".entry-state")).to_contain_text("Carried out on", timeout=30_000)


def test_a_curator_corrects_a_track_and_takes_it_back_by_keyboard(browser: Browser, address: str, tmp_path: Path) -> None:
    page = browser.new_context(base_url=address, viewport={"width": DESKTOP_PX, "height": HEIGHT_PX}).new_page()
    page.goto("/sign-in")
    fill_in(page, "Cleo", PASSWORD)
    page.wait_for_url("**/")
    page.goto(f"/objects/{SENT}")
    tab_to(page, "a[href^='/desk/objects/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/objects/**")
    page.screenshot(path=SHOTS / "desk-object.png", full_page=True)
    tab_to(page, "td a")
    page.keyboard.press("Enter")
    page.wait_for_url("**?file=**")
    tab_to(page, "#one-title")
    page.keyboard.press("Control+A")
    page.keyboard.type("Apex <b>Alef</b> Дождь")
    tab_to(page, "#one-date")
    page.keyboard.press("Control+A")
    page.keyboard.type("yesterday")
    tab_to(page, "#one-reason")
    fill_in(page, "the composer's own page says so")
    expect(page.get_by_role("alert")).to_contain_text("expected YYYY, YYYY-MM or YYYY-MM-DD, found 'yesterday'")
    assert page.locator("#one-title").input_value() == "Apex <b>Alef</b> Дождь", "what was typed is not lost"
    tab_to(page, "#one-date")
    page.keyboard.press("Control+A")
    page.keyboard.type("2011-08")
    page.keyboard.press("Enter")
    carried_out(page)
    page.screenshot(path=SHOTS / "desk-correction.png", full_page=True)
    page.goto(f"/objects/{SENT}")
    expect(page.get_by_text("Apex <b>Alef</b> Дождь").first).to_be_visible()
    page.goto(f"/desk/objects/{SENT}")
    expect(page.get_by_role("region", name="Corrections")).to_contain_text("2011-08")
    page.screenshot(path=SHOTS / "desk-object-corrected.png", full_page=True)
    tab_to(page, ".entries a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/entries/**")
    tab_to(page, "#undo-reason")
    fill_in(page, "it was another track")
    page.wait_for_url("**/desk/entries/2")
    carried_out(page)
    with open_archive(tmp_path / "archive") as archive:
        object_id = ObjectId("urn:fonoteca:audio:folder:endgame-singularity")
        assert archive.store.head(object_id) == 3
        assert archive.store.metadata(object_id).corrections == ()
        assert archive.store.metadata(object_id, 2).corrections[0].says == "2011-08"


def test_a_curator_takes_a_suggested_recording_with_one_key(browser: Browser, address: str, tmp_path: Path) -> None:
    page = browser.new_context(base_url=address, viewport={"width": DESKTOP_PX, "height": HEIGHT_PX}).new_page()
    page.goto("/sign-in")
    fill_in(page, "Cleo", PASSWORD)
    page.wait_for_url("**/")
    page.goto(f"/desk/objects/{SENT}?file=Apex%20Aleph.ogg")
    expect(page.get_by_label("Recordings that it may be")).to_contain_text("M<b>axstack")
    page.screenshot(path=SHOTS / "desk-match.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=SHOTS / "desk-match-phone.png", full_page=True)
    tab_to(page, "section[aria-labelledby=match] button")
    page.keyboard.press("Enter")
    carried_out(page)
    with open_archive(tmp_path / "archive") as archive:
        metadata = archive.store.metadata(ObjectId("urn:fonoteca:audio:folder:endgame-singularity"))
        assert [(each.of, each.field, each.says) for each in metadata.corrections] == [("Apex Aleph.ogg", "recording_mbid", LISTED)]


def test_a_page_of_before_another_decision_is_answered_by_it(address: str, tmp_path: Path) -> None:
    with httpx.Client(base_url=address, timeout=30) as client:
        assert client.get(f"/desk/objects/{SENT}").status_code in (303, 401), "not without signing in"
        with open_archive(tmp_path / "archive") as archive:
            curator, listener = archive.people.add("Mina", PASSWORD, Role.CURATOR), archive.people.add("Lia", PASSWORD)
            key, other = (archive.people.add_key(each.number, "test").text for each in (curator, listener))
        bearer = {"Authorization": f"Bearer {key}"}
        assert client.get(f"/desk/objects/{SENT}", headers={"Authorization": f"Bearer {other}"}).status_code == 403
        form = {"part": "item", "title": "One", "artist": "A", "reason": "I know", "seen": "0"}
        first = client.post(f"/desk/objects/{SENT}", headers=bearer, data=form)
        second = client.post(f"/desk/objects/{SENT}", headers=bearer, data={**form, "title": "Two"})
        assert (first.status_code, second.status_code) == (303, 409)
        assert 'value="Two"' in second.text
        assert "entry 1 (correct)" in second.text
        assert client.get("/desk/objects/urn:fonoteca:audio:folder:nothing", headers=bearer).status_code == 404
        assert client.post(f"/desk/objects/{SENT}", headers=bearer, data={**form, "seen": "x"}).status_code == 404
