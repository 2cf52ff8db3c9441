from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from spot_optimizer.tests.browser.accessibility import check_accessibility
from spot_optimizer.tests.browser.chromium import chromium_or_skip, launch_browser
from spot_optimizer.tests.browser.page_monitor import MonitoredPages, monitored_pages
from spot_optimizer.tests.browser.users import BrowserUser, create_user
from spot_optimizer.tests.quickstart import Platform

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Use one event loop, because the browser is bound to its loop and slow to start."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    return chromium_or_skip()


@pytest.fixture(scope="module")
def platform(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A running quick start for the tests of one module."""
    with Platform(tmp_path_factory.mktemp("platform") / "var") as platform:
        yield platform


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with launch_browser(chromium) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="package")
async def pages(platform: Platform, browser: Browser) -> AsyncIterator[MonitoredPages]:
    """The test's pages; the test fails if one of them had a problem that was not expected."""
    async with monitored_pages(browser, platform.base_url) as pages:
        yield pages


@pytest.fixture
def new_page(pages: MonitoredPages) -> Callable[..., Awaitable[Page]]:
    """`await new_page(person, dark=True, phone=True)`; without a person it is signed out."""
    return pages.open


@pytest.fixture
def new_user(platform: Platform) -> Callable[..., BrowserUser]:
    """`new_user("lab")` creates a user with this role."""
    return lambda role="user": create_user(platform, role)


@pytest.fixture
def person(new_user: Callable[..., BrowserUser]) -> BrowserUser:
    """The user that `page` is signed in as."""
    return new_user()


@pytest_asyncio.fixture(loop_scope="package")
async def page(pages: MonitoredPages, person: BrowserUser) -> Page:
    return await pages.open(person)


@pytest.fixture
def axe() -> Callable[[Page], Awaitable[None]]:
    """`await axe(page)` fails on violations that axe rates serious or critical."""
    return check_accessibility
