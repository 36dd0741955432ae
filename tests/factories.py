"""Rows for tests of pages: statuses are written straight into tables here and nowhere else, without an engine."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

from agents.models import Agent, AgentVersion
from orchestrator import events
from orchestrator.definitions.plan import GateSpec, Plan, PlanStep
from orchestrator.definitions.serialise import plan_to_json
from orchestrator.models import Artifact, Attempt, Content, Run, Step, Task, Workflow, WorkflowVersion, task_id
from orchestrator.states import RUN_TERMINAL, TASK_TERMINAL

_numbers = itertools.count(1)
PASSWORD = "a long enough password"


def user(name: str = "", *roles: str, **fields: Any) -> User:
    """A person with these roles."""
    made = User.objects.create_user(username=name or f"person{next(_numbers)}", password=PASSWORD, **fields)
    made.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
    return made


def agent(name: str = "", *, version: int = 1, **fields: Any) -> Agent:
    """A registered agent with one version."""
    name = name or f"agent-{next(_numbers)}"
    made = Agent.objects.create(name=name, title=fields.pop("title", name.replace("-", " ").capitalize()), **fields)
    AgentVersion.objects.create(
        agent=made, number=version, kind="python", isolation="loop", entrypoint=f"tests.{name}", digest="0" * 64,
        capabilities=["summarise"], input_schema={"type": "object", "properties": {"text": {"type": "string"}}},
        output_schema={"type": "object", "required": ["summary"], "properties": {"summary": {"type": "string"}}},
    )  # fmt: skip
    return made


def steps(*keys: str, agents: dict[str, str] | None = None) -> tuple[PlanStep, ...]:
    """A chain of automated steps, one after the other."""
    last = len(keys) - 1
    return tuple(
        PlanStep(
            index=i, key=key, title=key.replace("_", " ").capitalize(), kind="automated",
            agent=(agents or {}).get(key, ""),
            dependencies=(i - 1,) if i else (), successors=(i + 1,) if i < last else (),
        )
        for i, key in enumerate(keys)
    )  # fmt: skip


def incident_steps() -> tuple[PlanStep, ...]:
    """The shape of the incident workflow: intake, three things at once, a recommendation, an approval, a report."""
    gate = GateSpec(
        when='risk == "critical" || confidence < 0.8',
        queue="security",
        title="Isolate host ${input.host}",
        risk="critical",
    )
    rows: Sequence[tuple[str, str, str, tuple[int, ...], tuple[int, ...]]] = (
        ("intake", "Intake", "automated", (), (1, 2, 3)),
        ("summary", "Threat summary", "automated", (0,), (4,)),
        ("enrichment", "Enrichment", "automated", (0,), (4,)),
        ("severity", "Severity", "automated", (0,), (4, 6)),
        ("recommend", "Recommend", "automated", (1, 2, 3), (5,)),
        ("approve", "Approve isolation", "approval", (4,), (7,)),
        ("note", "Analyst note", "manual", (3,), (7,)),
        ("report", "Compliance report", "automated", (5, 6), ()),
    )
    return tuple(
        PlanStep(
            index=i, key=key, title=title, kind=kind, dependencies=before, successors=after,  # type: ignore[arg-type]
            agent=f"{key}-agent" if kind == "automated" else "", gate=gate if kind != "automated" else None,
        )
        for i, (key, title, kind, before, after) in enumerate(rows)
    )  # fmt: skip


def workflow(name: str = "", plan_steps: Sequence[PlanStep] = (), **fields: Any) -> Workflow:
    """A workflow with one published version."""
    name = name or f"workflow-{next(_numbers)}"
    made = Workflow.objects.create(name=name, title=fields.pop("title", name.replace("-", " ").capitalize()), **fields)
    publish(made, plan_steps or steps("first", "second", "third"))
    return made


def publish(
    made: Workflow, plan_steps: Sequence[PlanStep], *, schema: dict[str, Any] | None = None, source: str = ""
) -> WorkflowVersion:
    """One more version of a workflow."""
    number = made.versions.count() + 1
    plan = Plan(name=made.name, steps=tuple(plan_steps), input_schema=schema or {}, title="")
    version = WorkflowVersion.objects.create(
        workflow=made, number=number, source=source or f"metadata:\n  name: {made.name}\n# {number}\n",
        digest=f"{number:064}",
        definition={"metadata": {"name": made.name, "tags": ["demo"]}}, plan=plan_to_json(plan),
    )  # fmt: skip
    ids = dict(Agent.objects.values_list("name", "pk"))
    Step.objects.bulk_create(
        Step(
            version=version, index=step.index, key=step.key, kind=step.kind, agent_id=ids.get(step.agent),
            dependencies=len(step.dependencies), successors=list(step.successors),
        )
        for step in plan_steps
    )  # fmt: skip
    made.current_version = version
    made.save(update_fields=["current_version"])
    return version


def run(
    made: Workflow, *, statuses: Sequence[str] = (), status: str = "running", minutes: float = 4, **fields: Any
) -> Run:
    """A run with one task a step; `statuses` are the tasks', in order, the rest are blocked."""
    version = made.current_version
    assert version is not None
    plan = version.plan["steps"]
    every = [*statuses, *["blocked"] * (len(plan) - len(statuses))]
    over = status in RUN_TERMINAL
    started = timezone.now() - timedelta(minutes=minutes)
    created = Run.objects.create(
        workflow=made, version=version, status=status, total=len(plan), started_at=started,
        title=fields.pop("title", f"Run of {made.title}"),
        correlation_id=fields.pop("correlation_id", f"c-{next(_numbers)}"),
        remaining=0 if over else sum(s not in TASK_TERMINAL for s in every), failed=every.count("failed"),
        ended_at=timezone.now() if over else None, **fields,
    )  # fmt: skip
    Task.objects.bulk_create(
        _task(created, step, every[i], started + timedelta(seconds=20 * i)) for i, step in enumerate(plan)
    )
    return created


def _task(created: Run, step: dict[str, Any], status: str, at: datetime) -> Task:
    begun = status not in {"blocked", "ready", "skipped", "cancelled"}
    return Task(
        id=task_id(created.pk, step["index"]), run=created, workflow_id=created.workflow_id,
        version_id=created.version_id,
        key=step["key"], kind=step["kind"],
        agent=Agent.objects.filter(name=step.get("agent", "")).first(), status=status,
        lane="default", pending=len(step.get("dependencies", ())), successors=step.get("successors", []),
        attempt=int(begun), wait_for="gate" if status == "waiting" else "",
        ready_at=at if status != "blocked" else None, started_at=at + timedelta(seconds=2) if begun else None,
        ended_at=at + timedelta(seconds=14) if status in TASK_TERMINAL else None,
    )  # fmt: skip


def task(created: Run, index: int = 0) -> Task:
    """One of a run's tasks."""
    return Task.objects.get(pk=task_id(created.pk, index))


def finish(made: Task, output: Any, *, confidence: float | None = None, tokens: int = 0, cost: float = 0.0) -> Task:
    """Give a task an output and the attempt that made it."""
    Task.objects.filter(pk=made.pk).update(output=output, confidence=confidence, input={"text": "what it was given"})
    Attempt.objects.create(
        task=made, number=1, status="succeeded", agent_version=1, started_at=made.started_at, ended_at=timezone.now(),
        tokens_in=tokens, tokens_out=tokens // 4, cost=cost,
    )  # fmt: skip
    made.refresh_from_db()
    return made


def artifact(
    created: Run, *, name: str = "report.md", body: bytes = b"# Report\n", media_type: str = "text/markdown"
) -> Artifact:
    """A file that the run delivered."""
    digest = f"{next(_numbers):064}"
    Content.objects.create(sha256=digest, body=body, size=len(body))
    last = Task.objects.of_run(created.pk).order_by("-id").first()
    return Artifact.objects.create(run=created, task=last, name=name, media_type=media_type, sha256=digest)


def event(created: Run, kind: str, *, actor: str = "engine", made: Task | None = None, **facts: Any) -> int:
    """One event of a run."""
    return events.append(kind, actor=actor, run_id=created.pk, task_id=made.pk if made else None, data=facts)
