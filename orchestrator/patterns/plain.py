"""Patterns that need no coordinating step: they are made of step types. Help and templates only."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.patterns import registry
from orchestrator.patterns.registry import Help


@dataclass(frozen=True, slots=True)
class Entry:
    """A pattern as people choose it. `step` is true if a definition names it: `type: pattern, pattern: <name>`."""

    name: str
    title: str
    help: Help
    step: bool = False


PLAIN = (
    Entry(
        "sequential",
        "Sequential",
        Help(
            when="Each step needs what the one before it made: draft, check, approve, deliver.",
            strengths="Easy to read, to explain and to repeat; a failure has one place.",
            limits="It takes as long as all its steps together, and one that waits holds up all that follow.",
            complexity="Low: one task for each step.",
            observability="The run's graph is a line; the step it is at is where it stands.",
            governance="A gate between any two steps stops everything after it until people decide.",
            tooling="Step type `sequential`, or `dependencies`; any agent fits.",
            template=registry.template("sequential"),
        ),
    ),
    Entry(
        "parallel",
        "Parallel",
        Help(
            when="Independent parts of one job that can be done at the same time and are put together at the end.",
            strengths="It takes as long as its slowest part. A part that fails need not stop the others.",
            limits="Parts do not see each other's findings; cost comes all at once.",
            complexity="Low: one task for each part and one to join them.",
            observability="Branches stand side by side in graph and timeline, so the slowest one shows.",
            governance="A join says how many parts must succeed: all, any, or a number.",
            tooling="Step type `parallel`, `join` for who waits, `map` for a part for each item of a list.",
            template=registry.template("parallel"),
        ),
    ),
    Entry(
        "conditional",
        "Conditional",
        Help(
            when="Known kinds of cases, each with its own known way: by risk, by amount, by kind of request.",
            strengths="Cheap cases take the cheap way. Every choice can be repeated and explained.",
            limits="Somebody must know the branches beforehand. What cannot be worked out stops and asks a person.",
            complexity="Low: one choice, and the tasks of the branch that was taken.",
            observability="The choice is a step of its own; branches that were not taken are shown as skipped.",
            governance="Conditions are CEL in the published version, so a change of rule is a new version.",
            tooling="Step type `conditional` with `branches` and `default`, or `when` on any step.",
            template=registry.template("conditional"),
        ),
    ),
)


def entries() -> Iterator[Entry]:
    """Every pattern that people can choose, plain ones first, the others by their title."""
    yield from PLAIN
    known = [registry.find(name) for name in registry.names()]
    named = sorted((pattern for pattern in known if pattern is not None), key=lambda pattern: pattern.title)
    yield from (Entry(pattern.name, pattern.title, pattern.help, step=True) for pattern in named)
