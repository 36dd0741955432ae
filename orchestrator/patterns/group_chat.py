"""group_chat: participants speak in turn about a topic until a condition ends it. Each turn is one durable task."""

from collections.abc import Iterable
from typing import Any, Final

from agents.marking import marked as _
from agents.types import Json
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.conversation import CAP, HANDED_ON, Chat, names_of
from orchestrator.patterns.moves import Move, Turn

_KNOWN: Final = frozenset({"input", "steps", "output", "round"})

_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,39}$"}
_SHARE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["topic", "participants", "queue"],
    "properties": {
        "topic": {"type": "string", "description": "What is talked about.", "maxLength": bounds.TEXT},
        "participants": {
            "type": "array",
            "minItems": 2,
            "maxItems": 12,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "agent"],
                "properties": {
                    "name": _NAME,
                    "agent": _AGENT,
                    "role": {"type": "string", "maxLength": 500},
                },
            },
        },
        "queue": {"type": "string", "description": "Queue of the people who are asked when the chat goes wrong."},
        "end": {
            "type": "object",
            "description": "When it ends: at least one of these.",
            "additionalProperties": False,
            "properties": {
                "consensus": _SHARE | {"description": "Share of the participants who hold the same position."},
                "says": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Words that end it."},
                "when": {"type": "string", "description": "CEL over output (the last message), round, input, steps."},
            },
        },
        "manager": {
            "type": "object",
            "description": "Who chooses the next speaker; they take turns if this is left out.",
            "additionalProperties": False,
            "properties": {
                "agent": _AGENT,
                "rules": {
                    "type": "array",
                    "maxItems": 20,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["when", "next"],
                        "properties": {"when": {"type": "string"}, "next": _NAME},
                    },
                },
            },
        },
        "cap": {"type": "integer", "minimum": 1, "maximum": CAP, "description": f"Turns at most; {CAP} if left out."},
        "approver": _AGENT | {"description": "Agent that must approve the outcome before the chat may end."},
        "dispositions": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string", "maxLength": 60}},
        "tools": {"type": "array", "maxItems": 50, "items": {"type": "string", "maxLength": 100}},
        "loop": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "similarity": _SHARE,
                "repeats": {"type": "integer", "minimum": 1, "maximum": 10},
            },
        },
        "drift": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "below": {"type": "number", "minimum": 0, "maximum": 1},
                "over": {"type": "integer", "minimum": 1, "maximum": 10},
            },
        },
        "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600},
    },
}
HELP = registry.Help(
    when=_(
        "A question that several points of view must settle together, where nobody knows beforehand who has to speak "
        "next: a text and its critics, a diagnosis and its doubters."
    ),
    strengths=_(
        "Everything that is said stands in one transcript with author, turn and tokens. People may say something "
        "between any two turns, or end it."
    ),
    limits=(
        f"At most {CAP} turns, which a workflow may lower. A message is cut at {bounds.TEXT:,} characters, and a "
        f"speaker is shown the last {HANDED_ON} of them. Costs grow with turns times participants."
    ),
    complexity=_("Medium: one step in the workflow, as many tasks as turns."),
    observability=_(
        "Each turn is a task with its own input, output and tries; loop, drift and cap alarms are lines of the "
        "narrative and cards of the inbox."
    ),
    governance=_(
        "It cannot be published without a condition that ends it. After the last turn, in a loop or off the topic, "
        "people are asked; who rejects that question ends the chat with the disposition rejected. An approver agent "
        "can be made to agree before anything leaves the chat."
    ),
    tooling=_(
        "Participants take {topic, you, role, turn, cap, participants, tools, messages, context} and answer {text} "
        "with position and agrees if consensus counts. A manager answers {next, why}, an approver {approved, reason}."
    ),
    template=registry.template("group_chat"),
)


class GroupChat:
    """See `HELP`."""

    name = "group_chat"
    title = _("Group chat")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """Participants, manager and approver."""
        people = [bounds.mapping(one) for one in bounds.items(options.get("participants"))]
        named = [one.get("agent") for one in people]
        named += [bounds.mapping(options.get("manager")).get("agent"), options.get("approver")]
        return [agent for agent in named if isinstance(agent, str) and "${" not in agent]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """No end, two of one name, a speaker who is not there, a condition that cannot be worked out."""
        if not options.get("end"):
            remedy = "say when it ends: end.consensus, end.says or end.when"
            yield "options.end", "a chat without a termination condition may go on for ever", remedy
        names = names_of(options)
        if len(set(names)) < len(names):
            yield "options.participants", "two participants have one name", "give each a name of its own"
        end, manager = bounds.mapping(options.get("end")), bounds.mapping(options.get("manager"))
        if "when" in end:
            yield from _condition_flaws("options.end.when", str(end["when"]))
        if "agent" in manager and "rules" in manager:
            yield "options.manager", "names an agent and rules", "keep one of them"
        for number, rule in enumerate(map(bounds.mapping, bounds.items(manager.get("rules")))):
            yield from _condition_flaws(f"options.manager.rules[{number}].when", str(rule.get("when")))
            if names and rule.get("next") not in names:
                field, wrong = f"options.manager.rules[{number}].next", f'"{rule.get("next")}" takes no part'
                yield field, wrong, f"name one of {', '.join(names)}"

    def look(self, turn: Turn) -> Move:
        """Hear what was said since, then end it, ask people, or let the next one speak."""
        chat = Chat(turn)
        chat.hear()
        return chat.go_on()


def _condition_flaws(field: str, text: str) -> Iterable[tuple[str, str, str]]:
    try:
        source = expressions.check(text)
    except ExpressionError as problem:
        yield field, str(problem), ""
        return
    for reference in source.references:
        if reference.root not in _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            yield field, f'"{reference}" is not known here', f"an expression in this field may use {known}"
