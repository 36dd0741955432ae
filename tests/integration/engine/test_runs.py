"""Whole runs through a real shift on a real database."""

import time

import pytest
from django.db import transaction
from django.test import Client

from agents import registry
from agents.budgets import AMPLE
from approvals.models import Gate
from orchestrator import services
from orchestrator.engine.delivery import unpack
from orchestrator.engine.lanes import BLOCKING_ROOM
from orchestrator.errors import IdempotencyConflict
from orchestrator.models import Artifact, Attempt, Event, Run, Task
from orchestrator.queries import run_rows
from tests import engine, people
from tests.engine import eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)


def run_to_end(**given: object) -> Run:
    run = start(**given)
    with shift():
        eventually(lambda: finished(run))
    return run


def test_sequence_passes_outputs_on() -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-echo, inputs: {n: "${input.n}"}}
  - {key: b, type: automated, agent: test-echo, inputs: {double: "${steps.a.n * 2}"}}
""",
        rest="""
dependencies: {b: [a]}
configuration: {input: {type: object, required: [n], properties: {n: {type: integer}}}}
""",
    )

    run = run_to_end(n=21)

    assert run.status == "succeeded"
    assert task(run, "b").output["double"] == 42
    assert task(run, "b").input == {"double": 42}
    assert [e.kind for e in Event.objects.filter(run_id=run.pk).order_by("id")] == [
        "run.started",
        "task.started",
        "task.succeeded",
        "task.started",
        "task.succeeded",
        "run.succeeded",
    ]


@pytest.mark.parametrize(("n", "taken", "ruled_out"), [(5, "high", "low"), (1, "low", "high")])
def test_conditional_runs_one_branch_and_rejoins(n: int, taken: str, ruled_out: str) -> None:
    publish(
        """
  - {key: look, type: automated, agent: test-echo, inputs: {n: "${input.n}"}}
  - {key: route, type: conditional, branches: [{when: "steps.look.n > 3", then: [high]}], default: [low]}
  - {key: high, type: automated, agent: test-echo, inputs: {what: high}}
  - {key: after_high, type: automated, agent: test-echo, inputs: {what: after_high}}
  - {key: low, type: automated, agent: test-echo, inputs: {what: low}}
  - {key: join, type: automated, agent: test-echo, inputs: {what: join}}
""",
        rest="dependencies: {route: [look], after_high: [high], join: [after_high, low]}",
    )

    run = run_to_end(n=n)

    assert run.status == "succeeded"
    found = statuses(run)
    assert found[taken] == "succeeded"
    assert found[ruled_out] == "skipped"
    assert found["after_high"] == ("succeeded" if taken == "high" else "skipped")
    assert found["join"] == "succeeded"


def test_decision_of_an_agent_is_kept_with_its_options_its_reason_and_its_confidence() -> None:
    """Requirement B033: an agent says which way, and the event of the choice says what it chose from and why."""
    publish(
        """
  - {key: judge, type: automated, agent: test-echo, inputs: {way: "${input.way}", confidence: 0.7, reason: it is small}}
  - {key: route, type: conditional, branches: [{when: "steps.judge.way == 'high'", then: [high]}], default: [low]}
  - {key: high, type: automated, agent: test-echo}
  - {key: low, type: automated, agent: test-echo}
""",
        rest="dependencies: {route: [judge]}",
    )

    run = run_to_end(way="low")

    told = Event.objects.get(task_id=task(run, "route").pk, kind="task.succeeded").data
    assert (told["branch"], told["options"]) == ("default", ["steps.judge.way == 'high'", "default"])
    assert told["grounds"] == {"judge": {"confidence": 0.7, "reason": "it is small"}}
    assert task(run, "route").output["then"] == ["low"]


def test_step_whose_when_is_false_is_skipped_with_what_only_it_feeds() -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-echo, inputs: {n: 1}}
  - {key: b, type: automated, agent: test-echo, when: "steps.a.n > 1"}
  - {key: c, type: automated, agent: test-echo}
""",
        rest="dependencies: {b: [a], c: [b]}",
    )

    run = run_to_end()

    assert (run.status, statuses(run)) == ("succeeded", {"a": "succeeded", "b": "skipped", "c": "skipped"})


def test_transient_failure_is_retried_and_its_attempts_kept() -> None:
    publish("  - {key: a, type: automated, agent: test-flaky, inputs: {times: 2}}")

    run = run_to_end()

    assert run.status == "succeeded"
    ends = Attempt.objects.filter(task_id=task(run, "a").pk).order_by("number").values_list("status", flat=True)
    assert list(ends) == ["failed", "failed", "succeeded"]
    assert task(run, "a").failures == 2


def test_transient_failure_fails_the_run_when_its_attempts_are_used_up() -> None:
    publish(
        "  - {key: a, type: automated, agent: test-flaky, on_error: fail, inputs: {times: 9},"
        " retry: {attempts: 3, base: 0.01}}"
    )

    run = run_to_end()

    assert run.status == "failed"
    assert run.error["code"] == "busy"
    assert [attempt for what, attempt in engine.calls if what == "flaky"] == [1, 2, 3]


def test_permanent_failure_cancels_what_still_lives() -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-flaky, inputs: {permanent: true}}
  - {key: slow, type: automated, agent: test-patient}
  - {key: b, type: automated, agent: test-echo}
""",
        rest="dependencies: {b: [a, slow]}",
    )

    run = run_to_end()

    assert run.status == "failed"
    assert statuses(run) == {"a": "failed", "slow": "cancelled", "b": "cancelled"}
    assert run.remaining == 0


def test_on_error_skip_goes_on_without_the_step() -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-flaky, inputs: {permanent: true}, on_error: skip}
  - {key: b, type: automated, agent: test-echo}
  - {key: c, type: automated, agent: test-echo}
""",
        rest="dependencies: {c: [a, b]}",
    )

    run = run_to_end()

    assert (run.status, run.failed) == ("partial", 1)
    assert statuses(run) == {"a": "failed", "b": "succeeded", "c": "succeeded"}


def test_failed_run_retried_keeps_what_had_succeeded(django_user_model: type) -> None:
    user = django_user_model.objects.create_user("mia")
    publish(
        """
  - {key: a, type: automated, agent: test-echo, inputs: {what: a}}
  - {key: b, type: automated, agent: test-flaky, inputs: {times: 1}, retry: {attempts: 1}, on_error: fail}
  - {key: c, type: automated, agent: test-echo, inputs: {what: c}}
""",
        rest="dependencies: {b: [a], c: [b]}",
    )
    run = run_to_end()
    assert run.status == "failed"

    services.retry_run(run_id=run.pk, by=user, reason="it was the network")
    with shift():
        eventually(lambda: finished(run))

    assert run.status == "succeeded"
    assert [what for what, _ in engine.calls] == ["a", "flaky", "flaky", "c"]


def test_failed_run_retried_leaves_what_failed_softly(django_user_model: type) -> None:
    user = django_user_model.objects.create_user("mia")
    publish(
        """
  - {key: first, type: automated, agent: test-echo}
  - {key: soft, type: automated, agent: test-flaky, inputs: {permanent: true}, on_error: skip}
  - {key: hard, type: automated, agent: test-flaky, inputs: {times: 1}, retry: {attempts: 1}, on_error: fail}
  - {key: end, type: automated, agent: test-echo}
""",
        rest="dependencies: {hard: [first, soft], end: [hard]}",
    )
    run = run_to_end()
    assert statuses(run) == {"first": "succeeded", "soft": "failed", "hard": "failed", "end": "cancelled"}

    services.retry_run(run_id=run.pk, by=user, reason="again")
    with shift():
        eventually(lambda: finished(run))

    assert (run.status, run.remaining, run.failed) == ("partial", 0, 1)
    assert (task(run, "soft").status, task(run, "soft").attempt, task(run, "hard").attempt) == ("failed", 1, 2)


def test_gate_after_output_waits_and_what_is_approved_goes_on() -> None:
    publish(
        """
  - key: a
    type: automated
    agent: test-echo
    inputs: {amount: "${input.amount}"}
    gate: {when: "output.amount > 1000.0", queue: default, title: "Pay ${output.amount}"}
  - {key: b, type: automated, agent: test-echo, inputs: {got: "${steps.a.amount}"}}
""",
        rest="dependencies: {b: [a]}",
    )
    run = start(amount=1500.5)
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists())
        gate = Gate.objects.get(run=run)
        assert (gate.title, gate.rule) == ("Pay 1500.5", "output.amount > 1000.0")
        assert statuses(run) == {"a": "waiting", "b": "blocked"}
        _release(run, "a", {"amount": 1200.0})
        eventually(lambda: finished(run))

    assert task(run, "b").output["got"] == 1200.0


def _release(run: Run, key: str, output: dict[str, object]) -> None:
    with transaction.atomic():
        services.lock_run(run.pk)
        Gate.objects.filter(run=run, status="open").update(status="approved", settled_at=run.started_at)
        services.complete_task(task_id=task(run, key).pk, output=output, actor="user:ana")


def test_work_sent_back_runs_again_with_the_note() -> None:
    publish(
        """
  - {key: draft, type: automated, agent: test-echo}
  - {key: review, type: approval, subject: draft, queue: default, title: Review}
  - {key: end, type: automated, agent: test-echo, inputs: {text: "${steps.review.note}"}}
""",
        rest="dependencies: {review: [draft], end: [review]}",
    )
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
        with transaction.atomic():
            services.lock_run(run.pk)
            Gate.objects.filter(run=run).update(status="returned", settled_at=run.started_at)
            services.revise_task(task_id=task(run, "review").pk, note="shorter", actor="user:ana")
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
        assert Gate.objects.filter(run=run, status="open").get().subject["proposal"]["note"] == "shorter"
        _release(run, "review", task(run, "draft").output)
        eventually(lambda: finished(run))

    assert (run.status, run.remaining) == ("succeeded", 0)
    assert task(run, "end").output["text"] == "shorter"
    assert task(run, "draft").revision == 1


def test_undefined_name_at_run_time_stops_and_asks() -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-echo}
  - {key: b, type: automated, agent: test-echo, when: "steps.a.nothing == 1"}
""",
        rest="dependencies: {b: [a]}",
    )
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists())

    gate = Gate.objects.get(run=run)
    assert (gate.kind, gate.queue.name) == ("exception", "operations")
    assert statuses(run)["b"] == "waiting"


def test_agent_that_asks_opens_a_gate_with_its_own_action() -> None:
    publish("  - {key: a, type: automated, agent: test-asker}")
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists())

    assert Gate.objects.get(run=run).subject["action"] == {"delete": "everything"}


def test_side_effect_is_not_repeated_by_the_second_attempt() -> None:
    publish("  - {key: a, type: automated, agent: test-payer}")

    run = run_to_end()

    assert run.status == "succeeded"
    assert [what for what, _ in engine.calls] == ["paid"]
    assert task(run, "a").output == {"receipt": {"receipt": 1}}


def test_large_output_is_stored_by_content_and_still_feeds_the_next_step() -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-huge, inputs: {size: 100000}}
  - {key: b, type: automated, agent: test-echo, inputs: {length: "${size(steps.a.text)}"}}
""",
        rest="dependencies: {b: [a]}",
    )

    run = run_to_end()

    assert task(run, "b").output["length"] == 100_000
    stored = task(run, "a").output
    assert stored["bytes"] > 100_000
    assert len(unpack(stored)["text"]) == 100_000


def test_delivered_file_commits_with_its_task() -> None:
    publish(
        """
  - key: a
    type: automated
    agent: test-echo
    inputs: {text: "# Report"}
    deliver: {name: "report-${input.id}.md", media_type: text/markdown, content: "${output.text}"}
"""
    )

    run = run_to_end(id=7)

    artifact = Artifact.objects.get(run=run)
    assert (artifact.name, artifact.media_type) == ("report-7.md", "text/markdown")


def test_blocking_agents_share_a_few_threads() -> None:
    steps = "\n".join(
        f"  - {{key: s{i}, type: automated, agent: test-sleeper, inputs: {{seconds: 0.2}}}}" for i in range(30)
    )
    publish(steps)

    run = run_to_end()

    assert run.status == "succeeded"
    spans = list(Task.objects.of_run(run.pk).values_list("started_at", "ended_at"))
    assert max(sum(begin <= at < end for begin, end in spans) for at, _ in spans) <= BLOCKING_ROOM


def test_step_of_a_pool_is_worked_by_its_workers_and_nobody_else() -> None:
    publish(
        "  - {key: a, type: automated, agent: test-echo, lane: eu}\n"
        "  - {key: b, type: automated, agent: test-sleeper, lane: eu}\n"
        "  - {key: c, type: automated, agent: test-flaky, lane: eu, fallback: test-echo, inputs: {permanent: true}}\n"
        "  - {key: d, type: automated, agent: test-echo}"
    )
    run = start()
    with shift():
        eventually(lambda: statuses(run)["d"] == "succeeded")
        assert {statuses(run)[key] for key in "abc"} == {"ready"}
        assert (
            str(run_rows([run])[0].sentence) == "Ready, but no worker of the pool eu is there; start one with POOL=eu."
        )
    with shift(pool="eu"):
        eventually(lambda: finished(run))

    assert run.status == "succeeded"
    assert set(Task.objects.of_run(run.pk).values_list("lane", flat=True)) == {"eu", "eu.blocking", "default"}


def test_same_idempotency_key_starts_one_run() -> None:
    publish("  - {key: a, type: automated, agent: test-echo}")
    first = services.start_run(workflow="flow", input={"n": 1}, by=None, idempotency_key="k", actor="feed")

    again = services.start_run(workflow="flow", input={"n": 1}, by=None, idempotency_key="k", actor="feed")

    assert again.pk == first.pk
    with pytest.raises(IdempotencyConflict):
        services.start_run(workflow="flow", input={"n": 2}, by=None, idempotency_key="k", actor="feed")


def test_run_with_120_agents_of_20_systems_ends_and_its_graph_is_drawn_in_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requirements C001 and C002."""
    for table in ("_versions", "_newest"):  # 120 agents that the tests after this one do not know
        monkeypatch.setattr(registry.default, table, dict(getattr(registry.default, table)))
    lines = ["  - {key: start, type: automated, agent: test-echo}"]
    for n in range(120):
        name = f"test-many-{n}"
        registry.agent(
            name=name, version=1, title=f"Agent {n}", input=engine.OPEN, output=engine.OPEN, budget=AMPLE,
            capabilities=[f"system-{n % 20}.read"],
        )(engine.echo)  # fmt: skip
        lines.append(f"  - {{key: s{n}, type: automated, agent: {name}, inputs: {{system: {n % 20}}}}}")
    lines.append("  - {key: end, type: automated, agent: test-echo, inputs: {n: '${steps.s7.system}'}}")
    keys = ", ".join(f"s{n}" for n in range(120))
    each = "\n".join(f"  s{n}: [start]" for n in range(120))
    publish("\n".join(lines), rest=f"dependencies:\n{each}\n  end: [{keys}]")

    run = run_to_end()
    client.force_login(people.person("root", is_superuser=True))
    client.get(f"/runs/{run.pk}/?tab=graph")  # the layout of a version is worked out once
    began = time.perf_counter()
    page = client.get(f"/runs/{run.pk}/?tab=graph")

    assert (run.status, run.total) == ("succeeded", 122)
    assert page.status_code == 200
    assert time.perf_counter() - began < 2
