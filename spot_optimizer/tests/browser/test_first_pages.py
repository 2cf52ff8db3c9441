"""Signing in, registering, home and opening a session, by mouse, by keyboard and on a phone."""

import re

import pytest
from playwright.async_api import expect

from spot_optimizer.tests.browser.users import PASSWORD

SESSION_PAGE = re.compile(r"/sessions/[0-9a-f]{8}-[0-9a-f-]{27}$")
LOOKS = [{}, {"dark": True}, {"phone": True}, {"phone": True, "dark": True}]
LOOK_NAMES = ["light", "dark", "phone", "dark phone"]
API = "import('/static/dashboard/api.js')"


async def holds_in_width(page) -> bool:
    return await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def goes_to_a_session(page, act) -> str:
    """Perform an action that opens a session's page; return its URL."""
    await act()
    await page.wait_for_url(SESSION_PAGE)
    return page.url


@pytest.mark.parametrize("look", LOOKS, ids=LOOK_NAMES)
async def test_pages_are_accessible_in_every_color_scheme(new_page, new_user, platform, axe, look):
    person = new_user()
    signed_out, page = await new_page(**look), await new_page(person, **look)
    for path in ("/sign-in", "/register"):
        await signed_out.goto(path)
        await axe(signed_out)
        assert await holds_in_width(signed_out)
    await page.goto("/")
    await axe(page)
    assert await holds_in_width(page)

    platform.create_session(person.token)
    for path in ("/", "/sessions/new"):
        await page.goto(path)
        await page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
        await axe(page)
        assert await holds_in_width(page), path


async def test_three_clicks_lead_from_the_quick_start_to_a_decision(new_page, platform):
    page = await new_page()
    link = re.search(r"http\S+/sign-in/link\?token=\S+", platform.log.read_text())

    await page.goto(link[0])  # the first click, in the terminal
    await page.get_by_role("button", name="Try it on a demo instance").click()
    await page.wait_for_url(SESSION_PAGE)
    await page.get_by_role("button", name="Evaluate").click()

    decision = page.get_by_text(re.compile("^(Stay where|Switch to|Drain, and|Evacuate to)"))
    await expect(decision.first).to_be_visible(timeout=150_000)
    assert "token" not in page.url


async def test_the_look_follows_the_system(new_page):
    async def darkness(page) -> int:
        await page.goto("/sign-in")
        color = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", color)[:3]))

    assert await darkness(await new_page()) > 600
    assert await darkness(await new_page(dark=True)) < 150


class TestSignIn:
    async def test_works_by_keyboard_alone_and_redirects_to_the_requested_page(
        self, new_page, new_user
    ):
        page, person = await new_page(), new_user()
        await page.goto("/sessions/new")

        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("E-mail")).to_be_focused()
        outline = "getComputedStyle(document.activeElement).outlineWidth"
        assert await page.evaluate(outline) == "3px"
        await page.keyboard.type(person.email)
        await page.keyboard.press("Tab")
        await page.keyboard.type(person.password)
        await page.keyboard.press("Enter")

        await page.wait_for_url("**/sessions/new#content")
        await expect(page.get_by_role("heading", level=1)).to_have_text("New session")

    async def test_shows_an_error_and_accepts_a_second_attempt(self, new_page, new_user, pages):
        pages.expect("status 401")
        page, person = await new_page(), new_user()
        await page.goto("/sign-in")

        await page.get_by_label("E-mail").fill(person.email)
        await page.get_by_label("Password").fill("not-mine")
        await page.get_by_role("button", name="Sign in").click()

        await expect(page.get_by_role("alert")).to_have_text(
            "E-mail or password is wrong. Try again."
        )
        await expect(page.get_by_label("E-mail")).to_have_value(person.email)
        await expect(page.get_by_label("Password")).to_have_value("")
        await page.get_by_label("Password").fill(person.password)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/")

    async def test_out_is_a_button_away(self, page):
        await page.goto("/")

        await page.get_by_role("button", name="Sign out").click()

        await page.wait_for_url("**/sign-in")
        await page.go_back()
        await page.wait_for_url("**/sign-in?next=/")


async def test_registering_opens_an_empty_home_with_instructions(new_page, pages):
    pages.expect("status 400")
    page = await new_page(phone=True)
    await page.goto("/sign-in")
    await page.get_by_role("link", name="Create an account").click()

    await page.get_by_label("E-mail").fill("grace@example.com")
    await page.get_by_label("User name").fill("grace hopper")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create an account").click()
    await page.get_by_role("alert").get_by_role("link", name="User name").click()
    await expect(page.get_by_label("User name")).to_be_focused()
    await page.keyboard.press("Control+A")
    await page.keyboard.type("grace")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create an account").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
    await expect(page.get_by_role("button", name="Try it on a demo instance")).to_be_visible()
    await expect(page.get_by_role("link", name="New session with your keys")).to_be_visible()


class TestHome:
    async def test_counts_down_the_time_that_is_left(self, page, person, platform):
        platform.create_session(person.token, ttl_minutes=120)
        await page.clock.install()
        await page.goto("/")
        left = page.locator("time[data-countdown]")
        await expect(left).to_have_text("1 hour, 59 minutes left")

        await page.clock.run_for("01:00:00")
        await expect(left).to_have_text(re.compile("^5[89]\\sminutes left$"))
        await page.clock.run_for("01:00:00")
        await expect(left).to_have_text("Expired")

    async def test_one_click_opens_a_session_for_a_demo_instance(self, page, person, platform):
        await page.goto("/")

        click = page.get_by_role("button", name="Try it on a demo instance").click
        where = await goes_to_a_session(page, click)

        sessions = platform.request("GET", "/api/v1/sandbox/sessions", token=person.token).json()
        opened = sessions["results"][0]
        assert where.endswith(opened["session_id"])
        assert opened["instance_id"] == platform.facts["instances"][0]["instance_id"]


class TestNewSession:
    async def test_is_two_clicks_with_the_demo_values(self, page, person, platform):
        await page.goto("/sessions/new")
        await page.get_by_role("link", name="Fill in a demo instance").click()

        open_it = page.get_by_role("button", name="Open the session")
        where = await goes_to_a_session(page, open_it.click)

        sessions = platform.request("GET", "/api/v1/sandbox/sessions", token=person.token).json()
        assert where.endswith(sessions["results"][0]["session_id"])

    async def test_a_zone_fills_in_its_region_while_it_is_typed(self, page):
        await page.goto("/sessions/new")
        zone, region = page.get_by_label("Availability zone"), page.get_by_label("Region")

        await zone.press_sequentially("eu-west-1b")
        await expect(region).to_have_value("eu-west-1")
        await zone.fill("us-east-1a")

        await expect(region).to_have_value("us-east-1")

    async def test_a_zone_does_not_overwrite_a_chosen_region(self, page):
        await page.goto("/sessions/new")
        region = page.get_by_label("Region")

        await region.fill("eu-west-2")
        await page.get_by_label("Availability zone").fill("us-east-1a")
        await page.get_by_label("Availability zone").blur()

        await expect(region).to_have_value("eu-west-2")

    async def test_shows_the_policy_of_the_chosen_mode(self, page):
        await page.goto("/sessions/new")
        await page.get_by_text("IAM policy for these keys").click()
        dry, live = (
            page.get_by_label("IAM policy for a dry run"),
            page.get_by_label("policy for a live"),
        )

        await expect(dry).to_be_visible()
        await expect(live).to_be_hidden()
        await page.get_by_label("Mode").select_option("live")

        await expect(live).to_be_visible()
        await expect(dry).to_be_hidden()

    async def test_expands_preferences_that_have_an_error(self, page, pages):
        pages.expect("status 400")
        await page.goto("/sessions/new?demo")
        gate = page.get_by_label("Safety gate")
        await expect(gate).to_be_hidden()
        await page.get_by_text("Preferences").last.click()
        await gate.fill("7")

        await page.get_by_role("button", name="Open the session").click()

        await expect(page.get_by_role("alert")).to_contain_text("Safety gate")
        await expect(gate).to_be_visible()
        await expect(gate).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Secret access key")).to_have_value("")
        await expect(page.get_by_label("Instance id")).not_to_have_value("")

    async def test_sent_twice_opens_one_session(self, page, person, platform):
        await page.goto("/sessions/new?demo")
        await page.evaluate(
            """addEventListener("submit", () => setTimeout(() => {
                 document.querySelector(".session-form button").click() }))"""
        )

        open_it = page.get_by_role("button", name="Open the session")
        await goes_to_a_session(page, open_it.click)

        sessions = platform.request("GET", "/api/v1/sandbox/sessions", token=person.token).json()
        assert len(sessions["results"]) == 1


class TestApiModule:
    async def test_returns_json_and_sends_the_csrf_token(self, page, person):
        await page.goto("/")

        profile = await page.evaluate(
            f"""{API}.then(async ({{ request, get }}) => {{
                  await request("PATCH", "/api/v1/auth/profile", {{ full_name: "Grace" }});
                  return get("/api/v1/auth/profile");
                }})"""
        )

        assert (profile["email"], profile["full_name"]) == (person.email, "Grace")

    async def test_rejects_with_code_and_detail(self, page, pages):
        pages.expect("status 404")
        await page.goto("/")

        refusal = await page.evaluate(
            f"""{API}.then(({{ get }}) => get("/api/v1/nothing")
                  .catch(({{ status, code, detail }}) => [status, code, detail]))"""
        )

        assert refusal == [404, "not_found", "No such URL. See /docs."]

    async def test_leads_to_the_sign_in_and_back(self, page, pages):
        pages.expect("status 401")
        await page.goto("/sessions/new?demo")
        await page.context.clear_cookies(name="sessionid")

        # Not awaited: the page may be replaced before the response arrives.
        await page.evaluate(f"""{API}.then(({{ get }}) => {{
            get("/api/v1/auth/profile").catch(() => null); }})""")

        await page.wait_for_url("**/sign-in?next=%2Fsessions%2Fnew%3Fdemo")

    async def test_shows_an_error_if_the_server_is_unreachable(self, page, pages):
        pages.expect("failed: GET .*ERR_INTERNET_DISCONNECTED")
        await page.goto("/")
        await page.evaluate(API)  # load the module before going offline
        await page.context.set_offline(True)

        detail = await page.evaluate(f"""{API}.then(({{ get }}) =>
            get("/api/v1/auth/profile").catch((refusal) => refusal.detail))""")

        assert detail == "The server cannot be reached. Check your connection, then try again."
