"""The inbox, the card and the badges: complete, ordered, bounded, and closed to strangers."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.http import Http404

from approvals import access, permissions, queries, services
from approvals.errors import NotPermitted, SeparationOfDuties
from approvals.models import Decision, Gate
from tests import people

pytestmark = pytest.mark.django_db


def titles(rows: list[queries.Row]) -> list[str]:
    return [row.gate.title for row in rows]


def due(gate: Gate, seconds: int) -> None:
    Gate.objects.filter(pk=gate.pk).update(deadline_at=Now() + timedelta(seconds=seconds))


def test_inbox_orders_by_harm_times_least_time_left():
    ana = people.person("ana", decides=people.queue())
    for title, risk, seconds in [
        ("low soon", "low", 600), ("low later", "low", 6000), ("critical later", "critical", 36000),
        ("high overdue", "high", -50), ("medium soon", "medium", 601),
    ]:  # fmt: skip
        due(people.gate(title=title, risk=risk), seconds)

    assert titles(queries.inbox(ana)) == ["high overdue", "medium soon", "critical later", "low soon", "low later"]


def test_inbox_lists_decidable_queues_and_with_everything_the_visible_ones():
    mine, theirs, hidden = (people.queue(name) for name in ("mine", "theirs", "hidden"))
    ana = people.person("ana", decides=mine)
    for queue in (mine, theirs, hidden):
        people.gate(queue=queue.name, title=queue.name)
    access.grant(to=ana, permission="see_gates", on=theirs, by=None)
    permissions.refresh(ana)

    assert titles(queries.inbox(ana)) == ["mine"]
    assert sorted(titles(queries.inbox(ana, everything=True))) == ["mine", "theirs"]
    assert titles(queries.inbox(ana, queue=theirs)) == []
    assert titles(queries.inbox(ana, queue=theirs, everything=True)) == ["theirs"]
    assert {row.gate.title: row.may_decide for row in queries.inbox(ana, everything=True)} == {
        "mine": True,
        "theirs": False,
    }


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ISOLATE", ["Isolate"]),
        ("fin-db-99", ["Refund"]),
        ("%", []),
        ("isol", ["Isolate"]),
        ("refund fin-db", ["Refund"]),
        ("refund isolate", []),
        ("' | !nope & \\", []),
        ("a\x00b :* ( <->", []),
        ("nothing like it", []),
        ("  ", ["Isolate", "Refund"]),
    ],
)
def test_inbox_search_reads_titles_and_payloads(search, found):
    ana = people.person("ana", decides=people.queue())
    people.gate(title="Isolate", proposal={"summary": "x"}, action={})
    people.gate(title="Refund", proposal={"summary": "host fin-db-99"}, consequence="", action={}, input={"a": 1})

    assert sorted(titles(queries.inbox(ana, search=search))) == found


def test_inbox_lists_the_most_urgent_of_all_risks_however_many_wait_of_each():
    ana = people.person("ana", decides=people.queue())
    for title, risk, seconds in [
        ("low 1", "low", 61), ("low 2", "low", 120), ("low 3", "low", 6000), ("high 1", "high", 900),
        ("high 2", "high", 90_000), ("critical", "critical", 500_000),
    ]:  # fmt: skip
        due(people.gate(title=title, risk=risk), seconds)

    assert titles(queries.inbox(ana, limit=4)) == ["high 1", "low 1", "low 2", "high 2"]
    assert titles(queries.inbox(ana, limit=2, narrowed=queries.Narrowed(risk="high"))) == ["high 1", "high 2"]


def test_inbox_search_fills_up_with_what_stands_within_words():
    ana = people.person("ana", decides=people.queue())
    due(people.gate(title="Refund", proposal={"summary": "x"}), 6000)
    due(people.gate(title="Prefunded", proposal={"summary": "x"}), 600)

    assert titles(queries.inbox(ana, search="fund")) == ["Prefunded", "Refund"]
    assert titles(queries.inbox(ana, search="refund")) == ["Prefunded", "Refund"]
    assert titles(queries.inbox(ana, search="refund", limit=1)) == ["Refund"]  # beginnings of words come first


def test_inbox_search_by_number_finds_the_gate():
    ana = people.person("ana", decides=people.queue())
    gate = people.gate()

    assert gate.pk in [row.gate.pk for row in queries.inbox(ana, search=str(gate.pk))]
    assert queries.inbox(ana, search="9" * 40) == []


def test_inbox_costs_the_same_number_of_queries_however_long_it_is(django_assert_num_queries):
    people.person("ana", decides=people.queue())
    counted = []
    for total in (1, 6):
        while Gate.objects.count() < total:
            gate = people.gate()
            by = people.person(f"looker{gate.pk}", decides=gate.queue)
            services.touch_presence(gate_id=gate.pk, by=by)
            services.claim_gate(gate_id=gate.pk, by=by)
        ana = people.User.objects.get(username="ana")
        with django_assert_num_queries(7):
            rows = queries.inbox(ana)
            counted.append([(row.gate.run.title, row.gate.claimed_by.username, row.looking) for row in rows])

    assert [len(rows) for rows in counted] == [1, 6]


def test_counts_agree_with_the_list(django_assert_num_queries):
    mine, other = people.queue("mine"), people.queue("other")
    people.person("ana", "Auditor", decides=mine)
    ana = people.User.objects.get(username="ana")
    for name in ("mine", "mine", "other"):
        people.gate(queue=name)
    people.gate(queue="mine", started_by=ana)

    with django_assert_num_queries(4):
        found = queries.counts(ana)

    assert found.waiting == len(queries.inbox(ana)) == 2
    assert found.waiting + found.watching == len(queries.inbox(ana, everything=True)) == 4
    assert [(badge.queue, badge.waiting) for badge in found.queues] == [(mine, 2)]
    assert other not in [badge.queue for badge in found.queues]


def test_gate_that_one_may_not_see_is_404_as_one_that_does_not_exist():
    gate, eve = people.gate(), people.person("eve", "Reviewer")

    for pk in (gate.pk, 10**9):
        with pytest.raises(Http404):
            queries.get_visible_gate_or_404(eve, pk)
        with pytest.raises(Http404):
            queries.get_decidable_gate(eve, pk)


def test_get_decidable_gate_says_why_not():
    ana = people.person("ana", decides=people.queue())
    gate = people.gate(started_by=ana)

    assert queries.get_decidable_gate(people.person("sam", decides=gate.queue), gate.pk) == gate
    with pytest.raises(SeparationOfDuties):
        queries.get_decidable_gate(ana, gate.pk)
    with pytest.raises(NotPermitted):
        queries.get_decidable_gate(people.person("nora", "Auditor"), gate.pk)


def test_card_shows_what_its_page_promises():
    lead = people.queue("lead")
    queue = people.queue("first", escalates_to=lead)
    ana = people.person("ana", decides=queue)
    gate = people.gate(
        queue="first",
        risk="critical",
        evidence=({"claim": "beacon", "status": "quoted"},),
        alternatives=({"option": "wait"},),
    )

    card = queries.card(queries.get_visible_gate_or_404(ana, gate.pk), ana)

    assert (card.asks, card.consequence, card.rule) == (
        "assessor v1",
        "The host loses its network.",
        'risk == "critical"',
    )
    assert (card.action, card.proposal, card.given) == ({"isolate": "fin-db-02"}, people.PROPOSAL, people.GIVEN)
    assert [(step.outcome, step.queue) for step in card.if_nobody_acts] == [("escalate", "Lead"), ("stays_open", "")]
    assert card.if_nobody_acts[0].at == gate.deadline_at
    assert card.confidence_words == "unsure"
    assert (card.evidence[0]["claim"], card.alternatives[0]["option"]) == ("beacon", "wait")
    assert [(choice.verdict, choice.needs_note) for choice in card.choices] == [
        (verdict, True) for verdict in people.ALL
    ]
    assert card.form == people.CONTRACT
    assert (card.refusal, card.decision, card.previous) == ("", None, None)


def test_card_of_a_revision_shows_only_what_changed():
    run = people.run()
    ana = people.person("ana", decides=people.queue())
    first = people.gate(of=run)
    services.decide(gate_id=first.pk, by=ana, verdict="request_changes", gate_version=1, note="Name the backup.")
    second = people.gate(
        of=run, revision=1, proposal={**people.PROPOSAL, "summary": "Isolate host fin-db-02 after backup"}
    )

    card = queries.card(queries.get_visible_gate_or_404(ana, second.pk), ana)

    assert card.previous.note == "Name the backup."
    assert [change.path for change in card.changes] == ["summary"]
    assert "after" in "".join(piece.text for piece in card.changes[0].pieces if piece.op == "new")


def test_card_of_an_edited_gate_shows_both_texts():
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)
    services.decide(gate_id=gate.pk, by=ana, verdict="edit", gate_version=1, edited={"summary": "Isolate later"})

    card = queries.card(queries.get_visible_gate_or_404(ana, gate.pk), ana)

    assert card.decision.decided_by == ana
    assert [change.path for change in card.changes] == ["summary", "amount"]
    assert (card.choices, card.if_nobody_acts) == ((), ())


def test_card_names_the_nearest_decisions_of_the_same_step():
    ana = people.person("ana", decides=people.queue())
    for title, risk in [("Isolate host web-1", "low"), ("Restart mail", "high"), ("Isolate host fin-db-09", "high")]:
        gate = people.gate(title=title, risk=risk)
        services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)
    other = people.gate(of=people.run(of=people.workflow("other")), title="Isolate host fin-db-02", risk="high")
    services.decide(gate_id=other.pk, by=ana, verdict="approve", gate_version=1)
    now = people.gate(title="Isolate host fin-db-02", risk="high")

    card = queries.card(queries.get_visible_gate_or_404(ana, now.pk), ana)

    assert [p.gate.title for p in card.precedents] == ["Isolate host fin-db-09", "Restart mail", "Isolate host web-1"]
    assert {p.run_status for p in card.precedents} == {"running"}


def test_card_costs_a_bounded_number_of_queries(django_assert_max_num_queries):
    gate = people.gate()
    for n in range(5):
        by = people.person(f"sam{n}", decides=gate.queue)
        services.comment(gate_id=gate.pk, by=by, text="hi")
        services.touch_presence(gate_id=gate.pk, by=by)
        done = people.gate()
        services.decide(gate_id=done.pk, by=by, verdict="approve", gate_version=1)
    ana = people.User.objects.get(pk=people.person("ana", decides=gate.queue).pk)

    with django_assert_max_num_queries(15):
        card = queries.card(queries.get_visible_gate_or_404(ana, gate.pk), ana)
        assert [comment.author.username for comment in card.comments] == [f"sam{n}" for n in range(5)]
        assert len(card.looking) == 5
        assert [p.decision.decided_by.username for p in card.precedents]


def test_reading_writes_nothing():
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)
    before = Gate.objects.filter(pk=gate.pk).values().get()

    queries.inbox(ana)
    queries.counts(ana)
    queries.card(queries.get_visible_gate_or_404(ana, gate.pk), ana)

    assert Gate.objects.filter(pk=gate.pk).values().get() == before
    assert not gate.presence.exists()


def test_decisions_of_lists_ones_own_newest_first(django_assert_num_queries):
    ana, sam = (people.person(name, decides=people.queue()) for name in ("ana", "sam"))
    made = [
        services.decide(gate_id=people.gate().pk, by=by, verdict="approve", gate_version=1) for by in (ana, sam, ana)
    ]

    with django_assert_num_queries(1):
        found = [(decision.pk, decision.gate.run.title) for decision in queries.decisions_of(ana)]

    assert [pk for pk, _ in found] == [made[2].pk, made[0].pk]
    assert Decision.objects.count() == 3
