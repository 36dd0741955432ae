"""Statements add up to what calls have cost; tiers hold; each is shown what they may see."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db.models import Sum
from django.urls import reverse

from approvals import access
from monitoring.costs import statements, tiers
from monitoring.metrics import folding
from monitoring.metrics.errors import MeasureNotPermitted, TierRefused
from monitoring.models import Tier
from orchestrator.models import Attempt, Budget
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
