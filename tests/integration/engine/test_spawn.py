"""Tasks that spawn tasks: maps, loops and joins, with a real shift."""

import pytest
from django.db import connection

from approvals.models import Gate
from approvals.services import decide
from orchestrator import acts, services
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Task
from orchestrator.states import RunStatus, TaskStatus
from tests import engine, factories
from tests.engine import eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)

MAP = """
- {key: list, type: automated, agent: test-echo, inputs: {items: "${input.items}"}}
- key: each
  type: map
  over: steps.list.items
  body: {type: automated, agent: test-echo, inputs: {what: "${item}", at: "${at}"}}
%s
- {key: end, type: automated, agent: test-echo, inputs: {items: "${steps.each.items.map(i, i.what)}"}}
"""
ORDER = "dependencies: {each: [list], end: [each]}"


def published_map(more: str = "") -> None:
    publish(MAP % more, rest=ORDER)


def run_of(**given: object) -> Run:
    made = start(**given)
    with shift():
        eventually(lambda: finished(made))
    return made


def test_map_does_its_body_for_each_item_and_folds_the_outputs_in_order():
    published_map()

    run = run_of(items=["a", "b", "c"])

    assert run.status == RunStatus.SUCCEEDED
    assert task(run, "end").output["items"] == ["a", "b", "c"]
    assert task(run, "each").output["succeeded"] == 3
    assert run.total == 6
    assert not list(violations())


def test_map_over_nothing_spawns_nothing():
    published_map()

    run = run_of(items=[])

    assert run.status == RunStatus.SUCCEEDED
    assert run.total == 3


@pytest.mark.parametrize(("more", "tasks"), [("  batch: 2", 3), ("  at_once: 2", 5)])
def test_map_in_batches_or_a_few_at_once_covers_every_item(more, tasks):
    published_map(more)

    run = run_of(items=[1, 2, 3, 4, 5])

    assert run.status == RunStatus.SUCCEEDED
    assert run.total == 3 + tasks
    assert not list(violations())


def test_map_with_at_once_never_has_more_alive():
    published_map("  at_once: 2")
    run = start(items=[1, 2, 3, 4, 5, 6])
    with shift():
        eventually(lambda: finished(run))

    spawned = Task.objects.of_run(run.pk).filter(parent__isnull=False).order_by("id")
    started = [(one.started_at, one.ended_at) for one in spawned]
    for begin, _ in started:
        assert sum(other <= begin < end for other, end in started) <= 2


def test_map_fails_with_the_first_reason_when_more_fail_than_it_tolerates():
    body = "{type: automated, agent: test-flaky, on_error: skip, inputs: {permanent: '${item}'}}"
    publish(f"- {{key: each, type: map, over: input.items, tolerate: 0.4, body: {body}}}\n")

    some = run_of(items=[True, False, False])
    most = run_of(items=[True, True, False])

    assert some.status == RunStatus.SUCCEEDED
    assert task(some, "each").output["failed"] == 1
    assert task(some, "each").output["items"][0] is None
    assert most.status == RunStatus.FAILED
    assert most.error["code"] == "map_failed"
    assert "this cannot work" in most.error["message"]
    assert not list(violations())


def test_failed_map_tries_its_failed_items_again_on_retry():
    body = "{type: automated, agent: test-flaky, on_error: skip, retry: {attempts: 1}, inputs: {times: 1}}"
    publish(f"- {{key: each, type: map, over: input.items, body: {body}}}\n")
    run = run_of(items=[1, 2])
    assert run.status == RunStatus.FAILED

    services.retry_run(run_id=run.pk, by=factories.user("mia", "Workflow Orchestration Manager"), reason="again")
    with shift():
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert task(run, "each").output["succeeded"] == 2
    assert not list(violations())


def test_map_refuses_what_is_no_list_and_what_is_too_long():
    publish("- {key: each, type: map, over: input.items, most: 2, body: {type: automated, agent: test-echo}}")

    assert run_of(items="abc").error["code"] == "map_not_a_list"
    assert run_of(items=[1, 2, 3]).error["code"] == "map_too_wide"


LOOP = """
- key: polish
  type: loop
  until: output.score >= 3
  most: %s
  on_bound: %s
  body:
    type: automated
    agent: test-echo
    inputs: {score: "${round}", before: "${has(previous.score) ? previous.score : 0}"}
"""


def test_loop_goes_round_until_its_condition_holds():
    publish(LOOP % (5, "fail"))

    run = run_of()

    assert run.status == RunStatus.SUCCEEDED
    output = task(run, "polish").output
    assert (output["rounds"], output["before"], output["ended"]) == (3, 2, True)
    assert not list(violations())


def test_loop_ends_at_its_bound_as_it_says():
    publish(LOOP % (2, "finish"), name="finish")
    publish(LOOP % (2, "fail"), name="fail")
    publish(LOOP % (2, "ask"), name="ask")
    one, two, three = start("finish"), start("fail"), start("ask")
    with shift():
        eventually(lambda: finished(one) and finished(two) and statuses(three)["polish"] == TaskStatus.WAITING)

    assert task(one, "polish").output["ended"] is False
    assert two.error["code"] == "loop_bound"
    assert task(three, "polish").wait_for == "gate"


JOIN = """
- {key: fast, type: automated, agent: test-echo}
- {key: failing, type: automated, agent: test-flaky, on_error: skip, inputs: {permanent: true}}
- {key: slow, type: automated, agent: test-patient}
- {key: join, type: automated, agent: test-echo, join: %s}
"""
WAYS = "dependencies: {join: [fast, failing, slow]}"


@pytest.fixture
def closed_gates():
    engine.gates_open.clear()
    yield
    engine.gates_open.set()


def test_any_join_starts_with_the_first_success_and_cancels_the_rest(closed_gates):
    publish(JOIN % "any, cancel_rest: true", rest=WAYS)
    run = start()
    with shift():
        eventually(lambda: finished(run))

    found = statuses(run)
    assert found["join"] == TaskStatus.SUCCEEDED
    assert found["slow"] == TaskStatus.CANCELLED
    assert not list(violations())


def test_join_of_two_waits_for_the_second_success(closed_gates):
    publish(JOIN % "2", rest=WAYS)
    run = start()
    with shift():
        eventually(lambda: statuses(run)["failing"] == TaskStatus.FAILED)
        assert statuses(run)["join"] == TaskStatus.BLOCKED
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert statuses(run)["join"] == TaskStatus.SUCCEEDED
    assert not list(violations())


def test_join_of_three_is_skipped_when_only_two_succeeded():
    engine.gates_open.set()
    publish(JOIN % "3", rest=WAYS)

    run = run_of()

    assert statuses(run)["join"] == TaskStatus.SKIPPED
    reason = Event.objects.get(task_id=task(run, "join").pk, kind="task.skipped").data["reason"]
    assert reason == "too few of the steps before it succeeded"
    assert not list(violations())


def test_done_join_runs_even_when_everything_before_it_failed():
    publish(
        "- {key: failing, type: automated, agent: test-flaky, on_error: skip, inputs: {permanent: true}}\n"
        "- {key: tidy, type: automated, agent: test-echo, join: done}",
        rest="dependencies: {tidy: [failing]}",
    )

    assert statuses(run_of())["tidy"] == TaskStatus.SUCCEEDED


def test_wide_map_is_one_spawn_and_keeps_its_books():
    publish(
        "- {key: each, type: map, over: input.items, body: {type: automated, agent: test-echo, inputs: {at: '${at}'}}}"
    )

    run = run_of(items=list(range(600)))

    assert run.status == RunStatus.SUCCEEDED
    assert [item["at"] for item in task(run, "each").output["items"]] == list(range(600))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orchestrator_event WHERE run_id = %s AND kind = 'task.spawned'", [run.pk])
        assert cursor.fetchone()[0] == 1
    assert not list(violations())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("tab=graph", "2 of 2"),
        ("tab=graph&task=each", "Tasks it started"),
        ("tab=graph&task=each.1", "Each 2"),
        ("tab=narrative", "started 2 tasks"),
        ("tab=timeline", "Each 1"),
        ("tab=timeline", "Critical path: <strong>List → Each → End"),
        ("tab=graph", "100 %"),
    ],
)
def test_run_page_shows_what_a_map_started(client, query, said):
    published_map()
    run = run_of(items=["a", "b"])
    client.force_login(factories.user("mia", "Workflow Orchestration Manager"))

    assert said in client.get(f"/runs/{run.pk}/?{query}").content.decode()


def test_map_after_what_is_done_again_goes_over_the_new_list_and_one_tried_again_by_itself_over_what_failed():
    publish(
        "- {key: a, type: automated, agent: test-flaky, inputs: {times: 1}, retry: {attempts: 1}, on_error: skip}\n"
        "- {key: each, type: map, over: 'has(steps.a) ? [1, 2, 3] : [0, 0]', join: done,"
        " body: {type: automated, agent: test-echo, inputs: {at: '${item}'}}}\n",
        rest="dependencies: {each: [a]}",
    )
    run = run_of()
    assert (run.status, task(run, "each").output["succeeded"]) == (RunStatus.PARTIAL, 2)

    services.retry_run(run_id=run.pk, by=factories.user("mia", "Workflow Orchestration Manager"), reason="again")
    with shift():
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert [item["at"] for item in task(run, "each").output["items"]] == [1, 2, 3]
    assert not list(violations())


@pytest.mark.parametrize("by_gate", [True, False])
def test_map_that_asks_after_failures_tries_these_again_when_people_say_so(by_gate):
    body = "{type: automated, agent: test-flaky, on_error: skip, retry: {attempts: 1}, inputs: {times: '${item}'}}"
    publish(f"- {{key: each, type: map, over: input.items, on_error: ask, body: {body}}}\n")
    run = start(items=[0, 1, 1])
    by = factories.user("mia", "Workflow Orchestration Manager", "Human Oversight Coordinator")
    with shift():
        eventually(lambda: task(run, "each").status == TaskStatus.WAITING)
        if by_gate:
            gate = Gate.objects.get(run=run, status="open")
            decide(gate_id=gate.pk, by=by, verdict="retry", gate_version=gate.version, note="again")
        else:
            act, target = acts.find("task", "retry"), acts.of("task", task(run, "each").pk)
            acts.perform(act, target, by=by, reason="again")
        eventually(lambda: finished(run))

    assert (run.status, task(run, "each").output["succeeded"]) == (RunStatus.SUCCEEDED, 3)
    assert Task.objects.of_run(run.pk).get(key="each.0").attempt == 1
    assert not list(violations())
