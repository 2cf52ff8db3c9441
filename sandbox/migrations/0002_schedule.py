from typing import Any

from django.db import migrations

EVERY = {"cleanup_expired_sessions": 5, "update_session_counts": 10, "refresh_market": 5}  # [min]


def add_missing(apps: Any, schema_editor: Any) -> None:
    """Add what is not there. What an operator edited or switched off stays as it is."""
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    IntervalSchedule = apps.get_model("django_celery_beat", "IntervalSchedule")
    for name, minutes in EVERY.items():
        interval, _ = IntervalSchedule.objects.get_or_create(every=minutes, period="minutes")
        PeriodicTask.objects.get_or_create(
            name=name,
            defaults={
                "task": f"sandbox.{name}",
                "interval": interval,
                "expire_seconds": 60 * minutes,
            },
        )


class Migration(migrations.Migration):
    dependencies = [
        ("sandbox", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(add_missing, migrations.RunPython.noop)]
