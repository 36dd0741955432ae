"""What an agent may use in one run, as its registration states it. No Django."""

import math
from collections.abc import Mapping
from typing import Final

RESOURCES: Final = ("documents", "tokens", "minutes", "calls")
# For agents whose registration names no budget; settings may state others (AGENT_DOCUMENTS and so on).
DEFAULT: Final[Mapping[str, float]] = {"documents": 100, "tokens": 50_000, "minutes": 30, "calls": 200}
AMPLE: Final[Mapping[str, float]] = dict.fromkeys(RESOURCES, 1e9)  # for agents that only tests and benchmarks know


def flaw(budget: Mapping[str, object]) -> str | None:
    """What is wrong with a budget as registered, in words; None if it limits each resource."""
    if missing := [name for name in RESOURCES if name not in budget]:
        return f"its budget must limit {' and '.join(missing)} too"
    if unknown := [name for name in budget if name not in RESOURCES]:
        return f"its budget names {unknown[0]}; it may limit {', '.join(RESOURCES)}"
    for name, limit in budget.items():
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit) or limit <= 0:
            return f"its budget of {name} must be a number above 0"
    return None
