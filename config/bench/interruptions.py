"""Workloads that ask what happens when somebody steps in: gate, crash, halt."""

import http.client
import json
import os
import signal
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User

from approvals import access, tokens
from approvals.models import Profile, Queue
from config.bench import definitions
from config.bench.measure import Result, median_of, percentile
from config.bench.plan import Bench
from config.bench.stack import Stack, Team, TookTooLong
from orchestrator import services

# A look at the database takes one of two cores for a millisecond: none before the agent has surely begun.
_BEFORE_LOOKING_S: Final = 0.03
# A token may decide 120 times at once and 20 times a second afterwards; this stays within.
_DECISIONS: Final = 100


def gate(bench: Bench) -> Result:
    """Approve gates one by one through the HTTP API; the agent behind each tells when its first line ran."""
    count = bench.scaled(_DECISIONS)
    with bench.running("gate") as stack:
        secret = _reviewer_token()
        web = stack.serve()
        stack.publish("gated", definitions.gated("gated"))
        first_run, _, _ = stack.submit("gated", times=1)
        _decide_all(stack, web, secret, first_run)
        runs, _, _ = stack.submit("gated", times=count)
        began = time.monotonic()
        sent = _decide_all(stack, web, secret, runs)
        seconds = time.monotonic() - began
        whole, engine = _gate_times_ms(stack, sent)
        return bench.result(
            stack,
            parameters={"decisions": count},
            seconds=seconds,
            figures={
                "p50_ms": percentile(whole, 0.5),
                "p99_ms": percentile(whole, 0.99),
                "engine_p50_ms": percentile(engine, 0.5),
                "engine_p99_ms": percentile(engine, 0.99),
            },
            spread={"p50_ms": (min(whole), max(whole)), "engine_p50_ms": (min(engine), max(engine))},
            basis_ms=percentile(whole, 0.5),
        )


def _reviewer_token() -> str:
    user = User.objects.create_user("bench-reviewer")
    Profile.objects.create(user=user, title="Reviewer of the bench")
    access.set_role(user_id=user.pk, role="Reviewer", by=None)
    queue: Queue = access.ensure_queue(name=definitions.QUEUE, title="Bench")
    access.grant(to=user, permission="decide_gates", on=queue, by=None)
    return tokens.create(user=User.objects.get(pk=user.pk), name="bench", scopes=["decide"], may_decide=True)[1]


def _decide_all(stack: Stack, web: http.client.HTTPConnection, secret: str, runs: Sequence[int]) -> dict[int, int]:
    """Approve each run's gate when the one before has ended; returns when each request was sent, by run."""
    waiting = "SELECT count(*) FROM approvals_gate WHERE status = 'open' AND run_id = ANY(%s)"
    stack.until(lambda: stack.value(waiting, runs) == len(runs), what="all gates are open", seconds=60)
    stack.quiet()
    sent = {}
    gates = stack.rows("SELECT id, version, run_id FROM approvals_gate WHERE run_id = ANY(%s) ORDER BY id", runs)
    for gate_id, version, run in gates:
        sent[run] = time.time_ns()
        _approve(web, gate_id, version, secret)
        time.sleep(_BEFORE_LOOKING_S)
        stack.finish([run], seconds=30)
        stack.quiet()
    return sent


def _approve(web: http.client.HTTPConnection, gate_id: int, version: int, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    body = json.dumps({"version": version, "verdict": "approve"})
    web.request("POST", f"/api/v1/gates/{gate_id}/decisions", body=body, headers=headers)
    answer = web.getresponse()
    text = answer.read().decode(errors="replace")
    if answer.status != http.client.OK:
        raise TookTooLong(f"gate: a decision was answered with {answer.status}: {text[:300]}")


def _gate_times_ms(stack: Stack, sent: dict[int, int]) -> tuple[list[float], list[float]]:
    """From the request, and from the moment the decision made the task ready, to the agent's first line.

    That moment lies within the decision's transaction: the commit comes a little later, so the second list is an upper
    bound of the time from the commit.
    """
    rows = stack.rows(
        "SELECT run_id, (output ->> 'at_ns')::bigint, extract(epoch FROM ready_at) * 1000"
        " FROM orchestrator_task WHERE key = 'act' AND run_id = ANY(%s)",
        list(sent),
    )
    whole = [(at - sent[run]) / 1e6 for run, at, _ in rows]
    engine = [at / 1e6 - float(ready) for _, at, ready in rows]
    return whole, engine


def crash(bench: Bench) -> Result:
    """Kill the processes that work shifts in the middle of a fan-out of agents that take 20 ms."""
    width, team = bench.scaled(1000), Team(workers=2, capacity=20)
    repeats = bench.repeats(3)
    with bench.running("crash", team) as stack:
        stack.publish("crash", definitions.fan("crash", width, middle=definitions.pause(0.02)))
        peak, measured = 0.0, []
        for _ in range(repeats):
            peak = max(peak, stack.peak_rss_mb())
            measured.append(_crashed(stack))
            stack.quiet()
        recovery, spread = median_of([m["recovery_s"] for m in measured])
        worst = {key: max(m[key] for m in measured) for key in measured[0] if key not in ("recovery_s", "seconds")}
        result = bench.result(
            stack,
            parameters={"width": width, "task_ms": 20, "repeats": repeats},
            seconds=median_of([m["seconds"] for m in measured])[0],
            figures={"recovery_s": recovery, **worst},
            spread={"recovery_s": spread},
            basis_ms=recovery * 1000,
        )
        result.peak_rss_mb = max(result.peak_rss_mb, peak)
        return result


def _crashed(stack: Stack) -> dict[str, float]:
    """One crash: what was lost and repeated, and how long until tasks of the dead ran again."""
    runs, began, _ = stack.submit("crash")
    half = "SELECT remaining * 2 < total FROM orchestrator_run WHERE id = %s"
    stack.until(lambda: stack.value(half, runs[0]), what="half of the tasks are done", seconds=60, pause=0.002)
    dead = stack.worker_pids()
    killed: datetime = stack.value("SELECT clock_timestamp()")
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    stack.until(lambda: not set(dead) & set(stack.worker_pids()), what="the killed are gone", seconds=30)
    ended = stack.finish(runs, seconds=120)
    tasks = "FROM orchestrator_task WHERE run_id = %s"
    lost = "FROM orchestrator_event WHERE run_id = %s AND kind = 'task.lost'"
    again = "FROM orchestrator_event WHERE run_id = %s AND kind = 'task.started' AND (data ->> 'attempt')::int > 1"
    first, last = stack.rows(f"SELECT min(at), max(at) {again}", runs[0])[0]
    return {
        "lost": stack.value(f"SELECT count(*) {tasks} AND status <> 'succeeded'", runs[0]),
        "repeated": stack.value(f"SELECT count(*) {again}", runs[0]),
        "in_flight": stack.value(f"SELECT count(*) {lost}", runs[0]),
        "recovery_s": (first - killed).total_seconds(),
        "all_again_s": (last - killed).total_seconds(),
        "seconds": (ended - began).total_seconds(),
    }


def halt(bench: Bench) -> Result:
    """Stop everything while 1,000 agents run and as many wait; each would take a minute."""
    running, repeats = bench.scaled(1000), bench.repeats(5)
    team = Team(workers=2, capacity=max(1, running // 2))
    with bench.running("halt", team) as stack:
        stack.publish("halt", definitions.side_by_side("halt", 2 * running, seconds=60.0))
        measured = [_halted(stack, team.workers * team.capacity) for _ in range(repeats)]
        last_start, start_spread = median_of([start for start, _ in measured])
        cancelled, cancelled_spread = median_of([all_cancelled for _, all_cancelled in measured])
        return bench.result(
            stack,
            parameters={"running": team.workers * team.capacity, "ready": 2 * running, "repeats": repeats},
            seconds=cancelled / 1000,
            figures={"last_start_ms": last_start, "all_cancelled_ms": cancelled},
            spread={"last_start_ms": start_spread, "all_cancelled_ms": cancelled_spread},
            basis_ms=cancelled,
        )


def _halted(stack: Stack, full: int) -> tuple[float, float]:
    """One global stop: how long after it the last task started and the last agent was cancelled."""
    runs, _, _ = stack.submit("halt")
    at_work = "SELECT count(*) FROM orchestrator_task WHERE status = 'running'"
    stack.until(lambda: stack.value(at_work) == full, what=f"{full} agents run", seconds=60)
    stop = services.stop(scope="everything", ref=None, by=None, reason="bench")
    try:
        stack.until(lambda: stack.value(at_work) == 0, what="all agents are cancelled", seconds=60)
        measured = "SELECT coalesce((effect ->> 'returned')::int, 0) FROM orchestrator_stop WHERE id = %s"
        stack.until(lambda: stack.value(measured, stop.pk) >= full, what="the stop is measured", seconds=30)
        late = stack.value(
            "SELECT extract(epoch FROM max(at) - %s) * 1000 FROM orchestrator_event"
            " WHERE kind = 'task.started' AND run_id = %s AND at > %s",
            stop.stopped_at, runs[0], stop.stopped_at,
        )  # fmt: skip
        effect = "SELECT (effect ->> 'all_cancelled_ms')::float8 FROM orchestrator_stop WHERE id = %s"
        cancelled_ms = stack.value(effect, stop.pk)
    finally:
        services.cancel_run(run_id=runs[0], by=None, reason="measured")
        services.lift_stop(stop_id=stop.pk, by=None, reason="measured")
    stack.quiet()
    return float(late or 0.0), float(cancelled_ms)
