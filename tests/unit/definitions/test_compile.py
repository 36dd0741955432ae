"""Definitions to plans: the wiring, the defaults, and every refusal with its place and remedy."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import jsonschema_rs
import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.advice import advice
from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.load import DefinitionError, load
from orchestrator.definitions.plan import GateSpec, Plan, PlanStep, Retry
from orchestrator.definitions.schema import schema_text
from orchestrator.definitions.serialise import plan_from_json, plan_to_json

type Compile = Callable[[str], Plan]
type Refuse = Callable[[str], str]

FULL = """
configuration:
  lane: fast
  queue: people
  priority: 3
  weight: 2
  deadline: 2h
  title: "Demo of ${input.text}"
  input: {type: object, properties: {text: {type: string}}, required: [text]}
  outputs: {note: "${steps.note.note}"}
error_handling: {timeout: 10s, on_error: ask, retry: {attempts: 2}}
monitoring: {dashboard: floor}
steps:
  - {key: read, type: automated, agent: reader@1, inputs: {text: "${input.text}", limit: 3}, retry: {base: 2}}
  - key: route
    type: conditional
    branches: [{when: steps.read.score > 0.5, then: [work]}]
    default: [other]
  - key: work
    type: parallel
    steps:
      - {key: left, type: automated, agent: noop}
      - key: chain
        type: sequential
        steps:
          - {key: first, type: automated, agent: noop, inputs: {a: "${steps.read.summary}"}}
          - {key: second, type: automated, agent: noop, timeout: 5m, on_error: fail, lane: slow}
  - {key: other, type: automated, agent: noop, when: "${input.text != ''}"}
  - key: review
    type: approval
    subject: other
    risk: high
    consequence: "${output.what} happens"
    gate: {title: "Agree?", when: confidence < 0.8, deadline: 30m, on_timeout: reject}
  - key: note
    type: manual
    form: {type: object, properties: {note: {type: string}}}
    instructions: "See ${input.text}"
dependencies:
  route: [read]
  note: [work, review]
"""


def step(plan: Plan, key: str) -> PlanStep:
    return next(step for step in plan.steps if step.key == key)


def keys(plan: Plan, indexes: tuple[int, ...]) -> list[str]:
    return [plan.steps[index].key for index in indexes]


def test_compile_wires_groups_branches_and_subjects(compiled: Compile) -> None:
    plan = compiled(FULL)

    before = {step.key: keys(plan, step.dependencies) for step in plan.steps}
    assert before == {
        "read": [],
        "route": ["read"],
        "left": ["route"],
        "first": ["route"],
        "second": ["first"],
        "other": ["route"],
        "review": ["other"],
        "note": ["left", "second", "review"],
    }
    assert [keys(plan, branch.then) for branch in step(plan, "route").branches] == [["left", "first"], ["other"]]
    assert step(plan, "second").group == "work/chain"


def test_compile_reads_in_what_time_a_step_is_to_be_done(compiled: Compile) -> None:
    plan = compiled("steps: [{key: a, type: automated, agent: noop, latency: 2s}]")

    assert plan_from_json(plan_to_json(plan)).steps[0].p95_s == 2.0


def test_compile_orders_steps_so_that_dependencies_come_first(compiled: Compile) -> None:
    plan = compiled(FULL)

    assert [step.index for step in plan.steps] == list(range(len(plan.steps)))
    assert all(source < step.index for step in plan.steps for source in step.dependencies)
    assert all(step.index in plan.steps[source].successors for step in plan.steps for source in step.dependencies)


def test_compile_applies_defaults_of_the_workflow(compiled: Compile) -> None:
    plan = compiled(FULL)

    read, second, note = step(plan, "read"), step(plan, "second"), step(plan, "note")
    assert (read.lane, read.timeout, read.on_error, read.retry) == ("fast", 10.0, "ask", Retry(2, 2, 60.0))
    assert (second.lane, second.timeout, second.on_error) == ("slow", 300.0, "fail")
    assert note.gate == GateSpec(
        "true", "people", "Note", deadline_s=7200.0, allowed=("complete", "reject", "terminate")
    )
    assert (plan.priority, plan.weight, plan.title) == (3, 2, "Demo of ${input.text}")


def test_compile_knows_what_each_step_reads(compiled: Compile) -> None:
    plan = compiled(FULL)

    assert keys(plan, step(plan, "first").needs) == ["read"]
    assert keys(plan, step(plan, "route").needs) == ["read"]
    assert keys(plan, step(plan, "review").needs) == ["other"]
    assert [step.key for step in plan.steps if step.needs_run_input] == ["read", "other", "note"]


def test_compile_reads_an_approvals_gate_from_step_and_gate(compiled: Compile) -> None:
    gate = step(compiled(FULL), "review").gate

    assert gate is not None
    assert (gate.title, gate.risk, gate.when) == ("Agree?", "high", "confidence < 0.8")
    assert (gate.deadline_s, gate.on_timeout, gate.consequence) == (1800.0, "reject", "${output.what} happens")


def test_plan_survives_json(compiled: Compile) -> None:
    plan = compiled(FULL)

    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_yaml_and_json_compile_to_the_same_plan(compiled: Compile, catalogue: object) -> None:
    definition = load("metadata: {name: demo, title: Demo}\n" + FULL, file="demo.yaml")

    again = load(json.dumps(definition.values), file="demo.json")

    assert compile_plan(again, catalogue=catalogue) == compile_plan(definition, catalogue=catalogue)  # type: ignore[arg-type]


A, B = "{key: a, type: automated, agent: noop}", "{key: b, type: automated, agent: noop}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            f"steps: [{A}, {B}]\ndependencies: {{a: [b], b: [a]}}",
            "demo.yaml:2: the steps wait for each other in a cycle: a -> b -> a; remove one of these dependencies",
            id="cycle",
        ),
        pytest.param(f"steps: [{A}]\ndependencies: {{a: [a]}}", "in a cycle: a -> a", id="self-edge"),
        pytest.param(
            f"steps: [{A}]\ndependencies: {{a: [summry]}}", 'dependencies.a: "summry" is not a step', id="dangling"
        ),
        pytest.param(
            f"steps: [{A}]\ndependencies: {{c: [a]}}", 'dependencies: "c" is not a step', id="dangling-target"
        ),
        pytest.param(f"steps: [{A}, {A}]", 'step "a", key: its key stands twice', id="key-twice"),
        pytest.param(
            "steps: [{key: summary, type: automated, agent: noop}, "
            '{key: assess, type: automated, agent: reader, inputs: {text: "${steps.sumary.x}"}}]',
            'step "assess", inputs.text: "steps.sumary" is not a step; did you mean "summary"?',
            id="misspelt-step",
        ),
        pytest.param(
            f'steps: [{A}, {{key: b, type: automated, agent: noop, inputs: {{x: "${{steps.a.y}}"}}}}]',
            'inputs.x: "steps.a" need not have ended before this step; add "a" to dependencies.b',
            id="not-an-ancestor",
        ),
        pytest.param(
            'steps: [{key: a, type: automated, agent: noop, inputs: {x: "${steps.a.y}"}}]',
            '"steps.a" is this step itself',
            id="own-output",
        ),
        pytest.param(
            "steps: [{key: a, type: automated, agent: noop, when: confidence < 0.5}]",
            'when: "confidence" is not known here; an expression in this field may use input, steps',
            id="too-early",
        ),
        pytest.param(
            "steps: [{key: a, type: automated, agent: reader}]",
            'step "a", inputs.text: is required by reader; give it a value',
            id="required-input",
        ),
        pytest.param(
            "steps: [{key: a, type: automated, agent: reader, inputs: {text: x, limt: 1}}]",
            'inputs.limt: is not an input of reader; did you mean "limit"?',
            id="unknown-input",
        ),
        pytest.param(
            "steps: [{key: a, type: automated, agent: reader, inputs: {text: x, limit: many}}]",
            'step "a", inputs.limit: "many" is not of type "integer"',
            id="literal-of-wrong-type",
        ),
        pytest.param(
            'steps: [{key: a, type: automated, agent: reader, inputs: {text: "${input.x}", limit: many}}]',
            'step "a", inputs.limit: "many" is not of type "integer"',
            id="literal-beside-expression",
        ),
        pytest.param("steps: [{key: a, type: automated, agent: raeder}]", 'did you mean "reader"?', id="agent"),
        pytest.param(
            "steps: [{key: a, type: automated, agent: reader@9, inputs: {text: x}}]",
            '"reader" has no version 9',
            id="agent-version",
        ),
        pytest.param("steps: [{key: a, type: approval}]", 'step "a", subject: is missing', id="no-subject"),
        pytest.param(
            f"steps: [{A}, {{key: r, type: approval, subject: a, gate: {{on_timeout: later}}}}]",
            "gate.on_timeout: 'later' is not allowed; use one of escalate, reject, remind, hold, approve",
            id="approve-on-timeout",
        ),
        pytest.param(
            f"steps: [{A}, {{key: r, type: approval, subject: a, queue: q, revisions: 99}}]",
            "revisions: must be a whole number from 0 to 10",
            id="revisions",
        ),
        pytest.param(
            f"steps: [{A}, {{key: r, type: approval, subject: a, queue: q, allow: [request_changes]}}, {B}]\n"
            "dependencies: {b: [a]}",
            'step "r", allow: request_changes needs that only this step waits for "a"',
            id="request-changes",
        ),
        pytest.param(
            f"steps: [{A}, {{key: r, type: approval, subject: a}}]", "queue: nobody is asked; name a queue", id="queue"
        ),
        pytest.param(
            "steps: [{key: c, type: conditional, branches: [{when: 'true', then: []}, {when: 'input.x', then: []}]}]",
            "branches[0].when: always holds, so what follows is never reached",
            id="unreachable-branch",
        ),
        pytest.param(
            "steps: [{key: a, type: automated, agent: noop, when: false}]",
            "when: is always false",
            id="unreachable-step",
        ),
        pytest.param("steps: [{key: a, type: automatic}]", 'did you mean "automated"?', id="type"),
        pytest.param(f"steps: [{A[:-1]}, agnet: x}}]", 'agnet: is not a field here; did you mean "agent"?', id="field"),
        pytest.param(f"steps: [{A[:-1]}, timeout: 5x}}]", "timeout: '5x' is not a duration", id="duration"),
        pytest.param(
            f"steps: [{A[:-1]}, retry: {{attempts: 0}}}}]", "retry.attempts: must be a whole number", id="retry"
        ),
        pytest.param("steps: [{key: in, type: automated, agent: noop}]", '"in" is a word of CEL', id="reserved-key"),
        pytest.param("steps: [{key: а, type: automated, agent: noop}]", "'\\u0430' is not a key", id="confusable-key"),
        pytest.param(
            'steps: [{key: m, type: manual, queue: q, form: {$ref: "http://x/y"}}]', "form: refers to", id="outside-ref"
        ),
        pytest.param(
            "steps: [{key: m, type: manual, queue: q, form: {type: obect}}]", "form: is not a JSON Schema", id="schema"
        ),
        pytest.param(
            f"configuration: {{title: '${{steps.a.x}}'}}\nsteps: [{A}]",
            'configuration.title: "steps.a.x" is not known here',
            id="title",
        ),
        pytest.param(
            f"configuration: {{input: {{properties: {{text: {{}}}}}}, outputs: {{x: '${{input.txt}}'}}}}\nsteps: [{A}]",
            '"input.txt": "txt" is not a field of the workflow\'s input; did you mean "text"?',
            id="input-field",
        ),
        pytest.param("steps: []", "steps: must be a list with at least one step", id="empty"),
        pytest.param(
            "steps: [{key: a, type: wait_event, event: x, wholly: 1}]",
            "wholly: is not a field here; remove it; there are ",
            id="far from any field",
        ),
        pytest.param(
            "steps: [{key: a, type: automated, agent: noop, timeout: 5s, latency: 1m}]",
            "latency: is longer than timeout",
            id="latency",
        ),
        pytest.param("stpes: []", 'stpes: is not a field here; did you mean "steps"?', id="group"),
    ],
)
def test_compile_refuses(refusal: Refuse, text: str, says: str) -> None:
    assert says in refusal(text)


def test_compile_reports_every_problem_at_once(refusal: Refuse) -> None:
    steps = ", ".join(f"{{key: s{number}, type: automated, agent: nobody}}" for number in range(70))

    lines = refusal(f"steps: [{steps}]").splitlines()

    assert len(lines) == 50
    assert all('"nobody" is not an agent' in line for line in lines)


def test_compile_says_once_what_is_wrong_twice_with_the_same_field(refusal: Refuse) -> None:
    twice = "${has(steps.gone) ? steps.gone.note : 1}"

    said = refusal(f"steps: [{{key: b, type: automated, agent: noop, inputs: {{x: '{twice}'}}}}]")

    assert said.count('"steps.gone" is not a step') == 1


def test_request_changes_is_left_out_where_it_cannot_be_carried_out(compiled: Compile) -> None:
    text = f"steps: [{A}, {{key: r, type: approval, subject: a, queue: q}}, {B}]\ndependencies: {{b: [a]}}"

    gate = step(compiled(text), "r").gate

    assert gate is not None
    assert gate.allowed == ("approve", "edit", "reject", "terminate")


def test_too_many_edges_are_refused_before_they_are_made(refusal: Refuse) -> None:
    children = {
        side: ", ".join(f"{{key: {side}{n}, type: automated, agent: noop}}" for n in range(400)) for side in "ab"
    }
    sides = [f"{{key: {side}, type: parallel, steps: [{inner}]}}" for side, inner in children.items()]

    assert "makes more than 100,000 dependencies" in refusal(f"steps: [{', '.join(sides)}]\ndependencies: {{b: [a]}}")


def test_advice_names_what_is_left_to_defaults(catalogue: object) -> None:
    definition = load(
        "metadata: {name: demo, title: Demo}\nsteps: [{key: a, type: automated, agent: noop}]", file="d.yaml"
    )

    lines = [str(line) for line in advice(definition, compile_plan(definition, catalogue=catalogue))]  # type: ignore[arg-type]

    assert 'd.yaml:2: step "a", timeout: is not set; 60 s is used; set it here or in error_handling.timeout' in lines
    assert any("on_error: is not set" in line for line in lines)


def test_published_schema_is_the_one_the_code_makes() -> None:
    published = Path(settings.BASE_DIR, "static/schema/workflow-v1.json").read_text()

    assert published == schema_text(), "run: python -m orchestrator.definitions.schema > static/schema/workflow-v1.json"


def test_published_schema_accepts_what_load_accepts() -> None:
    definition = load("metadata: {name: demo, title: Demo}\n" + FULL, file="demo.yaml")

    validator = jsonschema_rs.validator_for(json.loads(schema_text()))

    assert [error.message for error in validator.iter_errors(definition.values)] == []


@pytest.mark.parametrize(
    "text", ["steps: [{key: A, type: automated, agent: x}]", "steps: [{key: a, type: nope}]", "x: 1"]
)
def test_published_schema_refuses_what_load_refuses(text: str, refusal: Refuse) -> None:
    refusal(text)
    import yaml

    values = yaml.safe_load("metadata: {name: demo, title: Demo}\n" + text)

    assert not jsonschema_rs.is_valid(json.loads(schema_text()), values)


@given(edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_compile_of_any_graph_orders_it_or_names_a_true_cycle(edges: list[tuple[int, int]]) -> None:
    before: dict[str, list[str]] = {}
    for target, source in edges:
        before.setdefault(f"s{target}", []).append(f"s{source}")
    values = {
        "metadata": {"name": "any", "title": "Any"},
        "steps": [
            {"key": f"s{n}", "type": "conditional", "branches": [{"when": "true", "then": []}]} for n in range(8)
        ],
        "dependencies": before,
    }

    try:
        plan = compile_plan(load(json.dumps(values), file="any.json"), catalogue=None)  # type: ignore[arg-type]
    except DefinitionError as problem:
        cycle = str(problem).split("cycle: ")[1].split(";")[0].split(" -> ")
        assert all(first in before[second] for first, second in pairwise(cycle))
        return

    assert all(source < step.index for step in plan.steps for source in step.dependencies)
    assert {(step.key, plan.steps[source].key) for step in plan.steps for source in step.dependencies} == {
        (f"s{target}", f"s{source}") for target, source in edges
    }
