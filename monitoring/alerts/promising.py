"""What workflows and queues promise, as numbers that rules look at. Once a minute: whole days are counted for them.

A thing of this scope is a promise: of a workflow by its own number, of a queue by `queue:` and the queue's name.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.template.loader import render_to_string

from approvals import permissions
from approvals.able import promises
from approvals.models import Queue
from monitoring.alerts.store import Amounts, Key
from monitoring.metrics import objectives
from monitoring.models import Objective

MOST: Final = 500  # of workflows; the oldest go first
_QUEUE: Final = "queue:"


def measure(now: datetime) -> dict[Key, Amounts]:
    """How every promise is kept up to now; one that nobody has asked anything of yet is left out."""
    return {("promise", subject): numbers for subject, numbers in {**_workflows(now), **_queues(now)}.items()}


def _workflows(now: datetime) -> Mapping[str, Amounts]:
    wanted = list(Objective.objects.order_by("pk")[:MOST])
    found = {str(one.objective.pk): one for one in objectives.how_all(wanted, now=now) if one.n}
    return {
        subject: {
            "used": 1 - one.left, "asked": float(one.n),
            **_windows({window.name: (window.n, window.burn) for window in one.windows}),
        }
        for subject, one in found.items()
    }  # fmt: skip


def _queues(now: datetime) -> Mapping[str, Amounts]:
    promising = Queue.objects.filter(care__decide_within_s__isnull=False)
    found = {queue.name: promises.of(queue, now=now) for queue in promising}
    return {
        f"{_QUEUE}{name}": {
            "used": 1 - one.left, "asked": float(one.asked),
            **_windows({window.name: (window.asked, window.burn) for window in one.windows}),
        }
        for name, one in found.items() if one is not None and one.asked
    }  # fmt: skip


def _windows(told: Mapping[str, tuple[int, float]]) -> Amounts:
    """Of each window how many it was asked of, and how fast it burns."""
    return {
        "burn_1h": told["1 h"][1], "burn_6h": told["6 h"][1], "burn_3d": told["3 d"][1],
        "asked_6h": float(told["6 h"][0]), "asked_3d": float(told["3 d"][0]),
    }  # fmt: skip


def visible(user: User) -> list[str]:
    """The promises of the workflows and queues that this person may see."""
    mine = Objective.objects.filter(workflow__in=permissions.visible_workflows(user)).order_by()
    queues = permissions.visible_queues(user).order_by().values_list("name", flat=True)
    return [*map(str, mine.values_list("pk", flat=True)), *(f"{_QUEUE}{name}" for name in queues)]


def of_workflows(subjects: Collection[str]) -> list[tuple[str, str, int]]:
    """Subject, words and workflow of the promises of workflows among these."""
    rows = Objective.objects.filter(pk__in=[int(one) for one in subjects if one.isdecimal()])
    return [
        (str(one.pk), f"{one.workflow.title}: {_words(one)}", one.workflow_id)
        for one in rows.select_related("workflow")
    ]


def of_queues(subjects: Collection[str]) -> list[tuple[str, str, int]]:
    """The same of queues."""
    names = [one.removeprefix(_QUEUE) for one in subjects if one.startswith(_QUEUE)]
    return [(f"{_QUEUE}{one.name}", one.title, one.pk) for one in Queue.objects.filter(name__in=names)]


def workflow_of(subject: str) -> str:
    """The name of the workflow that a promise is about; empty where it is a queue's, or is gone."""
    number = int(subject) if subject.isdecimal() else 0
    return Objective.objects.filter(pk=number).values_list("workflow__name", flat=True).first() or ""


def _words(objective: Objective) -> str:
    return render_to_string("monitoring/objective_words.html", {"objective": objective}).strip()
