"""What the agent pages show: the registry with its health, and one agent with its versions and contracts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Lower
from django.http import Http404
from django.utils import timezone

from agents.health import Health, health_by_agent
from agents.lifecycle import canaries, targets
from agents.models import Agent, AgentHealth, AgentRelease, AgentVersion, QualityTarget

MAX_AGENTS: Final = 500
MINUTES: Final = 30
MAX_FIELDS: Final = 100
MAX_DEPTH: Final = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One agent of the registry, with its newest version, its release and its targets as last measured."""

    agent: Agent
    version: AgentVersion | None
    health: Health
    release: AgentRelease | None = None
    held: tuple[targets.Held, ...] = ()


@dataclass(frozen=True, slots=True)
class ContractField:
    """One field of a contract, readable without knowing JSON Schema; `depth` is how far it is nested."""

    name: str
    type: str
    required: bool
    help: str
    limits: str
    depth: int


def registry(*, search: str = "") -> list[Row]:
    """Every registered agent, in four queries however many there are."""
    agents = Agent.objects.select_related("release", "target").order_by(Lower("title"), "name")
    if search:
        agents = agents.filter(name__icontains=search) | agents.filter(title__icontains=search)
    found = list(agents[:MAX_AGENTS])
    newest = AgentVersion.objects.filter(agent=OuterRef("agent")).order_by("-number").values("pk")[:1]
    versions = AgentVersion.objects.filter(agent__in=found, pk=Subquery(newest)).defer(
        "input_schema", "output_schema", "config"
    )
    by_agent = {version.agent_id: version for version in versions}
    health = health_by_agent(agent.pk for agent in found)
    return [_row(agent, by_agent.get(agent.pk), health[agent.pk]) for agent in found]


def _row(agent: Agent, version: AgentVersion | None, health: Health) -> Row:
    target: QualityTarget | None = getattr(agent, "target", None)
    held = tuple(targets.held(target)) if target else ()
    return Row(agent, version, health, getattr(agent, "release", None), held)


def get_agent_or_404(name: str) -> Agent:
    """The agent with this name."""
    found = Agent.objects.filter(name=name).first()
    if found is None:
        raise Http404
    return found


def versions_of(agent: Agent) -> list[AgentVersion]:
    """An agent's versions, the newest first."""
    return list(agent.versions.order_by("-number")[:50])


def standing_of(agent: Agent) -> dict[str, Any]:
    """Its release, its targets and what they came to, and the items that are open about it."""
    target = targets.target_of(agent)
    release = AgentRelease.objects.filter(agent=agent).first()
    lines = release.comparison.get("lines", []) if release else []
    return {
        "release": release,
        "lines": [(canaries.NAMES[line["measure"]], line) for line in lines],
        "target": target,
        "held": targets.held(target) if target else [],
        "items": agent.items.filter(closed_at=None),
    }


def health_of(agent: Agent) -> Health:
    """One agent's health."""
    return health_by_agent([agent.pk])[agent.pk]


def calls_by_minute(agent: Agent) -> list[int]:
    """Calls in each of the last thirty minutes, the oldest first."""
    start = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    rows = AgentHealth.objects.filter(agent=agent, minute__gte=start).values_list("minute", "calls")
    counts = {int((minute - start).total_seconds() // 60): calls for minute, calls in rows}
    return [counts.get(minute, 0) for minute in range(MINUTES)]


def contract_fields(schema: Mapping[str, Any]) -> list[ContractField]:
    """A JSON Schema as lines of name, type, need and limits. What it cannot say this way is in the schema itself."""
    found: list[ContractField] = []
    _collect(schema, schema, 0, found)
    return found[:MAX_FIELDS]


def _collect(root: Mapping[str, Any], schema: Mapping[str, Any], depth: int, found: list[ContractField]) -> None:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or depth > MAX_DEPTH or len(found) > MAX_FIELDS:
        return
    required = set(schema.get("required", ()))
    for name, raw in properties.items():
        spec = _resolved(root, raw)
        words = str(spec.get("description", ""))
        found.append(ContractField(name, _type(root, spec), name in required, words, _limits(spec), depth))
        inner = _resolved(root, spec.get("items", {})) if spec.get("type") == "array" else spec
        _collect(root, inner, depth + 1, found)


def _resolved(root: Mapping[str, Any], spec: Any) -> Mapping[str, Any]:
    if not isinstance(spec, dict):
        return {}
    name = str(spec.get("$ref", "")).removeprefix("#/$defs/")
    target = root.get("$defs", {}).get(name) if "$ref" in spec else None
    return target if isinstance(target, dict) else spec


def _type(root: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    if "enum" in spec:
        return " | ".join(str(option) for option in spec["enum"][:8])
    if options := spec.get("anyOf") or spec.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(root, _resolved(root, option)) for option in options))
    kind = spec.get("type", "any")
    if kind == "array":
        return f"list of {_type(root, _resolved(root, spec.get('items', {})))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _limits(spec: Mapping[str, Any]) -> str:
    words = {
        "minimum": "≥ {}", "maximum": "≤ {}", "exclusiveMinimum": "> {}", "exclusiveMaximum": "< {}",
        "minLength": "at least {} characters", "maxLength": "at most {} characters", "pattern": "matches {}",
        "minItems": "at least {}", "maxItems": "at most {}", "format": "{}", "const": "always {}",
    }  # fmt: skip
    return ", ".join(text.format(spec[name]) for name, text in words.items() if name in spec)
