"""All of 0001 to 0016 at once, for databases that have none of them (docs/adr/0011).

The other apps' migrations come first: each of theirs that comes after ours would have Django render all our models anew.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from agents.create_models import CreateModels

TABLES = ("agents_dataset", "agents_datasetcase", "agents_evaluation", "agents_evaluationcase")
# Evidence is only ever added; this app is below the one whose function of that kind guards the event log.
PROTECT = """
CREATE FUNCTION agents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are evidence and are only ever added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'OR090', HINT = 'Evaluate again, or keep a new dataset.';
END $$;
""" + "".join(
    f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION agents_refuse_change();\n"
    f"CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION agents_refuse_change();\n"
    for table in TABLES
)


class Migration(migrations.Migration):
    replaces = [
        ("agents", "0001_initial"),
        ("agents", "0002_tools"),
        ("agents", "0003_messages"),
        ("agents", "0004_guardrails_and_memory"),
        ("agents", "0005_quality"),
        ("agents", "0006_evaluation"),
        ("agents", "0007_prompts"),
        ("agents", "0008_remote_kinds"),
        ("agents", "0009_lifecycle"),
        ("agents", "0010_retention"),
        ("agents", "0011_model_history"),
        ("agents", "0012_memory_vectors"),
        ("agents", "0013_bridge_leases"),
        ("agents", "0014_secret_versions"),
        ("agents", "0015_tool_calls"),
        ("agents", "0016_telemetry"),
    ]

    initial = True

    dependencies = [
        ("account", "0009_emailaddress_unique_primary_email"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("axes", "0010_accessattemptexpiration"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("guardian", "0003_remove_groupobjectpermission_guardian_gr_content_ae6aec_idx_and_more"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("sessions", "0001_initial"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
        ("usersessions", "0001_initial"),
    ]

    operations = [
        # Long-term memory is searched with pgvector. Without it, or without the right to install it, everything else
        # works, and a search says what is missing.
        migrations.RunSQL(
            """
            DO $$ BEGIN
                CREATE EXTENSION IF NOT EXISTS vector;
            EXCEPTION WHEN OTHERS THEN
                RAISE NOTICE 'long-term memory cannot be searched: %', SQLERRM;
            END $$
            """
        ),
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Agent",
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
                        ("owner", models.CharField(blank=True, max_length=150)),
                        (
                            "domain_tags",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=50), blank=True, default=list
                            ),
                        ),
                        ("max_concurrency", models.PositiveIntegerField(blank=True, null=True)),
                        ("rate_per_minute", models.PositiveIntegerField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(auto_now_add=True)),
                        (
                            "authority",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=100),
                                blank=True,
                                help_text="As people set it; null: as registered.",
                                null=True,
                            ),
                        ),
                        (
                            "edited",
                            models.BooleanField(
                                db_default=False,
                                default=False,
                                help_text="People have set owner, domains and authority: registering leaves them alone.",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["name"],
                        "permissions": [("work_as_agent", "Can register and do the work of this agent from outside")],
                    },
                ),
                migrations.CreateModel(
                    name="AgentHealth",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("minute", models.DateTimeField()),
                        ("calls", models.PositiveIntegerField(default=0)),
                        ("failures", models.PositiveIntegerField(default=0)),
                        ("total_ms", models.FloatField(default=0)),
                        ("seen_at", models.DateTimeField()),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="health", to="agents.agent"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("agent", "minute"), name="one_row_per_agent_minute")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AgentVersion",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("python", "Python"),
                                    ("llm", "Llm"),
                                    ("http", "Http"),
                                    ("external", "External"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "isolation",
                            models.CharField(
                                choices=[("loop", "Loop"), ("thread", "Thread"), ("process", "Process")], max_length=20
                            ),
                        ),
                        ("entrypoint", models.CharField(max_length=300)),
                        ("input_schema", models.JSONField(default=dict)),
                        ("output_schema", models.JSONField(default=dict)),
                        (
                            "capabilities",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=100), blank=True, default=list
                            ),
                        ),
                        ("config", models.JSONField(blank=True, default=dict)),
                        ("digest", models.CharField(max_length=64)),
                        ("created_at", models.DateTimeField(auto_now_add=True)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="agents.agent"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["agent_id", "-number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("agent", "number"), name="one_row_per_agent_version")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Policy",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.SlugField(max_length=100, unique=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "current",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="agents.policyversion",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="Tool",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("title", models.CharField(max_length=200)),
                        ("description", models.TextField(blank=True)),
                        ("owner", models.CharField(blank=True, max_length=150)),
                        ("rate_per_minute", models.PositiveIntegerField(blank=True, null=True)),
                        ("tokens", models.FloatField(default=0, help_text="Calls that the rate leaves now.")),
                        ("filled_at", models.DateTimeField(null=True)),
                        (
                            "state",
                            models.CharField(
                                choices=[("closed", "Closed"), ("open", "Open"), ("half_open", "Half Open")],
                                default="closed",
                                max_length=20,
                            ),
                        ),
                        ("failures", models.PositiveIntegerField(default=0, help_text="In a row.")),
                        ("threshold", models.PositiveIntegerField(default=5)),
                        ("reset_s", models.FloatField(default=30.0)),
                        ("opened_at", models.DateTimeField(null=True)),
                        ("last_error", models.CharField(blank=True, default="", max_length=500)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="PolicyEpoch",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("value", models.BigIntegerField(default=0)),
                    ],
                    options={
                        "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_policy_epoch")],
                    },
                ),
                migrations.CreateModel(
                    name="PolicyVersion",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("source", models.TextField()),
                        ("digest", models.CharField(max_length=64)),
                        (
                            "commit",
                            models.CharField(
                                blank=True, default="", help_text="Where it came from, if imported.", max_length=100
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("proposed", "Proposed"),
                                    ("active", "Active"),
                                    ("replaced", "Replaced"),
                                    ("rejected", "Rejected"),
                                ],
                                default="proposed",
                                max_length=20,
                            ),
                        ),
                        ("reason", models.TextField(blank=True, default="")),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("decided_at", models.DateTimeField(null=True)),
                        (
                            "author",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "decided_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "policy",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="agents.policy"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["policy_id", "-number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("policy", "number"), name="one_row_per_policy_version")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Revocation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("entitlement", models.CharField(max_length=100)),
                        ("reason", models.TextField(blank=True, default="")),
                        ("by", models.CharField(max_length=200)),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "policy",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="revocations",
                                to="agents.policy",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("policy", "entitlement"), name="one_revocation_per_entitlement"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ToolUse",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("agent", models.CharField(max_length=100)),
                        ("tool", models.CharField(max_length=100)),
                        (
                            "decision",
                            models.CharField(help_text="allowed, denied, asked, limited, failed", max_length=20),
                        ),
                        ("code", models.CharField(blank=True, default="", max_length=50)),
                        ("policy", models.CharField(blank=True, default="", max_length=100)),
                        ("entitlement", models.CharField(blank=True, default="", max_length=100)),
                        ("hour", models.DateTimeField()),
                        ("calls", models.PositiveIntegerField(default=0)),
                        ("total_ms", models.FloatField(default=0)),
                        ("last_at", models.DateTimeField()),
                        (
                            "last_key",
                            models.CharField(
                                blank=True, default="", help_text="The latest call's idempotency key.", max_length=200
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["tool", "-hour"], name="tool_use_by_tool"),
                            models.Index(fields=["policy", "entitlement", "-last_at"], name="tool_use_by_entitlement"),
                            django.contrib.postgres.indexes.BrinIndex(fields=["hour"], name="tool_use_by_age"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("agent", "tool", "decision", "code", "policy", "entitlement", "hour"),
                                name="one_row_per_use",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ToolVersion",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("risk", models.CharField(max_length=20)),
                        ("entrypoint", models.CharField(max_length=300)),
                        ("input_schema", models.JSONField(default=dict)),
                        ("output_schema", models.JSONField(default=dict)),
                        (
                            "data_scopes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=50), default=list
                            ),
                        ),
                        (
                            "config",
                            models.JSONField(
                                default=dict, help_text="effects, dry_run, dry_run_first, compensate, secrets, sandbox"
                            ),
                        ),
                        ("digest", models.CharField(max_length=64)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "tool",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="agents.tool"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["tool_id", "-number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("tool", "number"), name="one_row_per_tool_version")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BridgeHealth",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("kind", models.CharField(max_length=20)),
                        (
                            "rank",
                            models.PositiveSmallIntegerField(
                                help_text="0 is preferred; the next ones stand in for it."
                            ),
                        ),
                        ("up", models.BooleanField(default=False)),
                        ("active", models.BooleanField(default=False, help_text="Messages go out by this one now.")),
                        ("problem", models.CharField(blank=True, default="", max_length=500)),
                        ("sent", models.PositiveBigIntegerField(default=0)),
                        ("received", models.PositiveBigIntegerField(default=0)),
                        (
                            "repeated",
                            models.PositiveBigIntegerField(default=0, help_text="Came again and were passed over."),
                        ),
                        (
                            "refused",
                            models.PositiveBigIntegerField(default=0, help_text="Came in and were no message of ours."),
                        ),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "holder",
                            models.CharField(
                                blank=True, default="", help_text="The relay that keeps it, of several.", max_length=40
                            ),
                        ),
                        ("held_until", models.DateTimeField(null=True)),
                    ],
                    options={
                        "ordering": ["rank", "name"],
                    },
                ),
                migrations.CreateModel(
                    name="Expectation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("reader", models.CharField(help_text="The waiting call's key.", max_length=200)),
                        ("serial", models.PositiveIntegerField(help_text="The how manyth wait of this reader.")),
                        ("agent", models.CharField(max_length=100)),
                        (
                            "awaited",
                            models.CharField(
                                blank=True, default="", help_text="Whose answer; empty: anybody's.", max_length=100
                            ),
                        ),
                        ("thread", models.CharField(blank=True, default="", max_length=200)),
                        (
                            "answers",
                            models.UUIDField(help_text="The message that what comes must follow from.", null=True),
                        ),
                        ("correlation_id", models.CharField(blank=True, default="", max_length=200)),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("deadline_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("ended_at", None)), fields=["agent"], name="expectation_open"
                            ),
                            models.Index(
                                condition=models.Q(("ended_at", None)),
                                fields=["correlation_id"],
                                name="expectation_circle",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("reader", "serial"), name="one_expectation_per_wait")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Message",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("uid", models.UUIDField(unique=True)),
                        ("agent_id", models.CharField(max_length=100)),
                        ("task_id", models.CharField(blank=True, default="", max_length=200)),
                        ("message_type", models.CharField(max_length=10)),
                        (
                            "payload",
                            models.TextField(
                                help_text="Canonical JSON. Text, because jsonb would change numbers such as 1e300."
                            ),
                        ),
                        ("confidence", models.FloatField(null=True)),
                        ("timestamp", models.DateTimeField()),
                        ("parent_task_id", models.CharField(max_length=200, null=True)),
                        ("to", models.CharField(max_length=100, null=True)),
                        ("to_address", models.CharField(blank=True, default="", max_length=200)),
                        ("topic", models.CharField(max_length=200, null=True)),
                        ("specialism", models.CharField(max_length=100, null=True)),
                        ("broadcast", models.BooleanField(default=False)),
                        ("reply_to", models.CharField(blank=True, default="", max_length=200)),
                        ("thread", models.CharField(max_length=200)),
                        ("correlation_id", models.CharField(blank=True, default="", max_length=200)),
                        ("causation_id", models.UUIDField(null=True)),
                        ("priority", models.SmallIntegerField(default=1)),
                        ("ttl_s", models.PositiveIntegerField()),
                        ("hops", models.SmallIntegerField(default=0)),
                        (
                            "digest",
                            models.CharField(
                                help_text="SHA-256 of what it says: the same again is a circle.", max_length=64
                            ),
                        ),
                        ("size", models.PositiveIntegerField(help_text="Bytes of its payload.")),
                        (
                            "via",
                            models.CharField(
                                blank=True, default="", help_text="The bridge it came in by.", max_length=100
                            ),
                        ),
                        (
                            "sent_by",
                            models.CharField(
                                help_text="As events name actors: agent:x, user:x, bridge:x.", max_length=200
                            ),
                        ),
                        ("sent_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("readers", models.PositiveIntegerField(default=0, help_text="How many agents it went to.")),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [
                            models.Index(fields=["thread", "id"], name="message_thread"),
                            models.Index(fields=["correlation_id", "id"], name="message_correlation"),
                            models.Index(fields=["agent_id", "-id"], name="message_sender"),
                            models.Index(fields=["expires_at"], name="message_expires"),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("hops__gte", 0)), name="message_hops_not_negative"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Delivery",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("recipient", models.CharField(max_length=100)),
                        ("address", models.CharField(blank=True, default="", max_length=200)),
                        ("thread", models.CharField(max_length=200)),
                        ("priority", models.SmallIntegerField()),
                        (
                            "replay",
                            models.PositiveSmallIntegerField(
                                default=0, help_text="0: the first time; n: the nth replay."
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("queued", "Queued"),
                                    ("held", "Held"),
                                    ("done", "Done"),
                                    ("dead", "Dead"),
                                    ("expired", "Expired"),
                                ],
                                default="queued",
                                max_length=10,
                            ),
                        ),
                        ("due_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("held_by", models.CharField(blank=True, default="", max_length=200)),
                        ("held_until", models.DateTimeField(null=True)),
                        (
                            "turn",
                            models.PositiveIntegerField(
                                default=0, help_text="The how manyth message of its reader this is."
                            ),
                        ),
                        ("failures", models.PositiveSmallIntegerField(default=0)),
                        ("problem", models.CharField(blank=True, default="", max_length=500)),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "message",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="deliveries",
                                to="agents.message",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "queued")),
                                fields=["recipient", "-priority", "id"],
                                name="delivery_queued",
                            ),
                            models.Index(
                                condition=models.Q(("state__in", ["queued", "held"])),
                                fields=["recipient", "thread", "id"],
                                name="delivery_thread",
                            ),
                            models.Index(
                                condition=models.Q(("held_by", ""), _negated=True),
                                fields=["held_by", "turn"],
                                name="delivery_held_by",
                            ),
                            models.Index(
                                condition=models.Q(("state", "held")), fields=["held_until"], name="delivery_lease"
                            ),
                            models.Index(
                                condition=models.Q(("state", "queued")), fields=["expires_at"], name="delivery_expires"
                            ),
                            models.Index(condition=models.Q(("state", "dead")), fields=["-id"], name="delivery_dead"),
                            models.Index(
                                condition=models.Q(("state", "done")), fields=["-ended_at"], name="delivery_done"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("message", "recipient", "replay"), name="one_delivery_per_reader"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("held_until__isnull", False), ("state", "held")),
                                    models.Q(("state", "held"), _negated=True),
                                    _connector="OR",
                                ),
                                name="held_delivery_has_lease",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Outbound",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "channels",
                            django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=250)),
                        ),
                        ("due_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("tries", models.PositiveIntegerField(default=0)),
                        ("problem", models.CharField(blank=True, default="", max_length=500)),
                        (
                            "bridge",
                            models.CharField(blank=True, default="", help_text="By which it went.", max_length=100),
                        ),
                        ("sent_at", models.DateTimeField(null=True)),
                        (
                            "message",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="outbound",
                                to="agents.message",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("sent_at", None)), fields=["due_at", "id"], name="outbound_due"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Subscription",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "topic",
                            models.CharField(
                                help_text="Words with dots; * is any one word, # at the end any rest.", max_length=200
                            ),
                        ),
                        (
                            "match",
                            models.CharField(
                                blank=True, default="", help_text="CEL over message; empty: all.", max_length=2000
                            ),
                        ),
                        ("enabled", models.BooleanField(default=True)),
                        ("created_by", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="subscriptions",
                                to="agents.agent",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["topic", "agent__name", "id"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("agent", "topic", "match"), name="one_subscription_per_rule"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DataRule",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.SlugField(max_length=100, unique=True)),
                        (
                            "tags",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=10), default=list
                            ),
                        ),
                        ("condition", models.CharField(max_length=500)),
                        ("enabled", models.BooleanField(default=True)),
                        ("changed_by", models.CharField(max_length=150)),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="Consent",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("subject", models.CharField(max_length=64)),
                        ("purpose", models.CharField(max_length=100)),
                        ("granted", models.BooleanField()),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("by", models.CharField(max_length=150)),
                        ("evidence", models.CharField(max_length=500)),
                    ],
                    options={
                        "indexes": [models.Index(fields=["subject", "purpose", "-id"], name="consent_of_person")],
                    },
                ),
                migrations.CreateModel(
                    name="MemoryItem",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("realm", models.CharField(max_length=100)),
                        (
                            "layer",
                            models.CharField(
                                choices=[("short", "Short"), ("task", "Task"), ("long", "Long")], max_length=10
                            ),
                        ),
                        ("run", models.BigIntegerField(null=True)),
                        ("task", models.BigIntegerField(null=True)),
                        ("subject", models.CharField(blank=True, max_length=64)),
                        ("text", models.TextField()),
                        (
                            "tags",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=10), default=list
                            ),
                        ),
                        (
                            "embedding",
                            django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), null=True),
                        ),
                        ("source", models.CharField(max_length=20)),
                        ("writer", models.CharField(max_length=160)),
                        ("key", models.CharField(blank=True, max_length=100)),
                        ("covers_from", models.BigIntegerField(null=True)),
                        ("covers_to", models.BigIntegerField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("used_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("quarantine", models.CharField(blank=True, max_length=300)),
                        ("digest", models.CharField(max_length=64)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="memories", to="agents.agent"
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["agent", "realm", "layer", "-id"], name="memory_of_agent"),
                            models.Index(
                                condition=models.Q(("subject", ""), _negated=True),
                                fields=["subject"],
                                name="memory_of_person",
                            ),
                            models.Index(fields=["expires_at"], name="memory_expiry"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Violation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("version", models.PositiveIntegerField()),
                        ("rule", models.CharField(max_length=30)),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("key", models.CharField(blank=True, max_length=100)),
                        ("facts", models.JSONField(default=dict)),
                        ("spent", models.BooleanField(default=False)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="violations",
                                to="agents.agent",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("spent", False)), fields=["agent", "at"], name="violations_counted"
                            ),
                            models.Index(fields=["agent", "-id"], name="violations_of_agent"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AuthorityTable",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("weights", models.JSONField()),
                        ("reason", models.TextField()),
                        ("changed_by", models.CharField(max_length=150)),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Assessment",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "task",
                            models.BigIntegerField(help_text="The task whose output it was; not known to this app."),
                        ),
                        ("run", models.BigIntegerField(help_text="Its run, likewise.")),
                        ("attempt", models.SmallIntegerField()),
                        ("workflow", models.CharField(max_length=100)),
                        ("step", models.CharField(max_length=100)),
                        ("agent", models.CharField(help_text="Who produced it.", max_length=100)),
                        ("agent_version", models.IntegerField(null=True)),
                        (
                            "verifier",
                            models.CharField(
                                blank=True, help_text="Who verified it: never who produced it.", max_length=100
                            ),
                        ),
                        ("score", models.FloatField(help_text="0-100.")),
                        ("passed", models.BooleanField()),
                        ("zero_tolerance", models.BooleanField(default=False)),
                        ("reasons", models.JSONField(default=list, help_text="Why it was held; empty if it passed.")),
                        ("components", models.JSONField(default=list)),
                        ("consensus", models.JSONField(help_text="Who agreed, and every other side.", null=True)),
                        ("guardians", models.JSONField(default=list)),
                        (
                            "claimed",
                            models.FloatField(help_text="The confidence that its agent claims, 0-1.", null=True),
                        ),
                        (
                            "calibrated",
                            models.FloatField(
                                help_text="The same, calibrated on outcomes; none where it may not be shown.", null=True
                            ),
                        ),
                        (
                            "calibration",
                            models.CharField(
                                blank=True, help_text="What that rests on, or why it is not shown.", max_length=300
                            ),
                        ),
                        ("assessed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(fields=["agent", "-id"], name="assessments_of_agent"),
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["assessed_at"], name="assessments_by_age"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("task", "attempt"), name="one_assessment_per_attempt"),
                            models.CheckConstraint(
                                condition=models.Q(("verifier", models.F("agent")), _negated=True),
                                name="verifier_is_not_producer",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("score__gte", 0), ("score__lte", 100)), name="score_from_0_to_100"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Calibration",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("agent", models.CharField(max_length=100)),
                        ("method", models.CharField(max_length=20)),
                        ("outcomes", models.IntegerField()),
                        ("right", models.IntegerField()),
                        ("usable", models.BooleanField()),
                        ("why", models.CharField(max_length=300)),
                        ("params", models.JSONField(default=dict)),
                        ("evidence", models.JSONField(default=dict, help_text="Errors and bins before and after.")),
                        ("fitted_by", models.CharField(blank=True, max_length=150)),
                        ("fitted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [models.Index(fields=["agent", "-id"], name="calibrations_of_agent")],
                    },
                ),
                migrations.CreateModel(
                    name="Dataset",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.SlugField(max_length=100)),
                        ("digest", models.CharField(max_length=64)),
                        (
                            "agent",
                            models.CharField(
                                blank=True, help_text="Whose input and output the cases hold.", max_length=100
                            ),
                        ),
                        ("cases", models.IntegerField()),
                        ("dropped", models.IntegerField(default=0, help_text="Cases that stood in it already.")),
                        (
                            "contradicting",
                            models.IntegerField(
                                default=0, help_text="Cases left out: another expects something else of the same input."
                            ),
                        ),
                        ("provenance", models.JSONField(default=dict)),
                        (
                            "personal",
                            models.JSONField(
                                default=dict, help_text="What looks like personal data: kind and number of cases."
                            ),
                        ),
                        ("created_by", models.CharField(max_length=150)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.UniqueConstraint(fields=("name", "digest"), name="one_dataset_per_digest")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Evaluation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("suite", models.SlugField(max_length=100)),
                        ("kind", models.CharField(max_length=20)),
                        ("suite_digest", models.CharField(max_length=64)),
                        ("agent", models.CharField(max_length=100)),
                        ("agent_version", models.IntegerField()),
                        ("agent_digest", models.CharField(max_length=64)),
                        (
                            "prompt_version",
                            models.CharField(
                                blank=True, help_text='"name@2", where its agent has a prompt.', max_length=150
                            ),
                        ),
                        ("dataset", models.CharField(max_length=100)),
                        ("dataset_digest", models.CharField(max_length=64)),
                        ("cases", models.IntegerField()),
                        ("measures", models.JSONField(help_text="Name: value.")),
                        ("thresholds", models.JSONField(help_text="Measure: {at_least, at_most, value, held}.")),
                        ("passed", models.BooleanField()),
                        ("trigger", models.CharField(max_length=20)),
                        ("started_by", models.CharField(blank=True, max_length=150)),
                        ("started_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(fields=["agent", "kind", "-id"], name="evaluations_of_agent"),
                            models.Index(fields=["suite", "-id"], name="evaluations_of_suite"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DatasetCase",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("number", models.IntegerField()),
                        ("digest", models.CharField(max_length=64)),
                        ("input", models.JSONField()),
                        ("expected", models.JSONField(default=dict)),
                        ("tags", models.JSONField(default=list)),
                        ("provenance", models.JSONField(default=dict)),
                        (
                            "dataset",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="rows", to="agents.dataset"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["dataset", "number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("dataset", "number"), name="one_case_per_number")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="EvaluationCase",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("number", models.IntegerField()),
                        ("case_digest", models.CharField(max_length=64)),
                        ("passed", models.BooleanField()),
                        (
                            "succeeded",
                            models.BooleanField(help_text="The call gave an output that keeps its contract."),
                        ),
                        ("latency_ms", models.FloatField()),
                        ("cost", models.FloatField(default=0)),
                        ("tokens", models.IntegerField(default=0)),
                        ("marks", models.JSONField(default=dict, help_text="Measure: this case's part in it.")),
                        ("input", models.JSONField()),
                        ("expected", models.JSONField()),
                        ("output", models.JSONField(null=True)),
                        ("error", models.CharField(blank=True, max_length=500)),
                        ("tags", models.JSONField(default=list)),
                        (
                            "evaluation",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="rows", to="agents.evaluation"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["evaluation", "number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("evaluation", "number"), name="one_row_per_evaluated_case")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="EvaluationItem",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("suite", models.SlugField(max_length=100)),
                        ("agent", models.CharField(max_length=100)),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("closed_at", models.DateTimeField(null=True)),
                        ("closed_by", models.CharField(blank=True, max_length=150)),
                        ("reason", models.TextField(blank=True)),
                        (
                            "evaluation",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="items",
                                to="agents.evaluation",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("closed_at", None)),
                                fields=("suite", "agent"),
                                name="one_open_item_per_suite_and_agent",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ModelTier",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "ref",
                            models.CharField(
                                help_text="The budget's own name for itself.", max_length=100, unique=True
                            ),
                        ),
                        ("agent", models.CharField(max_length=100)),
                        ("since", models.DateTimeField(auto_now_add=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="PartialText",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("key", models.CharField(max_length=200, unique=True)),
                        ("correlation_id", models.CharField(db_index=True, max_length=200)),
                        ("agent", models.CharField(max_length=100)),
                        ("attempt", models.IntegerField()),
                        ("text", models.TextField()),
                        ("updated_at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Prompt",
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
                        ("created_at", models.DateTimeField(auto_now_add=True)),
                    ],
                    options={
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="ModelCall",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("key", models.CharField(db_index=True, max_length=200)),
                        ("correlation_id", models.CharField(db_index=True, max_length=200)),
                        ("attempt", models.IntegerField()),
                        ("agent", models.CharField(max_length=100)),
                        ("model", models.CharField(max_length=200)),
                        ("tier", models.CharField(default="standard", max_length=20)),
                        (
                            "prompt",
                            models.CharField(
                                blank=True, help_text="name@number of the prompt version used", max_length=120
                            ),
                        ),
                        ("tokens_in", models.IntegerField(default=0)),
                        ("tokens_out", models.IntegerField(default=0)),
                        ("cost", models.DecimalField(decimal_places=8, max_digits=16, null=True)),
                        ("currency", models.CharField(default="USD", max_length=3)),
                        ("failure", models.CharField(blank=True, max_length=50)),
                        ("at", models.DateTimeField(auto_now_add=True)),
                        (
                            "ms",
                            models.FloatField(
                                help_text="From asking to the answer; of older rows nobody knows it.", null=True
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["agent", "at"], name="model_call_by_agent"),
                            django.contrib.postgres.indexes.BrinIndex(fields=["at"], name="model_call_by_age"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PromptVersion",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        (
                            "status",
                            models.CharField(
                                choices=[("draft", "Draft"), ("in_review", "In Review"), ("published", "Published")],
                                default="draft",
                                max_length=20,
                            ),
                        ),
                        ("template", models.TextField()),
                        ("variables", models.JSONField(default=list)),
                        (
                            "change",
                            models.CharField(blank=True, help_text="What is different, and why.", max_length=500),
                        ),
                        ("git_ref", models.CharField(blank=True, max_length=200)),
                        (
                            "docs_link",
                            models.CharField(
                                blank=True, help_text="Documentation and training that follow.", max_length=500
                            ),
                        ),
                        ("digest", models.CharField(max_length=64)),
                        (
                            "editors",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(),
                                default=list,
                                help_text="User ids: none of them may review it.",
                            ),
                        ),
                        ("changed_at", models.DateTimeField()),
                        ("submitted_at", models.DateTimeField(null=True)),
                        ("review_note", models.TextField(blank=True)),
                        ("reviewed_at", models.DateTimeField(null=True)),
                        (
                            "author",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="agents.prompt"
                            ),
                        ),
                        (
                            "reviewer",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["prompt_id", "-number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("prompt", "number"), name="one_row_per_prompt_version")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PromptEvidence",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("digest", models.CharField(max_length=64)),
                        ("suite", models.CharField(max_length=100)),
                        (
                            "reference",
                            models.CharField(
                                help_text="Where the result is: an evaluation's id or address.", max_length=200
                            ),
                        ),
                        ("score", models.FloatField()),
                        ("passed", models.BooleanField()),
                        ("measured_at", models.DateTimeField()),
                        ("recorded_by", models.CharField(max_length=200)),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="evidence",
                                to="agents.promptversion",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-measured_at"],
                    },
                ),
                migrations.CreateModel(
                    name="QualityTarget",
                    fields=[
                        (
                            "agent",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="target",
                                serialize=False,
                                to="agents.agent",
                            ),
                        ),
                        (
                            "accuracy",
                            models.FloatField(
                                help_text="Of its outputs that people decided on: the share that stood.", null=True
                            ),
                        ),
                        (
                            "success",
                            models.FloatField(help_text="The share of its calls that did not fail.", null=True),
                        ),
                        ("p95_ms", models.FloatField(help_text="95 of 100 calls end within this.", null=True)),
                        (
                            "hours",
                            models.PositiveSmallIntegerField(
                                default=24, help_text="The window: what is measured lies in it."
                            ),
                        ),
                        ("set_by", models.CharField(blank=True, max_length=150)),
                        ("reason", models.TextField(blank=True)),
                        ("set_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("measured", models.JSONField(default=dict, help_text="Measure: {value, n}.")),
                        ("measured_at", models.DateTimeField(null=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="AgentRelease",
                    fields=[
                        (
                            "agent",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="release",
                                serialize=False,
                                to="agents.agent",
                            ),
                        ),
                        ("current", models.PositiveIntegerField(null=True)),
                        (
                            "previous",
                            models.PositiveIntegerField(
                                help_text="In force before the current one: what a revert takes.", null=True
                            ),
                        ),
                        ("canary", models.PositiveIntegerField(null=True)),
                        (
                            "share",
                            models.PositiveSmallIntegerField(
                                default=0, help_text="Of its tasks that the canary does, in percent."
                            ),
                        ),
                        ("canary_since", models.DateTimeField(null=True)),
                        (
                            "hands",
                            models.JSONField(
                                default=dict,
                                help_text="Version: who began or changed its canary, and may not promote it.",
                            ),
                        ),
                        (
                            "comparison",
                            models.JSONField(default=dict, help_text="Canary and current as last compared."),
                        ),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("share__lte", 50)), name="canary_takes_half_at_most"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("canary", None),
                                    models.Q(("canary", models.F("current")), _negated=True),
                                    _connector="OR",
                                ),
                                name="canary_is_not_current",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AgentItem",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("kind", models.CharField(max_length=20)),
                        ("words", models.CharField(max_length=500)),
                        ("facts", models.JSONField(default=dict)),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("closed_at", models.DateTimeField(null=True)),
                        ("closed_by", models.CharField(blank=True, max_length=150)),
                        ("reason", models.TextField(blank=True)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="items", to="agents.agent"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("closed_at", None)),
                                fields=("agent", "kind"),
                                name="one_open_item_per_agent_and_kind",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="VersionMinute",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("version", models.PositiveIntegerField()),
                        ("minute", models.DateTimeField()),
                        ("calls", models.PositiveIntegerField(default=0)),
                        ("failures", models.PositiveIntegerField(default=0)),
                        ("buckets", models.JSONField(default=dict)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="agents.agent"
                            ),
                        ),
                    ],
                    options={
                        "indexes": [models.Index(fields=["minute"], name="version_minutes_by_age")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("agent", "minute", "version"), name="one_row_per_version_minute"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ModelHistory",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("key", models.CharField(max_length=200, unique=True)),
                        ("agent", models.CharField(max_length=100)),
                        (
                            "about",
                            models.CharField(
                                help_text="Of model, instructions, prompt and tools: others begin anew.", max_length=64
                            ),
                        ),
                        ("body", models.TextField(help_text="Under the data keys.")),
                        ("kept_at", models.DateTimeField(auto_now=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="SecretVersion",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("version", models.CharField(max_length=100)),
                        ("seen_at", models.DateTimeField(auto_now=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="ToolCall",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("seal", models.CharField(max_length=16)),
                        ("key", models.CharField(max_length=200)),
                        ("correlation_id", models.CharField(max_length=200)),
                        ("given", models.TextField()),
                        ("got", models.TextField(blank=True, default="")),
                        ("ms", models.FloatField(default=0)),
                        ("at", models.DateTimeField()),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["correlation_id", "seal"], name="tool_call_told"),
                            django.contrib.postgres.indexes.BrinIndex(fields=["at"], name="tool_call_by_age"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Counted",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=40)),
                        ("agent", models.CharField(max_length=100)),
                        ("what", models.CharField(blank=True, max_length=200)),
                        ("bucket", models.SmallIntegerField(default=-1)),
                        ("n", models.BigIntegerField(default=0)),
                        ("total", models.FloatField(default=0)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("name", "agent", "what", "bucket"), name="one_row_per_count"
                            )
                        ],
                    },
                ),
            ],
        ),
        migrations.RunSQL(PROTECT),
        # Whoever reads "name@3" later must read what was reviewed, whatever code wrote to the table meanwhile.
        migrations.RunSQL(
            """
            CREATE FUNCTION refuse_prompt_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'a published prompt version never changes' USING ERRCODE = 'restrict_violation';
            END $$;
            CREATE TRIGGER published_prompt_is_fixed BEFORE UPDATE OR DELETE ON agents_promptversion
                FOR EACH ROW WHEN (OLD.status = 'published') EXECUTE FUNCTION refuse_prompt_change();
            """
        ),
        # Partial words are worth nothing after a crash: no write-ahead log for them.
        migrations.RunSQL("ALTER TABLE agents_partialtext SET UNLOGGED"),
        # pgvector's own type, kept by the database: an array would be cast row by row in each search (2.8 times slower).
        # Where there is no pgvector nothing is made, and searches say what is missing.
        migrations.RunSQL(
            """
            DO $$ BEGIN
                ALTER TABLE agents_memoryitem
                    ADD COLUMN meaning vector(384) GENERATED ALWAYS AS (embedding::vector(384)) STORED;
            EXCEPTION WHEN undefined_object THEN
                RAISE NOTICE 'long-term memory cannot be searched: there is no type vector';
            END $$
            """
        ),
    ]
