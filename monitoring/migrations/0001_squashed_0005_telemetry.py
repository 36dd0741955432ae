"""All of 0001 to 0005 at once, for databases that have none of them (docs/adr/0011)."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from agents.create_models import CreateModels


class Migration(migrations.Migration):
    replaces = [
        ("monitoring", "0001_measures"),
        ("monitoring", "0002_mentions"),
        ("monitoring", "0003_holds"),
        ("monitoring", "0004_alerts"),
        ("monitoring", "0005_telemetry"),
    ]

    initial = True

    dependencies = [
        ("approvals", "0001_squashed_0024_decision_records"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("orchestrator", "0001_squashed_0029_fewer_statements"),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Effort",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("task", models.BigIntegerField()),
                        ("number", models.SmallIntegerField()),
                        ("run", models.BigIntegerField()),
                        ("workflow", models.BigIntegerField()),
                        (
                            "team",
                            models.BigIntegerField(default=0, help_text="Who pays: a group's id; 0 for nobody's."),
                        ),
                        ("step", models.CharField(max_length=100)),
                        (
                            "agent",
                            models.CharField(blank=True, help_text="Empty for steps without an agent.", max_length=100),
                        ),
                        ("version", models.IntegerField(null=True)),
                        ("status", models.CharField(max_length=20)),
                        ("at", models.DateTimeField(help_text="When the try ended: the hour in which it counts.")),
                        (
                            "queue_ms",
                            models.FloatField(
                                help_text="From ready to begun; none where a newer try hid it.", null=True
                            ),
                        ),
                        ("work_ms", models.FloatField(null=True)),
                        ("tokens_in", models.BigIntegerField(default=0)),
                        ("tokens_out", models.BigIntegerField(default=0)),
                        ("cost", models.DecimalField(decimal_places=8, default=0, max_digits=20)),
                        (
                            "handed",
                            models.BooleanField(default=False, help_text="Another step's output was handed to it."),
                        ),
                        (
                            "broke",
                            models.BooleanField(default=False, help_text="It ended because a contract was broken."),
                        ),
                        ("epoch", models.IntegerField(default=1)),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["workflow", "-at"], name="effort_of_workflow"),
                            django.contrib.postgres.indexes.BrinIndex(fields=["at"], name="effort_by_age"),
                        ],
                        "constraints": [models.UniqueConstraint(fields=("task", "number"), name="one_effort_per_try")],
                    },
                ),
                migrations.CreateModel(
                    name="Ending",
                    fields=[
                        ("event", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("run", models.BigIntegerField()),
                        ("workflow", models.BigIntegerField()),
                        ("team", models.BigIntegerField(default=0)),
                        ("status", models.CharField(max_length=20)),
                        ("at", models.DateTimeField()),
                        ("ms", models.FloatField(help_text="From the run's start to this end.")),
                        ("touched", models.BooleanField(help_text="A person acted in it before it ended.")),
                        ("troubled", models.IntegerField(default=0, help_text="Tasks with a failed or lost try.")),
                        (
                            "mended",
                            models.IntegerField(
                                default=0, help_text="Of them: gave their output in the end, and nobody was asked."
                            ),
                        ),
                        (
                            "tokens",
                            models.BigIntegerField(
                                default=0, help_text="Since the run's end before, if there was one."
                            ),
                        ),
                        ("cost", models.DecimalField(decimal_places=8, default=0, max_digits=20)),
                        ("epoch", models.IntegerField(default=1)),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["workflow", "-at"], name="ending_of_workflow"),
                            models.Index(fields=["-at"], name="ending_newest"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Measure",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("epoch", models.IntegerField()),
                        ("grain", models.CharField(choices=[("h", "Hour"), ("d", "Day")], max_length=1)),
                        ("name", models.CharField(max_length=24)),
                        ("at", models.DateTimeField(help_text="When the hour or day (UTC) begins.")),
                        ("workflow", models.BigIntegerField(default=0)),
                        ("team", models.BigIntegerField(default=0)),
                        ("step", models.CharField(blank=True, max_length=100)),
                        ("agent", models.CharField(blank=True, max_length=100)),
                        ("bucket", models.SmallIntegerField(default=-1)),
                        ("n", models.BigIntegerField()),
                        ("total", models.DecimalField(decimal_places=8, default=0, max_digits=30)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("epoch", "grain", "name", "at", "workflow", "team", "step", "agent", "bucket"),
                                name="one_measure_per_place",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="MeasureCursor",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("pos", models.BigIntegerField(default=0)),
                        ("epoch", models.IntegerField(default=1)),
                        ("measured_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("id", 1)), name="one_measure_cursor")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Baseline",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("minutes", models.FloatField(help_text="From the order to the result, by hand.")),
                        ("source", models.CharField(help_text="Where the number comes from.", max_length=500)),
                        ("stated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "stated_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("minutes__gt", 0)), name="baseline_is_positive")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Digest",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[("weekly", "Weekly"), ("monthly", "Monthly"), ("quarterly", "Quarterly")],
                                max_length=10,
                            ),
                        ),
                        ("since", models.DateTimeField()),
                        ("until", models.DateTimeField()),
                        ("body", models.JSONField()),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.UniqueConstraint(fields=("kind", "user", "since"), name="one_digest_per_span")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DigestWish",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[("weekly", "Weekly"), ("monthly", "Monthly"), ("quarterly", "Quarterly")],
                                max_length=10,
                            ),
                        ),
                        ("since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "constraints": [models.UniqueConstraint(fields=("user", "kind"), name="one_wish_per_digest")],
                    },
                ),
                migrations.CreateModel(
                    name="Objective",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "indicator",
                            models.CharField(
                                choices=[
                                    ("success", "Success"),
                                    ("completion", "Completion"),
                                    ("queue", "Queue"),
                                    ("work", "Work"),
                                    ("human", "Human"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("within_ms", models.FloatField(help_text="Not of success.", null=True)),
                        ("share", models.FloatField()),
                        ("days", models.PositiveSmallIntegerField(default=30)),
                        ("reason", models.TextField(blank=True)),
                        ("set_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "set_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["workflow_id", "indicator"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("workflow", "indicator"), name="one_objective_per_indicator"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("share__gte", 0.5), ("share__lt", 1)),
                                name="objective_leaves_something_to_go_wrong",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("indicator", "success"), ("within_ms", None)),
                                    models.Q(models.Q(("indicator", "success"), _negated=True), ("within_ms__gt", 0)),
                                    _connector="OR",
                                ),
                                name="objective_says_within_what",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Tier",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "level",
                            models.CharField(
                                choices=[("bronze", "Bronze"), ("silver", "Silver"), ("gold", "Gold")], max_length=10
                            ),
                        ),
                        (
                            "reserve",
                            models.FloatField(default=0.1, help_text="Held back of the month's money: 0.1 to 0.2."),
                        ),
                        (
                            "sponsored_at",
                            models.DateTimeField(help_text="Since when the sponsor stands for it.", null=True),
                        ),
                        ("reason", models.TextField()),
                        ("set_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "set_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "sponsor",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="auth.group"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("reserve__gte", 0.1), ("reserve__lte", 0.2)),
                                name="tier_keeps_a_reserve",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("level", "gold"), _negated=True),
                                    ("sponsor__isnull", False),
                                    _connector="OR",
                                ),
                                name="gold_has_a_sponsor",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("sponsor", None),
                                    models.Q(("sponsor", models.F("set_by")), _negated=True),
                                    _connector="OR",
                                ),
                                name="sponsor_is_another_person",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Mention",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[("person", "Person"), ("agent", "Agent"), ("incident", "Incident")],
                                max_length=10,
                            ),
                        ),
                        ("name", models.CharField(max_length=200)),
                        ("pos", models.BigIntegerField(help_text="The event's place in the ledger.")),
                        ("run_id", models.BigIntegerField(null=True)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("kind", "name", "pos"), name="one_mention_per_event"),
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("run_id__isnull", False), models.Q(("kind", "person"), _negated=True)
                                ),
                                fields=("kind", "name", "run_id"),
                                name="one_mention_per_run",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="MentionCursor",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("pos", models.BigIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name="LegalHold",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "what",
                            models.CharField(
                                choices=[("run", "Run"), ("incident", "Incident"), ("correlation", "Correlation")],
                                max_length=12,
                            ),
                        ),
                        (
                            "name",
                            models.CharField(
                                help_text="The run's number, the incident's or the correlation id.", max_length=200
                            ),
                        ),
                        ("reason", models.CharField(max_length=1000)),
                        ("placed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("released_at", models.DateTimeField(null=True)),
                        ("why_released", models.CharField(blank=True, db_default="", default="", max_length=1000)),
                        (
                            "placed_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "released_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("released_at", None)),
                                fields=("what", "name"),
                                name="one_hold_per_thing",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("released_at", None), ("released_by", None)),
                                    models.Q(("released_at__isnull", False), ("released_by__isnull", False)),
                                    _connector="OR",
                                ),
                                name="hold_released_by_somebody",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AlertCount",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("seconds", models.PositiveSmallIntegerField(help_text="60 or 3600.")),
                        ("scope", models.CharField(max_length=20)),
                        ("subject", models.CharField(max_length=100)),
                        ("at", models.DateTimeField()),
                        ("numbers", models.JSONField(default=dict)),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["seconds", "scope", "subject", "at"], name="alert_count_of_subject")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("seconds", "scope", "at", "subject"), name="one_count_per_subject_and_time"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AlertCursor",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("pos", models.BigIntegerField(default=0)),
                        ("full_at", models.DateTimeField(null=True)),
                        ("sampled_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_alert_cursor")],
                    },
                ),
                migrations.CreateModel(
                    name="AlertRule",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.SlugField(max_length=60, unique=True)),
                        ("title", models.CharField(max_length=200)),
                        (
                            "scope",
                            models.CharField(
                                help_text="What it looks at: run, workflow, agent, tool, queue, …", max_length=20
                            ),
                        ),
                        ("condition", models.TextField(help_text="CEL; true raises an alert.")),
                        (
                            "severity",
                            models.CharField(
                                choices=[("info", "Note"), ("warning", "Warning"), ("critical", "Critical")],
                                max_length=20,
                            ),
                        ),
                        (
                            "window",
                            models.PositiveIntegerField(
                                default=60, help_text="Minutes over which numbers are added up."
                            ),
                        ),
                        (
                            "subject",
                            models.CharField(
                                blank=True, default="", help_text="Only this one; empty for all.", max_length=100
                            ),
                        ),
                        ("runbook", models.CharField(blank=True, default="", max_length=60)),
                        ("enabled", models.BooleanField(default=True)),
                        (
                            "shipped",
                            models.BooleanField(
                                default=False, help_text="It came with the product, and can be brought back."
                            ),
                        ),
                        (
                            "problem",
                            models.CharField(
                                blank=True, default="", help_text="Why it could not be worked out.", max_length=300
                            ),
                        ),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "changed_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["scope", "name"],
                    },
                ),
                migrations.CreateModel(
                    name="Alert",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("scope", models.CharField(max_length=20)),
                        (
                            "subject",
                            models.CharField(
                                help_text="A run's number, or a name; empty for the system itself.", max_length=100
                            ),
                        ),
                        (
                            "severity",
                            models.CharField(
                                choices=[("info", "Note"), ("warning", "Warning"), ("critical", "Critical")],
                                max_length=20,
                            ),
                        ),
                        (
                            "message",
                            models.CharField(
                                help_text="In English, as it left the product. Names in it are hostile.", max_length=500
                            ),
                        ),
                        (
                            "data",
                            models.JSONField(default=dict, help_text="The numbers that the condition was true of."),
                        ),
                        ("run_id", models.BigIntegerField(null=True)),
                        (
                            "occurrences",
                            models.PositiveIntegerField(
                                default=1, help_text="How often it came true while this was open."
                            ),
                        ),
                        ("raised_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "seen_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now(),
                                help_text="When the condition was last true.",
                            ),
                        ),
                        (
                            "calm_since",
                            models.DateTimeField(help_text="Since when it is not true any more.", null=True),
                        ),
                        (
                            "cleared_at",
                            models.DateTimeField(help_text="When it had not been true for long enough.", null=True),
                        ),
                        ("acknowledged_at", models.DateTimeField(null=True)),
                        ("note", models.CharField(blank=True, default="", max_length=1000)),
                        ("silenced_until", models.DateTimeField(null=True)),
                        (
                            "level",
                            models.PositiveSmallIntegerField(
                                default=0, help_text="How often it was passed on for lack of an answer."
                            ),
                        ),
                        ("escalates_at", models.DateTimeField(null=True)),
                        (
                            "drill",
                            models.BooleanField(default=False, help_text="Raised on a game day: nothing is wrong."),
                        ),
                        ("closed_at", models.DateTimeField(null=True)),
                        (
                            "acknowledged_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "assigned_to",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="alerts",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="approvals.queue",
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="orchestrator.workflow",
                            ),
                        ),
                        (
                            "rule",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="alerts",
                                to="monitoring.alertrule",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(condition=models.Q(("closed_at", None)), fields=["-id"], name="alert_open"),
                            models.Index(
                                condition=models.Q(
                                    ("acknowledged_at", None), ("closed_at", None), ("escalates_at__isnull", False)
                                ),
                                fields=["escalates_at"],
                                name="alert_to_pass_on",
                            ),
                            models.Index(fields=["-raised_at"], name="alert_by_age"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("closed_at", None), ("drill", False)),
                                fields=("rule", "subject"),
                                name="one_open_alert_per_rule_and_subject",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("closed_at", None), ("cleared_at__isnull", False), _connector="OR"),
                                name="alert_is_closed_only_when_it_is_over",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AlertStep",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("runbook", models.CharField(max_length=60)),
                        ("digest", models.CharField(help_text="Of the runbook as it was then.", max_length=64)),
                        ("key", models.CharField(max_length=60)),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("words", models.CharField(blank=True, default="", max_length=500)),
                        (
                            "alert",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="monitoring.alert"
                            ),
                        ),
                        (
                            "by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "constraints": [
                            models.UniqueConstraint(fields=("alert", "key"), name="one_row_per_alert_and_step")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="GameDay",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("runbook", models.CharField(max_length=60)),
                        ("digest", models.CharField(max_length=64)),
                        ("started_by", models.CharField(max_length=150)),
                        ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "answered_s",
                            models.FloatField(help_text="From the alert to its acknowledgement.", null=True),
                        ),
                        ("passed", models.BooleanField(null=True)),
                        ("result", models.TextField(blank=True, default="")),
                        (
                            "alert",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="monitoring.alert"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Rotation",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        (
                            "people",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(),
                                default=list,
                                help_text="User ids in the order of their turns.",
                            ),
                        ),
                        ("days", models.PositiveSmallIntegerField(default=7, help_text="Length of a turn.")),
                        (
                            "hour",
                            models.PositiveSmallIntegerField(
                                default=9, help_text="Of the hand-over, in the time zone."
                            ),
                        ),
                        ("zone", models.CharField(default="UTC", max_length=60)),
                        ("starts_on", models.DateField(help_text="The first person's first turn begins on this day.")),
                        (
                            "minutes",
                            models.PositiveSmallIntegerField(
                                default=5, help_text="So long one has to answer a critical alert."
                            ),
                        ),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "changed_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("id", 1)), name="one_rotation"),
                            models.CheckConstraint(
                                condition=models.Q(("days__gte", 1), ("hour__lte", 23), ("minutes__gte", 1)),
                                name="rotation_turns",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Silence",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "subject",
                            models.CharField(
                                blank=True, default="", help_text="Empty: whatever it is about.", max_length=100
                            ),
                        ),
                        ("until", models.DateTimeField()),
                        ("reason", models.CharField(max_length=1000)),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "ended_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "made_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "rule",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="silences",
                                to="monitoring.alertrule",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("until__gt", models.F("made_at"))), name="silence_has_an_end_ahead"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Outlet",
                    fields=[
                        (
                            "name",
                            models.CharField(
                                choices=[("traces", "Traces"), ("siem", "Siem"), ("log", "Log")],
                                max_length=10,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "pos",
                            models.BigIntegerField(
                                help_text="Up to which place of the ledger everything has gone out."
                            ),
                        ),
                        ("since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("sent", models.BigIntegerField(default=0, help_text="Spans or events that were taken.")),
                        (
                            "lost",
                            models.BigIntegerField(
                                default=0, help_text="Of those that never went out: they were refused, or too old."
                            ),
                        ),
                        ("sent_at", models.DateTimeField(null=True)),
                        ("failing_since", models.DateTimeField(null=True)),
                        ("problem", models.CharField(blank=True, default="", max_length=300)),
                        ("failures", models.IntegerField(default=0, help_text="Tries in a row that failed.")),
                        ("retry_at", models.DateTimeField(null=True)),
                        (
                            "seen_at",
                            models.DateTimeField(
                                help_text="Traces: shifts that ended until then have gone out.", null=True
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="OwnSpan",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("trace", models.CharField(max_length=32)),
                        ("span", models.CharField(max_length=16)),
                        ("parent", models.CharField(blank=True, default="", max_length=16)),
                        ("run", models.BigIntegerField(help_text="What it wrote about.", null=True)),
                        ("name", models.CharField(max_length=200)),
                        ("kind", models.CharField(max_length=10)),
                        ("began_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField()),
                        ("failed", models.BooleanField(default=False)),
                        ("facts", models.JSONField(default=dict)),
                    ],
                ),
                migrations.CreateModel(
                    name="BusinessFigure",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=60)),
                        ("value", models.FloatField()),
                        ("workflow", models.BigIntegerField(null=True)),
                        ("run", models.BigIntegerField(null=True)),
                        ("at", models.DateTimeField()),
                        (
                            "key",
                            models.CharField(
                                help_text="The reporter's own id of it: the same counts once.",
                                max_length=200,
                                unique=True,
                            ),
                        ),
                        ("reported_by", models.CharField(max_length=200)),
                        ("reported_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "indexes": [models.Index(fields=["name", "-at"], name="business_figure_newest")],
                    },
                ),
                migrations.CreateModel(
                    name="Tally",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=40)),
                        (
                            "label",
                            models.CharField(
                                blank=True, help_text="An agent's, a tool's or a workflow's name.", max_length=100
                            ),
                        ),
                        ("word", models.CharField(blank=True, help_text="How it ended, for example.", max_length=40)),
                        ("n", models.BigIntegerField(default=0)),
                        ("total", models.FloatField(default=0)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("name", "label", "word"), name="one_tally_per_name")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TallyCursor",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("pos", models.BigIntegerField()),
                        ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_tally_cursor")],
                    },
                ),
            ],
        ),
    ]
