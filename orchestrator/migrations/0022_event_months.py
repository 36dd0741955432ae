"""Months of the event log that lie behind: for logs that are brought in."""

from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0021_shorter_turn"),
    ]

    operations = [
        sql.install("make_event_month_v1"),
    ]
