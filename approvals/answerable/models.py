"""Kinds of teams, parts of teams in matters (RACI), rotas of queues, and how far the calls for a gate have got."""

from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orchestrator.models import Workflow


class TeamKind(models.Model):
    """Where a team stands: in the hub, in one of the spokes, or beside them as a partner. Written by `answerable`."""

    class Kind(models.TextChoices):
        HUB = "hub", _("Platform team")
        POD = "pod", _("Domain pod")
        PARTNER = "partner", _("Risk and compliance partner")

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="kind")
    kind = models.CharField(max_length=20, choices=Kind.choices)


class Part(models.Model):
    """A team's part in a matter: responsible, accountable, consulted or informed. Written by `answerable`."""

    class Matter(models.TextChoices):
        PROMPTS = "prompts", _("Updates of prompts")
        TOOLS = "tools", _("Onboarding of tools")
        INCIDENTS = "incidents", _("Response to incidents")
        QUEUE = "queue", _("Decisions in a queue")
        WORKFLOW = "workflow", _("Decisions of a workflow")

    class Letter(models.TextChoices):
        RESPONSIBLE = "R", _("responsible")
        ACCOUNTABLE = "A", _("accountable")
        CONSULTED = "C", _("consulted")
        INFORMED = "I", _("informed")

    matter = models.CharField(max_length=20, choices=Matter.choices)
    queue = models.ForeignKey("approvals.Queue", on_delete=models.CASCADE, null=True, related_name="parts")
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, null=True, related_name="parts")
    team = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="parts")
    letter = models.CharField(max_length=1, choices=Letter.choices)

    class Meta:
        ordering = ["matter", "letter", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["matter", "queue", "workflow", "team", "letter"], nulls_distinct=False, name="one_row_per_part"
            ),
            models.UniqueConstraint(
                fields=["matter", "queue", "workflow"], condition=models.Q(letter="A"), nulls_distinct=False,
                name="one_team_is_accountable",
            ),
            models.CheckConstraint(
                condition=models.Q(matter="queue", queue__isnull=False, workflow=None)
                | models.Q(matter="workflow", workflow__isnull=False, queue=None)
                | ~models.Q(matter__in=("queue", "workflow")) & models.Q(queue=None, workflow=None),
                name="part_names_what_its_matter_is_about",
            ),
        ]  # fmt: skip


class Rota(models.Model):
    """Who is on call for a queue, in turns of whole local days. Written by `answerable.rotas`."""

    queue = models.OneToOneField("approvals.Queue", on_delete=models.CASCADE, related_name="rota")
    people = ArrayField(models.BigIntegerField(), help_text="User ids in the order of their turns.")
    days = models.SmallIntegerField(default=7, help_text="Length of a turn.")
    hour = models.SmallIntegerField(default=9, help_text="Hour of the hand-over.")
    zone = models.CharField(max_length=50, default="UTC")
    starts_on = models.DateField(help_text="First day of the first person's turn.")
    minutes = models.SmallIntegerField(default=15, help_text="When the next person is called.")
    handed_to = models.BigIntegerField(null=True, help_text="Whose turn it was when somebody last looked.")


class Call(models.Model):
    """How far the calls for one open gate have got in its queue's rota. Written by `answerable.calling`."""

    gate = models.OneToOneField("approvals.Gate", on_delete=models.CASCADE, related_name="call")
    queue = models.ForeignKey("approvals.Queue", on_delete=models.CASCADE, related_name="+")
    level = models.SmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, help_text="When the next is called; none: everybody was.")
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="call_due")]
