"""The queues and teams of people that a definition names, where, and which of them do not exist. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.definitions.errors import MAX_PROBLEMS, DefinitionProblem, did_you_mean
from orchestrator.definitions.load import Definition

LONGEST: Final = 50  # characters of a queue's name
_FIELDS: Final = ("queue", "escalate_to")
_GROUPS: Final = ("gate", "conflicts", "body")


@dataclass(frozen=True, slots=True)
class Named:
    """One place that names a queue."""

    queue: str
    field: str
    step: str = ""
    line: int = 0


def queues_named(definition: Definition) -> Iterator[Named]:
    """Every place, in the order of the file: the workflow's defaults, then its steps."""
    for group, values in (("configuration", definition.configuration), ("error_handling", definition.error_handling)):
        for name in ("queue", "business_queue"):
            if values.get(name):
                yield Named(values[name], f"{group}.{name}")
    for step in definition.steps:
        for field, queue in _in(step.fields):
            yield Named(queue, field, step.key, step.line)


def _in(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name in _FIELDS:
        if isinstance(fields.get(name), str):
            yield prefix + name, fields[name]
    for queue in fields.get("escalation", ()):
        yield f"{prefix}escalation", queue
    for name in _GROUPS:
        if isinstance(fields.get(name), Mapping):
            yield from _in(fields[name], f"{prefix}{name}.")


def unknown_queues(definition: Definition, known: Collection[str]) -> list[DefinitionProblem]:
    """A problem for each place that names a queue which does not exist, with the nearest one that does."""
    return [
        DefinitionProblem(
            definition.file, named.step, named.field, f'"{named.queue}" is not a queue of people',
            _remedy(named.queue, known), named.line,
        )
        for named in queues_named(definition)
        if named.queue not in known
    ][:MAX_PROBLEMS]  # fmt: skip


def _remedy(queue: str, known: Collection[str]) -> str:
    nearest = did_you_mean(queue, sorted(known)) or "name one that exists"
    if nearest.endswith("?"):
        return f"{nearest} Or let publishing make it (make_queues)"
    return f"{nearest}. Or let publishing make it (make_queues)"


def teams_named(definition: Definition) -> dict[str, list[str]]:
    """The keys of each team's steps."""
    found: dict[str, list[str]] = {}
    for step in definition.steps:
        if team := step.fields.get("team", ""):
            found.setdefault(team, []).append(step.key)
    return found


def unknown_teams(definition: Definition, known: Collection[str]) -> list[DefinitionProblem]:
    """A problem for each step that belongs to a team which does not exist, with the nearest one that does."""
    return [
        DefinitionProblem(
            definition.file, step.key, "team", f'"{step.fields["team"]}" is not a team',
            did_you_mean(step.fields["team"], sorted(known)) or "name one that exists, or make it on the page of teams",
            step.line,
        )
        for step in definition.steps
        if step.fields.get("team", "") not in {"", *known}
    ][:MAX_PROBLEMS]  # fmt: skip


def unfit_queues(definition: Definition) -> list[DefinitionProblem]:
    """A problem for each place that names a queue which cannot be made."""
    remedy = f"use at most {LONGEST} letters, digits, - and _"
    return [
        DefinitionProblem(definition.file, named.step, named.field, "cannot be a queue's name", remedy, named.line)
        for named in queues_named(definition)
        if len(named.queue) > LONGEST
    ][:MAX_PROBLEMS]
