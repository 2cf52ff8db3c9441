"""The complete flow of a new user: account, session, decision, end of the session."""

import re

import pytest
from playwright.async_api import expect

SLOW = 60_000  # [ms] the first evaluation of a region fetches its prices
LOOKS = [{}, {"dark": True, "phone": True}]


@pytest.fixture
def checked(axe):
    """Check that a page is accessible and not wider than its screen."""

    async def check(page):
        await axe(page)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url

    return check


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_from_nothing_to_a_decision_and_out_again(new_page, checked, look):
    page = await new_page(**look)
    name = f"walker-{len(look)}"

    await page.goto("/lab")
    await checked(page)
    await page.get_by_role("link", name="Create an account").click()
    await checked(page)
    await page.get_by_label("E-mail").fill(f"{name}@example.com")
    await page.get_by_label("User name").fill(name)
    await page.get_by_label("Password").fill("SecurePassword123")
    await page.get_by_role("button", name="Create an account").click()

    await expect(page).to_have_url(re.compile("/lab$"))  # the page requested before signing in
    await expect(page.get_by_text("An instance is listed here after its first")).to_be_visible()
    await checked(page)
    await page.get_by_role("link", name="Sessions", exact=True).click()
    await checked(page)
    await page.get_by_role("link", name="New session with your keys").click()
    await page.get_by_role("link", name="Fill in a demo instance").click()
    await checked(page)
    instance = await page.get_by_label("Instance id").input_value()
    await page.get_by_role("button", name="Open the session").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text(instance)
    await expect(page.locator("[data-connection=live]")).to_be_visible()
    await expect(page.locator("[data-preflight=passed]")).to_be_visible(timeout=SLOW)
    lines = page.locator(".log-line")
    before = await lines.count()
    await checked(page)
    await page.get_by_role("button", name="Evaluate", exact=True).click()
    await expect(page.locator("[data-decision]")).to_be_visible(timeout=SLOW)
    decision = await page.locator("[data-decision]").inner_text()
    assert decision in ("STAY", "SWITCH")
    assert await lines.count() > before
    await checked(page)

    await page.get_by_role("link", name="Lab", exact=True).click()
    await page.get_by_role("link", name=instance).click()
    await expect(page.get_by_role("table").last).to_contain_text(decision)
    await checked(page)
    await page.get_by_role("link", name="Sessions", exact=True).click()
    await checked(page)
    await page.get_by_role("link", name=instance).click()
    await expect(page.locator("[data-connection=live]")).to_be_visible()
    await page.get_by_role("button", name="End session").click()
    await checked(page)
    await page.get_by_role("dialog").get_by_role("button", name="End session").click()
    await expect(page.locator("[data-connection=ended]")).to_be_visible(timeout=SLOW)
    await expect(page.locator(".log-line").last).to_contain_text("ended")
    await expect(page.get_by_role("button", name="Evaluate", exact=True)).to_have_count(0)
    await checked(page)

    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    answer = await page.goto("/")
    assert answer.url.endswith("/sign-in?next=/")
