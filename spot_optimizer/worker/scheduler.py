from typing import Any

from django.utils import timezone
from django_celery_beat.models import PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler

from spot_optimizer.worker import heartbeat


class HeartbeatScheduler(DatabaseScheduler):
    """
    The database schedule, with a heartbeat after each look at it.

    It also recovers when the system clock is set back: Celery alone would run nothing until the
    clock reaches the last runs again.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self.last_look_at = timezone.now()
        super().__init__(*args, **options)

    def setup_schedule(self) -> None:
        PeriodicTasks.update_changed()  # without this row the first edit would not be noticed
        super().setup_schedule()

    def tick(self, *args: Any, **options: Any) -> float:
        delay: float = super().tick(*args, **options)
        heartbeat.touch()  # only after a look that neither failed nor hung
        return delay

    def schedule_changed(self) -> bool:
        """Whether to read the schedule again: it was edited, or the clock was set back."""
        previous, self.last_look_at = self.last_look_at, timezone.now()
        return bool(super().schedule_changed()) or self.last_look_at < previous

    def enabled_models(self) -> list[PeriodicTask]:
        now = timezone.now()
        PeriodicTask.objects.filter(last_run_at__gt=now).update(last_run_at=now)
        models: list[PeriodicTask] = super().enabled_models()
        return models
