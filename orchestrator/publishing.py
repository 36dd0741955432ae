"""Publishing: a definition's text is examined, stored as an immutable version and made its workflow's current one.

Owns its transaction and appends its event in it. `examine` says what `publish` would, and changes nothing.
"""

import hashlib
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from agents.models import Agent
from agents.registry import budget_of
from agents.types import Json
from orchestrator import budgets, checks, events
from orchestrator.catalogue import default as catalogue
from orchestrator.catalogue import lane_of
from orchestrator.definitions import people
from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.errors import DefinitionError, DefinitionProblem
from orchestrator.definitions.load import Definition, load
from orchestrator.definitions.plan import Plan
from orchestrator.definitions.serialise import plan_to_json
from orchestrator.engine import authorising
from orchestrator.errors import WorkflowFrozen
from orchestrator.models import Budget, Step, Workflow, WorkflowVersion
from orchestrator.ports import access, gatekeeper


@dataclass(frozen=True, slots=True)
class Examined:
    """A definition that can be published: what it compiles to, what is warned of, and which queues it would make."""

    definition: Definition
    plan: Plan
    warnings: tuple[DefinitionProblem, ...]
    missing: list[str]


def examine(*, source: str, file: str, by: User | None, make_queues: bool = False, strict: bool = False) -> Examined:
    """Everything that publishing looks at. Raises definitions.errors.DefinitionError with every problem.

    Among them are SubworkflowNotPermitted where its author may not start what it starts, and what the publishing checks
    warn of if the definition, or `strict`, wants no warnings.
    """
    definition = load(source, file=file)
    plan = compile_plan(definition, catalogue=catalogue, workflows=catalogue.workflow)
    authorising.require_author(plan, file=file, by=by)
    _require_budgets(plan, file)
    missing = check_queues(definition, make=make_queues)
    check_teams(definition)
    warnings = checks.look(definition, plan, catalogue=catalogue)
    checks.refuse_if_strict(definition, warnings, strict=strict)
    return Examined(definition, plan, warnings, missing)


@transaction.atomic
def publish(
    *, source: str, file: str, by: User | None, make_queues: bool = False, strict: bool = False, reason: str = ""
) -> WorkflowVersion:
    """Validate a definition and make it the current version of its workflow; the same source again changes nothing.

    With `make_queues` the queues that it names and that do not exist are made; the caller checks that `by` may do so.
    Raises what `examine` does, and WorkflowFrozen; what it warns of is kept with the version (`checks`).
    """
    found = examine(source=source, file=file, by=by, make_queues=make_queues, strict=strict)
    definition, plan = found.definition, found.plan
    gatekeeper().make_queues(found.missing)
    workflow, _ = Workflow.objects.get_or_create(name=plan.name, defaults={"title": definition.title, "owner": by})
    workflow = Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    digest = hashlib.sha256(source.encode()).hexdigest()
    if workflow.current_version and workflow.current_version.digest == digest:
        return workflow.current_version
    version = _store_version(workflow, definition, plan, source=source, digest=digest, by=by)
    version.checks = checks.stored(found.warnings)
    version.save(update_fields=["checks"])
    make_current(version, definition, by=by, queues=found.missing, reason=reason)
    return version


def keep_aside(found: Examined, *, source: str, by: User | None) -> WorkflowVersion:
    """Keep a version that no run comes to by itself: for one that is under way. In the caller's transaction.

    Raises definitions.errors.DefinitionError where its author may not start what it starts, or queues are missing.
    """
    authorising.require_author(found.plan, file=found.definition.file, by=by)
    workflow = Workflow.objects.select_for_update(no_key=True).get(name=found.plan.name)
    digest = hashlib.sha256(source.encode()).hexdigest()
    version = _store_version(workflow, found.definition, found.plan, source=source, digest=digest, by=by)
    version.checks, version.deprecated_at = checks.stored(found.warnings), Now()
    version.save(update_fields=["checks", "deprecated_at"])
    return version


def make_current(
    version: WorkflowVersion, definition: Definition, *, by: User | None, queues: list[str], reason: str
) -> None:
    """New runs start on this version from now on. The caller holds the workflow's lock. Raises WorkflowFrozen."""
    workflow = version.workflow
    if workflow.frozen_at is not None and version.certified_at is None:
        raise WorkflowFrozen(name=workflow.name, reason=workflow.frozen_reason)
    workflow.title = definition.title or definition.name
    workflow.description = definition.description
    workflow.current_version = version
    workflow.save(update_fields=["title", "description", "current_version"])
    facts: dict[str, Json] = {"workflow": workflow.name, "number": version.number, "digest": version.digest}
    if reason:
        facts["reason"] = reason
    actor = f"user:{by.get_username()}" if by is not None else "engine"
    events.append("workflow.published", actor=actor, data={**facts, "queues": [*queues]})


def check_queues(definition: Definition, *, make: bool) -> list[str]:
    """The queues that a definition names and that would have to be made. Raises DefinitionError unless they may be."""
    known = gatekeeper().queue_names()
    problems = people.unfit_queues(definition) if make else people.unknown_queues(definition, known)
    if problems:
        raise DefinitionError(problems)
    return sorted({named.queue for named in people.queues_named(definition)} - known)


def check_teams(definition: Definition) -> None:
    """Raises DefinitionError where a step belongs to a team that does not exist; a role is none."""
    problems = people.unknown_teams(definition, access().team_names())
    if problems:
        raise DefinitionError(problems)


def may_publish(plan: Plan, *, file: str, by: User) -> None:
    """Raises SubworkflowNotPermitted naming each step that starts what `by` may not start."""
    authorising.require_author(plan, file=file, by=by)


def _require_budgets(plan: Plan, file: str) -> None:
    """Every agent that the plan names has a budget for a run: its registration's, or one that people gave it."""
    problems = []
    for agent in sorted(agent for agent in budgets.bounds(plan) if agent):
        found = catalogue.find(agent)
        given = Budget.objects.filter(scope="run_agent", ref=0, agent__name=agent)
        if found is not None and not budget_of(found) and not given.exists():
            remedy = "register it again with a budget, or set one on its page"
            problems.append(DefinitionProblem(file, "", f"agent {agent}", "has no budget for a run", remedy))
    if problems:
        raise DefinitionError(problems)


def _store_version(
    workflow: Workflow, definition: Definition, plan: Plan, *, source: str, digest: str, by: User | None
) -> WorkflowVersion:
    # Beside the plan, not in it: no worker needs to know, and one of an earlier release could not read it.
    places = {step.key: step.index for step in plan.steps}
    teams = {team: [places[key] for key in keys] for team, keys in people.teams_named(definition).items()}
    last = workflow.versions.order_by("-number").values_list("number", flat=True).first() or 0
    version = WorkflowVersion.objects.create(
        workflow=workflow,
        number=last + 1,
        source=source,
        definition=definition.values,
        plan=plan_to_json(plan),
        digest=digest,
        published_by=by,
        teams=teams,
    )
    agents = dict(Agent.objects.filter(name__in={s.agent for s in plan.steps if s.agent}).values_list("name", "id"))
    Step.objects.bulk_create(
        Step(
            version=version,
            index=step.index,
            key=step.key,
            kind=step.kind,
            agent_id=agents.get(step.agent),
            dependencies=len(step.dependencies),
            need=step.need,
            successors=list(step.successors),
            lane=lane_of(step.agent, step.agent_version, step.lane),
        )
        for step in plan.steps
    )
    return version
