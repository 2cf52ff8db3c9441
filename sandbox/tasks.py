from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from celery import Task, current_app, shared_task
from celery.signals import worker_shutting_down
from celery.worker.state import active_requests
from django.utils import timezone

from sandbox import displayed_session_counts, sweeps
from sandbox.cleanup import jobs as cleanup
from sandbox.evaluation import jobs as evaluations
from sandbox.evaluation import market_refresh as refresh
from sandbox.preflight import jobs as preflights
from spot_optimizer.worker.shutdown import exit_after

SHUTDOWN_LIMIT = 20.0  # [s] in which a worker that stops may finish its running jobs


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


# The runs of periodic tasks and their results are stored: see operations/result_backend.py.
@shared_task(name="sandbox.cleanup_expired_sessions", ignore_result=False)
def cleanup_expired_sessions(**_: object) -> dict[str, int]:
    *counts, pending = sweeps.cleanup_expired_sessions(now=timezone.now())
    enqueue(pending)
    enqueued = {f"{kind}_enqueued": len(rows) for kind, rows in pending._asdict().items()}
    return dict(zip(sweeps.SweepResult._fields, counts, strict=False)) | enqueued


@shared_task(name="sandbox.update_session_counts", ignore_result=False)
def update_session_counts(**_: object) -> dict[str, int]:
    return {"corrected": displayed_session_counts.update_session_counts(now=timezone.now())}


@shared_task(name="sandbox.refresh_market", ignore_result=False)
def refresh_market(**_: object) -> dict[str, int]:
    return {"refreshed": refresh.refresh_market(now=timezone.now())}


def enqueue(pending: sweeps.PendingWork) -> None:
    """Enqueue pending work. A duplicate task does no harm; a lost one is enqueued again."""
    _enqueue_each(expire, "session_id", pending.expiries)
    _enqueue_each(evaluate, "evaluation_id", pending.evaluations)
    _enqueue_each(preflight, "session_id", pending.preflights)


def _enqueue_each(task: Task, id_name: str, rows: Iterable[tuple[UUID, datetime]]) -> None:
    for pk, at in rows:
        task.apply_async(kwargs={id_name: str(pk)}, eta=at)


@worker_shutting_down.connect
def limit_shutdown(**_: object) -> None:
    # Celery's soft shutdown does not wait for the threads pool and cannot stop its threads.
    exit_after(SHUTDOWN_LIMIT, requeue_running)


def requeue_running() -> None:
    """Release the leases of this worker's running jobs, and enqueue them for another worker."""
    release_lease: dict[str, Callable[..., None]] = {
        evaluate.name: evaluations.release_lease,
        preflight.name: preflights.release_lease,
        clean_up.name: cleanup.release_lease,
        expire.name: cleanup.release_lease,
    }
    for request in tuple(active_requests):
        if request.name in release_lease:
            release_lease[request.name](**request.kwargs)
        current_app.send_task(request.name, kwargs=request.kwargs)
