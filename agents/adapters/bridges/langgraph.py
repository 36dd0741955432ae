"""LangGraph graphs as agents: `interrupt()` opens a gate, and its answer resumes the graph with `Command(resume)`.

The thread's checkpoints are kept in the run's state: after a worker's death, or days at a gate, another one goes on
from the last node that had ended. Needs the extra `langgraph`.
"""

import base64
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.graph import StateGraph
from langgraph.types import Command

from agents import registry as registry_module
from agents.adapters.bridges.kept import Kept
from agents.context import AgentContext
from agents.contracts import ContractSource, compile_contract
from agents.registry import Registry
from agents.specs import Facts, build_spec
from agents.types import AgentFunction, Json, NeedsApproval

type Graph = StateGraph[Any, Any, Any, Any]


def langgraph_agent(  # noqa: PLR0913 - the words of a registration
    name: str,
    graph: Callable[[], Graph],
    *,
    input: ContractSource,  # noqa: A002 - the word of every definition and page
    output: ContractSource,
    answer: Callable[[Mapping[str, Any]], Any] = dict,
    facts: Facts | None = None,
    registry: Registry = registry_module.default,
) -> AgentFunction:
    """Register the graph that `graph()` builds, uncompiled, as an agent and return its function.

    The agent's input is the graph's; `answer` makes the output of the graph's final state. What a node hands to
    `interrupt(value)` people see and may edit; what they agree to is what `interrupt` returns.
    """

    async def work(given: Any, ctx: AgentContext) -> Any:
        saver = RunStateSaver(Kept(ctx, "langgraph"))
        await saver.load()
        compiled = graph().compile(checkpointer=saver)
        config: RunnableConfig = {"configurable": {"thread_id": ctx.key}}
        while True:
            state = await compiled.aget_state(config)
            if state.interrupts:
                asked = state.interrupts[0]
                action: dict[str, Json] = {"interrupt": asked.id, "value": asked.value}
                agreed = ctx.approval(action)
                if agreed is None:
                    return _question(action)
                entry: Any = Command(resume={asked.id: agreed.get("value", agreed)})
            elif state.created_at is not None and not state.next:
                return answer(state.values)
            else:  # a thread that a lost worker left between two nodes goes on without input
                entry = None if state.created_at is not None else given
            await compiled.ainvoke(entry, config, durability="sync")

    work.place = f"{graph.__module__}:{graph.__qualname__}:{name}"  # type: ignore[attr-defined]
    own: Facts = {"isolation": "loop", "entrypoint": f"{graph.__module__}:{graph.__qualname__}"}
    schema = compile_contract(input).schema  # the schema alone: graphs take plain values
    registry.add(build_spec(name, work, takes=schema, gives=output, facts={**(facts or {}), **own}))
    return work


def _question(action: dict[str, Json]) -> NeedsApproval:
    return NeedsApproval(action, "The graph was interrupted.", {"value": action["value"]}, resume=True)


class RunStateSaver(BaseCheckpointSaver[str]):
    """Keeps the newest checkpoint of each namespace and its pending writes, all of them after every step."""

    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self._kept = kept
        self._newest: dict[str, dict[str, Any]] = {}  # by namespace

    async def load(self) -> None:
        """Read what an earlier attempt has kept."""
        self._newest = await self._kept.load() or {}

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The newest checkpoint, or the one that is named, if it is still kept."""
        return self._tuple(config)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The same without waiting."""
        return self._tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the base class's word
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The newest checkpoint: no history is kept."""
        found = self._tuple(config) if config else None
        if found is not None:
            yield found

    def list(self, config: RunnableConfig | None, **_: Any) -> Iterator[CheckpointTuple]:
        """The same without waiting."""
        found = self._tuple(config) if config else None
        return iter([found] if found else [])

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint in the place of the one before."""
        at = config["configurable"]
        space = at.get("checkpoint_ns", "")
        self._newest[space] = {
            "id": checkpoint["id"],
            "parent": at.get("checkpoint_id"),
            "checkpoint": self._packed(checkpoint),
            "metadata": self._packed(metadata),
            "writes": {},
        }
        await self._kept.save(self._newest)
        return _config(at["thread_id"], space, checkpoint["id"])

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what the tasks of the step under way have written."""
        at = config["configurable"]
        found = self._newest.get(at.get("checkpoint_ns", ""))
        if found is None or found["id"] != at["checkpoint_id"]:
            return
        for number, (channel, value) in enumerate(writes):
            place = WRITES_IDX_MAP.get(channel, number)
            slot = f"{task_id}:{place}"
            if place < 0 or slot not in found["writes"]:
                found["writes"][slot] = [task_id, channel, self._packed(value)]
        await self._kept.save(self._newest)

    def _tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        at = config["configurable"]
        space, wanted = at.get("checkpoint_ns", ""), at.get("checkpoint_id")
        found = self._newest.get(space)
        if found is None or (wanted and wanted != found["id"]):
            return None
        writes = [(task, channel, self._unpacked(value)) for task, channel, value in found["writes"].values()]
        parent = _config(at["thread_id"], space, found["parent"]) if found["parent"] else None
        return CheckpointTuple(
            _config(at["thread_id"], space, found["id"]),
            self._unpacked(found["checkpoint"]),
            self._unpacked(found["metadata"]),
            parent,
            writes,
        )

    def _packed(self, value: Any) -> tuple[str, str]:
        kind, body = self.serde.dumps_typed(value)
        return kind, base64.b64encode(body).decode()

    def _unpacked(self, packed: Sequence[str]) -> Any:
        return self.serde.loads_typed((packed[0], base64.b64decode(packed[1])))


def _config(thread: str, space: str, checkpoint: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": space, "checkpoint_id": checkpoint}}
