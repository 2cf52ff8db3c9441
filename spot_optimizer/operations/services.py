import json

from celery import current_app
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError

from spot_optimizer.errors import Missing, Unavailable


def run_job(*, job: PeriodicTask) -> str:
    """
    Enqueue one run of a periodic job now, independent of its schedule; return the task id.

    :raises Missing: its task is not registered
    :raises Unavailable: the broker cannot be reached
    """
    task = current_app.tasks.get(job.task)
    if task is None:
        raise Missing(f"There is no task {job.task!r}. Choose a registered one in its schedule.")
    try:
        result = task.apply_async(
            args=json.loads(job.args),
            kwargs=json.loads(job.kwargs),
            **({"queue": job.queue} if job.queue else {}),
            headers={"periodic_task_name": job.name},
        )
    except OperationalError as error:
        raise Unavailable(
            "The broker does not respond, so the job was not enqueued. Check Redis, then try again."
        ) from error
    return str(result.id)
