import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from math import exp, log1p
from typing import ClassVar

import pytest
from django.db import connection
from django.utils import timezone

from accounts.testing import signed_in
from lab.models import ModelRegistry
from lab.registry import artifacts
from lab.services import set_stage
from lab.testing import a_challenger
from sandbox import services, sweeps
from sandbox.evaluation import jobs as evaluations
from sandbox.models import Evaluation, SandboxSavings, SandboxSession, pack_pools, unpack_pools
from sandbox.preflight import jobs as preflights
from sandbox.testing import a_session, an_emulated_session, an_evaluation
from spot_optimizer.aws.client.credentials import Credentials
from streaming.models import Line

SHIPPED = artifacts.SHIPPED / "advisor_prior_1.json"
pytestmark = pytest.mark.django_db
STAGES = [
    "input",
    "hardware",
    "advisor",
    "right_sizing",
    "risk",
    "safety_gate",
    "ranking",
    "signal",
    "output",
]
READS = ("Describe", "Get", "List")


def evaluated(session, now=None):
    """Request an evaluation, run it, and return its row."""
    evaluation = an_evaluation(session)
    evaluations.evaluate(evaluation_id=evaluation.pk, now=now or timezone.now())
    evaluation.refresh_from_db()
    return evaluation


def messages(session):
    return [line.body.get("message", "") for line in Line.objects.filter(stream=session.pk)]


class TestEvaluate:
    def test_publishes_every_stage_and_then_the_decision(self, market):
        session = an_emulated_session(market)

        evaluation = evaluated(session)

        assert evaluation.error is None
        lines = list(Line.objects.filter(stream=session.pk))
        assert [line.body["stage"] for line in lines if "stage" in line.body] == STAGES
        assert lines[-1].type == "decision"
        assert lines[-1].body["evaluation"]["decision"] == evaluation.decision
        trace = evaluation.outcome["trace"]
        assert [step["stage"] for step in trace] == STAGES
        for before, after in pairwise(trace):
            assert after["in"] == before["out"]

    def test_can_be_recomputed_from_the_response_and_the_market(self, market):
        session = an_emulated_session(market)
        outcome = evaluated(session).outcome
        client = signed_in(session.user)
        model = json.loads(SHIPPED.read_text())

        for pool in outcome["candidates"][:5]:
            found = client.get(
                "/api/v1/market/pools",
                {
                    "region": session.aws_region,
                    "instance_type": pool["instance_type"],
                    "as_of": outcome["market_as_of"],
                },
            ).json()["results"]
            [in_force] = [
                row for row in found if row["availability_zone_id"] == pool["availability_zone_id"]
            ]
            if pool["purchase"] == "spot":
                assert in_force["spot_price"] == pytest.approx(pool["price"], abs=1e-12)
            assert in_force["on_demand_price"] == pytest.approx(pool["on_demand_price"])
        assert_costs_add_up(outcome, model)

    def test_twice_at_the_same_market_moment_is_identical(self, market):
        session = an_emulated_session(market)

        first, second = evaluated(session), evaluated(session)

        def bare(evaluation):
            outcome = dict(evaluation.outcome)
            del outcome["duration_ms"]
            outcome["trace"] = [step | {"ms": 0} for step in outcome["trace"]]
            return outcome, evaluation.pools

        assert bare(first) == bare(second)
        assert first.pk != second.pk

    def test_only_reads_and_with_a_stored_market_makes_three_calls_at_most(self, market):
        session = an_emulated_session(market)
        preflights.preflight(session_id=session.pk, now=timezone.now())
        evaluated(session)
        cold = market.requests()

        evaluated(session)

        warm = market.requests(after=cold[-1]["n"])
        assert 1 <= len(warm) <= 3
        for request in cold + warm:
            assert request["dry_run"] or request["action"].startswith(READS), request

    def test_duplicate_tasks_evaluate_once(self, market):
        evaluation = an_evaluation(an_emulated_session(market))

        for _ in range(3):
            evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())

        lines = Line.objects.filter(stream=evaluation.session_id, type="decision")
        assert lines.count() == 1

    def test_a_run_after_a_killed_one_publishes_no_step_again(self, market):
        session = an_emulated_session(market)
        evaluation = an_evaluation(session)
        now = timezone.now()
        # A run that was killed after it had published three steps.
        lease_end = now - timedelta(minutes=3)
        evaluation.__class__.objects.filter(pk=evaluation.pk).update(
            leased_until=lease_end, published_steps=["aws", "input", "hardware"]
        )

        evaluations.evaluate(evaluation_id=evaluation.pk, now=now)

        stages = [line.body.get("stage") for line in Line.objects.filter(stream=session.pk)]
        assert [stage for stage in stages if stage] == STAGES[2:]

    def test_projected_savings_are_stored_and_add_up(self, market):
        evaluation = evaluated(an_emulated_session(market, lifecycle="on-demand"))

        outcome, savings = evaluation.outcome, evaluation.outcome["projected_savings"]
        stored = SandboxSavings.objects.get(evaluation=evaluation)
        assert evaluation.decision == "SWITCH"
        assert savings["hourly"] == pytest.approx(
            outcome["current"]["price"] - outcome["target"]["price"]
        )
        assert savings["monthly"] == pytest.approx(savings["hourly"] * 730)
        assert float(stored.hourly) == pytest.approx(savings["hourly"], abs=1e-6)

    def test_counts_add_up_and_the_detail_has_every_pool(self, market):
        session = an_emulated_session(market)
        evaluation = evaluated(session)

        path = f"/api/v1/sandbox/sessions/{session.pk}/evaluations"
        detail = signed_in(session.user).get(f"{path}/{evaluation.pk}").json()
        listed = signed_in(session.user).get(path).json()["results"]

        counts = detail["counts"]
        assert counts["considered"] == counts["kept"] + sum(counts["rejected"].values())
        assert len(detail["pools"]) == counts["considered"]
        assert all(pool["rejected_because"] is None for pool in detail["candidates"])
        assert len(detail["candidates"]) == min(10, counts["kept"])
        assert "pools" not in listed[0]


class TestSignals:
    def test_without_a_signal_nothing_evacuates(self, market):
        assert evaluated(an_emulated_session(market)).decision in ("STAY", "SWITCH")

    def test_an_interruption_notice_evacuates(self, market):
        session = an_emulated_session(market)
        market.interrupt(session.instance_id)

        outcome = evaluated(session).outcome

        assert outcome["decision"] == "EVACUATE"
        assert outcome["aws_signal"] == "TERMINATION"
        assert outcome["target"] is not None

    def test_a_rebalance_recommendation_drains(self, market, client, settings):
        session = an_emulated_session(market)
        preflights.preflight(session_id=session.pk, now=timezone.now())
        # These credentials are not of the instance's account, so nothing is published to them.
        stranger = a_session(instance_id=session.instance_id, aws_region=session.aws_region)
        event = an_event("EC2 Instance Rebalance Recommendation", session)
        event["account"] = market.account_id

        for _ in range(2):  # EventBridge may send an event twice
            response = client.post(
                "/api/v1/signals/eventbridge",
                event,
                content_type="application/json",
                headers={"X-Spot-Optimizer-Secret": settings.EVENTBRIDGE_SECRET},
            )
            assert response.status_code == 204
        outcome = evaluated(session).outcome

        assert outcome["decision"] == "DRAIN"
        assert outcome["aws_signal"] == "REBALANCE"
        texts = [text for text in messages(session) if "EventBridge sent a signal" in text]
        assert len(texts) == 1
        assert not any("EventBridge" in text for text in messages(stranger))

    @pytest.mark.parametrize("secret", [None, "", "wrong", "wröng"])
    def test_a_wrong_secret_is_refused(self, client, secret, settings):
        session = a_session()
        headers = {} if secret is None else {"X-Spot-Optimizer-Secret": secret}

        response = client.post(
            "/api/v1/signals/eventbridge",
            an_event("EC2 Instance Rebalance Recommendation", session),
            content_type="application/json",
            headers=headers,
        )

        assert response.status_code == 401

    def test_an_event_of_another_kind_is_refused(self, client, settings):
        response = client.post(
            "/api/v1/signals/eventbridge",
            an_event("EC2 Instance State-change Notification", a_session()),
            content_type="application/json",
            headers={"X-Spot-Optimizer-Secret": settings.EVENTBRIDGE_SECRET},
        )

        assert response.status_code == 400


class TestFailing:
    @pytest.mark.parametrize(("code", "times"), [("RequestLimitExceeded", 3), ("InternalError", 3)])
    def test_an_aws_error_is_stored_and_published(self, market, code, times):
        session = an_emulated_session(market)
        market.fail("DescribeInstances", code=code, status=503, times=times)

        evaluation = evaluated(session)

        assert evaluation.state == "failed"
        assert evaluation.error["code"] == f"aws_{code}"
        line = Line.objects.filter(stream=session.pk).latest("seq")
        assert line.body["level"] == "ERROR"
        session.refresh_from_db()
        assert session.state == "active"

    def test_a_missing_permission_is_named(self, market):
        session = an_emulated_session(market)
        market.deny("ec2:DescribeSpotPriceHistory")

        evaluation = evaluated(session, now=timezone.now() + timedelta(minutes=6))

        assert evaluation.error["code"] == "aws_UnauthorizedOperation"
        assert "ec2:DescribeSpotPriceHistory" in evaluation.error["detail"]

    def test_an_invalid_aws_response_is_an_aws_error(self, market):
        session = an_emulated_session(market)
        market.garbage("DescribeInstances", times=3)

        assert evaluated(session).error["code"].startswith("aws_")

    def test_an_unknown_instance_fails(self, market):
        session = an_emulated_session(market)
        SandboxSession.objects.filter(pk=session.pk).update(instance_id="i-test-1")

        error = evaluated(session).error

        assert error["code"] in (
            "aws_InvalidInstanceID.Malformed",
            "aws_InvalidInstanceID.NotFound",
        )

    def test_wrong_keys(self, market):
        session = a_session(credentials=Credentials("AKIA...", "..."))

        assert evaluated(session).error["code"] in ("aws_AuthFailure", "aws_InvalidClientTokenId")

    def test_a_model_that_changed_on_disk_is_not_used(self, market):
        ModelRegistry.objects.update(sha256="0" * 64)
        session = an_emulated_session(market)

        evaluation = evaluated(session)

        assert evaluation.error["code"] == "model_unusable"

    def test_a_stale_evaluation_fails(self, market):
        evaluation = an_evaluation(an_emulated_session(market))
        later = timezone.now() + timedelta(minutes=11)

        sweeps.cleanup_expired_sessions(now=later)

        evaluation.refresh_from_db()
        assert evaluation.error["code"] == "overdue"


def in_thread(session_id):
    preflights.preflight(session_id=session_id, now=timezone.now())
    connection.close()


class TestPreflight:
    def test_passes_on_a_good_session(self, market):
        session = an_emulated_session(market)

        preflights.preflight(session_id=session.pk, now=timezone.now())
        preflights.preflight(session_id=session.pk, now=timezone.now())

        session.refresh_from_db()
        assert session.preflight_state == "passed"
        assert [check["name"] for check in session.preflight_checks] == [
            "credentials",
            "instance",
            "instance_type",
            "availability_zone",
            "permissions",
        ]
        assert len([text for text in messages(session) if text.startswith("credentials")]) == 1

    def test_names_the_permission_that_is_missing(self, market):
        session = an_emulated_session(market)
        market.deny("ec2:DescribeSpotPriceHistory")

        preflights.preflight(session_id=session.pk, now=timezone.now())

        session.refresh_from_db()
        assert session.preflight_state == "failed"
        assert any("ec2:DescribeSpotPriceHistory" in text for text in messages(session))

    def test_reports_the_actual_instance_type(self, market):
        session = an_emulated_session(market)
        SandboxSession.objects.filter(pk=session.pk).update(instance_type="x9.huge")

        assert evaluated(session).state == "decided"
        assert any("not x9.huge in" in text for text in messages(session))
        preflights.preflight(session_id=session.pk, now=timezone.now())

        session.refresh_from_db()
        checks = {check["name"]: check for check in session.preflight_checks}
        assert checks["instance_type"]["status"] == "failed"
        assert "x9.huge" in checks["instance_type"]["detail"]

    def test_a_run_after_a_killed_one_publishes_only_the_rest(self, market):
        session = an_emulated_session(market)
        preflights.preflight(session_id=session.pk, now=timezone.now())
        session.refresh_from_db()
        first_run = messages(session)
        # The state after a worker was killed between the second and the third check.
        SandboxSession.objects.filter(pk=session.pk).update(
            preflight_state="pending",
            preflight_checks=session.preflight_checks[:2],
            preflight_leased_until=timezone.now(),
        )

        preflights.preflight(session_id=session.pk, now=timezone.now())

        session.refresh_from_db()
        assert session.preflight_state == "passed"
        assert messages(session)[len(first_run) :] == first_run[-4:]

    @pytest.mark.django_db(transaction=True)
    def test_publishes_nothing_after_the_end_of_its_session(self, aws):
        session = an_emulated_session(aws)
        aws.delay("DescribeInstances", seconds=2)
        with ThreadPoolExecutor() as pool:
            running = pool.submit(in_thread, session.pk)
            while not any(text.startswith("credentials") for text in messages(session)):
                assert not running.done()
                time.sleep(0.05)

            services.end_session(session=session, now=timezone.now())
            running.result()

        assert messages(session)[-2].startswith("credentials")
        assert Line.objects.filter(stream=session.pk).last().type == "status"

    def test_skips_what_needs_a_check_that_failed(self, market):
        session = a_session(credentials=Credentials("AKIA...", "..."))

        preflights.preflight(session_id=session.pk, now=timezone.now())

        session.refresh_from_db()
        statuses = [check["status"] for check in session.preflight_checks]
        assert statuses == ["failed", "skipped", "skipped", "skipped", "skipped"]
        assert session.state == "active"


@pytest.mark.django_db
def test_a_repeated_request_is_enqueued_again_unless_a_run_holds_it(
    django_capture_on_commit_callbacks,
):
    session, now = a_session(), timezone.now()
    evaluation = services.request_evaluation(session=session, now=now)

    with django_capture_on_commit_callbacks() as for_a_lost_task:
        services.request_evaluation(session=session, now=now)
    Evaluation.objects.filter(pk=evaluation.pk).lease(until=now + timedelta(minutes=1), now=now)
    with django_capture_on_commit_callbacks() as for_a_running_one:
        services.request_evaluation(session=session, now=now)
    with django_capture_on_commit_callbacks() as for_a_killed_run:
        services.request_evaluation(session=session, now=now + timedelta(minutes=2))

    enqueued = [len(for_a_lost_task), len(for_a_running_one), len(for_a_killed_run)]
    assert enqueued == [1, 0, 1]


@pytest.mark.django_db(transaction=True)  # the view that waits returns its connection
class TestRequests:
    def test_return_the_pending_evaluation_if_there_is_one(self):
        session = a_session()

        evaluation = services.request_evaluation(session=session, now=timezone.now())
        again = services.request_evaluation(session=session, now=timezone.now())

        assert again.pk == evaluation.pk

    @pytest.mark.parametrize("body", [{"model_id": "x"}, {"model_id": [7]}, [], "x"])
    def test_with_an_invalid_body_are_refused(self, body):
        session = a_session()

        response = signed_in(session.user).post(
            f"/api/v1/sandbox/sessions/{session.pk}/evaluate", body, format="json"
        )

        assert response.status_code == 400

    def test_with_an_unknown_model_are_not_found(self):
        session = a_session()

        response = signed_in(session.user).post(
            f"/api/v1/sandbox/sessions/{session.pk}/evaluate",
            {"model_id": str(session.pk)},
            format="json",
        )

        assert response.status_code == 404

    def test_with_an_archived_model_are_refused(self):
        session, model = a_session(), a_challenger()
        set_stage(model_id=model.pk, stage="archived", by=None, now=timezone.now())

        response = signed_in(session.user).post(
            f"/api/v1/sandbox/sessions/{session.pk}/evaluate",
            {"model_id": str(model.pk)},
            format="json",
        )

        assert (response.status_code, response.json()["code"]) == (409, "model_archived")


def an_event(kind, session):
    return {
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": kind,
        "source": "aws.ec2",
        "account": "123456789012",
        "time": timezone.now().isoformat(),
        "region": session.aws_region,
        "resources": [f"arn:aws:ec2:{session.aws_region}::instance/{session.instance_id}"],
        "detail": {"instance-id": session.instance_id},
    }


def assert_costs_add_up(outcome, model):
    """Recompute each candidate from the model's parameters and the documented costs."""
    shares = model["parameters"]["monthly_share"]
    bands = ["<5%", "5-10%", "10-15%", "15-20%", ">20%"]
    usd_per_interruption = 1.0 * (3 + 2 + 15) / 60
    paid = outcome["current"]["price"]
    usd_per_move = paid * 6 / 60 + 1.0 * 0.5 / 60
    for pool in outcome["candidates"]:
        hazard = 0.0
        if pool["purchase"] == "spot":
            # P = 1 - exp(-hazard); family stress changes the hazard by up to a factor of 2**0.5.
            hazard = -log1p(-pool["crash_probability"])
            of_band = -log1p(-shares[bands.index(pool["interruption_rate"])]) / 730
            assert of_band * 2**-0.5 <= hazard * (1 + 1e-9)
            assert hazard <= of_band * 2**0.5 * (1 + 1e-9)
            assert pool["crash_probability"] == pytest.approx(1 - exp(-hazard))
        is_current = pool == outcome["current"]
        horizon = min(24.0, 1 / hazard) if hazard else 24.0
        moving = 0.0 if is_current else usd_per_move / horizon
        assert pool["expected_cost"] == pytest.approx(
            pool["price"] + hazard * usd_per_interruption + moving, rel=1e-9
        )


class TestPacking:
    POOLS: ClassVar = [{"zone": "use1-az1", "price": 0.1}, {"zone": "use1-az2", "price": None}]

    @pytest.mark.parametrize("pools", [[], POOLS[:1], POOLS])
    def test_unpacks_what_it_packed(self, pools):
        assert unpack_pools(pack_pools(pools)) == pools
