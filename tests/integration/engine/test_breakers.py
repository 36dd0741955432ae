"""Circuit breakers in the database: three failures in a row, five minutes, one probe; what waits, and what does not."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models import F

from agents.errors import Business, Permanent, Transient
from agents.models import Agent
from agents.registry import agent
from agents.types import Json
from orchestrator import acts
from orchestrator.engine import breakers
from orchestrator.invariants import violations
from orchestrator.models import Breaker, Event, Run, Task
from tests import engine, factories
from tests.engine import OPEN, eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)
FRAGILE = "  - {key: a, type: automated, agent: test-fragile, on_error: fail, retry: {attempts: 1}}"
errors: list[Exception] = []  # what `fragile` raises; empty: it works


@agent(name="test-fragile", version=1, title="Fragile", input=OPEN, output=OPEN, capabilities=[])
async def fragile(input: dict[str, Json], ctx: object) -> dict[str, Json]:
    """Work, or raise what the test says."""
    engine.calls.append(("fragile", 0))
    if errors:
        raise errors[0]
    return {"ok": True}


@pytest.fixture(autouse=True)
def _broken() -> Iterator[None]:
    errors[:] = [Transient("it is down", code="down")]
    yield
    errors.clear()


def published(steps: str = FRAGILE, **more: str) -> None:
    publish(steps, **more)
    Breaker.objects.filter(agent__name="test-fragile").delete()  # the default: 3 failures, 300 s


def breaker() -> Breaker:
    return Breaker.objects.select_related("agent").get(agent__name="test-fragile")


def fail(times: int) -> None:
    for _ in range(times):
        run = start()
        eventually(lambda run=run: finished(run))  # type: ignore[misc]


def opened() -> Breaker:
    with shift():
        fail(3)
    return breaker()


def age(seconds: float) -> None:
    """Let the database believe that the breaker opened so long ago."""
    Breaker.objects.filter(pk=breaker().pk).update(opened_at=F("opened_at") - timedelta(seconds=seconds))


def kinds() -> list[str]:
    return list(Event.objects.filter(kind__startswith="breaker.").order_by("id").values_list("kind", flat=True))


def calls() -> int:
    return len([what for what, _ in engine.calls if what == "fragile"])


def test_third_failure_in_a_row_opens_it_and_not_the_second() -> None:
    published()
    with shift():
        fail(2)
        assert (breaker().state, breaker().failures) == ("closed", 2)
        fail(1)

    assert (breaker().state, breaker().failures, breaker().threshold, breaker().reset_s) == ("open", 3, 3, 300.0)
    assert kinds() == ["breaker.opened"]
    facts = Event.objects.get(kind="breaker.opened").data
    assert (facts["agent"], facts["failures"], facts["code"], facts["seconds"]) == ("test-fragile", 3, "down", 300.0)


def test_success_between_failures_starts_the_count_anew() -> None:
    published()
    with shift():
        fail(2)
        errors.clear()
        fail(1)
        assert (breaker().state, breaker().failures) == ("closed", 0)
        errors[:] = [Transient("down again", code="down")]
        fail(2)

    assert (breaker().state, breaker().failures, kinds()) == ("closed", 2, [])


@pytest.mark.parametrize("error", [Permanent("bad input"), Business("no such account")])
def test_failures_that_are_not_the_agents_do_not_count(error: Exception) -> None:
    published()
    errors[:] = [error]
    with shift():
        fail(4)

    assert not Breaker.objects.filter(agent__name="test-fragile").exists()


def test_open_breaker_holds_tasks_back_for_300_seconds_then_one_probe_closes_it() -> None:
    published()
    opened()
    before = calls()
    run = start()
    with shift():
        eventually(lambda: task(run, "a").wait_for == "breaker")
        age(299)
        breakers.attend()
        assert (breaker().state, calls()) == ("open", before)
        assert not list(violations())
        errors.clear()
        age(1)
        eventually(lambda: finished(run))

    assert (run.status, breaker().state, breaker().failures, calls()) == ("succeeded", "closed", 0, before + 1)
    assert kinds() == ["breaker.opened", "breaker.half_opened", "breaker.closed"]
    assert not list(violations())


def test_probe_that_fails_opens_it_again_for_as_long() -> None:
    published()
    opened()
    run = start()
    with shift():
        eventually(lambda: task(run, "a").wait_for == "breaker")
        age(300)
        eventually(lambda: finished(run))

    assert (run.status, breaker().state, breaker().probe) == ("failed", "open", None)
    assert kinds() == ["breaker.opened", "breaker.half_opened", "breaker.opened"]
    breakers.attend()
    assert breaker().state == "open"


def test_one_task_alone_probes_under_two_shifts() -> None:
    published(FRAGILE.replace("retry: {attempts: 1}", "retry: {attempts: 1}"))
    opened()
    before = calls()
    runs = [start() for _ in range(20)]
    with shift(), shift():
        eventually(lambda: Task.objects.filter(wait_for="breaker").count() == 20)
        age(300)
        eventually(lambda: calls() > before)
        eventually(lambda: breaker().state == "open")
        eventually(lambda: Run.objects.filter(pk__in=[run.pk for run in runs], status="failed").count() == 1)

    assert calls() == before + 1
    assert Task.objects.filter(wait_for="breaker").count() == 19
    assert kinds().count("breaker.half_opened") == 1
    assert not list(violations())


def test_probe_that_comes_to_nothing_gives_way_to_another() -> None:
    published()
    opened()
    first, second = start(), start()
    breakers.attend()
    age(300)
    breakers.attend()
    assert breaker().probe == task(first, "a").pk
    acts.perform(acts.find("run", "cancel"), acts.of("run", first.pk), by=None, reason="not needed")

    breakers.attend()

    assert (breaker().state, breaker().probe) == ("half_open", task(second, "a").pk)


def test_open_breaker_sends_tasks_to_their_fallback_at_once() -> None:
    published(
        "  - {key: a, type: automated, agent: test-fragile, fallback: test-echo, on_error: fail, retry: {attempts: 9}}"
    )
    with shift():
        first, second = start(), start()
        eventually(lambda: finished(first) and finished(second))
        third = start()
        eventually(lambda: finished(third))

    assert {first.status, second.status, third.status} == {"succeeded"}
    assert calls() < 9
    assert (breaker().state, task(third, "a").agent.name, task(third, "a").attempt) == ("open", "test-echo", 1)
    assert Event.objects.get(run_id=third.pk, kind="task.fell_back").data["code"] == "breaker_open"
    assert not list(violations())


def test_agent_out_of_service_delays_nobody_else() -> None:
    published()
    opened()
    publish("  - {key: a, type: automated, agent: test-echo}", name="other")
    held = [start() for _ in range(50)]
    others = [start("other") for _ in range(10)]
    with shift():
        eventually(lambda: all(finished(run) for run in others))

    assert {run.status for run in others} == {"succeeded"}
    assert {statuses(run)["a"] for run in held} <= {"ready", "waiting"}


def test_person_puts_it_back_into_service_with_a_reason() -> None:
    published()
    opened()
    run = start()
    breakers.attend()
    errors.clear()
    by = factories.user("dev", "Agent Development Specialist")
    target = acts.of("agent", Agent.objects.get(name="test-fragile").pk)
    act = acts.find("agent", "reset_breaker")
    assert act.permits(by, target)
    assert "1 task that waits for it goes on." in acts.preview(act, target, {}).plan.lines

    acts.perform(act, target, by=by, reason="the vendor says it is fixed")
    with shift():
        eventually(lambda: finished(run))

    assert (run.status, breaker().state) == ("succeeded", "closed")
    event = Event.objects.get(kind="breaker.reset")
    assert (event.actor, event.data["reason"]) == ("user:dev", "the vendor says it is fixed")
    assert not list(violations())


def test_thresholds_are_set_by_people_for_each_agent() -> None:
    published()
    by = factories.user("dev", "Agent Development Specialist")
    target = acts.of("agent", Agent.objects.get(name="test-fragile").pk)
    acts.perform(
        acts.find("agent", "breaker"), target, by=by, reason="it is flaky", answers={"threshold": 1, "reset_s": 5}
    )
    with shift():
        fail(1)

    assert (breaker().state, breaker().reset_s) == ("open", 5.0)
