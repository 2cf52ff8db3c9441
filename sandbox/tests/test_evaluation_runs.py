"""Runs of an evaluation that overlap, repeat or fail; AWS is replaced by canned responses."""

from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.utils import timezone

from sandbox import services, sweeps
from sandbox.api import evaluate_view
from sandbox.evaluation import aws_reads
from sandbox.evaluation import jobs as evaluations
from sandbox.evaluation.aws_reads import Reader
from sandbox.evaluation.step_publisher import LeaseLost, StepPublisher
from sandbox.models import Evaluation, SandboxSession
from sandbox.testing import a_session, an_evaluation, an_instance
from spot_optimizer.aws.spot_requests import Signal
from spot_optimizer.errors import AwsRefused
from streaming.models import Line
from streaming.publish import log

pytestmark = pytest.mark.django_db
NOW = timezone.now()
LEASED_UNTIL = NOW + evaluations.LEASE


def messages(session_id):
    return [line.body.get("message", "") for line in Line.objects.filter(stream=session_id)]


def settled(evaluation):
    return Evaluation.objects.get(pk=evaluation.pk)


def a_publisher(evaluation, *, published_steps=()):
    Evaluation.objects.filter(pk=evaluation.pk).lease(until=LEASED_UNTIL, now=NOW)
    steps = list(published_steps)
    return StepPublisher(evaluation.pk, evaluation.session_id, LEASED_UNTIL, steps)


def a_reader(session, steps=None):
    steps = steps or a_publisher(an_evaluation(session))
    return Reader(session, access=None, steps=steps, deadline=None, now=NOW)


@pytest.fixture
def instance(monkeypatch):
    """Let AWS describe the instance with the given fields."""

    def describe_as(**fields):
        instance = an_instance(**fields)
        monkeypatch.setattr(aws_reads, "describe_instance", lambda *_, **__: instance)
        return instance

    return describe_as


class TestSteps:
    def test_are_published_once(self):
        evaluation = an_evaluation()
        steps = a_publisher(evaluation)

        for _ in range(2):
            steps.publish("aws", log("SCRAPER", "Reading."))

        assert messages(evaluation.session_id).count("Reading.") == 1

    def test_of_a_previous_run_are_not_published_again(self):
        evaluation = an_evaluation()
        steps = a_publisher(evaluation, published_steps=["aws", "input"])
        before = len(messages(evaluation.session_id))

        steps.publish("aws", log("SCRAPER", "Reading."))
        steps.add_to_buffer("input", log("SCRAPER", "Input."))
        steps.add_to_buffer("hardware", log("FILTER", "Hardware."))
        steps.publish_last(log("DECISION", "Last."))

        assert messages(evaluation.session_id)[before:] == ["Hardware.", "Last."]

    def test_are_not_published_without_the_lease(self):
        evaluation = an_evaluation()
        steps = a_publisher(evaluation)
        Evaluation.objects.update(leased_until=LEASED_UNTIL + timedelta(seconds=1))

        with pytest.raises(LeaseLost):
            steps.publish("aws", log("SCRAPER", "Reading."))

        assert "Reading." not in messages(evaluation.session_id)


class TestRuns:
    def test_started_at_the_same_instant_as_another_does_nothing(self, instance):
        instance(state="stopped")
        evaluation = an_evaluation()
        Evaluation.objects.filter(pk=evaluation.pk).lease(until=LEASED_UNTIL, now=NOW)

        evaluations.evaluate(evaluation_id=evaluation.pk, now=NOW)

        assert settled(evaluation).state == "pending"

    def test_that_lost_their_lease_write_and_publish_no_result(self, monkeypatch):
        evaluation = an_evaluation()

        def respond_after_another_run_started(*_, **__):
            Evaluation.objects.update(leased_until=LEASED_UNTIL + timedelta(seconds=1))
            raise AwsRefused("Too late.", aws_code="InternalError")

        monkeypatch.setattr(aws_reads, "describe_instance", respond_after_another_run_started)

        evaluations.evaluate(evaluation_id=evaluation.pk, now=NOW)

        assert settled(evaluation).state == "pending"
        assert not any("failed" in message for message in messages(evaluation.session_id))

    def test_of_a_stopped_instance_fail(self, instance):
        instance(state="stopped")
        evaluation = an_evaluation()

        evaluations.evaluate(evaluation_id=evaluation.pk, now=NOW)

        assert settled(evaluation).error["code"] == "instance_not_running"

    def test_about_to_be_stopped_release_their_lease(self):
        evaluation = an_evaluation()
        Evaluation.objects.filter(pk=evaluation.pk).lease(until=LEASED_UNTIL, now=NOW)

        evaluations.release_lease(evaluation_id=str(evaluation.pk))

        assert settled(evaluation).leased_until is None


class TestReader:
    def test_warns_about_another_zone(self, instance):
        session = a_session()
        instance(zone="us-east-1f")

        a_reader(session).instance()

        assert any("m5.large in us-east-1f, not" in message for message in messages(session.pk))

    def test_reads_the_zone_names_once(self, monkeypatch):
        session = a_session()
        responses = iter([{"use1-az1": "us-east-1a"}])
        monkeypatch.setattr(aws_reads, "zone_names", lambda *_, **__: next(responses))

        first = a_reader(session).zone_names()
        second = a_reader(SandboxSession.objects.get(pk=session.pk)).zone_names()

        assert first == second == {"use1-az1": "us-east-1a"}

    @pytest.mark.parametrize(
        ("of_request", "of_event", "expected"),
        [
            ("NONE", None, "NONE"),
            ("NONE", "REBALANCE", "REBALANCE"),
            ("NONE", "TERMINATION", "TERMINATION"),
            ("TERMINATION", None, "TERMINATION"),
            ("TERMINATION", "REBALANCE", "TERMINATION"),
        ],
    )
    def test_returns_the_strongest_signal(self, monkeypatch, of_request, of_event, expected):
        session = a_session()
        if of_event is not None:
            services.receive_signal(
                event_id="e",
                kind=of_event,
                instance_id=session.instance_id,
                aws_account="123456789012",
                aws_region=session.aws_region,
                at=NOW,
                now=NOW,
            )
        signal = Signal(of_request, "some-status")
        monkeypatch.setattr(aws_reads, "interruption_signal", lambda *_, **__: signal)

        assert a_reader(session).signal(an_instance(spot_request_id="sir-1")) == expected


class TestStale:
    def test_begins_at_exactly_ten_minutes(self):
        evaluation = an_evaluation()
        ten_minutes_later = evaluation.created_at + timedelta(minutes=10)

        too_early = sweeps.cleanup_expired_sessions(
            now=ten_minutes_later - timedelta(microseconds=1)
        )
        in_time = sweeps.cleanup_expired_sessions(now=ten_minutes_later)

        assert (too_early.given_up, in_time.given_up) == (0, 1)
        assert settled(evaluation).error["code"] == "overdue"
        assert messages(evaluation.session_id)[-1].startswith("No worker settled this")

    def test_excludes_what_a_run_holds(self):
        evaluation = an_evaluation()
        later = evaluation.created_at + timedelta(minutes=11)
        Evaluation.objects.update(leased_until=later + timedelta(minutes=1))

        sweeps.cleanup_expired_sessions(now=later)
        evaluations.fail_stale(evaluation_id=evaluation.pk, now=later)

        assert settled(evaluation).state == "pending"


class TestResponse:
    """Of the endpoint that waits for an evaluation."""

    def test_waits_no_longer_than_the_limit(self, rf):
        request = rf.post("/", headers={"Prefer": "wait=99999999"})

        assert evaluate_view._preference(request) == (10, "wait=10")

    @pytest.mark.parametrize(
        ("code", "status"),
        [("aws_timeout", 504), ("aws_InternalError", 502), ("instance_not_running", 409)],
    )
    def test_has_the_status_of_the_error(self, code, status):
        evaluation = an_evaluation()
        error = {"code": code, "detail": "It failed."}
        Evaluation.objects.update(state="failed", error=error, settled_at=NOW)

        response = evaluate_view._settled(
            HttpResponse(status=202, headers={"Location": "/"}), evaluation.pk
        )

        assert response.status_code == status
        assert response.data == error | {"evaluation_id": str(evaluation.pk)}
