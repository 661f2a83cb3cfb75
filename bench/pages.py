"""What a person waits for on the site: the largest paint of its pages in Debian's Chromium over loopback, and bytes of script.

Run: `python -m bench pages`. The archive is the demo's: real music, artwork and a catalogue of 10,768 recordings.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.music import program
from bench.report import Figure, Goal
from bench.stopwatch import NotMeasurableError
from bench.streaming import serving

PAINT_GOAL_MS = 1000
SCRIPT_GOAL_BYTES = 100_000
TYPED_GOAL_MS = 500
VISITS = 3
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--mute-audio"]
_TIMEOUT_S = 900
_SETTLED_MS, _ANSWERED_MS = 400, 2000

_PAINT_MS = """() => new Promise(done => {
  let last = 0;
  new PerformanceObserver(list => { for (const each of list.getEntries()) last = each.startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
  setTimeout(() => done(last), 50);
})"""
_TYPED = """() => {
  window.typedAt = performance.now();
  document.addEventListener("fonoteca:page", () => { window.cameAt = performance.now(); }, { once: true });
}"""
_SCRIPT_BYTES = """() => performance.getEntriesByType("resource").filter(each => each.initiatorType === "script")
  .reduce((sum, each) => sum + each.decodedBodySize, 0)"""


def figures(scratch: Path) -> list[Figure]:
    """Return the slowest of some visits to each page, the most script that a content page takes, and how soon a search answers."""
    command = [sys.executable, "-m", "fonoteca", "demo", str(scratch / "demo"), "--no-serve", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if done.returncode:
        raise NotMeasurableError(f"`fonoteca demo` ended with exit status {done.returncode}: {done.stderr[-500:]}")
    with (
        serving(Path(json.loads(done.stdout)["archive"])) as (_, address),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program("chromium", "chromium"), args=FLAGS) as browser,
    ):
        pages = _pages(browser, address)
        visits = {name: [_visit(browser, address + path) for _ in range(VISITS)] for name, path in pages.items()}
        typed_ms = max(_type(browser, address) for _ in range(VISITS))
    paint = Goal(PAINT_GOAL_MS, at_most=True)
    return [
        *(
            Figure(f"{name} page: largest paint", max(visit[0] for visit in seen), "ms", goal=paint, less_is_better=True)
            for name, seen in visits.items()
        ),
        Figure(
            "most script on a page",
            max(visit[1] for seen in visits.values() for visit in seen),
            "B",
            goal=Goal(SCRIPT_GOAL_BYTES, at_most=True),
            less_is_better=True,
        ),
        Figure(
            "search: from the last key to the answer", typed_ms, "ms", goal=Goal(TYPED_GOAL_MS, at_most=True), less_is_better=True
        ),
    ]


def _pages(browser: Browser, address: str) -> dict[str, str]:
    """Return the addresses of the pages with content."""
    page = browser.new_page()
    page.goto(address)
    release = page.locator(".cards a").first.get_attribute("href") or ""
    page.goto(address + release)
    track = page.locator(".track-list a.title").first.get_attribute("href") or ""
    artist = page.locator(".artist a").first.get_attribute("href") or ""
    page.close()
    return {"front": "/", "search": "/search?q=love", "release": release, "track": track, "artist": artist, "releases": "/releases"}


def _visit(browser: Browser, address: str) -> tuple[float, int]:
    """Return when the largest thing of a page was painted, in milliseconds, and its bytes of script; nothing is in the cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.wait_for_timeout(_SETTLED_MS)
    seen = float(page.evaluate(_PAINT_MS)), int(page.evaluate(_SCRIPT_BYTES))
    context.close()
    return seen


def _type(browser: Browser, address: str) -> float:
    """Return the milliseconds from the last key typed on the front page to the results, the wait for the next key included."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.get_by_role("searchbox").first.press_sequentially("endgam", delay=30)
    page.wait_for_timeout(_SETTLED_MS)
    page.evaluate(_TYPED)
    page.keyboard.type("e")
    page.wait_for_timeout(_ANSWERED_MS)
    took = float(page.evaluate("() => window.cameAt - window.typedAt"))
    context.close()
    return took
