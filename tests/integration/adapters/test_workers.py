"""External workers over REST: register, fetch, keep, answer, ask, lose, cancel, stop."""

from typing import Any

import pytest
from django.db.models.functions import Now

from agents.models import Violation
from approvals import access
from approvals.models import Gate
from approvals.services import decide
from orchestrator import services
from orchestrator.engine import remote, sweep
from orchestrator.models import Attempt, Event, RemoteCall, Run, Stop, Task
from tests import people
from tests.engine import eventually, finished, publish, shift, start, task
from tests.outside import ECHO, STEP, fetched, registered, secret_of, settled, with_token, worker

pytestmark = pytest.mark.django_db(transaction=True)


def parked(run: Run) -> bool:
    found = task(run, "work")
    return found.status == "waiting" and found.wait_for == "answer"


def ready(text: str = "hello", *, rest: str = "", **facts: Any) -> tuple[Any, Any, Run]:
    user, api = worker()
    registered(api, **facts)
    publish(STEP, rest=rest)
    return user, api, start(text=text)


def test_call_is_parked_fetched_and_settled():
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api, wait=5)
        assert call["input"] == {"text": "hello"}
        assert call["key"] == f"task-{call['id']}-0"
        assert fetched(api) == []
        answer = settled(api, call, output={"said": "hi\x00"}, confidence=0.5, usage={"tokens_in": 3, "cost": 0.01})
        assert answer.json()["outcome"] == "completed"
        eventually(lambda: finished(run))
    work = task(run, "work")
    assert (run.status, work.output, work.confidence) == ("succeeded", {"said": "hi\ufffd"}, 0.5)
    assert Attempt.objects.get(task=work, status="succeeded").tokens_in == 3


def test_second_settle_of_a_call_is_refused_with_a_remedy():
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        settled(api, call, output={"said": "hi"})
        eventually(lambda: finished(run))
    again = settled(api, call, output={"said": "other"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "call_over")
    assert "fetch the next call" in again.json()["error"]["remedy"]
    assert task(run, "work").output == {"said": "hi"}


def test_secret_in_an_answer_is_masked_counted_and_freezes_at_a_spike(settings):
    settings.GUARD_SPIKE = 1
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        key = "ghp_" + "a1B2c3D4e5F6" * 3
        answer = settled(api, call, output={"said": f"use {key}"}).json()
        assert (answer["outcome"], answer["code"]) == ("failed", "agent_frozen")
        frozen = Stop.objects.get(scope="agent", lifted_at=None)
        services.lift_stop(stop_id=frozen.pk, by=None, reason="looked into it")  # until then none of its steps goes on
        eventually(lambda: task(run, "work").wait_for == "gate")
    seen = Violation.objects.get()
    assert frozen.ref == seen.agent_id
    assert (seen.rule, seen.key) == ("output_secret", call["key"])
    assert key not in str(seen.facts)
    assert not any(key in str(row) for row in Task.objects.filter(run=run).values_list("output", "input"))


def test_secret_in_an_answer_is_masked():
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        settled(api, call, output={"said": "use ghp_" + "a1B2c3D4e5F6" * 3})
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"said": "use [secret hidden]"}


def test_output_that_breaks_the_contract_is_the_agents_failure():
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        answer = settled(api, call, output={"said": 5}).json()
        assert (answer["outcome"], answer["code"]) == ("failed", "contract_output")
        eventually(lambda: task(run, "work").wait_for == "gate" or finished(run))


def test_transient_failure_is_tried_again_with_the_same_key():
    _, api, run = ready()
    publish('  - {key: work, type: automated, agent: outside, inputs: {text: "${input.text}"}, retry: {attempts: 3}}')
    run = start(text="again")
    with shift():
        eventually(lambda: parked(run))
        calls = [one for one in fetched(api, limit=10) if one["input"] == {"text": "again"}]
        settled(api, calls[0], failure={"kind": "transient", "code": "busy", "message": "later", "retry_after": 0.01})
        eventually(lambda: parked(run) and task(run, "work").failures == 1)
        [second] = fetched(api)
        assert second["key"] == calls[0]["key"]
        assert second["attempt"] > calls[0]["attempt"]
        settled(api, second, output={"said": "done"})
        eventually(lambda: finished(run))
    assert run.status == "succeeded"


def test_lost_worker_is_an_infrastructure_loss_and_its_late_answer_changes_nothing():
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        RemoteCall.objects.update(lease_until=Now())
        eventually(lambda: task(run, "work").losses == 1 and parked(run))
        assert task(run, "work").failures == 0
        assert Attempt.objects.filter(task=task(run, "work"), status="expired").count() == 1
        assert settled(api, call, output={"said": "late"}).status_code == 409
        [second] = fetched(api)
        settled(api, second, output={"said": "in time"})
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"said": "in time"}


def test_third_lost_worker_asks_a_person():
    _, api, run = ready()
    with shift():
        for _ in range(3):
            eventually(lambda: parked(run))
            fetched(api)
            RemoteCall.objects.update(lease_until=Now())
            remote.tend()
        eventually(lambda: task(run, "work").wait_for == "quarantine")
    assert Gate.objects.get(task_id=task(run, "work").pk).kind == "quarantine"


def test_question_opens_a_gate_and_the_call_comes_back_with_the_answer():
    _, api, run = ready()
    boss = people.person("boss", "Human Oversight Coordinator")
    action = {"pay": 5}
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        asked = settled(api, call, question={"action": action, "reason": "it is money", "proposal": {"pay": 5}})
        assert asked.json()["outcome"] == "asked"
        eventually(lambda: Gate.objects.filter(status="open").exists())
        gate = Gate.objects.get(status="open")
        assert gate.subject["action"] == action
        decide(gate_id=gate.pk, by=boss, verdict="approve", gate_version=gate.version, note="")
        eventually(lambda: parked(run))
        [second] = fetched(api)
        assert [one["action"] for one in second["approvals"]] == [action]
        assert second["approvals"][0]["answer"] == {"pay": 5}
        assert second["key"] == call["key"]
        settled(api, second, output={"said": "paid"})
        eventually(lambda: finished(run))
    assert run.status == "succeeded"


def test_heartbeat_keeps_a_call_and_tells_of_a_cancelled_run():
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        held = {"calls": [{"id": call["id"], "attempt": call["attempt"]}]}
        assert api.post("/workers/heartbeat", held).json()["calls"][0]["state"] == "go_on"
        services.cancel_run(run_id=run.pk, by=people.person("boss", "Administrator"), reason="enough")
        assert api.post("/workers/heartbeat", held).json()["calls"][0]["state"] == "cancelled"
    assert settled(api, call, output={"said": "late"}).json()["error"]["message"].endswith("its run was cancelled")


def test_stop_takes_the_call_back_and_hands_nothing_out():
    _, api, run = ready()
    boss = people.person("boss", "Workflow Orchestration Manager")
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        stop = services.stop(scope="everything", ref=None, by=boss, reason="look")
        held = {"calls": [{"id": call["id"], "attempt": call["attempt"]}]}
        assert api.post("/workers/heartbeat", held).json()["calls"][0]["state"] == "stopped"
        assert fetched(api) == []
        services.lift_stop(stop_id=stop.pk, by=boss, reason="fine")
        eventually(lambda: parked(run))
        assert len(fetched(api)) == 1


def test_call_that_takes_too_long_fails_with_a_timeout():
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        fetched(api)
        RemoteCall.objects.update(due_at=Now())
        eventually(lambda: task(run, "work").failures == 1)
    failed = Attempt.objects.filter(task=task(run, "work"), status="failed").get()
    assert failed.error["code"] == "timeout"


def test_call_that_nobody_fetches_says_so():
    _, _, run = ready()
    with shift():
        eventually(lambda: parked(run))
        RemoteCall.objects.update(due_at=Now())
        eventually(lambda: task(run, "work").failures == 1)
    assert Attempt.objects.filter(task=task(run, "work"), status="failed").get().error["code"] == "no_worker"


def test_own_limit_of_an_agent_bounds_what_is_leased():
    _, api, run = ready(max_concurrency=1)
    other = start(text="other")
    with shift():
        eventually(lambda: parked(run) and parked(other))
        [call] = fetched(api, limit=10)
        assert fetched(api, limit=10) == []
        settled(api, call, output={"said": "x"})
        assert len(fetched(api, limit=10)) == 1


def test_rights_are_on_the_agent_and_the_scope_on_the_token():
    user, api = worker()
    registered(api)
    stranger = people.person("stranger", "Performance Analytics Specialist")
    asked = {"agents": ["outside"], "worker": "w"}
    assert with_token(stranger).post("/workers/calls", asked).status_code == 404
    from agents.models import Agent

    access.grant(to=stranger, permission="work_as_agent", on=Agent.objects.get(name="outside"), by=None)
    assert with_token(stranger).post("/workers/calls", asked).status_code == 200
    assert with_token(stranger).post("/workers/agents", {**ECHO, "version": 2}).status_code == 201
    assert with_token(stranger).post("/workers/agents", {**ECHO, "name": "another"}).status_code == 403
    assert with_token(user, "read").post("/workers/calls", asked).status_code == 404
    assert secret_of(user)


def test_recorded_version_never_changes_and_our_own_agents_are_not_taken_over():
    _, api = worker()
    registered(api)
    assert registered(api)["version"] == 1
    changed = api.post("/workers/agents", {**ECHO, "output": {"type": "object"}})
    assert (changed.status_code, changed.json()["error"]["code"]) == (409, "version_changed")
    publish("  - {key: work, type: automated, agent: test-echo}")
    assert api.post("/workers/agents", {**ECHO, "name": "test-echo"}).json()["error"]["code"] == "agent_taken"
    flawed = api.post("/workers/agents", {**ECHO, "name": "bad", "input": {"type": "nonsense"}})
    assert (flawed.status_code, flawed.json()["error"]["code"]) == (422, "registration_refused")


def test_another_persons_call_is_not_settled():
    _, api, run = ready()
    _, other = worker("thief")
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        assert settled(other, call, output={"said": "mine"}).status_code == 409
        assert Task.objects.get(pk=call["id"]).status == "waiting"
    sweep.fire_timers()


def test_waiting_calls_hold_no_place_of_the_engine():
    _, api = worker()
    registered(api)
    publish(STEP)
    publish("  - {key: work, type: automated, agent: test-echo}", name="own")
    runs = [start(text=str(number)) for number in range(60)]
    with shift(capacity=5) as working:
        eventually(lambda: RemoteCall.objects.count() == len(runs))
        assert not any(working.holds(task(run, "work").pk) for run in runs)
        other = start("own")
        eventually(lambda: finished(other))
        for call in fetched(api, limit=100):
            settled(api, call, output={"said": "x"})
        eventually(lambda: all(finished(run) for run in runs))


def test_lost_engine_worker_does_not_lose_an_answer_that_it_took():
    _, api, run = ready()
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
    settled(api, call, output={"said": "once"})
    Task.objects.filter(pk=call["id"]).update(attempt=call["attempt"] + 1)
    RemoteCall.objects.update(taken_by=call["attempt"] + 1)
    Attempt.objects.create(task_id=call["id"], number=call["attempt"] + 1, status="expired", ended_at=Now())
    with shift():
        eventually(lambda: finished(run))
    assert task(run, "work").output == {"said": "once"}
    assert fetched(api) == []


def test_worker_gets_tokens_for_personal_data_and_its_answer_gets_the_data_back():
    _, api, run = ready("write to jane@example.com about 4111 1111 1111 1111")
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        told = call["input"]["text"]
        assert "jane@example.com" not in told
        assert "4111" not in told
        assert "@masked.invalid" in told
        settled(api, call, output={"said": f"done: {told.upper()}"})
        eventually(lambda: finished(run))
    said = "done: WRITE TO jane@example.com ABOUT 4111 1111 1111 1111"
    assert task(run, "work").output == {"said": said}
    masked = Event.objects.get(run=run, kind="task.guarded").data["guard"]["masked"]
    assert [one["kind"] for one in masked] == ["email", "card"]
    assert "jane" not in str(list(RemoteCall.objects.values_list("input", flat=True)))


def test_worker_that_asked_finds_its_answer_under_the_same_tokens():
    _, api, run = ready("pay jane@example.com")
    boss = people.person("boss", "Human Oversight Coordinator")
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
        action = {"pay": call["input"]["text"]}
        settled(api, call, question={"action": action, "reason": "it is money", "proposal": action})
        eventually(lambda: Gate.objects.filter(status="open").exists())
        gate = Gate.objects.get(status="open")
        assert gate.subject["action"] == {"pay": "pay jane@example.com"}
        decide(gate_id=gate.pk, by=boss, verdict="approve", gate_version=gate.version, note="")
        eventually(lambda: parked(run))
        [again] = fetched(api)
        assert again["input"] == call["input"]
        assert [one["action"] for one in again["approvals"]] == [action]


def test_worker_gets_nothing_outside_its_contract():
    _, api = worker()
    # A name of its own: this process knows version 1 of "outside" from other tests.
    name = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}
    registered(api, name="nested", input={"type": "object", "properties": {"customer": name}})
    publish('  - {key: work, type: automated, agent: nested, inputs: {customer: "${input.customer}"}}')
    run = start(customer={"name": "Jane", "salary": 90_000})
    with shift():
        eventually(lambda: parked(run))
        assert fetched(api, agents=("nested",))[0]["input"] == {"customer": {"name": "Jane"}}
    stripped = Event.objects.get(run=run, kind="task.guarded").data["guard"]["stripped"]
    assert stripped == ["customer.salary"]
