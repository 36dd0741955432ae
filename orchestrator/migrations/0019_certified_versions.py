"""A version may be certified, a workflow frozen."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0018_sweep_after_a_start"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="workflow",
            name="frozen_at",
            field=models.DateTimeField(
                blank=True, help_text="Since then only a certified version is made current.", null=True
            ),
        ),
        migrations.AddField(
            model_name="workflow",
            name="frozen_reason",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="workflowversion",
            name="certified_at",
            field=models.DateTimeField(
                blank=True, help_text="It passed its rehearsal, and somebody said so.", null=True
            ),
        ),
        migrations.AddField(
            model_name="workflowversion",
            name="certified_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
