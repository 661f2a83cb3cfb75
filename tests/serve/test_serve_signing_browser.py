"""The pages of accounts in a real browser, by keyboard alone. Pictures are kept for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from serve_site import Site, serving
from site_browser import DESKTOP_PX, HEIGHT_PX, PHONE_PX, SHOTS, chromium

from fonoteca.gatehouse import open_people
from fonoteca.people import Role

PASSWORD = "four words of mine"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def tab_to(page: Page, what: str) -> None:
    """Press Tab until a thing has the focus."""
    for _ in range(60):
        if page.evaluate(f"document.activeElement.matches({what!r})"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never comes to {what}")


def fill_in(page: Page, *values: str) -> None:
    """Type into this field and those after it, and send the form, as one does without a mouse."""
    for number, value in enumerate(values):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(value)
    page.keyboard.press("Enter")


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"accounts-{name}.png", full_page=True)


def test_an_operator_sets_up_makes_a_key_signs_out_and_in_by_keyboard(browser: Browser, site: Site, tmp_path: Path) -> None:
    with (
        open_people(tmp_path, site.rooms.settings, site.rooms.clock) as people,
        serving(replace(site.rooms, people=people)) as address,
    ):
        context = browser.new_context(base_url=address, viewport={"width": DESKTOP_PX, "height": HEIGHT_PX})
        page = context.new_page()
        page.goto(f"/setup?token={people.new_setup()}")
        shot(page, "set-up")
        fill_in(page, "Ada", PASSWORD, PASSWORD)
        expect(page.get_by_role("heading", name="Ada", level=1)).to_be_visible()
        expect(page.locator(".done")).to_contain_text("you are signed in")
        tab_to(page, "#player-name")
        fill_in(page, "Phone")
        expect(page.locator(".shown")).to_contain_text("Type this into the player")
        secret = page.locator(".shown .secret").inner_text()
        assert people.by_secret("ada", secret)
        shot(page, "player")
        tab_to(page, "#key-name")
        fill_in(page, "My script")
        expect(page.locator(".shown")).to_contain_text("Your new API key")
        assert people.by_key(page.locator(".shown .secret").inner_text())
        shot(page, "key")
        page.goto("/about")
        expect(page.get_by_role("navigation").get_by_role("link", name="Ada")).to_be_visible()
        tab_to(page, "a.who")
        page.keyboard.press("Enter")
        page.wait_for_url("**/account")
        tab_to(page, "form[action='/sign-out'] button")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
        fill_in(page, "ada", "not the right one")
        expect(page.get_by_role("alert")).to_contain_text("do not fit")
        shot(page, "wrong")
        fill_in(page, PASSWORD)
        expect(page.get_by_role("heading", name="Ada", level=1)).to_be_visible()
        context.close()


def test_an_operator_adds_accounts_on_a_phone_in_the_dark(browser: Browser, site: Site, tmp_path: Path) -> None:
    with (
        open_people(tmp_path, site.rooms.settings, site.rooms.clock) as people,
        serving(replace(site.rooms, people=people)) as address,
    ):
        people.add("Ada", PASSWORD, Role.OPERATOR)
        people.set_disabled(people.add("Maximilian von und zu Hohenlangenname", PASSWORD, Role.CURATOR).number, True)
        context = browser.new_context(base_url=address, viewport={"width": PHONE_PX, "height": HEIGHT_PX}, color_scheme="dark")
        page = context.new_page()
        page.goto("/sign-in?next=/accounts")
        shot(page, "sign-in-phone")
        fill_in(page, "Ada", PASSWORD)
        page.get_by_label("Name", exact=True).fill("Eve")
        page.get_by_label("Curator").check()
        page.get_by_role("button", name="Add the account").click()
        expect(page.locator(".shown")).to_contain_text("Hand this to Eve")
        shot(page, "accounts-phone")
        eve = people.named("eve")
        assert eve
        assert eve.role is Role.CURATOR
        page.get_by_role("combobox", name="Role of Eve").select_option("listener")
        page.get_by_role("button", name="Set the role of Eve").click()
        expect(page.locator(".done")).to_contain_text("role is changed")
        page.get_by_role("button", name="Disable Eve").click()
        expect(page.get_by_role("button", name="Enable Eve")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page is wider than the screen"
        page.goto("/account")
        shot(page, "account-phone")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page is wider than the screen"
        context.close()
