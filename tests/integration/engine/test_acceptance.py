"""Acceptance lines that no other test holds word by word (docs/engine-ids.md)."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from agents.models import Agent
from agents.registry import agent
from agents.types import Completed, Json, Usage
from approvals.models import Gate
from orchestrator.engine import budgeting
from orchestrator.invariants import violations
from orchestrator.models import Budget, Event, Run, StateEntry
from tests import engine, people
from tests.engine import OPEN, eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)


@agent(name="test-glutton", version=1, title="Glutton", input=OPEN, output=OPEN, capabilities=["eat"])
async def glutton(input: dict[str, Any], ctx: Any) -> Completed:
    """Uses 60 tokens and a tenth of a second a call."""
    engine.calls.append(("eat", ctx.attempt))
    await asyncio.sleep(0.1)
    return Completed(output={}, usage=Usage(60, 0))


def events_of(run: Run) -> list[tuple[str, str]]:
    """What happened to which step, in order."""
    keys = {pk: key for key, pk in ((key, task(run, key).pk) for key in statuses(run))}
    rows = Event.objects.filter(run_id=run.pk, task_id__isnull=False).order_by("id").values_list("task_id", "kind")
    return [(keys[pk], kind) for pk, kind in rows]


def test_four_steps_run_strictly_one_after_the_other() -> None:
    """A007: none starts before the one ahead of it has succeeded; the event log says so."""
    publish(
        "\n".join(f"  - {{key: {key}, type: automated, agent: test-echo}}" for key in "abcd"),
        rest="dependencies: {b: [a], c: [b], d: [c]}",
    )
    run = start()
    with shift():
        eventually(lambda: finished(run))

    told = events_of(run)
    for ahead, behind in pairwise("abcd"):
        assert told.index((ahead, "task.succeeded")) < told.index((behind, "task.started"))


def test_three_branches_run_at_the_same_time_and_what_joins_them_has_all_three_outputs_once() -> None:
    """A008, C017, D008: they wait for a door that opens only when all three have begun."""
    branches = "\n".join(f"  - {{key: {key}, type: automated, agent: test-patient}}" for key in ("b", "c", "d"))
    publish(
        "  - {key: a, type: automated, agent: test-echo}\n" + branches + "\n"
        '  - {key: e, type: automated, agent: test-echo, inputs: {all: ["${steps.b.waited}", "${steps.c.waited}",'
        ' "${steps.d.waited}"]}}',
        rest="dependencies: {b: [a], c: [a], d: [a], e: [b, c, d]}",
    )
    engine.gates_open.clear()
    run = start()
    with shift():
        eventually(lambda: [statuses(run)[key] for key in "bcd"] == ["running"] * 3)
        assert statuses(run)["e"] == "blocked"
        engine.gates_open.set()
        eventually(lambda: finished(run))
    engine.gates_open.clear()

    told = events_of(run)
    assert told.count(("e", "task.started")) == 1
    assert task(run, "e").output["all"] == [True, True, True]


def test_branches_write_side_by_side_each_under_its_own_name() -> None:
    """A008: no branch can touch another's keys."""
    do = "{do: [[put, x, 1], [put, x, 2]]}"
    publish(
        "\n".join(f"  - {{key: {key}, type: automated, agent: test-keeper, inputs: {do}}}" for key in ("b", "c", "d"))
    )
    run = start()
    with shift():
        eventually(lambda: finished(run))

    written = StateEntry.objects.filter(run=run).values_list("key", "version", "writer")
    assert {(key, version) for key, version, _ in written} == {(f"{key}.x", n) for key in "bcd" for n in (1, 2)}
    assert run.status == "succeeded"


@pytest.mark.parametrize(
    ("resource", "limit", "calls"), [("documents", 5, 1), ("tokens", 100, 2), ("minutes", 0.001, 1), ("calls", 3, 3)]
)
def test_each_of_an_agents_four_limits_stops_it_and_is_named(resource: str, limit: float, calls: int) -> None:
    """D016: three documents, 60 tokens and a tenth of a second a call."""
    steps = [
        f"  - {{key: k{n}, type: automated, agent: test-glutton, inputs: {{documents: [1, 2, 3]}}}}" for n in range(5)
    ]
    publish("\n".join(steps), rest="dependencies: {k1: [k0], k2: [k1], k3: [k2], k4: [k3]}")
    budgeting.view.forget()
    engine.calls.clear()
    who = Agent.objects.get(name="test-glutton")
    Budget.objects.create(scope="run_agent", ref=0, agent=who, resource=resource, limit=limit)
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())

    told = Event.objects.get(run_id=run.pk, kind="budget.exceeded").data
    assert told["words"] == f"{resource} of test-glutton in run {run.pk}"
    assert len(engine.calls) == calls
    assert f"budget_exceeded: {resource} of test-glutton" in str(Gate.objects.get(run=run).subject)
    assert not list(violations())


def test_manual_step_waits_seven_days_by_default_and_ends_as_timed_out() -> None:
    """C038, C040: its deadline is computed when it opens, and the configured path runs when it has passed."""
    publish(
        "  - {key: fill, type: manual, queue: operations, form: {type: object}, gate: {on_timeout: reject},"
        " on_error: skip}\n"
        "  - {key: soon, type: manual, queue: operations, form: {type: object}, deadline: 1h}\n"
        "  - {key: after, type: automated, agent: test-echo}",
        rest="dependencies: {after: [fill]}",
    )
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").count() == 2)
        gates = {task(run, key).pk: key for key in ("fill", "soon")}
        waits = {gates[gate.task_id]: gate.deadline_at - gate.opened_at for gate in Gate.objects.filter(run=run)}
        assert abs(waits["fill"] - timedelta(days=7)) < timedelta(seconds=5)
        assert abs(waits["soon"] - timedelta(hours=1)) < timedelta(seconds=5)
        people.deadline(Gate.objects.get(run=run, task_id=task(run, "fill").pk))
        eventually(lambda: statuses(run)["fill"] != "waiting")

    error: dict[str, Json] = task(run, "fill").error
    assert error["code"] == "timed_out"
    assert "7 days" in str(error["message"])
