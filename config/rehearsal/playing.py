"""Plays the people and the world of a rehearsal: answers gates, fires timers, delivers signals, answers calls back.

Every answer goes through the doors that people use. What these refuse is kept, so that a run that nobody could help
says why.
"""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib.auth.models import User

from agents.errors import AgentsError
from agents.types import Json
from approvals import access, runways, services
from approvals.errors import ApprovalsError
from approvals.models import Gate, Queue, Runway
from config.rehearsal.sampling import sample
from orchestrator import acts
from orchestrator.definitions.serialise import terms_from_json
from orchestrator.errors import OrchestratorError
from orchestrator.models import Run, Task, Wait
from orchestrator.states import TaskStatus

TROUBLE: Final = frozenset({"exception", "quarantine"})
PEOPLE: Final = 5  # no gate that is shipped needs more
AT_ONCE: Final = 200
ENDS_A_WAIT: Final = {"timer": "fire", "event": "deliver", "callback": "answer"}


class Cast:
    """Some people who may decide everything here, and what they were refused."""

    def __init__(self) -> None:
        self.people = [_person(number) for number in range(PEOPLE)]
        self.refused: dict[int, str] = {}  # by root: what was refused last
        self._granted: set[tuple[int, int]] = set()  # (person, queue)

    def play(self, roots: Sequence[int]) -> None:
        """Answer whatever the runs that began with these wait for."""
        family = families(roots)
        for gate in Gate.objects.filter(run_id__in=family, status="open", releases_at=None).order_by("pk")[:AT_ONCE]:
            for person in self.people[: gate.approvals]:
                try:
                    self._decide(gate, person)
                except ApprovalsError as refusal:  # settled meanwhile, or not theirs to settle
                    self.refused[family[gate.run_id or 0]] = str(refusal)
        for task in _waiting(list(family)):
            try:
                self._end_wait(task)
            except (OrchestratorError, AgentsError, ApprovalsError) as refusal:
                self.refused[family[task.run_id]] = str(refusal)

    def _decide(self, gate: Gate, person: User) -> None:
        if (person.pk, gate.queue_id) not in self._granted:
            access.grant(to=person, permission="decide_gates", on=Queue.objects.get(pk=gate.queue_id), by=None)
            self._granted.add((person.pk, gate.queue_id))
        if gate.approvals > 1:  # of two keys, both have the card open
            services.touch_presence(gate_id=gate.pk, by=person, version=gate.version)
        made = services.decide(gate_id=gate.pk, by=person, gate_version=gate.version, **answer_to(gate))
        if isinstance(made, Runway):
            runways.let_go(gate_id=gate.pk, by=person)

    def _end_wait(self, task: Task) -> None:
        answers: dict[str, Json] = {}
        if task.wait_for != "timer":
            wait = Wait.objects.filter(task_id=task.pk, ended_at=None).first()
            answers = {"data": sample({"type": "object", **wait.schema}) if wait else {}}
        act = acts.find("task", ENDS_A_WAIT[task.wait_for])
        acts.perform(act, acts.of("task", task.pk), by=self.people[0], reason="rehearsed", answers=answers)


def families(roots: Sequence[int]) -> dict[int, int]:
    """The runs that began with these, and those that they have started: each with its root."""
    found = {root: root for root in roots}
    young = list(roots)
    while young:
        tasks = Task.objects.filter(run_id__in=young, kind="subworkflow").values_list("pk", "run_id")
        parents = dict(tasks)
        children = Run.objects.filter(parent_task__in=parents).exclude(pk__in=list(found))
        roots_of = {pk: found[parents[task]] for pk, task in children.values_list("pk", "parent_task") if task}
        young = list(roots_of)
        found |= roots_of
    return found


def _waiting(runs: Sequence[int]) -> list[Task]:
    """Their tasks that wait for the world."""
    return list(Task.objects.filter(run_id__in=runs, status=TaskStatus.WAITING, wait_for__in=ENDS_A_WAIT))


def answer_to(gate: Gate) -> dict[str, Any]:
    """What a person says who means well and changes nothing."""
    if gate.kind in TROUBLE:
        return {"verdict": "retry" if "retry" in gate.subject["allowed"] else "reject", "note": "rehearsed"}
    if form := gate.subject.get("form"):
        filled = sample(form)
        return {"verdict": "complete", "edited": filled if isinstance(filled, dict) else {}, "note": "rehearsed"}
    terms = terms_from_json(gate.subject.get("terms") or {})
    return {"verdict": "approve", "note": "rehearsed", "checked": terms.checklist}


def _person(number: int) -> User:
    person = User.objects.create(username=f"rehearsal-{number}", is_superuser=True)
    access.set_role(user_id=person.pk, role="Administrator", by=None)
    return person
