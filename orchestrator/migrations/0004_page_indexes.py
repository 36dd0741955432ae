from django.db import migrations, models

# Watch floor, `monitoring.queries.flows`: waiting tasks by workflow, counted without reading a row.
WAITING = """
DROP INDEX task_waiting;
CREATE INDEX task_waiting ON orchestrator_task (wait_for, id) INCLUDE (workflow_id) WHERE status = 'waiting';
"""
WAITING_BEFORE = """
DROP INDEX task_waiting;
CREATE INDEX task_waiting ON orchestrator_task (wait_for, id) WHERE status = 'waiting';
"""


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0003_engine")]

    operations = [
        migrations.RunSQL(WAITING, WAITING_BEFORE),
        # Watch floor, `monitoring.queries.flows`: live runs by workflow, counted without reading a row.
        migrations.RemoveIndex("run", "run_list_by_status"),
        migrations.AddIndex(
            "run", models.Index(fields=["status", "-id"], include=("workflow",), name="run_list_by_status")
        ),
        # Watch floor, `monitoring.queries.finished_today`: the last runs that ended.
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["-ended_at"],
                include=("id", "workflow", "status"),
                condition=models.Q(ended_at__isnull=False),
                name="run_ended",
            ),
        ),
    ]
