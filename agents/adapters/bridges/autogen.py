"""AutoGen teams as agents: a handoff to a person opens a gate, and the team goes on with the answer.

The team's own state is kept in the run's state while people think. Needs the extra `autogen`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from autogen_agentchat.base import TaskResult, Team
from autogen_agentchat.messages import HandoffMessage
from autogen_core import CancellationToken

from agents import registry as registry_module
from agents.adapters.bridges.kept import Kept
from agents.context import AgentContext
from agents.contracts import ContractSource, compile_contract
from agents.errors import AgentFailure, Business, Permanent, Transient
from agents.registry import Registry
from agents.specs import Facts, build_spec
from agents.types import AgentFunction, Completed, Json, NeedsApproval, Usage

_OURS: dict[str, type[AgentFailure]] = {kind.__name__: kind for kind in (Transient, Permanent, Business)}
PERSON = "user"  # the handoff's target that is a person


def autogen_agent(  # noqa: PLR0913 - the words of a registration
    name: str,
    team: Callable[[], Team],
    *,
    input: ContractSource,  # noqa: A002 - the word of every definition and page
    output: ContractSource,
    prompt: Callable[[dict[str, Any]], str],
    answer: Callable[[TaskResult], Any],
    facts: Facts | None = None,
    registry: Registry = registry_module.default,
) -> AgentFunction:
    """Register the team that `team()` makes and return its function.

    A team that should ask ends with `HandoffTermination(target="user")`; people see what it said, and the text they
    answer with is the next message.
    """

    async def work(given: Any, ctx: AgentContext) -> Completed | NeedsApproval:
        kept = Kept(ctx, "autogen")
        before: Any = await kept.load()
        made = team()
        task: Any = prompt(given)
        if before is not None:
            agreed = ctx.approval(before["action"])
            if agreed is None:
                return _question(before["action"])
            await made.load_state(before["state"])
            source = before["action"]["from"]
            task = HandoffMessage(source=PERSON, target=source, content=str(agreed.get("answer", "approved")))
        ended = await _run(made, task)
        last = ended.messages[-1]
        if isinstance(last, HandoffMessage) and last.target == PERSON:
            number = before["action"]["number"] + 1 if before else 1
            action: dict[str, Json] = {"from": last.source, "says": last.content, "number": number}
            await kept.save({"action": action, "state": await made.save_state()})
            return _question(action, _usage(ended))
        return Completed(answer(ended), usage=_usage(ended))

    work.place = f"{team.__module__}:{team.__qualname__}:{name}"  # type: ignore[attr-defined]
    own: Facts = {"isolation": "loop", "entrypoint": f"{team.__module__}:{team.__qualname__}"}
    schema = compile_contract(input).schema  # the schema alone: prompts are made of plain values
    registry.add(build_spec(name, work, takes=schema, gives=output, facts={**(facts or {}), **own}))
    return work


async def _run(made: Team, task: Any) -> TaskResult:
    token = CancellationToken()
    try:
        return await made.run(task=task, cancellation_token=token)
    except asyncio.CancelledError:
        token.cancel()
        raise
    except RuntimeError as error:  # a team hands on what its agents raise as a text: class, message, traceback
        kind, _, rest = str(error).partition(": ")
        if kind in _OURS:
            raise _OURS[kind](rest.partition("\n")[0]) from error
        raise


def _question(action: dict[str, Any], usage: Usage | None = None) -> NeedsApproval:
    return NeedsApproval(action, str(action["says"]), {"answer": "approved"}, usage=usage or Usage(), resume=True)


def _usage(ended: TaskResult) -> Usage:
    used = [message.models_usage for message in ended.messages if message.models_usage is not None]
    return Usage(sum(one.prompt_tokens for one in used), sum(one.completion_tokens for one in used))
