"""A definition's text to a checked `Definition`: the form is right; `compile` then checks that it makes sense."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agents.types import Json
from orchestrator.definitions.errors import DefinitionError, DefinitionProblem, Problems
from orchestrator.definitions.fields import DOCUMENT, GROUPS
from orchestrator.definitions.parse import Parsed, parse
from orchestrator.definitions.shape import Shape

MAX_STEPS = 10_000
MAX_GROUP_DEPTH = 8

__all__ = ["Definition", "DefinitionError", "DefinitionProblem", "Group", "StepSource", "load"]


@dataclass(frozen=True, slots=True)
class StepSource:
    """One step as written: `fields` by name, `group` the path of its enclosing groups, `line` where it starts."""

    key: str
    type: str
    title: str
    fields: dict[str, Any]
    group: str
    line: int


@dataclass(frozen=True, slots=True)
class Group:
    """A parallel or sequential group: keys of its children, steps or groups, in their order."""

    key: str
    type: str
    children: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A well-formed definition. `values` is the whole file as plain JSON values."""

    file: str
    name: str
    title: str
    description: str
    owner: str
    tags: tuple[str, ...]
    steps: tuple[StepSource, ...]
    groups: dict[str, Group]
    dependencies: dict[str, list[str]]
    configuration: dict[str, Any]
    error_handling: dict[str, Any]
    monitoring: dict[str, Any]
    values: dict[str, Json] = field(repr=False)


def load(text: str, *, file: str) -> Definition:
    """Read YAML or JSON; DefinitionError lists everything that is not well formed."""
    parsed = parse(text, file=file)
    problems = Problems(file)
    shape = Shape(parsed, problems)
    document = shape.group(parsed.values, DOCUMENT)
    reader = _StepReader(shape, parsed, problems)
    steps = tuple(reader.read(document.get("steps", []), ""))
    problems.raise_if_any()
    assert isinstance(parsed.values, dict)
    metadata = document["metadata"]
    return Definition(
        file=file,
        name=metadata["name"],
        title=metadata["title"],
        description=metadata.get("description", ""),
        owner=metadata.get("owner", ""),
        tags=tuple(metadata.get("tags", ())),
        steps=steps,
        groups=reader.groups,
        dependencies=document.get("dependencies", {}),
        configuration=document.get("configuration", {}),
        error_handling=document.get("error_handling", {}),
        monitoring=document.get("monitoring", {}),
        values=parsed.values,
    )


class _StepReader:
    """Flattens nested groups into steps, refusing keys that stand twice."""

    def __init__(self, shape: Shape, parsed: Parsed, problems: Problems) -> None:
        self.groups: dict[str, Group] = {}
        self._shape = shape
        self._parsed = parsed
        self._problems = problems
        self._seen: set[str] = set()
        self._count = 0

    def read(self, values: list[Any], path: str, team: str = "") -> Iterator[StepSource]:
        """The steps among these, and those in their groups; `team` owns those that name none."""
        for value in values:
            self._count += 1
            if self._problems.is_full or self._is_too_many():
                return
            fields = self._shape.step(value, self._count)
            if fields and self._is_new(fields.get("key"), value):
                yield from self._read_one(fields, value, path, fields.get("team") or team)

    def _read_one(self, fields: dict[str, Any], value: Any, path: str, team: str) -> Iterator[StepSource]:
        key, kind, line = fields["key"], value["type"], self._parsed.line(value)
        if kind not in GROUPS:
            fields |= {"team": team} if team else {}
            yield StepSource(key, kind, fields.get("title") or _title(key), fields, path, line)
            return
        inner = f"{path}/{key}" if path else key
        if inner.count("/") >= MAX_GROUP_DEPTH:
            self._problems.add(
                f"groups are nested more than {MAX_GROUP_DEPTH} deep", step=key, remedy="flatten them", line=line
            )
            return
        children = fields.get("steps", [])
        keys = tuple(str(child["key"]) for child in children if isinstance(child, dict) and "key" in child)
        self.groups[key] = Group(key, kind, keys, line)
        yield from self.read(children, inner, team)

    def _is_new(self, key: str | None, value: Any) -> bool:
        if key is None:
            return False
        if key in self._seen:
            self._problems.add(
                "its key stands twice", step=key, field="key", remedy="rename one", line=self._parsed.line(value)
            )
            return False
        self._seen.add(key)
        return True

    def _is_too_many(self) -> bool:
        if self._count != MAX_STEPS + 1:
            return self._count > MAX_STEPS
        self._problems.add(
            f"has more than {MAX_STEPS:,} steps", field="steps", remedy="split it into smaller workflows"
        )
        return True


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()
