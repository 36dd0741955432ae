"""What a worker does with a claimed step that waits for the outside: work out for what, say so, and let go of it."""

from collections.abc import Awaitable, Callable
from typing import Any

from agents.types import Completed, Json
from orchestrator import callback_tokens
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionFailed
from orchestrator.definitions.fields import LONGEST_WAIT, seconds
from orchestrator.definitions.waits import moment
from orchestrator.engine import opening
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.opener import Opener
from orchestrator.errors import OrchestratorError
from orchestrator.waits_db import Opening

type Call = Callable[[dict[str, Json], dict[str, Json]], Awaitable[object]]
type InThread = Callable[..., Awaitable[Any]]


async def timer(job: Assignment, opener: Opener) -> None:
    """Sleep until a time."""
    assert job.step.wait is not None
    spec = job.step.wait
    when = {"at": _until(job, spec.until)} if spec.until else {"after": _duration(job, spec.duration)}
    await opener.open(Opening(job.claimed.id, job.claimed.attempt, {"for": "timer", **when}))


async def event(job: Assignment, opener: Opener) -> None:
    """Wait for a signal. A key that comes to nothing would match every signal: that is an error."""
    assert job.step.wait is not None
    spec = job.step.wait
    key = expressions.render_text(spec.key, job.context).strip()
    if spec.key and not 0 < len(key) <= 200:
        raise ExpressionFailed(f'the key "{spec.key:.80}" comes to {len(key)} characters; it must have 1 to 200')
    wanted = {"name": spec.event, "key": key, "match": spec.match, "schema": spec.schema, "after": spec.deadline_s}
    await opener.open(Opening(job.claimed.id, job.claimed.attempt, {"for": "event", **wanted}))


async def subworkflow(job: Assignment, shift: int, in_thread: InThread) -> None:
    """Start a run and wait for its end."""
    literal = job.literal_input
    given = literal if literal is not None else _mapping(expressions.resolve(job.step.inputs, job.context))
    try:
        await in_thread(opening.start_child, job, shift, given)
    except OrchestratorError as refusal:
        await in_thread(opening.refuse_child, job, shift, given, refusal)


async def callback(job: Assignment, shift: int, in_thread: InThread, call: Call) -> None:
    """Open the secret address, have the step's agent hand it over, and wait.

    `call` takes the agent's input as it is stored, with a placeholder, and as it is sent, with the address.
    """
    token = await in_thread(opening.prepare_callback, job, shift)
    if token is None:
        return
    shown = _inputs(job, callback_tokens.PLACEHOLDER)
    if token and job.step.agent:
        await call(shown, _inputs(job, callback_tokens.address(token)))
    else:
        await in_thread(opening.open_callback, job, shift, shown, None)


async def handed_over(
    job: Assignment, shift: int, in_thread: InThread, given: dict[str, Json], outcome: Completed
) -> None:
    """The agent has handed the address over: wait for the call back."""
    await in_thread(opening.open_callback, job, shift, given, outcome)


def _inputs(job: Assignment, address: str) -> dict[str, Json]:
    return _mapping(expressions.resolve(job.step.inputs, {**job.context, "callback_url": address}))


def _duration(job: Assignment, written: str) -> float:
    value = expressions.resolve(written, job.context) if "${" in written else written
    if isinstance(value, str) and value.replace(".", "", 1).isdecimal():
        value = float(value)
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    found = seconds(value, longest=LONGEST_WAIT) if plain else None  # type: ignore[arg-type]  # plain: text or number
    if found is None:
        raise ExpressionFailed(f'the duration "{written:.80}" comes to {value!r:.40}; it must be such as 90d')
    return found


def _until(job: Assignment, written: str) -> str:
    value = expressions.resolve(written, job.context)
    found = moment(value) if isinstance(value, str) else None
    if found is None:
        message = f'"{written:.80}" comes to {value!r:.60}; it must be such as 2027-01-31T09:00:00Z, with its zone'
        raise ExpressionFailed(message)
    return found.isoformat()


def _mapping(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value
