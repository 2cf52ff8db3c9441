from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from spot_optimizer.celery import app
from spot_optimizer.worker.scheduler import HeartbeatScheduler

pytestmark = pytest.mark.django_db(transaction=True)  # it closes its connection between two looks
HOUR = timedelta(hours=1)


def a_schedule(*, last_run_at):
    PeriodicTask.objects.all().delete()
    PeriodicTask.objects.create(
        name="a sweep",
        task="sandbox.cleanup_expired_sessions",
        interval=IntervalSchedule.objects.create(every=5, period="minutes"),
        last_run_at=last_run_at,
    )
    return HeartbeatScheduler(app=app)


def test_goes_on_after_somebody_set_the_clock_back():
    schedule = a_schedule(last_run_at=timezone.now() + HOUR)

    schedule.tick()

    assert 0 < schedule.schedule["a sweep"].is_due().next <= 5 * 60
    assert schedule.tick() <= 5 * 60


def test_goes_on_where_the_last_run_was_before_the_clock_was_set_back():
    schedule = a_schedule(last_run_at=timezone.now() - HOUR)
    assert schedule.tick() == 0  # it has run, and is in the heap with that moment
    for event in schedule._heap:
        event.entry.last_run_at += HOUR

    schedule.tick()
    waits = [schedule.tick() for _ in range(3)]

    assert 0 in waits  # it has run again
    assert 0 < waits[-1] <= 5 * 60
