"""Shifts of pools: workers of their own, whose lanes nobody else takes from."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0019_certified_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="shift",
            name="pool",
            field=models.CharField(
                db_default="default", default="default", help_text="Whose lanes it takes from.", max_length=40
            ),
        ),
    ]
