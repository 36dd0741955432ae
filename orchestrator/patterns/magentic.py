"""magentic: a manager agent keeps a ledger of tasks that everybody sees, adds to it as it learns, and has them done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agents.marking import marked as _
from agents.types import Json
from orchestrator.patterns import bounds, registry
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Note, Result, Spawn, Turn, agent_step, person_step
from orchestrator.patterns.task_ledger import ENTRIES, OPEN, TaskLedger

ROUNDS: Final = 10  # if the step does not say
REJECTIONS: Final = 2  # after which the manager plans again; one more fails the step
LEDGER: Final = "ledger"  # the key of the run's state, below the step's own
_LOG: Final = 300
_SHOWN: Final = 150  # characters of a field, in the run's state
_STALLS: Final = 2  # rounds in which the manager starts nothing before people are asked
_AGENT = {"type": "string", "pattern": r"^(?:[a-z][a-z0-9_-]*(?:@[1-9][0-9]*)?|\$\{.*\})$"}
OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["goal", "manager", "agents", "queue"],
    "properties": {
        "goal": {"type": "string", "maxLength": bounds.TEXT},
        "manager": _AGENT | {"description": "Agent that keeps the ledger."},
        "agents": {
            "type": "array",
            "description": "Those that tasks may be given to.",
            "minItems": 1,
            "maxItems": 20,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["agent"],
                "properties": {"agent": _AGENT, "does": {"type": "string", "maxLength": 500}},
            },
        },
        "queue": {
            "type": "string",
            "description": "Queue of the people who are asked when it does not come to an end.",
        },
        "rounds": {"type": "integer", "minimum": 1, "maximum": 50},
        "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600},
    },
}
HELP = registry.Help(
    when=_("Open work whose tasks are not known beforehand: an investigation, a piece of research, a repair."),
    strengths=_(
        "The plan is a ledger that people read and change while it is worked on; each line says who put it there and "
        "why. Tasks are added as results come in."
    ),
    limits=(
        f"At most {ENTRIES} lines, and {ROUNDS} rounds unless the step says otherwise; then people are asked. A result "
        f"is shown to the manager with at most {bounds.VALUE // 4:,} bytes."
    ),
    complexity=_("High: the manager's judgement decides how long it takes and what it costs."),
    observability=_(
        "Each version of the ledger is kept with what changed, by whom and why; each line's work is a task."
    ),
    governance=(
        "Only agents that the step names are given work. People add, change and drop lines between two turns, or end "
        "it; a manager that starts nothing twice is brought before people. Who rejects that question has the manager "
        f"plan again with the note, {REJECTIONS} times at most."
    ),
    tooling=_(
        "The manager takes {goal, round, rounds, agents, ledger, refused, notes, context} and answers {changes: [{do: "
        "add, change or drop, id, title, agent, input, why}], run: [ids], done, answer}."
    ),
    template=registry.template("magentic"),
)


class Magentic:
    """See `HELP`."""

    name = "magentic"
    title = _("Magentic (a manager and its ledger)")
    options = OPTIONS
    help = HELP

    def agents(self, options: dict[str, Json]) -> Iterable[str]:
        """The manager and those it may give work to."""
        return [name for name in (str(options.get("manager")), *workers_of(options)) if "${" not in name]

    def flaws(self, options: dict[str, Json]) -> Iterable[tuple[str, str, str]]:
        """An agent that is named twice."""
        workers = workers_of(options)
        if len(set(workers)) < len(workers):
            yield "options.agents", "an agent is named twice", "name each once"

    def look(self, turn: Turn) -> Move:
        """Take in what was done and said, then let the manager judge, or have the next tasks done."""
        work = _Work(turn)
        work.take_in()
        return work.go_on()


def workers_of(options: dict[str, Json]) -> list[str]:
    """The agents that tasks may be given to."""
    return [str(bounds.mapping(one).get("agent")) for one in bounds.items(options.get("agents"))]


@dataclass
class _Work:
    """The work between two turns, with its ledger."""

    turn: Turn
    ledger: TaskLedger = field(init=False)
    asked: str = ""  # manager, work or people
    running: list[str] = field(default_factory=list)
    round: int = 1
    stalls: int = 0
    tokens: int = 0
    said: list[dict[str, Json]] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    rejections: int = 0
    overruled: bool = False  # people have just dropped what the manager wanted to be done: no stall of its own
    ended: tuple[str, Json] | None = None

    def __post_init__(self) -> None:
        kept: dict[str, Any] = self.turn.memory
        self.said = list(kept.get("said", []))
        self.asked, self.running = kept.get("asked", ""), kept.get("running", [])
        self.round, self.stalls, self.tokens = kept.get("round", 1), kept.get("stalls", 0), kept.get("tokens", 0)
        entries = [dict(entry) for entry in kept.get("entries", [])]
        self.ledger = TaskLedger(workers_of(self.turn.options), entries, list(kept.get("log", [])), round=self.round)
        self.known, self.rejections = list(kept.get("known", [])), kept.get("rejections", 0)

    # What has happened since

    def take_in(self) -> None:
        """The results of the last spawn first, then what people wrote."""
        self.tokens += sum(result.tokens for result in self.turn.results)
        if self.turn.note:
            self._hear(Note("a reviewer", self.turn.note))
        match self.asked:
            case "work":
                self._take_results(self.turn.results)
            case "manager":
                self._take_judgement(self.turn.results[0])
            case "people":
                self._take_answer(self.turn.results[0])
        for note in self.turn.notes:
            self._hear(note)

    def _take_results(self, results: Sequence[Result]) -> None:
        for name, result in zip(self.running, results, strict=True):
            entry = self.ledger.entry(name)
            assert entry is not None
            entry["status"] = "done" if result.succeeded else "failed"
            found: Json = result.output if result.succeeded else (result.error or {}).get("message", result.status)
            entry["result"] = bounds.value(found, bounds.VALUE // 4)
            entry["confidence"] = result.confidence
            if result.confidence is not None:
                self.known.append(result.confidence)
        self.round += 1

    def _take_judgement(self, result: Result) -> None:
        """The manager's changes, then what it wants to be done now."""
        said = result.output
        self.said = []
        if not result.succeeded:
            self.ledger.refused.append(
                f"your last answer failed: {bounds.text((result.error or {}).get('message'), 300)}"
            )
            self.running = []
            return
        self.ledger.round = self.round
        self.ledger.hear(bounds.items(said.get("changes")), by="manager")
        wanted = [name for name in bounds.items(said.get("run")) if isinstance(name, str)]
        self.running = [name for name in dict.fromkeys(wanted) if self._may_run(name)]
        if said.get("done") is True:
            self.ended = ("manager", bounds.value(said.get("answer")))

    def _may_run(self, name: str) -> bool:
        entry = self.ledger.entry(name)
        if entry is None or entry["status"] not in OPEN:
            self.ledger.refused.append(f"{bounds.text(name, 60)} cannot be run: it is not a task that is still to do")
            return False
        return True

    def _take_answer(self, result: Result) -> None:
        answer = result.output
        if result.rejection is not None:
            self.rejections += 1
            self.stalls, self.round = 0, min(self.round, self._rounds)
            self._hear(Note("a person", f"Rejected: {result.rejection}"))
            return
        if answer.get("then") == "go on":
            self.stalls, self.round = 0, min(self.round, self._rounds - 1)
        else:
            self.ended = ("person", bounds.text(answer.get("say")))
        if answer.get("say"):
            self._hear(Note("a person", str(answer["say"])))

    def _hear(self, note: Note) -> None:
        if note.text:
            self.said.append({"by": note.by, "text": bounds.text(note.text)})
        self.ledger.round = self.round
        made = self.ledger.hear(bounds.items(note.data.get("changes"))[:ENTRIES], by=note.by)
        dropped = {name for did, name in made if did == "drop"}
        self.overruled = self.overruled or bool(dropped & {*self.running})
        self.running = [name for name in self.running if name not in dropped]
        if note.kind == "end" and (self.ended is None or self.asked != "people"):  # who was asked has decided
            self.ended = ("person", bounds.text(note.data.get("disposition")) or bounds.text(note.text))

    # What happens next

    def go_on(self) -> Move:
        """An end, the tasks that the manager wants done, people if it does not get on, or the manager again."""
        if self.ended is not None:
            return self._finish(*self.ended)
        if self.rejections > REJECTIONS:
            return Fail("magentic_rejected", f"People rejected {self.turn.step.key} {self.rejections} times.")
        if self.asked == "manager" and self.running:
            return self._do()
        if self.asked == "manager" and not self.overruled:
            self.stalls += 1
        if self.stalls >= _STALLS:
            return self._ask("the manager starts nothing more, and has not finished")
        if self.round > self._rounds:
            return self._ask(f"{self._rounds} rounds have not finished it")
        return self._judge()

    def _do(self) -> Spawn:
        self.stalls = 0
        children = []
        for name in self.running:
            entry = self.ledger.entry(name)
            assert entry is not None
            entry["status"] = "running"
            step = agent_step(str(entry["agent"]), title=str(entry["title"]), timeout=self._timeout)
            children.append(
                Child(f"{self.turn.step.key}.{name}.{self.round}", step, given=bounds.mapping(entry["input"]))
            )
        return self._spawn("work", children, f"round {self.round}: {len(children)} of {len(self.ledger.entries)} tasks")

    def _judge(self) -> Spawn:
        options = self.turn.options
        given: dict[str, Json] = {
            "goal": options["goal"],
            "round": self.round,
            "rounds": self._rounds,
            "agents": options["agents"],
            "ledger": [*self.ledger.entries],
            "refused": [*self.ledger.refused],
            "notes": [*self.said],
            "context": bounds.value(self.turn.given),
        }
        title = f"{self.turn.step.title}: manager"
        step = agent_step(str(options["manager"]), title=title, timeout=self._timeout)
        child = Child(f"{self.turn.step.key}.manager.{self.turn.number}", step, given=given)
        return self._spawn("manager", [child], f"round {self.round}: the manager looks at the ledger")

    def _ask(self, question: str) -> Spawn:
        form: dict[str, Json] = {
            "type": "object",
            "required": ["then"],
            "properties": {
                "then": {"type": "string", "title": "What now", "enum": ["go on", "end"], "default": "end"},
                "say": {
                    "type": "string",
                    "title": "The answer, or what the manager should do",
                    "maxLength": bounds.TEXT,
                },
            },
        }
        title = f"{self.turn.step.title}: {question}"
        rejected = f"the manager plans again with your note, {REJECTIONS} times at most; then the step fails."
        step = person_step(title, queue=str(self.turn.options["queue"]), form=form, rejected=rejected)
        given: dict[str, Json] = {"goal": self.turn.options["goal"], "ledger": [*self.ledger.entries]}
        child = Child(f"{self.turn.step.key}.people.{self.turn.number}", step, given=given)
        return self._spawn("people", [child], f"{question}; people are asked")

    def _spawn(self, asked: str, children: Sequence[Child], says: str) -> Spawn:
        memory: dict[str, Json] = {
            "entries": [*self.ledger.entries],
            "log": [*self.ledger.log[-_LOG:]],
            "said": [*self.said],
            "asked": asked,
            "running": [*self.running],
            "round": self.round,
            "stalls": self.stalls,
            "tokens": self.tokens,
            "known": [*self.known],
            "rejections": self.rejections,
        }
        return Spawn(children, memory=memory, shared={LEDGER: self._ledger()}, facts={"says": says})

    def _ledger(self) -> Json:
        """As the run's state shows it: every line, with results and reasons in short."""
        entries: list[Json] = [
            {
                name: bounds.text(found, _SHOWN) if isinstance(found, str | dict) else found
                for name, found in entry.items()
            }
            for entry in self.ledger.entries
        ]
        return bounds.value({"entries": entries, "log": [*self.ledger.log[-ENTRIES:]]}, bounds.STATE)

    def _finish(self, why: str, answer: Json) -> Move:
        if why == "manager" and not any(entry["status"] == "done" for entry in self.ledger.entries):
            return Fail("magentic_empty", f"The manager of {self.turn.step.key} ended it before anything was done.")
        output: dict[str, Json] = {
            "ended": why,
            "answer": answer,
            "rounds": self.round,
            "tokens": self.tokens,
            "ledger": [*self.ledger.entries],
            "log": [*self.ledger.log[-_LOG:]],
        }
        return Finish(output, confidence=min(self.known, default=None))

    @property
    def _rounds(self) -> int:
        return int(bounds.number(self.turn.options.get("rounds"), ROUNDS))

    @property
    def _timeout(self) -> float:
        return bounds.number(self.turn.options.get("timeout_s"), 60.0)
