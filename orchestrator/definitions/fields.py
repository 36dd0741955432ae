"""The definition format as tables: which fields stand where and what they hold.

`shape` checks files against these tables and `schema` publishes them as JSON Schema, so the two cannot disagree.
"""

import re
from dataclasses import dataclass, field

from agents.expressions.source import RESERVED
from agents.quality.types import CHECKS

KEY = re.compile(r"[a-z][a-z0-9_]{0,99}")
NAME = re.compile(r"[a-z][a-z0-9-]{0,99}")
POOL = re.compile(r"[a-z][a-z0-9-]{0,39}")
AGENT = re.compile(r"[a-z][a-z0-9_-]{0,99}(?:@[1-9][0-9]{0,8})?")
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(s|m|h|d)")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 366 * 86400.0
LONGEST_WAIT = 3660 * 86400.0  # ten years: a wait holds nothing, so it may be long
SIGNAL = re.compile(r"[a-z][a-z0-9_.-]{0,199}")
RISKS = ("low", "medium", "high", "critical")
REVIEW_VERDICTS = ("approve", "edit", "request_changes", "reject", "terminate")
MANUAL_VERDICTS = ("complete", "reject", "terminate")
HYBRID_VERDICTS = ("complete", "request_changes", "reject", "terminate")
CONFLICT_RULES = ("ask", "first", "last", "highest_confidence", "majority", "weighted")
ON_ERROR = ("escalate", "fail", "skip", "ask")
ON_DEADLINE = ("fail", "skip", "ask")
RESERVED_KEYS = RESERVED
TIMEOUTS = ("escalate", "reject", "remind", "hold", "approve")
FEEDBACK = ("on_change", "always")


@dataclass(frozen=True, slots=True)
class Field:
    """What one field holds. `kind` names a check in `shape`; `fields` are those of a group or of a list's items."""

    kind: str
    about: str
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    fields: dict[str, "Field"] = field(default_factory=dict)


METADATA = {
    "name": Field("name", "Name of the workflow: lower-case letters, digits and dashes.", required=True),
    "title": Field("text", "Name shown to people.", required=True),
    "description": Field("text", "What the workflow does and for whom."),
    "owner": Field("text", "User name of whoever answers for it."),
    "tags": Field("texts", "Words to find it by."),
}
RETRY = {
    "attempts": Field("integer", "Tries in all, the first included.", low=1, high=50),
    "base": Field("number", "Seconds; doubled after each failure.", low=0, high=3600),
    "cap": Field("number", "Longest wait in seconds.", low=0, high=86400),
}
GATE_FIELDS = {
    "queue": Field("name", "Queue of the people who are asked."),
    "title": Field("template", "The question, in one line."),
    "risk": Field("risk", f"One of {', '.join(RISKS)}, or an expression that yields one."),
    "deadline": Field("duration", "How long people have."),
    "on_timeout": Field("choice", "What happens when nobody decides; approve: never at high risk.", choices=TIMEOUTS),
    "escalate_to": Field("name", "Queue that is asked after the deadline."),
    "allow": Field("verdicts", "Verdicts that are offered.", choices=REVIEW_VERDICTS),
    "consequence": Field("template", "What happens if it is approved, in one sentence."),
    "action": Field("mapping", "The exact arguments of what will be done."),
    "evidence": Field("expression", "Yields a list of {claim, source, quote, status}."),
    "alternatives": Field("expression", "Yields a list of {option, cost, impact, success, note}."),
    "revisions": Field("integer", "How often it may be sent back.", low=0, high=10),
    "approvals": Field("integer", "So many different people must approve; 1, if left out.", low=1, high=9),
    "rejections": Field("integer", "So many who are against it decide; 1, if left out.", low=1, high=9),
    "blind": Field("flag", "Nobody sees what others or the machine said of it before they have voted."),
    "two_keys": Field("flag", "Two people approve within one minute, both with the card open."),
    "remind": Field("texts", "People are reminded so long before the deadline, such as [2h, 15m]."),
    "business_hours": Field("flag", "The deadline counts working hours, by the calendar of the queue."),
    "escalation": Field("texts", "Queues that are asked one after the other, each for a deadline."),
    "rounds": Field("integer", "How often all of them are asked; once, if left out.", low=1, high=9),
    "runway": Field(
        "text", "A verdict can be taken back so long before it takes effect, such as 5m; none: not at all."
    ),
    "rehearse": Field("text", "Tool whose dry run with `action` is shown to people: what would happen."),
    "mitigations": Field("texts", "What softens the risk, one sentence each; shown beside it."),
    "purpose": Field("choice", "With one it is never approved by time.", choices=("strategic", "compliance")),
    "skills": Field("texts", "What whoever is suggested should know; whoever may decide still may."),
    "checklist": Field("texts", "Points that whoever approves must have ticked."),
    "feedback": Field("choice", "on_change: a change needs a root cause; always: a rating, too.", choices=FEEDBACK),
}
SAMPLE = Field(
    "number", "This share of what the rule lets pass is asked about all the same, such as 0.1.", low=0, high=1
)
GATE = {"when": Field("condition", "Asks people if this holds.", required=True), "sample": SAMPLE, **GATE_FIELDS}
APPROVAL_GATE = {
    "sample": SAMPLE,
    "when": Field("condition", "Asks people if this holds; always, if left out."),
    **GATE_FIELDS,
}
DELIVER = {
    "name": Field("template", "File name.", required=True),
    "media_type": Field("text", "Such as text/markdown."),
    "content": Field("template", "The file's content.", required=True),
}
PUBLISHES = {
    "signal": Field("signal", "The signal's name.", required=True),
    "key": Field("template", "What it is about."),
    "data": Field("mapping", "Values and expressions; the step's output, if left out."),
}
BRANCH = {
    "when": Field("condition", "This way is taken if it is the first that holds.", required=True),
    "then": Field("keys", "Steps that run if it is taken.", required=True),
}

CONFLICTS = {
    "fields": Field("texts", "Fields of the outputs before that must agree; paths with dots.", required=True),
    "rule": Field(
        "choice",
        "What decides where they do not: a person, the first or last of the steps before, the surest, most of them, or "
        "confidence times authority.",
        choices=CONFLICT_RULES,
    ),
    "queue": Field("name", "With rule ask: queue of the people who decide."),
    "authority": Field("mapping", "With rule weighted: step: regulatory, sop or general, which is what others are."),
}
CONSENSUS = {
    "of": Field("integer", "How many independent calls are made.", required=True, low=2, high=9),
    "agree": Field("integer", "So many of them must say the same; more than half.", required=True, low=2, high=9),
    "fields": Field("texts", "What must be the same; all but the confidence, if left out."),
    "agents": Field("texts", "Who is asked, in turn; the step's own agent, if left out."),
    "authority": Field("mapping", "Agent: regulatory, sop or general, which is what others are."),
}
QUALITY = {
    "checks": Field("choices", "What is checked; if left out, whatever is said enough about.", choices=CHECKS),
    "required": Field("texts", "Completeness: paths with dots that must hold something."),
    "sections": Field("texts", "Completeness: headings that the text must have, with words under each."),
    "text": Field("text", "Path of the running text."),
    "schema": Field("schema", "Format: JSON Schema of the output, beyond its agent's contract."),
    "formats": Field("mapping", "Format: path: date, datetime, email, url, uuid, cve, currency or one_line."),
    "claims": Field("text", "Accuracy: path of a list of {claim, source, quote}, or of a text with [source] marks."),
    "sources": Field("mapping", "Accuracy: name: text or documents; the step's own input, if left out."),
    "facts": Field("texts", "Consistency: names of fields that must stay as earlier steps have them."),
    "minimum": Field("number", "People are asked when the score is below it.", low=0, high=100),
    "weights": Field("mapping", "Component: its weight in the score."),
    "zero_tolerance": Field("flag", "Any failed check holds the output until a person says why it may be used."),
    "verifier": Field("agent", "Agent that verifies the output; never the one that produced it."),
    "consensus": Field("group", "Several independent calls that must agree.", fields=CONSENSUS),
    "queue": Field("name", "Queue of the people who are asked; the gate's or the workflow's, if left out."),
}
GUARDIAN = {
    "agent": Field("agent", "Agent that watches; it may only raise and hold.", required=True),
    "steps": Field("keys", "Steps whose outputs it sees; all automated ones, if left out."),
}

STEP = {
    "key": Field("key", "Name of the step in expressions: steps.<key>.", required=True),
    "type": Field("type", "What the step does.", required=True),
    "title": Field("text", "Name shown to people."),
    "team": Field("text", "Team whose step it is; its people see it without seeing the rest of the run."),
}
RUNNABLE = {
    "when": Field("condition", "The step is skipped if this is false."),
    "lane": Field("pool", "Pool of workers."),
    "on_error": Field(
        "choice",
        "After the last failure: fail the run, skip the step or ask people; escalate asks if trying later may help.",
        choices=ON_ERROR,
    ),
    "join": Field(
        "join",
        "all: every step before it has ended and one succeeded; any; done: all have ended, however; or a number.",
    ),
    "checkpoint": Field("text", "Name of a save point that is made when the step has succeeded."),
    "moves": Field("mapping", "Lifecycle: the state that it is in from the beginning of this step on."),
    "conflicts": Field("group", "What must agree among the steps before; see `agreed`.", fields=CONFLICTS),
    "cancel_rest": Field("flag", "With join any or a number: cancel the other ways once enough have succeeded."),
}
AMOUNTS = {
    "documents": Field("number", "Documents: those in an input's list `documents`, else one a call.", low=0, high=1e9),
    "tokens": Field("number", "Tokens, in and out.", low=0, high=1e12),
    "minutes": Field("number", "Minutes that agents work.", low=0, high=1e6),
    "calls": Field("number", "Calls of agents.", low=0, high=1e9),
    "cost": Field("number", "US dollars.", low=0, high=1e9),
}
SELECT = {
    "capability": Field("text", "What it must be able to do."),
    "tags": Field("texts", "Domains; whoever knows more of them is preferred."),
    "agents": Field("texts", "Names of those to choose from."),
}
COORDINATING = {
    "inputs": Field("mapping", "Values and expressions that the step works with."),
    "timeout": Field("duration", "Longest time one turn may take."),
    "gate": Field("group", "When to ask people about the output.", fields=GATE),
    "deliver": Field("group", "A file made of the output.", fields=DELIVER),
    "publishes": Field("group", "A signal that is published when it has succeeded.", fields=PUBLISHES),
}
LATENCY = Field("duration", "In this time 95 of 100 tries are to be done; pages of figures mark what is over.")
AGENT_CALL = {
    "latency": LATENCY,
    "inputs": Field("mapping", "The agent's input: values and expressions."),
    "timeout": Field("duration", "Longest time one try may take."),
    "retry": Field("group", "How to try again.", fields=RETRY),
}
WAITING = {
    "deadline": Field("wait", "Longest time that it may take; 7 days, if left out."),
    "on_deadline": Field(
        "choice", "After the deadline: fail the run, skip the step, or ask a person.", choices=ON_DEADLINE
    ),
}
WORK_GATE = (
    *("queue", "title", "risk", "deadline", "on_timeout", "escalate_to"),
    *("remind", "business_hours", "escalation", "rounds"),
)
COMPENSATE = {
    "agent": Field("agent", "Agent that undoes the step.", required=True),
    "inputs": Field("mapping", "Its input: values and expressions over input, output and given."),
    "timeout": Field("duration", "Longest time one try may take."),
    "retry": Field("group", "How to try again.", fields=RETRY),
}
RECOVERY = {
    "fallback": Field("agent", "Agent that does it when the first one cannot; it gets the same input."),
    "optional": Field("flag", "The result is complete without it: its failure leaves the run a success."),
    "impact": Field("text", "What its failure means for the result, in one sentence."),
    "compensate": Field("group", "What undoes it when the run fails later.", fields=COMPENSATE),
}
STEP_TYPES: dict[str, dict[str, Field]] = {
    "automated": STEP
    | RUNNABLE
    | {
        "agent": Field("agent", 'Agent that does it: "name", or "name@3" for one version.'),
        "select": Field("group", "In place of agent: whom to choose from while it runs.", fields=SELECT),
        "category": Field("text", "Kind of task that its agent must have the authority for."),
        "cache": Field("duration", "How long an output may be used again for the same input."),
        "latency": LATENCY,
        "effort": Field("group", "What one call uses at most; held from budgets before it.", fields=AMOUNTS),
        "inputs": Field("mapping", "The agent's input: values and expressions."),
        "shares": Field("texts", "Names in the run's shared state that its agent may write."),
        "timeout": Field("duration", "Longest time one try may take."),
        "retry": Field("group", "How to try again.", fields=RETRY),
        "gate": Field("group", "When to ask people about the output.", fields=GATE),
        "quality": Field("group", "What the output is held against before it is used.", fields=QUALITY),
        "deliver": Field("group", "A file made of the output.", fields=DELIVER),
        "publishes": Field("group", "A signal that is published when it has succeeded.", fields=PUBLISHES),
    }
    | RECOVERY,
    "manual": STEP
    | RUNNABLE
    | {
        "form": Field("schema", "JSON Schema of the answer.", required=True),
        "publishes": Field("group", "A signal that is published when it has succeeded.", fields=PUBLISHES),
        "instructions": Field("template", "What the person should do."),
        "queue": Field("name", "Queue of the people who do it."),
        "deadline": Field("duration", "How long people have."),
        "inputs": Field("mapping", "What the person is shown."),
        "gate": Field("group", "How the work is handed out.", fields={name: GATE_FIELDS[name] for name in WORK_GATE}),
    },
    "hybrid": STEP
    | RUNNABLE
    | AGENT_CALL
    | {
        "agent": Field("agent", "Agent that drafts the answer.", required=True),
        "form": Field("schema", "JSON Schema of the answer that a person completes from the draft.", required=True),
        "instructions": Field("template", "What the person should do."),
        "queue": Field("name", "Queue of the people who do it."),
        "deadline": Field("duration", "How long people have."),
        "gate": Field(
            "group",
            "How the work is handed out.",
            fields={name: GATE_FIELDS[name] for name in (*WORK_GATE, "revisions")},
        ),
        "deliver": Field("group", "A file made of the answer.", fields=DELIVER),
        "publishes": Field("group", "A signal that is published when it has succeeded.", fields=PUBLISHES),
    },
    "timer": STEP
    | RUNNABLE
    | {
        "duration": Field("span", "How long it waits, up to ten years, or one expression that yields it."),
        "until": Field("template", "The moment it waits for, such as 2027-01-31T09:00:00Z, or one expression."),
    },
    "wait_event": STEP
    | RUNNABLE
    | {
        "event": Field("signal", "Name of the signal it waits for.", required=True),
        "correlation": Field("template", "Only a signal with this key; without it, one with any key."),
        "match": Field("condition", "Only a signal for which this holds; it reads event.data and the like."),
        "schema": Field("schema", "JSON Schema that the signal's data must satisfy."),
    }
    | WAITING,
    "wait_callback": STEP
    | RUNNABLE
    | AGENT_CALL
    | {
        "agent": Field("agent", "Agent that hands the address over; its inputs may use ${callback_url}."),
        "schema": Field("schema", "JSON Schema that what is sent must satisfy."),
    }
    | WAITING,
    "subworkflow": STEP
    | RUNNABLE
    | {
        "workflow": Field("name", "Workflow of which it starts a run.", required=True),
        "inputs": Field("mapping", "That run's input: values and expressions."),
        "deadline": Field("wait", "Longest time that run may take; without it, as long as it needs."),
        "on_deadline": WAITING["on_deadline"],
    },
    "approval": STEP
    | RUNNABLE
    | {"subject": Field("key", "Step whose output is reviewed.", required=True)}
    | {name: spec for name, spec in APPROVAL_GATE.items() if name not in {"title", "when"}}
    | {"gate": Field("group", "The question to people.", fields=APPROVAL_GATE)},
    "conditional": STEP
    | RUNNABLE
    | {
        "branches": Field("list", "Ways out, first match wins.", required=True, fields=BRANCH),
        "default": Field("keys", "Steps that run if no branch is taken."),
    },
    "map": STEP
    | RUNNABLE
    | COORDINATING
    | {
        "over": Field("expression", "Yields the list; the body sees `item` and `at`.", required=True),
        "body": Field("body", "The step that is done for each item.", required=True),
        "batch": Field("integer", "Items a task; the body's `item` is then a list.", low=1, high=1000),
        "at_once": Field("integer", "Tasks alive at a time; 0 is all of them.", low=0, high=10_000),
        "tolerate": Field("number", "Share of the tasks that may fail without failing the step.", low=0, high=1),
        "most": Field("integer", "More items than this fail the step.", low=1, high=10_000),
    },
    "loop": STEP
    | RUNNABLE
    | COORDINATING
    | {
        "body": Field("body", "The step that is done each round; it sees `previous` and `round`.", required=True),
        "until": Field("condition", "Ends the loop if it holds; it sees `output` and `round`.", required=True),
        "most": Field("integer", "Rounds at most.", required=True, low=1, high=1000),
        "on_bound": Field(
            "choice",
            "What happens after the last round: fail, ask a person, or finish.",
            choices=("fail", "ask", "finish"),
        ),
    },
    "pattern": STEP
    | RUNNABLE
    | COORDINATING
    | {
        "pattern": Field("key", "Name of a pattern, such as group_chat.", required=True),
        "fallback": Field("agent", "Agent that does a turn when its own one cannot; it gets the same input."),
        "options": Field("mapping", "The pattern's settings; see its help page."),
    },
    "parallel": STEP | {"steps": Field("steps", "Steps that run side by side.", required=True)},
    "sequential": STEP | {"steps": Field("steps", "Steps that run one after the other.", required=True)},
}
BODY_TYPES = frozenset({"automated", "manual", "hybrid", "subworkflow", "wait_event", "wait_callback", "timer"})
NOT_IN_BODY = frozenset("checkpoint moves conflicts key join cancel_rest when deliver publishes team".split())
GROUPS = frozenset({"parallel", "sequential"})

CONFIGURATION = {
    "lane": Field("pool", "Pool of workers for steps that name none."),
    "queue": Field("name", "Queue of people for gates that name none."),
    "priority": Field("integer", "Higher runs first.", low=0, high=9),
    "weight": Field("integer", "Share of the workers among runs of one priority.", low=1, high=100),
    "input": Field("schema", "JSON Schema of a run's input."),
    "outputs": Field("mapping", "The run's result."),
    "title": Field("template", "Title of a run, from its input."),
    "deadline": Field("duration", "How long people have at gates that do not say."),
    "strict": Field("flag", "Refuse to publish while one of the publishing checks warns."),
    "run_deadline": Field("wait", "Longest time that a run may take; then people decide whether it goes on."),
    "escalation_queue": Field("name", "Queue of the people who decide then; operations, if left out."),
    "guardians": Field("list", "Agents that watch what steps put out.", fields=GUARDIAN),
    "budgets": Field("group", "What one run may use.", fields=AMOUNTS),
    "lifecycles": Field("mapping", "States of what a run works on: name: {start, moves: {state: [following]}}."),
    "shares": Field("mapping", "Agent: share of the run's budgets; they sum to 1.0. orchestrator: all others."),
}
ERROR_HANDLING = {
    "retry": Field("group", "How steps are tried again.", fields=RETRY),
    "on_error": Field("choice", "After the last failure of a step that does not say.", choices=ON_ERROR),
    "timeout": Field("duration", "Longest time one try may take, for steps that do not say."),
    "on_failure": Field(
        "choice",
        "When the run fails: stop, or undo its finished steps, the last one first.",
        choices=("stop", "compensate"),
    ),
    "business_queue": Field("name", "Queue of the people who are told of business errors and of compensation."),
}
DOCUMENT = {
    "metadata": Field("group", "What it is and whose.", required=True, fields=METADATA),
    "steps": Field("steps", "The work.", required=True),
    "dependencies": Field("dependencies", "For each step or group, those that must end before it."),
    "configuration": Field("group", "Input, outputs and defaults.", fields=CONFIGURATION),
    "error_handling": Field("group", "Defaults for failures.", fields=ERROR_HANDLING),
    "monitoring": Field("mapping", "Free notes for dashboards."),
}


def seconds(duration: str | float, *, longest: float = LONGEST) -> float | None:
    """A duration in seconds, or None if it is not one: "30s", "5m", "12h", "7d" or a number, up to `longest`."""
    if isinstance(duration, str):
        match = DURATION.fullmatch(duration)
        if match is None:
            return None
        amount = float(match.group(1)) * UNITS[match.group(2)]
    else:
        amount = float(duration)
    return amount if 0 < amount <= longest else None
