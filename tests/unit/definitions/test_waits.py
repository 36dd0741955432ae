"""What publishing says about steps that wait, before a run could stumble over it."""

import pytest

from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.errors import DefinitionError
from orchestrator.definitions.load import load
from orchestrator.definitions.serialise import plan_from_json, plan_to_json
from orchestrator.definitions.waits import Callee, moment
from tests.unit.definitions.conftest import Catalogue, with_metadata

CHILD = Callee(
    {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    ("total",),
)


def test_waiting_steps_survive_being_stored(compiled) -> None:
    plan = compiled("""
        steps:
          - {key: a, type: timer, duration: 3650d}
          - {key: b, type: timer, until: "2027-01-31T09:00:00Z"}
          - {key: c, type: wait_event, event: order.paid, correlation: "${input.o}", match: event.data.n > 1,
             deadline: 90d}
          - {key: d, type: wait_callback, agent: noop, inputs: {to: "${callback_url}"}, on_deadline: skip}
          - {key: e, type: hybrid, agent: noop, form: {type: object}, queue: q}
    """)

    assert plan_from_json(plan_to_json(plan)) == plan
    by_key = {step.key: step for step in plan.steps}
    assert by_key["c"].wait.deadline_s == 90 * 86400
    assert (by_key["c"].wait.key, by_key["c"].needs_run_input) == ("${input.o}", True)
    assert by_key["d"].wait.on_deadline == "skip"
    assert by_key["e"].gate.allowed == ("complete", "request_changes", "reject", "terminate")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{key: a, type: timer}", "says neither how long nor until when"),
        ("{key: a, type: timer, duration: 1d, until: '2027-01-01T00:00:00Z'}", "says both how long and until when"),
        ("{key: a, type: timer, duration: 4000d}", "is not a duration up to ten years"),
        ("{key: a, type: timer, duration: soon}", "is not a duration up to ten years"),
        ("{key: a, type: timer, until: '2027-01-01T00:00:00'}", "is not a moment"),
        ("{key: a, type: wait_event}", "is missing"),
        ("{key: a, type: wait_event, event: Order Paid}", "is not a signal's name"),
        ("{key: a, type: wait_event, event: x, match: input.n > 1}", "is not known here"),
        ("{key: a, type: wait_callback, inputs: {to: x}}", "this step calls none"),
        ("{key: a, type: automated, agent: noop, inputs: {to: '${callback_url}'}}", "is not known here"),
        ("{key: a, type: subworkflow, workflow: chlid}", "is not a published workflow"),
        ("{key: a, type: subworkflow, workflow: child}", "is required by child"),
        ("{key: a, type: subworkflow, workflow: child, inputs: {n: 1, m: 2}}", "is not an input of child"),
        ("{key: a, type: subworkflow, workflow: child, inputs: {n: many}}", "inputs.n"),
        ("{key: a, type: hybrid, agent: noop, form: {type: object}}", "nobody is asked"),
    ],
)
def test_waiting_step_that_cannot_work_is_refused(step: str, told: str) -> None:
    text = with_metadata(f"steps:\n  - {step}\n")

    with pytest.raises(DefinitionError, match=told):
        compile_plan(load(text, file="demo.yaml"), catalogue=Catalogue(), workflows={"child": CHILD}.get)


@pytest.mark.parametrize(
    ("reads", "is_known"),
    [("steps.t.late", True), ("steps.t.lat", False), ("steps.s.total", True), ("steps.s.totl", False)],
)
def test_output_of_a_waiting_step_is_known_to_those_after_it(reads: str, is_known: bool) -> None:
    text = f"""
        steps:
          - {{key: t, type: timer, duration: 1d}}
          - {{key: s, type: subworkflow, workflow: child, inputs: {{n: 1}}}}
          - {{key: b, type: automated, agent: noop, inputs: {{x: "${{{reads}}}"}}}}
        dependencies: {{b: [t, s]}}
    """
    definition = load(with_metadata(text), file="demo.yaml")

    def compiled() -> object:
        return compile_plan(definition, catalogue=Catalogue(), workflows={"child": CHILD}.get)

    if is_known:
        assert compiled()
    else:
        with pytest.raises(DefinitionError, match="is not a field of that output"):
            compiled()


def test_moment_needs_its_zone() -> None:
    assert moment("2027-01-31T09:00:00+01:00") is not None
    assert moment("2027-01-31T09:00:00") is None
    assert moment("tomorrow") is None
