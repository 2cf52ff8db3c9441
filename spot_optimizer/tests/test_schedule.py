from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from spot_optimizer.celery import app
from spot_optimizer.schedule import Schedule


@pytest.mark.django_db(transaction=True)  # it closes its connection between two looks
def test_goes_on_after_somebody_set_the_clock_back():
    PeriodicTask.objects.all().delete()
    PeriodicTask.objects.create(
        name="a sweep",
        task="sandbox.cleanup_expired_sessions",
        interval=IntervalSchedule.objects.create(every=5, period="minutes"),
        last_run_at=timezone.now() + timedelta(hours=1),
    )
    schedule = Schedule(app=app)

    schedule.tick()

    assert 0 < schedule.schedule["a sweep"].is_due().next <= 5 * 60
    assert schedule.tick() <= 5 * 60
