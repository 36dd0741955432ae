"""Files that a run hands over: stored once per content, listed per task."""

import hashlib
from typing import Any

import orjson

from agents.types import Json
from orchestrator.definitions import expressions
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine import threads
from orchestrator.models import Artifact, Content, Run, Task, task_id
from orchestrator.states import TaskStatus

LARGE = 64 * 1024  # bytes of JSON above which an output is stored by its content instead of in its row
_REFERENCE = "$content"


def store(body: bytes) -> str:
    """Keep `body` under its SHA-256 and return that."""
    digest = hashlib.sha256(body).hexdigest()
    Content.objects.bulk_create([Content(sha256=digest, body=body, size=len(body))], ignore_conflicts=True)
    return digest


def pack(body: bytes) -> dict[str, Json]:
    """Store a large output's JSON and return the reference that stands in its row."""
    return {_REFERENCE: store(body), "bytes": len(body)}


def fit(output: dict[str, Json]) -> dict[str, Json]:
    """An output as its row holds it: itself, or the reference to it if it is large."""
    body = orjson.dumps(output)
    return pack(body) if len(body) > LARGE else output


def unpack(output: Any) -> Any:
    """An output as its agent gave it, fetched by its content if the row holds a reference."""
    if isinstance(output, dict) and _REFERENCE in output and output.keys() == {_REFERENCE, "bytes"}:
        return orjson.loads(bytes(Content.objects.values_list("body", flat=True).get(pk=output[_REFERENCE])))
    return output


async def unpack_all(outputs: dict[str, Any]) -> dict[str, Any]:
    """Outputs by key with large ones fetched, in a thread."""
    return {
        key: await threads.database(unpack, output) if isinstance(output, dict) and _REFERENCE in output else output
        for key, output in outputs.items()
    }


def deliver(task: Task, step: PlanStep, output: dict[str, Json]) -> None:
    """Store the file that a step's definition says it delivers, if it says so.

    A second attempt replaces the first's.
    """
    if not step.deliver:
        return
    fields = expressions.resolve(dict(step.deliver), context_of(task, step, output))
    assert isinstance(fields, dict)
    Artifact.objects.update_or_create(
        task_id=task.pk,
        name=str(fields["name"])[:200],
        defaults={
            "run_id": task.run_id,
            "media_type": str(fields.get("media_type", "text/plain"))[:100],
            "sha256": store(str(fields["content"]).encode()),
        },
    )


def context_of(task: Task, step: PlanStep, output: dict[str, Json]) -> dict[str, Any]:
    """What a succeeding step's file and signal may name: the run's input, the steps before, and its output."""
    run_input = Run.objects.values_list("input", flat=True).get(pk=task.run_id)
    needed = Task.objects.filter(
        pk__in=[task_id(task.run_id, index) for index in step.needs], status=TaskStatus.SUCCEEDED
    )
    return {"input": run_input, "steps": {other.key: unpack(other.output) for other in needed}, "output": output}
