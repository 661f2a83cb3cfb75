"""The review queue in a real browser, by keyboard alone, with the process beside the site that carries decisions out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from serve_site import serving, tone
from site_browser import DESKTOP_PX, HEIGHT_PX, chromium, errors_of
from test_serve_signing import csrf
from test_serve_signing_browser import PASSWORD, fill_in, shot, tab_to

from fonoteca.cli.app import run
from fonoteca.frontage import serve_rooms
from fonoteca.model.desk import EntryState
from fonoteca.model.ids import ObjectId
from fonoteca.model.settings import Settings
from fonoteca.people import Role
from fonoteca.register import Sift
from fonoteca.wiring import create_archive, open_archive

pytestmark = pytest.mark.xdist_group("desk")

Served = Callable[[Path], AbstractContextManager[dict[str, Any]]]
CC_BY = "https://creativecommons.org/licenses/by/4.0/"
ONE = "urn:fonoteca:audio:folder:one"
CARRIED_OUT_MS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def held(made: Path, tmp_path: Path) -> Path:
    """Return an archive with four held items and a curator: one of hostile evidence, three of one label."""
    return shutil.copytree(made, tmp_path / "desk") / "archive"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of that archive and its music, made once."""
    import fonoteca.cli.commands  # noqa: F401  (every command joins)

    folder = tmp_path_factory.mktemp("desk")
    huge = "<script>alert(1)</script>\u202e" + "x" * 200_000
    said = {"one": huge, **dict.fromkeys(("label-a", "label-b", "label-c"), "LicenseRef-Label")}
    for name, licence in said.items():
        tone(folder / "music" / name / "song.wav", 0.2)
        rights = f'id = "{name}"\ntitle = "<i>{name}</i>"\nartist = "A. Nightingale"\nlicence = "{licence}"\n'
        (folder / "music" / name / "rights.toml").write_text(rights)
    create_archive(folder / "archive", Settings("desk", "Desk"))
    assert run(["acquire", "folder", str(folder / "music"), "--archive", str(folder / "archive")]) == 3
    with open_archive(folder / "archive") as archive:
        archive.people.add("Eve", PASSWORD, Role.CURATOR)
        archive.people.add("Mallory", PASSWORD)
        assert archive.register.review.count(Sift()) == 4
    return folder


def follow(page: Page, link: str) -> None:
    tab_to(page, link)
    page.keyboard.press("Enter")


def choose(page: Page, what: str, reason: str) -> None:
    """Choose by keyboard in the form of a decision, give a reason, and put it down."""
    tab_to(page, "input[name=licence]")
    for _ in range(10):
        if page.evaluate(f"document.activeElement.value === {what!r}"):
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    tab_to(page, "#reason")
    page.keyboard.type(reason)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def test_a_curator_decides_one_undoes_it_and_decides_three_alike_by_keyboard(browser: Browser, held: Path, served: Served) -> None:
    with served(held) as site:
        context = browser.new_context(base_url=site["url"], viewport={"width": DESKTOP_PX, "height": HEIGHT_PX})
        page = context.new_page()
        errors = errors_of(page)
        page.goto("/sign-in?next=/account")
        fill_in(page, "Eve", PASSWORD)
        expect(page.get_by_role("heading", name="Eve", level=1)).to_be_visible()
        follow(page, ".lede a[href='/desk']")
        expect(page.get_by_role("heading", name="The curator’s desk", level=1)).to_be_visible()
        follow(page, "a[href='/desk/review']")
        expect(page.get_by_role("heading", name="Waiting for a decision")).to_be_visible()
        shot(page, "desk-queue")
        follow(page, f"a[href='/desk/review/{ONE}']")
        expect(page.locator(".said").first).to_contain_text("<script>alert(1)</script>⟨U+202E⟩")
        assert len(page.content()) < 400_000, "a long text is bounded"
        shot(page, "desk-item")
        tab_to(page, "#other")
        page.keyboard.type("CC BY 4.0")
        follow(page, ".other-licence button")
        expect(page.locator(".grants").first).to_contain_text("May be given to anyone")
        choose(page, CC_BY, "she wrote so")
        expect(page.locator(".entry-state")).to_contain_text(f"it may come under {CC_BY}", timeout=CARRIED_OUT_MS)
        expect(page.get_by_role("heading", name="Take it back")).to_be_visible(timeout=CARRIED_OUT_MS)
        tab_to(page, "#undo-reason")
        fill_in(page, "it was about another record")
        expect(page.locator(".entry-state")).to_contain_text("waits for a decision again", timeout=CARRIED_OUT_MS)
        page.goto("/desk/review?rule=licence-unknown")
        expect(page.locator(".entries li")).to_have_count(4)
        tab_to(page, ".sifting select[name=text]")
        page.keyboard.type("LicenseRef-Label")
        follow(page, ".sifting button")
        expect(page.locator(".entries li")).to_have_count(3)
        follow(page, "a[href^='/desk/review/alike']")
        expect(page.get_by_role("heading", name="Decide alike about 3 items")).to_be_visible()
        expect(page.locator(".facts")).to_contain_text("All say")
        shot(page, "desk-alike")
        choose(page, "stays-out", "the label never answered")
        expect(page.locator(".entry-state")).to_contain_text("3 items stay out", timeout=CARRIED_OUT_MS)
        shot(page, "desk-entry")
        assert errors == []
        context.close()
    with open_archive(held) as archive:
        assert [row.subject for row in archive.register.review.page(Sift())] == [ONE]
        assert archive.people.docket.count(EntryState.DONE) == 3
        assert {each.by for each in archive.people.docket.newest(9)} == {archive.people.named("Eve").number}  # type: ignore[union-attr]


def test_the_desk_is_for_curators_and_who_is_second_is_told(held: Path, served: Served) -> None:
    with open_archive(held) as archive:
        token = {name: archive.people.open_session(archive.people.named(name).number) for name in ("Eve", "Mallory")}  # type: ignore[union-attr]
        row = next(each for each in archive.register.review.page(Sift()) if each.subject == ONE)
        seen = archive.people.docket.seen(ONE)
    with served(held) as site:
        cookie = f"fonoteca-{httpx.URL(site['url']).port}"
        clients = {name: httpx.Client(base_url=site["url"], cookies={cookie: each}) for name, each in token.items()}
        with clients["Eve"] as eve, clients["Mallory"] as mallory:
            place = f"/desk/review/{ONE}"
            for path in ("/desk", "/desk/review", place, "/desk/review/alike?rule=licence-unknown", "/desk/entries/1"):
                assert mallory.get(path).status_code == 403, path
                assert httpx.get(site["url"].rstrip("/") + path).status_code == 401, path
            page = eve.get(place)
            form = {"csrf": csrf(page), "licence": CC_BY, "reason": "so", "seen": str(seen), "shown": row.token}
            assert eve.post(place, data={**form, "csrf": ""}).status_code == 403
            assert mallory.post(place, data={**form, "csrf": csrf(mallory.get("/account"))}).status_code == 403
            for wrong in ({"reason": " "}, {"licence": "https://example.org/mine"}, {"licence": ""}, {"shown": "0"}):
                assert eve.post(place, data={**form, **wrong}).status_code == 422, wrong
            assert eve.post(place, data={**form, "seen": "x"}).status_code == 404
            assert eve.post("/desk/review/alike", data={**form, "shown": "AAAA"}).status_code == 422
            assert eve.post(place, data=form).status_code == 303
            second = eve.post(place, data={**form, "licence": "stays-out", "reason": "no"})
            assert second.status_code in (409, 422), "another one was first, and it may be carried out by now"
            assert "decided about since you looked" in second.text or "not as it was" in second.text


def test_from_the_page_of_an_item_to_its_decision_and_evidence_nobody_is_named(held: Path) -> None:
    folder = str(held)
    assert run(["desk", "work", "--archive", folder]) == 0
    run(["rights", "set", ONE, "--licence", CC_BY, "--reason", "Ada Lovelace wrote so", "--archive", folder])
    assert run(["acquire", "folder", str(held.parent / "music" / "one"), "--archive", folder]) == 0
    assert run(["withdraw", ONE, "--reason", "operator", "--ground", "a pause", "--archive", folder]) == 0
    assert run(["withdraw", ONE, "--reinstate", "--ground", "it is over", "--archive", folder]) == 0
    with open_archive(held) as archive, serving(serve_rooms(archive)) as address, httpx.Client(base_url=address) as client:
        page = client.get(f"/objects/{ONE}").text
        assert f'href="/trace/{ONE}"' in page
        trace = client.get(f"/trace/{ONE}").text
        (said, ruling) = archive.store.rights(ObjectId(ONE)).evidence
        for told in ("<code>decision</code>", said.salted_sha256, ruling.salted_sha256, "Withdrawal 2", "licence-unknown", CC_BY):
            assert told in trace, told
        assert "held for a person" in trace.lower()
        assert "Lovelace" not in trace, "what a curator wrote may name people"
        assert "<script>alert" not in trace
        assert client.get("/trace/urn:fonoteca:audio:folder:label-a").status_code == 404, "what was never held has no page"
        eve = archive.people.named("Eve")
        assert eve
        cookie = {f"fonoteca-{httpx.URL(address).port}": archive.people.open_session(eve.number)}
        seen = httpx.get(f"{address}/trace/{ONE}", cookies=cookie).text
        assert "Ada Lovelace wrote so" in seen
        assert f'href="/desk/review/{ONE}"' in seen
        assert 'href="/desk/entries/' in seen
