"""What a tool would do with some arguments, by its own dry run: for people who are about to approve just that."""

import asyncio

from agents.errors import AgentFailure, AgentsError, ContractViolation, ToolUnknown
from agents.tools import registry, running
from agents.types import Json


def rehearse(name: str, arguments: dict[str, Json], *, agent: str, key: str) -> tuple[Json, str]:
    """What its dry run says, and why there is none: one of them is empty. Raises nothing that a tool does."""
    try:
        spec = registry.default.get(name)
    except ToolUnknown:
        return None, f"Nobody here knows tool {name}; its code is gone or renamed."
    if spec.dry_run is None:
        return None, f"Tool {name} has no dry run."
    context = running.ToolContext(agent=agent, tool=name, scopes=(), key=key, secret_names=spec.secrets)
    try:
        spec.input.check(arguments)
        return asyncio.run(running.run(spec, spec.dry_run, arguments, context)), ""
    except ContractViolation as wrong:
        return None, f"The action is not what tool {name} takes: {wrong}"
    except (AgentFailure, AgentsError) as failure:
        return None, str(failure)[:500]
