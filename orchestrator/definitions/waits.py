"""Steps that wait for something outside the engine: what they wait for, and what publishing can check of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestrator.definitions import contracts
from orchestrator.definitions.errors import Problems, did_you_mean
from orchestrator.definitions.fields import LONGEST_WAIT, seconds
from orchestrator.definitions.load import StepSource
from orchestrator.definitions.plan import WaitSpec
from orchestrator.definitions.references import condition, in_values

DEADLINE = 7 * 86400.0
TIMER_OUTPUT = ("due", "fired_at", "late", "late_s")
EVENT_OUTPUT = ("id", "name", "key", "data", "sent_by", "sent_at")


@dataclass(frozen=True, slots=True)
class Callee:
    """What a definition must know of a workflow that it starts runs of: what it takes and what it gives."""

    input_schema: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()


type Workflows = Callable[[str], Callee | None]


def wait_of(step: StepSource) -> WaitSpec | None:
    """What a step waits for; None for one that waits for nothing, and for a subworkflow that has no deadline."""
    fields = step.fields
    if step.type == "timer":
        return WaitSpec(duration=str(fields.get("duration", "")), until=fields.get("until", ""), deadline_s=0)
    if step.type == "subworkflow" and "deadline" not in fields:
        return None
    if step.type not in {"wait_event", "wait_callback", "subworkflow"}:
        return None
    return WaitSpec(
        event=fields.get("event", ""),
        key=fields.get("correlation", ""),
        match=condition(fields["match"]) if "match" in fields else "",
        schema=fields.get("schema", {}),
        deadline_s=seconds(fields.get("deadline", DEADLINE), longest=LONGEST_WAIT) or DEADLINE,
        on_deadline=fields.get("on_deadline", "fail"),
    )


class Waits:
    """Checks the waiting steps of one definition. Without `workflows`, whether a workflow exists is not checked."""

    def __init__(self, name: str, own: Callee, workflows: Workflows | None, problems: Problems) -> None:
        self._name = name
        self._own = own
        self._workflows = workflows
        self._problems = problems

    def check(self, step: StepSource) -> None:
        """Note what is wrong with a waiting step."""
        if step.type == "timer":
            self._check_timer(step)
        if step.type == "subworkflow":
            self._check_callee(step)
        if step.type == "wait_callback" and "agent" not in step.fields:
            for name in step.fields.keys() & {"inputs", "timeout", "retry"}:
                self._note(step, name, "is for an agent, and this step calls none", "name an agent, or remove it")

    def output_fields(self, step: StepSource) -> Mapping[str, Any] | None:
        """The fields that a waiting step's output is known to have, or None if any may be there."""
        match step.type:
            case "timer":
                return dict.fromkeys(TIMER_OUTPUT)
            case "wait_event":
                return dict.fromkeys(EVENT_OUTPUT)
            case "wait_callback":
                return contracts.properties(step.fields.get("schema", {}))
            case "subworkflow":
                callee = self._callee(step.fields["workflow"])
                return dict.fromkeys(callee.outputs) if callee else None
        return None

    def _check_timer(self, step: StepSource) -> None:
        given = [name for name in ("duration", "until") if name in step.fields]
        if len(given) != 1:
            message = "says neither how long nor until when" if not given else "says both how long and until when"
            self._note(step, "duration", message, "write duration: 90d, or until: ${input.when}")
        until = step.fields.get("until", "")
        if until and "${" not in until and moment(until) is None:
            remedy = "write it like 2027-01-31T09:00:00Z, with its zone"
            self._note(step, "until", f'"{until:.40}" is not a moment', remedy)

    def _check_callee(self, step: StepSource) -> None:
        name = step.fields["workflow"]
        callee = self._callee(name)
        if callee is None:
            if self._workflows is not None:
                self._note(step, "workflow", f'"{name}" is not a published workflow', "publish it first")
            return
        given = step.fields.get("inputs", {})
        for wanted in callee.input_schema.get("required", ()):
            if wanted not in given:
                self._note(step, f"inputs.{wanted}", f"is required by {name}", "give it a value")
        known = contracts.properties(callee.input_schema)
        for field_name, value in given.items():
            if known is not None and field_name not in known:
                remedy = did_you_mean(field_name, list(known))
                self._note(step, f"inputs.{field_name}", f"is not an input of {name}", remedy)
            elif known is not None and next(in_values(value, ""), None) is None:
                self._check_literal(step, callee, field_name, value)

    def _check_literal(self, step: StepSource, callee: Callee, name: str, value: Any) -> None:
        shared = {word: callee.input_schema[word] for word in ("$defs", "definitions") if word in callee.input_schema}
        for path, message in contracts.violations({**shared, **callee.input_schema["properties"][name]}, value):
            self._note(step, ".".join(part for part in ("inputs", name, path) if part), message, "")

    def _callee(self, name: str) -> Callee | None:
        if name == self._name:
            return self._own
        return self._workflows(name) if self._workflows else None

    def _note(self, step: StepSource, place: str, message: str, remedy: str) -> None:
        self._problems.add(message, step=step.key, field=place, remedy=remedy, line=step.line)


def moment(text: str) -> datetime | None:
    """An instant with its zone, from ISO 8601; None if it is not one, or not one in UTC."""
    try:
        found = datetime.fromisoformat(text.strip())
        found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else None
