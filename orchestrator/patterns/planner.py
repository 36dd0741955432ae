"""planner: an agent turns a goal into a graph of tasks, a person may edit it, then the tasks run in its order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.marking import marked as _
from agents.types import Json
from orchestrator.definitions.fields import KEY
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Result, Spawn, Turn, agent_step, person_step

TASKS: Final = 50  # of a plan, if the step does not say
REJECTIONS: Final = 2  # of a plan, after which it is made again; one more fails the step
_TRIES: Final = 2  # plans that an agent may hand in before people, or the step's on_error, take over
_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
_NAMES: Final[dict[str, Json]] = {"type": "array", "maxItems": TASKS, "items": {"type": "string"}}
PLAN: Final[dict[str, Json]] = {
    "type": "array",
    "maxItems": TASKS,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["key", "agent"],
        "properties": {
            "key": {"type": "string"},
            "title": {"type": "string", "maxLength": 200},
            "agent": {"type": "string"},
            "input": {"type": "object"},
            "after": _NAMES,
            "uses": _NAMES,
        },
    },
}
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["goal", "planner", "agents"],
    "properties": {
        "goal": {"type": "string", "maxLength": bounds.TEXT},
        "planner": _AGENT | {"description": "Agent that makes the plan."},
        "agents": {
            "type": "array",
            "description": "Those that a plan may name.",
            "minItems": 1,
            "maxItems": 30,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["agent"],
                "properties": {"agent": _AGENT, "does": {"type": "string", "maxLength": 500}},
            },
        },
        "edit": {
            "type": "boolean",
            "description": "Whether people see and may change the plan first; true if left out.",
        },
        "queue": {"type": "string", "description": "Queue of those people."},
        "most": {"type": "integer", "minimum": 1, "maximum": TASKS, "description": "Tasks of a plan at most."},
        "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600},
    },
}
HELP = registry.Help(
    when=_("Goals that come in too many shapes for one workflow, each of which falls into tasks for agents you have."),
    strengths=_(
        "The plan is known, checked and editable before any of it runs; then it is plain tasks in their order."
    ),
    limits=(
        f"At most {TASKS} tasks. The plan is made once: what comes up on the way does not change it (magentic does). A "
        f"result that another task uses is handed on with at most {bounds.VALUE:,} bytes."
    ),
    complexity=_("Medium: one task to plan, one for people, then the plan's own."),
    observability=_("The plan stands in the run's state and on the card that people edited; each node is a task."),
    governance=(
        "Only agents that the step names; cycles, unknown agents and unknown tasks are refused before anything starts. "
        "By default people release the plan. Who rejects it has it made again with the note, "
        f"{REJECTIONS} times at most; one more rejection fails the step."
    ),
    tooling=_(
        "A planner takes {goal, agents, flaws, said, most, context} and answers {tasks: [{key, agent, input, after, "
        "uses, title}]}. A task that `uses` others finds their outputs in its input as `results`."
    ),
    template=registry.template("planner"),
)


@dataclass(frozen=True, slots=True)
class PlanFlaw:
    """What is wrong with a plan: plan_empty, plan_too_long, task_key, unknown_agent, unknown_task or plan_cycle."""

    code: str
    task: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.task}: {self.message}; {self.remedy}" if self.task else f"{self.message}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Node:
    """One task of a plan; `before` are those that must end first, `uses` those whose outputs it is given."""

    key: str
    title: str
    agent: str
    input: dict[str, Json]
    before: tuple[str, ...]
    uses: tuple[str, ...]


class Planner:
    """See `HELP`."""

    name = "planner"
    title = _("Planner (goal to task graph)")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """The planner and those that a plan may name."""
        return [name for name in (str(options.get("planner")), *_allowed(options)) if "${" not in name]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """Nobody is named who could edit the plan."""
        if options.get("edit", True) and not options.get("queue"):
            yield "options.queue", "nobody is asked to look at the plan", "name a queue, or say edit: false"

    def look(self, turn: Turn) -> Move:
        """planner (-> people) -> tasks -> tasks that use them ..."""
        match turn.memory.get("asked"):
            case None:
                return _plan(turn, {"tokens": 0, "tries": 0, "said": turn.note}, flaws=())
            case "planner":
                return _planned(turn)
            case "people":
                return _edited(turn)
            case _:
                return _go_on(turn, _gathered(turn))


def plan_flaws(tasks: Json, agents: Sequence[str], most: int = TASKS) -> Iterator[PlanFlaw]:
    """Why this plan cannot run: nothing if it can. `tasks` is what an agent, or a person, handed in."""
    rows = [bounds.mapping(row) for row in bounds.items(tasks)]
    if not rows:
        yield PlanFlaw("plan_empty", "", "the plan has no tasks", "name at least one under `tasks`")
    if len(rows) > most:
        yield PlanFlaw("plan_too_long", "", f"the plan has {len(rows)} tasks", f"at most {most} are allowed")
        return
    keys = [bounds.text(row.get("key"), 60) for row in rows]
    for key, row in zip(keys, rows, strict=True):
        if not KEY.fullmatch(key) or keys.count(key) > 1:
            remedy = "give each task a key of its own: small letters, digits and _"
            yield PlanFlaw("task_key", key, "is not a key, or two tasks have it", remedy)
        yield from _row_flaws(key, row, keys, agents)
    if cycle := _cycle({key: _before(row) for key, row in zip(keys, rows, strict=True)}):
        way = " -> ".join(cycle)
        yield PlanFlaw("plan_cycle", cycle[0], f"the tasks wait for each other: {way}", "take one of these links out")


def _row_flaws(key: str, row: dict[str, Json], keys: Sequence[str], agents: Sequence[str]) -> Iterator[PlanFlaw]:
    if row.get("agent") not in agents:
        named, known = bounds.text(row.get("agent"), 60), ", ".join(agents)
        yield PlanFlaw("unknown_agent", key, f'"{named}" may not be used here', f"use one of {known}")
    for other in _before(row):
        if other not in keys:
            yield PlanFlaw("unknown_task", key, f'waits for "{other}", which is not in the plan', "add or remove it")


def nodes_of(tasks: Json) -> list[Node]:
    """The tasks of a plan without flaws, each after those it waits for."""
    rows = {str(row["key"]): row for row in map(bounds.mapping, bounds.items(tasks))}
    ordered: dict[str, Node] = {}
    while len(ordered) < len(rows):
        for key, row in rows.items():
            if key not in ordered and all(other in ordered for other in _before(row)):
                uses = tuple(name for name in bounds.items(row.get("uses")) if isinstance(name, str))
                given = bounds.mapping(bounds.value(row.get("input", {})))
                title = bounds.text(row.get("title"), 200) or key
                ordered[key] = Node(key, title, str(row["agent"]), given, tuple(_before(row)), uses)
    return list(ordered.values())


def _before(row: dict[str, Json]) -> list[str]:
    named = [*bounds.items(row.get("after")), *bounds.items(row.get("uses"))]
    return list(dict.fromkeys(bounds.text(name, 60) for name in named))


def _cycle(before: dict[str, list[str]]) -> list[str]:
    """One cycle, its first task again at the end; [] if there is none."""
    left = {key: [other for other in others if other in before] for key, others in before.items()}
    while free := [key for key, others in left.items() if not any(other in left for other in others)]:
        for key in free:
            del left[key]
    if not left:
        return []
    way = [next(iter(left))]
    while True:
        way.append(next(other for other in left[way[-1]] if other in left))
        if way[-1] in way[:-1]:
            return way[way.index(way[-1]) :][::-1]


def _allowed(options: dict[str, Json]) -> list[str]:
    return [str(bounds.mapping(one).get("agent")) for one in bounds.items(options.get("agents"))]


def _flaws(turn: Turn, tasks: Json) -> list[PlanFlaw]:
    most = int(bounds.number(turn.options.get("most"), TASKS))
    return list(plan_flaws(tasks, _allowed(turn.options), most))


def _plan(turn: Turn, kept: dict[str, Any], *, flaws: Sequence[PlanFlaw]) -> Spawn:
    options = turn.options
    given: dict[str, Json] = {
        "goal": options["goal"],
        "agents": [{"does": "", **bounds.mapping(one)} for one in bounds.items(options["agents"])],
        "most": options.get("most", TASKS),
        "flaws": _said(flaws),
        "said": kept["said"],
        "context": bounds.value(turn.given),
    }
    tries = kept["tries"] + 1
    step = _agent(turn, options["planner"], f"{turn.step.title}: plan")
    child = Child(f"{turn.step.key}.plan.{turn.number}", step, given=given)
    says = "a plan is made" if not flaws else f"the plan is made again: {flaws[0].code}"
    return Spawn([child], memory={**kept, "asked": "planner", "tries": tries}, facts={"says": says})


def _planned(turn: Turn) -> Move:
    """A plan without flaws is shown to people, or run; one with flaws is made again."""
    kept, result = _counted(turn), turn.results[0]
    if not result.succeeded:
        return Fail("planner_failed", f"The planner of {turn.step.key} failed: {_reason(result)}")
    tasks = result.output.get("tasks")
    flaws, edit = _flaws(turn, tasks), turn.options.get("edit", True)
    if flaws and kept["tries"] < _TRIES:
        return _plan(turn, kept, flaws=flaws)
    if edit:
        return _show(turn, kept, tasks, flaws)
    return _refuse(turn, flaws) if flaws else _start(turn, kept, tasks)


def _refuse(turn: Turn, flaws: Sequence[PlanFlaw]) -> Fail:
    return Fail(flaws[0].code, f"The plan of {turn.step.key} cannot run. {flaws[0]}")


def _show(turn: Turn, kept: dict[str, Any], tasks: Json, flaws: Sequence[PlanFlaw]) -> Spawn:
    """The plan as a form: people change it, let it run, or have another one made."""
    shown = bounds.value(tasks if isinstance(tasks, list) else [])
    form: dict[str, Json] = {
        "type": "object",
        "required": ["then"],
        "properties": {
            "then": {"type": "string", "title": "What now", "enum": ["run it", "plan again"], "default": "run it"},
            "tasks": {**PLAN, "title": "The plan", "default": shown},
            "say": {"type": "string", "title": "What the planner should change", "maxLength": bounds.TEXT},
        },
    }
    problem = f" It cannot run as it is: {flaws[0]}." if flaws else ""
    step = person_step(
        f"{turn.step.title}: look at the plan",
        queue=str(turn.options["queue"]),
        form=form,
        instructions=f"Each task names its agent, its input, and the tasks that it comes after or uses.{problem}",
        rejected=f"the plan is made again with your note, {REJECTIONS} times at most; then the step fails.",
    )
    given: dict[str, Json] = {"goal": turn.options["goal"], "tasks": shown, "flaws": _said(flaws)}
    child = Child(f"{turn.step.key}.look.{turn.number}", step, given=given)
    memory = {**kept, "asked": "people", "tasks": shown}
    return Spawn(
        [child],
        memory=memory,
        shared={"plan": bounds.value(shown, bounds.STATE)},
        facts={"says": "people look at the plan"},
    )


def _edited(turn: Turn) -> Move:
    kept, answer = _counted(turn), turn.results[0].output
    if (rejection := turn.results[0].rejection) is not None:
        return _rejected(turn, kept, rejection)
    tasks = answer.get("tasks", kept["tasks"])
    if answer.get("then") == "plan again":
        return _plan(turn, {**kept, "tries": 0, "said": bounds.text(answer.get("say"))}, flaws=_flaws(turn, tasks))
    flaws = _flaws(turn, tasks)
    return _show(turn, kept, tasks, flaws) if flaws else _start(turn, kept, tasks)


def _rejected(turn: Turn, kept: dict[str, Any], note: str) -> Move:
    kept["rejections"] = kept.get("rejections", 0) + 1
    if kept["rejections"] > REJECTIONS:
        said = bounds.text(note, 300)
        return Fail("plan_rejected", f"People rejected {kept['rejections']} plans of {turn.step.key}: {said}")
    return _plan(turn, {**kept, "tries": 0, "said": bounds.text(note)}, flaws=_flaws(turn, kept["tasks"]))


def _start(turn: Turn, kept: dict[str, Any], tasks: Json) -> Move:
    return _go_on(turn, {**kept, "tasks": tasks, "outputs": {}, "ended": {}, "known": []}, first=True)


def _go_on(turn: Turn, kept: dict[str, Any], *, first: bool = False) -> Move:
    """Everything that uses no output of a task still to come, in the plan's order; nothing left ends the step."""
    nodes = [node for node in nodes_of(kept["tasks"]) if node.key not in kept["ended"]]
    for node in nodes:
        failed = [name for name in node.before if kept["ended"].get(name)]
        if set(failed) & set(node.uses) or (failed and len(failed) == len(node.before)):
            kept["ended"][node.key] = f"{failed[0]}, which it needs, has failed"
    now: list[Node] = []
    ready = {*kept["ended"]}
    for node in nodes:
        if node.key in kept["ended"]:
            continue
        if set(node.uses) <= set(kept["ended"]) and set(node.before) <= ready:
            now.append(node)
            ready.add(node.key)
    if not now:
        return _finish(turn, kept)
    places = {node.key: place for place, node in enumerate(now)}
    children = [
        Child(
            f"{turn.step.key}.{node.key}",
            _agent(turn, node.agent, node.title),
            given=_given(node, kept["outputs"]),
            after=tuple(places[other] for other in node.before if other in places),
            always=False,
        )
        for node in now
    ]
    memory = {**kept, "asked": "tasks", "names": [node.key for node in now]}
    shared = {"plan": bounds.value(kept["tasks"], bounds.STATE)} if first else {}
    return Spawn(children, memory=memory, shared=shared, facts={"says": f"{len(now)} of {len(kept['tasks'])} tasks"})


def _given(node: Node, outputs: dict[str, Json]) -> dict[str, Json]:
    return {**node.input, "results": {name: outputs[name] for name in node.uses}} if node.uses else node.input


def _gathered(turn: Turn) -> dict[str, Any]:
    kept = _counted(turn)
    kept["outputs"], kept["ended"], kept["known"] = dict(kept["outputs"]), dict(kept["ended"]), list(kept["known"])
    for name, result in zip(kept["names"], turn.results, strict=True):
        kept["ended"][name] = "" if result.succeeded else _reason(result)
        if result.succeeded:
            kept["outputs"][name] = bounds.value(result.output)
            kept["known"] += [] if result.confidence is None else [result.confidence]
    return kept


def _finish(turn: Turn, kept: dict[str, Any]) -> Move:
    failed = {name: reason for name, reason in kept["ended"].items() if reason}
    if not kept["outputs"]:
        name, reason = next(iter(failed.items()))
        return Fail("plan_failed", f"None of the tasks of {turn.step.key} succeeded; {name}: {reason}")
    output: dict[str, Json] = {
        "results": kept["outputs"],
        "failed": failed,
        "tasks": kept["tasks"],
        "tokens": kept["tokens"],
    }
    return Finish(output, confidence=min(kept["known"], default=None))


def _counted(turn: Turn) -> dict[str, Any]:
    kept: dict[str, Any] = {**turn.memory}
    kept["tokens"] += sum(result.tokens for result in turn.results)
    return kept


def _said(flaws: Sequence[PlanFlaw]) -> list[Json]:
    return [str(flaw) for flaw in flaws[:20]]


def _reason(result: Result) -> str:
    return bounds.text((result.error or {}).get("message", result.status), 300)


def _agent(turn: Turn, agent: Json, title: str) -> Any:
    return agent_step(str(agent), title=title, timeout=bounds.number(turn.options.get("timeout_s"), 60.0))
