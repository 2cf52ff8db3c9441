from datetime import UTC, datetime
from typing import Any

from django.db import migrations

FIRST = {
    "name": "advisor-prior",
    "version": "1",
    "description": (
        "The Spot Advisor's band of a type in a region, read as the share of instances interrupted "
        "in a month, turned into a probability for one hour. Family-wide price stress raises or "
        "lowers it by up to a factor of about 1.4. A prior: nothing in it is fitted."
    ),
    "stage": "champion",
    "artifact": "package:advisor_prior_1.json",
    "sha256": "1f90844f699d35e5a533e03cb03103b85657d6743f1921da5b2f5f1bc03cd0ea",
    "feature_names": ["advisor_band", "family_stress_mean"],
    "lineage": {"source": "AWS Spot Advisor bands; declared shares, not fitted"},
    "created_at": datetime(2026, 11, 24, tzinfo=UTC),
}


def register(apps: Any, schema_editor: Any) -> None:
    """Register the prior as champion, where no model is there yet."""
    ModelRegistry = apps.get_model("lab", "ModelRegistry")
    if not ModelRegistry.objects.exists():
        ModelRegistry.objects.create(**FIRST)


class Migration(migrations.Migration):
    dependencies = [("lab", "0001_initial")]

    operations = [migrations.RunPython(register, migrations.RunPython.noop)]
