"""Every pattern's template, published as it stands and run by a real shift with the agents of the library."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.registry import autodiscover, sync
from approvals.models import Gate
from approvals.services import decide
from orchestrator import services
from orchestrator.engine import delivery
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, StateEntry, Task
from orchestrator.patterns import registry
from orchestrator.states import RunStatus
from tests.engine import eventually, finished, publish, shift, task
from tests.hands import reviewer

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = (
    "Ransomware was found on the payroll server. The attackers exploited CVE-2021-44228 and sent mail from "
    "billing@evil-invoices.com. They created scheduled tasks and encrypted customer files."
)
HARMLESS = "The billing page shows last month's logo. Look at CVE-2020-0601 when there is time for it, please."

type Answer = Callable[[Gate], dict[str, Any]]


def run_template(pattern: str, answer: Answer | None = None, **given: Any) -> Run:
    """Publish the template of a pattern and run it to its end, answering what people are asked."""
    found = registry.find(pattern)
    assert found is not None
    autodiscover()
    sync()
    version = services.publish(source=found.help.template, file=f"{pattern}.yaml", by=None, make_queues=True)
    run = services.start_run(workflow=version.workflow.name, input=given, by=None, actor="feed")
    finish(run, answer)
    return run


def finish(run: Run, answer: Answer | None = None) -> None:
    """Let a shift work until the run has ended, and people answer."""
    ana = reviewer()

    def ended() -> bool:
        for gate in Gate.objects.filter(run=run, status="open"):
            assert answer is not None, gate.title
            decide(gate_id=gate.pk, gate_version=gate.version, verdict="complete", by=ana, edited=answer(gate))
        return finished(run)

    with shift():
        eventually(ended)
    assert not list(violations())


def spawned(run: Run) -> dict[str, Task]:
    return {one.key: one for one in Task.objects.of_run(run.pk).filter(parent__isnull=False).order_by("id")}


def test_group_chat_ends_by_consensus_that_compliance_approves():
    brief = "The best bicycle for every day, guaranteed to last. It weighs nine kilograms."

    run = run_template("group_chat", product="Bicycle", brief=brief)

    assert run.status == RunStatus.SUCCEEDED, run.error
    output = task(run, "chat").output
    assert (output["ended"], output["disposition"], output["agreeing"]) == ("consensus", "approved", 1.0)
    assert output["position"] == "The bicycle for every day, to last."
    said = [(one["turn"], one["author"]) for one in output["messages"] if one["turn"]]
    assert said == [(n, ("copywriter", "strategist", "legal")[(n - 1) % 3]) for n in range(1, output["turns"] + 1)]
    turns = {key: one for key, one in spawned(run).items() if not key.endswith("approval")}
    assert [one.output["text"] for one in turns.values()] == [one["text"] for one in output["messages"] if one["turn"]]
    first = Event.objects.filter(run_id=run.pk, kind="task.spawned").order_by("id").first()
    assert first is not None
    assert first.data["participants"] == ["copywriter", "strategist", "legal"]


def test_turn_21_is_never_run_and_the_session_goes_to_a_person():
    steps = """
- key: chat
  type: pattern
  pattern: group_chat
  options:
    topic: "${input.topic}"
    queue: operations
    participants: [{name: ann, agent: test-echo}, {name: ben, agent: test-echo}]
    end: {says: never said}
    loop: {repeats: 10, similarity: 1}
    drift: {below: 0}
"""
    publish(steps)
    run = services.start_run(workflow="flow", input={"topic": "where to go"}, by=None, actor="feed")
    asked: list[Gate] = []

    def answer(gate: Gate) -> dict[str, Any]:
        asked.append(gate)
        return {"disposition": "not settled", "say": "we meet in person"}

    finish(run, answer)

    keys = list(spawned(run))
    assert [key for key in keys if key.endswith(".21")] == []
    assert len([key for key in keys if key.rpartition(".")[2].isdigit()]) == 20
    assert len(asked) == 1
    assert len(asked[0].subject["input"]["transcript"]) == 20
    output = delivery.unpack(task(run, "chat").output)
    assert output["disposition"] == "not settled"
    assert output["messages"][-1]["text"] == "we meet in person"


def test_magentic_adds_a_task_after_the_start_and_says_why():
    run = run_template("magentic", text=TEXT)

    assert run.status == RunStatus.SUCCEEDED, run.error
    output = task(run, "investigate").output
    added = [(line["id"], line["round"], line["by"]) for line in output["log"]]
    assert added == [("summary", 1, "manager"), ("indicators", 1, "manager"), ("techniques", 2, "manager")]
    assert "indicators were found" in output["log"][-1]["why"]
    assert "CVE-2021-44228" in output["answer"]["indicators"]
    assert output["answer"]["techniques"]
    versions = StateEntry.objects.filter(run_id=run.pk, key="investigate.ledger").order_by("version")
    sizes = [len(version.value["entries"]) for version in versions]
    assert (sizes[0], sizes[-1], sizes == sorted(sizes)) == (0, 3, True)


def test_hierarchy_keeps_addresses_from_those_who_do_not_need_them():
    run = run_template("hierarchy", text=TEXT)

    assert run.status == RunStatus.SUCCEEDED, run.error
    tasks = spawned(run)
    assert "billing@evil-invoices.com" in tasks["investigate.indicators.1"].input["text"]
    for name in ("summary", "techniques"):
        assert "billing@" not in str(tasks[f"investigate.{name}.1"].input)
        assert "[address]" in tasks[f"investigate.{name}.1"].input["text"]
    report = task(run, "investigate").output["result"]
    assert (report["sources"], report["complete"]) == (["indicators", "summary", "techniques"], True)


def test_sync_point_asks_people_about_a_contradiction_before_the_next_round():
    asked: list[Gate] = []

    def answer(gate: Gate) -> dict[str, Any]:
        asked.append(gate)
        assert "estimate.words.2" not in spawned(gate.run)
        return {"c1": gate.subject["form"]["properties"]["c1"]["enum"][1]}

    run = run_template("concurrent_sync", answer, text=HARMLESS)

    assert run.status == RunStatus.SUCCEEDED, run.error
    assert len(asked) == 1
    output = task(run, "estimate").output
    assert output["findings"]["impact"] == "low"
    assert output["by"]["impact"] == "words"
    (conflict,) = output["conflicts"]
    assert [(side["by"], side["value"]) for side in conflict["sides"]] == [("indicators", "high"), ("words", "low")]
    assert output["rounds"] == 2


def test_plan_is_edited_by_a_person_and_runs_in_its_order():
    def answer(gate: Gate) -> dict[str, Any]:
        tasks = gate.subject["form"]["properties"]["tasks"]["default"]
        assert [one["agent"] for one in tasks] == ["threat-summariser", "indicator-extractor"]
        more = {"key": "alike", "agent": "enrichment-fetcher", "input": {"text": TEXT}, "after": [tasks[0]["key"]]}
        return {"then": "run it", "tasks": [*tasks, more]}

    run = run_template("planner", answer, goal="Summarise it, then extract indicators", text=TEXT)

    assert run.status == RunStatus.SUCCEEDED, run.error
    tasks = spawned(run)
    ordered = [tasks[f"plan.{name}"] for name in ("threat_summariser", "indicator_extractor", "alike")]
    assert ordered[0].ended_at <= ordered[1].started_at
    assert ordered[0].ended_at <= ordered[2].started_at
    assert set(task(run, "plan").output["results"]) == {"threat_summariser", "indicator_extractor", "alike"}


def reject_all(run: Run, note: str) -> list[Gate]:
    """Let a shift work until the run has ended, and a person reject every question."""
    ana, asked = reviewer(), []

    def ended() -> bool:
        for gate in Gate.objects.filter(run=run, status="open"):
            asked.append(gate)
            decide(gate_id=gate.pk, gate_version=gate.version, verdict="reject", by=ana, note=note)
        return finished(run)

    with shift():
        eventually(ended)
    assert not list(violations())
    return asked


def test_person_who_rejects_a_chats_question_ends_the_chat_and_not_the_run():
    publish("""
- key: chat
  type: pattern
  pattern: group_chat
  options:
    topic: where to go
    queue: operations
    cap: 2
    participants: [{name: ann, agent: test-echo}, {name: ben, agent: test-echo}]
    end: {says: never said}
    drift: {below: 0}
- {key: after, type: automated, agent: test-echo, inputs: {what: "${steps.chat.disposition}"}}
""", rest="dependencies: {after: [chat]}")  # fmt: skip
    run = services.start_run(workflow="flow", input={}, by=None, actor="feed")

    asked = reject_all(run, "we stay at home")

    assert run.status == RunStatus.SUCCEEDED
    assert len(asked) == 1
    assert "the chat ends with the disposition “rejected” and your note" in str(asked[0].subject)
    output = delivery.unpack(task(run, "chat").output)
    assert (output["disposition"], output["messages"][-1]["text"]) == ("rejected", "we stay at home")
    assert delivery.unpack(task(run, "after").output)["what"] == "rejected"
    question = next(one for key, one in spawned(run).items() if key.endswith(".cap"))
    assert (question.status, (question.error or {})["code"]) == ("failed", "rejected")
    failed = Event.objects.get(run_id=run.pk, kind="task.failed")
    assert failed.actor == "user:ana"


def test_plan_that_is_rejected_three_times_fails_the_run():
    found = registry.find("planner")
    assert found is not None
    autodiscover()
    sync()
    name = services.publish(source=found.help.template, file="p.yaml", by=None).workflow.name
    given = {"goal": "Summarise it", "text": TEXT}
    run = services.start_run(workflow=name, input=given, by=None, actor="feed")

    asked = reject_all(run, "without the summary")

    assert len(asked) == 3
    assert run.status == RunStatus.FAILED
    assert (run.error or {})["code"] == "plan_rejected"
    assert "without the summary" in (run.error or {})["message"]


def test_rejected_manual_step_of_a_definition_still_fails_its_run():
    publish("- {key: ask, type: manual, queue: operations, on_error: skip, form: {type: object}}")
    run = services.start_run(workflow="flow", input={}, by=None, actor="feed")

    reject_all(run, "no")

    assert run.status == RunStatus.FAILED
