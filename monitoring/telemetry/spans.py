"""Spans of what the log tells: runs, their tasks, tries, tools, models, and the people who were waited for.

Each has a layer (`watchkeeper.layer`): *planner* decides what is to be done, *coordinator* routes, retries and moves
states, *execution* does the work, *human* is the wait for a person's word. Names, numbers and ids go out; no input, no
output, no prompt, no error text, no title.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from agents.guardrails import keyring
from agents.models import ModelCall, ToolCall
from agents.tracing import span_id_of, trace_id_of
from approvals.models import Gate
from monitoring.models import OwnSpan
from monitoring.telemetry import db
from monitoring.telemetry.db import RunEnd, TaskEnd, Told, Try
from orchestrator.models import Run

type Kind = Literal["internal", "server", "client", "producer", "consumer"]
type Fact = str | int | float | bool

NO_LINKS: Final[tuple[tuple[str, str], ...]] = ()
LEAST_WAIT: Final = timedelta(milliseconds=1)  # in the queue: less is not worth a span of its own
COORDINATING: Final = frozenset({"map", "loop", "pattern", "assured", "subworkflow", "parallel", "conditional"})
# What the coordinator did between tries, as moments.
MOVES: Final[Mapping[str, str]] = {
    "task.assigned": "route", "task.fell_back": "fall back", "task.redirected": "redirect",
    "task.retry_scheduled": "retry", "task.spawned": "spawn", "task.returned": "return", "task.lost": "worker lost",
    "task.released": "hand back", "task.revised": "send back", "run.paused": "pause", "run.resumed": "resume",
    "run.retried": "retry run", "run.compensating": "compensate",
}  # fmt: skip
TOOLS: Final = ("tool.called", "tool.asked", "tool.refused")
GATES: Final = ("gate.decided", "gate.withdrawn")


@dataclass(frozen=True, slots=True)
class Span:
    """One span, before it has the form of any protocol."""

    trace: str
    id: str
    parent: str
    name: str
    began: datetime
    ended: datetime
    facts: Mapping[str, Fact]
    kind: Kind = "internal"
    failed: bool = False
    links: tuple[tuple[str, str], ...] = field(default=())  # (trace, span)


def of_stretch(after: int, until: int) -> list[Span]:
    """Every span that ended in a stretch of the ledger. The same stretch again gives the same spans, ids and all."""
    told = db.told(after, until, (*MOVES, *TOOLS, *GATES))
    tries = db.tries(after, until)
    return [
        *(span for end in db.runs(after, until) for span in _run(end)),
        *(_task(end) for end in db.tasks(after, until) if end.began is not None),
        *(span for one in tries for span in _try(one)),
        *_model_calls(tries),
        *_moves(told),
        *_tools([one for one in told if one.kind in TOOLS]),
        *_gates([one for one in told if one.kind in GATES]),
    ]


def _run(end: RunEnd) -> Iterator[Span]:
    trace = trace_id_of(end.correlation)
    facts = {**_layer("coordinator"), **_run_facts(end.run, end.correlation, end.workflow)}
    facts |= {"watchkeeper.workflow.version": end.version, "watchkeeper.run.tasks": end.total}
    facts["watchkeeper.run.status"] = end.kind.removeprefix("run.")
    if end.customer:
        facts["watchkeeper.customer"] = keyring.pseudonym(end.customer)
    parent, links = end.caller or "", NO_LINKS
    if end.parent_task is not None:
        above = (trace_id_of(end.parent_correlation or ""), span_id_of("task", end.parent_task))
        parent, links = (above[1], NO_LINKS) if above[0] == trace else (parent, (above,))
    failed = end.kind == "run.failed"
    yield Span(
        trace, span_id_of("run", end.run), parent, f"run {end.workflow}", end.began, end.ended, facts, failed=failed,
        links=links,
    )  # fmt: skip


def _task(end: TaskEnd) -> Span:
    facts = {**_layer("coordinator"), **_run_facts(end.run, end.correlation, end.workflow)}
    facts |= _task_facts(end.task, end.step, end.step_kind, end.agent)
    facts |= {"watchkeeper.task.status": end.kind.removeprefix("task."), "watchkeeper.task.attempts": end.attempts}
    parent = span_id_of("run", end.run) if end.parent is None else span_id_of("task", end.parent)
    began = min(end.began or end.ended, end.ended)
    return Span(
        trace_id_of(end.correlation), span_id_of("task", end.task), parent, f"task {end.step}", began, end.ended, facts,
        failed=end.kind == "task.failed",
    )  # fmt: skip


def _try(one: Try) -> Iterator[Span]:
    trace, task = trace_id_of(one.correlation), span_id_of("task", one.task)
    common = _run_facts(one.run, one.correlation, one.workflow)
    common |= _task_facts(one.task, one.step, one.step_kind, one.agent) | {"watchkeeper.attempt": one.number}
    if one.ready is not None and one.began - one.ready >= LEAST_WAIT:
        facts = {**common, **_layer("coordinator")}
        yield Span(trace, span_id_of("queue", one.task, one.number), task, "queue", one.ready, one.began, facts)
    facts = {**common, **_layer(_layer_of(one)), "watchkeeper.attempt.status": one.status}
    if one.agent:
        facts |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": one.tokens_in}
        facts |= {"gen_ai.usage.output_tokens": one.tokens_out, "watchkeeper.cost_usd": one.cost}
        facts["gen_ai.agent.version"] = str(one.version or "")
    if one.code:
        facts["error.type"] = one.code[:100]
    links = ((trace_id_of(f"shift {one.shift}"), span_id_of("shift", one.shift)),) if one.shift else ()
    is_away = one.agent_kind in ("http", "external")
    yield Span(
        trace, span_id_of("attempt", one.task, one.number), task,
        f"invoke_agent {one.agent}" if one.agent else one.step, one.began, max(one.began, one.ended), facts,
        kind="client" if is_away else "internal",
        failed=one.status in ("failed", "expired"), links=links,
    )  # fmt: skip


def _layer_of(one: Try) -> str:
    if one.step_kind in COORDINATING:
        return "coordinator"
    plans = any(name.rpartition(".")[2] in ("plan", "planning", "decompose") for name in one.capabilities)
    return "planner" if plans else "execution"


def _model_calls(tries: Iterable[Try]) -> Iterator[Span]:
    asked = [one for one in tries if one.agent_kind == "llm" or one.tokens_in or one.tokens_out]
    keys = {f"task-{one.task}-{revision}": one for one in asked for revision in range(one.revision + 1)}
    by_try = {(one.task, one.number): one for one in asked}
    rows = ModelCall.objects.filter(key__in=list(keys)).exclude(ms=None) if keys else ()
    for call in rows:
        one = by_try.get((keys[call.key].task, call.attempt))
        if one is None:
            continue
        facts = {
            **_layer(_layer_of(one)), **_run_facts(one.run, one.correlation, one.workflow),
            **_task_facts(one.task, one.step, one.step_kind, one.agent),
            "gen_ai.operation.name": "chat", "gen_ai.request.model": call.model, "watchkeeper.prompt": call.prompt,
            "gen_ai.usage.input_tokens": call.tokens_in, "gen_ai.usage.output_tokens": call.tokens_out,
        }  # fmt: skip
        if call.failure:
            facts["error.type"] = call.failure
        began = call.at - timedelta(milliseconds=call.ms or 0)
        yield Span(
            trace_id_of(one.correlation), span_id_of("model", call.pk), span_id_of("attempt", one.task, one.number),
            f"chat {call.model}", began, call.at, facts, kind="client", failed=bool(call.failure),
        )  # fmt: skip


def _moves(told: Iterable[Told]) -> Iterator[Span]:
    for one in told:
        name = MOVES.get(one.kind)
        if name is None or one.run is None or one.correlation is None:
            continue
        facts = {**_layer("coordinator"), **_run_facts(one.run, one.correlation, one.workflow or "")}
        facts["watchkeeper.event"] = one.kind
        parent = span_id_of("run", one.run)
        if one.task is not None:
            parent = span_id_of("task", one.task)
            facts |= _task_facts(one.task, one.step or "", "", one.agent)
        facts |= {f"watchkeeper.{key}": one.data[key] for key in ("attempt", "count") if _is_number(one.data.get(key))}
        yield Span(trace_id_of(one.correlation), span_id_of("event", one.id), parent, name, one.at, one.at, facts)


def _tools(told: list[Told]) -> Iterator[Span]:
    seals = {str(one.data.get("seal", "")) for one in told}
    correlations = {one.correlation for one in told if one.correlation}
    rows = ToolCall.objects.filter(correlation_id__in=correlations, seal__in=seals) if told else ()
    took = {(row.correlation_id, row.seal): row for row in rows}
    for one in told:
        if one.run is None or one.task is None or one.correlation is None:
            continue
        agent, tool = one.actor.removeprefix("agent:"), str(one.data.get("tool", ""))
        call = took.get((one.correlation, str(one.data.get("seal", ""))))
        began = call.at - timedelta(milliseconds=call.ms) if call else one.at
        outcome = str(one.data.get("outcome", one.kind.removeprefix("tool.")))
        facts = {
            **_layer("execution"), **_run_facts(one.run, one.correlation, one.workflow or ""),
            **_task_facts(one.task, one.step or "", "", agent), "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool, "watchkeeper.tool.outcome": outcome[:100],
        }  # fmt: skip
        attempt = one.data.get("attempt")
        number = attempt if isinstance(attempt, int) else 0
        yield Span(
            trace_id_of(one.correlation), span_id_of("tool", one.id), span_id_of("attempt", one.task, number),
            f"execute_tool {tool}", min(began, one.at), one.at, facts, kind="client",
            failed=outcome not in ("done", "kept", "asked"),
        )  # fmt: skip


def _gates(told: list[Told]) -> Iterator[Span]:
    ids = {one.data["gate"] for one in told if _is_number(one.data.get("gate"))}
    gates = Gate.objects.select_related("queue").in_bulk(list(ids)) if ids else {}
    for one in told:
        gate = gates.get(one.data.get("gate", 0))
        if gate is None or one.correlation is None:
            continue
        facts = {
            **_layer("human"), **_run_facts(gate.run_id, one.correlation, one.workflow or ""),
            "watchkeeper.gate": gate.pk, "watchkeeper.queue": gate.queue.name, "watchkeeper.gate.kind": gate.kind,
            "watchkeeper.risk": gate.risk, "watchkeeper.step": gate.step,
            "watchkeeper.verdict": str(one.data.get("verdict", "withdrawn"))[:40],
        }  # fmt: skip
        if one.actor.startswith("user:"):
            facts["enduser.id"] = keyring.pseudonym(one.actor)
        parent = span_id_of("task", gate.task_id) if gate.task_id else span_id_of("run", gate.run_id)
        yield Span(
            trace_id_of(one.correlation), span_id_of("gate", gate.pk, one.id), parent, f"decision {gate.queue.name}",
            min(gate.opened_at, one.at), one.at, facts,
        )  # fmt: skip


def of_own(rows: Iterable[OwnSpan]) -> list[Span]:
    """Requests and messages: each in its caller's trace, else in that of the run it wrote about."""
    rows = list(rows)
    known = dict(Run.objects.filter(pk__in={row.run for row in rows if row.run}).values_list("pk", "correlation_id"))
    return [_own(row, trace_id_of(known[row.run]) if row.run in known else "") for row in rows]


def _own(row: OwnSpan, run_trace: str) -> Span:
    trace, parent, links = row.trace, row.parent, NO_LINKS
    if run_trace and run_trace != row.trace:
        above = (run_trace, span_id_of("run", row.run or 0))
        trace, parent, links = (trace, parent, (above,)) if parent else (*above, NO_LINKS)
    facts = {**row.facts, **({"watchkeeper.run": row.run} if row.run else {})}
    kind: Kind = row.kind if row.kind in ("server", "client", "producer", "consumer") else "internal"  # type: ignore[assignment]
    return Span(
        trace, row.span, parent, row.name, row.began_at, row.ended_at, facts, kind=kind, failed=row.failed, links=links
    )


def _layer(name: str) -> dict[str, Fact]:
    return {"watchkeeper.layer": name}


def _run_facts(run: int, correlation: str, workflow: str) -> dict[str, Fact]:
    return {"watchkeeper.run": run, "watchkeeper.correlation_id": correlation, "watchkeeper.workflow": workflow}


def _task_facts(task: int, step: str, kind: str, agent: str | None) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"watchkeeper.task": task, "watchkeeper.step": step}
    facts |= {"watchkeeper.step.kind": kind} if kind else {}
    return facts | ({"gen_ai.agent.name": agent} if agent else {})


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
