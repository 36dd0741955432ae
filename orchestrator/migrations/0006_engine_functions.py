from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0005_engine_complete")]

    operations = [
        sql.install("spawn_tasks_v1"),
    ]
