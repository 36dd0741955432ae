"""What of a run is kept from somebody who is yet to judge a step's output: how sure its agent says it is.

The card, the run's graph and the API of tasks leave it out themselves; here it is taken out of the shared state.
"""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser, User

from orchestrator.models import Checkpoint, Run, StateEntry
from orchestrator.ports import gatekeeper

OPINION: Final = "confidence"


def hidden_tasks(user: User | AnonymousUser, run: Run) -> frozenset[int]:
    """The tasks of this run that this person is still to judge."""
    return gatekeeper().hidden_tasks(user, [run.pk]) if isinstance(user, User) else frozenset()


def entries(found: Iterable[StateEntry], hidden: frozenset[int]) -> list[StateEntry]:
    """These entries, to be shown and not saved: what hidden tasks wrote says nothing of how sure they are."""
    shown = list(found)
    for entry in shown:
        if entry.task in hidden:
            entry.value = without(entry.value)
    return shown


def checkpoints(found: Iterable[Checkpoint], hidden: frozenset[int]) -> list[Checkpoint]:
    """These checkpoints, to be shown and not saved. They do not say whose findings they hold: all are without."""
    shown = list(found)
    for made in shown if hidden else ():
        made.findings, made.decisions = without(made.findings), without(made.decisions)
    return shown


def without(value: Any) -> Any:
    """The value without what anything in it says about confidence."""
    if isinstance(value, dict):
        return {name: without(part) for name, part in value.items() if name != OPINION}
    return [without(part) for part in value] if isinstance(value, list) else value
