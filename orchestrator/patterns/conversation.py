"""A group chat between two turns: what was said, whether it may end or has gone wrong, who speaks next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agents.types import Json
from orchestrator.definitions import expressions
from orchestrator.patterns import bounds, likeness
from orchestrator.patterns.moves import Child, Fail, Finish, Move, Note, Result, Spawn, Turn, agent_step, person_step

CAP: Final = 20  # turns; the next one is never run, a person says how the chat ends
REJECTED: Final = "rejected"  # the disposition of a chat whose question a person rejects
HANDED_ON: Final = 30  # messages that a speaker is shown, the newest


def names_of(options: dict[str, Json]) -> list[str]:
    """The participants' names."""
    return [str(bounds.mapping(one).get("name")) for one in bounds.items(options.get("participants"))]


@dataclass
class Chat:
    """A chat between two turns: what was kept of it, and what has happened since."""

    turn: Turn
    messages: list[dict[str, Json]] = field(default_factory=list)
    asked: str = ""  # whom the last spawn asked: speaker, manager, approver, alarm, cap
    speaker: str = ""
    spoken: int = 0
    tokens: int = 0
    calm: int = 0  # alarms look at messages from here on
    outcome: str = ""  # why it may end, while the approver is asked
    chosen: str = ""  # by the manager or a person
    ended: tuple[str, str] | None = None  # why, disposition

    def __post_init__(self) -> None:
        kept: dict[str, Any] = self.turn.memory
        self.messages = list(kept.get("messages", []))
        self.asked, self.speaker = kept.get("asked", ""), kept.get("speaker", "")
        self.spoken, self.tokens, self.calm = kept.get("spoken", 0), kept.get("tokens", 0), kept.get("calm", 0)
        self.outcome, self.chosen = kept.get("outcome", ""), kept.get("chosen", "")

    # What has happened since

    def hear(self) -> None:
        """Take in the last task's result and what people said."""
        if self.turn.number == 1 and self.turn.note:
            self._add("a reviewer", self.turn.note, kind="person")
        for result in self.turn.results[:1]:
            self.tokens += result.tokens
            self._hear_result(result)
        for note in self.turn.notes:
            self._hear_person(note)

    def _hear_result(self, result: Result) -> None:
        match self.asked:
            case "speaker":
                self._hear_speaker(result)
            case "manager":
                self._hear_manager(result)
            case "approver":
                self._hear_approver(result)
            case "alarm" | "cap" if result.rejection is not None:
                self._add("a person", bounds.text(result.rejection), kind="person", task=result.task)
                self.ended = ("person", REJECTED)
            case "alarm":
                self._hear_answer(result)
            case "cap":
                self._hear_words(result)
                self.ended = ("cap", self._disposition(result.output))

    def _hear_speaker(self, result: Result) -> None:
        self.spoken += 1
        if not result.succeeded:
            reason = bounds.text((result.error or {}).get("message", result.status), 300)
            self._add(self.speaker, reason, kind="failed", turn=self.spoken, task=result.task)
            return
        said = result.output
        self._add(
            self.speaker,
            bounds.text(said.get("text", said)),
            turn=self.spoken,
            position=bounds.text(said.get("position"), 500),
            agrees=said.get("agrees") is True,
            confidence=result.confidence,
            tokens=result.tokens,
            task=result.task,
        )

    def _hear_manager(self, result: Result) -> None:
        named = result.output.get("next")
        if isinstance(named, str) and named in self._names:
            self.chosen = named

    def _hear_approver(self, result: Result) -> None:
        if result.succeeded and result.output.get("approved") is True:
            self.ended = (self.outcome, "approved")
            return
        reason = result.output.get("reason") or (result.error or {}).get("message") or "not approved"
        self._add("approver", f"Not approved: {bounds.text(reason, 1000)}", kind="approver", task=result.task)

    def _hear_answer(self, result: Result) -> None:
        answer = result.output
        self._hear_words(result)
        self.calm = len(self.messages)
        if answer.get("then") == "end":
            self.ended = ("person", self._disposition(answer))
        if answer.get("next") in self._names:
            self.chosen = str(answer.get("next"))

    def _hear_words(self, result: Result) -> None:
        if words := result.output.get("say"):
            self._add("a person", bounds.text(words), kind="person", task=result.task)

    def _hear_person(self, note: Note) -> None:
        if note.kind == "end" and self.ended is None:  # else whoever was asked has decided
            given = bounds.text(note.data.get("disposition"), 100)
            forged = given.strip().lower() == "approved" and "approver" in self.turn.options
            self.ended = ("person", "ended by a person" if forged else given or "ended by a person")
        if note.text:
            self._add(note.by, bounds.text(note.text), kind="person")
        if note.data.get("next") in self._names:
            self.chosen = str(note.data.get("next"))

    def _add(self, author: str, text: str, *, kind: str = "said", **more: Json) -> None:
        said: dict[str, Json] = {"turn": 0, "position": "", "agrees": False}
        self.messages.append({**said, "author": author, "kind": kind, "text": text, **more})

    # What happens next

    def go_on(self) -> Move:
        """In this order: an end, an alarm, the cap, the next speaker."""
        if self.ended is not None:
            return self._finish(*self.ended)
        if self.asked == "speaker" and (outcome := self._outcome()):
            return self._approve(outcome) if "approver" in self.turn.options else self._finish(outcome, "agreed")
        if self._is_silent():
            return Fail("chat_silent", f"None of the participants of {self.turn.step.key} answers; see their tasks.")
        if alarm := self._alarm():
            return self._ask("alarm", *alarm)
        if self.spoken >= self._cap:
            return self._ask("cap", f"{self._cap} turns have not settled it", "the cap of turns is reached")
        return self._let_speak()

    def _outcome(self) -> str:
        """Why the chat may end now, or ""."""
        end = bounds.mapping(self.turn.options.get("end"))
        said = next(one for one in reversed(self.messages) if one["turn"] == self.spoken)
        if said["kind"] == "failed":
            return ""
        if "consensus" in end and self._agreement()[1] >= bounds.number(end["consensus"]):
            return "consensus"
        if "says" in end and str(end["says"]) in str(said["text"]):
            return "said"
        if "when" in end:
            context = {**self.turn.context, "output": said, "round": self.spoken}
            if expressions.holds(str(end["when"]), context):
                return "condition"
        return ""

    def _agreement(self) -> tuple[str, float]:
        """The position that most hold, and the share of the participants who do."""
        held: dict[str, str] = {}
        offered = ""
        for one in self.messages:
            author, position = str(one["author"]), " ".join(str(one["position"]).split())
            if one["kind"] != "said":
                continue
            if position:
                held[author] = offered = position
            elif one["agrees"] and offered:
                held[author] = offered
            else:
                held.pop(author, None)
        counts = [(sum(other == position for other in held.values()), position) for position in held.values()]
        most, position = max(counts, default=(0, ""), key=lambda counted: counted[0])
        return position, most / len(self._names)

    def _is_silent(self) -> bool:
        latest = [one for one in self.messages if one["turn"]][-len(self._names) :]
        return len(latest) == len(self._names) and all(one["kind"] == "failed" for one in latest)

    def _alarm(self) -> tuple[str, str] | None:
        """(what people are asked, what the narrative says) when it goes round in circles or off the topic."""
        said = [str(one["text"]) for one in self.messages[self.calm :] if one["kind"] == "said"]
        if self.asked != "speaker" or not said:
            return None
        loop = bounds.mapping(self.turn.options.get("loop"))
        alike = bounds.number(loop.get("similarity"), 0.9)
        repeats = sum(likeness.similarity(said[-1], before) >= alike for before in said[:-1])
        if repeats >= bounds.number(loop.get("repeats"), 2):
            return "the same is said again and again", "loop alarm: the same is said again and again"
        drift = bounds.mapping(self.turn.options.get("drift"))
        over = int(bounds.number(drift.get("over"), 4))
        opening = [str(one["text"]) for one in self.messages if one["kind"] == "person" or 0 < _turn(one) <= over]
        topic = [str(self.turn.options["topic"]), *opening]
        if len(said) > over and likeness.relevance(said[-over:], topic) < bounds.number(drift.get("below"), 0.05):
            return "it has left its topic", "drift alarm: it has left its topic"
        return None

    def _let_speak(self) -> Move:
        manager = bounds.mapping(self.turn.options.get("manager"))
        if "agent" in manager and self.asked != "manager" and not self.chosen:
            step = agent_step(
                str(manager["agent"]), title=f"{self.turn.step.title}: next speaker", timeout=self._timeout
            )
            child = Child(f"{self.turn.step.key}.{self.spoken + 1}.next", step, given=self._given("manager"))
            return self._spawn("manager", child, "the manager chooses the next speaker")
        name = self.chosen or self._by_rule(manager) or self._names[self.spoken % len(self._names)]
        one = next(one for one in self._participants if one["name"] == name)
        number = self.spoken + 1
        step = agent_step(str(one["agent"]), title=f"Turn {number}: {name}", timeout=self._timeout)
        self.speaker = name
        given = {**self._given(name), "role": one.get("role", "")}
        return self._spawn(
            "speaker", Child(f"{self.turn.step.key}.{number}", step, given=given), f"turn {number}: {name}"
        )

    def _by_rule(self, manager: dict[str, Json]) -> str:
        if not self.messages:
            return ""
        context = {**self.turn.context, "output": self.messages[-1], "round": self.spoken}
        for rule in map(bounds.mapping, bounds.items(manager.get("rules"))):
            if expressions.holds(str(rule["when"]), context):
                return str(rule["next"])
        return ""

    def _approve(self, outcome: str) -> Move:
        self.outcome = outcome
        step = agent_step(
            str(self.turn.options["approver"]), title=f"{self.turn.step.title}: approval", timeout=self._timeout
        )
        position, share = self._agreement()
        given = {**self._given("approver"), "outcome": outcome, "position": position, "agreeing": share}
        child = Child(f"{self.turn.step.key}.{self.spoken}.approval", step, given=given)
        return self._spawn("approver", child, "the approver is asked")

    def _ask(self, asked: str, question: str, says: str) -> Move:
        """People say how it goes on; after the cap, how it ends."""
        title = f"{self.turn.step.title}: {question}"
        form = _form(self._dispositions, self._names if asked == "alarm" else ())
        instructions = "Read what was said. Your words become a message; a disposition ends the chat."
        rejected = f"the chat ends with the disposition “{REJECTED}” and your note."
        queue = str(self.turn.options["queue"])
        step = person_step(title, queue=queue, form=form, instructions=instructions, rejected=rejected)
        given: dict[str, Json] = {"topic": self.turn.options["topic"], "transcript": [*self.messages]}
        child = Child(f"{self.turn.step.key}.{self.spoken}.{asked}", step, given=given)
        return self._spawn(asked, child, f"{says}; people are asked")

    def _given(self, you: str) -> dict[str, Json]:
        options = self.turn.options
        shown: list[Json] = [
            {name: one[name] for name in ("turn", "author", "text", "position", "agrees")}
            for one in self.messages[-HANDED_ON:]
        ]
        everyone: list[Json] = [{"name": one["name"], "role": one.get("role", "")} for one in self._participants]
        return {
            "topic": options["topic"],
            "you": you,
            "turn": self.spoken + 1,
            "cap": self._cap,
            "participants": everyone,
            "tools": options.get("tools", []),
            "messages": shown,
            "context": bounds.value(self.turn.given),
        }

    def _spawn(self, asked: str, child: Child, says: str) -> Spawn:
        names: list[Json] = [*self._names]
        facts: dict[str, Json] = {"says": says}
        if self.turn.number == 1:
            tools = bounds.items(self.turn.options.get("tools"))
            facts = {
                "says": f"{says}; taking part: {', '.join(self._names)}; tools: {', '.join(map(str, tools)) or 'none'}",
                "participants": names,
                "tools": tools,
            }
        memory: dict[str, Json] = {
            "messages": [*self.messages],
            "asked": asked,
            "speaker": self.speaker,
            "spoken": self.spoken,
            "tokens": self.tokens,
            "calm": self.calm,
            "outcome": self.outcome,
            "chosen": "" if asked == "speaker" else self.chosen,
        }
        return Spawn([child], memory=memory, facts=facts)

    def _finish(self, why: str, disposition: str) -> Finish:
        position, share = self._agreement()
        newest = {str(one["author"]): one.get("confidence") for one in self.messages if one["kind"] == "said"}
        known = [bounds.number(value) for value in newest.values() if value is not None]
        output: dict[str, Json] = {
            "ended": why,
            "disposition": disposition,
            "position": position,
            "agreeing": round(share, 4),
            "turns": self.spoken,
            "tokens": self.tokens,
            "messages": [*self.messages],
        }
        return Finish(output, confidence=min(known) if known else None)

    def _disposition(self, answer: dict[str, Json]) -> str:
        given = answer.get("disposition")
        return given if isinstance(given, str) and given in self._dispositions else self._dispositions[-1]

    @property
    def _participants(self) -> list[dict[str, Json]]:
        return [bounds.mapping(one) for one in bounds.items(self.turn.options["participants"])]

    @property
    def _names(self) -> list[str]:
        return names_of(self.turn.options)

    @property
    def _cap(self) -> int:
        return int(bounds.number(self.turn.options.get("cap"), CAP))

    @property
    def _timeout(self) -> float:
        return bounds.number(self.turn.options.get("timeout_s"), 60.0)

    @property
    def _dispositions(self) -> list[str]:
        return [str(one) for one in bounds.items(self.turn.options.get("dispositions"))] or ["settled", "not settled"]


def _form(dispositions: Sequence[str], names: Sequence[str]) -> dict[str, Json]:
    """How it ends and what people say to it; with names, whether it goes on and who speaks next."""
    endings: list[Json] = [*dispositions]
    fields: dict[str, Json] = {
        "disposition": {"type": "string", "title": "How it ends", "enum": endings, "default": endings[-1]},
        "say": {"type": "string", "title": "What you decide or say", "maxLength": bounds.TEXT},
    }
    if not names:
        return {"type": "object", "properties": fields, "required": ["disposition"]}
    speakers: list[Json] = [*names]
    fields = {
        "then": {"type": "string", "title": "What now", "enum": ["go on", "end"], "default": "go on"},
        "next": {"type": "string", "title": "Who speaks next", "enum": speakers},
        **fields,
    }
    return {"type": "object", "properties": fields, "required": ["then"]}


def _turn(message: dict[str, Json]) -> int:
    return int(bounds.number(message["turn"]))
