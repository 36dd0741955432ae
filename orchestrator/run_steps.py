"""The steps of one run: those of its version, and those that its tasks spawned."""

from dataclasses import replace
from typing import Any

from orchestrator.definitions.plan import PlanStep
from orchestrator.engine.plans import INDEX, own_step, plan_of
from orchestrator.models import Run, Task, task_id


class RunSteps:
    """Steps by index; spawned ones are read when the first of them is asked for, and only those asked for."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._plan = plan_of(run.version_id)
        self._spawned: dict[int, PlanStep | None] = {}

    def __getitem__(self, index: int) -> PlanStep:
        """The step at `index`; one that is known by its number alone if the run has no such task."""
        if 0 <= index < len(self._plan.steps):
            return self._plan.steps[index]
        if index not in self._spawned:
            self.load([index])
        step = self._spawned[index]
        return step or PlanStep(index=index, key=str(index), title=str(index), kind="automated")

    def load(self, indexes: list[int]) -> None:
        """Read the spawned steps among `indexes` at once."""
        wanted = [index for index in indexes if index >= len(self._plan.steps) and index not in self._spawned]
        rows = Task.objects.filter(pk__in=[task_id(self._run.pk, index) for index in wanted])
        found = {pk & INDEX: (pk, key, spec) for pk, key, spec in rows.values_list("pk", "key", "spec")}
        for index in wanted:
            self._spawned[index] = self._step(*found[index]) if index in found else None

    def by_key(self, key: str) -> PlanStep | None:
        """The step with this key."""
        step = next((step for step in self._plan.steps if step.key == key), None)
        if step is not None or "." not in key:
            return step
        pk = Task.objects.of_run(self._run.pk).filter(key=key, parent__isnull=False).values_list("pk", flat=True).last()
        return self[pk & INDEX] if pk is not None else None

    def _step(self, pk: int, key: str, spec: dict[str, Any] | None) -> PlanStep:
        step = own_step(self._plan, pk, spec or {})
        return replace(step, index=pk & INDEX, key=key, title=self._title(step, key, spec or {}))

    def _title(self, step: PlanStep, key: str, spec: dict[str, Any]) -> str:
        """A body's tasks are numbered from 1; any other spawned step has a title of its own."""
        if "of" not in spec:
            return step.title
        number = key.rpartition(".")[2]
        is_map = self._plan.steps[spec["of"]].map is not None
        return f"{step.title} {int(number) + 1 if is_map else number}"
