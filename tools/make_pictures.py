"""Make the pictures of the documents from a running site: python tools/make_pictures.py http://127.0.0.1:8080.

Serve the demo's archive for it: fonoteca demo. Needs Debian's chromium, and Playwright of the development tools.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH_PX, HEIGHT_PX = 1200, 900


def make_pictures(address: str) -> None:
    """Write docs/site.png, the front page, and docs/release.png, the page of a release of several tracks."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--mute-audio"])
        page = browser.new_page(base_url=address, viewport={"width": WIDTH_PX, "height": HEIGHT_PX}, color_scheme="light")
        page.goto("/", wait_until="networkidle")
        page.screenshot(path=DOCS / "site.png")
        page.locator(".cards li", has_text="tracks").first.locator("a").first.click()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=DOCS / "release.png")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make_pictures(sys.argv[1])
