"""Another rule on what people decided: what would be spared, what would slip, and what cannot be told."""

from io import StringIO

import orjson
import pytest
from django.core.management import CommandError, call_command

from agents.expressions import ExpressionError
from approvals.feedback import trying
from approvals.feedback.backtest import Rule, backtest
from orchestrator.models import Task
from orchestrator.past import is_drawn
from tests import people
from tests.integration.feedback.conftest import confident

pytestmark = pytest.mark.django_db


@pytest.fixture
def past(decided):
    """Five decisions: of 0.75, 0.7 and 0.65 approved, one of 0.7 edited, one of 0.3 rejected."""
    for verdict, confidence in (("approve", 0.75), ("approve", 0.7), ("approve", 0.65), ("edit", 0.7), ("reject", 0.3)):
        last = decided(verdict, confidence=confidence)
    return last.workflow


def test_backtest_says_what_a_lower_threshold_would_have_spared_and_let_slip(past):
    found = backtest(past, "assess", Rule("confidence < 0.68"), user=None)

    assert (found.asked, found.still, found.saved, found.slipped, found.unknown) == (5, 2, 2, 1, 0)
    assert found.words == ("60% fewer reviews (3 of 5); 1 that people changed or refused would have slipped through.")
    assert [(slip.verdict, slip.confidence) for slip in found.slips] == [("edit", 0.7)]


def test_backtest_counts_what_cannot_be_worked_out_as_still_asked(past):
    found = backtest(past, "assess", Rule("output.colour == 'red'"), user=None)

    assert (found.unknown, found.still, found.fewer) == (5, 5, 0)
    assert sum(found.why_unknown.values()) == 5
    with pytest.raises(ExpressionError):
        backtest(past, "assess", Rule("import os"), user=None)


def test_backtest_reads_the_input_earlier_steps_and_draws_the_same_sample(past):
    assert backtest(past, "assess", Rule("input.host == 'fin-db-02'"), user=None).still == 5
    late = backtest(past, "assess", Rule("steps.approve.summary == 'x'"), user=None)
    assert late.unknown == 5  # that step comes later: it had no output then
    tried = backtest(past, "assess", Rule("false", 0.5), user=None)
    drawn = sum(is_drawn(pk, 0.5) for pk in Task.objects.filter(key="assess").values_list("pk", flat=True))
    assert (tried.sampled, tried.still) == (drawn, drawn)


def test_backtest_is_bounded_and_shows_nobody_what_they_may_not_see(past):
    cut = backtest(past, "assess", Rule("true"), user=None, limit=2)
    assert (cut.asked, cut.is_cut) == (2, True)
    stranger = people.person("sam", "Reviewer", decides=people.queue("elsewhere"))
    assert backtest(past, "assess", Rule("true"), user=stranger).asked == 0


def test_backtest_tells_what_a_stricter_rule_would_add(past, decided):
    gate = decided(confidence=0.9)
    passed = people.run()
    task = Task.objects.get(run=passed, key="assess")
    Task.objects.filter(pk=task.pk).update(
        status="succeeded", output=people.PROPOSAL, confidence=0.85, ended_at=gate.opened_at
    )
    confident(gate, 0.9)

    found = backtest(past, "assess", Rule("confidence < 0.88"), user=None)

    assert (found.passed, found.new) == (1, 1)
    moved = list(trying.sweep(past, "assess", Rule("confidence < 0.8"), user=None))
    assert [one.threshold for one in moved] == list(trying.SWEEP)
    assert [one.found.fewer for one in moved][:3] == [5, 5, 4]


def test_command_backtest_says_the_same_as_lines_and_as_json(past):
    told = StringIO()
    call_command("backtest", "incident", "assess", "--when", "confidence < 0.68", "--json", stdout=told)
    found = orjson.loads(told.getvalue())
    assert (found["asked"], found["saved"], found["slipped"]) == (5, 2, 1)

    told = StringIO()
    call_command("backtest", "incident", "assess", "--when", "confidence < 0.68", stdout=told)
    assert "60% fewer reviews" in told.getvalue()
    with pytest.raises(CommandError, match="assess"):
        call_command("backtest", "incident", "nowhere")
