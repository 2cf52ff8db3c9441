from celery import shared_task
from django.utils import timezone

from lab.archive import jobs


@shared_task(name="lab.cleanup_old_experiment_logs", ignore_result=False)
def cleanup_old_experiment_logs(**_: object) -> dict[str, int]:
    return jobs.cleanup_old_experiment_logs(now=timezone.now())._asdict()
