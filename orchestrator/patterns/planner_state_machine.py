"""planner_state_machine: declared states; in some of them agents converse, and the graph waits for a disposition."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from agents.marking import marked as _
from agents.types import Json
from orchestrator.definitions import expressions
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.declared_states import (
    flaws_of,
    following_of,
    participants_of,
    reachable,
    rejected_flaws,
    starts_of,
    states_of,
    talk_of,
    ways_of,
)
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Result, Spawn, Turn, agent_step, person_step

CAP: Final = 10  # turns of one conversation, if it does not say; 20 at most
VISITS: Final = 50  # states that one run of the step may enter
SURE: Final = 0.7  # confidence below which a disposition is ambiguous, if the step does not say
PAUSED: Final = "PAUSED_FOR_CONVERSATION"
RUNNING: Final = "RUNNING"
_HANDED_ON: Final = 30
_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"}
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["start", "states", "queue"],
    "properties": {
        "start": _NAME,
        "queue": {"type": "string", "description": "Queue of the people who decide what is ambiguous."},
        "sure": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": f"Confidence below which a disposition is ambiguous; {SURE} if left out.",
        },
        "rejected": _NAME | {"description": "State that a rejected question leads to; without it, the step fails."},
        "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600},
        "states": {
            "type": "array",
            "minItems": 2,
            "maxItems": 40,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": _NAME,
                    "agent": _AGENT | {"description": "Does the state's work."},
                    "input": {"type": "object"},
                    "to": {
                        "type": "array",
                        "description": "Ways out, in order; one without `when` always holds.",
                        "maxItems": 20,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["state"],
                            "properties": {"state": _NAME, "when": {"type": "string"}},
                        },
                    },
                    "talk": {
                        "type": "object",
                        "description": "A conversation instead of an agent; the graph waits for its disposition.",
                        "additionalProperties": False,
                        "required": ["participants", "dispositions"],
                        "properties": {
                            "participants": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 8,
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "required": ["name", "agent"],
                                    "properties": {"name": _NAME, "agent": _AGENT},
                                },
                            },
                            "dispositions": {
                                "type": "object",
                                "description": "Disposition: the state that follows.",
                                "minProperties": 2,
                                "maxProperties": 10,
                                "additionalProperties": _NAME,
                            },
                            "cap": {"type": "integer", "minimum": 1, "maximum": 20},
                        },
                    },
                },
            },
        },
    },
}
HELP = registry.Help(
    when=_("A regulated path of known states in which some decisions need a conversation: loans, claims, exceptions."),
    strengths=_("The graph stays declared and checkable; talk is confined to states that need it, and ends in a word."),
    limits=(
        f"A conversation has 20 turns at most, {CAP} if it does not say; a run of the step enters {VISITS} states at "
        "most. One state is entered at a time."
    ),
    complexity=_("Medium: one task for each state, and one for each turn of a conversation."),
    observability=(
        f"The run's state says which state it is in, and {PAUSED} while a conversation proceeds. Every transition is "
        "logged with its disposition, its reason, and who chose it."
    ),
    governance=_(
        "Only declared transitions happen. A disposition that is unknown, contradicted, or stated with too little "
        "confidence goes to a person, and so does a conversation that its cap ends. Who rejects that question leads "
        "to the state that `rejected` names; without one the step fails."
    ),
    tooling=_(
        "A state's agent takes {state, input, output, context} and answers anything; `when` reads it as `output`. Who "
        "converses takes {state, you, turn, cap, dispositions, messages, output, context} and answers {text}, with "
        "{disposition} when it is settled."
    ),
    template=registry.template("planner_state_machine"),
)


class PlannerStateMachine:
    """See `HELP`."""

    name = "planner_state_machine"
    title = _("Hybrid planner and state machine")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """Of the states, and those who converse."""
        named: list[Json] = []
        for state in states_of(options).values():
            named += [state.get("agent"), *(one.get("agent") for one in participants_of(state))]
        return [agent for agent in named if isinstance(agent, str) and "${" not in agent]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """Names twice or of nothing, states that nothing reaches or that do two things, and no way to an end."""
        states = states_of(options)
        if len(states) < len(bounds.items(options.get("states"))):
            yield "options.states", "two states have one name", "give each a name of its own"
        yield from rejected_flaws(options, states)
        if options.get("start") not in states:
            yield "options.start", f'"{options.get("start")}" is not a state', f"use one of {', '.join(states)}"
            return
        for name, state in states.items():
            yield from flaws_of(name, state, states)
        ways = {
            name: [following for following in following_of(state) if following in states]
            for name, state in states.items()
        }
        reached = {name for start in starts_of(options, states) for name in reachable(start, ways)}
        for name in states:
            if name not in reached:
                yield f"options.states.{name}", "no transition reaches it", "take it out, or add a way to it"
        if not any(not ways[name] for name in reached):
            yield "options.states", "no final state can be reached", "add a state without `to` and `talk`"

    def look(self, turn: Turn) -> Move:
        """state -> state -> (conversation -> its disposition) -> state ..."""
        if turn.number == 1:
            kept = {"log": [], "output": {}, "tokens": 0, "said": turn.note}
            return _enter(turn, kept, str(turn.options["start"]), why="start")
        kept = _counted(turn)
        match kept["asked"]:
            case "agent":
                return _worked(turn, kept)
            case "turn":
                return _said(turn, kept)
            case _:
                return _decided(turn, kept)


def settled(said: Sequence[Mapping[str, Any]], known: Iterable[str], sure: float) -> tuple[str, str]:
    """(disposition, "") when it is clear, ("", why not) when it is ambiguous, ("", "") while nobody has stated one.

    `said` has a `disposition` ("" if none), an `author`, and the `confidence` of each message (None if not stated).
    What somebody stated last counts, and only if all who stated one agree.
    """
    newest = {one["author"]: one for one in said if one["disposition"]}
    stated = {str(one["disposition"]) for one in newest.values()}
    if not stated:
        return "", ""
    if len(stated) > 1:
        return "", f"the participants disagree: {', '.join(sorted(stated))}"
    disposition = next(iter(stated))
    if disposition not in known:
        return "", f'"{disposition}" is none of the dispositions'
    lowest = min((one["confidence"] for one in newest.values() if one["confidence"] is not None), default=1.0)
    if lowest < sure:
        return "", f'"{disposition}" is stated with confidence {lowest:.2f}, below {sure:.2f}'
    return disposition, ""


def _enter(turn: Turn, kept: dict[str, Any], name: str, *, why: str, by: str = "rule") -> Move:
    """Log the transition and do what the state says; a state with nothing to do and no way out is the end."""
    state = states_of(turn.options)[name]
    line = {"from": kept.get("state", ""), "to": name, "why": why, "by": by, "turn": turn.number}
    kept = {**kept, "state": name, "log": [*kept["log"], line]}
    if len(kept["log"]) > VISITS:
        return Fail("too_many_states", f"{turn.step.key} has entered {VISITS} states without an end.", kind="ask")
    if "talk" in state:
        return _next_turn(turn, {**kept, "messages": []})
    if "agent" in state:
        return _work(turn, kept, state)
    return _leave(turn, kept)


def _work(turn: Turn, kept: dict[str, Any], state: dict[str, Json]) -> Spawn:
    given: dict[str, Json] = {
        "state": kept["state"],
        "input": state.get("input", {}),
        "output": kept["output"],
        "context": bounds.value(turn.given),
    }
    child = Child(
        f"{turn.step.key}.{kept['state']}.{len(kept['log'])}", _step(turn, state["agent"], kept["state"]), given=given
    )
    return _spawn(kept, "agent", child, RUNNING, f"{kept['log'][-1]['why']}; now in {kept['state']}")


def _worked(turn: Turn, kept: dict[str, Any]) -> Move:
    result = turn.results[0]
    if not result.succeeded:
        return Fail("state_failed", f"State {kept['state']} of {turn.step.key} failed: {_reason(result)}")
    kept["output"] = bounds.value(result.output)
    return _leave(turn, kept)


def _leave(turn: Turn, kept: dict[str, Any]) -> Move:
    """By the first way out that holds. A final state has none; another one that has none that holds asks people."""
    ways = ways_of(states_of(turn.options)[kept["state"]])
    if not ways:
        return _finish(kept)
    context = {**turn.context, "output": kept["output"], "round": len(kept["log"])}
    for way in ways:
        if "when" not in way or expressions.holds(str(way["when"]), context):
            return _enter(turn, kept, str(way["state"]), why=str(way.get("when", "always")))
    choices = {str(way["state"]): str(way["state"]) for way in ways}
    return _ask(turn, kept, f"no way out of {kept['state']} holds", choices)


def _next_turn(turn: Turn, kept: dict[str, Any]) -> Spawn:
    state = states_of(turn.options)[kept["state"]]
    people, number = participants_of(state), len(kept["messages"]) + 1
    one = people[(number - 1) % len(people)]
    shown: list[Json] = [
        {name: said[name] for name in ("author", "text", "disposition")} for said in kept["messages"][-_HANDED_ON:]
    ]
    given: dict[str, Json] = {
        "state": kept["state"],
        "you": one["name"],
        "turn": number,
        "cap": _cap(state),
        "dispositions": [*bounds.mapping(talk_of(state)["dispositions"])],
        "messages": shown,
        "output": kept["output"],
        "said": kept.get("said", ""),
        "context": bounds.value(turn.given),
    }
    step = _step(turn, one["agent"], f"{kept['state']}, turn {number}, {one['name']}")
    child = Child(f"{turn.step.key}.{kept['state']}.{len(kept['log'])}.{number}", step, given=given)
    says = f"paused for a conversation in {kept['state']}, turn {number}: {one['name']}"
    return _spawn({**kept, "speaker": one["name"]}, "turn", child, PAUSED, says)


def _said(turn: Turn, kept: dict[str, Any]) -> Move:
    """The conversation goes on, or the graph does, with what it came to; what is ambiguous is asked of people."""
    state, result = states_of(turn.options)[kept["state"]], turn.results[0]
    dispositions = {name: str(to) for name, to in bounds.mapping(talk_of(state)["dispositions"]).items()}
    kept["messages"] = [*kept["messages"], _message(kept["speaker"], result)]
    disposition, doubt = settled(kept["messages"], dispositions, bounds.number(turn.options.get("sure"), SURE))
    if disposition:
        return _resume(turn, kept, disposition, dispositions, by="conversation")
    if len(kept["messages"]) >= _cap(state):
        return _ask(turn, kept, doubt or f"{_cap(state)} turns ended without a disposition", dispositions)
    if doubt and not doubt.startswith("the participants disagree"):
        return _ask(turn, kept, doubt, dispositions)
    return _next_turn(turn, kept)


def _message(author: str, result: Result) -> dict[str, Json]:
    said = result.output.get("text", result.output)
    return {
        "author": author,
        "text": bounds.text(said) if result.succeeded else _reason(result),
        "disposition": bounds.text(result.output.get("disposition"), 60),
        "confidence": result.confidence,
        "task": result.task,
    }


def _resume(turn: Turn, kept: dict[str, Any], chosen: str, ways: Mapping[str, str], *, by: str) -> Move:
    conversation = {"state": kept["state"], "disposition": chosen, "by": by, "messages": kept.pop("messages", [])}
    kept["output"] = {**bounds.mapping(kept["output"]), "disposition": chosen}
    kept["talks"] = [*kept.get("talks", []), conversation]
    return _enter(turn, kept, ways[chosen], why=f"{kept['state']} ended with {chosen}", by=by)


def _ask(turn: Turn, kept: dict[str, Any], question: str, ways: Mapping[str, str]) -> Spawn:
    choices: list[Json] = [*ways]
    form: dict[str, Json] = {
        "type": "object",
        "required": ["disposition"],
        "properties": {
            "disposition": {"type": "string", "title": "How it goes on", "enum": choices},
            "say": {"type": "string", "title": "Why", "maxLength": bounds.TEXT},
        },
    }
    goes = bounds.text(turn.options.get("rejected"), 40)
    step = person_step(
        f"{turn.step.title}: {question}"[:200],
        queue=str(turn.options["queue"]),
        form=form,
        instructions="The graph waits for your disposition.",
        rejected=f"it goes on in state “{goes}” with your note." if goes else "the step fails with your note.",
    )
    given: dict[str, Json] = {
        "state": kept["state"],
        "question": question,
        "follows": dict(ways),
        "transcript": kept.get("messages", []),
        "output": kept["output"],
    }
    child = Child(f"{turn.step.key}.{kept['state']}.{len(kept['log'])}.people", step, given=given)
    in_talk = "messages" in kept
    memory = {**kept, "ways": dict(ways), "in_talk": in_talk}
    return _spawn(memory, "people", child, PAUSED if in_talk else RUNNING, f"{question}; people are asked"[:300])


def _decided(turn: Turn, kept: dict[str, Any]) -> Move:
    ways, in_talk, answer = kept.pop("ways"), kept.pop("in_talk"), turn.results[0].output
    if (rejection := turn.results[0].rejection) is not None:
        return _rejected(turn, kept, rejection)
    chosen = str(answer.get("disposition"))
    if not turn.results[0].succeeded or chosen not in ways:
        return Fail("disposition_missing", f"Nobody said how {turn.step.key} goes on in {kept['state']}.", kind="ask")
    if in_talk:
        return _resume(turn, kept, chosen, ways, by="person")
    return _enter(
        turn, kept, ways[chosen], why=bounds.text(answer.get("say"), 300) or "chosen by a person", by="person"
    )


def _rejected(turn: Turn, kept: dict[str, Any], note: str) -> Move:
    """To the state that the options name for it; without one, the end of the step."""
    kept.pop("messages", None)
    if "rejected" in turn.options:
        why = bounds.text(f"rejected: {note}", 300)
        return _enter(turn, kept, str(turn.options["rejected"]), why=why, by="person")
    said = bounds.text(note, 300)
    return Fail("disposition_rejected", f"A person rejected the question of {turn.step.key} in {kept['state']}: {said}")


def _spawn(kept: dict[str, Any], asked: str, child: Child, status: str, says: str) -> Spawn:
    shared: dict[str, Json] = {"state": {"name": kept["state"], "status": status}, "log": kept["log"]}
    return Spawn([child], memory={**kept, "asked": asked}, shared=shared, facts={"says": says, "state": kept["state"]})


def _finish(kept: dict[str, Any]) -> Finish:
    output: dict[str, Json] = {
        "state": kept["state"],
        "output": kept["output"],
        "log": kept["log"],
        "talks": kept.get("talks", []),
        "tokens": kept["tokens"],
    }
    return Finish(output)


def _counted(turn: Turn) -> dict[str, Any]:
    kept: dict[str, Any] = dict(turn.memory)
    return {**kept, "tokens": kept["tokens"] + sum(result.tokens for result in turn.results)}


def _cap(state: dict[str, Json]) -> int:
    return int(bounds.number(talk_of(state).get("cap"), CAP))


def _step(turn: Turn, agent: Json, what: str) -> Any:
    timeout = bounds.number(turn.options.get("timeout_s"), 60.0)
    return agent_step(str(agent), title=f"{turn.step.title}: {what}", timeout=timeout)


def _reason(result: Result) -> str:
    return bounds.text((result.error or {}).get("message", result.status), 300)
