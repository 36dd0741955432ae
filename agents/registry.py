"""The agents this process knows, by name and version, and their rows in the database.

`@agent(...)` registers a function; `autodiscover()` imports every installed app's `agents` module so that it does.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from typing import Final, Unpack

from django.apps import apps
from django.conf import settings
from django.db import transaction

import agents.library
from agents import budgets
from agents.contracts import ContractSource
from agents.errors import AgentNotFound, DuplicateAgent, VersionChanged
from agents.models import Agent, AgentVersion
from agents.specs import AgentSpec, Facts, build_spec
from agents.types import AgentFunction

LIBRARY: Final = "agents.library."


class Registry:
    """Agents by name and version. One per process; tests make their own."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, AgentSpec]] = {}
        self._newest: dict[str, AgentSpec] = {}

    def add(self, spec: AgentSpec) -> None:
        """Register one version. The same function seen twice is one agent; another one is refused."""
        versions = self._versions.setdefault(spec.name, {})
        known = versions.get(spec.version)
        if known is not None and known.place != spec.place:
            raise DuplicateAgent(name=spec.name, version=spec.version, first=known.place, second=spec.place)
        versions[spec.version] = spec
        self._newest[spec.name] = versions[max(versions)]

    def put(self, spec: AgentSpec) -> None:
        """Set one version in the place of what is registered: for rehearsals, whose agents are stubs."""
        self._versions.setdefault(spec.name, {})[spec.version] = spec
        self._newest[spec.name] = self._versions[spec.name][max(self._versions[spec.name])]

    def find(self, name: str, version: int | None = None) -> AgentSpec | None:
        """That version, or the newest for None; None when this process does not know it."""
        if version is None:
            return self._newest.get(name)
        return self._versions.get(name, {}).get(version)

    def get(self, name: str, version: int | None = None) -> AgentSpec:
        """Like `find`, but AgentNotFound when this process does not know it."""
        spec = self.find(name, version)
        if spec is None:
            raise AgentNotFound(name=name, version=version or "(newest)")
        return spec

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._versions)

    def specs(self) -> list[AgentSpec]:
        """Every version of every agent, by name and number."""
        return [self._versions[name][number] for name in self.names() for number in sorted(self._versions[name])]


default = Registry()
find, get, names, specs = default.find, default.get, default.names, default.specs


def agent[F: AgentFunction](
    name: str,
    *,
    input: ContractSource,  # noqa: A002 - the word of every definition and page
    output: ContractSource,
    registry: Registry = default,
    **facts: Unpack[Facts],
) -> Callable[[F], F]:
    """Register `fn(input, ctx) -> output` as an agent; the function itself is returned unchanged.

    `input` and `output` are pydantic models or JSON Schemas. A model makes the function receive an instance. Async
    functions run on the loop, others in a thread, unless `isolation` says otherwise.
    """

    def register(function: F) -> F:
        registry.add(build_spec(name, function, takes=input, gives=output, facts=facts))
        return function

    return register


def autodiscover() -> None:
    """Import `agents.library.*` and the `agents` module of every other installed app, once each."""
    load_library()
    load_apps()


def load_library() -> None:
    """Import `agents.library.*`."""
    for module in pkgutil.iter_modules(agents.library.__path__, LIBRARY):
        importlib.import_module(module.name)
        if module.ispkg:
            _import_if_present(f"{module.name}.agents")


def load_apps() -> None:
    """Import the `agents` module of every installed app but this one."""
    for app in apps.get_app_configs():
        if app.name != "agents":
            _import_if_present(f"{app.name}.agents")


def _import_if_present(name: str) -> None:
    if importlib.util.find_spec(name) is not None:
        importlib.import_module(name)


@transaction.atomic
def sync(registry: Registry = default) -> list[AgentVersion]:
    """Record every registered agent and version; return the versions that are new.

    A recorded version never changes: VersionChanged if the code now says otherwise. Titles and texts follow the code,
    and so do owners and tags that nobody has edited; limits are taken from it once, and belong to people afterwards.
    """
    specs = [spec for spec in registry.specs() if spec.kind != "external"]  # theirs are recorded as they register
    rows = {spec.name: _agent_row(spec) for spec in specs}  # the newest version comes last and describes the agent
    edited = set(Agent.objects.filter(name__in=rows, edited=True).values_list("name", flat=True))
    _put([row for name, row in rows.items() if name not in edited], ["title", "description", "owner", "domain_tags"])
    _put([row for name, row in rows.items() if name in edited], ["title", "description"])
    ids = dict(Agent.objects.filter(name__in=rows).values_list("name", "id"))
    wanted = {(ids[spec.name], spec.version): spec for spec in specs}
    before = set(AgentVersion.objects.filter(agent__in=ids.values()).values_list("agent_id", "number"))
    fresh = [
        version_row(spec, agent_id) for (agent_id, number), spec in wanted.items() if (agent_id, number) not in before
    ]
    # Two processes may record the same version at once; the digests below tell whether they agree.
    AgentVersion.objects.bulk_create(fresh, ignore_conflicts=True)
    recorded = AgentVersion.objects.filter(agent__in=ids.values()).select_related("agent")
    for row in recorded:
        if spec := wanted.get((row.agent_id, row.number)):
            _refuse_change(row, spec)
            if "budget" not in row.config:  # registered by a release that knew of no budgets
                row.config["budget"] = budget_of(spec)
                row.save(update_fields=["config"])
    return [
        row for row in recorded if (row.agent_id, row.number) in wanted and (row.agent_id, row.number) not in before
    ]


def _put(rows: list[Agent], fields: list[str]) -> None:
    Agent.objects.bulk_create(rows, update_conflicts=True, unique_fields=["name"], update_fields=fields)


def _agent_row(spec: AgentSpec) -> Agent:
    return Agent(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        owner=spec.owner,
        domain_tags=list(spec.tags),
        max_concurrency=spec.max_concurrency,
        rate_per_minute=spec.rate_per_minute,
    )


def version_row(spec: AgentSpec, agent_id: int) -> AgentVersion:
    """The row of a version, not saved yet."""
    return AgentVersion(
        agent_id=agent_id,
        number=spec.version,
        kind=spec.kind,
        isolation=spec.isolation,
        entrypoint=spec.entrypoint,
        input_schema=spec.input_schema,
        output_schema=spec.output_schema,
        capabilities=list(spec.capabilities),
        config={**spec.config, "budget": budget_of(spec)},
        digest=spec.digest,
    )


def budget_of(found: AgentSpec | AgentVersion) -> dict[str, float]:
    """What an agent may use in one run by its registration; {} where an earlier release registered it without."""
    if isinstance(found, AgentVersion):
        stated: dict[str, float] = found.config.get("budget", {})
        return stated
    return found.budget or {**budgets.DEFAULT, **settings.AGENT_BUDGET}


def _refuse_change(row: AgentVersion, spec: AgentSpec) -> None:
    if row.digest == spec.digest:
        return
    now = version_row(spec, row.agent_id)
    fields = ("kind", "isolation", "entrypoint", "input_schema", "output_schema", "capabilities", "config")
    now.config = {**spec.config, "budget": row.config.get("budget")}  # which is no part of a version
    changed = [field.replace("_", " ") for field in fields if getattr(now, field) != getattr(row, field)]
    raise VersionChanged(
        name=spec.name, version=spec.version, changed=" and ".join(changed) or "contract", next=spec.version + 1
    )
