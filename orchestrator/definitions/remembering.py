"""What a step keeps for others, makes a save point of, or must have settled first: shares, checkpoint, conflicts."""

import re
from collections.abc import Iterator
from typing import Any, Final

from agents.quality.agreement import AUTHORITY
from orchestrator.definitions.load import StepSource
from orchestrator.definitions.plan import ConflictSpec

type Flaw = tuple[str, str, str]  # field, what is wrong, what to do

NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", re.ASCII)
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,9}", re.ASCII)
_CHECKPOINT: Final = 200


def fields_of(step: StepSource, *, queue: str) -> dict[str, Any]:
    """These settings as a plan step's fields; `queue` is the workflow's for people."""
    written = step.fields.get("conflicts")
    spec = None
    if written is not None:
        spec = ConflictSpec(
            fields=tuple(written["fields"]),
            rule=written.get("rule", "ask"),
            queue=written.get("queue", queue),
            authority=written.get("authority", {}),
        )
    return {
        "shares": tuple(step.fields.get("shares", ())),
        "checkpoint": step.fields.get("checkpoint", ""),
        "moves": step.fields.get("moves", {}),
        "conflicts": spec,
    }


def flaws(step: StepSource, before: int) -> Iterator[Flaw]:
    """What would make these settings useless or unreadable."""
    for name in step.fields.get("shares", ()):
        if not NAME.fullmatch(name):
            yield "shares", f'"{name}" is not a name', "use letters, digits, _ and -, at most 80"
    if step.key == "shared":
        yield "key", '"shared" is the name of what all steps share', "choose another"
    if len(step.fields.get("checkpoint", "")) > _CHECKPOINT:
        yield "checkpoint", f"has more than {_CHECKPOINT} characters", "shorten it"
    if step.fields.get("checkpoint") and step.type == "conditional":
        yield "checkpoint", "a branch is no result to save", "give it to a step after the branch"
    if (conflicts := step.fields.get("conflicts")) is not None:
        yield from _conflict_flaws(conflicts, before)


def _conflict_flaws(conflicts: dict[str, Any], before: int) -> Iterator[Flaw]:
    if before < 2:
        yield "conflicts", "fewer than two steps come before it", "leave it out, or join more steps"
    if not conflicts.get("fields"):
        yield "conflicts.fields", "names nothing", "name the fields that must agree"
    for path in conflicts.get("fields", ()):
        if not _PATH.fullmatch(path):
            yield "conflicts.fields", f'"{path}" is not a field or a path with dots', "write verdict or verdict.level"
    yield from _authority_flaws(conflicts)
    if conflicts.get("queue") and conflicts.get("rule", "ask") != "ask":
        yield "conflicts.queue", "nobody is asked with this rule", "leave it out, or use rule: ask"


def _authority_flaws(conflicts: dict[str, Any]) -> Iterator[Flaw]:
    if conflicts.get("authority") and conflicts.get("rule", "ask") != "weighted":
        yield "conflicts.authority", "counts only with rule: weighted", "leave it out, or use rule: weighted"
    for key, level in conflicts.get("authority", {}).items():
        if level not in AUTHORITY:
            yield f"conflicts.authority.{key}", f"{level!r:.40} is not a level", f"use {', '.join(AUTHORITY)}"
