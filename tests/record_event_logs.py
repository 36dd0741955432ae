"""Records this release's event logs as a fixture for every later one to agree with (scenario 35).

Once a release, with the next number, and committed: `RECORD_EVENT_LOGS=4 pytest tests/record_event_logs.py -n 0`.
What an earlier release recorded is never written again. A kind of event that came since is worth a workflow below.
Not collected otherwise: its name does not begin with `test_`.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth.models import User

from approvals import services as approvals
from approvals.models import Gate
from orchestrator import acts, services, signals
from orchestrator.engine import sweep
from orchestrator.models import TASK_BITS, Event, LedgerEntry, Run, Task
from orchestrator.replay import Fact, first_version
from orchestrator.snapshots import graph_of
from tests import factories, hands
from tests.engine import eventually, finished, publish, shift, start, statuses

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER: Final = os.environ.get("RECORD_EVENT_LOGS", "")
FIXTURES: Final = Path(__file__).parent / "fixtures"
MASK: Final = (1 << TASK_BITS) - 1

FAILS: Final = "type: automated, agent: test-flaky, inputs: {permanent: true}"
WAITS: Final = "- {key: a, type: wait_event, event: never}"
ASKS: Final = "- {key: a, type: automated, agent: test-echo}\n- {key: q, type: approval, subject: a, queue: reviewers}"
WORKFLOWS: Final = {
    "map": "- {key: m, type: map, over: input.items, body: {type: automated, agent: test-echo}}",
    "loop": "- {key: l, type: loop, until: 'round == 3', most: 5, body: {type: automated, agent: test-echo}}",
    "publishes": "- {key: a, type: automated, agent: test-echo, checkpoint: half, publishes: {signal: done}}",
    "waits": "- {key: w, type: wait_event, event: paid}\n- {key: t, type: timer, duration: 0.1s}",
    "keeps": "- {key: k, type: automated, agent: test-keeper,"
    " inputs: {times: 1, do: [[put, total, 1], [checkpoint, half], [add, total], [delete, total]]}}",
    "falls-back": "- {key: a, type: automated, agent: test-flaky, fallback: test-echo, inputs: {permanent: true}}",
    "partly": f"- {{key: a, {FAILS}, on_error: skip}}",
    "asks": ASKS,
    "sends-back": ASKS,
    "undoes": "- {key: a, type: automated, agent: test-echo, compensate: {agent: test-echo}}\n"
    f"- {{key: b, {FAILS}, retry: {{attempts: 1}}, on_error: fail}}",
    "retried": "- {key: a, type: automated, agent: test-flaky, retry: {attempts: 1}, on_error: fail,"
    " inputs: {times: 1}}\n- {key: b, type: automated, agent: test-echo}",
    "cancelled": "- {key: a, type: wait_event, event: never}\n- {key: b, type: automated, agent: test-echo}",
    "skips": "- {key: a, type: wait_event, event: never}\n- {key: b, type: automated, agent: test-echo}",
    "outer": "- {key: s, type: subworkflow, workflow: loop}",
    "migrated": WAITS,
    "rolled-back": f"- {{key: z, type: automated, agent: test-echo, checkpoint: half}}\n{WAITS}",
    "lost": "- {key: a, type: automated, agent: test-echo}",
}
REST: Final = {
    "asks": "dependencies: {q: [a]}",
    "sends-back": "dependencies: {q: [a]}",
    "undoes": "dependencies: {b: [a]}\nerror_handling: {on_failure: compensate}",
    "retried": "dependencies: {b: [a]}",
    "cancelled": "dependencies: {b: [a]}",
    "skips": "dependencies: {b: [a]}",
    "rolled-back": "dependencies: {a: [z]}",
}


def test_record() -> None:
    assert NUMBER, "say which number the file is to have: RECORD_EVENT_LOGS=4"
    file = FIXTURES / f"event_logs_{NUMBER}.json"
    assert not file.exists(), "a release never edits what another has recorded"
    by = factories.user("mia", "Workflow Orchestration Manager")
    for name, steps in WORKFLOWS.items():
        publish(steps, name=name, rest=REST.get(name, ""))

    lost = _lose_its_worker(start("lost"))
    with shift():
        runs = {"lost": lost, **{name: start(name, items=[1, 2, 3]) for name in WORKFLOWS if name != "lost"}}
        _steer(runs, by)
        runs["forked"] = _fork(runs["retried"], by)
        for run in runs.values():
            eventually(lambda run=run: finished(run))

    assert not hands.violations()
    lines = [json.dumps(_recorded(name, run), default=str) for name, run in runs.items()]
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def _lose_its_worker(run: Run) -> Run:
    hand = hands.Hand()
    assert hand.claim()
    hand.die()
    sweep.sweep_once()
    return run


def _fork(run: Run, by: User) -> Run:
    """From where its first step had succeeded: that is copied, the rest runs anew."""
    eventually(lambda: finished(run))
    at = Event.objects.filter(run=run, kind="task.succeeded").order_by("id").values_list("pk", flat=True)[0]
    eventually(lambda: _is_sealed(at))
    place = LedgerEntry.objects.get(event_id=at).pos
    return Run.objects.get(pk=_act(acts.of("run", run.pk), "fork", by, event=place).data["run"])


def _is_sealed(event: int) -> bool:
    """Whether it has a place in the ledger: none as long as an older transaction is under way."""
    hands.seal()
    return LedgerEntry.objects.filter(event_id=event).exists()


def _steer(runs: Mapping[str, Run], by: User) -> None:
    """What people do while the runs are under way."""
    for name in ("waits", "cancelled", "skips", "migrated", "rolled-back"):
        key = "w" if name == "waits" else "a"
        eventually(lambda name=name, key=key: statuses(runs[name])[key] == "waiting")
    _act(acts.of("run", runs["waits"].pk), "pause", by)
    _act(acts.of("run", runs["waits"].pk), "resume", by)
    _act(acts.of("run", runs["cancelled"].pk), "cancel", by)
    _act(acts.of("task", Task.objects.of_run(runs["skips"].pk).get(key="a").pk), "skip", by)
    signals.publish(name="paid", data={}, by=None, actor="feed")
    _decide(runs["asks"], "approve")
    _decide(runs["sends-back"], "request_changes")
    _decide(runs["sends-back"], "approve")
    publish(f"{WAITS}\n- {{key: b, type: automated, agent: test-echo}}", name="migrated", rest="dependencies: {b: [a]}")
    _act(acts.of("run", runs["migrated"].pk), "migrate", by, version="2")
    _act(acts.of("run", runs["rolled-back"].pk), "rollback", by, checkpoint=1)
    for name in ("migrated", "rolled-back"):
        eventually(lambda name=name: statuses(runs[name])["a"] == "waiting")
        _act(acts.of("task", Task.objects.of_run(runs[name].pk).get(key="a").pk), "deliver", by, data={})
    eventually(lambda: finished(runs["retried"]))
    services.retry_run(run_id=runs["retried"].pk, by=by, reason="to record it")


def _act(target: acts.Target, name: str, by: User, **answers: Any) -> acts.Done:
    act = acts.find(target.scope, name)
    digest = acts.preview(act, target, answers).digest
    return acts.perform(act, target, by=by, reason="to record it", answers=answers, digest=digest)


def _decide(run: Run, verdict: str) -> None:
    open_gates = Gate.objects.filter(run=run, status="open")
    eventually(open_gates.exists)
    gate = open_gates.get()
    approvals.decide(
        gate_id=gate.pk, by=hands.reviewer(), verdict=verdict, gate_version=gate.version, note="to record it"
    )


def _recorded(name: str, run: Run) -> dict[str, Any]:
    """A run's facts, its stored state, and the graphs that it had. Facts name tasks by their index."""
    run.refresh_from_db()
    facts = [
        [event.kind, None if event.task_id is None else event.task_id & MASK, event.data]
        for event in Event.objects.filter(run_id=run.pk).order_by("id")
    ]
    tasks = [[task.status, task.attempt] for task in Task.objects.of_run(run.pk).order_by("pk")]
    began = first_version([Fact(kind, task, data or {}) for kind, task, data in facts], run.version_id)
    dependencies, needs = graph_of(began)
    graph = {"dependencies": dependencies, "needs": needs}
    moved = {data["version"] for kind, _, data in facts if kind == "run.migrated"}
    graphs = {"graphs": {str(version): graph_of(version) for version in moved}} if moved else {}
    return {"name": name, **graph, **graphs, "facts": facts, "status": run.status, "tasks": tasks}
