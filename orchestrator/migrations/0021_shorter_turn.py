"""A shorter turn for a step of a chain. `turn_v1` and `claim_tasks_v1` stay for workers of the release before."""

from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0020_pools"),
    ]

    operations = [
        sql.install("settle_one_v1"),
        sql.install("claim_lanes_v1"),
        sql.install("turn_v2"),
    ]
