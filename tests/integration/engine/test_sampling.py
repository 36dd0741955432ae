"""A share of what a rule lets pass is looked at all the same: always the same ones."""

import pytest

from approvals.models import Gate
from orchestrator.engine.sampling import is_drawn
from tests.engine import eventually, finished, publish, shift, start, task

STEPS = """
  - key: look
    type: automated
    agent: test-echo
    inputs: {{text: hello}}
    gate: {{when: "output.text == 'bad'", sample: {share}, queue: default, title: Look}}
"""


def test_draw_is_the_same_for_each_try_and_as_large_as_it_was_asked_for():
    drawn = [pk for pk in range(20_000) if is_drawn(pk, 0.1)]

    assert drawn == [pk for pk in range(20_000) if is_drawn(pk, 0.1)]
    assert 1_850 < len(drawn) < 2_150
    assert not any(is_drawn(pk, 0.0) for pk in range(1_000))
    assert all(is_drawn(pk, 1.0) for pk in range(1_000))


@pytest.mark.django_db(transaction=True)
def test_output_that_is_drawn_says_so_and_one_that_is_not_goes_on():
    publish(STEPS.format(share=1), name="all")
    publish(STEPS.format(share=0), name="none")
    drawn, passed = start("all"), start("none")

    with shift():
        eventually(Gate.objects.exists)
        eventually(lambda: finished(passed))

    gate = Gate.objects.get()
    assert gate.run_id == drawn.pk
    assert gate.rule == "sample of 100.000%, where this does not hold: output.text == 'bad'"
    assert gate.subject["matched"] == []
    assert task(passed, "look").status == "succeeded"
