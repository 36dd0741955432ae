"""What a definition says of budgets, caches, agents to choose among and authority, and what is wrong with it."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from orchestrator.definitions.agents import AgentCatalogue, AgentContract, name_and_version
from orchestrator.definitions.errors import did_you_mean
from orchestrator.definitions.fields import seconds
from orchestrator.definitions.load import StepSource
from orchestrator.definitions.plan import Selection

type Flaw = tuple[str, str, str]  # field, what is wrong, what to do

REST: Final = "orchestrator"  # in shares: every agent that the table does not name
CLOSE: Final = 1e-6  # shares are written with few decimals: 0.333333 three times is 1.0


def select_of(step: StepSource) -> Selection | None:
    """Which agents may do a step that names none."""
    fields = step.fields.get("select")
    if fields is None:
        return None
    return Selection(fields.get("capability", ""), tuple(fields.get("tags", ())), tuple(fields.get("agents", ())))


def cache_of(step: StepSource) -> float:
    """How many seconds an output may be used again; 0: never."""
    return seconds(step.fields["cache"]) or 0.0 if "cache" in step.fields else 0.0


def latency_of(step: StepSource) -> float:
    """In how many seconds 95 of 100 tries are to be done; 0: nobody has said."""
    return seconds(step.fields["latency"]) or 0.0 if "latency" in step.fields else 0.0


def category_of(step: StepSource) -> str:
    """The category of task that the step's agent needs the authority for."""
    return str(step.fields.get("category", ""))


def flaws(step: StepSource, catalogue: AgentCatalogue) -> Iterator[Flaw]:
    """What is wrong with one step's agent or choice, cache and category."""
    fields = step.fields
    if "select" in fields:
        yield from _select_flaws(fields, catalogue)
    if "cache" in fields:
        for other in ("deliver", "compensate"):
            if other in fields:
                yield "cache", f"must not stand beside {other}: a side effect happens each time", "leave cache out"
    if "latency" in fields and "timeout" in fields and latency_of(step) > (seconds(fields["timeout"]) or 0.0):
        yield "latency", "is longer than timeout, so no try could be over it", "name a shorter time"
    if "category" in fields and "agent" in fields:
        name, version = name_and_version(fields["agent"])
        found = catalogue.find(name, version)
        if found is not None and fields["category"] not in (allowed := authority(found)):
            told = f"it has it for {', '.join(sorted(allowed))}" if allowed else "it has none"
            yield "category", f"{name} has no authority for {fields['category']}", f"{told}; name another agent"


def authority(found: AgentContract) -> Sequence[str]:
    """The categories of tasks that an agent may do: those it states, or what it can do where it states none."""
    stated: Sequence[str] | None = getattr(found, "config", {}).get("authority")
    return tuple(getattr(found, "capabilities", ())) if stated is None else stated


def _select_flaws(fields: Mapping[str, Any], catalogue: AgentCatalogue) -> Iterator[Flaw]:
    wanted = fields["select"]
    if "agent" in fields:
        yield "select", "stands beside agent", "keep one of them"
    if not wanted.get("capability") and not wanted.get("agents"):
        yield "select", "chooses among all agents there are", "name a capability, or the agents to choose from"
        return
    names = list(catalogue.names())
    for name in wanted.get("agents", ()):
        if name not in names:
            yield "select.agents", f'"{name}" is not an agent', did_you_mean(name, names) or "register it first"
            return
    among = wanted.get("agents") or names
    found = {name: contract for name in among if (contract := catalogue.find(name, None)) is not None}
    able = {
        name: contract
        for name, contract in found.items()
        if not wanted.get("capability") or wanted["capability"] in getattr(contract, "capabilities", ())
    }
    if not able:
        known = sorted({can for contract in found.values() for can in getattr(contract, "capabilities", ())})
        remedy = did_you_mean(wanted["capability"], known) or "register an agent with this capability"
        yield "select.capability", f'no agent can "{wanted["capability"]}"', remedy
        return
    category = fields.get("category")
    if category and not any(category in authority(contract) for contract in able.values()):
        yield "category", f"none of {', '.join(sorted(able))} has the authority for {category}", "correct one of them"


def budget_flaws(configuration: Mapping[str, Any], agents: Iterable[str]) -> Iterator[Flaw]:
    """What is wrong with a run's budgets and the table that divides them; `agents` as from `agents_in`."""
    limits, shares = configuration.get("budgets", {}), configuration.get("shares")
    if shares is None:
        return
    if not limits:
        yield "shares", "divides nothing", "say how much in configuration.budgets"
    wrong = [name for name, share in shares.items() if not _is_share(share)]
    if wrong:
        yield f"shares.{wrong[0]}", "must be a number above 0 and at most 1", ""
        return
    total = math.fsum(shares.values())
    if abs(total - 1.0) > CLOSE:
        yield "shares", f"sum to {total:g}, not to 1.0", f"give {REST} what is left" if total < 1 else "lower some"
    used = set(agents)
    for name in shares:
        if name not in used and name != REST:
            yield f"shares.{name}", "no step uses this agent", did_you_mean(name, sorted(used - {""})) or "remove it"
    if REST not in shares and (without := sorted(used - set(shares))):
        who = without[-1] or "an agent that is chosen while it runs"
        yield "shares", f"leave nothing for {who}", f"give it a share, or {REST}, which stands for all others"


def _is_share(share: object) -> bool:
    return isinstance(share, int | float) and not isinstance(share, bool) and 0 < share <= 1


def agents_in(step: StepSource, named: Iterable[str] = ()) -> set[str]:
    """The agents that a step, or the step inside it, calls; "" for one that is chosen while it runs."""
    found = {name_and_version(name)[0] for name in named}
    for fields in (step.fields, step.fields.get("body", {})):
        for name in ("agent", "fallback"):
            if name in fields:
                found.add(name_and_version(fields[name])[0])
        if isinstance(fields.get("compensate"), dict) and "agent" in fields["compensate"]:
            found.add(name_and_version(fields["compensate"]["agent"])[0])
        if "select" in fields:
            found.add("")
    return found
