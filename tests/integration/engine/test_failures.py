"""What follows when something fails: fallback agents, optional steps, partial success, and what undoes a run."""

import pytest

from agents.errors import Business, Permanent, Transient
from agents.registry import agent
from agents.types import Json
from approvals.models import Gate
from approvals.services import decide
from orchestrator import acts, services
from orchestrator.engine import outcomes
from orchestrator.invariants import violations
from orchestrator.models import Attempt, Event, Run, Task
from tests import engine, factories
from tests.engine import OPEN, eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)
MANAGER = "Workflow Orchestration Manager"


@agent(name="test-doomed", version=1, title="Doomed", input=OPEN, output=OPEN, capabilities=[])
async def doomed(input: dict[str, Json], ctx: object) -> dict[str, Json]:
    """Fail as told: "how" is transient, permanent or business; "heal" is a list that, filled, lets it work."""
    engine.calls.append((f"doomed {input.get('what', '')}".strip(), 0))
    if healed:
        return {"healed": True}
    match input.get("how", "transient"):
        case "permanent":
            raise Permanent("no such thing", code="hopeless")
        case "business":
            raise Business("the account is closed", code="account_closed")
    raise Transient("busy", code="busy", retry_after=0.01)


@agent(name="test-undo", version=1, title="Undo", input=OPEN, output=OPEN, capabilities=[])
async def undo(input: dict[str, Json], ctx: object) -> dict[str, Json]:
    """Undo, unless told that it cannot."""
    engine.calls.append((f"undo {input['what']}", 0))
    if input.get("stuck") and not healed:
        raise Permanent("it cannot be undone", code="stuck")
    return {"undone": input}


healed: list[bool] = []


@pytest.fixture(autouse=True)
def _ill() -> None:
    healed.clear()


def run_to_end(**given: object) -> Run:
    run = start(**given)
    with shift():
        eventually(lambda: finished(run))
    return run


def kinds(run: Run) -> list[str]:
    return list(Event.objects.filter(run_id=run.pk).order_by("id").values_list("kind", flat=True))


def test_transient_failure_used_up_asks_people_with_its_history() -> None:
    publish("  - {key: a, type: automated, agent: test-doomed, retry: {attempts: 2, base: 0.01}}")
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists())

    gate = Gate.objects.get(run=run)
    assert (gate.kind, gate.allowed) == ("exception", ["retry", "skip", "reject", "terminate"])
    assert gate.subject["proposal"]["error"] == {
        "kind": "transient", "code": "busy", "message": "busy", "attempts": 2,
    }  # fmt: skip
    assert gate.rule == "transient error after 2 of 2 tries, on_error: escalate"
    assert task(run, "a").error["attempts"] == 2
    assert not list(violations())


def test_errors_keep_their_class_and_stack_apart_from_what_everybody_sees() -> None:
    publish("  - {key: a, type: automated, agent: test-doomed, inputs: {how: permanent}}")

    run = run_to_end()

    error = Attempt.objects.get(task_id=task(run, "a").pk).error
    assert error["class"] == "Permanent"
    assert "test_failures.py" in error["stack"]
    assert "no such thing" not in error["stack"]
    assert run.error == {
        "kind": "permanent", "code": "hopeless", "message": "no such thing", "attempts": 1, "step": "a",
    }  # fmt: skip


@pytest.mark.parametrize("how", ["transient", "permanent"])
def test_fallback_agent_does_it_after_the_first_ones_last_failure(how: str) -> None:
    publish(
        "  - {key: a, type: automated, agent: test-doomed, fallback: test-echo@1, on_error: fail,"
        f" inputs: {{how: {how}}}, retry: {{attempts: 2, base: 0.01}}}}"
    )

    run = run_to_end()

    done = task(run, "a")
    assert (run.status, done.output["how"], done.agent.name) == ("succeeded", how, "test-echo")
    assert done.spec["fell_back"]["from"] == "test-doomed"
    told = Event.objects.get(run_id=run.pk, kind="task.fell_back").data
    code = "busy_after_2_attempts" if how == "transient" else "hopeless"
    assert (told["from"], told["to"], told["code"]) == ("test-doomed", "test-echo", code)
    assert not list(violations())


def test_fallback_that_fails_too_has_no_further_fallback() -> None:
    publish(
        "  - {key: a, type: automated, agent: test-flaky, fallback: test-doomed, on_error: fail,"
        " inputs: {permanent: true, how: permanent}}"
    )

    run = run_to_end()

    assert (run.status, run.error["code"], task(run, "a").attempt) == ("failed", "hopeless", 2)


def test_optional_step_that_fails_leaves_the_run_a_success() -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-doomed, optional: true, inputs: {how: permanent}}
  - {key: b, type: automated, agent: test-echo}
"""
    )

    run = run_to_end()

    assert (run.status, run.failed, run.outcome) == ("succeeded", 1, None)
    assert statuses(run) == {"a": "failed", "b": "succeeded"}
    assert not list(violations())


PARTIAL = """
  - {key: slow, type: automated, agent: test-doomed, title: Slow look-up, on_error: skip,
     inputs: {how: permanent}, timeout: 5s}
  - {key: sure, type: automated, agent: test-echo, inputs: {confidence: 0.9}}
  - {key: end, type: automated, agent: test-echo, inputs: {what: end, confidence: 0.7}}
"""


def test_run_that_lacks_a_result_ends_in_part_and_says_what_and_what_to_do() -> None:
    publish(PARTIAL, rest="dependencies: {end: [slow, sure]}")

    run = run_to_end()

    assert (run.status, kinds(run)[-1]) == ("partial", "run.partly_succeeded")
    found = outcomes.payload(run)
    assert found is not None
    assert found["status"] == "partial_success"
    assert found["completed_agents"] == ["test-echo"]
    assert found["failed_agents"] == [
        {
            "agent": "test-doomed", "step": "slow", "error": "hopeless", "message": "no such thing",
            "impact": "Slow look-up gave nothing to End, which went on without it or did not run.",
        }
    ]  # fmt: skip
    assert list(found["results"]) == ["end"]
    assert found["confidence"] == 0.53  # (0.9 + 0.7) / 2 * 2 / 3
    assert [each["act"] for each in found["recommendations"]] == ["manual_review"]
    assert not list(violations())


def test_partial_run_retried_does_what_is_missing_and_what_came_after_again() -> None:
    publish(PARTIAL, rest="dependencies: {end: [slow, sure]}")
    run = run_to_end()
    healed.append(True)

    services.retry_run(run_id=run.pk, by=factories.user("mia", MANAGER), reason="it is back")
    with shift():
        eventually(lambda: finished(run))

    assert (run.status, run.failed, run.outcome) == ("succeeded", 0, None)
    assert {each.key: each.attempt for each in Task.objects.of_run(run.pk)} == {"slow": 2, "sure": 1, "end": 2}
    assert not list(violations())


def test_step_that_timed_out_is_tried_again_with_more_time_by_one_act() -> None:
    publish(
        "  - {key: a, type: automated, agent: test-patient, timeout: 1s, on_error: skip, retry: {attempts: 1}}\n"
        "  - {key: b, type: automated, agent: test-echo}"
    )
    run = run_to_end()
    recommended = outcomes.payload(run)["recommendations"][0]  # type: ignore[index]
    assert (recommended["act"], recommended["timeout"]) == ("retry_longer", 2.0)
    engine.gates_open.set()

    target = acts.of("task", recommended["task"])
    acts.perform(acts.find("task", recommended["act"]), target, by=factories.user("mia", MANAGER), reason="more time")
    with shift():
        eventually(lambda: finished(run))
    engine.gates_open.clear()

    assert run.status == "succeeded"
    assert task(run, "a").spec["step"]["timeout"] == 2.0
    assert not list(violations())


def test_missing_step_may_be_made_good_by_people() -> None:
    publish(PARTIAL, rest="dependencies: {end: [slow, sure]}")
    run = run_to_end()
    by, reviewer = factories.user("mia", MANAGER), factories.user("rev", "Human Oversight Coordinator")

    acts.perform(acts.find("task", "manual_review"), acts.of("task", task(run, "slow").pk), by=by, reason="ask")
    gate = Gate.objects.get(run=run, status="open")
    assert (gate.allowed, task(run, "end").status) == (["retry", "edit", "skip"], "blocked")
    decide(gate_id=gate.pk, by=reviewer, verdict="edit", gate_version=gate.version, note="by hand", edited={"n": 1})
    with shift():
        eventually(lambda: finished(run))

    assert (run.status, task(run, "slow").output) == ("succeeded", {"n": 1})
    assert not list(violations())


SAGA = """
  - {key: book, type: automated, agent: test-echo, inputs: {what: book, ref: 7},
     compensate: {agent: test-undo,
       inputs: {what: book, ref: "${output.ref}", asked: "${given.what}", of: "${input.n}"}}}
  - {key: pay, type: automated, agent: test-echo, inputs: {what: pay},
     compensate: {agent: test-undo, inputs: {what: pay, stuck: "${input.stuck}"}}}
  - {key: note, type: automated, agent: test-echo, inputs: {what: note}}
  - {key: ship, type: automated, agent: test-doomed, on_error: fail, inputs: {how: "${input.how}"},
     compensate: {agent: test-undo, inputs: {what: ship}}}
"""
REST = """
dependencies: {pay: [book], note: [pay], ship: [note]}
configuration: {input: {type: object, properties: {n: {}, stuck: {}, how: {}}}}
error_handling: {%s}
"""


def undone() -> list[str]:
    return [what for what, _ in engine.calls if what.startswith("undo")]


def test_failed_saga_undoes_what_was_done_in_reverse_order_and_keeps_the_first_error() -> None:
    publish(SAGA, rest=REST % "on_failure: compensate")

    run = run_to_end(n=3, stuck=False, how="permanent")

    assert (run.status, run.error["code"], run.error["step"]) == ("failed", "hopeless", "ship")
    assert undone() == ["undo pay", "undo book"]
    given = task(run, "undo_book").input
    assert given == {"what": "book", "ref": 7, "asked": "book", "of": 3}
    story = kinds(run)
    assert story.index("task.failed") < story.index("run.compensating") < story.index("run.failed")
    assert (run.remaining, run.total) == (0, 6)
    assert not list(violations())


def test_failed_compensation_asks_people_and_does_not_stop_the_rest() -> None:
    publish(SAGA, rest=REST % "on_failure: compensate")
    run = start(n=3, stuck=True, how="permanent")
    with shift():
        eventually(lambda: statuses(run).get("undo_book") == "succeeded")
        gate = Gate.objects.get(run=run, status="open")
        run.refresh_from_db()
        assert (run.status, undone()) == ("compensating", ["undo pay", "undo book"])
        assert (gate.step, gate.allowed) == ("undo_pay", ["retry", "skip"])
        assert not list(violations())

        healed.append(True)
        reviewer = factories.user("rev", "Human Oversight Coordinator")
        decide(gate_id=gate.pk, by=reviewer, verdict="retry", gate_version=gate.version, note="the bank is back")
        eventually(lambda: finished(run))

    assert (run.status, run.error["code"]) == ("failed", "hopeless")
    assert undone() == ["undo pay", "undo book", "undo pay"]
    assert not list(violations())


def test_business_error_is_not_retried_undoes_and_tells_the_business_owner() -> None:
    publish(SAGA, rest=REST % "business_queue: operations")
    run = start(n=3, stuck=False, how="business")
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists() and statuses(run)["undo_book"] == "succeeded")
        gate = Gate.objects.get(run=run)
        assert (gate.queue.name, gate.allowed) == ("operations", ["complete"])
        assert "the account is closed" in gate.title
        reviewer = factories.user("rev", "Human Oversight Coordinator")
        decide(gate_id=gate.pk, by=reviewer, verdict="complete", gate_version=gate.version, edited={"resolution": "ok"})
        eventually(lambda: finished(run))

    assert (run.status, run.error["code"]) == ("failed", "account_closed")
    assert [what for what, _ in engine.calls if what.startswith("doomed")] == ["doomed"]
    assert not list(violations())


def test_run_cancelled_with_undo_is_cancelled_when_all_is_undone() -> None:
    publish(SAGA.replace("agent: test-doomed", "agent: test-patient"), rest=REST % "on_failure: stop")
    run = start(n=1, stuck=False, how="")
    by = factories.user("mia", MANAGER)
    with shift():
        eventually(lambda: statuses(run)["ship"] == "running")
        acts.perform(acts.find("run", "undo"), acts.of("run", run.pk), by=by, reason="wrong customer")
        eventually(lambda: finished(run))

    assert (run.status, undone()) == ("cancelled", ["undo pay", "undo book"])
    assert Event.objects.get(run_id=run.pk, kind="run.cancelled").data["reason"] == "wrong customer"
    assert not list(violations())


def test_undone_run_retried_does_what_was_undone_again() -> None:
    publish(SAGA, rest=REST % "on_failure: compensate")
    run = run_to_end(n=3, stuck=False, how="permanent")
    healed.append(True)

    services.retry_run(run_id=run.pk, by=factories.user("mia", MANAGER), reason="again")
    with shift():
        eventually(lambda: finished(run))

    assert run.status == "succeeded"
    attempts = {each.key: each.attempt for each in Task.objects.of_run(run.pk)}
    assert attempts == {"book": 2, "pay": 2, "note": 2, "ship": 2, "undo_pay": 1, "undo_book": 1}
    assert not list(violations())
