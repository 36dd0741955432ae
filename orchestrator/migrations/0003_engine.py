from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0002_event_log"), ("agents", "0001_initial")]

    operations = [
        sql.install("engine_indexes_v1"),
        sql.install("wake_idle_v1"),
        sql.install("start_run_v1"),
        sql.install("advance_runs_v1"),
        sql.install("keep_late_results_v1"),
        sql.install("skip_branches_v1"),
        sql.install("settle_tasks_v1"),
        sql.install("pick_limited_v1"),
        sql.install("claim_tasks_v1"),
        sql.install("turn_v1"),
        sql.install("release_tasks_v1"),
        sql.install("sweep_shifts_v1"),
        sql.install("fire_retries_v1"),
        sql.install("measure_stop_v1"),
    ]
