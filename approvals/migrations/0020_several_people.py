"""Several people at gates of every kind; what waits for a second person is told; retrospectives; dry runs."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# Only votes for the same count together: the same verdict with the same answer, or approvals of what one has edited.
COUNT_THE_SAME = """
CREATE OR REPLACE FUNCTION refuse_own_request() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""
COUNT_ALL = """
CREATE OR REPLACE FUNCTION refuse_own_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.decided_by_id IS NOT NULL AND has_a_hand(NEW.decided_by_id, NEW.gate_id) THEN
        RAISE EXCEPTION 'user % asked for gate % or had a hand in it and may not decide it',
            NEW.decided_by_id, NEW.gate_id USING ERRCODE = 'OR091', HINT = 'Someone else must decide.';
    END IF;
    IF NEW.verdict IN ('approve', 'edit', 'retry', 'skip', 'complete') AND (
        SELECT count(DISTINCT vote.person) FROM approvals_vote AS vote
        WHERE vote.gate_id = NEW.gate_id AND vote.seal = NEW.seal
        AND vote.verdict NOT IN ('edit', 'request_changes', 'reject', 'terminate')
        AND (vote.lapses_at IS NULL OR vote.lapses_at > clock_timestamp() - interval '1 minute')
    ) < (SELECT gate.approvals FROM approvals_gate AS gate WHERE gate.id = NEW.gate_id AND gate.approvals > 1) THEN
        RAISE EXCEPTION 'gate % needs more people than have approved it', NEW.gate_id
            USING ERRCODE = 'OR092', HINT = 'Everybody who is needed must vote.';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0019_digest_notices"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(COUNT_THE_SAME, COUNT_ALL),
        migrations.AddField(
            model_name="question",
            name="tool",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AddField(
            model_name="queue",
            name="quorum",
            field=models.JSONField(
                blank=True, db_default={}, default=dict, help_text="Least people by risk: see `quorums`."
            ),
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("decide", "Decide"),
                    ("passed_on", "Passed On"),
                    ("still_open", "Still Open"),
                    ("handed", "Handed"),
                    ("reminded", "Reminded"),
                    ("amended", "Amended"),
                    ("stranded", "Stranded"),
                    ("many", "Many"),
                    ("decided", "Decided"),
                    ("commented", "Commented"),
                    ("run_failed", "Run Failed"),
                    ("stopped", "Stopped"),
                    ("digest", "Digest"),
                    ("channel_broken", "Channel Broken"),
                    ("access_waits", "Access Waits"),
                    ("prompt_waits", "Prompt Waits"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="question",
            name="asked_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="gate",
            index=models.Index(
                condition=models.Q(("status", "open")),
                fields=["risk", "deadline_at", "id"],
                include=("queue", "barred", "releases_at"),
                name="gate_urgent",
            ),
        ),
        migrations.CreateModel(
            name="Retro",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=200)),
                ("concluded", models.TextField(help_text="What was concluded, in people's own words.")),
                ("days", models.SmallIntegerField()),
                ("starts_at", models.DateTimeField()),
                ("held_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "figures",
                    models.JSONField(help_text="changed, judged, changed_before, judged_before, untagged, topics."),
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
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
    ]
