"""Health reports dependencies that are down, with advice, in bounded time, and late workers."""

import socket
import threading
import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from sandbox.models import Evaluation
from sandbox.testing import an_evaluation
from spot_optimizer.celery import app
from spot_optimizer.operations import dependencies

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def silent_port():
    """A server that takes connections and never says anything: it hangs, it does not refuse."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def elsewhere(monkeypatch):
    """Point the broker somewhere else, as REDIS_URL does at the start."""

    def point(url):
        monkeypatch.setattr(app.conf, "broker_write_url", url)

    return point


def a_punctual_schedule():
    PeriodicTask.objects.update(last_run_at=timezone.now())


def test_all_is_well():
    a_punctual_schedule()

    answer = Client().get("/health")

    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert set(body["dependencies"].values()) == {"ok"}
    assert body["background"] == {"worker": "ok", "schedule": "ok"}


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_a_dependency_that_refuses_is_named_with_what_to_do(elsewhere, path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    elsewhere(f"redis://127.0.0.1:{port}/0")

    answer = Client().get(path)

    assert answer.status_code == 503
    body = answer.json()
    assert (body["status"], body["code"]) == ("unavailable", "unavailable")
    assert body["dependencies"]["broker"] == "down"
    assert body["dependencies"]["database"] == "ok"
    assert "Check that Redis runs" in body["detail"]
    assert answer["Retry-After"] == "5"


def test_a_dependency_that_hangs_costs_two_seconds_and_one_thread(elsewhere, silent_port):
    elsewhere(f"redis://127.0.0.1:{silent_port}/0")
    before = threading.active_count()
    began = time.monotonic()

    answers = [Client().get("/health") for _ in range(3)]

    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["dependencies"]["broker"] for answer in answers} == {"down"}
    assert time.monotonic() - began < 3 * (dependencies.TIMEOUT + 3)
    hanging = [each for each in threading.enumerate() if each.name == "broker"]
    assert len(hanging) <= 1
    assert threading.active_count() - before <= 4


def test_whatever_hangs_the_process_is_alive(elsewhere, silent_port):
    elsewhere(f"redis://127.0.0.1:{silent_port}/0")

    assert Client().get("/health/live").json() == {"status": "ok"}


def test_an_evaluation_without_a_worker_is_degraded_not_down():
    a_punctual_schedule()
    evaluation = an_evaluation()
    long_ago = timezone.now() - timedelta(minutes=2)
    Evaluation.objects.filter(pk=evaluation.pk).update(created_at=long_ago)

    answer = Client().get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["background"]["worker"] == "late"
    assert "Check that a worker runs" in answer.json()["detail"]


def test_a_beat_that_does_not_come_is_degraded_not_down():
    a_punctual_schedule()
    PeriodicTask.objects.get_or_create(
        name="each minute",
        defaults={
            "task": "sandbox.update_session_counts",
            "interval": IntervalSchedule.objects.get_or_create(every=1, period="minutes")[0],
            "last_run_at": timezone.now() - timedelta(minutes=9),
        },
    )

    answer = Client().get("/health")

    assert answer.status_code == 200
    assert answer.json()["background"]["schedule"] == "late"
    assert "Check that one beat runs" in answer.json()["detail"]
