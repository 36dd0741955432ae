"""Hidden checks: they pass for gates, release nothing, and tell their reviewer alone."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test import Client

from approvals import queries, services
from approvals.able import cases, checks, draws, figures, first, measures, planning
from approvals.errors import GateAlreadySettled, GateChanged, GateNotFound, NoteMissing
from approvals.models import Check, Decision, FirstVerdict, Gate, GoldCase, Handling, Notice, Sitting
from monitoring import finding
from orchestrator.models import Event, Run, Task
from tests import people
from tests.pages import without_tokens

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def ana():
    return people.person("ana", "Reviewer", decides=people.queue())


@pytest.fixture
def sam():
    return people.person("sam", "Reviewer", decides=people.queue())


def case(sam, *, truth="refuse", why="The host is another one.", **facts):
    """A gold case that somebody has confirmed, from a gate that sam decided."""
    past = people.gate(**facts)
    services.decide(gate_id=past.pk, by=sam, verdict="reject", gate_version=1, note="no")
    past.refresh_from_db()
    return GoldCase.objects.create(
        gate=past, queue=past.queue, basis="planted", truth=truth, why=why, subject=past.subject, confirmed_at=Now()
    )


def browser(user):
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


def test_check_passes_for_a_gate_on_card_list_and_api(ana, sam):
    check = planning.open_check(case(sam), ana)
    real = people.gate(title="Another one")
    client = browser(ana)

    listed = {row.gate.pk for row in queries.inbox(ana)}
    shown, genuine = (client.get(f"/api/v1/gates/{pk}").json() for pk in (check.pk, real.pk))

    assert listed == {check.pk, real.pk}
    assert queries.counts(ana).waiting == 2
    assert {name: type(value) for name, value in shown.items()} == {n: type(v) for n, v in genuine.items()}
    assert shown["status"] == "open"
    assert shown["run"] != check.case.gate.run_id  # the past one's number would tell
    assert client.get(f"/inbox/{check.pk}/").status_code == 200
    for act in ("claim", "release", "presence", "draft", "activity"):
        assert client.post(f"/inbox/{check.pk}/{act}/", {"note": "so far"}).status_code in (200, 204, 302), act
    client.post(f"/inbox/{check.pk}/comments/", {"text": "odd"})
    card = client.get(f"/inbox/{check.pk}/").text
    assert "odd" in card
    assert "so far" in card
    assert browser(sam).get(f"/inbox/{check.pk}/").status_code == 404
    assert {row.gate.pk for row in queries.inbox(sam)} == {real.pk}
    assert Notice.objects.get(recipient=ana).path == f"/inbox/{check.pk}/"


def test_search_finds_a_check_as_it_finds_gates(ana, sam):
    check = planning.open_check(case(sam, title="Isolate the file server"), ana)
    decided = planning.open_check(case(sam, title="Isolate the mail server"), ana)
    withdrawn = planning.open_check(case(sam, title="Isolate the print server"), ana)
    services.decide(gate_id=decided.pk, by=ana, verdict="reject", gate_version=1, note="no")
    checks.withdraw(withdrawn.pk, ana)

    def found(user, words):
        return {hit.href for hit in finding.find(user, words) if hit.group == "Gates"}

    mine = {f"/inbox/{check.pk}/", f"/inbox/{decided.pk}/"}
    assert mine < found(ana, "Isolate the")
    assert found(ana, f"#{check.pk}") == {f"/inbox/{check.pk}/"}
    assert not (mine | {f"/inbox/{withdrawn.pk}/"}) & found(sam, "Isolate the")
    assert f"/inbox/{withdrawn.pk}/" not in found(ana, "Isolate the")
    assert found(sam, str(check.pk)) == set()


def test_verdict_on_a_check_releases_nothing_and_is_told_to_its_reviewer_alone(ana, sam):
    check, client = planning.open_check(case(sam), ana), browser(ana)
    before = (Event.objects.count(), Decision.objects.count(), list(Run.objects.values()), list(Task.objects.values()))

    answer = client.post(f"/inbox/{check.pk}/decide/", {"verdict": "approve", "version": "1", "key": "k"}, follow=True)

    check.refresh_from_db()
    assert (check.verdict, check.is_right) == ("approve", False)
    assert "The host is another one." in answer.text
    after = (Event.objects.count(), Decision.objects.count(), list(Run.objects.values()), list(Task.objects.values()))
    assert after == before
    assert figures.own(ana).faults == figures.Rate(0, 1)
    assert figures.own(sam).faults == figures.Rate(0, 0)


def test_no_gate_can_have_the_number_of_a_check(ana, sam):
    made = case(sam)
    check = planning.open_check(made, ana)

    assert not Gate.objects.filter(pk=check.pk).exists()
    with pytest.raises(GateNotFound):
        services.lock_gate(check.pk)
    point = transaction.savepoint_create()
    Decision.objects.create(gate_id=check.pk, verdict="approve", decided_by=ana, via="x", gate_version=1, seal="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        connection.check_constraints()  # what is deferred to the commit
    transaction.savepoint_rollback(point)
    taken = people.gate()
    with pytest.raises(IntegrityError), transaction.atomic():
        Check.objects.create(
            id=taken.pk, case=made, reviewer=sam, queue=made.queue, run_number=1, seal="x", opened_at=Now(),
            shown_deadline_at=Now(),
        )  # fmt: skip


def test_check_refuses_what_a_gate_refuses(ana, sam):
    check = planning.open_check(case(sam), ana)
    decide = {"gate_id": check.pk, "by": ana, "gate_version": 1}

    with pytest.raises(GateChanged):
        services.decide(**{**decide, "gate_version": 2}, verdict="approve")
    with pytest.raises(NoteMissing):
        services.decide(**decide, verdict="reject")
    with pytest.raises(GateNotFound):
        services.decide(**{**decide, "by": sam}, verdict="approve")
    made = services.decide(**decide, verdict="reject", note="wrong host", idempotency_key="k")
    assert made.is_right
    assert services.decide(**decide, verdict="reject", note="wrong host", idempotency_key="k").pk == made.pk
    with pytest.raises(GateAlreadySettled):
        services.decide(**decide, verdict="approve")


def test_any_other_act_ends_a_check_as_if_its_run_had_gone_on(ana, sam):
    check = planning.open_check(case(sam), ana)

    browser(ana).post(f"/inbox/{check.pk}/hand/", {"to": "sam"})

    check.refresh_from_db()
    assert check.is_void
    assert queries.inbox(ana) == []


def test_check_whose_run_was_looked_up_does_not_count(ana, sam):
    check = planning.open_check(case(sam), ana)
    measures.beat(item=check.pk, by=ana, seconds=0, run=True)

    services.decide(gate_id=check.pk, by=ana, verdict="reject", gate_version=1, note="no")

    assert figures.own(ana).faults.n == 0


def test_checks_are_owed_by_draw_and_open_behind_a_real_gate(ana, sam, monkeypatch):
    made = case(sam)
    Gate.objects.update(opened_at=Now() - planning.BEHIND)
    monkeypatch.setattr(planning, "shares_by_queue", lambda: {made.queue_id: 1.0})
    services.decide(gate_id=people.gate().pk, by=ana, verdict="approve", gate_version=1)
    Gate.objects.update(opened_at=Now() - planning.BEHIND)

    planning.draw()
    planning.draw()  # each decision is drawn once

    assert Sitting.objects.get(user=ana).owed == 1
    assert planning.open_owed() == 0  # nothing opened just now: a check would stand out
    real = people.gate()
    assert planning.open_owed() == 1
    assert Check.objects.get(reviewer=ana).pk == real.pk + 1
    assert Sitting.objects.get(user=ana).owed == 0
    assert not Check.objects.filter(reviewer=sam).exists()  # who decided it knows it


def test_nobody_foretells_a_draw_and_it_is_always_the_same(ana, settings):
    settings.DATA_KEYS = ["a" * 43 + "="]
    drawn = [draws.is_drawn(0.05, "check", ana.pk, n) for n in range(4000)]
    settings.DATA_KEYS = ["b" * 43 + "="]
    other = [draws.is_drawn(0.05, "check", ana.pk, n) for n in range(4000)]

    assert 0.03 < sum(drawn) / 4000 < 0.07
    assert drawn != other


def test_cases_are_drafted_from_the_past_and_used_once_confirmed(ana, sam):
    quinn = people.person("quinn", "Quality Assurance Lead")
    past = people.gate(proposal={"summary": "Isolate fin-db-02", "amount": 12.5})
    services.decide(gate_id=past.pk, by=sam, verdict="approve", gate_version=1)
    Run.objects.update(status="succeeded", ended_at=Now())
    Gate.objects.update(settled_at=Now() - 2 * cases.SETTLED_FOR)

    made = cases.draft(past.queue)

    assert made == 2  # sound as it was, and with a fault
    assert {(one.basis, one.truth) for one in GoldCase.objects.all()} == {("outcome", "accept"), ("planted", "refuse")}
    assert planning.cases_for(ana, {past.queue_id}) == []
    planted = GoldCase.objects.get(basis="planted")
    browser(quinn).post(f"/inbox/oversight/cases/{planted.pk}/", {"use": "1"})
    assert planning.cases_for(ana, {past.queue_id}) == [planted]
    assert planning.cases_for(sam, {past.queue_id}) == []
    assert Event.objects.filter(kind="oversight.case_confirmed").count() == 1


def test_own_judgement_comes_before_what_the_machine_thinks(ana, sam, settings):
    settings.OWN_VERDICT_FIRST = ["high"]
    gate = people.gate(risk="high", confidence=0.6123, evidence=({"claim": "c", "status": "unsupported"},))
    client = browser(ana)

    before, told = client.get(f"/inbox/{gate.pk}/").text, client.get(f"/api/v1/gates/{gate.pk}").json()
    client.post(f"/inbox/{gate.pk}/first/", {"verdict": "approve", "note": "looks fine"})
    after, told_after = client.get(f"/inbox/{gate.pk}/").text, client.get(f"/api/v1/gates/{gate.pk}").json()

    assert 'id="first"' in before
    assert 'id="decision"' not in before
    assert "Confidence" not in before.partition('id="card"')[2]
    assert (told["confidence"], told["first_asked"]) == (None, True)
    assert "status" not in told["evidence"][0]
    assert 'id="decision"' in after
    assert "Confidence" in after.partition('id="card"')[2]
    assert told_after["confidence"] == 0.6123
    services.decide(gate_id=gate.pk, by=ana, verdict="reject", gate_version=1, note="on second thoughts")
    row = FirstVerdict.objects.get()
    assert (row.verdict, row.final, row.changed) == ("approve", "reject", True)
    assert all(one["confidence"] is None for one in browser(sam).get("/api/v1/gates").json())


def test_low_risk_is_shown_at_once_and_onlookers_see_everything(ana, settings):
    settings.OWN_VERDICT_FIRST = ["high"]
    low, high = people.gate(risk="low"), people.gate(risk="high")
    watcher = people.person("wim", "Auditor")

    assert not first.is_asked(low, ana)
    assert first.is_asked(high, ana)
    assert not first.is_asked(high, watcher)


def test_active_time_is_the_servers_and_haste_is_said_gently(ana, monkeypatch):
    for _ in range(3):
        gate = people.gate(risk="high", evidence=({"claim": "c"},))
        measures.beat(item=gate.pk, by=ana, seconds=3600)  # no time has passed
        services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)

    assert list(Handling.objects.values_list("active_s", "verdict")) == [(0, "approve")] * 3
    own = figures.own(ana)
    assert len(own.hasty) == 3
    assert own.suggests_break
    page = browser(ana).get("/inbox/you/").text
    assert "Worth another thought" in page
    assert browser(people.person("mia", "Workflow Orchestration Manager")).get("/inbox/you/").text.count("Isolate") == 0
    measures.told_of_break(ana)
    assert not measures.suggests_break(ana)
    checks_of_others = browser(people.person("olga", "Human Oversight Coordinator")).get("/inbox/oversight/").text
    attention = without_tokens(checks_of_others).lower().partition("attention and checks")[2].partition("</section>")[0]
    assert "ana" not in attention
    assert "too few people" in checks_of_others


def test_withdrawn_and_answered_checks_are_apart(ana, sam):
    check = planning.open_check(case(sam), ana)

    assert checks.withdraw(check.pk, ana)
    assert not checks.withdraw(check.pk, ana)
    assert checks.find(check.pk, ana) is None
