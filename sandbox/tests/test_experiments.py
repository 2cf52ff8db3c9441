"""What an assignment and a config do to an evaluation, and what is kept of it."""

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


class TestOnesOwnInstance:
    CONFIG = "/api/v1/lab/config/i-mine"

    def test_is_one_from_the_first_session_on_and_after_the_last(self):
        owner = a_user()
        before = signed_in(owner).get(self.CONFIG).status_code
        session = a_session(user=owner, instance_id="i-mine", aws_region="eu-west-1")

        cleanup.expire(session_id=session.pk, now=session.expires_at)

        session.refresh_from_db()
        assert (before, session.state) == (404, "ended")
        assert signed_in(owner).get(self.CONFIG).json()["aws_region"] == "eu-west-1"

    def test_is_one_whose_session_is_older_than_the_lab(self):
        owner = a_user()
        for region in ("us-east-1", "eu-west-1"):
            a_silent_session(user=owner, instance_id="i-mine", aws_region=region)
        migration = import_module("sandbox.migrations.0003_known_instances")

        migration.make_configs(apps, None)
        migration.make_configs(apps, None)

        assert InstanceConfig.objects.filter(owner=owner).count() == 1
        assert signed_in(owner).get(self.CONFIG).status_code == 200


class TestTheEngineObeys:
    def test_a_stage_that_is_switched_off_passes_everything_on(self, market):
        session = an_emulated_session(market)
        change(session, enable_right_sizing=False)

        right_sizing = stage(evaluated(session), "right_sizing")

        assert right_sizing["status"] == "disabled"
        assert right_sizing["in"] == right_sizing["out"]

    def test_without_family_stress_the_prior_is_not_bent(self, market):
        session = an_emulated_session(market)
        bent = evaluated(session)
        change(session, enable_family_stress=False)

        plain = evaluated(session)

        assert plain.outcome["crash_probability"] != bent.outcome["crash_probability"]
        assert "Family stress is off" in stage(plain, "risk")["note"]

    def test_a_requested_model_counts_for_one_evaluation(self, market):
        session, model = an_emulated_session(market), a_challenger()

        asked, next_one = evaluated(session, model), evaluated(session)

        assert asked.outcome["model"]["id"] == str(model.pk)
        assert next_one.outcome["model"]["name"] == "advisor-prior"
        assert next_one.outcome["model"]["version"] == "1"

    def test_a_promotion_counts_for_the_next_evaluation(self, market):
        session, model = an_emulated_session(market), a_challenger()
        before = evaluated(session)
        set_stage(model_id=model.pk, stage="champion", by=None, now=timezone.now())

        after = evaluated(session)

        assert before.outcome["model"]["version"] == "1"
        assert after.outcome["model"]["id"] == str(model.pk)


class TestFallingBack:
    BROKEN = [
        ({"sha256": "0" * 64}, "checksums differ"),
        ({"artifact": "package:nowhere.json"}, "cannot be read"),
        ({"artifact": "package:model.pkl"}, "can run code"),
        ({"feature_names": ["moon"]}, "other features"),
    ]

    @pytest.mark.parametrize(("fields", "said"), BROKEN)
    def test_an_assigned_model_that_broke_is_named_and_so_is_the_one_asked(
        self, market, fields, said
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
        assert said in fallback["reason"]
        [warning] = warnings(session)
        assert said in warning
        assert "advisor-prior 1 is used instead" in warning
        kept = ExperimentLog.objects.get(evaluation_id=evaluation.pk)
        assert (kept.model, kept.model_fallback) == (champion, fallback)

    def test_a_requested_model_that_broke_as_well(self, market):
        session, model = an_emulated_session(market), a_challenger()
        ModelRegistry.objects.filter(pk=model.pk).update(sha256="0" * 64)

        evaluation = evaluated(session, ModelRegistry.objects.get(pk=model.pk))

        assert evaluation.outcome["model_fallback"]["wanted"]["id"] == str(model.pk)

    def test_where_all_is_well_nothing_is_said(self, market):
        session = an_emulated_session(market)

        evaluation = evaluated(session)

        assert evaluation.outcome["model_fallback"] is None
        assert warnings(session) == []

    def test_with_no_model_left_it_fails_and_names_both(self, market):
        session, model = an_emulated_session(market), a_challenger()
        assign(session, model)
        ModelRegistry.objects.update(sha256="0" * 64)

        evaluation = evaluated(session)

        assert evaluation.error["code"] == "model_unusable"
        assert str(model) in evaluation.error["detail"]
        assert "advisor-prior 1 " in evaluation.error["detail"]
        assert not ExperimentLog.objects.exists()

    def test_a_local_file_is_asked_and_kept_without_a_registry(self, market, tmp_path, settings):
        path = tmp_path / "mine.json"
        path.write_bytes(an_artifact())
        settings.RISK_MODEL_PATH = str(path)

        evaluation = evaluated(an_emulated_session(market))

        assert evaluation.outcome["model"] == {"id": None, "name": "mine", "version": "local"}
        kept = ExperimentLog.objects.get()
        assert (kept.model, kept.model_name, kept.model_version) == (None, "mine", "local")


class TestKept:
    def test_one_experiment_an_evaluation(self, market):
        session = an_emulated_session(market)
        evaluation = evaluated(session)

        evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())

        kept, outcome = ExperimentLog.objects.get(), evaluation.outcome
        assert kept.evaluation_id == evaluation.pk
        assert (kept.owner, kept.instance_id) == (session.user, session.instance_id)
        assert kept.decision == evaluation.decision
        assert kept.pipeline_mode == "CLUSTER_FULL"
        assert kept.numbers["crash_probability"] == outcome["crash_probability"]
        assert kept.numbers["projected_savings"] == outcome["projected_savings"]
        assert kept.numbers["current"]["expected_cost"] == outcome["current"]["expected_cost"]
        assert kept.milliseconds == {step["stage"]: step["ms"] for step in outcome["trace"]}

    def test_the_inputs_are_what_the_hash_says_and_are_small(self, market):
        evaluation = evaluated(an_emulated_session(market))

        kept = ExperimentLog.objects.get()
        frozen = zlib.decompress(kept.inputs)
        assert hashlib.sha256(frozen).hexdigest() == evaluation.outcome["inputs_hash"]
        assert kept.inputs_hash == evaluation.outcome["inputs_hash"]
        assert len(kept.inputs) < LARGEST

    def test_a_failed_evaluation_is_none(self, market):
        market.fail("DescribeInstances", code="InternalError", status=503, times=3)

        evaluation = evaluated(an_emulated_session(market))

        assert evaluation.state == "failed"
        assert not ExperimentLog.objects.exists()


class TestReplay:
    def test_gives_the_same_for_each_signal_model_and_mode(self, market):
        session = an_emulated_session(market)
        evaluated(session)
        evaluated(an_emulated_session(market, lifecycle="on-demand"))
        assign(session, a_challenger())
        evaluated(session)
        change(session, enable_family_stress=False)
        evaluated(session)
        market.interrupt(session.instance_id)
        assert evaluated(session).decision == "EVACUATE"

        told = replayed("--all")

        assert told.endswith("5 replayed, 5 equal.\n")
        assert "different" not in told
        assert replayed("--last", "2").endswith("2 replayed, 2 equal.\n")

    def test_gives_the_same_whatever_the_preferences(self, market):
        session = an_emulated_session(market, lifecycle="on-demand")
        for gate in (0.0, 0.0001, 0.85):
            for switch in ("advisor_filter", "allow_smaller"):
                session.preferences |= {"safety_gate": gate, switch: gate > 0}
                session.save(update_fields=["preferences"])
                evaluated(session)

        told = replayed("--all")

        hashes = set(ExperimentLog.objects.values_list("inputs_hash", flat=True))
        assert len(hashes) == 4  # the first two differ in nothing, nor do the last two
        assert told.endswith("6 replayed, 6 equal.\n")

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"inputs_hash": "0" * 64}, "inputs_hash: stored 0000"),
            ({"decision": "DRAIN"}, "decision: stored DRAIN"),
            ({"pipeline_mode": "SINGLE_LINEAR"}, "pipeline_mode: stored SINGLE_LINEAR"),
            ({"inputs": zlib.compress(b"{}")}, "inputs: stored"),
            ({"inputs": b"not compressed"}, "inputs: stored"),
            ({"numbers": {}}, "crash_probability: stored None"),
        ],
    )
    def test_says_where_they_differ(self, market, fields, said):
        evaluation = evaluated(an_emulated_session(market))
        ExperimentLog.objects.update(**fields)
        kept = ExperimentLog.objects.get(evaluation_id=evaluation.pk)
        out = StringIO()

        with pytest.raises(CommandError, match="1 with a different result") as refusal:
            call_command("replay", str(kept.pk), stdout=out)

        assert refusal.value.returncode == 1
        assert said in out.getvalue()

    def test_notices_a_number_in_the_inputs_that_changed(self, market):
        evaluated(an_emulated_session(market))
        kept = ExperimentLog.objects.get()
        frozen = zlib.decompress(kept.inputs)
        changed = frozen.replace(b'"safety_gate":0.85', b'"safety_gate":0.84')
        assert changed != frozen
        ExperimentLog.objects.update(inputs=zlib.compress(changed))

        with pytest.raises(CommandError):
            replayed(str(kept.pk))

    @pytest.mark.parametrize(
        "arguments", [[str(uuid4())], ["x"], ["--last", "0"], ["--all", "--last", "1"], []]
    )
    def test_says_that_there_is_none(self, arguments):
        with pytest.raises(CommandError):
            replayed(*arguments)

    def test_needs_no_model_in_the_registry_any_more(self, market, tmp_path, settings):
        path = tmp_path / "mine.json"
        path.write_bytes((SHIPPED / "advisor_prior_1.json").read_bytes())
        settings.RISK_MODEL_PATH = str(path)
        evaluated(an_emulated_session(market))
        path.unlink()

        assert replayed("--all").endswith("1 replayed, 1 equal.\n")
