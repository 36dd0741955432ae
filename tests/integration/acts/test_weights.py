"""A workflow's share of the workers: for its new runs, for those that live, and back to what its definition says."""

import pytest

from orchestrator import acts
from orchestrator.acts.refusals import ActImpossible
from orchestrator.models import Event, Run, Task, Workflow
from tests.engine import eventually, finished, publish, shift, start

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = "  - {key: a, type: automated, agent: test-echo}"
ACT = acts.find("workflow", "weight")


def weigh(**answers: int) -> acts.Done:
    return acts.perform(ACT, acts.locate("workflow", "flow"), by=None, reason="month's end", answers=answers)


def weights() -> list[int]:
    return list(Run.objects.order_by("pk").values_list("weight", flat=True))


def test_new_and_live_runs_take_it_on_and_undo_gives_the_definitions_own_back():
    publish(STEPS, rest="configuration: {weight: 2}")
    start()
    done = weigh(weight=9)
    start()

    assert weights() == [9, 9]
    assert Event.objects.get(kind="workflow.weight_changed").data == {
        "reason": "month's end", "workflow": "flow", "from": 2, "to": 9,
    }  # fmt: skip
    assert done.undo is not None
    acts.perform(
        acts.find("workflow", done.undo.name), acts.locate("workflow", "flow"), by=None, reason="over",
        answers=done.undo.answers,
    )  # fmt: skip
    start()

    assert weights() == [2, 2, 2]
    assert Workflow.objects.get(name="flow").weight is None


def test_runs_that_have_ended_keep_what_they_had():
    publish(STEPS)
    run = start()
    with shift():
        eventually(lambda: finished(run))

    weigh(weight=5)

    assert weights() == [1]


def test_a_heavier_run_gets_more_turns_than_one_that_came_before_it():
    """Ten tasks each; the heavier one's last is due before the other's fourth."""
    many = "\n".join(f"  - {{key: k{n}, type: automated, agent: test-echo}}" for n in range(10))
    for name in ("flow", "other"):
        publish(many, name=name)
    weigh(weight=4)
    other, heavy = start("other"), start("flow")

    turns = {run: sorted(Task.objects.of_run(run.pk).values_list("virtual_start", flat=True)) for run in (other, heavy)}
    assert turns[heavy][-1] < turns[other][3]


@pytest.mark.parametrize("answers", [{"weight": 1}, {}])
def test_what_would_change_nothing_is_refused(answers):
    publish(STEPS)

    with pytest.raises(ActImpossible, match="weight 1 already"):
        weigh(**answers)
