"""`ctx.messages` of real tasks under a real shift: send once, wait without holding anything, answer the very call."""

from typing import Any

import pytest

from agents.budgets import AMPLE
from agents.errors import Transient
from agents.messaging.errors import NoMessage, WaitCycle
from agents.models import Delivery, Expectation, Message
from agents.registry import agent
from agents.types import Json
from orchestrator.engine import sweep
from orchestrator.models import Attempt
from tests.engine import OPEN, eventually, finished, publish, shift, start, statuses, task
from tests.messages import agents, send

pytestmark = pytest.mark.django_db(transaction=True)


@agent("test-asks", input=OPEN, output=OPEN, budget=AMPLE)
async def asks(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Ask `to`, wait, say what came."""
    try:
        answer = await ctx.messages.request(
            {"question": given.get("question", "?")},
            to=given.get("to", "test-answers"),
            within=given.get("within", 60),
            patience=0.0,
        )
    except NoMessage:
        return {"answer": None, "attempt": ctx.attempt}
    except WaitCycle as refused:
        return {"refused": str(refused)}
    return {"answer": answer.payload["answer"], "from": answer.sender, "attempt": ctx.attempt}


@agent("test-answers", input=OPEN, output=OPEN, budget=AMPLE)
async def answers(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Wait for a question, answer it; fail `times` times in between."""
    asked = await ctx.messages.receive(within=60, patience=0.0)
    await ctx.messages.reply(asked, {"answer": f"re {asked.payload['question']}"})
    if ctx.attempt <= given.get("times", 0):
        raise Transient("not yet", retry_after=0.01)
    return {"answered": asked.payload["question"]}


@agent("test-apart-asks", input=OPEN, output=OPEN, budget=AMPLE, isolation="process")
def asks_apart(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """The same from a process of its own."""
    answer = ctx.wait_for(ctx.messages.request({"question": "apart"}, to="test-answers", within=60, patience=0.0))
    return {"answer": answer.payload["answer"]}


@agent("test-thread-asks", input=OPEN, output=OPEN, budget=AMPLE, isolation="thread")
def asks_in_thread(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """The same from a thread."""
    answer = ctx.wait_for(ctx.messages.request({"question": "thread"}, to="test-answers", within=60, patience=0.0))
    return {"answer": answer.payload["answer"]}


def step(key: str, name: str, after: str = "", **given: Any) -> str:
    inputs = ", ".join(f"{field}: {value}" for field, value in given.items())
    return (
        f"  - {{key: {key}, type: automated, agent: {name}, inputs: {{{inputs}}}"
        + (f", depends_on: [{after}]" if after else "")
        + ", timeout: 30s}"
    )


@pytest.mark.parametrize("asker", ["test-asks", "test-thread-asks", "test-apart-asks"])
def test_request_sleeps_without_a_worker_and_goes_on_with_the_answer(asker):
    publish(step("ask", asker, question="why"), name="asking")
    publish(step("answer", "test-answers", times=0), name="answering")
    with shift() as working:
        run = start("asking")
        eventually(lambda: statuses(run)["ask"] == "waiting")  # or the answer might be there before it sleeps
        assert not working.holds(task(run, "ask").pk)
        other = start("answering")
        eventually(lambda: finished(run) and finished(other))

    assert (statuses(run), statuses(other)) == ({"ask": "succeeded"}, {"answer": "succeeded"})
    assert task(run, "ask").output["answer"].startswith("re ")
    assert Attempt.objects.filter(task=task(run, "ask").pk, status="suspended").exists()  # it did sleep
    assert Message.objects.count() == 2  # asked again on the second call, sent once
    assert set(Delivery.objects.values_list("state", flat=True)) == {"done"}
    assert not Expectation.objects.filter(ended_at=None).exists()
    question = Message.objects.get(message_type="TASK")
    assert (question.agent_id, question.task_id) == (asker, f"task-{task(run, 'ask').pk}")
    assert question.correlation_id


def test_waiting_task_holds_no_worker_and_says_what_it_waits_for():
    agents("stranger")
    publish(step("answer", "test-answers"))
    with shift() as working:
        run = start()
        eventually(lambda: statuses(run)["answer"] == "waiting")
        waiting = task(run, "answer")
        assert (waiting.wait_for, working.holds(waiting.pk)) == ("message", False)

        send({"question": "from outside"}, agent_id="stranger", to="test-answers")
        eventually(lambda: finished(run))

    assert task(run, "answer").output == {"answered": "from outside"}


def test_attempt_that_fails_gives_its_message_back_and_the_next_one_has_it_again():
    agents("stranger")
    publish(step("answer", "test-answers", times=1)[:-1] + ", retry: {attempts: 4}}")
    send({"question": "poison"}, agent_id="stranger", to="test-answers")
    with shift():
        run = start()
        eventually(lambda: (sweep.tend(), finished(run))[1])

    assert task(run, "answer").output == {"answered": "poison"}
    delivery = Delivery.objects.get(recipient="test-answers")
    assert (delivery.state, delivery.failures) == ("done", 1)
    assert Message.objects.filter(agent_id="test-answers").count() == 1  # the answer went out once


def test_wait_whose_time_is_over_is_told_to_the_agent():
    agents("mute")
    publish(step("ask", "test-asks", to="mute", within=0.2))
    with shift():
        run = start()
        eventually(lambda: finished(run))

    assert task(run, "ask").output["answer"] is None


def test_two_tasks_that_wait_for_each_other_are_found_at_once():
    publish(
        step("one", "test-asks", to="test-circle") + "\n" + step("two", "test-circle"), name="flow",
    )  # fmt: skip
    with shift():
        run = start()
        eventually(lambda: finished(run))

    refused = [t.output["refused"] for t in (task(run, "one"), task(run, "two")) if "refused" in t.output]
    assert any("waits for" in words for words in refused)


@agent("test-circle", input=OPEN, output=OPEN, budget=AMPLE)
async def circle(given: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Ask back before answering."""
    asked = await ctx.messages.receive(within=60, sender="", patience=0.0)
    try:
        await ctx.messages.request({"question": "first you"}, to=asked.sender, within=60, patience=0.0)
    except WaitCycle as refused:
        await ctx.messages.reply(asked, {"answer": "I cannot"}, type="ERROR")
        return {"refused": str(refused)}
    return {}


def test_lost_wake_up_is_made_up_for_by_the_sweep():
    agents("stranger")
    publish(step("answer", "test-answers"))
    with shift():
        run = start()
        eventually(lambda: statuses(run)["answer"] == "waiting")
        kept = Expectation.objects.all()
        rows = list(kept)
        kept.delete()  # the sender sees nobody waiting, as in the moment before the wait commits
        send({"question": "unseen"}, agent_id="stranger", to="test-answers")
        Expectation.objects.bulk_create(rows)
        eventually(lambda: (sweep.tend(), finished(run))[1])

    assert task(run, "answer").output == {"answered": "unseen"}
