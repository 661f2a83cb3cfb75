"""A person's way through the site in a real browser: find a track, hear it, see why it may be heard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

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
]
SHOTS = Path(__file__).resolve().parents[2] / "test-output" / "screenshots"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
_HEARD_S = "document.querySelector('audio').currentTime"


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


def test_person_searches_plays_and_finds_the_licence(page: Page) -> None:
    title = a_held_title(page)
    page.get_by_label("Find a track, an artist or a release").fill(title)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("held", exact=True).first).to_be_visible()
    page.locator("main a[href^='/objects/']").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    player = page.locator("audio").first
    player.evaluate("player => player.play()")
    until(page, f"{_HEARD_S} > 0.3")
    earlier = page.evaluate(_HEARD_S)
    until(page, f"{_HEARD_S} > {earlier} + 0.3")
    assert player.evaluate("player => player.error") is None
    licence = page.locator("a[rel~=license]").first
    expect(licence).to_be_visible()
    assert licence.get_attribute("href", timeout=1000)
    expect(page.locator(".licence")).to_contain_text("ay be shared")
    expect(page.get_by_role("table", name="Evidence")).to_be_visible()


def test_person_seeks_in_a_track(page: Page) -> None:
    page.goto("/")
    page.locator(".cards a").first.click()
    player = page.locator("audio").first
    player.evaluate("player => { player.preload = 'metadata'; player.load(); }")
    until(page, "document.querySelector('audio').duration > 5")
    player.evaluate("player => { player.currentTime = player.duration / 2; return player.play(); }")
    until(page, "(p => p.currentTime > p.duration / 2 + 0.2)(document.querySelector('audio'))")


def test_one_track_plays_at_a_time(page: Page) -> None:
    page.goto("/")
    releases = page.locator(".cards a")
    for index in range(releases.count()):
        releases.nth(index).click()
        if page.locator("audio").count() > 1:
            break
        page.go_back()
    players = page.locator("audio")
    assert players.count() > 1
    for index in (0, 1):
        players.nth(index).evaluate("player => player.play()")
    until(page, "[...document.querySelectorAll('audio')].filter(p => !p.paused).length === 1")
    assert players.nth(1).evaluate("player => !player.paused")


def test_keyboard_alone_reaches_the_music(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.cards a')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("audio").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_pages_fit_the_screen_in_light_and_dark(browser: Browser, serve_url: str, scheme: str, screen: str) -> None:
    """Leaves screenshots in test-output/screenshots for a person to look at."""
    viewport = PHONE if screen == "phone" else DESKTOP
    context = browser.new_context(base_url=serve_url, viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    title = a_held_title(page)
    release = page.locator(".cards a").first.get_attribute("href")
    assert release
    SHOTS.mkdir(parents=True, exist_ok=True)
    addresses = {"home": "/", "release": release, "search": f"/search?q={title}", "coverage": "/coverage", "drops": "/drops"}
    for name, address in {**addresses, "about": "/about", "releases": "/releases"}.items():
        page.goto(address)
        page.wait_for_load_state("load")
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], f"{name} is wider than a {screen}"
        lightness = page.evaluate(
            "getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/g).reduce((a, b) => +a + +b)"
        )
        assert (int(lightness) < 384) == (scheme == "dark")
        page.screenshot(path=str(SHOTS / f"{name}-{screen}-{scheme}.png"), full_page=True)
    context.close()


def test_site_reads_without_scripts(browser: Browser, serve_url: str) -> None:
    context = browser.new_context(base_url=serve_url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    title = page.locator(".cards .name").first.inner_text()
    page.get_by_label("Find a track, an artist or a release").fill(title)
    page.get_by_role("button", name="Search").click()
    page.locator("main a[href^='/objects/']").first.click()
    expect(page.locator("audio").first).to_be_visible()
    expect(page.locator("a[rel~=license]").first).to_be_visible()
    context.close()
