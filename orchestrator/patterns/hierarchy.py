"""hierarchy: an orchestrator agent keeps the whole picture, specialists see only their part, one puts it together."""

from collections.abc import Iterable
from typing import Any, Final

from agents.marking import marked as _
from agents.types import Json
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Result, Spawn, Turn, agent_step

_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["goal", "orchestrator", "specialists", "synthesis"],
    "properties": {
        "goal": {"type": "string", "maxLength": bounds.TEXT},
        "orchestrator": _AGENT | {"description": "Agent that divides the work and keeps the global context."},
        "specialists": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "agent"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"},
                    "agent": _AGENT,
                    "does": {"type": "string", "maxLength": 500},
                },
            },
        },
        "synthesis": _AGENT | {"description": "Agent that makes one result of all findings."},
        "rounds": {
            "type": "integer",
            "minimum": 1,
            "maximum": 5,
            "description": "Times that the orchestrator may hand out work; 1 if left out.",
        },
        "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600},
    },
}
HELP = registry.Help(
    when=_("Work that falls into parts for specialists, where the parts must not see each other's material."),
    strengths=_("Each specialist gets exactly its part; the orchestrator alone sees everything; one agent sums it up."),
    limits=(
        f"Two levels. A part, and a finding that is handed on, has at most {bounds.VALUE:,} bytes. A specialist that "
        "fails is named as missing, and the result says so."
    ),
    complexity=_("Medium: as many tasks as specialists, and two more."),
    observability=_("Who was given what is the input of a task of its own; what is missing stands in the output."),
    governance=_("Least knowledge by construction: a specialist's input is its part and nothing else."),
    tooling=_(
        "The orchestrator takes {goal, round, specialists, findings, memory, context} and answers {parts: {name: "
        "input}, memory}. The synthesis takes {goal, findings, missing, memory}. A specialist's contract is its own."
    ),
    template=registry.template("hierarchy"),
)


class Hierarchy:
    """See `HELP`."""

    name = "hierarchy"
    title = _("Hierarchical supervision")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """Orchestrator, specialists and synthesis."""
        named = [options.get("orchestrator"), options.get("synthesis")]
        named += [one.get("agent") for one in _specialists(options)]
        return [agent for agent in named if isinstance(agent, str) and "${" not in agent]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """Two specialists of one name."""
        names = [one.get("name") for one in _specialists(options)]
        if len({str(name) for name in names}) < len(names):
            yield "options.specialists", "two specialists have one name", "give each a name of its own"

    def look(self, turn: Turn) -> Move:
        """orchestrator -> specialists (-> orchestrator -> specialists ...) -> synthesis."""
        match turn.memory.get("asked"):
            case None:
                return _orchestrate(turn, {"findings": {}, "round": 1, "missing": [], "tokens": 0, "known": []})
            case "orchestrator":
                return _hand_out(turn)
            case "specialists":
                return _gather(turn)
            case _:
                return _finish(turn)


def _specialists(options: dict[str, Json]) -> list[dict[str, Json]]:
    return [bounds.mapping(one) for one in bounds.items(options.get("specialists"))]


def _orchestrate(turn: Turn, kept: dict[str, Any]) -> Spawn:
    about: list[Json] = [{"name": one["name"], "does": one.get("does", "")} for one in _specialists(turn.options)]
    given: dict[str, Json] = {
        "goal": turn.options["goal"],
        "round": kept["round"],
        "specialists": about,
        "findings": kept["findings"],
        "memory": kept.get("memory", {}),
        "context": {**turn.given, "note": turn.note} if turn.note else turn.given,
    }
    key, title = f"{turn.step.key}.orchestrator.{kept['round']}", f"{turn.step.title}: orchestrator"
    child = Child(key, _agent(turn, turn.options["orchestrator"], title), given=given)
    return Spawn([child], memory={**kept, "asked": "orchestrator"}, facts={"says": "the orchestrator divides the work"})


def _hand_out(turn: Turn) -> Move:
    """One task for each specialist that got a part; with none, what there is is put together."""
    kept, result = _kept(turn), turn.results[0]
    if not result.succeeded:
        return Fail("orchestrator_failed", f"The orchestrator of {turn.step.key} failed: {_reason(result)}")
    kept["memory"] = bounds.value(result.output.get("memory", kept.get("memory", {})))
    parts = bounds.mapping(result.output.get("parts"))
    chosen = [one for one in _specialists(turn.options) if isinstance(parts.get(str(one["name"])), dict)]
    if not chosen:
        return _synthesise(turn, kept)
    children = [
        Child(
            f"{turn.step.key}.{one['name']}.{kept['round']}",
            _agent(turn, one["agent"], f"{turn.step.title}: {one['name']}"),
            given=bounds.mapping(bounds.value(parts[str(one["name"])])),
        )
        for one in chosen
    ]
    names = [str(one["name"]) for one in chosen]
    memory = {**kept, "asked": "specialists", "names": names}
    return Spawn(children, memory=memory, facts={"says": f"parts for {', '.join(names)}"})


def _gather(turn: Turn) -> Move:
    kept = _kept(turn)
    missing = {bounds.text(one.get("name")): one for one in map(bounds.mapping, kept["missing"])}
    for name, result in zip(kept["names"], turn.results, strict=True):
        if result.succeeded:
            kept["findings"][name] = bounds.value(result.output)
            missing.pop(name, None)
        else:
            missing[name] = {"name": name, "why": _reason(result)}
    kept["missing"] = list(missing.values())
    if not kept["findings"]:
        return Fail("hierarchy_empty", f"None of the specialists of {turn.step.key} found anything; see their tasks.")
    if kept["round"] < bounds.number(turn.options.get("rounds"), 1):
        return _orchestrate(turn, {**kept, "round": kept["round"] + 1})
    return _synthesise(turn, kept)


def _synthesise(turn: Turn, kept: dict[str, Any]) -> Move:
    if not kept["findings"]:
        return Fail("hierarchy_idle", f"The orchestrator of {turn.step.key} gave no specialist anything to do.")
    given: dict[str, Json] = {
        "goal": turn.options["goal"],
        "findings": kept["findings"],
        "missing": kept["missing"],
        "memory": kept.get("memory", {}),
    }
    child = Child(
        f"{turn.step.key}.synthesis",
        _agent(turn, turn.options["synthesis"], f"{turn.step.title}: synthesis"),
        given=given,
    )
    return Spawn([child], memory={**kept, "asked": "synthesis"}, facts={"says": "the findings are put together"})


def _finish(turn: Turn) -> Move:
    kept, result = _kept(turn), turn.results[0]
    if not result.succeeded:
        return Fail("synthesis_failed", f"The synthesis of {turn.step.key} failed: {_reason(result)}")
    output: dict[str, Json] = {
        "result": result.output,
        "findings": kept["findings"],
        "missing": kept["missing"],
        "tokens": kept["tokens"],
    }
    return Finish(output, confidence=min(kept["known"], default=None))


def _kept(turn: Turn) -> dict[str, Any]:
    """The memory with the last results' tokens and confidence counted in."""
    kept: dict[str, Any] = {**turn.memory, "findings": dict(bounds.mapping(turn.memory["findings"]))}
    kept["tokens"] += sum(result.tokens for result in turn.results)
    kept["known"] = [*kept["known"], *(one.confidence for one in turn.results if one.confidence is not None)]
    return kept


def _reason(result: Result) -> str:
    return bounds.text((result.error or {}).get("message", result.status), 300)


def _agent(turn: Turn, agent: Json, title: str) -> Any:
    return agent_step(str(agent), title=title, timeout=bounds.number(turn.options.get("timeout_s"), 60.0))
