from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.testing import a_user, an_admin, signed_in
from lab import services
from lab.models import ModelRegistry, StageChange
from lab.testing import a_challenger, a_config
from spot_optimizer.errors import DomainError

pytestmark = pytest.mark.django_db


def to_stage(model, stage, by=None):
    return services.set_stage(model_id=model.pk, stage=stage, by=by, now=timezone.now())


def the_champion():
    return ModelRegistry.objects.get(stage="champion")


def refused(call, *arguments):
    with pytest.raises(DomainError) as caught:
        call(*arguments)
    return caught.value.code


class TestSetStage:
    def test_the_old_champion_is_demoted_and_promoted_again_with_one_call(self):
        old, new = the_champion(), a_challenger()

        to_stage(new, "champion")
        demoted_to = ModelRegistry.objects.get(pk=old.pk).stage
        to_stage(old, "champion")

        assert demoted_to == "challenger"
        assert the_champion() == old
        assert ModelRegistry.objects.get(pk=new.pk).stage == "challenger"

    def test_every_change_is_stored_with_user_time_before_and_after(self):
        old, new, who = the_champion(), a_challenger(), a_user("lab")

        to_stage(new, "champion", by=who)
        to_stage(new, "champion", by=who)

        changes = {change.model: change for change in StageChange.objects.all()}
        assert (changes[old].before, changes[old].after) == ("champion", "challenger")
        assert (changes[new].before, changes[new].after) == ("challenger", "champion")
        assert {change.by for change in changes.values()} == {who}
        assert StageChange.objects.count() == 2

    @pytest.mark.parametrize("stage", ["challenger", "archived"])
    def test_the_champion_cannot_leave_its_stage(self, stage):
        assert refused(to_stage, the_champion(), stage) == "champion_needed"
        assert not StageChange.objects.exists()

    def test_an_assigned_model_cannot_be_archived(self):
        model, config = a_challenger(), a_config()
        services.assign_model(config=config, model=model, by=config.owner, now=timezone.now())

        assert refused(to_stage, model, "archived") == "model_assigned"

    def test_an_archived_model_can_be_restored(self):
        model = a_challenger()
        to_stage(model, "archived")

        to_stage(model, "challenger")

        assert ModelRegistry.objects.get(pk=model.pk).stage == "challenger"

    def test_an_unusable_model_cannot_be_promoted(self):
        old, model = the_champion(), a_challenger()
        ModelRegistry.objects.filter(pk=model.pk).update(sha256="0" * 64)

        assert refused(to_stage, model, "champion") == "model_unusable"
        assert the_champion() == old

    def test_the_database_allows_one_champion_only(self):
        model = a_challenger()

        with pytest.raises(IntegrityError), transaction.atomic():
            ModelRegistry.objects.filter(pk=model.pk).update(stage="champion")

    def test_the_database_refuses_a_change_to_the_same_stage(self):
        with pytest.raises(IntegrityError), transaction.atomic():
            StageChange.objects.create(
                model=the_champion(), at=timezone.now(), before="archived", after="archived"
            )


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def together(self, *calls):
        start = Barrier(len(calls))

        def attempt(call):
            start.wait()
            try:
                call()
            except DomainError as refusal:
                return refusal.code
            finally:
                connection.close()
            return "done"

        with ThreadPoolExecutor(max_workers=len(calls)) as pool:
            return list(pool.map(attempt, calls))

    def test_twenty_promotions_leave_one_champion(self):
        models = [a_challenger() for _ in range(5)]
        to_stage(models[0], "champion")
        before = StageChange.objects.latest("pk").pk

        codes = self.together(
            *[
                lambda model=model: to_stage(model, "champion")
                for model, _ in zip(cycle(models), range(20))
            ]
        )

        assert set(codes) == {"done"}
        assert ModelRegistry.objects.filter(stage="champion").count() == 1
        changes = StageChange.objects.filter(pk__gt=before).order_by("pk")
        assert last_of(changes, first=models[0].pk) == the_champion().pk

    def test_a_model_is_not_assigned_while_it_is_archived(self):
        model = a_challenger()
        configs = [a_config() for _ in range(6)]
        now = timezone.now()

        codes = self.together(
            lambda: to_stage(model, "archived"),
            *[
                lambda config=config: services.assign_model(
                    config=config, model=model, by=config.owner, now=now
                )
                for config in configs
            ],
        )

        model.refresh_from_db()
        is_archived = model.stage == "archived"
        assert is_archived is (model.assignments.count() == 0)
        assert codes[0] == ("done" if is_archived else "model_assigned")
        assert set(codes[1:]) <= {"done", "model_archived"}


def last_of(changes, *, first):
    """Follow the promotions: each demotes the champion that the one before left."""
    champion = first
    for change in changes:
        if change.before == "champion":
            assert change.model_id == champion
            champion = None
        else:
            assert champion is None
            champion = change.model_id
    return champion


class TestAdmin:
    @pytest.fixture
    def browser(self, client):
        client.force_login(an_admin())
        return client

    def act(self, browser, action, *models):
        body = {"action": action, "_selected_action": [str(model.pk) for model in models]}
        where = reverse("admin:lab_modelregistry_changelist")
        return browser.post(where, body, follow=True).content.decode()

    def test_promotes_through_the_service(self, browser):
        model = a_challenger()

        page = self.act(browser, "promote", model)

        assert f"Now champion: {model}." in page
        assert the_champion() == model
        assert StageChange.objects.filter(by__isnull=False).count() == 2

    def test_shows_the_reason_of_a_refusal(self, browser):
        assert "Select one model" in self.act(browser, "promote", the_champion(), a_challenger())
        assert "is the champion" in self.act(browser, "archive", the_champion())

    @pytest.mark.parametrize(
        "table",
        ["modelregistry", "stagechange", "instanceconfig", "configchange", "experimentlog"],
    )
    def test_is_read_only(self, browser, table):
        assert browser.get(reverse(f"admin:lab_{table}_changelist")).status_code == 200
        assert browser.get(reverse(f"admin:lab_{table}_add")).status_code == 403

    def test_others_cannot_promote(self, client):
        client.force_login(a_user("lab"))

        self.act(client, "promote", a_challenger())

        assert not StageChange.objects.exists()


def test_the_browsable_api_renders_the_lab():
    client = signed_in(a_user("lab"))

    page = client.get("/api/v1/lab/models", HTTP_ACCEPT="text/html")

    assert page.status_code == 200
    assert "advisor-prior" in page.content.decode()
