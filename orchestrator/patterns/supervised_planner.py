"""supervised_planner: planner and workers converse; a supervisor may end, redirect or escalate after each turn."""

from collections.abc import Iterable
from typing import Any, Final

from agents.marking import marked as _
from agents.types import Json
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Result, Spawn, Turn, agent_step, person_step

CAP: Final = 20  # turns of planner and workers; the next one is never run
VERDICTS: Final = ("continue", "end", "redirect", "escalate")
REJECTED: Final = "rejected"  # the disposition when a person rejects what is asked
_HANDED_ON: Final = 30  # messages that a speaker is shown, the newest
_KNOWN: Final = frozenset({"input", "steps", "output", "round"})
_PLANNER: Final = "planner"
_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["goal", "planner", "workers", "supervisor", "queue"],
    "properties": {
        "goal": {"type": "string", "maxLength": bounds.TEXT, "description": "What the conversation is to reach."},
        "planner": _AGENT | {"description": "Agent that says who does what next."},
        "workers": {
            "type": "array",
            "minItems": 1,
            "maxItems": 12,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "agent"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,39}$"},
                    "agent": _AGENT,
                    "does": {"type": "string", "maxLength": 500},
                },
            },
        },
        "supervisor": _AGENT | {"description": "Agent that judges every turn."},
        "queue": {"type": "string", "description": "Queue of the people to whom it is escalated."},
        "end": {
            "type": "object",
            "description": "When it ends, whatever the supervisor says: at least one of these.",
            "additionalProperties": False,
            "properties": {
                "says": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Words that end it."},
                "when": {"type": "string", "description": "CEL over output (the last message), round, input, steps."},
            },
        },
        "cap": {"type": "integer", "minimum": 1, "maximum": CAP, "description": f"Turns at most; {CAP} if left out."},
        "dispositions": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string", "maxLength": 60}},
        "tools": {"type": "array", "maxItems": 50, "items": {"type": "string", "maxLength": 100}},
        "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600},
    },
}
HELP = registry.Help(
    when=_("A goal whose way is found in conversation, where somebody must be able to stop it at any sentence."),
    strengths=_(
        "Planning bends to what workers find; a supervisor that takes no part judges each turn before the next."
    ),
    limits=(
        f"At most {CAP} turns, which a workflow may lower; supervision adds a task to each. A message is cut at "
        f"{bounds.TEXT:,} characters, and a speaker is shown the last {_HANDED_ON}."
    ),
    complexity=_("Medium: one step in the workflow, two tasks a turn."),
    observability=_("Every turn and every verdict is a task; the transcript names author, verdict, reason and tokens."),
    governance=_(
        "It cannot be published without a condition that ends it. The supervisor ends, redirects or escalates; after "
        "an escalation and after the last turn a person decides. People may say something or end it between turns. "
        "A supervisor that fails or answers something else escalates. Who rejects what is asked ends it as rejected."
    ),
    tooling=_(
        "Planner and workers take {goal, you, does, turn, cap, workers, tools, messages, asked, context}; a planner "
        "answers {text, next, ask}, a worker {text}. A supervisor takes the same and answers {verdict, next, reason}."
    ),
    template=registry.template("supervised_planner"),
)


class SupervisedPlanner:
    """See `HELP`."""

    name = "supervised_planner"
    title = _("Conversational planner with supervisor")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """Planner, workers and supervisor."""
        named = [options.get("planner"), options.get("supervisor"), *(one.get("agent") for one in _workers(options))]
        return [agent for agent in named if isinstance(agent, str) and "${" not in agent]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """No end, two of one name, a worker called planner, a condition that cannot be worked out."""
        end = bounds.mapping(options.get("end"))
        if not end:
            wrong = "a conversation without a termination condition may go on for ever"
            yield "options.end", wrong, "say when it ends: end.says or end.when"
        names = _names(options)
        if len(set(names)) < len(names) or _PLANNER in names:
            yield "options.workers", "two who speak have one name", "give each a name of its own, other than planner"
        if "when" in end:
            yield from condition_flaws("options.end.when", str(end["when"]), _KNOWN)

    def look(self, turn: Turn) -> Move:
        """planner -> supervisor -> worker -> supervisor -> planner ..."""
        if turn.number == 1:
            kept = {"messages": [], "spoken": 0, "tokens": 0, "next": _PLANNER, "ask": turn.note, "verdicts": []}
            return _speak(turn, kept)
        kept = _heard(turn)
        match kept["asked"]:
            case "speaker":
                return _supervise(turn, kept)
            case "supervisor":
                return _judged(turn, kept)
            case _:
                return _answered(turn, kept)


def condition_flaws(field: str, text: str, known: frozenset[str]) -> Iterable[tuple[str, str, str]]:
    """Why a CEL condition could not be worked out: it is none, or it reads what is not there."""
    try:
        source = expressions.check(text)
    except ExpressionError as problem:
        yield field, str(problem), ""
        return
    for reference in source.references:
        if reference.root not in known:
            yield field, f'"{reference.root}" is not known here', f"use {', '.join(sorted(known))}"


def verdict_of(result: Result, names: Iterable[str]) -> tuple[str, str, str]:
    """(verdict, who is next, reason). What is not clearly one of the four verdicts is an escalation."""
    if not result.succeeded:
        return "escalate", "", bounds.text((result.error or {}).get("message", result.status), 300)
    verdict, reason = result.output.get("verdict"), bounds.text(result.output.get("reason"), 1000)
    following = bounds.text(result.output.get("next"), 40)
    if verdict not in VERDICTS:
        return "escalate", "", f"the supervisor's verdict {bounds.text(verdict, 40)!r} is none of {', '.join(VERDICTS)}"
    if verdict == "redirect" and following not in {*names, _PLANNER}:
        return "escalate", "", f"the supervisor redirected to {following!r}, who takes no part"
    return str(verdict), following if verdict == "redirect" else "", reason


def _workers(options: dict[str, Json]) -> list[dict[str, Json]]:
    return [bounds.mapping(one) for one in bounds.items(options.get("workers"))]


def _names(options: dict[str, Json]) -> list[str]:
    return [str(one.get("name")) for one in _workers(options)]


def _cap(turn: Turn) -> int:
    return int(bounds.number(turn.options.get("cap"), CAP))


def _speak(turn: Turn, kept: dict[str, Any]) -> Spawn:
    name, number = kept["next"], kept["spoken"] + 1
    worker: dict[str, Json] = next((one for one in _workers(turn.options) if one["name"] == name), {})
    agent = worker.get("agent", turn.options["planner"])
    given = {**_given(turn, kept), "you": name, "does": worker.get("does", ""), "asked": kept["ask"]}
    child = Child(f"{turn.step.key}.{number}", _step(turn, agent, f"turn {number}, {name}"), given=given)
    return _spawn(turn, kept, "speaker", child, f"turn {number}: {name}")


def _heard(turn: Turn) -> dict[str, Any]:
    """What was kept, with what was said since by the one who had the word and by people."""
    kept: dict[str, Any] = dict(turn.memory)
    kept["messages"] = list(kept["messages"])
    kept["tokens"] += sum(result.tokens for result in turn.results)
    if kept["asked"] == "speaker":
        kept["spoken"] += 1
        kept["messages"].append(_message(kept, turn.results[0]))
        following = bounds.text(turn.results[0].output.get("next"), 40)
        to_worker = kept["next"] == _PLANNER and following in _names(turn.options)
        kept["next"] = following if to_worker else _PLANNER
        kept["ask"] = bounds.text(turn.results[0].output.get("ask")) if to_worker else ""
    for note in turn.notes:
        if note.kind == "end":
            kept["ended"] = bounds.text(note.data.get("disposition"), 100) or "ended by a person"
        if note.text:
            kept["messages"].append(_line(note.by, "person", bounds.text(note.text)))
        if note.data.get("next") in {*_names(turn.options), _PLANNER}:
            kept["next"], kept["ask"] = str(note.data.get("next")), bounds.text(note.text)
    return kept


def _line(author: str, kind: str, text: str, **more: Json) -> dict[str, Json]:
    return {"turn": 0, "author": author, "kind": kind, "text": text, **more}


def _message(kept: dict[str, Any], result: Result) -> dict[str, Json]:
    said = result.output.get("text", result.output)
    text = bounds.text(said) if result.succeeded else _reason(result)
    kind = "said" if result.succeeded else "failed"
    return _line(kept["next"], kind, text, turn=kept["spoken"], tokens=result.tokens, task=result.task)


def _supervise(turn: Turn, kept: dict[str, Any]) -> Move:
    if "ended" in kept:
        return _finish(kept, "person", kept["ended"])
    if _failed_twice(kept):
        return Fail("conversation_failed", f"Two turns of {turn.step.key} in a row failed; see their tasks.")
    number = kept["spoken"]
    step = _step(turn, turn.options["supervisor"], f"judge turn {number}")
    child = Child(f"{turn.step.key}.{number}.verdict", step, given={**_given(turn, kept), "next": kept["next"]})
    return _spawn(turn, kept, "supervisor", child, f"the supervisor judges turn {number}")


def _failed_twice(kept: dict[str, Any]) -> bool:
    spoken = [one["kind"] for one in kept["messages"] if one["turn"]]
    return spoken[-2:] == ["failed", "failed"]


def _judged(turn: Turn, kept: dict[str, Any]) -> Move:
    """In this order: people's end, the verdict's end or escalation, the condition, the cap, the next one."""
    verdict, following, reason = verdict_of(turn.results[0], _names(turn.options))
    kept["verdicts"] = [*kept["verdicts"], {"turn": kept["spoken"], "verdict": verdict, "reason": reason}]
    if "ended" in kept:
        return _finish(kept, "person", kept["ended"])
    if verdict == "end":
        return _finish(kept, "supervisor", reason or "ended by the supervisor")
    if verdict == "escalate":
        return _ask(turn, kept, f"the supervisor asks for people: {reason}", may_go_on=kept["spoken"] < _cap(turn))
    if verdict == "redirect":
        kept["next"], kept["ask"] = following, reason
        kept["messages"].append(_line("supervisor", "supervisor", reason or f"{following} is next"))
    if why := _is_over(turn, kept):
        return _finish(kept, why, "goal reached")
    if kept["spoken"] >= _cap(turn):
        return _ask(turn, kept, f"{_cap(turn)} turns have not reached the goal", may_go_on=False)
    return _speak(turn, kept)


def _is_over(turn: Turn, kept: dict[str, Any]) -> str:
    """Which of the conditions holds for the last message, or ""."""
    end = bounds.mapping(turn.options.get("end"))
    last = next(one for one in reversed(kept["messages"]) if one["turn"])
    if last["kind"] == "failed":
        return ""
    if "says" in end and str(end["says"]) in str(last["text"]):
        return "said"
    context = {**turn.context, "output": last, "round": kept["spoken"]}
    return "condition" if "when" in end and expressions.holds(str(end["when"]), context) else ""


def _ask(turn: Turn, kept: dict[str, Any], question: str, *, may_go_on: bool) -> Spawn:
    """People say how it goes on; after the last turn, only how it ends."""
    endings: list[Json] = [*_dispositions(turn)]
    fields: dict[str, Json] = {
        "disposition": {"type": "string", "title": "How it ends", "enum": endings, "default": endings[-1]},
        "say": {"type": "string", "title": "What you decide or say", "maxLength": bounds.TEXT},
    }
    if may_go_on:
        then: Json = {"type": "string", "title": "What now", "enum": ["go on", "end"], "default": "go on"}
        speakers: list[Json] = [_PLANNER, *_names(turn.options)]
        fields = {"then": then, "next": {"type": "string", "title": "Who is next", "enum": speakers}, **fields}
    form: dict[str, Json] = {
        "type": "object",
        "properties": fields,
        "required": ["then"] if may_go_on else ["disposition"],
    }
    step = person_step(
        f"{turn.step.title}: {question}"[:200],
        queue=str(turn.options["queue"]),
        form=form,
        instructions="Read what was said. Your words become a message; a disposition ends the conversation.",
        rejected=f"the conversation ends with the disposition “{REJECTED}” and your note.",
    )
    given: dict[str, Json] = {
        "goal": turn.options["goal"],
        "transcript": kept["messages"],
        "verdicts": kept["verdicts"],
    }
    child = Child(f"{turn.step.key}.{kept['spoken']}.people", step, given=given)
    return _spawn(turn, kept, "people" if may_go_on else "cap", child, f"{question}; people are asked"[:300])


def _answered(turn: Turn, kept: dict[str, Any]) -> Move:
    answer, rejection = turn.results[0].output, turn.results[0].rejection
    if rejection is not None:
        kept["messages"].append(_line("a person", "person", bounds.text(rejection), task=turn.results[0].task))
        return _finish(kept, "person", REJECTED)
    if words := bounds.text(answer.get("say")):
        kept["messages"].append(_line("a person", "person", words, task=turn.results[0].task))
    if kept["asked"] == "cap" or answer.get("then") != "go on":  # before notes: who was asked has decided
        given, endings = answer.get("disposition"), _dispositions(turn)
        return _finish(kept, "cap" if kept["asked"] == "cap" else "person", given if given in endings else endings[-1])
    if "ended" in kept:
        return _finish(kept, "person", kept["ended"])
    if answer.get("next") in {*_names(turn.options), _PLANNER}:
        kept["next"], kept["ask"] = str(answer.get("next")), bounds.text(answer.get("say"))
    return _speak(turn, kept)


def _dispositions(turn: Turn) -> list[str]:
    return [str(one) for one in bounds.items(turn.options.get("dispositions"))] or ["reached", "not reached"]


def _given(turn: Turn, kept: dict[str, Any]) -> dict[str, Json]:
    shown: list[Json] = [
        {name: one[name] for name in ("turn", "author", "kind", "text")} for one in kept["messages"][-_HANDED_ON:]
    ]
    workers: list[Json] = [{"name": one["name"], "does": one.get("does", "")} for one in _workers(turn.options)]
    return {
        "goal": turn.options["goal"],
        "turn": kept["spoken"] + 1,
        "cap": _cap(turn),
        "workers": workers,
        "tools": turn.options.get("tools", []),
        "messages": shown,
        "context": bounds.value(turn.given),
    }


def _spawn(turn: Turn, kept: dict[str, Any], asked: str, child: Child, says: str) -> Spawn:
    facts: dict[str, Json] = {"says": says}
    if turn.number == 1:
        names: list[Json] = [_PLANNER, *_names(turn.options)]
        facts |= {"participants": names, "tools": turn.options.get("tools", [])}
    return Spawn([child], memory={**kept, "asked": asked}, facts=facts)


def _finish(kept: dict[str, Any], why: str, disposition: Json) -> Finish:
    said = [one["text"] for one in kept["messages"] if one["kind"] == "said"]
    output: dict[str, Json] = {
        "ended": why,
        "disposition": disposition,
        "answer": said[-1] if said else "",
        "turns": kept["spoken"],
        "tokens": kept["tokens"],
        "verdicts": kept["verdicts"],
        "messages": kept["messages"],
    }
    return Finish(output)


def _step(turn: Turn, agent: Json, what: str) -> Any:
    timeout = bounds.number(turn.options.get("timeout_s"), 60.0)
    return agent_step(str(agent), title=f"{turn.step.title}: {what}", timeout=timeout)


def _reason(result: Result) -> str:
    return bounds.text((result.error or {}).get("message", result.status), 300)
