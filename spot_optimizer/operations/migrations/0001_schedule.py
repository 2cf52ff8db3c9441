from typing import Any

from django.db import migrations

NAME = "cleanup_old_job_runs"
AT = {
    "minute": "0",
    "hour": "3",
    "day_of_week": "*",
    "day_of_month": "*",
    "month_of_year": "*",
    "timezone": "UTC",
}


def add_missing(apps: Any, schema_editor: Any) -> None:
    """Add what is not there. What an operator edited or switched off stays as it is."""
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    CrontabSchedule = apps.get_model("django_celery_beat", "CrontabSchedule")
    if PeriodicTask.objects.filter(name=NAME).exists():
        return
    at_three = CrontabSchedule.objects.filter(**AT).first() or CrontabSchedule.objects.create(**AT)
    PeriodicTask.objects.create(
        name=NAME,
        task=f"operations.{NAME}",
        crontab=at_three,
        expire_seconds=12 * 60 * 60,
        description="Deletes the rows of runs older than JOB_RUN_DAYS.",
    )


class Migration(migrations.Migration):
    dependencies = [("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(add_missing, migrations.RunPython.noop)]
