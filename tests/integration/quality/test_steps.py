"""Steps that ask something of their output: scored, held, verified, agreed on and watched, in a real engine."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from agents.budgets import AMPLE
from agents.models import Agent, Assessment
from agents.registry import agent
from approvals.errors import NoteMissing
from approvals.models import Gate
from approvals.services import decide
from orchestrator.definitions.errors import DefinitionError
from orchestrator.engine import budgeting
from orchestrator.invariants import violations
from orchestrator.models import Budget, Event, Run, Task
from tests.engine import OPEN, eventually, finished, publish, shift, start, task
from tests.hands import reviewer

pytestmark = pytest.mark.django_db(transaction=True)

VERDICT = {"type": "object", "properties": {"verdict": {}, "reasons": {}, "reason": {}, "score": {}}}
votes: dict[str, list[Any]] = {}  # what the voters say, in turn


@agent("test-verifier", title="Verifier", input=OPEN, output=VERDICT, budget=AMPLE)
async def verifier(given: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """Pass what says nothing of cats."""
    about_cats = "cat" in str(given["output"])
    return {"verdict": "fail" if about_cats else "pass", "reasons": ["it is about cats"] if about_cats else []}


@agent("test-guardian", title="Guardian", input=OPEN, output=VERDICT, budget=AMPLE)
async def guardian(given: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """Say what the output tells it to."""
    return {"verdict": given["output"].get("guard", "pass"), "reason": "the tone is wrong"}


@agent("test-voter", title="Voter", input=OPEN, output=OPEN, budget=AMPLE)
async def voter(given: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """The next of the answers that the test put down."""
    return {"level": votes["levels"].pop(0), "confidence": votes["confidences"].pop(0)}


def step(quality: str, *, inputs: str = "", more: str = "") -> str:
    return (
        f"- {{key: work, type: automated, agent: test-echo, inputs: {{{inputs}}}, quality: {quality}{more}}}\n"
        '- {key: after, type: automated, agent: test-echo, inputs: {got: "${steps.work}"}}'
    )


ORDER = "configuration: {queue: editors}\ndependencies: {after: [work]}"


def run_until_held(steps: str, rest: str = ORDER, **given: Any) -> tuple[Run, Gate]:
    publish(steps, rest=rest)
    run = start(**given)
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists())
    return run, Gate.objects.get(run=run)


def run_to_the_end(steps: str, rest: str = ORDER, **given: Any) -> Run:
    publish(steps, rest=rest)
    run = start(**given)
    with shift():
        eventually(lambda: finished(run))
    return run


def test_output_at_the_minimum_goes_on_with_its_score() -> None:
    run = run_to_the_end(step("{required: [title, body], minimum: 50}", inputs="title: One"))

    found = Assessment.objects.get(task=task(run, "work").pk)
    assert (found.score, found.passed, found.agent, found.run) == (50.0, True, "test-echo", run.pk)
    assert [one["name"] for one in found.components] == ["completeness"]
    assert task(run, "after").status == "succeeded"
    assert Event.objects.filter(run=run, kind="quality.assessed", data__score=50.0).count() == 1
    assert not Gate.objects.exists()


def test_output_below_the_minimum_opens_a_review_that_says_why() -> None:
    run, gate = run_until_held(step("{required: [title, body], minimum: 51}", inputs="title: One"))

    assert gate.rule == "quality: score 50 is below the minimum of 51"
    assert (gate.risk, gate.queue.name, gate.agent) == ("high", "editors", "test-echo")
    assert "body is missing" in str(gate.subject["evidence"])
    assert task(run, "after").status == "blocked"


def test_zero_tolerance_lets_a_fabricated_citation_pass_only_with_a_reason() -> None:
    quality = "{claims: evidence, minimum: 10, zero_tolerance: true}"
    claims = (
        'text: "The bridge was closed on 3 March 2026 after an inspection.", '
        'evidence: [{claim: "The bridge was closed on 3 March 2026.", source: text}, '
        '{claim: "It was closed in 1999.", source: "Miller 2001"}]'
    )
    run, gate = run_until_held(step(quality, inputs=claims))

    assert gate.rule.startswith("quality, zero tolerance: accuracy: fabricated")
    assert [one["status"] for one in gate.subject["evidence"]] == ["verified", "fabricated"]
    with pytest.raises(NoteMissing):
        decide(gate_id=gate.pk, by=reviewer(), verdict="approve", gate_version=gate.version, via="browser")
    assert task(run, "work").status == "waiting"

    decide(
        gate_id=gate.pk, by=reviewer(), verdict="approve", gate_version=gate.version, via="browser",
        note="The second claim is a joke that readers know.",
    )  # fmt: skip
    with shift():
        eventually(lambda: finished(run))
    assert run.status == "succeeded"
    assert not list(violations())


def test_contradiction_with_an_earlier_step_is_held_with_both_sentences() -> None:
    steps = """
- {key: first, type: automated, agent: test-echo, inputs: {text: "The flood damaged 40 houses in the valley."}}
- key: work
  type: automated
  agent: test-echo
  inputs: {text: "In the valley the flood damaged 90 houses."}
  quality: {checks: [consistency], zero_tolerance: true}
"""
    run, gate = run_until_held(steps, rest="configuration: {queue: editors}\ndependencies: {work: [first]}")

    assert "figure: says other than first" in gate.rule
    (component,) = Assessment.objects.get(run=run.pk).components
    assert component["findings"][0]["quote"] == "In the valley the flood damaged 90 houses."
    assert component["findings"][0]["other"] == "The flood damaged 40 houses in the valley."


def test_gate_may_ask_by_the_score() -> None:
    more = ', gate: {when: "quality.score < 80", queue: editors}'

    _, gate = run_until_held(step("{required: [title, body]}", inputs="title: One", more=more))

    assert gate.rule == "quality.score < 80"


@pytest.mark.parametrize(("subject", "passed"), [("dogs", True), ("cats", False)])
def test_verifier_is_asked_in_a_task_of_its_own(subject: str, passed: bool) -> None:
    steps = step("{verifier: test-verifier}", inputs=f"about: {subject}")
    run = run_to_the_end(steps) if passed else run_until_held(steps)[0]

    found = Assessment.objects.get(run=run.pk)
    assert (found.passed, found.agent, found.verifier) == (passed, "test-echo", "test-verifier")
    assert found.reasons == ([] if passed else ["verifier: it is about cats"])
    spawned = Task.objects.of_run(run.pk).exclude(parent=None).order_by("id")
    assert list(spawned.values_list("key", "agent__name")) == [
        ("work.1", "test-echo"),
        ("work.verify", "test-verifier"),
    ]
    if passed:
        assert task(run, "after").output["got"]["about"] == "dogs"


def test_verifier_that_came_to_be_the_producer_is_refused_while_running() -> None:
    steps = step("{verifier: test-verifier}").replace("agent: test-echo, inputs: {}", "select: {capability: odd}", 1)
    agent("test-judged-odd", title="Odd", input=OPEN, output=OPEN, capabilities=["odd"], budget=AMPLE)(_odd)
    publish(steps, rest=ORDER)
    run = start()
    Task.objects.of_run(run.pk).filter(key="work").update(spec={"step": _verified_by("test-judged-odd")})

    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists())

    assert "test-judged-odd produced what it would verify" in Gate.objects.get(run=run).title
    assert not Assessment.objects.exists()


async def _odd(given: dict[str, Any], ctx: Any) -> dict[str, Any]:
    return {"odd": True}


def _verified_by(name: str) -> dict[str, Any]:
    return {"quality": {"verifier": name}}


def test_database_refuses_a_verifier_that_is_the_producer() -> None:
    columns: dict[str, Any] = {
        "task": 1,
        "run": 1,
        "attempt": 1,
        "workflow": "w",
        "step": "s",
        "score": 1,
        "passed": True,
    }

    with pytest.raises(IntegrityError, match="verifier_is_not_producer"), transaction.atomic():
        Assessment.objects.create(**columns, agent="a", verifier="a")


CONSENSUS = """
- {key: work, type: automated, agent: test-voter, quality: {consensus: {of: 3, agree: 2, fields: [level]}}}
- {key: after, type: automated, agent: test-echo, inputs: {got: "${steps.work}"}}
"""


def test_consensus_goes_on_and_keeps_the_dissent() -> None:
    votes.update(levels=["low", "high", "low"], confidences=[0.9, 0.8, 0.7])

    run = run_to_the_end(CONSENSUS)

    found = Assessment.objects.get(run=run.pk)
    assert task(run, "after").output["got"]["level"] == "low"
    assert found.passed
    assert (found.consensus["agreeing"], found.consensus["of"]) == (2, 3)
    assert [side["value"]["level"] for side in found.consensus["sides"]] == ["low", "high"]
    assert found.consensus["sides"][1]["tasks"] == [
        Task.objects.of_run(run.pk).get(output__level="high", parent__isnull=False).pk
    ]


def test_no_consensus_is_put_before_people_with_every_side() -> None:
    votes.update(levels=["low", "high", "medium"], confidences=[0.9, 0.8, 0.7])

    run, gate = run_until_held(CONSENSUS)

    assert gate.rule == "quality: consensus: 1 of 3 agree, 2 are needed"
    assert [one["option"] for one in gate.subject["alternatives"]] == ["level: low", "level: high", "level: medium"]
    assert task(run, "after").status == "blocked"


GUARDED = (
    "configuration: {queue: editors, guardians: [{agent: test-guardian, steps: [work]}]}\ndependencies: {after: [work]}"
)
PLAIN = """
- {key: work, type: automated, agent: test-echo, inputs: {guard: "%s"}}
- {key: after, type: automated, agent: test-echo}
"""


def test_guardian_that_passes_holds_nothing_up() -> None:
    run = run_to_the_end(PLAIN % "pass", GUARDED)

    assert run.status == "succeeded"
    assert Assessment.objects.get(run=run.pk).guardians == [
        {"agent": "test-guardian", "verdict": "pass", "reason": "the tone is wrong"}
    ]


def test_guardian_raises_a_concern_and_the_run_goes_on() -> None:
    run = run_to_the_end(PLAIN % "raise", GUARDED)

    event = Event.objects.get(run=run, kind="guardian.raised")
    assert (event.actor, event.data["reason"]) == ("agent:test-guardian", "the tone is wrong")
    assert not Gate.objects.exists()


@pytest.mark.parametrize("verdict", ["hold", "pause", "approve everything"])
def test_guardian_holds_and_what_is_no_verdict_holds_too(verdict: str) -> None:
    run, gate = run_until_held(PLAIN % verdict, GUARDED)

    run.refresh_from_db()
    said = "the tone is wrong" if verdict in ("hold", "pause") else "the guardian gave no verdict: 'approve everything'"
    assert gate.rule == f"quality: guardian test-guardian: {said}"
    assert task(run, "work").status == "waiting"
    assert run.status == ("paused" if verdict == "pause" else "running")
    assert Event.objects.filter(run=run, kind="guardian.held").exists()
    assert not list(violations())


def test_weighted_conflict_goes_to_confidence_times_authority_and_keeps_both_sides() -> None:
    steps = """
- {key: law, type: automated, agent: test-echo, inputs: {level: high, confidence: 0.7}}
- {key: notes, type: automated, agent: test-echo, inputs: {level: low, confidence: 0.9}}
- key: work
  type: automated
  agent: test-echo
  inputs: {level: "${agreed.level}"}
  conflicts: {fields: [level], rule: weighted, authority: {law: regulatory}}
"""
    from orchestrator.models import Conflict

    run = run_to_the_end(steps, rest="dependencies: {work: [law, notes]}")

    conflict = Conflict.objects.get(run_id=run.pk)
    assert task(run, "work").output["level"] == "high"  # 0.7 x 1.0 against 0.9 x 0.6
    assert (conflict.resolved_by, len(conflict.sides)) == ("rule:weighted", 2)


@pytest.mark.parametrize(
    ("quality", "problem"),
    [
        ("{verifier: test-echo}", "produces what it would verify"),
        ("{verifier: test-nobody}", "is not an agent"),
        ("{consensus: {of: 4, agree: 2}}", "2 of 4 is no consensus"),
        ("{consensus: {of: 3, agree: 4}}", "4 of 3 is no consensus"),
        ("{checks: [accuracy]}", "is told nothing to check"),
        ("{formats: {a: telegram}}", "is not a form"),
        ("{minimum: 80}", "asks for nothing"),
        ("{checks: [beauty]}", "must be a list of names"),
        ("{required: [a], weights: {beauty: 1}}", "is not a component"),
        ("{required: [a], minimum: 101}", "from 0 to 100"),
    ],
)
def test_publishing_refuses(quality: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        publish(step(quality), rest=ORDER)


def test_publishing_refuses_a_guardian_of_its_own_output() -> None:
    rest = "configuration: {queue: editors, guardians: [{agent: test-echo}]}"

    with pytest.raises(DefinitionError, match="produces what it would watch"):
        publish(step("{required: [a]}"), rest=rest)


def limited(resource: str, limit: float) -> None:
    """Give the guardian a standing budget."""
    agent = Agent.objects.get(name="test-guardian")
    Budget.objects.create(scope="agent", ref=agent.pk, resource=resource, limit=limit)
    budgeting.view.forget()


def test_guardian_has_a_budget_of_its_own_and_holds_once_that_is_used_up() -> None:
    publish(PLAIN % "pass", rest=GUARDED)
    limited("calls", 1)
    first = start()
    with shift():
        eventually(lambda: finished(first))
        second = start()
        eventually(lambda: Gate.objects.filter(run=second).exists())
    assert first.status == "succeeded"
    gate = Gate.objects.get(run=second)
    assert "the guardian was not asked: calls of agent test-guardian is used up" in gate.rule
    assert Budget.objects.get(scope="agent").spent == 1
    assert Event.objects.filter(kind="budget.exceeded", run=second).count() == 1
    own = Budget.objects.get(scope="run_agent", ref=first.pk, agent__name="test-guardian", resource="calls")
    assert own.spent == 1


def test_guardian_watches_each_item_of_a_map_and_each_round_of_a_loop() -> None:
    rest = "configuration: {queue: editors, guardians: [{agent: test-guardian, steps: [each, again]}]}"
    steps = """
- {key: each, type: map, over: "${input.list}", body: {type: automated, agent: test-echo, inputs: {guard: "${item}"}}}
- {key: again, type: loop, until: "round == 2", most: 3, body: {type: automated, agent: test-echo}}
"""
    publish(steps, rest=rest)
    run = start(list=["pass", "hold"])
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists() and task(run, "again").status == "succeeded")
    assert Gate.objects.get(run=run).rule == "quality: guardian test-guardian: the tone is wrong"
    assert Assessment.objects.filter(run=run.pk, guardians__0__verdict="pass").count() == 3  # one item, two rounds
    assert task(run, "each").status != "succeeded"


@pytest.mark.parametrize("quality", ["{verifier: test-verifier}", "{consensus: {of: 3, agree: 2}}"])
def test_body_of_a_map_may_be_verified_and_voted_on(quality: str) -> None:
    steps = (
        '- {key: each, type: map, over: "${input.list}", body: '
        f'{{type: automated, agent: test-echo, inputs: {{about: "${{item}}"}}, quality: {quality}}}}}'
    )
    publish(steps, rest="configuration: {queue: editors}")
    run = start(list=["dogs", "birds"])
    with shift():
        eventually(lambda: finished(run))
    assert run.status == "succeeded"
    assert [item["about"] for item in task(run, "each").output["items"]] == ["dogs", "birds"]
    assert Assessment.objects.filter(run=run.pk, passed=True).count() == 2


def test_body_that_its_verifier_refuses_is_held_and_a_loop_may_be_verified_too() -> None:
    steps = (
        '- {key: again, type: loop, until: "round == 2", most: 3, body: {type: automated, agent: test-echo, '
        'inputs: {about: "${input.about}"}, quality: {verifier: test-verifier}}}'
    )
    publish(steps, rest="configuration: {queue: editors}")
    fine, held = start(about="dogs"), start(about="cats")
    with shift():
        eventually(lambda: finished(fine) and Gate.objects.filter(run=held).exists())
    assert fine.status == "succeeded"
    assert Assessment.objects.filter(run=fine.pk, verifier="test-verifier").count() == 2
    assert "it is about cats" in Gate.objects.get(run=held).rule


def test_verifier_spends_its_own_budget() -> None:
    run = run_to_the_end(step("{verifier: test-verifier}", inputs="title: One"))
    assert run.status == "succeeded"
    spent = Budget.objects.filter(scope="run_agent", ref=run.pk, agent__name="test-verifier", resource="calls")
    assert not spent.exists() or spent.get().spent == 1
