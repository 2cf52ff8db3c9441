from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler

from spot_optimizer import heartbeat


class Schedule(DatabaseScheduler):
    """The schedule in the database; each look at it is a heartbeat."""

    def tick(self, *args: Any, **options: Any) -> float:
        delay: float = super().tick(*args, **options)
        heartbeat.beat()  # behind it: a look that failed, or hangs, is none
        return delay
