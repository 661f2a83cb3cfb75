"""The coverage explorer in a real browser: slider, chart and keyboard, all saying what the server says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from site_browser import DESKTOP_PX, chromium, errors_of

pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, serve_url: str) -> Iterator[Page]:
    """The explorer with its chart drawn; nothing it does may log an error."""
    context = browser.new_context(base_url=serve_url, viewport={"width": DESKTOP_PX, "height": 1400})
    page = context.new_page()
    errors = errors_of(page)
    page.goto("/coverage")
    expect(page.locator("coverage-explorer[data-charted] .chart canvas")).to_be_visible(timeout=20_000)
    yield page
    context.close()
    assert errors == []


def said(page: Page) -> str:
    return " ".join(page.locator("#kept").inner_text().split())


def test_slider_chart_and_presets_move_the_budget_and_the_page_says_what_the_server_says(
    page: Page, serve_url: str, browser: Browser
) -> None:
    before = said(page)
    page.focus("#slide")
    for _ in range(3):
        page.keyboard.press("PageUp")
    expect(page.locator("#kept")).not_to_have_text(before)
    expect(page.locator("#kept")).to_contain_text(page.locator("#slide").get_attribute("aria-valuetext") or "none")
    page.wait_for_url("**/coverage?budget=*")
    plain = browser.new_context(base_url=serve_url, java_script_enabled=False)
    unscripted = plain.new_page()
    unscripted.goto(page.url)
    assert said(unscripted) == said(page)
    assert unscripted.locator("#ends").inner_text() == page.locator("#ends").inner_text()
    plain.close()
    page.locator("#presets a").first.click()
    expect(page.locator("#kept")).to_contain_text(page.locator("#budget").input_value())
    expect(page.locator("#presets a").first).to_have_attribute("aria-current", "true")
    before = said(page)
    box = page.locator(".chart canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 100)
    expect(page.locator(".readout")).to_contain_text("most heard")
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("#kept")).not_to_have_text(before)
    expect(page.locator("#kept")).to_contain_text(page.locator("#budget").input_value())


def test_chart_takes_the_colours_of_the_dark_page_and_what_is_typed_is_answered_in_place(page: Page) -> None:
    def picture() -> str:
        return str(page.evaluate("document.querySelector('.chart canvas').toDataURL()"))

    light = picture()
    page.emulate_media(color_scheme="dark")
    for _ in range(100):
        page.wait_for_timeout(50)
        if page.locator(".chart canvas").count() and picture() != light:
            break
    assert picture() != light
    page.fill("#budget", "300TB")
    page.keyboard.press("Enter")
    expect(page.locator("#kept")).to_contain_text("100 % of all listening is kept in 300 TB")
    expect(page.locator("#budget")).to_be_focused()
    page.go_back()
    expect(page).not_to_have_url("**/coverage**")
