"""Who and what the sealed log speaks of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0001_measures"),
        ("orchestrator", "0022_event_months"),
    ]

    operations = [
        migrations.CreateModel(
            name="Mention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("person", "Person"), ("agent", "Agent"), ("incident", "Incident")], max_length=10
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("pos", models.BigIntegerField(help_text="The event's place in the ledger.")),
                ("run_id", models.BigIntegerField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "name", "pos"), name="one_mention_per_event"),
                    models.UniqueConstraint(
                        condition=models.Q(("run_id__isnull", False), models.Q(("kind", "person"), _negated=True)),
                        fields=("kind", "name", "run_id"),
                        name="one_mention_per_run",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MentionCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("pos", models.BigIntegerField(default=0)),
            ],
        ),
    ]
