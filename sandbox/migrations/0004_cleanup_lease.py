from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sandbox", "0003_known_instances")]

    operations = [
        migrations.AddField(
            "sandboxsession", "cleanup_leased_until", models.DateTimeField(blank=True, null=True)
        ),
        # The column keeps its name, so these two change no table.
        migrations.AlterField(
            "evaluation", "told", models.JSONField(blank=True, db_column="told", default=list)
        ),
        migrations.RenameField("evaluation", "told", "published_steps"),
    ]
