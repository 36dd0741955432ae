"""Saves who answers for what, each with its event. Every function authorises `by` and runs in one transaction."""

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import permissions
from approvals.accounts.queues import named
from approvals.accounts.risk import NO_REASON, Why
from approvals.answerable.models import Part, TeamKind
from approvals.errors import ChangeRefused, NotPermitted, UnknownName
from approvals.models import Queue
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.models import Workflow
from orchestrator.services import actor_of


@transaction.atomic
def set_kind(*, team: str, kind: str, by: User | None, why: Why = NO_REASON) -> None:
    """Say where a team stands; an empty kind takes it out of hub and spokes."""
    authorise(by)
    group = team_named(team)
    was = TeamKind.objects.filter(group=group).values_list("kind", flat=True).first() or ""
    if was == kind:
        raise ChangeRefused(why=_("that is how it is already"))
    if kind:
        TeamKind.objects.update_or_create(group=group, defaults={"kind": kind})
    else:
        TeamKind.objects.filter(group=group).delete()
    facts: dict[str, Json] = {"team": group.name, "ref": group.pk, "kind": kind, "was": was, **why.facts()}
    events.append(EventKind.TEAM_PLACED, actor=actor_of(by), data=facts)


@transaction.atomic
def set_owner(*, queue: Queue, team: str, by: User | None, why: Why = NO_REASON) -> None:
    """Say which team owns a queue; nobody, where `team` is empty. It gives nobody a right there."""
    authorise(by)
    owner = team_named(team) if team else None
    if queue.owner_id == (owner.pk if owner else None):
        raise ChangeRefused(why=_("that is how it is already"))
    was, queue.owner = queue.owner.name if queue.owner else "", owner
    queue.save(update_fields=["owner"])
    facts: dict[str, Json] = {"queue": queue.name, "what": "owner", "was": was, "owner": team, **why.facts()}
    events.append(EventKind.QUEUE_CHANGED, actor=actor_of(by), data=facts)


@transaction.atomic
def set_part(*, about: str, team: str, letter: str, held: bool, by: User | None, why: Why = NO_REASON) -> None:
    """Give a team a part in a matter, or take it away. Who was accountable is so no longer when another one is.

    `about` reads prompts, tools, incidents, queue:refunds or workflow:refund.
    """
    authorise(by)
    where, group = matter_of(about), team_named(team)
    mine = Part.objects.filter(**where, team=group, letter=letter)
    if mine.exists() == held:
        raise ChangeRefused(why=_("that is how it is already"))
    was = ""
    if not held:
        mine.delete()
    else:
        if letter == Part.Letter.ACCOUNTABLE:
            before = Part.objects.filter(**where, letter=letter).select_related("team")
            was = ", ".join(part.team.name for part in before)
            before.delete()
        Part.objects.create(**where, team=group, letter=letter)
    facts: dict[str, Json] = {
        "about": about, "team": group.name, "part": letter, "held": held, "was": was, **why.facts(),
    }  # fmt: skip
    events.append(EventKind.RESPONSIBILITY_CHANGED, actor=actor_of(by), data=facts)


def matter_of(about: str) -> dict[str, object]:
    """What identifies a matter's rows. Raises UnknownName."""
    kind, _colon, name = about.partition(":")
    match kind:
        case Part.Matter.QUEUE:
            return {"matter": kind, "queue": named(name), "workflow": None}
        case Part.Matter.WORKFLOW:
            workflow = Workflow.objects.filter(name=name).first()
            if workflow is None:
                raise UnknownName(what="workflow", name=name, known="those on the page of workflows")
            return {"matter": kind, "queue": None, "workflow": workflow}
        case Part.Matter.PROMPTS | Part.Matter.TOOLS | Part.Matter.INCIDENTS if not name:
            return {"matter": kind, "queue": None, "workflow": None}
        case _:
            known = "prompts, tools, incidents, queue:NAME, workflow:NAME"
            raise UnknownName(what="matter", name=about[:100], known=known)


def team_named(name: str) -> Group:
    """The team of this name; a role is one, too. Raises UnknownName."""
    found = Group.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True)[:20])
        raise UnknownName(what="team", name=name, known=known)
    return found


def authorise(by: User | None) -> None:
    """Whoever may edit queues may say who answers for what. Raises NotPermitted."""
    if by is not None and not permissions.can(by, "edit_queues"):
        raise NotPermitted(verb="edit queues")
