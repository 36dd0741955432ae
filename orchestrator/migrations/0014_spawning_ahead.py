"""Spawning in two parts: rows first, then the run. `spawn_tasks_v1` stays for workers of the release before."""

from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0013_single_agent_and_advice"),
    ]

    operations = [
        sql.install("add_spawned_v1"),
        sql.install("await_spawned_v1"),
    ]
