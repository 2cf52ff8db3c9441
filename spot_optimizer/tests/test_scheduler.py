from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from spot_optimizer.celery import app
from spot_optimizer.worker import scheduler as scheduler_module
from spot_optimizer.worker.scheduler import HeartbeatScheduler

pytestmark = pytest.mark.django_db(transaction=True)  # the scheduler closes its connections
HOUR = timedelta(hours=1)


def a_scheduler(*, last_run_at):
    PeriodicTask.objects.all().delete()
    PeriodicTask.objects.create(
        name="a sweep",
        task="sandbox.cleanup_expired_sessions",
        interval=IntervalSchedule.objects.create(every=5, period="minutes"),
        last_run_at=last_run_at,
    )
    return HeartbeatScheduler(app=app)


def set_clock_back(scheduler):
    """Move all that the scheduler has recorded an hour into the future."""
    scheduler.last_look_at += HOUR
    scheduler._last_timestamp += HOUR
    scheduler._heap = [event._replace(time=event.time + 3600) for event in scheduler._heap]
    for entry in [*scheduler._schedule.values(), *(event.entry for event in scheduler._heap)]:
        entry.last_run_at += HOUR
        entry.model.last_run_at = entry.last_run_at
    PeriodicTask.objects.update(last_run_at=timezone.now() + HOUR)


def test_runs_jobs_whose_last_run_is_in_the_future_at_the_start():
    scheduler = a_scheduler(last_run_at=timezone.now() + HOUR)

    scheduler.tick()

    assert 0 < scheduler.schedule["a sweep"].is_due().next <= 5 * 60
    assert scheduler.tick() <= 5 * 60


def test_recovers_when_the_clock_is_set_back_while_it_runs():
    scheduler = a_scheduler(last_run_at=timezone.now() - HOUR)
    assert scheduler.tick() == 0  # it has run, and the next run is in the heap
    set_clock_back(scheduler)

    scheduler.tick()

    assert 0 < scheduler.schedule["a sweep"].is_due().next <= 5 * 60
    assert 0 < scheduler._heap[0].time - timezone.now().timestamp() <= 5 * 60


def test_reads_the_schedule_again_only_when_something_has_changed(monkeypatch):
    scheduler = a_scheduler(last_run_at=timezone.now())
    scheduler.tick()
    reads = []
    monkeypatch.setattr(scheduler, "enabled_models", lambda: reads.append(1) or [])

    scheduler.tick()

    assert reads == []


def test_a_failed_tick_is_no_heartbeat(monkeypatch):
    scheduler = a_scheduler(last_run_at=timezone.now())
    beats = []
    monkeypatch.setattr(scheduler_module.heartbeat, "touch", lambda: beats.append(1))
    scheduler.tick()
    monkeypatch.setattr(scheduler, "schedule_changed", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        scheduler.tick()

    assert len(beats) == 1
