"""A person's way through the site in a real browser: find a track, hear it while going on, see why it may be heard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serve_site import HOSTILE, ODD, Site, serving

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
]
SHOTS = Path(__file__).resolve().parents[2] / "test-output" / "screenshots"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
BOX = "Find a track, an artist or a release"
_HEARD_S = "document.getElementById('sound').currentTime"
_NOW = "document.getElementById('now-title').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Debian's Chromium; in CI its absence is a failure, elsewhere one clear skip."""
    if not Path(CHROMIUM).exists():
        message = "Chromium is missing: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, serve_url: str) -> Iterator[Page]:
    """Return a fresh page on the site, which must not log an error."""
    context = browser.new_context(base_url=serve_url, viewport=DESKTOP)  # type: ignore[arg-type]
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def until(page: Page, expression: str) -> None:
    """Wait for an expression to be true. Playwright's own waiting evaluates text in the page, which the site's policy forbids."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {expression}")


def a_held_title(page: Page) -> str:
    """Return the title of the newest release, as the front page has it."""
    page.goto("/")
    return page.locator(".cards .name").first.inner_text()


def release_of_many(page: Page) -> None:
    """Go to a release of several tracks, as a person does."""
    page.goto("/")
    page.locator(".cards li", has_text="tracks").first.locator("a").click()
    expect(page.get_by_role("button", name="Play all")).to_be_visible()


def test_person_searches_plays_and_finds_the_licence(page: Page) -> None:
    title = a_held_title(page)
    page.get_by_label(BOX).fill(title)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("held", exact=True).first).to_be_visible()
    page.locator(".found a[href^='/objects/']").first.click()
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    page.get_by_role("button", name="Play all").click()
    until(page, f"{_HEARD_S} > 0.2")
    licence = page.locator("a[rel~=license]").first
    expect(licence).to_be_visible()
    assert licence.get_attribute("href", timeout=1000)
    expect(page.locator(".licence")).to_contain_text("ay be shared")
    expect(page.get_by_role("table", name="Evidence")).to_be_visible()
    page.locator(".track-list a.title").first.click()
    expect(page.get_by_role("heading", name="Copies, and whether they are sound")).to_be_visible()
    expect(page.get_by_role("link", name="The original")).to_be_visible()


def test_music_goes_on_while_one_browses(page: Page) -> None:
    release_of_many(page)
    page.get_by_role("button", name="Play all").click()
    until(page, f"{_HEARD_S} > 0.2")
    page.evaluate("window.sameElement = document.getElementById('sound')")
    for link in ("Releases", "About"):
        earlier = page.evaluate(_HEARD_S)
        page.get_by_label("Main").get_by_role("link", name=link).click()
        expect(page.get_by_role("heading", level=1, name=link)).to_be_visible()
        assert page.title().startswith(link)
        until(page, f"{_HEARD_S} > {earlier} + 0.2")
        assert page.evaluate("window.sameElement === document.getElementById('sound') && !window.sameElement.paused")
        assert page.evaluate("document.activeElement.id") == "main"
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Releases")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Play all")).to_be_visible()
    assert page.evaluate("window.sameElement === document.getElementById('sound') && !window.sameElement.paused")


def test_person_seeks_in_a_track_by_its_outline(page: Page) -> None:
    release_of_many(page)
    page.locator(".track-list a.title").first.click()
    outline = page.locator(".track-play .wave")
    page.wait_for_selector(".track-play .wave.drawn")
    box = outline.bounding_box()
    assert box is not None
    outline.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    whole = "document.getElementById('sound').duration"
    until(page, f"{whole} > 5 && Math.abs({_HEARD_S} / {whole} - 0.5) < 0.2 && !document.getElementById('sound').paused")
    seek = page.get_by_role("slider", name="Place in the track")
    seek.focus()
    page.keyboard.press("Home")
    until(page, f"{_HEARD_S} < {whole} / 4")


def test_queue_is_changed_by_keyboard_and_outlives_a_reload(page: Page) -> None:
    release_of_many(page)
    page.get_by_role("button", name="Play all").click()
    titles = page.locator(".track-list a.title").all_inner_texts()
    page.keyboard.press("q")
    lines = page.locator("#queued .queued-name")
    expect(lines).to_have_count(len(titles))
    page.keyboard.press("Alt+ArrowDown")
    expect(lines.nth(1)).to_contain_text(titles[0])
    expect(lines.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Delete")
    expect(lines).to_have_count(len(titles) - 1)
    expect(lines.first).to_contain_text(titles[0])
    page.keyboard.press("Escape")
    expect(page.locator("#queue")).to_be_hidden()
    assert page.evaluate(_NOW) == titles[0]
    page.keyboard.press("j")
    until(page, f"{_NOW} !== {titles[0]!r}")
    playing = page.evaluate(_NOW)
    page.reload()
    until(page, f"{_NOW} === {playing!r}")
    page.keyboard.press("q")
    expect(lines).to_have_count(len(titles) - 1)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#player")).to_be_hidden()


def test_keys_never_act_while_one_types(page: Page) -> None:
    release_of_many(page)
    page.get_by_role("button", name="Play all").click()
    until(page, f"{_HEARD_S} > 0")
    now = page.evaluate(_NOW)
    page.keyboard.press("/")
    expect(page.get_by_label(BOX)).to_be_focused()
    page.keyboard.type("jazz q m?/ k")
    assert page.evaluate(_NOW) == now
    expect(page.get_by_label(BOX)).to_have_value("jazz q m?/ k")
    expect(page.locator("#queue")).to_be_hidden()
    expect(page.locator("#keys")).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    until(page, "document.getElementById('sound').paused")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_keyboard_alone_reaches_the_music(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    for wanted in (".cards a", "[data-does='play-all']"):
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(f'document.activeElement.matches("{wanted}")'):
                break
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
    until(page, f"{_HEARD_S} > 0.1")


def test_search_answers_as_one_types_and_back_leads_home(page: Page) -> None:
    title = a_held_title(page)
    box = page.get_by_label(BOX)
    box.press_sequentially(title[:-1], delay=15)
    expect(page.locator(".found a[href^='/objects/']").first).to_be_visible()
    until(page, "location.pathname === '/search'")
    expect(box).to_be_focused()
    expect(box).to_have_value(title[:-1])
    expect(page.locator("#said")).to_contain_text("for “")
    page.locator(".found [data-does='play']").first.click()
    until(page, f"{_HEARD_S} > 0.1")
    page.locator(".found a[href^='/objects/']").first.click()
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    page.go_back()
    expect(page.get_by_label(BOX)).to_have_value(title[:-1])
    page.go_back()
    expect(page.get_by_role("heading", name="Newest here")).to_be_visible()
    box = page.get_by_label(BOX)
    box.press_sequentially("zzqx", delay=15)
    expect(page.get_by_text("Nothing is known under")).to_be_visible()
    box.fill("")
    expect(page.get_by_role("heading", name="Newest here")).to_be_visible()


def test_search_goes_on_and_what_is_known_and_not_held_has_its_page(page: Page) -> None:
    page.goto("/search?q=love")
    shown = page.locator(".hit").count()
    page.get_by_role("link", name="More").click()
    expect(page.locator(".hit").nth(shown).locator("a.title")).to_be_focused()
    expect(page.locator(".choices")).to_be_visible()
    page.locator(".of-track.unheard a.title").first.click()
    expect(page.get_by_text("It cannot be heard here.")).to_be_visible()
    expect(page.get_by_text("90 % interval")).to_be_visible()
    expect(page.get_by_role("heading", name="How to bring it in")).to_be_visible()
    page.locator("a[href^='/releases/']").click()
    expect(page.get_by_role("heading", name="Tracks")).to_be_visible()


def test_a_title_that_is_a_script_stays_text(browser: Browser, site: Site) -> None:
    with serving(site.rooms) as address:
        page = browser.new_page(base_url=address)
        page.on("dialog", lambda _dialog: pytest.fail("a title ran"))
        page.goto(f"/objects/{ODD}")
        expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
        page.get_by_role("button", name="Play all").click()
        expect(page.locator("#now-by")).to_contain_text(HOSTILE)
        page.keyboard.press("q")
        expect(page.locator("#queued li")).to_have_count(1)
        page.locator(".track-list a.title").click()
        page.wait_for_selector(".track-play .wave.drawn")
        page.goto("/search?q=alert")
        expect(page.locator("#hits")).to_contain_text(HOSTILE)
        page.close()


def test_sound_that_the_browser_cannot_play_comes_as_another_format(page: Page) -> None:
    release_of_many(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/listen/" in request.url else None)
    page.evaluate("() => { document.getElementById('sound').canPlayType = type => type.includes('opus') ? 'probably' : '' }")
    page.get_by_role("button", name="Play all").click()
    until(page, f"{_HEARD_S} > 0.2")
    assert "format=opus" in asked[0]
    page.keyboard.press("ArrowRight")
    for _ in range(100):
        if any("from=" in address for address in asked):
            break
        page.wait_for_timeout(50)
    assert any("from=5" in address for address in asked), asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_the_queue_fits_the_screen_in_light_and_dark(browser: Browser, serve_url: str, scheme: str, screen: str) -> None:
    """Leaves screenshots in test-output/screenshots for a person to look at. The pages are those of `test_site_sweep`."""
    viewport = PHONE if screen == "phone" else DESKTOP
    context = browser.new_context(base_url=serve_url, viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/")
    release = page.locator(".cards a").first.get_attribute("href")
    assert release
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.goto(release)
    page.get_by_role("button", name="Play all").click()
    page.wait_for_selector("#bar-wave.drawn")
    page.keyboard.press("q")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.screenshot(path=str(SHOTS / f"queue-{screen}-{scheme}.png"))
    context.close()


def test_site_reads_without_scripts(browser: Browser, serve_url: str) -> None:
    context = browser.new_context(base_url=serve_url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    title = page.locator(".cards .name").first.inner_text()
    page.get_by_label(BOX).fill(title)
    page.get_by_role("button", name="Search").click()
    page.locator("main a[href^='/objects/']").first.click()
    expect(page.locator("audio[controls]").first).to_be_visible()
    expect(page.locator("a[rel~=license]").first).to_be_visible()
    expect(page.locator("#player")).to_be_hidden()
    assert page.locator("button:visible").count() == 0
    page.locator(".track-list a.title").first.click()
    expect(page.locator("audio[controls]")).to_be_visible()
    expect(page.locator("img.plain")).to_be_visible()
    context.close()
