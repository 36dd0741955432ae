"""What follows when an attempt has failed: the rules alone, without a database.

| class     | first                                    | then, when `on_error` is `escalate`                |
|---        |---                                       |---                                                 |
| transient | again after a wait, the fallback agent   | people are asked                                   |
| permanent | the fallback agent                       | the run fails                                      |
| business  | nothing: the agent works, the world says | the run fails, and what it did is undone           |
|           | no                                       |                                                    |

`ask`, `skip` and `fail` mean what they say. An optional step that has failed for good is left out, unless it asks.
"""

import random
from collections.abc import Mapping
from typing import Any, Final, Literal

from orchestrator.definitions.plan import PlanStep, Retry

type Next = Literal["retry", "fall_back", "ask", "skip", "fail"]

LONGEST_WAIT: Final = 86_400.0  # seconds: what a provider may ask us to wait before the next try
DETAILS: Final = frozenset({"class", "stack"})  # for those who may see details


def next_move(step: PlanStep, kind: str, tries: int, *, breaker_open: bool = False) -> Next:
    """What follows after `tries` failed tries, the last of which failed with `kind`."""
    if kind != "business":
        again = kind == "transient" and tries < step.retry.attempts
        if again and not (breaker_open and step.fallback):
            return "retry"
        if step.fallback and step.kind != "pattern":  # a pattern's stands in for the agents of its turns
            return "fall_back"
    if step.on_error == "ask":
        return "ask"
    if step.on_error == "skip" or step.optional:
        return "skip"
    if step.on_error == "escalate" and kind == "transient":
        return "ask"
    return "fail"


def longest_wait(retry: Retry, failures: int) -> float:
    """The most seconds that are waited after `failures` earlier failures: it doubles until the cap."""
    return min(retry.cap, retry.base * 2.0 ** min(failures, 60))


def backoff(retry: Retry, failures: int) -> float:
    """Seconds to wait after `failures` earlier ones.

    Full jitter: AWS Architecture Blog, Exponential Backoff And Jitter (2015).
    """
    return random.uniform(0, longest_wait(retry, failures))


def name_of(error: Mapping[str, Any]) -> str:
    """An error in one word for programs: "timeout_after_3_attempts"."""
    tries = error.get("attempts", 1)
    code = str(error.get("code", "failed"))
    return f"{code}_after_{tries}_attempts" if isinstance(tries, int) and tries > 1 else code


def without_details(error: Any) -> Any:
    """An error as everybody may see it: without its class and stack."""
    if not isinstance(error, Mapping):
        return error
    return {name: value for name, value in error.items() if name not in DETAILS}
