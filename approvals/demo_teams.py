"""The demo's hub and spokes, and who answers for what there. A team that exists is left as people changed it."""

from dataclasses import dataclass, field
from typing import Final

from django.contrib.auth.models import Group, User
from django.db import transaction

from approvals.answerable.models import Part, TeamKind
from approvals.models import Queue


@dataclass(frozen=True, slots=True)
class Team:
    """One team: where it stands, who is in it, which queues are its own, and which parts it has in what."""

    name: str
    kind: str
    people: tuple[str, ...]
    queues: tuple[str, ...]
    parts: tuple[tuple[str, str], ...] = field(default=())  # letter, matter or queue:name


TEAMS: Final = (
    Team("Agent platform", "hub", ("dev", "ivo"), ("operations", "quarantine"),
         (("R", "tools"), ("R", "prompts"), ("R", "incidents"), ("C", "queue:security-oncall"))),
    Team("Incident pod", "pod", ("ana", "sam", "lena"), ("security-oncall", "security-lead", "analysts"),
         (("R", "queue:security-oncall"), ("A", "queue:security-oncall"), ("I", "incidents"))),
    Team("Publishing pod", "pod", ("tom",), ("editors", "refunds"), (("R", "queue:editors"),)),
    Team("Risk and compliance", "partner", ("quinn", "olga", "omar"), ("oversight",),
         (("A", "prompts"), ("A", "tools"), ("A", "incidents"), ("I", "queue:security-oncall"))),
)  # fmt: skip


@transaction.atomic
def seed_teams() -> None:
    """Make the teams that are missing, with their people, queues and parts; nobody gains a right by it."""
    for team in TEAMS:
        group, is_new = Group.objects.get_or_create(name=team.name)
        if not is_new:
            continue
        group.user_set.set(User.objects.filter(username__in=team.people))
        TeamKind.objects.create(group=group, kind=team.kind)
        Queue.objects.filter(name__in=team.queues, owner=None).update(owner=group)
        for letter, about in team.parts:
            _give(group, letter, about)


def _give(group: Group, letter: str, about: str) -> None:
    matter, _colon, name = about.partition(":")
    queue = Queue.objects.filter(name=name).first() if name else None
    if bool(name) == (queue is not None):
        Part.objects.get_or_create(matter=matter, queue=queue, workflow=None, team=group, letter=letter)
