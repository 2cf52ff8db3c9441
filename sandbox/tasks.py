from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from celery import Task, shared_task
from django.utils import timezone

from sandbox.jobs import cleanup, evaluations, preflights, refresh, sweeps


@shared_task(name="sandbox.evaluate")
def evaluate(*, evaluation_id: str, **_: object) -> None:
    evaluations.evaluate(evaluation_id=UUID(evaluation_id), now=timezone.now())


@shared_task(name="sandbox.preflight")
def preflight(*, session_id: str, **_: object) -> None:
    preflights.preflight(session_id=UUID(session_id), now=timezone.now())


@shared_task(name="sandbox.clean_up")
def clean_up(*, session_id: str, **_: object) -> None:
    cleanup.clean_up(session_id=UUID(session_id), now=timezone.now())


@shared_task(name="sandbox.expire")
def expire(*, session_id: str, **_: object) -> None:
    cleanup.expire(session_id=UUID(session_id), now=timezone.now())


# A run of a job of the schedule is kept, with what it returns: see operations/runs.py.
@shared_task(name="sandbox.cleanup_expired_sessions", ignore_result=False)
def cleanup_expired_sessions(**_: object) -> dict[str, int]:
    *done, due = sweeps.cleanup_expired_sessions(now=timezone.now())
    nudge(due)
    asked = {name: len(moments) for name, moments in due._asdict().items()}
    return dict(zip(sweeps.Swept._fields, done, strict=False)) | asked


@shared_task(name="sandbox.update_session_counts", ignore_result=False)
def update_session_counts(**_: object) -> dict[str, int]:
    return {"corrected": sweeps.update_session_counts(now=timezone.now())}


@shared_task(name="sandbox.refresh_market", ignore_result=False)
def refresh_market(**_: object) -> dict[str, int]:
    return {"refreshed": refresh.refresh_market(now=timezone.now())}


def nudge(due: sweeps.Due) -> None:
    """Ask for what is due. A message more than needed does no harm, and a lost one comes again."""
    _ask(expire, "session_id", due.expiries)
    _ask(evaluate, "evaluation_id", due.evaluations)
    _ask(preflight, "session_id", due.preflights)


def _ask(task: Task, name: str, moments: Iterable[tuple[UUID, datetime]]) -> None:
    for pk, at in moments:
        task.apply_async(kwargs={name: str(pk)}, eta=at)
