"""The agents of the IoT-maintenance workflow: what readings say, the work that follows, and the order for it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from django.conf import settings
from pydantic import AwareDatetime, Field, FiniteFloat

from agents.context import AgentContext
from agents.errors import Business
from agents.library.compliance import escape
from agents.library.handing_over import enter_once, take_back
from agents.library.incident_contracts import Evidence, Strict
from agents.library.maintenance import robust
from agents.library.maintenance.robust import Found, Reading
from agents.library.registers import FileRegister
from agents.library.standing_in import OPEN, Skill, stand_in
from agents.registry import agent
from agents.types import Json

type Priority = Literal["none", "planned", "urgent"]

FEWEST = 24  # readings that a verdict needs
_GRAVITY: tuple[Priority, ...] = ("none", "planned", "urgent")
_URGENT_SCORE = 7.0  # twice the bound of an outlier
_DUE_DAYS = {"urgent": 1, "planned": 14}
# What a technician does first about each kind of finding.
_TASKS: dict[robust.Kind, str] = {
    "outlier": "Inspect {asset} for what caused readings far from normal, and compare with a hand-held meter.",
    "stuck": "Check wiring and power of the sensor on {asset}: it repeats one value.",
    "drift": "Recalibrate the sensor on {asset} against a reference; replace it if it has drifted.",
    "gap": "Check the connection of {asset}: readings are missing.",
    "limit": "Take {asset} to a safe state and find out why it left its limits.",
}


class ReadingIn(Strict):
    """One value of the sensor."""

    at: AwareDatetime
    value: FiniteFloat = Field(ge=-1e12, le=1e12)


class Window(Strict):
    """A window of readings in order of time.

    `low` and `high` are what the asset may never leave; what is within the sensor's `accuracy` is no finding.
    """

    asset: str = Field(min_length=1, max_length=100)
    sensor: str = Field(min_length=1, max_length=100)
    unit: str = Field(default="", max_length=20)
    readings: list[ReadingIn] = Field(min_length=FEWEST, max_length=500)
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    accuracy: FiniteFloat = Field(default=0.0, ge=0)


class FindingOut(Strict):
    """Something wrong, from when to when."""

    kind: robust.Kind
    first: datetime
    last: datetime
    size: float
    text: str


class Diagnosis(Strict):
    """What the readings say. `confidence` is how much of the verdict both halves of the window bear out."""

    priority: Priority
    findings: list[FindingOut]
    readings: int
    confidence: float = Field(ge=0, le=1)
    in_words: str
    evidence: list[Evidence]


@agent(
    "anomaly-detector", title="Anomaly detector", input=Window, output=Diagnosis,
    capabilities=["readings.judge"], tags=["operations", "iot"], timeout=30,
)  # fmt: skip
def detect(given: Window, ctx: AgentContext) -> Diagnosis:
    """Finds outliers, stuck values, drift, gaps and limits left, by statistics that few wrong readings cannot move."""
    readings = [Reading(one.at, one.value) for one in given.readings]
    if any(after.at <= before.at for before, after in pairwise(readings)):
        message = f"The readings of {given.sensor} are not in order of time; sort them and take doubles out."
        raise Business(message, code="not_in_order")
    found = [*_limits(given, readings), *_faults(given, readings)]
    priority = _priority(found, readings)
    return Diagnosis(
        priority=priority,
        findings=[FindingOut(**{**asdict(one), "size": round(one.size, 4)}) for one in found],
        readings=len(readings),
        confidence=round(robust.agreement(readings, given.accuracy), 4),
        in_words=f"{priority}: {'; '.join(f.text for f in found[:3])}" if found else "none: nothing unusual",
        evidence=[
            Evidence(claim=f.text, source=f"{given.sensor}, {f.first:%Y-%m-%d %H:%M} to {f.last:%Y-%m-%d %H:%M}")
            for f in found
        ],
    )  # fmt: skip


def _limits(given: Window, readings: Sequence[Reading]) -> Iterator[Found]:
    for bound, side in ((given.low, -1), (given.high, 1)):
        over = [one for one in readings if bound is not None and (one.value - bound) * side > 0]
        if over:
            worst = max(over, key=lambda one: one.value * side)
            text = f"{_count(over, 'reading')} beyond the limit of {bound:g} {given.unit}, the worst {worst.value:g}"
            yield Found("limit", over[0].at, over[-1].at, len(over), text)


def _faults(given: Window, readings: Sequence[Reading]) -> Iterator[Found]:
    if far := robust.outliers(readings, readings, given.accuracy):
        worst, score = max(far, key=lambda pair: abs(pair[1]))
        text = f"{_count(far, 'outlier')}, the worst {worst.value:g} {given.unit} with a score of {score:.1f}"
        yield Found("outlier", far[0][0].at, far[-1][0].at, abs(score), text)
    for run in robust.stuck(readings):
        text = f"stuck at {run[0].value:g} {given.unit} for {len(run)} readings"
        yield Found("stuck", run[0].at, run[-1].at, len(run), text)
    if (per_day := robust.drift(readings, given.accuracy)) is not None:
        text = f"drifts by {per_day:+.3g} {given.unit} a day"
        yield Found("drift", readings[0].at, readings[-1].at, per_day, text)
    for before, after in robust.gaps(readings):
        hours = (after.at - before.at).total_seconds() / 3600
        yield Found("gap", before.at, after.at, hours, f"no reading for {hours:.1f} hours")


def _count(of: Sequence[object], what: str) -> str:
    return f"{len(of)} {what}{'s' * (len(of) != 1)}"


def _priority(found: Sequence[Found], readings: Sequence[Reading]) -> Priority:
    """Urgent: limits left, or now stuck, or far out within the last tenth of the window."""
    recent = readings[-max(1, len(readings) // 10)].at
    grave = any(
        one.kind == "limit"
        or (one.kind == "stuck" and one.last == readings[-1].at)
        or (one.kind == "outlier" and one.size > _URGENT_SCORE and one.last >= recent)
        for one in found
    )
    return "urgent" if grave else "planned" if found else "none"


class PlanRequest(Strict):
    """A diagnosis to act upon."""

    asset: str = Field(min_length=1, max_length=100)
    last_reading: AwareDatetime
    diagnosis: Diagnosis


class WorkOrder(Strict):
    """What a technician is asked to do, and until when."""

    asset: str
    priority: Priority
    due: datetime
    tasks: list[str]
    confidence: float = Field(ge=0, le=1)
    in_words: str
    evidence: list[Evidence]


@agent(
    "maintenance-planner", title="Maintenance planner", input=PlanRequest, output=WorkOrder,
    capabilities=["maintenance.plan"], tags=["operations", "iot"], timeout=20,
)  # fmt: skip
def plan(given: PlanRequest, ctx: AgentContext) -> WorkOrder:
    """One task for each kind of finding, due a day after the last reading if urgent, else in two weeks."""
    kinds = list(dict.fromkeys(one.kind for one in given.diagnosis.findings))
    if not kinds:
        raise Business(f"Nothing is wrong with {given.asset}; there is nothing to order.", code="nothing_to_do")
    tasks = [_TASKS[kind].format(asset=given.asset) for kind in kinds]
    due = given.last_reading + timedelta(days=_DUE_DAYS[given.diagnosis.priority])
    return WorkOrder(
        asset=given.asset,
        priority=given.diagnosis.priority,
        due=due,
        tasks=tasks,
        confidence=given.diagnosis.confidence,
        in_words=f"{_count(tasks, 'task')} on {given.asset} until {due:%Y-%m-%d %H:%M}",
        evidence=given.diagnosis.evidence,
    )


class Placing(Strict):
    """The order as people approved it."""

    order_for: str = Field(min_length=1, max_length=100)
    priority: Priority
    due: AwareDatetime
    tasks: list[str] = Field(min_length=1, max_length=20)


class Order(Strict):
    """What is on record, and the order as a file."""

    reference: str
    asset: str
    state: Literal["placed", "cancelled"]
    markdown: str


@agent(
    "work-order-desk", title="Work order desk", input=Placing, output=Order,
    capabilities=["maintenance.order"], authority=["maintenance"], tags=["operations", "iot"], timeout=30,
)  # fmt: skip
def place(given: Placing, ctx: AgentContext) -> Order:
    """Places the order once, whatever the number of attempts."""
    reference = enter_once(_register(), "order", given.model_dump(mode="json"), ctx)
    tasks = "\n".join(f"- {escape(task)}" for task in given.tasks)
    head = f"# Work order {reference}\n\n- Asset: {escape(given.order_for)}\n- Priority: {given.priority}"
    return Order(
        reference=reference,
        asset=given.order_for,
        state="placed",
        markdown=f"{head}\n- Due: {given.due:%Y-%m-%d %H:%M}\n\n{tasks}\n",
    )


class Cancelling(Strict):
    """An order to take back."""

    reference: str = Field(min_length=1, max_length=64)
    asset: str = Field(min_length=1, max_length=100)


@agent(
    "work-order-canceller", title="Cancels work orders", input=Cancelling, output=Order,
    capabilities=["maintenance.cancel"], authority=["maintenance"], tags=["operations", "iot"], timeout=30,
)  # fmt: skip
def cancel(given: Cancelling, ctx: AgentContext) -> Order:
    """Cancels an order; it stays on record with the reason."""
    entry = take_back(_register(), given.reference)
    return Order(reference=entry.reference, asset=given.asset, state="cancelled", markdown="")


class LogRequest(Strict):
    """What came of a window of readings."""

    sensor: str = Field(min_length=1, max_length=100)
    outcome: Diagnosis
    order: str = Field(default="", max_length=64)


class LogEntry(Strict):
    """One line for the asset's log."""

    text: str


@agent(
    "maintenance-logger", title="Maintenance logger", input=LogRequest, output=LogEntry,
    capabilities=["maintenance.log"], tags=["operations", "iot"], timeout=20,
)  # fmt: skip
def log(given: LogRequest, ctx: AgentContext) -> LogEntry:
    """Says what was found in how many readings, and the order that followed."""
    after = f"work order {given.order}" if given.order else "no order"
    return LogEntry(text=f"{given.sensor}: {given.outcome.readings} readings, {given.outcome.in_words}; {after}")


class StreamReading(ReadingIn):
    """One event of a sensor, as it comes every few seconds."""

    asset: str = Field(min_length=1, max_length=100)
    sensor: str = Field(min_length=1, max_length=100)
    unit: str = Field(default="", max_length=20)
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    accuracy: FiniteFloat = Field(default=0.0, ge=0)


class Stream(Strict):
    """The last events of one sensor, the oldest first; the newest is the one that is judged, in a window of so many."""

    recent: list[StreamReading] = Field(min_length=1, max_length=500)
    window: int = Field(default=60, ge=FEWEST, le=499)


class Watched(Strict):
    """What the newest event changes: `alert` if its window is graver than the one before it."""

    alert: bool
    priority: Priority
    readings: int
    confidence: float = Field(ge=0, le=1)
    in_words: str
    evidence: list[Evidence]


@agent(
    "reading-watcher", title="Reading watcher", input=Stream, output=Watched,
    capabilities=["readings.watch"], tags=["operations", "iot"], timeout=20,
)  # fmt: skip
def watch(given: Stream, ctx: AgentContext) -> Watched:
    """Judges the window that ends with the newest event and the one before it: what is wrong is told once."""
    now = given.recent[-given.window :]
    if len(now) < FEWEST:
        words = f"none: {len(now)} of {FEWEST} readings that a verdict needs"
        return Watched(alert=False, priority="none", readings=len(now), confidence=1.0, in_words=words, evidence=[])
    found, before = detect(_window(now), ctx), given.recent[-given.window - 1 : -1]
    was: Priority = detect(_window(before), ctx).priority if len(before) >= FEWEST else "none"
    return Watched(
        alert=_GRAVITY.index(found.priority) > _GRAVITY.index(was),
        priority=found.priority,
        readings=found.readings,
        confidence=found.confidence,
        in_words=found.in_words,
        evidence=found.evidence,
    )


class Cutting(Strict):
    """The events out of which the window is cut that was judged."""

    cut_from: list[StreamReading] = Field(min_length=FEWEST, max_length=500)
    window: int = Field(default=60, ge=FEWEST, le=499)


@agent(
    "window-cutter", title="Window cutter", input=Cutting, output=Window,
    capabilities=["readings.cut"], tags=["operations", "iot"], timeout=20,
)  # fmt: skip
def cut(given: Cutting, ctx: AgentContext) -> Window:
    """Hands on the window of the newest event, as the maintenance of its asset takes it."""
    return _window(given.cut_from[-given.window :])


def _window(events: Sequence[StreamReading]) -> Window:
    newest = events[-1]
    return Window(
        asset=newest.asset,
        sensor=newest.sensor,
        unit=newest.unit,
        readings=[ReadingIn(at=one.at, value=one.value) for one in events],
        low=newest.low,
        high=newest.high,
        accuracy=newest.accuracy,
    )


def _register() -> FileRegister:
    return FileRegister(settings.DATA_DIR / "maintenance-orders", "WO")


_SKILLS = (
    Skill("outcome", LogRequest, log),
    Skill("order_for", Placing, place),
    Skill("diagnosis", PlanRequest, plan),
    Skill("readings", Window, detect),
    Skill("recent", Stream, watch),
    Skill("cut_from", Cutting, cut),
)


@agent(
    "maintenance-generalist", title="Maintenance generalist", input=OPEN, output=OPEN,
    capabilities=["maintenance.stand-in"], authority=["maintenance"], tags=["operations", "iot"], timeout=30,
)  # fmt: skip
def stand_in_for_maintenance(given: dict[str, Json], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of the maintenance of a machine by the same rules and the same register of orders."""
    return stand_in(_SKILLS, given, ctx)
