"""Every verdict: legal, illegal, twice, and broken in the middle."""

from typing import Any

import pytest
from django.db import DatabaseError, connection

from approvals import services
from approvals.errors import (
    GateAlreadySettled,
    GateChanged,
    GateNotFound,
    InvalidAnswer,
    NoteMissing,
    NoteTooLong,
    NotPermitted,
    VerdictNotAllowed,
)
from approvals.models import Decision, Draft, Gate
from orchestrator import events
from orchestrator import services as engine
from orchestrator.errors import IdempotencyConflict, RevisionLimit
from orchestrator.models import Event, Run, Task, task_id
from tests import people

pytestmark = pytest.mark.django_db

TROUBLE: dict[str, Any] = {"kind": "exception", "allowed": ("retry", "skip", "reject", "terminate")}
MANUAL: dict[str, Any] = {"kind": "manual", "allowed": ("complete", "reject"), "proposal": {}, "form": people.FORM}
EDITED = {"summary": "Isolate the host after backup", "amount": 10}


def decide(gate: Gate, verdict: str, **facts: Any) -> Decision:
    usual = {"by": facts.pop("by", None) or people.person("ana", decides=gate.queue), "gate_version": gate.version}
    return services.decide(gate_id=gate.pk, verdict=verdict, **{**usual, **facts})


def task_of(gate: Gate) -> Task:
    return Task.objects.get(pk=gate.task_id)


@pytest.mark.parametrize(
    ("verdict", "facts", "said", "gate_status", "task_status", "run_status"),
    [
        pytest.param("approve", {}, {}, "approved", "succeeded", "running", id="approve"),
        pytest.param("edit", {}, {"edited": EDITED}, "approved", "succeeded", "running", id="edit"),
        pytest.param("request_changes", {}, {"note": "Cite the log."}, "returned", "ready", "running", id="changes"),
        pytest.param("reject", {}, {"note": "Wrong host."}, "rejected", "failed", "failed", id="reject"),
        pytest.param("terminate", {}, {"note": "False alarm."}, "rejected", "cancelled", "cancelled", id="terminate"),
        pytest.param("retry", TROUBLE, {}, "approved", "ready", "running", id="retry"),
        pytest.param("skip", TROUBLE, {}, "approved", "skipped", "succeeded", id="skip"),
        pytest.param(
            "complete", MANUAL, {"edited": {"finding": "seen"}}, "approved", "succeeded", "running", id="manual"
        ),
    ],
)
def test_decide_with_each_verdict_settles_gate_and_releases_task(
    verdict, facts, said, gate_status, task_status, run_status
):
    gate = people.gate(**facts)

    decision = decide(gate, verdict, **said)

    gate.refresh_from_db()
    assert (gate.status, task_of(gate).status) == (gate_status, task_status)
    assert gate.settled_at is not None
    assert Run.objects.get(pk=gate.run_id).status == run_status
    assert (decision.verdict, decision.seal, decision.note) == (verdict, gate.seal, said.get("note", ""))
    assert Event.objects.filter(kind="gate.decided", task_id=gate.task_id, actor="user:ana").count() == 1


def test_decide_approve_releases_exactly_what_was_sealed_and_wakes_the_successor():
    gate = people.gate()

    decide(gate, "approve")

    assert task_of(gate).output == people.PROPOSAL
    assert Task.objects.get(pk=task_id(gate.run_id, 1)).status == "ready"


def test_decide_edit_keeps_both_texts():
    gate = people.gate()

    decision = decide(gate, "edit", edited=EDITED)

    assert (decision.before, decision.after) == (people.PROPOSAL, EDITED)
    assert task_of(gate).output == EDITED


def test_decide_request_changes_hands_the_note_to_the_agent():
    gate = people.gate()

    decide(gate, "request_changes", note="Cite the log.")

    task = task_of(gate)
    assert (task.note, task.revision) == ("Cite the log.", 1)


def test_decide_request_changes_a_fourth_time_is_refused_and_leaves_the_gate_open():
    run = people.run()
    ana = people.person("ana", decides=people.queue())
    for revision in range(3):
        decide(people.gate(of=run, revision=revision), "request_changes", note="Again.", by=ana)
    last = people.gate(of=run, revision=3)

    with pytest.raises(RevisionLimit):
        decide(last, "request_changes", note="And again.", by=ana)

    last.refresh_from_db()
    assert last.status == "open"
    assert not last.decisions.exists()


@pytest.mark.parametrize("verdict", ["complete", "retry", "expire", "approve ", "", "withdraw"])
def test_decide_with_a_verdict_that_is_not_offered_is_refused(verdict):
    gate = people.gate()

    with pytest.raises(VerdictNotAllowed):
        decide(gate, verdict)

    assert task_of(gate).status == "waiting"


def test_decide_expire_is_refused_even_where_a_definition_offers_it():
    gate = people.gate(allowed=("approve", "expire"))

    with pytest.raises(VerdictNotAllowed):
        decide(gate, "expire")


@pytest.mark.parametrize("verdict", ["reject", "request_changes", "terminate"])
def test_decide_without_the_note_it_needs_is_refused(verdict):
    gate = people.gate()

    with pytest.raises(NoteMissing):
        decide(gate, verdict, note=" \x00\n ")


def test_decide_approve_of_critical_risk_needs_a_note():
    gate = people.gate(risk="critical")

    with pytest.raises(NoteMissing):
        decide(gate, "approve")


def test_decide_with_an_endless_note_is_refused():
    gate = people.gate()

    with pytest.raises(NoteTooLong):
        decide(gate, "reject", note="x" * 10_001)


def test_decide_cleans_a_note_that_could_not_be_stored():
    gate = people.gate()

    decision = decide(gate, "reject", note="bad\x00 host\ud800")

    decision.refresh_from_db()
    assert decision.note == "bad host?"


@pytest.mark.parametrize(
    ("verdict", "facts", "edited", "path"),
    [
        pytest.param("edit", {}, {"amount": 3}, "(top level)", id="field missing"),
        pytest.param("edit", {}, {"summary": "x", "amount": 1000.01}, "amount", id="over the limit"),
        pytest.param("edit", {}, {"summary": "x", "amount": float("nan")}, "amount", id="not a number"),
        pytest.param("edit", {}, None, "(the whole answer)", id="nothing edited"),
        pytest.param("approve", {}, EDITED, "(the whole answer)", id="approve smuggles an edit"),
        pytest.param("complete", MANUAL, {"finding": "no"}, "finding", id="form too short"),
    ],
)
def test_decide_with_an_answer_that_breaks_the_contract_is_refused(verdict, facts, edited, path):
    gate = people.gate(**facts)

    with pytest.raises(InvalidAnswer, match=path.replace("(", r"\(").replace(")", r"\)")):
        decide(gate, verdict, edited=edited)

    assert task_of(gate).status == "waiting"


def test_decide_edit_at_the_contracts_limit_passes():
    gate = people.gate()

    decide(gate, "edit", edited={"summary": "x", "amount": 1000.0})

    assert task_of(gate).output["amount"] == 1000.0


def test_decide_twice_names_who_was_first_and_keeps_the_typed_text():
    gate = people.gate()
    decide(gate, "approve", by=people.person("ana", decides=gate.queue))
    sam = people.person("sam", decides=gate.queue)

    with pytest.raises(GateAlreadySettled) as refused:
        decide(gate, "reject", note="I disagree.", by=sam)

    assert (refused.value.facts["by"], refused.value.facts["verdict"]) == ("Ana", "approve")
    assert Draft.objects.get(gate=gate, author=sam).text == "I disagree."
    assert Decision.objects.filter(gate=gate).count() == 1


def test_decide_on_a_withdrawn_gate_is_refused():
    gate = people.gate()
    decide(gate, "terminate", note="False alarm.")
    other = people.gate()
    engine.cancel_run(run_id=other.run_id, by=None, reason="not needed")

    with pytest.raises(GateAlreadySettled, match="withdrawn by the engine"):
        decide(other, "approve", by=people.person("sam", decides=gate.queue))


def test_decide_on_a_version_that_has_moved_is_refused_and_keeps_the_edit():
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)
    Gate.objects.filter(pk=gate.pk).update(version=2)

    with pytest.raises(GateChanged):
        decide(gate, "edit", edited=EDITED, note="Shorter.", by=ana)

    draft = Draft.objects.get(gate=gate, author=ana)
    assert (draft.text, draft.answer) == ("Shorter.", EDITED)
    assert task_of(gate).status == "waiting"


def test_decide_clears_the_drafts_of_who_decided():
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)
    services.save_draft(gate_id=gate.pk, by=ana, text="Perhaps", answer=EDITED)

    decide(gate, "approve", by=ana)

    assert not Draft.objects.filter(gate=gate).exists()


def test_decide_without_any_right_does_not_even_admit_that_the_gate_exists():
    gate = people.gate()

    with pytest.raises(GateNotFound):
        decide(gate, "approve", by=people.person("eve", "Reviewer"))
    with pytest.raises(GateNotFound):
        services.decide(gate_id=10**9, by=people.person("eva"), verdict="approve", gate_version=1)


def test_decide_with_the_right_to_see_only_is_refused():
    gate = people.gate()

    with pytest.raises(NotPermitted):
        decide(gate, "approve", by=people.person("nora", "Auditor"))


def test_decide_by_a_disabled_user_is_refused():
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)
    ana.is_active = False

    with pytest.raises(NotPermitted):
        decide(gate, "approve", by=ana)


def test_decide_again_with_the_same_key_answers_with_the_same_decision():
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)
    first = decide(gate, "edit", edited=EDITED, by=ana, idempotency_key="k1")

    again = decide(gate, "edit", edited=EDITED, by=ana, idempotency_key="k1")

    assert again.pk == first.pk
    assert Event.objects.filter(kind="gate.decided", task_id=gate.task_id).count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"verdict": "reject", "note": "No."},
        {"verdict": "edit", "edited": {"summary": "else"}},
        {"verdict": "edit", "edited": EDITED, "note": "other words"},
    ],
    ids=["verdict", "edit", "note"],
)
def test_decide_again_with_the_same_key_and_another_body_is_refused(body):
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)
    decide(gate, "edit", edited=EDITED, by=ana, idempotency_key="k1")

    with pytest.raises(IdempotencyConflict):
        decide(gate, by=ana, idempotency_key="k1", **body)


def test_decide_with_another_gates_key_is_refused():
    gate, other = people.gate(), people.gate()
    ana = people.person("ana", decides=gate.queue)
    decide(gate, "approve", by=ana, idempotency_key="k1")

    with pytest.raises(IdempotencyConflict):
        decide(other, "approve", by=ana, idempotency_key="k1")


@pytest.mark.parametrize("broken", ["gate.decided", "task.succeeded"], ids=["own event", "engine's event"])
def test_decide_that_breaks_at_a_later_write_leaves_nothing_behind(monkeypatch, broken):
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)
    append = events.append

    def break_at(kind: str, **facts: Any) -> int:
        if kind == broken:
            raise DatabaseError("the disk is full")
        return append(kind, **facts)

    monkeypatch.setattr(events, "append", break_at)
    with pytest.raises(DatabaseError):
        decide(gate, "approve", by=ana)

    gate.refresh_from_db()
    assert gate.status == "open"
    assert not Decision.objects.filter(gate=gate).exists()
    assert task_of(gate).status == "waiting"
    assert task_of(gate).output is None


def test_decide_whose_commit_is_reported_as_an_error_is_answered_by_its_key():
    gate = people.gate()
    ana = people.person("ana", decides=gate.queue)

    def decide_then_raise() -> None:
        decide(gate, "approve", by=ana, idempotency_key="k1")
        raise DatabaseError("server closed the connection unexpectedly")

    with pytest.raises(DatabaseError):
        decide_then_raise()
    with pytest.raises(GateAlreadySettled):
        decide(gate, "approve", by=ana)
    assert decide(gate, "approve", by=ana, idempotency_key="k1").verdict == "approve"
    assert Event.objects.filter(kind="task.succeeded", task_id=gate.task_id).count() == 1


def test_decide_approval_step_completes_with_what_was_reviewed():
    run = people.run()
    first = people.gate(of=run)
    ana = people.person("ana", decides=first.queue)
    decide(first, "approve", by=ana)
    second = people.gate(of=run, step=1, agent="")

    decide(second, "approve", by=ana)

    assert task_of(second).output == people.PROPOSAL


def test_decision_is_refused_by_the_database_when_the_gate_has_one():
    gate = people.gate()
    decide(gate, "approve")

    with pytest.raises(DatabaseError, match="one_decision_per_gate"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO approvals_decision (gate_id, verdict, via, note, gate_version, seal) "
            "SELECT gate_id, 'expire', 'deadline', note, gate_version, seal FROM approvals_decision"
        )
