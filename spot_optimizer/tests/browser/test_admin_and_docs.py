"""The admin, the API docs, and the page monitor, which must detect planted problems."""

import pytest

from spot_optimizer.tests.browser.page_monitor import monitored_pages

INLINE = """document.head.append(
  Object.assign(document.createElement("script"), {textContent: "window.hacked = true"}))"""
PLANTED = [
    (INLINE, "CSP violation: script-src"),
    ("console.error('it broke')", "console: it broke"),
    ("setTimeout(() => { throw new Error('uncaught indeed') })", "uncaught indeed"),
    ("fetch('/api/v1/auth/profile')", r"status 401: GET .*/profile"),
    ("new Image().src = '/not-there.png'", r"status 404: GET .*/not-there.png"),
    ("new WebSocket(`ws://${location.host}/api/v1/ws/sandbox/1`, 'no-such')", "socket: .*Protocol"),
]


async def a_visit(browser, platform, script="", expecting=None):
    async with monitored_pages(browser, platform.base_url) as pages:
        if expecting:
            pages.expect(expecting)
        page = await pages.open()
        await page.goto("/admin/login/")
        await page.evaluate(f"() => {{ {script} }}")
        await page.wait_for_timeout(300)


async def test_a_signed_in_page_shows_who_is_signed_in(page, person):
    answer = await page.goto("/api/v1/auth/profile")

    assert answer.status == 200
    assert person.email in await page.inner_text("body")


async def test_the_documentation_lists_the_operations_without_console_errors(new_page):
    page = await new_page(dark=True)

    await page.goto("/docs")
    await page.get_by_text("/sandbox/sessions", exact=False).first.wait_for()

    assert await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


async def test_a_new_page_has_the_requested_role_and_width(new_page, new_user):
    page = await new_page(new_user("admin"), phone=True)

    answer = await page.goto("/admin/")

    assert answer.status == 200
    assert await page.evaluate("innerWidth") == 360


@pytest.mark.parametrize(
    ("script", "violation"), PLANTED, ids=[violation for _, violation in PLANTED]
)
async def test_a_planted_problem_fails_the_test_that_opened_the_page(
    browser, platform, script, violation
):
    with pytest.raises(AssertionError, match=violation):
        await a_visit(browser, platform, script)


async def test_an_inline_script_is_not_run(new_page, pages):
    pages.expect("script-src")
    pages.expect("Content Security Policy")
    page = await new_page()
    await page.goto("/admin/login/")

    await page.evaluate(INLINE)

    assert await page.evaluate("window.hacked") is None


async def test_a_problem_that_was_expected_must_come(browser, platform):
    with pytest.raises(AssertionError, match="never came"):
        await a_visit(browser, platform, expecting="status 404")


async def test_axe_names_what_is_hard_to_use(page, axe):
    await page.goto("/admin/login/")
    await axe(page)
    await page.evaluate("document.body.append(document.createElement('button'))")

    with pytest.raises(AssertionError, match=r"critical: Buttons must have .* \(button-name\)"):
        await axe(page)
