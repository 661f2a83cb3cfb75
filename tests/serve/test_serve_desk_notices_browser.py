"""A notice from end to end in a real browser, by keyboard: sent, decided, objected to, and countered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from serve_site import Quiet, serving
from site_browser import DESKTOP_PX, HEIGHT_PX, SHOTS, chromium, errors_of

from fonoteca.deskroom import desk_rooms
from fonoteca.flows.docket import work
from fonoteca.frontage import serve_rooms
from fonoteca.people import Role
from fonoteca.people.notices import NoticeKind, NoticeState, Words
from fonoteca.wiring import Archive, open_archive

PASSWORD = "four words of mine"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@contextmanager
def desked(folder: Path) -> Iterator[tuple[Archive, str]]:
    """Give an archive and the address of its site; what is put down is carried out as `desk work` does it."""

    def carry_out() -> None:
        with open_archive(folder, writing=True) as writer:
            list(work(desk_rooms(writer, Quiet())))  # type: ignore[arg-type]

    with open_archive(folder) as archive, serving(serve_rooms(archive, carry_out)) as address:
        archive.people.add("Ada", PASSWORD, Role.CURATOR)
        yield archive, address


def tab_to(page: Page, what: str) -> None:
    """Press Tab until a thing has the focus."""
    for _ in range(120):
        if page.evaluate(f"document.activeElement.matches({what!r})"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never comes to {what}")


def choose(page: Page, what: str) -> None:
    """Choose one of several by the keyboard: Tab comes to the first, or the chosen one; arrows go on."""
    tab_to(page, f"input[name={page.locator(what).get_attribute('name')}]")
    page.keyboard.press("Space")
    for _ in range(6):
        if page.locator(what).is_checked():
            return
        page.keyboard.press("ArrowDown")
    pytest.fail(f"no arrow comes to {what}")


def type_into(page: Page, what: str, words: str) -> None:
    tab_to(page, what)
    page.keyboard.type(words)


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"notices-{name}.png", full_page=True)


def sent(page: Page) -> str:
    """Fill in the rest of a notice's form and send it. Returns: the address of its receipt."""
    type_into(page, "#reasons", "It is mine. \u202e<script>alert(1)</script>")
    type_into(page, "#name", "Ada Example")
    type_into(page, "#contact", "ada@example.org")
    tab_to(page, "#faith")
    page.keyboard.press("Space")
    tab_to(page, "main button[type=submit]")
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_contain_text("waits for a decision")
    return page.url


def decided(page: Page, what: str, ground: str) -> None:
    """Decide about the notice on the page, and wait until that is carried out."""
    choose(page, what)
    type_into(page, "#ground", ground)
    tab_to(page, "form.sheet button[type=submit]")
    page.keyboard.press("Enter")
    expect(page.locator(".entry-state")).to_contain_text("Carried out", timeout=30_000)


def test_a_notice_is_sent_decided_objected_to_and_countered_by_keyboard(
    browser: Browser, demo_archive: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(demo_archive, tmp_path / "archive"))
    with desked(folder) as (archive, address):
        row = archive.register.newest("audio", 1)[0]
        public = f"/objects/{quote(row.object_id, safe=':')}"
        size = {"width": DESKTOP_PX, "height": HEIGHT_PX}
        sender, curator = (browser.new_context(base_url=address, viewport=size).new_page() for _ in range(2))
        errors = [errors_of(page) for page in (sender, curator)]
        with httpx.Client(base_url=address) as anyone:
            assert row.title in anyone.get(public).text

            sender.goto(f"/notice?place={quote(row.object_id)}")
            choose(sender, "#kind-rights")
            receipt = sent(sender)

            curator.goto("/sign-in?next=/desk/notices")
            type_into(curator, "#name", "Ada")
            type_into(curator, "#password", PASSWORD)
            curator.keyboard.press("Enter")
            curator.wait_for_url("**/desk/notices")
            shot(curator, "queue")
            tab_to(curator, 'a[href^="/desk/notices/"]')
            curator.keyboard.press("Enter")
            expect(curator.locator("#item")).to_have_value(row.object_id)
            tab_to(curator, "#item")
            curator.keyboard.press("Enter")
            expect(curator.get_by_text("A withdrawal takes away").first).to_be_visible()
            shot(curator, "beside-the-item")
            decided(curator, "#do-withdraw", "the notice was found right")
            assert row.title not in anyone.get(public).text, "it goes dark in public"

            sender.goto(receipt)
            expect(sender.locator(".done")).to_contain_text("accepted")
            type_into(sender, "#reasons", "Too little.")
            tab_to(sender, "main button[type=submit]")
            sender.keyboard.press("Enter")
            expect(sender.locator(".done")).to_contain_text("You objected")
            shot(sender, "receipt")

            sender.goto("/withdrawals")
            tab_to(sender, 'a[href^="/notice?withdrawal="]')
            sender.keyboard.press("Enter")
            expect(sender.get_by_role("heading", name="Send a counter-notice")).to_be_visible()
            counter = sent(sender)

            numbers = [each.notice.number for each in archive.people.notices.queue(10)]
            curator.goto(f"/desk/notices/{numbers[-1]}")
            decided(curator, "#do-reinstate", "the first notice was forged")
            assert row.title in anyone.get(public).text, "and is given out again"
            curator.goto(f"/desk/notices/{numbers[0]}")
            decided(curator, "#do-refuse", "it was forged")
            sender.goto(counter)
            expect(sender.locator("main")).to_contain_text("given out again since")
            sender.goto(receipt)
            expect(sender.locator(".done")).to_contain_text("Your objection was denied.")
            expect(sender.locator("main")).to_contain_text("given out again since")
            assert not archive.people.notices.queue(10)
        assert errors == [[], []]


def test_two_curators_and_floods_at_the_desk(demo_archive: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(demo_archive, tmp_path / "archive"))
    with desked(folder) as (archive, address), httpx.Client(base_url=address, timeout=30) as client:
        people = archive.people
        session = people.open_session(people.named("ada").number)  # type: ignore[union-attr]
        client.cookies.set(f"fonoteca-{client.base_url.port}", session, "127.0.0.1")
        client.headers["Origin"] = address
        words = Words(NoticeKind.CORRECTION, "<img src=x onerror=alert(1)>", "Buy now " + "\u202e" * 20, "Eve", "eve@example.org")
        numbers = [people.notices.add(words, f"192.0.2.{each}")[0].number for each in range(5)]
        queue = client.get("/desk/notices").text
        assert "5 by text" in queue
        assert "<img src=x" not in queue
        page = client.get(f"/desk/notices/{numbers[0]}").text
        fields = {"seen": "0", "state": "received", "item": "", "upto": str(numbers[3]), "like": "text", "ground": "spam"}
        fields |= {"csrf": page.partition('name="csrf" value="')[2].partition('"')[0]}
        address = f"/desk/notices/{numbers[0]}"
        assert client.post(address, data={**fields, "decision": "withdraw"}).status_code == 422
        assert client.post(address, data={**fields, "decision": "refuse", "like": "colour"}).status_code == 422
        assert client.post(address, data={**fields, "decision": "refuse", "csrf": ""}).status_code == 403
        done = client.post(address, data={**fields, "decision": "refuse"})
        assert done.status_code == 303
        assert [people.notices.numbered(each).state for each in numbers] == [*[NoticeState.REJECTED] * 4, NoticeState.RECEIVED]
        other = client.post(address, data={**fields, "decision": "grant"})
        assert other.status_code == 409, "somebody else decided since the page was shown"
        assert "decided about since you looked" in other.text
        assert client.get("/desk/notices/999").status_code == 404
        assert '<a href="/desk/notices">1 notice waits</a>' in client.get("/desk").text
