"""What publishing warns of: in the answers of the API, of the command and on the workflow's page; strict refuses."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from agents.registry import autodiscover, sync
from orchestrator import checks, services
from orchestrator.catalogue import default as catalogue
from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.errors import DefinitionError
from orchestrator.definitions.load import load
from orchestrator.models import Budget, Workflow
from orchestrator.patterns import plain
from tests import engine, factories, people
from tests.api import as_user

pytestmark = pytest.mark.django_db
HEAD = "metadata: {name: flow, title: Flow}\n"
ONE = HEAD + "steps: [{key: a, type: automated, agent: test-echo}]\n"
QUIET = HEAD + "steps: [{key: a, type: automated, agent: test-echo, on_error: ask}]\n"
TWO = HEAD + (
    "steps:\n"
    "  - {key: a, type: automated, agent: test-echo}\n"
    "  - {key: b, type: automated, agent: test-flaky}\n"
    "error_handling: {on_error: ask}\n"
)


@pytest.fixture(autouse=True)
def agents() -> None:
    """Those of tests/engine.py, and the library's."""
    assert engine.OPEN
    autodiscover()
    sync()


def warned(source: str) -> list[tuple[str, str]]:
    definition = load(source, file="t.yaml")
    found = checks.look(definition, compile_plan(definition, catalogue=catalogue), catalogue=catalogue)
    return [(problem.step, problem.field) for problem in found]


@pytest.mark.parametrize(
    ("step", "lacks"),
    [
        ("type: automated, agent: test-echo", True),
        ("type: automated, agent: test-echo, on_error: skip", False),
        ("type: automated, agent: test-echo, optional: true", False),
        ("type: manual, queue: ops, form: {type: object}", True),
        ("type: manual, queue: ops, form: {type: object}, gate: {on_timeout: reject}", False),
        ("type: wait_event, event: paid", True),
        ("type: wait_event, event: paid, on_deadline: ask", False),
        ("type: timer, duration: 5s", False),
        ("type: loop, body: {type: automated, agent: test-echo}, until: 'true', most: 2", True),
        ("type: loop, body: {type: automated, agent: test-echo}, until: 'true', most: 2, on_bound: fail", False),
    ],
)
def test_step_without_explicit_error_handling_is_listed(step: str, lacks: bool) -> None:
    assert warned(HEAD + f"steps: [{{key: a, {step}}}]\n") == ([("a", "on_error")] if lacks else [])


def test_default_of_the_definition_speaks_for_its_steps() -> None:
    assert warned(ONE + "error_handling: {on_error: ask}\n") == []


def test_many_steps_are_cut_and_counted() -> None:
    steps = ", ".join(f"{{key: s{n}, type: automated, agent: test-echo}}" for n in range(53))

    found = warned(HEAD + f"steps: [{steps}]\n")

    assert len(found) == checks.MOST + 1
    assert found[-1] == ("", "on_error")


def test_several_agents_need_a_stand_in_a_cost_budget_and_a_checkpoint() -> None:
    assert warned(TWO) == [("", "configuration.budgets.cost"), ("", "checkpoint")]
    whole = TWO.replace("agent: test-flaky}", "agent: test-flaky, checkpoint: half}")
    assert warned(whole + "configuration: {budgets: {cost: 2}}\n") == []


REFUNDS = Path("orchestrator/library/refund-approval.yaml").read_text()


def test_agents_that_cannot_do_each_others_work_need_a_fallback() -> None:
    """The refund agents take and give what the other does not."""
    alone = REFUNDS.replace("    fallback: refund-generalist\n", "")

    assert warned(alone) == [("", "fallback")]


def test_agent_that_the_run_can_do_without_needs_no_fallback() -> None:
    alone = REFUNDS.replace("    agent: refund-payer\n    fallback: refund-generalist\n", "    agent: refund-payer\n")

    assert warned(alone) == [("", "fallback")]
    assert warned(alone.replace("    agent: refund-payer\n", "    agent: refund-payer\n    on_error: skip\n")) == []


def test_fallback_of_a_pattern_stands_in_for_its_agents() -> None:
    chat = next(entry for entry in plain.entries() if entry.name == "group_chat").help.template

    assert warned(chat) == []
    assert warned(chat.replace("    fallback: campaign-generalist\n", "")) == [("", "fallback")]


def test_agents_inside_a_pattern_count() -> None:
    chat = next(entry for entry in plain.entries() if entry.name == "group_chat")
    plan = compile_plan(load(chat.help.template, file="c.yaml"), catalogue=catalogue)

    assert checks.agents_of(plan) == tuple(
        f"campaign-{who}" for who in ("copywriter", "strategist", "legal", "compliance")
    )


MAP = "steps: [{key: m, type: map, over: input.items, on_error: ask%s, body: {type: automated, agent: %s}}]\n"


@pytest.mark.parametrize(
    ("more", "agent", "warns"),
    [
        ("", "sample-note", True),
        (", most: 101", "sample-note", True),
        (", most: 100", "sample-note", False),
        (", most: 1000, batch: 10", "sample-note", False),
        ("", "test-echo", False),  # with an ample budget
    ],
)
def test_map_that_may_grow_wider_than_its_agents_budget_is_told_of(more: str, agent: str, warns: bool) -> None:
    assert warned(HEAD + MAP % (more, agent)) == ([("m", "most")] if warns else [])


def test_publishing_keeps_its_warnings_with_the_version() -> None:
    version = services.publish(source=ONE, file="t.yaml", by=None)

    version.refresh_from_db()
    assert [(problem.step, problem.field) for problem in checks.of_version(version)] == [("a", "on_error")]


def test_cost_budget_over_all_runs_mends_the_warning_of_a_published_version() -> None:
    version = services.publish(source=TWO, file="t.yaml", by=None)
    assert len(checks.of_version(version)) == 2

    Budget.objects.create(scope="workflow", ref=version.workflow_id, resource="cost", limit=5)

    assert [problem.field for problem in checks.of_version(version)] == ["checkpoint"]


@pytest.mark.parametrize("source", [ONE, TWO])
def test_strict_definition_is_refused_while_a_check_warns(source: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        services.publish(source=source + "configuration: {strict: true}\n", file="t.yaml", by=None)

    assert refused.value.problems
    assert not Workflow.objects.exists()


def test_strict_definition_without_warnings_is_published() -> None:
    version = services.publish(source=QUIET + "configuration: {strict: true}\n", file="t.yaml", by=None)

    assert version.number == 1


def test_api_answers_with_the_warnings() -> None:
    api = as_user(people.person("max", "Workflow Orchestration Manager"))

    checked = api.post("/workflows/validate", {"source": ONE}).json()
    strict = api.post("/workflows/validate", {"source": ONE + "configuration: {strict: true}\n"}).json()
    published = api.post("/workflows", {"source": ONE}).json()

    assert (checked["valid"], [line["field"] for line in checked["warnings"]]) == (True, ["on_error"])
    assert (strict["valid"], [line["field"] for line in strict["problems"]]) == (False, ["on_error"])
    assert [line["step"] for line in published["warnings"]] == ["a"]


def test_publish_command_warns_beside_what_it_did(tmp_path: Path) -> None:
    file, out, err = tmp_path / "flow.yaml", StringIO(), StringIO()
    file.write_text(ONE)

    call_command("publish", str(file), stdout=out, stderr=err)

    assert out.getvalue() == "flow version 1 is current.\n"
    assert err.getvalue().startswith('warning: flow.yaml:2: step "a", on_error: says nothing of errors')


def test_page_shows_the_warnings_and_the_choice(client) -> None:
    client.force_login(factories.user("mia", "Workflow Orchestration Manager"))
    services.publish(source=ONE, file="t.yaml", by=None)

    graph = client.get("/workflows/flow/").content.decode()
    design = client.get("/workflows/flow/?tab=design").content.decode()

    assert "1 warning" in graph
    assert "says nothing of errors" in design
    assert "No pattern has been chosen" in design
    assert "/act/workflow/flow/choose-pattern/" in design
