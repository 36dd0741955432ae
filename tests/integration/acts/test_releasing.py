"""Versions under promotion and canary, targets with actuals, and items about agents: acts, upkeep and pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from agents.health import HealthMeter, record_health
from agents.lifecycle import canaries, routes, targets, watching
from agents.models import (
    Agent,
    AgentItem,
    AgentRelease,
    AgentVersion,
    Assessment,
    Evaluation,
    QualityTarget,
    VersionMinute,
)
from agents.registry import Registry, sync
from agents.registry import agent as registered
from orchestrator import acts, services
from orchestrator.acts import ActImpossible
from orchestrator.acts.releasing import OwnVersion
from orchestrator.acts.widening import OwnWidening
from orchestrator.models import Event
from tests import factories
from tests.integration.acts.test_matrix import ROLES

pytestmark = pytest.mark.django_db


@pytest.fixture
def dora() -> User:
    return factories.user("dora", "Agent Development Specialist")


@pytest.fixture
def mo() -> User:
    return factories.user("mo", "Quality Assurance Lead")


@pytest.fixture
def agent() -> Agent:
    made = factories.agent("writer")
    AgentVersion.objects.create(agent=made, number=2, kind="python", isolation="loop", digest="1" * 64)
    return made


def do(name: str, by: User, **answers: Any) -> acts.Done:
    found, target = acts.find("agent", name), acts.locate("agent", "writer")
    return acts.perform(found, target, by=by, reason="because", answers=answers)


def evaluate(version: int, *, passed: bool = True, ago: timedelta = timedelta()) -> None:
    for kind in ("functional", "safety"):
        Evaluation.objects.create(
            suite=f"{kind}-suite", kind=kind, suite_digest="s" * 64, agent="writer", agent_version=version,
            agent_digest="a" * 64, dataset="d", dataset_digest="d" * 64, cases=2, measures={}, thresholds={},
            passed=passed, trigger="command", started_at=timezone.now() - ago,
        )  # fmt: skip


def work(version: int, *, calls: int, failures: int = 0, ms: float = 10) -> None:
    meter = HealthMeter()
    for number in range(calls):
        meter.record("writer", ms=ms, failed=number < failures, version=version)
    record_health(meter.drain())


def release() -> AgentRelease:
    return AgentRelease.objects.get(agent__name="writer")


def kinds() -> list[str]:
    return list(Event.objects.filter(kind__startswith="agent.").order_by("id").values_list("kind", flat=True))


def test_version_is_promoted_on_evidence_that_is_newer_than_it_and_reverted_without(agent: Agent, mo: User) -> None:
    with pytest.raises(ActImpossible, match="no functional evaluation of agent:writer@2"):
        do("promote", mo, version="2")
    evaluate(2, ago=timedelta(days=1))
    with pytest.raises(ActImpossible, match="older than the change"):
        do("promote", mo, version="2")
    evaluate(2, passed=False)
    with pytest.raises(ActImpossible, match="missed its thresholds"):
        do("promote", mo, version="2")
    AgentRelease.objects.create(agent=agent, current=1)
    evaluate(2)

    done = do("promote", mo, version="2")

    assert (release().current, release().previous) == (2, 1)
    assert routes.in_force("writer") == 2
    assert done.undo is not None
    assert done.undo.name == "revert"
    with pytest.raises(ActImpossible, match="already"):
        do("promote", mo, version="2")
    do("revert", mo)
    assert (release().current, release().previous) == (1, None)
    assert kinds() == ["agent.promoted", "agent.reverted"]
    with pytest.raises(ActImpossible):
        do("revert", mo)


def test_whoever_began_or_changed_the_canary_does_not_promote_it_even_after_ending_it(
    agent: Agent, dora: User, mo: User
) -> None:
    evaluate(2)
    do("canary", dora, version="2", share=10)
    do("end-canary", dora)
    with pytest.raises(OwnVersion):
        do("promote", dora, version="2")

    do("promote", mo, version="2")

    assert release().current == 2


def test_owner_of_an_agent_does_not_promote_its_versions(agent: Agent, dora: User) -> None:
    evaluate(2)
    do("describe", dora, owner="dora")

    with pytest.raises(OwnVersion):
        do("promote", dora, version="2")


def test_owner_who_names_another_one_does_not_promote_either(agent: Agent, dora: User, mo: User) -> None:
    evaluate(2)
    do("describe", dora, owner="dora")
    do("describe", dora, owner="somebody-else")

    with pytest.raises(OwnVersion, match="changed the owner"):
        do("promote", dora, version="2")
    do("promote", mo, version="2")
    assert release().current == 2


def test_canary_of_the_newest_leaves_the_rest_to_the_version_before(agent: Agent, dora: User) -> None:
    done = do("canary", dora, version="2", share=10)

    assert (release().current, release().canary, release().share) == (1, 2, 10)
    assert done.undo is not None
    assert done.undo.name == "end-canary"
    for refused in ({"version": "2", "share": 10}, {"version": "1", "share": 10}):
        with pytest.raises(ActImpossible):
            do("canary", dora, **refused)
    with pytest.raises(acts.AnswerInvalid):
        do("canary", dora, version="2", share=51)


def test_canary_in_another_isolation_is_refused(agent: Agent, dora: User) -> None:
    AgentVersion.objects.filter(agent=agent, number=2).update(isolation="process")

    with pytest.raises(ActImpossible, match="another isolation"):
        do("canary", dora, version="2", share=10)


def test_canary_that_fails_is_rolled_back_once_with_an_event_and_an_item(agent: Agent, dora: User) -> None:
    do("canary", dora, version="2", share=10)
    work(1, calls=100)
    work(2, calls=12, failures=11)

    watching.watch()
    watching.watch()

    assert (release().current, release().canary, release().share) == (1, None, 0)
    item = AgentItem.objects.get()
    assert item.words == ("Canary v2 was rolled back: success share 8.3 % (n=12) against 100.0 % (n=100).")
    event = Event.objects.get(kind="agent.canary_rolled_back")
    assert (event.actor, event.data["version"], event.data["current"]) == ("engine", 2, 1)
    do("close-item", dora, item="canary")
    item.refresh_from_db()
    assert (item.closed_by, item.reason) == ("dora", "because")


def test_canary_that_does_as_well_stays_and_its_comparison_is_kept(agent: Agent, dora: User) -> None:
    do("canary", dora, version="2", share=10)
    work(1, calls=100, failures=2)
    work(2, calls=30, failures=1)
    for version, score in ((1, 80), (1, 90), (2, 70)):
        Assessment.objects.create(
            task=Assessment.objects.count() + 1, run=1, attempt=1, workflow="w", step="s", agent="writer",
            agent_version=version, score=score, passed=True,
        )  # fmt: skip

    assert canaries.watch() == 0

    assert release().canary == 2
    lines = {line["measure"]: line for line in release().comparison["lines"]}
    assert (lines["success"]["n_current"], lines["success"]["n_canary"]) == (100, 30)
    assert (lines["score"]["current"], lines["score"]["canary"], lines["score"]["low"]) == (85, 70, None)
    assert not AgentItem.objects.exists()


def test_target_that_is_missed_opens_one_item_until_a_person_closes_it(agent: Agent, dora: User) -> None:
    do("set-targets", dora, success=0.9, p95_ms=50, hours=24)
    work(1, calls=19, failures=19)
    assert targets.watch() == 0  # too few to say
    work(1, calls=21, ms=20)

    assert targets.watch() == 1
    assert targets.watch() == 0

    item = AgentItem.objects.get()
    assert (item.kind, item.facts["n"]) == ("success", 40)
    assert "52.5 % against a target of 90.0 %" in item.words
    do("close-item", dora, item="success")
    assert targets.watch() == 0  # what was closed is old news
    held = {one.measure: one.status for one in targets.held(QualityTarget.objects.get())}
    assert held == {"success": "missed", "p95_ms": "met"}
    assert kinds() == ["agent.targets_set", "agent.item_opened", "agent.item_closed"]


def test_closed_item_opens_again_by_what_came_after(agent: Agent, dora: User) -> None:
    do("set-targets", dora, success=0.9)
    work(1, calls=20, failures=20)
    targets.watch()
    do("close-item", dora, item="success")
    AgentItem.objects.update(closed_at=timezone.now() - timedelta(minutes=3))

    assert targets.watch() == 1


def test_targets_that_are_emptied_are_asked_no_more(agent: Agent, dora: User) -> None:
    do("set-targets", dora, success=0.9)

    done = do("set-targets", dora)

    assert not QualityTarget.objects.exists()
    assert done.undo is not None
    assert done.undo.answers == {"success": 0.9, "hours": 24}


def test_minutes_of_two_shifts_add_up_by_version_and_old_ones_are_forgotten(agent: Agent) -> None:
    work(1, calls=3, failures=1, ms=10)
    work(1, calls=2, ms=10)
    work(2, calls=1)
    VersionMinute.objects.create(agent=agent, version=1, minute=timezone.now() - timedelta(days=9), calls=5)

    watching.watch()

    rows = VersionMinute.objects.filter(version=1)
    assert sum(row.calls for row in rows) == 5
    assert sum(row.failures for row in rows) == 1
    assert sum(sum(row.buckets.values()) for row in rows) == 5


def test_what_people_say_of_an_agent_outlives_a_registration(dora: User) -> None:
    mine = Registry()
    open_contract = {"type": "object"}

    @registered("writer", input=open_contract, output=open_contract, registry=mine, owner="code", tags=["code"])
    async def writer(given: dict[str, Any], ctx: Any) -> dict[str, Any]:
        return given

    sync(mine)
    Agent.objects.filter(name="writer").update(authority=["claims", "refunds"])
    do("describe", dora, owner="dora", domains="fraud", authority="refunds")

    sync(mine)

    row = Agent.objects.get(name="writer")
    assert (row.owner, row.domain_tags, row.authority) == ("dora", ["fraud"], ["refunds"])


def test_pages_show_target_against_actual_with_sample_and_window(agent: Agent, dora: User, client: Client) -> None:
    do("set-targets", dora, success=0.9, hours=12)
    do("canary", dora, version="2", share=10)
    work(1, calls=30, failures=15)
    work(2, calls=3)
    watching.watch()
    client.force_login(dora)

    page, listed = (client.get(path).content.decode() for path in ("/agents/writer/", "/agents/"))

    for words in ("54.5 %", "90.0 %", ">33<", "over 12 h", "missed", "v2 does 10 % of its tasks", "n=30", "n=3<"):
        assert words in page, words
    assert "54.5 % / 90.0 %" in listed
    assert "canary v2, 10 %" in listed


@pytest.mark.parametrize(
    ("name", "roles"),
    [("canary", "d"), ("end-canary", "d"), ("promote", "dq"), ("revert", "d"), ("close-item", "d")],
)
def test_acts_on_an_agents_versions_are_for_those_roles_only(agent: Agent, name: str, roles: str) -> None:
    found, target = acts.find("agent", name), acts.locate("agent", "writer")
    persons = {letter: factories.user(f"p-{letter}", role) for letter, role in ROLES.items()}

    assert {letter for letter, person in persons.items() if found.permits(person, target)} == set(roles)


def test_rest_offers_previews_and_does_a_canary(agent: Agent, dora: User, client: Client) -> None:
    client.force_login(dora)
    address, body = "/api/v1/agents/writer/acts", {"reason": "try it", "answers": {"version": "2", "share": 5}}

    offered = [act["name"] for act in client.get(address).json()]
    preview = client.post(f"{address}/canary?preview=true", body, content_type="application/json").json()
    done = client.post(f"{address}/canary", {**body, "digest": preview["digest"]}, content_type="application/json")

    assert {"canary", "set-targets", "describe"} < set(offered)
    assert not {"end-canary", "revert", "close-item"} & set(offered)
    assert preview["lines"][0] == "v2 does 5 % of its tasks, v1 the other 95 %."
    assert done.json()["undo"] == {"name": "end-canary", "answers": {}}
    assert release().share == 5


FLOW = """metadata: {name: letters, title: Letters}
steps:
  - {key: write, type: automated, agent: writer, inputs: {text: hello}}
  - {key: again, type: automated, agent: writer, inputs: {text: "${steps.write.summary}"}}
dependencies: {again: [write]}
"""


def budgeted() -> None:
    """The agent, with the budget that publishing asks for."""
    factories.agent("writer")
    AgentVersion.objects.filter(agent__name="writer").update(config={"budget": {"calls": 100}})


def with_contract(number: int, *, takes: dict[str, Any], gives: dict[str, Any]) -> None:
    AgentVersion.objects.create(
        agent=Agent.objects.get(name="writer"), number=number, kind="python", isolation="loop", digest=str(number) * 64,
        input_schema=takes, output_schema=gives,
    )  # fmt: skip


def test_version_whose_contract_breaks_a_definition_is_refused_with_the_workflows_named(dora: User, mo: User) -> None:
    budgeted()
    same = AgentVersion.objects.get(agent__name="writer", number=1)
    services.publish(source=FLOW, file="t", by=None)
    other = {"type": "object", "required": ["words"], "properties": {"words": {"type": "string"}}}
    with_contract(2, takes=same.input_schema, gives={**other, "additionalProperties": False})
    with_contract(3, takes={**other, "additionalProperties": False}, gives=same.output_schema)
    with_contract(4, takes=same.input_schema, gives=same.output_schema)
    AgentRelease.objects.create(agent=same.agent, current=1)
    for version in (2, 3):
        with pytest.raises(ActImpossible, match=f"v{version} does not fit letters .*step"):
            do("canary", dora, version=str(version), share=10)
        evaluate(version)
        with pytest.raises(ActImpossible, match=f"v{version} does not fit letters"):
            do("promote", mo, version=str(version))
    do("canary", dora, version="4", share=10)
    assert release().canary == 4


def test_definition_that_pins_a_version_is_left_alone(dora: User) -> None:
    budgeted()
    services.publish(source=FLOW.replace("agent: writer", "agent: writer@1"), file="t", by=None)
    with_contract(2, takes={"type": "object", "required": ["no"], "properties": {"no": {}}}, gives={"type": "object"})
    AgentRelease.objects.create(agent=Agent.objects.get(name="writer"), current=1)
    do("canary", dora, version="2", share=10)
    assert release().canary == 2


def authority() -> list[str] | None:
    return Agent.objects.get(name="writer").authority


def test_more_authority_takes_a_second_person(agent: Agent, dora: User, mo: User) -> None:
    plan = acts.preview(acts.find("agent", "describe"), acts.locate("agent", "writer"), {"authority": "refunds"}).plan
    assert plan.lines[-1] == "It may also decide refunds only once somebody else has confirmed that."
    done = do("describe", dora, owner="ana", authority="refunds")
    assert done.data == {"asked": True}
    assert authority() is None  # as registered
    assert Agent.objects.get(name="writer").owner == "ana"
    assert AgentItem.objects.get(kind="authority").facts["more"] == ["refunds"]
    with pytest.raises(ActImpossible, match="asked for it already"):
        do("describe", mo, owner="ana", authority="refunds, claims")
    with pytest.raises(ActImpossible):  # it is not closed like any other item
        do("close-item", mo, item="authority")
    with pytest.raises(OwnWidening, match="asked for more authority"):
        do("confirm-authority", dora)
    with pytest.raises(OwnWidening, match="own"):
        do("confirm-authority", factories.user("ana", "Agent Development Specialist"))
    assert authority() is None

    do("confirm-authority", mo)

    assert authority() == ["refunds"]
    assert AgentItem.objects.get(kind="authority").closed_by == "mo"
    assert kinds() == ["agent.item_opened", "agent.widening_asked", "agent.described", "agent.described"]
    with pytest.raises(ActImpossible, match="nothing to decide"):
        do("confirm-authority", mo)


def test_less_authority_is_one_person_s_act_and_back_to_more_is_not(agent: Agent, dora: User, mo: User) -> None:
    Agent.objects.filter(pk=agent.pk).update(authority=["summarise", "refunds"])
    done = do("describe", dora, authority="summarise")
    assert authority() == ["summarise"]
    assert done.undo is not None
    do("describe", dora, **done.undo.answers)
    assert authority() == ["summarise"]
    do("refuse-authority", mo)
    assert authority() == ["summarise"]
    assert kinds()[-1] == "agent.widening_refused"
    do("describe", dora, authority="summarise, refunds")  # it may be asked anew


def test_going_back_to_what_is_registered_may_widen_too(agent: Agent, dora: User) -> None:
    Agent.objects.filter(pk=agent.pk).update(authority=[])
    AgentVersion.objects.filter(agent=agent, number=2).update(config={"authority": ["claims"]})
    do("describe", dora, owner="ana", authority="")
    assert authority() == []
    assert AgentItem.objects.get(kind="authority").facts["more"] == ["claims"]


def test_who_may_confirm_more_authority(agent: Agent) -> None:
    target = acts.locate("agent", "writer")
    for letter, role in ROLES.items():
        may = acts.find("agent", "confirm-authority").permits(factories.user(f"a{letter}", role), target)
        assert may == (letter in "dq"), role
