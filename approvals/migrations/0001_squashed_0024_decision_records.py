"""All of 0001 to 0024 at once, for databases that have none of them (docs/adr/0011)."""

import datetime as dt

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models

from agents.create_models import CreateModels

# Nobody decides what they have a hand in, or alone where several must. Only votes for the same count together: the same
# verdict with the same answer, or approvals of what one has edited.
SEPARATION = """
CREATE FUNCTION has_a_hand(who bigint, wanted bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1
        FROM approvals_gate AS gate
        JOIN orchestrator_run AS run ON run.id = gate.run_id
        LEFT JOIN approvals_profile AS profile ON profile.user_id = who
        WHERE gate.id = wanted
        AND ARRAY[who, coalesce(profile.same_as_id, who)]::bigint[]
            && (gate.barred || ARRAY[gate.requested_by_id, run.started_by_id]::bigint[])
    )
$$;
CREATE FUNCTION refuse_own_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.decided_by_id IS NOT NULL AND has_a_hand(NEW.decided_by_id, NEW.gate_id) THEN
        RAISE EXCEPTION 'user % asked for gate % or had a hand in it and may not decide it',
            NEW.decided_by_id, NEW.gate_id USING ERRCODE = 'OR091', HINT = 'Someone else must decide.';
    END IF;
    IF NEW.verdict IN ('approve', 'edit', 'retry', 'skip', 'complete', 'choose', 'extend', 'go_on') AND (
        SELECT count(DISTINCT vote.person) FROM approvals_vote AS vote
        WHERE vote.gate_id = NEW.gate_id AND vote.seal = NEW.seal
        AND (
            (vote.verdict = NEW.verdict AND vote.edited IS NOT DISTINCT FROM NEW.after)
            OR (NEW.verdict = 'edit' AND vote.verdict = 'approve')
        )
        AND (vote.lapses_at IS NULL OR vote.lapses_at > clock_timestamp() - interval '1 minute')
    ) < (SELECT gate.approvals FROM approvals_gate AS gate WHERE gate.id = NEW.gate_id AND gate.approvals > 1) THEN
        RAISE EXCEPTION 'gate % needs more people than have approved it', NEW.gate_id
            USING ERRCODE = 'OR092', HINT = 'Everybody who is needed must vote for the same.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_own_request BEFORE INSERT ON approvals_decision FOR EACH ROW EXECUTE FUNCTION refuse_own_request();
CREATE FUNCTION refuse_own_vote() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF has_a_hand(NEW.voter_id, NEW.gate_id) THEN
        RAISE EXCEPTION 'user % had a hand in gate % and has no vote', NEW.voter_id, NEW.gate_id
            USING ERRCODE = 'OR091', HINT = 'Someone else must vote.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_own_vote BEFORE INSERT ON approvals_vote FOR EACH ROW EXECUTE FUNCTION refuse_own_vote();
"""
# A check's number is no gate's: whoever looks for a gate to settle finds none there.
NO_GATE = """
CREATE FUNCTION approvals_check_is_no_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM approvals_gate WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'check % would have the number of a gate', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_is_no_gate BEFORE INSERT OR UPDATE OF id ON approvals_check
    FOR EACH ROW EXECUTE FUNCTION approvals_check_is_no_gate();
"""


class Migration(migrations.Migration):
    replaces = [
        ("approvals", "0001_initial"),
        ("approvals", "0002_evidence"),
        ("approvals", "0003_gate_search"),
        ("approvals", "0004_hybrid_gates"),
        ("approvals", "0005_run_gates"),
        ("approvals", "0006_tool_gates"),
        ("approvals", "0007_notices"),
        ("approvals", "0008_votes"),
        ("approvals", "0009_votes_are_evidence"),
        ("approvals", "0010_standing_in"),
        ("approvals", "0011_deadlines_and_checklists"),
        ("approvals", "0012_notice_kinds"),
        ("approvals", "0013_able"),
        ("approvals", "0014_accounts"),
        ("approvals", "0015_desk"),
        ("approvals", "0016_feedback"),
        ("approvals", "0017_first_look"),
        ("approvals", "0018_search_within"),
        ("approvals", "0019_digest_notices"),
        ("approvals", "0020_several_people"),
        ("approvals", "0021_alerts"),
        ("approvals", "0022_answerable"),
        ("approvals", "0023_renewed_secrets"),
        ("approvals", "0024_decision_records"),
    ]

    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("orchestrator", "0001_squashed_0029_fewer_statements"),
    ]

    operations = [
        TrigramExtension(),
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="ApiToken",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        ("prefix", models.CharField(max_length=12)),
                        ("digest", models.CharField(max_length=64, unique=True)),
                        (
                            "scopes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=30), default=list
                            ),
                        ),
                        ("may_decide", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField(help_text="When the last of its secrets ends.")),
                        ("last_used_at", models.DateTimeField(null=True)),
                        ("revoked_at", models.DateTimeField(null=True)),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="api_tokens",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "lasts",
                            models.DurationField(
                                help_text="How long each secret lives, of a token that its user renews.", null=True
                            ),
                        ),
                        ("renewable_until", models.DateTimeField(null=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="Gate",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("step", models.CharField(help_text="Key of the task's step.", max_length=100)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("approval", "Approval"),
                                    ("manual", "Manual"),
                                    ("exception", "Exception"),
                                    ("quarantine", "Quarantine"),
                                    ("hybrid", "Hybrid"),
                                    ("tool", "Tool"),
                                    ("deadline", "Deadline"),
                                    ("request", "Request"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("approved", "Approved"),
                                    ("rejected", "Rejected"),
                                    ("returned", "Returned"),
                                    ("expired", "Expired"),
                                    ("withdrawn", "Withdrawn"),
                                ],
                                default="open",
                                max_length=20,
                            ),
                        ),
                        (
                            "version",
                            models.IntegerField(
                                default=1, help_text="Bumped when anything a reviewer relies on changes."
                            ),
                        ),
                        ("title", models.CharField(max_length=300)),
                        (
                            "risk",
                            models.CharField(
                                choices=[
                                    ("low", "Low"),
                                    ("medium", "Medium"),
                                    ("high", "High"),
                                    ("critical", "Critical"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("rule", models.TextField()),
                        ("subject", models.JSONField()),
                        ("seal", models.CharField(max_length=64)),
                        (
                            "allowed",
                            django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20)),
                        ),
                        ("confidence", models.FloatField(null=True)),
                        ("agent", models.CharField(blank=True, max_length=100)),
                        ("agent_version", models.IntegerField(null=True)),
                        ("revision", models.SmallIntegerField(default=0)),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("deadline_at", models.DateTimeField()),
                        (
                            "deadline_s",
                            models.FloatField(help_text="Length of each deadline: an escalation starts a new one."),
                        ),
                        ("on_timeout", models.CharField(max_length=20)),
                        ("escalations", models.SmallIntegerField(default=0)),
                        (
                            "trail",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(),
                                default=list,
                                help_text="Queues whose deadline passed, in order.",
                            ),
                        ),
                        ("claimed_until", models.DateTimeField(null=True)),
                        ("settled_at", models.DateTimeField(null=True)),
                        (
                            "claimed_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="claimed_gates",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "requested_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="gates", to="orchestrator.run"
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                db_constraint=False,
                                help_text="The task that waits; none where it is about the whole run.",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="gates",
                                to="orchestrator.task",
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="gates",
                                to="orchestrator.workflow",
                            ),
                        ),
                        (
                            "escalate_to",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="approvals.queue",
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="gates", to="approvals.queue"
                            ),
                        ),
                        (
                            "approvals",
                            models.SmallIntegerField(
                                default=1, help_text="How many people must approve, as its terms say."
                            ),
                        ),
                        (
                            "barred",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(),
                                default=list,
                                help_text="People with a hand in it: see `duties`.",
                            ),
                        ),
                        (
                            "blind",
                            models.BooleanField(default=False, help_text="Opinions are hidden from who has not voted."),
                        ),
                        (
                            "assigned_by",
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
                                related_name="assigned_gates",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "releases_at",
                            models.DateTimeField(
                                help_text="Approved, and can still be taken back until then.", null=True
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("status", "open"), _negated=True),
                                fields=["workflow", "step", "-settled_at"],
                                name="gate_precedents",
                            ),
                            django.contrib.postgres.indexes.GinIndex(
                                models.Func(
                                    models.F("subject"),
                                    output_field=django.contrib.postgres.search.SearchVectorField(),
                                    template="to_tsvector('simple', %(expressions)s)",
                                ),
                                condition=models.Q(("status", "open")),
                                name="gate_search",
                            ),
                            models.Index(
                                condition=models.Q(("status", "open")),
                                fields=["queue", "deadline_at"],
                                include=("id", "risk", "barred", "opened_at", "releases_at"),
                                name="gate_inbox",
                            ),
                            django.contrib.postgres.indexes.GinIndex(
                                django.contrib.postgres.indexes.OpClass(
                                    models.Func(
                                        models.F("subject"),
                                        output_field=models.TextField(),
                                        template="upper((%(expressions)s)::text)",
                                    ),
                                    name="gin_trgm_ops",
                                ),
                                condition=models.Q(("status", "open")),
                                name="gate_search_within",
                            ),
                            models.Index(
                                condition=models.Q(("status", "open")),
                                fields=["risk", "deadline_at", "id"],
                                include=("queue", "barred", "releases_at"),
                                name="gate_urgent",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("status", "open")), fields=("task",), name="one_open_gate_per_task"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("settled_at", None), ("status", "open")),
                                    models.Q(
                                        models.Q(("status", "open"), _negated=True), ("settled_at__isnull", False)
                                    ),
                                    _connector="OR",
                                ),
                                name="gate_settled_at_iff_settled",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("kind", "deadline"), ("status", "open")),
                                fields=("run",),
                                name="one_open_deadline_gate_per_run",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("kind__in", ("deadline", "request")), ("task", None)),
                                    models.Q(
                                        models.Q(("kind__in", ("deadline", "request")), _negated=True),
                                        ("task__isnull", False),
                                    ),
                                    _connector="OR",
                                ),
                                name="gate_has_a_task_unless_about_its_run",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Comment",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("text", models.TextField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "author",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="comments",
                                to="approvals.gate",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                    },
                ),
                migrations.CreateModel(
                    name="Profile",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("time_zone", models.CharField(default="UTC", max_length=50)),
                        ("title", models.CharField(blank=True, max_length=100)),
                        (
                            "user",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="profile",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "same_as",
                            models.ForeignKey(
                                blank=True,
                                help_text="The main account of the same person: people count once, whatever accounts they have.",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "skills",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list
                            ),
                        ),
                        (
                            "keys",
                            models.JSONField(
                                blank=True, db_default={}, default=dict, help_text="Own keys: usual key to own one."
                            ),
                        ),
                        (
                            "language",
                            models.CharField(
                                blank=True, db_default="", default="", help_text="Chosen last.", max_length=10
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Queue",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.SlugField(unique=True)),
                        ("title", models.CharField(max_length=100)),
                        (
                            "escalates_to",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                to="approvals.queue",
                            ),
                        ),
                        (
                            "calendar",
                            models.JSONField(
                                blank=True, db_default={}, default=dict, help_text="Business hours: see `calendars`."
                            ),
                        ),
                        (
                            "quorum",
                            models.JSONField(
                                blank=True,
                                db_default={},
                                default=dict,
                                help_text="Least people by risk: see `quorums`.",
                            ),
                        ),
                        (
                            "owner",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="owned_queues",
                                to="auth.group",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["title"],
                        "permissions": [
                            ("see_gates", "See gates of this queue"),
                            ("decide_gates", "Decide gates of this queue"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RightsEpoch",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("value", models.BigIntegerField(default=0)),
                    ],
                    options={
                        "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_rights_epoch")],
                    },
                ),
                migrations.CreateModel(
                    name="Draft",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("text", models.TextField(blank=True)),
                        (
                            "answer",
                            models.JSONField(help_text="An edited proposal, or a form being filled in.", null=True),
                        ),
                        ("saved_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "author",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="drafts", to="approvals.gate"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("gate", "author"), name="one_draft_per_gate_and_author")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Decision",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "verdict",
                            models.CharField(
                                choices=[
                                    ("approve", "Approve"),
                                    ("edit", "Edit and approve"),
                                    ("request_changes", "Request Changes"),
                                    ("complete", "Complete"),
                                    ("retry", "Retry"),
                                    ("skip", "Skip"),
                                    ("extend", "Extend"),
                                    ("go_on", "Go On"),
                                    ("choose", "Choose an alternative"),
                                    ("reject", "Reject"),
                                    ("terminate", "Terminate"),
                                    ("expire", "Expire"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("via", models.CharField(max_length=20)),
                        ("note", models.TextField(blank=True)),
                        ("gate_version", models.IntegerField()),
                        ("seal", models.CharField(max_length=64)),
                        ("before", models.JSONField(null=True)),
                        ("after", models.JSONField(null=True)),
                        ("idempotency_key", models.CharField(max_length=200, null=True)),
                        ("decided_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="decisions",
                                to="approvals.gate",
                            ),
                        ),
                        (
                            "checked",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(),
                                db_default=[],
                                default=list,
                                help_text="Points that were ticked.",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [models.Index(fields=["decided_by", "-id"], name="decision_history")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("decided_by", "idempotency_key"), name="one_decision_per_idempotency_key"
                            ),
                            models.UniqueConstraint(fields=("gate",), name="one_decision_per_gate"),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("decided_by", None),
                                        ("verdict__in", ("expire", "approve")),
                                        ("via", "deadline"),
                                    ),
                                    models.Q(
                                        models.Q(("verdict", "expire"), _negated=True), ("decided_by__isnull", False)
                                    ),
                                    _connector="OR",
                                ),
                                name="decision_by_a_person_or_by_time",
                            ),
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
                        ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="presence",
                                to="approvals.gate",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "version",
                            models.IntegerField(
                                db_default=0, default=0, help_text="Of the gate, as they saw it; 0: not known."
                            ),
                        ),
                        (
                            "first_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now(),
                                help_text="When they had it open first.",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("gate", "user"), name="one_presence_per_gate_and_user")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Channel",
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
                                choices=[
                                    ("email", "E-mail"),
                                    ("push", "A browser"),
                                    ("service", "Slack, Teams, webhook, …"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "name",
                            models.CharField(
                                help_text="What people see of its address: no secret is in it.", max_length=100
                            ),
                        ),
                        (
                            "sealed_address",
                            models.TextField(blank=True, help_text="Empty for the owner's own e-mail address."),
                        ),
                        ("least_risk", models.CharField(default="low", max_length=20)),
                        (
                            "pace",
                            models.CharField(
                                choices=[("at_once", "At once"), ("hourly", "Each hour"), ("daily", "Once a day")],
                                default="at_once",
                                max_length=20,
                            ),
                        ),
                        (
                            "says_titles",
                            models.BooleanField(
                                default=True, help_text="Without it only queue and risk leave the product."
                            ),
                        ),
                        (
                            "failures",
                            models.SmallIntegerField(default=0, help_text="Messages in a row that did not arrive."),
                        ),
                        ("problem", models.CharField(blank=True, max_length=300)),
                        ("last_sent_at", models.DateTimeField(null=True)),
                        (
                            "next_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now(),
                                help_text="Before that nothing but the gravest is sent.",
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("removed_at", models.DateTimeField(null=True)),
                        (
                            "owner",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notice_channels",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notice_channels",
                                to="approvals.queue",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("owner", None), ("queue__isnull", False)),
                                    models.Q(("owner__isnull", False), ("queue", None)),
                                    _connector="OR",
                                ),
                                name="channel_of_a_person_or_a_queue",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("kind", "email"), ("removed_at", None)),
                                fields=("owner",),
                                name="one_email_channel_per_person",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Notice",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("pos", models.BigIntegerField(help_text="Place in the ledger of the event that it tells of.")),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("decide", "Decide"),
                                    ("passed_on", "Passed On"),
                                    ("still_open", "Still Open"),
                                    ("handed", "Handed"),
                                    ("called", "Called"),
                                    ("on_call", "On Call"),
                                    ("consulted", "Consulted"),
                                    ("informed", "Informed"),
                                    ("reminded", "Reminded"),
                                    ("amended", "Amended"),
                                    ("stranded", "Stranded"),
                                    ("many", "Many"),
                                    ("decided", "Decided"),
                                    ("commented", "Commented"),
                                    ("run_failed", "Run Failed"),
                                    ("stopped", "Stopped"),
                                    ("alert", "Alert"),
                                    ("digest", "Digest"),
                                    ("channel_broken", "Channel Broken"),
                                    ("access_waits", "Access Waits"),
                                    ("policy_waits", "Policy Waits"),
                                    ("prompt_waits", "Prompt Waits"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("risk", models.CharField(max_length=20)),
                        ("title", models.CharField(help_text="Agents' words may be in it: hostile.", max_length=300)),
                        (
                            "facts",
                            models.JSONField(
                                default=dict, help_text="What the sentence about it needs: names and numbers."
                            ),
                        ),
                        ("path", models.CharField(help_text="Where it leads, within the product.", max_length=200)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("read_at", models.DateTimeField(null=True)),
                        (
                            "withdrawn_at",
                            models.DateTimeField(
                                help_text="Since when there is nothing to do about it any more.", null=True
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="approvals.gate",
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notices",
                                to="approvals.queue",
                            ),
                        ),
                        (
                            "recipient",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notices",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(fields=["recipient", "-id"], name="notice_list"),
                            models.Index(
                                condition=models.Q(("read_at", None), ("withdrawn_at", None)),
                                fields=["recipient"],
                                name="notice_unread",
                            ),
                            models.Index(
                                condition=models.Q(("withdrawn_at", None)), fields=["gate"], name="notice_of_gate"
                            ),
                            models.Index(fields=["created_at"], name="notice_age"),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("queue__isnull", False), ("recipient", None)),
                                    models.Q(("queue", None), ("recipient__isnull", False)),
                                    _connector="OR",
                                ),
                                name="notice_for_a_person_or_a_queue",
                            ),
                            models.UniqueConstraint(
                                fields=("recipient", "pos", "kind"), name="one_notice_per_person_and_event"
                            ),
                            models.UniqueConstraint(
                                fields=("queue", "pos", "kind"), name="one_notice_per_queue_and_event"
                            ),
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
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("due", "Due"),
                                    ("sent", "Sent"),
                                    ("failed", "Failed"),
                                    ("withdrawn", "Withdrawn"),
                                ],
                                default="due",
                                max_length=20,
                            ),
                        ),
                        ("due_at", models.DateTimeField()),
                        ("attempts", models.SmallIntegerField(default=0)),
                        ("problem", models.CharField(blank=True, max_length=300)),
                        ("sent_at", models.DateTimeField(null=True)),
                        (
                            "channel",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="deliveries",
                                to="approvals.channel",
                            ),
                        ),
                        (
                            "notice",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="deliveries",
                                to="approvals.notice",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(condition=models.Q(("status", "due")), fields=["due_at"], name="delivery_due"),
                            models.Index(fields=["channel", "-id"], name="delivery_of_channel"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("notice", "channel"), name="one_delivery_per_way")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="NoticeCursor",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("pos", models.BigIntegerField(default=0)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("id", 1)), name="one_notice_cursor")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="QuietHours",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("starts", models.TimeField(default=dt.time(22, 0))),
                        ("ends", models.TimeField(default=dt.time(7, 0))),
                        ("weekends", models.BooleanField(default=False, help_text="Saturday and Sunday as a whole.")),
                        ("critical_passes", models.BooleanField(default=True)),
                        ("is_on", models.BooleanField(default=False)),
                        (
                            "digest_at",
                            models.TimeField(default=dt.time(8, 0), help_text="When a daily digest is sent."),
                        ),
                        (
                            "user",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="quiet_hours",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Vote",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("person", models.BigIntegerField(help_text="User id of the voter's main account.")),
                        (
                            "verdict",
                            models.CharField(
                                choices=[
                                    ("approve", "Approve"),
                                    ("edit", "Edit and approve"),
                                    ("request_changes", "Request Changes"),
                                    ("complete", "Complete"),
                                    ("retry", "Retry"),
                                    ("skip", "Skip"),
                                    ("extend", "Extend"),
                                    ("go_on", "Go On"),
                                    ("choose", "Choose an alternative"),
                                    ("reject", "Reject"),
                                    ("terminate", "Terminate"),
                                    ("expire", "Expire"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("note", models.TextField(blank=True)),
                        ("via", models.CharField(max_length=20)),
                        ("seal", models.CharField(max_length=64)),
                        ("gate_version", models.IntegerField()),
                        (
                            "turn",
                            models.SmallIntegerField(
                                default=0, help_text="Which try of two keys at one moment; else 0."
                            ),
                        ),
                        ("edited", models.JSONField(null=True)),
                        ("idempotency_key", models.CharField(max_length=200, null=True)),
                        ("voted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "lapses_at",
                            models.DateTimeField(
                                help_text="A key that was turned alone counts no longer then.", null=True
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="votes", to="approvals.gate"
                            ),
                        ),
                        (
                            "voter",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "checked",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(),
                                db_default=[],
                                default=list,
                                help_text="Points that were ticked.",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [models.Index(fields=["person", "gate"], name="vote_of_person")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("gate", "seal", "person", "turn"), name="one_vote_per_person"
                            ),
                            models.UniqueConstraint(
                                fields=("voter", "idempotency_key"), name="one_vote_per_idempotency_key"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Delegation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("starts_at", models.DateTimeField()),
                        ("ends_at", models.DateTimeField()),
                        ("reason", models.CharField(blank=True, max_length=500)),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "delegate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "delegator",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="delegations",
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
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("ended_at", None)), fields=["ends_at"], name="delegation_live"
                            )
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="delegation_ends_later"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("delegator", models.F("delegate")), _negated=True),
                                name="delegation_is_to_somebody_else",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="GateItem",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("kind", models.CharField(max_length=20)),
                        ("text", models.CharField(max_length=500)),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("closed_at", models.DateTimeField(null=True)),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="items", to="approvals.gate"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["opened_at"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("closed_at", None)),
                                fields=("gate", "kind"),
                                name="one_open_item_per_gate_and_kind",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="GoldCase",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "basis",
                            models.CharField(
                                choices=[
                                    ("outcome", "What came of it"),
                                    ("adjudicated", "Two people disagreed and a third ruled"),
                                    ("planted", "A fault was planted"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "truth",
                            models.CharField(choices=[("accept", "Accept"), ("refuse", "Refuse")], max_length=10),
                        ),
                        ("subject", models.JSONField(help_text="What is shown; of a planted case, with its fault.")),
                        ("why", models.TextField(help_text="What a reviewer is told afterwards.")),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("confirmed_at", models.DateTimeField(null=True)),
                        ("retired_at", models.DateTimeField(null=True)),
                        (
                            "confirmed_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="approvals.gate"
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="approvals.queue"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("confirmed_at__isnull", False), ("retired_at", None)),
                                fields=["queue"],
                                name="gold_case_in_use",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("gate", "basis"), name="one_gold_case_per_gate_and_basis")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Check",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("run_number", models.BigIntegerField()),
                        ("seal", models.CharField(max_length=64)),
                        ("opened_at", models.DateTimeField()),
                        (
                            "shown_deadline_at",
                            models.DateTimeField(help_text="As a gate would have; nothing happens then."),
                        ),
                        ("claimed_until", models.DateTimeField(null=True)),
                        ("remarks", models.JSONField(db_default=[], default=list)),
                        ("draft", models.JSONField(null=True)),
                        ("verdict", models.CharField(blank=True, max_length=20)),
                        ("note", models.TextField(blank=True)),
                        ("edited", models.JSONField(null=True)),
                        ("idempotency_key", models.CharField(max_length=200, null=True)),
                        ("is_right", models.BooleanField(null=True)),
                        (
                            "is_void",
                            models.BooleanField(default=False, help_text="They could know: it counts for nothing."),
                        ),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="approvals.queue"
                            ),
                        ),
                        (
                            "reviewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "case",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="checks",
                                to="approvals.goldcase",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("ended_at", None)), fields=["reviewer"], name="check_open"
                            ),
                            models.Index(fields=["reviewer", "-ended_at"], name="check_history"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("reviewer", "case"), name="one_check_per_reviewer_and_case"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("ended_at", None), ("verdict", "")),
                                    ("ended_at__isnull", False),
                                    _connector="OR",
                                ),
                                name="check_verdict_ends_it",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Handling",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("item", models.BigIntegerField()),
                        ("risk", models.CharField(max_length=20)),
                        ("is_check", models.BooleanField(default=False)),
                        ("has_evidence", models.BooleanField(default=False)),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("beat_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("active_s", models.IntegerField(default=0)),
                        ("saw_evidence", models.BooleanField(default=False)),
                        ("saw_run", models.BooleanField(default=False)),
                        ("verdict", models.CharField(blank=True, max_length=20)),
                        ("decided_at", models.DateTimeField(null=True)),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="approvals.queue"
                            ),
                        ),
                        (
                            "reviewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["reviewer", "-decided_at"], name="handling_of_reviewer"),
                            models.Index(fields=["queue", "-decided_at"], name="handling_of_queue"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("item", "reviewer"), name="one_handling_per_item_and_reviewer"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SecondLook",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "first",
                            models.CharField(help_text="What was decided: accept, changes, refuse.", max_length=20),
                        ),
                        ("drawn_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("second", models.CharField(blank=True, max_length=20)),
                        ("note", models.TextField(blank=True)),
                        ("given_at", models.DateTimeField(null=True)),
                        (
                            "ruling",
                            models.CharField(
                                blank=True, choices=[("accept", "Accept"), ("refuse", "Refuse")], max_length=10
                            ),
                        ),
                        ("ruled_at", models.DateTimeField(null=True)),
                        ("why", models.TextField(blank=True)),
                        (
                            "gate",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="second_look",
                                to="approvals.gate",
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="approvals.queue"
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
                        (
                            "ruled_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("second", "")),
                                fields=["queue", "drawn_at"],
                                name="second_look_open",
                            ),
                            models.Index(fields=["-given_at"], name="second_look_given"),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("given_at", None), ("reviewer", None), ("second", "")),
                                    models.Q(
                                        models.Q(("second", ""), _negated=True),
                                        ("given_at__isnull", False),
                                        ("reviewer__isnull", False),
                                    ),
                                    _connector="OR",
                                ),
                                name="second_look_is_given_whole",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Sitting",
                    fields=[
                        (
                            "user",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="sitting",
                                serialize=False,
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("since", models.DateTimeField(null=True)),
                        ("seen_at", models.DateTimeField(null=True)),
                        (
                            "counted",
                            models.BigIntegerField(default=0, help_text="Last decision that was drawn for checks."),
                        ),
                        ("owed", models.SmallIntegerField(default=0)),
                        ("break_told_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "indexes": [models.Index(fields=["seen_at"], name="sitting_seen")],
                    },
                ),
                migrations.CreateModel(
                    name="Care",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "check_share",
                            models.FloatField(help_text="Of what a reviewer sees: 0, or 0.02 to 0.05.", null=True),
                        ),
                        ("decide_within_s", models.IntegerField(help_text="Within this time …", null=True)),
                        ("decide_share", models.FloatField(default=0.9, help_text="… this share is to be decided.")),
                        (
                            "present",
                            models.SmallIntegerField(default=0, help_text="Who may decide there and is at work now."),
                        ),
                        ("minutes", models.FloatField(default=0, help_text="Of people, until the horizon.")),
                        ("demand_minutes", models.FloatField(default=0, help_text="That what is open takes.")),
                        ("handling_s", models.FloatField(default=0, help_text="Median active time of a decision.")),
                        (
                            "is_attended",
                            models.BooleanField(default=True, help_text="Whether anybody qualified is present."),
                        ),
                        ("turned_at", models.DateTimeField(help_text="Since when that is so.", null=True)),
                        ("measured_at", models.DateTimeField(null=True)),
                        (
                            "queue",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE, related_name="care", to="approvals.queue"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("check_share", None),
                                    ("check_share", 0),
                                    models.Q(("check_share__gte", 0.02), ("check_share__lte", 0.05)),
                                    _connector="OR",
                                ),
                                name="care_check_share",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("decide_share__gt", 0), ("decide_share__lt", 1)),
                                name="care_decide_share",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FirstVerdict",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("item", models.BigIntegerField()),
                        ("seal", models.CharField(help_text="Of what they judged.", max_length=64)),
                        ("verdict", models.CharField(max_length=20)),
                        ("note", models.TextField(blank=True)),
                        ("given_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("final", models.CharField(blank=True, max_length=20)),
                        ("final_at", models.DateTimeField(null=True)),
                        (
                            "changed",
                            models.BooleanField(help_text="Whether they thought otherwise after seeing it.", null=True),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="approvals.queue"
                            ),
                        ),
                        (
                            "reviewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "indexes": [models.Index(fields=["queue", "-final_at"], name="first_verdict_of_queue")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("item", "reviewer", "seal"), name="one_first_verdict_per_item_and_reviewer"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AccessChange",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("act", models.CharField(max_length=40)),
                        ("answers", models.JSONField()),
                        (
                            "lines",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(),
                                help_text="What it would do, as it was said to whoever asked.",
                            ),
                        ),
                        ("risk", models.TextField(help_text="Why it takes two people.")),
                        ("reason", models.TextField()),
                        ("proposed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("settled_at", models.DateTimeField(null=True)),
                        ("outcome", models.CharField(blank=True, max_length=20)),
                        ("note", models.TextField(blank=True)),
                        (
                            "proposed_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "settled_by",
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
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("outcome", ""), ("settled_at", None)),
                                    models.Q(models.Q(("outcome", ""), _negated=True), ("settled_at__isnull", False)),
                                    _connector="OR",
                                ),
                                name="access_change_settled_iff_it_has_an_outcome",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("outcome", "confirmed"), _negated=True),
                                    models.Q(("settled_by", models.F("proposed_by")), _negated=True),
                                    _connector="OR",
                                ),
                                name="access_change_is_confirmed_by_somebody_else",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Invitation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("digest", models.CharField(max_length=64, unique=True)),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(help_text="When it was used, or taken back.", null=True)),
                        (
                            "made_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="invitations",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("ended_at", None)),
                                fields=("user",),
                                name="one_live_invitation_per_account",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RoleTerms",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "is_own",
                            models.BooleanField(
                                default=False, help_text="Made here, from a copy; not one of those shipped."
                            ),
                        ),
                        (
                            "verbs",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=30), default=list
                            ),
                        ),
                        ("copied_from", models.CharField(blank=True, max_length=150)),
                        (
                            "needs_mfa",
                            models.BooleanField(default=False, help_text="Nobody in it works without a second factor."),
                        ),
                        (
                            "group",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE, related_name="terms", to="auth.group"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("is_own", True), ("verbs", []), _connector="OR"),
                                name="only_own_roles_hold_verbs",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="GateBefore",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("version", models.IntegerField()),
                        ("subject", models.JSONField()),
                        ("ended_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="before", to="approvals.gate"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("gate", "version"), name="one_past_per_gate_and_version")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Question",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("text", models.TextField()),
                        (
                            "seal",
                            models.CharField(help_text="What was up for decision when it was asked.", max_length=64),
                        ),
                        ("agent", models.CharField(max_length=100)),
                        ("agent_version", models.IntegerField(null=True)),
                        (
                            "state",
                            models.CharField(
                                choices=[("asked", "Asked"), ("answered", "Answered"), ("failed", "Failed")],
                                default="asked",
                                max_length=20,
                            ),
                        ),
                        ("answer", models.TextField(blank=True, default="")),
                        (
                            "differs",
                            models.JSONField(
                                help_text="What its new output would be, where that is not what is sealed.", null=True
                            ),
                        ),
                        ("tries", models.SmallIntegerField(default=0)),
                        ("cost", models.FloatField(default=0.0)),
                        ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("taken_until", models.DateTimeField(help_text="A worker is at it until then.", null=True)),
                        ("answered_at", models.DateTimeField(null=True)),
                        (
                            "asked_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="questions",
                                to="approvals.gate",
                            ),
                        ),
                        ("tool", models.CharField(blank=True, db_default="", default="", max_length=100)),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [
                            models.Index(condition=models.Q(("state", "asked")), fields=["id"], name="question_asked")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Runway",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("verdict", models.CharField(max_length=20)),
                        ("via", models.CharField(max_length=20)),
                        ("note", models.TextField(blank=True)),
                        ("gate_version", models.IntegerField()),
                        ("seal", models.CharField(max_length=64)),
                        ("edited", models.JSONField(null=True)),
                        (
                            "checked",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), db_default=[], default=list
                            ),
                        ),
                        ("idempotency_key", models.CharField(max_length=200, null=True)),
                        ("decided_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("due_at", models.DateTimeField()),
                        (
                            "held",
                            models.CharField(
                                blank=True, default="", help_text="Why it waits past its time.", max_length=200
                            ),
                        ),
                        (
                            "outcome",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("released", "Released"),
                                    ("taken_back", "Taken Back"),
                                    ("moved", "Moved"),
                                    ("withdrawn", "Withdrawn"),
                                ],
                                default="",
                                max_length=20,
                            ),
                        ),
                        ("ended_at", models.DateTimeField(null=True)),
                        ("why", models.TextField(blank=True, default="")),
                        (
                            "decided_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "ended_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="runways", to="approvals.gate"
                            ),
                        ),
                        (
                            "appraisal",
                            models.JSONField(
                                db_default={}, default=dict, help_text="As `feedback.appraising.to_json` makes it."
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [models.Index(fields=["decided_by", "-id"], name="runway_of_person")],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("ended_at", None)), fields=("gate",), name="one_runway_per_gate"
                            ),
                            models.UniqueConstraint(
                                fields=("decided_by", "idempotency_key"), name="one_runway_per_idempotency_key"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("ended_at", None), ("outcome", "")),
                                    models.Q(("ended_at__isnull", False), models.Q(("outcome", ""), _negated=True)),
                                    _connector="OR",
                                ),
                                name="runway_ended_iff_it_has_an_outcome",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SavedView",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=60)),
                        ("query", models.CharField(help_text="As the inbox's address says it.", max_length=500)),
                        ("shared", models.BooleanField(default=False)),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "owner",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["name", "id"],
                        "constraints": [
                            models.UniqueConstraint(fields=("owner", "name"), name="one_view_per_owner_and_name")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Snooze",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("until", models.DateTimeField()),
                        (
                            "on_news",
                            models.BooleanField(
                                default=False, help_text="It comes back as soon as anything happens to it, too."
                            ),
                        ),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="snoozes", to="approvals.gate"
                            ),
                        ),
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
                        "indexes": [models.Index(fields=["user", "until"], name="snooze_of_person")],
                        "constraints": [
                            models.UniqueConstraint(fields=("gate", "user"), name="one_snooze_per_gate_and_user")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Appraisal",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("rating", models.SmallIntegerField(help_text="1 to 5.", null=True)),
                        ("rubric", models.JSONField(db_default={}, default=dict, help_text="Criterion: 1 to 5.")),
                        (
                            "reasons",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), db_default=[], default=list
                            ),
                        ),
                        (
                            "causes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), db_default=[], default=list
                            ),
                        ),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "decision",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="appraisal",
                                to="approvals.decision",
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="appraisals",
                                to="approvals.gate",
                            ),
                        ),
                        (
                            "vote",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="appraisal",
                                to="approvals.vote",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("decision", None), ("vote__isnull", False)),
                                    models.Q(("decision__isnull", False), ("vote", None)),
                                    _connector="OR",
                                ),
                                name="appraisal_of_a_decision_or_a_vote",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("rating", None), ("rating__range", (1, 5)), _connector="OR"),
                                name="appraisal_rates_1_to_5",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Feedback",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "digest",
                            models.CharField(help_text="SHA-256 of the receipt's token.", max_length=64, unique=True),
                        ),
                        ("task_id", models.BigIntegerField(null=True)),
                        ("agent", models.CharField(blank=True, max_length=100)),
                        ("agent_version", models.IntegerField(null=True)),
                        ("prompt", models.CharField(blank=True, max_length=120)),
                        ("rating", models.SmallIntegerField(help_text="1 to 5.", null=True)),
                        ("comment", models.TextField(blank=True)),
                        (
                            "causes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), db_default=[], default=list
                            ),
                        ),
                        (
                            "sentiment",
                            models.CharField(
                                blank=True, help_text="positive, neutral, negative: a guess by words.", max_length=10
                            ),
                        ),
                        ("wants_person", models.BooleanField(default=False)),
                        (
                            "sender",
                            models.CharField(
                                blank=True, help_text="Keyed hash of an address, for the rate limit.", max_length=64
                            ),
                        ),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("dealt", "Dealt"),
                                    ("changed", "Changed"),
                                    ("declined", "Declined"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("answer", models.TextField(blank=True)),
                        (
                            "version",
                            models.CharField(
                                blank=True, help_text="What has another version because of it.", max_length=150
                            ),
                        ),
                        ("answered_at", models.DateTimeField(null=True)),
                        (
                            "answered_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
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
                            "gate",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="feedback",
                                to="approvals.gate",
                            ),
                        ),
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
                            "workflow",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="orchestrator.workflow",
                            ),
                        ),
                        (
                            "link",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="given",
                                to="approvals.feedbacklink",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(condition=models.Q(("status", "open")), fields=["-id"], name="feedback_open"),
                            models.Index(fields=["agent", "-id"], name="feedback_of_agent"),
                            models.Index(fields=["link", "-at"], name="feedback_of_link"),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("author__isnull", False), ("link", None)),
                                    models.Q(("author", None), ("link__isnull", False)),
                                    _connector="OR",
                                ),
                                name="feedback_by_a_person_or_through_a_link",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("rating", None), ("rating__range", (1, 5)), _connector="OR"),
                                name="feedback_rates_1_to_5",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FeedbackLink",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("digest", models.CharField(max_length=64, unique=True)),
                        ("task_id", models.BigIntegerField(null=True)),
                        (
                            "about",
                            models.CharField(
                                help_text="What people who open it are told that it is about.", max_length=300
                            ),
                        ),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("revoked_at", models.DateTimeField(null=True)),
                        (
                            "made_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="approvals.queue"
                            ),
                        ),
                        (
                            "revoked_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="orchestrator.run"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Improvement",
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
                                choices=[("retraining", "Retraining"), ("tool_errors", "Tool Errors")], max_length=20
                            ),
                        ),
                        ("subject", models.CharField(help_text="Name of the agent or of the tool.", max_length=100)),
                        ("words", models.CharField(max_length=500)),
                        (
                            "facts",
                            models.JSONField(
                                default=dict, help_text="n, count, share, window_days, examples (ids of lessons)."
                            ),
                        ),
                        ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("closed_at", models.DateTimeField(null=True)),
                        ("outcome", models.TextField(blank=True, help_text="What was done, or why nothing was.")),
                        (
                            "closed_by",
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
                                condition=models.Q(("closed_at", None)),
                                fields=("kind", "subject"),
                                name="one_open_improvement_of_a_kind",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Lesson",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "event",
                            models.BigIntegerField(help_text="Id of the event of an override.", null=True, unique=True),
                        ),
                        ("at", models.DateTimeField()),
                        (
                            "verdict",
                            models.CharField(help_text="Verdict of the decision, or name of the act.", max_length=20),
                        ),
                        ("stood", models.BooleanField(null=True)),
                        ("task_id", models.BigIntegerField(null=True)),
                        ("step", models.CharField(max_length=100)),
                        ("agent", models.CharField(blank=True, max_length=100)),
                        ("agent_version", models.IntegerField(null=True)),
                        (
                            "prompt",
                            models.CharField(
                                blank=True, help_text='"name@2", where the output came of one.', max_length=120
                            ),
                        ),
                        ("risk", models.CharField(blank=True, max_length=20)),
                        (
                            "causes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), db_default=[], default=list
                            ),
                        ),
                        (
                            "reasons",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), db_default=[], default=list
                            ),
                        ),
                        ("input", models.JSONField(null=True)),
                        ("output", models.JSONField(null=True)),
                        ("edited", models.JSONField(help_text="What the person put in its place.", null=True)),
                        ("reason", models.TextField(blank=True)),
                        (
                            "example",
                            models.CharField(
                                blank=True,
                                choices=[("", "None"), ("accepted", "Accepted"), ("declined", "Declined")],
                                default="",
                                max_length=20,
                            ),
                        ),
                        ("chosen_at", models.DateTimeField(null=True)),
                        (
                            "used_in",
                            models.CharField(
                                blank=True, help_text="Prompt version whose draft it stands in.", max_length=120
                            ),
                        ),
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
                            "chosen_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "decision",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="lesson",
                                to="approvals.decision",
                            ),
                        ),
                        (
                            "gate",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="approvals.gate",
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="approvals.queue",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="orchestrator.run"
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(fields=["agent", "-at"], name="lesson_of_agent"),
                            models.Index(fields=["workflow", "step", "-at"], name="lesson_of_step"),
                            models.Index(fields=["-at"], name="lesson_by_time"),
                            models.Index(fields=["by", "-at"], name="lesson_of_person"),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("decision", None), ("event__isnull", False)),
                                    models.Q(("decision__isnull", False), ("event", None)),
                                    _connector="OR",
                                ),
                                name="lesson_of_a_decision_or_an_override",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="LessonCursor",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("pos", models.BigIntegerField(default=0)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("id", 1)), name="one_lesson_cursor")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Proposal",
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
                                choices=[
                                    ("threshold", "Threshold"),
                                    ("routing", "Routing"),
                                    ("gate", "Gate"),
                                    ("auto_approve", "Auto Approve"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("step", models.CharField(max_length=100)),
                        ("base", models.IntegerField(help_text="Number of the version that it would change.")),
                        ("change", models.JSONField(help_text="Field of the gate: its new value.")),
                        ("before", models.JSONField(default=dict, help_text="The same fields as they are.")),
                        (
                            "data",
                            models.JSONField(
                                default=dict, help_text="n, approved, share, low, high, days, examples, backtest."
                            ),
                        ),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("seconded", "Seconded"),
                                    ("accepted", "Accepted"),
                                    ("declined", "Declined"),
                                    ("outdated", "Outdated"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("four_eyes", models.BooleanField(default=False)),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("decided_at", models.DateTimeField(null=True)),
                        ("reason", models.TextField(blank=True)),
                        ("version", models.IntegerField(help_text="Number of the version that brought it.", null=True)),
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
                            "first_by",
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
                                related_name="+",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("status__in", ("open", "seconded"))),
                                fields=("workflow", "step", "kind"),
                                name="one_open_proposal_of_a_kind",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SurveyAnswer",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("month", models.DateField(help_text="Its first day.")),
                        ("score", models.SmallIntegerField()),
                        ("comment", models.TextField(blank=True)),
                        ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("by", "month"), name="one_survey_answer_a_month"),
                            models.CheckConstraint(
                                condition=models.Q(("score__range", (1, 10))), name="survey_scores_1_to_10"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Retro",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("title", models.CharField(max_length=200)),
                        ("concluded", models.TextField(help_text="What was concluded, in people's own words.")),
                        ("days", models.SmallIntegerField()),
                        ("starts_at", models.DateTimeField()),
                        ("held_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "figures",
                            models.JSONField(
                                help_text="changed, judged, changed_before, judged_before, untagged, topics."
                            ),
                        ),
                        (
                            "workflows",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(),
                                help_text="What the figures count: who sees all of these sees it.",
                            ),
                        ),
                        (
                            "held_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Rota",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "people",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(), help_text="User ids in the order of their turns."
                            ),
                        ),
                        ("days", models.SmallIntegerField(default=7, help_text="Length of a turn.")),
                        ("hour", models.SmallIntegerField(default=9, help_text="Hour of the hand-over.")),
                        ("zone", models.CharField(default="UTC", max_length=50)),
                        ("starts_on", models.DateField(help_text="First day of the first person's turn.")),
                        ("minutes", models.SmallIntegerField(default=15, help_text="When the next person is called.")),
                        (
                            "handed_to",
                            models.BigIntegerField(help_text="Whose turn it was when somebody last looked.", null=True),
                        ),
                        (
                            "queue",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE, related_name="rota", to="approvals.queue"
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="TeamKind",
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
                                choices=[
                                    ("hub", "Platform team"),
                                    ("pod", "Domain pod"),
                                    ("partner", "Risk and compliance partner"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "group",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE, related_name="kind", to="auth.group"
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="UsabilityRound",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("title", models.CharField(max_length=200)),
                        ("held_on", models.DateField()),
                        ("method", models.TextField(help_text="How it was held: moderated or not, with which tasks.")),
                        (
                            "groups",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=100),
                                help_text="Whom it was held with: a screen reader's users, …",
                            ),
                        ),
                        ("people", models.SmallIntegerField()),
                        ("tries", models.SmallIntegerField(help_text="Tasks that were tried, over all people.")),
                        ("done", models.SmallIntegerField(help_text="Of these, how many were completed without help.")),
                        ("recorded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "recorded_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-held_on", "-id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("done__gte", 0), ("people__gte", 1), ("tries__gte", models.F("done"))
                                ),
                                name="usability_round_adds_up",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsabilityFinding",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("text", models.TextField()),
                        (
                            "severity",
                            models.CharField(
                                choices=[("minor", "Minor"), ("serious", "Serious"), ("blocking", "Blocking")],
                                max_length=20,
                            ),
                        ),
                        ("criterion", models.CharField(blank=True, help_text="Of WCAG, such as 2.4.7.", max_length=50)),
                        ("found_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("remedy", models.TextField(blank=True)),
                        ("closed_at", models.DateTimeField(null=True)),
                        (
                            "closed_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "round",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="findings",
                                to="approvals.usabilityround",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                    },
                ),
                migrations.CreateModel(
                    name="Call",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("level", models.SmallIntegerField(default=0)),
                        (
                            "next_at",
                            models.DateTimeField(help_text="When the next is called; none: everybody was.", null=True),
                        ),
                        ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "gate",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE, related_name="call", to="approvals.gate"
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="approvals.queue"
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("next_at__isnull", False)), fields=["next_at"], name="call_due"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Part",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "matter",
                            models.CharField(
                                choices=[
                                    ("prompts", "Updates of prompts"),
                                    ("tools", "Onboarding of tools"),
                                    ("incidents", "Response to incidents"),
                                    ("queue", "Decisions in a queue"),
                                    ("workflow", "Decisions of a workflow"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "letter",
                            models.CharField(
                                choices=[
                                    ("R", "responsible"),
                                    ("A", "accountable"),
                                    ("C", "consulted"),
                                    ("I", "informed"),
                                ],
                                max_length=1,
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="parts",
                                to="approvals.queue",
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="auth.group"
                            ),
                        ),
                        (
                            "workflow",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="parts",
                                to="orchestrator.workflow",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["matter", "letter", "id"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("matter", "queue", "workflow", "team", "letter"),
                                name="one_row_per_part",
                                nulls_distinct=False,
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("letter", "A")),
                                fields=("matter", "queue", "workflow"),
                                name="one_team_is_accountable",
                                nulls_distinct=False,
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("matter", "queue"), ("queue__isnull", False), ("workflow", None)),
                                    models.Q(("matter", "workflow"), ("queue", None), ("workflow__isnull", False)),
                                    models.Q(
                                        models.Q(("matter__in", ("queue", "workflow")), _negated=True),
                                        ("queue", None),
                                        ("workflow", None),
                                    ),
                                    _connector="OR",
                                ),
                                name="part_names_what_its_matter_is_about",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RenewedSecret",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("digest", models.CharField(max_length=64, unique=True)),
                        ("expires_at", models.DateTimeField()),
                        (
                            "token",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="renewed",
                                to="approvals.apitoken",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="DecisionRecord",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("draft", models.TextField(help_text="As it was drafted, word for word.")),
                        ("text", models.TextField(help_text="As it was confirmed.")),
                        ("confirmed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "confirmed_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "decision",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="records",
                                to="approvals.decision",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
            ],
        ),
        *(
            migrations.RunSQL(f"SELECT make_append_only('{table}')")
            for table in ("approvals_decision", "approvals_vote", "approvals_appraisal", "approvals_decisionrecord")
        ),
        migrations.RunSQL(SEPARATION),
        migrations.RunSQL(NO_GATE),
        # As Django's `createcachetable` makes it: codes that were used, and tries, for every web process at once.
        migrations.RunSQL(
            """
            CREATE TABLE approvals_cache (
                cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL
            );
            CREATE INDEX approvals_cache_expires ON approvals_cache (expires);
            """
        ),
    ]
