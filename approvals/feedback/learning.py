"""Draws a lesson from each act of a person on an output: reads the sealed log, each event once, in order.

The cursor and the lessons are one transaction, and one reader is at it at a time: a crash repeats all of it or nothing.
Unlike notices it begins at the log's start: what people decided long ago counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction

from agents.models import ModelCall
from approvals import answers, labels
from approvals.feedback.models import Appraisal, Lesson, LessonCursor
from approvals.models import Decision, GateKind, Verdict
from orchestrator import ledger
from orchestrator.ledger import SealedEvent
from orchestrator.models import Task
from orchestrator.past import output_of

STRETCH: Final = 20_000  # places of the log that one transaction reads
MOST_STRETCHES: Final = 10  # in one go; the next beat goes on
OVERRIDES: Final[Mapping[str, str]] = {"task.edited": "edit_input", "task.redirected": "redirect"}
_DECIDED: Final = "gate.decided"
_GIVEN: Final = "task.succeeded"  # with `given`: a person ended the step with an output of their own
_KINDS: Final = (_DECIDED, _GIVEN, *OVERRIDES)
_JUDGED_KINDS: Final = (GateKind.APPROVAL, GateKind.HYBRID, GateKind.TOOL)
_LONGEST: Final = 10_000  # characters of a reason


def learn() -> set[str]:
    """Read on to the log's end; the agents about which something was learned."""
    end, touched = ledger.head(), set[str]()
    for _turn in range(MOST_STRETCHES):
        found, more = _read_stretch(end)
        touched |= found
        if not more:
            break
    return touched


@transaction.atomic
def _read_stretch(end: int) -> tuple[set[str], bool]:
    LessonCursor.objects.bulk_create([LessonCursor(pos=0)], ignore_conflicts=True)
    cursor = LessonCursor.objects.select_for_update(skip_locked=True).first()
    if cursor is None or cursor.pos >= end:  # another process is at it, or nothing is new
        return set(), False
    last = min(end, cursor.pos + STRETCH)
    lessons = _lessons(ledger.by_people(_KINDS, after=cursor.pos, until=last))
    Lesson.objects.bulk_create(lessons, ignore_conflicts=True)
    cursor.pos = last
    cursor.save(update_fields=["pos"])
    return {lesson.agent for lesson in lessons if lesson.agent}, last < end


def _lessons(news: Sequence[SealedEvent]) -> list[Lesson]:
    decided = [pk for event in news if event.kind == _DECIDED and isinstance(pk := _facts(event).get("decision"), int)]
    overridden = [event for event in news if event.kind != _DECIDED and _is_override(event)]
    return [*_of_decisions(decided), *_of_overrides(overridden)]


def _of_decisions(ids: Sequence[int]) -> list[Lesson]:
    about = Decision.objects.filter(pk__in=ids, decided_by__isnull=False).select_related("gate__run")
    decisions = list(about.order_by("pk"))
    said = _appraisals([decision.gate_id for decision in decisions])
    prompts = _Prompts()
    return [_of_decision(one, said.get(one.gate_id, _Said()), prompts) for one in decisions]


@dataclass(slots=True)
class _Said:
    causes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def _appraisals(gates: Sequence[int]) -> dict[int, _Said]:
    """What all who decided a gate said of it, each word once."""
    found: dict[int, _Said] = {}
    for one in Appraisal.objects.filter(gate__in=gates).order_by("pk"):
        said = found.setdefault(one.gate_id, _Said())
        said.causes += [cause for cause in one.causes if cause not in said.causes]
        said.reasons += [reason for reason in one.reasons if reason not in said.reasons]
    return found


def _of_decision(decision: Decision, said: _Said, prompts: "_Prompts") -> Lesson:
    gate = decision.gate
    stood = _stood(decision)
    return Lesson(
        decision=decision,
        at=decision.decided_at,
        by_id=decision.decided_by_id,
        verdict=decision.verdict,
        stood=stood,
        workflow_id=gate.workflow_id,
        queue_id=gate.queue_id,
        gate=gate,
        run_id=gate.run_id,
        task_id=gate.task_id,
        step=gate.step,
        agent=gate.agent,
        agent_version=gate.agent_version,
        prompt=prompts.of(gate.run.correlation_id, gate.agent, gate.opened_at),
        risk=gate.risk,
        causes=said.causes,
        reasons=said.reasons,
        edited=_edited(decision) if stood is False else None,
        reason=decision.note[:_LONGEST],
    )


def _stood(decision: Decision) -> bool | None:
    """Whether the output stood; None where the verdict judges none: trouble, work by hand, the end of a run."""
    if decision.gate.kind not in _JUDGED_KINDS or decision.verdict not in (*labels.JUDGING, Verdict.CHOOSE):
        return None
    return labels.is_right(decision.verdict, decision.before, decision.after)


def _edited(decision: Decision) -> dict[str, Any] | None:
    """What the person put in the output's place; of a chosen alternative its output, where it has one."""
    after = decision.after
    if decision.verdict == Verdict.CHOOSE and isinstance(after, dict):
        after = answers.chosen(after).get("output")
    return after if isinstance(after, dict) else None


def _is_override(event: SealedEvent) -> bool:
    return event.task_id is not None and (event.kind in OVERRIDES or _facts(event).get("given") is True)


def _of_overrides(events: Sequence[SealedEvent]) -> list[Lesson]:
    about = Task.objects.filter(pk__in={event.task_id for event in events}).select_related("agent", "run")
    tasks = {task.pk: task for task in about}
    people = _people(event.actor for event in events)
    prompts = _Prompts()
    return [
        _of_override(event, tasks[event.task_id], people, prompts)
        for event in events
        if event.task_id is not None and event.task_id in tasks
    ]


def _of_override(event: SealedEvent, task: Task, people: Mapping[str, int], prompts: "_Prompts") -> Lesson:
    facts = _facts(event)
    cause = facts.get("cause")
    given = event.kind == _GIVEN
    agent = str(facts.get("from") or (task.agent.name if task.agent else ""))
    return Lesson(
        event=event.id,
        at=event.at,
        by_id=people.get(event.actor),
        verdict=OVERRIDES.get(event.kind, "give_output"),
        stood=False,
        workflow_id=task.workflow_id,
        run_id=task.run_id,
        task_id=task.pk,
        step=task.key,
        agent=agent[:100],
        prompt=prompts.of(task.run.correlation_id, agent, event.at),
        causes=[cause] if isinstance(cause, str) else [],
        input=task.input,
        output=None if given else output_of(task.output),
        edited=output_of(task.output) if given else (task.spec or {}).get("given"),
        reason=str(facts.get("reason", ""))[:_LONGEST],
    )


def _people(actors: Iterable[str]) -> dict[str, int]:
    names = {actor.removeprefix("user:"): actor for actor in actors}
    return {names[name]: pk for pk, name in User.objects.filter(username__in=names).values_list("pk", "username")}


def _facts(event: SealedEvent) -> Mapping[str, Any]:
    return event.data or {}


class _Prompts:
    """Which prompt version an agent's newest call before a moment used, in one run; asked once each."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, Any], str] = {}

    def of(self, correlation_id: str, agent: str, until: Any) -> str:
        """As "name@2"; empty where the output came of no prompt that we know."""
        key = (correlation_id, agent, until)
        if agent and key not in self._known:
            calls = ModelCall.objects.filter(correlation_id=correlation_id, agent=agent, at__lte=until)
            self._known[key] = calls.exclude(prompt="").order_by("-at").values_list("prompt", flat=True).first() or ""
        return self._known.get(key, "")
