"""What others bill, counted against budgets of cost."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("orchestrator", "0024_frozen_agents"),
    ]

    operations = [
        migrations.CreateModel(
            name="Bill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(help_text="Who bills.", max_length=100)),
                (
                    "number",
                    models.CharField(help_text="Their number for it: the same one is counted once.", max_length=100),
                ),
                ("scope", models.CharField(max_length=20)),
                ("ref", models.BigIntegerField(help_text="Agent, workflow or group id.")),
                ("amount", models.FloatField(help_text="US dollars; negative where money comes back.")),
                ("at", models.DateTimeField(db_default=Now())),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("source", "number"), name="one_bill_by_number")],
            },
        ),
    ]
