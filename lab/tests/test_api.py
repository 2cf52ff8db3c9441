import json
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.testing import a_user, signed_in
from lab.api.urls import urlpatterns
from lab.models import ConfigChange, ExperimentLog, InstanceConfig, ModelRegistry, StageChange
from lab.queries import get_own_config
from lab.testing import INSTANCE, a_challenger, a_config
from spot_optimizer.errors import Missing

UNKNOWN_ID = "0f6a9f0e-6c1d-4d0e-9a57-3f1f2f1e8d11"

pytestmark = pytest.mark.django_db
LAB = "/api/v1/lab"
CONFIG = f"{LAB}/config/{INSTANCE}"
STAGES = ["input", "hardware", "advisor", "right_sizing", "risk", "safety_gate"]
STAGES += ["ranking", "signal", "output"]


def the_champion():
    return ModelRegistry.objects.get(stage="champion")


def a_researcher(role="lab"):
    """Return the client of a user who has a session for the instance."""
    owner = a_user(role)
    a_config(owner=owner)
    return signed_in(owner)


def assign(client, model, instance_id=INSTANCE):
    body = {"instance_id": instance_id, "model_id": str(model.pk)}
    return client.post(f"{LAB}/assign-model", body, format="json")


def put(client, **fields):
    return client.put(CONFIG, fields, format="json")


def to_stage(client, model, stage):
    return client.post(f"{LAB}/models/{model.pk}/stage", {"stage": stage}, format="json")


class TestPermissions:
    OF_AN_INSTANCE = ["pipeline-status/{instance}", "config/{instance}", "experiments/{instance}"]
    READS = ["models", "models/{model}", *OF_AN_INSTANCE]
    WRITES = ["assign-model", "config/{instance}", "models/{model}/stage"]

    def test_the_lists_above_have_every_url(self):
        known = {
            str(each.pattern)
            .replace("<uuid:model_id>", "{model}")
            .replace("<str:instance_id>", "{instance}")
            for each in urlpatterns
        }

        assert known == {*self.READS, *self.WRITES}

    def queries(self, client, path):
        filled = path.format(model=the_champion().pk, instance=INSTANCE)
        return client.get(f"{LAB}/{filled}").status_code

    def written(self, client):
        model = a_challenger()
        responses = [assign(client, model), put(client, shadow=True)]
        return [response.status_code for response in responses] + [
            to_stage(client, model, "champion").status_code
        ]

    @pytest.mark.parametrize("path", READS)
    def test_reading_requires_a_signed_in_user(self, path):
        assert self.queries(APIClient(), path) == 401

    @pytest.mark.parametrize("path", READS)
    @pytest.mark.parametrize("role", ["user", "lab", "admin"])
    def test_each_role_reads(self, path, role):
        assert self.queries(a_researcher(role), path) == 200

    @pytest.mark.parametrize("path", OF_AN_INSTANCE)
    @pytest.mark.parametrize("role", ["user", "lab", "admin"])
    def test_no_role_reads_an_instance_of_another_user(self, path, role):
        a_config()

        assert self.queries(signed_in(a_user(role)), path) == 404

    def test_writing_requires_a_signed_in_user(self):
        a_config()

        assert self.written(APIClient()) == [401, 401, 401]

    def test_a_user_may_not_write(self):
        client = a_researcher("user")

        assert self.written(client) == [403, 403, 403]
        assert assign(client, a_challenger()).json()["code"] == "role_required"
        assert not StageChange.objects.exists()
        assert not ConfigChange.objects.exists()

    @pytest.mark.parametrize("role", ["lab", "admin"])
    def test_the_lab_and_admins_write(self, role):
        assert self.written(a_researcher(role)) == [200, 200, 200]

    @pytest.mark.parametrize("role", ["lab", "admin"])
    def test_no_role_writes_an_instance_of_another_user(self, role):
        config = a_config()
        client = signed_in(a_user(role))

        assert self.written(client)[:2] == [404, 404]
        config.refresh_from_db()
        assert (config.assigned_model, config.shadow) == (None, False)

    def test_two_owners_of_one_instance_have_a_config_each(self):
        ada, bob = a_researcher(), a_researcher()

        put(ada, shadow=True)

        assert ada.get(CONFIG).json()["shadow"] is True
        assert bob.get(CONFIG).json()["shadow"] is False


class TestAssigning:
    def test_returns_the_contracts_body_and_sets_the_linear_pipeline(self):
        client, model = a_researcher(), a_challenger()

        response = assign(client, model)

        assert response.json() == {
            "status": "updated",
            "mode": "Lab Experiment Active",
            "instance_id": INSTANCE,
            "model_id": str(model.pk),
        }
        config = client.get(CONFIG).json()
        assert config["pipeline_mode"] == "SINGLE_LINEAR"
        assert config["assigned_model_id"] == str(model.pk)

    def test_an_archived_model_is_refused(self):
        client, model = a_researcher(), a_challenger()
        to_stage(client, model, "archived")

        response = assign(client, model)

        assert (response.status_code, response.json()["code"]) == (409, "model_archived")
        assert put(client, assigned_model_id=str(model.pk)).status_code == 409

    def test_a_model_that_cannot_be_loaded_is_refused(self):
        client, model = a_researcher(), a_challenger()
        ModelRegistry.objects.filter(pk=model.pk).update(sha256="0" * 64)

        response = assign(client, model)

        assert (response.status_code, response.json()["code"]) == (409, "model_unusable")
        assert "checksums differ" in response.json()["detail"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({}, 400),
            ({"instance_id": INSTANCE}, 400),
            ({"instance_id": INSTANCE, "model_id": "x"}, 400),
            ({"instance_id": INSTANCE, "model_id": None}, 400),
            ({"instance_id": INSTANCE, "model_id": UNKNOWN_ID}, 404),
            ({"instance_id": "i-unknown", "model_id": UNKNOWN_ID}, 404),
            ({"instance_id": "i" * 65, "model_id": UNKNOWN_ID}, 400),
            ({"instance_id": "\0", "model_id": UNKNOWN_ID}, 400),
            ({"instance_id": "\ud800", "model_id": UNKNOWN_ID}, 400),
            ({"instance_id": [INSTANCE], "model_id": UNKNOWN_ID}, 400),
            ([], 400),
            ("x", 400),
        ],
    )
    def test_an_invalid_body_is_refused(self, body, status):
        response = a_researcher().post(
            f"{LAB}/assign-model", json.dumps(body), content_type="application/json"
        )

        assert response.status_code == status


class TestPipelineStatus:
    def test_has_all_stages_and_the_parts_that_can_be_switched(self):
        status = a_researcher("user").get(f"{LAB}/pipeline-status/{INSTANCE}").json()

        assert list(status) == [
            "instance_id",
            "pipeline_mode",
            *STAGES,
            "bin_packing",
            "family_stress",
        ]
        assert all(status[stage]["description"] for stage in STAGES)
        assert status["right_sizing"]["status"] == "active"
        assert status["bin_packing"]["status"] == "disabled"
        assert status["risk"]["model"]["name"] == "advisor-prior"

    def test_follows_the_config(self):
        client = a_researcher()
        put(client, pipeline_mode="SINGLE_LINEAR", enable_family_stress=False)

        status = client.get(f"{LAB}/pipeline-status/{INSTANCE}").json()

        assert status["pipeline_mode"] == "SINGLE_LINEAR"
        assert status["right_sizing"]["status"] == "disabled"
        assert status["family_stress"]["status"] == "disabled"

    def test_returns_the_fallback_model(self):
        client, model = a_researcher(), a_challenger()
        assign(client, model)
        ModelRegistry.objects.filter(pk=model.pk).update(sha256="0" * 64)

        risk = client.get(f"{LAB}/pipeline-status/{INSTANCE}").json()["risk"]

        assert risk["model"]["id"] == str(the_champion().pk)
        assert risk["model_fallback"]["wanted"]["id"] == str(model.pk)

    def test_without_a_usable_model_risk_is_unusable(self):
        client = a_researcher()
        ModelRegistry.objects.update(sha256="0" * 64)

        risk = client.get(f"{LAB}/pipeline-status/{INSTANCE}").json()["risk"]

        assert (risk["status"], risk["model"]) == ("unusable", None)


class TestConfig:
    def test_has_defaults(self):
        config = a_researcher("user").get(CONFIG).json()

        del config["updated_at"]
        assert config == {
            "instance_id": INSTANCE,
            "pipeline_mode": "CLUSTER_FULL",
            "assigned_model_id": None,
            "shadow": False,
            "enable_bin_packing": False,
            "enable_right_sizing": True,
            "enable_family_stress": True,
            "aws_region": "us-east-1",
        }

    def test_the_body_of_a_get_may_be_put(self):
        client = a_researcher()
        assign(client, a_challenger())
        config = client.get(CONFIG).json()
        changes = ConfigChange.objects.count()

        response = client.put(CONFIG, config, format="json")

        assert response.json() == config
        assert ConfigChange.objects.count() == changes

    def test_omitted_fields_are_unchanged(self):
        client, model = a_researcher(), a_challenger()
        assign(client, model)

        config = put(client, enable_family_stress=False).json()

        assert config["pipeline_mode"] == "SINGLE_LINEAR"
        assert config["assigned_model_id"] == str(model.pk)
        assert config["enable_family_stress"] is False

    def test_cluster_full_enables_all_stages_and_ends_the_assignment(self):
        client = a_researcher()
        assign(client, a_challenger())
        put(client, enable_family_stress=False, enable_right_sizing=False)

        config = put(client, pipeline_mode="CLUSTER_FULL").json()

        assert config["assigned_model_id"] is None
        assert config["enable_family_stress"] is config["enable_right_sizing"] is True

    def test_cluster_full_applies_the_fields_sent_with_it(self):
        client, model = a_researcher(), a_challenger()

        config = put(
            client,
            pipeline_mode="CLUSTER_FULL",
            assigned_model_id=str(model.pk),
            enable_right_sizing=False,
        ).json()

        assert config["assigned_model_id"] == str(model.pk)
        assert config["enable_right_sizing"] is False
        assert config["enable_family_stress"] is True

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"pipeline_mode": "FAST"}, "pipeline_mode"),
            ({"pipeline_mode": None}, "pipeline_mode"),
            ({"assigned_model_id": "x"}, "assigned_model_id"),
            ({"shadow": "yes"}, "shadow"),
            ({"shadow": 1}, "shadow"),
            ({"shadow": None}, "shadow"),
            ({"enable_bin_packing": "true"}, "enable_bin_packing"),
            ({"enable_right_sizing": []}, "enable_right_sizing"),
            ({"enable_family_stress": {}}, "enable_family_stress"),
            ({"aws_region": "Frankfurt"}, "aws_region"),
            ({"aws_region": ""}, "aws_region"),
            ({"instance_id": "i-another"}, "instance_id"),
        ],
    )
    def test_an_invalid_field_is_named_and_changes_nothing(self, fields, named):
        client = a_researcher()
        before = client.get(CONFIG).json()

        response = put(client, **fields)

        assert (response.status_code, list(response.json()["errors"])) == (400, [named])
        assert client.get(CONFIG).json() == before

    def test_an_unknown_model_is_not_found(self):
        assert put(a_researcher(), assigned_model_id=str(uuid4())).status_code == 404

    @pytest.mark.parametrize("instance_id", ["i-unknown", "i" * 65, "%00", "%F0%9F%92%A9", "%FF"])
    @pytest.mark.parametrize("path", ["config", "pipeline-status", "experiments"])
    def test_an_unknown_instance_is_not_found(self, path, instance_id):
        response = a_researcher().get(f"{LAB}/{path}/{instance_id}")

        assert (response.status_code, response.json()["code"]) == (404, "not_found")

    def test_an_id_with_a_nul_is_not_sent_to_the_database(self, django_assert_num_queries):
        owner = a_user()

        # PostgreSQL rejects a NUL in a parameter, SQLite does not.
        with django_assert_num_queries(0), pytest.raises(Missing):
            get_own_config(owner=owner, instance_id="i-\0")

    def test_every_change_is_stored_with_user_time_before_and_after(self):
        client = a_researcher()
        put(client, shadow=True)
        put(client, shadow=True)
        put(client, shadow=False, enable_bin_packing=True)

        [second, first] = ConfigChange.objects.all()

        assert (first.before, first.after) == ({"shadow": False}, {"shadow": True})
        assert second.before == {"shadow": True, "enable_bin_packing": False}
        assert second.after == {"shadow": False, "enable_bin_packing": True}
        assert first.by == InstanceConfig.objects.get().owner
        assert first.at < second.at


class TestExperiments:
    def test_are_paged_newest_first_and_without_their_inputs(self):
        client = a_researcher()
        config = InstanceConfig.objects.get()
        made = [an_experiment(config) for _ in range(5)]

        first = client.get(f"{LAB}/experiments/{INSTANCE}", {"limit": 2}).json()
        second = client.get(first["next"]).json()
        third = client.get(second["next"]).json()

        seen = [row["experiment_id"] for page in (first, second, third) for row in page["results"]]
        assert seen == [str(experiment.pk) for experiment in reversed(made)]
        assert third["next"] is None
        assert "inputs" not in first["results"][0]

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x"])
    def test_an_invalid_page_is_refused(self, query):
        assert a_researcher().get(f"{LAB}/experiments/{INSTANCE}?{query}").status_code == 400

    def test_of_another_owner_are_not_found(self):
        an_experiment(a_config())

        assert a_researcher().get(f"{LAB}/experiments/{INSTANCE}").json()["results"] == []


class TestModels:
    def test_return_the_registrys_fields(self):
        client = a_researcher("user")
        model = a_challenger(metrics={"auc": 0.7}, lineage={"source": "a test"})

        listed = client.get(f"{LAB}/models").json()["results"]
        one = client.get(f"{LAB}/models/{model.pk}").json()

        assert {row["stage"] for row in listed} == {"champion", "challenger"}
        assert one in listed
        assert one["metrics"] == {"auc": 0.7}
        assert one["feature_names"] == ["advisor_band", "family_stress_mean"]

    @pytest.mark.parametrize("model_id", ["x", "1", UNKNOWN_ID])
    def test_an_unknown_one_is_not_found(self, model_id):
        client = a_researcher()

        assert client.get(f"{LAB}/models/{model_id}").status_code == 404
        assert (
            client.post(
                f"{LAB}/models/{model_id}/stage", {"stage": "champion"}, format="json"
            ).status_code
            == 404
        )

    @pytest.mark.parametrize("body", [{}, {"stage": "best"}, {"stage": None}, [], {"stage": [1]}])
    def test_an_unknown_stage_is_refused(self, body):
        response = a_researcher().post(
            f"{LAB}/models/{the_champion().pk}/stage", body, format="json"
        )

        assert response.status_code == 400


def an_experiment(config):
    return ExperimentLog.objects.create(
        owner=config.owner,
        evaluation_id=uuid4(),
        instance_id=config.instance_id,
        model=the_champion(),
        model_name="advisor-prior",
        model_version="1",
        pipeline_mode="CLUSTER_FULL",
        decision="STAY",
        inputs_hash="0" * 64,
        inputs=b"",
        created_at=timezone.now(),
    )
