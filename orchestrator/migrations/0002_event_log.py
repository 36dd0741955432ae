"""The event log, its ledger, and what keeps both append-only."""

from django.db import migrations

from orchestrator import sql


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0001_initial")]

    operations = [
        sql.install("create_event_log_v1"),
        sql.install("refuse_change_v1"),
        sql.install("protect_event_log_v1"),
        sql.install("make_event_partitions_v1"),
        sql.install("append_event_v1"),
        sql.install("event_bytes_v1"),
        sql.install("seal_events_v1"),
        sql.install("open_ledger_v1"),
        sql.install("grant_event_log_v1"),
    ]
