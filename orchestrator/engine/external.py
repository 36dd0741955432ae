"""What a worker process knows of external agents: looked up in the database when a step names one."""

import time
from typing import Final

from agents import registry
from agents.adapters import external
from agents.models import AgentVersion

FRESH_SECONDS: Final = 5.0  # so long a process may not know that a newer version was registered
_looked_up: dict[tuple[str, int | None], float] = {}


def may_be_unknown(name: str, version: int | None) -> bool:
    """Whether an agent is to be looked up: unknown to this process, or external and named without a version."""
    spec = registry.find(name, version)
    if spec is None:
        return True
    return spec.kind == external.KIND and version is None and _is_old(name, version)


def learn(name: str, version: int | None) -> None:
    """Let this process know an external agent as it is recorded, if there is one."""
    rows = AgentVersion.objects.select_related("agent").filter(agent__name=name, kind=external.KIND)
    row = rows.order_by("-number").first() if version is None else rows.filter(number=version).first()
    _looked_up[name, version] = time.monotonic()
    known = registry.find(name, row.number) if row is not None else None
    if row is not None and (known is None or known.digest != row.digest):
        registry.default.put(external.spec_of(row))


def _is_old(name: str, version: int | None) -> bool:
    return time.monotonic() - _looked_up.get((name, version), -FRESH_SECONDS) >= FRESH_SECONDS
