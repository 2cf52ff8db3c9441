"""Debian's Chromium, driven by Playwright, which downloads no browser."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

NAMES = ["chromium", "chromium-browser", "google-chrome"]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
QUIET += ["--disable-dev-shm-usage", "--disable-component-update", "--hide-scrollbars"]
MISSING = "No Chromium here: apt-get install chromium, and the browser tests run."


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def chromium_or_skip() -> str:
    """Skip the test if Chromium is not installed, or fail it under CI."""
    path = find_chromium()
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    return path


@asynccontextmanager
async def launch_browser(path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        await browser.close()
