"""Debian's Chromium for the tests of the site, and pages that must not log an error."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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
DESKTOP_PX, PHONE_PX = 1280, 400
HEIGHT_PX = 900


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give Debian's Chromium; in CI its absence is a failure, elsewhere one clear skip."""
    if not Path(CHROMIUM).exists():
        message = "Chromium is missing: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def errors_of(page: Page) -> list[str]:
    """Return a list that fills with what the page logs as an error, breaches of the policy among them."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors
