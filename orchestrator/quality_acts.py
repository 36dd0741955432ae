"""What people change about quality: fit a calibration, weigh authority, close a failed evaluation, keep a dataset.

Each asks the right, needs a reason where it overrules something, and leaves an event.
"""

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from agents.evaluation import datasets
from agents.evaluation.cases import CasesRefused, Collection
from agents.models import Agent, AuthorityTable, Calibration, Dataset, EvaluationItem
from agents.quality import store
from agents.quality.store import AuthorityRefused
from agents.types import Json
from orchestrator import events
from orchestrator.api_errors import Forbidden
from orchestrator.errors import OrchestratorError
from orchestrator.ports import rights

VERB = "edit_quality"


class QualityRefused(OrchestratorError):
    """{why}"""

    code = "quality_refused"
    status = 422


@transaction.atomic
def calibrate(*, agent: str, by: User) -> Calibration:
    """Fit an agent's claims to people's decisions now."""
    _require(by)
    if not Agent.objects.filter(name=agent).exists():
        raise QualityRefused(why=f"There is no agent {agent}; see /agents/ for all of them.")
    made = store.calibrate(agent, by=by.username)
    facts: dict[str, Json] = {"agent": agent, "outcomes": made.outcomes, "usable": made.usable, "why": made.why}
    events.append("quality.calibrated", actor=f"user:{by.username}", data=facts)
    return made


@transaction.atomic
def weigh(*, weights: Mapping[str, float], reason: str, by: User) -> AuthorityTable:
    """Set the weights by level of authority, for syntheses to come."""
    _require(by)
    try:
        made = store.change_authority(weights, reason=reason, by=by.username)
    except AuthorityRefused as problem:
        raise QualityRefused(why=str(problem)) from None
    data: dict[str, Json] = {"version": made.pk, "weights": dict(weights), "reason": made.reason[:500]}
    events.append("quality.authority_changed", actor=f"user:{by.username}", data=data)
    return made


@transaction.atomic
def close_item(*, item: int, reason: str, by: User) -> EvaluationItem:
    """Say what came of a failed evaluation."""
    _require(by)
    if not reason.strip():
        raise QualityRefused(why="Say what came of it: whoever meets this failure again wants to know.")
    found = EvaluationItem.objects.select_for_update().filter(pk=item).first()
    if found is None or found.closed_at is not None:
        raise QualityRefused(why="This item is closed already, or was never open; load the page again.")
    EvaluationItem.objects.filter(pk=item).update(closed_at=Now(), closed_by=by.username, reason=reason.strip()[:2000])
    data: dict[str, Json] = {"item": item, "suite": found.suite, "agent": found.agent, "reason": reason.strip()[:500]}
    events.append("evaluation.item_closed", actor=f"user:{by.username}", data=data)
    found.refresh_from_db()
    return found


@transaction.atomic
def keep_dataset(*, name: str, found: Collection, agent: str, kind: str, by: User) -> Dataset:
    """Keep a collection of cases as a dataset."""
    _require(by)
    try:
        made = datasets.keep(name, found, agent=agent, by=by.username, provenance={"kind": kind, "agent": agent})
    except CasesRefused as problem:
        raise QualityRefused(why=str(problem)) from None
    data: dict[str, Json] = {"dataset": made.name, "digest": made.digest, "cases": made.cases}
    events.append("dataset.kept", actor=f"user:{by.username}", data=data)
    return made


def require(by: User) -> None:
    """Refuse whoever may not edit quality."""
    _require(by)


def _require(by: User) -> None:
    if not rights().can(by, VERB):
        raise Forbidden(verb="edit quality")
