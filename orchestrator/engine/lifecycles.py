"""What a run works on moves through declared states only, whoever moves it: a step, an agent or a person.

Its state is the shared key of the lifecycle's name (`shared.ticket`), so its history, its writers and its proof are
those of the run's state.
"""

from collections.abc import Mapping
from typing import Any

from agents.types import Json
from orchestrator.definitions.lifecycles import following, may_move
from orchestrator.engine import plans
from orchestrator.errors import IllegalMove
from orchestrator.models import Run, StateEntry

SHARED = "shared"


def declared(run_id: int) -> Mapping[str, Mapping[str, Any]]:
    """The lifecycles of a run's version, by name."""
    version = Run.objects.values_list("version_id", flat=True).filter(pk=run_id).first()
    return plans.plan_of(version).lifecycles if version is not None else {}


def state_of(run_id: int, name: str, lifecycle: Mapping[str, Any]) -> str:
    """Where it stands: the start, until something moved it."""
    rows = StateEntry.objects.filter(run_id=run_id, key=f"{SHARED}.{name}").order_by("-version")
    found = rows.values_list("value", flat=True).first()
    return str(found) if found is not None else str(lifecycle["start"])


def require(run_id: int, key: str, value: Json, *, deleted: bool = False) -> None:
    """Raise IllegalMove if the key is a lifecycle's and the value no state that may follow. Under the run's lock."""
    namespace, _dot, name = key.rpartition(".")
    if namespace != SHARED or (lifecycle := declared(run_id).get(name)) is None:
        return
    now = state_of(run_id, name, lifecycle)
    if deleted or not isinstance(value, str) or not may_move(lifecycle, now, value):
        then = ", ".join(following(lifecycle, now)) or "nothing, for it is final"
        to = "be deleted" if deleted else f"become {str(value)[:60]!r}"
        raise IllegalMove(key=key, problem=f"{name} is {now!r} and cannot {to}; it may become {then}")
