from typing import Any

from django.utils import timezone
from django_celery_beat.models import PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler

from spot_optimizer.worker import heartbeat


class HeartbeatScheduler(DatabaseScheduler):
    """The schedule in the database; each look at it is a heartbeat."""

    _heap: Any

    def setup_schedule(self) -> None:
        PeriodicTasks.update_changed()  # where no row says when, the first edit goes unnoticed
        super().setup_schedule()

    def tick(self, *args: Any, **options: Any) -> float:
        delay: float = super().tick(*args, **options)
        if self._forget_the_future():
            delay = 0
        heartbeat.beat()  # behind it: a look that failed, or hangs, is none
        return delay

    def _forget_the_future(self) -> bool:
        """
        Count from now where the last run is yet to come: somebody set the clock back.

        Celery itself would wait until the clock has caught up, silently.
        """
        now = timezone.now()
        # An entry that has run is made anew in the heap; the schedule keeps it as it was read.
        known = [*self._schedule.values(), *(event.entry for event in self._heap or ())]
        ahead = [entry for entry in known if entry.last_run_at > now]
        for entry in ahead:
            entry.last_run_at = now
        if ahead:
            self._heap = None  # its moments are of the other clock
        return bool(ahead)
