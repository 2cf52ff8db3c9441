from typing import Any

from django.db import migrations


def make_configs(apps: Any, schema_editor: Any) -> None:
    """Give each instance that had a session a config, as opening one does from now on."""
    SandboxSession = apps.get_model("sandbox", "SandboxSession")
    InstanceConfig = apps.get_model("lab", "InstanceConfig")
    had = SandboxSession.objects.order_by("-created_at").values_list(
        "user_id", "instance_id", "aws_region"
    )
    for owner, instance_id, region in had.iterator():
        InstanceConfig.objects.get_or_create(
            owner_id=owner, instance_id=instance_id, defaults={"aws_region": region}
        )


class Migration(migrations.Migration):
    dependencies = [
        ("sandbox", "0002_schedule"),
        ("lab", "0003_history_and_artifacts"),
    ]

    operations = [migrations.RunPython(make_configs, migrations.RunPython.noop)]
