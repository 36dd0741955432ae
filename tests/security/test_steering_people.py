"""Steering decides nothing for people: no act, fork, migration or retry gets a step past those who are asked."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from approvals import services as desk
from approvals.models import Gate
from orchestrator import acts, sequencer, services, signals
from orchestrator.engine import sweep
from orchestrator.errors import OrchestratorError
from orchestrator.invariants import violations
from orchestrator.models import Event, LedgerEntry, Run
from tests import engine, people
from tests.engine import eventually, finished, publish, shift, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)

PAID = """
- {key: draft, type: automated, agent: test-echo, inputs: {what: drafted, amount: "${input.amount}"}}
- {key: approve, type: approval, subject: draft, queue: oncall, title: "Pay?"}
- {key: pay, type: automated, agent: test-patient, inputs: {what: pay, amount: "${input.amount}"}}
"""
PAID_ORDER = "dependencies: {approve: [draft], pay: [approve]}"
APPROVAL = 'type: approval, subject: draft, queue: oncall, title: "Pay?"'
UNASKED = PAID.replace(APPROVAL, "type: automated, agent: test-echo")
SURE = """
- {key: a, type: automated, agent: test-echo, inputs: {confidence: "${input.sure}"},
   gate: {when: "confidence < 0.8", queue: oncall, title: "Use it?"}}
"""


@pytest.fixture
def mia() -> User:
    """Starts and steers runs."""
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def rita() -> User:
    """Decides."""
    return people.person("rita", "Reviewer", decides=people.queue())


@pytest.fixture(autouse=True)
def _invariants() -> Iterator[None]:
    engine.gates_open.clear()
    engine.calls.clear()
    yield
    engine.gates_open.set()
    assert [str(found) for found in violations()] == []


def begun(by: User, **given: Any) -> Run:
    return services.start_run(workflow="flow", input=given, by=by)


def act(target: Run, name: str, by: User, key: str = "", **answers: Any) -> acts.Done:
    scope, ref = ("task", task(target, key).pk) if key else ("run", target.pk)
    return acts.perform(acts.find(scope, name), acts.of(scope, ref), by=by, reason="because", answers=answers)


def write_state(run: Run, by: User, answers: dict[str, Any]) -> None:
    acts.perform(acts.find("run", "write-state"), acts.of("run", run.pk), by=by, reason="because", answers=answers)


def is_open(run: Run, key: str = "approve") -> bool:
    return Gate.objects.filter(run_id=run.pk, step=key, status="open").exists()


def decide(run: Run, verdict: str, by: User, key: str = "approve") -> None:
    eventually(lambda: is_open(run, key))
    gate = Gate.objects.get(run_id=run.pk, step=key, status="open")
    desk.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=gate.version, note="so be it")


def newest(run: Run) -> int:
    with sequencer.connect() as own:
        sequencer.seal_all(own)
    return LedgerEntry.objects.get(event_id=Event.objects.filter(run=run).latest("id").pk).pos


def test_a_fork_with_another_input_asks_again_what_was_approved(mia: User, rita: User) -> None:
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        decide(run, "approve", rita)
        eventually(lambda: task(run, "pay").status == "running")

        fork = Run.objects.get(pk=act(run, "fork", mia, event=newest(run), input={"amount": 1_000_000}).data["run"])

        eventually(lambda: is_open(fork))
        assert statuses(fork) == {"draft": "succeeded", "approve": "waiting", "pay": "blocked"}
        assert task(fork, "draft").attempt == 0
        engine.gates_open.set()
        eventually(lambda: finished(run))
        assert task(fork, "pay").status == "blocked"


def test_whoever_approved_cannot_fork_their_own_approval(mia: User, rita: User) -> None:
    engine.gates_open.set()
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        decide(run, "approve", rita)
        eventually(lambda: finished(run))

        fork = Run.objects.get(pk=act(run, "fork", rita, event=newest(run)).data["run"])
        eventually(lambda: is_open(fork))

        with pytest.raises(desk.SeparationOfDuties):
            decide(fork, "approve", rita)


def test_a_fork_into_a_version_that_asks_less_is_refused(mia: User) -> None:
    publish(UNASKED, rest=PAID_ORDER)
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        eventually(lambda: is_open(run))

        with pytest.raises(OrchestratorError, match="approve"):
            act(run, "fork", mia, event=newest(run), version=1)


def test_a_run_waiting_for_people_is_not_moved_to_a_version_that_does_not_ask_them(mia: User) -> None:
    publish(SURE.replace('gate: {when: "confidence < 0.8", queue: oncall, title: "Use it?"}', "timeout: 60"))
    publish(SURE)
    run = begun(mia, sure=0.1)
    with shift():
        eventually(lambda: is_open(run, "a"))

        with pytest.raises(OrchestratorError, match="asked"):
            act(run, "migrate", people.person("olaf", "Workflow Orchestration Manager"), version="1")

    assert is_open(run, "a")


def test_who_started_a_run_does_not_void_its_open_question_by_moving_it(mia: User) -> None:
    publish(SURE)
    publish(SURE.replace("confidence < 0.8", "confidence < 0.05"))
    run = services.start_run(workflow="flow", input={"sure": 0.1}, by=mia)
    act(run, "migrate", mia, version="1")
    with shift():
        eventually(lambda: is_open(run, "a"))

        with pytest.raises(OrchestratorError, match="somebody else"):
            act(run, "migrate", mia, version="2")

    assert is_open(run, "a")


def test_who_started_a_run_does_not_move_it_to_a_version_that_asks_less(mia: User) -> None:
    publish(UNASKED, rest=PAID_ORDER)
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)

    with pytest.raises(OrchestratorError, match="somebody else"):
        act(run, "migrate", mia, version="1")
    target = acts.of("run", run.pk)
    preview = acts.preview(acts.find("run", "migrate"), target, {"version": "1"})
    assert "approve" in preview.plan.warnings[0]
    act(run, "migrate", people.person("olaf", "Workflow Orchestration Manager"), version="1")

    run.refresh_from_db()
    assert run.version.number == 1


@pytest.mark.parametrize("name", ["skip", "cancel"])
def test_ending_a_step_does_not_pass_its_approval_by(name: str, mia: User) -> None:
    steps = """
- {key: draft, type: automated, agent: test-patient}
- {key: lookup, type: automated, agent: test-echo}
- {key: approve, type: approval, subject: draft, queue: oncall, title: "Pay?"}
- {key: pay, type: automated, agent: test-echo, inputs: {what: pay}}
"""
    publish(steps, rest="dependencies: {approve: [draft], pay: [approve, lookup]}")
    run = begun(mia)
    with shift() as working:
        eventually(lambda: working.holds(task(run, "draft").pk) and task(run, "lookup").status == "succeeded")

        with pytest.raises(OrchestratorError, match="approve"):
            act(run, name, mia, "draft")

        assert statuses(run)["approve"] == "blocked"
        engine.gates_open.set()
        eventually(lambda: is_open(run))


def test_a_failed_step_is_not_skipped_past_its_approval(mia: User) -> None:
    steps = """
- {key: lookup, type: automated, agent: test-echo}
- {key: draft, type: automated, agent: test-flaky, inputs: {permanent: true}}
- {key: approve, type: approval, subject: draft, queue: oncall, title: "Pay?"}
- {key: pay, type: automated, agent: test-echo, inputs: {what: pay}}
"""
    publish(steps, rest="dependencies: {draft: [lookup], approve: [draft], pay: [approve, lookup]}")
    run = begun(mia)
    with shift():
        eventually(lambda: finished(run))

    with pytest.raises(OrchestratorError, match="approve"):
        act(run, "skip", mia, "draft")

    run.refresh_from_db()
    assert run.status == "failed"


def test_cancelling_an_agents_steps_leaves_alone_what_an_approval_hangs_on(mia: User) -> None:
    steps = """
- {key: draft, type: automated, agent: test-patient}
- {key: lookup, type: automated, agent: test-echo}
- {key: approve, type: approval, subject: draft, queue: oncall, title: "Pay?"}
- {key: pay, type: automated, agent: test-echo, inputs: {what: pay}}
"""
    publish(steps, rest="dependencies: {approve: [draft], pay: [approve, lookup]}")
    run = begun(mia)
    with shift() as working:
        eventually(lambda: working.holds(task(run, "draft").pk) and task(run, "lookup").status == "succeeded")

        with pytest.raises(OrchestratorError, match="no step that could be cancelled"):
            acts.perform(acts.find("agent", "cancel"), acts.locate("agent", "test-patient"), by=mia, reason="because")

        engine.gates_open.set()
        eventually(lambda: is_open(run))


MAPPED = """
- key: each
  type: map
  over: input.items
  body: {type: automated, agent: test-echo, gate: {when: "true", queue: oncall, title: "Use it?"}}
"""


def test_a_map_that_asks_people_is_not_skipped_with_an_output_of_ones_own(mia: User) -> None:
    publish(MAPPED)
    run = begun(mia, items=[1])
    with shift():
        eventually(lambda: is_open(run, "each.0"))

        with pytest.raises(OrchestratorError, match="People are asked"):
            act(run, "skip", mia, "each", output={"items": ["forged"]})


def test_a_run_that_asks_people_is_not_replaced_by_an_output_of_ones_own(mia: User) -> None:
    publish(SURE, name="child")
    publish("- {key: sub, type: subworkflow, workflow: child, inputs: {sure: 0.1}}")
    run = begun(mia)
    with shift():
        eventually(lambda: Gate.objects.filter(step="a", status="open").exists())

        with pytest.raises(OrchestratorError, match="People are asked"):
            act(run, "skip", mia, "sub", output={"a": "forged"})


@pytest.mark.parametrize(
    ("name", "answers"),
    [("edit", {"input": {"confidence": 0.99}}), ("redirect", {"agent": "test-payer"}), ("restart", {})],
)
def test_a_step_that_people_were_asked_about_asks_again_whatever_it_says_now(
    name: str, answers: dict[str, Any], mia: User
) -> None:
    publish(SURE.replace("confidence < 0.8", "confidence < 0.8 || false") if name == "restart" else SURE)
    run = begun(mia, sure=0.1)
    with shift():
        eventually(lambda: is_open(run, "a"))

        act(run, name, mia, "a", **answers)
        eventually(lambda: Gate.objects.filter(run_id=run.pk).count() == 2 or finished(run))

    assert [gate.status for gate in Gate.objects.filter(run_id=run.pk).order_by("id")] == ["withdrawn", "open"]


def test_a_rejected_step_that_is_tried_again_with_another_input_asks_again(mia: User, rita: User) -> None:
    publish(SURE)
    run = begun(mia, sure=0.1)
    with shift():
        decide(run, "reject", rita, "a")
        eventually(lambda: finished(run))

        act(run, "edit", mia, "a", input={"confidence": 0.99})
        eventually(lambda: is_open(run, "a") or finished(run))

    assert [gate.status for gate in Gate.objects.filter(run_id=run.pk).order_by("id")] == ["rejected", "open"]


def test_what_an_agent_itself_asked_is_asked_again_of_another_agent(mia: User) -> None:
    publish("- {key: a, type: automated, agent: test-asker}")
    run = begun(mia)
    with shift():
        eventually(lambda: is_open(run, "a"))

        act(run, "redirect", mia, "a", agent="test-echo")
        eventually(lambda: Gate.objects.filter(run_id=run.pk).count() == 2 or finished(run))

    assert is_open(run, "a")


def test_what_follows_an_approval_runs_with_the_input_that_was_approved(mia: User, rita: User) -> None:
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        decide(run, "approve", rita)
        eventually(lambda: task(run, "pay").status == "running")

        for name, answers in (("edit", {"input": {"amount": 1_000_000}}), ("skip", {"output": {"paid": True}})):
            with pytest.raises(OrchestratorError, match="approve"):
                act(run, name, mia, "pay", **answers)

        engine.gates_open.set()
        eventually(lambda: finished(run))
    assert task(run, "pay").input["amount"] == 10


def test_what_follows_an_approval_is_not_changed_behind_the_back_of_whoever_decides(mia: User) -> None:
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        eventually(lambda: is_open(run))

        with pytest.raises(OrchestratorError, match="approve"):
            act(run, "edit", mia, "pay", input={"what": "pay", "amount": 1_000_000})


@pytest.mark.parametrize("name", ["skip", "cancel"])
def test_who_started_a_run_does_not_end_its_step_around_an_open_question(name: str, mia: User) -> None:
    publish("- {key: a, type: automated, agent: test-flaky, on_error: ask, inputs: {permanent: true}}")
    run = begun(mia)
    with shift():
        eventually(lambda: is_open(run, "a"))

        with pytest.raises(OrchestratorError, match="somebody else"):
            act(run, name, mia, "a")
        assert is_open(run, "a")
        act(run, name, people.person("olaf", "Workflow Orchestration Manager"), "a")

    assert not is_open(run, "a")


def test_disagreement_that_people_settle_is_not_skipped(mia: User) -> None:
    steps = """
- {key: x, type: automated, agent: test-echo, inputs: {level: 1}}
- {key: y, type: automated, agent: test-echo, inputs: {level: 2}}
- key: join
  type: automated
  agent: test-echo
  conflicts: {fields: [level], rule: ask, queue: oncall}
"""
    publish(steps, rest="dependencies: {join: [x, y]}")
    run = begun(mia)
    with shift():
        eventually(lambda: is_open(run, "join"))

        with pytest.raises(OrchestratorError, match="People are asked"):
            act(run, "skip", people.person("olaf", "Workflow Orchestration Manager"), "join", output={"level": 2})


PAID_LATER = """
- {key: draft, type: automated, agent: test-echo, inputs: {what: drafted, amount: "${input.amount}"}}
- {key: approve, type: approval, subject: draft, queue: oncall, title: "Pay?"}
- {key: account, type: wait_event, event: account, deadline: 1d}
- {key: pay, type: automated, agent: test-echo, inputs: {what: pay, to: "${steps.account.data}"}}
"""
LATER_ORDER = "dependencies: {approve: [draft], account: [approve], pay: [account]}"


def test_what_people_approved_is_not_given_to_another_agent(mia: User, rita: User) -> None:
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        eventually(lambda: is_open(run))
        with pytest.raises(OrchestratorError, match="approve"):
            act(run, "redirect", mia, "pay", agent="test-payer")

        decide(run, "approve", rita)
        eventually(lambda: task(run, "pay").status == "running")
        with pytest.raises(OrchestratorError, match="approve"):
            act(run, "redirect", people.person("olaf", "Workflow Orchestration Manager"), "pay", agent="test-payer")
        engine.gates_open.set()
        eventually(lambda: finished(run))


def test_what_people_approved_may_go_to_the_fallback_that_its_definition_names(mia: User) -> None:
    publish(PAID.replace("test-patient,", "test-patient, fallback: test-payer,"), rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        eventually(lambda: is_open(run))

        target = acts.of("task", task(run, "pay").pk)
        assert acts.find("task", "redirect").schema(target)["properties"]["agent"]["enum"] == ["test-payer"]
        act(run, "redirect", mia, "pay", agent="test-payer")

    assert (task(run, "pay").spec or {})["step"]["agent"] == "test-payer"


def test_one_agent_for_the_rest_leaves_alone_what_people_decide_about(mia: User) -> None:
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        eventually(lambda: is_open(run))

        with pytest.raises(OrchestratorError, match="no step that test-payer could take over"):
            act(run, "single-agent", mia, agent="test-payer")


def test_state_is_not_written_between_a_question_and_the_end_of_what_was_agreed_to(mia: User, rita: User) -> None:
    publish(PAID, rest=PAID_ORDER)
    run = begun(mia, amount=10)
    with shift():
        eventually(lambda: is_open(run))
        with pytest.raises(OrchestratorError, match="approve"):
            write_state(run, mia, {"key": "shared.limit", "value": {"most": 1_000_000}})

        decide(run, "approve", rita)
        eventually(lambda: task(run, "pay").status == "running")
        with pytest.raises(OrchestratorError, match="approve"):
            write_state(run, mia, {"key": "shared.limit", "value": {"most": 1_000_000}})
        engine.gates_open.set()
        eventually(lambda: finished(run))
    assert not run.state_entries.exists()


def test_state_may_be_written_where_nothing_follows_what_was_agreed_to(mia: User, rita: User) -> None:
    publish(PAID.replace("{key: pay,", "{key: other,"), rest="dependencies: {approve: [draft], other: [draft]}")
    run = begun(mia, amount=10)
    with shift():
        decide(run, "approve", rita)
        eventually(lambda: statuses(run) == {"draft": "succeeded", "approve": "succeeded", "other": "running"})

        write_state(run, mia, {"key": "shared.note", "value": {"n": 1}})

    assert run.state_entries.count() == 1


def test_who_decides_sees_what_was_written_by_hand_before(mia: User) -> None:
    publish(
        PAID.replace(
            "{key: draft, type: automated, agent: test-echo", "{key: draft, type: automated, agent: test-patient"
        ),
        rest=PAID_ORDER,
    )
    run = begun(mia, amount=10)
    with shift():
        eventually(lambda: task(run, "draft").status == "running")
        write_state(run, mia, {"key": "shared.limit", "value": {"most": 1_000_000}})
        engine.gates_open.set()
        eventually(lambda: is_open(run))

    seen = Gate.objects.get(run_id=run.pk, status="open").subject["action"]["state written by hand"]
    assert seen == [{"key": "shared.limit", "by": "user:mia", "value": '{"most":1000000}'}]


def test_who_started_a_run_does_not_tell_it_after_an_approval_what_to_go_on_with(mia: User, rita: User) -> None:
    publish(PAID_LATER, rest=LATER_ORDER)
    run = begun(mia, amount=10)
    olaf = people.person("olaf", "Workflow Orchestration Manager")
    with shift():
        decide(run, "approve", rita)
        eventually(lambda: task(run, "account").status == "waiting")

        signals.publish(name="account", data={"iban": "mine"}, by=mia)
        sweep.fire_timers()
        assert task(run, "account").status == "waiting"
        refused = Event.objects.get(run_id=run.pk, kind="signal.refused")
        assert "somebody else" in refused.data["problem"]
        with pytest.raises(OrchestratorError, match="somebody else"):
            act(run, "deliver", mia, "account", data={"iban": "mine"})

        signals.publish(name="account", data={"iban": "theirs"}, by=olaf)
        sweep.fire_timers()
        eventually(lambda: finished(run))
    assert (task(run, "pay").input or {})["to"] == {"iban": "theirs"}
