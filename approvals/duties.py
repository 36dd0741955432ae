"""Separation of duties: who had a hand in what a gate is about, and so has no say in it, whatever their rights.

A person is who they are in every account of theirs (`Profile.same_as`); ids here are those of main accounts.
"""

from collections.abc import Iterable
from typing import Final

from django.contrib.auth.models import User
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, ModelCall, PromptVersion
from approvals.models import Decision, Gate, Profile, Vote
from orchestrator.models import TASK_BITS, Event, Run, WorkflowVersion, task_id

STARTED: Final = "started"
OTHERWISE: Final = "had a hand in it"
# In the order in which they are told: the plainest reason first.
WHY: Final[dict[str, str | Promise]] = {
    STARTED: _("You started this run"),
    "edited": _("You changed what is under review"),
    "prompt": _("You wrote a prompt behind this output"),
    "owner": _("You own the agent whose output this is"),
    "published": _("You published the version of the workflow that asks"),
    OTHERWISE: _("You had a hand in what is under review"),
}
_PERSON: Final = "_watchkeeper_person"
_PROMPTS: Final = 20
_EDITS: Final = ("task.edited", "task.redirected")


def hands(run: Run, *, task: int | None, agent: str, requested_by: int | None) -> dict[int, str]:
    """The people with a hand in what is asked, and what it was; each with the first reason of `WHY` that fits."""
    found: dict[str, Iterable[int | None]] = {
        STARTED: [run.started_by_id, requested_by],
        "edited": _editors(run, task),
        "prompt": _writers(run, agent),
        "owner": _owners(agent),
        "published": WorkflowVersion.objects.filter(pk=run.version_id).values_list("published_by", flat=True),
    }
    accounts = {reason: [pk for pk in pks if pk is not None] for reason, pks in found.items()}
    mains = persons({pk for pks in accounts.values() for pk in pks})
    reasons: dict[int, str] = {}
    for reason, pks in accounts.items():
        for pk in pks:
            reasons.setdefault(mains[pk], reason)
    return reasons


def why_barred(user: User, gate: Gate) -> str:
    """One half of a sentence that says why this person has no say; empty if they may have one."""
    me = person_of(user)
    if me not in gate.barred and not {user.pk, me} & {gate.requested_by_id, gate.run.started_by_id}:
        return ""
    reasons = hands(gate.run, task=gate.task_id, agent=gate.agent, requested_by=gate.requested_by_id)
    if Vote.objects.filter(gate=gate, person=me, verdict="edit").exists():
        return str(WHY["edited"])
    return str(WHY[reasons.get(me, OTHERWISE)])


def person_of(user: User) -> int:
    """The id of the person's main account; read once per user object."""
    known: int | None = getattr(user, _PERSON, None)
    if known is None:
        known = persons([user.pk])[user.pk]
        setattr(user, _PERSON, known)
    return known


def remember_person(user: User, main: int) -> None:
    """Note the main account that was read along with something else."""
    setattr(user, _PERSON, main)


def persons(accounts: Iterable[int]) -> dict[int, int]:
    """Each account with its person's main one."""
    wanted = set(accounts)
    linked = Profile.objects.filter(user__in=wanted, same_as__isnull=False) if wanted else Profile.objects.none()
    mains = dict(linked.values_list("user_id", "same_as_id"))
    return {pk: mains.get(pk, pk) for pk in wanted}


def accounts_of(person: int) -> list[int]:
    """All accounts of one person."""
    return [person, *Profile.objects.filter(same_as=person).values_list("user_id", flat=True)]


def _editors(run: Run, task: int | None) -> list[int]:
    """Who changed, by an act or a verdict, what this task was given or put out, or what it reviews."""
    if task is None:
        return []
    about = [task]
    reviewed = WorkflowVersion.objects.filter(pk=run.version_id).values_list(
        f"plan__steps__{task & (2**TASK_BITS - 1)}__subject", flat=True
    )
    about += [task_id(run.pk, subject) for subject in reviewed if isinstance(subject, int)]
    names = Event.objects.filter(task_id__in=about, kind__in=_EDITS).values_list("actor", flat=True)
    users = {name.removeprefix("user:") for name in names if name.startswith("user:")}
    acted = User.objects.filter(username__in=users).values_list("pk", flat=True) if users else ()
    said = Decision.objects.filter(gate__task_id__in=about, verdict__in=("edit", "complete"), decided_by__isnull=False)
    return [*acted, *said.values_list("decided_by", flat=True)]


def _writers(run: Run, agent: str) -> list[int]:
    """Authors and editors of the prompts that this agent used in this run."""
    if not agent:
        return []
    used = ModelCall.objects.filter(correlation_id=run.correlation_id, agent=agent).exclude(prompt="")
    found: list[int] = []
    for named in used.values_list("prompt", flat=True).distinct()[:_PROMPTS]:
        name, _at, number = named.partition("@")
        versions = PromptVersion.objects.filter(prompt__name=name, number=int(number) if number.isdigit() else 0)
        for author, editors in versions.values_list("author", "editors"):
            found += [author, *editors]
    return found


def _owners(agent: str) -> list[int]:
    names = [name for name in Agent.objects.filter(name=agent).values_list("owner", flat=True) if name] if agent else []
    return list(User.objects.filter(username__in=names).values_list("pk", flat=True)) if names else []
