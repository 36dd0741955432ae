"""The workflows, queues and people that synthetic history is about. Made once, by the product's own services."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

import agents.library.sample_patterns  # noqa: F401  the agent that all steps name
from agents.registry import sync
from approvals import access
from approvals.models import LessonCursor, NoticeCursor, Profile, Queue
from config.volume import shapes
from config.volume.shapes import FLOWS, Flow
from monitoring.forensics import indexing
from orchestrator import ledger, services
from orchestrator.models import Run, Workflow

PREFIX: Final = "volume-"
_PEOPLE: Final = ("Ines Duarte", "Karl Brandt", "Lena Sorensen", "Malik Diallo", "Nadia Petrov", "Tom Ashby")


@dataclass(frozen=True, slots=True)
class World:
    """The rows of `volume_flow` and `volume_person`."""

    flows: Sequence[tuple[int, int, int, str, int, int, str]]
    people: Sequence[tuple[int, int, str]]


def has_other_runs() -> bool:
    """Whether anything but synthetic history is stored."""
    return Run.objects.exclude(workflow__name__startswith=PREFIX).exists()


def make() -> World:
    """Everything that runs refer to; what exists is left as it is."""
    sync()
    queues = {name: access.ensure_queue(name=name, title=_title(name)) for name in shapes.QUEUES}
    people = [_person(at, name, list(queues.values())) for at, name in enumerate(_PEOPLE)]
    for flow in FLOWS:
        services.publish(source=shapes.definition(flow), file=f"{flow.name}.json", by=None, make_queues=True)
    return World(
        [_row(at, flow, queues[flow.queue]) for at, flow in enumerate(FLOWS)],
        [(at, user.pk, user.get_username()) for at, user in enumerate(people)],
    )


def let_readers_begin_here() -> None:
    """Nobody is told of what never happened, and nothing is learned from it; it can be searched."""
    end = ledger.head()
    while indexing.index():
        continue
    with transaction.atomic():
        NoticeCursor.objects.bulk_create([NoticeCursor(pos=end)], ignore_conflicts=True)
        NoticeCursor.objects.filter(pos__lt=end).update(pos=end)
        LessonCursor.objects.bulk_create([LessonCursor(pos=end)], ignore_conflicts=True)
        LessonCursor.objects.filter(pos__lt=end).update(pos=end)


def _row(at: int, flow: Flow, queue: Queue) -> tuple[int, int, int, str, int, int, str]:
    workflow = Workflow.objects.get(name=flow.name)
    assert workflow.current_version_id is not None
    return at, workflow.pk, workflow.current_version_id, flow.title, flow.size, queue.pk, queue.name


@transaction.atomic
def _person(at: int, name: str, queues: Sequence[Queue]) -> User:
    """An account that nobody can sign in to."""
    first, last = name.split(" ", 1)
    user, made = User.objects.get_or_create(
        username=f"{PREFIX}{first.lower()}", defaults={"first_name": first, "last_name": last}
    )
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
        Profile.objects.create(user=user, title="Reviewer of synthetic history")
        access.set_role(user_id=user.pk, role="Reviewer", by=None)
        for queue in queues:
            access.grant(to=user, permission="decide_gates", on=queue, by=None)
    return user


def _title(name: str) -> str:
    return name.removeprefix(PREFIX).capitalize()
