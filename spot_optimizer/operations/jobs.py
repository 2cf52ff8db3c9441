from datetime import datetime, timedelta

from django.conf import settings
from django_celery_results.models import TaskResult


def cleanup_old_job_runs(*, now: datetime) -> int:
    """Delete the rows of job runs older than JOB_RUN_DAYS; return their number."""
    old = TaskResult.objects.filter(date_done__lt=now - timedelta(days=settings.JOB_RUN_DAYS))
    deleted, _ = old.delete()
    return int(deleted)
