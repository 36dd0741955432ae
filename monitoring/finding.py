"""The command palette's answers: pages come from the shell, things from here, always within what the user may see."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from agents.models import Agent
from approvals import permissions
from approvals.able import checks
from approvals.models import Gate
from monitoring.models import Mention
from orchestrator import acts, parts
from orchestrator.acts import Act, Target
from orchestrator.models import Run

EACH: Final = 6
RECENT: Final = 5_000  # titles are searched in this many newest rows
_NAMED_RUN: Final = re.compile(r"#?\b(\d{1,13})$")
_PLACES: Final = (
    re.compile(r"/runs/(?P<run>\d{1,13})/"),
    re.compile(r"/workflows/(?P<workflow>[a-z0-9_-]{1,100})/"),
    re.compile(r"/agents/(?P<agent>[a-z0-9_-]{1,100})/"),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing to jump to."""

    group: str
    icon: str
    title: str
    aside: str
    href: str
    status: str = ""


def find(user: User, text: str) -> list[Hit]:
    """Workflows, runs, gates and agents by number or by words of their title; a number is looked up exactly."""
    wanted = text.strip().lstrip("#")
    if not wanted:
        return []
    return [*_workflows(user, wanted), *_runs(user, wanted), *_gates(user, wanted), *_agents(user, wanted)]


def _workflows(user: User, wanted: str) -> Iterator[Hit]:
    matching = Q(name__icontains=wanted) | Q(title__icontains=wanted)
    for workflow in permissions.visible_workflows(user).filter(matching).order_by("title")[:EACH]:
        href = reverse("orchestrator:workflow", args=[workflow.name])
        yield Hit(_("Workflows"), "workflow", workflow.title, workflow.name, href)


def _runs(user: User, wanted: str) -> Iterator[Hit]:
    runs = Run.objects.filter(workflow__in=permissions.visible_workflows(user)).select_related("workflow")
    newest = Run.objects.order_by("-pk").values("pk")[:RECENT]
    matching = Q(pk=int(wanted)) if _is_number(wanted) else Q(pk__in=newest, title__icontains=wanted)
    # Asked for by themselves, so that each goes along its own index.
    about = Mention.objects.filter(kind=Mention.Kind.INCIDENT, name=wanted).order_by("-pos")[:EACH]
    exact = Q(correlation_id=wanted) | Q(pk__in=list(about.values_list("run_id", flat=True)))
    found = _newest(runs.filter(exact), runs.filter(matching))
    for run in found:
        href = reverse("orchestrator:run", args=[run.pk])
        yield Hit(_("Runs"), "play", f"#{run.pk} {run.title}", run.workflow.title, href, run.status)
    if not found and _is_number(wanted):
        for run in parts.runs(user).filter(pk=int(wanted)):  # of which nothing is said but that it is there
            href = reverse("orchestrator:part", args=[run.pk])
            yield Hit(_("Runs"), "play", f"#{run.pk}", run.workflow.title, href, run.status)


def _newest(*found: QuerySet[Run]) -> list[Run]:
    """The first of these, each once: those that are named exactly before those that only sound like it."""
    rows = [run for runs in found for run in runs.defer("input", "error").order_by("-pk")[:EACH]]
    return list({run.pk: run for run in rows}.values())[:EACH]


def _gates(user: User, wanted: str) -> Iterator[Hit]:
    gates = Gate.objects.filter(queue__in=permissions.visible_queues(user)).select_related("queue").defer("subject")
    newest = Gate.objects.order_by("-pk").values("pk")[:RECENT]
    matching = Q(pk=int(wanted)) if _is_number(wanted) else Q(pk__in=newest, title__icontains=wanted)
    found = [*gates.filter(matching).order_by("-pk")[:EACH], *_checks(user, wanted)]
    for gate in sorted(found, key=lambda one: -one.pk)[:EACH]:
        href = reverse("approvals:gate", args=[gate.pk])
        yield Hit(_("Gates"), "hand", f"{gate.title}", gate.queue.title, href, gate.status)


def _checks(user: User, wanted: str) -> list[Gate]:
    """What passes for gates before this person is found like them."""
    if not _is_number(wanted):
        return checks.titled(user, wanted, most=EACH)
    shown = checks.shown(int(wanted), user)
    return [shown] if shown else []


def _agents(user: User, wanted: str) -> Iterator[Hit]:
    if not permissions.can_somewhere(user, "see_agents"):
        return
    for agent in Agent.objects.filter(Q(name__icontains=wanted) | Q(title__icontains=wanted))[:EACH]:
        yield Hit(_("Agents"), "bot", agent.name, agent.title, reverse("agents:agent", args=[agent.name]))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


@dataclass(frozen=True, slots=True)
class Steering:
    """What the user may do to the thing whose page they are on, or that they named by its number."""

    target: Target
    what: str
    acts: tuple[Act, ...]


def steer(user: User, text: str, *, at: str) -> Steering | None:
    """Acts whose words match, on the thing of the page at this address or on the run named in the text ("pause 42")."""
    words, named = _NAMED_RUN.sub("", text).strip().lower(), _NAMED_RUN.search(text)
    scope, address = ("run", named[1]) if named else _place(at)
    if not scope:
        return None
    try:
        target = acts.locate(scope, address)
    except acts.TargetUnknown:
        return None
    if not acts.is_visible(user, target):
        return None
    found = tuple(act for act in acts.possible(user, target) if words in str(act.title).lower() or words in act.name)
    return Steering(target, acts.holding.name_of(target), found) if found else None


def _place(at: str) -> tuple[str, str]:
    path = urlsplit(at).path
    found = next((match for pattern in _PLACES if (match := pattern.fullmatch(path))), None)
    return (str(found.lastgroup), found[1]) if found else ("", "")
