"""A workflow's pattern is kept with who chose it, when and why; every change is in the log."""

import pytest

from orchestrator import acts
from orchestrator.acts.choosing import newest
from orchestrator.models import Event, PatternChoice, Workflow
from tests import engine, factories

pytestmark = pytest.mark.django_db
ALL_YES = {"linear": "yes", "parallel": "yes", "dynamic": "yes", "collaboration": "yes"}


@pytest.fixture
def flow() -> Workflow:
    return engine.publish("  - {key: a, type: automated, agent: test-echo}").workflow


def choose(flow: Workflow, by: factories.User, reason: str, **answers: str) -> acts.Done:
    return acts.perform(
        acts.find("workflow", "choose-pattern"),
        acts.locate("workflow", flow.name),
        by=by,
        reason=reason,
        answers=answers,
    )


def test_choice_keeps_what_the_wizard_recommends_beside_what_was_chosen(flow: Workflow) -> None:
    mia = factories.user("mia")

    choose(flow, mia, "a manager would be too much", pattern="swarm", **ALL_YES)

    kept = newest(flow)
    assert kept is not None
    assert (kept.pattern, kept.recommended, kept.chosen_by) == ("swarm", "magentic", mia)
    assert (kept.rationale, kept.answers) == ("a manager would be too much", ALL_YES)


def test_choice_with_three_answers_has_no_recommendation(flow: Workflow) -> None:
    choose(flow, factories.user("mia"), "so", pattern="saga", linear="yes", parallel="no", dynamic="no")

    kept = newest(flow)
    assert kept is not None
    assert kept.recommended == ""


def test_another_choice_keeps_the_one_before_and_its_event_names_both(flow: Workflow) -> None:
    mia = factories.user("mia")
    choose(flow, mia, "first", pattern="saga")

    done = choose(flow, mia, "second", pattern="swarm")

    assert [row.pattern for row in PatternChoice.objects.filter(workflow=flow)] == ["swarm", "saga"]
    event = Event.objects.filter(kind="workflow.pattern_chosen").order_by("id").last()
    assert event is not None
    assert event.data == {
        "reason": "second",
        "workflow": "flow",
        "pattern": "swarm",
        "was": "saga",
        "recommended": "",
    }
    assert done.undo is not None
    assert done.undo.answers == {"pattern": "saga"}


def test_preview_warns_who_chooses_another_pattern_than_the_wizard(flow: Workflow) -> None:
    act, target = acts.find("workflow", "choose-pattern"), acts.locate("workflow", flow.name)

    agreed = acts.preview(act, target, {"pattern": "magentic", **ALL_YES}).plan
    differs = acts.preview(act, target, {"pattern": "saga", **ALL_YES}).plan

    assert agreed.warnings == ()
    assert "magentic" in " ".join(differs.lines)
    assert len(differs.warnings) == 1
