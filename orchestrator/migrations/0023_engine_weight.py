"""A workflow's runs may get another share of the workers than its definition says."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0022_event_months"),
    ]

    operations = [
        migrations.AddField(
            model_name="workflow",
            name="weight",
            field=models.SmallIntegerField(
                blank=True, help_text="Share of the workers that people have set; empty: its definition's.", null=True
            ),
        ),
    ]
