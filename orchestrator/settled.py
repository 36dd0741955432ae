"""What a shift hands back in one turn."""

from dataclasses import dataclass, field
from typing import Any

from orchestrator import arrays


@dataclass(slots=True)
class Finished:
    """One attempt that ended well, with the field names of `Settled`'s columns."""

    task_id: int
    attempt: int
    status: str
    input: str | None
    output: str | None
    confidence: float | None
    actor: str
    facts: str | None
    skips: str | None = None


@dataclass(slots=True)
class Settled:
    """A finished batch in the columns that `turn_v3` takes; one list entry per task."""

    tasks: list[int] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    inputs: list[str | None] = field(default_factory=list)
    outputs: list[str | None] = field(default_factory=list)
    confidences: list[float | None] = field(default_factory=list)
    actors: list[str] = field(default_factory=list)
    facts: list[str | None] = field(default_factory=list)
    skips: list[str | None] = field(default_factory=list)

    def add(self, finished: Finished) -> None:
        """One more row."""
        self.tasks.append(finished.task_id)
        self.attempts.append(finished.attempt)
        self.statuses.append(finished.status)
        self.inputs.append(finished.input)
        self.outputs.append(finished.output)
        self.confidences.append(finished.confidence)
        self.actors.append(finished.actor)
        self.facts.append(finished.facts)
        self.skips.append(finished.skips)

    def columns(self) -> tuple[list[Any], ...]:
        """The lists in the order of the SQL function's parameters."""
        return (
            self.tasks, self.attempts, self.statuses, self.inputs, self.outputs,
            self.confidences, self.actors, self.facts, self.skips,
        )  # fmt: skip

    def arrays(self) -> tuple[str, ...]:
        """The columns as PostgreSQL writes arrays."""
        return (
            arrays.numbers(self.tasks), arrays.numbers(self.attempts), arrays.texts(self.statuses),
            arrays.texts(self.inputs), arrays.texts(self.outputs), arrays.numbers(self.confidences),
            arrays.texts(self.actors), arrays.texts(self.facts), arrays.texts(self.skips),
        )  # fmt: skip

    def pick(self, position: int) -> "Settled":
        """The batch with only the task at `position`."""
        return Settled(*([column[position]] for column in self.columns()))
