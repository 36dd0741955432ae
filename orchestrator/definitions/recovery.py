"""What a step says about its own failure: a fallback agent, what undoes it, whether the run can do without it."""

from collections.abc import Mapping
from typing import Any

from orchestrator.definitions.agents import Agents, name_and_version
from orchestrator.definitions.errors import Problems
from orchestrator.definitions.fields import seconds
from orchestrator.definitions.load import Definition, StepSource
from orchestrator.definitions.plan import Compensation, Retry

TIMEOUT = 60.0


class Recovery:
    """Checks and builds the parts of steps that say what happens when something fails."""

    def __init__(self, definition: Definition, agents: Agents, problems: Problems) -> None:
        self._errors: Mapping[str, Any] = definition.error_handling
        self._agents = agents
        self._problems = problems

    def check(self, step: StepSource) -> None:
        """Note what of it could not work."""
        fields = step.fields
        if "fallback" in fields:
            self._check_fallback(step)
        if "compensate" in fields:
            self._agents.check_call(step, "compensate", fields["compensate"])
        if fields.get("optional") and fields.get("on_error") in {"fail", "escalate"}:
            message = f"a step whose on_error is {fields['on_error']} is not optional"
            self._note(step, "optional", message, "leave on_error out, or say skip or ask")
        if fields.get("impact") and not (fields.get("optional") or self._on_error(step) in {"skip", "ask"}):
            message = "is said of a step whose failure fails the run"
            self._note(step, "impact", message, "set on_error: skip, or leave impact out")

    def fields(self, step: StepSource) -> dict[str, Any]:
        """The step's recovery as fields of its PlanStep."""
        fields = step.fields
        return {
            "on_error": "skip" if fields.get("optional") and "on_error" not in fields else self._on_error(step),
            "optional": fields.get("optional", False),
            "impact": fields.get("impact", ""),
            "fallback": fields.get("fallback", ""),
            "compensate": self._compensation(fields["compensate"]) if "compensate" in fields else None,
        }

    def _on_error(self, step: StepSource) -> str:
        said: str = step.fields.get("on_error", self._errors.get("on_error", "escalate"))
        return said

    def _compensation(self, given: Mapping[str, Any]) -> Compensation:
        agent, version = name_and_version(given.get("agent", ""))
        return Compensation(
            agent=agent,
            agent_version=version,
            inputs=given.get("inputs", {}),
            timeout=seconds(given.get("timeout", self._errors.get("timeout", TIMEOUT))) or TIMEOUT,
            retry=Retry(**{**self._errors.get("retry", {}), **given.get("retry", {})}),
        )

    def _check_fallback(self, step: StepSource) -> None:
        if name_and_version(step.fields["fallback"])[0] == name_and_version(step.fields.get("agent", ""))[0]:
            self._note(step, "fallback", "is the step's own agent", "name another agent that can do it")
            return
        self._agents.check_call(
            step, "fallback", {"agent": step.fields["fallback"], "inputs": step.fields.get("inputs", {})}
        )

    def _note(self, step: StepSource, field: str, message: str, remedy: str) -> None:
        self._problems.add(message, step=step.key, field=field, remedy=remedy, line=step.line)
