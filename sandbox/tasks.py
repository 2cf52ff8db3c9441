from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from celery import Task, current_app, shared_task
from celery.signals import worker_shutting_down
from celery.worker.state import active_requests
from django.utils import timezone

from sandbox.cleanup import jobs as cleanup
from sandbox.cleanup import sweeps
from sandbox.evaluation import jobs as evaluations
from sandbox.evaluation import market_refresh as refresh
from sandbox.preflight import jobs as preflights
from spot_optimizer.server.shutdown import exit_after

FINISH_WITHIN = 20.0  # [s] for the jobs of a worker that stops


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
    asked = {f"{name}_asked_for": len(moments) for name, moments in due._asdict().items()}
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


@worker_shutting_down.connect
def bound_the_stop(**_: object) -> None:
    # Celery's soft shutdown is of no use to threads: it waits for nothing and cannot end them.
    exit_after(FINISH_WITHIN, hand_on)


def hand_on() -> None:
    """Let another worker take up at once what this one, about to die, has under way."""
    give_back: dict[str, Callable[..., None]] = {
        evaluate.name: evaluations.give_back,
        preflight.name: preflights.give_back,
    }
    for request in tuple(active_requests):
        if request.name in give_back:
            give_back[request.name](**request.kwargs)
        current_app.send_task(request.name, kwargs=request.kwargs)
