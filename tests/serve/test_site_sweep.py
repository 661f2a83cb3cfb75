"""All pages of the site in a real browser: light and dark, phone and desktop, without scripts, by keyboard, and looked at by axe.

Leaves screenshots in test-output/screenshots/site for a person to look at.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from serve_site import ENDGAME, HOSTILE, KEPT, ODD, Site, serving
from site_browser import DESKTOP_PX, HEIGHT_PX, PHONE_PX, SHOTS, chromium, errors_of
from site_pages import NOT_PAGES, PAGES, PROBLEMS, SIGNED_IN
from starlette.routing import Route

from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.frontage import serve_rooms
from fonoteca.gatehouse import open_people
from fonoteca.model.desk import Order
from fonoteca.model.rights import Dossier, Hold, Kind, PublishedEvidence, Scheme
from fonoteca.people import Role
from fonoteca.people.notices import NoticeKind, Words
from fonoteca.register import Register
from fonoteca.serve import ServeRooms, create_app
from fonoteca.serve.paths import artist_url, recording_url, track_url
from fonoteca.serve.signing.cookies import SESSION
from fonoteca.wiring import open_archive

pytestmark = pytest.mark.xdist_group("site")

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
ALL = [address for some in (*PAGES.values(), *SIGNED_IN.values(), PROBLEMS) for address in some]
EVERY_RULE: list[str] = []
STATES = [
    (DESKTOP_PX, "light", EVERY_RULE),
    (PHONE_PX, "light", None),
    (PHONE_PX, "dark", ["color-contrast", "target-size", "scrollable-region-focusable"]),
    (DESKTOP_PX, "dark", None),
]
"""Width, colours, and the rules of axe that may come out otherwise there: all of them once, and none where little is new."""
SCRIPT_BYTES_MAX = 100_000
HELD = "urn:fonoteca:audio:folder:one"

_AXE_RUN = """(rules) => axe.run(document, {resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {})}).then(found =>
    found.violations.filter(each => ['serious', 'critical'].includes(each.impact)).map(each =>
        `${each.id}: ${each.help}: ${each.nodes.slice(0, 3).map(node => node.target.join(' ')).join(', ')}`))"""
_KINDS = "a[href], button, input, select, textarea, summary, audio[controls], [tabindex]"
_FOCUSABLE = (
    f"() => [...document.querySelectorAll('{_KINDS}')]"
    """
    .filter(each => !each.disabled && each.tabIndex >= 0 && each.checkVisibility({visibilityProperty: true})
        && !each.closest('[inert], dialog:not([open]), details:not([open]) > :not(summary)'))"""
)
_PAPER = "getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number)"
_SCRIPTS = "[...document.scripts].map(each => each.src)"
_REACHED = "() => { const now = document.activeElement; if (now) now.dataset.reached = ''; return !now || now === document.body; }"


@dataclass(frozen=True)
class Swept:
    """The demo's archive as its site serves it, with an operator. names: what stands for what in addresses."""

    rooms: ServeRooms
    address: str
    session: str
    names: Mapping[str, str]

    def url(self, address: str) -> str:
        """Return an address of the list as it is here."""
        return address.format(**self.names)


@dataclass(frozen=True)
class Window:
    """A page in a browser that has axe with it, and what went wrong since it was last asked."""

    page: Page
    errors: list[str]

    def open(self, url: str) -> int:
        """Open an address, and return the status of its answer."""
        self.errors.clear()
        answer = self.page.goto(url, wait_until="load")
        assert answer
        return answer.status


@pytest.fixture(scope="module")
def swept(demo_archive: Path, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    with ExitStack() as opened:
        archive = opened.enter_context(open_archive(demo_archive))
        copy = tmp_path_factory.mktemp("register") / "register.sqlite"
        register = opened.enter_context(_copied(demo_archive / "register.sqlite", copy))
        _hold(register)
        uploads = DiskStaging(tmp_path_factory.mktemp("uploads"))
        with uploads.writer(uploads.kept_folder("f" * 32) / "a <b>song.flac") as target:
            target.write(b"no music")
        rooms = replace(serve_rooms(archive), register=register)
        assert rooms.desk is not None
        rooms = replace(rooms, desk=replace(rooms.desk, uploads=uploads))
        new, people = (
            opened.enter_context(open_people(tmp_path_factory.mktemp("people"), rooms.settings, rooms.clock)) for _ in range(2)
        )
        account = people.add("Ada", "four words of mine", Role.OPERATOR)
        address = opened.enter_context(serving(replace(rooms, people=people)))
        lost = tmp_path_factory.mktemp("lost")
        told = opened.enter_context(_copied(site.folder / "register.sqlite", lost / "register.sqlite"))
        other = opened.enter_context(serving(replace(site.rooms, people=new, blobs=DiskBlobs(lost), register=told)))
        words = Words(NoticeKind.RIGHTS, "<b>this</b>", "It is mine.", "Ada", "ada@example.org")
        entry = people.docket.put(Order("rule", ENDGAME, {"licence": "", "reason": "<b>no</b>"}), account.number, 0)
        made = {"token": new.new_setup(), "receipt": people.notices.add(words, "127.0.0.1")[1], "entry": entry.number, "held": HELD}
        made["upload"] = "f" * 32
        names = {**_names(rooms), **_others(site.rooms), "other": other, **made}
        yield Swept(replace(rooms, people=people), address, people.open_session(account.number), names)


def _copied(register: Path, copy: Path) -> Register:
    """Return another register that knows the same: what is missing on one site is not told to the other."""
    with closing(sqlite3.connect(register)) as one, closing(sqlite3.connect(copy)) as two:
        one.backup(two)
    return Register.open(copy)


def _hold(register: Register) -> None:
    """Hold two items for review, of hostile names and texts."""
    for name in ("one", "two"):
        hold = Hold(f"urn:fonoteca:audio:folder:{name}", "licence-unknown", "it says <b>", "Which <licence> is meant?")
        said = f"LicenseRef-{HOSTILE}{'very-long' * 60}"
        seen = datetime(2026, 11, 23, tzinfo=UTC)
        evidence = [PublishedEvidence(Scheme.SPDX, said, "javascript:alert(1)", "file tag", seen, "0" * 64)]
        evidence.append(PublishedEvidence(Scheme.SPDX, "CC-BY-4.0", "https://example.org/", name, seen, ""))
        dossier = Dossier(f"{HOSTILE} {name}", "\u202egnihsop", "https://example.org/", "folder /music", tuple(evidence))
        register.record_decision(hold, f"folder:{name}", seen, dossier)


def _names(rooms: ServeRooms) -> dict[str, str]:
    """Return one of each that the archive has."""
    row = next(row for row in rooms.register.newest(Kind.AUDIO, 10) if row.file_count > 1 and row.artist)
    file = rooms.register.files(row.object_id)[0]
    known = next(each for each in rooms.catalogue.recordings(0, 100) if not each.held and each.release_id)  # type: ignore[attr-defined]
    return {
        "object": quote(row.object_id, safe=":"),
        "track": track_url(file.object_id, file.logical_path).removeprefix("/tracks/"),
        "file": quote(file.logical_path, safe=""),
        "artist": artist_url(row.artist).removeprefix("/artists/"),
        "recording": recording_url(known.id).removeprefix("/tracks/"),
        "release": quote(known.release_id, safe=""),
        "words": quote(file.title.split()[0]),
    }


def _others(rooms: ServeRooms) -> dict[str, str]:
    """Return what is asked of the other site."""
    file = rooms.register.files(ENDGAME)[0]
    lost = f"{file.object_id}/{file.logical_path}"
    return {"odd": quote(ODD, safe=":"), "kept": quote(KEPT, safe=":"), "lost": quote(lost, safe=":/")}


@cache
def _bytes_of(script: str) -> int:
    """Return the bytes of a script of the site, not compressed."""
    return len(httpx.get(script).raise_for_status().content)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def opened_by(browser: Browser, swept: Swept, **options: Any) -> BrowserContext:
    """Return a browser's window on the site, signed in as its operator."""
    context = browser.new_context(
        base_url=swept.address, viewport={"width": DESKTOP_PX, "height": HEIGHT_PX}, reduced_motion="reduce", **options
    )
    port = swept.address.rpartition(":")[2]
    context.add_cookies([{"name": f"{SESSION}-{port}", "value": swept.session, "url": swept.address}])
    return context


@pytest.fixture(scope="module")
def window(browser: Browser, swept: Swept) -> Iterator[Window]:
    context = opened_by(browser, swept)
    context.add_init_script(AXE)
    page = context.new_page()
    yield Window(page, errors_of(page))
    context.close()


@pytest.fixture(scope="module")
def plain(browser: Browser, swept: Swept) -> Iterator[Page]:
    """A page in a browser that runs no scripts."""
    context = opened_by(browser, swept, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_every_route_that_is_read_is_swept_or_known_to_be_no_page(swept: Swept) -> None:
    app = create_app(swept.rooms)
    read = {route.path for route in app.router.routes if isinstance(route, Route) and "GET" in (route.methods or ())}
    listed = {*PAGES, *SIGNED_IN}
    assert listed <= read, "pages that are no more"
    missing = {path for path in read - listed if not path.startswith(NOT_PAGES)}
    assert not missing, f"add these pages to tests/serve/site_pages.py: {sorted(missing)}"


@pytest.mark.parametrize("address", ALL)
def test_page_is_sound_in_light_and_dark_on_phone_and_desktop(swept: Swept, window: Window, address: str) -> None:
    page, found = window.page, []
    for place, (width, scheme, rules) in enumerate(STATES):
        page.set_viewport_size({"width": width, "height": HEIGHT_PX})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        if not place:
            status = window.open(swept.url(address))
            assert (status >= 400) == (address in PROBLEMS), status
            if address == "/coverage":
                page.locator("coverage-explorer[data-charted]").wait_for()
        here = f"{width} px {scheme}"
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{here}: wider than the screen")
        if (sum(page.evaluate(_PAPER)) < 384) != (scheme == "dark"):
            found.append(f"{here}: not in its colours")
        if rules is not None:
            found += [f"{here}: {each}" for each in page.evaluate(_AXE_RUN, rules)]
            shot(page, address, width, scheme)
    scripts: list[str] = page.evaluate(_SCRIPTS)
    assert 0 < sum(_bytes_of(each) for each in scripts if "/vega/" not in each) <= SCRIPT_BYTES_MAX
    assert address.startswith("/coverage") or not [each for each in scripts if "/vega/" in each]
    errors = [each for each in window.errors if address not in PROBLEMS or "Failed to load resource" not in each]
    assert [*found, *errors] == []


@pytest.mark.parametrize("address", ALL)
def test_page_reads_without_scripts_and_says_what_it_may_load(swept: Swept, plain: Page, address: str) -> None:
    answer = plain.goto(swept.url(address), wait_until="domcontentloaded")
    assert answer
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert plain.locator("h1").count() == 1
    assert len(plain.locator("main").inner_text().split()) > 5
    plain.locator("main a[href], main button, header a[href]").first.wait_for()


@pytest.mark.parametrize("address", ["/", "/coverage", "/search?q={words}", "/objects/{object}"])
def test_tab_reaches_everything_in_order(swept: Swept, window: Window, address: str) -> None:
    page = window.page
    window.open(swept.url(address))
    assert page.evaluate('document.querySelectorAll(\'[tabindex]:not([tabindex="0"]):not([tabindex="-1"])\').length') == 0
    count = page.evaluate(f"({_FOCUSABLE})().length")
    assert count > 5
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.skip')")
    for _ in range(count + 60):
        if page.evaluate(_REACHED):
            break
        page.keyboard.press("Tab")
    missed = page.evaluate(
        f"({_FOCUSABLE})().filter(each => !('reached' in each.dataset)).map(each => each.outerHTML.slice(0, 120))"
    )
    assert missed == []


def shot(page: Page, address: str, width: int, scheme: str) -> None:
    folder = SHOTS / "site"
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z]+", "-", unquote(address).lower()).strip("-") or "home"
    page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
