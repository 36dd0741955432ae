"""swarm: agents work side by side on a memory that they share; people approve a scored checkpoint at least daily."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from agents.marking import marked as _
from agents.types import Json
from orchestrator.definitions.plan import Retry
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Spawn, Turn, agent_step, person_step

DAY: Final = 86_400.0  # seconds that a swarm may go on without a checkpoint; options may only lower it
ROUNDS: Final = 20  # if the step does not say
SCORES: Final = ("novelty", "feasibility", "risk")
_ENTRIES: Final = 100  # of the shared memory; the oldest make room
_VALUE: Final = 1_000  # bytes of one
_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["goal", "agents", "evaluator", "queue"],
    "properties": {
        "goal": {"type": "string", "maxLength": bounds.TEXT, "description": "What the swarm looks for."},
        "agents": {
            "type": "array",
            "minItems": 2,
            "maxItems": 20,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "agent"],
                "properties": {"name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"}, "agent": _AGENT},
            },
        },
        "evaluator": _AGENT | {"description": "Agent that scores a checkpoint; people may correct its scores."},
        "queue": {"type": "string", "description": "Queue of the people who approve checkpoints."},
        "checkpoint_s": {
            "type": "number",
            "minimum": 60,
            "maximum": DAY,
            "description": "Seconds between two approved checkpoints; a day if left out.",
        },
        "ttl_s": {
            "type": "number",
            "minimum": 1,
            "maximum": 30 * DAY,
            "description": "Seconds that an entry of the shared memory lives; a day if left out.",
        },
        "rounds": {"type": "integer", "minimum": 1, "maximum": 200, "description": f"{ROUNDS} if left out."},
        "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600},
    },
}
HELP = registry.Help(
    when=_(
        "Open exploration without a known way: many cheap agents, ideas that build on each other, time to let it run."
    ),
    strengths=_("No plan is needed; what one agent finds, all others see in the next round, until it expires."),
    limits=(
        f"At most {_ENTRIES} entries of {_VALUE:,} bytes in the memory, and 200 rounds. Expiry is judged when a round "
        "starts. A round is begun only if its time limit ends before the next checkpoint is due."
    ),
    complexity=_("High: agents times rounds tasks, and results that depend on what was found when."),
    observability=_(
        "The run's state keeps each version of the memory, who wrote what until when, and every checkpoint."
    ),
    governance=_(
        "It cannot go on past 24 hours since its last checkpoint: the evaluator scores novelty, feasibility and risk, "
        "and a person approves or ends it. While nobody answers, nothing runs. Who rejects a checkpoint ends the swarm "
        "as rejected, with what it knows."
    ),
    tooling=_(
        "An agent takes {goal, you, round, memory, context} and answers {memory: {key: value}, done}; an entry may be "
        "{value, ttl_s}. An evaluator takes {goal, round, memory} and answers {novelty, feasibility, risk, reason}."
    ),
    template=registry.template("swarm"),
)


class Swarm:
    """See `HELP`."""

    name = "swarm"
    title = _("Swarm with shared memory")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """The members and the evaluator."""
        named = [*(str(one.get("agent")) for one in _members(options)), str(options.get("evaluator"))]
        return [agent for agent in named if "${" not in agent]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """Two members of one name, a round that could not end before its checkpoint is due."""
        names = [str(one.get("name")) for one in _members(options)]
        if len(set(names)) < len(names):
            yield "options.agents", "two members have one name", "give each a name of its own"
        due, timeout = bounds.number(options.get("checkpoint_s"), DAY), _timeout(options)
        if timeout > due:
            yield "options.timeout_s", f"a round may take longer than the {due:.0f} s to its checkpoint", "lower it"

    def look(self, turn: Turn) -> Move:
        """round -> round -> (due:) evaluator -> people -> round ..."""
        match turn.memory.get("asked"):
            case None:
                return _go_on(turn, _start(turn))
            case "members":
                return _gathered(turn)
            case "evaluator":
                return _show(turn)
            case _:
                return _approved(turn)


def alive(memory: Iterable[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """The entries that have not expired; one that expires at `now` has."""
    return [dict(entry) for entry in memory if bounds.number(entry.get("expires_at")) > now]


def is_due(since: float, now: float, *, every: float, round_s: float) -> bool:
    """Whether a round that starts at `now` could still run after the checkpoint was due (all in seconds)."""
    return now + round_s > since + min(every, DAY)


def scored(answer: Mapping[str, Json]) -> dict[str, float] | None:
    """The three scores, each 0 to 1; None if one is missing or no such number."""
    found = {name: bounds.number(answer.get(name), -1.0) for name in SCORES}
    return found if all(0 <= score <= 1 for score in found.values()) else None


def _members(options: dict[str, Json]) -> list[dict[str, Json]]:
    return [bounds.mapping(one) for one in bounds.items(options.get("agents"))]


def _timeout(options: dict[str, Json]) -> float:
    return bounds.number(options.get("timeout_s"), 60.0)


def _memory(turn: Turn, kept: dict[str, Any]) -> list[dict[str, Any]]:
    """What is alive of the run's state: what people wrote there counts, and only what is alive is ever handed on."""
    stored = turn.shared.get("memory", kept["memory"])
    return alive((bounds.mapping(entry) for entry in bounds.items(stored)), turn.now)


def _start(turn: Turn) -> dict[str, Any]:
    """A step that is tried again goes on from the state that it left: trying again is no checkpoint."""
    since = bounds.number(turn.shared.get("since"), turn.now)
    checkpoints = bounds.items(turn.shared.get("checkpoints"))
    kept: dict[str, Any] = {"round": 0, "since": since, "tokens": 0, "checkpoints": checkpoints, "memory": []}
    return {**kept, "memory": _memory(turn, kept)}


def _go_on(turn: Turn, kept: dict[str, Any]) -> Move:
    """The next round, unless a checkpoint is due first or nothing is left to do."""
    options = turn.options
    kept = {**kept, "memory": alive(kept["memory"], turn.now)}
    if kept["round"] >= int(bounds.number(options.get("rounds"), ROUNDS)) or kept.get("done"):
        return _finish(kept, "done" if kept.get("done") else "rounds")
    every = bounds.number(options.get("checkpoint_s"), DAY)
    if is_due(kept["since"], turn.now, every=every, round_s=_timeout(options)):
        return _evaluate(turn, kept)
    number = kept["round"] + 1
    known = {str(entry["key"]): entry["value"] for entry in kept["memory"]}
    children = [
        Child(
            f"{turn.step.key}.{one['name']}.{number}",
            _step(turn, one["agent"], f"{one['name']}, round {number}"),
            given={
                "goal": options["goal"],
                "you": one["name"],
                "round": number,
                "memory": known,
                "context": bounds.value(turn.given),
            },
        )
        for one in _members(options)
    ]
    memory = {**kept, "asked": "members", "round": number}
    says = f"round {number} of {len(children)} agents with {len(known)} entries of memory"
    return Spawn(children, memory=memory, shared=_shared(kept), facts={"says": says})


def _gathered(turn: Turn) -> Move:
    """Write down what the members found; those that failed are missed, unless all did and nothing is known."""
    kept = _heard(turn)
    entries = {str(entry["key"]): entry for entry in kept["memory"]}
    for one, result in zip(_members(turn.options), turn.results, strict=True):
        for key, value in bounds.mapping(result.output.get("memory")).items():
            entries.pop(key[:100], None)
            entries[key[:100]] = _entry(turn, key[:100], value, str(one["name"]))
    kept["memory"] = list(entries.values())[-_ENTRIES:]
    kept["done"] = kept["done"] or any(result.output.get("done") is True for result in turn.results)
    if not any(result.succeeded for result in turn.results) and not kept["memory"]:
        message = (turn.results[0].error or {}).get("message", turn.results[0].status)
        return Fail("swarm_failed", f"All agents of {turn.step.key} failed; the first one: {message}")
    return _go_on(turn, kept)


def _entry(turn: Turn, key: str, said: Json, by: str) -> dict[str, Json]:
    stated = bounds.mapping(said)
    own = stated if {"value", "ttl_s"} >= set(stated) and "value" in stated else {"value": said}
    longest = bounds.number(turn.options.get("ttl_s"), DAY)
    ttl = min(longest, max(0.0, bounds.number(own.get("ttl_s"), longest)))
    value = bounds.value(own["value"], _VALUE)
    return {"key": key, "value": value, "by": by, "at": turn.now, "expires_at": turn.now + ttl}


def _evaluate(turn: Turn, kept: dict[str, Any]) -> Spawn:
    number = len(kept["checkpoints"]) + 1
    given: dict[str, Json] = {"goal": turn.options["goal"], "round": kept["round"], "memory": _known(kept)}
    step = _step(turn, turn.options["evaluator"], f"checkpoint {number}")
    child = Child(f"{turn.step.key}.checkpoint.{number}", step, given=given)
    memory = {**kept, "asked": "evaluator"}
    return Spawn([child], memory=memory, shared=_shared(kept), facts={"says": f"checkpoint {number} is due"})


def _show(turn: Turn) -> Spawn:
    """People see the scores and must confirm or correct them: a checkpoint without all three does not exist."""
    kept, result = _heard(turn), turn.results[0]
    number, scores = len(kept["checkpoints"]) + 1, scored(result.output)
    fields: dict[str, Json] = {name: _score_field(name, scores) for name in SCORES}
    fields["then"] = {"type": "string", "title": "What now", "enum": ["go on", "end"]}
    step = person_step(
        f"{turn.step.title}: checkpoint {number}",
        queue=str(turn.options["queue"]),
        form={"type": "object", "properties": fields, "required": [*SCORES, "then"]},
        instructions="Nothing of the swarm runs until you answer. Correct the scores, then let it go on or end it.",
        rejected="the swarm ends here with what it knows, and your note.",
    )
    reason = bounds.text(result.output.get("reason"), 1000)
    given: dict[str, Json] = {
        "goal": turn.options["goal"],
        "round": kept["round"],
        "reason": reason if scores else "The evaluator gave no scores; score it yourself.",
        "memory": _known(kept),
    }
    child = Child(f"{turn.step.key}.approval.{number}", step, given=given)
    memory = {**kept, "asked": "person", "evaluated": scores, "reason": reason}
    says = f"checkpoint {number} waits for a person"
    return Spawn([child], memory=memory, shared=_shared(kept), facts={"says": says})


def _score_field(name: str, scores: dict[str, float] | None) -> dict[str, Json]:
    field: dict[str, Json] = {"type": "number", "title": name.capitalize(), "minimum": 0, "maximum": 1}
    return field | {"default": scores[name]} if scores else field


def _approved(turn: Turn) -> Move:
    kept, result = _heard(turn), turn.results[0]
    scores = scored(result.output)
    if result.rejection is not None:
        kept["rejection"] = bounds.text(result.rejection)
        return _finish(kept, "rejected")
    if not result.succeeded or scores is None:
        return Fail("checkpoint_missing", f"Nobody approved the checkpoint of {turn.step.key}, so it may not go on.")
    checkpoint: dict[str, Json] = {
        "at": turn.now,
        "round": kept["round"],
        **scores,
        "evaluated": kept.pop("evaluated"),
        "reason": kept.pop("reason"),
        "then": result.output.get("then"),
        "task": result.task,
    }
    kept["checkpoints"] = [*kept["checkpoints"], checkpoint]
    kept["since"] = turn.now
    if result.output.get("then") != "go on":
        return _finish(kept, "person")
    return _go_on(turn, kept)


def _finish(kept: dict[str, Any], why: str) -> Finish:
    output: dict[str, Json] = {
        "ended": why,
        "memory": _known(kept),
        "rounds": kept["round"],
        "checkpoints": kept["checkpoints"],
        "tokens": kept["tokens"],
    }
    return Finish(output | {"rejection": kept["rejection"]} if "rejection" in kept else output)


def _known(kept: dict[str, Any]) -> dict[str, Json]:
    return {str(entry["key"]): entry["value"] for entry in kept["memory"]}


def _shared(kept: dict[str, Any]) -> dict[str, Json]:
    return {name: kept[name] for name in ("memory", "checkpoints", "since")}


def _heard(turn: Turn) -> dict[str, Any]:
    """What was kept, with what people said since and the tokens of the tasks that have ended."""
    kept: dict[str, Any] = dict(turn.memory)
    said = [_entry(turn, f"note by {note.by}"[:100], note.text, note.by) for note in turn.notes if note.text]
    kept["memory"] = [*_memory(turn, kept), *said]
    kept["done"] = bool(kept.get("done")) or any(note.kind == "end" for note in turn.notes)
    kept["tokens"] += sum(result.tokens for result in turn.results)
    return kept


def _step(turn: Turn, agent: Json, what: str) -> Any:
    """One try only: a round that is tried again might pass the time at which its checkpoint is due."""
    once = Retry(attempts=1)
    return agent_step(str(agent), title=f"{turn.step.title}: {what}", timeout=_timeout(turn.options), retry=once)
