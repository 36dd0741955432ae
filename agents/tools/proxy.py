"""The one way to call a tool: check, judge, ask or admit, run once, check, record. It belongs to one attempt.

1. The arguments become one plain copy that fits the tool's contract; that copy is judged, shown, sealed and run.
2. Deny by default: the policies in force allow it, or it does not happen; either is counted, a denial is an event.
3. What people have to approve ends the attempt. Once they have, the same call (same seal) goes through, once.
4. A call with effects is remembered by the engine: repeated by a later attempt, it is answered from memory.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any, Final

from django.db import connections

from agents import on_demand
from agents.errors import (
    AgentFailure,
    AgentsError,
    ToolBusy,
    ToolDenied,
    ToolNeedsApproval,
    ToolRefused,
    ToolResultInvalid,
    ToolUnknown,
)
from agents.policies import view as policy_view
from agents.policies.rules import Question, Ruling
from agents.policies.view import View
from agents.tools import calls, limits, meter, rotation, running, secrets
from agents.tools import registry as registry_module
from agents.tools.arguments import chosen_scopes, normal, seal
from agents.tools.registry import ToolRegistry
from agents.tools.running import ToolContext
from agents.tools.specs import ToolSpec
from agents.types import AgentRequest, CallApproval, Json, NeedsApproval

QUEUE: Final = "operations"
MOST_TOLD: Final = 100  # calls of one attempt that are told one by one; the rest are counted
UNKNOWN: Final = "(unknown)"


@dataclass(frozen=True, slots=True)
class Call:
    """One call, ready to be judged. `seal`: of everything that was, or is to be, approved; `memory`: of its effect."""

    spec: ToolSpec
    arguments: dict[str, Json]
    scopes: tuple[str, ...]
    seal: str
    memory: str


class ToolProxy:
    """`ctx.tools` of one attempt, in the worker."""

    __slots__ = ("_registry", "_request", "_seen", "_told", "_view", "asked")

    def __init__(
        self, request: AgentRequest, *, registry: ToolRegistry | None = None, view: View | None = None
    ) -> None:
        self._request = request
        self._registry = registry or registry_module.default
        self._view = view or policy_view.default
        self._seen: Counter[str] | None = None
        self._told = 0
        self.asked: NeedsApproval | None = None  # the attempt is over: this is what came of it

    async def call(
        self, name: str, arguments: Any = None, *, scopes: Sequence[str] | None = None, label: str = ""
    ) -> Json:
        """Call a tool and return its result. See the module; raises subclasses of ToolRefused, and AgentFailure.

        `scopes`: the data scopes that this call touches, all of the tool's by default. `label` tells calls apart that
        are otherwise the same.
        """
        if self.asked is not None:
            raise ToolNeedsApproval(tool=str(name)[:100])
        call = await self._prepared(name, arguments, scopes, label)
        ruling = await self._ruling(call)
        if not ruling.allowed:
            await self._deny(call, ruling)
        if ruling.queue:
            approval = await self._approval(call, ruling)
            if approval is None:
                await self._ask(call, ruling)
            elif approval.arguments is not None:
                call = await self._edited(call, ruling, approval.arguments)
        return await self._carry_out(call, ruling)

    @property
    def made(self) -> dict[str, int]:
        """How often each call was made in this attempt."""
        return dict(self._seen or {})

    def go_on_from(self, made: Mapping[str, int]) -> None:
        """This attempt goes on where an earlier one had made so many calls."""
        self._seen = Counter(made)

    async def available(self) -> list[dict[str, Json]]:
        """The tools that some entitlement of this agent is about."""
        await self._view.refresh(self._in_thread, fresh=False)
        await self._look_for(*self._view.rules.tools_of(self._request.agent))
        found = []
        for name in self._view.rules.tools_of(self._request.agent):
            try:
                spec = self._registry.get(name)
            except ToolUnknown:
                continue
            about: dict[str, Json] = {"name": name, "description": spec.description, "input": spec.input.schema}
            found.append({**about, "risk": spec.risk})
        return found

    # Before

    async def _prepared(self, name: str, arguments: Any, scopes: Sequence[str] | None, label: str) -> Call:
        await self._look_for(name)
        try:
            spec = self._registry.get(name)
            given = normal(spec.name, arguments, spec.input)
            chosen = chosen_scopes(spec.name, scopes, spec.data_scopes)
            secrets.check(spec.name, secrets.references(given), spec.secrets)
        except ToolRefused as refused:
            known = refused.facts["tool"] if not isinstance(refused, ToolUnknown) else UNKNOWN
            await self._refused(str(known), refused.code, str(refused))
            raise
        own = seal(spec.name, spec.version, given, list(chosen), str(label)[:200])
        self._seen = self._seen or Counter()
        self._seen[own] += 1
        place = f"{own[:40]}.{self._seen[own]}"
        return Call(spec, given, chosen, seal(self._request.agent, self._request.key, place, own), f"tool:{place}")

    async def _look_for(self, *names: str) -> None:
        if self._registry is registry_module.default:
            await on_demand.look_for_tools(names)

    async def _ruling(self, call: Call) -> Ruling:
        spec = call.spec
        engine = await self._view.engine(self._in_thread, fresh=spec.effects or spec.dry_run_first)
        question = Question(
            agent=self._request.agent,
            tool=spec.name,
            risk=spec.risk,
            scopes=call.scopes,
            arguments=call.arguments,
            run=self._request.host.facts() if self._request.host else {},
            version=spec.version,
        )
        ruling = await engine.decide(question)
        if ruling.allowed and spec.dry_run_first and not ruling.queue:
            return replace(ruling, queue=QUEUE)
        return ruling

    async def _deny(self, call: Call, ruling: Ruling) -> None:
        name = call.spec.name
        denied = ToolDenied(agent=self._request.agent, tool=name, why=ruling.why, remedy=ruling.remedy)
        await self._refused(name, ruling.code, str(denied), ruling)
        raise denied

    async def _refused(self, tool: str, code: str, message: str, ruling: Ruling | None = None) -> None:
        held = (ruling.policy, ruling.entitlement) if ruling else ("", "")
        self._count(tool, "denied", code=code, held=held)
        facts: dict[str, Json] = {"tool": tool, "code": code, "message": message[:500]}
        await self._tell("tool.refused", facts)
        await self._in_thread(meter.write_down)  # a denial is not to be lost with the process

    # People

    async def _approval(self, call: Call, ruling: Ruling) -> CallApproval | None:
        host = self._request.host
        return await host.approval(_bound(call, ruling)) if host is not None else None

    async def _edited(self, call: Call, ruling: Ruling, arguments: Json) -> Call:
        """The approved call with the arguments that people gave it: it is still that call, and made once.

        What they wrote is held to the tool's contract, its secrets and the policies in force, like any call; one about
        which others would have to be asked is not made.
        """
        given = normal(call.spec.name, arguments, call.spec.input)
        secrets.check(call.spec.name, secrets.references(given), call.spec.secrets)
        edited = replace(call, arguments=given)
        anew = await self._ruling(edited)
        if not anew.allowed or anew.queue not in ("", ruling.queue):
            await self._deny(edited, anew)
        return edited

    async def _ask(self, call: Call, ruling: Ruling) -> None:
        spec = call.spec
        preview = await self._preview(call)
        self._count(spec.name, "asked", held=(ruling.policy, ruling.entitlement))
        self.asked = NeedsApproval(
            action={"tool": f"{spec.name} v{spec.version}", "arguments": call.arguments, **preview},
            reason=f"{spec.name} is of {spec.risk} risk",
            call={
                "tool": spec.name,
                "version": spec.version,
                "title": spec.title,
                "arguments": call.arguments,
                "scopes": list(call.scopes),
                "risk": spec.risk,
                "schema": dict(spec.input.schema),
                "queue": ruling.queue,
                "policy": ruling.policy,
                "entitlement": ruling.entitlement,
                "seal": _bound(call, ruling),
                **preview,
            },
        )
        await self._tell("tool.asked", {"tool": spec.name, "risk": spec.risk, "queue": ruling.queue, "seal": call.seal})
        raise ToolNeedsApproval(tool=spec.name)

    async def _preview(self, call: Call) -> dict[str, Json]:
        if call.spec.dry_run is None:
            return {}
        try:
            return {"dry_run": await running.run(call.spec, call.spec.dry_run, call.arguments, self._context(call))}
        except (AgentFailure, AgentsError) as error:
            return {"dry_run": {"failed": str(error)[:500]}}

    # The call

    async def _carry_out(self, call: Call, ruling: Ruling) -> Json:
        held = (ruling.policy, ruling.entitlement)
        await self._admit(call, held)
        await rotation.load(call.spec.secrets)
        secrets.resolve(call.spec.name, call.arguments, call.spec.secrets)  # one that is not set is no sent effect
        run: Callable[[], Awaitable[Any]] = partial(self._run, call, ruling)
        effects = self._request.effects
        if not has_effects(call, ruling) or effects is None:
            return (await run())["result"]  # type: ignore[no-any-return]
        ask = partial(self._reconcile, call) if call.spec.reconcile else None
        kept: Any = await effects.once(call.memory, run, reconcile=ask)
        return kept["result"]  # type: ignore[no-any-return]

    async def _reconcile(self, call: Call) -> Json:
        """What the provider knows of an earlier attempt's call; None if it did not arrive."""
        assert call.spec.reconcile is not None
        found = await running.run(call.spec, call.spec.reconcile, call.arguments, self._context(call))
        return None if found is None else _kept(call, found)

    async def _run(self, call: Call, ruling: Ruling) -> Json:
        spec, held, started = call.spec, (ruling.policy, ruling.entitlement), monotonic()
        try:
            result = await running.run(spec, spec.function, call.arguments, self._context(call))
            running.check_result(spec, result)
        except (AgentFailure, ToolRefused) as error:
            code = error.code
            self._count(spec.name, "failed", code=code, held=held, ms=(monotonic() - started) * 1000)
            if error.retryable or isinstance(error, ToolResultInvalid):
                await self._in_thread(limits.failed, spec.name, f"{code}: {error}")
            self._note(call, str(error), started)
            await self._tell_call(call, ruling, outcome=code)
            raise
        if self._limits(spec.name)[1]:
            await self._in_thread(limits.worked, spec.name)
        self._count(spec.name, "allowed", held=held, ms=(monotonic() - started) * 1000)
        self._note(call, result, started)
        await self._tell_call(call, ruling, outcome="done")
        return _kept(call, result)

    async def _admit(self, call: Call, held: tuple[str, str]) -> None:
        if not any(self._limits(call.spec.name)):
            return
        try:
            await self._in_thread(limits.admit, call.spec.name)
        except ToolBusy:
            self._count(call.spec.name, "limited", held=held)
            raise

    def _limits(self, name: str) -> tuple[bool, bool]:
        return self._view.limits.get(name, (False, False))

    def _context(self, call: Call) -> ToolContext:
        return ToolContext(
            agent=self._request.agent,
            tool=call.spec.name,
            scopes=call.scopes,
            key=f"{self._request.key}.{call.memory.removeprefix('tool:')}",
            correlation_id=self._request.correlation_id,
            secret_names=call.spec.secrets,
        )

    # Records

    async def _tell_call(self, call: Call, ruling: Ruling, *, outcome: str) -> None:
        facts: dict[str, Json] = {
            "tool": call.spec.name, "version": call.spec.version, "outcome": outcome, "seal": call.seal[:16],
            "policy": ruling.policy, "entitlement": ruling.entitlement, "approved": bool(ruling.queue),
        }  # fmt: skip
        if has_effects(call, ruling):
            await self._tell("tool.called", facts)
        elif self._request.host is not None and self._told < MOST_TOLD:
            self._told += 1
            self._request.host.note("tool.called", facts)

    async def _tell(self, kind: str, facts: dict[str, Json]) -> None:
        self._told += 1
        if self._request.host is not None and self._told <= MOST_TOLD:
            await self._request.host.tell(kind, secrets.mask_json(facts))

    def _note(self, call: Call, got: Any, started: float) -> None:
        if self._request.host is not None and self._told < MOST_TOLD:
            ms, key = (monotonic() - started) * 1000, self._request.key
            calls.default.note(call.seal, key, self._request.correlation_id, given=call.arguments, got=got, ms=ms)

    def _count(self, tool: str, decision: str, **facts: Any) -> None:
        meter.default.count(self._request.agent, tool, decision, key=self._request.key, **facts)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._request.host is not None:
            return await self._request.host.in_thread(function, *arguments)
        return await asyncio.to_thread(_closing, function, *arguments)


def has_effects(call: Call, ruling: Ruling) -> bool:
    """Whether a repeat of the call has to be answered from memory."""
    return call.spec.effects or ruling.queue != ""


def _kept(call: Call, result: Json) -> Json:
    """What the engine remembers of a call with effects: enough to undo it."""
    about: dict[str, Json] = {"tool": call.spec.name, "version": call.spec.version, "scopes": list(call.scopes)}
    return {"result": result, "call": {**about, "arguments": call.arguments}}


def _bound(call: Call, ruling: Ruling) -> str:
    """What an approval is bound to: the call, and who was to be asked. A stricter policy asks anew."""
    return seal(call.seal, ruling.queue)


def _closing(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    finally:
        connections.close_all()
