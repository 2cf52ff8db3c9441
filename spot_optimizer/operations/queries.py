"""What operators ask of the rows: what waits, what has not ended, what the schedule did."""

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

PATIENCE = timedelta(minutes=2)  # for a beat or a worker to come to what is due
UNATTENDED = timedelta(minutes=1)  # an evaluation that nobody has taken: they are taken at once
Run = Any  # celery-types knows an older TaskResult, without when it began
LONG_AGO = timedelta(days=1)  # rows of runs before that may be gone


class Queue(NamedTuple):
    """Evaluations that are asked for and not settled."""

    pending: int
    oldest_at: datetime | None
    not_picked_up: bool


class Job(NamedTuple):
    """One periodic job: its schedule, its last run, and whether it is late."""

    task: PeriodicTask
    last_run: Run | None
    is_late: bool
    not_picked_up: bool

    @property
    def did(self) -> str:
        return what_it_did(self.last_run) if self.last_run else ""


def queue(*, now: datetime) -> Queue:
    pending = Evaluation.objects.pending()
    found = pending.aggregate(number=Count("pk"), oldest=Min("created_at"))
    not_picked_up = pending.filter(leased_until=None, created_at__lte=now - UNATTENDED).exists()
    return Queue(found["number"], found["oldest"], not_picked_up)


def sessions_by_state() -> dict[str, int]:
    """Return how many sessions there are in each state but ``ended``, which has no bound."""
    live = SandboxSession.objects.filter(state__in=LIVE).order_by()
    counted = live.values_list("state").annotate(number=Count("pk"))
    return {state.value: 0 for state in LIVE} | dict(counted)


def unfinished_sessions(limit: int = 20) -> QuerySet[SandboxSession]:
    """Return sessions that should have ended, with ``since``, when their end began."""
    newest = SandboxAction.objects.filter(session=OuterRef("pk")).order_by("-created_at")
    unfinished = SandboxSession.cleanups.pending().select_related("user")
    since = Subquery(newest.values("created_at")[:1])
    return unfinished.defer("sealed_credentials").annotate(since=since).order_by("since")[:limit]


def jobs(*, now: datetime) -> list[Job]:
    """Return all periodic jobs by name, each with the run that began last."""
    newest = TaskResult.objects.filter(periodic_task_name=OuterRef("name")).order_by("-pk")
    tasks = list(
        PeriodicTask.objects.select_related("interval", "crontab", "solar", "clocked")
        .annotate(last_run_id=Subquery(newest.values("pk")[:1]))
        .order_by("name")
    )
    runs = TaskResult.objects.in_bulk([task.last_run_id for task in tasks])
    return [_job(task, runs.get(task.last_run_id), now) for task in tasks]


def what_it_did(run: Run) -> str:
    """Say in a few words what a run returned or what stopped it; nothing while it runs."""
    try:
        told: Any = json.loads(run.result or "null")
    except ValueError:
        return ""
    if run.status in states.EXCEPTION_STATES and isinstance(told, dict):
        return str(told.get("exc_type", ""))
    if run.status != states.SUCCESS or told is None:
        return ""
    if isinstance(told, dict):
        return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in told.items())
    return str(told)


def _job(task: PeriodicTask, run: Run | None, now: datetime) -> Job:
    return Job(task, run, _is_late(task, now), _is_ignored(task, run, now))


def _is_late(task: PeriodicTask, now: datetime) -> bool:
    """Whether beat should have asked for it, and has not."""
    is_due = task.enabled and (task.interval or task.crontab)
    if not is_due or (task.start_time and task.start_time > now):
        return False
    schedule = task.schedule
    schedule.nowfun = lambda: now
    since = task.last_run_at or task.date_changed
    return bool(schedule.remaining_estimate(since) < -PATIENCE)


def _is_ignored(task: PeriodicTask, run: Run | None, now: datetime) -> bool:
    """Whether beat has asked for it, and no worker came."""
    asked_at = task.last_run_at
    if not task.enabled or asked_at is None or not now - LONG_AGO < asked_at < now - PATIENCE:
        return False
    # A message is as old as its row: the worker's clock may be a little behind.
    return run is None or run.date_created < asked_at - timedelta(seconds=10)
