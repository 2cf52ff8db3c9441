"""The Lab in a browser: by mouse and keyboard, on desktop and phone, light and dark."""

import pytest
from playwright.async_api import expect

LAB = "/api/v1/lab"
LOOKS = [{}, {"dark": True}, {"phone": True}, {"phone": True, "dark": True}]


@pytest.fixture(scope="module")
def spot(platform):
    return next(each for each in platform.emulator("")["instances"] if each["lifecycle"] == "spot")


@pytest.fixture
def models(platform, new_user):
    """The models by stage; stages are restored after the test."""
    token = new_user("lab").token
    rows = platform.request("GET", f"{LAB}/models", token=token).json()["results"]
    yield {row["stage"]: row for row in rows}
    champion = next(row for row in rows if row["stage"] == "champion")
    for row in (champion, *(row for row in rows if row is not champion)):
        path = f"{LAB}/models/{row['model_id']}/stage"
        assert platform.request("POST", path, {"stage": row["stage"]}, token).status == 200


def evaluate(platform, person, spot, times=1):
    session = platform.create_session(person.token, spot)
    for _ in range(times):
        answer = platform.evaluate(session["session_id"], person.token)
        assert answer.status == 200, answer.data


async def is_as_wide_as_the_screen(page):
    return await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_its_pages_are_accessible(new_page, new_user, platform, spot, axe, look):
    person = new_user("lab")
    evaluate(platform, person, spot)
    page = await new_page(person, **look)

    for path in ("/lab", f"/lab/instances/{spot['instance_id']}"):
        await page.goto(path)
        await axe(page)
        assert await is_as_wide_as_the_screen(page), path


async def test_its_empty_pages_are_accessible(new_page, person, platform, spot, axe):
    platform.create_session(person.token, spot)
    page = await new_page(person, phone=True)

    await page.goto(f"/lab/instances/{spot['instance_id']}")

    await expect(page.get_by_text("No experiments yet.")).to_be_visible()
    await axe(page)


async def test_a_promotion_needs_confirmation_and_works_by_keyboard_alone(
    new_page, new_user, models, axe
):
    page = await new_page(new_user("lab"))
    await page.goto("/lab")
    name = f"{models['challenger']['name']} {models['challenger']['version']}"
    dialog = page.get_by_role("dialog", name=f"Make champion: {name}?")

    await page.get_by_role("button", name=f"Make champion: {name}").focus()
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_visible()
    await axe(page)
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("button", name="Make champion")).to_be_focused()
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("status")).to_have_text(f"{name} is champion now.")
    card = page.get_by_role("article", name=name)
    await expect(card.locator(".pill").first).to_have_text("Champion")
    await expect(page.get_by_role("region", name="Stage changes")).to_contain_text(name)


async def test_a_model_is_assigned_and_judges_the_next_evaluation(
    new_page, new_user, platform, spot, models
):
    person = new_user("lab")
    evaluate(platform, person, spot)
    page = await new_page(person)
    name = f"{models['challenger']['name']} {models['challenger']['version']}"
    await page.goto("/lab")
    await page.get_by_role("link", name=spot["instance_id"]).click()

    await page.get_by_role("button", name=f"Assign {name}").click()
    await expect(page.get_by_role("status")).to_contain_text(f"{name} judges this instance")
    evaluate(platform, person, spot)
    await page.reload()

    experiments = page.get_by_role("table").last.get_by_role("row")
    await expect(experiments).to_have_count(3)
    await expect(experiments.nth(1)).to_contain_text(name)
    await expect(experiments.nth(2)).to_contain_text("advisor-prior 1")
    chart = page.get_by_role("img", name="Chance of an interruption within the hour over 2")
    await expect(chart.locator(".mark")).to_have_count(2)
    await page.get_by_role("button", name="Back to the champion and the whole pipeline").click()
    await expect(page.get_by_text("This instance uses the champion.")).to_be_visible()


async def test_switches_are_saved_and_the_pipeline_follows(new_page, new_user, platform, spot):
    person = new_user("lab")
    platform.create_session(person.token, spot)
    page = await new_page(person, phone=True)
    await page.goto(f"/lab/instances/{spot['instance_id']}")
    stress = page.locator(".stage", has=page.get_by_role("heading", name="Family stress"))
    await expect(stress.locator(".pill")).to_have_text("active")

    await page.get_by_label("Family stress").uncheck()
    await page.get_by_role("button", name="Save").click()

    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    await expect(stress.locator(".pill")).to_have_text("off")
    await expect(page.get_by_text("Family stress: on → off")).to_be_visible()


async def test_a_user_can_only_read_and_sees_why(page, person, platform, spot):
    platform.create_session(person.token, spot)

    await page.goto("/lab")
    await expect(page.get_by_role("button", name="Make champion")).to_have_count(0)
    await page.goto(f"/lab/instances/{spot['instance_id']}")

    await expect(page.get_by_text("you need the role lab or admin")).to_be_visible()
    await expect(page.get_by_label("Right-sizing")).to_be_disabled()
    await expect(page.get_by_role("button", name="Save")).to_have_count(0)


async def test_another_users_instance_is_a_404_page(pages, page, new_user, platform, spot):
    platform.create_session(new_user().token, spot)
    pages.expect("status 404")

    answer = await page.goto(f"/lab/instances/{spot['instance_id']}")

    assert answer.status == 404
    await expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    await expect(page.get_by_text("You never had a session for this instance.")).to_be_visible()
