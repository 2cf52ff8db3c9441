from celery import shared_task
from django.utils import timezone

from spot_optimizer.operations import jobs


@shared_task(name="operations.cleanup_old_job_runs", ignore_result=False)
def cleanup_old_job_runs(**_: object) -> dict[str, int]:
    return {"deleted": jobs.cleanup_old_job_runs(now=timezone.now())}
