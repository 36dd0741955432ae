from django.contrib.postgres.indexes import BrinIndex
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0014_secret_versions")]

    operations = [
        migrations.CreateModel(
            name="ToolCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seal", models.CharField(max_length=16)),
                ("key", models.CharField(max_length=200)),
                ("correlation_id", models.CharField(max_length=200)),
                ("given", models.TextField()),
                ("got", models.TextField(blank=True, default="")),
                ("ms", models.FloatField(default=0)),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["correlation_id", "seal"], name="tool_call_told"),
                    BrinIndex(fields=["at"], name="tool_call_by_age"),
                ],
            },
        ),
    ]
