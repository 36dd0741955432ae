"""refinement: look at much broadly, then at less more closely; paths that promise little stop early."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from agents.marking import marked as _
from agents.types import Json
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Result, Spawn, Turn, agent_step

PATHS: Final = 50  # that the first stage may open
_FINDING: Final = 4_000  # bytes of one path's finding that are kept for the output
_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["question", "stages"],
    "properties": {
        "question": {"type": "string", "maxLength": bounds.TEXT, "description": "What is looked for."},
        "stages": {
            "type": "array",
            "description": "From broad to detailed. The first one opens the paths.",
            "minItems": 2,
            "maxItems": 6,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "agent"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"},
                    "agent": _AGENT,
                    "at_least": {
                        "type": "number",
                        "minimum": 0,
                        "maximum": 1,
                        "description": "Value that a path must have after this stage to go on.",
                    },
                    "keep": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": PATHS,
                        "description": "Paths that go on at most, the most valuable ones.",
                    },
                },
            },
        },
        "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600},
    },
}
HELP = registry.Help(
    when=_("A wide field in which only a few places deserve a close look: triage, research, search for a cause."),
    strengths=_("Money goes where value is: a path below its threshold stops, and the step says how much that saved."),
    limits=(
        f"At most {PATHS} paths. A path that stops does not come back, so a stage that misjudges loses it. Saved "
        "tokens are an estimate: what the paths that went on took on average."
    ),
    complexity=_("Low: one task for the broad stage, then one task for each path and stage."),
    observability=_(
        "Each look at a path is a task. Stopped paths stand in the output with value, threshold and stage."
    ),
    governance=_("Thresholds are part of the published definition; nothing is dropped without its value and reason."),
    tooling=_(
        "The first agent takes {question, context} and answers {paths: [{key, title, value, ...}]}; the others take "
        "{question, stage, path, finding, context} and answer {value, ...}. A value is 0 to 1."
    ),
    template=registry.template("refinement"),
)


class Refinement:
    """See `HELP`."""

    name = "refinement"
    title = _("Progressive refinement")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """One for each stage."""
        named = [str(stage.get("agent")) for stage in _stages(options)]
        return [agent for agent in named if "${" not in agent]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """Two stages of one name, a stage that stops nothing, a threshold after which nothing comes."""
        stages = _stages(options)
        names = [str(stage.get("name")) for stage in stages]
        if len(set(names)) < len(names):
            yield "options.stages", "two stages have one name", "give each a name of its own"
        for number, stage in enumerate(stages):
            last = number == len(stages) - 1
            limited = "at_least" in stage or "keep" in stage
            if last and limited:
                yield f"options.stages[{number}]", "no stage comes after it", "leave at_least and keep out"
            if not last and not limited:
                yield f"options.stages[{number}]", "it stops no path", "say at_least or keep"

    def look(self, turn: Turn) -> Move:
        """broad -> (worth going on?) -> focused -> (worth going on?) -> detailed."""
        if turn.number == 1:
            return _open(turn)
        kept: dict[str, Any] = dict(turn.memory)
        kept["used"] = [*kept["used"], [result.tokens for result in turn.results]]
        if kept["stage"] == 0:
            broad = turn.results[0]
            if not broad.succeeded:
                return Fail("refinement_failed", f"The broad look of {turn.step.key} failed: {_reason(broad)}")
            paths = _opened(broad)
        else:
            paths = _looked(kept["paths"], turn.results)
        return _go_on(turn, kept, paths)


def worth(
    paths: Sequence[dict[str, Any]], *, at_least: float = 0.0, keep: int = PATHS
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(those that go on, those that stop, each with `why`). Order is kept; of equal values the earlier one goes on."""
    ranked = sorted(range(len(paths)), key=lambda place: -paths[place]["value"])
    going = {place for place in ranked[:keep] if paths[place]["value"] >= at_least and not paths[place].get("why")}
    stopped = []
    for place, path in enumerate(paths):
        if place in going:
            continue
        low = path["value"] < at_least
        why = f"its value {path['value']:.2f} is below {at_least:.2f}" if low else f"{keep} paths are worth more"
        stopped.append({**path, "why": path.get("why") or why})
    return [paths[place] for place in sorted(going)], stopped


def saved(used: Sequence[Sequence[int]], stopped: Sequence[int], stages: int) -> int:
    """Tokens that were not spent. `used`: tokens of the tasks of each stage that ran; `stopped`: paths by last stage.

    A look that was not taken counts as much as the average look of its stage; a stage that nobody reached, as much as
    the one before it.
    """
    average: list[float] = []
    for stage in range(stages):
        ran = used[stage] if stage < len(used) else ()
        average.append(sum(ran) / len(ran) if ran else average[-1] if average else 0.0)
    return round(sum(sum(average[last + 1 :]) for last in stopped))


def _stages(options: dict[str, Json]) -> list[dict[str, Json]]:
    return [bounds.mapping(stage) for stage in bounds.items(options.get("stages"))]


def _open(turn: Turn) -> Spawn:
    stage = _stages(turn.options)[0]
    given: dict[str, Json] = {"question": turn.options["question"], "context": bounds.value(turn.given)}
    child = Child(f"{turn.step.key}.{stage['name']}", _step(turn, stage, str(stage["name"])), given=given)
    memory: dict[str, Json] = {"stage": 0, "paths": [], "stopped": [], "used": []}
    return Spawn([child], memory=memory, facts={"says": f"stage {stage['name']}"})


def _opened(broad: Result) -> list[dict[str, Any]]:
    found = [bounds.mapping(path) for path in bounds.items(broad.output.get("paths"))[:PATHS]]
    return [
        {
            "key": bounds.text(path.get("key"), 60) or str(number),
            "title": bounds.text(path.get("title"), 200),
            "value": bounds.number(path.get("value")),
            "finding": bounds.value(path, _FINDING),
        }
        for number, path in enumerate(found, start=1)
    ]


def _looked(paths: Sequence[dict[str, Any]], results: Sequence[Result]) -> list[dict[str, Any]]:
    """The paths after a look; one whose look failed stops there, with the reason."""
    after = []
    for path, result in zip(paths, results, strict=True):
        if result.succeeded:
            value = bounds.number(result.output.get("value"), path["value"])
            after.append({**path, "value": value, "finding": bounds.value(result.output, _FINDING)})
        else:
            after.append({**path, "why": f"the look at it failed: {_reason(result)}"})
    return after


def _go_on(turn: Turn, kept: dict[str, Any], paths: list[dict[str, Any]]) -> Move:
    stages, at = _stages(turn.options), kept["stage"]
    last = at == len(stages) - 1
    rule = {} if last else stages[at]
    keep = int(bounds.number(rule.get("keep"), PATHS))
    going, stopped = worth(paths, at_least=bounds.number(rule.get("at_least")), keep=keep)
    gone = [*kept["stopped"], *({**path, "stage": stages[at]["name"], "last": at} for path in stopped)]
    spared = saved(kept["used"], [path["last"] for path in gone], len(stages))
    if last or not going:
        return _finish(kept, going, gone, spared)
    stage = stages[at + 1]
    children = [
        Child(
            f"{turn.step.key}.{stage['name']}.{number}",
            _step(turn, stage, f"{stage['name']}, {path['title'] or path['key']}"),
            given={
                "question": turn.options["question"],
                "stage": stage["name"],
                "path": path["key"],
                "finding": path["finding"],
                "context": bounds.value(turn.given),
            },
        )
        for number, path in enumerate(going, start=1)
    ]
    memory = {**kept, "stage": at + 1, "paths": going, "stopped": gone}
    says = f"{len(going)} of {len(paths)} paths go on to {stage['name']}; about {spared:,} tokens saved so far"
    facts: dict[str, Json] = {"says": says, "stopped": [path["key"] for path in stopped], "saved_tokens": spared}
    return Spawn(children, memory=memory, facts=facts)


def _finish(kept: dict[str, Any], going: list[dict[str, Any]], gone: list[dict[str, Any]], spared: int) -> Finish:
    shown = ("key", "title", "value", "finding")
    output: dict[str, Json] = {
        "paths": [{name: path[name] for name in shown} for path in sorted(going, key=lambda one: -one["value"])],
        "stopped": [{name: path[name] for name in (*shown, "stage", "why")} for path in gone],
        "tokens": sum(sum(stage) for stage in kept["used"]),
        "saved_tokens": spared,
    }
    return Finish(output)


def _step(turn: Turn, stage: dict[str, Json], what: str) -> Any:
    timeout = bounds.number(turn.options.get("timeout_s"), 60.0)
    return agent_step(str(stage["agent"]), title=f"{turn.step.title}: {what}", timeout=timeout)


def _reason(result: Result) -> str:
    return bounds.text((result.error or {}).get("message", result.status), 300)
