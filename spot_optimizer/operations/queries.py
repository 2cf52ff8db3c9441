"""The state of evaluations, sessions and periodic jobs, for health, metrics and admin."""

import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from celery import states
from django.db.models import Count, Min, OuterRef, QuerySet, Subquery
from django_celery_beat.models import PeriodicTask
from django_celery_results.models import TaskResult

from sandbox.models import Evaluation, SandboxAction, SandboxSession

State = SandboxSession.State
LIVE = (State.ACTIVE, State.EXPIRED, State.ENDING, State.CLEANUP_FAILED)

LATE_AFTER = timedelta(minutes=2)  # a due job without a run
NOT_PICKED_UP_AFTER = timedelta(minutes=1)  # an evaluation without a lease; normally immediate
Run = Any  # the TaskResult of celery-types lacks date_created
RECENT = timedelta(days=1)  # the rows of older runs may have been deleted


class Queue(NamedTuple):
    """The pending evaluations."""

    pending: int
    oldest_at: datetime | None
    not_picked_up: bool


class Job(NamedTuple):
    """A periodic job: its schedule, its last run, and whether beat or the workers are late."""

    task: PeriodicTask
    last_run: Run | None
    is_late: bool
    not_picked_up: bool

    @property
    def did(self) -> str:
        return result_text(self.last_run) if self.last_run else ""


def queue(*, now: datetime) -> Queue:
    pending = Evaluation.objects.pending()
    found = pending.aggregate(number=Count("pk"), oldest=Min("created_at"))
    waiting = pending.filter(leased_until=None, created_at__lte=now - NOT_PICKED_UP_AFTER)
    return Queue(found["number"], found["oldest"], waiting.exists())


def sessions_by_state() -> dict[str, int]:
    """Return the number of sessions in each state except ``ended``, which grows without limit."""
    live = SandboxSession.objects.filter(state__in=LIVE).order_by()
    counted = live.values_list("state").annotate(number=Count("pk"))
    return {state.value: 0 for state in LIVE} | dict(counted)


def unfinished_sessions(limit: int = 20) -> QuerySet[SandboxSession]:
    """Return sessions whose clean-up is not finished, with the time of their last action."""
    newest = SandboxAction.objects.filter(session=OuterRef("pk")).order_by("-created_at")
    unfinished = SandboxSession.cleanups.pending().select_related("user")
    since = Subquery(newest.values("created_at")[:1])
    return unfinished.defer("sealed_credentials").annotate(since=since).order_by("since")[:limit]


def jobs(*, now: datetime) -> list[Job]:
    """Return all periodic jobs by name, each with its most recent run."""
    newest = TaskResult.objects.filter(periodic_task_name=OuterRef("name")).order_by("-pk")
    tasks = list(
        PeriodicTask.objects.select_related("interval", "crontab", "solar", "clocked")
        .annotate(last_run_id=Subquery(newest.values("pk")[:1]))
        .order_by("name")
    )
    runs = TaskResult.objects.in_bulk([task.last_run_id for task in tasks])
    return [_job(task, runs.get(task.last_run_id), now) for task in tasks]


def result_text(run: Run) -> str:
    """Return a run's result or exception as short text; an empty one while it runs."""
    try:
        result: Any = json.loads(run.result or "null")
    except ValueError:
        return ""
    if run.status in states.EXCEPTION_STATES and isinstance(result, dict):
        return str(result.get("exc_type", ""))
    if run.status != states.SUCCESS or result is None:
        return ""
    if isinstance(result, dict):
        return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in result.items())
    return str(result)


def _job(task: PeriodicTask, run: Run | None, now: datetime) -> Job:
    return Job(task, run, _is_late(task, now), _not_picked_up(task, run, now))


def _is_late(task: PeriodicTask, now: datetime) -> bool:
    """Whether beat should have enqueued the job and has not."""
    is_due = task.enabled and (task.interval or task.crontab)
    if not is_due or (task.start_time and task.start_time > now):
        return False
    schedule = task.schedule
    schedule.nowfun = lambda: now
    since = task.last_run_at or task.date_changed
    return bool(schedule.remaining_estimate(since) < -LATE_AFTER)


def _not_picked_up(task: PeriodicTask, run: Run | None, now: datetime) -> bool:
    """Whether beat has enqueued the job and no worker has started it."""
    enqueued_at = task.last_run_at
    if not task.enabled or enqueued_at is None or not now - RECENT < enqueued_at < now - LATE_AFTER:
        return False
    # The worker's clock may be a little behind beat's.
    return run is None or run.date_created < enqueued_at - timedelta(seconds=10)
