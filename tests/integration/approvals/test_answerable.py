"""Who answers for what: parts in matters decide who is asked and told, rotas who is called; neither gives a right."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.test import Client

from agents.models import Policy, PolicyVersion
from agents.prompts import services as prompts
from approvals import access, deciders, delegation, services, suggesting
from approvals.answerable import calling, raci, rotas
from approvals.answerable.models import Call, Part, Rota
from approvals.errors import ChangeRefused, NotPermitted
from approvals.models import Gate, Notice, Queue
from approvals.notices import telling
from monitoring.alerts import oncall
from monitoring.models import Alert
from orchestrator import acts, events
from orchestrator.acts import Target
from orchestrator.models import Event
from tests import api, people
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)
HERE = Target("everything")


@pytest.fixture(autouse=True)
def begun() -> None:
    telling.tell()


@pytest.fixture
def cleo() -> User:
    """Whoever edits queues."""
    return people.person("cleo", "Human Oversight Coordinator")


def tell() -> None:
    seal()
    telling.tell()


def told(user: User) -> list[str]:
    return list(Notice.objects.filter(recipient=user, withdrawn_at=None).order_by("id").values_list("kind", flat=True))


def done(by: User, name: str, /, **answers: Any) -> acts.Done:
    return acts.perform(acts.find("everything", name), HERE, by=by, reason="because", answers=answers)


def team(name: str, *members: User) -> Group:
    made = Group.objects.create(name=name)
    made.user_set.set(members)
    return made


def reviewers(*names: str) -> list[User]:
    return [people.person(name, decides=people.queue()) for name in names]


def rota(*names: str, queue: str = "oncall", **terms: Any) -> Rota:
    people_ = ", ".join(names)
    done(User.objects.get(username="cleo"), "set-rota", queue=queue, people=people_, starts_on="2026-01-05", **terms)
    return Rota.objects.get(queue__name=queue)


def passed(minutes: int) -> None:
    """As if so much time had gone since the last look."""
    Call.objects.filter(next_at__isnull=False).update(next_at=Now() - timedelta(minutes=minutes))


class TestParts:
    def test_of_those_who_may_decide_those_are_asked_who_answer_for_it_and_the_others_are_told_as_their_part_says(
        self, cleo
    ):
        ana, sam = reviewers("ana", "sam")
        legal = people.person("lou", sees=people.queue())
        board = people.person("bea", sees=people.queue())
        team("Pod", ana), team("Legal", legal), team("Board", board)
        done(cleo, "give-part", about="queue:oncall", team="Pod", part="responsible")
        done(cleo, "give-part", about="queue:oncall", team="Legal", part="consulted")
        done(cleo, "give-part", about="queue:oncall", team="Board", part="informed")

        gate = people.gate()
        tell()

        assert (told(ana), told(sam), told(legal), told(board)) == (["decide"], [], ["consulted"], [])
        services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)
        tell()
        assert (told(ana), told(legal), told(board)) == ([], [], ["informed"])
        assert Gate.objects.get().status == "approved"

    def test_a_part_gives_no_right_and_where_nobody_of_the_team_may_act_everybody_who_may_is_asked(self, cleo):
        (ana,) = reviewers("ana")
        stranger = people.person("eve")
        team("Strangers", stranger)
        done(cleo, "give-part", about="queue:oncall", team="Strangers", part="accountable")
        done(cleo, "give-part", about="queue:oncall", team="Strangers", part="consulted")

        people.gate()
        tell()

        assert (told(ana), told(stranger)) == (["decide"], [])
        row = next(row for row in raci.table() if row.name == "oncall")
        assert row.gaps == ("nobody is responsible", "nobody of them may act: everybody who may is asked")

    def test_parts_in_a_workflow_go_before_those_in_its_queue(self, cleo):
        ana, sam = reviewers("ana", "sam")
        team("Pod", ana), team("Other pod", sam)
        people.workflow()
        done(cleo, "give-part", about="queue:oncall", team="Pod", part="accountable")
        done(cleo, "give-part", about="workflow:incident", team="Other pod", part="accountable")

        gate = people.gate()
        tell()

        assert (told(ana), told(sam)) == ([], ["decide"])
        assert (best := suggesting.candidates(gate)[0]).person == sam
        assert best.answers

    def test_one_team_is_accountable_and_another_takes_its_place(self, cleo):
        team("Pod"), team("Legal")
        done(cleo, "give-part", about="incidents", team="Pod", part="accountable")
        said = acts.preview(
            acts.find("everything", "give-part"), HERE, {"about": "incidents", "team": "Legal", "part": "accountable"}
        )

        given = done(cleo, "give-part", about="incidents", team="Legal", part="accountable")

        assert "Pod is accountable no longer: one team is." in said.plan.lines
        assert [part.team.name for part in Part.objects.filter(letter="A")] == ["Legal"]
        with pytest.raises(IntegrityError), transaction.atomic():
            Part.objects.create(matter="incidents", team=Group.objects.get(name="Pod"), letter="A")
        assert given.undo is not None
        done(cleo, given.undo.name, **given.undo.answers)
        assert [part.team.name for part in Part.objects.filter(letter="A")] == ["Pod"]
        changed = Event.objects.filter(kind="responsibility.changed", actor="user:cleo")
        assert [event.data["was"] for event in changed.order_by("id")] == ["", "Pod", "Legal"]

    @pytest.mark.parametrize(
        ("row", "fits"),
        [({"matter": "queue"}, False), ({"matter": "prompts", "queue": True}, False), ({"matter": "tools"}, True)],
        ids=["queue-without-one", "prompts-of-a-queue", "tools"],
    )
    def test_database_refuses_a_part_in_nothing(self, row, fits):
        values = {**row, "queue": people.queue() if row.get("queue") else None, "team": team("Pod"), "letter": "R"}
        try:
            with transaction.atomic():
                Part.objects.create(**values)
        except IntegrityError:
            assert not fits
        else:
            assert fits

    def test_prompts_policies_and_alerts_are_put_before_those_who_answer_for_them(self, cleo):
        dev, dora = (people.person(name, "Agent Development Specialist") for name in ("dev", "dora"))
        quinn = people.person("quinn", "Quality Assurance Lead")
        team("Prompt people", quinn), team("Tool people", dora), team("Watch", cleo)
        for about, who in (("prompts", "Prompt people"), ("tools", "Tool people"), ("incidents", "Watch")):
            done(cleo, "give-part", about=about, team=who, part="responsible")

        draft = prompts.create(name="greeting", title="Greeting", text=prompts.Text(template="Hi", change="x"), by=dev)
        prompts.submit(draft.pk, by=dev)
        policy = Policy.objects.create(name="pay")
        PolicyVersion.objects.create(policy=policy, number=1, source="x", digest="d", author=dev, state="proposed")
        events.append("policy.proposed", actor="user:dev", data={"policy": "pay", "number": 1})
        tell()

        assert (told(quinn), told(dora), told(dev)) == (["prompt_waits"], ["policy_waits"], [])
        assert oncall.told(Alert(level=0), datetime.now(UTC)) == [cleo]
        events.append("policy.activated", actor="user:dora", data={"policy": "pay", "number": 1})
        tell()
        assert told(dora) == []

    def test_page_shows_hub_and_spokes_parts_gaps_and_turns_to_those_who_may_see_it(self, cleo):
        (ana,) = reviewers("ana")
        team("Pod", ana), team("Platform", cleo)
        done(cleo, "set-team-kind", team="Pod", kind="Domain pod")
        kept = done(cleo, "set-owner", queue="oncall", team="Pod")
        done(cleo, "give-part", about="queue:oncall", team="Pod", part="responsible")
        rota("ana")
        browser = Client()
        browser.force_login(cleo, backend="django.contrib.auth.backends.ModelBackend")

        page = browser.get("/access/responsibilities/").text
        queue = browser.get("/access/queues/oncall/").text

        assert "Domain pod" in page
        assert "nobody is accountable" in page
        assert "nobody answers for it: everybody who may act is asked" in page  # prompts, tools, incidents
        assert "Ana" in page.split("On call for queues")[1]
        assert "Pod</a>" in queue
        assert kept.undo is not None
        done(cleo, kept.undo.name, **kept.undo.answers)
        assert Queue.objects.get(name="oncall").owner is None
        rest = api.as_user(cleo)
        told_ = next(row for row in rest.get("/responsibilities").json() if row["name"] == "oncall")
        assert (told_["responsible"], told_["gaps"]) == (["Pod"], ["nobody is accountable"])
        assert [row["person"] for row in rest.get("/responsibilities/on-call").json()] == ["ana"]
        browser.force_login(ana, backend="django.contrib.auth.backends.ModelBackend")
        assert browser.get("/access/responsibilities/").status_code == 404

    def test_only_who_may_edit_queues_says_who_answers_for_what(self, cleo):
        ana = reviewers("ana")[0]
        team("Pod", ana)
        for name, answers in {
            "give-part": {"about": "tools", "team": "Pod", "part": "responsible"},
            "set-team-kind": {"team": "Pod", "kind": "Domain pod"},
            "set-owner": {"queue": "oncall", "team": "Pod"},
            "set-rota": {"queue": "oncall", "people": "ana"},
        }.items():
            assert not acts.find("everything", name).permits(ana, HERE)
            with pytest.raises(NotPermitted):
                acts.find("everything", name).change(answers, ana, people_reason())
        assert not Part.objects.exists()
        with pytest.raises(ChangeRefused, match="already"):
            done(cleo, "take-part", about="tools", team="Pod", part="informed")


def people_reason() -> Any:
    from approvals.accounts.risk import NO_REASON

    return NO_REASON


class TestOnCall:
    def test_whoever_is_on_call_is_told_first_then_the_next_and_in_the_end_everybody(self, cleo):
        ana, sam, tim = reviewers("ana", "sam", "tim")
        turns = rota("ana", "sam")
        first = User.objects.get(pk=rotas.on_call(turns, datetime.now(UTC), [ana.pk, sam.pk]))
        second = sam if first == ana else ana
        people.gate()
        tell()
        assert (told(first), told(second), told(tim)) == (["decide"], [], [])

        calling.look()
        assert calling.look() == 0  # not due yet
        passed(1)
        assert calling.look() == 1
        tell()
        assert (told(first), told(second), told(tim)) == (["decide"], ["called"], [])

        passed(1)
        assert calling.look() == 1
        tell()
        assert told(tim) == ["called"]
        passed(1)
        assert calling.look() == 0  # everybody was called

    def test_who_takes_it_up_ends_the_calls(self, cleo):
        ana, _sam = reviewers("ana", "sam")
        rota("ana", "sam")
        gate = people.gate()
        calling.look()
        services.claim_gate(gate_id=gate.pk, by=ana)

        passed(1)

        assert calling.look() == 0
        assert Call.objects.get().level == 0

    def test_two_who_look_at_once_call_nobody_twice(self, cleo):
        reviewers("ana", "sam")
        rota("ana", "sam")
        people.gate()
        calling.look()
        passed(1)

        assert [calling.look(), calling.look()] == [1, 0]
        assert Event.objects.filter(kind="gate.called").count() == 1

    def test_whoever_has_a_hand_in_it_or_is_away_is_passed_over(self, cleo):
        ana, sam = reviewers("ana", "sam")
        access.grant(to=ana, permission="start_run", on=people.workflow(), by=None)
        rota("ana")

        people.gate(started_by=ana)
        tell()

        assert (told(ana), told(sam)) == ([], ["decide"])
        Gate.objects.all().update(requested_by=None, barred=[])
        now = datetime.now(UTC)
        delegation.make(delegator=ana, delegate=sam, starts=now, ends=now + timedelta(days=1), by=ana, reason="off")
        people.gate()
        tell()
        assert (told(ana), told(sam)) == ([], ["decide", "decide"])

    def test_a_gate_for_several_people_is_told_to_all_of_them(self, cleo):
        from orchestrator.ports import GateTerms

        ana, sam = reviewers("ana", "sam")
        rota("ana", "sam")

        people.gate(terms=GateTerms(approvals=2))
        tell()

        assert told(ana) == told(sam) == ["decide"]

    def test_hand_over_tells_whoever_begins_what_waits(self, cleo):
        ana, sam = reviewers("ana", "sam")
        turns = rota("ana", "sam")
        people.gate()
        calling.look()
        now_on = Rota.objects.get().handed_to
        other = sam if now_on == ana.pk else ana
        assert not Event.objects.filter(kind="queue.handed_over").exists()  # nobody's turn ended: it was just written

        Rota.objects.filter(pk=turns.pk).update(handed_to=other.pk)  # as if the last look had been in the turn before
        calling.look()
        tell()

        begins = User.objects.get(pk=now_on)
        assert "on_call" in told(begins)
        assert Notice.objects.get(kind="on_call").facts == {"queue": "oncall", "count": 1}
        assert "on_call" not in told(other)

    def test_a_gate_that_goes_on_to_another_queue_is_called_for_there_anew(self, cleo):
        lead = people.queue("lead")
        reviewers("ana")
        lena = people.person("lena", decides=lead)
        Queue.objects.filter(name="oncall").update(escalates_to=lead)
        rota("ana")
        rota("lena", queue="lead")
        gate = people.gate()
        calling.look()
        people.deadline(gate)
        tell()

        calling.look()

        assert told(lena) == ["passed_on"]
        assert (Call.objects.get().queue, Call.objects.get().level) == (lead, 0)

    @pytest.mark.parametrize(
        ("terms", "problem"),
        [
            ({"people": "ana, nobody"}, "nobody called nobody"),
            ({"people": "ana, eve"}, "may not decide"),
            ({"people": "ana, ana"}, "once"),
            ({"people": "ana", "zone": "Mars/Base"}, "no time zone"),
            ({"people": "ana", "starts_on": "soon"}, "no day"),
            ({"people": ""}, "already"),
        ],
        ids=["unknown", "without-the-right", "twice", "zone", "day", "none-already"],
    )
    def test_rota_that_cannot_be_is_refused_with_one_sentence(self, cleo, terms, problem):
        reviewers("ana")
        people.person("eve")

        with pytest.raises(ChangeRefused, match=problem):
            done(cleo, "set-rota", queue="oncall", **terms)

        assert not Rota.objects.exists()

    def test_rota_is_taken_back_and_ends(self, cleo):
        reviewers("ana", "sam")
        rota("ana")
        changed = done(cleo, "set-rota", queue="oncall", people="sam, ana", starts_on="2026-01-05", days=1)
        assert changed.undo is not None

        done(cleo, changed.undo.name, **changed.undo.answers)

        kept = Rota.objects.get()
        assert ([User.objects.get(pk=pk).username for pk in kept.people], kept.days) == (["ana"], 7)
        done(cleo, "set-rota", queue="oncall", people="")
        assert not Rota.objects.exists()
        assert deciders.by_queue()  # nobody's rights were touched
