"""Tasks of shifts that did not outlive the server come back in seconds. `sweep_shifts_v1` stays for older workers."""

from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0017_able"),
    ]

    operations = [
        sql.install("sweep_shifts_v2"),
    ]
