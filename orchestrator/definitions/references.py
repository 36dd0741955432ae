"""What the expressions of a definition refer to, checked for the author: names, order, and fields that exist."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agents.expressions.source import Reference, Source
from orchestrator.definitions import contracts, expressions
from orchestrator.definitions.errors import Problems, did_you_mean
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.definitions.load import Definition, StepSource
from orchestrator.definitions.wiring import Wiring

BEFORE = frozenset({"input", "steps"})  # known before a step runs
REVIEW = BEFORE | {"output", "confidence"}
AFTER = REVIEW | {"attempt"}
SUCCEEDED = BEFORE | {"output"}  # known when a step has succeeded
UNDOING = frozenset({"input", "output", "given"})  # known when a finished step is undone

ROUND = BEFORE | {"output", "round"}
EVENT = frozenset({"event"})
PRODUCING = ("automated", "map", "loop", "pattern")  # they have an output of their own to judge
BOUND = {"map": frozenset({"item", "at"}), "loop": frozenset({"previous", "round"})}

type Fields = Mapping[str, Any] | None  # known fields, or None if any may be there
type OutputFields = Callable[[str | StepSource], Fields]  # of a step by its key, or itself
type Written = tuple[str, str, bool]  # field, expression, is a condition


class References:
    """Checks expressions one by one and remembers which steps each step reads."""

    def __init__(
        self,
        definition: Definition,
        wiring: Wiring,
        problems: Problems,
        output_fields: OutputFields,
    ) -> None:
        self._definition = definition
        self._wiring = wiring
        self._problems = problems
        self._output_fields = output_fields
        self._input_fields = contracts.properties(definition.configuration.get("input", {}))
        self.needs: dict[str, dict[str, None]] = {}
        self.needs_input: set[str] = set()

    def check_step(self, step: StepSource) -> None:
        """Check every expression of one step."""
        self.needs[step.key] = {}
        agreed = frozenset({"agreed"} if "conflicts" in step.fields else ())
        self._check_before(step, BEFORE | agreed)
        if step.type == "loop":
            self._check(step, "until", condition(step.fields["until"]), ROUND, is_condition=True)
        if body := step.fields.get("body"):
            self._check_body(StepSource(step.key, body["type"], step.title, body, step.group, step.line), step.type)
        roots = {"approval": REVIEW, "hybrid": REVIEW, **dict.fromkeys(PRODUCING, AFTER)}.get(step.type, BEFORE)
        judged = frozenset({"quality"} if "quality" in step.fields else ())
        self._check_after(step, roots | agreed | judged)

    def _check_body(self, body: StepSource, kind: str) -> None:
        """The step inside a map or loop, whose expressions may use what each of its tasks is bound to."""
        bound = BOUND[kind]
        self._check_before(body, BEFORE | bound, "body.")
        judged = frozenset({"quality"} if "quality" in body.fields else ())
        self._check_after(body, AFTER | bound | judged, "body.")

    def _check_before(self, step: StepSource, roots: frozenset[str], prefix: str = "") -> None:
        for field, text, is_condition in written_before(step):
            hands_over = step.type == "wait_callback" and field.startswith("inputs")
            known = roots | {"callback_url"} if hands_over else roots
            self._check(step, prefix + field, text, known, is_condition=is_condition)
        if "match" in step.fields:
            self._check(step, f"{prefix}match", condition(step.fields["match"]), EVENT, is_condition=True)

    def _check_after(self, step: StepSource, roots: frozenset[str], prefix: str = "") -> None:
        for field, text, is_condition in written_after(step):
            self._check(step, prefix + field, text, roots, is_condition=is_condition)
        for field, text in in_values(step.fields.get("publishes", {}), "publishes"):
            self._check(step, field, text, SUCCEEDED, is_condition=False)
        for field, text in in_values(step.fields.get("compensate", {}).get("inputs", {}), "compensate.inputs"):
            self._check(step, field, text, UNDOING, is_condition=False)

    def check_run(self) -> None:
        """Check the expressions that belong to the run as a whole."""
        configuration = self._definition.configuration
        for field, text in in_values(configuration.get("outputs", {}), "configuration.outputs", self._problems):
            self._check(None, field, text, BEFORE, is_condition=False)
        for field, text in in_values(configuration.get("title", ""), "configuration.title", self._problems):
            self._check(None, field, text, frozenset({"input"}), is_condition=False)

    def _check(
        self, step: StepSource | None, field: str, text: str, roots: frozenset[str], *, is_condition: bool
    ) -> None:
        if self._problems.is_full:
            return
        try:
            source = expressions.check(text)
            if is_condition and not source.references:
                expressions.holds(text, {})
        except ExpressionError as problem:
            self._note(step, field, str(problem), "")
            return
        self._follow(step, field, source, roots)

    def _follow(self, step: StepSource | None, field: str, source: Source, roots: frozenset[str]) -> None:
        for reference in source.references:
            if reference.root not in roots:
                known = ", ".join(sorted(roots))
                self._note(
                    step, field, f'"{reference}" is not known here', f"an expression in this field may use {known}"
                )
            elif reference.root == "steps":
                self._follow_step(step, field, reference)
            elif reference.root == "input":
                if step:
                    self.needs_input.add(step.key)
                self._check_field(step, field, reference, reference.path, self._input_fields)
            elif reference.root == "output" and step and step.type != "hybrid":  # a draft, and later an answer
                subject = step.fields["subject"] if step.type == "approval" else step  # a body's own, not its map's
                self._check_field(step, field, reference, reference.path, self._output_fields(subject))

    def _follow_step(self, step: StepSource | None, field: str, reference: Reference) -> None:
        key = reference.step
        if message := self._misuse(step, key):
            self._note(step, field, *message)
            return
        if step:
            self.needs[step.key][key] = None
        self._check_field(step, field, reference, reference.path[1:], self._output_fields(key))

    def _misuse(self, step: StepSource | None, key: str) -> tuple[str, str] | None:
        if key in self._definition.groups:
            return (
                f'"steps.{key}" is a group',
                f"name one of its steps: {', '.join(self._definition.groups[key].children[:5])}",
            )
        if key not in self._wiring.sources:
            return f'"steps.{key}" is not a step', did_you_mean(key, list(self._wiring.sources))
        if step and key == step.key:
            return f'"steps.{key}" is this step itself', 'use "output" in its gate or deliver'
        if step and not self._wiring.precedes(key, step.key):
            return f'"steps.{key}" need not have ended before this step', f'add "{key}" to dependencies.{step.key}'
        return None

    def _check_field(
        self, step: StepSource | None, field: str, reference: Reference, path: tuple[str, ...], known: Fields
    ) -> None:
        if known is not None and path and path[0] not in known:
            where = "a field of the workflow's input" if reference.root == "input" else "a field of that output"
            self._note(step, field, f'"{reference}": "{path[0]}" is not {where}', did_you_mean(path[0], list(known)))

    def _note(self, step: StepSource | None, field: str, message: str, remedy: str) -> None:
        self._problems.add(
            message, step=step.key if step else "", field=field, remedy=remedy, line=step.line if step else 0
        )


def written_before(step: StepSource) -> Iterator[Written]:
    """Expressions that are worked out before the step runs."""
    fields = step.fields
    if "when" in fields:
        yield "when", condition(fields["when"]), True
    for number, branch in enumerate(fields.get("branches", ())):
        if "when" in branch:
            yield f"branches[{number}].when", condition(branch["when"]), True
    if "over" in fields:
        yield "over", expressions.unwrap(fields["over"]), False
    texts = (
        "inputs",
        "instructions",
        "options",
        "duration",
        "correlation",
        *(("until",) if step.type == "timer" else ()),
    )
    for name in texts:
        yield from ((field, text, False) for field, text in in_values(fields.get(name, ""), name))


def written_after(step: StepSource) -> Iterator[Written]:
    """Expressions that are worked out on the step's output, or on what an approval reviews."""
    gate = step.fields.get("gate", {})
    if "when" in gate:
        yield "gate.when", condition(gate["when"]), True
    for prefix, fields in (("gate.", gate), ("", step.fields if step.type == "approval" else {})):
        for name in ("title", "risk", "consequence", "action"):
            if not (name == "title" and prefix == ""):
                yield from ((field, text, False) for field, text in in_values(fields.get(name, ""), prefix + name))
        for name in ("evidence", "alternatives"):
            if name in fields:
                yield prefix + name, fields[name], False
    written = {f"deliver.{name}": value for name, value in step.fields.get("deliver", {}).items()}
    for place, value in (written | {"quality.sources": step.fields.get("quality", {}).get("sources", {})}).items():
        yield from ((field, text, False) for field, text in in_values(value, place))


def in_values(value: Any, place: str, problems: Problems | None = None) -> Iterator[tuple[str, str]]:
    """Every `${...}` in `value`, at any depth, with its place. A `${` without an end counts as an expression."""
    match value:
        case str() if "${" in value:
            try:
                parts = expressions.split(value)
            except ExpressionError:
                yield place, value  # checking it reports the missing brace
                return
            yield from ((place, part) for is_expression, part in parts if is_expression)
        case list():
            for number, item in enumerate(value):
                yield from in_values(item, f"{place}[{number}]")
        case dict():
            for key, item in value.items():
                yield from in_values(item, f"{place}.{key}")


def condition(written: str | bool) -> str:
    """A condition's CEL; YAML's true and false are allowed."""
    if isinstance(written, bool):
        return "true" if written else "false"
    return expressions.unwrap(written) if "${" in written else written.strip()
