"""The Lab in a browser: its pages by role, and its forms."""

import re
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from accounts.testing import a_user
from lab.models import InstanceConfig, ModelRegistry, StageChange
from lab.services import set_stage
from lab.testing import INSTANCE, a_challenger, a_config
from lab.tests.experiment_rows import experiments
from spot_optimizer.dashboard.formats import MINUS, UNKNOWN
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
PAGE = f"/lab/instances/{INSTANCE}"


def a_browser(role="user", *, has_instance=True, user=None):
    """Return the client of a signed-in user, with or without a session for the instance."""
    user = user or a_user(role)
    if has_instance:
        a_config(owner=user)
    client = Client()
    client.force_login(user)
    client.user = user
    return client


def text_of(response):
    """Return the visible text of a page."""
    body = re.sub(r"<(style|script).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    texts = unescape(strip_tags(body.replace("<", " <"))).split()
    return re.sub(r" ([.,:;])", r"\1", " ".join(texts))


def the(stage):
    return ModelRegistry.objects.get(stage=stage)


def config_of(client):
    return InstanceConfig.objects.get(owner=client.user, instance_id=INSTANCE)


def numbers(chance=0.0004, monthly=12.5, *, target=True):
    where = {"instance_type": "c5.xlarge", "availability_zone_id": "use1-az6", "purchase": "spot"}
    return {
        "crash_probability": chance,
        "projected_savings": {"hourly": 0.01, "monthly": monthly, "percent": 10.0},
        "target": where if target else None,
        "counts": {"considered": 1151},
    }


def log(client, count, **fields):
    defaults = {"instance_id": INSTANCE, "numbers": numbers(), "model_name": "advisor-prior"}
    defaults |= {"model_version": "1"}
    return experiments(count, owner=client.user, **defaults | fields)


class TestAccess:
    @pytest.mark.parametrize("path", ["/lab", PAGE])
    def test_requires_a_signed_in_user(self, client, path):
        response = client.get(path)

        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in?next=/lab")

    @pytest.mark.parametrize("role", ["user", "lab", "admin"])
    def test_an_instance_of_another_user_is_a_404_like_an_unknown_one(self, role):
        a_browser()
        client = a_browser(role, has_instance=False)

        other, unknown = client.get(PAGE), client.get("/lab/instances/i-unknown")

        assert (other.status_code, unknown.status_code) == (404, 404)
        assert text_of(other) == text_of(unknown)
        assert "You never had a session for this instance" in text_of(other)

    @pytest.mark.parametrize("name", ["%00", "a" * 500, "%F0%9F%92%A9", "..%2Fmodels"])
    def test_an_invalid_id_is_a_404(self, name):
        assert a_browser("lab").get(f"/lab/instances/{name}").status_code == 404

    def test_a_user_reads_and_sees_which_role_may_change(self):
        client = a_browser("user")

        for path in ("/lab", PAGE):
            page = client.get(path)
            assert page.status_code == 200
            assert "you need the role lab or admin; yours is User" in text_of(page)
            assert not re.findall(r'action="/lab/[^"]*(?:stage|model)"', page.content.decode())

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/lab/models/{model}/stage", {"stage": "champion"}),
            (f"{PAGE}/model", {"model_id": "{model}"}),
            (f"{PAGE}/config", {"pipeline_mode": "SINGLE_LINEAR"}),
        ],
    )
    def test_a_users_own_post_requests_change_nothing(self, path, body):
        client, model = a_browser("user"), the("challenger")
        body = {name: value.format(model=model.pk) for name, value in body.items()}

        response = client.post(path.format(model=model.pk), body)

        assert response.status_code == 403
        assert "Ask an administrator for another" in text_of(response)
        assert the("challenger") == model
        assert config_of(client).pipeline_mode == "CLUSTER_FULL"

    def test_only_researchers_see_who_moved_a_model(self):
        mover = a_user("lab", username="mover-of-models")
        set_stage(model_id=the("challenger").pk, stage="archived", by=mover, now=NOON)

        assert "mover-of-models" in text_of(a_browser("lab").get("/lab"))
        assert "mover-of-models" not in text_of(a_browser("user").get("/lab"))

    def test_a_change_needs_a_csrf_token(self):
        client = a_browser("lab")
        client.handler.enforce_csrf_checks = True

        response = client.post(f"{PAGE}/config", {"pipeline_mode": "SINGLE_LINEAR"})

        assert response.status_code == 403
        assert config_of(client).pipeline_mode == "CLUSTER_FULL"


class TestModels:
    def test_are_shown_with_scores_beside_the_champions_and_their_limits(self):
        page = text_of(a_browser().get("/lab"))

        assert "advisor-prior 1" in page
        assert "2.5 points" in page
        assert "1.0 points better than 2.5" in page
        assert "0.907 same" in page
        assert "better in 7, worse in 2 and the same in 3 of 12 scores" in page
        assert "Ranking: no better than the champion next month" in page
        assert "9,028 pools" in page

    def test_without_scores_the_card_states_it(self):
        a_challenger(name="home-made")

        page = text_of(a_browser().get("/lab"))

        assert "home-made" in page
        assert "No metrics are registered for this model" in page

    def test_show_scores_of_periods_without_a_title(self):
        figures = {"autumn_of_2027": {"auc": 0.5, "brier_skill": None}, "note": "by hand"}
        a_challenger(
            metrics=figures, lineage={"source": ["a", "b"], "learned_from": {"rows": 1000}}
        )

        page = text_of(a_browser().get("/lab"))

        assert "Autumn of 2027" in page
        assert "Learned from: Rows 1,000" in page

    def test_omit_scores_that_are_not_numbers(self):
        a_challenger(metrics={"next_month": {"auc": "high", "brier_skill": [1]}, "held_back": None})

        page = text_of(a_browser().get("/lab"))

        assert f"June 2022 {UNKNOWN} {UNKNOWN} {UNKNOWN}" in page

    def test_a_promotion_describes_its_effect_and_is_undone_the_same_way(self):
        client, old, new = a_browser("lab"), the("champion"), the("challenger")

        page = text_of(client.get("/lab"))
        first = client.post(f"/lab/models/{new.pk}/stage", {"stage": "champion"}, follow=True)
        champion_then = the("champion")
        client.post(f"/lab/models/{old.pk}/stage", {"stage": "champion"})

        assert f"{new} judges every instance that has no model assigned, of all users" in page
        assert f"{new} is champion now." in text_of(first)
        assert (champion_then, the("champion")) == (new, old)
        assert {change.by for change in StageChange.objects.all()} == {client.user}

    def test_an_assigned_model_is_not_archived_and_the_page_explains_why(self):
        client, model = a_browser("lab"), the("challenger")
        client.post(f"{PAGE}/model", {"model_id": model.pk})

        response = client.post(f"/lab/models/{model.pk}/stage", {"stage": "archived"}, follow=True)

        assert response.redirect_chain == [("/lab", 302)]
        assert "is assigned to 1 instance. Assign others there first." in text_of(response)
        assert the("challenger") == model

    @pytest.mark.parametrize("stage", ["", "king", "\0"])
    def test_an_unknown_stage_is_refused(self, stage):
        response = a_browser("lab").post(
            f"/lab/models/{the('challenger').pk}/stage", {"stage": stage}
        )

        assert response.status_code == 400
        assert "Choose one of champion, challenger, archived." in text_of(response)

    def test_an_unknown_one_is_a_404(self):
        response = a_browser("lab").post(f"/lab/models/{uuid4()}/stage", {"stage": "champion"})

        assert response.status_code == 404

    def test_a_local_file_before_the_champion_is_shown(self, settings):
        settings.RISK_MODEL_PATH = "/srv/secret-place/model.json"

        page = text_of(a_browser().get("/lab"))

        assert "that local file is used instead of the champion" in page
        assert "secret-place" not in page


class TestInstanceList:
    def test_are_listed_with_their_last_decision(self):
        client = a_browser()
        log(client, 3, decision="DRAIN")
        a_config(instance_id="i-of-another-user")

        page = client.get("/lab")

        assert f'href="{PAGE}"' in page.content.decode()
        assert re.search(rf"{INSTANCE} us-east-1 the champion 3 DRAIN", text_of(page))
        assert "i-of-another-user" not in text_of(page)

    def test_without_any_the_page_explains_the_next_step(self):
        page = a_browser(has_instance=False).get("/lab")

        assert "An instance is listed here after its first session" in text_of(page)
        assert 'href="/sessions/new"' in page.content.decode()

    def test_the_number_of_queries_does_not_depend_on_the_rows(self):
        client = a_browser()
        with_one = _queries_of(client)
        for number in range(15):
            a_config(owner=client.user, instance_id=f"i-{number}")

        assert _queries_of(client) == with_one

    def test_are_paged(self):
        client = a_browser()
        for number in range(25):
            a_config(owner=client.user, instance_id=f"i-number-{number}")

        first, last = text_of(client.get("/lab")), text_of(client.get("/lab?page=2"))

        assert "Page 1 of 2 Older" in first
        assert "Newer Page 2 of 2" in last
        assert {*re.findall(r"i-number-\d+", first + last)} == {f"i-number-{n}" for n in range(25)}

    @pytest.mark.parametrize("page", ["0", "-1", "99999999999999999999", "two", "%00", ""])
    def test_an_invalid_page_number_shows_the_nearest(self, page):
        client = a_browser()

        assert client.get(f"/lab?page={page}").status_code == 200
        assert client.get(f"{PAGE}?page={page}").status_code == 200


def _queries_of(client):
    with CaptureQueriesContext(connection) as queries:
        client.get("/lab")
    return len(queries)


class TestAnInstance:
    def test_shows_each_stage_with_its_status(self):
        client = a_browser("lab")

        full = text_of(client.get(PAGE))
        client.post(f"{PAGE}/config", {"pipeline_mode": "SINGLE_LINEAR"})
        linear = text_of(client.get(PAGE))

        assert "Right-sizing active Removes types with over twice the vCPU or memory." in full
        assert "Right-sizing off Removes types with over twice the vCPU or memory." in linear
        assert "Bin packing off" in full
        assert "Advisor by the session" in full
        assert "Next: advisor-prior 1." in full

    def test_a_model_is_assigned_with_one_click_and_unassigned_with_another(self):
        client, model = a_browser("lab"), the("challenger")

        assigned = text_of(client.post(f"{PAGE}/model", {"model_id": model.pk}, follow=True))
        config = config_of(client)
        back = text_of(
            client.post(f"{PAGE}/config", {"pipeline_mode": "CLUSTER_FULL"}, follow=True)
        )

        assert f"{model} judges this instance from the next evaluation on." in assigned
        assert f"Next: {model}." in assigned
        assert (config.assigned_model, config.pipeline_mode) == (model, "SINGLE_LINEAR")
        assert "Next: advisor-prior 1." in back
        assert config_of(client).assigned_model is None
        assert f"Model: the champion → {model}; Pipeline: Whole pipeline → Linear" in back

    def test_switches_are_saved_as_they_are_ticked(self):
        client = a_browser("lab")

        client.post(
            f"{PAGE}/config",
            {"switches": "all", "pipeline_mode": "CLUSTER_FULL", "enable_bin_packing": "on"},
        )

        config = config_of(client)
        assert config.enable_bin_packing
        assert not config.enable_right_sizing
        assert not config.enable_family_stress

    def test_saving_switches_in_the_same_mode_preserves_the_assignment(self):
        client, model = a_browser("lab"), the("challenger")
        client.post(f"{PAGE}/model", {"model_id": model.pk})
        InstanceConfig.objects.update(pipeline_mode="CLUSTER_FULL")  # as the API allows

        client.post(f"{PAGE}/config", {"switches": "all", "pipeline_mode": "CLUSTER_FULL"})

        assert config_of(client).assigned_model == model
        assert not config_of(client).enable_family_stress

    def test_the_whole_pipeline_ends_an_assignment_and_preserves_the_switches(self):
        client = a_browser("lab")
        client.post(f"{PAGE}/model", {"model_id": the("challenger").pk})

        client.post(
            f"{PAGE}/config",
            {"switches": "all", "pipeline_mode": "CLUSTER_FULL", "enable_family_stress": "on"},
        )

        config = config_of(client)
        assert config.assigned_model is None
        assert (config.enable_family_stress, config.enable_right_sizing) == (True, False)

    def test_an_archived_model_is_not_offered_and_not_assigned(self):
        client, model = a_browser("lab"), the("challenger")
        set_stage(model_id=model.pk, stage="archived", by=None, now=NOON)

        page = text_of(client.get(PAGE))
        response = client.post(f"{PAGE}/model", {"model_id": model.pk}, follow=True)

        assert f"Assign {model}" not in page
        assert "is archived. Make it a challenger first" in text_of(response)
        assert config_of(client).assigned_model is None

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("model", {}, 400),
            ("model", {"model_id": "none"}, 400),
            ("model", {"model_id": str(uuid4())}, 404),
            ("config", {}, 400),
            ("config", {"pipeline_mode": "FASTER"}, 400),
        ],
    )
    def test_a_tampered_form_is_an_error_page(self, path, body, status):
        response = a_browser("lab").post(f"{PAGE}/{path}", body)

        assert response.status_code == status
        assert "Traceback" not in text_of(response)

    def test_the_config_of_another_owner_is_unchanged(self):
        mine, theirs = a_browser("lab"), a_browser("lab")

        mine.post(f"{PAGE}/config", {"pipeline_mode": "SINGLE_LINEAR"})

        assert config_of(mine).pipeline_mode == "SINGLE_LINEAR"
        assert config_of(theirs).pipeline_mode == "CLUSTER_FULL"


class TestExperiments:
    def test_are_shown_newest_first_with_the_command_that_replays_them(self):
        client = a_browser()
        older = next(
            iter(log(client, 1, decision="STAY", numbers=numbers(0.032, 0.0, target=False)))
        )
        newer = next(iter(log(client, 1, since=NOON, decision="SWITCH")))

        page = text_of(client.get(PAGE))

        assert "SWITCH c5.xlarge in use1-az6 0.04 % $12.50" in page
        assert "STAY 3.2 % $0.00" in page
        assert page.index(f"manage.py replay {newer}") < page.index(f"manage.py replay {older}")

    def test_are_shown_twenty_a_page(self):
        client = a_browser()
        logged = log(client, 45)

        pages = [text_of(client.get(f"{PAGE}?page={number}")) for number in (1, 2, 3)]

        found = [re.findall(r"manage.py replay (\S+)", page) for page in pages]
        assert [len(each) for each in found] == [20, 20, 5]
        assert {each for page in found for each in page} == {str(pk) for pk in logged}

    def test_of_other_users_are_not_listed(self):
        client = a_browser()
        other = log(a_browser(), 1)

        assert str(next(iter(other))) not in text_of(client.get(PAGE))

    def test_are_summarized_for_each_model(self):
        client = a_browser()
        log(client, 2, decision="STAY", numbers=numbers(0.02, 0.0))
        log(client, 1, since=NOON, model_name="rival", numbers=numbers(0.04, 30.0))
        log(client, 1, since=NOON, model_name="rival", numbers=numbers(0.06, -10.0))

        page = text_of(client.get(PAGE))

        assert "advisor-prior 1 2 0 of 2 2 % $0.00" in page
        assert "rival 1 2 2 of 2 5 % $10.00" in page

    def test_are_drawn_and_described_for_screen_readers(self):
        client = a_browser()
        log(client, 3, numbers=numbers(0.02, 5.0))
        log(client, 1, since=NOON, model_name="rival", numbers=numbers(0.04, -10.0))

        page = client.get(PAGE).content.decode()

        assert (
            'aria-label="Projected savings over 4 experiments, from the oldest to the newest: '
            f'between {MINUS}10 and 5 US dollars a month, newest {MINUS}10."'
        ) in page
        assert page.count('class="mark"') == 2 * 4 + 2  # two charts, and the models' keys
        assert "<title>rival 1, 2 Nov, 12:00: 4 %</title>" in page

    def test_a_missing_number_leaves_a_gap(self):
        client = a_browser()
        log(client, 2, numbers={})
        log(client, 1, numbers=numbers(None, None), milliseconds={})

        page = client.get(PAGE)

        assert page.status_code == 200
        assert "Projected savings: no values." in page.content.decode()
        assert f"advisor-prior 1 3 3 of 3 {UNKNOWN} {UNKNOWN}" in text_of(page)

    def test_without_any_the_page_explains_the_next_step(self):
        page = text_of(a_browser().get(PAGE))

        assert "Evaluate this instance in its session with each model" in page

    def test_a_fallback_model_is_shown(self):
        client = a_browser()
        wanted = {"wanted": {"id": None, "name": "lost", "version": "7"}, "reason": "It is gone."}
        log(client, 1, model_fallback=wanted)

        assert "advisor-prior 1 instead of lost 7" in text_of(client.get(PAGE))

    def test_a_model_name_is_escaped(self):
        client = a_browser()
        log(client, 1, model_name="<script>alert(1)</script>", since=NOON - timedelta(days=1))

        assert "<script>alert(1)" not in client.get(PAGE).content.decode()


@pytest.mark.parametrize("role", ["user", "lab"])
def test_pages_have_no_inline_scripts_or_styles(role):
    client = a_browser(role)
    log(client, 2)

    for path in ("/lab", PAGE):
        response = client.get(path)
        page = response.content.decode()
        assert "unsafe-inline" not in response["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page)
