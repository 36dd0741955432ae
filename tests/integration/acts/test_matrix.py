"""Every act on every scope: rights, states, a reason, a stale preview, a double submit. An act without a line fails."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

from orchestrator import acts
from orchestrator.acts import PlanChanged, Target
from orchestrator.acts.core import _ACTS
from orchestrator.errors import OrchestratorError, ReasonMissing
from orchestrator.models import Event, PatternChoice, Run, Stop, Task, TeamAdvice, Timer
from orchestrator.patterns.advising import QUESTIONS
from tests import engine, people

pytestmark = pytest.mark.django_db

STEPS = """
  - {key: a, type: automated, agent: test-echo}
  - {key: b, type: automated, agent: test-echo}
"""
CHANGED = f"metadata: {{name: flow, title: Flow}}\nsteps:\n{STEPS}\ndependencies: {{a: [b]}}"
AHEAD = CHANGED.replace("a: [b]", "b: [a], c: [b]").replace(
    "\ndependencies", "  - {key: c, type: automated, agent: test-echo}\ndependencies"
)
# (scope, act): (what is done before, so that it is possible; its answers; who may, by role letter; its event)
# m: Workflow Orchestration Manager, d: Agent Development Specialist, e: System Integration Engineer,
# c: Human Oversight Coordinator, a: Administrator
MATRIX: dict[tuple[str, str], tuple[str, dict[str, Any], str, str]] = {
    ("task", "pause"): ("", {}, "me", "stop.set"),
    ("task", "stop"): ("", {}, "me", "stop.set"),
    ("task", "resume"): ("pause", {}, "meca", "stop.lifted"),
    ("task", "retry"): ("fail", {}, "me", "run.retried"),
    ("task", "edit"): ("", {"input": {"what": "else"}}, "me", "task.edited"),
    ("task", "redirect"): ("", {"agent": "test-asker"}, "me", "task.redirected"),
    ("task", "skip"): ("", {"output": {"n": 1}}, "me", "task.succeeded"),
    ("task", "cancel"): ("", {}, "me", "task.cancelled"),
    ("run", "pause"): ("", {}, "me", "run.paused"),
    ("run", "resume"): ("pause", {}, "me", "run.resumed"),
    ("run", "retry"): ("fail", {}, "me", "run.retried"),
    ("run", "cancel"): ("", {}, "me", "run.cancelled"),
    ("run", "priority"): ("", {"priority": 7}, "me", "run.priority_changed"),
    ("run", "deadline"): ("", {"by": "2999-01-01T00:00Z"}, "me", "run.deadline_changed"),
    ("run", "single-agent"): ("", {"agent": "test-asker"}, "me", "task.redirected"),
    ("run", "migrate"): ("publish", {"version": "2"}, "me", "run.migrated"),
    ("run", "edit-remaining"): ("", {"source": AHEAD}, "m", "run.migrated"),
    ("workflow", "pause"): ("", {}, "mec", "stop.set"),
    ("workflow", "stop"): ("", {}, "mec", "stop.set"),
    ("workflow", "resume"): ("pause", {}, "meca", "stop.lifted"),
    ("workflow", "choose-pattern"): ("", {"pattern": "saga", "linear": "yes"}, "m", "workflow.pattern_chosen"),
    ("workflow", "keep-advice"): ("", dict.fromkeys(QUESTIONS, "yes"), "m", "workflow.advice_kept"),
    ("workflow", "single-agent"): ("", {"agent": "test-asker"}, "m", "workflow.staffed"),
    ("workflow", "cancel"): ("", {"up_to": 2**40}, "me", "run.cancelled"),
    ("workflow", "publish"): ("", {"source": CHANGED}, "m", "workflow.published"),
    ("workflow", "bring-back"): ("publish", {"version": "1"}, "m", "workflow.published"),
    ("workflow", "deprecate"): ("publish", {"version": "1"}, "m", "workflow.version_deprecated"),
    ("workflow", "weight"): ("", {"weight": 3}, "me", "workflow.weight_changed"),
    ("workflow", "freeze"): ("", {}, "m", "workflow.frozen"),
    ("workflow", "unfreeze"): ("freeze", {}, "m", "workflow.unfrozen"),
    ("agent", "pause"): ("", {}, "mdca", "stop.set"),
    ("agent", "stop"): ("", {}, "mdca", "stop.set"),
    ("agent", "resume"): ("pause", {}, "mdca", "stop.lifted"),
    ("agent", "cancel"): ("", {}, "me", "task.cancelled"),
    ("agent", "terminate"): ("", {"in_hand": "put before people"}, "m", "agent.terminated"),
    ("agent", "start"): ("terminate", {}, "mca", "agent.started"),
    ("agent", "restart"): ("fail", {}, "me", "agent.restarted"),
    ("agent", "set-targets"): ("", {"success": 0.9, "hours": 12}, "d", "agent.targets_set"),
    ("agent", "describe"): ("", {"owner": "ana", "domains": "fraud, refunds"}, "d", "agent.described"),
    ("everything", "pause"): ("", {}, "mca", "stop.set"),
    ("everything", "stop"): ("", {}, "mca", "stop.set"),
    ("everything", "resume"): ("pause", {}, "mca", "stop.lifted"),
    ("everything", "cancel"): ("", {"up_to": 2**40}, "m", "run.cancelled"),
    ("everything", "publish"): ("", {"source": CHANGED.replace("flow", "other")}, "m", "workflow.published"),
    ("everything", "make-team"): ("", {"name": "Legal"}, "a", "team.made"),
}
# Held to the same by tests of their own, which build what they act on: checkpoints, state, budgets, failures, ledgers,
# waits.
ELSEWHERE = {
    *(("run", name) for name in ("checkpoint", "fork", "move-budget", "rollback", "set-budget", "write-state")),
    *((scope, "set-budget") for scope in ("agent", "team", "workflow")),
    *((scope, "record-bill") for scope in ("agent", "team", "workflow")),
    ("team", "move-budget"),
    *(("team", name) for name in ("add-person", "remove-person", "remove-team")),  # test_membership
    ("workflow", "restore"),  # test_publishing
    ("workflow", "full-pace"),  # tests/integration/approvals/test_looks_and_minutes
    *(("workflow", name) for name in ("certify", "decertify", "back-to-certified")),  # test_certifying
    ("workflow", "backfill"),
    ("workflow", "several-agents"),  # test_advising
    ("everything", "install-template"),  # tests/integration/gallery
    *(("task", name) for name in ("restart", "terminate", "retry_longer", "manual_review")),
    *(("agent", name) for name in ("breaker", "reset_breaker")),
    *(("agent", name) for name in ("canary", "end-canary", "promote", "revert", "close-item")),  # test_releasing
    *(("agent", f"{does}-authority") for does in ("confirm", "refuse")),  # test_releasing
    ("run", "undo"),
    ("run", "accept"),
    *(("task", f"ledger-{does}") for does in ("add", "edit", "drop", "move")),
    *(("task", name) for name in ("fire", "deliver", "answer")),
    *(("everything", f"{does}-policy") for does in ("propose", "approve", "reject")),  # tests/integration/tools
    *(("everything", f"{does}-tool") for does in ("reset", "limit")),
    *(("everything", f"{does}-letters") for does in ("requeue", "drop", "restore")),  # tests/integration/messaging
    *(("everything", name) for name in ("replay-messages", "listen", "unlisten")),
    *(("everything", f"{does}-listening") for does in ("pause", "resume")),
    *(("agent", f"{does}-entitlement") for does in ("revoke", "restore")),
    *(("everything", f"{does}-role") for does in ("give", "take", "make", "remove")),  # tests/integration/accounts
    *(("everything", f"{does}-right") for does in ("grant", "revoke", "add", "drop")),
    *(("everything", f"{does}-account") for does in ("close", "open", "link")),
    *(("everything", f"{does}-queue") for does in ("make", "change")),
    *(("everything", f"{does}-change") for does in ("confirm", "refuse")),
    *(("everything", name) for name in ("invite-person", "set-skills", "set-hours", "set-quorum")),
    *(("everything", name) for name in ("set-team-kind", "set-owner", "give-part", "take-part", "set-rota")),
    *(("everything", name) for name in ("require-mfa", "reset-mfa")),
}
ROLES = {
    "m": "Workflow Orchestration Manager", "d": "Agent Development Specialist", "e": "System Integration Engineer",
    "c": "Human Oversight Coordinator", "a": "Administrator", "q": "Quality Assurance Lead", "r": "Reviewer",
    "u": "Auditor",
}  # fmt: skip


@pytest.fixture
def mia() -> User:
    return User.objects.create_user("mia")


@pytest.fixture
def run() -> Run:
    engine.publish(STEPS, rest="dependencies: {b: [a]}")
    return engine.start()


def prepared(scope: str, before: str, run: Run, mia: User) -> Target:
    first = run.pk << 20
    if before == "fail":
        Task.objects.filter(pk=first).update(status="failed", error={"code": "x"})
        Task.objects.filter(pk=first + 1).update(status="cancelled")
        Run.objects.filter(pk=run.pk).update(status="failed", remaining=0, failed=1, error={"step": "a"})
    elif before == "publish":
        engine.publish(STEPS.replace("key: b", "key: c"))
    address = {"task": str(first), "run": str(run.pk), "workflow": "flow", "agent": "test-echo", "everything": "all"}
    if before in ("pause", "freeze"):
        acts.perform(acts.find(scope, before), acts.locate(scope, address[scope]), by=mia, reason="first")
    elif before == "terminate":
        how = {"in_hand": "put before people"}
        target = acts.locate(scope, address[scope])
        acts.perform(acts.find(scope, before), target, by=mia, reason="first", answers=how)
    return acts.locate(scope, address[scope])


def everything() -> list[list[object]]:
    """All rows that an act may write."""
    return [
        list(rows.objects.order_by("pk").values())
        for rows in (Run, Task, Stop, Timer, PatternChoice, TeamAdvice, Event)
    ]


def test_every_act_has_a_line() -> None:
    assert set(_ACTS) == set(MATRIX) | ELSEWHERE


@pytest.mark.parametrize(("scope", "name"), MATRIX)
def test_act_is_done_as_previewed_once_with_a_reason_and_an_event(scope: str, name: str, run: Run, mia: User) -> None:
    before, answers, _who, kind = MATRIX[scope, name]
    target, act = prepared(scope, before, run, mia), acts.find(scope, name)
    was = everything()

    digest = acts.preview(act, target, answers).digest
    assert acts.preview(act, target, answers).plan.lines
    with pytest.raises(ReasonMissing):
        acts.perform(act, target, by=mia, reason=" ", answers=answers, digest=digest)
    with pytest.raises(PlanChanged):
        acts.perform(act, target, by=mia, reason="why", answers=answers, digest="0" * 64)
    with pytest.raises(OrchestratorError):
        acts.perform(act, target, by=mia, reason="why", answers={**answers, "surprise": 1}, digest=digest)
    assert everything() == was

    done = acts.perform(act, target, by=mia, reason="why", answers=answers, digest=digest)

    found = Event.objects.filter(kind=kind, actor="user:mia").order_by("id").last()
    assert found is not None
    assert found.data["reason"] == "why"
    assert done.words
    if done.undo is not None:
        back = acts.find(scope, done.undo.name)
        assert acts.preview(back, acts.of(scope, target.ref), dict(done.undo.answers)).plan.lines
    now = everything()
    with pytest.raises(OrchestratorError) as refused:
        acts.perform(act, target, by=mia, reason="why", answers=answers, digest=digest)
    assert refused.value.status in (409, 422)
    assert everything() == now


@pytest.mark.parametrize(("scope", "name"), MATRIX)
def test_act_is_for_those_roles_and_nobody_else(scope: str, name: str, run: Run, mia: User) -> None:
    before, _answers, who, _kind = MATRIX[scope, name]
    target, act = prepared(scope, before, run, mia), acts.find(scope, name)

    persons = {letter: people.person(f"p-{letter}", role) for letter, role in ROLES.items()}

    assert {letter for letter, person in persons.items() if act.permits(person, target)} == set(who)
    assert not act.permits(AnonymousUser(), target)
    assert not act.permits(mia, target)


@pytest.mark.parametrize("status", ["succeeded", "cancelled"])
@pytest.mark.parametrize("name", sorted(name for scope, name in MATRIX if scope == "run"))
def test_run_that_has_ended_is_steered_no_more(name: str, status: str, run: Run, mia: User) -> None:
    Task.objects.of_run(run.pk).update(status=status)
    Run.objects.filter(pk=run.pk).update(status=status, remaining=0)
    target, act = acts.of("run", run.pk), acts.find("run", name)
    was = everything()

    with pytest.raises(OrchestratorError):
        acts.perform(act, target, by=mia, reason="why", answers=MATRIX["run", name][1])

    assert act not in acts.possible(mia, target)
    assert everything() == was


@pytest.mark.parametrize("status", ["succeeded", "skipped", "cancelled"])
@pytest.mark.parametrize("name", sorted({name for scope, name in MATRIX if scope == "task"} - {"resume"}))
def test_step_that_has_ended_is_steered_no_more(name: str, status: str, run: Run, mia: User) -> None:
    Task.objects.filter(pk=run.pk << 20).update(status=status)
    was = everything()

    with pytest.raises(OrchestratorError):
        acts.perform(
            acts.find("task", name), acts.of("task", run.pk << 20), by=mia, reason="x", answers=MATRIX["task", name][1]
        )

    assert everything() == was
