from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0005_engine_complete")]

    operations = [
        sql.install("spawn_tasks_v1"),
        sql.install("wait_indexes_v1"),
        sql.install("tell_parent_v1"),
        sql.install("open_waits_v1"),
        sql.install("finish_waits_v1"),
        sql.install("write_state_v1"),
        sql.install("copy_tasks_v1"),
        sql.install("budget_spent_v1"),
        sql.install("reserve_budgets_v1"),
        sql.install("release_budget_v1"),
        sql.install("settle_budgets_v1"),
        sql.install("take_place_v1"),
        sql.install("close_breakers_v1"),
    ]
