"""Stops that guardrails have set: a right of its own releases what they hold."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0023_engine_weight"),
    ]

    operations = [
        migrations.AddField(
            model_name="stop",
            name="guards",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Of an agent: its guardrails froze it; only who may release it does.",
            ),
        ),
    ]
