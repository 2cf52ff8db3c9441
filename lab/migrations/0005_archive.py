from typing import Any

from django.conf import settings
from django.db import migrations, models

NAME = "cleanup_old_experiment_logs"
AT = {
    "minute": "0",
    "hour": "2",
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
    at_two = CrontabSchedule.objects.filter(**AT).first() or CrontabSchedule.objects.create(**AT)
    PeriodicTask.objects.create(
        name=NAME,
        task=f"lab.{NAME}",
        crontab=at_two,
        expire_seconds=12 * 60 * 60,
        description="Moves old experiment logs into the archive.",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("lab", "0004_first_challenger"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Archive",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="In the archive's storage.", max_length=255, unique=True
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("writing", "Being written: its rows are not deleted yet"),
                            ("kept", "Finished: verified, and its rows deleted"),
                            ("discarded", "Discarded: its rows are archived in another file"),
                        ],
                        default="writing",
                        max_length=16,
                    ),
                ),
                ("rows", models.PositiveIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("first_at", models.DateTimeField(help_text="Of the oldest experiment in it.")),
                ("last_at", models.DateTimeField(help_text="Of the newest experiment in it.")),
                ("created_at", models.DateTimeField()),
                ("kept_at", models.DateTimeField(null=True)),
                ("restored_at", models.DateTimeField(help_text="The last time.", null=True)),
            ],
            options={
                "ordering": ["-first_at", "-pk"],
            },
        ),
        migrations.AddField(
            model_name="experimentlog",
            name="restored_at",
            field=models.DateTimeField(
                editable=False,
                help_text="When it was restored from an archive.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="experimentlog",
            index=models.Index(fields=["created_at", "id"], name="lab_experiment_oldest"),
        ),
        migrations.AddConstraint(
            model_name="archive",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["writing", "kept", "discarded"])),
                name="lab_archive_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="archive",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kept_at__isnull", False), ("state", "kept")),
                    models.Q(models.Q(("state", "kept"), _negated=True), ("kept_at", None)),
                    _connector="OR",
                ),
                name="lab_archive_kept_at_says_when_it_was_kept",
            ),
        ),
        migrations.RunPython(add_missing, migrations.RunPython.noop),
    ]
