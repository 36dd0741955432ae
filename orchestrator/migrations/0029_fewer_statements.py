"""Fewer statements for a step of a chain. `turn_v2` and `settle_one_v1` stay for workers of the release before."""

from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0028_workshops_and_cache_use"),
    ]

    operations = [
        sql.install("settle_one_v2"),
        sql.install("turn_v3"),
    ]
