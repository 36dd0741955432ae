"""All of 0001 to 0029 at once, for databases that have none of them (docs/adr/0011).

Functions that today's workers no longer call stay for those of the release before.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from agents.create_models import CreateModels
from orchestrator import sql

# Watch floor, `monitoring.queries.flows`: waiting tasks by workflow, counted without reading a row.
WAITING = """
DROP INDEX task_waiting;
CREATE INDEX task_waiting ON orchestrator_task (wait_for, id) INCLUDE (workflow_id) WHERE status = 'waiting';
"""


class Migration(migrations.Migration):
    replaces = [
        ("orchestrator", "0001_initial"),
        ("orchestrator", "0002_event_log"),
        ("orchestrator", "0003_engine"),
        ("orchestrator", "0004_page_indexes"),
        ("orchestrator", "0005_engine_complete"),
        ("orchestrator", "0006_engine_functions"),
        ("orchestrator", "0007_signal_ids"),
        ("orchestrator", "0008_pattern_choices"),
        ("orchestrator", "0009_timing"),
        ("orchestrator", "0010_signal_depth"),
        ("orchestrator", "0011_doorbell"),
        ("orchestrator", "0012_remote_calls"),
        ("orchestrator", "0013_single_agent_and_advice"),
        ("orchestrator", "0014_spawning_ahead"),
        ("orchestrator", "0015_workflow_drafts"),
        ("orchestrator", "0016_agent_service"),
        ("orchestrator", "0017_able"),
        ("orchestrator", "0018_sweep_after_a_start"),
        ("orchestrator", "0019_certified_versions"),
        ("orchestrator", "0020_pools"),
        ("orchestrator", "0021_shorter_turn"),
        ("orchestrator", "0022_event_months"),
        ("orchestrator", "0023_engine_weight"),
        ("orchestrator", "0024_frozen_agents"),
        ("orchestrator", "0025_bills"),
        ("orchestrator", "0026_step_teams"),
        ("orchestrator", "0027_recent_signals"),
        ("orchestrator", "0028_workshops_and_cache_use"),
        ("orchestrator", "0029_fewer_statements"),
    ]

    initial = True

    dependencies = [
        ("agents", "0001_squashed_0016_telemetry"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("kind", models.CharField(max_length=50)),
                        ("at", models.DateTimeField()),
                        ("actor", models.CharField(max_length=200)),
                        ("data", models.JSONField(null=True)),
                    ],
                    options={
                        "db_table": "orchestrator_event",
                        "managed": False,
                    },
                ),
                migrations.CreateModel(
                    name="LedgerEntry",
                    fields=[
                        ("pos", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("event_id", models.BigIntegerField(unique=True)),
                        ("prev_hash", models.BinaryField()),
                        ("hash", models.BinaryField()),
                    ],
                    options={
                        "db_table": "orchestrator_ledger",
                        "managed": False,
                    },
                ),
                migrations.CreateModel(
                    name="AgentRate",
                    fields=[
                        (
                            "agent",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="+",
                                serialize=False,
                                to="agents.agent",
                            ),
                        ),
                        ("tokens", models.FloatField()),
                        ("filled_at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Content",
                    fields=[
                        ("sha256", models.CharField(max_length=64, primary_key=True, serialize=False)),
                        ("body", models.BinaryField()),
                        ("size", models.IntegerField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Lane",
                    fields=[
                        ("name", models.CharField(max_length=50, primary_key=True, serialize=False)),
                        ("clock", models.BigIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name="Shift",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("process", models.CharField(max_length=200)),
                        ("capacity", models.IntegerField()),
                        ("idle", models.BooleanField(default=False)),
                        ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("renewed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("lease_until", models.DateTimeField()),
                        (
                            "suspected_at",
                            models.DateTimeField(help_text="A sweep found its session lock free.", null=True),
                        ),
                        ("ended_at", models.DateTimeField(null=True)),
                        ("end_reason", models.CharField(blank=True, default="", max_length=20)),
                        (
                            "pool",
                            models.CharField(
                                db_default="default",
                                default="default",
                                help_text="Whose lanes it takes from.",
                                max_length=40,
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(condition=models.Q(("ended_at", None)), fields=["id"], name="shift_live")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Timer",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("kind", models.CharField(max_length=30)),
                        ("ref", models.BigIntegerField()),
                        ("due_at", models.DateTimeField()),
                        ("fired_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(condition=models.Q(("fired_at", None)), fields=["due_at"], name="timer_due")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Workflow",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.SlugField(max_length=100, unique=True)),
                        ("title", models.CharField(max_length=200)),
                        ("description", models.TextField(blank=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "owner",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "current_version",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="orchestrator.workflowversion",
                            ),
                        ),
                        (
                            "single_agent",
                            models.ForeignKey(
                                blank=True,
                                help_text="New runs give it every step whose contract it keeps: the fallback from several agents to one.",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="agents.agent",
                            ),
                        ),
                        (
                            "frozen_at",
                            models.DateTimeField(
                                blank=True, help_text="Since then only a certified version is made current.", null=True
                            ),
                        ),
                        ("frozen_reason", models.TextField(blank=True, db_default="", default="")),
                        (
                            "weight",
                            models.SmallIntegerField(
                                blank=True,
                                help_text="Share of the workers that people have set; empty: its definition's.",
                                null=True,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["title"],
                        "permissions": [
                            ("see_runs", "See runs of this workflow"),
                            ("start_run", "Start runs of this workflow"),
                            ("steer_run", "Pause, resume, cancel and retry runs of this workflow"),
                            ("publish_version", "Publish a version of this workflow"),
                            ("stop_workflow", "Stop this workflow"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Run",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("title", models.CharField(max_length=300)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("pending", "Pending"),
                                    ("running", "Running"),
                                    ("paused", "Paused"),
                                    ("compensating", "Compensating"),
                                    ("succeeded", "Succeeded"),
                                    ("partial", "Partial"),
                                    ("failed", "Failed"),
                                    ("cancelled", "Cancelled"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("input", models.JSONField(default=dict)),
                        ("idempotency_key", models.CharField(blank=True, max_length=200, null=True)),
                        ("correlation_id", models.CharField(db_index=True, max_length=100)),
                        ("priority", models.SmallIntegerField(default=0)),
                        ("weight", models.SmallIntegerField(default=1)),
                        ("virtual_finish", models.BigIntegerField(default=0)),
                        ("total", models.IntegerField()),
                        ("remaining", models.IntegerField(help_text="Tasks that have not ended.")),
                        ("failed", models.IntegerField(default=0)),
                        ("error", models.JSONField(blank=True, null=True)),
                        ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "started_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="runs",
                                to="orchestrator.workflow",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, to="orchestrator.workflowversion"
                            ),
                        ),
                        (
                            "deadline_at",
                            models.DateTimeField(help_text="A run still alive then is escalated.", null=True),
                        ),
                        (
                            "forked_at",
                            models.BigIntegerField(
                                help_text="The event of that run after which this one began.", null=True
                            ),
                        ),
                        (
                            "forked_from",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="forks",
                                to="orchestrator.run",
                            ),
                        ),
                        (
                            "outcome",
                            models.JSONField(
                                blank=True, help_text="Partial success: what failed, its impact, what to do.", null=True
                            ),
                        ),
                        (
                            "parent_task",
                            models.BigIntegerField(help_text="The subworkflow task that started this run.", null=True),
                        ),
                        (
                            "paused_with",
                            models.BigIntegerField(
                                help_text="The run, or as a negative number the stop, that paused this one with it.",
                                null=True,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(fields=["workflow", "-id"], name="run_list_by_workflow"),
                            models.Index(fields=["status", "-id"], include=("workflow",), name="run_list_by_status"),
                            models.Index(
                                condition=models.Q(("ended_at__isnull", False)),
                                fields=["-ended_at"],
                                include=("id", "workflow", "status"),
                                name="run_ended",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("workflow", "idempotency_key"), name="one_run_per_idempotency_key"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("remaining__gte", 0)), name="run_remaining_not_negative"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="WorkflowVersion",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("source", models.TextField()),
                        ("definition", models.JSONField()),
                        ("plan", models.JSONField()),
                        ("digest", models.CharField(max_length=64)),
                        ("published_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "published_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="versions",
                                to="orchestrator.workflow",
                            ),
                        ),
                        (
                            "checks",
                            models.JSONField(
                                db_default=[],
                                default=list,
                                help_text="What the publishing checks warned of: see orchestrator.checks.",
                            ),
                        ),
                        (
                            "deprecated_at",
                            models.DateTimeField(blank=True, help_text="Since then no run comes to it.", null=True),
                        ),
                        (
                            "certified_at",
                            models.DateTimeField(
                                blank=True, help_text="It passed its rehearsal, and somebody said so.", null=True
                            ),
                        ),
                        (
                            "certified_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "teams",
                            models.JSONField(
                                db_default={},
                                default=dict,
                                help_text="Whose steps are whose: the places of each team's in the plan, by its name.",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["workflow_id", "-number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("workflow", "number"), name="one_row_per_workflow_version")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Task",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("key", models.CharField(max_length=100)),
                        ("kind", models.CharField(max_length=20)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("blocked", "Blocked"),
                                    ("ready", "Ready"),
                                    ("running", "Running"),
                                    ("waiting", "Waiting"),
                                    ("succeeded", "Succeeded"),
                                    ("failed", "Failed"),
                                    ("skipped", "Skipped"),
                                    ("cancelled", "Cancelled"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("lane", models.CharField(max_length=50)),
                        ("priority", models.SmallIntegerField(default=0)),
                        ("virtual_start", models.BigIntegerField(default=0)),
                        ("held", models.BooleanField(default=False, help_text="The run is paused: not claimable.")),
                        (
                            "limited",
                            models.BooleanField(default=False, help_text="The agent has a concurrency or rate limit."),
                        ),
                        ("pending", models.IntegerField(help_text="Dependencies that have not ended.")),
                        (
                            "fed",
                            models.IntegerField(
                                default=0, help_text="Dependencies that succeeded; 1 where there is none."
                            ),
                        ),
                        (
                            "suspect",
                            models.BooleanField(
                                default=False, help_text="Two workers were lost while running it: it runs alone now."
                            ),
                        ),
                        (
                            "successors",
                            django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), default=list),
                        ),
                        ("attempt", models.SmallIntegerField(default=0)),
                        ("failures", models.SmallIntegerField(default=0, help_text="The agent's own failures.")),
                        ("losses", models.SmallIntegerField(default=0, help_text="Workers lost while running it.")),
                        ("revision", models.SmallIntegerField(default=0, help_text="Times a reviewer sent it back.")),
                        ("shift", models.BigIntegerField(null=True)),
                        (
                            "wait_for",
                            models.CharField(
                                blank=True,
                                default="",
                                help_text="gate, quarantine, retry, timer, event, callback, run, breaker, budget",
                                max_length=20,
                            ),
                        ),
                        ("note", models.TextField(blank=True, default="")),
                        ("ready_at", models.DateTimeField(null=True)),
                        ("started_at", models.DateTimeField(null=True)),
                        ("ended_at", models.DateTimeField(null=True)),
                        ("input", models.JSONField(null=True)),
                        ("output", models.JSONField(null=True)),
                        ("confidence", models.FloatField(null=True)),
                        ("error", models.JSONField(null=True)),
                        (
                            "agent",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="agents.agent",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="tasks",
                                to="orchestrator.run",
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="orchestrator.workflow",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="orchestrator.workflowversion",
                            ),
                        ),
                        (
                            "need",
                            models.IntegerField(
                                default=0,
                                help_text="So many dependencies must succeed; 0: all must have ended, one fed.",
                            ),
                        ),
                        (
                            "parent",
                            models.BigIntegerField(
                                help_text="The task that spawned it, if its version does not name it.", null=True
                            ),
                        ),
                        (
                            "spec",
                            models.JSONField(
                                help_text="What differs from the version's step: see definitions.plan.own_step.",
                                null=True,
                            ),
                        ),
                        (
                            "state",
                            models.JSONField(
                                help_text="What a coordinating task remembers from one turn to the next.", null=True
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                    },
                ),
                migrations.CreateModel(
                    name="Step",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("index", models.IntegerField()),
                        ("key", models.CharField(max_length=100)),
                        ("kind", models.CharField(max_length=20)),
                        (
                            "dependencies",
                            models.IntegerField(help_text="How many steps must end before this one may start."),
                        ),
                        (
                            "successors",
                            django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), default=list),
                        ),
                        ("lane", models.CharField(default="default", max_length=50)),
                        (
                            "agent",
                            models.ForeignKey(
                                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="agents.agent"
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="steps",
                                to="orchestrator.workflowversion",
                            ),
                        ),
                        (
                            "need",
                            models.IntegerField(
                                default=0, help_text="So many of them must succeed; 0: all must have ended, one fed."
                            ),
                        ),
                    ],
                    options={
                        "constraints": [models.UniqueConstraint(fields=("version", "index"), name="one_row_per_step")],
                    },
                ),
                migrations.CreateModel(
                    name="Stop",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "scope",
                            models.CharField(
                                choices=[
                                    ("everything", "Everything"),
                                    ("workflow", "Workflow"),
                                    ("agent", "Agent"),
                                    ("run", "Run"),
                                    ("task", "Task"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "ref",
                            models.BigIntegerField(
                                help_text="Workflow, agent, run or task id; null for everything.", null=True
                            ),
                        ),
                        ("reason", models.TextField()),
                        ("stopped_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("lifted_at", models.DateTimeField(null=True)),
                        (
                            "effect",
                            models.JSONField(
                                default=dict,
                                help_text="Measured: tasks returned, last start and last cancellation in ms.",
                            ),
                        ),
                        (
                            "lifted_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "stopped_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "lets_finish",
                            models.BooleanField(
                                default=False, help_text="A pause: what runs goes on to its end, nothing new starts."
                            ),
                        ),
                        (
                            "retires",
                            models.BooleanField(
                                db_default=False,
                                default=False,
                                help_text="Of an agent: it is terminated; only starting it again lifts this.",
                            ),
                        ),
                        (
                            "guards",
                            models.BooleanField(
                                db_default=False,
                                default=False,
                                help_text="Of an agent: its guardrails froze it; only who may release it does.",
                            ),
                        ),
                    ],
                    options={
                        "permissions": [("stop_everything", "Stop everything"), ("lift_stop", "Lift a stop")],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("lifted_at", None)),
                                fields=("scope", "ref"),
                                name="one_stop_per_scope",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Effect",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("key", models.CharField(max_length=200)),
                        ("status", models.CharField(max_length=20)),
                        ("attempt", models.SmallIntegerField()),
                        ("result", models.JSONField(null=True)),
                        ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "task",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="effects",
                                to="orchestrator.task",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("task", "key"), name="one_effect_per_task_and_key")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Attempt",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("number", models.SmallIntegerField()),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("succeeded", "Succeeded"),
                                    ("failed", "Failed"),
                                    ("suspended", "Suspended"),
                                    ("expired", "Expired"),
                                    ("late", "Late"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("shift", models.BigIntegerField(null=True)),
                        ("agent_version", models.IntegerField(null=True)),
                        ("started_at", models.DateTimeField(null=True)),
                        ("ended_at", models.DateTimeField()),
                        ("tokens_in", models.IntegerField(default=0)),
                        ("tokens_out", models.IntegerField(default=0)),
                        ("cost", models.FloatField(default=0)),
                        ("error", models.JSONField(null=True)),
                        ("output", models.JSONField(help_text="Kept only where it was not applied (late).", null=True)),
                        (
                            "task",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="attempts",
                                to="orchestrator.task",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["task_id", "number"],
                        "constraints": [models.UniqueConstraint(fields=("task", "number"), name="one_row_per_attempt")],
                    },
                ),
                migrations.CreateModel(
                    name="Artifact",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=200)),
                        ("media_type", models.CharField(max_length=100)),
                        ("sha256", models.CharField(max_length=64)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="artifacts",
                                to="orchestrator.run",
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                to="orchestrator.task",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "constraints": [
                            models.UniqueConstraint(fields=("task", "name"), name="one_artifact_per_task_and_name")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Breaker",
                    fields=[
                        (
                            "agent",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="breaker",
                                serialize=False,
                                to="agents.agent",
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[("closed", "Closed"), ("open", "Open"), ("half_open", "Half Open")],
                                default="closed",
                                max_length=20,
                            ),
                        ),
                        (
                            "failures",
                            models.IntegerField(default=0, help_text="One after the other, since the last success."),
                        ),
                        ("threshold", models.IntegerField(default=3)),
                        ("reset_s", models.FloatField(default=300.0)),
                        ("opened_at", models.DateTimeField(null=True)),
                        (
                            "probe",
                            models.BigIntegerField(help_text="The task that tries it while half open.", null=True),
                        ),
                        ("last_error", models.JSONField(null=True)),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                ),
                migrations.CreateModel(
                    name="Budget",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "scope",
                            models.CharField(
                                choices=[
                                    ("agent", "Agent"),
                                    ("run", "Run"),
                                    ("workflow", "Workflow"),
                                    ("team", "Team"),
                                    ("run_agent", "Run Agent"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("ref", models.BigIntegerField(help_text="Agent, run, workflow or group id.")),
                        (
                            "resource",
                            models.CharField(
                                choices=[
                                    ("documents", "Documents"),
                                    ("tokens", "Tokens"),
                                    ("minutes", "Minutes"),
                                    ("calls", "Calls"),
                                    ("cost", "Cost"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("limit", models.FloatField()),
                        ("spent", models.FloatField(default=0)),
                        ("reserved", models.FloatField(default=0)),
                        ("warned_at", models.DateTimeField(help_text="80 % was passed; said once.", null=True)),
                        ("breached_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "agent",
                            models.ForeignKey(
                                help_text="With run_agent: the agent within the run.",
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="agents.agent",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("scope", "ref", "agent", "resource"),
                                name="one_budget_per_scope_and_resource",
                                nulls_distinct=False,
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("limit__gte", 0)), name="budget_limit_not_negative"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CachedResult",
                    fields=[
                        (
                            "key",
                            models.CharField(
                                help_text="SHA-256 of agent, version and input.",
                                max_length=64,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("output", models.JSONField()),
                        ("confidence", models.FloatField(null=True)),
                        ("task", models.BigIntegerField(help_text="The task that produced it.")),
                        ("hits", models.IntegerField(default=0)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="agents.agent"
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Checkpoint",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("number", models.IntegerField()),
                        ("name", models.CharField(max_length=200)),
                        ("event", models.BigIntegerField(help_text="The run's last event when it was made.")),
                        ("decisions", models.JSONField(default=list)),
                        ("completion", models.JSONField(default=dict)),
                        ("findings", models.JSONField(default=list)),
                        ("next_steps", models.JSONField(default=list)),
                        ("created_by", models.CharField(help_text="As an event's actor.", max_length=200)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="checkpoints",
                                to="orchestrator.run",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["run_id", "number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("run", "number"), name="one_row_per_checkpoint")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Conflict",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("task", models.BigIntegerField(help_text="The task that waits for the resolution.")),
                        ("key", models.CharField(max_length=200)),
                        ("sides", models.JSONField(help_text="[{writer, value, task}] as found.")),
                        ("resolution", models.JSONField(null=True)),
                        (
                            "resolved_by",
                            models.CharField(
                                blank=True, default="", help_text="rule:<name> or user:<username>.", max_length=200
                            ),
                        ),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("resolved_at", models.DateTimeField(null=True)),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="conflicts",
                                to="orchestrator.run",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="ConsumerGroup",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("signal", models.CharField(max_length=200)),
                        (
                            "match",
                            models.TextField(blank=True, default="", help_text="CEL over event; empty matches all."),
                        ),
                        (
                            "position",
                            models.BigIntegerField(default=0, help_text="The last signal that was handed on."),
                        ),
                        (
                            "replays",
                            models.IntegerField(
                                default=0, help_text="Times it was set back; part of a run's idempotency key."
                            ),
                        ),
                        ("enabled", models.BooleanField(default=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "created_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="consumer_groups",
                                to="orchestrator.workflow",
                            ),
                        ),
                        (
                            "recent",
                            models.SmallIntegerField(
                                db_default=0,
                                default=0,
                                help_text="The last so many signals of the same key are a run's input, as `recent`; 0: the signal's own data.",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Rehearsal",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("passed", models.BooleanField()),
                        ("report", models.JSONField()),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="rehearsals",
                                to="orchestrator.workflowversion",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Reservation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("task", models.BigIntegerField()),
                        ("attempt", models.SmallIntegerField()),
                        ("amount", models.FloatField()),
                        (
                            "budget",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="reservations",
                                to="orchestrator.budget",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [models.Index(fields=["task", "attempt"], name="reservation_by_attempt")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("budget", "task", "attempt"), name="one_reservation_per_attempt"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Signal",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("name", models.CharField(max_length=200)),
                        ("key", models.CharField(blank=True, default="", max_length=200)),
                        ("data", models.JSONField(default=dict)),
                        (
                            "dedup",
                            models.CharField(
                                help_text="The sender's id: the same one again is not a new fact.",
                                max_length=200,
                                null=True,
                            ),
                        ),
                        ("sent_by", models.CharField(max_length=200)),
                        ("sent_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        (
                            "depth",
                            models.SmallIntegerField(
                                db_default=0, default=0, help_text="Runs in a row that led to it by signals."
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["name", "key", "id"], name="signal_by_name"),
                            models.Index(fields=["expires_at"], name="signal_expiry"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("name", "sent_by", "dedup"), name="one_signal_per_sender_id"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StateEntry",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("key", models.CharField(max_length=200)),
                        ("version", models.IntegerField()),
                        ("value", models.JSONField(null=True)),
                        ("deleted", models.BooleanField(default=False)),
                        ("writer", models.CharField(help_text="As an event's actor.", max_length=200)),
                        ("task", models.BigIntegerField(null=True)),
                        ("reason", models.TextField(blank=True, default="")),
                        ("written_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="state_entries",
                                to="orchestrator.run",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["run_id", "key", "version"],
                        "constraints": [
                            models.UniqueConstraint(fields=("run", "key", "version"), name="one_row_per_state_version")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Wait",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(choices=[("event", "Event"), ("callback", "Callback")], max_length=20),
                        ),
                        ("name", models.CharField(blank=True, default="", max_length=200)),
                        (
                            "key",
                            models.CharField(
                                blank=True,
                                default="",
                                help_text="Correlation: only signals with this key.",
                                max_length=200,
                            ),
                        ),
                        (
                            "match",
                            models.TextField(blank=True, default="", help_text="CEL over event; empty matches all."),
                        ),
                        ("schema", models.JSONField(default=dict, help_text="JSON Schema of what may arrive.")),
                        (
                            "token_hash",
                            models.CharField(
                                blank=True, default="", help_text="SHA-256 of a callback's token.", max_length=64
                            ),
                        ),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "task",
                            models.OneToOneField(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="wait",
                                to="orchestrator.task",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("ended_at", None)), fields=["name", "key"], name="wait_open"
                            ),
                            models.Index(
                                condition=models.Q(("token_hash", ""), _negated=True),
                                fields=["token_hash"],
                                name="wait_token",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PatternChoice",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("pattern", models.CharField(max_length=100)),
                        (
                            "recommended",
                            models.CharField(
                                blank=True,
                                help_text="What the four answers lead to; empty without them.",
                                max_length=100,
                            ),
                        ),
                        ("answers", models.JSONField(default=dict, help_text="Question: yes or no.")),
                        ("rationale", models.TextField()),
                        ("chosen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "chosen_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="pattern_choices",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Schedule",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("cron", models.CharField(max_length=100)),
                        ("zone", models.CharField(max_length=60)),
                        ("input", models.JSONField(default=dict)),
                        (
                            "overlap",
                            models.CharField(
                                choices=[("skip", "Skip"), ("queue", "Queue"), ("allow", "Allow")],
                                default="skip",
                                max_length=10,
                            ),
                        ),
                        (
                            "missed",
                            models.CharField(choices=[("run", "Run"), ("skip", "Skip")], default="run", max_length=10),
                        ),
                        ("enabled", models.BooleanField(default=True)),
                        (
                            "next_due",
                            models.DateTimeField(help_text="The slot to be fired next; null while paused.", null=True),
                        ),
                        (
                            "queued",
                            models.DateTimeField(
                                help_text="The slot that waits for the end of an earlier run.", null=True
                            ),
                        ),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("reason", models.TextField(help_text="Of the last change.")),
                        (
                            "changed_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "owner",
                            models.ForeignKey(
                                help_text="Whoever said last what it starts: runs start in their name and with their rights.",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="schedules",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("enabled", True)), fields=["next_due"], name="schedule_due"
                            ),
                            models.Index(
                                condition=models.Q(("queued__isnull", False)), fields=["id"], name="schedule_queued"
                            ),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("enabled", True), models.Q(("next_due", None), ("queued", None)), _connector="OR"
                                ),
                                name="paused_schedule_is_never_due",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ScheduledStart",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("slot", models.DateTimeField()),
                        (
                            "outcome",
                            models.CharField(
                                choices=[
                                    ("started", "Started"),
                                    ("queued", "Queued"),
                                    ("skipped", "Skipped"),
                                    ("missed", "Missed"),
                                    ("refused", "Refused"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("late", models.BooleanField(default=False)),
                        ("by_hand", models.BooleanField(default=False)),
                        ("problem", models.TextField(blank=True, default="")),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "run",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="orchestrator.run",
                            ),
                        ),
                        (
                            "schedule",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="starts",
                                to="orchestrator.schedule",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [models.Index(fields=["at"], name="scheduled_start_age")],
                        "constraints": [
                            models.UniqueConstraint(fields=("schedule", "slot"), name="one_start_per_slot")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Doorbell",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("failed_at", models.DateTimeField()),
                    ],
                    options={
                        "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_doorbell")],
                    },
                ),
                migrations.CreateModel(
                    name="RemoteCall",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("attempt", models.SmallIntegerField()),
                        ("agent_version", models.IntegerField()),
                        (
                            "pulled",
                            models.BooleanField(
                                help_text="An external worker fetches it; else a remote agent has it already."
                            ),
                        ),
                        (
                            "key",
                            models.CharField(help_text="Stable across attempts: the idempotency key.", max_length=100),
                        ),
                        ("priority", models.SmallIntegerField(default=0)),
                        ("input", models.JSONField()),
                        ("note", models.TextField(blank=True, default="")),
                        (
                            "approvals",
                            models.JSONField(
                                default=list, help_text="What people agreed to so far: action, answer, decided_by."
                            ),
                        ),
                        ("correlation_id", models.CharField(blank=True, default="", max_length=200)),
                        ("timeout", models.FloatField(help_text="Seconds from the moment that somebody has it.")),
                        ("parked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "due_at",
                            models.DateTimeField(
                                help_text="Then it has taken too long; before it is fetched: then nobody came."
                            ),
                        ),
                        ("leased_at", models.DateTimeField(null=True)),
                        ("lease_until", models.DateTimeField(null=True)),
                        (
                            "worker",
                            models.CharField(
                                blank=True, default="", help_text="What the worker calls itself.", max_length=200
                            ),
                        ),
                        (
                            "answer",
                            models.JSONField(
                                help_text="An outcome as agents.wire packs it; the next attempt takes it.", null=True
                            ),
                        ),
                        ("answered_at", models.DateTimeField(null=True)),
                        (
                            "taken_by",
                            models.SmallIntegerField(help_text="The attempt that took the answer.", null=True),
                        ),
                        ("ended_at", models.DateTimeField(help_text="Its task went on without an answer.", null=True)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="agents.agent"
                            ),
                        ),
                        (
                            "holder",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "task",
                            models.OneToOneField(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="remote_call",
                                to="orchestrator.task",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(
                                    ("answered_at", None), ("ended_at", None), ("leased_at", None), ("pulled", True)
                                ),
                                fields=["agent", "-priority", "id"],
                                name="remote_call_to_fetch",
                            ),
                            models.Index(
                                condition=models.Q(("answered_at", None), ("ended_at", None)),
                                fields=["due_at"],
                                name="remote_call_due",
                            ),
                            models.Index(
                                condition=models.Q(
                                    ("answered_at", None), ("ended_at", None), ("lease_until__isnull", False)
                                ),
                                fields=["lease_until"],
                                name="remote_call_lease",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TeamAdvice",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "phase",
                            models.CharField(
                                help_text="single, two, full or advanced: the phase to begin with.", max_length=20
                            ),
                        ),
                        ("reason", models.TextField(help_text="What the advisor says.")),
                        ("signs", models.JSONField(default=list, help_text="The warning signs that matched.")),
                        ("answers", models.JSONField(default=dict, help_text="Check: yes or no.")),
                        ("rationale", models.TextField()),
                        ("kept_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "kept_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="team_advice",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="WorkflowDraft",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("source", models.TextField()),
                        (
                            "base",
                            models.PositiveIntegerField(
                                default=0, help_text="The version that it was begun from; 0: none."
                            ),
                        ),
                        ("saved_at", models.DateTimeField(auto_now=True)),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                blank=True,
                                help_text="None: a new one.",
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("user", "workflow"),
                                name="one_draft_per_person_and_workflow",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Presence",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "worker",
                            models.CharField(
                                blank=True, default="", help_text="Empty: the remote agent itself.", max_length=200
                            ),
                        ),
                        ("first_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("polled_at", models.DateTimeField(help_text="It asked for work.", null=True)),
                        (
                            "heard_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now(),
                                help_text="It asked for work, renewed a lease or answered.",
                            ),
                        ),
                        (
                            "silent_since",
                            models.DateTimeField(
                                help_text="Its bound has passed; said once. Null: it is heard.", null=True
                            ),
                        ),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="agents.agent"
                            ),
                        ),
                        (
                            "holder",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("silent_since", None)), fields=["heard_at"], name="presence_heard"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("agent", "holder", "worker"),
                                name="one_presence_per_worker",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StartPace",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("most_running", models.IntegerField(null=True)),
                        ("reason", models.CharField(blank=True, max_length=500)),
                        ("set_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "full_until",
                            models.DateTimeField(help_text="Until then people have said: at full pace.", null=True),
                        ),
                        (
                            "workflow",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="start_pace",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Bill",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("source", models.CharField(help_text="Who bills.", max_length=100)),
                        (
                            "number",
                            models.CharField(
                                help_text="Their number for it: the same one is counted once.", max_length=100
                            ),
                        ),
                        ("scope", models.CharField(max_length=20)),
                        ("ref", models.BigIntegerField(help_text="Agent, workflow or group id.")),
                        ("amount", models.FloatField(help_text="US dollars; negative where money comes back.")),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("source", "number"), name="one_bill_by_number")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CacheUse",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("day", models.DateField()),
                        ("asked", models.IntegerField(default=0)),
                        ("hits", models.IntegerField(default=0)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="agents.agent"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [models.UniqueConstraint(fields=("agent", "day"), name="one_cache_use_a_day")],
                    },
                ),
                migrations.CreateModel(
                    name="Workshop",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("scores", models.JSONField(help_text="Criterion: 1 to 5.")),
                        ("rationale", models.TextField()),
                        ("held_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "agent",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="agents.agent",
                            ),
                        ),
                        (
                            "held_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="workshops",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("agent__isnull", False), ("workflow", None)),
                                    models.Q(("agent", None), ("workflow__isnull", False)),
                                    _connector="OR",
                                ),
                                name="workshop_about_one",
                            )
                        ],
                    },
                ),
            ],
        ),
        sql.install("create_event_log_v1"),
        sql.install("refuse_change_v1"),
        sql.install("protect_event_log_v1"),
        sql.install("make_event_partitions_v1"),
        sql.install("append_event_v1"),
        sql.install("event_bytes_v1"),
        sql.install("seal_events_v1"),
        sql.install("open_ledger_v1"),
        sql.install("grant_event_log_v1"),
        sql.install("engine_indexes_v1"),
        migrations.RunSQL(WAITING),
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
        sql.install("tell_run_over_v1"),
        sql.install("add_spawned_v1"),
        sql.install("await_spawned_v1"),
        sql.install("sweep_shifts_v2"),
        sql.install("settle_one_v1"),
        sql.install("claim_lanes_v1"),
        sql.install("turn_v2"),
        sql.install("make_event_month_v1"),
        sql.install("settle_one_v2"),
        sql.install("turn_v3"),
    ]
