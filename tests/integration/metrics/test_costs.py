"""Statements add up to what calls have cost; tiers hold; each is shown what they may see."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from approvals import access
from approvals.able.figures import FEWEST_PEOPLE
from approvals.models import Handling
from monitoring.costs import savings, statements, tiers
from monitoring.metrics import folding, objectives
from monitoring.metrics.errors import MeasureNotPermitted, TierRefused
from monitoring.models import Tier
from orchestrator.models import Attempt, Budget, Run
from tests import factories, people
from tests.integration.metrics.conftest import attempt, finished, seal

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss():
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def team():
    return Group.objects.create(name="Claims")


def spend(workflow, by, *costs):
    for cost in costs:
        run = factories.run(workflow, statuses=["succeeded"], status="succeeded", started_by=by)
        attempt(factories.task(run), cost=cost)
        finished(run)
    seal()
    folding.catch_up()


def test_a_statement_adds_up_to_the_calls_to_the_cent(work, boss, team):
    payer = people.person("pia")
    payer.groups.add(team)
    spend(work["second"], payer, 0.005, 0.333333, 1.006)

    found = statements.statement(boss, statements.this_month())

    calls = Attempt.objects.aggregate(total=Sum("cost"))["total"]
    assert found.total == pytest.approx(Decimal(str(calls)))
    assert sum(line.cents for line in found.lines) == found.cents == round(calls * 100)
    assert all(sum(part.cents for part in line.parts) == line.cents for line in found.lines)
    assert {line.name: line.calls for line in found.lines} == {"Claims": 3, "": Attempt.objects.count() - 3}


def test_a_role_is_no_team_that_pays(work, boss):
    spend(work["second"], boss, 0.5)

    assert [line.name for line in statements.statement(boss, statements.this_month()).lines] == [""]


def test_a_statement_of_somebody_who_sees_one_workflow_is_of_that_alone(work, boss):
    viewer = people.person("vic", "Reviewer")
    access.grant(to=viewer, permission="see_runs", on=work["second"], by=None)
    folding.catch_up()

    found = statements.statement(type(viewer).objects.get(pk=viewer.pk), statements.this_month())

    assert not found.is_whole
    assert found.cents == 125


@pytest.mark.parametrize("month", ["2026-13", "nonsense", "2999-01", "1999-12", "2026-1"])
def test_there_is_no_statement_for_what_is_no_month(client, boss, month):
    client.force_login(boss)

    assert client.get(reverse("monitoring:statement", args=[month])).status_code == 404


def test_a_spreadsheet_gets_lines_and_no_formulas(client, work, boss):
    payer = people.person("pia")
    payer.groups.add(Group.objects.create(name="=cmd()"))
    spend(work["second"], payer, 2)
    client.force_login(boss)

    text = client.get(reverse("monitoring:statement", args=[statements.this_month()]) + "?as=csv").text

    assert ",'=cmd(),other,0,1,0,2.00" in text
    assert text.splitlines()[-1].split(",")[1] == "total"


def test_a_tier_sets_the_teams_budget_less_the_reserve_and_what_is_spent(work, boss, team):
    payer = people.person("pia")
    payer.groups.add(team)
    spend(work["second"], payer, 100)

    tiers.set_tier(team=team, level="bronze", by=boss, reason="pilot", reserve=0.2)

    budget = Budget.objects.get(scope="team", ref=team.pk, resource="cost")
    assert budget.limit - budget.spent == pytest.approx(2000 * 0.8 - 100)


def test_gold_counts_as_silver_until_its_sponsor_stands_for_it(boss, team):
    sponsor = people.person("eve", "Auditor")
    tiers.set_tier(team=team, level="gold", by=boss, reason="year end", sponsor=sponsor)
    assert Budget.objects.get(scope="team", ref=team.pk).limit == pytest.approx(9000)

    tiers.stand_for(team=team, by=sponsor)

    assert not Budget.objects.filter(scope="team", ref=team.pk).exists()


@pytest.mark.parametrize("level", ["gold", "platinum", ""])
def test_a_tier_without_what_it_needs_is_refused(boss, team, level):
    with pytest.raises(TierRefused):
        tiers.set_tier(team=team, level=level, by=boss, reason="because")

    assert not Tier.objects.exists()


@pytest.mark.parametrize("reserve", [0.09, 0.21])
def test_the_reserve_is_ten_to_twenty_percent(boss, team, reserve):
    with pytest.raises(TierRefused):
        tiers.set_tier(team=team, level="bronze", by=boss, reason="because", reserve=reserve)


def test_nobody_stands_for_a_tier_in_anothers_name(boss, team):
    sponsor = people.person("eve", "Auditor")
    tiers.set_tier(team=team, level="gold", by=boss, reason="year end", sponsor=sponsor)

    with pytest.raises(TierRefused):
        tiers.stand_for(team=team, by=boss)


def test_who_may_not_publish_sets_no_tier(team):
    with pytest.raises(MeasureNotPermitted):
        tiers.set_tier(team=team, level="bronze", by=people.person("aud", "Auditor"), reason="because")


def looked_at(run, *people_and_seconds):
    """A gate of a run, and how long each of these people looked at it before it was decided."""
    made = people.gate(of=run)
    Handling.objects.bulk_create(
        Handling(
            item=made.pk, reviewer=person, queue=made.queue, risk="low", active_s=seconds, verdict="approve",
            decided_at=timezone.now(),
        )
        for person, seconds in people_and_seconds
    )  # fmt: skip


def test_a_team_saves_the_time_by_hand_of_its_results_less_what_people_looked(work, boss, team):
    payer = people.person("pia")
    payer.groups.add(team)
    flow = people.workflow("claims")
    objectives.state_baseline(workflow=flow, by=boss, minutes=90, source="stopwatch, May")
    spend(flow, payer, 1.0, 1.0, 1.0)
    lookers = [people.person(f"looker-{n}") for n in range(FEWEST_PEOPLE)]
    looked_at(Run.objects.filter(workflow=flow).latest("pk"), *((one, 360) for one in lookers))

    found = savings.savings(boss, statements.this_month(), wage=50.0)

    claims = next(row for row in found.teams if row.name == "Claims")
    assert (claims.ended, claims.well, claims.counted) == (3, 3, 3)
    assert claims.by_hand_h == pytest.approx(4.5)
    assert claims.people_h == pytest.approx(FEWEST_PEOPLE * 0.1)
    assert claims.money == pytest.approx((4.5 - FEWEST_PEOPLE * 0.1) * 50)
    assert claims.gain == pytest.approx(claims.money - 3.0)
    assert claims.roi == pytest.approx(claims.gain / 3.0)
    assert sum(row.spent for row in found.teams) == pytest.approx(float(statements.statement(boss, found.month).total))


def test_savings_tell_of_no_single_person_and_count_nothing_that_nobody_stated(work, boss, team):
    payer = people.person("pia")
    payer.groups.add(team)
    flow = people.workflow("claims")
    objectives.state_baseline(workflow=flow, by=boss, minutes=60, source="stopwatch, May")
    spend(flow, payer, 1.0)
    looked_at(Run.objects.filter(workflow=flow).latest("pk"), (people.person("rex"), 1800))

    found = savings.savings(boss, statements.this_month(), wage=50.0)

    claims = next(row for row in found.teams if row.name == "Claims")
    assert (claims.people_h, claims.hours) == (None, 1.0)
    nobody = next(row for row in found.teams if not row.name)
    assert (nobody.well, nobody.counted, nobody.hours) == (40, 0, 0.0)
    assert found.unstated == (work["first"].title,)


def test_savings_are_shown_at_the_readers_wage_and_as_a_file_without_formulas(work, boss, client):
    payer = people.person("pia")
    payer.groups.add(Group.objects.create(name="=cmd"))
    objectives.state_baseline(workflow=work["second"], by=boss, minutes=60, source="stopwatch, May")
    spend(work["second"], payer, 0.5)
    client.force_login(boss)
    address = reverse("monitoring:savings", args=[statements.this_month()])

    assert "$80.00" in client.get(f"{address}?wage=80").text
    line = next(one for one in client.get(f"{address}?wage=80&as=csv").text.splitlines() if "cmd" in one)
    assert line.split(",")[1:] == [
        "'=cmd",
        "1",
        "1",
        "1",
        "1.00",
        "0.00",
        "1.00",
        "80.00",
        "80.00",
        "0.50",
        "79.50",
        "159.0000",
    ]
    assert client.get(reverse("monitoring:savings", args=["2999-01"])).status_code == 404


def test_savings_are_of_the_workflows_that_one_may_see(work, boss):
    viewer = people.person("vic")
    access.grant(to=viewer, permission="see_runs", on=work["second"], by=None)
    folding.catch_up()

    found = savings.savings(type(viewer).objects.get(pk=viewer.pk), statements.this_month(), wage=1.0)

    assert not found.is_whole
    assert sum(row.well for row in found.teams) == 0
    assert sum(row.spent for row in found.teams) == pytest.approx(1.25)
