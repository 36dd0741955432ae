"""Proposals as rows: made by a beat, answered by whoever may publish the workflow, carried out by its act."""

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Q, QuerySet, Value, When
from django.utils import timezone

from agents.types import Json
from approvals import permissions
from approvals.duties import person_of
from approvals.errors import (
    FeedbackNotFound,
    NotPermitted,
    ProposalNeedsAnother,
    ProposalOutdated,
    ProposalSettled,
    ReasonNeeded,
)
from approvals.feedback import editing, proposing
from approvals.feedback.models import Lesson, Proposal
from approvals.permissions import Person
from orchestrator import acts, events, services
from orchestrator.acts import Done, Target
from orchestrator.definitions.plan import GateSpec
from orchestrator.events import EventKind
from orchestrator.models import Workflow
from orchestrator.past import plan_of

LIVE: Final = (Proposal.Status.OPEN, Proposal.Status.SECONDED)
PAUSE: Final = timedelta(days=30)  # after an answer, before the same is proposed again
FRESH: Final = timedelta(days=1)  # workflows with lessons newer than this are looked at by a beat
_REASON: Final = 1000


def look(since: timedelta = FRESH) -> int:
    """Propose what the figures of workflows with new lessons speak for; how many proposals were made."""
    recent = Lesson.objects.filter(at__gt=timezone.now() - since)
    ids = recent.order_by().values_list("workflow", flat=True).distinct()
    return sum(look_at(workflow) for workflow in Workflow.objects.filter(pk__in=list(ids)).order_by("pk"))


def look_at(workflow: Workflow) -> int:
    """The same of one workflow."""
    version = workflow.current_version
    if version is None:
        return 0
    steps = plan_of(version.pk).steps
    found = [
        idea for step in steps for idea in proposing.ideas(workflow, step, apart_from=_answered(workflow, step.key))
    ]
    return sum(_propose(workflow, version.number, idea) for idea in found)


def _answered(workflow: Workflow, step: str) -> set[str]:
    """The kinds that wait for an answer, or had one lately: their figures need not be worked out."""
    lately = Q(status__in=LIVE) | Q(decided_at__gt=timezone.now() - PAUSE)
    return set(Proposal.objects.filter(lately, workflow=workflow, step=step).values_list("kind", flat=True))


@transaction.atomic
def _propose(workflow: Workflow, base: int, idea: proposing.Idea) -> bool:
    facts = {
        "base": base, "change": idea.change, "before": idea.before, "data": idea.data, "four_eyes": idea.four_eyes,
    }  # fmt: skip
    made, is_new = Proposal.objects.get_or_create(
        workflow=workflow, step=idea.step, kind=idea.kind, status__in=LIVE, defaults=facts
    )
    if is_new:
        _record(EventKind.PROPOSAL_MADE, made, None)
    return is_new


def visible(user: Person) -> QuerySet[Proposal]:
    """Proposals about workflows that the user may see, open ones first."""
    about = Proposal.objects.filter(workflow__in=permissions.visible_workflows(user))
    waiting = Case(When(status__in=LIVE, then=Value(0)), default=Value(1))
    return about.select_related("workflow__current_version", "decided_by", "first_by").order_by(waiting, "-id")


def may_decide(user: Person, proposal: Proposal) -> bool:
    """Whether the user may edit the gate: whoever publishes versions of its workflow may."""
    return permissions.can(user, "publish_version", proposal.workflow)


def accept(proposal_id: int, *, by: User, reason: str) -> tuple[Proposal, Done | None]:
    """Accept it; where the gate demands two people, the first acceptance changes nothing yet.

    The change is the act `publish` of the workflow, by its own rights and rules; its undo comes back with it.
    """
    reason = _reason(reason)
    with transaction.atomic():
        proposal = _locked(proposal_id, by)
        gate = _gate_now(proposal)
        if gate is None or any(proposing.terms_of(gate)[name] != value for name, value in proposal.before.items()):
            proposal.status, proposal.decided_at = Proposal.Status.OUTDATED, timezone.now()
            proposal.save(update_fields=["status", "decided_at"])
        else:
            return proposal, _carry_on(proposal, by, reason)
    raise ProposalOutdated(number=proposal_id)


def _carry_on(proposal: Proposal, by: User, reason: str) -> Done | None:
    if proposal.four_eyes and proposal.status == Proposal.Status.OPEN:
        proposal.status, proposal.first_by = Proposal.Status.SECONDED, by
        proposal.save(update_fields=["status", "first_by"])
        _record(EventKind.PROPOSAL_SECONDED, proposal, by, reason=reason)
        return None
    if proposal.first_by is not None and person_of(proposal.first_by) == person_of(by):
        raise ProposalNeedsAnother(number=proposal.pk)
    done = _publish(proposal, by, reason)
    number = done.data["version"]
    assert isinstance(number, int)
    proposal.status, proposal.version = Proposal.Status.ACCEPTED, number
    _settle(proposal, by, reason, EventKind.PROPOSAL_ACCEPTED)
    return done


def decline(proposal_id: int, *, by: User, reason: str) -> Proposal:
    """Leave the gate as it is, and say why."""
    reason = _reason(reason)
    with transaction.atomic():
        proposal = _locked(proposal_id, by)
        proposal.status = Proposal.Status.DECLINED
        _settle(proposal, by, reason, EventKind.PROPOSAL_DECLINED)
    return proposal


def source_of(proposal: Proposal) -> str:
    """The workflow's definition with the change in it. Raises EditImpossible."""
    current = proposal.workflow.current_version
    return editing.with_gate(current.source if current else "", proposal.step, proposal.change)


def _publish(proposal: Proposal, by: User, reason: str) -> Done:
    target = Target("workflow", proposal.workflow)
    why = f"Proposal {proposal.pk} ({proposal.get_kind_display().lower()}, {proposal.step}): {reason}"
    answers: dict[str, Json] = {"source": source_of(proposal), "strict": False, "make_queues": False}
    return acts.perform(acts.find("workflow", "publish"), target, by=by, reason=why, answers=answers)


def _gate_now(proposal: Proposal) -> GateSpec | None:
    version = proposal.workflow.current_version
    steps = plan_of(version.pk).steps if version else ()
    return next((step.gate for step in steps if step.key == proposal.step), None)


def _locked(proposal_id: int, by: User) -> Proposal:
    rows = Proposal.objects.select_for_update(of=("self",)).select_related("workflow__current_version", "first_by")
    proposal = rows.filter(pk=proposal_id).first()
    if proposal is None or not permissions.can(by, "see_runs", proposal.workflow):
        raise FeedbackNotFound(what=f"proposal {proposal_id}")
    if not may_decide(by, proposal):
        raise NotPermitted(verb="change this gate")
    if proposal.status not in LIVE:
        raise ProposalSettled(number=proposal_id, status=proposal.get_status_display().lower())
    return proposal


def _settle(proposal: Proposal, by: User, reason: str, kind: EventKind) -> None:
    proposal.decided_by, proposal.decided_at, proposal.reason = by, timezone.now(), reason
    proposal.save(update_fields=["status", "version", "decided_by", "decided_at", "reason"])
    _record(kind, proposal, by, reason=reason, version=proposal.version)


def _reason(text: str) -> str:
    text = text.replace("\x00", "").strip()[:_REASON]
    if not text:
        raise ReasonNeeded
    return text


def _record(kind: EventKind, proposal: Proposal, by: User | None, **more: Json) -> None:
    facts: dict[str, Json] = {
        "proposal": proposal.pk, "kind": proposal.kind, "workflow": proposal.workflow.name, "step": proposal.step,
        "change": proposal.change,
    }  # fmt: skip
    events.append(kind, actor=services.actor_of(by, "engine"), data={**facts, **more})
