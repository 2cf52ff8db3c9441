"""The effect of assignments and configs on evaluations, and the experiment log."""

import hashlib
import zlib
from importlib import import_module
from io import StringIO
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.testing import a_user, signed_in
from lab.models import ExperimentLog, InstanceConfig, ModelRegistry
from lab.registry.artifacts import SHIPPED
from lab.services import assign_model, change_config, set_stage
from lab.testing import a_challenger, an_artifact
from sandbox.cleanup import jobs as cleanup
from sandbox.evaluation import jobs as evaluations
from sandbox.services import request_evaluation
from sandbox.testing import a_session, a_silent_session, an_emulated_session
from streaming.models import Line

pytestmark = pytest.mark.django_db
LARGEST = 64 * 1024  # [bytes] of an experiment's frozen inputs in the local AWS


def evaluated(session, model=None):
    now = timezone.now()
    evaluation = request_evaluation(session=session, model=model, now=now)
    evaluations.evaluate(evaluation_id=evaluation.pk, now=now)
    evaluation.refresh_from_db()
    return evaluation


def config_of(session):
    return InstanceConfig.objects.get(owner=session.user, instance_id=session.instance_id)


def assign(session, model):
    config = config_of(session)
    assign_model(config=config, model=model, by=session.user, now=timezone.now())


def change(session, **fields):
    now = timezone.now()
    change_config(config=config_of(session), fields=fields, by=session.user, now=now)


def stage(evaluation, name):
    return next(step for step in evaluation.outcome["trace"] if step["stage"] == name)


def warnings(session):
    lines = Line.objects.filter(stream=session.pk, body__level="WARNING")
    return [line.body["message"] for line in lines]


def replayed(*arguments):
    out = StringIO()
    call_command("replay", *arguments, stdout=out)
    return out.getvalue()


class TestOwnInstance:
    CONFIG = "/api/v1/lab/config/i-mine"

    def test_has_a_config_from_its_first_session_on(self):
        owner = a_user()
        before = signed_in(owner).get(self.CONFIG).status_code
        session = a_session(user=owner, instance_id="i-mine", aws_region="eu-west-1")

        cleanup.expire(session_id=session.pk, now=session.expires_at)

        session.refresh_from_db()
        assert (before, session.state) == (404, "ended")
        assert signed_in(owner).get(self.CONFIG).json()["aws_region"] == "eu-west-1"

    def test_of_an_older_session_gets_its_config_by_migration(self):
        owner = a_user()
        for region in ("us-east-1", "eu-west-1"):
            a_silent_session(user=owner, instance_id="i-mine", aws_region=region)
        migration = import_module("sandbox.migrations.0003_known_instances")

        migration.make_configs(apps, None)
        migration.make_configs(apps, None)

        assert InstanceConfig.objects.filter(owner=owner).count() == 1
        assert signed_in(owner).get(self.CONFIG).status_code == 200


class TestConfig:
    def test_a_disabled_stage_rejects_nothing(self, market):
        session = an_emulated_session(market)
        change(session, enable_right_sizing=False)

        right_sizing = stage(evaluated(session), "right_sizing")

        assert right_sizing["status"] == "disabled"
        assert right_sizing["in"] == right_sizing["out"]

    def test_without_family_stress_the_prior_is_unchanged(self, market):
        session = an_emulated_session(market)
        bent = evaluated(session)
        change(session, enable_family_stress=False)

        plain = evaluated(session)

        assert plain.outcome["crash_probability"] != bent.outcome["crash_probability"]
        assert "Family stress is off" in stage(plain, "risk")["note"]

    def test_a_requested_model_is_used_for_one_evaluation(self, market):
        session, model = an_emulated_session(market), a_challenger()

        requested, next_one = evaluated(session, model), evaluated(session)

        assert requested.outcome["model"]["id"] == str(model.pk)
        assert next_one.outcome["model"]["name"] == "advisor-prior"
        assert next_one.outcome["model"]["version"] == "1"

    def test_a_promoted_model_is_used_from_the_next_evaluation_on(self, market):
        session, model = an_emulated_session(market), a_challenger()
        before = evaluated(session)
        set_stage(model_id=model.pk, stage="champion", by=None, now=timezone.now())

        after = evaluated(session)

        assert before.outcome["model"]["version"] == "1"
        assert after.outcome["model"]["id"] == str(model.pk)


class TestModelFallback:
    BROKEN = [
        ({"sha256": "0" * 64}, "checksums differ"),
        ({"artifact": "package:nowhere.json"}, "cannot be read"),
        ({"artifact": "package:model.pkl"}, "can run code"),
        ({"feature_names": ["moon"]}, "other features"),
    ]

    @pytest.mark.parametrize(("fields", "expected"), BROKEN)
    def test_names_the_unusable_assigned_model_and_the_one_used_instead(
        self, market, fields, expected
    ):
        session, model = an_emulated_session(market), a_challenger()
        assign(session, model)
        ModelRegistry.objects.filter(pk=model.pk).update(**fields)

        evaluation = evaluated(session)

        champion = ModelRegistry.objects.get(stage="champion")
        assert evaluation.state == "decided"
        assert evaluation.outcome["model"]["id"] == str(champion.pk)
        fallback = evaluation.outcome["model_fallback"]
        assert fallback["wanted"]["id"] == str(model.pk)
        assert expected in fallback["reason"]
        [warning] = warnings(session)
        assert expected in warning
        assert "advisor-prior 1 is used instead" in warning
        stored = ExperimentLog.objects.get(evaluation_id=evaluation.pk)
        assert (stored.model, stored.model_fallback) == (champion, fallback)

    def test_names_an_unusable_requested_model(self, market):
        session, model = an_emulated_session(market), a_challenger()
        ModelRegistry.objects.filter(pk=model.pk).update(sha256="0" * 64)

        evaluation = evaluated(session, ModelRegistry.objects.get(pk=model.pk))

        assert evaluation.outcome["model_fallback"]["wanted"]["id"] == str(model.pk)

    def test_is_null_if_the_model_is_usable(self, market):
        session = an_emulated_session(market)

        evaluation = evaluated(session)

        assert evaluation.outcome["model_fallback"] is None
        assert warnings(session) == []

    def test_fails_and_names_both_models_if_none_is_usable(self, market):
        session, model = an_emulated_session(market), a_challenger()
        assign(session, model)
        ModelRegistry.objects.update(sha256="0" * 64)

        evaluation = evaluated(session)

        assert evaluation.error["code"] == "model_unusable"
        assert str(model) in evaluation.error["detail"]
        assert "advisor-prior 1 " in evaluation.error["detail"]
        assert not ExperimentLog.objects.exists()

    def test_a_local_file_is_used_and_logged_without_a_registry(self, market, tmp_path, settings):
        path = tmp_path / "mine.json"
        path.write_bytes(an_artifact())
        settings.RISK_MODEL_PATH = str(path)

        evaluation = evaluated(an_emulated_session(market))

        assert evaluation.outcome["model"] == {"id": None, "name": "mine", "version": "local"}
        stored = ExperimentLog.objects.get()
        assert (stored.model, stored.model_name, stored.model_version) == (None, "mine", "local")


class TestExperimentLog:
    def test_has_one_entry_for_each_evaluation(self, market):
        session = an_emulated_session(market)
        evaluation = evaluated(session)

        evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())

        stored, outcome = ExperimentLog.objects.get(), evaluation.outcome
        assert stored.evaluation_id == evaluation.pk
        assert (stored.owner, stored.instance_id) == (session.user, session.instance_id)
        assert stored.decision == evaluation.decision
        assert stored.pipeline_mode == "CLUSTER_FULL"
        assert stored.numbers["crash_probability"] == outcome["crash_probability"]
        assert stored.numbers["projected_savings"] == outcome["projected_savings"]
        assert stored.numbers["current"]["expected_cost"] == outcome["current"]["expected_cost"]
        assert stored.milliseconds == {step["stage"]: step["ms"] for step in outcome["trace"]}

    def test_the_inputs_match_their_hash_and_are_small(self, market):
        evaluation = evaluated(an_emulated_session(market))

        stored = ExperimentLog.objects.get()
        frozen = zlib.decompress(stored.inputs)
        assert hashlib.sha256(frozen).hexdigest() == evaluation.outcome["inputs_hash"]
        assert stored.inputs_hash == evaluation.outcome["inputs_hash"]
        assert len(stored.inputs) < LARGEST

    def test_has_no_entry_for_a_failed_evaluation(self, market):
        market.fail("DescribeInstances", code="InternalError", status=503, times=3)

        evaluation = evaluated(an_emulated_session(market))

        assert evaluation.state == "failed"
        assert not ExperimentLog.objects.exists()


class TestReplay:
    def test_reproduces_each_signal_model_and_mode(self, market):
        session = an_emulated_session(market)
        evaluated(session)
        evaluated(an_emulated_session(market, lifecycle="on-demand"))
        assign(session, a_challenger())
        evaluated(session)
        change(session, enable_family_stress=False)
        evaluated(session)
        market.interrupt(session.instance_id)
        assert evaluated(session).decision == "EVACUATE"

        output = replayed("--all")

        assert output.endswith("5 replayed, 5 equal.\n")
        assert "different" not in output
        assert replayed("--last", "2").endswith("2 replayed, 2 equal.\n")

    def test_reproduces_all_preferences(self, market):
        session = an_emulated_session(market, lifecycle="on-demand")
        for gate in (0.0, 0.0001, 0.85):
            for switch in ("advisor_filter", "allow_smaller"):
                session.preferences |= {"safety_gate": gate, switch: gate > 0}
                session.save(update_fields=["preferences"])
                evaluated(session)

        output = replayed("--all")

        hashes = set(ExperimentLog.objects.values_list("inputs_hash", flat=True))
        assert len(hashes) == 4  # the first two are equal, and so are the last two
        assert output.endswith("6 replayed, 6 equal.\n")

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"inputs_hash": "0" * 64}, "inputs_hash: stored 0000"),
            ({"decision": "DRAIN"}, "decision: stored DRAIN"),
            ({"pipeline_mode": "SINGLE_LINEAR"}, "pipeline_mode: stored SINGLE_LINEAR"),
            ({"inputs": zlib.compress(b"{}")}, "inputs: stored"),
            ({"inputs": b"not compressed"}, "inputs: stored"),
            ({"numbers": {}}, "crash_probability: stored None"),
        ],
    )
    def test_reports_each_difference(self, market, fields, expected):
        evaluation = evaluated(an_emulated_session(market))
        ExperimentLog.objects.update(**fields)
        stored = ExperimentLog.objects.get(evaluation_id=evaluation.pk)
        out = StringIO()

        with pytest.raises(CommandError, match="1 with a different result") as refusal:
            call_command("replay", str(stored.pk), stdout=out)

        assert refusal.value.returncode == 1
        assert expected in out.getvalue()

    def test_detects_a_changed_number_in_the_inputs(self, market):
        evaluated(an_emulated_session(market))
        stored = ExperimentLog.objects.get()
        frozen = zlib.decompress(stored.inputs)
        changed = frozen.replace(b'"safety_gate":0.85', b'"safety_gate":0.84')
        assert changed != frozen
        ExperimentLog.objects.update(inputs=zlib.compress(changed))

        with pytest.raises(CommandError):
            replayed(str(stored.pk))

    @pytest.mark.parametrize(
        "arguments", [[str(uuid4())], ["x"], ["--last", "0"], ["--all", "--last", "1"], []]
    )
    def test_refuses_arguments_that_select_no_experiment(self, arguments):
        with pytest.raises(CommandError):
            replayed(*arguments)

    def test_works_after_the_model_was_deleted(self, market, tmp_path, settings):
        path = tmp_path / "mine.json"
        path.write_bytes((SHIPPED / "advisor_prior_1.json").read_bytes())
        settings.RISK_MODEL_PATH = str(path)
        evaluated(an_emulated_session(market))
        path.unlink()

        assert replayed("--all").endswith("1 replayed, 1 equal.\n")
