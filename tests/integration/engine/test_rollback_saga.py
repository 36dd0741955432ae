"""A rollback undoes first what was done after the checkpoint; a fake provider records every key that it is sent."""

from typing import Any

import pytest

from agents.errors import Permanent
from agents.registry import agent
from agents.types import Json
from approvals.models import Gate
from approvals.services import decide
from orchestrator import acts
from orchestrator.acts import ActImpossible, PlanChanged
from orchestrator.definitions.errors import DefinitionError
from orchestrator.engine.compensation import ROLLS_BACK
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Task
from orchestrator.states import RunStatus
from tests import engine, factories
from tests.engine import OPEN, eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)

sent: list[tuple[str, str]] = []  # what the provider was asked to do, and under which key
broken: list[str] = []  # what it refuses to take back


async def _send(ctx: Any, what: str, name: str) -> Json:
    async def call() -> Json:
        sent.append((what, f"{ctx.key}:{name}"))
        return {"done": what}

    return await ctx.once(name, call)


@agent(name="test-buyer", version=1, title="Buyer", input=OPEN, output=OPEN, capabilities=[])
async def buyer(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Do something to the world."""
    return {"receipt": await _send(ctx, input["what"], "order")}


@agent(name="test-returner", version=1, title="Returner", input=OPEN, output=OPEN, capabilities=[])
async def returner(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Take it back."""
    if input["what"] in broken:
        raise Permanent("the shop is closed", code="closed")
    return {"back": await _send(ctx, f"back {input['what']}", "return")}


@pytest.fixture(autouse=True)
def _provider_knows_nothing() -> None:
    sent.clear()
    broken.clear()


def buys(key: str, *, back: bool = True) -> str:
    undo = f", compensate: {{agent: test-returner, inputs: {{what: {key}}}}}" if back else ""
    return f"- {{key: {key}, type: automated, agent: test-buyer, inputs: {{what: {key}}}{undo}}}\n"


START = "- {key: a, type: automated, agent: test-echo, checkpoint: before buying}\n"
STEPS = START + buys("book") + buys("pay") + buys("mail", back=False)
ORDER = "dependencies: {book: [a], pay: [book], mail: [pay]}"


def ended(steps: str = STEPS, rest: str = ORDER, **given: Any) -> Run:
    publish(steps, rest=rest)
    run = start(**given)
    with shift():
        eventually(lambda: finished(run))
    return run


def rolled_back(run: Run, digest: str = "") -> acts.Done:
    found = acts.find("run", "rollback"), acts.of("run", run.pk)
    return acts.perform(*found, by=None, reason="it went astray", answers={"checkpoint": 1}, digest=digest)


def preview(run: Run) -> acts.Preview:
    return acts.preview(acts.find("run", "rollback"), acts.of("run", run.pk), {"checkpoint": 1})


def whats() -> list[str]:
    return [what for what, _ in sent]


def test_preview_names_every_side_effect_with_what_undoes_it_or_that_nothing_does():
    found = preview(ended()).plan

    assert found.lines[2:4] == ("pay: order, by test-returner.", "book: order, by test-returner.")
    assert found.warnings[1] == "Cannot be undone, and is not repeated: order of mail."


def test_rollback_undoes_in_reverse_order_then_does_everything_again_under_new_keys():
    run = ended()
    before = list(sent)

    done = rolled_back(run, preview(run).digest)
    run.refresh_from_db()
    between = run.status
    with shift():
        eventually(lambda: finished(run))

    assert between == RunStatus.COMPENSATING
    assert "is being undone" in done.words
    assert run.status == RunStatus.SUCCEEDED
    assert whats() == ["book", "pay", "mail", "back pay", "back book", "book", "pay"]  # mail stays, and is not repeated
    assert len(set(sent)) == len(sent)
    assert not {key for _, key in before} & {key for _, key in sent[3:]}
    kinds = list(Event.objects.filter(run=run).order_by("id").values_list("kind", flat=True))
    assert kinds.index("run.compensating") < kinds.index("run.rolled_back") < len(kinds)
    told = Event.objects.get(run=run, kind="run.rolled_back").data
    assert (told["checkpoint"], told["reason"]) == (1, "it went astray")
    assert [task(run, key).attempt for key in ("a", "book", "pay", "mail")] == [1, 2, 2, 2]
    assert not list(violations())


def test_what_cannot_be_taken_back_asks_people_stops_nothing_else_and_holds_the_rollback():
    run = ended()
    broken.append("pay")
    rolled_back(run)
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists() and "back book" in whats())
        eventually(lambda: not Task.objects.of_run(run.pk).filter(status__in=("ready", "running")).exists())
        gate = Gate.objects.get(run=run, status="open")
        run.refresh_from_db()
        held = run.status, statuses(run)["roll_back"]
        assert not list(violations())
        reviewer = factories.user("rev", "Human Oversight Coordinator")
        decide(gate_id=gate.pk, by=reviewer, verdict="skip", gate_version=gate.version, note="the shop agreed by phone")
        eventually(lambda: finished(run))

    assert (gate.step, gate.allowed, gate.queue.name) == ("undo_pay", ["retry", "skip"], "operations")
    assert held == (RunStatus.COMPENSATING, "blocked")
    assert run.status == RunStatus.SUCCEEDED
    assert whats() == ["book", "pay", "mail", "back book", "book", "pay"]
    assert not list(violations())


def test_live_run_stands_still_while_it_is_undone_and_then_starts_anew():
    publish(
        STEPS + "- {key: wait, type: automated, agent: test-patient}\n",
        rest=ORDER.replace("}", ", wait: [pay]}"),
    )
    run = start()
    with shift():
        eventually(lambda: statuses(run)["wait"] == "running" and statuses(run)["mail"] == "succeeded")
        rolled_back(run)
        eventually(lambda: whats().count("pay") == 2)
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert whats() == ["book", "pay", "mail", "back pay", "back book", "book", "pay"]
    assert not list(violations())


@pytest.mark.parametrize("named", ["given.what", "output.receipt.done"])
def test_items_of_a_map_are_undone_each_and_done_again(named):
    steps = START + (
        "- key: each\n  type: map\n  over: input.items\n"
        '  body: {type: automated, agent: test-buyer, inputs: {what: "${item}"},'
        ' compensate: {agent: test-returner, inputs: {what: "${NAMED}"}}}\n'.replace("NAMED", named)
    )
    run = ended(steps, "dependencies: {each: [a]}", items=["x", "y"])
    assert len(preview(run).plan.lines) == 6

    rolled_back(run)
    with shift():
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert sorted(whats()) == sorted(["x", "y"] * 2 + ["back x", "back y"])
    assert not list(violations())


def test_rollback_of_what_has_been_undone_before_undoes_only_what_was_done_since():
    run = ended()
    for _ in range(2):
        rolled_back(run)
        with shift():
            eventually(lambda: finished(run))

    assert whats() == ["book", "pay", "mail", *["back pay", "back book", "book", "pay"] * 2]
    assert not list(violations())


def test_run_that_is_being_undone_is_not_rolled_back_again_but_may_be_cancelled():
    run = ended()
    found = preview(run)
    rolled_back(run)

    with pytest.raises((ActImpossible, PlanChanged)):
        rolled_back(run, found.digest)
    acts.perform(acts.find("run", "cancel"), acts.of("run", run.pk), by=None, reason="let it be")

    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert task(run, "roll_back").status == "cancelled"
    assert not list(violations())


def test_person_may_leave_the_run_undone_instead_of_setting_it_back():
    run = ended()
    rolled_back(run)
    Task.objects.filter(pk=task(run, "roll_back").pk).update(spec={"step": {"kind": "manual"}, ROLLS_BACK: {}})
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
        gate = Gate.objects.get(run=run, status="open")
        reviewer = factories.user("rev", "Human Oversight Coordinator")
        decide(gate_id=gate.pk, by=reviewer, verdict="skip", gate_version=gate.version, note="leave it")
        eventually(lambda: finished(run))

    assert run.status == RunStatus.FAILED


def test_no_definition_has_a_step_that_sets_its_run_back():
    with pytest.raises(DefinitionError):
        publish("- {key: a, type: rollback}")
