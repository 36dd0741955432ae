"""The run's shared state: versions, who may write what, and that every write is applied once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from agents.errors import AttemptOver
from orchestrator import domain_events
from orchestrator.db import Claimed
from orchestrator.engine import run_state, threads, transitions
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.memory import TaskMemory
from orchestrator.engine.plans import plan_of
from orchestrator.engine.run_state import Write
from orchestrator.errors import StaleState, StateNotWritten
from orchestrator.invariants import violations
from orchestrator.models import Checkpoint, Event, Run, StateEntry
from orchestrator.states import RunStatus
from tests import engine
from tests.engine import eventually, finished, publish, shift, start, task

pytestmark = pytest.mark.django_db(transaction=True)

ONE = '- {key: a, type: automated, agent: %s, inputs: {do: "${input.do}"%s}%s}'


def run_one(do: list[list[object]], *, agent: str = "test-keeper", inputs: str = "", more: str = "") -> Run:
    publish(ONE % (agent, inputs, more))
    made = start(do=do)
    with shift():
        eventually(lambda: finished(made))
    return made


def entries(run: Run) -> list[tuple[str, int, object]]:
    return list(StateEntry.objects.filter(run=run).order_by("id").values_list("key", "version", "value"))


def written(run: Run, change: Write, writer: str = "user:ada") -> int:
    with transaction.atomic():
        transitions.lock_run(run.pk)
        return run_state.write(run.pk, change, writer=writer)


def test_what_an_agent_discovers_is_told_once_and_listed_in_order():
    """Requirements D012 and D013; D043 for the name."""
    run = run_one([["discover", "port open", 0.9], ["discover", "mail relay", None], ["discover", "port open", 0.1],
                   ["discover", "x", 1.5], ["discover", " ", 0.5], ["discover", "y" * 2001, 0.5]])  # fmt: skip

    ((key, version, listed),) = entries(run)[-1:]
    assert (key, version) == ("a.findings", 2)
    assert [(one["finding"], one["confidence"], one["agent_id"]) for one in listed] == [
        ("port open", 0.9, "test-keeper"), ("mail relay", None, "test-keeper"),
    ]  # fmt: skip
    assert task(run, "a").output["refused"] == ["state_refused"] * 3
    told = [event.data for event in Event.objects.filter(run_id=run.pk, kind="finding.discovered").order_by("id")]
    assert [(one["number"], one["confidence"], one["timestamp"]) for one in told] == [
        (n, one["confidence"], one["timestamp"]) for n, one in enumerate(listed, 1)
    ]
    assert domain_events.name_of("finding.discovered") == "agent_orchestration.FINDING_DISCOVERED"
    assert not list(violations())


def test_an_agent_writes_versions_of_its_own_keys():
    run = run_one([["put", "draft", {"n": 1}, 0], ["put", "draft", {"n": 2}, 1], ["delete", "draft"]])

    assert run.status == RunStatus.SUCCEEDED
    assert entries(run) == [("a.draft", 1, {"n": 1}), ("a.draft", 2, {"n": 2}), ("a.draft", 3, None)]
    assert run_state.current(run.pk, "a.draft") is None
    assert set(StateEntry.objects.values_list("writer", "task")) == {("agent:test-keeper", task(run, "a").pk)}
    assert not list(violations())


def test_a_stale_write_is_refused_and_names_version_and_writer():
    publish(ONE % ("test-echo", "", ""))
    run = start(do=[])
    written(run, Write("shared.x", 1, expected=0))

    with pytest.raises(StaleState, match="version 1, written by user:ada; you saw 0"):
        written(run, Write("shared.x", 2, expected=0), writer="user:bob")

    assert entries(run) == [("shared.x", 1, 1)]


@pytest.mark.parametrize(
    ("key", "more", "refused"),
    [
        ("b.x", "", ["state_refused"]),
        ("shared.x", "", ["state_refused"]),
        ("shared.x", ", shares: [y]", ["state_refused"]),
        ("shared.x", ", shares: [x]", []),
        ("spaces are no name", "", ["state_refused"]),
    ],
)
def test_an_agent_writes_only_its_own_namespace_and_what_is_declared_shared(key, more, refused):
    run = run_one([["put", key, 1]], more=more)

    assert task(run, "a").output["refused"] == refused
    assert len(entries(run)) == 1 - len(refused)


def test_a_second_attempt_repeats_no_write():
    run = run_one([["put", "x", 1, 0], ["put", "x", 2, 1], ["checkpoint", "half"]], inputs=", times: 2")

    assert task(run, "a").attempt == 3
    assert task(run, "a").output["refused"] == []
    assert entries(run) == [("a.x", 1, 1), ("a.x", 2, 2)]
    assert Checkpoint.objects.filter(run=run).count() == 1
    assert not list(violations())


def test_a_replaced_attempt_writes_nothing():
    version = publish(ONE % ("test-patient", "", ""))
    run = start(do=[])
    pk = task(run, "a").pk
    with shift() as working:
        eventually(lambda: working.holds(pk))
        plan = plan_of(version.pk)
        claimed = Claimed(pk, run.pk, version.pk, 7, 0, 0, "", None)
        memory = TaskMemory(Assignment(claimed, plan, plan.steps[0], {}, ""), in_thread=threads.database)

        with pytest.raises(AttemptOver):
            asyncio.run(memory.ask("put", {"key": "x", "value": 1, "expected": None, "reason": ""}))

        engine.gates_open.set()
    assert entries(run) == []


def test_twelve_writers_at_once_have_one_winner_a_version():
    publish(ONE % ("test-echo", "", ""))
    run = start(do=[])
    begin = threading.Barrier(12)
    rounds = 5

    def writer(number: int) -> int:
        won = 0
        try:
            for version in range(rounds):
                begin.wait(20)
                try:
                    written(run, Write("shared.x", number, expected=version), writer=f"user:w{number}")
                    won += 1
                except StaleState:
                    continue
        finally:
            connections.close_all()
        return won

    with ThreadPoolExecutor(12) as pool:
        wins = list(pool.map(writer, range(12)))

    assert sum(wins) == rounds
    assert [version for _, version, _ in entries(run)] == [1, 2, 3, 4, 5]
    assert Event.objects.filter(run=run, kind="state.written").count() == rounds
    assert not list(violations())


def test_a_value_that_is_too_large_is_refused_and_changes_nothing():
    publish(ONE % ("test-echo", "", ""))
    run = start(do=[])

    with pytest.raises(StateNotWritten, match="more than 65,536"):
        written(run, Write("shared.x", "x" * 70_000))

    assert entries(run) == []


def test_an_agent_in_a_process_of_its_own_has_the_same_memory():
    run = run_one([], agent="test-apart")

    assert task(run, "a").output == {"version": 1, "checkpoint": 1}
    assert entries(run) == [("a.kept", 1, 1)]


def test_an_altered_value_is_found():
    run = run_one([["put", "x", 1]])
    StateEntry.objects.filter(run=run).update(value=2)

    assert [found.rule for found in violations()] == ["state is what its events say", "replay"]
