"""What Prometheus reads: true numbers, in a bounded number of series, with the token only."""

import os
import re
import socket
import subprocess
import sys
import time
from datetime import timedelta

import pytest
import urllib3
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_results.models import TaskResult
from prometheus_client.parser import text_string_to_metric_families

from sandbox.evaluation import jobs as evaluations
from sandbox.models import Evaluation, SandboxSession
from sandbox.testing import SECRET, a_session, an_emulated_session, an_evaluation
from spot_optimizer.operations.database_metrics import DatabaseCollector
from spot_optimizer.tests.quickstart import ROOT, free_port

TOKEN = "a-token-of-nobody-for-prometheus-to-send"
STANDARD = ("python_", "process_")  # the client's own, under the names all dashboards know


def families(text):
    return {family.name: family for family in text_string_to_metric_families(text)}


def scraped():
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    return families(answer.content.decode())


def value(found, name, **labels):
    samples = [sample for family in found.values() for sample in family.samples]
    values = [
        sample.value
        for sample in samples
        if sample.name == f"spot_optimizer_{name}" and labels.items() <= sample.labels.items()
    ]
    return sum(values)


@pytest.mark.django_db(transaction=True)
class TestRows:
    def test_count_pending_evaluations_and_the_age_of_the_oldest(self):
        evaluation = an_evaluation()
        long_ago = timezone.now() - timedelta(minutes=7)
        Evaluation.objects.filter(pk=evaluation.pk).update(created_at=long_ago)

        found = scraped()

        assert value(found, "evaluations_pending") == 1
        assert 420 <= value(found, "evaluations_oldest_pending_seconds") < 480

    def test_show_a_failed_cleanup(self):
        session = a_session()
        a_session()
        SandboxSession.objects.filter(pk=session.pk).update(state="cleanup_failed")

        found = scraped()

        assert value(found, "sessions", state="cleanup_failed") == 1
        assert value(found, "sessions", state="active") == 1
        assert value(found, "sessions", state="ending") == 0

    def test_show_the_last_run_of_each_job(self):
        PeriodicTask.objects.get_or_create(
            name="counts", defaults={"task": "x", "interval": an_interval(), "enabled": False}
        )
        run = TaskResult.objects.create(
            task_id="1", periodic_task_name="counts", status="FAILURE", result="{}"
        )

        found = scraped()

        began = value(found, "job_last_start_timestamp_seconds", job="counts")
        assert began == pytest.approx(run.date_created.timestamp(), abs=0.001)
        assert value(found, "job_last_run_succeeded", job="counts") == 0
        run.status = "SUCCESS"
        run.save()
        assert value(scraped(), "job_last_run_succeeded", job="counts") == 1


def an_interval():
    return IntervalSchedule.objects.get_or_create(every=1, period="days")[0]


@pytest.mark.django_db
class TestRequests:
    def test_are_counted_by_route_never_by_path(self):
        session = a_session()
        before = scraped()
        for path in (f"/api/v1/sandbox/sessions/{session.pk}", "/nowhere/at/all", "/nowhere/else"):
            Client().get(path)

        found = scraped()

        def grown(**labels):
            return value(found, "http_requests_total", **labels) - value(
                before, "http_requests_total", **labels
            )

        route = "api/v1/sandbox/sessions/<uuid:session_id>"
        assert grown(route=route, method="GET", status="401") == 1
        assert grown(route="unmatched", status="404") == 2
        text = Client().get("/metrics").content.decode()
        assert str(session.pk) not in text
        assert "nowhere" not in text

    def test_with_a_method_of_their_own_are_one_kind(self):
        for method in ("BREW", "PROPFIND"):
            Client().generic(method, "/health")

        text = Client().get("/metrics").content.decode()

        assert 'method="other"' in text
        assert "BREW" not in text

    def test_have_durations(self):
        Client().get("/health/live")

        assert value(scraped(), "http_request_seconds_count", route="health/live") >= 1


@pytest.mark.django_db
class TestEvaluations:
    def test_are_counted_by_decision_and_timed_by_stage(self, market):
        before = scraped()
        evaluation = an_evaluation(an_emulated_session(market))

        evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())

        evaluation.refresh_from_db()
        found = scraped()
        for name, labels, least in [
            ("evaluations_total", {"decision": evaluation.decision, "outcome": "decided"}, 1),
            ("evaluation_seconds_count", {}, 1),
            ("stage_seconds_count", {"stage": "ranking"}, 1),
            ("aws_calls_total", {"action": "DescribeInstances", "code": "ok"}, 1),
            ("aws_call_seconds_count", {"action": "DescribeInstances"}, 1),
        ]:
            assert value(found, name, **labels) - value(before, name, **labels) >= least, name

    def test_that_aws_refuses_are_counted_with_its_code(self, market):
        before = scraped()
        market.fail("DescribeInstances", code="UnauthorizedOperation", times=1, status=403)
        evaluation = an_evaluation(an_emulated_session(market))

        evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())

        found = scraped()
        refused = {"action": "DescribeInstances", "code": "UnauthorizedOperation"}
        failed = {"decision": "none", "outcome": "aws_refused"}
        assert value(found, "aws_calls_total", **refused) > value(
            before, "aws_calls_total", **refused
        )
        assert value(found, "evaluations_total", **failed) > value(
            before, "evaluations_total", **failed
        )


@pytest.mark.django_db
class TestWhoMayRead:
    def test_without_a_token_set_it_is_open_outside_production(self):
        assert Client().get("/metrics").status_code == 200

    def test_with_one_set_only_its_bearer(self, settings):
        settings.METRICS_TOKEN = TOKEN
        bearer = {"Authorization": f"Bearer {TOKEN}"}

        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
            answer = Client().get("/metrics", headers=headers)
            assert answer.status_code == 401
            assert answer.json()["code"] == "not_authenticated"
            assert answer["WWW-Authenticate"] == "Bearer"
            assert TOKEN not in answer.content.decode()
        assert Client().get("/metrics", headers=bearer).status_code == 200

    def test_in_production_nobody_until_one_is_set(self, settings):
        settings.IS_PRODUCTION = True

        answer = Client().get("/metrics", headers={"Authorization": "Bearer "})

        assert answer.status_code == 401
        assert "Set METRICS_TOKEN" in answer.json()["detail"]


@pytest.mark.django_db
def test_names_have_our_prefix_and_values_no_secret_and_nobodys_id():
    session = a_session()
    Client().get(f"/docs?ticket={session.stream_ticket}")

    text = Client().get("/metrics").content.decode()

    for name in families(text):
        assert name.startswith(("spot_optimizer_", *STANDARD)), name
    for secret in (SECRET, session.stream_ticket, session.user.email, str(session.user.pk)):
        assert secret not in text
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")
    assert not uuid.search(text)


@pytest.mark.django_db
def test_a_scrape_makes_a_bounded_number_of_queries(django_assert_max_num_queries):
    for _ in range(3):
        an_evaluation()

    with django_assert_max_num_queries(6):
        list(DatabaseCollector(now=timezone.now()).collect())


def test_a_worker_serves_its_own_counters(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "celery", "-A", "spot_optimizer", "worker"]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [*command, "--pool", "threads"],
            cwd=ROOT,
            env=a_workers_environment(tmp_path, port),
            stdout=log,
            stderr=log,
        )
    try:
        text = until_it_answers(f"http://127.0.0.1:{port}/metrics", worker)
    finally:
        worker.terminate()
        worker.wait(timeout=20)

    found = families(text)
    assert "spot_optimizer_tasks" in found
    assert "spot_optimizer_sessions" not in found  # web serves them, once
    assert "REDIS_URL is not set" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("pool", "message"),
    [("threads", "Cannot listen on"), ("processes", "requires --pool threads")],
)
def test_a_worker_exits_if_it_cannot_serve_its_metrics(tmp_path, pool, message):
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        done = subprocess.run(
            [sys.executable, "-m", "celery", "-A", "spot_optimizer", "worker", "--pool", pool],
            cwd=ROOT,
            env=a_workers_environment(tmp_path, occupied.getsockname()[1]),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert done.returncode != 0
    assert "METRICS_PORT" in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def a_workers_environment(tmp_path, port):
    return os.environ | {
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "METRICS_PORT": str(port),
        "DJANGO_SETTINGS_MODULE": "spot_optimizer.tests.settings",
    }


def until_it_answers(url, process):
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        assert process.poll() is None
        try:
            return urllib3.request("GET", url, retries=False, timeout=5).data.decode()
        except urllib3.exceptions.HTTPError:
            time.sleep(0.2)
    raise AssertionError("the worker serves no metrics")
