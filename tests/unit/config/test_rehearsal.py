"""Rehearsals: sampled answers fit their schemas, and which calls a drill hits is no accident."""

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.registry import autodiscover, default
from agents.specs import build_spec
from config.rehearsal.faults import Drill, drills, outage
from config.rehearsal.rehearse import Level, Rehearsed
from config.rehearsal.sampling import sample
from config.rehearsal.stubs import answer_of, answers_itself, is_open


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]},
        {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}, "required": ["at"]},
        {"type": "array", "items": {"enum": ["low", "high"]}, "minItems": 2},
        {"type": "string", "minLength": 20},
        {"type": "string", "maxLength": 3},
        {"type": ["number", "null"], "maximum": 1},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"$ref": "#/$defs/level", "$defs": {"level": {"const": "critical"}}},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {},
    ],
)
def test_sample_fits_its_schema(schema):
    assert jsonschema_rs.validator_for(schema).is_valid(sample(schema))


def test_sample_of_a_schema_that_contains_itself_ends():
    assert sample({"type": "object", "properties": {"next": {"$ref": "#"}}}) is not None


@given(st.text(max_size=30), st.integers(min_value=2, max_value=9))
def test_drill_hits_first_attempts_only(key, attempt):
    drill = Drill("all", "tool_failure", 1.0)

    assert drill.hits(key, 1)
    assert not drill.hits(key, attempt)


def test_drill_hits_about_its_share_and_always_the_same_calls():
    drill = Drill("some", "llm_timeout", 0.34)
    hit = [drill.hits(f"task-{number}-0", 1) for number in range(2000)]

    assert 0.30 < sum(hit) / len(hit) < 0.38
    assert hit == [drill.hits(f"task-{number}-0", 1) for number in range(2000)]


def test_drills_go_from_the_smallest_blast_radius_to_the_largest():
    shares = [drill.share for drill in drills() if drill.kind != "worker_loss"]

    assert shares == sorted(shares)
    assert drills()[0].kind == "none"
    assert drills()[-1].kind == "worker_loss"


@pytest.mark.parametrize(
    ("injected", "recovered", "runs", "passed"),
    [
        (0, 0, {"succeeded": 5}, True),
        (100, 95, {"succeeded": 5}, True),
        (100, 94, {"succeeded": 5}, False),
        (100, 100, {"succeeded": 4, "failed": 1}, False),
    ],
)
def test_level_passes_when_enough_recovered_and_every_run_ended_well(injected, recovered, runs, passed):
    assert Level("x", injected, recovered, runs).passed is passed


def test_outage_hits_every_call_of_its_agent_and_nobody_elses():
    drill = outage("intel")

    assert all(drill.hits("task-1-0", attempt, "intel") for attempt in (1, 2, 9))
    assert not drill.hits("task-1-0", 1, "summary")


def test_outage_costs_what_runs_take_longer():
    levels = (Level("no fault", run_seconds=1.5), Level("outage of intel", run_seconds=2.75))

    assert Rehearsed("flow", 1, levels).outage_costs_s == 1.25
    assert Rehearsed("flow", 1, levels[:1]).outage_costs_s is None


def answer(given, ctx):
    return {}


def spec(output):
    return build_spec("someone", answer, takes={"type": "object"}, gives=output, facts={"capabilities": []})


@pytest.mark.parametrize(
    ("schema", "says_nothing"),
    [
        ({"type": "object"}, True),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, False),
        ({"type": "object", "anyOf": [{"required": ["n"]}]}, False),
    ],
)
def test_contract_is_open_when_it_says_nothing_of_the_answer(schema, says_nothing):
    assert is_open(spec(schema)) is says_nothing


def test_stub_answers_by_the_contract_and_passes_on_what_fits_it():
    promised = {"type": "object", "required": ["n", "to"], "properties": {
        "n": {"type": "integer", "minimum": 5}, "to": {"type": "string"}}}  # fmt: skip

    assert answer_of(spec(promised), {"n": 1, "to": "ana", "more": 2}) == {"n": 6, "to": "ana"}


def test_agents_that_touch_nothing_and_say_nothing_of_their_answers_are_their_own_stubs():
    autodiscover()

    assert answers_itself(default.get("sample-supervisor"))
    assert answers_itself(default.get("incident-generalist"))
    assert answers_itself(default.get("rule-planner"))
    assert answers_itself(default.get("investigation-lead"))
    assert not answers_itself(default.get("refund-generalist"))
