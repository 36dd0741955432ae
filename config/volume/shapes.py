"""What synthetic history is made of: workflows, how their runs end, and what the log says of each. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from agents.types import Json

AGENT: Final = "sample-worker"
AFTER: Final = 3  # steps after the one that people may be asked about
VARIANTS: Final = 20  # different questions that a workflow asks
ASKED_ABOVE: Final = 1000.0
QUEUES: Final = ("volume-operations", "volume-risk", "volume-legal", "volume-service")
_RISKS: Final = ("low", "medium", "medium", "high", "critical")
_WORDS: Final = ("isolate", "refund", "publish", "restart", "escalate", "quarantine", "reimburse", "revoke")
_BETWEEN: Final[tuple[tuple[str, dict[str, Json]], ...]] = (
    ("tool.called", {"tool": "look-up", "version": 1, "ms": 41, "outcome": "done"}),
    ("message.sent", {"topic": "work", "to": "team", "bytes": 312}),
    ("tool.called", {"tool": "fetch-record", "version": 2, "ms": 118, "outcome": "done"}),
    ("quality.assessed", {"score": 93, "passed": True}),
)

# How a run ends. In `approved`, `rejected` and `open` people are asked.
PLAIN, CANCELLED, APPROVED, REJECTED, OPEN = "plain", "cancelled", "approved", "rejected", "open"
FATES: Final = (PLAIN, CANCELLED, APPROVED, REJECTED, OPEN)
ASKED: Final = frozenset({APPROVED, REJECTED, OPEN})
RUN_STATUS: Final = {
    PLAIN: "succeeded", CANCELLED: "cancelled", APPROVED: "succeeded", REJECTED: "failed", OPEN: "running",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flow:
    """One workflow: an intake, looks side by side, a weighing that people may be asked about, and what follows."""

    name: str
    title: str
    size: int
    queue: str

    @property
    def weigh(self) -> int:
        """The index of the step that may ask."""
        return self.size - AFTER - 1

    @property
    def keys(self) -> list[str]:
        """Its steps in the order of their indexes."""
        looks = [f"look_{number}" for number in range(1, self.weigh)]
        return ["intake", *looks, "weigh", "act", "check", "report"]


_TITLES: Final = (
    *("Access request", "Refund check", "Alert triage", "Invoice match", "Contract review", "Claims intake"),
    *("Phishing report", "Supplier audit", "Loan change", "Content draft", "Device repair", "Account takeover"),
)
_SIZES: Final = (8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 30, 40)  # 20 on average
FLOWS: Final = tuple(
    Flow(f"volume-{title.lower().replace(' ', '-')}", title, size, QUEUES[at % len(QUEUES)])
    for at, (title, size) in enumerate(zip(_TITLES, _SIZES, strict=True))
)


def definition(flow: Flow) -> str:
    """The workflow's source. Its agent answers by rules, so that what people decide really goes on."""
    steps: list[dict[str, Any]] = [_step(key) for key in flow.keys]
    steps[flow.weigh]["gate"] = {
        "when": f"input.amount > {ASKED_ABOVE}",
        "title": f"{flow.title}: go on with ${{input.subject}}",
        "queue": flow.queue,
        "risk": "medium",
        "deadline": "72h",
        "on_timeout": "escalate",
        "consequence": "What was proposed is carried out.",
        "action": {"subject": "${input.subject}", "amount": "${input.amount}"},
        "allow": ["approve", "request_changes", "reject"],
    }
    keys = flow.keys
    looks = keys[1 : flow.weigh]
    after = keys[flow.weigh :]
    document = {
        "metadata": {"name": flow.name, "title": flow.title, "description": "Synthetic history; see docs/volume.md."},
        "steps": steps,
        "dependencies": {
            **{look: ["intake"] for look in looks},
            "weigh": looks,
            **{key: [before] for before, key in pairwise(after)},
        },
        "error_handling": {"timeout": "1m"},
    }
    return json.dumps(document)


def _step(key: str) -> dict[str, Any]:
    title = key.replace("_", " ").capitalize()
    return {"key": key, "type": "automated", "agent": AGENT, "title": title, "inputs": {"you": title, "does": "done"}}


@dataclass(frozen=True, slots=True)
class Stored:
    """A task as it is stored in a run that ended, or waits, this way."""

    index: int
    status: str
    attempt: int
    pending: int
    fed: int
    wait_for: str


def tasks(flow: Flow, fate: str) -> Iterator[Stored]:
    """Every task of such a run."""
    for index in range(flow.size):
        before = flow.weigh - 1 if index == flow.weigh else min(index, 1)
        if index < flow.weigh:
            yield Stored(index, "succeeded", 1, 0, max(before, 1), "")
        elif index == flow.weigh:
            status = {REJECTED: "failed", OPEN: "waiting"}.get(fate, "succeeded")
            yield Stored(index, status, 1, 0, before, "gate" if fate == OPEN else "")
        elif fate in (PLAIN, APPROVED):
            yield Stored(index, "succeeded", 1, 0, 1, "")
        else:
            # A cancelled run had come to its weighing: the step after it was ready.
            was_ready = fate == CANCELLED and index == flow.weigh + 1
            yield Stored(
                index, "blocked" if fate == OPEN else "cancelled", 0, 0 if was_ready else 1, int(was_ready), ""
            )


@dataclass(frozen=True, slots=True)
class Said:
    """One event of such a run, at its place. `data` None: worked out from the run's own row."""

    kind: str
    step: int | None
    actor: str  # engine, shift, or person: whoever decided
    data: dict[str, Json] | None


def script(flow: Flow, fate: str, *, per_task: float) -> list[Said]:
    """What the log says of such a run: what the engine would have written, and calls of tools in between."""
    begun = [task for task in tasks(flow, fate) if task.attempt]
    plain = 2 * len(begun) + 4  # the start, the end, and what a gate says
    between = _shares(max(0, round(per_task * flow.size) - plain), len(begun))
    said = [Said("run.started", None, "feed", None)]
    for task, count in zip(begun, between, strict=True):
        said.append(Said("task.started", task.index, "shift", {"attempt": 1}))
        said += [Said(kind, task.index, "shift", facts) for kind, facts in _fillers(count)]
        said += _end_of(task, fate, asks=task.index == flow.weigh and fate in ASKED)
    return [*said, *_end_of_run(flow, fate)]


def _fillers(count: int) -> Iterator[tuple[str, dict[str, Json]]]:
    return (_BETWEEN[number % len(_BETWEEN)] for number in range(count))


def _shares(total: int, among: int) -> list[int]:
    """`total` in `among` parts that differ by one at most."""
    return [(at + 1) * total // among - at * total // among for at in range(among)]


def _end_of(task: Stored, fate: str, *, asks: bool) -> list[Said]:
    done = Said("task.succeeded", task.index, "shift", {"attempt": 1, "version": 1, "tokens_in": 0, "tokens_out": 0})
    if not asks:
        return [done]
    asked = [Said("gate.opened", task.index, "engine", None), Said("task.waiting", task.index, "shift", None)]
    if fate == OPEN:
        return asked
    decided = Said("gate.decided", task.index, "person", None)
    if fate == APPROVED:
        return [*asked, decided, Said("task.succeeded", task.index, "person", {"attempt": 1})]
    failed: dict[str, Json] = {"attempt": 1, "code": "rejected", "error": "rejected"}
    return [*asked, decided, Said("task.failed", task.index, "person", failed)]


def _end_of_run(flow: Flow, fate: str) -> list[Said]:
    if fate == OPEN:
        return []
    if fate in (PLAIN, APPROVED):
        return [Said("run.succeeded", None, "engine", {"tasks": flow.size, "failed": 0})]
    cancelled = Said("task.cancelled", None, "engine", {"count": AFTER})
    if fate == CANCELLED:
        return [cancelled, Said("run.cancelled", None, "engine", {"reason": "Not needed any more."})]
    return [cancelled, Said("run.failed", None, "engine", {"code": "rejected", "step": "weigh"})]


def subject(flow: Flow, variant: int) -> dict[str, Any]:
    """What reviewers see: of the size and shape of what agents propose."""
    word, host = _WORDS[variant % len(_WORDS)], f"case-{variant:03d}"
    said = f"{word} {host}: amounts that do not match, and records that a person has to read"
    amount = ASKED_ABOVE + 37.5 * (variant + 1)
    return {
        "title": f"{flow.title}: go on with {host}",
        "step": "weigh",
        "action": {"subject": host, "amount": amount},
        "proposal": {"text": f"We propose to {said}. " * 3},
        "input": {"you": "weigh", "does": "done"},  # as its task has it: a decision compares the two
        "evidence": [
            {"claim": f"{host} differs in {number} records", "source": f"record {number}", "quote": said}
            for number in range(1, 7)
        ],
        "alternatives": [{"what": f"wait {number} h", "cost": 10.0 * number, "impact": said} for number in (1, 2)],
        "consequence": "What was proposed is carried out.",
        "rule": f"input.amount > {ASKED_ABOVE}",
        "matched": [],
        "risk": _RISKS[variant % len(_RISKS)],
        "confidence": 0.5 + (variant % 10) / 20,
        "agent": AGENT,
        "agent_version": 1,
        "revision": 0,
        "form": {},
        "allowed": ["approve", "request_changes", "reject"],
    }


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. `open_gates` of the gates still wait."""

    tasks: int = 1_000_000
    gates: int = 20_000
    open_gates: int = 5_000
    events: int = 10_000_000
    months: int = 6

    @property
    def runs(self) -> int:
        """As many runs as it takes."""
        turns, rest = divmod(self.tasks, sum(_SIZES))
        count, left = turns * len(_SIZES), rest
        for size in _SIZES:
            if left <= 0:
                break
            count, left = count + 1, left - size
        return count

    @property
    def recent(self) -> int:
        """Runs of the last days: four of five still ask."""
        return min(self.runs, -(-self.open_gates * 5 // 4))

    def problem(self) -> str:
        """What cannot be, or nothing."""
        if self.open_gates > self.gates:
            return "There cannot be more open gates than gates."
        if self.gates - self.open_gates > self.runs - self.recent or self.open_gates > self.recent:
            return f"Each run asks at most once: {self.tasks:,} tasks are {self.runs:,} runs, too few for the gates."
        if self.events < 3 * self.tasks:
            return "A task says three events at least; ask for more events."
        return ""


def fates(sizes: Sizes) -> Iterator[tuple[int, str]]:
    """The flow and the fate of each run, oldest first."""
    past, closed = sizes.runs - sizes.recent, sizes.gates - sizes.open_gates
    for number in range(sizes.runs):
        flow = number % len(FLOWS)
        if number < past:
            yield flow, _past_fate(number, _falls(number, closed, past))
        else:
            yield flow, OPEN if _falls(number - past, sizes.open_gates, sizes.recent) else PLAIN


def _past_fate(number: int, is_asked: bool) -> str:
    if is_asked:
        return REJECTED if number % 9 == 0 else APPROVED
    return CANCELLED if number % 25 == 7 else PLAIN


def _falls(at: int, count: int, among: int) -> bool:
    """Whether one of `count`, spread evenly over `among`, falls on this place."""
    return (at + 1) * count // among > at * count // among if among else False


def scripts(sizes: Sizes) -> dict[tuple[int, str], Sequence[Said]]:
    """The log of each kind of run."""
    per_task = sizes.events / max(1, sizes.tasks)
    return {(at, fate): script(flow, fate, per_task=per_task) for at, flow in enumerate(FLOWS) for fate in FATES}
