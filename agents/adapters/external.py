"""External worker agents: registered over REST, done by programs in any language that fetch their calls.

Known by their rows alone. Calling one defers: the engine parks the task, and a worker fetches it.
"""

from typing import Any

from agents.models import AgentVersion
from agents.specs import AgentSpec, Facts, build_spec
from agents.types import Deferred

KIND = "external"


async def hand_out(given: Any, ctx: Any) -> Deferred:
    """The call waits for a worker, with what the guard has left of its input."""
    return Deferred(pulled=True, given=dict(given), note=ctx.note, approvals=tuple(ctx.approvals))


def spec_from(name: str, *, takes: dict[str, Any], gives: dict[str, Any], facts: Facts) -> AgentSpec:
    """One registration, compiled. Raises InvalidRegistration."""
    own: Facts = {"kind": "external", "isolation": "loop", "entrypoint": f"external:{name}"}
    return build_spec(name, hand_out, takes=takes, gives=gives, facts={**facts, **own})


def spec_of(row: AgentVersion) -> AgentSpec:
    """A recorded version, ready to be called."""
    facts: Facts = {"version": row.number, "capabilities": row.capabilities, "title": row.agent.title}
    facts["config"] = {name: value for name, value in row.config.items() if name not in {"budget", "authority"}}
    if isinstance(row.config.get("budget"), dict):
        facts["budget"] = row.config["budget"]
    if isinstance(row.config.get("authority"), list):
        facts["authority"] = row.config["authority"]
    return spec_from(row.agent.name, takes=row.input_schema, gives=row.output_schema, facts=facts)
