"""A run begins: its tasks, its deadline and, over a limit, its place in the queue. In the caller's transaction."""

from datetime import timedelta

from agents import tracing
from orchestrator import db, events
from orchestrator.db import RunOrder
from orchestrator.engine import admission, deadlines, single
from orchestrator.engine.plans import plan_of


def begin(order: RunOrder, *, full: tuple[str, int] | None = None) -> int:
    """Start a run, whoever or whatever asked for it, and return its id; `full` is the limit that it is over."""
    run_id = db.start_run(order)
    single.take_over(run_id, order.workflow, order.version)
    if (trace := tracing.current()) and trace.trace_id == order.correlation:
        events.append("run.traced", actor="engine", run_id=run_id, data={"parent": trace.span_id})
    if length := plan_of(order.version).deadline_s:
        deadlines.set_deadline(run_id, db.clock() + timedelta(seconds=length))
    if full:
        admission.queue(run_id, reason=f"{full[0]} is at its limit of {full[1]}.")
    return run_id
