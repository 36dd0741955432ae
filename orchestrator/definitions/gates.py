"""A step's gate fields to a GateSpec: defaults from the workflow, and only verdicts that can be carried out."""

from typing import Any

from orchestrator.definitions import expressions, terms
from orchestrator.definitions.errors import Problems
from orchestrator.definitions.fields import GATE_FIELDS, HYBRID_VERDICTS, MANUAL_VERDICTS, REVIEW_VERDICTS, seconds
from orchestrator.definitions.load import Definition, StepSource
from orchestrator.definitions.plan import GateSpec
from orchestrator.definitions.references import PRODUCING, condition
from orchestrator.definitions.wiring import Wiring

DEADLINE = 7 * 86400.0


class Gates:
    """Builds the gates of one definition."""

    def __init__(self, definition: Definition, wiring: Wiring, problems: Problems) -> None:
        self._configuration = definition.configuration
        self._wiring = wiring
        self._after = wiring.after()
        self._problems = problems

    def gate(self, step: StepSource) -> GateSpec | None:
        """The gate of a step, or None if it asks nobody."""
        fields = self._fields(step)
        if fields is None:
            return None
        queue = fields.get("queue") or self._configuration.get("queue", "")
        if not queue:
            self._note(step, "queue", "nobody is asked", "name a queue here or in configuration.queue")
        deadline = fields.get("deadline", self._configuration.get("deadline", DEADLINE))
        return GateSpec(
            when=condition(fields.get("when", True)),
            queue=queue,
            title=fields.get("title") or step.title,
            risk=fields.get("risk", "medium"),
            deadline_s=seconds(deadline) or DEADLINE,
            on_timeout=fields.get("on_timeout", "escalate"),
            escalate_to=fields.get("escalate_to", ""),
            allowed=self._allowed(step, fields),
            consequence=fields.get("consequence", ""),
            action=fields.get("action", {}),
            evidence=_wrapped(fields.get("evidence", "")),
            alternatives=_wrapped(fields.get("alternatives", "")),
            revisions=fields.get("revisions", 3),
            sample=float(fields.get("sample", 0.0)),
            terms=terms.terms_of(step, fields, self._problems),
        )

    def _fields(self, step: StepSource) -> dict[str, Any] | None:
        nested: dict[str, Any] = step.fields.get("gate", {})
        if step.type in PRODUCING:
            return nested or None
        if step.type not in {"approval", "manual", "hybrid"}:
            return None
        own = {name: step.fields[name] for name in GATE_FIELDS if name in step.fields and name != "title"}
        for name in own.keys() & nested.keys():
            self._note(step, name, "stands on the step and in its gate", "keep one of them")
        return {**own, **nested}

    def _allowed(self, step: StepSource, fields: dict[str, Any]) -> tuple[str, ...]:
        if step.type == "manual":
            return MANUAL_VERDICTS
        if step.type == "hybrid":
            return HYBRID_VERDICTS
        allowed = tuple(fields.get("allow", REVIEW_VERDICTS))
        if step.type != "approval" or "request_changes" not in allowed:
            return allowed
        subject = step.fields["subject"]
        if self._after.get(subject) == [step.key]:
            return allowed
        if "allow" in fields:
            others = [key for key in self._after.get(subject, []) if key != step.key][:3]
            remedy = f'let {", ".join(others)} wait for "{step.key}", or leave request_changes out'
            message = f'request_changes needs that only this step waits for "{subject}", which would run again'
            self._note(step, "allow", message, remedy)
        return tuple(verdict for verdict in allowed if verdict != "request_changes")

    def _note(self, step: StepSource, field: str, message: str, remedy: str) -> None:
        self._problems.add(message, step=step.key, field=field, remedy=remedy, line=step.line)


def _wrapped(expression: str) -> str:
    return f"${{{expressions.unwrap(expression)}}}" if expression else ""
