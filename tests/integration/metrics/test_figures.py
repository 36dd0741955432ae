"""Tiles, promises and what is behind a figure: said with their n, and only to who may see them."""

import pytest
from django.urls import reverse

from approvals import access
from approvals.models import Gate
from monitoring.metrics import behind, folding, kpis, objectives, reading, tables
from monitoring.metrics.errors import MeasureNotPermitted, ObjectiveRefused
from tests import factories, people
from tests.integration.metrics.conftest import attempt, finished, seal

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss():
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def measured(work):
    folding.catch_up()
    return work


def figures(user, workflow=None):
    return kpis.Figures(user, reading.span_of("24h"), reading.scope_of(user, workflow=workflow))


def test_done_without_a_person_is_thirty_of_fortyfour(measured, boss):
    tile = kpis.alone(figures(boss))

    assert (tile.n, tile.value) == (44, pytest.approx(30 / 44))
    assert tile.interval is not None
    assert tile.interval[0] < 30 / 44 < tile.interval[1]
    assert tile.is_met is False


def test_too_few_runs_say_nothing(measured, boss):
    tile = kpis.alone(figures(boss, measured["second"]))

    assert not tile.is_said
    assert tile.is_met is None


def test_behind_done_without_a_person_are_the_runs_in_which_one_acted_or_that_failed(measured, boss):
    found = behind.behind("alone", figures(boss))

    assert found is not None
    assert len(found.lines) == 14


def test_time_saved_is_against_the_stated_time(measured, boss):
    objectives.state_baseline(workflow=measured["first"], by=boss, minutes=40, source="stopwatch, May")

    tile = kpis.faster(figures(boss))

    assert tile.n == 40
    assert tile.value == pytest.approx(1 - 4 / 40, abs=0.01)  # each run began four minutes before it ended


def test_bottlenecks_tell_machine_from_people(measured, boss):
    gate = people.gate(of=people.run(by=None))
    factories.event(gate.run, "gate.decided", made=factories.task(gate.run), gate=gate.pk, verdict="edit")
    seal()
    folding.catch_up()

    def by_step(workflow):
        scope = reading.scope_of(boss, workflow=workflow)
        return {row.step: row for row in tables.bottlenecks(reading.span_of("24h"), scope)}

    assert by_step(gate.workflow)["assess"].human.n == 1
    read = by_step(measured["first"])["read"]
    assert (read.work.n, read.queue.n, read.human.n) == (44, 44, 0)


def test_a_promise_that_is_not_kept_overdraws_its_budget_and_burns(measured, boss):
    made = objectives.promise(workflow=measured["first"], by=boss, indicator="success", share=0.99, within_ms=None)

    kept = objectives.how(made)

    assert (kept.n, kept.good) == (44, 40)
    assert kept.left == pytest.approx(1 - 4 / 0.44)
    assert kept.burning == "6 h, 3 d"  # nine times as fast as allowed: less than 14.4, more than 6
    assert kept.tone == "failed"


def test_a_promise_of_time_counts_what_may_be_late_as_late(measured, boss):
    made = objectives.promise(workflow=measured["first"], by=boss, indicator="work", share=0.9, within_ms=500)
    generous = objectives.promise(workflow=measured["first"], by=boss, indicator="queue", share=0.9, within_ms=60_000)

    assert objectives.how(made).good < objectives.how(made).n
    assert objectives.how(generous).good == objectives.how(generous).n == 88


@pytest.mark.parametrize(
    "asked",
    [
        {"indicator": "luck", "share": 0.9, "within_ms": 1.0}, {"indicator": "work", "share": 1.0, "within_ms": 1.0},
        {"indicator": "work", "share": 0.4, "within_ms": 1.0}, {"indicator": "work", "share": 0.9, "within_ms": None},
        {"indicator": "work", "share": 0.9, "within_ms": 1.0, "days": 0},
    ],
)  # fmt: skip
def test_what_nobody_could_keep_is_not_promised(measured, boss, asked):
    with pytest.raises(ObjectiveRefused):
        objectives.promise(workflow=measured["first"], by=boss, **asked)


def test_who_may_not_publish_a_workflow_promises_nothing_of_it(measured):
    with pytest.raises(MeasureNotPermitted):
        objectives.promise(
            workflow=measured["first"],
            by=people.person("aud", "Auditor"),
            indicator="success",
            share=0.9,
            within_ms=None,
        )


def test_figures_are_of_the_workflows_that_one_may_see(client, measured):
    viewer = people.person("vic", "Reviewer")
    access.grant(to=viewer, permission="see_runs", on=measured["second"], by=None)
    client.force_login(viewer)

    page = client.get(reverse("monitoring:metrics"))
    other = client.get(reverse("monitoring:metrics-behind", args=["success"]) + "?workflow=letters")

    assert page.status_code == 200
    assert "Letters" not in page.text
    assert other.status_code == 404


def test_every_figure_has_a_page(client, measured, boss):
    client.force_login(boss)

    for key in kpis.BY_KEY:
        for span in reading.SPANS:
            page = client.get(reverse("monitoring:metrics-behind", args=[key]) + f"?span={span}")

            assert page.status_code == 200, (key, span)


def test_every_comparison_is_shown(client, measured, boss):
    client.force_login(boss)

    for by in ("workflow", "agent", "pattern", "team", "people"):
        assert client.get(reverse("monitoring:metrics") + f"?by={by}").status_code == 200, by
    assert client.get(reverse("monitoring:metrics") + "?by=person").status_code == 404


def test_a_workflows_page_says_its_signals_and_takes_promises(client, measured, boss):
    client.force_login(boss)
    address = reverse("monitoring:metrics-workflow", args=["letters"])

    sent = {"indicator": "completion", "share": "99", "within": "3600", "days": "30", "reason": "sold so"}
    client.post(reverse("monitoring:metrics-promise", args=["letters"]), sent)
    client.post(reverse("monitoring:metrics-baseline", args=["letters"]), {"minutes": "40", "source": "stopwatch"})
    page = client.get(address).text

    assert "99.0\xa0% of runs have their result within 1.0 h" in page
    assert "stopwatch" in page
    assert "p95 within" in page


def test_mended_by_a_person_is_not_mended_by_itself(work, boss):
    run = factories.run(work["second"], statuses=["succeeded"], status="succeeded")
    task = factories.task(run)
    attempt(task, 1, "failed")
    Gate.objects.create(
        task=task, run=run, workflow=work["second"], queue=people.queue(), step=task.key, kind="exception", title="t",
        risk="low", rule="r", subject={}, seal="s", allowed=[], deadline_at=run.started_at, deadline_s=1,
        on_timeout="x", opened_at=run.started_at,
    )  # fmt: skip
    attempt(task, 2)
    finished(run)
    seal()
    folding.catch_up()

    found = reading.sums(
        ("troubled", "mended"), reading.span_of("24h"), reading.scope_of(boss, workflow=work["second"])
    )

    assert (found["troubled"].n, found["mended"].n) == (1, 0)
