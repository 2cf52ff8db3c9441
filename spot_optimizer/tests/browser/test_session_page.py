"""The session page in a browser, served by a running quick start."""

import json
import re
import subprocess
import sys

import pytest
from playwright.async_api import expect

from spot_optimizer.dashboard import formats
from spot_optimizer.tests.browser.page_monitor import monitored_pages
from spot_optimizer.tests.browser.users import create_user
from spot_optimizer.tests.quickstart import ROOT, Platform

SLOW = 120_000  # [ms] the first evaluation of a region fetches its prices
expect.set_options(timeout=20_000)  # [ms] only a limit, not a delay
STAGES = [
    "input", "hardware", "advisor", "right_sizing", "risk",
    "safety_gate", "ranking", "signal", "output",
]  # fmt: skip
SHOWN_LINES = """rows => rows.map(row => ({
  seq: Number(row.dataset.seq), text: row.querySelector(".log-text").textContent }))"""
MANY_LINES = """
from uuid import UUID
from streaming.publish import (log, publish)
for start in range(0, {count}, 500):
    lines = [log("SYSTEM", f"Line {{i}}") for i in range(start, start + 500)]
    publish(UUID("{session_id}"), *lines)
"""


@pytest.fixture
def session(platform, person):
    return platform.create_session(person.token)


@pytest.fixture
def evaluated(platform, person, session):
    answer = platform.evaluate(session["session_id"], person.token)
    assert answer.status == 200, answer.data
    return session


async def visit(page, session):
    await page.goto(f"/sessions/{session['session_id']}")
    await expect(page.locator("[data-connection=live], [data-connection=ended]")).to_be_visible()
    return page


async def evaluate(page):
    """Press Evaluate and wait until the decision of the new evaluation is shown."""
    decision = page.locator("[data-part=decision]")
    before = await decision.get_attribute("data-evaluation")
    await page.get_by_role("button", name="Evaluate", exact=True).click()
    await expect(decision).not_to_have_attribute("data-evaluation", before, timeout=SLOW)
    await expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_enabled()
    return await decision.get_attribute("data-evaluation")


async def shown_lines(page):
    return await page.locator(".log-line").evaluate_all(SHOWN_LINES)


async def column(page, number):
    cells = page.locator(f"table.candidates tbody tr > :nth-child({number})")
    return await cells.evaluate_all("cells => cells.map(cell => cell.title || cell.innerText)")


def api(platform, person, session, path):
    url = f"/api/v1/sandbox/sessions/{session['session_id']}{path}"
    return platform.request("GET", url, token=person.token).json()


async def test_an_evaluation_is_requested_and_followed_live(page, platform, person, session):
    await visit(page, session)
    await expect(page.get_by_text("No evaluation yet").first).to_be_visible()

    await page.get_by_role("button", name="Evaluate", exact=True).click()
    await expect(page.get_by_role("button", name="Evaluating…")).to_be_disabled()
    await expect(page.locator("[data-run=running]")).to_be_visible()
    await expect(page.get_by_text("The first evaluation is running")).to_be_visible()
    await expect(page.locator("[data-part=evaluations]")).to_contain_text("Running")
    await expect(page.locator("[data-decision]")).to_be_visible(timeout=SLOW)

    [evaluation] = api(platform, person, session, "/evaluations")["results"]
    statuses = page.locator(".stage")
    assert await statuses.evaluate_all("all => all.map(each => each.dataset.stage)") == STAGES
    lit = await statuses.evaluate_all("all => all.map(each => each.dataset.status)")
    assert lit == [step["status"] for step in evaluation["trace"]]
    assert set(lit) == {"done", "disabled"}
    await expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_enabled()


async def test_the_decision_matches_the_api(page, platform, person, evaluated):
    await visit(page, evaluated)

    [evaluation] = api(platform, person, evaluated, "/evaluations")["results"]
    card = page.locator("[data-part=decision]")
    savings = evaluation["projected_savings"]
    await expect(card.locator("[data-decision]")).to_have_text(evaluation["decision"])
    await expect(card.locator("[data-reason]")).to_have_text(evaluation["reason"])
    await expect(card.locator("[data-monthly]")).to_have_text(formats.usd(savings["monthly"]))
    await expect(card.locator("[data-percent]")).to_have_text(formats.percent(savings["percent"]))
    for kind in ("current", "target"):
        box = card.locator(f".pool-box.{kind}")
        await expect(box).to_contain_text(evaluation[kind]["instance_type"])
        await expect(box.locator("[data-price]")).to_have_text(
            formats.hourly(evaluation[kind]["price"])
        )
    await expect(card).to_contain_text(evaluation["inputs_hash"])


async def test_the_log_shows_every_stored_line_in_order(page, platform, person, evaluated):
    await visit(page, evaluated)

    stored = platform.lines(evaluated["session_id"], person.token)
    await expect(page.locator("[data-count]")).to_have_text(f"{len(stored)} lines")
    shown = await shown_lines(page)
    assert [line["seq"] for line in shown] == [line["seq"] for line in stored]
    for line, row in zip(stored, shown, strict=True):
        assert line.get("message", "") in row["text"]


async def test_the_preflight_ticks_check_by_check(page, platform, person):
    platform.emulator("/delay", action="DescribeInstances", seconds=120, times=1000)
    try:
        session = platform.create_session(person.token)
        await visit(page, session)
        checks = page.locator(".check-item")
        await expect(checks.nth(0)).to_have_attribute("data-status", "passed")
        await expect(checks.nth(1)).to_have_attribute("data-status", "waiting")
    finally:
        platform.emulator("/reset", all=True)

    await expect(page.locator("[data-preflight=passed]")).to_be_visible(timeout=SLOW)
    await expect(checks.nth(4)).to_have_attribute("data-status", "passed")


async def test_a_failed_check_shows_advice(page, platform, person):
    unknown = {**platform.facts["instances"][0], "instance_id": "i-0000000000000000f"}
    session = platform.create_session(person.token, unknown)

    await visit(page, session)

    await expect(page.locator("[data-preflight=failed]")).to_be_visible(timeout=SLOW)
    checks = page.locator(".check-item")
    await expect(checks.nth(0)).to_have_attribute("data-status", "passed")
    await expect(checks.nth(1)).to_have_attribute("data-status", "failed")
    await expect(checks.nth(1)).to_contain_text("Start the instance")
    await expect(checks.nth(2)).to_have_attribute("data-status", "skipped")


async def test_candidates_are_sorted_by_any_column_both_ways(page, evaluated):
    await visit(page, evaluated)
    await expect(page.locator("[data-shown]")).to_contain_text("kept pools")
    header = page.locator("th:has([data-sort=price])")

    await page.locator("[data-sort=price]").click()
    rising = [float(price) for price in await column(page, 3)]
    order = await header.get_attribute("aria-sort")
    await page.locator("[data-sort=price]").press("Enter")
    falling = [float(price) for price in await column(page, 3)]

    assert rising == sorted(rising)
    assert order == "ascending"
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > rising[0]
    await expect(header).to_have_attribute("aria-sort", "descending")
    assert await page.locator("th[aria-sort]").count() == 1


async def test_candidates_are_searched_and_rejected_ones_show_the_reason(
    page, platform, person, evaluated
):
    await visit(page, evaluated)
    [evaluation] = api(platform, person, evaluated, "/evaluations")["results"]
    await expect(page.locator("[data-shown]")).to_contain_text(
        f"of {evaluation['counts']['kept']} kept"
    )

    rejected = sum(evaluation["counts"]["rejected"].values())
    await page.get_by_text(f"Rejected ({rejected})").click()
    await expect(page.locator("[data-shown]")).to_have_text(f"100 of {rejected} rejected pools")
    reasons = await column(page, 9)
    await page.get_by_label("Search by type or zone").fill("t3.large")
    found = await column(page, 1)
    await page.get_by_label("Search by type or zone").fill("no such type")

    assert all(reason and not reason.startswith("Would") for reason in reasons)
    assert found
    assert all(name.startswith("t3.large") for name in found)
    await expect(page.locator("[data-shown]")).to_have_text("No pool matches.")


async def test_the_risk_chart_marks_both_pools_and_is_walked_by_keys(page, evaluated):
    await visit(page, evaluated)
    chart = page.locator("[data-part=candidates] [data-chart]")
    await expect(chart.locator(".mark.current")).to_be_visible()
    await expect(chart.locator(".mark.target")).to_be_visible()

    await chart.focus()
    await chart.press("ArrowRight")

    announcement = page.locator("[data-part=candidates] [data-announcement]")
    await expect(announcement).to_contain_text("/h")
    await expect(chart.locator(".tooltip")).to_be_visible()
    await chart.press("Escape")
    await expect(chart.locator(".tooltip")).to_be_hidden()


async def test_the_price_chart_steps_at_the_change_points_of_the_api(
    page, platform, person, evaluated
):
    await visit(page, evaluated)
    [evaluation] = api(platform, person, evaluated, "/evaluations")["results"]
    target = evaluation["target"]
    card = page.locator("[data-part=prices]")

    await expect(card.locator(".steps")).to_have_count(2)
    await card.get_by_text("Show as a table").click()
    newest = card.locator("tbody tr", has_text=target["instance_type"]).first
    await expect(newest).to_contain_text(formats.hourly(target["price"]))


async def test_the_log_is_filtered_by_type_level_and_text(page, platform, person, evaluated):
    await visit(page, evaluated)
    stored = platform.lines(evaluated["session_id"], person.token)
    filters = [line for line in stored if line.get("log_type") == "FILTER"]

    await page.get_by_label("Log type").select_option("FILTER")
    await expect(page.locator(".log-line")).to_have_count(len(filters))
    await page.get_by_label("Search in lines").fill("kept")
    some = await shown_lines(page)
    await page.get_by_label("Minimum level").select_option("ERROR")

    assert 0 < len(some) < len(filters)
    assert all("kept" in line["text"].lower() for line in some)
    await expect(page.get_by_text("No lines match the filters.")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await expect(page.locator(".log-line")).to_have_count(len(stored))


async def test_a_paused_log_stands_still_and_loses_nothing(page, platform, person, evaluated):
    await visit(page, evaluated)
    before = len(platform.lines(evaluated["session_id"], person.token))
    await expect(page.locator(".log-line")).to_have_count(before)

    await page.get_by_role("button", name="Pause").click()
    await evaluate(page)
    stored = platform.lines(evaluated["session_id"], person.token)

    resume = page.get_by_role("button", name=f"Resume ({len(stored) - before} new)")
    await expect(resume).to_be_visible()
    await expect(page.locator(".log-line")).to_have_count(before)
    await resume.click()
    await expect(page.locator(".log-line")).to_have_count(len(stored))


async def test_thousands_of_lines_stay_a_window_and_can_be_walked_back(page, platform, evaluated):
    session_id = evaluated["session_id"]
    await visit(page, evaluated)

    publish_lines(platform, session_id, 3000)

    await expect(page.locator(".log-line").last).to_contain_text("Line 2999", timeout=SLOW)
    assert await page.locator(".log-line").count() <= 400
    earlier = page.get_by_role("button", name="Show earlier lines")
    await earlier.click()
    seqs = [line["seq"] for line in await shown_lines(page)]
    assert len(seqs) == 800
    assert seqs == list(range(seqs[0], seqs[0] + 800))


def publish_lines(platform, session_id, count):
    code = MANY_LINES.format(session_id=session_id, count=count)
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT,
        env=platform.environment,
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_restart_of_the_server_neither_loses_nor_doubles_a_line(
    page, pages, platform, person, evaluated, end
):
    pages.expect("ERR_CONNECTION|WebSocket|socket")
    await visit(page, evaluated)

    getattr(platform, end)()
    await expect(page.locator("[data-connection=waiting]")).to_contain_text("Reconnecting in")
    platform.start()
    platform.evaluate(evaluated["session_id"], person.token)

    await expect(page.locator("[data-connection=live]")).to_be_visible(timeout=SLOW)
    stored = platform.lines(evaluated["session_id"], person.token)
    await expect(page.locator(".log-line")).to_have_count(len(stored))
    assert [line["seq"] for line in await shown_lines(page)] == [line["seq"] for line in stored]
    newest = api(platform, person, evaluated, "/evaluations")["results"][0]["evaluation_id"]
    decision = page.locator("[data-part=decision]")
    await expect(decision).to_have_attribute("data-evaluation", newest)


async def test_two_windows_of_a_session_stay_in_step(page, new_page, person, evaluated):
    other = await new_page(person)
    await visit(page, evaluated)
    await visit(other, evaluated)

    decided = await evaluate(page)

    decision = other.locator("[data-part=decision]")
    await expect(decision).to_have_attribute("data-evaluation", decided)
    await expect(other.locator("a[data-evaluation]")).to_have_count(2)
    assert await shown_lines(other) == await shown_lines(page)
    assert await other.locator(".stages").inner_text() == await page.locator(".stages").inner_text()


async def test_an_earlier_evaluation_is_opened_and_closed(page, evaluated):
    await visit(page, evaluated)
    decision = page.locator("[data-part=decision]")
    first = await decision.get_attribute("data-evaluation")
    second = await evaluate(page)

    await page.locator(f"a[data-evaluation='{first}']").click()
    await expect(decision).to_have_attribute("data-evaluation", first)
    await expect(page).to_have_url(re.compile(f"evaluation={first}"))
    await page.get_by_role("link", name="Show the latest").click()

    await expect(decision).to_have_attribute("data-evaluation", second)


async def test_an_aws_error_is_shown_with_advice(page, pages, platform, evaluated):
    pages.expect("status 502: POST")
    await visit(page, evaluated)
    platform.emulator("/deny", actions=["ec2:DescribeInstances"])

    await page.get_by_role("button", name="Evaluate", exact=True).click()

    decision = page.locator("[data-part=decision]")
    await expect(decision).to_contain_text("failed without a decision")
    await expect(decision.locator("[data-error]")).to_contain_text("DescribeInstances")
    await expect(decision).to_contain_text("What to do")
    await expect(page.locator(".stage").first).to_have_attribute("data-status", "stopped")
    platform.emulator("/deny", actions=[])


async def test_a_rate_limit_is_explained(page, pages, evaluated):
    pages.expect("status 429")
    await visit(page, evaluated)
    body = {"detail": "Too many requests. Try again in 7 seconds.", "code": "too_many_requests"}
    await page.route(
        "**/evaluate",
        lambda route: route.fulfill(status=429, json=body, headers={"Retry-After": "7"}),
    )

    await page.get_by_role("button", name="Evaluate", exact=True).click()

    await expect(page.get_by_role("alert")).to_contain_text("Try again in 7 seconds.")
    await expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_enabled()


async def test_a_slow_evaluation_is_awaited(page, evaluated):
    await visit(page, evaluated)
    decision = page.locator("[data-part=decision]")
    before = await decision.get_attribute("data-evaluation")
    statuses = []
    page.on("response", lambda answer: statuses.append((answer.request.method, answer.status)))
    at_once = {"Prefer": "respond-async"}
    await page.route(
        "**/evaluate", lambda route: route.continue_(headers=route.request.headers | at_once)
    )

    await page.get_by_role("button", name="Evaluate", exact=True).click()

    await expect(decision).not_to_have_attribute("data-evaluation", before, timeout=SLOW)
    await expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_enabled()
    assert ("POST", 202) in statuses


async def test_the_policy_is_copied(page, platform, person, session):
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await visit(page, session)

    await page.get_by_text("IAM policy required by this session").click()
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()

    copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert copied == api(platform, person, session, "/iam-policy")


async def test_ending_a_session_needs_confirmation(page, platform, person, session):
    await visit(page, session)

    await page.get_by_role("button", name="End session").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Cancel").click()
    still = api(platform, person, session, "")["state"]
    await page.get_by_role("button", name="End session").click()
    await dialog.get_by_role("button", name="End session").click()

    await expect(page.locator("[data-connection=ended]")).to_be_visible(timeout=SLOW)
    assert still == "active"
    await expect(page.get_by_role("link", name="New session")).to_be_visible()
    await expect(page.get_by_role("button", name="Evaluate", exact=True)).to_have_count(0)
    await expect(page.locator(".log-line").last).to_contain_text("Session ended (ended)")
    assert api(platform, person, session, "")["state"] == "ended"


async def test_the_log_is_downloaded_as_ndjson(page, platform, person, evaluated, tmp_path):
    await visit(page, evaluated)

    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    await (await download.value).save_as(tmp_path / "log.ndjson")

    lines = [json.loads(line) for line in (tmp_path / "log.ndjson").read_text().splitlines()]
    assert lines == platform.lines(evaluated["session_id"], person.token)


async def test_numbers_read_the_same_before_and_after_scripts(page, evaluated):
    await visit(page, evaluated)
    numbers = [0, 0.0000001, 0.000163, 0.0058775, 0.01, 0.125, 0.345678, 0.685, 1.5, -0.206]

    script = """async numbers => {
      const { share, hourly } = await import("/static/dashboard/session/format.js");
      return numbers.map(number => [share(number), hourly(number)]);
    }"""
    formatted = await page.evaluate(script, numbers)

    assert formatted == [[formats.share(number), formats.hourly(number)] for number in numbers]


@pytest.mark.parametrize("looks", [{}, {"dark": True}, {"phone": True}], ids=str)
async def test_it_is_accessible(new_page, person, evaluated, axe, looks):
    page = await visit(await new_page(person, **looks), evaluated)
    await expect(page.locator("[data-part=prices] .steps")).to_have_count(2)

    await axe(page)

    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_new_and_ended_sessions_are_accessible(page, platform, person, session, axe):
    await visit(page, session)
    await axe(page)
    path = f"/api/v1/sandbox/sessions/{session['session_id']}"
    platform.request("DELETE", path, token=person.token)
    await expect(page.locator("[data-connection=ended]")).to_be_visible(timeout=SLOW)

    await axe(page)


async def test_a_watcher_who_has_signed_out_sees_a_link_to_sign_in(browser, chromium, tmp_path):
    with Platform(tmp_path / "var", STREAM_REQUIRE_TICKET="true") as platform:
        person = create_user(platform)
        session = platform.create_session(person.token)
        async with monitored_pages(browser, platform.base_url) as pages:
            pages.expect("ERR_CONNECTION|WebSocket|socket")
            page = await visit(await pages.open(person), session)  # the owner needs no ticket

            platform.kill()
            await page.context.clear_cookies()
            platform.start()

            connection = page.locator("[data-connection-detail]")
            await expect(connection).to_contain_text("Sign in as its owner", timeout=SLOW)
            await expect(page.locator("[data-connection=stopped]")).to_be_visible()


async def test_another_users_session_is_a_404_page(page, pages, new_user, platform):
    pages.expect("status 404")
    theirs = platform.create_session(new_user().token)

    await page.goto(f"/sessions/{theirs['session_id']}")

    await expect(page.get_by_text("There is no session with this id")).to_be_visible()
