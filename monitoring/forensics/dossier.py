"""Gathers what evidence about a few runs is made of, as plain values: only what the person who asks may see.

The pack (`pack`) and the narrative are made of it. Bounded: what does not fit is refused, never cut short.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils.translation import gettext

from agents.models import AgentVersion, ModelCall
from approvals import gate_access, permissions
from approvals.models import Comment, Decision, Gate, Vote
from monitoring.forensics import searching
from monitoring.forensics.searching import Filter
from orchestrator import ledger, narrative
from orchestrator.happenings import Entry
from orchestrator.models import Attempt, Event, Run, Task, task_id

MOST_RUNS: Final = 50
MOST_EVENTS: Final = 50_000

type Facts = dict[str, Any]


class TooMuch(Exception):
    """More than one pack holds."""

    def __init__(self, what: str) -> None:
        super().__init__(gettext("This is too much for one pack: %(what)s. Search for fewer runs.") % {"what": what})


@dataclass(slots=True)
class Dossier:
    """Everything about some runs. `hidden`: runs that the search is about and the asking person may not see."""

    runs: list[Facts] = field(default_factory=list)
    gates: list[Facts] = field(default_factory=list)
    agents: list[Facts] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    story: list[tuple[int, Entry]] = field(default_factory=list)
    hidden: int = 0

    @property
    def accountable(self) -> list[Facts]:
        """Who decided what: one line for each decision of a person."""
        return [
            {"gate": gate["id"], "title": gate["title"], **{name: decision[name] for name in _ACCOUNT}}
            for gate in self.gates
            for decision in gate["decisions"]
        ]


_ACCOUNT: Final = ("verdict", "by", "name", "via", "at", "note", "seal")


def gather(user: User, wanted: Filter) -> Dossier:
    """What there is about the runs of a search. Raises TooMuch."""
    ids = searching.runs_of(wanted)
    if len(ids) > MOST_RUNS:
        raise TooMuch(gettext("more than %(most)d runs") % {"most": MOST_RUNS})
    visible = permissions.visible_workflows(user)
    about = Run.objects.filter(pk__in=ids, workflow__in=visible).order_by("pk")
    runs = list(about.select_related("workflow", "version", "started_by"))
    found = Dossier(hidden=len(ids) - len(runs))
    shown = [run.pk for run in runs]
    if Event.objects.filter(run_id__in=shown)[: MOST_EVENTS + 1].count() > MOST_EVENTS:
        raise TooMuch(gettext("more than %(most)d events") % {"most": MOST_EVENTS})
    found.events = list(ledger.export_of(shown))
    found.runs = [_run(run) for run in runs]
    found.gates = [_gate(gate) for gate in _gates(shown) if gate_access.may_see(user, gate.pk)]
    found.agents = list(_agents(runs))
    found.story = sorted(_story(runs), key=lambda line: (line[1].at, line[1].pos or 0))
    return found


def _run(run: Run) -> Facts:
    return {
        "id": run.pk,
        "title": run.title,
        "workflow": run.workflow.name,
        "version": run.version.number,
        "definition_sha256": run.version.digest,
        "status": run.status,
        "correlation_id": run.correlation_id,
        "started_by": run.started_by.get_username() if run.started_by else None,
        "started_at": _moment(run.started_at),
        "ended_at": _moment(run.ended_at),
        "input": run.input,
        "tasks": list(_tasks(run.pk)),
    }


def _tasks(run: int) -> Iterator[Facts]:
    attempts: dict[int, list[Facts]] = {}
    span = {"task_id__gte": task_id(run, 0), "task_id__lt": task_id(run + 1, 0)}
    for one in Attempt.objects.filter(**span).order_by("task_id", "number"):
        facts = {"number": one.number, "status": one.status, "agent_version": one.agent_version, "cost": one.cost}
        facts |= {"started_at": _moment(one.started_at), "ended_at": _moment(one.ended_at)}
        attempts.setdefault(one.task_id, []).append({**facts, "tokens": one.tokens_in + one.tokens_out})
    for task in Task.objects.of_run(run).select_related("agent").order_by("pk"):
        yield {
            "id": task.pk,
            "key": task.key,
            "kind": task.kind,
            "agent": task.agent.name if task.agent else None,
            "status": task.status,
            "input": task.input,
            "output": task.output,
            "confidence": task.confidence,
            "error": task.error,
            "attempts": attempts.get(task.pk, []),
        }


def _gates(runs: Sequence[int]) -> list[Gate]:
    return list(Gate.objects.filter(run_id__in=runs).select_related("queue").order_by("pk"))


def _gate(gate: Gate) -> Facts:
    """What the reviewer saw, word for word, with its seal, and everything that people said of it."""
    decisions = Decision.objects.filter(gate=gate).select_related("decided_by")
    votes = Vote.objects.filter(gate=gate).select_related("voter")
    comments = Comment.objects.filter(gate=gate).select_related("author")
    return {
        "id": gate.pk,
        "run": gate.run_id,
        "task": gate.task_id,
        "title": gate.title,
        "queue": gate.queue.name,
        "kind": gate.kind,
        "risk": gate.risk,
        "rule": gate.rule,
        "status": gate.status,
        "version": gate.version,
        "opened_at": _moment(gate.opened_at),
        "deadline_at": _moment(gate.deadline_at),
        "settled_at": _moment(gate.settled_at),
        "seal": gate.seal,
        "subject": gate.subject,
        "decisions": [
            {
                **_said(one.decided_by, one.verdict, one.note, one.via, one.decided_at), "seal": one.seal,
                "gate_version": one.gate_version, "before": one.before, "after": one.after, "checked": one.checked,
                "records": [_said(kept.confirmed_by, "record", kept.text, "", kept.confirmed_at)
                            for kept in one.records.select_related("confirmed_by")],
            }
            for one in decisions
        ],
        "votes": [
            {**_said(one.voter, one.verdict, one.note, one.via, one.voted_at), "seal": one.seal} for one in votes
        ],
        "comments": [_said(one.author, "comment", one.text, "", one.created_at) for one in comments],
    }  # fmt: skip


def _said(by: User | None, verdict: str, note: str, via: str, at: datetime) -> Facts:
    who = {"by": by.get_username() if by else None, "name": by.get_full_name() if by else ""}
    return {**who, "verdict": verdict, "note": note, "via": via, "at": _moment(at)}


def _agents(runs: Sequence[Run]) -> Iterator[Facts]:
    """Every version of an agent that was called, and the models and prompts that it used."""
    for run in runs:
        span = {"task_id__gte": task_id(run.pk, 0), "task_id__lt": task_id(run.pk + 1, 0)}
        used = Attempt.objects.filter(**span, agent_version__isnull=False, task__agent__isnull=False).order_by()
        for agent, name, number in used.values_list("task__agent_id", "task__agent__name", "agent_version").distinct():
            known = AgentVersion.objects.filter(agent_id=agent, number=number or 0)
            digest = known.values_list("digest", flat=True).first()
            yield {"run": run.pk, "agent": name, "version": number, "sha256": digest}
        calls = ModelCall.objects.filter(correlation_id=run.correlation_id).order_by("pk")
        for caller, model, prompt in calls.values_list("agent", "model", "prompt").distinct():
            yield {"run": run.pk, "agent": caller, "model": model, "prompt": prompt}


def _story(runs: Sequence[Run]) -> Iterator[tuple[int, Entry]]:
    for run in runs:
        told = narrative.story(run, everything=True, length=MOST_EVENTS)
        yield from ((run.pk, entry) for entry in told.entries)


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
